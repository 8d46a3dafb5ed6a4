//! What is sold beside calls: plans, licences and editions, and who has them for less.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::Place;
use super::amount::decimal;
use super::time::{Length, Period};
use crate::money::Atomic;

/// `[[plan]]`: something that is paid by the period.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Plan {
    /// Its name.
    pub id: String,
    /// Use, or support.
    #[serde(default)]
    pub on: PlanKind,
    /// What a period costs, or a seat of it.
    #[serde(with = "decimal")]
    pub amount: Atomic,
    /// `seat` where the amount is for each of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<SaleUnit>,
    /// How long it lasts.
    #[serde(default)]
    pub period: Period,
    /// Who may use what was bought once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<Scope>,
    /// What costs its holder nothing more, and what is open to nobody else.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub includes: Vec<Inclusion>,
    /// How much of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quota: Option<PlanQuota>,
    /// What support promises.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sla: Option<Sla>,
    /// The older lines that are mended, too, such as `4.x`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub backports: Vec<String>,
}

/// What a plan is for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PlanKind {
    /// Using it.
    #[default]
    Subscribe,
    /// Help with it.
    Support,
}

/// What a plan or an offer is counted in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SaleUnit {
    /// Copies.
    Copy,
    /// People or agents that use it.
    Seat,
}

/// Who may use what was bought once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scope {
    /// All of an organisation.
    Organisation,
    /// One product.
    Product,
    /// One person or agent.
    Seat,
}

/// What a plan includes: `edition:NAME`, `execute:*`, `execute:PRICE` or `download:*`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum Inclusion {
    /// The functions of an edition.
    Edition(String),
    /// Calls: those under one price, or all.
    Execute(Option<String>),
    /// Downloads.
    Download,
}

/// How much a plan includes in a period.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct PlanQuota {
    /// How many calls, for each seat.
    pub calls: u64,
    /// The one price that further calls cost; without it they cost what they cost everybody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overage_price: Option<String>,
}

/// What support promises.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Sla {
    /// Until there is an answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response: Option<Length>,
    /// Until a critical hole is mended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fix_critical: Option<Length>,
    /// How many of a hundred calls the executor answers, such as `99.9`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uptime: Option<Uptime>,
    /// What goes back to whoever paid when a promise is broken, in basis points.
    pub credit: u32,
}

/// A part of a hundred with up to three decimals, such as `99.9`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Uptime {
    /// In thousandths of a hundredth: `99.9` is 99,900.
    pub per_100_000: u32,
}

/// `[[offer]]`: a licence that can be taken, or bought.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Offer {
    /// Its name.
    pub id: String,
    /// The licence, as an SPDX expression.
    pub grants: String,
    /// What it is sold with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on: Option<OfferAct>,
    /// What is counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<SaleUnit>,
    /// What one costs. Nothing, for a licence that anybody may take.
    #[serde(with = "decimal")]
    pub amount: Atomic,
    /// Who may use what was bought once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<Scope>,
    /// How long it lasts; for ever when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub term: Option<Length>,
    /// For how long later releases come under it, too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub updates: Option<Length>,
}

/// What an offer is sold with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OfferAct {
    /// The component.
    Download,
    /// The source in bulk.
    Source,
}

/// `[[grant]]`: who pays less, once that is proved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Grant {
    /// Its name.
    pub id: String,
    /// The prices that it lowers, by their ids.
    pub prices: BTreeSet<String>,
    /// By how many hundredths.
    pub percent_off: u32,
    /// For how much.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quota: Option<GrantQuota>,
    /// What proves it.
    pub proof: GrantProof,
}

/// For how much a grant is good in a period.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GrantQuota {
    /// How many calls.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calls: Option<u64>,
    /// How much fuel.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fuel: Option<u64>,
    /// How often there is as much again.
    #[serde(default)]
    pub period: Period,
}

/// What proves that somebody has a grant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GrantProof {
    /// A licence that the publisher signed for them.
    LicenseToken,
    /// The identity token of a public repository's workflow, which the registry checks against the keys of its forge.
    OidcRepository,
}

/// `[edition.NAME]`: some of the exports, under terms of their own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Edition {
    /// Its component, where it has one of its own. No part of the terms.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// The interfaces and functions that belong to it.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub exports: BTreeSet<String>,
    /// Its licence, where it differs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub license: Option<String>,
    /// Where it may run, where that differs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub execute: Option<BTreeSet<Place>>,
    /// What its callers need.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requires: Option<Requirement>,
}

/// What a caller needs: `plan:ID` or `offer:ID`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum Requirement {
    /// A plan that runs.
    Plan(String),
    /// A licence that was taken.
    Offer(String),
}

/// `[[contributor-bounty]]`: what a contribution of a kind is worth to the maintainers. Their word; nothing pays it out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bounty {
    /// The kind, such as `backport`.
    pub label: String,
    /// How much.
    #[serde(with = "decimal")]
    pub amount: Atomic,
}

fn named(text: &str, kind: &str) -> Option<String> {
    let id = text.strip_prefix(kind)?.strip_prefix(':')?;
    (!id.is_empty()).then(|| id.to_owned())
}

fn clip(text: &str) -> String {
    text.chars().take(crate::limits::QUOTED_CHARS_MAX).collect()
}

impl FromStr for Inclusion {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let inclusion = match text {
            "execute:*" => Some(Self::Execute(None)),
            "download:*" => Some(Self::Download),
            _ => named(text, "execute")
                .map(|id| Self::Execute(Some(id)))
                .or_else(|| named(text, "edition").map(Self::Edition)),
        };
        inclusion.ok_or_else(|| {
            format!(
                "`{}` cannot be included; write edition:NAME, execute:*, execute:PRICE or download:*",
                clip(text)
            )
        })
    }
}

impl fmt::Display for Inclusion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Edition(name) => write!(f, "edition:{name}"),
            Self::Execute(Some(price)) => write!(f, "execute:{price}"),
            Self::Execute(None) => f.write_str("execute:*"),
            Self::Download => f.write_str("download:*"),
        }
    }
}

impl FromStr for Requirement {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let plan = named(text, "plan").map(Self::Plan);
        plan.or_else(|| named(text, "offer").map(Self::Offer))
            .ok_or_else(|| format!("`{}` cannot be required; write plan:ID or offer:ID", clip(text)))
    }
}

impl fmt::Display for Requirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Plan(id) => write!(f, "plan:{id}"),
            Self::Offer(id) => write!(f, "offer:{id}"),
        }
    }
}

impl FromStr for Uptime {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
        let digits = format!("{whole}{decimals:0<3}");
        let read = (whole.len() <= 3 && decimals.len() <= 3 && digits.bytes().all(|b| b.is_ascii_digit()))
            .then(|| digits.parse().ok())
            .flatten();
        let uptime = read.map(|per_100_000| Self { per_100_000 });
        uptime
            .filter(|uptime| uptime.per_100_000 <= 100_000 && uptime.to_string() == text)
            .ok_or_else(|| format!("`{}` is not a part of a hundred; write it like \"99.9\"", clip(text)))
    }
}

impl fmt::Display for Uptime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let decimals = format!("{:03}", self.per_100_000 % 1_000);
        match decimals.trim_end_matches('0') {
            "" => write!(f, "{}", self.per_100_000 / 1_000),
            decimals => write!(f, "{}.{decimals}", self.per_100_000 / 1_000),
        }
    }
}

macro_rules! text_conversions {
    ($($name:ty),*) => {$(
        impl From<$name> for String {
            fn from(value: $name) -> Self {
                value.to_string()
            }
        }

        impl TryFrom<String> for $name {
            type Error = String;

            fn try_from(text: String) -> Result<Self, String> {
                text.parse()
            }
        }
    )*};
}

text_conversions!(Inclusion, Requirement, Uptime);
