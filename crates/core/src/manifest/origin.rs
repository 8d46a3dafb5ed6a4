//! What a release rests on: what it runs, what it derives from, and what others owe who derive from it.

use serde::{Deserialize, Serialize};

use super::lint;
use super::time::Length;
use crate::Digest;
use crate::name::ReleaseId;

/// One of `[dependencies]`: another package that the component imports.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Dependency {
    /// The versions that will do, such as `1.2`.
    pub version: semver::VersionReq,
    /// That what it burns is counted. Terms do not say it, because there is nothing else to say.
    #[serde(default, skip_serializing)]
    pub metered: Metered,
    /// A fixed share of the net for it, in basis points, in place of a part of the pool.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub share: Option<u32>,
    /// Whether the package pays what the dependency charges, and not its caller.
    #[serde(default, skip_serializing_if = "is_false")]
    pub absorb: bool,
    /// The most calls of it in one call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calls_max: Option<u64>,
}

/// That a dependency is metered, as each of them is: whoever computes a bill again needs every call in the tree.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "bool")]
pub struct Metered;

impl TryFrom<bool> for Metered {
    type Error = String;

    fn try_from(metered: bool) -> Result<Self, String> {
        match metered {
            true => Ok(Self),
            false => {
                Err(lint::by(lint::DEPENDENCY_METERED, "`metered` is false, and every dependency is metered"))
            }
        }
    }
}

/// `[upstream]`: what others may do who derive from it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Upstream {
    /// Whether it may be forked.
    #[serde(default = "yes")]
    pub allow_forks: bool,
    /// What a fork owes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub royalty: Option<ForkRoyalty>,
}

/// What a fork owes to the work that it derives from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ForkRoyalty {
    /// The share of all that the fork receives, in basis points.
    pub share: u32,
    /// Whether it must.
    pub mode: RoyaltyMode,
    /// For how long after this release; for ever when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub term: Option<Length>,
}

/// Whether a royalty must be paid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RoyaltyMode {
    /// A fork with less is refused.
    Required,
    /// A fork with less is shown as such.
    Requested,
}

/// `[[derived-from]]`: a work that this one derives from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DerivedFrom {
    /// The release.
    pub release: ReleaseId,
    /// The digest of its terms, which name its payees.
    pub terms: Digest,
    /// The share of all that this work receives, in basis points.
    pub share: u32,
}

/// `[splits]`: what of the net is for others.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Splits {
    /// What the unpriced dependencies share by the work that they did, in basis points.
    #[serde(default)]
    pub dependencies: u32,
    /// Whose a share becomes that nobody claims.
    #[serde(default)]
    pub unclaimed: Unclaimed,
}

/// Whose a share becomes that nobody claims.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unclaimed {
    /// The other payees'.
    #[default]
    Payees,
    /// The commons'.
    Commons,
}

fn yes() -> bool {
    true
}

pub(super) fn is_false(flag: &bool) -> bool {
    !flag
}
