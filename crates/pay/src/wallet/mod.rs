//! A key that pays: what payers sign for each scheme, and what the operator signs to collect.

mod channel;
mod single;

use std::fmt;

use alloy_primitives::{Address, B256, hex};
use k256::ecdsa::SigningKey;
use serde::Serialize;
use serde_json::Value;
use zeroize::Zeroizing;

use crate::eip712;
use crate::error::PayError;
use crate::facilitator::Rejection;
use crate::x402::{PaymentPayload, PaymentRequirements, Resource, VERSION};

pub use channel::DepositTerms;

/// A secp256k1 key that pays. It is wiped from memory when dropped and never prints.
#[derive(Clone)]
pub struct Wallet {
    key: SigningKey,
    address: Address,
}

impl Wallet {
    /// Makes a wallet with a key from the operating system's randomness.
    pub fn random() -> Result<Self, PayError> {
        let mut bytes = Zeroizing::new([0; 32]);
        getrandom::fill(bytes.as_mut_slice()).map_err(|_| PayError::Random)?;
        // Fewer than one in 2^127 draws is out of the curve's range, so a second draw is not worth its code.
        Self::from_bytes(&bytes)
    }

    /// Reads a private key of 64 hex digits, with or without `0x`.
    pub fn from_hex(text: &str) -> Result<Self, PayError> {
        let text = text.trim();
        let digits = text.strip_prefix("0x").unwrap_or(text);
        let mut bytes = Zeroizing::new([0; 32]);
        hex::decode_to_slice(digits, bytes.as_mut_slice()).map_err(|_| PayError::PrivateKey)?;
        Self::from_bytes(&bytes)
    }

    /// Takes a private key of 32 bytes.
    pub fn from_bytes(bytes: &[u8; 32]) -> Result<Self, PayError> {
        let key = SigningKey::from_slice(bytes).map_err(|_| PayError::PrivateKey)?;
        let address = eip712::address_of(key.verifying_key());
        Ok(Self { key, address })
    }

    /// Returns the private key as `0x` and hex, for keeping. The text is wiped when dropped.
    pub fn to_hex(&self) -> Zeroizing<String> {
        let bytes = Zeroizing::new(<[u8; 32]>::from(self.key.to_bytes()));
        Zeroizing::new(hex::encode_prefixed(bytes.as_slice()))
    }

    /// Returns the address. It displays with the checksum of EIP-55.
    pub fn address(&self) -> Address {
        self.address
    }

    pub(crate) fn sign(&self, digest: B256) -> [u8; 65] {
        eip712::sign(&self.key, digest)
    }

    /// Signs a text as wallets show it to people (EIP-191): r, s, v.
    pub fn sign_text(&self, text: &str) -> [u8; 65] {
        self.sign(eip712::text_digest(text))
    }
}

/// Draws a nonce from the operating system's randomness.
pub fn random_nonce() -> Result<B256, PayError> {
    let mut nonce = B256::ZERO;
    getrandom::fill(nonce.as_mut_slice()).map_err(|_| PayError::Random)?;
    Ok(nonce)
}

/// Wraps the scheme's part of a payment.
fn payment(
    offered: &PaymentRequirements,
    resource: Option<Resource>,
    part: &impl Serialize,
) -> PaymentPayload {
    let payload = match serde_json::to_value(part) {
        Ok(Value::Object(map)) => map,
        other => unreachable!("a struct of texts becomes a JSON object, not {other:?}"),
    };
    PaymentPayload { x402_version: VERSION, resource, accepted: offered.clone(), payload, extensions: None }
}

/// What is wrong with an offer that the wallet shall pay.
fn unpayable(rejection: Rejection) -> PayError {
    PayError::Unpayable(rejection.message)
}

impl fmt::Debug for Wallet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wallet").field("address", &self.address).finish_non_exhaustive()
    }
}
