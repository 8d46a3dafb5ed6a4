//! What we ask for a call: the ways to pay, in the order in which we would like them.

use glassbox_core::manifest::Terms;
use glassbox_core::receipt::Payment;
use glassbox_core::terms::Quote;
use glassbox_core::value::{example, schema};
use glassbox_core::{Atomic, FunctionName, ReleaseId, limits};
use glassbox_pay::scheme::Scheme;
use glassbox_pay::scheme::batch::{CHANNEL_STATE, VOUCHER_STATE};
use glassbox_pay::x402::extensions::offer_receipt::{
    self, Issuer, Offer as SignedOffer, Receipt as SignedReceipt, Signed,
};
use glassbox_pay::x402::extensions::{bazaar, gas_sponsoring, payment_identifier};
use glassbox_pay::x402::{
    self, ErrorCode, PaymentRequired, PaymentRequirements, Resource, SettleResponse, VERSION,
};
use glassbox_store::{ChannelRow, VoucherRefusal};
use serde_json::{Map, Value, json};

use crate::call::PaidResource;
use crate::error::CallError;
use crate::hold::Order;
use crate::live::Live;
use crate::open::Registry;

impl Registry {
    /// Returns what x402 asks for a quote; `None` when there is nothing to pay.
    pub(crate) fn requirements(
        &self,
        live: &Live,
        quote: &Quote,
        resource: Option<&PaidResource>,
    ) -> Option<PaymentRequired> {
        if quote.amount_max == Atomic::ZERO {
            return None;
        }
        let mut required = PaymentRequired {
            x402_version: VERSION,
            error: None,
            resource: Resource {
                url: match resource {
                    Some(resource) => resource.url.clone(),
                    None => self.call_url(&live.id, &quote.function),
                },
                description: Some(describe(live, quote)),
                mime_type: Some("application/json".into()),
            },
            accepts: self.offers(&live.terms, quote),
            extensions: None,
        };
        self.declare(&mut required);
        Some(required)
    }

    /// The same, for who asks for a price: with the offers signed, and with what the function takes and gives.
    pub(crate) fn price(
        &self,
        live: &Live,
        quote: &Quote,
        resource: Option<&PaidResource>,
    ) -> Option<PaymentRequired> {
        let mut required = self.requirements(live, quote, resource)?;
        let discovery = match resource {
            Some(resource) => Some((bazaar::NAME, resource.discovery.clone())),
            None => discovery(live, &quote.function),
        };
        self.advertise(&mut required, discovery);
        Some(required)
    }

    /// Writes an offer for each scheme that the rail settles and the terms accept.
    ///
    /// A client takes the first that it knows. Where the cost is known before, that is the plain payment; where usage or payer
    /// decide, it is a ceiling of which no more is taken than is charged. `exact` is left for those who know nothing else: it takes
    /// the ceiling, and what is too much goes back.
    fn offers(&self, terms: &Terms, quote: &Quote) -> Vec<PaymentRequirements> {
        let is_ceiling = quote.is_ceiling(terms);
        let order = match is_ceiling {
            true => [Scheme::Upto, Scheme::Batch, Scheme::Exact],
            false => [Scheme::Exact, Scheme::Batch, Scheme::Upto],
        };
        let timeout_s = limits::CALL_WALL_MS_MAX / 1_000 + limits::OFFER_MARGIN_SECONDS;
        let network = self.rail.network().to_string();
        let offered = order.into_iter().filter(|scheme| {
            let refunds = is_ceiling && *scheme == Scheme::Exact;
            self.rail.schemes().contains(scheme)
                && terms.accepts(scheme.as_str(), &network)
                && (!refunds || self.rail.can_pay_out())
        });
        offered
            .map(|scheme| self.rail.offer(scheme, quote.amount_max, self.rail.treasury(), timeout_s))
            .collect()
    }

    /// Says which extensions are spoken here. Whoever pays must know, also after a refusal.
    pub(crate) fn declare(&self, required: &mut PaymentRequired) {
        // Small, and of our own words: the header has room for them.
        let extensions = required.extensions.get_or_insert_with(Map::new);
        if required.accepts.iter().any(|offer| offer.scheme == Scheme::Upto.as_str()) {
            extensions.insert(gas_sponsoring::NAME.to_owned(), gas_sponsoring::declare());
        }
        extensions.insert(payment_identifier::NAME.to_owned(), payment_identifier::declare(false));
    }

    /// Adds what only who asks for a price wants: the offers signed, and `last` what this resource has besides, as far as a
    /// header carries it. Signing takes longer than many a call, so who pays already is spared it.
    pub(crate) fn advertise(&self, required: &mut PaymentRequired, last: Option<(&'static str, Value)>) {
        let issuer = Issuer::Jws(&self.keys.executor);
        let valid_until = (self.env.now_ms() / 1_000) as u64 + limits::OFFER_MARGIN_SECONDS;
        let signed = required.accepts.iter().enumerate().map(|(index, offer)| {
            issuer.sign_offer(&SignedOffer::of(offer, &required.resource.url, valid_until), index)
        });
        let signed = offer_receipt::offers(&signed.collect::<Vec<_>>());
        add(required, offer_receipt::NAME, signed);
        if let Some((name, extension)) = last {
            add(required, name, extension);
        }
    }

    /// Signs that a payment was made for a resource, as x402 has it: which says who paid for what, and not what came of it.
    pub(crate) fn sign_receipt(&self, payment: &Payment, resource: &str) -> Signed<SignedReceipt> {
        Issuer::Jws(&self.keys.executor).sign_receipt(&SignedReceipt {
            version: offer_receipt::VERSION,
            network: payment.network.clone(),
            resource_url: resource.to_owned(),
            payer: payment.payer.clone(),
            issued_at: (self.env.now_ms() / 1_000) as u64,
            transaction: payment.transaction.clone(),
        })
    }

    pub(crate) fn call_url(&self, release: &ReleaseId, function: &FunctionName) -> String {
        let (package, version) = (&release.package, &release.version);
        let (base, short) = (&self.config.public_url, function.short());
        format!("{base}/v1/call/{}/{}/{version}/{short}", package.namespace(), package.name())
    }
}

/// Says what is quoted, for whoever shall sign it.
fn describe(live: &Live, quote: &Quote) -> String {
    let mut text = format!("{} of {}, up to {} fuel", quote.function.short(), live.id, quote.fuel_max);
    for line in quote.dependencies() {
        let release = line.dependency.iter().map(ToString::to_string).collect::<String>();
        text.push_str(&format!(", with at most ${} for {release}", line.amount.to_decimal()));
    }
    text
}

/// Puts a signed receipt into the answer of a settlement.
pub(crate) fn attest(response: &mut SettleResponse, receipt: &Signed<SignedReceipt>) {
    let extensions = response.extensions.get_or_insert_with(Map::new);
    extensions.insert(offer_receipt::NAME.to_owned(), offer_receipt::receipt(receipt));
}

/// Says what a function takes and gives, for those who look for services to call.
fn discovery(live: &Live, function: &FunctionName) -> Option<(&'static str, Value)> {
    let function = live.function(&function.to_string()).ok()?;
    let input = bazaar::Input::Body {
        method: "POST",
        example: json!({ "args": example::of_args(&function.ty) }),
        schema: json!({ "properties": { "args": schema::of_args(&function.ty, "") }, "required": ["args"] }),
    };
    let output = bazaar::Output {
        example: json!({ "output": example::of_result(&function.ty) }),
        schema: json!({ "properties": { "output": schema::of_result(&function.ty, "") } }),
    };
    Some((bazaar::NAME, bazaar::declare(&input, Some(&output))))
}

/// Says why a voucher does not fit its channel, and what the channel is like, so that the payer can sign one that does.
pub(crate) fn voucher_refused(refusal: VoucherRefusal, order: &Order) -> CallError {
    let mut required = order.required.clone();
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
                let voucher =
                    json!({ "signedMaxClaimable": channel.ceiling, "signature": channel.signature });
                offer.extra.insert(VOUCHER_STATE.into(), voucher);
            }
        }
    }
    CallError::PaymentRequired { amount: order.amount_max, required: Box::new(required) }
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

/// Adds an extension, where the header has room for it.
fn add(required: &mut PaymentRequired, name: &str, extension: Value) {
    // In base64, four bytes for three.
    let size = extension.to_string().len() / 3 * 4 + name.len() + 8;
    if x402::encode(required).len() + size <= limits::PAYMENT_REQUIRED_BYTES_MAX {
        required.extensions.get_or_insert_with(Map::new).insert(name.to_owned(), extension);
    }
}
