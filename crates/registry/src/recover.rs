//! What is done again and again until it is done: undecided calls, what a chain may take back, money that is owed,
//! vouchers that are not claimed, log entries that are not shown.
//!
//! A crash leaves nothing else behind, so start-up is a sweep like any other.

use glassbox_core::ledger::{Kind, Transfer, loss};
use glassbox_core::{Atomic, limits};
use glassbox_pay::chain::Standing as OnChain;
use glassbox_pay::payment::{self, Authorization};
use glassbox_pay::x402::{PaymentPayload, PaymentRequired, PaymentRequirements, Resource};
use glassbox_pay::{Address, B256, PayOut, Settlement};
use glassbox_store::{CallRow, CallState, OwedTransfer, Standing, StoreError};
use tokio::time::{Duration, Instant};
use tracing::{error, info, warn};

use crate::call::{CallReply, StoredReply, logged};
use crate::error::{CallError, RegistryError};
use crate::open::Registry;
use crate::payment::{Means, channel_text, rail_text};
use crate::settle::{NotSettled, Recorded, within};
use crate::submissions::{Payment, Request};

impl Registry {
    /// Waits for a call that is under way until it is posted or voided; takes it up where nobody is at work on it.
    pub(crate) async fn await_decision(&self, call: &str) -> Result<CallRow, CallError> {
        let deadline = Instant::now() + Duration::from_millis(limits::DECISION_WAIT_MS_MAX);
        let row = self.await_end(call, deadline).await?;
        match row.state {
            CallState::Posted | CallState::Voided => Ok(row),
            // It never ran. The payment is free, and the same request with it starts anew.
            CallState::Released => Err(CallError::Busy),
            CallState::Held | CallState::Executed => Err(CallError::Pending { call: call.to_owned() }),
        }
    }

    /// Waits until a call is decided, or the deadline is there.
    pub(crate) async fn await_end(&self, call: &str, deadline: Instant) -> Result<CallRow, CallError> {
        loop {
            let changed = self.running.changed();
            let row = self.store.call(call).await?.ok_or(RegistryError::Worker)?;
            if !row.state.is_undecided() {
                return Ok(row);
            }
            if let Some(work) = self.running.claim(call) {
                let taken_up = self.take_up(&row).await;
                drop(work);
                taken_up?;
                continue;
            }
            if tokio::time::timeout_at(deadline, changed).await.is_err() {
                return Ok(row);
            }
        }
    }

    /// Takes up a call that nobody is at work on: settles it where it ran, lets go of it where it did not.
    async fn take_up(&self, row: &CallRow) -> Result<(), CallError> {
        // Read again: it may have been decided between reading the row and claiming it.
        let row = self.store.call(&row.id).await?.ok_or(RegistryError::Worker)?;
        match (row.state, &row.outcome) {
            (CallState::Held, _) => {
                self.store.release_call(&row.id, self.env.now_ms()).await?;
                info!(call.id = logged(&row.id), "Released a call that never ran");
                Ok(())
            }
            (CallState::Executed, Some(outcome)) => {
                let recorded: Recorded = serde_json::from_str(outcome)
                    .map_err(|error| RegistryError::Damaged(row.release.to_string(), error.to_string()))?;
                match self.settle(&row.id, recorded, &signed(&row)?).await {
                    // Decided, one way or the other; the row now says which.
                    Ok(_) | Err(CallError::NotSettled { .. }) => Ok(()),
                    Err(error) => Err(error),
                }
            }
            _ => Ok(()),
        }
    }

    /// Does once everything that is left to do.
    ///
    /// Runs at start-up, where everything undecided was left by a crash, and from time to time after that.
    pub async fn reconcile(&self) {
        self.take_up_all().await;
        self.watch_deposits().await;
        self.watch_submissions().await;
        self.pay_refunds().await;
        self.pay_out_runs().await;
        self.watch_channels().await;
        self.judge_support().await;
        self.lapse_unclaimed().await;
        self.forget_replies().await;
        self.log_receipts().await;
        self.show_let_go().await;
        // Another process on the same store may have taken the certificate.
        if let Err(error) = self.recall_quarantine().await {
            error!(%error, "Could not read what the log says of this executor");
        }
        match self.publish_log().await {
            // Said at the start, and so until the operator does something about it.
            Ok(()) | Err(RegistryError::Store(StoreError::LogBehind { .. })) => {}
            Err(error) => error!(%error, "Could not show the newest log entries"),
        }
    }

    async fn take_up_all(&self) {
        let rows = match self.store.undecided_calls(limits::RECONCILE_BATCH).await {
            Ok(rows) => rows,
            Err(error) => return error!(%error, "Could not list undecided calls"),
        };
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

    /// Looks whether the chain still has the transactions that paid for calls. One that it dropped is settled again for as
    /// long as what the payer signed lasts; after that the money is lost, and it is the operator's loss.
    async fn watch_deposits(&self) {
        let rows = match self.store.unsettled_calls(limits::RECONCILE_BATCH).await {
            Ok(rows) => rows,
            Err(error) => return error!(%error, "Could not list deposits that are not final"),
        };
        for row in rows {
            if let Err(error) = self.watch_deposit(&row).await {
                error!(call.id = logged(&row.id), %error, "Could not look after a deposit");
            }
        }
    }

    async fn watch_deposit(&self, row: &CallRow) -> Result<(), CallError> {
        let settled_by = row.settled_by.as_deref().unwrap_or_default();
        let transaction = settled_by.parse().map_err(|_| RegistryError::Worker)?;
        let now_ms = self.env.now_ms();
        match self.rail.standing(transaction).await {
            Ok(OnChain::Final) => {
                self.store.mark_standing(&row.id, settled_by, Standing::Final, now_ms).await?;
            }
            Ok(OnChain::Mined { .. }) => self.store.touch_call(&row.id, now_ms).await?,
            Ok(OnChain::Missing) => self.settle_again(row).await?,
            Err(error) => warn!(call.id = logged(&row.id), %error, "A chain does not say where a deposit is"),
        }
        Ok(())
    }

    async fn settle_again(&self, row: &CallRow) -> Result<(), CallError> {
        let Means::Signed { payment, offer, authorization } = signed(row)? else {
            return Err(RegistryError::Worker.into());
        };
        let charge = row.charge.unwrap_or(Atomic::ZERO);
        let amount = match &*authorization {
            Authorization::Exact(exact) => exact.amount,
            Authorization::Upto(_) => charge,
            Authorization::Batch(batch) => batch.deposited(),
        };
        warn!(call.id = logged(&row.id), "The chain lost a deposit; settling it again");
        match within(self.rail.settle(&payment, &offer, amount)).await {
            Settlement::Settled { transaction, .. } => {
                let (transaction, now_ms) = (transaction.to_string(), self.env.now_ms());
                self.store.mark_standing(&row.id, &transaction, Standing::Mined, now_ms).await?;
                if let Authorization::Batch(batch) = &*authorization {
                    let known = self.ask_contract(batch.channel_id).await?;
                    self.store.learn_channel(&channel_text(batch.channel_id), known, now_ms).await?;
                }
            }
            // What is refused for an empty purse may be settled tomorrow, for as long as what was signed lasts.
            Settlement::Rejected(rejection) if self.is_open(&authorization) => {
                warn!(call.id = logged(&row.id), code = %rejection.code, "Could not settle a lost deposit again");
                self.store.touch_call(&row.id, self.env.now_ms()).await?;
            }
            // Its vouchers stay good for whatever is deposited later.
            Settlement::Rejected(rejection) if matches!(&*authorization, Authorization::Batch(_)) => {
                error!(call.id = logged(&row.id), code = %rejection.code, "A channel's deposit is lost for good");
                let settled_by = row.settled_by.as_deref().unwrap_or_default();
                self.store.mark_standing(&row.id, settled_by, Standing::Vouched, self.env.now_ms()).await?;
            }
            Settlement::Rejected(rejection) => {
                error!(call.id = logged(&row.id), code = %rejection.code, "A deposit is lost for good");
                let rail = rail_text(&offer);
                let mut losses = vec![loss(&rail, charge)];
                if amount > charge {
                    // What was to go back to the payer never came.
                    losses.push(Transfer {
                        kind: Kind::Loss,
                        ..glassbox_core::ledger::refund(&rail, &row.payer, Atomic(amount.0 - charge.0))
                    });
                }
                self.store.lose_call(&row.id, losses, self.env.now_ms()).await?;
            }
            Settlement::Unknown { detail } => {
                warn!(call.id = logged(&row.id), detail, "Settling again is unknown");
                self.store.touch_call(&row.id, self.env.now_ms()).await?;
            }
        }
        Ok(())
    }

    /// Tells whether what a payer signed could still be settled, as far as time goes.
    fn is_open(&self, authorization: &Authorization) -> bool {
        payment::check_window(authorization, (self.env.now_ms() / 1_000) as u64, 0).is_ok()
    }

    /// Pays the refunds that are owed. What fails stays owed, and the next sweep tries again.
    async fn pay_refunds(&self) {
        let owed = match self.store.owed(Kind::Refund, limits::RECONCILE_BATCH).await {
            Ok(owed) => owed,
            Err(error) => return error!(%error, "Could not list what is owed"),
        };
        for owed in owed {
            self.pay_refund(&owed).await;
        }
    }

    /// Pays one refund. What it belongs to is its key on the rail, so asking again cannot pay twice.
    pub(crate) async fn pay_refund(&self, owed: &OwedTransfer) {
        let (id, key) = (logged(&owed.subject), format!("refund:{}", owed.subject));
        let payee = owed.payee.as_deref().or_else(|| owed.payer());
        let Some(payee) = payee.and_then(|payee| payee.parse::<Address>().ok()) else {
            return error!(subject = id, "A refund is owed to no address");
        };
        let request = Request::PayOut {
            id: key,
            payment: Payment(PayOut { number: 0, to: payee, amount: owed.amount }),
        };
        let written = match self.submit(&request).await {
            Settlement::Settled { transaction, .. } => self.post_refund(owed, &request, transaction).await,
            Settlement::Rejected(rejection) => {
                error!(subject = id, code = %rejection.code, "The rail refused a refund");
                self.touch_refund(owed).await
            }
            Settlement::Unknown { detail } => {
                warn!(subject = id, detail, "A refund is unknown");
                self.touch_refund(owed).await
            }
        };
        if let Err(error) = written {
            error!(subject = id, %error, "Could not write down what became of a refund; will ask again");
        }
    }

    async fn post_refund(
        &self,
        owed: &OwedTransfer,
        request: &Request,
        transaction: B256,
    ) -> Result<(), RegistryError> {
        let moved = self.booking(request, transaction).await?;
        Ok(self.store.post_owed(&owed.subject, Kind::Refund, moved).await?)
    }

    async fn touch_refund(&self, owed: &OwedTransfer) -> Result<(), RegistryError> {
        Ok(self.store.touch_owed(&owed.subject, Kind::Refund, self.env.now_ms()).await?)
    }

    async fn forget_replies(&self) {
        let before = self.env.now_ms() - limits::REPLY_KEPT_MS;
        if let Err(error) = self.store.forget_replies(before, limits::RECONCILE_BATCH).await {
            error!(%error, "Could not forget replies that were handed over long ago");
        }
    }
}

/// Reads what a call is paid with as it was kept.
fn signed(row: &CallRow) -> Result<Means, CallError> {
    let damaged =
        |error: serde_json::Error| RegistryError::Damaged(row.release.to_string(), error.to_string());
    let payment: PaymentPayload = serde_json::from_str(&row.payment).map_err(damaged)?;
    let offer: PaymentRequirements = serde_json::from_str(&row.offer).map_err(damaged)?;
    let authorization = payment::read(&payment, &offer)
        .map_err(|rejection| RegistryError::Damaged(row.release.to_string(), rejection.to_string()))?;
    Ok(Means::Signed {
        payment: Box::new(payment),
        offer: Box::new(offer),
        authorization: Box::new(authorization),
    })
}

/// Returns the stored reply of a decided call.
pub(crate) fn replay(row: &CallRow) -> Result<CallReply, CallError> {
    let damaged =
        || RegistryError::Damaged(row.release.to_string(), format!("call {} has no readable reply", row.id));
    let Some(text) = row.reply.as_deref() else {
        return Err(if row.delivered { CallError::ReplyForgotten } else { damaged().into() });
    };
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
