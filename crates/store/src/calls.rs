//! Paid calls and their states. Each arrow is one transaction:
//!
//! ```text
//! hold_call ──▶ held ──▶ executed ──▶ posted
//!                │           └──────▶ voided      the settlement was refused
//!                ├──────────────────▶ voided      the call failed, or came to nothing: not charged
//!                └──────────────────▶ released    never ran: the payment is free for another presentation
//! ```
//!
//! A payment is bound to the request that it was first presented with until its call is released.
//!
//! What stands behind a call, its [`Backing`](crate::Backing), is set aside with the hold and decided with the call: the
//! deposit of a payment, the voucher of a channel, prepaid credit, or an account of a company.
//!
//! Every arrow after the hold is on the disk when its method returns, because of what comes next: after *executed*, a
//! chain is asked for the money; after *posted*, its reply leaves, which a voucher or credit must have paid for whatever
//! happens; after *voided*, somebody is told that nothing was charged, and nothing may be later.

use glassbox_core::escrow::Accrual;
use glassbox_core::ledger::{Kind, Transfer};
use glassbox_core::{Atomic, Digest, FunctionName, ReleaseId};
use rusqlite::{Connection, OptionalExtension as _, Row, Transaction, params};

use crate::channels::{self, ChannelPosting};
use crate::company;
use crate::credit;
use crate::error::StoreError;
use crate::ledger;
use crate::licenses::{self, NewLicense};
use crate::payers;
use crate::receipts::{self, NewReceipt};
use crate::reversals;
use crate::sheet::{Decision, Sheet};
use crate::sqlite::{Store, amount_from_sql, amount_to_sql, parse};
use crate::unclaimed;
use crate::usage::{self, Consumed};

/// The states of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallState {
    /// The payment is bound to it, and it may be running.
    Held,
    /// It ran; what came of it is recorded, and the payment is about to be settled or may have been.
    Executed,
    /// The payment is settled, the charge is posted, the reply may leave.
    Posted,
    /// Nothing was charged; the reply says why.
    Voided,
    /// It never ran, and the payment is free again.
    Released,
}

impl CallState {
    const ALL: [(Self, &'static str); 5] = [
        (Self::Held, "held"),
        (Self::Executed, "executed"),
        (Self::Posted, "posted"),
        (Self::Voided, "voided"),
        (Self::Released, "released"),
    ];

    /// Returns the word that the database stores.
    pub fn as_str(self) -> &'static str {
        Self::ALL.iter().find(|(state, _)| *state == self).expect("all states are listed").1
    }

    /// Tells whether the call's end is still open.
    pub fn is_undecided(self) -> bool {
        matches!(self, Self::Held | Self::Executed)
    }
}

/// A call as it is stored.
#[derive(Debug, Clone)]
pub struct CallRow {
    /// Its id.
    pub id: String,
    /// Its state.
    pub state: CallState,
    /// Who pays.
    pub payer: String,
    /// The rail that it is paid over.
    pub rail: String,
    /// What the payment buys.
    pub request: Digest,
    /// The release.
    pub release: ReleaseId,
    /// The function.
    pub function: FunctionName,
    /// The quote's ceiling.
    pub held: Atomic,
    /// The payment, as JSON.
    pub payment: String,
    /// The requirements that it answers, as JSON.
    pub offer: String,
    /// What the run gave, as JSON, once it is recorded.
    pub outcome: Option<String>,
    /// What is owed, once that is known.
    pub charge: Option<Atomic>,
    /// What the payer gets, as JSON, once it may leave.
    pub reply: Option<String>,
    /// Whether the reply was handed over.
    pub delivered: bool,
    /// When it was held, in Unix milliseconds.
    pub created_at: i64,
    /// The transaction that paid for it.
    pub settled_by: Option<String>,
}

/// What a run gave, to be recorded before anything is settled.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// Everything that the reply and the receipt need, as JSON.
    pub outcome: String,
    /// What is owed: more than nothing.
    pub charge: Atomic,
}

/// What is written when a call is posted.
#[derive(Debug, Clone)]
pub struct Posting {
    /// What was settled: the whole payment, or the charge alone.
    pub amount: Atomic,
    /// The transaction that settled the payment; none for credit, and for a voucher that came without a deposit.
    pub transaction: Option<String>,
    /// How sure it is that the payment stays.
    pub standing: Standing,
    /// What it means to its channel, where a voucher paid.
    pub channel: Option<ChannelPosting>,
    /// The transfers of the charge.
    pub charge: Vec<Transfer>,
    /// The pending refund, where the ceiling exceeded the charge.
    pub refund: Option<Transfer>,
    /// What the payer gets, as JSON.
    pub reply: String,
    /// The receipt, where something ran.
    pub receipt: Option<NewReceipt>,
    /// What it adds to the counters of its payer.
    pub consumed: Option<Consumed>,
    /// The licence, where one was bought.
    pub license: Option<NewLicense>,
    /// What payees have of the charge who may be nobody yet.
    pub accruals: Vec<Accrual>,
}

/// How sure it is that a call stays paid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Its transaction is on the chain, which may still take it back.
    Mined,
    /// A voucher or an invoice promises it, and is not claimed or settled yet.
    Vouched,
    /// Nothing takes it back.
    Final,
    /// The chain took it back for good.
    Lost,
}

impl Standing {
    /// Returns the word that the database stores.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Mined => "mined",
            Self::Vouched => "vouched",
            Self::Final => "final",
            Self::Lost => "lost",
        }
    }
}

const COLUMNS: &str = "id, state, payer, rail, request, release, function, held, payment, offer, outcome, charge, \
                       reply, delivered, created_at, settled_by";

fn read(row: &Row<'_>) -> rusqlite::Result<Result<CallRow, StoreError>> {
    let state: String = row.get(1)?;
    let (request, release, function): (String, String, String) = (row.get(4)?, row.get(5)?, row.get(6)?);
    let (held, charge): (Vec<u8>, Option<Vec<u8>>) = (row.get(7)?, row.get(11)?);
    let (id, payer, rail, payment, offer) = (row.get(0)?, row.get(2)?, row.get(3)?, row.get(8)?, row.get(9)?);
    let (outcome, reply, delivered, created_at) = (row.get(10)?, row.get(12)?, row.get(13)?, row.get(14)?);
    let settled_by = row.get(15)?;
    let parsed = || {
        let state = CallState::ALL.iter().find(|(_, word)| *word == state);
        Ok(CallRow {
            id,
            state: state.ok_or_else(|| StoreError::corrupt(format!("a call in state `{state:?}`")))?.0,
            payer,
            rail,
            request: parse(&request)?,
            release: parse(&release)?,
            function: parse(&function)?,
            held: Atomic(amount_from_sql(&held)?),
            payment,
            offer,
            outcome,
            charge: charge.as_deref().map(amount_from_sql).transpose()?.map(Atomic),
            reply,
            delivered,
            created_at,
            settled_by,
        })
    };
    Ok(parsed())
}

pub(crate) fn find(
    connection: &Connection,
    condition: &str,
    key: &[&str],
) -> Result<Option<CallRow>, StoreError> {
    connection
        .prepare_cached(&format!(
            "SELECT {COLUMNS} FROM calls WHERE {condition} ORDER BY created_at LIMIT 1"
        ))?
        .query_row(rusqlite::params_from_iter(key), read)
        .optional()?
        .transpose()
}

/// Moves a call from `expected` to `next`; anything else is an error and leaves it.
fn advance(
    transaction: &Transaction<'_>,
    call: &str,
    expected: CallState,
    next: CallState,
    now_ms: i64,
) -> Result<(), StoreError> {
    let changed = transaction
        .prepare_cached("UPDATE calls SET state = ?3, updated_at = ?4 WHERE id = ?1 AND state = ?2")?
        .execute(params![call, expected.as_str(), next.as_str(), now_ms])?;
    if changed == 1 {
        return Ok(());
    }
    let found: Option<String> = transaction
        .query_row("SELECT state FROM calls WHERE id = ?1", [call], |row| row.get(0))
        .optional()?;
    Err(StoreError::CallState {
        call: call.to_owned(),
        found: found.unwrap_or_else(|| "unknown".into()),
        expected: expected.as_str(),
    })
}

/// Lets go of what was set aside for a call that costs nothing.
fn let_go(transaction: &Transaction<'_>, call: &str) -> Result<(), StoreError> {
    ledger::decide(transaction, call, None, Decision::Voided)?;
    channels::release(transaction, call)?;
    company::give_back(transaction, call)?;
    credit::release(transaction, call)
}

impl Store {
    /// Records what a run gave: held → executed. From here on the call is settled, also after a crash.
    pub async fn record_outcome(&self, call: &str, outcome: Outcome, now_ms: i64) -> Result<(), StoreError> {
        let call = call.to_owned();
        self.write("record_outcome", move |transaction| {
            advance(transaction, &call, CallState::Held, CallState::Executed, now_ms)?;
            transaction
                .prepare_cached("UPDATE calls SET outcome = ?2, charge = ?3 WHERE id = ?1")?
                .execute(params![call, outcome.outcome, amount_to_sql(outcome.charge.0)])?;
            Ok(())
        })
        .await
    }

    /// Posts a settled call: executed → posted, with what was settled, charge, refund and reply.
    pub async fn post_call(&self, call: &str, posting: Posting, now_ms: i64) -> Result<(), StoreError> {
        let call = call.to_owned();
        self.write("post_call", move |transaction| {
            advance(transaction, &call, CallState::Executed, CallState::Posted, now_ms)?;
            post(transaction, &call, &posting, now_ms)
        })
        .await
    }

    /// Records what a run gave and posts it at once: held → posted. For what no rail has to settle.
    pub async fn post_held_call(
        &self,
        call: &str,
        charge: Atomic,
        posting: Posting,
        now_ms: i64,
    ) -> Result<(), StoreError> {
        let call = call.to_owned();
        self.write("post_held_call", move |transaction| {
            advance(transaction, &call, CallState::Held, CallState::Posted, now_ms)?;
            transaction
                .prepare_cached("UPDATE calls SET charge = ?2 WHERE id = ?1")?
                .execute(params![call, amount_to_sql(charge.0)])?;
            post(transaction, &call, &posting, now_ms)
        })
        .await
    }

    /// Ends a call that is not charged: `from` (held or executed) → voided. The payment stays bound to its reply. What was
    /// free is counted all the same.
    pub async fn void_call(
        &self,
        call: &str,
        from: CallState,
        reply: String,
        consumed: Option<Consumed>,
        now_ms: i64,
    ) -> Result<(), StoreError> {
        let call = call.to_owned();
        self.write("void_call", move |transaction| {
            advance(transaction, &call, from, CallState::Voided, now_ms)?;
            let_go(transaction, &call)?;
            if let Some(consumed) = &consumed {
                usage::count(transaction, consumed)?;
            }
            transaction
                .prepare_cached("UPDATE calls SET reply = ?2, outcome = NULL WHERE id = ?1")?
                .execute(params![call, reply])?;
            Ok(())
        })
        .await
    }

    /// Lets go of a call that never ran: held → released. Its payment may be presented again.
    pub async fn release_call(&self, call: &str, now_ms: i64) -> Result<(), StoreError> {
        let call = call.to_owned();
        self.write("release_call", move |transaction| {
            advance(transaction, &call, CallState::Held, CallState::Released, now_ms)?;
            let_go(transaction, &call)?;
            transaction
                .execute("UPDATE calls SET payment_key = NULL, identifier = NULL WHERE id = ?1", [call])?;
            Ok(())
        })
        .await
    }

    /// Notes that a call was taken up in vain, which puts it at the end of the line.
    pub async fn touch_call(&self, call: &str, now_ms: i64) -> Result<(), StoreError> {
        let call = call.to_owned();
        self.write("touch_call", move |transaction| {
            transaction.execute("UPDATE calls SET updated_at = ?2 WHERE id = ?1", params![call, now_ms])?;
            Ok(())
        })
        .await
    }

    /// Notes that the reply of a call was handed over.
    ///
    /// A power cut may undo it, as if the answer had been lost on its way; the same request is then answered from this call
    /// once more. A new call that relies on it cannot be posted without it.
    pub async fn mark_delivered(&self, call: &str, now_ms: i64) -> Result<(), StoreError> {
        let call = call.to_owned();
        self.write_soon("mark_delivered", move |transaction| {
            transaction
                .prepare_cached(
                    "UPDATE calls SET delivered = 1, delivered_at = COALESCE(delivered_at, ?2) WHERE id = ?1",
                )?
                .execute(params![call, now_ms])?;
            Ok(())
        })
        .await
    }

    /// Forgets the replies that were handed over before `delivered_before_ms`, at most `limit`, and returns how many.
    /// Their payments stay bound to their calls.
    pub async fn forget_replies(&self, delivered_before_ms: i64, limit: usize) -> Result<usize, StoreError> {
        self.write("forget_replies", move |transaction| {
            Ok(transaction.execute(
                "UPDATE calls SET reply = NULL WHERE id IN (
                    SELECT id FROM calls WHERE delivered_at IS NOT NULL AND reply IS NOT NULL
                        AND delivered_at < ?1 AND state = 'posted' LIMIT ?2)",
                params![delivered_before_ms, limit as i64],
            )?)
        })
        .await
    }

    /// Returns the posted calls whose transaction a chain may still take back, at most `limit`: first those that were
    /// not looked at of late.
    pub async fn unsettled_calls(&self, limit: usize) -> Result<Vec<CallRow>, StoreError> {
        self.read(move |connection| {
            let mut statement = connection.prepare_cached(&format!(
                "SELECT {COLUMNS} FROM calls WHERE standing = 'mined' ORDER BY updated_at LIMIT ?1"
            ))?;
            let rows = statement.query_map([limit as i64], read)?.collect::<Result<Vec<_>, _>>()?;
            rows.into_iter().collect()
        })
        .await
    }

    /// Notes how sure it is that a posted call stays paid, and by which transaction. Where that was the deposit of a channel,
    /// it is not final before its voucher is claimed for good.
    pub async fn mark_standing(
        &self,
        call: &str,
        transaction: &str,
        standing: Standing,
        now_ms: i64,
    ) -> Result<(), StoreError> {
        let (call, settled_by) = (call.to_owned(), transaction.to_owned());
        self.write("mark_standing", move |transaction| {
            transaction.execute(
                "UPDATE calls SET settled_by = ?2, updated_at = ?4, standing = CASE
                    WHEN ?3 = 'final' AND cumulative > (SELECT claimed_final FROM channels WHERE channels.id = calls.channel)
                    THEN 'vouched' ELSE ?3 END
                 WHERE id = ?1 AND standing = 'mined'",
                params![call, settled_by, standing.as_str(), now_ms],
            )?;
            transaction.execute(
                "UPDATE transfers SET reference = ?2 WHERE subject = ?1 AND kind = 'deposit'",
                params![call, settled_by],
            )?;
            Ok(())
        })
        .await
    }

    /// Books the loss of a payment that the chain took back for good. Doing it again changes nothing.
    pub async fn lose_call(&self, call: &str, losses: Vec<Transfer>, now_ms: i64) -> Result<(), StoreError> {
        let call = call.to_owned();
        self.write("lose_call", move |transaction| {
            let lost = transaction.execute(
                "UPDATE calls SET standing = 'lost', updated_at = ?2 WHERE id = ?1 AND standing = 'mined'",
                params![call, now_ms],
            )?;
            if lost == 1 {
                ledger::decide(transaction, &call, Some(Kind::Refund), Decision::Voided)?;
                ledger::insert(transaction, &call, &losses, "posted", None, now_ms)?;
                payers::count(transaction, &call, payers::Change::TakenBack)?;
            }
            Ok(())
        })
        .await
    }

    /// Returns a call, or `None`.
    pub async fn call(&self, id: &str) -> Result<Option<CallRow>, StoreError> {
        let id = id.to_owned();
        self.read(move |connection| find(connection, "id = ?1", &[&id])).await
    }

    /// Returns the call that a payment is bound to, or `None`.
    pub async fn call_by_payment(&self, payment_key: &str) -> Result<Option<CallRow>, StoreError> {
        let key = payment_key.to_owned();
        self.read(move |connection| find(connection, "payment_key = ?1", &[&key])).await
    }

    /// Returns the call that a payer gave this name to, or `None`.
    pub async fn call_by_identifier(
        &self,
        payer: &str,
        identifier: &str,
    ) -> Result<Option<CallRow>, StoreError> {
        let (payer, identifier) = (payer.to_owned(), identifier.to_owned());
        self.read(move |connection| {
            find(connection, "payer = ?1 AND identifier = ?2", &[&payer, &identifier])
        })
        .await
    }

    /// Tells whether a payer has paid for one of these requests, no chain took the money back, and it did not go back whole.
    pub async fn has_paid(&self, payer: &str, requests: &[Digest]) -> Result<bool, StoreError> {
        let (payer, requests) = (payer.to_owned(), requests.to_vec());
        self.read(move |connection| {
            let mut statement = connection.prepare_cached(
                "SELECT id FROM calls
                 WHERE payer = ?1 AND request = ?2 AND state = 'posted' AND standing IS NOT 'lost'",
            )?;
            for request in requests {
                for call in
                    statement.query_map([&payer, &request.to_string()], |row| row.get::<_, String>(0))?
                {
                    if !reversals::is_given_back(connection, &call?)? {
                        return Ok(true);
                    }
                }
            }
            Ok(false)
        })
        .await
    }

    /// Returns the calls whose end is open, at most `limit`: first those that were not taken up in vain of late.
    pub async fn undecided_calls(&self, limit: usize) -> Result<Vec<CallRow>, StoreError> {
        self.read(move |connection| {
            let mut statement = connection.prepare_cached(&format!(
                "SELECT {COLUMNS} FROM calls WHERE state IN ('held', 'executed') ORDER BY updated_at LIMIT ?1"
            ))?;
            let rows = statement.query_map([limit as i64], read)?.collect::<Result<Vec<_>, _>>()?;
            // One damaged row must not hide the others from whoever takes them up.
            let readable = rows.into_iter().filter_map(|row| match row {
                Ok(row) => Some(row),
                Err(error) => {
                    tracing::error!(%error, "An undecided call cannot be read");
                    None
                }
            });
            Ok(readable.collect())
        })
        .await
    }
}

/// Writes everything that posting a call means, but its state.
fn post(transaction: &Transaction<'_>, call: &str, posting: &Posting, now_ms: i64) -> Result<(), StoreError> {
    let reference = posting.transaction.as_deref();
    // What was set aside of credit is replaced by the charge; a deposit or voucher is posted at what it came to.
    let mut sheet = Sheet::new(transaction);
    sheet.decide(call, Some(Kind::Hold), Decision::Voided)?;
    let settled = Decision::Posted { amount: Some(posting.amount.to_pico()), reference };
    sheet.decide(call, None, settled)?;
    sheet.insert(call, &posting.charge, "posted", None, now_ms)?;
    sheet.insert(call, posting.refund.as_slice(), "pending", None, now_ms)?;
    sheet.close()?;
    let (mut channel, mut cumulative) = (None, None);
    if let Some(posting) = &posting.channel {
        let charged = channels::post(transaction, posting, now_ms)?;
        (channel, cumulative) = (Some(&posting.id), Some(amount_to_sql(charged.0)));
    }
    credit::spend(transaction, call, posting.amount)?;
    if let Some(receipt) = &posting.receipt {
        receipts::insert(transaction, call, receipt, now_ms)?;
        company::note_receipt(transaction, call, &receipt.digest)?;
    }
    if let Some(consumed) = &posting.consumed {
        usage::count(transaction, consumed)?;
    }
    if let Some(license) = &posting.license {
        licenses::insert(transaction, license)?;
    }
    let plan = posting.license.as_ref().filter(|license| license.item.starts_with("plan:"));
    let plan = plan.map(|plan| plan.id.as_str());
    unclaimed::accrue(transaction, call, &posting.accruals, plan, now_ms)?;
    // The outcome has become the reply; keeping both would store every output twice.
    transaction
        .prepare_cached(
            "UPDATE calls SET reply = ?2, outcome = NULL, settled_by = ?3, standing = ?4, channel = ?5, cumulative = ?6
             WHERE id = ?1",
        )?
        .execute(params![call, posting.reply, reference, posting.standing.as_str(), channel, cumulative])?;
    payers::count(transaction, call, payers::Change::Paid)
}
