//! What promises of support are measured by, and what comes back where they are broken.

use std::collections::BTreeSet;

use glassbox_core::ledger::Transfer;
use glassbox_core::{Atomic, PackageName};
use rusqlite::{Connection, OptionalExtension as _, Transaction, params};

use crate::error::StoreError;
use crate::licenses::{self, NewLicense};
use crate::reversals::{self, Charged, LOOSE, ON_LOOSE_CREDIT, Paid};
use crate::sqlite::{Store, amount_from_sql, amount_to_sql, parse};

/// In how many hours a payer who showed it called a package, by what became of a call.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PayerAnswers {
    /// The payer; empty of hours from before anybody wrote down who asked.
    pub payer: String,
    /// In how many one had an answer.
    pub given: u64,
    /// In how many the host failed at one.
    pub failed: u64,
    /// In how many one had no answer for a reason that the payer may have brought itself.
    pub missing: u64,
}

/// What became of a call, for those who were promised that calls are answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// It had an answer.
    Given,
    /// The host had none, whoever asked.
    Failed,
    /// It had none, for a reason that its payer may have brought itself.
    Missing,
}

impl Answer {
    fn as_str(self) -> &'static str {
        match self {
            Self::Given => "given",
            Self::Failed => "failed",
            Self::Missing => "missing",
        }
    }
}

/// What came of judging a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Judged {
    /// So much goes back.
    Now(Atomic),
    /// So much is to go back, and payees have less: it waits until they have earned it, or the operator gives it back.
    Short(Atomic),
    /// It was judged before.
    Before,
    /// Its payment may still come to nothing, and what is not paid does not go back.
    Waits,
}

/// What goes back of a plan once its payees have as much.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreditDue {
    /// The licence, which is the sale, too.
    pub license: String,
    /// The package whose promise was broken.
    pub package: PackageName,
    /// How much.
    pub amount: Atomic,
}

const HOUR_MS: i64 = 3_600_000;

/// Returns what goes back of the charge of a plan under this name.
fn subject(license: &str) -> String {
    format!("support:{license}")
}

fn amount(blob: Option<Vec<u8>>) -> Result<Option<Atomic>, StoreError> {
    Ok(blob.as_deref().map(amount_from_sql).transpose()?.map(Atomic))
}

/// Returns what receivers would give back were every promise broken that is not judged yet, each with the package that was paid
/// for: of plans that are paid for good, but for those that wait for the credit that paid them.
pub(crate) fn at_risk(connection: &Connection) -> Result<Vec<(PackageName, Transfer)>, StoreError> {
    let mut statement =
        connection.prepare_cached(&format!("SELECT calls.id FROM {LOOSE} WHERE {ON_LOOSE_CREDIT}"))?;
    let loose = statement.query_map([], |row| row.get(0))?.collect::<Result<BTreeSet<String>, _>>()?;
    let mut statement = connection.prepare_cached(
        "SELECT licenses.id, COALESCE(credit_due, credit_max), package
         FROM licenses CROSS JOIN calls ON calls.id = licenses.id
         WHERE judged_at IS NULL AND item GLOB 'plan:*' AND standing = 'final'
            AND (credit_max IS NULL OR credit_max != zeroblob(16))",
    )?;
    let mut rows = statement.query([])?;
    let mut at_risk = Vec::new();
    while let Some(row) = rows.next()? {
        let license: String = row.get(0)?;
        let Some(charged) = Charged::read(connection, &license)?.filter(|_| !loose.contains(&license)) else {
            continue;
        };
        let package: PackageName = parse(&row.get::<_, String>(2)?)?;
        let most = amount(row.get(1)?)?.unwrap_or(charged.amount());
        let back = charged.back(most, &subject(&license));
        at_risk.extend(back.into_iter().map(|back| (package.clone(), back)));
    }
    Ok(at_risk)
}

/// Takes what the operator gave back off what waits to go back of the same sale: nobody has it twice.
pub(crate) fn given(
    transaction: &Transaction<'_>,
    license: &str,
    given: Atomic,
    now_ms: i64,
) -> Result<(), StoreError> {
    let due: Option<Option<Vec<u8>>> = transaction
        .query_row("SELECT credit_due FROM licenses WHERE id = ?1 AND judged_at IS NULL", [license], |row| {
            row.get(0)
        })
        .optional()?;
    let Some(due) = amount(due.flatten())? else { return Ok(()) };
    let rest = amount_to_sql(due.0.saturating_sub(given.0));
    let judged_at = (due <= given).then_some(now_ms);
    transaction.execute(
        "UPDATE licenses SET credit_due = ?2, judged_at = ?3 WHERE id = ?1",
        params![license, rest, judged_at],
    )?;
    Ok(())
}

impl Store {
    /// Notes what became of a call of a package by a payer who showed it, once in an hour: the same again changes nothing.
    pub async fn count_answer(
        &self,
        package: &PackageName,
        payer: &str,
        answer: Answer,
        now_ms: i64,
    ) -> Result<(), StoreError> {
        let (package, payer, hour) = (package.to_string(), payer.to_owned(), now_ms.div_euclid(HOUR_MS));
        self.write("count_answer", move |transaction| {
            transaction
                .prepare_cached(
                    "INSERT OR IGNORE INTO answer_hours (package, hour, payer, answer) VALUES (?1, ?2, ?3, ?4)",
                )?
                .execute(params![package, hour, payer, answer.as_str()])?;
            Ok(())
        })
        .await
    }

    /// Returns in how many hours payers called a package from the hour of one time to that of another, which is left out, in
    /// the order of the payers.
    pub async fn answers(
        &self,
        package: &PackageName,
        from_ms: i64,
        until_ms: i64,
    ) -> Result<Vec<PayerAnswers>, StoreError> {
        let package = package.to_string();
        let (from, until) = (from_ms.div_euclid(HOUR_MS), until_ms.div_euclid(HOUR_MS));
        self.read(move |connection| {
            let mut statement = connection.prepare_cached(
                "SELECT payer, SUM(answer = 'given'), SUM(answer = 'failed'), SUM(answer = 'missing')
                 FROM answer_hours WHERE package = ?1 AND hour >= ?2 AND hour < ?3 GROUP BY payer ORDER BY payer",
            )?;
            let rows = statement.query_map(params![package, from, until], |row| {
                let hours = |column: usize| Ok::<_, rusqlite::Error>(row.get::<_, i64>(column)?.unsigned_abs());
                let (given, failed, missing) = (hours(1)?, hours(2)?, hours(3)?);
                Ok(PayerAnswers { payer: row.get(0)?, given, failed, missing })
            })?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
        .await
    }

    /// Returns plans whose period is over and that nobody looked at yet, at most `limit`.
    pub async fn licenses_to_judge(&self, now_s: i64, limit: usize) -> Result<Vec<NewLicense>, StoreError> {
        self.read(move |connection| licenses::to_judge(connection, now_s, limit)).await
    }

    /// Returns what goes back of plans once their payees have as much, at most `limit`: not what was tried in vain after
    /// `tried_ms`.
    pub async fn credits_due(&self, tried_ms: i64, limit: usize) -> Result<Vec<CreditDue>, StoreError> {
        self.read(move |connection| {
            let mut statement = connection.prepare_cached(
                "SELECT id, package, credit_due FROM licenses
                 WHERE judged_at IS NULL AND credit_due IS NOT NULL AND tried_at <= ?1 ORDER BY tried_at, id LIMIT ?2",
            )?;
            let mut rows = statement.query(params![tried_ms, limit as i64])?;
            let mut due = Vec::new();
            while let Some(row) = rows.next()? {
                due.push(CreditDue {
                    license: row.get(0)?,
                    package: parse(&row.get::<_, String>(1)?)?,
                    amount: Atomic(amount_from_sql(&row.get::<_, Vec<u8>>(2)?)?),
                });
            }
            Ok(due)
        })
        .await
    }

    /// Writes down that a licence was judged, and gives `credit` of what was paid for it back. Once: a licence that was judged
    /// is left as it is. Whose payment the chain took back for good gets nothing.
    ///
    /// Where a payee has less than its part, nothing moves: it would be other people's money. What was found then stands, and
    /// is tried again by the same verb, whatever `credit` that is called with.
    pub async fn judge_license(
        &self,
        license: &str,
        credit: Atomic,
        now_ms: i64,
    ) -> Result<Judged, StoreError> {
        let license = license.to_owned();
        self.write("judge_license", move |transaction| {
            let found: Option<(Option<i64>, Option<Vec<u8>>)> = transaction
                .query_row("SELECT judged_at, credit_due FROM licenses WHERE id = ?1", [&license], |row| {
                    Ok((row.get(0)?, row.get(1)?))
                })
                .optional()?;
            let Some((None, due)) = found else { return Ok(Judged::Before) };
            let credit = match reversals::paid(transaction, &license)? {
                Paid::Surely => amount(due)?.unwrap_or(credit),
                Paid::Lost => Atomic::ZERO,
                Paid::NotYet => return Ok(Judged::Waits),
            };
            let subject = subject(&license);
            if let Some(charged) = Charged::read(transaction, &license)?
                && !reversals::is_covered(transaction, &charged.back(credit, &subject))?
            {
                transaction.execute(
                    "UPDATE licenses SET credit_due = ?2, tried_at = ?3 WHERE id = ?1",
                    params![license, amount_to_sql(credit.0), now_ms],
                )?;
                return Ok(Judged::Short(credit));
            }
            transaction
                .execute("UPDATE licenses SET judged_at = ?2 WHERE id = ?1", params![license, now_ms])?;
            reversals::give_back(transaction, &license, &subject, credit, now_ms).map(Judged::Now)
        })
        .await
    }
}
