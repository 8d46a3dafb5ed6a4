//! Payments of `batch-settlement` as they travel: numbers as digits, bytes as hex.

use serde::{Deserialize, Serialize};

use super::ChannelConfig;
use crate::scheme::permit2::Permit2Authorization;

/// The scheme's part of a `batch-settlement` payment.
#[expect(clippy::large_enum_variant, reason = "there is one at a time, and not for long")]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum BatchPayload {
    /// A deposit, and the first voucher after it.
    Deposit {
        /// The channel.
        channel_config: ChannelConfig,
        /// What the channel may ever pay.
        voucher: VoucherPayload,
        /// What goes into it.
        deposit: DepositPayload,
    },
    /// A voucher for one more call.
    Voucher {
        /// The channel.
        channel_config: ChannelConfig,
        /// What the channel may ever pay.
        voucher: VoucherPayload,
    },
    /// The payer asks for its deposit back. Nothing is charged.
    Refund {
        /// The channel.
        channel_config: ChannelConfig,
        /// What was charged to the channel.
        voucher: VoucherPayload,
        /// How much it asks for, in atomic units; everything if it is not said.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        amount: Option<String>,
    },
}

/// A voucher as it travels.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct VoucherPayload {
    /// The channel's id.
    pub channel_id: String,
    /// The most that may be claimed over the channel's life, in atomic units.
    pub max_claimable_amount: String,
    /// `0x` and 65 bytes: r, s, v.
    pub signature: String,
}

/// A deposit as it travels.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DepositPayload {
    /// How much, in atomic units.
    pub amount: String,
    /// The payer's authorization.
    pub authorization: DepositAuthorization,
}

/// The payer's authorization of a deposit as it travels: one of the two.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DepositAuthorization {
    /// By EIP-3009.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub erc3009_authorization: Option<Erc3009Authorization>,
    /// By Permit2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub permit2_authorization: Option<SignedPermit2Authorization>,
}

/// The arguments of EIP-3009 `ReceiveWithAuthorization` that are not said elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Erc3009Authorization {
    /// The Unix second after which it is valid.
    pub valid_after: String,
    /// The Unix second before which it is valid.
    pub valid_before: String,
    /// What makes, with the channel's id, the nonce; a number of 256 bits in hex.
    pub salt: String,
    /// `0x` and 65 bytes: r, s, v.
    pub signature: String,
}

/// An authorization by Permit2 with its signature in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedPermit2Authorization {
    /// What was signed.
    #[serde(flatten)]
    pub authorization: Permit2Authorization<DepositWitness>,
    /// `0x` and 65 bytes: r, s, v.
    pub signature: String,
}

/// What binds a deposit by Permit2, as it travels.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DepositWitness {
    /// The channel's id.
    pub channel_id: String,
}

impl BatchPayload {
    /// Returns what every kind has.
    pub(super) fn channel_and_voucher(&self) -> (&ChannelConfig, &VoucherPayload) {
        match self {
            Self::Deposit { channel_config, voucher, .. }
            | Self::Voucher { channel_config, voucher }
            | Self::Refund { channel_config, voucher, .. } => (channel_config, voucher),
        }
    }
}
