//! A wallet's key under a password: the Web3 Secret Storage, version 3, which geth, `cast` and most wallets read and write.
//!
//! A password becomes a key by scrypt or PBKDF2; its first half encrypts the private key by AES-128-CTR, its second half
//! goes into a Keccak-256 that tells a wrong password from a right one.
//! See <https://ethereum.org/developers/docs/data-structures-and-encoding/web3-secret-storage/>.
//!
//! A file names its own cost. What it names is bounded before anything is computed.

use aes::Aes128;
use alloy_primitives::{Address, hex, keccak256};
use ctr::Ctr128BE;
use ctr::cipher::{KeyIvInit, StreamCipher};
use glassbox_core::limits::{
    KEYSTORE_MEMORY_BYTES_MAX, KEYSTORE_PBKDF2_ITERATIONS_MAX, KEYSTORE_SCRYPT_WORK_MAX,
};
use pbkdf2::sha2::Sha256;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::error::PayError;
use crate::wallet::Wallet;

/// The version of the format.
const VERSION: u32 = 3;

/// The bytes of the key that a password becomes: 16 for the cipher, 16 for the check.
const DERIVED_BYTES: usize = 32;

/// Why a keystore cannot be opened.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum KeystoreError {
    /// The text is not the JSON of a keystore, or it was cut short.
    #[error("it is not a keystore: {0}")]
    Malformed(String),
    /// The file wants a version, a cipher or a derivation that is not read here.
    #[error("its {what} is `{found}`, and only {known} is read")]
    Unsupported {
        /// What is not supported.
        what: &'static str,
        /// What the file says.
        found: String,
        /// What is read.
        known: &'static str,
    },
    /// Opening the file would take more memory or time than any honest file does.
    #[error("opening it would take {0}")]
    TooDear(String),
    /// The password is not that of the file, or the file was changed.
    #[error("the password is wrong, or the file is damaged")]
    Password,
    /// The address that the file shows is not that of its key.
    #[error("its address is not that of its key")]
    Address,
}

/// How dear it is to try a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cost {
    /// 256 MiB and most of a second, as geth's standard: for whatever holds money.
    Standard,
    /// 4 MiB and some hundredths of a second, as geth's light: for tests and toys.
    Light,
}

impl Cost {
    /// Returns the base-2 logarithm of scrypt's `n`, and its `r` and `p`.
    fn scrypt(self) -> (u8, u32, u32) {
        match self {
            Self::Standard => (18, 8, 1),
            Self::Light => (12, 8, 6),
        }
    }
}

/// A key that a password opens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Keystore {
    // geth insists on an address without `0x`; others leave it out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    address: Option<String>,
    // Early files of geth have it with a capital.
    #[serde(alias = "Crypto")]
    crypto: Crypto,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    version: u32,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Crypto {
    cipher: String,
    cipherparams: CipherParams,
    #[serde(with = "hex_text")]
    ciphertext: Vec<u8>,
    #[serde(flatten)]
    kdf: Kdf,
    #[serde(with = "hex_text")]
    mac: Vec<u8>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct CipherParams {
    #[serde(with = "hex_text")]
    iv: Vec<u8>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kdf", content = "kdfparams", rename_all = "lowercase")]
enum Kdf {
    Scrypt {
        dklen: u32,
        n: u64,
        p: u32,
        r: u32,
        #[serde(with = "hex_text")]
        salt: Vec<u8>,
    },
    Pbkdf2 {
        c: u32,
        dklen: u32,
        prf: String,
        #[serde(with = "hex_text")]
        salt: Vec<u8>,
    },
}

impl Keystore {
    /// Tells whether a text means to be a keystore, good or bad, and not a key or another file.
    pub fn is_meant(text: &str) -> bool {
        let json: Result<serde_json::Value, _> = serde_json::from_str(text);
        json.is_ok_and(|json| json.get("crypto").or_else(|| json.get("Crypto")).is_some())
    }

    /// Reads the JSON of a keystore. Checks its cost, so that opening it is safe; needs no password.
    pub fn parse(text: &str) -> Result<Self, KeystoreError> {
        let keystore: Self =
            serde_json::from_str(text).map_err(|error| KeystoreError::Malformed(error.to_string()))?;
        let unsupported = |what, found: String, known| KeystoreError::Unsupported { what, found, known };
        if keystore.version != VERSION {
            return Err(unsupported("version", keystore.version.to_string(), "version 3"));
        }
        let Crypto { cipher, cipherparams, ciphertext, kdf, mac } = &keystore.crypto;
        if cipher != "aes-128-ctr" {
            return Err(unsupported("cipher", crate::x402::clip(cipher), "aes-128-ctr"));
        }
        let lengths =
            [("iv", cipherparams.iv.len(), 16), ("ciphertext", ciphertext.len(), 32), ("mac", mac.len(), 32)];
        for (name, found, wanted) in lengths {
            if found != wanted {
                return Err(KeystoreError::Malformed(format!("`{name}` has {found} bytes and not {wanted}")));
            }
        }
        kdf.check()?;
        Ok(keystore)
    }

    /// Puts a wallet's key under a password, with fresh random bytes. Takes as long as `cost` says.
    pub fn seal(wallet: &Wallet, password: &str, cost: Cost) -> Result<Self, PayError> {
        let (log_n, r, p) = cost.scrypt();
        let (salt, iv, id) = (random::<32>()?, random::<16>()?, random::<16>()?);
        let kdf = Kdf::Scrypt { dklen: DERIVED_BYTES as u32, n: 1 << log_n, p, r, salt: salt.to_vec() };
        let derived = kdf.derive(password);
        let mut secret = Zeroizing::new([0; 32]);
        hex::decode_to_slice(wallet.to_hex().as_bytes(), secret.as_mut_slice())
            .expect("a wallet writes 32 bytes of hex");
        cipher(&derived, &iv).apply_keystream(secret.as_mut_slice());
        let ciphertext = secret.to_vec();
        Ok(Self {
            address: Some(hex::encode(wallet.address())),
            crypto: Crypto {
                cipher: "aes-128-ctr".to_owned(),
                cipherparams: CipherParams { iv: iv.to_vec() },
                mac: mac(&derived, &ciphertext),
                ciphertext,
                kdf,
            },
            id: Some(uuid(id)),
            version: VERSION,
        })
    }

    /// Opens the key. Takes as long as the file says, a second as a rule.
    pub fn open(&self, password: &str) -> Result<Wallet, KeystoreError> {
        let Crypto { cipherparams, ciphertext, kdf, mac: expected, .. } = &self.crypto;
        let derived = kdf.derive(password);
        if mac(&derived, ciphertext) != *expected {
            return Err(KeystoreError::Password);
        }
        let mut secret = Zeroizing::new([0; 32]);
        secret.copy_from_slice(ciphertext);
        let iv = cipherparams.iv.as_slice().try_into().map_err(|_| KeystoreError::Password)?;
        cipher(&derived, &iv).apply_keystream(secret.as_mut_slice());
        let wallet = Wallet::from_bytes(&secret).map_err(|_| KeystoreError::Password)?;
        match self.address() {
            Some(address) if address != wallet.address() => Err(KeystoreError::Address),
            _ if self.address.is_some() && self.address().is_none() => Err(KeystoreError::Address),
            _ => Ok(wallet),
        }
    }

    /// Returns the address that the file shows, if it shows one. Only opening it proves that it is the key's.
    pub fn address(&self) -> Option<Address> {
        let text = self.address.as_deref()?;
        text.strip_prefix("0x").unwrap_or(text).parse().ok()
    }

    /// Writes the JSON, in lines.
    pub fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).expect("texts and numbers serialize")
    }
}

impl Kdf {
    fn check(&self) -> Result<(), KeystoreError> {
        let (Self::Scrypt { dklen, .. } | Self::Pbkdf2 { dklen, .. }) = self;
        if *dklen as usize != DERIVED_BYTES {
            return Err(KeystoreError::Malformed(format!("`dklen` is {dklen} and not {DERIVED_BYTES}")));
        }
        match self {
            Self::Scrypt { n, p, r, .. } => {
                let memory_bytes =
                    n.saturating_add((*p).into()).saturating_mul(128).saturating_mul((*r).into());
                let work = n.saturating_mul((*r).into()).saturating_mul((*p).into());
                if memory_bytes > KEYSTORE_MEMORY_BYTES_MAX {
                    let mebibytes = memory_bytes >> 20;
                    return Err(KeystoreError::TooDear(format!("{mebibytes} MiB of memory")));
                }
                if work > KEYSTORE_SCRYPT_WORK_MAX {
                    return Err(KeystoreError::TooDear(format!("{} times the usual work", work >> 21)));
                }
                let log_n = n.checked_ilog2().and_then(|log_n| u8::try_from(log_n).ok());
                let params = log_n
                    .filter(|_| n.is_power_of_two() && *n > 1)
                    .and_then(|log_n| scrypt::Params::new(log_n, *r, *p).ok());
                params.map(drop).ok_or_else(|| {
                    KeystoreError::Malformed(format!("scrypt with n = {n}, r = {r}, p = {p} is not defined"))
                })
            }
            Self::Pbkdf2 { c, prf, .. } => {
                if prf != "hmac-sha256" {
                    let found = crate::x402::clip(prf);
                    return Err(KeystoreError::Unsupported { what: "prf", found, known: "hmac-sha256" });
                }
                if *c > KEYSTORE_PBKDF2_ITERATIONS_MAX {
                    return Err(KeystoreError::TooDear(format!("{c} iterations")));
                }
                if *c == 0 {
                    return Err(KeystoreError::Malformed("`c` is 0".to_owned()));
                }
                Ok(())
            }
        }
    }

    /// Makes a key of a password. The parameters were checked.
    fn derive(&self, password: &str) -> Zeroizing<[u8; DERIVED_BYTES]> {
        let mut derived = Zeroizing::new([0; DERIVED_BYTES]);
        match self {
            Self::Scrypt { n, p, r, salt, .. } => {
                let params = scrypt::Params::new(n.ilog2() as u8, *r, *p).expect("checked");
                scrypt::scrypt(password.as_bytes(), salt, &params, derived.as_mut_slice())
                    .expect("32 bytes are not too many");
            }
            Self::Pbkdf2 { c, salt, .. } => {
                pbkdf2::pbkdf2_hmac::<Sha256>(password.as_bytes(), salt, *c, derived.as_mut_slice());
            }
        }
        derived
    }
}

fn cipher(derived: &[u8; DERIVED_BYTES], iv: &[u8; 16]) -> Ctr128BE<Aes128> {
    let (key, _) = derived.split_at(16);
    Ctr128BE::<Aes128>::new_from_slices(key, iv).expect("16 bytes each")
}

fn mac(derived: &[u8; DERIVED_BYTES], ciphertext: &[u8]) -> Vec<u8> {
    let (_, key) = derived.split_at(16);
    keccak256([key, ciphertext].concat()).to_vec()
}

fn random<const N: usize>() -> Result<[u8; N], PayError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|_| PayError::Random)?;
    Ok(bytes)
}

/// Writes random bytes as a UUID of version 4. See RFC 9562, section 5.4.
fn uuid(mut bytes: [u8; 16]) -> String {
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let digits = hex::encode(bytes);
    let parts = [(0, 8), (8, 12), (12, 16), (16, 20), (20, 32)];
    parts.map(|(from, to)| &digits[from..to]).join("-")
}

/// Bytes as hex digits without `0x`.
mod hex_text {
    use alloy_primitives::hex;
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&hex::encode(bytes))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        let text = String::deserialize(deserializer)?;
        hex::decode(text).map_err(D::Error::custom)
    }
}
