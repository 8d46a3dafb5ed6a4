//! Our own offer in types, and what a client repeats of it.

use alloy_primitives::Address;
use glassbox_core::Atomic;
use glassbox_core::limits::CHANNEL_WITHDRAW_SECONDS;
use serde_json::{Map, Value};

use super::Scheme;
use super::batch::{RECEIVER_AUTHORIZER, WITHDRAW_DELAY};
use super::field::address;
use super::upto::FACILITATOR_ADDRESS;
use crate::eip712::Domain;
use crate::error::PayError;
use crate::facilitator::Rejection;
use crate::network::Network;
use crate::x402::{ErrorCode, PaymentPayload, PaymentRequirements, VERSION, clip};

/// How the token is moved: `extra.assetTransferMethod`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TransferMethod {
    Eip3009,
    Permit2,
}

/// Our own offer in types.
pub(crate) struct Offer {
    pub(crate) network: Network,
    /// The token's signing domain.
    pub(crate) domain: Domain,
    pub(crate) pay_to: Address,
    pub(crate) amount: Atomic,
    /// None where the offer leaves the choice to the scheme.
    pub(crate) method: Option<TransferMethod>,
}

impl Offer {
    /// Reads an offer of the scheme.
    pub(crate) fn read(scheme: Scheme, offered: &PaymentRequirements) -> Result<Self, Rejection> {
        if offered.scheme != scheme.as_str() {
            return Err(refused(format!("`{}` is not `{scheme}`", clip(&offered.scheme))));
        }
        let network: Network =
            offered.network.parse().map_err(|error: PayError| refused(error.to_string()))?;
        let text = |name: &'static str| {
            let missing = || refused(format!("the offer's `extra.{name}` is missing"));
            offered.extra_text(name).map(str::to_owned).ok_or_else(missing)
        };
        Ok(Self {
            network,
            domain: Domain {
                name: text("name")?,
                version: text("version")?,
                chain_id: network.chain_id,
                verifying_contract: address("asset", &offered.asset).map_err(of_offer)?,
            },
            pay_to: address("payTo", &offered.pay_to).map_err(of_offer)?,
            amount: offered.amount().map_err(refused)?,
            method: match offered.extra_text("assetTransferMethod") {
                None => None,
                Some("eip3009") => Some(TransferMethod::Eip3009),
                Some("permit2") => Some(TransferMethod::Permit2),
                Some(other) => {
                    let message = format!("`{scheme}` by `{}` is not supported here", clip(other));
                    return Err(refused(message));
                }
            },
        })
    }

    /// Reads an address of the offer's `extra`.
    pub(crate) fn extra_address(
        offered: &PaymentRequirements,
        name: &'static str,
    ) -> Result<Address, Rejection> {
        let text = offered.extra_text(name);
        let text = text.ok_or_else(|| refused(format!("the offer's `extra.{name}` is missing")))?;
        address(name, text).map_err(of_offer)
    }
}

/// Who is named in an offer besides the one who is paid.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Parties {
    /// Who alone submits an `upto` payment.
    pub(crate) facilitator: Address,
    /// Whose signature claims the vouchers of a channel.
    pub(crate) operator: Address,
}

/// Writes an offer to be paid `amount` in the token.
pub(crate) fn write(
    scheme: Scheme,
    token: &Domain,
    parties: Parties,
    amount: Atomic,
    pay_to: Address,
    timeout_s: u64,
) -> PaymentRequirements {
    let mut extra = Map::new();
    let mut say = |name: &str, value: Value| extra.insert(name.to_owned(), value);
    say("name", token.name.as_str().into());
    say("version", token.version.as_str().into());
    match scheme {
        Scheme::Exact => {}
        Scheme::Upto => {
            say("assetTransferMethod", "permit2".into());
            say(FACILITATOR_ADDRESS, parties.facilitator.to_checksum(None).into());
        }
        Scheme::Batch => {
            say(RECEIVER_AUTHORIZER, parties.operator.to_checksum(None).into());
            say(WITHDRAW_DELAY, CHANNEL_WITHDRAW_SECONDS.into());
        }
    }
    PaymentRequirements {
        scheme: scheme.as_str().to_owned(),
        network: Network { chain_id: token.chain_id }.to_string(),
        amount: amount.to_string(),
        asset: token.verifying_contract.to_checksum(None),
        pay_to: pay_to.to_checksum(None),
        max_timeout_seconds: timeout_s,
        extra,
    }
}

/// Compares the offer that the client took with our own, field by field.
pub(super) fn check_accepted(
    scheme: Scheme,
    payload: &PaymentPayload,
    offered: &PaymentRequirements,
) -> Result<(), Rejection> {
    let accepted = &payload.accepted;
    if payload.x402_version != VERSION {
        let message = format!("x402 version {VERSION} is spoken here, not {}", payload.x402_version);
        return Err(Rejection::new(ErrorCode::InvalidX402Version, message));
    }
    if offered.scheme != scheme.as_str() || accepted.scheme != offered.scheme {
        let message = format!("the scheme `{}` is not on offer", clip(&accepted.scheme));
        return Err(Rejection::new(ErrorCode::UnsupportedScheme, message));
    }
    if accepted.network != offered.network {
        let message = format!("the network is {}, not `{}`", offered.network, clip(&accepted.network));
        return Err(Rejection::new(ErrorCode::InvalidNetwork, message));
    }
    let differs = if accepted.amount != offered.amount {
        Some("amount")
    } else if !accepted.asset.eq_ignore_ascii_case(&offered.asset) {
        Some("asset")
    } else if !accepted.pay_to.eq_ignore_ascii_case(&offered.pay_to) {
        Some("payTo")
    } else if accepted.max_timeout_seconds != offered.max_timeout_seconds {
        Some("maxTimeoutSeconds")
    } else if offered.extra.iter().any(|(name, value)| accepted.extra.get(name) != Some(value)) {
        // A client may add to what we said, never change it.
        Some("extra")
    } else {
        None
    };
    match differs {
        None => Ok(()),
        Some(field) => Err(refused(format!("the accepted `{field}` is not that of the current offer"))),
    }
}

/// What is wrong with an offer is its maker's mistake, or the client took another.
pub(super) fn refused(message: String) -> Rejection {
    Rejection::new(ErrorCode::InvalidPaymentRequirements, message)
}

fn of_offer(rejection: Rejection) -> Rejection {
    refused(rejection.message)
}
