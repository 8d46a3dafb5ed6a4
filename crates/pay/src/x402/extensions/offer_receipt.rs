//! `offer-receipt`: the server signs what it offers, and that it was paid.
//!
//! Both travel as EIP-712 messages of a secp256k1 key, which contracts can check, or as JWS of an Ed25519 key, which is
//! named by its `did:key`. See `specs/extensions/offer_receipt.md`.

use alloy_primitives::{Address, hex};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use glassbox_core::key::{PublicKey, SecretKey};
use glassbox_core::limits::HEADER_BYTES_MAX;
use glassbox_core::{Digest, canonical};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::schema;
use crate::eip712::receipt::{offer_digest, receipt_digest};
use crate::eip712::{self, SignatureError};
use crate::wallet::Wallet;
use crate::x402::{PaymentRequirements, clip};

/// The extension's name.
pub const NAME: &str = "offer-receipt";

/// The version of what is signed.
pub const VERSION: u64 = 1;

/// An offer as it is signed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Offer {
    /// [`VERSION`].
    pub version: u64,
    /// What is for sale.
    pub resource_url: String,
    /// How the amount is authorized.
    pub scheme: String,
    /// The CAIP-2 id of the network.
    pub network: String,
    /// The address of the token.
    pub asset: String,
    /// The address that receives the amount.
    pub pay_to: String,
    /// The amount in atomic units.
    pub amount: String,
    /// The last Unix second at which it stands; zero if it does not say.
    #[serde(default)]
    pub valid_until: u64,
}

/// A receipt as it is signed: that somebody paid for a resource.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Receipt {
    /// [`VERSION`].
    pub version: u64,
    /// The CAIP-2 id of the network.
    pub network: String,
    /// What was paid for.
    pub resource_url: String,
    /// Who paid.
    pub payer: String,
    /// The Unix second of the receipt.
    pub issued_at: u64,
    /// The hash of the transaction, or empty for the payer's privacy.
    #[serde(default)]
    pub transaction: String,
}

/// Something signed, as it travels: an [`Offer`] or a [`Receipt`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "format", rename_all = "lowercase")]
pub enum Signed<T> {
    /// By a secp256k1 key.
    Eip712 {
        /// Which of the offers it is, counted from 0. Not signed.
        #[serde(rename = "acceptIndex", default, skip_serializing_if = "Option::is_none")]
        accept_index: Option<usize>,
        /// What was signed.
        payload: T,
        /// `0x` and 65 bytes: r, s, v.
        signature: String,
    },
    /// By an Ed25519 key.
    Jws {
        /// Which of the offers it is, counted from 0. Not signed.
        #[serde(rename = "acceptIndex", default, skip_serializing_if = "Option::is_none")]
        accept_index: Option<usize>,
        /// A compact JWS, with what was signed in it.
        signature: String,
    },
}

/// Who signs offers and receipts.
#[derive(Debug, Clone, Copy)]
pub enum Issuer<'a> {
    /// A secp256k1 key, by EIP-712.
    Eip712(&'a Wallet),
    /// An Ed25519 key, by JWS.
    Jws(&'a SecretKey),
}

/// Who signed something.
#[expect(clippy::large_enum_variant, reason = "there is one at a time, and not for long")]
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Signer {
    /// The address of a secp256k1 key.
    Address(Address),
    /// An Ed25519 key.
    Key(PublicKey),
}

/// Says why something signed was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignedError {
    /// The signature is not one.
    #[error("the signature is not 65 bytes of hex")]
    Hex,
    /// The signature belongs to nobody.
    #[error(transparent)]
    Signature(#[from] SignatureError),
    /// It is not a JWS by an Ed25519 key that is named by its `did:key`.
    #[error("it is not a JWS by an Ed25519 did:key: {0}")]
    Jws(String),
    /// The signature is not that of the key it names.
    #[error("the signature is not that of the key it names")]
    Forged,
}

impl Offer {
    /// Returns what is signed of an offer of ours that stands until the Unix second `valid_until`.
    pub fn of(offered: &PaymentRequirements, resource_url: &str, valid_until: u64) -> Self {
        Self {
            version: VERSION,
            resource_url: resource_url.to_owned(),
            scheme: offered.scheme.clone(),
            network: offered.network.clone(),
            asset: offered.asset.clone(),
            pay_to: offered.pay_to.clone(),
            amount: offered.amount.clone(),
            valid_until,
        }
    }
}

impl Issuer<'_> {
    /// Signs an offer. `accept_index` is its place in the 402 answer, counted from 0.
    pub fn sign_offer(&self, offer: &Offer, accept_index: usize) -> Signed<Offer> {
        match self {
            Self::Eip712(wallet) => Signed::Eip712 {
                accept_index: Some(accept_index),
                payload: offer.clone(),
                signature: hex::encode_prefixed(wallet.sign(offer_digest(offer))),
            },
            Self::Jws(key) => {
                Signed::Jws { accept_index: Some(accept_index), signature: sign_jws(key, offer) }
            }
        }
    }

    /// Signs a receipt.
    pub fn sign_receipt(&self, receipt: &Receipt) -> Signed<Receipt> {
        match self {
            Self::Eip712(wallet) => Signed::Eip712 {
                accept_index: None,
                payload: receipt.clone(),
                signature: hex::encode_prefixed(wallet.sign(receipt_digest(receipt))),
            },
            Self::Jws(key) => {
                let mut payload = json!(receipt);
                // Unlike EIP-712, a JWS can leave out what it does not say.
                if let Value::Object(fields) = &mut payload {
                    fields.retain(|_, value| value.as_str() != Some(""));
                }
                Signed::Jws { accept_index: None, signature: sign_jws(key, &payload) }
            }
        }
    }
}

impl<T> Signed<T> {
    /// Returns what names it elsewhere: the digest of its JWS, or of its signature's text.
    pub fn digest(&self) -> Digest {
        match self {
            Self::Eip712 { signature, .. } | Self::Jws { signature, .. } => Digest::of(signature),
        }
    }
}

impl Signed<Offer> {
    /// Returns who signed what. Whether that is who should have is the caller's to say.
    pub fn read(&self) -> Result<(Signer, Offer), SignedError> {
        match self {
            Self::Eip712 { payload, signature, .. } => {
                Ok((recover(offer_digest(payload), signature)?, payload.clone()))
            }
            Self::Jws { signature, .. } => read_jws(signature),
        }
    }
}

impl Signed<Receipt> {
    /// Returns who signed what. Whether that is who should have is the caller's to say.
    pub fn read(&self) -> Result<(Signer, Receipt), SignedError> {
        match self {
            Self::Eip712 { payload, signature, .. } => {
                Ok((recover(receipt_digest(payload), signature)?, payload.clone()))
            }
            Self::Jws { signature, .. } => read_jws(signature),
        }
    }
}

/// Returns the extension of a 402 answer: the signed offers.
pub fn offers(offers: &[Signed<Offer>]) -> Value {
    let properties = json!({"offers": {"type": "array", "items": signed_schema(
        json!({
            "version": {"type": "integer"},
            "resourceUrl": {"type": "string"},
            "scheme": {"type": "string"},
            "network": {"type": "string"},
            "asset": {"type": "string"},
            "payTo": {"type": "string"},
            "amount": {"type": "string"},
            "validUntil": {"type": "integer"},
        }),
        &["version", "resourceUrl", "scheme", "network", "asset", "payTo", "amount"],
        Some(("acceptIndex", "integer")),
    )}});
    json!({"info": {"offers": offers}, "schema": schema(properties, &["offers"])})
}

/// Returns the extension of a settlement's answer: the signed receipt.
pub fn receipt(receipt: &Signed<Receipt>) -> Value {
    let properties = json!({"receipt": signed_schema(
        json!({
            "version": {"type": "integer"},
            "network": {"type": "string"},
            "resourceUrl": {"type": "string"},
            "payer": {"type": "string"},
            "issuedAt": {"type": "integer"},
            "transaction": {"type": "string"},
        }),
        &["version", "network", "resourceUrl", "payer", "issuedAt"],
        None,
    )});
    json!({"info": {"receipt": receipt}, "schema": schema(properties, &["receipt"])})
}

/// Reads the signed offers of a 402 answer; there are none if it says none that can be read.
pub fn read_offers(extensions: Option<&Map<String, Value>>) -> Vec<Signed<Offer>> {
    let offers = super::info(extensions, NAME).and_then(|info| info.get("offers")).and_then(Value::as_array);
    let read = |offer: &Value| Signed::deserialize(offer).ok();
    offers.map(|offers| offers.iter().filter_map(read).collect()).unwrap_or_default()
}

/// Reads the signed receipt of a settlement's answer.
pub fn read_receipt(extensions: Option<&Map<String, Value>>) -> Option<Signed<Receipt>> {
    Signed::deserialize(super::info(extensions, NAME)?.get("receipt")?).ok()
}

fn signed_schema(payload: Value, required: &[&str], besides: Option<(&str, &str)>) -> Value {
    let mut properties = json!({
        "format": {"type": "string"},
        "payload": {"type": "object", "properties": payload, "required": required},
        "signature": {"type": "string"},
    });
    if let Some((name, kind)) = besides {
        properties[name] = json!({"type": kind});
    }
    json!({"type": "object", "properties": properties, "required": ["format", "signature"]})
}

fn recover(digest: alloy_primitives::B256, signature: &str) -> Result<Signer, SignedError> {
    // Hex of 65 bytes, so that nobody makes us decode a megabyte.
    let bytes = if signature.len() == 132 { hex::decode(signature).ok() } else { None };
    Ok(Signer::Address(eip712::recover(digest, &bytes.ok_or(SignedError::Hex)?)?))
}

/// What a JWS says of itself.
#[derive(Serialize, Deserialize)]
struct JwsHeader {
    alg: String,
    kid: String,
}

/// Writes a compact JWS of the canonical form. See RFC 7515 and RFC 8037.
fn sign_jws(key: &SecretKey, payload: &impl Serialize) -> String {
    let header = JwsHeader { alg: "EdDSA".to_owned(), kid: key.public().to_string() };
    let header = serde_json::to_vec(&header).expect("two texts serialize");
    let input = format!(
        "{}.{}",
        URL_SAFE_NO_PAD.encode(header),
        URL_SAFE_NO_PAD.encode(canonical::to_bytes(payload))
    );
    let signature = URL_SAFE_NO_PAD.encode(key.sign(input.as_bytes()));
    format!("{input}.{signature}")
}

fn read_jws<T: DeserializeOwned>(jws: &str) -> Result<(Signer, T), SignedError> {
    let refused = |reason: &str| SignedError::Jws(clip(reason));
    if jws.len() > HEADER_BYTES_MAX {
        return Err(refused("it is too long"));
    }
    let (input, signature) = jws.rsplit_once('.').ok_or_else(|| refused("it has no three parts"))?;
    let (header, payload) = input.split_once('.').ok_or_else(|| refused("it has no three parts"))?;
    let decode = |part: &str| URL_SAFE_NO_PAD.decode(part).map_err(|error| refused(&error.to_string()));
    let header: JwsHeader =
        serde_json::from_slice(&decode(header)?).map_err(|error| refused(&error.to_string()))?;
    if header.alg != "EdDSA" {
        return Err(refused(&format!("its algorithm is `{}`", header.alg)));
    }
    // A DID URL may repeat the key behind a `#`.
    let did = header.kid.split('#').next().unwrap_or_default();
    let key: PublicKey = did.parse().map_err(|_| refused(&format!("`{}` is no key", header.kid)))?;
    if !key.verifies(input.as_bytes(), &decode(signature)?) {
        return Err(SignedError::Forged);
    }
    let payload = serde_json::from_slice(&decode(payload)?).map_err(|error| refused(&error.to_string()))?;
    Ok((Signer::Key(key), payload))
}
