//! What one transaction of the database writes of the ledger: transfers, and the sums of their accounts.

use std::collections::BTreeMap;

use glassbox_core::Pico;
use glassbox_core::ledger::{Kind, Transfer};
use rusqlite::{Connection, OptionalExtension as _, Transaction, params};

use crate::error::StoreError;
use crate::ledger::Balance;
use crate::sqlite::{amount_from_sql, amount_to_sql, parse};

/// What becomes of a pending transfer.
#[derive(Clone, Copy)]
pub(crate) enum Decision<'a> {
    /// It is posted, at this amount where another than the one it was written with, by this transaction on the rail.
    Posted { amount: Option<Pico>, reference: Option<&'a str> },
    /// It comes to nothing.
    Voided,
}

/// Which of an account's four sums.
#[derive(Clone, Copy)]
enum Side {
    Debit,
    Credit,
}

/// Several changes of accounts in one transaction. Each account is read once, and written once by [`close`](Self::close).
pub(crate) struct Sheet<'a> {
    transaction: &'a Transaction<'a>,
    sums: BTreeMap<String, Sums>,
}

impl<'a> Sheet<'a> {
    pub(crate) fn new(transaction: &'a Transaction<'a>) -> Self {
        Self { transaction, sums: BTreeMap::new() }
    }

    /// Writes the accounts. Without it, they are as they were.
    pub(crate) fn close(self) -> Result<(), StoreError> {
        self.sums.iter().try_for_each(|(account, sums)| sums.write(self.transaction, account))
    }

    /// Writes transfers.
    pub(crate) fn insert(
        &mut self,
        subject: &str,
        transfers: &[Transfer],
        state: &str,
        reference: Option<&str>,
        now_ms: i64,
    ) -> Result<(), StoreError> {
        let transaction = self.transaction;
        let mut statement = transaction.prepare_cached(
            "INSERT INTO transfers (subject, kind, debit, credit, amount, state, reference, created_at, through)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        )?;
        for transfer in transfers {
            assert!(transfer.amount > Pico::ZERO, "a transfer of nothing: {transfer:?}");
            let (debit, credit) = (transfer.debit.to_string(), transfer.credit.to_string());
            let amount = transfer.amount.0;
            let kind = transfer.kind.as_str();
            statement.execute(params![
                subject,
                kind,
                debit,
                credit,
                amount_to_sql(amount),
                state,
                reference,
                now_ms,
                transfer.through.as_ref().map(ToString::to_string)
            ])?;
            match state {
                "pending" => {
                    self.change(&debit, Side::Debit, 0, 0, amount)?;
                    self.change(&credit, Side::Credit, 0, 0, amount)?;
                }
                _ => {
                    self.change(&debit, Side::Debit, amount, 0, 0)?;
                    self.change(&credit, Side::Credit, amount, 0, 0)?;
                }
            }
        }
        Ok(())
    }

    /// Decides the pending transfers of a subject, of one kind or of all. Returns how many there were.
    pub(crate) fn decide(
        &mut self,
        subject: &str,
        kind: Option<Kind>,
        decision: Decision<'_>,
    ) -> Result<usize, StoreError> {
        let transaction = self.transaction;
        let mut pending = transaction.prepare_cached(
            "SELECT id, debit, credit, amount FROM transfers
         WHERE subject = ?1 AND state = 'pending' AND (?2 IS NULL OR kind = ?2)",
        )?;
        let read = |row: &rusqlite::Row<'_>| -> rusqlite::Result<(i64, String, String, Vec<u8>)> {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
        };
        let rows = pending.query_map(params![subject, kind.map(Kind::as_str)], read)?;
        let rows = rows.collect::<Result<Vec<_>, _>>()?;
        let mut update = transaction.prepare_cached(
            "UPDATE transfers SET state = ?2, amount = ?3, reference = COALESCE(?4, reference) WHERE id = ?1",
        )?;
        for (id, debit, credit, amount) in &rows {
            let was = amount_from_sql(amount)?;
            let (state, posted, reference) = match decision {
                Decision::Posted { amount, reference } => {
                    ("posted", amount.map_or(was, |amount| amount.0), reference)
                }
                Decision::Voided => ("voided", 0, None),
            };
            let kept = if state == "posted" { posted } else { was };
            update.execute(params![id, state, amount_to_sql(kept), reference])?;
            self.change(debit, Side::Debit, posted, was, 0)?;
            self.change(credit, Side::Credit, posted, was, 0)?;
        }
        Ok(rows.len())
    }

    /// Adds `posted` to one side of an account, takes `decided` off what is pending there, and adds `pending`.
    fn change(
        &mut self,
        account: &str,
        side: Side,
        posted: u128,
        decided: u128,
        pending: u128,
    ) -> Result<(), StoreError> {
        if !self.sums.contains_key(account) {
            let sums = sums_of(self.transaction, account)?.unwrap_or_default();
            self.sums.insert(account.to_owned(), sums);
        }
        let sums = self.sums.get_mut(account).expect("it was put there");
        let (posted_sum, pending_sum) = match side {
            Side::Debit => (&mut sums.0[0], 2),
            Side::Credit => (&mut sums.0[1], 3),
        };
        let overflow = || StoreError::corrupt(format!("the sums of account `{account}` are out of range"));
        *posted_sum = posted_sum.checked_add(posted).ok_or_else(overflow)?;
        let left = sums.0[pending_sum].checked_sub(decided).ok_or_else(overflow)?;
        sums.0[pending_sum] = left.checked_add(pending).ok_or_else(overflow)?;
        Ok(())
    }
}

/// The sums of an account: debits, credits, debits pending, credits pending.
#[derive(Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sums(pub(crate) [u128; 4]);

impl Sums {
    pub(crate) fn read(blobs: [Vec<u8>; 4]) -> Result<Self, StoreError> {
        let mut sums = [0; 4];
        for (sum, blob) in sums.iter_mut().zip(&blobs) {
            *sum = amount_from_sql(blob)?;
        }
        Ok(Self(sums))
    }

    pub(crate) fn write(self, transaction: &Transaction<'_>, account: &str) -> Result<(), StoreError> {
        let [debits, credits, debits_pending, credits_pending] = self.0.map(amount_to_sql);
        transaction
            .prepare_cached(
                "INSERT OR REPLACE INTO accounts (name, debits, credits, debits_pending, credits_pending)
                 VALUES (?1, ?2, ?3, ?4, ?5)",
            )?
            .execute(params![account, debits, credits, debits_pending, credits_pending])?;
        Ok(())
    }

    pub(crate) fn into_balance(self, account: &str) -> Result<Balance, StoreError> {
        let [debits, credits, debits_pending, credits_pending] = self.0.map(Pico);
        Ok(Balance { account: parse(account)?, debits, credits, debits_pending, credits_pending })
    }
}

/// Returns the sums of an account that was used before.
pub(crate) fn sums_of(connection: &Connection, account: &str) -> Result<Option<Sums>, StoreError> {
    let read = |row: &rusqlite::Row<'_>| -> rusqlite::Result<[Vec<u8>; 4]> {
        Ok([row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?])
    };
    connection
        .prepare_cached(
            "SELECT debits, credits, debits_pending, credits_pending FROM accounts WHERE name = ?1",
        )?
        .query_row([account], read)
        .optional()?
        .map(Sums::read)
        .transpose()
}
