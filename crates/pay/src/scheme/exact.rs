//! `exact`: a fixed amount, by EIP-3009 or, where the offer says so, by Permit2.
//!
//! See `specs/schemes/exact/scheme_exact_evm.md`.

use alloy_primitives::{Address, B256, U256};
use glassbox_core::Atomic;
use serde::{Deserialize, Serialize};

use super::field::{address, bytes32, hex_bytes, number, positive_amount, signed_by};
use super::offer::check_accepted;
use super::permit2::{self, Permit, Permit2Payload};
use super::window::Window;
use super::{Offer, Scheme, TransferMethod, part};
use crate::eip712::permit2::{PermitTransfer, Witness};
use crate::eip712::{self, Transfer};
use crate::evm::addresses::{EXACT_PERMIT2_PROXY, PERMIT2};
use crate::facilitator::Rejection;
use crate::x402::{ErrorCode, PaymentPayload, PaymentRequirements};

pub use super::PaymentKey;

/// The scheme's part of an `exact` payment by EIP-3009.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ExactPayload {
    /// `0x` and 65 bytes: r, s, v.
    pub signature: String,
    /// What was signed.
    pub authorization: ExactAuthorization,
}

/// The arguments of EIP-3009 `TransferWithAuthorization` as they travel: numbers as digits, bytes as hex.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ExactAuthorization {
    /// The payer.
    pub from: String,
    /// The payee.
    pub to: String,
    /// The amount in atomic units.
    pub value: String,
    /// The Unix second after which it is valid.
    pub valid_after: String,
    /// The Unix second before which it is valid.
    pub valid_before: String,
    /// 32 bytes that no other authorization of this payer has.
    pub nonce: String,
}

/// What binds an `exact` payment by Permit2, as it travels.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ExactWitness {
    /// The payee.
    pub to: String,
    /// The first Unix second at which it is taken.
    pub valid_after: String,
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
    /// Who moves the token.
    pub method: Method,
}

/// Who moves the token of an `exact` payment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Method {
    /// The token itself.
    Eip3009,
    /// Permit2, which is the `asset` of the payment's key.
    Permit2 {
        /// The token.
        token: Address,
        /// The payer's allowance for Permit2, if it sent one along.
        permit: Option<Permit>,
    },
}

/// Checks everything about a payment but its time, so that a payment settled long ago is still recognised.
pub fn read(payload: &PaymentPayload, offered: &PaymentRequirements) -> Result<Authorization, Rejection> {
    check_accepted(Scheme::Exact, payload, offered)?;
    let offer = Offer::read(Scheme::Exact, offered)?;
    match offer.method.unwrap_or(TransferMethod::Eip3009) {
        TransferMethod::Eip3009 => read_eip3009(payload, &offer),
        TransferMethod::Permit2 => read_permit2(payload, &offer),
    }
}

fn read_eip3009(payload: &PaymentPayload, offer: &Offer) -> Result<Authorization, Rejection> {
    let exact: ExactPayload = part(payload, "an EIP-3009 authorization")?;
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
    let digest = eip712::transfer_digest(&offer.domain, &transfer);
    let signature = signed_by(transfer.from, digest, &exact.signature, ErrorCode::Signature)?;
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
        method: Method::Eip3009,
    })
}

fn read_permit2(payload: &PaymentPayload, offer: &Offer) -> Result<Authorization, Rejection> {
    let exact: Permit2Payload<ExactWitness> = part(payload, "an authorization by Permit2")?;
    let witness = &exact.permit2_authorization.witness;
    let (to, valid_after) = (address("to", &witness.to)?, number("validAfter", &witness.valid_after)?);
    let witness = Witness::Exact { to, valid_after };
    let (payer, transfer, signature) = exact.read(offer, EXACT_PERMIT2_PROXY, to, &witness)?;
    let permit =
        permit2::read_permit(payload, offer, payer, offer.amount, ErrorCode::Permit2612AmountMismatch)?;
    Ok(Authorization {
        key: PaymentKey { network: offer.network, asset: PERMIT2, payer, nonce: B256::from(transfer.nonce) },
        to,
        amount: offer.amount,
        valid_after,
        valid_before: transfer.deadline,
        signature,
        method: Method::Permit2 { token: transfer.token, permit },
    })
}

/// Checks that the authorization is valid now and outlives a run of `run_ms_max` and the settlement after it.
pub fn check_window(authorization: &Authorization, now_s: u64, run_ms_max: u64) -> Result<(), Rejection> {
    let Authorization { valid_after, valid_before, method, .. } = authorization;
    match method {
        Method::Eip3009 => Window {
            after: *valid_after,
            before: *valid_before,
            too_early: ErrorCode::ValidAfter,
            too_late: ErrorCode::ValidBefore,
        }
        .check(now_s, run_ms_max),
        Method::Permit2 { permit, .. } => {
            permit2::check_window(*valid_after, *valid_before, permit.as_ref(), now_s, run_ms_max)
        }
    }
}

impl Authorization {
    /// Returns what was signed by EIP-3009.
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

    /// Returns what Permit2 is told, for a payment by it.
    pub fn permit_transfer(&self) -> Option<PermitTransfer> {
        match &self.method {
            Method::Eip3009 => None,
            Method::Permit2 { token, .. } => Some(PermitTransfer {
                token: *token,
                amount: U256::from(self.amount.0),
                spender: EXACT_PERMIT2_PROXY,
                nonce: self.key.nonce.into(),
                deadline: self.valid_before,
            }),
        }
    }
}

impl PaymentPayload {
    /// Reads the scheme's part as that of `exact` by EIP-3009, or says what is wrong with it.
    pub fn exact(&self) -> Result<ExactPayload, Rejection> {
        part(self, "an EIP-3009 authorization")
    }
}

impl ExactPayload {
    /// Reads what was signed.
    pub(crate) fn transfer(&self) -> Result<Transfer, Rejection> {
        let wire = &self.authorization;
        Ok(Transfer {
            from: address("from", &wire.from)?,
            to: address("to", &wire.to)?,
            value: U256::from(positive_amount("value", &wire.value)?.0),
            valid_after: number("validAfter", &wire.valid_after)?,
            valid_before: number("validBefore", &wire.valid_before)?,
            nonce: bytes32("nonce", &wire.nonce)?,
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
