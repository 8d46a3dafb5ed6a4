//! Use that says something: by payers who have nothing to do with who is paid, nor with one another.
//!
//! Whoever calls a package of their own pays themselves and loses the fee alone, so use as such proves nothing. What is counted
//! is people, as far as the ledger can tell them apart: payers behind whom the same money stands are one, and none of them counts
//! who is, or is funded by, a payee of the package, of what it imports or of what it derives from. Some must be left, and they
//! must pay something. What a ledger cannot see, such as one person with many wallets, it cannot leave out; that it costs the
//! operator's fee on every call is what is left against it.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use glassbox_core::support::Record;
use glassbox_core::{ReleaseId, limits};
use glassbox_store::{PayerAnswers, PayerSum};

use crate::depend::exact;
use crate::error::RegistryError;
use crate::live::Live;
use crate::open::Registry;

/// How much a package was used of late.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// How many paid for it.
    pub payers: usize,
    /// How many of them count: unrelated to its payees and to one another, where there are enough and they pay enough.
    pub payers_organic: usize,
    /// How many paid calls there were.
    pub calls: u64,
}

impl Registry {
    /// Returns how much the package of a release was used of late, as of some seconds ago.
    pub(crate) async fn usage(&self, id: &ReleaseId) -> Result<Usage, RegistryError> {
        let now_ms = self.env.now_ms();
        let compute = async || {
            let since_ms = now_ms.saturating_sub(limits::USAGE_WINDOW_MS);
            let sums = self.store.payers(&id.package, since_ms).await?;
            if sums.is_empty() {
                return Ok(Usage::default());
            }
            let live = self.live(&exact(id)).await?;
            Ok(usage(&sums, &self.related(&live).await?))
        };
        self.used.get(id, now_ms, compute).await
    }

    /// Returns all who are paid when a release is: its payees, those of what it imports and of what it derives from, as far
    /// down and up as that goes, each also by the address that it is paid at.
    pub(crate) async fn related(&self, live: &Arc<Live>) -> Result<BTreeSet<String>, RegistryError> {
        let mut related = BTreeSet::new();
        let mut seen = BTreeSet::from([live.id.clone()]);
        let mut waiting = vec![live.clone()];
        while let Some(live) = waiting.pop() {
            related.extend(live.terms.payee.iter().map(|payee| payee.id.to_lowercase()));
            let imported = live.dependencies.iter().map(|pin| &pin.release);
            let parents = live.terms.more.derived_from.iter().map(|parent| &parent.release);
            for release in imported.chain(parents) {
                // What a work of many roots leaves out is no more than what its own payees would have to pay for.
                if seen.len() < limits::RELATED_RELEASES_MAX && seen.insert(release.clone()) {
                    waiting.push(self.live(&exact(release)).await?);
                }
            }
        }
        for payee in self.store.payees().await? {
            if related.contains(&payee.id.to_lowercase()) {
                related.extend(payee.address.map(|address| address.to_lowercase()));
            }
        }
        Ok(related)
    }
}

/// Says how many calls had an answer, and how many had none, by the hours in which payers who showed it called.
///
/// Payers behind whom the same money stands are one: the busiest stands for them. Who is `related` to whoever is paid counts for
/// nothing. What a payer may have brought itself counts of those who paid for calls, `sums`, and not of the `holder` of the
/// promise; and of them the one with most of it is left out: nobody breaks a promise alone.
pub(crate) fn answered(
    answers: &[PayerAnswers],
    sums: &[PayerSum],
    related: &BTreeSet<String>,
    holder: &str,
) -> Record {
    let mut behind = Behind::of(sums, answers.len());
    for (index, answers) in answers.iter().enumerate() {
        behind.join(sums.len() + index, answers.payer.to_lowercase());
    }
    let is_related: BTreeSet<usize> = related.iter().filter_map(|name| behind.find(name)).collect();
    let holder = behind.find(&holder.to_lowercase());
    let charged: BTreeSet<&str> = sums.iter().map(|sum| sum.payer.as_str()).collect();
    let mut hours: HashMap<usize, [u64; 3]> = HashMap::new();
    for (index, answers) in answers.iter().enumerate() {
        let root = behind.root(sums.len() + index);
        if is_related.contains(&root) {
            continue;
        }
        let counts = charged.contains(answers.payer.as_str()) && holder != Some(root);
        let missing = if counts { answers.missing } else { 0 };
        let all = hours.entry(root).or_default();
        for (most, hours) in all.iter_mut().zip([answers.given, answers.failed, missing]) {
            *most = hours.max(*most);
        }
    }
    let sum = |of: usize| hours.values().map(|hours| hours[of]).sum::<u64>();
    let (given, failed) = (sum(0), sum(1));
    let missing = sum(2) - hours.values().map(|hours| hours[2]).max().unwrap_or_default();
    Record { asked: given + failed + missing, unanswered: failed + missing, holes: Vec::new() }
}

fn usage(sums: &[PayerSum], related: &BTreeSet<String>) -> Usage {
    let mut behind = Behind::of(sums, 0);
    let is_related: BTreeSet<usize> = related.iter().filter_map(|name| behind.find(name)).collect();
    let mut organic: HashMap<usize, (u64, u128)> = HashMap::new();
    for (index, sum) in sums.iter().enumerate() {
        let root = behind.root(index);
        if !is_related.contains(&root) {
            let all = organic.entry(root).or_default();
            *all = (all.0.saturating_add(sum.calls), all.1.saturating_add(sum.amount.0));
        }
    }
    let calls: u64 = organic.values().map(|(calls, _)| calls).sum();
    let paid: u128 = organic.values().map(|(_, paid)| paid).sum();
    let enough = organic.len() >= limits::ORGANIC_PAYERS_MIN
        && paid >= u128::from(calls).saturating_mul(limits::ORGANIC_AVERAGE_MIN.0);
    Usage {
        payers: sums.len(),
        payers_organic: if enough { organic.len() } else { 0 },
        calls: sums.iter().map(|sum| sum.calls).sum(),
    }
}

/// Which payers have the same name behind them: a forest, in which payers of one tree are one.
struct Behind {
    parents: Vec<usize>,
    named: HashMap<String, usize>,
}

impl Behind {
    /// Makes that of payers by their own names and those of their funders, with room for some others after them.
    fn of(sums: &[PayerSum], others: usize) -> Self {
        let mut behind = Self { parents: (0..sums.len() + others).collect(), named: HashMap::new() };
        for (index, sum) in sums.iter().enumerate() {
            for name in [&sum.payer].into_iter().chain(&sum.funders) {
                behind.join(index, name.to_lowercase());
            }
        }
        behind
    }

    /// Says that a name stands behind a payer.
    fn join(&mut self, payer: usize, name: String) {
        let other = *self.named.entry(name).or_insert(payer);
        let (one, other) = (self.root(payer), self.root(other));
        self.parents[one] = other;
    }

    fn root(&mut self, mut payer: usize) -> usize {
        while self.parents[payer] != payer {
            self.parents[payer] = self.parents[self.parents[payer]];
            payer = self.parents[payer];
        }
        payer
    }

    /// Returns the root of the payers that a name stands behind.
    fn find(&mut self, name: &str) -> Option<usize> {
        let payer = *self.named.get(name)?;
        Some(self.root(payer))
    }
}

#[cfg(test)]
mod tests {
    use glassbox_core::Atomic;

    use super::*;

    fn sum(payer: &str, calls: u64, amount: u128, funders: &[&str]) -> PayerSum {
        let funders = funders.iter().map(|name| (*name).to_owned()).collect();
        PayerSum { payer: payer.into(), calls, amount: Atomic(amount), funders }
    }

    #[test]
    fn use_counts_if_it_is_organic() {
        let related = ["0xaa", "acct:ana"].map(str::to_owned).into();
        let check = |sums: &[PayerSum]| usage(sums, &related).payers_organic;
        let [a, b, c] = [sum("0xA", 1, 1_000, &[]), sum("0xb", 2, 2_000, &[]), sum("0xc", 1, 1_000, &[])];
        assert_eq!(check(&[]), 0);
        assert_eq!(check(&[a.clone(), b.clone()]), 0, "too few");
        assert_eq!(check(&[a.clone(), b.clone(), c.clone()]), 3);
        assert_eq!(
            check(&[a.clone(), b.clone(), sum("0xAa", 1_000, 1_000_000, &[])]),
            0,
            "a payee is nobody"
        );
        assert_eq!(check(&[a.clone(), b.clone(), sum("0xc", 2, 1_999, &[])]), 0, "too little");
        assert_eq!(usage(&[c], &related).payers, 1);
    }

    #[test]
    fn payers_with_the_same_money_behind_them_are_one() {
        let related = ["0xaa".to_owned()].into();
        let check = |sums: &[PayerSum]| {
            let usage = usage(sums, &related);
            (usage.payers, usage.payers_organic)
        };
        let [a, b, c] = [sum("0xa", 1, 9_000, &[]), sum("0xb", 1, 9_000, &[]), sum("0xc", 1, 9_000, &[])];
        let credit = |name: &str, funders: &[&str]| sum(name, 1, 9_000, funders);
        let others = [a, b, c];
        let with = |more: &[PayerSum]| [&others[..], more].concat();
        // Two accounts bought by one wallet, which also pays itself.
        assert_eq!(check(&with(&[credit("one", &["0xA"]), credit("two", &["0xA"])])), (5, 3));
        // A chain of funders: one account was bought by two.
        assert_eq!(check(&with(&[credit("one", &["0xd", "0xe"]), credit("two", &["0xe", "0xf"])])), (5, 4));
        // Whom a payee funds is the payee, also through another.
        assert_eq!(check(&with(&[credit("one", &["0xAA"]), credit("two", &["0xaa", "0xb"])])), (5, 0));
        // What the operator gives is one purse.
        assert_eq!(check(&with(&[credit("one", &["operator"]), credit("two", &["operator"])])), (5, 4));
    }

    #[test]
    fn what_callers_may_bring_about_counts_of_several_who_paid() {
        let related = ["acct:ana".to_owned()].into();
        let paid = ["0xA", "0xb", "0xc", "0xHolder", "one", "two"].map(|payer| match payer {
            "one" | "two" => sum(payer, 1, 1_000, &["0xe"]),
            _ => sum(payer, 1, 1_000, &[]),
        });
        let hours = |payer: &str, given, failed, missing| PayerAnswers {
            payer: payer.into(),
            given,
            failed,
            missing,
        };
        let check = |answers: &[PayerAnswers]| {
            let record = answered(answers, &paid, &related, "0xHolder");
            (record.asked, record.unanswered)
        };
        assert_eq!(check(&[]), (0, 0));
        assert_eq!(check(&[hours("0xa", 5, 0, 0), hours("0xfree", 7, 0, 0)]), (12, 0));
        assert_eq!(check(&[hours("0xA", 5, 0, 9)]), (5, 0), "alone");
        assert_eq!(check(&[hours("0xA", 5, 0, 9), hours("0xb", 0, 0, 2)]), (7, 2));
        assert_eq!(check(&[hours("0xA", 5, 0, 9), hours("0xfree", 0, 0, 9)]), (5, 0), "one did not pay");
        assert_eq!(check(&[hours("0xA", 5, 0, 9), hours("0xHolder", 3, 1, 9)]), (9, 1), "one has the plan");
        assert_eq!(check(&[hours("one", 5, 0, 9), hours("two", 6, 0, 8)]), (6, 0), "both are one");
        assert_eq!(check(&[hours("0xA", 9, 1, 0), hours("", 0, 2, 0)]), (12, 3), "the host failed at some");
        assert_eq!(
            check(&[hours("acct:ana", 900, 0, 0), hours("0xb", 1, 1, 0)]),
            (2, 1),
            "it is paid itself"
        );
    }
}
