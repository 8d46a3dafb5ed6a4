//! A payer's key, and the signing of `exact` payments with it.

use std::fmt;

use alloy_primitives::{Address, B256, U256, hex};
use k256::ecdsa::SigningKey;
use serde_json::{Map, Value};
use zeroize::Zeroizing;

use crate::eip712::{self, Transfer};
use crate::error::PayError;
use crate::scheme::{Offer, Scheme, TransferMethod};
use crate::x402::{ExactAuthorization, ExactPayload, PaymentPayload, PaymentRequirements, Resource, VERSION};

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

    /// Signs a hash: r, s, v.
    pub(crate) fn sign(&self, digest: B256) -> [u8; 65] {
        eip712::sign(&self.key, digest)
    }

    /// Signs a payment of the offer with a fresh random nonce. `now_s` is the Unix second; `resource` is repeated
    /// from the 402 answer and not covered by the signature.
    pub fn sign_exact(
        &self,
        offered: &PaymentRequirements,
        resource: Option<Resource>,
        now_s: u64,
    ) -> Result<PaymentPayload, PayError> {
        self.sign_exact_with_nonce(offered, resource, now_s, random_nonce()?)
    }

    /// Signs a payment of the offer with the given nonce: the same words give the same payment again, so a caller
    /// that keeps its nonce can never pay twice for one thing.
    pub fn sign_exact_with_nonce(
        &self,
        offered: &PaymentRequirements,
        resource: Option<Resource>,
        now_s: u64,
        nonce: B256,
    ) -> Result<PaymentPayload, PayError> {
        let offer = Offer::read(Scheme::Exact, offered)
            .map_err(|rejection| PayError::Unpayable(rejection.message))?;
        if offer.method == Some(TransferMethod::Permit2) {
            return Err(PayError::Unpayable("the offer is to be paid by Permit2".to_owned()));
        }
        let transfer = Transfer {
            from: self.address,
            to: offer.pay_to,
            value: U256::from(offer.amount.0),
            // From the beginning of time, as the stock clients do, so that no chain's clock is behind it.
            valid_after: U256::ZERO,
            valid_before: U256::from(now_s.saturating_add(offered.max_timeout_seconds)),
            nonce,
        };
        let signature = eip712::sign(&self.key, eip712::transfer_digest(&offer.domain, &transfer));
        Ok(PaymentPayload {
            x402_version: VERSION,
            resource,
            accepted: offered.clone(),
            payload: exact_payload(&transfer, &signature),
            extensions: None,
        })
    }
}

/// Draws a nonce from the operating system's randomness.
pub fn random_nonce() -> Result<B256, PayError> {
    let mut nonce = B256::ZERO;
    getrandom::fill(nonce.as_mut_slice()).map_err(|_| PayError::Random)?;
    Ok(nonce)
}

fn exact_payload(transfer: &Transfer, signature: &[u8; 65]) -> Map<String, Value> {
    let payload = ExactPayload {
        signature: hex::encode_prefixed(signature),
        authorization: ExactAuthorization::from(transfer),
    };
    match serde_json::to_value(payload) {
        Ok(Value::Object(map)) => map,
        other => unreachable!("a struct of texts becomes a JSON object, not {other:?}"),
    }
}

impl fmt::Debug for Wallet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wallet").field("address", &self.address).finish_non_exhaustive()
    }
}
