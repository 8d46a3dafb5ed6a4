//! A second key's word for a release that is held.

use serde::{Deserialize, Serialize};

use super::Act;
use crate::Digest;
use crate::dsse::Predicate;
use crate::name::ReleaseId;

/// Lets a held release go before its time. Signed by a controller of its namespace other than who published it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Confirmation {
    /// The release.
    pub release: ReleaseId,
    /// Its component, so that whoever confirms has looked at the right one.
    pub component: Digest,
}

impl Predicate for Confirmation {
    const TYPE: &'static str = "https://glassbox.dev/attestation/confirmation/v1";
}

impl Act for Confirmation {
    fn about(&self) -> String {
        self.release.to_string()
    }
}
