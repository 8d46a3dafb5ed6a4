//! A document with its digest, so that a digest which every call needs is computed once.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::Digest;

/// A document that has a digest of its own.
pub trait Document {
    /// Computes the digest.
    fn compute_digest(&self) -> Digest;
}

/// A document with its digest. It cannot change, so the two always agree. Cheap to clone; in JSON it is the document.
pub struct Hashed<T>(Arc<(T, Digest)>);

impl<T: Document> Hashed<T> {
    /// Hashes a document.
    pub fn new(document: T) -> Self {
        let digest = document.compute_digest();
        Self(Arc::new((document, digest)))
    }
}

impl<T: Document + Clone> Hashed<T> {
    /// Returns a changed copy.
    #[must_use]
    pub fn with(&self, change: impl FnOnce(&mut T)) -> Self {
        let mut document = (**self).clone();
        change(&mut document);
        Self::new(document)
    }
}

impl<T> Hashed<T> {
    /// Returns the digest of the document.
    pub fn digest(&self) -> Digest {
        self.0.1
    }
}

impl<T> Deref for Hashed<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0.0
    }
}

impl<T> Clone for Hashed<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T: PartialEq> PartialEq for Hashed<T> {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl<T: Eq> Eq for Hashed<T> {}

impl<T: fmt::Debug> fmt::Debug for Hashed<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T: Document> From<T> for Hashed<T> {
    fn from(document: T) -> Self {
        Self::new(document)
    }
}

impl<T: Serialize> Serialize for Hashed<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (**self).serialize(serializer)
    }
}

impl<'de, T: Document + Deserialize<'de>> Deserialize<'de> for Hashed<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        T::deserialize(deserializer).map(Self::new)
    }
}
