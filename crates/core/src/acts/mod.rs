//! Acts: the statements by which somebody decides over a name or a release, or speaks of an executor. Each is signed
//! and logged.
//!
//! An act is a statement of its own kind, so that none can be presented as another. Its subject is what it is about:
//! the name, with the SHA-256 of its text, which is also where the log's map keeps it. Releases and receipts have
//! modules of their own.

/// Makes acts of statements: each is of the kind named, and about what its field says.
macro_rules! acts {
    (about $field:ident; $($act:ty: $kind:literal),*) => {$(
        impl $crate::dsse::Predicate for $act {
            const TYPE: &'static str = concat!("https://glassbox.dev/attestation/", $kind, "/v1");
        }

        impl $crate::acts::Act for $act {
            fn about(&self) -> String {
                self.$field.to_string()
            }
        }
    )*};
}

mod advisory;
mod confirmation;
mod executor;
mod namespace;
mod release;
mod state;

#[cfg(test)]
mod tests;
#[cfg(test)]
mod vectors;

pub use advisory::{
    Advisory, AdvisoryError, Affected, ECOSYSTEM, ID_PREFIX, Osv, OsvEvent, OsvPackage, OsvRange,
};
pub use confirmation::Confirmation;
pub use executor::{Contradiction, ExecutorRecord, ReceiptBatch};
pub use namespace::{
    Delay, DomainProof, KeyRevocation, NamespacePolicy, PolicyCancellation, ProofMethod, Threshold,
};
pub use release::{Mark, Marks, Quarantine, TermsChange, Yank};
pub use state::{
    ActRefusal, Authority, Claim, Moment, NamespaceAct, NamespaceState, PendingPolicy, Revoked, Right,
};

use crate::Digest;
use crate::dsse::{Envelope, Predicate, Subject};
use crate::key::SecretKey;

/// A statement of which the log keeps one entry.
pub trait Act: Predicate {
    /// Returns the text of what it is about: a namespace, a release or an executor.
    fn about(&self) -> String;

    /// Signs it with one key. Others may add their signatures.
    fn sign(self, key: &SecretKey) -> Envelope {
        let about = self.about();
        let digest = Digest::of(&about);
        Envelope::sign(vec![Subject::new(about, digest)], self, key)
    }
}
