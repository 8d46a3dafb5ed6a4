//! Binding a payment to a call, before anything is done for it: one payment, one call.
//!
//! What becomes of the call after that is [`calls`](crate::calls)'s part.

use glassbox_core::ledger::{deposit, hold, voucher};
use glassbox_core::{Atomic, Digest, FunctionName, ReleaseId};
use rusqlite::{Transaction, params};

use crate::calls::{CallRow, find};
use crate::channels::{self, Voucher, VoucherRefusal};
use crate::company::{self, AccountRefusal, Spender};
use crate::credit::{self, Budget, CreditRefusal};
use crate::error::StoreError;
use crate::ledger;
use crate::sqlite::{Store, amount_to_sql};

/// A call to be held.
#[derive(Debug, Clone)]
pub struct NewCall {
    /// Its id: unguessable, because whoever knows it may read the reply.
    pub id: String,
    /// The payment's identity: one payment, one call.
    pub payment_key: String,
    /// The payer's own name for the request, where it gave one: one name, one call.
    pub identifier: Option<String>,
    /// Who pays.
    pub payer: String,
    /// The rail that it is paid over.
    pub rail: String,
    /// What the payment buys.
    pub request: Digest,
    /// The same under all terms that the release ever had, `request` among them: who bought it under others must not pay
    /// again.
    pub requests: Vec<Digest>,
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
    /// What stands behind it.
    pub backing: Backing,
    /// When, in Unix milliseconds.
    pub now_ms: i64,
}

/// What stands behind a call until it is decided.
#[derive(Debug, Clone)]
pub enum Backing {
    /// A payment that the rail will settle.
    Payment,
    /// A voucher of a channel, which the call has for itself until it is decided.
    Voucher(Box<Voucher>),
    /// Prepaid credit, within the budgets of the token that spends it.
    Credit(Vec<Budget>),
    /// An account of a company, within what that allows.
    Account(Box<Spender>),
}

/// What came of asking to hold a call.
#[derive(Debug, Clone)]
pub enum Hold {
    /// The call is new and held: the caller of this method, and nobody else, runs it.
    Held,
    /// The payment is bound to this call already.
    SamePayment(Box<CallRow>),
    /// The payer has an undecided or undelivered call for the very same request: another payment must not be taken. Nor is
    /// it, for this request, once it was answered so.
    SameRequest(Box<CallRow>),
    /// The payer gave this name to another call.
    SameIdentifier(Box<CallRow>),
    /// The voucher does not fit its channel. Nothing is held.
    Voucher(VoucherRefusal),
    /// The credit, or a budget of its token, does not suffice. Nothing is held.
    Credit(CreditRefusal),
    /// The account may not make the call. Nothing is held, but the approval that it asks for may be new.
    Account(AccountRefusal),
}

impl Store {
    /// Binds a payment to a call, or says which call stands in the way.
    ///
    /// Of many that present one payment at once, exactly one gets [`Hold::Held`].
    ///
    /// A power cut may undo a hold, which is then as if it had been released. A hold alone makes nobody settle, answer or
    /// charge anything: before a chain is asked there is [`record_outcome`](Self::record_outcome), and before a reply
    /// leaves, one of [`post_call`](Self::post_call), [`post_held_call`](Self::post_held_call) and
    /// [`void_call`](Self::void_call). Who is told that a payment is bound, or that its call is undecided, has nothing that
    /// a released hold would take away.
    pub async fn hold_call(&self, call: NewCall) -> Result<Hold, StoreError> {
        let again = call.clone();
        let hold = self.write_soon("hold_call", move |transaction| bind(transaction, &call)).await?;
        match hold {
            Hold::SameRequest(_) if !matches!(again.backing, Backing::Credit(_) | Backing::Account(_)) => {
                self.stand_in(again).await
            }
            hold => Ok(hold),
        }
    }

    /// Remembers a payment that is not taken, because another one pays for its request: should its answer be lost, it must
    /// not be taken for the same thing later. So this is on the disk before anybody can answer because of it. Things may
    /// have changed in between, so it is held where it can be by now.
    async fn stand_in(&self, call: NewCall) -> Result<Hold, StoreError> {
        self.write("stand_in", move |transaction| {
            let hold = bind(transaction, &call)?;
            if let Hold::SameRequest(row) = &hold {
                transaction
                    .prepare_cached("INSERT OR REPLACE INTO stand_ins (payment_key, call) VALUES (?1, ?2)")?
                    .execute(params![call.payment_key, row.id])?;
            }
            Ok(hold)
        })
        .await
    }
}

fn bind(transaction: &Transaction<'_>, call: &NewCall) -> Result<Hold, StoreError> {
    if let Some(row) = find(transaction, "payment_key = ?1", &[&call.payment_key])? {
        return Ok(Hold::SamePayment(Box::new(row)));
    }
    if let Some(identifier) = &call.identifier {
        let same_name = "payer = ?1 AND identifier = ?2";
        if let Some(row) = find(transaction, same_name, &[&call.payer, identifier])? {
            return Ok(Hold::SameIdentifier(Box::new(row)));
        }
    }
    let stood_in = "id = (SELECT call FROM stand_ins WHERE payment_key = ?1) AND request = ?2
        AND state IN ('held', 'executed', 'posted')";
    let same_request = "payer = ?1 AND request = ?2
        AND (state IN ('held', 'executed') OR (state = 'posted' AND delivered = 0))";
    for (same, whose) in [(stood_in, &call.payment_key), (same_request, &call.payer)] {
        for request in &call.requests {
            if let Some(row) = find(transaction, same, &[whose, &request.to_string()])? {
                return Ok(Hold::SameRequest(Box::new(row)));
            }
        }
    }
    if let Some(refusal) = set_aside(transaction, call)? {
        return Ok(refusal);
    }
    transaction
        .prepare_cached(
            "INSERT INTO calls (id, state, payment_key, identifier, payer, rail, request, release, function,
                held, payment, offer, created_at, updated_at)
             VALUES (?1, 'held', ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?12)",
        )?
        .execute(params![
            call.id,
            call.payment_key,
            call.identifier,
            call.payer,
            call.rail,
            call.request.to_string(),
            call.release.to_string(),
            call.function.to_string(),
            amount_to_sql(call.held.0),
            call.payment,
            call.offer,
            call.now_ms,
        ])?;
    Ok(Hold::Held)
}

/// Sets aside what stands behind a call, or says why it does not suffice.
fn set_aside(transaction: &Transaction<'_>, call: &NewCall) -> Result<Option<Hold>, StoreError> {
    let NewCall { id, payer, rail, held, now_ms, .. } = call;
    let pending = match &call.backing {
        Backing::Payment => deposit(rail, payer, *held),
        Backing::Voucher(offered) => {
            if let Some(refusal) = channels::reserve(transaction, id, payer, rail, *held, offered, *now_ms)? {
                return Ok(Some(Hold::Voucher(refusal)));
            }
            voucher(&offered.channel, payer, *held)
        }
        Backing::Credit(budgets) => {
            if let Some(refusal) = credit::reserve(transaction, id, payer, *held, budgets)? {
                return Ok(Some(Hold::Credit(refusal)));
            }
            hold(payer, *held)
        }
        Backing::Account(spender) => match company::reserve(transaction, call, spender)? {
            Ok(set_aside) => set_aside,
            Err(refusal) => return Ok(Some(Hold::Account(refusal))),
        },
    };
    ledger::insert(transaction, id, &[pending], "pending", None, *now_ms)?;
    Ok(None)
}
