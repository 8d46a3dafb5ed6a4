//! What is charged for: prices by function and unit, with free quotas, tiers and discounts.

use std::fmt;
use std::num::NonZeroU64;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::amount::{decimal, optional};
use super::time::{Date, Period, Window};
use crate::money::Atomic;

/// `[[price]]`: one rule of what is charged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Price {
    /// Its name on quotes and receipts.
    pub id: String,
    /// What is charged for.
    #[serde(default)]
    pub on: PricedAct,
    /// The function that it applies to (`interface#function` or a full name), or the whole interface (`ns:pkg/interface`),
    /// or every function when absent. A download has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub export: Option<String>,
    /// What is counted.
    pub unit: Unit,
    /// The price of `per` units, as a decimal string.
    #[serde(with = "decimal")]
    pub amount: Atomic,
    /// How many units the amount buys.
    #[serde(default = "one")]
    pub per: NonZeroU64,
    /// The least that a call costs under this rule.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "optional")]
    pub minimum: Option<Atomic>,
    /// The most that a call costs under this rule.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "optional")]
    pub max_per_call: Option<Atomic>,
    /// Whether a call that fails in the guest is charged.
    #[serde(default)]
    pub charge_on: ChargeOn,
    /// The units that cost nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub free: Option<Free>,
    /// Other amounts for those who use more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tiers: Option<Tiers>,
}

pub(super) fn one() -> NonZeroU64 {
    NonZeroU64::MIN
}

impl Price {
    /// Returns the period in which its units are counted, where what was used before matters.
    pub fn period(&self) -> Option<Period> {
        match (&self.free, &self.tiers) {
            (Some(free), _) => Some(free.period),
            (None, Some(tiers)) => Some(tiers.period.unwrap_or_default()),
            (None, None) => None,
        }
    }

    /// Returns the highest amount that `per` units may cost.
    pub fn amount_max(&self) -> Atomic {
        let steps = self.tiers.iter().flat_map(|tiers| &tiers.steps).map(|step| step.amount);
        match &self.tiers {
            Some(_) => steps.max().unwrap_or(self.amount),
            None => self.amount,
        }
    }
}

/// What a price is for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PricedAct {
    /// Running a function.
    #[default]
    Execute,
    /// Downloading the component, with the files that it may read.
    Download,
    /// Fetching the source in bulk.
    Source,
}

/// What a price counts. Prints and parses as `call`, `fuel`, `byte-in`, `byte-out`, `second`, `download` or `event:NAME`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum Unit {
    /// Calls.
    Call,
    /// Fuel: metered work.
    Fuel,
    /// Bytes of the arguments, in their binary encoding.
    ByteIn,
    /// Bytes of what the function returned, in its binary encoding.
    ByteOut,
    /// Seconds that a call waited for the host, begun ones counted whole.
    Second,
    /// What the component reports under this name, such as `row`.
    Event(String),
    /// Downloads. `copy` is read as the same.
    Download,
}

impl Unit {
    /// Returns the units that are written without a name.
    pub const PLAIN: [&'static str; 6] = ["call", "fuel", "byte-in", "byte-out", "second", "download"];
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Call => "call",
            Self::Fuel => "fuel",
            Self::ByteIn => "byte-in",
            Self::ByteOut => "byte-out",
            Self::Second => "second",
            Self::Download => "download",
            Self::Event(name) => return write!(f, "event:{name}"),
        })
    }
}

impl FromStr for Unit {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Ok(match text {
            "call" => Self::Call,
            "fuel" => Self::Fuel,
            "byte-in" => Self::ByteIn,
            "byte-out" => Self::ByteOut,
            "second" => Self::Second,
            "download" | "copy" => Self::Download,
            _ => match text.strip_prefix("event:") {
                Some(name) => Self::Event(name.to_owned()),
                None => {
                    let known = Self::PLAIN.join(", ");
                    let text: String = text.chars().take(crate::limits::QUOTED_CHARS_MAX).collect();
                    return Err(format!("unknown unit `{text}`; there are {known} and event:NAME"));
                }
            },
        })
    }
}

impl From<Unit> for String {
    fn from(unit: Unit) -> Self {
        unit.to_string()
    }
}

impl TryFrom<String> for Unit {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

/// When a call is charged.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ChargeOn {
    /// When the function returned. A value that says `err` is a return.
    #[default]
    Success,
    /// Also when the guest failed by its own doing.
    Attempt,
}

/// The first units of a period, which cost nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Free {
    /// How many.
    pub quantity: u64,
    /// How often there are as many again.
    #[serde(default)]
    pub period: Period,
    /// Who has them.
    #[serde(default)]
    pub scope: FreeScope,
}

/// Who has free units.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FreeScope {
    /// Every payer: whoever shows a payment that would cover the call.
    #[default]
    Payer,
    /// All who show none, together.
    Anonymous,
}

/// Amounts that depend on how much was used in the period.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tiers {
    /// How the steps apply.
    pub mode: TierMode,
    /// The steps, ascending; the last has no end.
    pub steps: Vec<Step>,
    /// The period in which units are counted; that of `free` where there is one, else a month.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub period: Option<Period>,
}

/// How steps apply.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TierMode {
    /// Each unit costs what its own step says.
    Graduated,
    /// All units of a call cost what the step of its last one says.
    Volume,
}

/// One step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Step {
    /// The last unit of the period that it is for; none where it has no end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub up_to: Option<u64>,
    /// The price of `per` units.
    #[serde(with = "decimal")]
    pub amount: Atomic,
}

/// `[[discount]]`: a price that is lower at times.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Discount {
    /// The price, by its id.
    pub price: String,
    /// How much is taken off, in hundredths.
    pub percent: u32,
    /// The time of day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<Window>,
    /// The first day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Date>,
    /// The last day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Date>,
}

impl Discount {
    /// Tells whether it applies at a time.
    pub fn applies(&self, at: jiff::Timestamp) -> bool {
        let day = Date::of(at);
        self.window.is_none_or(|window| window.contains(at))
            && self.from.is_none_or(|from| from <= day)
            && self.until.is_none_or(|until| day <= until)
    }
}
