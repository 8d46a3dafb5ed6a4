//! Blocklists: what somebody says an operator had better not have, signed and numbered.
//!
//! Whose lists count is the operator's to say. A list takes the place of the one before by a higher number, so that nobody
//! can bring an old one back; one that is over says nothing new.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::dsse::{DsseError, Envelope, Predicate, Subject};
use crate::key::{PublicKey, SecretKey};
use crate::name::PackageName;
use crate::{Digest, limits};

/// A list. The predicate of its statement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Blocklist {
    /// What it is called, for people.
    pub name: String,
    /// Its number: each is higher than the one before.
    pub sequence: u64,
    /// When it was signed.
    pub issued: Timestamp,
    /// Until when there is another.
    pub expires: Timestamp,
    /// What is on it.
    pub entries: Vec<Entry>,
}

/// One thing on a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Entry {
    /// What.
    pub about: Listed,
    /// Why, for people.
    pub reason: String,
}

/// What may be on a list: `package:NS:NAME`, `component:sha256:HEX`, `publisher:did:key:…` or `payee:ID`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum Listed {
    /// A package, in all of its releases.
    Package(PackageName),
    /// A component, under whatever name.
    Component(Digest),
    /// A publisher's key.
    Publisher(String),
    /// A payee.
    Payee(String),
}

/// Says why a list changes nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BlocklistError {
    /// It is not signed by whom the operator believes.
    #[error("it is not signed by the key of its feed: {0}")]
    Signature(String),
    /// It is too long.
    #[error("it is too long, or one of its reasons is empty or too long")]
    TooLong,
    /// It is over, or not yet begun.
    #[error("it is good from {issued} until {expires}")]
    Time {
        /// When it begins.
        issued: Timestamp,
        /// When it ends.
        expires: Timestamp,
    },
    /// A newer one, or another of the same number, is known.
    #[error("it has the number {found}, and {known} is known")]
    RolledBack {
        /// Its number.
        found: u64,
        /// That of the known one.
        known: u64,
    },
}

impl From<DsseError> for BlocklistError {
    fn from(error: DsseError) -> Self {
        Self::Signature(error.to_string())
    }
}

impl Predicate for Blocklist {
    const TYPE: &'static str = "https://glassbox.dev/attestation/blocklist/v1";
}

impl Blocklist {
    /// Signs it.
    pub fn sign(self, key: &SecretKey) -> Envelope {
        Envelope::sign(vec![self.subject()], self, key)
    }

    fn subject(&self) -> Subject {
        Subject::new(format!("{}-{}", self.name, self.sequence), Digest::of(crate::canonical::to_bytes(self)))
    }

    /// Reads a list that `key` signed.
    pub fn open(envelope: &Envelope, key: &PublicKey) -> Result<Self, BlocklistError> {
        let statement = envelope.verify::<Self>(key)?;
        let list = statement.predicate;
        if statement.subject != [list.subject()] {
            return Err(BlocklistError::Signature("its subject is another".into()));
        }
        let is_bounded = |entry: &Entry| {
            (1..=limits::REASON_BYTES_MAX).contains(&entry.reason.len())
                && entry.about.to_string().len() <= limits::BLOCKED_BYTES_MAX
        };
        let bounded = list.entries.len() <= limits::BLOCKLIST_ENTRIES_MAX
            && (1..=limits::ID_BYTES_MAX).contains(&list.name.len())
            && list.entries.iter().all(is_bounded);
        if bounded { Ok(list) } else { Err(BlocklistError::TooLong) }
    }

    /// Checks that it may take the place of `known`, the one that counts now. Tells whether it does: the same again is no
    /// news.
    pub fn check(&self, known: Option<&Self>, now: Timestamp) -> Result<bool, BlocklistError> {
        let ahead = jiff::SignedDuration::from_secs(limits::BLOCKLIST_SKEW_SECONDS);
        if now >= self.expires || self.issued > now.checked_add(ahead).unwrap_or(Timestamp::MAX) {
            return Err(BlocklistError::Time { issued: self.issued, expires: self.expires });
        }
        match known {
            Some(known) if known == self => Ok(false),
            Some(known) if self.sequence <= known.sequence => {
                Err(BlocklistError::RolledBack { found: self.sequence, known: known.sequence })
            }
            _ => Ok(true),
        }
    }
}

impl FromStr for Listed {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            let text: String = text.chars().take(limits::QUOTED_CHARS_MAX).collect();
            format!(
                "`{text}` cannot be listed; write package:NS:NAME, component:sha256:…, publisher:did:key:… or payee:ID"
            )
        };
        let (kind, rest) = text.split_once(':').filter(|(_, rest)| !rest.is_empty()).ok_or_else(wrong)?;
        match kind {
            "package" => rest.parse().map(Self::Package).map_err(|_| wrong()),
            "component" => rest.parse().map(Self::Component).map_err(|_| wrong()),
            "publisher" => {
                rest.parse::<PublicKey>().map(|key| Self::Publisher(key.to_string())).map_err(|_| wrong())
            }
            "payee" => Ok(Self::Payee(rest.to_owned())),
            _ => Err(wrong()),
        }
    }
}

impl fmt::Display for Listed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Package(name) => write!(f, "package:{name}"),
            Self::Component(digest) => write!(f, "component:{digest}"),
            Self::Publisher(key) => write!(f, "publisher:{key}"),
            Self::Payee(id) => write!(f, "payee:{id}"),
        }
    }
}

impl From<Listed> for String {
    fn from(listed: Listed) -> Self {
        listed.to_string()
    }
}

impl TryFrom<String> for Listed {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().expect("a time")
    }

    fn list(sequence: u64, about: &str) -> Blocklist {
        Blocklist {
            name: "example".into(),
            sequence,
            issued: at("2026-11-22T00:00:00Z"),
            expires: at("2026-11-29T00:00:00Z"),
            entries: vec![Entry { about: about.parse().expect("listed"), reason: "malware".into() }],
        }
    }

    #[test]
    fn a_list_is_its_signers_and_nobody_elses() {
        let (key, other) = (SecretKey::from_seed(&[1; 32]), SecretKey::from_seed(&[2; 32]));
        let whole = list(1, "package:acme:evil");
        let envelope = whole.clone().sign(&key);
        assert_eq!(Blocklist::open(&envelope, &key.public()), Ok(whole.clone()));
        assert!(matches!(Blocklist::open(&envelope, &other.public()), Err(BlocklistError::Signature(_))));
        let mut long = whole;
        long.entries[0].reason = String::new();
        assert_eq!(Blocklist::open(&long.sign(&key), &key.public()), Err(BlocklistError::TooLong));
    }

    #[test]
    fn lists_go_forward() {
        let (first, second) = (list(1, "payee:acct:eve"), list(2, "payee:acct:eve"));
        let now = at("2026-11-23T00:00:00Z");
        assert_eq!(first.check(None, now), Ok(true));
        assert_eq!(first.check(Some(&first), now), Ok(false));
        assert_eq!(second.check(Some(&first), now), Ok(true));
        let back = BlocklistError::RolledBack { found: 1, known: 2 };
        assert_eq!(first.check(Some(&second), now), Err(back));
        // Two lists with one number: whoever signed them is not to be relied on.
        assert!(list(1, "payee:acct:mallory").check(Some(&first), now).is_err());
        for late in ["2026-11-29T00:00:00Z", "2026-11-21T00:00:00Z"] {
            assert!(
                matches!(second.check(Some(&first), at(late)), Err(BlocklistError::Time { .. })),
                "{late}"
            );
        }
    }

    #[test]
    fn what_is_listed_is_written_one_way() {
        let key = SecretKey::from_seed(&[1; 32]).public();
        let component = format!("component:{}", Digest::of("x"));
        for text in ["package:acme:evil", &component, &format!("publisher:{key}"), "payee:github:eve"] {
            assert_eq!(text.parse::<Listed>().expect(text).to_string(), text);
        }
        for text in ["", "package", "package:", "package:evil", "component:x", "publisher:me", "person:x"] {
            assert!(text.parse::<Listed>().is_err(), "{text}");
        }
    }
}
