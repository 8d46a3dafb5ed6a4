//! Shares that nobody claims: they wait for their payee, and become somebody else's where they waited too long.
//!
//! Whose is decided by the terms of the charge, when it is made: a change of terms moves nothing that was earned before.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::Digest;
use crate::ledger::{Account, Kind, Transfer};
use crate::manifest::{Terms, Unclaimed};
use crate::money::Pico;
use crate::name::PackageName;
use crate::split::{Allotted, Receiver, largest_remainder};

/// Whose a share becomes that nobody claims.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Heirs {
    /// The other payees', by their shares.
    Payees(BTreeMap<String, u32>),
    /// The commons' that the operator names.
    Commons,
}

/// What a payee has of a charge, for as long as nobody claims it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accrual {
    /// The payee.
    pub payee: String,
    /// The package that it is for.
    pub package: PackageName,
    /// How much.
    pub amount: Pico,
    /// Whose it becomes.
    pub heirs: Heirs,
}

/// Returns what the payees of a charge have of it, and whose it would become. `terms` are those of what was sold, `works`
/// those of all that it rests on.
pub fn accruals(allotted: &[Allotted], terms: &Terms, works: &BTreeMap<Digest, Terms>) -> Vec<Accrual> {
    let accrual = |Allotted { share, work }: &Allotted| {
        let Receiver::Payee(payee) = &share.to else { return None };
        let work = work.map_or(Some(terms), |work| works.get(&work))?;
        let package = work.release.package.clone();
        Some(Accrual { payee: payee.clone(), package, amount: share.amount, heirs: heirs(work, payee) })
    };
    allotted.iter().filter_map(accrual).collect()
}

fn heirs(terms: &Terms, payee: &str) -> Heirs {
    match terms.more.splits.as_ref().map(|splits| splits.unclaimed).unwrap_or_default() {
        Unclaimed::Commons => Heirs::Commons,
        Unclaimed::Payees => {
            let others = terms.payee.iter().filter(|other| other.id != payee && other.share > 0);
            Heirs::Payees(others.map(|other| (other.id.clone(), other.share)).collect())
        }
    }
}

/// Returns the transfers that make `amount` of `payee`'s somebody else's: of those among `heirs` who can be paid. None where
/// nobody can yet.
///
/// `commons` is the operator's; `salt` breaks ties.
pub fn lapse(
    payee: &str,
    amount: Pico,
    heirs: &Heirs,
    can_be_paid: impl Fn(&str) -> bool,
    commons: Option<&str>,
    salt: &str,
) -> Vec<Transfer> {
    let weights: Vec<(String, u128)> = match heirs {
        Heirs::Commons => commons.map(|commons| (commons.to_owned(), 1)).into_iter().collect(),
        Heirs::Payees(others) => {
            let known = others.iter().filter(|(id, _)| can_be_paid(id));
            known.map(|(id, share)| (id.clone(), u128::from(*share))).collect()
        }
    };
    let parts = largest_remainder(amount.0, &weights, salt);
    let moved = weights.into_iter().zip(parts).filter(|((id, _), part)| *part > 0 && id != payee);
    moved
        .map(|((id, _), part)| Transfer {
            debit: Account::Payee(payee.to_owned()),
            credit: Account::Payee(id),
            amount: Pico(part),
            kind: Kind::Lapse,
            through: None,
        })
        .collect()
}

/// Divides what goes back of a charge among the parts that are `left` of it, by as much as they are. In their order; never
/// more of one than there is.
pub fn go_back(amount: Pico, left: &[Pico], salt: &str) -> Vec<Pico> {
    let weights: Vec<(String, u128)> =
        left.iter().enumerate().map(|(index, part)| (index.to_string(), part.0)).collect();
    let whole: u128 = left.iter().map(|part| part.0).sum();
    let mut parts = largest_remainder(amount.0.min(whole), &weights, salt);
    parts.resize(left.len(), 0);
    parts.into_iter().map(Pico).collect()
}

/// Returns the transfers by which `amount` of what lapsed is `payee`'s again: from each heir by what it has of it after
/// `transfers`, which are all that there were for it, there and back. An heir's account may go below nothing by it.
pub fn come_back(payee: &str, amount: Pico, transfers: &[Transfer], salt: &str) -> Vec<Transfer> {
    let payee = Account::Payee(payee.to_owned());
    let mut has: BTreeMap<&Account, u128> = BTreeMap::new();
    for Transfer { debit, credit, amount, .. } in transfers {
        if *debit == payee {
            *has.entry(credit).or_default() += amount.0;
        } else {
            let left = has.entry(debit).or_default();
            *left = left.saturating_sub(amount.0);
        }
    }
    let (heirs, left): (Vec<&Account>, Vec<Pico>) =
        has.into_iter().map(|(heir, left)| (heir, Pico(left))).unzip();
    let back = heirs.into_iter().zip(go_back(amount, &left, salt)).filter(|(_, part)| *part > Pico::ZERO);
    back.map(|(heir, amount)| Transfer {
        debit: heir.clone(),
        credit: payee.clone(),
        amount,
        kind: Kind::Lapse,
        through: None,
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hashed::Document as _;
    use crate::manifest::Manifest;
    use crate::money::Atomic;
    use crate::split::allot_bill;
    use crate::terms::{Bill, Effort};

    fn terms(splits: &str) -> Terms {
        let text = format!(
            "[package]\nname = \"a:b\"\nversion = \"1.0.0\"\nlicense = \"MIT\"\n[spec]\nworld = \"b\"\n\
             [component]\npath = \"b.wasm\"\n{splits}\n\
             [[payee]]\nid = \"acct:ana\"\nshare = 5000\n[[payee]]\nid = \"acct:ben\"\nshare = 2000\n\
             [[payee]]\nid = \"github:cy\"\nshare = 3000\n"
        );
        Terms::of(&Manifest::parse(&text).expect("valid"))
    }

    fn moved(heirs: &Heirs, known: &[&str], commons: Option<&str>) -> Vec<(String, u128)> {
        let transfers = lapse("github:cy", Pico(10), heirs, |id| known.contains(&id), commons, "x");
        transfers.into_iter().map(|transfer| (transfer.credit.to_string(), transfer.amount.0)).collect()
    }

    #[test]
    fn the_other_payees_have_it_by_their_shares() {
        let terms = terms("");
        let bill = Bill::of_sale(&terms, Atomic(100), BTreeMap::new());
        let allotted = allot_bill(&bill, 500, &BTreeMap::new(), "call").expect("nothing is missing");
        let accruals = accruals(&allotted, &terms, &BTreeMap::new());
        let cy = accruals.iter().find(|accrual| accrual.payee == "github:cy").expect("accrues");
        assert_eq!((accruals.len(), cy.amount), (3, Pico(28_500_000)));
        let part = |id: &str, amount| (format!("payee:{id}"), amount);
        let both = [part("acct:ana", 7), part("acct:ben", 3)];
        assert_eq!(moved(&cy.heirs, &["acct:ana", "acct:ben"], None), both, "to the last unit");
        assert_eq!(moved(&cy.heirs, &["acct:ben"], None), [part("acct:ben", 10)]);
        assert_eq!(moved(&cy.heirs, &[], Some("acct:commons")), []);
    }

    #[test]
    fn each_of_two_releases_of_one_package_has_its_own_heirs() {
        let root = terms("[splits]\ndependencies = 4000\n");
        let release = |version: &str, splits: &str| {
            let mut terms = terms(splits);
            terms.release = format!("z:ip@{version}").parse().expect("valid");
            terms
        };
        let both = [release("1.0.0", ""), release("2.0.0", "[splits]\nunclaimed = \"commons\"\n")];
        let works: BTreeMap<Digest, Terms> =
            both.iter().map(|terms| (terms.compute_digest(), terms.clone())).collect();
        let effort = |terms: &Terms, fuel| {
            let release = terms.release.clone();
            (terms.compute_digest(), Effort { release, fuel, fuel_counted_max: None })
        };
        // A half of the pool each, of which cy has three tenths.
        let efforts = BTreeMap::from([effort(&both[0], 7), effort(&both[1], 7)]);
        let bill = Bill::of_sale(&root, Atomic(100), efforts);
        let allotted = allot_bill(&bill, 0, &works, "call").expect("nothing is missing");
        let accruals = accruals(&allotted, &root, &works);
        let cy = accruals
            .iter()
            .filter(|accrual| accrual.payee == "github:cy" && accrual.amount == Pico(6_000_000));
        let mut heirs: Vec<bool> = cy.map(|accrual| accrual.heirs == Heirs::Commons).collect();
        heirs.sort();
        assert_eq!(heirs, [false, true]);
    }

    #[test]
    fn what_lapsed_comes_back_from_each_heir_by_what_it_has() {
        let heirs =
            Heirs::Payees(BTreeMap::from([("acct:ana".to_owned(), 5_000), ("acct:ben".to_owned(), 2_000)]));
        let known = |_: &str| true;
        let mut transfers = lapse("github:cy", Pico(10), &heirs, known, None, "x");
        let mut returned = 0;
        for amount in [4, 5, 1] {
            let back = come_back("github:cy", Pico(amount), &transfers, "y");
            assert_eq!(back.iter().map(|transfer| transfer.amount.0).sum::<u128>(), amount);
            returned += amount;
            transfers.extend(back);
            let sum = |id: &str| {
                let account = Account::Payee(id.to_owned());
                let got: u128 =
                    transfers.iter().filter(|one| one.credit == account).map(|one| one.amount.0).sum();
                let gave: u128 =
                    transfers.iter().filter(|one| one.debit == account).map(|one| one.amount.0).sum();
                (got, gave)
            };
            let ((ana, ana_back), (ben, ben_back)) = (sum("acct:ana"), sum("acct:ben"));
            assert!(ana_back <= ana && ben_back <= ben && ana_back + ben_back == returned, "{transfers:?}");
        }
        assert_eq!(come_back("github:cy", Pico(1), &transfers, "y"), [], "all of it is back");
    }

    #[test]
    fn what_goes_back_is_taken_from_every_part_and_never_more_than_it_is() {
        assert_eq!(go_back(Pico(5), &[Pico(6), Pico(0), Pico(4)], "x"), [Pico(3), Pico(0), Pico(2)]);
        assert_eq!(go_back(Pico(11), &[Pico(6), Pico(4)], "x"), [Pico(6), Pico(4)]);
        assert_eq!(go_back(Pico(1), &[Pico(0)], "x"), [Pico(0)]);
        assert_eq!(go_back(Pico(1), &[], "x"), []);
    }

    #[test]
    fn the_commons_has_it_where_the_terms_say_so() {
        let terms = terms("[splits]\nunclaimed = \"commons\"\n");
        let heirs = heirs(&terms, "github:cy");
        assert_eq!(moved(&heirs, &["acct:ana"], None), [], "nobody named any");
        assert_eq!(moved(&heirs, &[], Some("acct:commons")), [("payee:acct:commons".to_owned(), 10)]);
        assert_eq!(moved(&heirs, &[], Some("github:cy")), [], "it is the commons itself");
    }
}
