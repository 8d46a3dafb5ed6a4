//! Payments of one call: `exact` and `upto`, and the allowance that may go with them.

use alloy_primitives::{Address, B256, U256, hex};
use serde::Serialize;
use serde_json::{Map, json};

use super::{Wallet, payment, random_nonce, unpayable};
use crate::eip712::permit2::{PermitTransfer, Witness, permit_transfer_digest};
use crate::eip712::token::{Permit, Transfer, permit_digest, transfer_digest};
use crate::error::PayError;
use crate::evm::addresses::{EXACT_PERMIT2_PROXY, PERMIT2, UPTO_PERMIT2_PROXY};
use crate::scheme::exact::{ExactAuthorization, ExactPayload, ExactWitness};
use crate::scheme::permit2::{Permit2Authorization, Permit2Payload, TokenPermissions};
use crate::scheme::upto::{FACILITATOR_ADDRESS, UptoWitness};
use crate::scheme::{Offer, Scheme, TransferMethod, permit2};
use crate::x402::extensions::gas_sponsoring::{self, Eip2612Info};
use crate::x402::{PaymentPayload, PaymentRequirements, Resource};

impl Wallet {
    /// Signs an `exact` payment of the offer with a fresh random nonce. `now_s` is the Unix second; `resource` is
    /// repeated from the 402 answer and not covered by the signature.
    pub fn sign_exact(
        &self,
        offered: &PaymentRequirements,
        resource: Option<Resource>,
        now_s: u64,
    ) -> Result<PaymentPayload, PayError> {
        self.sign_exact_with_nonce(offered, resource, now_s, random_nonce()?)
    }

    /// Signs an `exact` payment of the offer with the given nonce: the same words give the same payment again, so a
    /// caller that keeps its nonce can never pay twice for one thing.
    pub fn sign_exact_with_nonce(
        &self,
        offered: &PaymentRequirements,
        resource: Option<Resource>,
        now_s: u64,
        nonce: B256,
    ) -> Result<PaymentPayload, PayError> {
        let offer = Offer::read(Scheme::Exact, offered).map_err(unpayable)?;
        let expires = U256::from(now_s.saturating_add(offered.max_timeout_seconds));
        if offer.method == Some(TransferMethod::Permit2) {
            let transfer = permit_transfer(&offer, EXACT_PERMIT2_PROXY, nonce.into(), expires);
            let witness = Witness::Exact { to: offer.pay_to, valid_after: U256::ZERO };
            let digest = permit_transfer_digest(offer.network.chain_id, &transfer, &witness);
            let witness =
                ExactWitness { to: offer.pay_to.to_checksum(None), valid_after: U256::ZERO.to_string() };
            return Ok(payment(offered, resource, &self.permit2_payload(&transfer, digest, witness)));
        }
        let transfer = Transfer {
            from: self.address,
            to: offer.pay_to,
            value: U256::from(offer.amount.0),
            // From the beginning of time, as the stock clients do, so that no chain's clock is behind it.
            valid_after: U256::ZERO,
            valid_before: expires,
            nonce,
        };
        let signature = self.sign(transfer_digest(&offer.domain, &transfer));
        let part = ExactPayload {
            signature: hex::encode_prefixed(signature),
            authorization: ExactAuthorization::from(&transfer),
        };
        Ok(payment(offered, resource, &part))
    }

    /// Signs an `upto` payment of the offer, whose amount is the ceiling. The same nonce gives the same payment again.
    pub fn sign_upto(
        &self,
        offered: &PaymentRequirements,
        resource: Option<Resource>,
        now_s: u64,
        nonce: B256,
    ) -> Result<PaymentPayload, PayError> {
        let offer = Offer::read(Scheme::Upto, offered).map_err(unpayable)?;
        let facilitator = Offer::extra_address(offered, FACILITATOR_ADDRESS).map_err(unpayable)?;
        let expires = U256::from(now_s.saturating_add(offered.max_timeout_seconds));
        let transfer = permit_transfer(&offer, UPTO_PERMIT2_PROXY, nonce.into(), expires);
        let witness = Witness::Upto { to: offer.pay_to, facilitator, valid_after: U256::ZERO };
        let digest = permit_transfer_digest(offer.network.chain_id, &transfer, &witness);
        let witness = UptoWitness {
            to: offer.pay_to.to_checksum(None),
            facilitator: facilitator.to_checksum(None),
            valid_after: U256::ZERO.to_string(),
        };
        Ok(payment(offered, resource, &self.permit2_payload(&transfer, digest, witness)))
    }

    /// Adds to a payment by Permit2 the allowance for it, by EIP-2612, so that the payer needs no coins for gas.
    /// `permit_nonce` is how many permits the payer has used up before; the token knows it as `nonces(payer)`. The offer
    /// must declare `eip2612GasSponsoring`.
    pub fn add_permit(&self, payment: &mut PaymentPayload, permit_nonce: U256) -> Result<(), PayError> {
        let scheme = payment.accepted.scheme.parse().map_err(unpayable)?;
        let offer = Offer::read(scheme, &payment.accepted).map_err(unpayable)?;
        let (value, deadline) = permit2::amount_and_deadline(payment).map_err(unpayable)?;
        let permit = Permit { owner: self.address, spender: PERMIT2, value, nonce: permit_nonce, deadline };
        let info = Eip2612Info {
            from: self.address.to_checksum(None),
            asset: offer.domain.verifying_contract.to_checksum(None),
            spender: PERMIT2.to_checksum(None),
            amount: value.to_string(),
            nonce: permit_nonce.to_string(),
            deadline: deadline.to_string(),
            signature: hex::encode_prefixed(self.sign(permit_digest(&offer.domain, &permit))),
            version: gas_sponsoring::VERSION.to_owned(),
        };
        let extensions = payment.extensions.get_or_insert_with(Map::new);
        extensions.insert(gas_sponsoring::NAME.to_owned(), json!({"info": info}));
        Ok(())
    }

    /// Signs what Permit2 is told and writes it as it travels.
    fn permit2_payload<W: Serialize>(
        &self,
        transfer: &PermitTransfer,
        digest: B256,
        witness: W,
    ) -> Permit2Payload<W> {
        Permit2Payload {
            signature: hex::encode_prefixed(self.sign(digest)),
            permit2_authorization: permit2_authorization(self.address, transfer, witness),
        }
    }
}

fn permit_transfer(offer: &Offer, spender: Address, nonce: U256, deadline: U256) -> PermitTransfer {
    PermitTransfer {
        token: offer.domain.verifying_contract,
        amount: U256::from(offer.amount.0),
        spender,
        nonce,
        deadline,
    }
}

pub(super) fn permit2_authorization<W>(
    from: Address,
    transfer: &PermitTransfer,
    witness: W,
) -> Permit2Authorization<W> {
    Permit2Authorization {
        from: from.to_checksum(None),
        permitted: TokenPermissions {
            token: transfer.token.to_checksum(None),
            amount: transfer.amount.to_string(),
        },
        spender: transfer.spender.to_checksum(None),
        nonce: transfer.nonce.to_string(),
        deadline: transfer.deadline.to_string(),
        witness,
    }
}
