//! The check of an `exact` payment by EIP-3009 against our own current offer.
//!
//! Pure: no clock, no chain. What only a chain knows (balance, spent nonces) is the facilitator's part.
//! Nothing that the client repeats of our offer is believed; the signature is recovered over our own words.

use std::fmt;
use std::str::FromStr;

use alloy_primitives::{Address, B256, U256, hex};
use glassbox_core::Atomic;

use crate::eip712::{self, Domain, Transfer};
use crate::error::PayError;
use crate::facilitator::Rejection;
use crate::network::Network;
use crate::x402::{
    ErrorCode, ExactAuthorization, ExactPayload, PaymentPayload, PaymentRequirements, SCHEME_EXACT, VERSION,
    clip, positive_amount,
};
use glassbox_core::limits::SETTLE_SECONDS_MAX;

/// What makes a payment the one it is: a token's contract takes each nonce of a payer once.
///
/// Its text is `eip155:84532/0x<asset>/0x<payer>/0x<nonce>` in lower case, fit for a unique column.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PaymentKey {
    /// The network.
    pub network: Network,
    /// The token.
    pub asset: Address,
    /// The payer.
    pub payer: Address,
    /// The payer's nonce.
    pub nonce: B256,
}

/// A payment that was checked: its signature is the payer's, and it pays our offer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authorization {
    /// What makes it one payment.
    pub key: PaymentKey,
    /// Who receives.
    pub to: Address,
    /// How much.
    pub amount: Atomic,
    /// The Unix second after which it is valid.
    pub valid_after: U256,
    /// The Unix second before which it is valid.
    pub valid_before: U256,
    /// r, s, v.
    pub signature: [u8; 65],
}

/// Checks a payment against the offer that we make now, at the Unix second `now_s`, for a run of at most `run_ms_max`.
///
/// The authorization must be valid already (the stock clients let it be so from second 0 on) and must outlive the run
/// and the settlement after it.
pub fn check(
    payload: &PaymentPayload,
    offered: &PaymentRequirements,
    now_s: u64,
    run_ms_max: u64,
) -> Result<Authorization, Rejection> {
    let authorization = read(payload, offered)?;
    check_window(&authorization, now_s, run_ms_max)?;
    Ok(authorization)
}

/// Checks everything about a payment but its time, so that a payment settled long ago is still recognised.
pub fn read(payload: &PaymentPayload, offered: &PaymentRequirements) -> Result<Authorization, Rejection> {
    check_accepted(payload, offered)?;
    let offer = Offer::read(offered)?;
    let exact = payload
        .exact()
        .map_err(|error| malformed(format!("the payload is not an EIP-3009 authorization: {error}")))?;
    let transfer = exact.transfer()?;
    if transfer.to != offer.pay_to {
        return Err(Rejection::new(
            ErrorCode::RecipientMismatch,
            format!("the authorization pays {}, not {}", transfer.to, offer.pay_to),
        ));
    }
    if transfer.value != U256::from(offer.amount.0) {
        return Err(Rejection::new(
            ErrorCode::ValueMismatch,
            format!("the authorization is over {}, not {}", transfer.value, offer.amount),
        ));
    }
    let signature = signed_by(&offer.domain, &transfer, &exact)?;
    Ok(Authorization {
        key: PaymentKey {
            network: offer.network,
            asset: offer.domain.verifying_contract,
            payer: transfer.from,
            nonce: transfer.nonce,
        },
        to: transfer.to,
        amount: offer.amount,
        valid_after: transfer.valid_after,
        valid_before: transfer.valid_before,
        signature,
    })
}

/// Checks that the authorization is valid now and outlives a run of `run_ms_max` and the settlement after it.
pub fn check_window(authorization: &Authorization, now_s: u64, run_ms_max: u64) -> Result<(), Rejection> {
    // The token compares strictly, so a payment dated this very second would fail at settlement, after the run.
    if authorization.valid_after >= U256::from(now_s) {
        return Err(Rejection::new(
            ErrorCode::ValidAfter,
            format!("the authorization is valid after {}, and it is {now_s}", authorization.valid_after),
        ));
    }
    let needed_until = now_s.saturating_add(run_ms_max.div_ceil(1000)).saturating_add(SETTLE_SECONDS_MAX);
    if authorization.valid_before < U256::from(needed_until) {
        return Err(Rejection::new(
            ErrorCode::ValidBefore,
            format!(
                "the authorization is valid before {}; it must cover the run and its settlement until {needed_until}",
                authorization.valid_before
            ),
        ));
    }
    Ok(())
}

/// Compares the offer that the client took with our own, field by field.
fn check_accepted(payload: &PaymentPayload, offered: &PaymentRequirements) -> Result<(), Rejection> {
    let accepted = &payload.accepted;
    if payload.x402_version != VERSION {
        let message = format!("x402 version {VERSION} is spoken here, not {}", payload.x402_version);
        return Err(Rejection::new(ErrorCode::InvalidX402Version, message));
    }
    if offered.scheme != SCHEME_EXACT || accepted.scheme != offered.scheme {
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
        Some(field) => Err(Rejection::new(
            ErrorCode::InvalidPaymentRequirements,
            format!("the accepted `{field}` is not that of the current offer"),
        )),
    }
}

/// Our own offer in types.
pub(crate) struct Offer {
    pub(crate) network: Network,
    pub(crate) domain: Domain,
    pub(crate) pay_to: Address,
    pub(crate) amount: Atomic,
}

impl Offer {
    /// Reads an offer by EIP-3009.
    pub(crate) fn read(offered: &PaymentRequirements) -> Result<Self, Rejection> {
        let refused = |reason: String| Rejection::new(ErrorCode::InvalidPaymentRequirements, reason);
        let method = offered.extra_text("assetTransferMethod").unwrap_or("eip3009");
        if offered.scheme != SCHEME_EXACT || method != "eip3009" {
            return Err(refused(format!(
                "`{}` by `{}` is not supported here",
                clip(&offered.scheme),
                clip(method)
            )));
        }
        let network: Network =
            offered.network.parse().map_err(|error: PayError| refused(error.to_string()))?;
        let text = |name: &'static str| {
            let missing = || refused(format!("the offer's `extra.{name}` is missing"));
            offered.extra_text(name).map(str::to_owned).ok_or_else(missing)
        };
        let of_offer = |rejection: Rejection| refused(rejection.message);
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
        })
    }
}

fn signed_by(domain: &Domain, transfer: &Transfer, exact: &ExactPayload) -> Result<[u8; 65], Rejection> {
    let refused = |reason: String| Rejection::new(ErrorCode::Signature, reason);
    let bytes = exact
        .signature_bytes()
        .ok_or_else(|| refused("the signature is not `0x` and at most 65 bytes of hex".to_owned()))?;
    let digest = eip712::transfer_digest(domain, transfer);
    let signer = eip712::recover(digest, &bytes).map_err(|error| refused(error.to_string()))?;
    if signer != transfer.from {
        return Err(refused(format!("the signature over our offer is not that of {}", transfer.from)));
    }
    Ok(bytes.try_into().expect("recovery took it, so it has 65 bytes"))
}

impl Authorization {
    /// Returns what was signed.
    pub(crate) fn transfer(&self) -> Transfer {
        Transfer {
            from: self.key.payer,
            to: self.to,
            value: U256::from(self.amount.0),
            valid_after: self.valid_after,
            valid_before: self.valid_before,
            nonce: self.key.nonce,
        }
    }
}

impl ExactPayload {
    /// Reads what was signed.
    pub(crate) fn transfer(&self) -> Result<Transfer, Rejection> {
        let wire = &self.authorization;
        positive_amount(&wire.value).map_err(|reason| malformed(format!("`value`: {reason}")))?;
        Ok(Transfer {
            from: address("from", &wire.from)?,
            to: address("to", &wire.to)?,
            value: number("value", &wire.value)?,
            valid_after: number("validAfter", &wire.valid_after)?,
            valid_before: number("validBefore", &wire.valid_before)?,
            nonce: nonce(&wire.nonce)?,
        })
    }

    /// Reads the bytes of the signature, if they are hex and not too many.
    pub(crate) fn signature_bytes(&self) -> Option<Vec<u8>> {
        hex_bytes(&self.signature)
    }
}

impl From<&Transfer> for ExactAuthorization {
    fn from(transfer: &Transfer) -> Self {
        Self {
            from: transfer.from.to_checksum(None),
            to: transfer.to.to_checksum(None),
            value: transfer.value.to_string(),
            valid_after: transfer.valid_after.to_string(),
            valid_before: transfer.valid_before.to_string(),
            nonce: transfer.nonce.to_string(),
        }
    }
}

fn malformed(message: String) -> Rejection {
    Rejection::new(ErrorCode::InvalidPayload, message)
}

/// Reads an address in any letter case. The checksum is not insisted upon, because not every client writes it.
fn address(name: &str, text: &str) -> Result<Address, Rejection> {
    let bytes = hex_bytes(text).and_then(|bytes| <[u8; 20]>::try_from(bytes).ok());
    bytes.map(Address::from).ok_or_else(|| malformed(format!("`{name}` is not an address: `{}`", clip(text))))
}

fn nonce(text: &str) -> Result<B256, Rejection> {
    let bytes = hex_bytes(text).and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
    bytes
        .map(B256::from)
        .ok_or_else(|| malformed(format!("`nonce` is not 32 bytes of hex: `{}`", clip(text))))
}

/// Reads a number as the stock clients write it: digits without a leading zero, of at most 256 bits.
fn number(name: &str, text: &str) -> Result<U256, Rejection> {
    let refused =
        || malformed(format!("`{name}` is not a plain number of at most 256 bits: `{}`", clip(text)));
    let plain = text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    // 2^256 has 78 digits.
    if text.is_empty() || !plain || text.len() > 78 {
        return Err(refused());
    }
    U256::from_str_radix(text, 10).map_err(|_| refused())
}

fn hex_bytes(text: &str) -> Option<Vec<u8>> {
    let digits = text.strip_prefix("0x")?;
    // 65 bytes are the longest that anything here takes.
    if digits.len() > 130 { None } else { hex::decode(digits).ok() }
}

impl fmt::Display for PaymentKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // `{:#x}` is lower case; the plain `Display` of an address is checksummed.
        write!(f, "{}/{:#x}/{:#x}/{:#x}", self.network, self.asset, self.payer, self.nonce)
    }
}

impl FromStr for PaymentKey {
    type Err = PayError;

    fn from_str(text: &str) -> Result<Self, PayError> {
        let refused = || PayError::PaymentKey(clip(text));
        let parts: Vec<&str> = text.splitn(5, '/').collect();
        let [network, asset, payer, nonce_text] = parts[..] else {
            return Err(refused());
        };
        let key = Self {
            network: network.parse().map_err(|_| refused())?,
            asset: address("asset", asset).map_err(|_| refused())?,
            payer: address("payer", payer).map_err(|_| refused())?,
            nonce: nonce(nonce_text).map_err(|_| refused())?,
        };
        // One key has one text, or a unique column would hold it twice.
        if key.to_string() == text { Ok(key) } else { Err(refused()) }
    }
}
