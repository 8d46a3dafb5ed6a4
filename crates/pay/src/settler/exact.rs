//! `exact` by EIP-3009: the token itself moves what was signed.

use glassbox_core::Atomic;

use super::{Settler, unverified};
use crate::chain::{Call, Chain};
use crate::eip712::{self, Domain, Transfer};
use crate::evm::abi;
use crate::exact::{self, Authorization};
use crate::facilitator::{Rejection, Settlement, Verified};
use crate::x402::{ErrorCode, PaymentPayload, PaymentRequirements};

/// Returns the id under which a payment is submitted: the hash of what was signed, so that one payment has one,
/// whatever its signature. Journals hold it: never change it.
pub(crate) fn submission_id(token: &Domain, transfer: &Transfer) -> String {
    format!("exact:{}", eip712::transfer_digest(token, transfer))
}

impl<C: Chain> Settler<C> {
    pub(super) async fn verify_exact(
        &self,
        payload: &PaymentPayload,
        offered: &PaymentRequirements,
    ) -> Result<Verified, Rejection> {
        let authorization = self.read_exact(payload, offered)?;
        let now_s = self.chain.now_s().await.map_err(|error| unverified(error.to_string()))?;
        exact::check_window(&authorization, now_s, 0)?;
        self.simulate(&self.exact_call(&authorization)).await?;
        Ok(Verified { payer: authorization.key.payer, key: authorization.key })
    }

    pub(super) async fn settle_exact(
        &self,
        payload: &PaymentPayload,
        offered: &PaymentRequirements,
        amount: Atomic,
    ) -> Result<Settlement, Rejection> {
        let authorization = self.read_exact(payload, offered)?;
        if amount != authorization.amount {
            let message = format!("{amount} of exactly {} cannot be settled", authorization.amount);
            return Err(Rejection::new(ErrorCode::ValueMismatch, message));
        }
        let id = submission_id(&self.token, &authorization.transfer());
        Ok(self.submit(&id, &self.exact_call(&authorization), authorization.to, amount).await)
    }

    fn read_exact(
        &self,
        payload: &PaymentPayload,
        offered: &PaymentRequirements,
    ) -> Result<Authorization, Rejection> {
        let authorization = exact::read(payload, offered)?;
        self.check_ours(authorization.key.network, authorization.key.asset)?;
        Ok(authorization)
    }

    fn exact_call(&self, authorization: &Authorization) -> Call {
        let data = abi::transfer_with_authorization(&authorization.transfer(), &authorization.signature);
        self.call_to(self.token.verifying_contract, data)
    }
}
