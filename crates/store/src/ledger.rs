//! Transfers and what they add up to.
//!
//! Each transfer changes the sums of its two accounts in its own transaction, so a balance is one row. The sums are
//! derived all the same: [`Store::check_ledger`] adds the transfers up again and says where the two differ.

use std::collections::BTreeMap;

use glassbox_core::ledger::{Account, Kind, Transfer};
use glassbox_core::money::PICO_PER_ATOMIC;
use glassbox_core::{Atomic, Pico, ReleaseId};
use rusqlite::{Connection, OptionalExtension as _, Transaction, params};

use crate::error::StoreError;
use crate::sqlite::{Store, amount_from_sql, amount_to_sql, parse};
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

/// Which of an account's four sums.
#[derive(Clone, Copy)]
enum Side {
    Debit,
    Credit,
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
    let mut statement = transaction.prepare_cached(
        "INSERT INTO transfers (subject, kind, debit, credit, amount, state, reference, created_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
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
            now_ms
        ])?;
        match state {
            "pending" => {
                change(transaction, &debit, Side::Debit, 0, 0, amount)?;
                change(transaction, &credit, Side::Credit, 0, 0, amount)?;
            }
            _ => {
                change(transaction, &debit, Side::Debit, amount, 0, 0)?;
                change(transaction, &credit, Side::Credit, amount, 0, 0)?;
            }
        }
    }
    Ok(())
}

/// What becomes of a pending transfer.
#[derive(Clone, Copy)]
pub(crate) enum Decision<'a> {
    /// It is posted, at this amount where another than the one it was written with, by this transaction on the rail.
    Posted { amount: Option<Pico>, reference: Option<&'a str> },
    /// It comes to nothing.
    Voided,
}

/// Decides the pending transfers of a subject, of one kind or of all. Returns how many there were.
pub(crate) fn decide(
    transaction: &Transaction<'_>,
    subject: &str,
    kind: Option<Kind>,
    decision: Decision<'_>,
) -> Result<usize, StoreError> {
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
        change(transaction, debit, Side::Debit, posted, was, 0)?;
        change(transaction, credit, Side::Credit, posted, was, 0)?;
    }
    Ok(rows.len())
}

/// Adds `posted` to one side of an account, takes `decided` off what is pending there, and adds `pending`.
fn change(
    transaction: &Transaction<'_>,
    account: &str,
    side: Side,
    posted: u128,
    decided: u128,
    pending: u128,
) -> Result<(), StoreError> {
    let mut sums = sums_of(transaction, account)?.unwrap_or_default();
    let (posted_sum, pending_sum) = match side {
        Side::Debit => (&mut sums.0[0], 2),
        Side::Credit => (&mut sums.0[1], 3),
    };
    let overflow = || StoreError::corrupt(format!("the sums of account `{account}` are out of range"));
    *posted_sum = posted_sum.checked_add(posted).ok_or_else(overflow)?;
    let left = sums.0[pending_sum].checked_sub(decided).ok_or_else(overflow)?;
    sums.0[pending_sum] = left.checked_add(pending).ok_or_else(overflow)?;
    sums.write(transaction, account)
}

/// The sums of an account: debits, credits, debits pending, credits pending.
#[derive(Default, Clone, Copy, PartialEq, Eq)]
struct Sums([u128; 4]);

impl Sums {
    fn read(blobs: [Vec<u8>; 4]) -> Result<Self, StoreError> {
        let mut sums = [0; 4];
        for (sum, blob) in sums.iter_mut().zip(&blobs) {
            *sum = amount_from_sql(blob)?;
        }
        Ok(Self(sums))
    }

    fn write(self, transaction: &Transaction<'_>, account: &str) -> Result<(), StoreError> {
        let [debits, credits, debits_pending, credits_pending] = self.0.map(amount_to_sql);
        transaction
            .prepare_cached(
                "INSERT OR REPLACE INTO accounts (name, debits, credits, debits_pending, credits_pending)
                 VALUES (?1, ?2, ?3, ?4, ?5)",
            )?
            .execute(params![account, debits, credits, debits_pending, credits_pending])?;
        Ok(())
    }

    fn into_balance(self, account: &str) -> Result<Balance, StoreError> {
        let [debits, credits, debits_pending, credits_pending] = self.0.map(Pico);
        Ok(Balance { account: parse(account)?, debits, credits, debits_pending, credits_pending })
    }
}

fn sums_of(connection: &Connection, account: &str) -> Result<Option<Sums>, StoreError> {
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
                "SELECT id, subject, kind, debit, credit, amount, reference, created_at FROM transfers
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
                    },
                    reference: row.get(6)?,
                    created_at: row.get(7)?,
                });
            }
            Ok(transfers)
        })
        .await
    }

    /// Returns what each receiver earned with each release. With `package`, of that package only.
    pub async fn earnings(&self, package: Option<String>) -> Result<Vec<Earning>, StoreError> {
        self.read(move |connection| {
            let mut sums: BTreeMap<(String, String), (u64, u128)> = BTreeMap::new();
            let mut statement = connection.prepare(
                "SELECT credit, release, amount FROM transfers JOIN calls ON calls.id = subject
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

fn is_known(transaction: &Transaction<'_>, subject: &str) -> Result<bool, StoreError> {
    let known = transaction
        .query_row("SELECT 1 FROM transfers WHERE subject = ?1 LIMIT 1", [subject], |_| Ok(()))
        .optional()?;
    Ok(known.is_some())
}
