//! Ed25519 keys under their `did:key` names.
//!
//! A public key is its own name: there is no registration, and nobody to ask. Random bytes come from the caller.

use std::fmt;
use std::str::FromStr;

use ed25519_dalek::{Signer as _, VerifyingKey};
use serde::{Deserialize, Serialize, Serializer};

/// The multicodec prefix of an Ed25519 public key (`0xed`, as a varint).
const ED25519_MULTICODEC: [u8; 2] = [0xed, 0x01];

/// Says why a text is not a key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Not an Ed25519 `did:key`.
    #[error("`{0}` is not an Ed25519 did:key")]
    Public(String),
    /// Not the 64 hexadecimal digits of a secret seed. The text itself is never repeated.
    #[error("not a secret key: expected 64 hexadecimal digits")]
    Secret,
}

/// An Ed25519 public key. Prints and parses as `did:key:z6Mk…`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(try_from = "String")]
pub struct PublicKey {
    key: VerifyingKey,
    /// The printed form. Base58 is slow to write, and every receipt names its signer twice.
    name: [u8; NAME_BYTES],
}

/// The length of every name: the prefix of the code and the length of the key fix the number of digits.
const NAME_BYTES: usize = "did:key:z".len() + 47;

impl PublicKey {
    fn new(key: VerifyingKey) -> Self {
        let bytes = [ED25519_MULTICODEC.as_slice(), key.as_bytes()].concat();
        let name = format!("did:key:z{}", bs58::encode(bytes).into_string());
        Self { key, name: name.into_bytes().try_into().expect("34 bytes that begin so have 47 digits") }
    }

    /// Makes a key from its 32 bytes; `None` where they are no point of the curve.
    pub fn from_bytes(bytes: &[u8; 32]) -> Option<Self> {
        VerifyingKey::from_bytes(bytes).ok().map(Self::new)
    }

    fn name(&self) -> &str {
        std::str::from_utf8(&self.name).expect("base58 is ASCII")
    }

    /// Tells whether `signature` is this key's signature over `message`.
    ///
    /// Uses strict verification, so that one message has no second valid signature by small-order tricks.
    pub fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        ed25519_dalek::Signature::from_slice(signature)
            .is_ok_and(|signature| self.key.verify_strict(message, &signature).is_ok())
    }

    /// Returns the 32 bytes of the key.
    pub fn as_bytes(&self) -> &[u8; 32] {
        self.key.as_bytes()
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Serialize for PublicKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for PublicKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        let error = || KeyError::Public(text.chars().take(80).collect());
        // Base58 decoding is quadratic, so the length is checked first.
        let encoded = text.strip_prefix("did:key:z").filter(|rest| rest.len() <= 64).ok_or_else(error)?;
        let bytes = bs58::decode(encoded).into_vec().map_err(|_| error())?;
        let key = bytes.strip_prefix(&ED25519_MULTICODEC).and_then(|key| <&[u8; 32]>::try_from(key).ok());
        Ok(Self::new(VerifyingKey::from_bytes(key.ok_or_else(error)?).map_err(|_| error())?))
    }
}

impl TryFrom<String> for PublicKey {
    type Error = KeyError;

    fn try_from(text: String) -> Result<Self, KeyError> {
        text.parse()
    }
}

/// An Ed25519 secret key. Never prints; zeroed when dropped.
#[derive(Clone)]
pub struct SecretKey {
    key: ed25519_dalek::SigningKey,
    public: PublicKey,
}

impl SecretKey {
    /// Makes a key from 32 random bytes.
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        let key = ed25519_dalek::SigningKey::from_bytes(seed);
        Self { public: PublicKey::new(key.verifying_key()), key }
    }

    /// Reads a key from the 64 hexadecimal digits of its seed.
    pub fn from_hex(text: &str) -> Result<Self, KeyError> {
        let mut seed = [0; 32];
        hex::decode_to_slice(text.trim(), &mut seed).map_err(|_| KeyError::Secret)?;
        Ok(Self::from_seed(&seed))
    }

    /// Writes the seed as 64 hexadecimal digits, for a key file.
    pub fn to_hex(&self) -> String {
        hex::encode(self.key.to_bytes())
    }

    /// Returns the public half.
    pub fn public(&self) -> PublicKey {
        self.public
    }

    /// Signs `message`: 64 bytes, the same each time.
    pub fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.key.sign(message).to_bytes()
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretKey({})", self.public())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn did_key_round_trip() {
        let key = SecretKey::from_seed(&[7; 32]);
        let public = key.public();
        assert!(public.to_string().starts_with("did:key:z6Mk"));
        assert_eq!(public.to_string().parse(), Ok(public));
        assert!(public.verifies(b"m", &key.sign(b"m")));
        assert!(!public.verifies(b"n", &key.sign(b"m")) && !public.verifies(b"m", b"short"));
        assert!(!format!("{key:?}").contains(&key.to_hex()));
        for bad in ["", "did:key:", "did:key:z", "did:key:z6Mk", "did:web:example.org"] {
            assert!(bad.parse::<PublicKey>().is_err(), "{bad}");
        }
    }
}
