//! Settles payments of every scheme over any chain.
//!
//! To verify is to run, without effect, the very call that settling submits. Each submission has an id made of what
//! the payer signed, or of the operator's own id, so that asking again moves nothing again.

mod batch;
mod exact;
mod pay_out;
mod permit2;
mod upto;

use alloy_primitives::{Address, B256, Bytes, Log, U256};
use async_trait::async_trait;
use glassbox_core::Atomic;
use glassbox_core::limits::PAY_OUT_ID_BYTES_MAX;

use crate::chain::{Call, CallError, Chain, Fee, Standing, Submission, TransferEvent};
use crate::eip712::Domain;
use crate::error::PayError;
use crate::evm::abi::read_number;
use crate::evm::calls::{self, Transferred};
use crate::evm::reverts::{Moment, Purpose, read_revert};
use crate::facilitator::{ChannelState, Claim, Facilitator, PayOut, Rejection, Settlement, Verified};
use crate::network::Network;
use crate::payment::{self, Authorization};
use crate::scheme::Scheme;
use crate::scheme::offer::{self, Parties};
use crate::taken::{self, Taken};
use crate::wallet::Wallet;
use crate::x402::{ErrorCode, PaymentPayload, PaymentRequirements, clip};

pub(crate) use exact::transfer_id;

/// A facilitator over a chain: it checks, simulates and submits, with the operator's key.
#[derive(Debug, Clone)]
pub struct Settler<C> {
    chain: C,
    operator: Wallet,
    token: Domain,
}

/// A call that moves money, and what for.
struct Move {
    /// The id of the submission. Journals hold it: what makes one must never change.
    id: String,
    call: Call,
    purpose: Purpose,
    /// Whose tokens they are.
    payer: Address,
    amount: Atomic,
    /// Where they go.
    to: Address,
}

impl<C: Chain> Settler<C> {
    /// Settles in the token of the signing domain `token`. The operator's address is the treasury; the chain submits
    /// for it.
    pub fn new(chain: C, operator: Wallet, token: Domain) -> Self {
        Self { chain, operator, token }
    }

    /// Returns the chain.
    pub fn chain(&self) -> &C {
        &self.chain
    }

    /// Makes a call of ours.
    fn call_to(&self, to: Address, data: Bytes) -> Call {
        Call { from: self.chain.submitter(), to, data }
    }

    /// Reads a payment of an offer that is ours.
    fn read(
        &self,
        payload: &PaymentPayload,
        offered: &PaymentRequirements,
    ) -> Result<Authorization, Rejection> {
        let authorization = payment::read(payload, offered)?;
        let (network, asset) = (self.network().to_string(), self.asset());
        if offered.network == network && offered.asset.parse() == Ok(asset) {
            Ok(authorization)
        } else {
            let message = format!("only {asset} on {network} is settled here");
            Err(Rejection::new(ErrorCode::InvalidPaymentRequirements, message))
        }
    }

    /// Runs a call without effect.
    async fn simulate(&self, moving: &Move) -> Result<(), Rejection> {
        match self.chain.attempt(&moving.call).await {
            Ok(()) => Ok(()),
            Err(CallError::Reverted(output)) => Err(self.refusal(moving, Moment::Tried, &output).await),
            Err(CallError::Unavailable(reason)) => Err(unverified(reason)),
        }
    }

    /// Submits a call, once for its id.
    async fn submit(&self, moving: &Move) -> Settlement {
        match self.chain.submit(&moving.id, &moving.call).await {
            Submission::Mined { transaction, block, logs } => {
                let arrived = self.moved(&logs).any(|transfer| {
                    transfer.to == moving.to && transfer.value == U256::from(moving.amount.0)
                });
                if arrived {
                    Settlement::Settled { transaction, payer: moving.payer, amount: moving.amount, block }
                } else {
                    let message = format!("`{}` moved something else, in {transaction}", clip(&moving.id));
                    Settlement::rejected(ErrorCode::InvalidTransactionState, message)
                }
            }
            Submission::Reverted { output } => {
                Settlement::Rejected(self.refusal(moving, Moment::Submitted, &output).await)
            }
            Submission::Unknown { detail } => Settlement::Unknown { detail },
        }
    }

    /// What was refused because what was signed is used up. Whoever saw it can have submitted it, and then the money is
    /// where it was to go.
    fn made_by_others(
        &self,
        taken: Result<Taken, PayError>,
        payer: Address,
        amount: Atomic,
        refusal: Rejection,
    ) -> Settlement {
        match taken {
            Ok(Taken::By { transaction, block }) => Settlement::Settled { transaction, payer, amount, block },
            Ok(Taken::Not | Taken::Otherwise) => Settlement::Rejected(refusal),
            Err(error) => Settlement::Unknown { detail: error.to_string() },
        }
    }

    /// Reads the transfers of our token among the events of a transaction.
    fn moved(&self, logs: &[Log]) -> impl Iterator<Item = Transferred> {
        calls::read_transfers(self.token.verifying_contract, logs)
    }

    /// Says why a contract refused. Permit2 does not tell an empty purse from one that it may not touch, so that is
    /// looked up.
    async fn refusal(&self, moving: &Move, moment: Moment, output: &[u8]) -> Rejection {
        let rejection = read_revert(moving.purpose, moment, output);
        let too_little = match rejection.code {
            ErrorCode::Permit2AllowanceRequired => ErrorCode::Permit2InsufficientBalance,
            ErrorCode::BatchPermit2AllowanceRequired => ErrorCode::BatchInsufficientBalance,
            _ => return rejection,
        };
        match self.balance(moving.payer).await {
            Ok(balance) if balance < moving.amount => Rejection::new(too_little, "the balance is too small"),
            _ => rejection,
        }
    }
}

#[async_trait]
impl<C: Chain> Facilitator for Settler<C> {
    fn label(&self) -> &str {
        self.chain.label()
    }

    fn network(&self) -> Network {
        self.chain.network()
    }

    fn asset(&self) -> Address {
        self.token.verifying_contract
    }

    fn treasury(&self) -> Address {
        self.operator.address()
    }

    fn schemes(&self) -> &[Scheme] {
        &Scheme::ALL
    }

    fn offer(&self, scheme: Scheme, amount: Atomic, pay_to: Address, timeout_s: u64) -> PaymentRequirements {
        let parties = Parties { facilitator: self.chain.submitter(), operator: self.operator.address() };
        offer::write(scheme, &self.token, parties, amount, pay_to, timeout_s)
    }

    async fn verify(
        &self,
        payload: &PaymentPayload,
        offered: &PaymentRequirements,
    ) -> Result<Verified, Rejection> {
        let authorization = self.read(payload, offered)?;
        let simulated = async {
            match &authorization {
                Authorization::Exact(exact) => self.simulate(&self.exact(exact)).await,
                Authorization::Upto(upto) => self.simulate(&self.upto(upto, upto.ceiling)).await,
                Authorization::Batch(batch) => self.verify_batch(batch).await,
            }
        };
        // All at once, because a caller waits; what is wrong with it is told in this order.
        let (now_s, ready, simulated) = tokio::join!(self.chain.now_s(), self.chain.ready(), simulated);
        let now_s = now_s.map_err(|error| unverified(error.to_string()))?;
        ready.map_err(|error| unverified(error.to_string()))?;
        payment::check_window(&authorization, now_s, 0)?;
        simulated?;
        Ok(Verified { payer: authorization.payer(), key: authorization.key() })
    }

    async fn settle(
        &self,
        payload: &PaymentPayload,
        offered: &PaymentRequirements,
        amount: Atomic,
    ) -> Settlement {
        let moving = self.read(payload, offered).and_then(|authorization| {
            let moving = match &authorization {
                Authorization::Exact(exact) => self.exact_of(exact, amount),
                Authorization::Upto(upto) => self.upto_of(upto, amount),
                Authorization::Batch(batch) => self.deposit_of(batch, amount),
            };
            Ok((authorization, moving?))
        });
        let (authorization, moving) = match moving {
            Ok(moving) => moving,
            Err(rejection) => return Settlement::Rejected(rejection),
        };
        match self.submit(&moving).await {
            // Of Permit2's transfers nobody can say which nonce they used, and its payments for fuel are ours to submit alone.
            Settlement::Rejected(refusal)
                if refusal.code == ErrorCode::NonceAlreadyUsed
                    && authorization.key().asset == self.asset() =>
            {
                let taken = taken::find_payment(&self.chain, self.asset(), &authorization, amount).await;
                self.made_by_others(taken, moving.payer, amount, refusal)
            }
            settlement => settlement,
        }
    }

    async fn pay_out(&self, id: &str, to: Address, amount: Atomic) -> Settlement {
        if id.is_empty() || id.len() > PAY_OUT_ID_BYTES_MAX {
            let message = format!("a pay-out's id has between 1 and {PAY_OUT_ID_BYTES_MAX} bytes");
            return Settlement::rejected(ErrorCode::InvalidPayload, message);
        }
        if amount == Atomic::ZERO {
            return Settlement::rejected(ErrorCode::InvalidPayload, "the amount is zero");
        }
        let call = self.call_to(self.asset(), calls::transfer(to, U256::from(amount.0)));
        let (id, payer) = (pay_out_id(id), call.from);
        self.submit(&Move { id, call, purpose: Purpose::Transfer, payer, amount, to }).await
    }

    async fn pay_out_all(&self, id: &str, payments: &[PayOut]) -> Settlement {
        match self.pay_out_call(id, payments) {
            Ok(call) => self.submit_pay_outs(id, &call, payments).await,
            Err(rejection) => Settlement::Rejected(rejection),
        }
    }

    async fn pay_out_fee(&self, id: &str, payments: &[PayOut]) -> Result<Fee, PayError> {
        match self.pay_out_call(id, payments) {
            Ok(call) => self.chain.fee(&call).await,
            Err(rejection) => Err(PayError::Unpayable(rejection.message)),
        }
    }

    async fn channel(&self, id: B256) -> Result<ChannelState, PayError> {
        self.channel_state(id).await
    }

    async fn claim(&self, id: &str, claims: &[Claim]) -> Settlement {
        match check_claim_id(id).and_then(|()| self.claim_call(claims)) {
            Ok(call) => self.submit_claim(id, &call).await,
            Err(rejection) => Settlement::Rejected(rejection),
        }
    }

    async fn refund_channel(&self, id: &str, claim: &Claim, amount: Atomic) -> Settlement {
        match check_claim_id(id) {
            Ok(()) => self.submit_refund(id, claim, amount).await,
            Err(rejection) => Settlement::Rejected(rejection),
        }
    }

    async fn balance(&self, address: Address) -> Result<Atomic, PayError> {
        let call = self.call_to(self.asset(), calls::balance_of(address));
        let output =
            self.chain.call(&call).await.map_err(|error| PayError::Unavailable(error.to_string()))?;
        let number = read_number(&output).and_then(|number| number.try_into().ok());
        number.map(Atomic).ok_or_else(|| PayError::Unavailable("the token answered no amount".to_owned()))
    }

    async fn standing(&self, transaction: B256) -> Result<Standing, PayError> {
        self.chain.standing(transaction).await
    }

    async fn transfers(&self, from_block: u64) -> Result<Vec<TransferEvent>, PayError> {
        self.chain.transfers(self.treasury(), from_block).await
    }
}

/// Returns the id under which a pay-out is submitted.
pub(crate) fn pay_out_id(id: &str) -> String {
    format!("pay_out:{id}")
}

fn check_claim_id(id: &str) -> Result<(), Rejection> {
    if (1..=PAY_OUT_ID_BYTES_MAX).contains(&id.len()) {
        Ok(())
    } else {
        let message = format!("a claim's id has between 1 and {PAY_OUT_ID_BYTES_MAX} bytes");
        Err(Rejection::new(ErrorCode::InvalidPayload, message))
    }
}

fn unverified(reason: String) -> Rejection {
    Rejection::new(ErrorCode::UnexpectedVerifyError, reason)
}
