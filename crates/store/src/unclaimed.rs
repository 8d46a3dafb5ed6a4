//! What payees earned whom the operator does not know. It is on their accounts in the ledger, and here with whose it becomes.
//!
//! Counted in the transaction of the charge, until the payee is known or paid.

use glassbox_core::escrow::{Accrual, Heirs};
use glassbox_core::ledger::{Account, DAY_MS, Transfer};
use glassbox_core::{PackageName, Pico, canonical};
use rusqlite::{Connection, OptionalExtension as _, Transaction, params};

use crate::error::StoreError;
use crate::ledger;
use crate::sqlite::{Store, amount_from_sql, amount_to_sql, parse};

/// What a payee earned on a day that nobody claimed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnclaimedRow {
    /// The payee.
    pub payee: String,
    /// Whose it becomes.
    pub heirs: Heirs,
    /// The day, since 1970.
    pub day: i64,
    /// The plan that it was charged for; empty for all else.
    pub license: String,
    /// The package that it was earned with; absent of what was earned before that was written down.
    pub package: Option<PackageName>,
    /// How much.
    pub amount: Pico,
}

impl UnclaimedRow {
    /// Returns what the transfers belong to that make it somebody else's.
    pub fn subject(&self) -> String {
        let whose = match (&self.package, self.license.as_str()) {
            (Some(package), license) => canonical::digest(&(&self.heirs, license, package)),
            (None, "") => canonical::digest(&self.heirs),
            (None, license) => canonical::digest(&(&self.heirs, license)),
        };
        format!("lapse:{}:{whose}:{}", self.day, self.payee)
    }
}

fn package_text(row: &UnclaimedRow) -> String {
    row.package.as_ref().map(ToString::to_string).unwrap_or_default()
}

fn text(heirs: &Heirs) -> String {
    serde_json::to_string(heirs).expect("heirs have string keys")
}

/// Tells whether nobody knows a payee. A suspended one is known.
fn is_unknown(connection: &Connection, payee: &str) -> Result<bool, StoreError> {
    let known = connection
        .prepare_cached(
            "SELECT 1 FROM payees WHERE id = ?1 AND (state != 'unverified' OR address IS NOT NULL)",
        )?
        .query_row([payee], |_| Ok(()))
        .optional()?;
    Ok(known.is_none())
}

/// Counts what was charged for payees that nobody knows, for a plan where it was one that was sold.
pub(crate) fn accrue(
    transaction: &Transaction<'_>,
    accruals: &[Accrual],
    plan: Option<&str>,
    now_ms: i64,
) -> Result<(), StoreError> {
    let (day, plan) = (now_ms.div_euclid(DAY_MS), plan.unwrap_or_default());
    for Accrual { payee, package, amount, heirs } in accruals {
        if !is_unknown(transaction, payee)? {
            continue;
        }
        let key = Key { payee, heirs: &text(heirs), day, license: plan, package: &package.to_string() };
        let before = key.amount(transaction)?.unwrap_or_default();
        key.write(transaction, before + amount.0)?;
    }
    Ok(())
}

/// Takes off what goes back of a charge that was counted for a payee, for the package `through` or the one that was paid for.
pub(crate) fn take_back(
    transaction: &Transaction<'_>,
    payee: &str,
    call: &str,
    through: Option<&PackageName>,
    amount: Pico,
) -> Result<(), StoreError> {
    let mut statement = transaction.prepare_cached(
        "SELECT heirs, day, license, package FROM unclaimed
         WHERE payee = ?1 AND license IN (?2, '') AND day = (
            SELECT created_at / ?3 FROM transfers WHERE subject = ?2 AND kind = 'charge' LIMIT 1)
         AND package IN ('', IFNULL(?4, (
            SELECT substr(release, 1, instr(release, '@') - 1) FROM calls WHERE id = ?2)))
         ORDER BY license DESC, package DESC, heirs",
    )?;
    let through = through.map(ToString::to_string);
    let rows = statement.query_map(params![payee, call, DAY_MS, through], |row| {
        let text = |column: usize| row.get::<_, String>(column);
        Ok((text(0)?, row.get::<_, i64>(1)?, text(2)?, text(3)?))
    })?;
    let mut rest = amount.0;
    for row in rows.collect::<Result<Vec<_>, _>>()? {
        let (heirs, day, license, package) = &row;
        let key = Key { payee, heirs, day: *day, license, package };
        let before = key.amount(transaction)?.unwrap_or_default();
        let taken = rest.min(before);
        key.write(transaction, before - taken)?;
        rest -= taken;
    }
    Ok(())
}

/// What tells rows apart.
struct Key<'a> {
    payee: &'a str,
    heirs: &'a str,
    day: i64,
    license: &'a str,
    package: &'a str,
}

impl Key<'_> {
    fn amount(&self, connection: &Connection) -> Result<Option<u128>, StoreError> {
        let Self { payee, heirs, day, license, package } = self;
        let amount: Option<Vec<u8>> = connection
            .prepare_cached(
                "SELECT amount FROM unclaimed
                 WHERE payee = ?1 AND heirs = ?2 AND day = ?3 AND license = ?4 AND package = ?5",
            )?
            .query_row(params![payee, heirs, day, license, package], |row| row.get(0))
            .optional()?;
        amount.as_deref().map(amount_from_sql).transpose()
    }

    /// Writes how much there is; nothing needs no row.
    fn write(&self, transaction: &Transaction<'_>, amount: u128) -> Result<(), StoreError> {
        let Self { payee, heirs, day, license, package } = self;
        if amount == 0 {
            transaction
                .prepare_cached(
                    "DELETE FROM unclaimed
                     WHERE payee = ?1 AND heirs = ?2 AND day = ?3 AND license = ?4 AND package = ?5",
                )?
                .execute(params![payee, heirs, day, license, package])?;
            return Ok(());
        }
        transaction
            .prepare_cached(
                "INSERT OR REPLACE INTO unclaimed (payee, heirs, day, license, package, amount)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            )?
            .execute(params![payee, heirs, day, license, package, amount_to_sql(amount)])?;
        Ok(())
    }
}

/// Forgets what was counted for a payee, who claimed it.
pub(crate) fn claimed(transaction: &Transaction<'_>, payee: &str) -> Result<(), StoreError> {
    transaction.prepare_cached("DELETE FROM unclaimed WHERE payee = ?1")?.execute([payee])?;
    Ok(())
}

type Raw = (String, String, i64, String, String, Vec<u8>);

fn read((payee, heirs, day, license, package, amount): Raw) -> Result<UnclaimedRow, StoreError> {
    let heirs = serde_json::from_str(&heirs).map_err(StoreError::corrupt)?;
    let package = if package.is_empty() { None } else { Some(parse(&package)?) };
    Ok(UnclaimedRow { payee, heirs, day, license, package, amount: Pico(amount_from_sql(&amount)?) })
}

/// Returns the rows that a condition selects; the first parameter is how many at most.
fn select(
    connection: &Connection,
    condition: &str,
    params: impl rusqlite::Params,
) -> Result<Vec<UnclaimedRow>, StoreError> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT payee, heirs, day, license, package, amount FROM unclaimed WHERE {condition} ORDER BY day, payee LIMIT ?1"
    ))?;
    let rows = statement.query_map(params, |row| {
        Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?, row.get(5)?))
    })?;
    rows.map(|row| read(row?)).collect()
}

impl Store {
    /// Returns what nobody claimed, from the oldest on, at most `limit`.
    pub async fn unclaimed(&self, limit: usize) -> Result<Vec<UnclaimedRow>, StoreError> {
        self.read(move |connection| select(connection, "TRUE", params![limit as i64])).await
    }

    /// Returns what was earned on or before a day, may become somebody else's and nobody claimed, at most `limit`: not what was
    /// tried in vain after `tried_ms`, nor what a plan earned that is not judged yet, for that may go back.
    pub async fn lapsing(
        &self,
        day: i64,
        tried_ms: i64,
        limit: usize,
    ) -> Result<Vec<UnclaimedRow>, StoreError> {
        self.read(move |connection| {
            let condition = "day <= ?2 AND tried_at <= ?3 AND NOT EXISTS (
                SELECT 1 FROM licenses WHERE licenses.id = unclaimed.license AND judged_at IS NULL)";
            select(connection, condition, params![limit as i64, day, tried_ms])
        })
        .await
    }

    /// Makes somebody else's what nobody claimed, or a part of it: the rest waits on. Does nothing, and returns `false`, where
    /// it was claimed meanwhile, or is not there any more.
    pub async fn lapse(
        &self,
        row: UnclaimedRow,
        transfers: Vec<Transfer>,
        now_ms: i64,
    ) -> Result<bool, StoreError> {
        self.write("lapse", move |transaction| {
            let moved = transfers.iter().map(|transfer| transfer.amount.0).sum::<u128>();
            let account = Account::Payee(row.payee.clone());
            if !is_unknown(transaction, &row.payee)? || ledger::available(transaction, &account)?.0 < moved {
                return Ok(false);
            }
            let (heirs, package) = (text(&row.heirs), package_text(&row));
            let key = Key {
                payee: &row.payee,
                heirs: &heirs,
                day: row.day,
                license: &row.license,
                package: &package,
            };
            let there = key.amount(transaction)?.unwrap_or_default();
            let Some(rest) = there.checked_sub(moved).filter(|_| moved > 0) else { return Ok(false) };
            key.write(transaction, rest)?;
            ledger::insert(transaction, &row.subject(), &transfers, "posted", None, now_ms)?;
            Ok(true)
        })
        .await
    }

    /// Notes that nobody was there to have what nobody claimed.
    pub async fn touch_unclaimed(&self, row: UnclaimedRow, now_ms: i64) -> Result<(), StoreError> {
        self.write("touch_unclaimed", move |transaction| {
            transaction.execute(
                "UPDATE unclaimed SET tried_at = ?6
                 WHERE payee = ?1 AND heirs = ?2 AND day = ?3 AND license = ?4 AND package = ?5",
                params![row.payee, text(&row.heirs), row.day, row.license, package_text(&row), now_ms],
            )?;
            Ok(())
        })
        .await
    }
}
