//! Signed envelopes: DSSE around in-toto statements.
//!
//! The signature covers the payload's bytes as they are, so nobody needs a canonical JSON, and a verifier checks it
//! before it parses anything. See <https://github.com/secure-systems-lab/dsse>, protocol 1.0.2.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::key::{PublicKey, SecretKey};
use crate::{Digest, limits};

/// The payload type of an in-toto statement.
pub const IN_TOTO: &str = "application/vnd.in-toto+json";

/// The `_type` of an in-toto statement, version 1.
pub const STATEMENT_TYPE: &str = "https://in-toto.io/Statement/v1";

/// Says why an envelope was refused.
#[derive(Debug, thiserror::Error)]
pub enum DsseError {
    /// The payload type is another.
    #[error("the envelope holds `{0}`, not an in-toto statement")]
    PayloadType(String),
    /// The payload or a signature is not base64, or is too large.
    #[error("the envelope is not well formed")]
    Malformed,
    /// None of the signatures is by the expected key.
    #[error("no signature by {0}")]
    NotSignedBy(Box<PublicKey>),
    /// The signature is right, and the payload is not the expected statement.
    #[error("the signed statement cannot be read")]
    Statement(#[source] serde_json::Error),
    /// The statement makes another kind of claim.
    #[error("the statement is a `{found}`, not a `{expected}`")]
    PredicateType {
        /// What it says it is.
        found: String,
        /// What was wanted.
        expected: &'static str,
    },
}

/// A DSSE envelope.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Envelope {
    /// The payload, base64.
    pub payload: String,
    /// Its media type.
    pub payload_type: String,
    /// One or more signatures over the pre-authentication encoding.
    pub signatures: Vec<Signature>,
}

/// One signature of an envelope.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signature {
    /// The signer's `did:key`. A hint only: it is not covered by the signature.
    pub keyid: String,
    /// The signature, base64.
    pub sig: String,
}

/// What a statement is about: a name and a digest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subject {
    /// A label, such as `markdown.wasm`.
    pub name: String,
    /// The digests of the bytes meant; only `sha256` is used.
    pub digest: SubjectDigest,
}

/// The digest set of a subject, as in-toto writes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubjectDigest {
    /// 64 hexadecimal digits.
    pub sha256: String,
}

impl Subject {
    /// Names `digest`.
    pub fn new(name: impl Into<String>, digest: Digest) -> Self {
        Self { name: name.into(), digest: SubjectDigest { sha256: digest.hex() } }
    }
}

/// An in-toto statement: a claim (`predicate`) about some `subject`s.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Statement<P> {
    /// Always [`STATEMENT_TYPE`].
    #[serde(rename = "_type")]
    pub statement_type: String,
    /// What the claim is about.
    pub subject: Vec<Subject>,
    /// Which kind of claim it is.
    pub predicate_type: String,
    /// The claim.
    pub predicate: P,
}

/// A kind of claim, tied to the URI that names it.
pub trait Predicate: Serialize + DeserializeOwned {
    /// The predicate type's URI.
    const TYPE: &'static str;
}

impl Envelope {
    /// Signs a statement about `subject` that claims `predicate`.
    pub fn sign<P: Predicate>(subject: Vec<Subject>, predicate: P, key: &SecretKey) -> Self {
        let payload = payload(subject, predicate);
        let signature = key.sign(&pre_authentication_encoding(IN_TOTO, &payload));
        Self::of(&payload, &key.public(), &signature)
    }

    /// Puts a statement of ours under a signature that was made before. Whether it holds is [`Envelope::verify`]'s to say.
    pub fn with_signature<P: Predicate>(
        subject: Vec<Subject>,
        predicate: P,
        key: &PublicKey,
        signature: &[u8],
    ) -> Self {
        Self::of(&payload(subject, predicate), key, signature)
    }

    fn of(payload: &[u8], key: &PublicKey, signature: &[u8]) -> Self {
        Self {
            payload: STANDARD.encode(payload),
            payload_type: IN_TOTO.into(),
            signatures: vec![Signature { keyid: key.to_string(), sig: STANDARD.encode(signature) }],
        }
    }

    /// Checks that `key` signed this envelope and that it holds a statement of kind `P`; then reads it.
    pub fn verify<P: Predicate>(&self, key: &PublicKey) -> Result<Statement<P>, DsseError> {
        if self.payload_type != IN_TOTO {
            return Err(DsseError::PayloadType(self.payload_type.chars().take(80).collect()));
        }
        if self.payload.len() > limits::STATEMENT_BYTES_MAX || self.signatures.len() > limits::SIGNATURES_MAX
        {
            return Err(DsseError::Malformed);
        }
        let payload = STANDARD.decode(&self.payload).map_err(|_| DsseError::Malformed)?;
        let message = pre_authentication_encoding(IN_TOTO, &payload);
        let signed = self.signatures.iter().any(|signature| {
            STANDARD.decode(&signature.sig).is_ok_and(|signature| key.verifies(&message, &signature))
        });
        if !signed {
            return Err(DsseError::NotSignedBy(Box::new(*key)));
        }
        // The kind is read first and alone, so that a release presented as a receipt is named as what it is.
        let kind: Statement<serde::de::IgnoredAny> =
            serde_json::from_slice(&payload).map_err(DsseError::Statement)?;
        if kind.predicate_type != P::TYPE || kind.statement_type != STATEMENT_TYPE {
            return Err(DsseError::PredicateType { found: kind.predicate_type, expected: P::TYPE });
        }
        serde_json::from_slice(&payload).map_err(DsseError::Statement)
    }

    /// Returns the key that the first signature names, without checking anything.
    pub fn claimed_key(&self) -> Option<PublicKey> {
        self.signatures.first()?.keyid.parse().ok()
    }

    /// Returns the digest of the payload: the identity of what was signed.
    pub fn payload_digest(&self) -> Option<Digest> {
        STANDARD.decode(&self.payload).ok().map(Digest::of)
    }
}

fn payload<P: Predicate>(subject: Vec<Subject>, predicate: P) -> Vec<u8> {
    let statement = Statement {
        statement_type: STATEMENT_TYPE.into(),
        subject,
        predicate_type: P::TYPE.into(),
        predicate,
    };
    serde_json::to_vec(&statement).expect("our own statements have string keys only")
}

/// DSSE's pre-authentication encoding: lengths before contents, so that no two pairs give the same bytes.
fn pre_authentication_encoding(payload_type: &str, payload: &[u8]) -> Vec<u8> {
    let head = format!("DSSEv1 {} {payload_type} {} ", payload_type.len(), payload.len());
    [head.as_bytes(), payload].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Serialize, Deserialize, PartialEq)]
    struct Claim {
        n: u32,
    }

    impl Predicate for Claim {
        const TYPE: &'static str = "https://example.org/claim/v1";
    }

    #[derive(Debug, Serialize, Deserialize)]
    struct Other {}

    impl Predicate for Other {
        const TYPE: &'static str = "https://example.org/other/v1";
    }

    #[test]
    fn pre_authentication_encoding_matches_the_specification() {
        let bytes = pre_authentication_encoding("http://example.com/HelloWorld", b"hello world");
        assert_eq!(bytes, b"DSSEv1 29 http://example.com/HelloWorld 11 hello world");
    }

    #[test]
    fn verifies_only_what_was_signed() {
        let key = SecretKey::from_seed(&[1; 32]);
        let envelope = Envelope::sign(vec![Subject::new("x", Digest::of("x"))], Claim { n: 1 }, &key);
        let statement = envelope.verify::<Claim>(&key.public()).expect("signed by this key");
        assert_eq!(statement.predicate, Claim { n: 1 });

        let stranger = SecretKey::from_seed(&[2; 32]).public();
        assert!(matches!(envelope.verify::<Claim>(&stranger), Err(DsseError::NotSignedBy(_))));
        assert!(matches!(envelope.verify::<Other>(&key.public()), Err(DsseError::PredicateType { .. })));

        let mut payload = STANDARD.decode(&envelope.payload).expect("our own");
        for index in 0..payload.len() {
            payload[index] ^= 1;
            let tampered = Envelope { payload: STANDARD.encode(&payload), ..envelope.clone() };
            assert!(tampered.verify::<Claim>(&key.public()).is_err(), "byte {index}");
            payload[index] ^= 1;
        }
    }
}
