//! What the operator decided about payees and disputed packages: whether what was earned may leave.
//!
//! Each decision is written together with its line in the record of [actions](crate::Action).

use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;

use glassbox_core::ledger::Account;
use glassbox_core::{PackageName, Pico};
use rusqlite::{Row, Transaction, params};

use crate::error::StoreError;
use crate::notices::{Action, record};
use crate::reversals::{LOOSE, ON_LOOSE_CREDIT, earned_by};
use crate::sqlite::{Store, parse};
use crate::support;
use crate::unclaimed;

/// How far an operator knows a payee.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum PayeeState {
    /// Nobody looked.
    #[default]
    Unverified,
    /// The operator knows who it is.
    Verified,
    /// What it earned stays here.
    Suspended,
}

impl PayeeState {
    const ALL: [(Self, &'static str); 3] =
        [(Self::Unverified, "unverified"), (Self::Verified, "verified"), (Self::Suspended, "suspended")];

    /// Returns the word for it.
    pub fn as_str(self) -> &'static str {
        Self::ALL.iter().find(|(state, _)| *state == self).expect("all states are listed").1
    }
}

impl FromStr for PayeeState {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = Self::ALL.iter().find(|(_, word)| *word == text);
        known
            .map(|(state, _)| *state)
            .ok_or_else(|| "a payee is unverified, verified or suspended".to_owned())
    }
}

/// A payee, as the operator knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PayeeRow {
    /// Its id, as manifests name it.
    pub id: String,
    /// How far it is known.
    pub state: PayeeState,
    /// Where it is paid, where that is not its id.
    pub address: Option<String>,
    /// Why.
    pub reason: String,
    /// When that was decided, in Unix milliseconds.
    pub at: i64,
}

/// A package whose earnings wait.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Freeze {
    /// The package.
    pub package: PackageName,
    /// Why.
    pub reason: String,
    /// Since when, in Unix milliseconds.
    pub at: i64,
}

fn read_payee(row: &Row<'_>) -> rusqlite::Result<Result<PayeeRow, StoreError>> {
    let state: String = row.get(1)?;
    let (id, address, reason, at) = (row.get(0)?, row.get(2)?, row.get(3)?, row.get(4)?);
    Ok(state.parse().map_err(StoreError::corrupt).map(|state| PayeeRow { id, state, address, reason, at }))
}

fn read_freeze(row: &Row<'_>) -> rusqlite::Result<Result<Freeze, StoreError>> {
    let package: String = row.get(0)?;
    let (reason, at) = (row.get(1)?, row.get(2)?);
    Ok(parse(&package).map(|package| Freeze { package, reason, at }))
}

/// Remembers where a payee was paid, which makes it known, and forgets what was counted for as long as it was not. Where an
/// address was written down, that stays; an id that is an address needs none.
pub(crate) fn know(
    transaction: &Transaction<'_>,
    id: &str,
    address: &str,
    now_ms: i64,
) -> Result<(), StoreError> {
    if id != address {
        transaction.execute(
            "INSERT INTO payees (id, state, address, reason, at) VALUES (?1, 'unverified', ?2, ?3, ?4)
             ON CONFLICT (id) DO UPDATE SET address = COALESCE(address, ?2)",
            params![id, address, PAID_TO, now_ms],
        )?;
    }
    unclaimed::claimed(transaction, id)
}

/// The reason of what nobody decided: the payee was paid.
const PAID_TO: &str = "paid to this address";

impl Store {
    /// Writes what the operator decided about a payee. Without an address it keeps the one it has.
    pub async fn set_payee(&self, payee: PayeeRow) -> Result<(), StoreError> {
        self.write("set_payee", move |transaction| {
            let PayeeRow { id, state, address, reason, at } = &payee;
            transaction.execute(
                "INSERT INTO payees (id, state, address, reason, at) VALUES (?1, ?2, ?3, ?4, ?5)
                 ON CONFLICT (id) DO UPDATE SET state = ?2, address = COALESCE(?3, address), reason = ?4, at = ?5",
                params![id, state.as_str(), address, reason, at],
            )?;
            if *state == PayeeState::Verified || address.is_some() {
                unclaimed::claimed(transaction, id)?;
            }
            let action = Action {
                number: 0,
                at: *at,
                about: format!("payee:{id}"),
                action: state.as_str().to_owned(),
                reason: reason.clone(),
            };
            record(transaction, &action)
        })
        .await
    }

    /// Returns the payees that something was decided about, by their ids.
    pub async fn payees(&self) -> Result<Vec<PayeeRow>, StoreError> {
        self.read(|connection| {
            let mut statement =
                connection.prepare("SELECT id, state, address, reason, at FROM payees ORDER BY id")?;
            statement.query_map([], read_payee)?.map(|row| row?).collect()
        })
        .await
    }

    /// Has what a package earned wait, or lets it go.
    pub async fn set_freeze(
        &self,
        package: &PackageName,
        frozen: bool,
        reason: &str,
        now_ms: i64,
    ) -> Result<(), StoreError> {
        let (package, reason) = (package.to_string(), reason.to_owned());
        self.write("set_freeze", move |transaction| {
            match frozen {
                true => transaction.execute(
                    "INSERT OR REPLACE INTO freezes (package, reason, at) VALUES (?1, ?2, ?3)",
                    params![package, reason, now_ms],
                )?,
                false => transaction.execute("DELETE FROM freezes WHERE package = ?1", [&package])?,
            };
            let action = if frozen { "frozen" } else { "thawed" };
            record(
                transaction,
                &Action { number: 0, at: now_ms, about: package, action: action.into(), reason },
            )
        })
        .await
    }

    /// Returns the packages whose earnings wait, by their names.
    pub async fn freezes(&self) -> Result<Vec<Freeze>, StoreError> {
        self.read(|connection| {
            let mut statement =
                connection.prepare("SELECT package, reason, at FROM freezes ORDER BY package")?;
            statement.query_map([], read_freeze)?.map(|row| row?).collect()
        })
        .await
    }

    /// Returns what accounts earned for good with packages whose earnings wait, in all, also where another package was paid for
    /// that rests on them: what was paid out of it before is made up for by what they earn otherwise, until the dispute is
    /// over. What others earn by a package that is paid for is not of it; older charges say nothing of that, and count whole.
    pub async fn frozen(&self) -> Result<BTreeMap<Account, Pico>, StoreError> {
        let paid_for =
            "freezes JOIN calls ON calls.release >= package || '@' AND calls.release < package || 'A'";
        let standing = "standing NOT IN ('mined', 'vouched')";
        self.read(move |connection| {
            let mut frozen = earned_by(connection, paid_for, &format!("{standing} AND through IS NULL"))?;
            let rests_on = format!("{standing} AND through IN (SELECT package FROM freezes)");
            for (account, pico) in earned_by(connection, "calls", &rests_on)? {
                frozen.entry(account).or_default().0 += pico.0;
            }
            // What waits for another reason waits once.
            let is_frozen = |package: &str| format!("{package} IN (SELECT package FROM freezes)");
            let called = is_frozen("substr(calls.release, 1, instr(calls.release, '@') - 1)");
            let whose = format!("((through IS NULL AND {called}) OR {})", is_frozen("through"));
            for (account, pico) in earned_by(connection, LOOSE, &format!("{ON_LOOSE_CREDIT} AND {whose}"))? {
                let left = frozen.entry(account).or_default();
                left.0 = left.0.saturating_sub(pico.0);
            }
            let mut statement = connection.prepare_cached("SELECT package FROM freezes")?;
            let packages =
                statement.query_map([], |row| row.get(0))?.collect::<Result<BTreeSet<String>, _>>()?;
            for (package, back) in support::at_risk(connection)? {
                if packages.contains(&back.through.as_ref().unwrap_or(&package).to_string()) {
                    let left = frozen.entry(back.debit).or_default();
                    left.0 = left.0.saturating_sub(back.amount.0);
                }
            }
            Ok(frozen)
        })
        .await
    }
}
