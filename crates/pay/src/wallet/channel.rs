//! Payments out of a deposit: what the payer signs, and what the receiver's authorizer signs to collect.

use alloy_primitives::{B256, U256, hex};
use glassbox_core::Atomic;

use super::single::permit2_authorization;
use super::{Wallet, payment, unpayable};
use crate::eip712::batch::{channel_id, claim_batch_digest, deposit_nonce, refund_digest, voucher_digest};
use crate::eip712::permit2::{PermitTransfer, Witness, permit_transfer_digest};
use crate::eip712::token::{Transfer, receive_digest};
use crate::error::PayError;
use crate::evm::addresses::{ERC3009_DEPOSIT_COLLECTOR, PERMIT2_DEPOSIT_COLLECTOR};
use crate::facilitator::Claim;
use crate::network::Network;
use crate::scheme::batch::{
    self, BatchPayload, ChannelConfig, ClaimEntry, DepositAuthorization, DepositPayload, DepositWitness,
    Erc3009Authorization, SignedPermit2Authorization, VoucherPayload,
};
use crate::scheme::{Offer, Scheme, TransferMethod};
use crate::x402::{PaymentPayload, PaymentRequirements, Resource};

/// What a deposit is to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DepositTerms {
    /// How much goes into the channel.
    pub amount: Atomic,
    /// 32 bytes that no other deposit of this payer has; the same ones give the same deposit again.
    pub salt: B256,
    /// The Unix second. The deposit expires after the offer's `maxTimeoutSeconds`.
    pub now_s: u64,
}

impl Wallet {
    /// Returns the channel that this wallet would pay the offer from, signing vouchers with its own key. `salt` tells
    /// channels apart that are the same otherwise; the stock clients take zero.
    pub fn channel(&self, offered: &PaymentRequirements, salt: B256) -> Result<ChannelConfig, PayError> {
        let offer = Offer::read(Scheme::Batch, offered).map_err(unpayable)?;
        Ok(ChannelConfig {
            payer: self.address,
            payer_authorizer: self.address,
            receiver: offer.pay_to,
            receiver_authorizer: Offer::extra_address(offered, batch::RECEIVER_AUTHORIZER)
                .map_err(unpayable)?,
            token: offer.domain.verifying_contract,
            withdraw_delay: batch::withdraw_delay(offered).map_err(unpayable)?,
            salt,
        })
    }

    /// Signs a deposit into the channel, and the voucher for the first call out of it: `max_claimable` is what the
    /// channel may pay over its whole life.
    pub fn sign_deposit(
        &self,
        offered: &PaymentRequirements,
        resource: Option<Resource>,
        channel: &ChannelConfig,
        max_claimable: Atomic,
        deposit: &DepositTerms,
    ) -> Result<PaymentPayload, PayError> {
        let offer = Offer::read(Scheme::Batch, offered).map_err(unpayable)?;
        let id = channel_id(offer.network.chain_id, channel);
        let expires = U256::from(deposit.now_s.saturating_add(offered.max_timeout_seconds));
        let authorization = match offer.method.unwrap_or(TransferMethod::Eip3009) {
            TransferMethod::Eip3009 => DepositAuthorization {
                erc3009_authorization: Some(self.deposit_by_eip3009(&offer, id, deposit, expires)),
                permit2_authorization: None,
            },
            TransferMethod::Permit2 => DepositAuthorization {
                erc3009_authorization: None,
                permit2_authorization: Some(self.deposit_by_permit2(&offer, id, deposit, expires)),
            },
        };
        let part = BatchPayload::Deposit {
            channel_config: channel.clone(),
            voucher: self.voucher(offer.network, id, max_claimable),
            deposit: DepositPayload { amount: deposit.amount.to_string(), authorization },
        };
        Ok(payment(offered, resource, &part))
    }

    /// Signs a voucher for one more call: `max_claimable` is what the channel may pay over its whole life.
    pub fn sign_voucher(
        &self,
        offered: &PaymentRequirements,
        resource: Option<Resource>,
        channel: &ChannelConfig,
        max_claimable: Atomic,
    ) -> Result<PaymentPayload, PayError> {
        let offer = Offer::read(Scheme::Batch, offered).map_err(unpayable)?;
        let id = channel_id(offer.network.chain_id, channel);
        let part = BatchPayload::Voucher {
            channel_config: channel.clone(),
            voucher: self.voucher(offer.network, id, max_claimable),
        };
        Ok(payment(offered, resource, &part))
    }

    /// Signs a request for `amount` of the channel back, or for everything that is left. `charged` is what the channel
    /// has paid so far.
    pub fn sign_channel_refund(
        &self,
        offered: &PaymentRequirements,
        resource: Option<Resource>,
        channel: &ChannelConfig,
        charged: Atomic,
        amount: Option<Atomic>,
    ) -> Result<PaymentPayload, PayError> {
        let offer = Offer::read(Scheme::Batch, offered).map_err(unpayable)?;
        let id = channel_id(offer.network.chain_id, channel);
        let part = BatchPayload::Refund {
            channel_config: channel.clone(),
            voucher: self.voucher(offer.network, id, charged),
            amount: amount.map(|amount| amount.to_string()),
        };
        Ok(payment(offered, resource, &part))
    }

    /// Signs, as the receiver's authorizer, that the claims may be made: r, s, v.
    pub fn sign_claim_batch(&self, network: Network, claims: &[Claim]) -> [u8; 65] {
        let entry = |claim: &Claim| ClaimEntry {
            channel_id: channel_id(network.chain_id, &claim.channel),
            max_claimable: claim.max_claimable.0,
            total_claimed: claim.total_claimed.0,
        };
        let entries: Vec<ClaimEntry> = claims.iter().map(entry).collect();
        self.sign(claim_batch_digest(network.chain_id, &entries))
    }

    /// Signs, as the receiver's authorizer, that `amount` of the channel goes back to its payer: r, s, v. `nonce` counts
    /// the channel's refunds.
    pub fn sign_refund(&self, network: Network, channel_id: B256, nonce: U256, amount: Atomic) -> [u8; 65] {
        self.sign(refund_digest(network.chain_id, channel_id, nonce, amount.0))
    }

    fn voucher(&self, network: Network, channel_id: B256, max_claimable: Atomic) -> VoucherPayload {
        let digest = voucher_digest(network.chain_id, channel_id, max_claimable.0);
        VoucherPayload {
            channel_id: channel_id.to_string(),
            max_claimable_amount: max_claimable.to_string(),
            signature: hex::encode_prefixed(self.sign(digest)),
        }
    }

    fn deposit_by_eip3009(
        &self,
        offer: &Offer,
        channel_id: B256,
        deposit: &DepositTerms,
        expires: U256,
    ) -> Erc3009Authorization {
        let transfer = Transfer {
            from: self.address,
            to: ERC3009_DEPOSIT_COLLECTOR,
            value: U256::from(deposit.amount.0),
            valid_after: U256::ZERO,
            valid_before: expires,
            nonce: deposit_nonce(channel_id, deposit.salt.into()),
        };
        Erc3009Authorization {
            valid_after: transfer.valid_after.to_string(),
            valid_before: transfer.valid_before.to_string(),
            salt: deposit.salt.to_string(),
            signature: hex::encode_prefixed(self.sign(receive_digest(&offer.domain, &transfer))),
        }
    }

    fn deposit_by_permit2(
        &self,
        offer: &Offer,
        channel_id: B256,
        deposit: &DepositTerms,
        expires: U256,
    ) -> SignedPermit2Authorization {
        let transfer = PermitTransfer {
            token: offer.domain.verifying_contract,
            amount: U256::from(deposit.amount.0),
            spender: PERMIT2_DEPOSIT_COLLECTOR,
            nonce: deposit.salt.into(),
            deadline: expires,
        };
        let witness = Witness::Deposit { channel_id };
        let digest = permit_transfer_digest(offer.network.chain_id, &transfer, &witness);
        let witness = DepositWitness { channel_id: channel_id.to_string() };
        SignedPermit2Authorization {
            authorization: permit2_authorization(self.address, &transfer, witness),
            signature: hex::encode_prefixed(self.sign(digest)),
        }
    }
}
