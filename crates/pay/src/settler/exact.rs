//! `exact`: the token itself moves what was signed, or Permit2 does.

use glassbox_core::Atomic;

use super::permit2::payment;
use super::{Move, Settler};
use crate::chain::Chain;
use crate::eip712::permit2::{Witness, permit_transfer_digest};
use crate::eip712::{self, Domain, Transfer};
use crate::evm::addresses::EXACT_PERMIT2_PROXY;
use crate::evm::calls;
use crate::evm::reverts::Purpose;
use crate::facilitator::Rejection;
use crate::scheme::exact::{Authorization, Method};
use crate::x402::ErrorCode;

/// Returns the id under which a transfer by EIP-3009 is submitted: the hash of what was signed, so that one payment has
/// one, whatever its signature.
pub(crate) fn transfer_id(token: &Domain, transfer: &Transfer) -> String {
    format!("exact:{}", eip712::transfer_digest(token, transfer))
}

impl<C: Chain> Settler<C> {
    /// Makes the call that settles a payment, if it is of this amount.
    pub(super) fn exact_of(&self, authorization: &Authorization, amount: Atomic) -> Result<Move, Rejection> {
        if amount == authorization.amount {
            return Ok(self.exact(authorization));
        }
        let message = format!("{amount} of exactly {} cannot be settled", authorization.amount);
        Err(Rejection::new(ErrorCode::ValueMismatch, message))
    }

    /// Makes the call that settles a payment.
    pub(super) fn exact(&self, authorization: &Authorization) -> Move {
        let Authorization { key, to, amount, valid_after, signature, method, .. } = authorization;
        let (id, call, purpose) = match method {
            Method::Eip3009 => {
                let transfer = authorization.transfer();
                let data = calls::transfer_with_authorization(&transfer, signature);
                (transfer_id(&self.token, &transfer), self.call_to(key.asset, data), Purpose::Transfer)
            }
            Method::Permit2 { permit, .. } => {
                let transfer = authorization.permit_transfer().expect("it is by Permit2");
                let witness = Witness::Exact { to: *to, valid_after: *valid_after };
                let digest = permit_transfer_digest(key.network.chain_id, &transfer, &witness);
                let payment = payment(&transfer, key.payer, signature, permit.as_ref());
                let data = calls::settle_exact(&payment, *to, *valid_after);
                (format!("exact:{digest}"), self.call_to(EXACT_PERMIT2_PROXY, data), Purpose::Permit2)
            }
        };
        Move { id, call, purpose, payer: key.payer, amount: *amount, to: *to }
    }
}
