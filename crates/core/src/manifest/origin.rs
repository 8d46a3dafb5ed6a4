//! What a release rests on: what it runs, and what it derives from.

use serde::{Deserialize, Serialize};

use super::{Manifest, ManifestError};
use crate::name::ReleaseId;
use crate::{Digest, limits};

/// One of `[dependencies]`: another package that the component imports.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Dependency {
    /// The versions that will do, such as `1.2`.
    pub version: semver::VersionReq,
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

fn is_false(flag: &bool) -> bool {
    !flag
}

/// Checks what others have of the net.
pub(super) fn check(manifest: &Manifest) -> Result<(), ManifestError> {
    let rule = |holds: bool, message: &str, hint: &str| {
        if holds { Ok(()) } else { Err(ManifestError::rule(message, hint)) }
    };
    let dependencies = &manifest.dependencies;
    let pool = manifest.splits.as_ref().map_or(0, |splits| splits.dependencies);
    let shares = dependencies.values().filter_map(|dependency| dependency.share);
    let given = shares.map(u64::from).sum::<u64>().saturating_add(pool.into());
    rule(
        dependencies.len() <= limits::DEPENDENCIES_MAX,
        "there are more than 64 dependencies",
        "import less, or compose some of it in",
    )?;
    rule(
        !dependencies.contains_key(&manifest.package.name),
        "the package depends on itself",
        "remove it from [dependencies]",
    )?;
    rule(
        dependencies.values().all(|dependency| dependency.calls_max != Some(0)),
        "`calls-max` of a dependency is 0",
        "remove the dependency, or let it be called",
    )?;
    rule(
        pool <= limits::POOL_BPS_MAX,
        "`dependencies` in [splits] is more than 5,000 basis points",
        "lower the pool",
    )?;
    rule(
        given <= u64::from(10_000 - limits::OWN_BPS_MIN),
        "less than 2,000 basis points are left for the package's own payees",
        "lower the pool, or the shares of dependencies",
    )?;
    let origins = "`derived-from` is not taken yet";
    rule(manifest.derived_from.is_empty(), origins, "remove it; nobody is paid by it so far")
}
