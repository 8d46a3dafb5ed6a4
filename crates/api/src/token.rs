//! Tokens that spend credit.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A wish to take a token back.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RevokeRequest {
    /// The id of the block to take back; that of the token shown when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub block: Option<String>,
}
