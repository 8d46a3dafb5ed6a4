//! `batch-settlement`: deposits, claims and refunds of channels.

use alloy_primitives::{Address, B256, Bytes, U256};
use glassbox_core::Atomic;
use glassbox_core::limits::CLAIMS_MAX;

use super::{Move, Settler, unverified};
use crate::chain::{Call, Chain, Submission};
use crate::eip712::batch::{channel_id, deposit_nonce};
use crate::eip712::permit2::{PermitTransfer, Witness, permit_transfer_digest};
use crate::eip712::token::{Transfer, receive_digest};
use crate::error::PayError;
use crate::evm::addresses::{BATCH_SETTLEMENT, ERC3009_DEPOSIT_COLLECTOR, PERMIT2_DEPOSIT_COLLECTOR};
use crate::evm::calls::{self, Permit2612, VoucherClaim};
use crate::evm::reverts::{Moment, Purpose, read_revert};
use crate::facilitator::{ChannelState, Claim, Facilitator as _, Rejection, Settlement};
use crate::scheme::batch::{Action, Authorization, ChannelConfig, Deposit, DepositMethod};
use crate::x402::ErrorCode;

impl<C: Chain> Settler<C> {
    /// Checks that a voucher is covered by what is in its channel, or comes with it.
    pub(super) async fn verify_batch(&self, batch: &Authorization) -> Result<(), Rejection> {
        self.check_channel(&batch.channel)?;
        let state =
            self.channel_state(batch.channel_id).await.map_err(|error| unverified(error.to_string()))?;
        let refused = |code, message: String| Err(Rejection::new(code, message));
        let mut balance = state.balance.0;
        match &batch.action {
            Action::Deposit(deposit) => {
                self.simulate(&self.deposit(batch, deposit)).await?;
                balance = balance.saturating_add(deposit.amount.0);
            }
            Action::Voucher | Action::Refund(_) if balance == 0 => {
                return refused(ErrorCode::BatchChannelNotFound, "nothing was deposited".to_owned());
            }
            Action::Refund(_) if state.total_claimed == state.balance => {
                return refused(ErrorCode::BatchRefundNoBalance, "everything was claimed".to_owned());
            }
            Action::Voucher | Action::Refund(_) => {}
        }
        if batch.max_claimable.0 > balance {
            let message =
                format!("the voucher is over {}, and the channel holds {balance}", batch.max_claimable);
            return refused(ErrorCode::BatchCumulativeExceedsBalance, message);
        }
        // A voucher pays for something new; asking for a refund repeats the last one.
        let claimed = state.total_claimed;
        let new = match batch.action {
            Action::Refund(_) => batch.max_claimable >= claimed,
            Action::Voucher | Action::Deposit(_) => batch.max_claimable > claimed,
        };
        if !new {
            let message = format!("the voucher is over {}, and {claimed} is claimed", batch.max_claimable);
            return refused(ErrorCode::BatchCumulativeBelowClaimed, message);
        }
        Ok(())
    }

    /// Makes the call of a deposit, if it is one and of this amount.
    pub(super) fn deposit_of(&self, batch: &Authorization, amount: Atomic) -> Result<Move, Rejection> {
        let Action::Deposit(deposit) = &batch.action else {
            let message = "only a deposit is settled by itself; a voucher is claimed";
            return Err(Rejection::new(ErrorCode::BatchPayloadType, message));
        };
        if amount != deposit.amount {
            let message = format!("{amount} of a deposit of {} cannot be settled", deposit.amount);
            return Err(Rejection::new(ErrorCode::InvalidPayload, message));
        }
        self.check_channel(&batch.channel)?;
        Ok(self.deposit(batch, deposit))
    }

    /// Makes the call of a deposit. Its id is the hash of what was signed.
    fn deposit(&self, batch: &Authorization, deposit: &Deposit) -> Move {
        let Authorization { channel, channel_id, .. } = batch;
        let value = U256::from(deposit.amount.0);
        let (digest, collector, data) = match &deposit.method {
            DepositMethod::Eip3009 { valid_after, valid_before, salt, signature } => {
                let transfer = Transfer {
                    from: channel.payer,
                    to: ERC3009_DEPOSIT_COLLECTOR,
                    value,
                    valid_after: *valid_after,
                    valid_before: *valid_before,
                    nonce: deposit_nonce(*channel_id, *salt),
                };
                let data = calls::eip3009_deposit(*valid_after, *valid_before, *salt, signature);
                (receive_digest(&self.token, &transfer), ERC3009_DEPOSIT_COLLECTOR, data)
            }
            DepositMethod::Permit2 { deadline, signature, permit } => {
                let transfer = PermitTransfer {
                    token: channel.token,
                    amount: value,
                    spender: PERMIT2_DEPOSIT_COLLECTOR,
                    nonce: deposit.key.nonce.into(),
                    deadline: *deadline,
                };
                let witness = Witness::Deposit { channel_id: *channel_id };
                let permit = permit.as_ref().map(|permit| Permit2612 {
                    value,
                    deadline: permit.deadline,
                    signature: permit.signature,
                });
                let data = calls::permit2_deposit(transfer.nonce, *deadline, signature, permit);
                let digest = permit_transfer_digest(batch.network.chain_id, &transfer, &witness);
                (digest, PERMIT2_DEPOSIT_COLLECTOR, data)
            }
        };
        let data = calls::deposit(channel, deposit.amount, collector, &data);
        Move {
            id: format!("deposit:{digest}"),
            call: self.call_to(BATCH_SETTLEMENT, data),
            purpose: Purpose::Deposit,
            payer: channel.payer,
            amount: deposit.amount,
            to: BATCH_SETTLEMENT,
        }
    }

    /// Asks for all that the contract knows of a channel.
    pub(super) async fn channel_state(&self, id: B256) -> Result<ChannelState, PayError> {
        let call = self.call_to(BATCH_SETTLEMENT, calls::channel_state(id));
        let output =
            self.chain.call(&call).await.map_err(|error| PayError::Unavailable(error.to_string()))?;
        calls::read_channel_state(&output)
            .ok_or_else(|| PayError::Unavailable("the contract of the channels did not answer".to_owned()))
    }

    /// Makes the call that claims vouchers and moves what was claimed to the treasury.
    pub(super) fn claim_call(&self, claims: &[Claim]) -> Result<Call, Rejection> {
        if claims.is_empty() || claims.len() > CLAIMS_MAX {
            let message = format!("between 1 and {CLAIMS_MAX} vouchers are claimed at once");
            return Err(Rejection::new(ErrorCode::InvalidPayload, message));
        }
        for claim in claims {
            self.check_channel(&claim.channel)?;
        }
        let settle = calls::settle_claimed(self.operator.address(), self.asset());
        Ok(self.call_to(BATCH_SETTLEMENT, calls::multicall(&[self.signed_claims(claims), settle])))
    }

    /// Submits a claim. What arrives is what was claimed then or before, and may be nothing.
    pub(super) async fn submit_claim(&self, id: &str, call: &Call) -> Settlement {
        self.submit_out(format!("claim:{id}"), call, Purpose::Claim, self.operator.address()).await
    }

    /// Submits a refund, after claiming what is owed and not yet claimed, and moves what was claimed to the treasury.
    pub(super) async fn submit_refund(&self, id: &str, claim: &Claim, amount: Atomic) -> Settlement {
        if amount == Atomic::ZERO {
            return Settlement::rejected(ErrorCode::BatchRefundAmountInvalid, "a refund of nothing");
        }
        if let Err(rejection) = self.check_channel(&claim.channel) {
            return Settlement::Rejected(rejection);
        }
        let network = self.chain.network();
        let channel = channel_id(network.chain_id, &claim.channel);
        let state = match self.channel_state(channel).await {
            Ok(state) => state,
            Err(error) => return Settlement::Unknown { detail: error.to_string() },
        };
        let signature = self.operator.sign_refund(network, channel, state.refund_nonce, amount);
        let refund = calls::refund_with_signature(&claim.channel, amount, state.refund_nonce, &signature);
        let mut steps = Vec::new();
        if claim.total_claimed > state.total_claimed {
            steps.push(self.signed_claims(std::slice::from_ref(claim)));
        }
        steps.extend([calls::settle_claimed(self.operator.address(), self.asset()), refund]);
        let data = calls::multicall(&steps);
        let call = self.call_to(BATCH_SETTLEMENT, data);
        self.submit_out(format!("refund:{id}"), &call, Purpose::Refund, claim.channel.payer).await
    }

    /// Submits a call that moves money out of the contract to `to`; how much, its events tell.
    async fn submit_out(&self, id: String, call: &Call, purpose: Purpose, to: Address) -> Settlement {
        match self.chain.submit(&id, call).await {
            Submission::Mined { transaction, block, logs } => {
                let moved = self
                    .moved(&logs)
                    .filter(|transfer| transfer.from == BATCH_SETTLEMENT && transfer.to == to)
                    .fold(U256::ZERO, |sum, transfer| sum.saturating_add(transfer.value));
                match moved.try_into() {
                    Ok(amount) => Settlement::Settled {
                        transaction,
                        payer: BATCH_SETTLEMENT,
                        amount: Atomic(amount),
                        block,
                    },
                    Err(_) => Settlement::Unknown { detail: format!("{transaction} moved {moved}") },
                }
            }
            Submission::Reverted { output } => {
                Settlement::Rejected(read_revert(purpose, Moment::Submitted, &output))
            }
            Submission::Unknown { detail } => Settlement::Unknown { detail },
        }
    }

    /// Writes the claim of vouchers, signed by the operator.
    fn signed_claims(&self, claims: &[Claim]) -> Bytes {
        let signature = self.operator.sign_claim_batch(self.chain.network(), claims);
        let claims = claims.iter().map(|claim| VoucherClaim {
            channel: &claim.channel,
            max_claimable: claim.max_claimable,
            signature: &claim.signature,
            total_claimed: claim.total_claimed,
        });
        calls::claim_with_signature(claims, &signature)
    }

    /// Checks that what is in a channel can be claimed by us and for us, in our token.
    fn check_channel(&self, channel: &ChannelConfig) -> Result<(), Rejection> {
        let operator = self.operator.address();
        let (code, what) = if channel.receiver_authorizer != operator {
            (ErrorCode::BatchReceiverAuthorizerMismatch, "its authorizer is not the operator")
        } else if channel.receiver != operator {
            (ErrorCode::BatchReceiverMismatch, "its receiver is not the treasury")
        } else if channel.token != self.asset() {
            (ErrorCode::BatchTokenMismatch, "its token is another")
        } else {
            return Ok(());
        };
        Err(Rejection::new(code, format!("the channel cannot be claimed here: {what}")))
    }
}
