//! Payments from the treasury, several at once.
//!
//! Each is an authorization of the token (EIP-3009) that the operator signs, and one transaction submits them all. So the
//! contract that bundles them is never allowed to touch the treasury, and each nonce, which follows from the id, pays once
//! whatever is submitted how often.

use alloy_primitives::{B256, U256, keccak256};
use glassbox_core::Atomic;
use glassbox_core::limits::{PAY_OUT_ID_BYTES_MAX, PAY_OUTS_MAX};

use super::Settler;
use crate::chain::{Call, Chain, Submission};
use crate::eip712::{Transfer, transfer_digest};
use crate::evm::addresses::MULTICALL3;
use crate::evm::calls;
use crate::evm::reverts::{Moment, Purpose, read_revert};
use crate::facilitator::{PayOut, Rejection, Settlement};
use crate::x402::ErrorCode;

impl<C: Chain> Settler<C> {
    /// Makes the call that pays everybody.
    pub(super) fn pay_out_call(&self, id: &str, payments: &[PayOut]) -> Result<Call, Rejection> {
        let refused = |message: String| Err(Rejection::new(ErrorCode::InvalidPayload, message));
        if id.is_empty() || id.len() > PAY_OUT_ID_BYTES_MAX {
            return refused(format!("a pay-out's id has between 1 and {PAY_OUT_ID_BYTES_MAX} bytes"));
        }
        if payments.is_empty() || payments.len() > PAY_OUTS_MAX {
            return refused(format!("between 1 and {PAY_OUTS_MAX} are paid at once"));
        }
        if payments.iter().any(|payment| payment.amount == Atomic::ZERO || payment.to.is_zero()) {
            return refused("a payment of nothing, or to nobody".to_owned());
        }
        let steps: Vec<_> = payments
            .iter()
            .enumerate()
            .map(|(index, payment)| {
                let transfer = Transfer {
                    from: self.operator.address(),
                    to: payment.to,
                    value: U256::from(payment.amount.0),
                    valid_after: U256::ZERO,
                    valid_before: U256::MAX,
                    nonce: nonce(id, index),
                };
                let signature = self.operator.sign(transfer_digest(&self.token, &transfer));
                (self.token.verifying_contract, calls::transfer_with_authorization(&transfer, &signature))
            })
            .collect();
        Ok(self.call_to(MULTICALL3, calls::aggregate(&steps)))
    }

    /// Submits it, and insists that all of it arrived.
    pub(super) async fn submit_pay_outs(&self, id: &str, call: &Call, payments: &[PayOut]) -> Settlement {
        let treasury = self.operator.address();
        let total: u128 = payments.iter().map(|payment| payment.amount.0).sum();
        match self.chain.submit(&format!("pay-outs:{id}"), call).await {
            Submission::Mined { transaction, block, logs } => {
                let moved = self
                    .moved(&logs)
                    .filter(|transfer| transfer.from == treasury)
                    .fold(U256::ZERO, |sum, transfer| sum.saturating_add(transfer.value));
                if moved == U256::from(total) {
                    Settlement::Settled { transaction, payer: treasury, amount: Atomic(total), block }
                } else {
                    Settlement::Unknown { detail: format!("{transaction} moved {moved}, not {total}") }
                }
            }
            Submission::Reverted { output } => {
                Settlement::Rejected(read_revert(Purpose::Transfer, Moment::Submitted, &output))
            }
            Submission::Unknown { detail } => Settlement::Unknown { detail },
        }
    }
}

fn nonce(id: &str, index: usize) -> B256 {
    keccak256(format!("glassbox pay-out\n{id}\n{index}"))
}
