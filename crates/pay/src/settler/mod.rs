//! Settles payments of every scheme over any chain.
//!
//! To verify is to run, without effect, the very call that settling submits. Each submission has an id made of what
//! the payer signed, or of the operator's own id, so that asking again moves nothing again.

mod exact;

use alloy_primitives::{Address, B256, Bytes, Log, U256};
use async_trait::async_trait;
use glassbox_core::Atomic;
use glassbox_core::limits::PAY_OUT_ID_BYTES_MAX;
use serde_json::{Map, Value};

use crate::chain::{Call, CallError, Chain, Standing, Submission, TransferEvent};
use crate::eip712::Domain;
use crate::error::PayError;
use crate::evm::abi;
use crate::facilitator::{ChannelState, Claim, Facilitator, Rejection, Scheme, Settlement, Verified};
use crate::network::Network;
use crate::wallet::Wallet;
use crate::x402::{ErrorCode, PaymentPayload, PaymentRequirements, clip};

pub(crate) use exact::submission_id as exact_submission_id;

/// A facilitator over a chain: it checks, simulates and submits, with the operator's key.
#[derive(Debug, Clone)]
pub struct Settler<C> {
    chain: C,
    operator: Wallet,
    token: Domain,
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

    /// Runs, without effect, the call that settling will submit.
    async fn simulate(&self, call: &Call) -> Result<(), Rejection> {
        match self.chain.call(call).await {
            Ok(_) => Ok(()),
            Err(CallError::Reverted(output)) => {
                let mut rejection = abi::read_revert(&output);
                if rejection.code == ErrorCode::TransactionFailed {
                    rejection.code = ErrorCode::SimulationFailed;
                }
                Err(rejection)
            }
            Err(CallError::Unavailable(reason)) => Err(unverified(reason)),
        }
    }

    /// Submits a call that moves `amount` of our token to `to`, once for `id`.
    async fn submit(&self, id: &str, call: &Call, to: Address, amount: Atomic) -> Settlement {
        match self.chain.submit(id, call).await {
            Submission::Mined { transaction, block, logs } => match self.moved(&logs, to, amount) {
                Some(payer) => Settlement::Settled { transaction, payer, amount, block },
                None => {
                    let message = format!("`{}` moved something else, in {transaction}", clip(id));
                    Settlement::rejected(ErrorCode::InvalidTransactionState, message)
                }
            },
            Submission::Reverted { output } => Settlement::Rejected(abi::read_revert(&output)),
            Submission::Unknown { detail } => Settlement::Unknown { detail },
        }
    }

    /// Returns who paid, if the amount was moved to the payee.
    fn moved(&self, logs: &[Log], to: Address, amount: Atomic) -> Option<Address> {
        abi::read_transfers(self.token.verifying_contract, logs)
            .find(|transfer| transfer.to == to && transfer.value == U256::from(amount.0))
            .map(|transfer| transfer.from)
    }

    /// Checks that an offer is one of ours.
    fn check_ours(&self, network: Network, asset: Address) -> Result<(), Rejection> {
        if network == self.chain.network() && asset == self.token.verifying_contract {
            Ok(())
        } else {
            let message = format!("only {} on {} is settled here", self.asset(), self.chain.network());
            Err(Rejection::new(ErrorCode::InvalidPaymentRequirements, message))
        }
    }

    /// Reads a number from a contract.
    async fn read_number(&self, to: Address, data: Bytes) -> Result<Atomic, PayError> {
        let answer = self.chain.call(&self.call_to(to, data)).await;
        let output = answer.map_err(|error| PayError::Unavailable(error.to_string()))?;
        let number = abi::read_number(&output).and_then(|number| number.try_into().ok());
        number.map(Atomic).ok_or_else(|| PayError::Unavailable(format!("{to} answered no amount")))
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
        &[Scheme::Exact]
    }

    fn offer(&self, scheme: Scheme, amount: Atomic, pay_to: Address, timeout_s: u64) -> PaymentRequirements {
        let extra = [("name", &self.token.name), ("version", &self.token.version)];
        let extra = extra.map(|(name, text)| (name.to_owned(), Value::from(text.as_str())));
        PaymentRequirements {
            scheme: scheme.as_str().to_owned(),
            network: self.network().to_string(),
            amount: amount.to_string(),
            asset: self.asset().to_checksum(None),
            pay_to: pay_to.to_checksum(None),
            max_timeout_seconds: timeout_s,
            extra: Map::from_iter(extra),
        }
    }

    async fn verify(
        &self,
        payload: &PaymentPayload,
        offered: &PaymentRequirements,
    ) -> Result<Verified, Rejection> {
        self.verify_exact(payload, offered).await
    }

    async fn settle(
        &self,
        payload: &PaymentPayload,
        offered: &PaymentRequirements,
        amount: Atomic,
    ) -> Settlement {
        self.settle_exact(payload, offered, amount).await.unwrap_or_else(Settlement::Rejected)
    }

    async fn pay_out(&self, id: &str, to: Address, amount: Atomic) -> Settlement {
        if id.is_empty() || id.len() > PAY_OUT_ID_BYTES_MAX {
            let message = format!("a pay-out's id has between 1 and {PAY_OUT_ID_BYTES_MAX} bytes");
            return Settlement::rejected(ErrorCode::InvalidPayload, message);
        }
        if amount == Atomic::ZERO {
            return Settlement::rejected(ErrorCode::InvalidPayload, "the amount is zero");
        }
        let call = self.call_to(self.asset(), abi::transfer(to, U256::from(amount.0)));
        self.submit(&pay_out_submission_id(id), &call, to, amount).await
    }

    async fn channel(&self, _id: B256) -> Result<ChannelState, PayError> {
        Err(PayError::Unavailable("channels are not supported".to_owned()))
    }

    async fn claim(&self, _id: &str, _claims: &[Claim]) -> Settlement {
        Settlement::rejected(ErrorCode::UnsupportedScheme, "channels are not supported")
    }

    async fn refund_channel(&self, _id: &str, _claim: &Claim, _amount: Atomic) -> Settlement {
        Settlement::rejected(ErrorCode::UnsupportedScheme, "channels are not supported")
    }

    async fn balance(&self, address: Address) -> Result<Atomic, PayError> {
        self.read_number(self.asset(), abi::balance_of(address)).await
    }

    async fn standing(&self, transaction: B256) -> Result<Standing, PayError> {
        self.chain.standing(transaction).await
    }

    async fn transfers(&self, from_block: u64) -> Result<Vec<TransferEvent>, PayError> {
        self.chain.transfers(self.treasury(), from_block).await
    }
}

/// Returns the id under which a pay-out is submitted. Journals hold it: never change it.
pub(crate) fn pay_out_submission_id(id: &str) -> String {
    format!("pay_out:{id}")
}

fn unverified(reason: String) -> Rejection {
    Rejection::new(ErrorCode::UnexpectedVerifyError, reason)
}
