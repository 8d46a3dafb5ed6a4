//! The supply chain: what releases are made of, and who says what about them.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The releases that a package went into.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct MadeOfResponse {
    /// At most a thousand of them.
    pub releases: Vec<MadeOf>,
}

/// A release that a package went into.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct MadeOf {
    /// The release.
    #[schema(example = "acme:slug@1.0.0")]
    pub release: String,
    /// The version of the package within.
    pub version: String,
    /// Where the package comes from, such as `crates.io`.
    pub source: String,
}
