//! EVM networks by their CAIP-2 ids.

use std::fmt;
use std::str::FromStr;

use crate::error::PayError;
use crate::x402::clip;

/// An EVM network, written `eip155:84532`. See CAIP-2.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Network {
    /// The EIP-155 chain id.
    pub chain_id: u64,
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "eip155:{}", self.chain_id)
    }
}

impl FromStr for Network {
    type Err = PayError;

    fn from_str(text: &str) -> Result<Self, PayError> {
        let refused = || PayError::Network(clip(text));
        let digits = text.strip_prefix("eip155:").ok_or_else(refused)?;
        let canonical = !digits.is_empty()
            && !digits.starts_with('0')
            && digits.bytes().all(|byte| byte.is_ascii_digit());
        if !canonical {
            return Err(refused());
        }
        Ok(Self { chain_id: digits.parse().map_err(|_| refused())? })
    }
}
