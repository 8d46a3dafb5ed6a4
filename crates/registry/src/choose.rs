//! Which of several implementations a caller means who does not mind.

use std::cmp::Reverse;
use std::fmt;
use std::str::FromStr;

use glassbox_core::name::is_shared;
use glassbox_core::terms::Account;
use glassbox_core::{Atomic, FunctionName, PackageRef, ReleaseId, limits};

use crate::company::Caller;
use crate::depend::exact;
use crate::error::CallError;
use crate::implementations::Implementation;
use crate::live::Live;
use crate::open::Registry;
use crate::payment::Payment;

/// How one of several implementations is chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Choice {
    /// The one whose call costs the least at most.
    Cheapest,
    /// The one that passes the interface's own tests with the least fuel.
    Fastest,
    /// The one that most payers use who have nothing to do with it.
    MostProven,
    /// The one that is named, and no other.
    Pinned,
}

impl Choice {
    const ALL: [(Self, &'static str); 4] = [
        (Self::Cheapest, "cheapest"),
        (Self::Fastest, "fastest"),
        (Self::MostProven, "most-proven"),
        (Self::Pinned, "pinned"),
    ];

    /// Returns the word for it.
    pub fn as_str(self) -> &'static str {
        Self::ALL.iter().find(|(choice, _)| *choice == self).expect("all choices are listed").1
    }
}

/// Says that a text is no way to choose.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no way to choose; there are cheapest, fastest, most-proven and pinned")]
pub struct UnknownChoice(String);

impl FromStr for Choice {
    type Err = UnknownChoice;

    fn from_str(text: &str) -> Result<Self, UnknownChoice> {
        let known = Self::ALL.iter().find(|(_, word)| *word == text);
        known
            .map(|(choice, _)| *choice)
            .ok_or_else(|| UnknownChoice(text.chars().take(limits::QUOTED_CHARS_MAX).collect()))
    }
}

/// How to choose, and for whom.
#[derive(Debug, Clone, Copy)]
pub struct Choosing<'a> {
    /// How.
    pub choice: Choice,
    /// Whether also among those that do not pass the tests of the interface, or were not tried yet.
    pub untested: bool,
    /// The fuel ceiling of the call.
    pub fuel_max: Option<u64>,
    /// What the caller allows the component to use; all that it declares when absent.
    pub grants: Option<&'a [String]>,
    /// Who calls, where that is known.
    pub payment: Option<&'a Payment>,
}

/// An implementation that was chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chosen {
    /// The release.
    pub release: ReleaseId,
    /// The function, by its full name: a shorter one that the caller wrote may mean several here.
    pub function: FunctionName,
    /// How.
    pub choice: Choice,
    /// Of how many that could be.
    pub among: usize,
    /// Why, in words.
    pub why: String,
    /// How many tests the interface's own package has of it; with none, nothing shows that any of them is right.
    pub spec_cases: usize,
    /// Those that could not be, the best first; of many, some.
    pub left_out: Vec<LeftOut>,
}

/// An implementation that could not be chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOut {
    /// The release.
    pub release: ReleaseId,
    /// The rule: the code that calling it would be refused with, a rule of the company, `spec-tests-failed` or
    /// `spec-tests-awaited`.
    pub rule: String,
}

impl Chosen {
    /// The one that there is to choose.
    fn alone(release: ReleaseId, function: FunctionName, choice: Choice, why: &str) -> Self {
        Self { release, function, choice, among: 1, why: why.into(), spec_cases: 0, left_out: Vec::new() }
    }

    /// Returns the release as something to call.
    pub fn reference(&self) -> PackageRef {
        PackageRef { package: self.release.package.clone(), version: Some(self.release.version.clone()) }
    }
}

/// What is compared of an implementation.
struct Candidate {
    release: ReleaseId,
    amount_max: Atomic,
    spec_fuel: Option<u64>,
    payers_organic: usize,
    /// How many of the interface's own tests it passes: how many it ships is its publisher's choice.
    spec_passed: usize,
    /// Since when its package has the interface.
    first_index: u64,
    /// Why it cannot be chosen.
    refused: Option<Refused>,
}

/// Why an implementation cannot be chosen.
enum Refused {
    /// It would not be called.
    Call(CallError),
    /// It does not pass the tests of the interface.
    TestsFailed,
    /// They were not run on it yet.
    TestsAwaited,
}

impl Refused {
    fn rule(&self) -> String {
        match self {
            Self::Call(CallError::Policy(refusal)) => refusal.rule.clone(),
            Self::Call(error) => error.code().to_owned(),
            Self::TestsFailed => "spec-tests-failed".into(),
            Self::TestsAwaited => "spec-tests-awaited".into(),
        }
    }
}

impl Candidate {
    /// Returns what makes it better the less it is.
    fn rank(&self, choice: Choice) -> (u128, Reverse<usize>, Reverse<usize>, u64, &ReleaseId) {
        let first = match choice {
            Choice::Cheapest => self.amount_max.0,
            Choice::Fastest => self.spec_fuel.map_or(u128::MAX, u128::from),
            Choice::MostProven | Choice::Pinned => 0,
        };
        (first, Reverse(self.payers_organic), Reverse(self.spec_passed), self.first_index, &self.release)
    }

    fn words(&self, choice: Choice) -> String {
        match (choice, self.spec_fuel) {
            (Choice::Cheapest, _) => format!("${} at most", self.amount_max.to_decimal()),
            (Choice::Fastest, Some(fuel)) => format!("{fuel} fuel for the interface's own tests"),
            (Choice::Fastest, None) => "without all of the interface's own tests".into(),
            (Choice::MostProven | Choice::Pinned, _) => {
                let (payers, passed) = (self.payers_organic, self.spec_passed);
                format!("{payers} independent payers, {passed} of the interface's own tests passed")
            }
        }
    }

    fn left_out(&self) -> Option<LeftOut> {
        let rule = self.refused.as_ref()?.rule();
        Some(LeftOut { release: self.release.clone(), rule })
    }
}

impl fmt::Display for Choice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Registry {
    /// Chooses for a call. A payment that bought an implementation of the function stays with it, whatever would be chosen
    /// by now: presented again, it shall find what it bought.
    ///
    /// # Errors
    ///
    /// Where nothing would tell this request from another when it is sent again, so that another implementation could be
    /// chosen and paid, too; the rest as with [`choose`](Self::choose).
    pub async fn choose_to_call(
        &self,
        reference: &PackageRef,
        function: &str,
        choosing: Choosing<'_>,
    ) -> Result<Chosen, CallError> {
        let Some(payment) = choosing.payment else { return self.choose(reference, function, choosing).await };
        let known = self.known(payment);
        // Who names one means that one, and has bought it or has not.
        let is_meant = |bought: &ReleaseId| {
            choosing.choice != Choice::Pinned
                || bought.package == reference.package
                    && reference.version.as_ref().is_none_or(|version| *version == bought.version)
        };
        if let Some(row) = self.presented(known.as_ref()).await?
            && row.function.matches(function)
            && is_meant(&row.release)
        {
            let why = "it is what this payment bought";
            return Ok(Chosen::alone(row.release, row.function, choosing.choice, why));
        }
        let is_found_again = match payment {
            Payment::Credit(credit) => credit.identifier.is_some(),
            Payment::Account(caller) => caller.identifier.is_some(),
            // One that does not hold in itself is refused by the call.
            Payment::X402(_) | Payment::X402V1(_) => {
                known.is_none_or(|known| known.key.is_some() || known.identifier.is_some())
            }
        };
        if choosing.choice != Choice::Pinned && !is_found_again {
            return Err(CallError::ChoiceUnnamed);
        }
        self.choose(reference, function, choosing).await
    }

    /// Chooses among the packages that have the same function as the one that is named: the same name in the same interface,
    /// with the same type. It must pass the tests of the interface where that has any, and the call must be one that is not
    /// refused for whom it is: what may not run here, what the operator stopped, what takes a licence that the caller has not
    /// shown, and what the caller's company does not allow, is left out.
    ///
    /// A function that belongs to no interface has one implementation, its own; so has one of an interface that is not
    /// [shared](is_shared), such as that of programs.
    pub async fn choose(
        &self,
        reference: &PackageRef,
        function: &str,
        choosing: Choosing<'_>,
    ) -> Result<Chosen, CallError> {
        let choice = choosing.choice;
        let named = self.runnable(reference).await?;
        let wanted = named.function(function)?.clone();
        let alone = |why: &str| Chosen::alone(named.id.clone(), wanted.name.clone(), choice, why);
        let interface = wanted.name.interface().filter(|_| choice != Choice::Pinned);
        let comparison = match interface {
            Some(interface) if is_shared(interface) => self.compared(interface).await?,
            Some(_) => {
                return Ok(alone("its interface does not say what it does, so no other stands for it"));
            }
            None if choice == Choice::Pinned => return Ok(alone("it was named")),
            None => return Ok(alone("no other package has this function")),
        };
        let mut candidates = Vec::new();
        for one in &comparison.implementations {
            let live = self.live(&exact(&one.release)).await?;
            let name = wanted.name.to_string();
            if live.function(&name).is_ok_and(|found| found.ty == wanted.ty) {
                let is_tested = choosing.untested || comparison.spec.is_none();
                candidates.push(self.candidate(one, &live, &wanted.name, is_tested, &choosing).await?);
            }
        }
        if candidates.is_empty() {
            return Ok(alone("no other package has this function"));
        }
        candidates.sort_by(|one, other| one.rank(choice).cmp(&other.rank(choice)));
        let left_out: Vec<LeftOut> =
            candidates.iter().filter_map(Candidate::left_out).take(limits::LEFT_OUT_LISTED_MAX).collect();
        let (mut ranked, refused): (Vec<Candidate>, Vec<Candidate>) =
            candidates.into_iter().partition(|candidate| candidate.refused.is_none());
        if ranked.is_empty() {
            // What a company does not allow is said in its words.
            let policy = refused.into_iter().find_map(|candidate| match candidate.refused {
                Some(Refused::Call(error @ CallError::Policy(_))) => Some(error),
                _ => None,
            });
            return Err(policy.unwrap_or(CallError::NoneToChoose { left_out }));
        }
        let among = ranked.len();
        let best = ranked.remove(0);
        let next = ranked.first();
        let next = next.map(|next| format!("; next is {}: {}", next.release, next.words(choice)));
        let spec_cases = comparison.spec.as_ref().map_or(0, |spec| spec.cases);
        let untested = match spec_cases {
            0 => {
                "; its own package has no tests of this interface, so nothing shows that any of them is right"
            }
            _ => "",
        };
        let why = format!("{}{}{untested}", best.words(choice), next.unwrap_or_default());
        let (release, function) = (best.release, wanted.name);
        Ok(Chosen { release, function, choice, among, why, spec_cases, left_out })
    }

    async fn candidate(
        &self,
        one: &Implementation,
        live: &Live,
        function: &FunctionName,
        is_tested: bool,
        choosing: &Choosing<'_>,
    ) -> Result<Candidate, CallError> {
        let ceiling = live.terms.fuel_max.min(limits::FUEL_MAX);
        let fuel_max = choosing.fuel_max.unwrap_or(ceiling).min(ceiling);
        let account = match choosing.payment.and_then(Payment::caller) {
            Some(caller) => self.account(live, function, &caller.payer()).await?,
            None => Account::default(),
        };
        let amount_max = live.quote(function, fuel_max, account).amount_max;
        let untested = match one.spec_tests {
            _ if is_tested => None,
            Some(tests) if tests.holds() => None,
            Some(_) => Some(Refused::TestsFailed),
            None => Some(Refused::TestsAwaited),
        };
        let refused = match self.check_candidate(live, function, amount_max, choosing).await {
            Ok(()) => untested,
            Err(CallError::Find(error)) if error.code() == "internal" => return Err(error.into()),
            // These say nothing of the implementation.
            Err(error @ (CallError::AccountRequired | CallError::Allowed(_))) => return Err(error),
            Err(error) => Some(Refused::Call(error)),
        };
        Ok(Candidate {
            release: one.release.clone(),
            amount_max,
            spec_fuel: one.spec_fuel(),
            payers_organic: one.usage.payers_organic,
            spec_passed: one.spec_passed(),
            first_index: one.first_index,
            refused,
        })
    }

    /// Refuses what a call would be refused for, as far as can be said without its arguments.
    async fn check_candidate(
        &self,
        live: &Live,
        function: &FunctionName,
        amount_max: Atomic,
        choosing: &Choosing<'_>,
    ) -> Result<(), CallError> {
        self.check_quarantine(live)?;
        self.check_held(live)?;
        if !live.runs_here(function) {
            return Err(CallError::NotRemote);
        }
        live.fuel_ceiling(choosing.fuel_max)?;
        let allows = self.granted(live, choosing.grants)?;
        let payer = choosing.payment.and_then(Payment::caller).map(Caller::payer);
        // Where nobody has said who calls, reading is free, and the call itself asks.
        if choosing.payment.is_some() {
            let license = live.terms.license_of(function, self.today());
            self.gate(live, license, &allows, amount_max, choosing.payment).await?;
        }
        self.check_entitled(live, function, payer.as_deref()).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn choices_are_words() {
        for (choice, word) in Choice::ALL {
            assert_eq!(word.parse(), Ok(choice));
        }
        assert!("best".parse::<Choice>().is_err());
    }
}
