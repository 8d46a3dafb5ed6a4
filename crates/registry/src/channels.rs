//! Payment channels: what their contract says, and turning vouchers into money.

use glassbox_core::ledger::claim;
use glassbox_core::{Atomic, limits};
use glassbox_pay::scheme::batch::{self, Action, ChannelConfig};
use glassbox_pay::x402::ErrorCode;
use glassbox_pay::{B256, Claim, Rejection, Settlement, hex};
use glassbox_store::{ChainState, ChannelRow, VoucherRefusal};
use tracing::{error, info, warn};

use crate::error::{CallError, RegistryError};
use crate::hold::Order;
use crate::offer::{channel_state, voucher_refused};
use crate::open::Registry;
use crate::payment::{Tender, channel_text};
use crate::settle::within;

/// A payer's wish to have the rest of a channel back.
pub(crate) struct RefundWish<'a> {
    batch: &'a batch::Authorization,
    /// How much; everything when absent.
    amount: Option<Atomic>,
}

impl Tender {
    /// Returns the wish for a refund, where that is what came instead of a payment.
    pub(crate) fn channel_refund(&self) -> Option<RefundWish<'_>> {
        let batch = self.channel()?;
        match &batch.action {
            Action::Refund(amount) => Some(RefundWish { batch, amount: *amount }),
            Action::Voucher | Action::Deposit(_) => None,
        }
    }
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

    /// Gives the payer of a channel back what its calls did not cost. Always an `Err`: there is no output, and
    /// [`CallError::ChannelRefunded`] says that it worked.
    pub(crate) async fn refund_channel(&self, wish: RefundWish<'_>, order: &Order) -> CallError {
        let refused = |code: ErrorCode, message: &str| order.refused(Rejection::new(code, message));
        let id = channel_text(wish.batch.channel_id);
        let found = async {
            let row = self.store.channel(&id).await?;
            let Some(mut channel) = row else {
                return Err(refused(ErrorCode::BatchMissingChannel, "no call was paid through this channel"));
            };
            if channel.call.is_some() {
                return Err(refused(ErrorCode::BatchChannelBusy, "a call of this channel is under way"));
            }
            if wish.batch.max_claimable != channel.charged {
                // A payer that lost count is told, and asks again.
                let mismatch = VoucherRefusal::Mismatch(Box::new(channel));
                return Err(voucher_refused(mismatch, order));
            }
            channel.learn(&self.ask_contract(wish.batch.channel_id).await?, self.env.now_ms());
            Ok(channel)
        };
        let channel = match found.await {
            Ok(channel) => channel,
            Err(error) => return error,
        };
        let rest = channel.balance.0.saturating_sub(channel.charged.0);
        let amount = wish.amount.map_or(rest, |amount| amount.0);
        if rest == 0 {
            return refused(ErrorCode::BatchRefundNoBalance, "nothing is left in the channel");
        }
        if amount == 0 || amount > rest {
            return refused(ErrorCode::BatchRefundAmountInvalid, "the channel does not hold as much");
        }
        let newest = Claim {
            channel: wish.batch.channel.clone(),
            max_claimable: wish.batch.max_claimable,
            signature: wish.batch.signature.to_vec(),
            total_claimed: channel.charged,
        };
        let key = format!("refund:{id}:{}", channel.refund_nonce);
        let settlement = within(self.rail.refund_channel(&key, &newest, Atomic(amount))).await;
        let response = settlement.response(self.rail.network());
        match settlement {
            Settlement::Settled { transaction, .. } => {
                let booked = self.book_channel(&channel, &transaction.to_string()).await;
                let channel = match booked {
                    Ok(channel) => channel,
                    Err(error) => return error,
                };
                let mut response = response.expect("a settlement is decided");
                let extra = serde_json::json!({ "channelState": channel_state(&channel) });
                response.extra = extra.as_object().cloned();
                CallError::ChannelRefunded { channel: channel.id, response: Box::new(response) }
            }
            Settlement::Rejected(rejection) => order.refused(rejection),
            Settlement::Unknown { detail } => {
                warn!(channel = id, detail, "The refund of a channel is unknown");
                CallError::Busy
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
