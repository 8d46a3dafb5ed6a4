//! What makes a payment the one it is.

use std::fmt;
use std::str::FromStr;

use alloy_primitives::{Address, B256};

use super::field::{address, bytes32};
use crate::error::PayError;
use crate::network::Network;
use crate::x402::clip;

/// What makes a payment the one it is: a contract takes each nonce of a payer once.
///
/// Its text is `eip155:84532/0x<asset>/0x<payer>/0x<nonce>` in lower case, fit for a unique column.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PaymentKey {
    /// The network.
    pub network: Network,
    /// The contract that counts the nonces: the token, or Permit2, or that of the channels.
    pub asset: Address,
    /// The payer.
    pub payer: Address,
    /// The payer's nonce.
    pub nonce: B256,
}

impl fmt::Display for PaymentKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // `{:#x}` is lower case; the plain `Display` of an address is checksummed.
        write!(f, "{}/{:#x}/{:#x}/{:#x}", self.network, self.asset, self.payer, self.nonce)
    }
}

impl FromStr for PaymentKey {
    type Err = PayError;

    fn from_str(text: &str) -> Result<Self, PayError> {
        let refused = || PayError::PaymentKey(clip(text));
        let parts: Vec<&str> = text.splitn(5, '/').collect();
        let [network, asset, payer, nonce] = parts[..] else {
            return Err(refused());
        };
        let key = Self {
            network: network.parse().map_err(|_| refused())?,
            asset: address("asset", asset).map_err(|_| refused())?,
            payer: address("payer", payer).map_err(|_| refused())?,
            nonce: bytes32("nonce", nonce).map_err(|_| refused())?,
        };
        // One key has one text, or a unique column would hold it twice.
        if key.to_string() == text { Ok(key) } else { Err(refused()) }
    }
}
