//! What payees earned whom the operator does not know. It is on their accounts in the ledger, and here with whose it becomes.
//!
//! Counted in the transaction of the charge, until the payee is known or paid: by day and heirs in rows, which lapse, and in
//! each by charge. What goes back of a charge is thereby taken from those who have that charge's part, and what is not paid for
//! yet is told from what is.

use glassbox_core::escrow::{Accrual, Heirs, come_back, go_back};
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
        subject(&self.payee, &self.heirs, self.day, &self.license, self.package.as_ref())
    }

    /// Takes so much off it.
    fn take(&mut self, transaction: &Transaction<'_>, amount: u128) -> Result<(), StoreError> {
        let package = package_text(self.package.as_ref());
        let Self { payee, heirs, day, license, .. } = self;
        let key = Key { payee, heirs: &text(heirs), day: *day, license, package: &package };
        let left = self.amount.0.saturating_sub(amount);
        if amount > 0 {
            key.write(transaction, left)?;
        }
        self.amount = Pico(left);
        Ok(())
    }
}

fn subject(payee: &str, heirs: &Heirs, day: i64, license: &str, package: Option<&PackageName>) -> String {
    let whose = match (package, license) {
        (Some(package), license) => canonical::digest(&(heirs, license, package)),
        (None, "") => canonical::digest(heirs),
        (None, license) => canonical::digest(&(heirs, license)),
    };
    format!("lapse:{day}:{whose}:{payee}")
}

fn package_text(package: Option<&PackageName>) -> String {
    package.map(ToString::to_string).unwrap_or_default()
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

/// Counts what a call or a sale was charged for payees that nobody knows, for a plan where it was one that was sold.
pub(crate) fn accrue(
    transaction: &Transaction<'_>,
    call: &str,
    accruals: &[Accrual],
    plan: Option<&str>,
    now_ms: i64,
) -> Result<(), StoreError> {
    let (day, plan) = (now_ms.div_euclid(DAY_MS), plan.unwrap_or_default());
    for Accrual { payee, package, amount, heirs } in accruals {
        if !is_unknown(transaction, payee)? {
            continue;
        }
        let package_name = package.to_string();
        let key = Key { payee, heirs: &text(heirs), day, license: plan, package: &package_name };
        let before = key.amount(transaction)?.unwrap_or_default();
        key.write(transaction, before + amount.0)?;
        // Two works that one charge is for may have the same heirs.
        let subject = subject(payee, heirs, day, plan, Some(package));
        let same = "call = ?1 AND payee = ?2 AND subject = ?3";
        let mut counted = counted(transaction, same, params![call, payee, subject])?;
        let mut counted = counted.pop().unwrap_or_else(|| Counted::none(call, payee, package_name, subject));
        counted.waits += amount.0;
        counted.write(transaction)?;
    }
    Ok(())
}

/// What goes back of a charge from the account of one payee.
pub(crate) struct Going<'a> {
    pub(crate) call: &'a str,
    pub(crate) payee: &'a str,
    /// The package that it is for, where that is not the one that was paid for.
    pub(crate) through: Option<&'a PackageName>,
    pub(crate) amount: Pico,
    /// What the payee had of the charge for that package before, those included to whom it lapsed.
    pub(crate) left: Pico,
}

/// Takes off what goes back of a charge that was counted for a payee. What waited of it waits no more, and what lapsed comes
/// back to the payee's account from those who have it.
pub(crate) fn take_back(
    transaction: &Transaction<'_>,
    going: &Going<'_>,
    now_ms: i64,
) -> Result<(), StoreError> {
    let &Going { call, payee, through, amount, left } = going;
    let package = match through {
        Some(package) => package.to_string(),
        None => called(transaction, call)?,
    };
    let condition = "payee = ?2 AND license IN (?3, '') AND package IN (?5, '') AND day = (
        SELECT created_at / ?4 FROM transfers WHERE subject = ?3 AND kind = 'charge' LIMIT 1)";
    let mut rows = select(transaction, condition, params![i64::MAX, payee, call, DAY_MS, package])?;
    let condition = "call = ?1 AND payee = ?2 AND package = ?3 ORDER BY subject";
    let mut of_charge = counted(transaction, condition, params![call, payee, package])?;
    let mut parts: Vec<Pico> = of_charge.iter().map(|part| Pico(part.waits + part.lapsed)).collect();
    // The rest is the payee's own, who claimed it or was known, or was counted before there were notes of charges.
    parts.push(Pico(left.0.saturating_sub(parts.iter().map(|part| part.0).sum())));
    let back = go_back(amount, &parts, call);
    for (part, back) in of_charge.iter_mut().zip(&back) {
        let waited = part.waits.min(back.0);
        let lapsed = Pico(back.0 - waited);
        if let Some(row) = rows.iter_mut().find(|row| row.subject() == part.subject) {
            row.take(transaction, waited)?;
        }
        if lapsed > Pico::ZERO {
            let transfers = ledger::transfers_of(transaction, &part.subject)?;
            let transfers = come_back(payee, lapsed, &transfers, call);
            ledger::insert(transaction, &part.subject, &transfers, "posted", None, now_ms)?;
        }
        part.waits -= waited;
        part.lapsed -= lapsed.0;
        part.write(transaction)?;
    }
    let mut rest = back.last().map_or(0, |rest| rest.0);
    for row in &mut rows {
        if rest == 0 {
            break;
        }
        let noted = counted(transaction, "payee = ?1 AND subject = ?2", params![payee, row.subject()])?;
        let noted: u128 = noted.iter().map(|part| part.waits).sum();
        let taken = rest.min(row.amount.0.saturating_sub(noted));
        row.take(transaction, taken)?;
        rest -= taken;
    }
    Ok(())
}

/// Returns the package that was paid for.
fn called(connection: &Connection, call: &str) -> Result<String, StoreError> {
    let package = connection
        .prepare_cached("SELECT substr(release, 1, instr(release, '@') - 1) FROM calls WHERE id = ?1")?
        .query_row([call], |row| row.get(0))
        .optional()?;
    Ok(package.unwrap_or_default())
}

/// What one charge was counted with in a row, and what became of it.
struct Counted {
    call: String,
    payee: String,
    /// That it was earned with.
    package: String,
    /// The row's.
    subject: String,
    /// What is still in the row.
    waits: u128,
    /// What became somebody else's.
    lapsed: u128,
}

impl Counted {
    fn none(call: &str, payee: &str, package: String, subject: String) -> Self {
        Self { call: call.to_owned(), payee: payee.to_owned(), package, subject, waits: 0, lapsed: 0 }
    }

    /// Writes how much there is; nothing needs no note.
    fn write(&self, transaction: &Transaction<'_>) -> Result<(), StoreError> {
        let Self { call, payee, package, subject, waits, lapsed } = self;
        if waits + lapsed == 0 {
            transaction
                .prepare_cached(
                    "DELETE FROM unclaimed_charges WHERE call = ?1 AND payee = ?2 AND subject = ?3",
                )?
                .execute(params![call, payee, subject])?;
            return Ok(());
        }
        transaction
            .prepare_cached(
                "INSERT OR REPLACE INTO unclaimed_charges (call, payee, package, subject, waits, lapsed)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            )?
            .execute(params![call, payee, package, subject, amount_to_sql(*waits), amount_to_sql(*lapsed)])?;
        Ok(())
    }
}

/// Returns what charges were counted with, for those that a condition selects.
fn counted(
    connection: &Connection,
    condition: &str,
    params: impl rusqlite::Params,
) -> Result<Vec<Counted>, StoreError> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT call, payee, package, subject, waits, lapsed FROM unclaimed_charges WHERE {condition}"
    ))?;
    let mut rows = statement.query(params)?;
    let mut counted = Vec::new();
    while let Some(row) = rows.next()? {
        counted.push(Counted {
            call: row.get(0)?,
            payee: row.get(1)?,
            package: row.get(2)?,
            subject: row.get(3)?,
            waits: amount_from_sql(&row.get::<_, Vec<u8>>(4)?)?,
            lapsed: amount_from_sql(&row.get::<_, Vec<u8>>(5)?)?,
        });
    }
    Ok(counted)
}

/// The condition under which a charge may still come to nothing, or is not settled yet.
const UNPAID: &str = "EXISTS (SELECT 1 FROM calls
    WHERE calls.id = unclaimed_charges.call AND standing IN ('mined', 'vouched'))";

/// Returns how much of a row is not paid for yet.
fn unpaid(connection: &Connection, row: &UnclaimedRow) -> Result<u128, StoreError> {
    let condition = format!("payee = ?1 AND subject = ?2 AND {UNPAID}");
    let unpaid = counted(connection, &condition, params![row.payee, row.subject()])?;
    Ok(unpaid.iter().map(|part| part.waits).sum())
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

/// Forgets what was counted for a payee, who claimed it. Whose lapsed before is not forgotten: it may have to come back.
pub(crate) fn claimed(transaction: &Transaction<'_>, payee: &str) -> Result<(), StoreError> {
    transaction.prepare_cached("DELETE FROM unclaimed WHERE payee = ?1")?.execute([payee])?;
    let nothing = amount_to_sql(0);
    transaction
        .prepare_cached("DELETE FROM unclaimed_charges WHERE payee = ?1 AND lapsed = ?2")?
        .execute(params![payee, nothing])?;
    transaction
        .prepare_cached("UPDATE unclaimed_charges SET waits = ?2 WHERE payee = ?1")?
        .execute(params![payee, nothing])?;
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
    /// tried in vain after `tried_ms`, nor what a plan earned that is not judged yet, for that may go back. Their amounts are
    /// what is paid for.
    pub async fn lapsing(
        &self,
        day: i64,
        tried_ms: i64,
        limit: usize,
    ) -> Result<Vec<UnclaimedRow>, StoreError> {
        self.read(move |connection| {
            let condition = "day <= ?2 AND tried_at <= ?3 AND NOT EXISTS (
                SELECT 1 FROM licenses WHERE licenses.id = unclaimed.license AND judged_at IS NULL)";
            let mut rows = select(connection, condition, params![limit as i64, day, tried_ms])?;
            for row in &mut rows {
                row.amount = Pico(row.amount.0.saturating_sub(unpaid(connection, row)?));
            }
            Ok(rows)
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
            let (payee, subject) = (&row.payee, row.subject());
            let (heirs, package) = (text(&row.heirs), package_text(row.package.as_ref()));
            let (day, license) = (row.day, row.license.as_str());
            let key = Key { payee, heirs: &heirs, day, license, package: &package };
            let there = key.amount(transaction)?.unwrap_or_default();
            let free = there.saturating_sub(unpaid(transaction, &row)?);
            if moved == 0 || moved > free {
                return Ok(false);
            }
            key.write(transaction, there - moved)?;
            let paid = format!("payee = ?1 AND subject = ?2 AND NOT {UNPAID} ORDER BY call");
            let mut rest = moved;
            for mut part in counted(transaction, &paid, params![payee, subject])? {
                let lapsed = rest.min(part.waits);
                if lapsed == 0 {
                    continue;
                }
                (part.waits, part.lapsed, rest) = (part.waits - lapsed, part.lapsed + lapsed, rest - lapsed);
                part.write(transaction)?;
            }
            ledger::insert(transaction, &subject, &transfers, "posted", None, now_ms)?;
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
                params![
                    row.payee,
                    text(&row.heirs),
                    row.day,
                    row.license,
                    package_text(row.package.as_ref()),
                    now_ms
                ],
            )?;
            Ok(())
        })
        .await
    }
}
