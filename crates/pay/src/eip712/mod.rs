//! Typed-data hashing and signature recovery for the messages that payers and operators sign.
//!
//! Written out by hand, since a dozen flat structs do not need a type compiler. See EIP-712 and EIP-2.
//!
//! - [`token`]: what a token checks itself, EIP-3009 and EIP-2612.
//! - [`permit2`]: what Permit2 checks, with the witness of each x402 contract.
//! - [`receipt`]: what a server signs of its offers and receipts.
//! - [`batch`]: what the contract of `batch-settlement` checks: channels, vouchers, claims and refunds.

pub mod batch;
pub mod permit2;
pub mod receipt;
pub mod token;

use alloy_primitives::{Address, B256, U256, keccak256};
use k256::ecdsa::{RecoveryId, Signature, SigningKey, VerifyingKey};

pub use token::{Transfer, transfer_digest};

/// The type of an EIP-712 domain as tokens use it.
const DOMAIN_TYPE: &str =
    "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)";

/// The domain that ties a signature to one contract, mostly a token, on one chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Domain {
    /// The contract's signing name, such as `USDC`.
    pub name: String,
    /// The contract's signing version, such as `2`.
    pub version: String,
    /// The chain id.
    pub chain_id: u64,
    /// The contract's address.
    pub verifying_contract: Address,
}

/// Says why a signature was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// It is not 65 bytes: that of a contract's wallet, or none at all.
    #[error("the signature is not 65 bytes; signatures of contract wallets are not taken")]
    Length,
    /// Its last byte is not 27 or 28.
    #[error("the signature's last byte is not 27 or 28")]
    RecoveryByte,
    /// Its `s` is in the upper half of the curve's order, so that it has a twin (EIP-2).
    #[error("the signature's s is not in the lower half")]
    HighS,
    /// It is the signature of nobody.
    #[error("the signature belongs to no key")]
    Invalid,
}

/// Returns the hash of the domain.
pub fn domain_separator(domain: &Domain) -> B256 {
    let mut words = Words::of(keccak256(DOMAIN_TYPE));
    words.push(keccak256(&domain.name));
    words.push(keccak256(&domain.version));
    words.push(B256::from(U256::from(domain.chain_id)));
    words.push(domain.verifying_contract.into_word());
    words.hash()
}

/// Returns the hash that is signed: of a message in a domain.
fn digest(domain_separator: B256, message: B256) -> B256 {
    keccak256([&[0x19, 0x01][..], domain_separator.as_slice(), message.as_slice()].concat())
}

/// Returns the hash that is signed of a text that people read. See EIP-191, "personal messages".
pub fn text_digest(text: &str) -> B256 {
    keccak256(format!("\x19Ethereum Signed Message:\n{}{text}", text.len()))
}

/// Returns the address whose key made the signature (r, s, v) of the digest. Takes the canonical form only.
pub fn recover(digest: B256, signature: &[u8]) -> Result<Address, SignatureError> {
    let bytes: &[u8; 65] = signature.try_into().map_err(|_| SignatureError::Length)?;
    let recovery = match bytes[64] {
        27 => RecoveryId::new(false, false),
        28 => RecoveryId::new(true, false),
        _ => return Err(SignatureError::RecoveryByte),
    };
    let signature = Signature::from_slice(&bytes[..64]).map_err(|_| SignatureError::Invalid)?;
    if signature.normalize_s().is_some() {
        return Err(SignatureError::HighS);
    }
    let key = VerifyingKey::recover_from_prehash(digest.as_slice(), &signature, recovery)
        .map_err(|_| SignatureError::Invalid)?;
    Ok(address_of(&key))
}

/// Signs the digest: r, s, v with the lower s and v of 27 or 28.
pub(crate) fn sign(key: &SigningKey, digest: B256) -> [u8; 65] {
    let (signature, recovery) =
        key.sign_prehash_recoverable(digest.as_slice()).expect("a 32-byte digest is long enough to sign");
    let mut bytes = [0; 65];
    bytes[..64].copy_from_slice(&signature.to_bytes());
    bytes[64] = 27 + u8::from(recovery.is_y_odd());
    bytes
}

/// Returns the address of a public key: the last 20 bytes of its hash.
pub(crate) fn address_of(key: &VerifyingKey) -> Address {
    let point = key.to_encoded_point(false);
    Address::from_raw_public_key(&point.as_bytes()[1..])
}

/// The words of an encoded struct, the hash of its type first.
struct Words(Vec<u8>);

impl Words {
    fn of(type_hash: B256) -> Self {
        Self(type_hash.to_vec())
    }

    fn push(&mut self, word: B256) {
        self.0.extend_from_slice(word.as_slice());
    }

    fn hash(&self) -> B256 {
        keccak256(&self.0)
    }
}
