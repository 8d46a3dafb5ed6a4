//! The certificate that an executor signed what cannot be true, in one file that any node checks for itself.
//!
//! A run is decided by its code, its arguments, its ceilings, what it was granted and what it observed. So two receipts
//! that agree in all of that and differ in outcome or fuel prove that their signer lied in one of them; and so does one
//! receipt that running the call again contradicts, which takes the component.

use serde::{Deserialize, Serialize};

use super::report::{Level, Report};
use super::{Bundle, BundleError, Outcome, Receipt};
use crate::Digest;
use crate::key::PublicKey;
use crate::terms::Ending;

/// A certificate: two receipts that contradict one another, or one that running the call again contradicts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Certificate {
    /// Always [`Certificate::FORMAT`].
    pub format: String,
    /// The receipts with what opens them.
    pub receipts: Vec<Bundle>,
}

/// What a certificate says, once it holds as far as it can be checked without running anything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accusation {
    /// Who signed.
    pub executor: PublicKey,
    /// The receipts, by the digests of their payloads.
    pub receipts: Vec<Digest>,
    /// The receipt that is to be compared with a run, where there is one alone.
    pub rerun: Option<Box<Receipt>>,
}

/// The checks of a bundle on which a contradiction rests. Its bill and its proof are not among them: who lies about the
/// run may have reckoned rightly, or not.
const GROUNDS: [&str; 7] =
    ["format", "signature", "critical", "function type", "input", "output", "transcript"];

impl Certificate {
    /// The name and version of this format.
    pub const FORMAT: &'static str = "glassbox-contradiction/1";

    /// Makes a certificate. Whether it holds is [`Certificate::verify`]'s to say.
    pub fn new(receipts: Vec<Bundle>) -> Self {
        Self { format: Self::FORMAT.into(), receipts }
    }

    /// Reads a certificate from JSON, as strictly as [`Bundle::from_json`].
    pub fn from_value(json: serde_json::Value) -> Result<Self, BundleError> {
        let certificate: Self = serde_json::from_value(json.clone()).map_err(BundleError::Json)?;
        match serde_json::to_value(&certificate) {
            Ok(written) if written == json => Ok(certificate),
            _ => Err(BundleError::Spelling),
        }
    }

    /// Returns the bytes of the file, by which it is named.
    pub fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("our own types have string keys")
    }

    /// Checks everything that needs no engine: that the receipts are their executor's and open as they say, and that two
    /// contradict one another.
    pub fn verify(&self) -> (Report, Option<Accusation>) {
        let mut report = Report::default();
        let known = self.format == Self::FORMAT && matches!(self.receipts.len(), 1 | 2);
        report.add(
            Level::L0,
            "format",
            known,
            format!("{} of {} receipts", self.format, self.receipts.len()),
        );
        let mut receipts = Vec::new();
        for bundle in &self.receipts {
            let (checks, receipt) = bundle.verify(None);
            let grounds = checks.checks.into_iter().filter(|check| GROUNDS.contains(&check.name.as_str()));
            report.checks.extend(grounds);
            receipts.extend(receipt);
        }
        if !report.holds() {
            return (report, None);
        }
        for receipt in &receipts {
            let decided = is_decided(&receipt.outcome);
            report.add(Level::L0, "decided", decided, "what came of the call depends on no machine");
        }
        if let [first, second] = receipts.as_slice() {
            let same = first.executor == second.executor && self.asks_the_same(first, second);
            report.add(
                Level::L0,
                "same call",
                same,
                "code, dependencies, arguments, ceilings, grants and answers",
            );
            report.add_result(Level::L0, "contradiction", self.difference(first, second));
        }
        if !report.holds() {
            return (report, None);
        }
        let executor = receipts[0].executor;
        let digests = self.receipts.iter().filter_map(|bundle| bundle.receipt.payload_digest()).collect();
        let rerun = if receipts.len() == 1 { receipts.pop().map(Box::new) } else { None };
        (report, Some(Accusation { executor, receipts: digests, rerun }))
    }

    /// Tells whether everything that decides a run is the same in both receipts.
    fn asks_the_same(&self, first: &Receipt, second: &Receipt) -> bool {
        let [one, other] = self.receipts.as_slice() else { return false };
        let decides = |receipt: &Receipt| {
            let Receipt { component, files, function, function_type, profile, .. } = receipt;
            let code = (*component, *files, function.clone(), *function_type, *profile);
            let bounds = (receipt.fuel_max, receipt.memory_bytes_max, receipt.pure);
            let seen = receipt.transcript.as_ref().map(|seen| seen.head);
            (code, receipt.dependencies.clone(), bounds, receipt.grants.clone(), seen)
        };
        // Both have opened, each under its own salt, so what they show is what they are about.
        decides(first) == decides(second) && one.opening.encoded_args() == other.opening.encoded_args()
    }

    /// Says in what two receipts of one call differ.
    fn difference(&self, first: &Receipt, second: &Receipt) -> Result<String, String> {
        let [one, other] = self.receipts.as_slice() else { return Err("there are not two receipts".into()) };
        if first.fuel_used != second.fuel_used {
            return Ok(format!("{} fuel, and {} fuel", first.fuel_used, second.fuel_used));
        }
        match (&first.outcome, &second.outcome) {
            (Outcome::Failed { failure: a }, Outcome::Failed { failure: b }) if a == b => {
                Err(format!("both failed with `{a}`"))
            }
            (Outcome::Returned { .. }, Outcome::Returned { .. })
                if one.opening.encoded_output() == other.opening.encoded_output() =>
            {
                Err("both say the same".into())
            }
            _ => Ok("another outcome".into()),
        }
    }
}

/// Tells whether running the call again must come to the same: not where the machine ended it.
pub fn is_decided(outcome: &Outcome) -> bool {
    outcome.ending() != Ending::Aborted
}
