//! Proof of possession: a request that is signed by whoever sends it.
//!
//! An HTTP message signature (RFC 9421) in one form, and no other: it covers the method, the target, the authorization and
//! the digest of the body (RFC 9530), the time and a nonce. So it is of use for this one request, and for a while. That it
//! is taken once is for whoever takes it to see, by [`Proof::id`].

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::key::{PublicKey, SecretKey};
use crate::{Digest, limits};

/// The header that says what is covered.
pub const SIGNATURE_INPUT: &str = "signature-input";

/// The header with the signature.
pub const SIGNATURE: &str = "signature";

/// The header with the digest of the body.
pub const CONTENT_DIGEST: &str = "content-digest";

/// The label of our signature among those of a request.
const LABEL: &str = "glassbox=";

const COVERED: &str = r#"("@method" "@request-target" "authorization" "content-digest")"#;

/// What of a request is signed.
#[derive(Debug, Clone, Copy)]
pub struct Covered<'a> {
    /// Such as `POST`.
    pub method: &'a str,
    /// Path and query, as they are sent.
    pub target: &'a str,
    /// The value of `Authorization`.
    pub authorization: &'a str,
    /// The value of `Content-Digest`, as [`content_digest`] writes it.
    pub content_digest: &'a str,
}

/// The headers that a signature comes in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed {
    /// The value of [`SIGNATURE_INPUT`].
    pub input: String,
    /// The value of [`SIGNATURE`].
    pub signature: String,
}

/// A signature that holds: who signed a request, and when they say that they did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Proof {
    /// Who signed.
    pub key: PublicKey,
    /// When, in seconds since 1970, in their own word.
    pub created_s: u64,
    /// What was signed, by digest: another request has another.
    pub id: Digest,
}

/// Says why a signature is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// The headers are in another form.
    #[error(
        "the signature is not in the form that is read: `glassbox={COVERED};created=SECONDS;nonce=\"…\";keyid=\"did:key:…\"`"
    )]
    Form,
    /// The nonce is too short, too long, or has other characters than letters, digits, `-` and `_`.
    #[error(
        "the nonce of the signature must have {} to {} letters, digits, `-` and `_`",
        limits::PROOF_NONCE_BYTES_MIN,
        limits::PROOF_NONCE_BYTES_MAX
    )]
    Nonce,
    /// The signature is not by the key that it names, or over another request.
    #[error("the signature is not that of `keyid` over this request")]
    Signature,
}

/// Writes the digest of a body as RFC 9530 has it, by SHA-256 alone.
pub fn content_digest(body: &[u8]) -> String {
    format!("{DIGEST_START}{}:", STANDARD.encode(Digest::of(body).as_bytes()))
}

const DIGEST_START: &str = "sha-256=:";

/// Tells whether the value of `Content-Digest` is in the one form that can be signed here.
pub fn is_content_digest(value: &str) -> bool {
    value.starts_with(DIGEST_START) && value.len() == DIGEST_START.len() + 45
}

/// Signs a request. `nonce` is what nobody drew before: the same request with another is another.
pub fn sign(covered: &Covered<'_>, key: &SecretKey, created_s: u64, nonce: &str) -> Signed {
    let parameters = format!("{COVERED};created={created_s};nonce=\"{nonce}\";keyid=\"{}\"", key.public());
    let signature = STANDARD.encode(key.sign(base(covered, &parameters).as_bytes()));
    Signed { input: format!("{LABEL}{parameters}"), signature: format!("{LABEL}:{signature}:") }
}

/// Checks the signature of a request.
///
/// Whether the time is about now, and whether the body is the one whose digest is covered, is for the caller to check.
pub fn verify(covered: &Covered<'_>, input: &str, signature: &str) -> Result<Proof, ProofError> {
    let parameters = input.strip_prefix(LABEL).ok_or(ProofError::Form)?;
    let (created_s, nonce, key) = read(parameters).ok_or(ProofError::Form)?;
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    let lengths = limits::PROOF_NONCE_BYTES_MIN..=limits::PROOF_NONCE_BYTES_MAX;
    if !lengths.contains(&nonce.len()) || !nonce.bytes().all(is_plain) {
        return Err(ProofError::Nonce);
    }
    let signature =
        signature.strip_prefix(LABEL).and_then(|value| value.strip_prefix(':')?.strip_suffix(':'));
    let signature = STANDARD.decode(signature.ok_or(ProofError::Form)?).map_err(|_| ProofError::Form)?;
    let base = base(covered, parameters);
    match key.verifies(base.as_bytes(), &signature) {
        true => Ok(Proof { key, created_s, id: Digest::of(base) }),
        false => Err(ProofError::Signature),
    }
}

fn read(parameters: &str) -> Option<(u64, &str, PublicKey)> {
    let rest = parameters.strip_prefix(COVERED)?.strip_prefix(";created=")?;
    let (created, rest) = rest.split_once(";nonce=\"")?;
    let (nonce, rest) = rest.split_once("\";keyid=\"")?;
    let key = rest.strip_suffix('"')?;
    let created_s: u64 = created.parse().ok()?;
    // One value, one spelling: a second one would be a second proof of the same request.
    let key: PublicKey = key.parse().ok().filter(|parsed: &PublicKey| parsed.to_string() == key)?;
    (created_s.to_string() == created).then_some((created_s, nonce, key))
}

/// The signature base. See RFC 9421, section 2.5.
fn base(covered: &Covered<'_>, parameters: &str) -> String {
    let Covered { method, target, authorization, content_digest } = covered;
    format!(
        "\"@method\": {method}\n\"@request-target\": {target}\n\"authorization\": {authorization}\n\
         \"content-digest\": {content_digest}\n\"@signature-params\": {parameters}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONCE: &str = "0123456789abcdef";

    fn covered() -> Covered<'static> {
        Covered {
            method: "POST",
            target: "/v1/call/a/b/1.0.0/f?x=1",
            authorization: "Bearer gbt_x",
            content_digest: "sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:",
        }
    }

    #[test]
    fn the_base_is_that_of_the_rfc() {
        let parameters = format!("{COVERED};created=1;nonce=\"{NONCE}\"");
        assert_eq!(
            base(&covered(), &parameters),
            "\"@method\": POST\n\"@request-target\": /v1/call/a/b/1.0.0/f?x=1\n\"authorization\": Bearer gbt_x\n\
             \"content-digest\": sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:\n\
             \"@signature-params\": (\"@method\" \"@request-target\" \"authorization\" \"content-digest\");created=1;\
             nonce=\"0123456789abcdef\""
        );
        assert_eq!(content_digest(b""), covered().content_digest);
        assert!(is_content_digest(covered().content_digest) && !is_content_digest("sha-512=:AA==:"));
    }

    #[test]
    fn a_proof_is_for_one_request_and_by_one_key() {
        let key = SecretKey::from_seed(&[1; 32]);
        let signed = sign(&covered(), &key, 1_800_000_000, NONCE);
        let proof = verify(&covered(), &signed.input, &signed.signature).expect("signed");
        assert_eq!((proof.key, proof.created_s), (key.public(), 1_800_000_000));
        let again = sign(&covered(), &key, 1_800_000_000, "fedcba9876543210");
        let again = verify(&covered(), &again.input, &again.signature).expect("signed");
        assert_ne!(proof.id, again.id);
        for other in [
            Covered { method: "GET", ..covered() },
            Covered { target: "/v1/call/a/b/1.0.0/g?x=1", ..covered() },
            Covered { authorization: "Bearer gbt_y", ..covered() },
            Covered { content_digest: "sha-256=:AAAA:", ..covered() },
        ] {
            assert_eq!(verify(&other, &signed.input, &signed.signature), Err(ProofError::Signature));
        }
        let stranger = SecretKey::from_seed(&[2; 32]).public().to_string();
        let named = signed.input.replace(&key.public().to_string(), &stranger);
        assert_eq!(verify(&covered(), &named, &signed.signature), Err(ProofError::Signature));
    }

    #[test]
    fn only_one_form_is_read() {
        let key = SecretKey::from_seed(&[1; 32]);
        let Signed { input, signature } = sign(&covered(), &key, 7, NONCE);
        for (input, signature) in [
            (input.replace("glassbox=", "sig1="), signature.clone()),
            (input.replace("created=7", "created=07"), signature.clone()),
            (input.replace("created=7", "created=-7"), signature.clone()),
            (input.replace("\"@method\" ", ""), signature.clone()),
            (format!("{input};tag=\"x\""), signature.clone()),
            (input.clone(), signature.replace("=:", "=")),
            (input.clone(), "glassbox=:!:".into()),
            (String::new(), String::new()),
        ] {
            assert_eq!(verify(&covered(), &input, &signature), Err(ProofError::Form), "{input} {signature}");
        }
        for nonce in ["short", "0123456789abcde\u{e4}", &"n".repeat(65)] {
            let signed = sign(&covered(), &key, 7, nonce);
            assert_eq!(
                verify(&covered(), &signed.input, &signed.signature),
                Err(ProofError::Nonce),
                "{nonce}"
            );
        }
    }
}
