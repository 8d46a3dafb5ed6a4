//! `upto`: the payer signs a ceiling, and the server settles what was used.
//!
//! The signature names the facilitator, who alone may submit it and says the amount. See
//! `specs/schemes/upto/scheme_upto_evm.md`.

use alloy_primitives::{Address, B256, U256};
use glassbox_core::Atomic;
use serde::{Deserialize, Serialize};

use super::field::{address, number};
use super::offer::{check_accepted, refused};
use super::permit2::{self, Permit, Permit2Payload};
use super::{Offer, PaymentKey, Scheme, TransferMethod, part};
use crate::eip712::permit2::{PermitTransfer, Witness};
use crate::evm::addresses::{PERMIT2, UPTO_PERMIT2_PROXY};
use crate::facilitator::Rejection;
use crate::x402::{ErrorCode, PaymentPayload, PaymentRequirements};

/// The name in the offer's `extra` of who will submit the payment.
pub const FACILITATOR_ADDRESS: &str = "facilitatorAddress";

/// The scheme's part of an `upto` payment.
pub type UptoPayload = Permit2Payload<UptoWitness>;

/// What binds an `upto` payment, as it travels.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UptoWitness {
    /// The payee.
    pub to: String,
    /// Who alone may submit it.
    pub facilitator: String,
    /// The first Unix second at which it is taken.
    pub valid_after: String,
}

/// A payment that was checked: its signature is the payer's, and it pays our offer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authorization {
    /// What makes it one payment; its `asset` is Permit2.
    pub key: PaymentKey,
    /// Who pays.
    pub payer: Address,
    /// The token.
    pub token: Address,
    /// Who receives.
    pub to: Address,
    /// The most that may be settled.
    pub ceiling: Atomic,
    /// Who alone may submit it.
    pub facilitator: Address,
    /// The first Unix second at which it is taken.
    pub valid_after: U256,
    /// The last Unix second at which it is taken.
    pub deadline: U256,
    /// r, s, v.
    pub signature: [u8; 65],
    /// The payer's allowance for Permit2, if it sent one along.
    pub permit: Option<Permit>,
}

/// Checks everything about a payment but its time, so that a payment settled long ago is still recognised.
pub fn read(payload: &PaymentPayload, offered: &PaymentRequirements) -> Result<Authorization, Rejection> {
    check_accepted(Scheme::Upto, payload, offered)?;
    let offer = Offer::read(Scheme::Upto, offered)?;
    if offer.method == Some(TransferMethod::Eip3009) {
        return Err(refused("`upto` by `eip3009` does not exist".to_owned()));
    }
    let facilitator = Offer::extra_address(offered, FACILITATOR_ADDRESS)?;
    let upto: UptoPayload = part(payload, "an authorization by Permit2")?;
    let witness = &upto.permit2_authorization.witness;
    let (to, valid_after) = (address("to", &witness.to)?, number("validAfter", &witness.valid_after)?);
    let signed_for = address("facilitator", &witness.facilitator)?;
    if signed_for != facilitator {
        let message = format!("the authorization is for {signed_for} to submit, not for {facilitator}");
        return Err(Rejection::new(ErrorCode::UptoFacilitatorMismatch, message));
    }
    let witness = Witness::Upto { to, facilitator, valid_after };
    let (payer, transfer, signature) = upto.read(&offer, UPTO_PERMIT2_PROXY, to, &witness)?;
    let permit =
        permit2::read_permit(payload, &offer, payer, offer.amount, ErrorCode::Permit2612AmountMismatch)?;
    Ok(Authorization {
        key: PaymentKey { network: offer.network, asset: PERMIT2, payer, nonce: B256::from(transfer.nonce) },
        payer,
        token: transfer.token,
        to,
        ceiling: offer.amount,
        facilitator,
        valid_after,
        deadline: transfer.deadline,
        signature,
        permit,
    })
}

/// Checks that the authorization is valid now and outlives a run of `run_ms_max` and the settlement after it.
pub fn check_window(authorization: &Authorization, now_s: u64, run_ms_max: u64) -> Result<(), Rejection> {
    let Authorization { valid_after, deadline, permit, .. } = authorization;
    permit2::check_window(*valid_after, *deadline, permit.as_ref(), now_s, run_ms_max)
}

impl Authorization {
    /// Returns what Permit2 is told.
    pub fn permit_transfer(&self) -> PermitTransfer {
        PermitTransfer {
            token: self.token,
            amount: U256::from(self.ceiling.0),
            spender: UPTO_PERMIT2_PROXY,
            nonce: self.key.nonce.into(),
            deadline: self.deadline,
        }
    }
}
