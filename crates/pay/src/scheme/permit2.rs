//! What the schemes share that move tokens by Permit2: the payload, and the allowance that may come with it.

use alloy_primitives::{Address, U256};
use glassbox_core::Atomic;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::field::{address, malformed, number, signed_by};
use super::offer::Offer;
use super::window::Window;
use crate::eip712::permit2::{PermitTransfer, Witness, permit_transfer_digest};
use crate::eip712::token;
use crate::evm::addresses::PERMIT2;
use crate::facilitator::Rejection;
use crate::x402::extensions::gas_sponsoring::{self, Eip2612Info};
use crate::x402::{ErrorCode, PaymentPayload, clip};

/// The scheme's part of a payment by Permit2. `W` is what binds it to the scheme's contract.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Permit2Payload<W> {
    /// `0x` and 65 bytes: r, s, v.
    pub signature: String,
    /// What was signed.
    pub permit2_authorization: Permit2Authorization<W>,
}

/// The arguments of Permit2's `PermitWitnessTransferFrom` as they travel: numbers as digits, bytes as hex.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Permit2Authorization<W> {
    /// The payer.
    pub from: String,
    /// What may be moved.
    pub permitted: TokenPermissions,
    /// The contract that may move it.
    pub spender: String,
    /// A number that no other authorization of this payer has.
    pub nonce: String,
    /// The last Unix second at which it is taken.
    pub deadline: String,
    /// What binds it to the spender.
    pub witness: W,
}

/// Which token, and the most of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenPermissions {
    /// The token.
    pub token: String,
    /// The most that may be moved, in atomic units.
    pub amount: String,
}

/// An allowance for Permit2 that the payer signed, by EIP-2612. It is over the amount of the payment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Permit {
    /// How many permits the payer has used up before.
    pub nonce: U256,
    /// The last Unix second at which the token takes it.
    pub deadline: U256,
    /// r, s, v.
    pub signature: [u8; 65],
}

impl<W> Permit2Authorization<W> {
    /// Reads the payer.
    pub(super) fn payer(&self) -> Result<Address, Rejection> {
        address("from", &self.from)
    }

    /// Reads what Permit2 was told.
    pub(super) fn transfer(&self) -> Result<PermitTransfer, Rejection> {
        Ok(PermitTransfer {
            token: address("token", &self.permitted.token)?,
            amount: number("amount", &self.permitted.amount)?,
            spender: address("spender", &self.spender)?,
            nonce: number("nonce", &self.nonce)?,
            deadline: number("deadline", &self.deadline)?,
        })
    }
}

impl<W> Permit2Payload<W> {
    /// Checks a payment of the offer: who may move what, and the signature over `witness`, which pays `to`.
    pub(super) fn read(
        &self,
        offer: &Offer,
        spender: Address,
        to: Address,
        witness: &Witness,
    ) -> Result<(Address, PermitTransfer, [u8; 65]), Rejection> {
        let (payer, transfer) = (self.permit2_authorization.payer()?, self.permit2_authorization.transfer()?);
        let token = offer.domain.verifying_contract;
        let refused = |code, message| Err(Rejection::new(code, message));
        if transfer.spender != spender {
            let message = format!("the spender is {}, not {spender}", transfer.spender);
            return refused(ErrorCode::Permit2Spender, message);
        }
        if to != offer.pay_to {
            let message = format!("the authorization pays {to}, not {}", offer.pay_to);
            return refused(ErrorCode::Permit2RecipientMismatch, message);
        }
        if transfer.amount != U256::from(offer.amount.0) {
            let message = format!("the authorization is over {}, not {}", transfer.amount, offer.amount);
            return refused(ErrorCode::Permit2AmountMismatch, message);
        }
        if transfer.token != token {
            let message = format!("the token is {}, not {token}", transfer.token);
            return refused(ErrorCode::Permit2TokenMismatch, message);
        }
        let digest = permit_transfer_digest(offer.network.chain_id, &transfer, witness);
        let signature = signed_by(payer, digest, &self.signature, ErrorCode::Permit2Signature)?;
        Ok((payer, transfer, signature))
    }
}

/// Reads how much a payment by Permit2 may move, and until when.
pub(crate) fn amount_and_deadline(payment: &PaymentPayload) -> Result<(U256, U256), Rejection> {
    let part = &payment.payload;
    // A deposit has it one level deeper.
    let deposited = part.get("deposit").and_then(|deposit| deposit.get("authorization"));
    let authorization =
        deposited.map_or(part.get("permit2Authorization"), |it| it.get("permit2Authorization"));
    let authorization = authorization.cloned().unwrap_or_default();
    let authorization: Permit2Authorization<Value> = serde_json::from_value(authorization)
        .map_err(|error| malformed(format!("it is no payment by Permit2: {}", clip(&error.to_string()))))?;
    let transfer = authorization.transfer()?;
    Ok((transfer.amount, transfer.deadline))
}

/// Reads the allowance that came with a payment of `amount`, if one did. `other_amount` is the code for one over another
/// amount.
pub(super) fn read_permit(
    payload: &PaymentPayload,
    offer: &Offer,
    payer: Address,
    amount: Atomic,
    other_amount: ErrorCode,
) -> Result<Option<Permit>, Rejection> {
    let ill_formed = |message| Rejection::new(ErrorCode::Eip2612Format, message);
    let Some(info) = gas_sponsoring::read(payload.extensions.as_ref()).map_err(ill_formed)? else {
        return Ok(None);
    };
    let permit = read_info(&info).map_err(|error| ill_formed(error.message))?;
    let refused = |code, message: &str| Err(Rejection::new(code, message));
    if permit.owner != payer {
        return refused(ErrorCode::Eip2612FromMismatch, "the permit is not the payer's");
    }
    if address("asset", &info.asset).ok() != Some(offer.domain.verifying_contract) {
        return refused(ErrorCode::Eip2612AssetMismatch, "the permit is for another token");
    }
    if permit.spender != PERMIT2 {
        return refused(ErrorCode::Eip2612SpenderNotPermit2, "the permit's spender is not Permit2");
    }
    if permit.value != U256::from(amount.0) {
        return refused(other_amount, "the permit is over another amount than the payment");
    }
    let digest = token::permit_digest(&offer.domain, &permit);
    let signature = signed_by(payer, digest, &info.signature, ErrorCode::Eip2612Format)?;
    Ok(Some(Permit { nonce: permit.nonce, deadline: permit.deadline, signature }))
}

fn read_info(info: &Eip2612Info) -> Result<token::Permit, Rejection> {
    Ok(token::Permit {
        owner: address("from", &info.from)?,
        spender: address("spender", &info.spender)?,
        value: number("amount", &info.amount)?,
        nonce: number("nonce", &info.nonce)?,
        deadline: number("deadline", &info.deadline)?,
    })
}

/// Checks that an authorization by Permit2, and the allowance with it, outlive a run and its settlement.
pub(super) fn check_window(
    valid_after: U256,
    deadline: U256,
    permit: Option<&Permit>,
    now_s: u64,
    run_ms_max: u64,
) -> Result<(), Rejection> {
    let (too_early, too_late) = (ErrorCode::Permit2NotYetValid, ErrorCode::Permit2DeadlineExpired);
    Window { after: valid_after, before: deadline, too_early, too_late }.check(now_s, run_ms_max)?;
    check_permit_window(permit, now_s, run_ms_max)
}

/// Checks that an allowance, if there is one, outlives a run and its settlement.
pub(super) fn check_permit_window(
    permit: Option<&Permit>,
    now_s: u64,
    run_ms_max: u64,
) -> Result<(), Rejection> {
    let Some(permit) = permit else {
        return Ok(());
    };
    let (too_early, too_late) = (ErrorCode::Permit2NotYetValid, ErrorCode::Eip2612DeadlineExpired);
    Window { after: U256::ZERO, before: permit.deadline, too_early, too_late }.check(now_s, run_ms_max)
}
