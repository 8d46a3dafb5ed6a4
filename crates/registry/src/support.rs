//! Plans of support: what they promise is measured, and what a broken promise gives back goes to whoever paid for it.
//!
//! A licence is a period. It is judged once, when it is over.

use std::ops::Range;

use glassbox_core::acts::Advisory;
use glassbox_core::ledger::DAY_MS;
use glassbox_core::license::{Item, License};
use glassbox_core::manifest::{Plan, PlanKind, Terms};
use glassbox_core::support::{Breach, Hole, Record, breach, credit};
use glassbox_core::{Atomic, PackageName, Version, limits};
use glassbox_sandbox::FailureKind;
use glassbox_store::{AdvisoryRow, Answer, CreditDue, Judged, NewLicense};
use jiff::Timestamp;
use tracing::{error, info, warn};

use crate::call::logged;
use crate::depend::exact;
use crate::error::{CallError, RegistryError};
use crate::live::Live;
use crate::open::Registry;
use crate::organic::answered;
use crate::settle::Executed;

/// Returns the plan that an item is, where it promises anything.
pub(crate) fn promise<'a>(terms: &'a Terms, item: &Item) -> Option<&'a Plan> {
    let Item::Plan(id) = item else { return None };
    let mut plans = terms.more.plan.iter();
    plans.find(|plan| plan.id == *id && plan.on == PlanKind::Support && plan.sla.is_some())
}

/// Tells whether somebody was promised that calls of a release are answered.
pub(crate) fn promises_uptime(live: &Live) -> bool {
    live.terms.more.plan.iter().any(|plan| plan.sla.as_ref().is_some_and(|sla| sla.uptime.is_some()))
}

/// Says what became of a call that ended so.
///
/// What the host failed at is nobody else's doing. What took too long, or found no place, whoever asks may bring about. All
/// other failures are in the arguments.
fn answer(failure: Option<&str>) -> Answer {
    let is = |kind: FailureKind| failure == Some(kind.name());
    if is(FailureKind::Internal) {
        Answer::Failed
    } else if is(FailureKind::TimedOut) || is(FailureKind::Busy) {
        Answer::Missing
    } else {
        Answer::Given
    }
}

impl Registry {
    /// Counts a call for those who were promised that calls are answered. `payer` is who showed a payment, an account or credit
    /// with it: what costs nothing and is nobody's, anybody could ask for as often as suits them.
    pub(crate) async fn note_answer(
        &self,
        live: &Live,
        ran: &Result<Executed, CallError>,
        payer: Option<&str>,
    ) {
        let Some(payer) = payer.filter(|_| promises_uptime(live)) else { return };
        let failure = match ran {
            Ok(executed) => executed.failure.as_ref().map(|failure| failure.kind.as_str()),
            Err(CallError::Busy) => Some(FailureKind::Busy.name()),
            Err(CallError::Find(error)) if error.code() == "internal" => Some(FailureKind::Internal.name()),
            // What was refused before it ran is no call.
            Err(_) => return,
        };
        let counted = self.store.count_answer(&live.id.package, payer, answer(failure), self.env.now_ms());
        if let Err(error) = counted.await {
            error!(release = %live.id, %error, "Could not count a call");
        }
    }

    /// Judges the periods that are over, and tries again what payees had not enough for.
    pub(crate) async fn judge_support(&self) {
        let now_ms = self.env.now_ms();
        let over = match self.store.licenses_to_judge(now_ms / 1_000, limits::SUPPORT_BATCH).await {
            Ok(over) => over,
            Err(error) => return error!(%error, "Could not list plans that are over"),
        };
        for license in over {
            if let Err(error) = self.judge(&license).await {
                error!(license = logged(&license.id), %error, "Could not judge a plan");
            }
        }
        let tried_ms = now_ms.saturating_sub(limits::SUPPORT_RETRY_MS);
        let due = match self.store.credits_due(tried_ms, limits::SUPPORT_BATCH).await {
            Ok(due) => due,
            Err(error) => return error!(%error, "Could not list what broken promises give back"),
        };
        for CreditDue { license, amount, .. } in due {
            match self.store.judge_license(&license, amount, now_ms).await {
                Ok(Judged::Now(amount)) => {
                    info!(license = logged(&license), amount.atomic = amount.0, "What was short went back");
                }
                Ok(_) => {}
                Err(error) => error!(license = logged(&license), %error, "Could not give back what is due"),
            }
        }
    }

    /// Returns what broken promises give back once payees have as much: those first that waited longest.
    pub async fn credits_due(&self) -> Result<Vec<CreditDue>, RegistryError> {
        Ok(self.store.credits_due(i64::MAX, limits::CREDITS_DUE_LISTED_MAX).await?)
    }

    async fn judge(&self, row: &NewLicense) -> Result<(), RegistryError> {
        let now_ms = self.env.now_ms();
        let unreadable = |reason: String| RegistryError::Damaged(row.package.to_string(), reason);
        let envelope = serde_json::from_str(&row.statement).map_err(|error| unreadable(error.to_string()))?;
        let license = License::open(&envelope).map_err(|error| unreadable(error.to_string()))?;
        let broken = match self.promised(&license).await? {
            Some(plan) => self.broken(&license, &plan).await?.map(|breach| (plan, breach)),
            None => None,
        };
        let Some((plan, breach)) = broken else {
            self.store.judge_license(&row.id, Atomic::ZERO, now_ms).await?;
            return Ok(());
        };
        let bps = plan.sla.as_ref().map_or(0, |sla| sla.credit);
        let credit = credit(license.amount, bps);
        let (said, amount) = match self.store.judge_license(&row.id, credit, now_ms).await? {
            Judged::Now(amount) => ("A promise of support was broken", amount),
            Judged::Short(amount) => ("A promise was broken, and payees have less than goes back", amount),
            Judged::Before | Judged::Waits => return Ok(()),
        };
        warn!(license = logged(&row.id), ?breach, amount.atomic = amount.0, "{said}");
        Ok(())
    }

    /// Returns the plan of a licence, as it was sold, where it promises anything.
    async fn promised(&self, license: &License) -> Result<Option<Plan>, RegistryError> {
        let live = self.live(&exact(&license.release)).await?;
        let Some(terms) = live.had(license.terms) else { return Ok(None) };
        Ok(promise(&terms, &license.item).cloned())
    }

    async fn broken(&self, license: &License, plan: &Plan) -> Result<Option<Breach>, RegistryError> {
        let (Some(sla), Some(until)) = (&plan.sla, license.until) else { return Ok(None) };
        let package = &license.release.package;
        let (from_ms, until_ms) = (license.from.as_millisecond(), until.as_millisecond());
        let measured = match sla.uptime {
            Some(_) => self.measured(license, from_ms..until_ms).await?,
            None => Record::default(),
        };
        let holes = match &sla.fix_critical {
            Some(_) => self.holes(package).await?,
            None => Some(Vec::new()),
        };
        // Nobody but its publisher and the operator tells of so many, and nobody shall have the one that matters overlooked.
        let Some(holes) = holes else { return Ok(Some(Breach::Fix("more advisories than are read".into()))) };
        let record = Record { holes, ..measured };
        let found = breach(sla, license.from, until, &record);
        if found.is_none() {
            info!(license = logged(&license.id), asked = record.asked, "A plan of support kept its promises");
        }
        Ok(found)
    }

    /// Returns how the package of a licence answered in its period.
    async fn measured(&self, license: &License, ms: Range<i64>) -> Result<Record, RegistryError> {
        let package = &license.release.package;
        let days = ms.start.div_euclid(DAY_MS)..=(ms.end - 1).div_euclid(DAY_MS);
        let answers = self.store.answers(package, ms.start, ms.end).await?;
        let payers = self.store.payers_on(package, days).await?;
        let related = self.related(&self.live(&exact(&license.release)).await?).await?;
        Ok(answered(&answers, &payers, &related, &license.holder))
    }

    /// Returns the critical holes of a package that advisories tell of, with when they were mended; nothing where there are more
    /// advisories than are read.
    async fn holes(&self, package: &PackageName) -> Result<Option<Vec<Hole>>, RegistryError> {
        let releases = self.releases_of(package).await?;
        let (about, mut holes, mut before) = (package.to_string(), Vec::new(), None);
        for _ in 0..limits::ADVISORIES_JUDGED_MAX / limits::ADVISORIES_PAGE {
            let rows = self.store.advisories(Some(&about), before, limits::ADVISORIES_PAGE).await?;
            before = rows.last().map(|row| row.seq);
            let is_last = rows.len() < limits::ADVISORIES_PAGE;
            holes.extend(rows.into_iter().filter_map(|row| hole(&row, &releases)));
            if is_last {
                return Ok(Some(holes));
            }
        }
        Ok(None)
    }

    async fn releases_of(&self, package: &PackageName) -> Result<Vec<Published>, RegistryError> {
        let mut releases = Vec::new();
        for version in self.store.package(package).await?.into_iter().flat_map(|known| known.versions) {
            let id = package.at(version);
            let stands = self.marks(&id).is_resolved();
            if let Some(row) = self.store.release(&id).await? {
                releases.push(Published { version: id.version, at_ms: row.published_at, stands });
            }
        }
        Ok(releases)
    }
}

/// A release, as far as it may mend something.
struct Published {
    version: Version,
    at_ms: i64,
    stands: bool,
}

/// Returns the hole that an advisory tells of, where it is a critical one of any of these releases.
fn hole(row: &AdvisoryRow, releases: &[Published]) -> Option<Hole> {
    let advisory = row.envelope.read_unchecked::<Advisory>().ok()?.predicate;
    let affected = releases.iter().filter(|release| advisory.affects(&release.version));
    let oldest = affected.map(|release| &release.version).min()?;
    if !advisory.is_critical() {
        return None;
    }
    let mends = |release: &&Published| {
        release.stands && release.version > *oldest && !advisory.affects(&release.version)
    };
    let fixed = releases.iter().filter(mends).map(|release| release.at_ms).min();
    let at = |ms: i64| Timestamp::from_millisecond(ms).unwrap_or(Timestamp::MAX);
    Some(Hole { advisory: advisory.osv.id, known_at: at(row.first_at), fixed_at: fixed.map(at) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_host_leaves_a_call_unanswered_for_nothing() {
        for (failure, expected) in [
            (None, Answer::Given),
            (Some(FailureKind::Trap), Answer::Given),
            (Some(FailureKind::StackExhausted), Answer::Given),
            (Some(FailureKind::Internal), Answer::Failed),
            (Some(FailureKind::TimedOut), Answer::Missing),
            (Some(FailureKind::Busy), Answer::Missing),
        ] {
            assert_eq!(answer(failure.map(FailureKind::name)), expected, "{failure:?}");
        }
    }
}
