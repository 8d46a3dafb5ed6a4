//! Transfers and what they add up to. Balances are never stored: they are the sum of posted transfers.

use std::collections::BTreeMap;

use glassbox_core::ledger::{Account, Transfer};
use glassbox_core::money::PICO_PER_ATOMIC;
use glassbox_core::{Atomic, Pico, ReleaseId};
use rusqlite::{Transaction, params};

use crate::error::StoreError;
use crate::sqlite::{Store, amount_from_sql, amount_to_sql, parse};

/// What an account gave and received, in posted transfers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Balance {
    /// The account.
    pub account: Account,
    /// What left it.
    pub debits: Pico,
    /// What arrived.
    pub credits: Pico,
}

/// What one receiver earned with one release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Earning {
    /// The receiver: a payee or the operator.
    pub account: Account,
    /// The release that was paid for.
    pub release: ReleaseId,
    /// How many charges.
    pub calls: u64,
    /// Their sum.
    pub amount: Pico,
}

/// A refund that the rail has not paid out yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PendingRefund {
    /// The call that it belongs to. A call has at most one refund, so this is its idempotency key on the rail.
    pub call: String,
    /// Who gets it.
    pub payer: String,
    /// How much.
    pub amount: Atomic,
}

/// Writes transfers of a call within a transaction.
pub(crate) fn insert(
    transaction: &Transaction<'_>,
    call: &str,
    transfers: &[Transfer],
    state: &str,
    reference: Option<&str>,
    now_ms: i64,
) -> Result<(), StoreError> {
    let mut statement = transaction.prepare_cached(
        "INSERT INTO transfers (call, kind, debit, credit, amount, state, reference, created_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    )?;
    for transfer in transfers {
        assert!(transfer.amount > Pico::ZERO, "a transfer of nothing: {transfer:?}");
        statement.execute(params![
            call,
            transfer.kind.as_str(),
            transfer.debit.to_string(),
            transfer.credit.to_string(),
            amount_to_sql(transfer.amount.0),
            state,
            reference,
            now_ms,
        ])?;
    }
    Ok(())
}

/// Moves the pending transfers of a call, of one kind or of all, to `state`. Returns how many there were.
pub(crate) fn decide(
    transaction: &Transaction<'_>,
    call: &str,
    kind: Option<&str>,
    state: &str,
    reference: Option<&str>,
) -> Result<usize, StoreError> {
    Ok(transaction.execute(
        "UPDATE transfers SET state = ?3, reference = COALESCE(?4, reference)
         WHERE call = ?1 AND state = 'pending' AND (?2 IS NULL OR kind = ?2)",
        params![call, kind, state, reference],
    )?)
}

impl Store {
    /// Returns every account with what it gave and received, in the order of their names.
    ///
    /// Over all accounts, debits equal credits: anything else is damage.
    pub async fn balances(&self) -> Result<Vec<Balance>, StoreError> {
        self.read(|connection| {
            let mut sums: BTreeMap<String, (u128, u128)> = BTreeMap::new();
            let mut statement =
                connection.prepare("SELECT debit, credit, amount FROM transfers WHERE state = 'posted'")?;
            let mut rows = statement.query([])?;
            while let Some(row) = rows.next()? {
                let amount = amount_from_sql(&row.get::<_, Vec<u8>>(2)?)?;
                sums.entry(row.get(0)?).or_default().0 += amount;
                sums.entry(row.get(1)?).or_default().1 += amount;
            }
            let read = |(account, (debits, credits)): (String, (u128, u128))| {
                Ok(Balance { account: parse(&account)?, debits: Pico(debits), credits: Pico(credits) })
            };
            sums.into_iter().map(read).collect()
        })
        .await
    }

    /// Returns what each receiver earned with each release. With `package`, of that package only.
    pub async fn earnings(&self, package: Option<String>) -> Result<Vec<Earning>, StoreError> {
        self.read(move |connection| {
            let mut sums: BTreeMap<(String, String), (u64, u128)> = BTreeMap::new();
            let mut statement = connection.prepare(
                "SELECT credit, release, amount FROM transfers JOIN calls ON calls.id = call
                 WHERE transfers.state = 'posted' AND kind = 'charge'
                   AND (?1 IS NULL OR release LIKE ?1 || '@%')",
            )?;
            let mut rows = statement.query([package])?;
            while let Some(row) = rows.next()? {
                let amount = amount_from_sql(&row.get::<_, Vec<u8>>(2)?)?;
                let sum = sums.entry((row.get(1)?, row.get(0)?)).or_default();
                sum.0 += 1;
                sum.1 += amount;
            }
            let read = |((release, account), (calls, amount)): ((String, String), (u64, u128))| {
                Ok(Earning {
                    account: parse(&account)?,
                    release: parse(&release)?,
                    calls,
                    amount: Pico(amount),
                })
            };
            sums.into_iter().map(read).collect()
        })
        .await
    }

    /// Returns the refunds that the rail still owes, at most `limit`: first those that were not asked for in vain of late.
    pub async fn pending_refunds(&self, limit: usize) -> Result<Vec<PendingRefund>, StoreError> {
        self.read(move |connection| {
            let mut statement = connection.prepare_cached(
                "SELECT call, payer, amount FROM transfers JOIN calls ON calls.id = call
                 WHERE transfers.state = 'pending' AND kind = 'refund' ORDER BY tried_at, transfers.id LIMIT ?1",
            )?;
            let mut rows = statement.query([limit as i64])?;
            let mut refunds = Vec::new();
            while let Some(row) = rows.next()? {
                let pico = amount_from_sql(&row.get::<_, Vec<u8>>(2)?)?;
                if pico % PICO_PER_ATOMIC != 0 {
                    return Err(StoreError::corrupt("a refund of a fraction of an atomic unit"));
                }
                let amount = Atomic(pico / PICO_PER_ATOMIC);
                refunds.push(PendingRefund { call: row.get(0)?, payer: row.get(1)?, amount });
            }
            Ok(refunds)
        })
        .await
    }

    /// Notes that the refund of `call` was asked for in vain, which puts it at the end of the line.
    pub async fn touch_refund(&self, call: &str, now_ms: i64) -> Result<(), StoreError> {
        let call = call.to_owned();
        self.write("touch_refund", move |transaction| {
            transaction.execute(
                "UPDATE transfers SET tried_at = ?2 WHERE call = ?1 AND kind = 'refund' AND state = 'pending'",
                params![call, now_ms],
            )?;
            Ok(())
        })
        .await
    }

    /// Posts the refund of `call`, which the rail paid out in `transaction`. Does nothing when it is posted already.
    pub async fn post_refund(&self, call: &str, transaction: &str) -> Result<(), StoreError> {
        let (call, reference) = (call.to_owned(), transaction.to_owned());
        self.write("post_refund", move |transaction| {
            decide(transaction, &call, Some("refund"), "posted", Some(&reference)).map(|_| ())
        })
        .await
    }
}
