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
    /// A signature is not by the key that it names, or there is none at all.
    #[error("the envelope has no signatures, or one that does not hold")]
    Signature,
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
        let payload = self.payload()?;
        let message = pre_authentication_encoding(IN_TOTO, &payload);
        if self.signatures.iter().any(|signature| signature.is_by(key, &message)) {
            read(&payload)
        } else {
            Err(DsseError::NotSignedBy(Box::new(*key)))
        }
    }

    /// Checks every signature and that the envelope holds a statement of kind `P`; then reads it. Returns the signers,
    /// too: what they may do together is for the caller to decide.
    ///
    /// Nothing can be added to an envelope on its way but signatures that hold.
    pub fn open<P: Predicate>(&self) -> Result<(Statement<P>, Signers), DsseError> {
        let payload = self.payload()?;
        let signers = self.signers_of(&payload)?;
        Ok((read(&payload)?, signers))
    }

    /// Reads the statement without checking who signed: for what was checked before it was kept.
    pub fn read_unchecked<P: Predicate>(&self) -> Result<Statement<P>, DsseError> {
        read(&self.payload()?)
    }

    /// Checks every signature and returns the signers, whatever the statement says.
    pub fn signers(&self) -> Result<Signers, DsseError> {
        self.signers_of(&self.payload()?)
    }

    fn signers_of(&self, payload: &[u8]) -> Result<Signers, DsseError> {
        let message = pre_authentication_encoding(IN_TOTO, payload);
        let mut signers = Signers::default();
        for signature in &self.signatures {
            let key: PublicKey = signature.keyid.parse().map_err(|_| DsseError::Signature)?;
            if !signature.is_by(&key, &message) {
                return Err(DsseError::Signature);
            }
            signers.add(key);
        }
        if signers.0.is_empty() { Err(DsseError::Signature) } else { Ok(signers) }
    }

    /// Adds the signature of `key`, unless it has one already.
    pub fn add_signature(&mut self, key: &SecretKey) -> Result<(), DsseError> {
        let payload = self.payload()?;
        let keyid = key.public().to_string();
        if self.signatures.iter().any(|signature| signature.keyid == keyid) {
            return Ok(());
        }
        if self.signatures.len() >= limits::SIGNATURES_MAX {
            return Err(DsseError::Malformed);
        }
        let signature = key.sign(&pre_authentication_encoding(IN_TOTO, &payload));
        self.signatures.push(Signature { keyid, sig: STANDARD.encode(signature) });
        Ok(())
    }

    /// Returns the payload's bytes, unchecked but for their size.
    pub fn payload(&self) -> Result<Vec<u8>, DsseError> {
        if self.payload_type != IN_TOTO {
            return Err(DsseError::PayloadType(self.payload_type.chars().take(80).collect()));
        }
        if self.payload.len() > limits::STATEMENT_BYTES_MAX || self.signatures.len() > limits::SIGNATURES_MAX
        {
            return Err(DsseError::Malformed);
        }
        STANDARD.decode(&self.payload).map_err(|_| DsseError::Malformed)
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

impl Signature {
    fn is_by(&self, key: &PublicKey, message: &[u8]) -> bool {
        STANDARD.decode(&self.sig).is_ok_and(|signature| key.verifies(message, &signature))
    }
}

/// The distinct keys whose signatures on an envelope hold. A key that signed twice counts once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Signers(Vec<PublicKey>);

impl Signers {
    /// The one signer `key`.
    pub fn one(key: PublicKey) -> Self {
        Self(vec![key])
    }

    fn add(&mut self, key: PublicKey) {
        if !self.0.contains(&key) {
            self.0.push(key);
        }
    }

    /// Tells whether `key` is among them.
    pub fn contains(&self, key: &PublicKey) -> bool {
        self.0.contains(key)
    }

    /// Returns the keys, in the order of their signatures.
    pub fn keys(&self) -> &[PublicKey] {
        &self.0
    }
}

impl FromIterator<PublicKey> for Signers {
    fn from_iter<T: IntoIterator<Item = PublicKey>>(keys: T) -> Self {
        let mut signers = Self::default();
        keys.into_iter().for_each(|key| signers.add(key));
        signers
    }
}

/// Reads a payload whose signatures were checked.
fn read<P: Predicate>(payload: &[u8]) -> Result<Statement<P>, DsseError> {
    // The kind is read first and alone, so that a release presented as a receipt is named as what it is.
    let kind: Statement<serde::de::IgnoredAny> =
        serde_json::from_slice(payload).map_err(DsseError::Statement)?;
    if kind.predicate_type != P::TYPE || kind.statement_type != STATEMENT_TYPE {
        return Err(DsseError::PredicateType { found: kind.predicate_type, expected: P::TYPE });
    }
    serde_json::from_slice(payload).map_err(DsseError::Statement)
}

fn payload<P: Predicate>(subject: Vec<Subject>, predicate: P) -> Vec<u8> {
    let statement = Statement {
        statement_type: STATEMENT_TYPE.into(),
        subject,
        predicate_type: P::TYPE.into(),
        predicate,
    };
    let mut payload = Vec::with_capacity(PAYLOAD_BYTES);
    serde_json::to_writer(&mut payload, &statement).expect("our own statements have string keys only");
    payload
}

/// The room that a statement takes as a rule, in bytes.
const PAYLOAD_BYTES: usize = 4 * 1024;

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

    #[test]
    fn every_signature_holds_and_a_key_counts_once() {
        let [first, second] = [1, 2].map(|seed| SecretKey::from_seed(&[seed; 32]));
        let mut envelope = Envelope::sign(vec![Subject::new("x", Digest::of("x"))], Claim { n: 1 }, &first);
        envelope.add_signature(&second).expect("room for one more");
        envelope.add_signature(&second).expect("already there");
        let (statement, signers) = envelope.open::<Claim>().expect("signed by both");
        assert_eq!((statement.predicate.n, signers.keys()), (1, &[first.public(), second.public()][..]));

        let twice = Envelope {
            signatures: [envelope.signatures.clone(), envelope.signatures.clone()].concat(),
            ..envelope.clone()
        };
        assert_eq!(twice.signers().expect("all hold").keys().len(), 2);
        let mut swapped = envelope.clone();
        swapped.signatures[0].keyid = second.public().to_string();
        assert!(matches!(swapped.signers(), Err(DsseError::Signature)));
        let none = Envelope { signatures: Vec::new(), ..envelope };
        assert!(matches!(none.signers(), Err(DsseError::Signature)));
    }
}
