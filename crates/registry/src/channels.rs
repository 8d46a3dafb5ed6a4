//! Payment channels: what their contract says, and turning vouchers into money.

use std::sync::Arc;

use glassbox_core::ledger::claim;
use glassbox_core::terms::Account;
use glassbox_core::{Atomic, Digest, PackageRef, limits};
use glassbox_pay::payment::{self, Authorization};
use glassbox_pay::scheme::batch::{Action, CHANNEL_STATE, ChannelConfig};
use glassbox_pay::x402::{ErrorCode, SettleResponse};
use glassbox_pay::{B256, Claim, Rejection, Settlement, hex};
use glassbox_store::{ChainState, ChannelRow, Claimed, VoucherRefusal};
use serde::{Deserialize, Serialize};
use tracing::{error, info, warn};

use crate::error::{CallError, RegistryError};
use crate::hold::Order;
use crate::offer::{channel_state, voucher_refused};
use crate::open::Registry;
use crate::payment::{Payment, Tender, channel_text};
use crate::submissions::{Request, refund_prefix};

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
        let nonce = state.refund_nonce.to_string();
        // What a reorganisation brought back into the channel goes back again, and pays no call.
        let back = self.going_back(&channel_text(id), &nonce).await?;
        Ok(ChainState {
            balance: Atomic(state.balance.0.saturating_sub(back.0)),
            claimed: state.total_claimed,
            withdraw_requested_at: state.withdraw_requested_at,
            refund_nonce: nonce,
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
        let quote = live.quote(&function, live.fuel_ceiling(None)?, Account::default());
        let Some(mut order) = self.order(&live, &quote, Digest::of("no call"), None) else {
            return Ok(Asked::Free);
        };
        let Some(payment) = payment else {
            order.required = self.price(&live, &quote, None).unwrap_or(order.required);
            return Err(order.unpaid());
        };
        // On a task of its own, as a paid call.
        let registry = self.clone();
        let refunded = tokio::spawn(async move { registry.refund_channel(payment, &order).await });
        refunded.await.map_err(|_| RegistryError::Worker)?
    }

    /// Gives the payer of a channel back what its calls did not cost.
    async fn refund_channel(&self, payment: Payment, order: &Order) -> Result<Asked, CallError> {
        let refused = |code: ErrorCode, message: &str| order.refused(Rejection::new(code, message));
        let no_wish =
            || refused(ErrorCode::BatchPayloadType, "a payment for a call comes with the call, by POST");
        let Payment::X402(payment) = payment else { return Err(no_wish()) };
        let offer = payment::taken(&payment, &order.required.accepts);
        let offer = offer.map_err(|rejection| order.refused(rejection))?;
        let authorization = payment::read(&payment, offer).map_err(|rejection| order.refused(rejection))?;
        let Authorization::Batch(batch) = authorization else { return Err(no_wish()) };
        let Action::Refund(wanted) = &batch.action else { return Err(no_wish()) };

        let id = channel_text(batch.channel_id);
        let Some(mut channel) = self.store.channel(&id).await? else {
            return Err(refused(ErrorCode::BatchMissingChannel, "no call was paid through this channel"));
        };
        if batch.max_claimable != channel.charged {
            // A payer that lost count is told, and asks again.
            return Err(voucher_refused(VoucherRefusal::Mismatch(Box::new(channel)), order));
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
        let voucher = Begun {
            channel: id.clone(),
            config: batch.channel.clone(),
            ceiling: batch.max_claimable,
            signature: hex::encode_prefixed(batch.signature),
            claimed: channel.charged,
            back: Some(Atomic(amount)),
        };
        let busy = || refused(ErrorCode::BatchChannelBusy, "a call of this channel is under way");
        if self.going_back(&id, &channel.refund_nonce).await? > Atomic::ZERO {
            return Err(busy());
        }
        let key = format!("{}{}", refund_prefix(&id), channel.refund_nonce);
        match self.begin_claim(&key, vec![voucher]).await?.ok_or_else(busy)? {
            Settlement::Settled { transaction, payer, amount, block } => {
                let settled = Settlement::Settled { transaction, payer, amount, block };
                let mut response = settled.response(self.rail.network()).expect("it is decided");
                let known = self.ask_contract(batch.channel_id).await?;
                self.store.learn_channel(&id, known, self.env.now_ms()).await?;
                let channel = self.store.channel(&id).await?.ok_or(RegistryError::Worker)?;
                let extra = serde_json::json!({ CHANNEL_STATE: channel_state(&channel) });
                response.extra = extra.as_object().cloned();
                Ok(Asked::Refunded { channel: id, response: Box::new(response) })
            }
            Settlement::Rejected(rejection) => Err(order.refused(rejection)),
            Settlement::Unknown { detail } => {
                warn!(channel = id, detail, "The refund of a channel is unknown");
                Err(CallError::Busy)
            }
        }
    }

    /// Claims the vouchers of all channels at once, such as before earnings are paid out. Returns what arrived.
    pub async fn claim_channels(&self) -> Result<Atomic, RegistryError> {
        self.finish_claims().await;
        let rows = self.store.unclaimed_channels(limits::CLAIMS_MAX).await?;
        self.claim(&rows).await
    }

    /// Looks after channels with something to claim: claims where it is worth it, where nobody called for long, and at
    /// once where the payer wants its money back.
    pub(crate) async fn watch_channels(&self) {
        self.finish_claims().await;
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

    /// Claims the newest vouchers of channels. One that the chain refuses must not keep out the others, so then each is
    /// claimed alone.
    async fn claim(&self, rows: &[ChannelRow]) -> Result<Atomic, RegistryError> {
        if rows.is_empty() {
            return Ok(Atomic::ZERO);
        }
        match self.claim_at_once(rows).await? {
            Ok(arrived) => Ok(arrived),
            Err(_) if rows.len() > 1 => {
                let mut arrived = Atomic::ZERO;
                for row in rows {
                    if let Ok(more) = self.claim_at_once(std::slice::from_ref(row)).await? {
                        arrived.0 += more.0;
                    }
                }
                Ok(arrived)
            }
            Err(rejection) => {
                error!(channel = rows[0].id, code = %rejection.code, "The rail refused a voucher");
                Ok(Atomic::ZERO)
            }
        }
    }

    async fn claim_at_once(&self, rows: &[ChannelRow]) -> Result<Result<Atomic, Rejection>, RegistryError> {
        let vouchers: Vec<Begun> = rows.iter().filter_map(Begun::of).collect();
        if vouchers.len() < rows.len() {
            error!("A stored channel cannot be read");
        }
        // The same vouchers again are the same claim; a newer voucher makes it another.
        let words: Vec<String> = rows.iter().map(|row| format!("{}:{}", row.id, row.charged)).collect();
        let key = format!("claim:{}", glassbox_core::Digest::of(words.join(",")).hex());
        let before: u128 = rows.iter().map(|row| row.unclaimed().0).sum();
        let begun = self.begin_claim(&key, vouchers).await?;
        Ok(match begun.ok_or(RegistryError::Worker)? {
            Settlement::Settled { .. } => Ok(Atomic(before)),
            Settlement::Rejected(rejection) => Err(rejection),
            Settlement::Unknown { detail } => {
                warn!(detail, "A claim is unknown");
                Ok(Atomic::ZERO)
            }
        })
    }

    /// Writes down what is asked of the chain, asks, and books it. A refund has its channel for itself, so that nothing is
    /// charged meanwhile to what goes back; `None` is a channel that a call has.
    async fn begin_claim(
        &self,
        key: &str,
        vouchers: Vec<Begun>,
    ) -> Result<Option<Settlement>, RegistryError> {
        let words = serde_json::to_string(&vouchers).map_err(|_| RegistryError::Worker)?;
        let refund = vouchers.iter().find(|voucher| voucher.back.is_some());
        let alone = refund.map(|begun| (begun.channel.clone(), begun.claimed));
        match self.store.begin_claim(key, words, alone).await? {
            true => self.finish_claim(key, vouchers).await.map(Some),
            false => Ok(None),
        }
    }

    /// Asks the chain for a claim that was begun, and books it under the transaction that did it. The chain does it once.
    async fn finish_claim(&self, key: &str, vouchers: Vec<Begun>) -> Result<Settlement, RegistryError> {
        let claimed = vouchers.iter().map(|voucher| Claimed {
            channel: voucher.channel.clone(),
            claimed: voucher.claimed,
            back: voucher.back.unwrap_or(Atomic::ZERO),
        });
        let claimed: Vec<_> = claimed.collect();
        let request = Request::Claim { id: key.to_owned(), vouchers };
        let settlement = self.submit(&request).await;
        match &settlement {
            Settlement::Settled { transaction, .. } => {
                let rail = format!("x402:{}", self.rail.network());
                let transfer = move |channel: &str, amount| claim(&rail, channel, amount);
                let moved = self.booking(&request, *transaction).await?;
                info!(channels = claimed.len(), "Claimed vouchers");
                self.store.post_claims(key, claimed, transfer, moved, self.env.now_ms()).await?;
            }
            Settlement::Rejected(_) => self.store.drop_claim(key).await?,
            Settlement::Unknown { .. } => {}
        }
        Ok(settlement)
    }

    /// Takes up the claims that a crash, or a chain that did not answer, left begun.
    pub(crate) async fn finish_claims(&self) {
        let begun = match self.store.begun_claims().await {
            Ok(begun) => begun,
            Err(error) => return error!(%error, "Could not list claims"),
        };
        for (key, words) in begun {
            let finished = match serde_json::from_str(&words) {
                Ok(vouchers) => self.finish_claim(&key, vouchers).await,
                Err(error) => Err(RegistryError::Damaged("claim".into(), error.to_string())),
            };
            match finished {
                Ok(Settlement::Unknown { detail }) => warn!(detail, "A claim is still unknown"),
                Ok(_) => {}
                Err(error) => error!(%error, "Could not finish a claim"),
            }
        }
    }
}

/// A voucher that is about to be claimed, as it is written down.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Begun {
    pub(crate) channel: String,
    config: ChannelConfig,
    ceiling: Atomic,
    signature: String,
    /// What is claimed of the channel in all after this.
    pub(crate) claimed: Atomic,
    /// What goes back to its payer with it.
    pub(crate) back: Option<Atomic>,
}

impl Begun {
    fn of(row: &ChannelRow) -> Option<Self> {
        Some(Self {
            channel: row.id.clone(),
            config: serde_json::from_str(&row.config).ok()?,
            ceiling: row.ceiling,
            signature: row.signature.clone(),
            claimed: row.charged,
            back: None,
        })
    }

    pub(crate) fn claim(&self) -> Option<Claim> {
        Some(Claim {
            channel: self.config.clone(),
            max_claimable: self.ceiling,
            signature: hex::decode(&self.signature).ok()?,
            total_claimed: self.claimed,
        })
    }
}
