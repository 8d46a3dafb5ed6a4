//! What we ask for a call: the ways to pay, in the order in which we would like them.

use glassbox_core::manifest::Unit;
use glassbox_core::terms::Quote;
use glassbox_core::{Atomic, FunctionName, limits};
use glassbox_pay::scheme::Scheme;
use glassbox_pay::scheme::batch::{CHANNEL_STATE, VOUCHER_STATE};
use glassbox_pay::x402::{ErrorCode, PaymentRequired, PaymentRequirements, Resource, VERSION};
use glassbox_store::{ChannelRow, VoucherRefusal};
use serde_json::json;

use crate::call::Plan;
use crate::error::CallError;
use crate::live::Live;
use crate::open::Registry;

impl Registry {
    /// Returns what x402 asks for a quote; `None` when there is nothing to pay.
    pub(crate) fn requirements(&self, live: &Live, quote: &Quote) -> Option<PaymentRequired> {
        if quote.amount_max == Atomic::ZERO {
            return None;
        }
        Some(PaymentRequired {
            x402_version: VERSION,
            error: None,
            resource: Resource {
                url: self.call_url(live, &quote.function),
                description: Some(format!(
                    "{} of {}, up to {} fuel",
                    quote.function.short(),
                    live.id,
                    quote.fuel_max
                )),
                mime_type: Some("application/json".into()),
            },
            accepts: self.offers(quote),
            extensions: Some(self.extensions()),
        })
    }

    /// Writes an offer for each scheme that the rail settles.
    ///
    /// A client takes the first that it knows. Where the cost is known before, that is the plain payment; where fuel decides,
    /// it is a ceiling of which no more is taken than was burnt. `exact` is left for those who know nothing else: it takes
    /// the ceiling, and what is too much goes back.
    fn offers(&self, quote: &Quote) -> Vec<PaymentRequirements> {
        let fuel_decides = quote.lines.iter().any(|line| line.unit == Unit::Fuel);
        let order = match fuel_decides {
            true => [Scheme::Upto, Scheme::Batch, Scheme::Exact],
            false => [Scheme::Exact, Scheme::Batch, Scheme::Upto],
        };
        let timeout_s = limits::CALL_WALL_MS_MAX / 1_000 + limits::OFFER_MARGIN_SECONDS;
        let offered = order.into_iter().filter(|scheme| self.rail.schemes().contains(scheme));
        offered
            .map(|scheme| self.rail.offer(scheme, quote.amount_max, self.rail.treasury(), timeout_s))
            .collect()
    }

    fn call_url(&self, live: &Live, function: &FunctionName) -> String {
        let (package, version) = (&live.id.package, &live.id.version);
        let (base, short) = (&self.config.public_url, function.short());
        format!("{base}/v1/call/{}/{}/{version}/{short}", package.namespace(), package.name())
    }
}

/// Says why a voucher does not fit its channel, and what the channel is like, so that the payer can sign one that does.
pub(crate) fn voucher_refused(
    refusal: VoucherRefusal,
    plan: &Plan,
    mut required: PaymentRequired,
) -> CallError {
    let (code, channel) = match refusal {
        VoucherRefusal::Busy { .. } => (ErrorCode::BatchChannelBusy, None),
        VoucherRefusal::Mismatch(channel) => (ErrorCode::BatchCumulativeAmountMismatch, Some(channel)),
        VoucherRefusal::Short(channel) | VoucherRefusal::Closing(channel) => {
            (ErrorCode::BatchCumulativeExceedsBalance, Some(channel))
        }
    };
    required.error = Some(code.to_string());
    for offer in required.accepts.iter_mut().filter(|offer| offer.scheme == Scheme::Batch.as_str()) {
        if let Some(channel) = &channel {
            offer.extra.insert(CHANNEL_STATE.into(), channel_state(channel));
            if !channel.signature.is_empty() {
                let voucher = json!({ "signedMaxClaimable": channel.ceiling, "signature": channel.signature });
                offer.extra.insert(VOUCHER_STATE.into(), voucher);
            }
        }
    }
    CallError::PaymentRequired { amount: plan.quote.amount_max, required: Box::new(required) }
}

/// Writes what we know of a channel as x402 does.
pub(crate) fn channel_state(channel: &ChannelRow) -> serde_json::Value {
    json!({
        "channelId": channel.id,
        "balance": channel.balance,
        "totalClaimed": channel.claimed,
        "withdrawRequestedAt": channel.withdraw_requested_at,
        "refundNonce": channel.refund_nonce,
        "chargedCumulativeAmount": channel.charged,
    })
}
