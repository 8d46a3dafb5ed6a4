//! Payments from the treasury, several at once.
//!
//! Each is an authorization of the token (EIP-3009) that the operator signs, and one transaction submits them all. So the
//! contract that bundles them is never allowed to touch the treasury, and each nonce, which follows from the id of the run
//! and the number in it, pays once whatever is submitted how often.
//!
//! Whoever sees such a transaction waiting can submit an authorization out of it by itself. Then the bundle reverts, and the
//! payee has its money all the same; so a payment that is refused alone is looked for on the chain.

use alloy_primitives::{Address, B256, Bytes, U256, keccak256};
use glassbox_core::Atomic;
use glassbox_core::limits::{PAY_OUT_ID_BYTES_MAX, PAY_OUTS_MAX};

use super::Settler;
use crate::chain::{Call, Chain, Submission};
use crate::eip712::{Transfer, transfer_digest};
use crate::evm::addresses::MULTICALL3;
use crate::evm::calls;
use crate::evm::reverts::{Moment, Purpose, read_revert};
use crate::facilitator::{PayOut, Rejection, Settlement};
use crate::taken::{self, Authorized, tells};
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
        let steps: Vec<_> = payments.iter().map(|payment| self.authorized(id, payment)).collect();
        match steps.as_slice() {
            [(token, transfer)] => Ok(self.call_to(*token, transfer.clone())),
            steps => Ok(self.call_to(MULTICALL3, calls::aggregate(steps))),
        }
    }

    /// Writes the call of the token that makes one of the payments, signed by the operator.
    fn authorized(&self, id: &str, payment: &PayOut) -> (Address, Bytes) {
        let transfer = Transfer {
            from: self.operator.address(),
            to: payment.to,
            value: U256::from(payment.amount.0),
            valid_after: U256::ZERO,
            valid_before: U256::MAX,
            nonce: nonce(id, payment.number),
        };
        let signature = self.operator.sign(transfer_digest(&self.token, &transfer));
        (self.token.verifying_contract, calls::transfer_with_authorization(&transfer, &signature))
    }

    /// Submits it, and insists that all of it arrived.
    pub(super) async fn submit_pay_outs(&self, id: &str, call: &Call, payments: &[PayOut]) -> Settlement {
        let (treasury, token) = (self.operator.address(), self.token.verifying_contract);
        let submission = match payments {
            [alone] => format!("pay-outs:{id}:{}", alone.number),
            _ => format!("pay-outs:{id}"),
        };
        match self.chain.submit(&submission, call).await {
            Submission::Mined { transaction, block, logs } => {
                let made = |payment: &PayOut| {
                    let nonce = nonce(id, payment.number);
                    logs.iter().any(|log| tells(log, token, treasury, nonce))
                };
                if payments.iter().all(made) {
                    let total = payments.iter().map(|payment| payment.amount.0).sum();
                    Settlement::Settled { transaction, payer: treasury, amount: Atomic(total), block }
                } else {
                    Settlement::Unknown { detail: format!("{transaction} did not pay everybody") }
                }
            }
            Submission::Reverted { output } => {
                let refusal = read_revert(Purpose::Transfer, Moment::Submitted, &output);
                let [PayOut { number, to, amount }] = *payments else {
                    return Settlement::Rejected(refusal);
                };
                let authorized = Authorized { from: treasury, to, amount, nonce: nonce(id, number) };
                let taken = taken::find(&self.chain, token, &authorized).await;
                self.made_by_others(taken, treasury, amount, refusal)
            }
            Submission::Unknown { detail } => Settlement::Unknown { detail },
        }
    }
}

fn nonce(id: &str, number: u32) -> B256 {
    keccak256(format!("glassbox pay-out\n{id}\n{number}"))
}
