//! The end of a paid call: settle, post, refund. And the same again for calls that a crash left undecided.
//!
//! Everything here may run twice. Settling one authorization again gives the first answer, posting a posted call is
//! refused by its state, and a refund has the call's id as its key on the rail.

use glassbox_core::ledger::{charge, refund};
use glassbox_core::log::Checkpoint;
use glassbox_core::profile::Profile;
use glassbox_core::receipt::{Bundle, Observed, Opening, Outcome, Payment, Receipt};
use glassbox_core::split::{Share, split};
use glassbox_core::terms::Charge;
use glassbox_core::{Atomic, Digest, FunctionName, ReleaseId, limits};
use glassbox_pay::x402::{PaymentPayload, PaymentRequired, PaymentRequirements, Resource};
use glassbox_pay::{Rejection, Settlement, Verified};
use glassbox_store::{CallRow, CallState, Outcome as StoredOutcome, PendingRefund, Posting};
use serde::{Deserialize, Serialize};
use tokio::time::{Duration, Instant};
use tracing::{error, info, warn};

use crate::call::{CallReply, StoredFailure, StoredReply, logged};
use crate::env::rfc3339;
use crate::error::{CallError, RegistryError};
use crate::open::Registry;

/// Everything that is known once a call ran: enough to settle it and to write its receipt, also after a restart.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Executed {
    pub(crate) call: String,
    pub(crate) release: ReleaseId,
    pub(crate) component: Digest,
    #[serde(default)]
    pub(crate) files: Option<Digest>,
    pub(crate) function: FunctionName,
    pub(crate) input: Digest,
    pub(crate) opening: Opening,
    pub(crate) outcome: Outcome,
    pub(crate) failure: Option<StoredFailure>,
    pub(crate) fuel_used: u64,
    pub(crate) fuel_max: u64,
    pub(crate) memory_bytes_max: u64,
    pub(crate) pure: bool,
    pub(crate) grants: Vec<String>,
    pub(crate) charge: Charge,
    pub(crate) fee_bps: u32,
    pub(crate) request: Digest,
    pub(crate) checkpoint: Checkpoint,
    pub(crate) started_at_ms: i64,
    pub(crate) finished_at_ms: i64,
}

impl Executed {
    pub(crate) fn outcome(&self) -> Result<StoredOutcome, CallError> {
        let outcome = serde_json::to_string(self).map_err(|_| RegistryError::Worker)?;
        // Read back before anything is settled: a reply that cannot be read later would be paid for and lost.
        let read: Result<Self, _> = serde_json::from_str(&outcome);
        read.map_err(|error| RegistryError::Damaged("outcome".into(), error.to_string()))?;
        Ok(StoredOutcome { outcome, charge: self.charge.amount })
    }

    fn shares(&self) -> Vec<Share> {
        split(self.charge.amount, self.fee_bps, &self.opening.terms.payee, &self.call)
    }
}

impl Registry {
    /// Settles a recorded call and posts it. The output leaves only through here.
    pub(crate) async fn settle(
        &self,
        call: &str,
        executed: Executed,
        payment: &PaymentPayload,
        offer: &PaymentRequirements,
    ) -> Result<CallReply, CallError> {
        let amount = offer.amount().map_err(|reason| RegistryError::Damaged("offer".into(), reason))?;
        let settlement = within(self.rail.settle(payment, offer, amount)).await;
        let response = settlement.response(self.rail.network());
        match settlement {
            Settlement::Settled { transaction, payer, amount, .. } => {
                let paid = Payment {
                    scheme: offer.scheme.clone(),
                    network: offer.network.clone(),
                    asset: offer.asset.clone(),
                    payer: payer.to_string(),
                    amount,
                    transaction: transaction.to_string(),
                    refund: Atomic(amount.0 - executed.charge.amount.0),
                };
                let stored = StoredReply { settlement: response, ..self.reply(executed, Some(paid)) };
                self.post(call, stored).await
            }
            Settlement::Rejected(rejection) => {
                warn!(call.id = logged(call), code = %rejection.code, "A payment was refused after its run");
                let required = PaymentRequired {
                    x402_version: glassbox_pay::x402::VERSION,
                    error: Some(rejection.code.to_string()),
                    resource: payment.resource.clone().unwrap_or_else(|| Resource {
                        url: self.config.public_url.clone(),
                        description: None,
                        mime_type: None,
                    }),
                    accepts: vec![offer.clone()],
                    extensions: None,
                };
                // The output was computed and is withheld: the work is our loss, and it is not the payer's to have.
                let reply = serde_json::to_string(&NotSettled { code: rejection.code.to_string() });
                let reply = reply.map_err(|_| RegistryError::Worker)?;
                self.store.void_call(call, CallState::Executed, reply, self.env.now_ms()).await?;
                let response = Box::new(response.expect("a refusal is decided"));
                Err(CallError::NotSettled { response, required: Box::new(required) })
            }
            Settlement::Unknown { detail } => {
                warn!(call.id = logged(call), detail, "A settlement is unknown; its call stays undecided");
                Err(CallError::Pending { call: call.to_owned() })
            }
        }
    }

    /// Posts a settled call: charge, split, refund and reply in one transaction. Then it may leave.
    async fn post(&self, call: &str, stored: StoredReply) -> Result<CallReply, CallError> {
        let receipt = self.own_receipt(&stored.bundle)?;
        let payment = receipt.payment.as_ref().expect("a posted call was paid");
        let rail = format!("x402:{}", payment.network);
        let posting = Posting {
            transaction: payment.transaction.clone(),
            charge: charge(&payment.payer, &receipt.split),
            refund: (payment.refund > Atomic::ZERO).then(|| refund(&rail, &payment.payer, payment.refund)),
            reply: serde_json::to_string(&stored).map_err(|_| RegistryError::Worker)?,
        };
        self.store.post_call(call, posting, self.env.now_ms()).await?;
        info!(
            call.id = logged(call),
            release = %receipt.release,
            fuel_used = receipt.fuel_used,
            charge.atomic = receipt.charge.amount.0,
            "Posted a call"
        );
        if payment.refund > Atomic::ZERO {
            let owed =
                PendingRefund { call: call.to_owned(), payer: payment.payer.clone(), amount: payment.refund };
            // The reply is the payer's and does not wait long for the change; the next sweep pays what is left.
            let patience = Duration::from_millis(limits::REFUND_WAIT_MS_MAX);
            let _ = tokio::time::timeout(patience, self.pay_refund(&owed)).await;
        }
        Ok(CallReply { stored, replayed: false })
    }

    /// Ends a call that owes nothing. The reply stays bound to the payment, so a replay gets the same; unless the host
    /// ended the run, for then another try may succeed, and the payment is let go for it.
    pub(crate) async fn end_unpaid(&self, call: &str, executed: Executed) -> Result<CallReply, CallError> {
        let try_again = executed.failure.as_ref().is_some_and(|failure| !failure.deterministic);
        let stored = self.reply_unpaid(executed);
        if try_again {
            self.store.release_call(call, self.env.now_ms()).await?;
        } else {
            let reply = serde_json::to_string(&stored).map_err(|_| RegistryError::Worker)?;
            self.store.void_call(call, CallState::Held, reply, self.env.now_ms()).await?;
        }
        Ok(CallReply { stored, replayed: false })
    }

    /// Waits for a call that is under way and returns its reply; takes it up where nobody is at work on it.
    pub(crate) async fn await_decision(&self, call: &str) -> Result<CallReply, CallError> {
        let deadline = Instant::now() + Duration::from_millis(limits::DECISION_WAIT_MS_MAX);
        loop {
            let changed = self.running.changed();
            let row = self.store.call(call).await?.ok_or(RegistryError::Worker)?;
            match row.state {
                CallState::Posted | CallState::Voided => return replay(&row),
                // It never ran. The payment is free, and the same request with it starts anew.
                CallState::Released => return Err(CallError::Busy),
                CallState::Held | CallState::Executed => {}
            }
            if let Some(work) = self.running.claim(call) {
                let taken_up = self.take_up(&row).await;
                drop(work);
                taken_up?;
                continue;
            }
            if tokio::time::timeout_at(deadline, changed).await.is_err() {
                return Err(CallError::Pending { call: call.to_owned() });
            }
        }
    }

    /// Takes up a call that nobody is at work on: settles it where it ran, lets go of it where it did not.
    async fn take_up(&self, row: &CallRow) -> Result<(), CallError> {
        // Read again: it may have been decided between reading the row and claiming it.
        let row = self.store.call(&row.id).await?.ok_or(RegistryError::Worker)?;
        let damaged =
            |error: serde_json::Error| RegistryError::Damaged(row.release.to_string(), error.to_string());
        match (row.state, &row.outcome) {
            (CallState::Held, _) => {
                self.store.release_call(&row.id, self.env.now_ms()).await?;
                info!(call.id = logged(&row.id), "Released a call that never ran");
                Ok(())
            }
            (CallState::Executed, Some(outcome)) => {
                let executed: Executed = serde_json::from_str(outcome).map_err(damaged)?;
                let payment: PaymentPayload = serde_json::from_str(&row.payment).map_err(damaged)?;
                let offer: PaymentRequirements = serde_json::from_str(&row.offer).map_err(damaged)?;
                match self.settle(&row.id, executed, &payment, &offer).await {
                    // Decided, one way or the other; the row now says which.
                    Ok(_) | Err(CallError::NotSettled { .. }) => Ok(()),
                    Err(error) => Err(error),
                }
            }
            _ => Ok(()),
        }
    }

    /// Takes up every call that nobody is at work on, pays the refunds that are still owed, and shows log entries that a
    /// failure left unshown.
    ///
    /// Runs at start-up, where everything undecided was left by a crash, and from time to time after that.
    pub async fn reconcile(&self) {
        match self.store.undecided_calls(limits::RECONCILE_BATCH).await {
            Ok(rows) => {
                for row in rows {
                    let Some(_work) = self.running.claim(&row.id) else { continue };
                    match self.take_up(&row).await {
                        Ok(()) => continue,
                        Err(CallError::Pending { .. }) => {}
                        Err(error) => error!(call.id = logged(&row.id), %error, "Could not take up a call"),
                    }
                    // To the end of the line, or those that cannot be decided would keep out those that can.
                    if let Err(error) = self.store.touch_call(&row.id, self.env.now_ms()).await {
                        error!(call.id = logged(&row.id), %error, "Could not put a call back");
                    }
                }
            }
            Err(error) => error!(%error, "Could not list undecided calls"),
        }
        self.pay_refunds().await;
        if let Err(error) = self.publish_log().await {
            error!(%error, "Could not show the newest log entries");
        }
    }

    /// Pays out the refunds that are owed. What fails stays owed, and the next sweep tries again.
    async fn pay_refunds(&self) {
        let refunds = match self.store.pending_refunds(limits::RECONCILE_BATCH).await {
            Ok(refunds) => refunds,
            Err(error) => return error!(%error, "Could not list refunds"),
        };
        for owed in refunds {
            self.pay_refund(&owed).await;
        }
    }

    /// Pays out one refund. It has the call's id as its key on the rail, so asking again cannot pay twice.
    async fn pay_refund(&self, owed: &PendingRefund) {
        let id = logged(&owed.call);
        let outcome = match owed.payer.parse() {
            Ok(payer) => {
                within(self.rail.pay_out(&format!("refund:{}", owed.call), payer, owed.amount)).await
            }
            Err(_) => return error!(call.id = id, "The payer of a call is no address"),
        };
        let written = match outcome {
            Settlement::Settled { transaction, .. } => {
                self.store.post_refund(&owed.call, &transaction.to_string()).await
            }
            Settlement::Rejected(rejection) => {
                error!(call.id = id, code = %rejection.code, "The rail refused a refund");
                self.store.touch_refund(&owed.call, self.env.now_ms()).await
            }
            Settlement::Unknown { detail } => {
                warn!(call.id = id, detail, "A refund is unknown");
                self.store.touch_refund(&owed.call, self.env.now_ms()).await
            }
        };
        if let Err(error) = written {
            error!(call.id = id, %error, "Could not write down what became of a refund; will ask again");
        }
    }

    /// Asks the rail whether a payment could be settled now. A rail that does not answer is busy.
    pub(crate) async fn verify(
        &self,
        payment: &PaymentPayload,
        offer: &PaymentRequirements,
    ) -> Result<Result<Verified, Rejection>, CallError> {
        let patience = Duration::from_millis(limits::RAIL_WAIT_MS_MAX);
        tokio::time::timeout(patience, self.rail.verify(payment, offer)).await.map_err(|_| CallError::Busy)
    }

    /// Signs the receipt of a call that owes nothing.
    pub(crate) fn reply_unpaid(&self, executed: Executed) -> StoredReply {
        self.reply(executed, None)
    }

    fn reply(&self, executed: Executed, payment: Option<Payment>) -> StoredReply {
        let receipt = Receipt {
            call: executed.call.clone(),
            level: "L0".into(),
            release: executed.release.clone(),
            component: executed.component,
            files: executed.files,
            function: executed.function.clone(),
            function_type: executed.opening.function_type.digest(),
            profile: Profile::current().digest(),
            engine: Profile::current().engine_text(),
            input: executed.input,
            outcome: executed.outcome.clone(),
            fuel_used: executed.fuel_used,
            fuel_max: executed.fuel_max,
            memory_bytes_max: executed.memory_bytes_max,
            pure: executed.pure,
            grants: executed.grants.clone(),
            transcript: executed.opening.transcript.as_ref().map(Observed::of),
            terms: executed.opening.terms.digest(),
            charge: executed.charge.clone(),
            fee_bps: executed.fee_bps,
            split: executed.shares(),
            payment,
            request: executed.request,
            checkpoint: executed.checkpoint.clone(),
            executor: self.keys.executor.public(),
            started_at: rfc3339(executed.started_at_ms),
            finished_at: rfc3339(executed.finished_at_ms),
        };
        StoredReply {
            call: executed.call,
            output: executed.opening.output.clone(),
            failure: executed.failure,
            fuel_used: executed.fuel_used,
            fuel_max: executed.fuel_max,
            charged: executed.charge.amount,
            settlement: None,
            bundle: Bundle::new(receipt, executed.opening, &self.keys.executor),
        }
    }

    fn own_receipt(&self, bundle: &Bundle) -> Result<Receipt, CallError> {
        let statement = bundle.receipt.verify::<Receipt>(&self.executor());
        Ok(statement.map_err(|error| RegistryError::Damaged("receipt".into(), error.to_string()))?.predicate)
    }
}

/// Bounds how long a rail may take to move money. After that, what became of it is unknown.
async fn within(moving: impl Future<Output = Settlement>) -> Settlement {
    let patience = Duration::from_millis(limits::RAIL_WAIT_MS_MAX);
    tokio::time::timeout(patience, moving)
        .await
        .unwrap_or_else(|_| Settlement::Unknown { detail: "the rail did not answer in time".into() })
}

/// What is kept of a call whose payment was refused after the run: not the output.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct NotSettled {
    code: String,
}

/// Tells whether a stored reply says that the payment was refused after the run.
pub(crate) fn is_refusal(reply: &str) -> bool {
    serde_json::from_str::<NotSettled>(reply).is_ok()
}

/// Returns the stored reply of a decided call.
fn replay(row: &CallRow) -> Result<CallReply, CallError> {
    let damaged =
        || RegistryError::Damaged(row.release.to_string(), format!("call {} has no readable reply", row.id));
    let text = row.reply.as_deref().ok_or_else(damaged)?;
    if let Ok(stored) = serde_json::from_str::<StoredReply>(text) {
        return Ok(CallReply { stored, replayed: true });
    }
    // Refused at settlement: the same payment will not do, and the payer has not been charged.
    let refused: NotSettled = serde_json::from_str(text).map_err(|_| damaged())?;
    let offer: PaymentRequirements = serde_json::from_str(&row.offer).map_err(|_| damaged())?;
    Err(CallError::PaymentRequired {
        amount: row.held,
        required: Box::new(PaymentRequired {
            x402_version: glassbox_pay::x402::VERSION,
            error: Some(refused.code),
            resource: Resource { url: String::new(), description: None, mime_type: None },
            accepts: vec![offer],
            extensions: None,
        }),
    })
}
