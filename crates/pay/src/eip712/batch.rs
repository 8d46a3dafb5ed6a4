//! What the contract of `batch-settlement` checks: channels, vouchers, claims and refunds.

use alloy_primitives::{Address, B256, U256, keccak256};
use serde::{Deserialize, Serialize};

use super::{Domain, Words, digest, domain_separator};
use crate::evm::addresses::BATCH_SETTLEMENT;
use crate::scheme::channel::ChannelConfigJson;

const CHANNEL_TYPE: &str = "ChannelConfig(address payer,address payerAuthorizer,address receiver,\
                            address receiverAuthorizer,address token,uint40 withdrawDelay,bytes32 salt)";

const VOUCHER_TYPE: &str = "Voucher(bytes32 channelId,uint128 maxClaimableAmount)";

const REFUND_TYPE: &str = "Refund(bytes32 channelId,uint256 nonce,uint128 amount)";

const CLAIM_ENTRY_TYPE: &str =
    "ClaimEntry(bytes32 channelId,uint128 maxClaimableAmount,uint128 totalClaimed)";

const CLAIM_BATCH_TYPE: &str = "ClaimBatch(ClaimEntry[] claims)";

/// What a channel is, for ever: its hash is its id.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(into = "ChannelConfigJson", try_from = "ChannelConfigJson")]
pub struct ChannelConfig {
    /// Who deposits, and gets back what was not claimed.
    pub payer: Address,
    /// Whose key signs vouchers; zero for the payer's own.
    pub payer_authorizer: Address,
    /// Who receives what is claimed.
    pub receiver: Address,
    /// Whose key signs claims and refunds.
    pub receiver_authorizer: Address,
    /// The token.
    pub token: Address,
    /// How long after asking for it the payer may take its deposit back alone, in seconds; at most 40 bits.
    pub withdraw_delay: u64,
    /// Tells channels apart that are the same otherwise.
    pub salt: B256,
}

/// How much of one channel is claimed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClaimEntry {
    /// The channel's id.
    pub channel_id: B256,
    /// What its latest voucher allows, in atomic units over the channel's life.
    pub max_claimable: u128,
    /// What shall have been claimed afterwards, in atomic units over the channel's life.
    pub total_claimed: u128,
}

/// Returns the channel's id on a chain.
pub fn channel_id(chain_id: u64, channel: &ChannelConfig) -> B256 {
    let mut words = Words::of(keccak256(CHANNEL_TYPE));
    words.push(channel.payer.into_word());
    words.push(channel.payer_authorizer.into_word());
    words.push(channel.receiver.into_word());
    words.push(channel.receiver_authorizer.into_word());
    words.push(channel.token.into_word());
    words.push(U256::from(channel.withdraw_delay).into());
    words.push(channel.salt);
    digest(separator(chain_id), words.hash())
}

/// Returns the hash that the payer's authorizer signs: up to `max_claimable` of the channel may be claimed, over its
/// whole life.
pub fn voucher_digest(chain_id: u64, channel_id: B256, max_claimable: u128) -> B256 {
    let mut words = Words::of(keccak256(VOUCHER_TYPE));
    words.push(channel_id);
    words.push(U256::from(max_claimable).into());
    digest(separator(chain_id), words.hash())
}

/// Returns the hash that the receiver's authorizer signs to give `amount` of the channel back. `nonce` counts the
/// channel's refunds.
pub fn refund_digest(chain_id: u64, channel_id: B256, nonce: U256, amount: u128) -> B256 {
    let mut words = Words::of(keccak256(REFUND_TYPE));
    words.push(channel_id);
    words.push(nonce.into());
    words.push(U256::from(amount).into());
    digest(separator(chain_id), words.hash())
}

/// Returns the hash that the receiver's authorizer signs to claim from channels.
pub fn claim_batch_digest(chain_id: u64, claims: &[ClaimEntry]) -> B256 {
    let entry_type = keccak256(CLAIM_ENTRY_TYPE);
    let entries: Vec<u8> = claims.iter().flat_map(|claim| claim.hash(entry_type).0).collect();
    let mut words = Words::of(keccak256([CLAIM_BATCH_TYPE, CLAIM_ENTRY_TYPE].concat()));
    words.push(keccak256(entries));
    digest(separator(chain_id), words.hash())
}

impl ClaimEntry {
    fn hash(&self, entry_type: B256) -> B256 {
        let mut words = Words::of(entry_type);
        words.push(self.channel_id);
        words.push(U256::from(self.max_claimable).into());
        words.push(U256::from(self.total_claimed).into());
        words.hash()
    }
}

/// Returns the nonce of the EIP-3009 transfer that deposits into the channel, by which the transfer is bound to it.
pub fn deposit_nonce(channel_id: B256, salt: U256) -> B256 {
    keccak256([channel_id.0, salt.to_be_bytes()].concat())
}

fn separator(chain_id: u64) -> B256 {
    domain_separator(&Domain {
        name: "x402 Batch Settlement".to_owned(),
        version: "1".to_owned(),
        chain_id,
        verifying_contract: BATCH_SETTLEMENT,
    })
}
