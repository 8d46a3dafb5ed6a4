//! Transfers and what they add up to.
//!
//! Each transfer changes the sums of its two accounts in its own transaction, so a balance is one row. The sums are
//! derived all the same: [`Store::check_ledger`] adds the transfers up again and says where the two differ.

use std::collections::BTreeMap;

use glassbox_core::ledger::{Account, Kind, Transfer};
use glassbox_core::money::PICO_PER_ATOMIC;
use glassbox_core::{Atomic, PackageName, Pico};
use rusqlite::{Connection, OptionalExtension as _, Transaction, params};

use crate::error::StoreError;
use crate::sheet::{Decision, Sheet, Sums, sums_of};
use crate::sqlite::{Store, amount_from_sql, parse};
use crate::submissions::{self, Moved};

/// What an account gave and received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Balance {
    /// The account.
    pub account: Account,
    /// What left it, posted.
    pub debits: Pico,
    /// What arrived, posted.
    pub credits: Pico,
    /// What is about to leave it.
    pub debits_pending: Pico,
    /// What is about to arrive.
    pub credits_pending: Pico,
}

impl Balance {
    /// Returns what may be spent: what arrived, less what left and what is about to leave.
    pub fn available(&self) -> Pico {
        Pico(self.credits.0.saturating_sub(self.debits.0).saturating_sub(self.debits_pending.0))
    }
}

/// A transfer as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransferRow {
    /// Its number; later ones have greater ones.
    pub id: i64,
    /// What it belongs to: a call's id, or a text such as `payout:ID`.
    pub subject: String,
    /// What moves.
    pub transfer: Transfer,
    /// The transaction on the rail, where there is one.
    pub reference: Option<String>,
    /// When it was written, in Unix milliseconds.
    pub created_at: i64,
}

/// A transfer that the rail has not paid out yet: a refund, or a payout.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwedTransfer {
    /// What it belongs to. With the kind it is the transfer's idempotency key on the rail.
    pub subject: String,
    /// The account that it leaves.
    pub debit: Account,
    /// How much.
    pub amount: Atomic,
    /// Whom the rail shall pay, where that is not the account itself.
    pub payee: Option<String>,
}

impl OwedTransfer {
    /// Returns the refund of a call that was posted just now.
    pub fn refund(call: &str, payer: &str, amount: Atomic) -> Self {
        Self { subject: call.to_owned(), debit: Account::Payer(payer.to_owned()), amount, payee: None }
    }

    /// Returns whom the account belongs to, where it is a payer's.
    pub fn payer(&self) -> Option<&str> {
        match &self.debit {
            Account::Payer(payer) => Some(payer),
            _ => None,
        }
    }
}

/// Writes transfers within a transaction, and adds them to their accounts.
pub(crate) fn insert(
    transaction: &Transaction<'_>,
    subject: &str,
    transfers: &[Transfer],
    state: &str,
    reference: Option<&str>,
    now_ms: i64,
) -> Result<(), StoreError> {
    let mut sheet = Sheet::new(transaction);
    sheet.insert(subject, transfers, state, reference, now_ms)?;
    sheet.close()
}

/// Decides the pending transfers of a subject, of one kind or of all. Returns how many there were.
pub(crate) fn decide(
    transaction: &Transaction<'_>,
    subject: &str,
    kind: Option<Kind>,
    decision: Decision<'_>,
) -> Result<usize, StoreError> {
    let mut sheet = Sheet::new(transaction);
    let decided = sheet.decide(subject, kind, decision)?;
    sheet.close()?;
    Ok(decided)
}

/// Returns what an account may spend, within a transaction.
pub(crate) fn available(connection: &Connection, account: &Account) -> Result<Pico, StoreError> {
    Ok(balance(connection, account)?.available())
}

/// Returns the balance of an account, within a transaction.
pub(crate) fn balance(connection: &Connection, account: &Account) -> Result<Balance, StoreError> {
    let name = account.to_string();
    sums_of(connection, &name)?.unwrap_or_default().into_balance(&name)
}

/// Adds up every transfer there is.
fn recompute(connection: &Connection) -> Result<BTreeMap<String, Sums>, StoreError> {
    let mut accounts: BTreeMap<String, Sums> = BTreeMap::new();
    let mut statement =
        connection.prepare("SELECT debit, credit, amount, state FROM transfers WHERE state != 'voided'")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let amount = amount_from_sql(&row.get::<_, Vec<u8>>(2)?)?;
        let pending = if row.get::<_, String>(3)? == "pending" { 2 } else { 0 };
        accounts.entry(row.get(0)?).or_default().0[pending] += amount;
        accounts.entry(row.get(1)?).or_default().0[1 + pending] += amount;
    }
    Ok(accounts)
}

/// Fills the accounts of a database that had none.
pub(crate) fn fill_accounts(transaction: &Transaction<'_>) -> Result<(), StoreError> {
    for (account, sums) in recompute(transaction)? {
        sums.write(transaction, &account)?;
    }
    Ok(())
}

impl Store {
    /// Returns every account with what it gave and received, in the order of their names.
    ///
    /// Over all accounts, debits equal credits: anything else is damage.
    pub async fn balances(&self) -> Result<Vec<Balance>, StoreError> {
        self.read(|connection| {
            let mut statement = connection.prepare(
                "SELECT name, debits, credits, debits_pending, credits_pending FROM accounts ORDER BY name",
            )?;
            let mut rows = statement.query([])?;
            let mut balances = Vec::new();
            while let Some(row) = rows.next()? {
                let name: String = row.get(0)?;
                let sums = Sums::read([row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?])?;
                balances.push(sums.into_balance(&name)?);
            }
            // An account that only ever had what came to nothing has no balance.
            balances.retain(|balance| {
                [balance.debits, balance.credits, balance.debits_pending, balance.credits_pending]
                    != [Pico::ZERO; 4]
            });
            Ok(balances)
        })
        .await
    }

    /// Returns the balance of one account; that of an account nobody has used is nothing.
    pub async fn balance(&self, account: &Account) -> Result<Balance, StoreError> {
        let account = account.clone();
        self.read(move |connection| balance(connection, &account)).await
    }

    /// Adds up all transfers anew, and returns what the accounts have and what they should have, where that differs.
    pub async fn check_ledger(&self) -> Result<Vec<(Balance, Balance)>, StoreError> {
        self.read(|connection| {
            let mut expected = recompute(connection)?;
            let mut statement = connection
                .prepare("SELECT name, debits, credits, debits_pending, credits_pending FROM accounts")?;
            let mut rows = statement.query([])?;
            let mut differences = Vec::new();
            while let Some(row) = rows.next()? {
                let name: String = row.get(0)?;
                let found = Sums::read([row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?])?;
                let wanted = expected.remove(&name).unwrap_or_default();
                if found != wanted {
                    differences.push((found.into_balance(&name)?, wanted.into_balance(&name)?));
                }
            }
            for (name, wanted) in expected {
                differences.push((Sums::default().into_balance(&name)?, wanted.into_balance(&name)?));
            }
            Ok(differences)
        })
        .await
    }

    /// Returns the posted calls whose charge is not what its receivers got: the call, its charge, and what they got.
    pub async fn check_charges(&self) -> Result<Vec<(String, Atomic, Pico)>, StoreError> {
        self.read(|connection| {
            let mut shared: BTreeMap<String, u128> = BTreeMap::new();
            let mut statement = connection.prepare(
                "SELECT subject, amount FROM transfers WHERE state = 'posted' AND kind IN ('charge', 'top-up')",
            )?;
            let mut rows = statement.query([])?;
            while let Some(row) = rows.next()? {
                *shared.entry(row.get(0)?).or_default() += amount_from_sql(&row.get::<_, Vec<u8>>(1)?)?;
            }
            let mut statement = connection.prepare("SELECT id, charge FROM calls WHERE state = 'posted'")?;
            let mut rows = statement.query([])?;
            let mut differences = Vec::new();
            while let Some(row) = rows.next()? {
                let call: String = row.get(0)?;
                let charge = Atomic(amount_from_sql(&row.get::<_, Vec<u8>>(1)?)?);
                let shared = Pico(shared.remove(&call).unwrap_or_default());
                if shared != charge.to_pico() {
                    differences.push((call, charge, shared));
                }
            }
            // What is left is of calls that were never posted.
            differences.extend(shared.into_iter().map(|(call, shared)| (call, Atomic::ZERO, Pico(shared))));
            Ok(differences)
        })
        .await
    }

    /// Returns the transaction on the rail that the deposit of a call is booked under.
    pub async fn transaction_of(&self, subject: &str) -> Result<Option<String>, StoreError> {
        let subject = subject.to_owned();
        self.read(move |connection| {
            let found = connection
                .prepare_cached("SELECT reference FROM transfers WHERE subject = ?1 AND kind = 'deposit'")?
                .query_row([subject], |row| row.get(0))
                .optional()?;
            Ok(found.flatten())
        })
        .await
    }

    /// Returns the posted transfers of an account, or of all, after the number `after`, at most `limit`, in their order.
    pub async fn transfers(
        &self,
        account: Option<&Account>,
        after: i64,
        limit: usize,
    ) -> Result<Vec<TransferRow>, StoreError> {
        let account = account.map(ToString::to_string);
        self.read(move |connection| {
            let mut statement = connection.prepare_cached(
                "SELECT id, subject, kind, debit, credit, amount, reference, created_at, through FROM transfers
                 WHERE id > ?1 AND state = 'posted' AND (?2 IS NULL OR debit = ?2 OR credit = ?2)
                 ORDER BY id LIMIT ?3",
            )?;
            let mut rows = statement.query(params![after, account, limit as i64])?;
            let mut transfers = Vec::new();
            while let Some(row) = rows.next()? {
                let text = |column: usize| row.get::<_, String>(column);
                transfers.push(TransferRow {
                    id: row.get(0)?,
                    subject: text(1)?,
                    transfer: Transfer {
                        kind: parse(&text(2)?)?,
                        debit: parse(&text(3)?)?,
                        credit: parse(&text(4)?)?,
                        amount: Pico(amount_from_sql(&row.get::<_, Vec<u8>>(5)?)?),
                        through: through(row, 8)?,
                    },
                    reference: row.get(6)?,
                    created_at: row.get(7)?,
                });
            }
            Ok(transfers)
        })
        .await
    }

    /// Returns what of one kind the rail still owes, at most `limit`: first what was not asked for in vain of late. Nothing
    /// goes back of a payment that the chain may still take back itself, nor of credit that was bought by one.
    pub async fn owed(&self, kind: Kind, limit: usize) -> Result<Vec<OwedTransfer>, StoreError> {
        self.read(move |connection| {
            let condition = "kind = ?1 AND NOT EXISTS (
                    SELECT 1 FROM calls WHERE calls.id = subject AND standing = 'mined')
                 AND NOT EXISTS (
                    SELECT 1 FROM transfers AS bought JOIN calls ON calls.id = bought.subject
                    WHERE bought.credit = transfers.debit AND bought.kind = 'top-up' AND standing = 'mined')
                 ORDER BY tried_at, id LIMIT ?2";
            owed_where(connection, condition, params![kind.as_str(), limit as i64])
        })
        .await
    }

    /// Notes that what `subject` is owed was asked for in vain, which puts it at the end of the line.
    pub async fn touch_owed(&self, subject: &str, kind: Kind, now_ms: i64) -> Result<(), StoreError> {
        let subject = subject.to_owned();
        self.write("touch_owed", move |transaction| {
            transaction.execute(
                "UPDATE transfers SET tried_at = ?3 WHERE subject = ?1 AND kind = ?2 AND state = 'pending'",
                params![subject, kind.as_str(), now_ms],
            )?;
            Ok(())
        })
        .await
    }

    /// Posts what `subject` was owed and the rail paid out. Does nothing when it is posted already.
    pub async fn post_owed(&self, subject: &str, kind: Kind, moved: Moved) -> Result<(), StoreError> {
        let subject = subject.to_owned();
        self.write("post_owed", move |transaction| {
            let posted = Decision::Posted { amount: None, reference: Some(&moved.transaction) };
            if decide(transaction, &subject, Some(kind), posted)? > 0 {
                submissions::watch(transaction, &subject, &moved)?;
            }
            Ok(())
        })
        .await
    }

    /// Writes a posted transfer that no call makes, such as a grant. The same subject again changes nothing and returns
    /// `false`.
    pub async fn post_transfer(
        &self,
        subject: &str,
        transfer: Transfer,
        reference: Option<String>,
        now_ms: i64,
    ) -> Result<bool, StoreError> {
        let subject = subject.to_owned();
        self.write("post_transfer", move |transaction| {
            if is_known(transaction, &subject)? {
                return Ok(false);
            }
            insert(transaction, &subject, &[transfer], "posted", reference.as_deref(), now_ms)?;
            Ok(true)
        })
        .await
    }

    /// Writes a pending transfer out of an account, where it has enough: a payout, or the return of credit.
    /// `reference` is whom the rail shall pay. The same subject again changes nothing. Returns whether it is written.
    pub async fn owe(
        &self,
        subject: &str,
        transfer: Transfer,
        payee: &str,
        now_ms: i64,
    ) -> Result<bool, StoreError> {
        let (subject, payee) = (subject.to_owned(), payee.to_owned());
        self.write("owe", move |transaction| {
            if is_known(transaction, &subject)? {
                return Ok(true);
            }
            if available(transaction, &transfer.debit)? < transfer.amount {
                return Ok(false);
            }
            insert(transaction, &subject, &[transfer], "pending", Some(&payee), now_ms)?;
            Ok(true)
        })
        .await
    }
}

/// Returns the pending transfers that a condition selects.
pub(crate) fn owed_where(
    connection: &Connection,
    condition: &str,
    params: impl rusqlite::Params,
) -> Result<Vec<OwedTransfer>, StoreError> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT subject, debit, amount, reference FROM transfers WHERE state = 'pending' AND {condition}"
    ))?;
    let mut rows = statement.query(params)?;
    let mut owed = Vec::new();
    while let Some(row) = rows.next()? {
        let pico = amount_from_sql(&row.get::<_, Vec<u8>>(2)?)?;
        if pico % PICO_PER_ATOMIC != 0 {
            return Err(StoreError::corrupt("a fraction of an atomic unit is owed"));
        }
        owed.push(OwedTransfer {
            subject: row.get(0)?,
            debit: parse(&row.get::<_, String>(1)?)?,
            amount: Atomic(pico / PICO_PER_ATOMIC),
            payee: row.get(3)?,
        });
    }
    Ok(owed)
}

/// Returns the posted transfers of a subject, in their order.
pub(crate) fn transfers_of(connection: &Connection, subject: &str) -> Result<Vec<Transfer>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT kind, debit, credit, amount, through FROM transfers WHERE subject = ?1 AND state = 'posted' ORDER BY id",
    )?;
    let mut rows = statement.query([subject])?;
    let mut transfers = Vec::new();
    while let Some(row) = rows.next()? {
        let text = |column: usize| row.get::<_, String>(column);
        transfers.push(Transfer {
            kind: parse(&text(0)?)?,
            debit: parse(&text(1)?)?,
            credit: parse(&text(2)?)?,
            amount: Pico(amount_from_sql(&row.get::<_, Vec<u8>>(3)?)?),
            through: through(row, 4)?,
        });
    }
    Ok(transfers)
}

fn through(row: &rusqlite::Row<'_>, column: usize) -> Result<Option<PackageName>, StoreError> {
    row.get::<_, Option<String>>(column)?.map(|package| parse(&package)).transpose()
}

fn is_known(transaction: &Transaction<'_>, subject: &str) -> Result<bool, StoreError> {
    let known = transaction
        .prepare_cached("SELECT 1 FROM transfers WHERE subject = ?1 LIMIT 1")?
        .query_row([subject], |_| Ok(()))
        .optional()?;
    Ok(known.is_some())
}
