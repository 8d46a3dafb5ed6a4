//! What is said of receipts and of executors: checked, proved, found out.

use glassbox_core::receipt::{Bundle, Check, Level, Proof, Receipt, Report};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What a verification found: enough for a page that shows it to people.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct VerifyResponse {
    /// Whether every check holds.
    pub holds: bool,
    /// How far it is proved: `L0` signed, `L1` logged, `L2` run again; absent where a check fails.
    #[schema(value_type = Option<String>)]
    pub level: Option<Level>,
    /// The checks, in their order, each with `name`, `level`, `holds` and `detail`.
    #[schema(value_type = Vec<Object>)]
    pub checks: Vec<Check>,
    /// What was signed, where the signature holds.
    #[schema(value_type = Option<Object>)]
    pub receipt: Option<Receipt>,
}

impl VerifyResponse {
    /// Says what a report found of a receipt.
    pub fn of(report: Report, receipt: Option<Receipt>) -> Self {
        Self { holds: report.holds(), level: report.level(), checks: report.checks, receipt }
    }
}

/// Whether a receipt is logged.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ProofResponse {
    /// The digest of its payload.
    pub receipt: String,
    /// Whether it is logged; else it waits for the next batch.
    pub logged: bool,
    /// The proof, for the bundle's `proof`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub proof: Option<Box<Proof>>,
}

/// What the log says of an executor.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ExecutorResponse {
    /// The executor's key, as a `did:key`.
    pub executor: String,
    /// Who operates it.
    pub operator: String,
    /// The profile that it runs by: its digest.
    pub profile: String,
    /// Where it is reached.
    pub url: String,
    /// Whether it was found out to have signed what cannot be true: its receipts count no longer.
    pub quarantined: bool,
    /// The certificates that prove it, by their digests.
    pub contradictions: Vec<String>,
}

/// A certificate that an executor signed what cannot be true.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ContradictionRequest {
    /// Always `glassbox-contradiction/1`.
    pub format: String,
    /// Two receipts that contradict one another, or one that running the call again contradicts; each with what opens it.
    #[schema(value_type = Vec<Object>)]
    pub receipts: Vec<Bundle>,
}

/// What came of a certificate.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ContradictionResponse {
    /// The executor's key, as a `did:key`.
    pub executor: String,
    /// The digest of the certificate that was logged.
    pub certificate: String,
    /// Whether it was this one; otherwise the executor had been found out before.
    pub new: bool,
}
