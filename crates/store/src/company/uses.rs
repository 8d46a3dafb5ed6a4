//! What accounts used, call by call: what is charged back to cost centres.
//!
//! A paid call is written down with its hold, a free one after it ran. Each has the cost centre that its account had then:
//! who moves to another takes nothing along.

use std::collections::BTreeMap;

use glassbox_core::account::{AccountName, CostCenter, Month};
use glassbox_core::money::PICO_PER_ATOMIC;
use glassbox_core::{Atomic, Digest, FunctionName, PackageName, Pico, ReleaseId};
use rusqlite::{Connection, Row, Transaction, params};

use crate::error::StoreError;
use crate::sqlite::{Store, amount_from_sql, parse};
use crate::usage::{self, Consumed};

/// A call of an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Use {
    /// The call's id.
    pub call: String,
    /// In whose name it was made.
    pub account: AccountName,
    /// What bears its cost.
    pub cost_center: CostCenter,
    /// The id of the token that made it.
    pub token: String,
    /// The month that it is counted in.
    pub month: Month,
    /// The release.
    pub release: ReleaseId,
    /// The function.
    pub function: FunctionName,
    /// The digest of its receipt's payload, where there is one.
    pub receipt: Option<Digest>,
    /// When, in Unix milliseconds.
    pub at: i64,
}

/// A call of an account, with what it cost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UseRow {
    /// Its number; later ones have greater ones.
    pub number: i64,
    /// The call.
    pub used: Use,
    /// What was charged, less what went back of it.
    pub charge: Atomic,
}

/// What an account used in a month, for one cost centre.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UseSum {
    /// What bears the cost.
    pub cost_center: CostCenter,
    /// The account.
    pub account: AccountName,
    /// How many calls.
    pub calls: u64,
    /// What they cost, less what went back.
    pub charge: Atomic,
}

pub(super) fn insert(transaction: &Transaction<'_>, used: &Use) -> Result<(), StoreError> {
    transaction
        .prepare_cached(
            "INSERT INTO account_uses (call, account, cost_center, token, month, release, function, receipt, at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        )?
        .execute(params![
            used.call,
            used.account.as_str(),
            used.cost_center.as_str(),
            used.token,
            used.month.as_str(),
            used.release.to_string(),
            used.function.to_string(),
            used.receipt.as_ref().map(Digest::as_bytes),
            used.at,
        ])?;
    Ok(())
}

/// Notes the receipt of a call, where an account made it.
pub(crate) fn note_receipt(
    transaction: &Transaction<'_>,
    call: &str,
    receipt: &Digest,
) -> Result<(), StoreError> {
    transaction
        .prepare_cached("UPDATE account_uses SET receipt = ?2 WHERE call = ?1")?
        .execute(params![call, receipt.as_bytes()])?;
    Ok(())
}

/// The calls of a month that came to their end: those that never ran, or are under way, are nobody's cost yet.
const OF_MONTH: &str = "FROM account_uses LEFT JOIN calls ON calls.id = call
    WHERE month = ?1 AND (state IS NULL OR state IN ('posted', 'voided'))";

/// What was bought of a package, and given to it, is no call of it.
const IS_CALL: &str = "account_uses.function NOT LIKE 'glassbox:registry/releases#%'";

/// What a call cost; one that was voided, or had no price, nothing.
const CHARGE: &str = "CASE WHEN state = 'posted' THEN charge END";

/// What went back of the calls of a month, whenever it did: cost centres bear the rest.
struct Returned(BTreeMap<String, u128>);

impl Returned {
    fn read(connection: &Connection, month: &Month) -> Result<Self, StoreError> {
        let mut statement = connection.prepare_cached(
            "SELECT account_uses.call, amount FROM account_uses
             CROSS JOIN reversals INDEXED BY reversals_by_call ON reversals.call = account_uses.call
             CROSS JOIN transfers ON transfers.subject = reversals.subject
             WHERE month = ?1 AND kind = 'reversal' AND transfers.state = 'posted'",
        )?;
        let mut rows = statement.query([month.as_str()])?;
        let mut returned: BTreeMap<String, u128> = BTreeMap::new();
        while let Some(row) = rows.next()? {
            *returned.entry(row.get(0)?).or_default() += amount_from_sql(&row.get::<_, Vec<u8>>(1)?)?;
        }
        Ok(Self(returned))
    }

    /// Returns what a call cost in the end.
    fn charge(&self, call: &str, charged: Option<Vec<u8>>) -> Result<Atomic, StoreError> {
        let charged = charged.as_deref().map(amount_from_sql).transpose()?.unwrap_or_default();
        // Whole atomic units go back of a call, however many shares they are.
        let returned = self.0.get(call).map_or(0, |pico| pico / PICO_PER_ATOMIC);
        Ok(Atomic(charged.saturating_sub(returned)))
    }
}

fn read(row: &Row<'_>, returned: &Returned) -> rusqlite::Result<Result<UseRow, StoreError>> {
    let text = |column: usize| row.get::<_, String>(column);
    let (account, cost_center, month) = (text(2)?, text(3)?, text(5)?);
    let (release, function) = (text(6)?, text(7)?);
    let (number, call, token, at) = (row.get(0)?, text(1)?, text(4)?, row.get(9)?);
    let (receipt, charge): (Option<[u8; 32]>, Option<Vec<u8>>) = (row.get(8)?, row.get(10)?);
    let parsed = || {
        Ok(UseRow {
            number,
            charge: returned.charge(&call, charge)?,
            used: Use {
                call,
                account: parse(&account)?,
                cost_center: parse(&cost_center)?,
                token,
                month: parse(&month)?,
                release: parse(&release)?,
                function: parse(&function)?,
                receipt: receipt.map(Digest::from_bytes),
                at,
            },
        })
    };
    Ok(parsed())
}

fn sums(connection: &Connection, month: &Month) -> Result<Vec<UseSum>, StoreError> {
    let mut sums: BTreeMap<(String, String), (u64, u128)> = BTreeMap::new();
    let returned = Returned::read(connection, month)?;
    let mut statement =
        connection.prepare(&format!("SELECT cost_center, account, call, {CHARGE} {OF_MONTH}"))?;
    let mut rows = statement.query([month.as_str()])?;
    while let Some(row) = rows.next()? {
        let sum = sums.entry((row.get(0)?, row.get(1)?)).or_default();
        sum.0 += 1;
        sum.1 += returned.charge(&row.get::<_, String>(2)?, row.get(3)?)?.0;
    }
    let read = |((cost_center, account), (calls, charge)): ((String, String), (u64, u128))| {
        Ok(UseSum {
            cost_center: parse(&cost_center)?,
            account: parse(&account)?,
            calls,
            charge: Atomic(charge),
        })
    };
    sums.into_iter().map(read).collect()
}

impl Store {
    /// Writes down a call that cost nothing, which stands nowhere else, and what it adds to the counters of its payer.
    pub async fn note_use(&self, used: Use, consumed: Option<Consumed>) -> Result<(), StoreError> {
        self.write("note_use", move |transaction| {
            if let Some(consumed) = &consumed {
                usage::count(transaction, consumed)?;
            }
            insert(transaction, &used)
        })
        .await
    }

    /// Returns the calls of a month after the number `after`, at most `limit`, in their order.
    pub async fn uses(&self, month: &Month, after: i64, limit: usize) -> Result<Vec<UseRow>, StoreError> {
        let month = month.clone();
        self.read(move |connection| {
            let mut statement = connection.prepare_cached(&format!(
                "SELECT number, call, account, cost_center, token, month, account_uses.release,
                    account_uses.function, receipt, at, {CHARGE}
                 {OF_MONTH} AND number > ?2 ORDER BY number LIMIT ?3"
            ))?;
            let returned = Returned::read(connection, &month)?;
            let rows = statement
                .query_map(params![month.as_str(), after, limit as i64], |row| read(row, &returned))?;
            rows.map(|row| row?).collect()
        })
        .await
    }

    /// Returns how often each package was called in a month by all accounts, in the order of their names. What was bought of
    /// it, and given to it, is no call.
    pub async fn package_uses(&self, month: &Month) -> Result<Vec<(PackageName, u64)>, StoreError> {
        let month = month.clone();
        self.read(move |connection| {
            let mut statement = connection.prepare(&format!(
                "SELECT account_uses.release, COUNT(*) {OF_MONTH} AND {IS_CALL} GROUP BY account_uses.release"
            ))?;
            let mut rows = statement.query([month.as_str()])?;
            let mut packages: BTreeMap<PackageName, u64> = BTreeMap::new();
            while let Some(row) = rows.next()? {
                let release: ReleaseId = parse(&row.get::<_, String>(0)?)?;
                let calls: i64 = row.get(1)?;
                *packages.entry(release.package).or_default() += u64::try_from(calls).unwrap_or_default();
            }
            Ok(packages.into_iter().collect())
        })
        .await
    }

    /// Returns what an account spent on calls in a month: what they cost, less what went back since.
    pub async fn spent_on_calls(&self, account: &AccountName, month: &Month) -> Result<Pico, StoreError> {
        let (account, month) = (account.clone(), month.clone());
        self.read(move |connection| {
            let returned = Returned::read(connection, &month)?;
            let mut statement = connection.prepare(&format!(
                "SELECT call, {CHARGE} {OF_MONTH} AND {IS_CALL} AND account_uses.account = ?2"
            ))?;
            let mut rows = statement.query([month.as_str(), account.as_str()])?;
            let mut spent = 0;
            while let Some(row) = rows.next()? {
                let charge = returned.charge(&row.get::<_, String>(0)?, row.get(1)?)?;
                spent += charge.to_pico().0;
            }
            Ok(Pico(spent))
        })
        .await
    }

    /// Adds up the calls of a month, by cost centre and account.
    pub async fn use_sums(&self, month: &Month) -> Result<Vec<UseSum>, StoreError> {
        let month = month.clone();
        self.read(move |connection| sums(connection, &month)).await
    }
}
