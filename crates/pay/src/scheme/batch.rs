//! Payments out of a deposit.

use alloy_primitives::{Address, B256};

/// What a channel is, for ever: its hash is its id.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
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
