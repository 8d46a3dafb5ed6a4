//! What others say of a component: how it was built, and that building it again gave the same bytes.
//!
//! The predicates are those of the field, so that its tools read them: SLSA provenance v1 and in-toto's simple verification
//! result. A statement is about a component by digest, and proves that its signer said so and nothing else.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::Digest;
use crate::dsse::{DsseError, Envelope, Predicate, Statement};
use crate::key::PublicKey;
use crate::receipt::audit::{VerificationResult, Verifier};

/// How a component was built, by SLSA provenance v1. See <https://slsa.dev/spec/v1.0/provenance>.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Provenance {
    /// What was built, from what.
    pub build_definition: BuildDefinition,
    /// Who built it.
    pub run_details: RunDetails,
}

/// What was built, from what.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BuildDefinition {
    /// The kind of build, a URI that says how to read the rest.
    pub build_type: String,
    /// What whoever started the build chose.
    pub external_parameters: Map<String, Value>,
    /// The rest, as it was signed.
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

/// Who built it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RunDetails {
    /// The builder.
    pub builder: Builder,
    /// The rest, as it was signed.
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

/// A builder.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Builder {
    /// A URI that names it.
    pub id: String,
    /// The rest, as it was signed.
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

impl Predicate for Provenance {
    const TYPE: &'static str = "https://slsa.dev/provenance/v1";
}

/// The property that building a release from its source again gave the very same component.
pub const REBUILT: &str = "GLASSBOX_REBUILT";

/// What an attestation says of a component.
#[derive(Debug, Clone, PartialEq)]
pub enum Attestation {
    /// How it was built.
    Provenance(Box<Provenance>),
    /// That building it again gave the same bytes.
    Rebuild(Box<VerificationResult>),
}

/// Says why a statement is no attestation of a component.
#[derive(Debug, thiserror::Error)]
pub enum AttestationError {
    /// The envelope.
    #[error(transparent)]
    Envelope(#[from] DsseError),
    /// There is not exactly one signature, by a key that can be read.
    #[error("it must have one signature, by an Ed25519 did:key")]
    Signature,
    /// It is about something else.
    #[error("it is about another component than {0}")]
    Subject(Digest),
    /// A verification result that does not say what is meant here.
    #[error("its properties do not have `{REBUILT}`")]
    Property,
    /// A verification result that names another verifier than who signed.
    #[error("it names {0} as its verifier, who did not sign")]
    Verifier(Box<PublicKey>),
    /// A field is longer than it may be.
    #[error("`{0}` is empty or too long")]
    Field(&'static str),
}

impl Attestation {
    /// Checks an envelope and reads what it says of `component`. Returns who signed it, too.
    ///
    /// Whether that signer is anybody in particular is for the reader to know.
    pub fn read(envelope: &Envelope, component: &Digest) -> Result<(PublicKey, Self), AttestationError> {
        let signer = envelope.claimed_key().filter(|_| envelope.signatures.len() == 1);
        let signer = signer.ok_or(AttestationError::Signature)?;
        let attestation = match envelope.verify::<Provenance>(&signer) {
            Ok(statement) => Self::Provenance(Box::new(about(statement, component)?)),
            Err(DsseError::PredicateType { .. }) => {
                Self::Rebuild(Box::new(about(envelope.verify::<VerificationResult>(&signer)?, component)?))
            }
            Err(error) => return Err(error.into()),
        };
        attestation.check(&signer)?;
        Ok((signer, attestation))
    }

    /// Returns its kind, in one word.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Provenance(_) => "provenance",
            Self::Rebuild(_) => "rebuild",
        }
    }

    fn check(&self, signer: &PublicKey) -> Result<(), AttestationError> {
        let field = |name, text: &str| match text.len() {
            1..=MAX_URI_BYTES => Ok(()),
            _ => Err(AttestationError::Field(name)),
        };
        match self {
            Self::Provenance(provenance) => {
                field("buildType", &provenance.build_definition.build_type)?;
                field("builder.id", &provenance.run_details.builder.id)
            }
            Self::Rebuild(result) if result.verifier.id != *signer => {
                Err(AttestationError::Verifier(Box::new(result.verifier.id)))
            }
            Self::Rebuild(result) => {
                let says = result.properties.iter().any(|property| property == REBUILT);
                if says { Ok(()) } else { Err(AttestationError::Property) }
            }
        }
    }
}

/// The longest URI that pages show.
const MAX_URI_BYTES: usize = crate::limits::ATTESTATION_URI_BYTES_MAX;

fn about<P>(statement: Statement<P>, component: &Digest) -> Result<P, AttestationError> {
    let is_it = |subject: &crate::dsse::Subject| subject.digest.sha256 == component.hex();
    // One of several subjects will do: builds have more than one output.
    match statement.subject.iter().any(is_it) {
        true => Ok(statement.predicate),
        false => Err(AttestationError::Subject(*component)),
    }
}

/// Says that `key` built a component again and got the same bytes, at `time_created` (RFC 3339).
pub fn rebuilt(key: &PublicKey, time_created: String) -> VerificationResult {
    VerificationResult { verifier: Verifier { id: *key }, time_created, properties: vec![REBUILT.into()] }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dsse::Subject;
    use crate::key::SecretKey;

    fn key() -> SecretKey {
        SecretKey::from_seed(&[1; 32])
    }

    fn component() -> Digest {
        Digest::of("component")
    }

    fn provenance() -> Provenance {
        serde_json::from_value(serde_json::json!({
            "buildDefinition": {
                "buildType": "https://example.org/build/v1",
                "externalParameters": { "source": "git+https://example.org/slug" },
                "resolvedDependencies": [{ "uri": "git+https://example.org/slug", "digest": { "gitCommit": "ab" } }],
            },
            "runDetails": { "builder": { "id": "https://example.org/builder" } },
        }))
        .expect("a provenance")
    }

    fn subjects(digests: &[Digest]) -> Vec<Subject> {
        digests.iter().map(|digest| Subject::new("x.wasm", *digest)).collect()
    }

    #[test]
    fn both_kinds_are_read_with_who_signed_them() {
        let both = subjects(&[Digest::of("other"), component()]);
        let signed = Envelope::sign(both, provenance(), &key());
        let (signer, read) = Attestation::read(&signed, &component()).expect("a provenance");
        assert_eq!((signer, read), (key().public(), Attestation::Provenance(Box::new(provenance()))));
        let rebuilt = rebuilt(&key().public(), "2026-11-22T00:00:00Z".into());
        let signed = Envelope::sign(subjects(&[component()]), rebuilt, &key());
        assert_eq!(Attestation::read(&signed, &component()).expect("a rebuild").1.kind(), "rebuild");
    }

    #[test]
    fn what_is_no_attestation_of_this_component_is_refused() {
        let rebuilt = rebuilt(&key().public(), String::new());
        let sign = |predicate| Envelope::sign(subjects(&[component()]), predicate, &key());
        let sound = sign(rebuilt.clone());
        let refused = |envelope: &Envelope| Attestation::read(envelope, &component()).expect_err("refused");
        assert!(matches!(Attestation::read(&sound, &Digest::of("other")), Err(AttestationError::Subject(_))));
        let audit =
            VerificationResult { properties: vec!["GLASSBOX_REPLAYED_DET1".into()], ..rebuilt.clone() };
        assert!(matches!(refused(&sign(audit)), AttestationError::Property));
        let other = Verifier { id: SecretKey::from_seed(&[2; 32]).public() };
        let lent = VerificationResult { verifier: other, ..rebuilt };
        assert!(matches!(refused(&sign(lent)), AttestationError::Verifier(_)));
        let twice = Envelope {
            signatures: [sound.signatures.clone(), sound.signatures.clone()].concat(),
            ..sound.clone()
        };
        assert!(matches!(refused(&twice), AttestationError::Signature));
        let mut stranger = sound.clone();
        stranger.signatures[0].keyid = SecretKey::from_seed(&[2; 32]).public().to_string();
        assert!(matches!(refused(&stranger), AttestationError::Envelope(DsseError::NotSignedBy(_))));
        let release = crate::release::Release {
            release: "a:b@1.0.0".parse().expect("a release"),
            manifest: component(),
            terms: component(),
            wit: component(),
            tests: component(),
            component: component(),
            files: None,
            source: None,
            dependencies: Vec::new(),
            documents: Default::default(),
            registry: None,
            editions: Default::default(),
            authorship: Default::default(),
        };
        assert!(matches!(
            refused(&release.sign(&key())),
            AttestationError::Envelope(DsseError::PredicateType { .. })
        ));
    }
}
