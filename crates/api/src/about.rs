//! What a publisher says of a release beside what it does and costs.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Money;

/// What a publisher says of a release beside what it does and costs: untrusted text, whose URLs are `https`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AboutResponse {
    /// Where it is presented.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub homepage: Option<String>,
    /// Where it is explained.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub documentation: Option<String>,
    /// What its licence does not let others use it for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub deny_use: Vec<String>,
    /// Where people may try it, out of its free units.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub playground: Option<String>,
    /// Who may run it for others: `registry`, the one that it is published at, or `any`.
    #[serde(default)]
    pub operators: String,
    /// The documents that come with it, by the keys of the manifest that name them: `…/documents?path=PATH`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub documents: Vec<DocumentResponse>,
    /// How holes are reported and mended, where it says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub security: Option<SecurityResponse>,
    /// The source, where it is published.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<SourceResponse>,
    /// Whether gifts are welcome: `POST …/tips`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub tips: bool,
    /// Where other ways to give are listed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub funding: Option<String>,
    /// What contributions are worth to its maintainers, by their word alone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub bounties: Vec<BountyResponse>,
    /// Where the terms of its texts stand in RSL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rsl: Option<String>,
}

/// A document of a release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DocumentResponse {
    /// The key of the manifest: `license-file`, `readme`, `sbom` or `vex`.
    pub key: String,
    /// Its path.
    pub path: String,
}

/// How holes of a release are reported and mended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SecurityResponse {
    /// Where to report one.
    pub contact: String,
    /// Until when they are mended.
    pub support_until: String,
    /// Where it stands how reports are handled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
    /// Where it stands what the release is made of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sbom: Option<String>,
    /// Where it stands which known holes concern it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vex: Option<String>,
}

/// The source of a release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SourceResponse {
    /// The licence of the source.
    pub license: String,
    /// On which terms machines have it in bulk: `free`, `metered`, `licensed` or `denied`.
    pub machines: String,
    /// How the component is built from it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub build: Option<BuildResponse>,
}

/// How a component is built.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BuildResponse {
    /// The digest of the image that it is built in.
    pub image: String,
    /// What builds it there.
    pub command: String,
}

/// What a kind of contribution is worth.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BountyResponse {
    /// Which kind.
    pub label: String,
    /// How much.
    pub amount: Money,
}

/// A licence that a release comes under later.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LicenseChangeResponse {
    /// The licence.
    pub license: String,
    /// From which day on.
    pub from: String,
}

/// Exports of a release that have terms of their own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EditionResponse {
    /// Its name.
    pub name: String,
    /// Its functions and interfaces.
    pub exports: Vec<String>,
    /// Its licence.
    pub license: String,
    /// What its callers must have: `plan:ID` or `offer:ID`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requires: Option<String>,
    /// The component that it runs: its own, or the release's.
    pub component: String,
    /// Whether that may be downloaded.
    pub download: bool,
}
