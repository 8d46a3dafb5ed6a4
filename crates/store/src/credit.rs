//! Prepaid credit: accounts, what their tokens may still spend, and tokens that were taken back.
//!
//! What an account has is the balance of its payer in the ledger, and nothing beside it. A budget belongs to one block of
//! a token, and every token made from it spends from the same budget, so a hundred copies spend no more than one.

use glassbox_core::ledger::Account;
use glassbox_core::{Atomic, Pico};
use rusqlite::{Connection, OptionalExtension as _, Transaction, params};

use crate::error::StoreError;
use crate::ledger;
use crate::sqlite::{Store, amount_from_sql, amount_to_sql};

/// What a block of a token may spend in all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Budget {
    /// The block's id.
    pub block: String,
    /// How much at most.
    pub amount_max: Option<Atomic>,
    /// In how many calls at most.
    pub calls_max: Option<u64>,
}

/// Why credit does not suffice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CreditRefusal {
    /// The account has less.
    Short {
        /// What it may spend.
        available: Pico,
    },
    /// A budget of the token is used up.
    BudgetSpent {
        /// The block whose budget it is.
        block: String,
        /// What of it is left.
        left: Atomic,
    },
    /// A block of the token made its calls.
    CallsSpent {
        /// The block.
        block: String,
    },
    /// A block of the token was taken back.
    Revoked {
        /// The block.
        block: String,
    },
}

/// A credit account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreditAccount {
    /// Its id, which is also its name as a payer.
    pub id: String,
    /// What its owner calls it.
    pub label: String,
    /// When it was opened, in Unix milliseconds.
    pub created_at: i64,
}

/// What a block spent so far.
struct Spent {
    spent: u128,
    held: u128,
    calls: u64,
}

fn spent_of(connection: &Connection, block: &str) -> Result<Spent, StoreError> {
    let read = |row: &rusqlite::Row<'_>| -> rusqlite::Result<(Vec<u8>, Vec<u8>, i64)> {
        Ok((row.get(0)?, row.get(1)?, row.get(2)?))
    };
    let found = connection
        .prepare_cached("SELECT spent, held, calls FROM budgets WHERE block = ?1")?
        .query_row([block], read)
        .optional()?;
    let Some((spent, held, calls)) = found else { return Ok(Spent { spent: 0, held: 0, calls: 0 }) };
    Ok(Spent {
        spent: amount_from_sql(&spent)?,
        held: amount_from_sql(&held)?,
        calls: u64::try_from(calls).map_err(StoreError::corrupt)?,
    })
}

fn write_spent(transaction: &Transaction<'_>, block: &str, spent: &Spent) -> Result<(), StoreError> {
    transaction
        .prepare_cached("INSERT OR REPLACE INTO budgets (block, spent, held, calls) VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![
            block,
            amount_to_sql(spent.spent),
            amount_to_sql(spent.held),
            i64::try_from(spent.calls).map_err(StoreError::corrupt)?,
        ])?;
    Ok(())
}

fn is_revoked(connection: &Connection, account: &str, block: &str) -> Result<bool, StoreError> {
    let found = connection
        .prepare_cached("SELECT 1 FROM revocations WHERE block = ?1 AND account IN (?2, '')")?
        .query_row([block, account], |_| Ok(()))
        .optional()?;
    Ok(found.is_some())
}

/// Sets budgets aside for a call that costs at most `held`, or says why they do not suffice. The credit itself is set
/// aside by a pending transfer.
pub(crate) fn reserve(
    transaction: &Transaction<'_>,
    call: &str,
    payer: &str,
    held: Atomic,
    budgets: &[Budget],
) -> Result<Option<CreditRefusal>, StoreError> {
    let available = ledger::available(transaction, &Account::Payer(payer.to_owned()))?;
    if available < held.to_pico() {
        return Ok(Some(CreditRefusal::Short { available }));
    }
    // All are looked at before one is touched: a refusal changes nothing.
    let refusal = shortage(transaction, payer, held, budgets)?;
    if refusal.is_none() {
        set_aside(transaction, call, held, budgets)?;
    }
    Ok(refusal)
}

/// Says why budgets do not suffice for a call that costs at most `held`, where they do not.
pub(crate) fn shortage(
    transaction: &Transaction<'_>,
    payer: &str,
    held: Atomic,
    budgets: &[Budget],
) -> Result<Option<CreditRefusal>, StoreError> {
    for budget in budgets {
        let block = budget.block.clone();
        if is_revoked(transaction, payer, &block)? {
            return Ok(Some(CreditRefusal::Revoked { block }));
        }
        let Spent { spent, held: set_aside, calls } = spent_of(transaction, &block)?;
        if let Some(amount_max) = budget.amount_max {
            let left = amount_max.0.saturating_sub(spent).saturating_sub(set_aside);
            if left < held.0 {
                return Ok(Some(CreditRefusal::BudgetSpent { block, left: Atomic(left) }));
            }
        }
        if budget.calls_max.is_some_and(|calls_max| calls >= calls_max) {
            return Ok(Some(CreditRefusal::CallsSpent { block }));
        }
    }
    Ok(None)
}

/// Sets budgets aside that suffice.
pub(crate) fn set_aside(
    transaction: &Transaction<'_>,
    call: &str,
    held: Atomic,
    budgets: &[Budget],
) -> Result<(), StoreError> {
    for Budget { block, .. } in budgets {
        let mut spent = spent_of(transaction, block)?;
        spent.held += held.0;
        spent.calls += 1;
        write_spent(transaction, block, &spent)?;
        transaction
            .prepare_cached("INSERT INTO call_budgets (call, block, held) VALUES (?1, ?2, ?3)")?
            .execute(params![call, block, amount_to_sql(held.0)])?;
    }
    Ok(())
}

/// Returns what is counted under a block: what was spent, and what is set aside.
pub(crate) fn counted(connection: &Connection, block: &str) -> Result<Atomic, StoreError> {
    let Spent { spent, held, .. } = spent_of(connection, block)?;
    Ok(Atomic(spent + held))
}

/// Gives budgets back that were set aside for a call that cost nothing.
pub(crate) fn release(transaction: &Transaction<'_>, call: &str) -> Result<(), StoreError> {
    decide(transaction, call, |spent| spent.calls = spent.calls.saturating_sub(1))?;
    transaction
        .prepare_cached("DELETE FROM call_budgets WHERE call = ?1 AND spent IS NULL")?
        .execute([call])?;
    Ok(())
}

/// Takes what a call cost from the budgets that were set aside for it.
pub(crate) fn spend(transaction: &Transaction<'_>, call: &str, amount: Atomic) -> Result<(), StoreError> {
    decide(transaction, call, |spent| spent.spent += amount.0)?;
    transaction
        .prepare_cached("UPDATE call_budgets SET spent = ?2 WHERE call = ?1 AND spent IS NULL")?
        .execute(params![call, amount_to_sql(amount.0)])?;
    Ok(())
}

/// Gives budgets back what went back of what a call took from them. That it was made, they still count.
pub(crate) fn give_back(transaction: &Transaction<'_>, call: &str, amount: Atomic) -> Result<(), StoreError> {
    for (block, taken) in of_call(transaction, call, "spent")? {
        let back = amount.0.min(taken);
        let mut spent = spent_of(transaction, &block)?;
        spent.spent = spent.spent.saturating_sub(back);
        write_spent(transaction, &block, &spent)?;
        transaction
            .prepare_cached("UPDATE call_budgets SET spent = ?3 WHERE call = ?1 AND block = ?2")?
            .execute(params![call, block, amount_to_sql(taken - back)])?;
    }
    Ok(())
}

fn decide(transaction: &Transaction<'_>, call: &str, change: impl Fn(&mut Spent)) -> Result<(), StoreError> {
    for (block, held) in of_call(transaction, call, "CASE WHEN spent IS NULL THEN held END")? {
        let mut spent = spent_of(transaction, &block)?;
        spent.held = spent.held.saturating_sub(held);
        change(&mut spent);
        write_spent(transaction, &block, &spent)?;
    }
    Ok(())
}

/// Returns an amount of each budget that a call is counted in, where there is one.
fn of_call(connection: &Connection, call: &str, amount: &str) -> Result<Vec<(String, u128)>, StoreError> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT block, {amount} AS amount FROM call_budgets WHERE call = ?1 AND amount IS NOT NULL"
    ))?;
    let mut rows = statement.query([call])?;
    let mut amounts = Vec::new();
    while let Some(row) = rows.next()? {
        amounts.push((row.get(0)?, amount_from_sql(&row.get::<_, Vec<u8>>(1)?)?));
    }
    Ok(amounts)
}

impl Store {
    /// Opens a credit account. The same id again changes nothing.
    pub async fn open_credit(&self, account: CreditAccount) -> Result<(), StoreError> {
        self.write("open_credit", move |transaction| {
            transaction.execute(
                "INSERT OR IGNORE INTO credit_accounts (id, label, created_at) VALUES (?1, ?2, ?3)",
                params![account.id, account.label, account.created_at],
            )?;
            Ok(())
        })
        .await
    }

    /// Returns a credit account, or `None`.
    pub async fn credit_account(&self, id: &str) -> Result<Option<CreditAccount>, StoreError> {
        let id = id.to_owned();
        self.read(move |connection| {
            let read = |row: &rusqlite::Row<'_>| {
                Ok(CreditAccount { id: row.get(0)?, label: row.get(1)?, created_at: row.get(2)? })
            };
            Ok(connection
                .prepare_cached("SELECT id, label, created_at FROM credit_accounts WHERE id = ?1")?
                .query_row([id], read)
                .optional()?)
        })
        .await
    }

    /// Takes a block of an account's tokens back, and with it every token made from it.
    pub async fn revoke_block(&self, account: &str, block: &str, now_ms: i64) -> Result<(), StoreError> {
        let (account, block) = (account.to_owned(), block.to_owned());
        self.write("revoke_block", move |transaction| {
            transaction.execute(
                "INSERT OR IGNORE INTO revocations (account, block, revoked_at) VALUES (?1, ?2, ?3)",
                params![account, block, now_ms],
            )?;
            Ok(())
        })
        .await
    }

    /// Tells whether a block of an account's tokens was taken back.
    pub async fn is_revoked(&self, account: &str, block: &str) -> Result<bool, StoreError> {
        let (account, block) = (account.to_owned(), block.to_owned());
        self.read(move |connection| is_revoked(connection, &account, &block)).await
    }
}
