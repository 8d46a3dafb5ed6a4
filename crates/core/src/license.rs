//! Licences: signed statements that somebody has a plan, took an offer, or proved a grant.
//!
//! What one costs and how long it lasts follows from the terms. The registry signs what it sold, and a publisher what it
//! grants; both name the release, its terms and its component by digest, so that anybody can check a licence offline.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::dsse::{DsseError, Envelope, Predicate, Subject};
use crate::key::{PublicKey, SecretKey};
use crate::manifest::{SaleUnit, Terms};
use crate::money::Atomic;
use crate::name::ReleaseId;
use crate::{Digest, limits};

/// What a licence is for: `plan:ID`, `offer:ID` or `grant:ID`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum Item {
    /// A plan.
    Plan(String),
    /// An offer.
    Offer(String),
    /// A grant.
    Grant(String),
}

/// A licence. The predicate of its statement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct License {
    /// Its name: unguessable where it was sold.
    pub id: String,
    /// The release that it was taken for. Plans and grants are good for all of its package.
    pub release: ReleaseId,
    /// The terms that it follows from.
    pub terms: Digest,
    /// The component of the release.
    pub component: Digest,
    /// What it is for.
    pub item: Item,
    /// The licence that an offer grants, as an SPDX expression.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grants: Option<String>,
    /// Who has it, as registries know payers.
    pub holder: String,
    /// Who has it, for people: an organisation, or a product.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub licensee: Option<String>,
    /// For how many seats, or copies.
    pub units: u64,
    /// When it begins.
    pub from: Timestamp,
    /// When it ends; never when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// Until when releases must have been published that come under it, too; the one it was taken for when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub updates_until: Option<Timestamp>,
    /// What was paid.
    pub amount: Atomic,
    /// Who signed it.
    pub issuer: PublicKey,
}

/// What terms say of an item: what so many cost, and what whoever takes them has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sale {
    /// What they cost.
    pub amount: Atomic,
    /// When what was bought ends.
    pub until: Option<Timestamp>,
    /// Until when later releases come with it.
    pub updates_until: Option<Timestamp>,
    /// The licence that it grants.
    pub grants: Option<String>,
}

/// Says why nothing can be sold, or why a licence does not hold.
#[derive(Debug, thiserror::Error)]
pub enum LicenseError {
    /// The terms have no such item.
    #[error("the terms have no `{0}`")]
    NoItem(Item),
    /// A grant is proved, and not sold.
    #[error("`{0}` is not for sale: its publisher grants it")]
    NotForSale(Item),
    /// Nothing is counted, or too much.
    #[error("`{item}` cannot be taken {units} times")]
    Units {
        /// The item.
        item: Item,
        /// How many were asked for.
        units: u64,
    },
    /// The envelope does not hold.
    #[error("the licence is not signed by whom it names")]
    Envelope(#[from] DsseError),
    /// It is signed by somebody else than it says, or about something else.
    #[error("the licence names {0} as its issuer, or is about another component than it is signed for")]
    Issuer(Box<PublicKey>),
    /// Its time has not come, or is over.
    #[error("the licence is good from {from} until {until}")]
    Time {
        /// When it begins.
        from: Timestamp,
        /// When it ends.
        until: String,
    },
}

impl Item {
    /// Returns its id in the terms.
    pub fn id(&self) -> &str {
        match self {
            Self::Plan(id) | Self::Offer(id) | Self::Grant(id) => id,
        }
    }

    /// Returns what `units` of it cost, for whoever takes them `at` a time.
    pub fn sale(&self, terms: &Terms, units: u64, at: Timestamp) -> Result<Sale, LicenseError> {
        let missing = || LicenseError::NoItem(self.clone());
        let (price, unit, sale) = match self {
            Self::Plan(id) => {
                let plan = terms.more.plan.iter().find(|plan| plan.id == *id).ok_or_else(missing)?;
                let until = Some(plan.period.after(at));
                (
                    plan.amount,
                    plan.unit,
                    Sale { amount: Atomic::ZERO, until, updates_until: None, grants: None },
                )
            }
            Self::Offer(id) => {
                let offer = terms.more.offer.iter().find(|offer| offer.id == *id).ok_or_else(missing)?;
                let sale = Sale {
                    amount: Atomic::ZERO,
                    until: offer.term.as_ref().map(|term| term.after(at)),
                    updates_until: offer.updates.as_ref().map(|updates| updates.after(at)),
                    grants: Some(offer.grants.clone()),
                };
                (offer.amount, offer.unit, sale)
            }
            Self::Grant(_) => return Err(LicenseError::NotForSale(self.clone())),
        };
        let units_max = match unit {
            Some(SaleUnit::Seat | SaleUnit::Copy) => limits::LICENSE_UNITS_MAX,
            None => 1,
        };
        if !(1..=units_max).contains(&units) {
            return Err(LicenseError::Units { item: self.clone(), units });
        }
        // Fits: amounts are below 2^60, and units far below 2^64.
        Ok(Sale { amount: Atomic(price.0 * u128::from(units)), ..sale })
    }
}

impl FromStr for Item {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let item = match text.split_once(':') {
            Some(("plan", id)) => Some(Self::Plan(id.to_owned())),
            Some(("offer", id)) => Some(Self::Offer(id.to_owned())),
            Some(("grant", id)) => Some(Self::Grant(id.to_owned())),
            _ => None,
        };
        item.filter(|item| (1..=limits::ID_BYTES_MAX).contains(&item.id().len())).ok_or_else(|| {
            let text: String = text.chars().take(limits::QUOTED_CHARS_MAX).collect();
            format!("`{text}` is no item; write plan:ID, offer:ID or grant:ID")
        })
    }
}

impl fmt::Display for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Plan(id) => write!(f, "plan:{id}"),
            Self::Offer(id) => write!(f, "offer:{id}"),
            Self::Grant(id) => write!(f, "grant:{id}"),
        }
    }
}

impl From<Item> for String {
    fn from(item: Item) -> Self {
        item.to_string()
    }
}

impl TryFrom<String> for Item {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl Predicate for License {
    const TYPE: &'static str = "https://glassbox.dev/attestation/license/v1";
}

impl License {
    fn subject(&self) -> Subject {
        Subject::new(format!("{}.wasm", self.release.package.name()), self.component)
    }

    /// Signs it.
    ///
    /// # Panics
    ///
    /// When it names another issuer.
    pub fn sign(self, key: &SecretKey) -> Envelope {
        assert_eq!(self.issuer, key.public(), "a licence is signed by the issuer that it names");
        Envelope::sign(vec![self.subject()], self, key)
    }

    /// Reads a licence that holds in itself: its issuer, and nobody else, signed it. Who may issue one is for whoever asks.
    pub fn open(envelope: &Envelope) -> Result<Self, LicenseError> {
        let claimed = envelope.claimed_key().filter(|_| envelope.signatures.len() == 1);
        let key = claimed.ok_or(DsseError::Signature)?;
        let statement = envelope.verify::<Self>(&key)?;
        let license = statement.predicate;
        match license.issuer == key && statement.subject == [license.subject()] {
            true => Ok(license),
            false => Err(LicenseError::Issuer(Box::new(license.issuer))),
        }
    }

    /// Tells whether it was taken for a release, or for one before it while later ones come with it.
    pub fn covers(&self, release: &ReleaseId, published_at: Timestamp) -> bool {
        let updates = self.updates_until.is_some_and(|until| published_at <= until);
        self.release == *release || (self.release.package == release.package && updates)
    }

    /// Checks that it is good at a time.
    pub fn check_time(&self, at: Timestamp) -> Result<(), LicenseError> {
        let running = self.from <= at && self.until.is_none_or(|until| at < until);
        let until = || self.until.map_or_else(|| "ever".to_owned(), |until| until.to_string());
        if running { Ok(()) } else { Err(LicenseError::Time { from: self.from, until: until() }) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::Manifest;

    const CORE: &str = include_str!("../../../conformance/manifest/core.toml");
    const DUAL: &str = include_str!("../../../conformance/manifest/dual.toml");

    fn at(text: &str) -> Timestamp {
        text.parse().expect("a time")
    }

    fn item(text: &str) -> Item {
        text.parse().expect("an item")
    }

    #[test]
    fn terms_say_what_an_item_costs() {
        let terms = |text: &str| Terms::of(&Manifest::parse(text).expect("valid"));
        let now = at("2026-11-22T12:00:00Z");
        let team = item("plan:team").sale(&terms(CORE), 3, now).expect("sold");
        assert_eq!((team.amount, team.until), (Atomic(87_000_000), Some(at("2026-12-22T12:00:00Z"))));
        let dual = terms(DUAL);
        let commercial = item("offer:commercial").sale(&dual, 2, now).expect("sold");
        assert_eq!(commercial.amount, Atomic(98_000_000));
        assert_eq!(commercial.updates_until, Some(at("2027-11-22T12:00:00Z")));
        assert_eq!(commercial.grants.as_deref(), Some("LicenseRef-Parchment-Commercial"));
        let gpl = item("offer:gpl").sale(&dual, 1, now).expect("given");
        assert_eq!((gpl.amount, gpl.until), (Atomic::ZERO, None));
        assert!(matches!(item("offer:gpl").sale(&dual, 2, now), Err(LicenseError::Units { .. })));
        assert!(matches!(item("plan:team").sale(&dual, 1, now), Err(LicenseError::NoItem(_))));
        assert!(matches!(item("offer:commercial").sale(&dual, 0, now), Err(LicenseError::Units { .. })));
        assert!(matches!(item("grant:any").sale(&dual, 1, now), Err(LicenseError::NotForSale(_))));
        for bad in ["", "plan", "plan:", "seat:x", "team"] {
            assert!(bad.parse::<Item>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_licence_holds_for_its_issuer_and_its_time() {
        let key = SecretKey::from_seed(&[3; 32]);
        let license = License {
            id: "l".into(),
            release: "acme:x@1.0.0".parse().expect("valid"),
            terms: Digest::of("terms"),
            component: Digest::of("component"),
            item: item("plan:team"),
            grants: None,
            holder: "credit:a".into(),
            licensee: None,
            units: 1,
            from: at("2026-11-22T12:00:00Z"),
            until: Some(at("2026-12-22T12:00:00Z")),
            updates_until: None,
            amount: Atomic(1),
            issuer: key.public(),
        };
        let envelope = license.clone().sign(&key);
        assert_eq!(License::open(&envelope).expect("holds"), license);
        let other = SecretKey::from_seed(&[4; 32]);
        let foreign = Envelope::sign(vec![license.subject()], license.clone(), &other);
        assert!(matches!(License::open(&foreign), Err(LicenseError::Issuer(_))));
        let elsewhere = Envelope::sign(vec![Subject::new("x", Digest::of("y"))], license.clone(), &key);
        assert!(License::open(&elsewhere).is_err());
        for (time, good) in
            [("2026-11-22T11:59:59Z", false), ("2026-11-22T12:00:00Z", true), ("2026-12-22T12:00:00Z", false)]
        {
            assert_eq!(license.check_time(at(time)).is_ok(), good, "{time}");
        }
    }
}
