//! `sign-in-with-x`: a payer shows who it is, to be let in again to what it paid for.
//!
//! The text that is signed is that of EIP-4361, a dialect of CAIP-122. Only keys on EVM networks are taken, with
//! signatures by EIP-191. See `specs/extensions/sign_in_with_x.md`.

use std::fmt::Write as _;

use alloy_primitives::{Address, hex};
use glassbox_core::limits::SIGN_IN_SECONDS_MAX;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::schema;
use crate::eip712;
use crate::network::Network;
use crate::wallet::Wallet;

/// The extension's name.
pub const NAME: &str = "sign-in-with-x";

/// The header of a request, holding a [`SignIn`] as [`decode`](crate::x402::decode) reads it.
pub const HEADER: &str = "SIGN-IN-WITH-X";

/// How a key on an EVM network signs.
const EIP191: &str = "eip191";

/// What a server asks to be signed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Challenge {
    /// The host, with its port if it is not the usual one.
    pub domain: String,
    /// What is asked for: a URL of that host.
    pub uri: String,
    /// The version of the text, `1`.
    pub version: String,
    /// Letters and digits that no other challenge has, eight at least.
    pub nonce: String,
    /// When it was made, by RFC 3339.
    pub issued_at: String,
    /// When it expires.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expiration_time: Option<String>,
    /// When it begins to be valid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_before: Option<String>,
    /// What the person reads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub statement: Option<String>,
    /// The server's own mark.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// The URLs that it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<Vec<String>>,
}

/// What a client answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SignIn {
    /// What was asked.
    #[serde(flatten)]
    pub challenge: Challenge,
    /// Who signs.
    pub address: String,
    /// The CAIP-2 id of a network.
    pub chain_id: String,
    /// How it signs, `eip191`.
    #[serde(rename = "type")]
    pub kind: String,
    /// `0x` and 65 bytes: r, s, v.
    pub signature: String,
}

/// A sign-in that was checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedIn {
    /// Whose key signed.
    pub address: Address,
    /// The nonce. The caller must take each only once.
    pub nonce: String,
}

/// Says why a sign-in was refused. [`code`](Self::code) is what the stock package says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SignInError {
    /// It is for another host.
    #[error("the sign-in is for another host")]
    Domain,
    /// It is for another origin.
    #[error("the sign-in is for a URL of another origin")]
    Uri,
    /// When it was made cannot be read.
    #[error("`issuedAt` is no time")]
    IssuedAt,
    /// It is older than is allowed.
    #[error("the sign-in is too old; sign again")]
    TooOld,
    /// It was made in the future.
    #[error("the sign-in was made in the future")]
    InFuture,
    /// When it expires cannot be read.
    #[error("`expirationTime` is no time")]
    ExpirationTime,
    /// It has expired.
    #[error("the sign-in has expired; sign again")]
    Expired,
    /// When it begins cannot be read.
    #[error("`notBefore` is no time")]
    NotBefore,
    /// It is not valid yet.
    #[error("the sign-in is not valid yet")]
    NotYetValid,
    /// Its nonce is no nonce.
    #[error("the nonce is not eight letters and digits or more")]
    Nonce,
    /// It is by a key of another kind.
    #[error("only keys of `eip155` networks sign in here, by `eip191`")]
    UnsupportedChain,
    /// The chain is none.
    #[error("`chainId` is not an EVM network")]
    ChainId,
    /// It holds what cannot stand in a line of the text.
    #[error("a field holds a line break or another control character")]
    Malformed,
    /// The signature is not that of the address.
    #[error("the signature is not that of the address")]
    Signature,
}

/// Returns the declaration, for keys on the networks.
pub fn declare(challenge: &Challenge, networks: &[Network]) -> Value {
    let text = json!({"type": "string"});
    let time = json!({"type": "string", "format": "date-time"});
    let uri = json!({"type": "string", "format": "uri"});
    let properties = json!({
        "domain": text, "address": text, "statement": text, "uri": uri, "version": text, "chainId": text,
        "type": text, "nonce": text, "issuedAt": time, "expirationTime": time, "notBefore": time,
        "requestId": text, "resources": {"type": "array", "items": uri}, "signature": text,
    });
    let required =
        ["domain", "address", "uri", "version", "chainId", "type", "nonce", "issuedAt", "signature"];
    let chain = |network: &Network| json!({"chainId": network.to_string(), "type": EIP191});
    json!({
        "info": challenge,
        "supportedChains": networks.iter().map(chain).collect::<Vec<_>>(),
        "schema": schema(properties, &required),
    })
}

/// Reads the challenge of a 402 answer, if it has one.
pub fn read(extensions: Option<&Map<String, Value>>) -> Option<Challenge> {
    let info = super::info(extensions, NAME)?;
    Challenge::deserialize(Value::Object(info.clone())).ok()
}

impl Challenge {
    /// Answers, as a client.
    pub fn answer(&self, wallet: &Wallet, network: Network) -> SignIn {
        let mut answer = SignIn {
            challenge: self.clone(),
            address: wallet.address().to_checksum(None),
            chain_id: network.to_string(),
            kind: EIP191.to_owned(),
            signature: String::new(),
        };
        answer.signature = hex::encode_prefixed(wallet.sign_text(&answer.text(network)));
        answer
    }
}

impl SignIn {
    /// Checks a sign-in for `origin`, such as `https://registry.example:8402`, at the Unix second `now_s`.
    ///
    /// That its nonce was given out and not yet taken is not checked: only the caller knows.
    pub fn check(&self, origin: &str, now_s: i64) -> Result<SignedIn, SignInError> {
        let Challenge { domain, uri, nonce, .. } = &self.challenge;
        let host = origin.split_once("://").map_or(origin, |(_, host)| host);
        if domain != host {
            return Err(SignInError::Domain);
        }
        // We made the URL ourselves, so it is ours to the letter.
        let rest = uri.strip_prefix(origin).ok_or(SignInError::Uri)?;
        if !(rest.is_empty() || rest.starts_with(['/', '?', '#'])) {
            return Err(SignInError::Uri);
        }
        self.check_time(now_s)?;
        if nonce.len() < 8 || !nonce.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return Err(SignInError::Nonce);
        }
        if self.kind != EIP191 || !self.chain_id.starts_with("eip155:") {
            return Err(SignInError::UnsupportedChain);
        }
        let network: Network = self.chain_id.parse().map_err(|_| SignInError::ChainId)?;
        let address = self.signer(network)?;
        Ok(SignedIn { address, nonce: nonce.clone() })
    }

    fn check_time(&self, now_s: i64) -> Result<(), SignInError> {
        let Challenge { issued_at, expiration_time, not_before, .. } = &self.challenge;
        let second = |text: &str| text.parse::<Timestamp>().ok().map(Timestamp::as_second);
        let issued_s = second(issued_at).ok_or(SignInError::IssuedAt)?;
        if issued_s > now_s {
            return Err(SignInError::InFuture);
        }
        if now_s.saturating_sub(issued_s) > SIGN_IN_SECONDS_MAX {
            return Err(SignInError::TooOld);
        }
        if let Some(text) = expiration_time
            && second(text).ok_or(SignInError::ExpirationTime)? < now_s
        {
            return Err(SignInError::Expired);
        }
        if let Some(text) = not_before
            && now_s < second(text).ok_or(SignInError::NotBefore)?
        {
            return Err(SignInError::NotYetValid);
        }
        Ok(())
    }

    /// Checks who signed.
    fn signer(&self, network: Network) -> Result<Address, SignInError> {
        let text = self.text(network);
        // A line break in a field would let one text be read as two different sign-ins.
        if self.lines().any(|line| line.chars().any(char::is_control)) {
            return Err(SignInError::Malformed);
        }
        let bytes = if self.signature.len() == 132 { hex::decode(&self.signature).ok() } else { None };
        let recovered = eip712::recover(eip712::text_digest(&text), &bytes.ok_or(SignInError::Signature)?)
            .map_err(|_| SignInError::Signature)?;
        // The text holds the address with its checksum.
        if recovered.to_checksum(None) == self.address { Ok(recovered) } else { Err(SignInError::Signature) }
    }

    /// Returns what stands in the lines of the text.
    fn lines(&self) -> impl Iterator<Item = &str> {
        let Challenge { domain, uri, version, nonce, issued_at, .. } = &self.challenge;
        let Challenge { expiration_time, not_before, statement, request_id, resources, .. } = &self.challenge;
        let always = [domain, uri, version, nonce, issued_at, &self.address];
        let sometimes = [expiration_time, not_before, statement, request_id].into_iter().flatten();
        always.into_iter().chain(sometimes).chain(resources.iter().flatten()).map(String::as_str)
    }

    /// Writes the text that is signed. See EIP-4361.
    fn text(&self, network: Network) -> String {
        let Challenge { domain, uri, version, nonce, issued_at, .. } = &self.challenge;
        let Challenge { expiration_time, not_before, statement, request_id, resources, .. } = &self.challenge;
        let mut text =
            format!("{domain} wants you to sign in with your Ethereum account:\n{}\n\n", self.address);
        if let Some(statement) = statement {
            text.push_str(statement);
            text.push('\n');
        }
        let chain_id = network.chain_id;
        write!(
            text,
            "\nURI: {uri}\nVersion: {version}\nChain ID: {chain_id}\nNonce: {nonce}\nIssued At: {issued_at}"
        )
        .expect("a text can be written to");
        let besides =
            [("Expiration Time", expiration_time), ("Not Before", not_before), ("Request ID", request_id)];
        for (name, value) in besides {
            if let Some(value) = value {
                write!(text, "\n{name}: {value}").expect("a text can be written to");
            }
        }
        if let Some(resources) = resources {
            text.push_str("\nResources:");
            for resource in resources {
                write!(text, "\n- {resource}").expect("a text can be written to");
            }
        }
        text
    }
}

impl SignInError {
    /// Returns the code of the stock package.
    pub fn code(self) -> &'static str {
        match self {
            Self::Domain => "invalid_siwx_domain_mismatch",
            Self::Uri => "invalid_siwx_uri_mismatch",
            Self::IssuedAt => "invalid_siwx_issued_at",
            Self::TooOld => "invalid_siwx_issued_at_too_old",
            Self::InFuture => "invalid_siwx_issued_at_in_future",
            Self::ExpirationTime => "invalid_siwx_expiration_time",
            Self::Expired => "invalid_siwx_expired",
            Self::NotBefore => "invalid_siwx_not_before",
            Self::NotYetValid => "invalid_siwx_not_yet_valid",
            Self::Nonce => "invalid_siwx_nonce",
            Self::UnsupportedChain => "invalid_siwx_unsupported_chain",
            Self::ChainId => "invalid_siwx_chain_id",
            Self::Malformed => "invalid_siwx_malformed_signature",
            Self::Signature => "invalid_siwx_signature",
        }
    }
}
