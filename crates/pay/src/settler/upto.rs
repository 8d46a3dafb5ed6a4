//! `upto`: the proxy of Permit2 moves as much of the ceiling as we say.

use alloy_primitives::U256;
use glassbox_core::Atomic;

use super::permit2::payment;
use super::{Move, Settler};
use crate::chain::Chain;
use crate::eip712::permit2::{Witness, permit_transfer_digest};
use crate::evm::addresses::UPTO_PERMIT2_PROXY;
use crate::evm::calls;
use crate::evm::reverts::Purpose;
use crate::facilitator::Rejection;
use crate::scheme::upto::Authorization;
use crate::x402::ErrorCode;

impl<C: Chain> Settler<C> {
    /// Makes the call that settles `amount` of a payment, if that is more than nothing and within the ceiling.
    pub(super) fn upto_of(&self, authorization: &Authorization, amount: Atomic) -> Result<Move, Rejection> {
        if amount > authorization.ceiling {
            let message = format!("{amount} is more than the ceiling {}", authorization.ceiling);
            return Err(Rejection::new(ErrorCode::SettlementExceedsAmount, message));
        }
        if amount == Atomic::ZERO {
            return Err(Rejection::new(ErrorCode::InvalidPayload, "the amount is zero"));
        }
        Ok(self.upto(authorization, amount))
    }

    /// Makes the call that settles `amount` of a payment. Its id does not hold the amount: once any is settled, no other
    /// is.
    pub(super) fn upto(&self, authorization: &Authorization, amount: Atomic) -> Move {
        let Authorization { key, payer, to, facilitator, valid_after, signature, permit, .. } = authorization;
        let transfer = authorization.permit_transfer();
        let witness = Witness::Upto { to: *to, facilitator: *facilitator, valid_after: *valid_after };
        let digest = permit_transfer_digest(key.network.chain_id, &transfer, &witness);
        let payment = payment(&transfer, *payer, signature, permit.as_ref());
        let data = calls::settle_upto(&payment, U256::from(amount.0), *to, *facilitator, *valid_after);
        Move {
            id: format!("upto:{digest}"),
            call: self.call_to(UPTO_PERMIT2_PROXY, data),
            purpose: Purpose::Upto,
            payer: *payer,
            amount,
            to: *to,
        }
    }
}
