//! Payment channels: what their contract says, and turning vouchers into money.

use std::sync::Arc;

use glassbox_core::ledger::claim;
use glassbox_core::terms::quote;
use glassbox_core::{Atomic, PackageRef, limits};
use glassbox_pay::payment::{self, Authorization};
use glassbox_pay::scheme::batch::{Action, CHANNEL_STATE, ChannelConfig};
use glassbox_pay::x402::{ErrorCode, PaymentRequired, SettleResponse};
use glassbox_pay::{B256, Claim, Rejection, Settlement, hex};
use glassbox_store::{ChainState, ChannelRow};
use tracing::{error, info, warn};

use crate::error::{CallError, RegistryError};
use crate::offer::channel_state;
use crate::open::Registry;
use crate::payment::{Payment, Tender, channel_text};
use crate::settle::within;

/// What a function costs, for who asked.
struct Asking {
    amount: Atomic,
    required: PaymentRequired,
}

impl Asking {
    fn refused(&self, rejection: Rejection) -> CallError {
        let required = PaymentRequired { error: Some(rejection.code.to_string()), ..self.required.clone() };
        CallError::PaymentRequired { amount: self.amount, required: Box::new(required) }
    }
}

/// The answer to who asks for a price, and does not call.
#[derive(Debug)]
pub enum Asked {
    /// Calls of the function cost nothing.
    Free,
    /// It was the payer of a channel that wanted the rest of it back, and has it.
    Refunded {
        /// The channel's id.
        channel: String,
        /// What x402 calls the settlement.
        response: Box<SettleResponse>,
    },
}

impl Registry {
    /// Asks the contract about the channel that a payment goes through, where we do not know it or not lately.
    pub(crate) async fn ask_channel(&self, tender: &Tender) -> Result<Option<ChainState>, CallError> {
        let Some(batch) = tender.channel() else { return Ok(None) };
        let row = self.store.channel(&channel_text(batch.channel_id)).await?;
        let stale = |row: &ChannelRow| self.env.now_ms() - row.asked_at > limits::CHANNEL_KNOWN_MS;
        match row {
            Some(row) if !stale(&row) => Ok(None),
            _ => self.ask_contract(batch.channel_id).await.map(Some),
        }
    }

    /// Asks the contract about a channel. A rail that does not answer is busy.
    pub(crate) async fn ask_contract(&self, id: B256) -> Result<ChainState, CallError> {
        let patience = std::time::Duration::from_millis(limits::RAIL_WAIT_MS_MAX);
        let asked = tokio::time::timeout(patience, self.rail.channel(id)).await;
        let state = asked.map_err(|_| CallError::Busy)?.map_err(|error| {
            warn!(%error, "A chain does not say what is in a channel");
            CallError::Busy
        })?;
        Ok(ChainState {
            balance: state.balance,
            claimed: state.total_claimed,
            withdraw_requested_at: state.withdraw_requested_at,
            refund_nonce: state.refund_nonce.to_string(),
        })
    }

    /// Answers who asks before calling. Where the payment is the wish to have the rest of a channel back, gives it back:
    /// clients of `batch-settlement` ask so.
    ///
    /// # Errors
    ///
    /// With what the dearest call costs, when no wish came.
    pub async fn ask(
        self: &Arc<Self>,
        release: &PackageRef,
        function: &str,
        payment: Option<Payment>,
    ) -> Result<Asked, CallError> {
        let live = self.live(release).await?;
        let function = live.function(function)?.name.clone();
        let quote = quote(&live.terms, &function, live.fuel_ceiling(None)?);
        let Some(required) = self.requirements(&live, &quote) else { return Ok(Asked::Free) };
        let asking = Asking { amount: quote.amount_max, required };
        let Some(payment) = payment else {
            return Err(CallError::PaymentRequired {
                amount: asking.amount,
                required: Box::new(asking.required),
            });
        };
        // On a task of its own, as a paid call.
        let registry = self.clone();
        let refunded = tokio::spawn(async move { registry.refund_channel(payment, &asking).await });
        refunded.await.map_err(|_| RegistryError::Worker)?
    }

    /// Gives the payer of a channel back what its calls did not cost.
    async fn refund_channel(&self, payment: Payment, asking: &Asking) -> Result<Asked, CallError> {
        let refused = |code: ErrorCode, message: &str| asking.refused(Rejection::new(code, message));
        let no_wish =
            || refused(ErrorCode::BatchPayloadType, "a payment for a call comes with the call, by POST");
        let Payment::X402(payment) = payment else { return Err(no_wish()) };
        let offer = payment::taken(&payment, &asking.required.accepts);
        let offer = offer.map_err(|rejection| asking.refused(rejection))?;
        let authorization = payment::read(&payment, offer).map_err(|rejection| asking.refused(rejection))?;
        let Authorization::Batch(batch) = authorization else { return Err(no_wish()) };
        let Action::Refund(wanted) = &batch.action else { return Err(no_wish()) };

        let id = channel_text(batch.channel_id);
        let Some(mut channel) = self.store.channel(&id).await? else {
            return Err(refused(ErrorCode::BatchMissingChannel, "no call was paid through this channel"));
        };
        if channel.call.is_some() {
            return Err(refused(ErrorCode::BatchChannelBusy, "a call of this channel is under way"));
        }
        if batch.max_claimable != channel.charged {
            let message = "the voucher of a refund says what was charged, no more and no less";
            return Err(refused(ErrorCode::BatchCumulativeAmountMismatch, message));
        }
        channel.learn(&self.ask_contract(batch.channel_id).await?, self.env.now_ms());
        let rest = channel.balance.0.saturating_sub(channel.charged.0);
        let amount = wanted.map_or(rest, |amount| amount.0);
        if rest == 0 {
            return Err(refused(ErrorCode::BatchRefundNoBalance, "nothing is left in the channel"));
        }
        if amount == 0 || amount > rest {
            return Err(refused(ErrorCode::BatchRefundAmountInvalid, "the channel does not hold as much"));
        }
        let newest = Claim {
            channel: batch.channel.clone(),
            max_claimable: batch.max_claimable,
            signature: batch.signature.to_vec(),
            total_claimed: channel.charged,
        };
        let key = format!("refund:{id}:{}", channel.refund_nonce);
        let settlement = within(self.rail.refund_channel(&key, &newest, Atomic(amount))).await;
        let response = settlement.response(self.rail.network());
        match settlement {
            Settlement::Settled { transaction, .. } => {
                let channel = self.book_channel(&channel, &transaction.to_string()).await?;
                let mut response = response.expect("a settlement is decided");
                let extra = serde_json::json!({ CHANNEL_STATE: channel_state(&channel) });
                response.extra = extra.as_object().cloned();
                Ok(Asked::Refunded { channel: channel.id, response: Box::new(response) })
            }
            Settlement::Rejected(rejection) => Err(asking.refused(rejection)),
            Settlement::Unknown { detail } => {
                warn!(channel = id, detail, "The refund of a channel is unknown");
                Err(CallError::Busy)
            }
        }
    }

    /// Claims the vouchers of all channels at once, such as before earnings are paid out. Returns what arrived.
    pub async fn claim_channels(&self) -> Result<Atomic, RegistryError> {
        let rows = self.store.unclaimed_channels(limits::CLAIMS_MAX).await?;
        self.claim(&rows).await
    }

    /// Looks after channels with something to claim: claims where it is worth it, where nobody called for long, and at
    /// once where the payer wants its money back.
    pub(crate) async fn watch_channels(&self) {
        let rows = match self.store.unclaimed_channels(limits::CLAIMS_MAX).await {
            Ok(rows) => rows,
            Err(error) => return error!(%error, "Could not list channels"),
        };
        let now_ms = self.env.now_ms();
        let mut due = Vec::new();
        for mut row in rows {
            if now_ms - row.asked_at > limits::CHANNEL_KNOWN_MS {
                let Ok(id) = row.id.parse() else { continue };
                let Ok(known) = self.ask_contract(id).await else { continue };
                if let Err(error) = self.store.learn_channel(&row.id, known.clone(), now_ms).await {
                    error!(%error, "Could not note what is in a channel");
                }
                row.learn(&known, now_ms);
            }
            let closing = row.withdraw_requested_at > 0;
            let idle = now_ms - row.used_at > limits::CHANNEL_IDLE_MS;
            if closing || idle || row.unclaimed() >= self.config.claim_amount {
                due.push(row);
            }
        }
        if let Err(error) = self.claim(&due).await {
            error!(%error, "Could not claim vouchers");
        }
    }

    async fn claim(&self, rows: &[ChannelRow]) -> Result<Atomic, RegistryError> {
        let mut claims = Vec::new();
        for row in rows {
            match to_claim(row) {
                Some(claim) => claims.push((row, claim)),
                None => error!(channel = row.id, "A stored channel cannot be read"),
            }
        }
        if claims.is_empty() {
            return Ok(Atomic::ZERO);
        }
        // The same vouchers again are the same claim; a newer voucher makes it another.
        let words: Vec<String> = rows.iter().map(|row| format!("{}:{}", row.id, row.charged)).collect();
        let key = format!("claim:{}", glassbox_core::Digest::of(words.join(",")).hex());
        let vouchers: Vec<Claim> = claims.iter().map(|(_, claim)| claim.clone()).collect();
        match within(self.rail.claim(&key, &vouchers)).await {
            Settlement::Settled { transaction, .. } => {
                let rail = format!("x402:{}", self.rail.network());
                let claimed = rows.iter().map(|row| (row.id.clone(), row.charged)).collect();
                let booked = self
                    .store
                    .post_claims(
                        &key,
                        claimed,
                        move |channel, amount| claim(&rail, channel, amount),
                        &transaction.to_string(),
                        self.env.now_ms(),
                    )
                    .await?;
                let arrived = Atomic(booked.0 / glassbox_core::money::PICO_PER_ATOMIC);
                info!(channels = rows.len(), arrived.atomic = arrived.0, "Claimed vouchers");
                Ok(arrived)
            }
            Settlement::Rejected(rejection) => {
                error!(code = %rejection.code, "The rail refused a claim");
                // Perhaps one of them was claimed before a crash could be written down.
                for row in rows {
                    self.book_channel(row, "").await.map_err(|_| RegistryError::Worker)?;
                }
                Ok(Atomic::ZERO)
            }
            Settlement::Unknown { detail } => {
                warn!(detail, "A claim is unknown");
                Ok(Atomic::ZERO)
            }
        }
    }

    /// Books what the contract says was claimed of a channel, and returns the channel as it is now.
    async fn book_channel(&self, channel: &ChannelRow, reference: &str) -> Result<ChannelRow, CallError> {
        let id: B256 = channel.id.parse().map_err(|_| RegistryError::Worker)?;
        let known = self.ask_contract(id).await?;
        let (rail, now_ms) = (format!("x402:{}", self.rail.network()), self.env.now_ms());
        let key = format!("claim:{}:{}", channel.id, known.claimed);
        let claimed = vec![(channel.id.clone(), known.claimed)];
        let transfer = move |channel: &str, amount| claim(&rail, channel, amount);
        self.store.post_claims(&key, claimed, transfer, reference, now_ms).await?;
        self.store.learn_channel(&channel.id, known, now_ms).await?;
        Ok(self.store.channel(&channel.id).await?.ok_or(RegistryError::Worker)?)
    }
}

/// Reads the newest voucher of a channel as the contract takes it.
fn to_claim(row: &ChannelRow) -> Option<Claim> {
    let channel: ChannelConfig = serde_json::from_str(&row.config).ok()?;
    let signature = hex::decode(&row.signature).ok()?;
    Some(Claim { channel, max_claimable: row.ceiling, signature, total_claimed: row.charged })
}
