//! What promises of support are measured by, and what comes back where they are broken.

use glassbox_core::{Atomic, PackageName};
use rusqlite::{OptionalExtension as _, params};

use crate::error::StoreError;
use crate::licenses::{self, NewLicense};
use crate::reversals::{self, Paid};
use crate::sqlite::Store;

/// How many calls of a package were taken up, and how many of them had no answer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Answers {
    /// How many there were.
    pub asked: u64,
    /// How many had none.
    pub unanswered: u64,
}

/// What became of a call, for those who were promised that calls are answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// It had an answer.
    Given,
    /// The host had none, whoever asked.
    Missing,
    /// This payer got none, for a reason that it may have brought itself.
    MissingTo(String),
}

/// What came of judging a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Judged {
    /// So much goes back.
    Now(Atomic),
    /// It was judged before.
    Before,
    /// Its payment may still come to nothing, and what is not paid does not go back.
    Waits,
}

const HOUR_MS: i64 = 3_600_000;

impl Store {
    /// Counts a call of a package, in the hour of `now_ms`; of the calls for which one payer got no answer, one an hour.
    pub async fn count_answer(
        &self,
        package: &PackageName,
        answer: Answer,
        now_ms: i64,
    ) -> Result<(), StoreError> {
        let (package, hour) = (package.to_string(), now_ms.div_euclid(HOUR_MS));
        self.write("count_answer", move |transaction| {
            if let Answer::MissingTo(payer) = &answer {
                let is_new = transaction
                    .prepare_cached("INSERT OR IGNORE INTO unanswered (package, payer, hour) VALUES (?1, ?2, ?3)")?
                    .execute(params![package, payer, hour])?;
                if is_new == 0 {
                    return Ok(());
                }
            }
            transaction
                .prepare_cached(
                    "INSERT INTO answers (package, hour, asked, unanswered) VALUES (?1, ?2, 1, ?3)
                     ON CONFLICT (package, hour) DO UPDATE SET asked = asked + 1, unanswered = unanswered + ?3",
                )?
                .execute(params![package, hour, i64::from(answer == Answer::Missing)])?;
            Ok(())
        })
        .await
    }

    /// Returns how many calls of a package there were from the hour of one time to that of another, which is left out.
    ///
    /// Of those who got no answer, the one who got none most often is left out: nobody breaks a promise alone.
    pub async fn answers(
        &self,
        package: &PackageName,
        from_ms: i64,
        until_ms: i64,
    ) -> Result<Answers, StoreError> {
        let package = package.to_string();
        let (from, until) = (from_ms.div_euclid(HOUR_MS), until_ms.div_euclid(HOUR_MS));
        self.read(move |connection| {
            let (asked, unanswered): (i64, i64) = connection
                .prepare_cached(
                    "SELECT COALESCE(SUM(asked), 0), COALESCE(SUM(unanswered), 0) FROM answers
                     WHERE package = ?1 AND hour >= ?2 AND hour < ?3",
                )?
                .query_row(params![package, from, until], |row| Ok((row.get(0)?, row.get(1)?)))?;
            let missing: i64 = connection
                .prepare_cached(
                    "SELECT COALESCE(SUM(hours) - MAX(hours), 0) FROM (
                        SELECT COUNT(*) AS hours FROM unanswered
                        WHERE package = ?1 AND hour >= ?2 AND hour < ?3 GROUP BY payer)",
                )?
                .query_row(params![package, from, until], |row| row.get(0))?;
            let count = |count: i64| u64::try_from(count).unwrap_or_default();
            Ok(Answers { asked: count(asked), unanswered: count(unanswered + missing) })
        })
        .await
    }

    /// Returns plans whose period is over and that nobody judged yet, at most `limit`.
    pub async fn licenses_to_judge(&self, now_s: i64, limit: usize) -> Result<Vec<NewLicense>, StoreError> {
        self.read(move |connection| licenses::to_judge(connection, now_s, limit)).await
    }

    /// Writes down that a licence was judged, and gives `credit` of what was paid for it back. Once: a licence that was judged
    /// is left as it is. Whose payment the chain took back for good gets nothing.
    pub async fn judge_license(
        &self,
        license: &str,
        credit: Atomic,
        now_ms: i64,
    ) -> Result<Judged, StoreError> {
        let license = license.to_owned();
        self.write("judge_license", move |transaction| {
            let judged: Option<Option<i64>> = transaction
                .query_row("SELECT judged_at FROM licenses WHERE id = ?1", [&license], |row| row.get(0))
                .optional()?;
            if judged != Some(None) {
                return Ok(Judged::Before);
            }
            let credit = match reversals::paid(transaction, &license)? {
                Paid::Surely => credit,
                Paid::Lost => Atomic::ZERO,
                Paid::NotYet => return Ok(Judged::Waits),
            };
            transaction
                .execute("UPDATE licenses SET judged_at = ?2 WHERE id = ?1", params![license, now_ms])?;
            let subject = format!("support:{license}");
            reversals::give_back(transaction, &license, &subject, credit, now_ms).map(Judged::Now)
        })
        .await
    }
}
