//! Audits: which receipts are run again, and what an auditor signs.

use serde::{Deserialize, Serialize};

use super::{Level, Report};
use crate::Digest;
use crate::dsse::{Envelope, Predicate, Subject};
use crate::key::{PublicKey, SecretKey};

/// That the receipt is in a log, where everybody sees that its executor stands by it.
pub const LOGGED: &str = "GLASSBOX_LOGGED";

/// That running the call again under the profile `glassbox-det/1` came to the same.
pub const REPLAYED: &str = "GLASSBOX_REPLAYED_DET1";

/// That it burnt the very fuel that the receipt says.
pub const FUEL_EXACT: &str = "GLASSBOX_FUEL_EXACT";

/// That the bill follows from fuel and terms.
pub const BILL_EXACT: &str = "GLASSBOX_BILL_EXACT";

/// What an auditor found to hold of a receipt: an in-toto Simple Verification Result. See
/// <https://github.com/in-toto/attestation/blob/main/spec/predicates/svr.md>.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct VerificationResult {
    /// Who looked.
    pub verifier: Verifier,
    /// When, in RFC 3339.
    pub time_created: String,
    /// What was found to hold.
    pub properties: Vec<String>,
}

/// Who verified.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verifier {
    /// The key, which also signed.
    pub id: PublicKey,
}

impl Predicate for VerificationResult {
    const TYPE: &'static str = "https://in-toto.io/attestation/svr/v0.1";
}

impl VerificationResult {
    /// Signs what a report found of the receipt with this digest of its payload.
    pub fn sign(report: &Report, receipt: Digest, time_created: String, key: &SecretKey) -> Envelope {
        let found = |name: &str, level: Level| {
            let mut of =
                report.checks.iter().filter(|check| check.name == name && check.level == level).peekable();
            of.peek().is_some() && of.all(|check| check.holds)
        };
        let properties = [
            (LOGGED, found("inclusion", Level::L1)),
            (REPLAYED, found("re-execution", Level::L2)),
            (FUEL_EXACT, found("fuel", Level::L2)),
            (BILL_EXACT, found("charge", Level::L0) && found("split", Level::L0)),
        ];
        let properties = properties.into_iter().filter(|(_, holds)| *holds);
        let properties = properties.map(|(property, _)| property.to_owned()).collect();
        let verifier = Verifier { id: key.public() };
        Envelope::sign(
            vec![Subject::new("receipt", receipt)],
            Self { verifier, time_created, properties },
            key,
        )
    }
}

/// Tells whether one in `one_in` receipts is this one: receipt `number` of its executor, by a root that nobody knew when
/// the call was made.
///
/// Anybody with the root finds the same receipts chosen; whoever runs calls cannot know which will be.
pub fn is_chosen(root: Digest, executor: &PublicKey, number: u64, one_in: u64) -> bool {
    let drawn = Digest::of_parts(&[
        b"glassbox-audit/1\0",
        root.as_bytes(),
        executor.as_bytes(),
        &number.to_le_bytes(),
    ]);
    let (first, _) = drawn.as_bytes().split_first_chunk().expect("a digest has 32 bytes");
    u64::from_be_bytes(*first) <= u64::MAX / one_in.max(1)
}
