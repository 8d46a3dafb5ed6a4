//! The words of a company's registry: accounts, cost centres, months, and parts of what was spent.
//!
//! An *account* is a person or an agent in whose name calls are made. A *cost centre* is what bears their cost. Both are
//! written into spreadsheets and URLs, so that they are plain words, checked once where they are made.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::limits;
use crate::money::{Atomic, PICO_PER_ATOMIC, Pico};

/// Says why a word was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WordError {
    /// It names no account and no cost centre.
    #[error(
        "`{0}` is no name; write up to {max} of a-z, 0-9, `.`, `_`, `@` and `-`, beginning with a letter or a digit",
        max = limits::ACCOUNT_NAME_BYTES_MAX
    )]
    Name(String),
    /// It is no month.
    #[error("`{0}` is no month; write it like 2026-11")]
    Month(String),
    /// It is no part of a hundred.
    #[error("{0} is no percentage; name one from 1 to 100")]
    Percent(u32),
    /// It is neither a person nor an agent, or no way to pay.
    #[error("`{found}` is none of {known}")]
    Choice {
        /// What was written.
        found: String,
        /// What there is.
        known: &'static str,
    },
}

/// The name of an account.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct AccountName(String);

/// The name of a cost centre.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct CostCenter(String);

/// A month by UTC, such as `2026-11`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Month(String);

/// A part of an amount, from 1 to 100 of a hundred.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Percent(u8);

/// Who is behind an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AccountKind {
    /// A person.
    Person,
    /// A program that acts by itself.
    Agent,
}

/// How an account pays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Paying {
    /// Out of what was paid in before.
    Prepaid,
    /// Afterwards: what it used is owed until it is settled.
    Invoice,
}

impl AccountName {
    /// Returns the account as a payer of the ledger.
    pub fn payer(&self) -> String {
        format!("account:{}", self.0)
    }
}

impl AccountKind {
    /// Returns the word that is stored and shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Person => "person",
            Self::Agent => "agent",
        }
    }
}

impl Paying {
    /// Returns the word that is stored and shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Prepaid => "prepaid",
            Self::Invoice => "invoice",
        }
    }
}

impl FromStr for AccountKind {
    type Err = WordError;

    fn from_str(text: &str) -> Result<Self, WordError> {
        [Self::Person, Self::Agent]
            .into_iter()
            .find(|kind| kind.as_str() == text)
            .ok_or_else(|| WordError::Choice { found: clip(text), known: "person, agent" })
    }
}

impl FromStr for Paying {
    type Err = WordError;

    fn from_str(text: &str) -> Result<Self, WordError> {
        [Self::Prepaid, Self::Invoice]
            .into_iter()
            .find(|paying| paying.as_str() == text)
            .ok_or_else(|| WordError::Choice { found: clip(text), known: "prepaid, invoice" })
    }
}

impl Percent {
    /// Returns that part of an amount, rounded down to a unit that can be paid.
    pub fn of(self, amount: Pico) -> Atomic {
        // Nobody spends so much that the product does not fit.
        Atomic(amount.0.saturating_mul(u128::from(self.0)) / 100 / PICO_PER_ATOMIC)
    }

    /// Returns the number of hundredths.
    pub fn get(self) -> u8 {
        self.0
    }
}

impl TryFrom<u32> for Percent {
    type Error = WordError;

    fn try_from(percent: u32) -> Result<Self, WordError> {
        match u8::try_from(percent) {
            Ok(part @ 1..=100) => Ok(Self(part)),
            _ => Err(WordError::Percent(percent)),
        }
    }
}

/// Nothing that a spreadsheet takes for a formula, and nothing that a URL has to escape.
fn is_name(text: &str) -> bool {
    let bytes = text.as_bytes();
    (1..=limits::ACCOUNT_NAME_BYTES_MAX).contains(&bytes.len())
        && bytes[0] != b'.'
        && !b"_@-".contains(&bytes[0])
        && bytes.iter().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._@-".contains(b))
}

impl Month {
    /// Returns the month after it.
    pub fn next(&self) -> String {
        let (year, month) = self.0.split_once('-').expect("a month has two parts");
        let number = |part: &str| part.parse::<u32>().expect("both are digits");
        match (number(year), number(month)) {
            (year, 12) => format!("{:04}-01", year + 1),
            (year, month) => format!("{year:04}-{:02}", month + 1),
        }
    }
}

fn is_month(text: &str) -> bool {
    let Some((year, month)) = text.split_once('-') else { return false };
    let digits = |part: &str, count| part.len() == count && part.bytes().all(|b| b.is_ascii_digit());
    digits(year, 4) && digits(month, 2) && ("01"..="12").contains(&month)
}

fn clip(text: &str) -> String {
    text.chars().take(limits::QUOTED_CHARS_MAX).collect()
}

macro_rules! words {
    ($($name:ident, $holds:expr, $error:ident;)*) => {$(
        impl $name {
            /// Returns its text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = WordError;

            fn from_str(text: &str) -> Result<Self, WordError> {
                if $holds(text) { Ok(Self(text.into())) } else { Err(WordError::$error(clip(text))) }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl From<$name> for String {
            fn from(word: $name) -> Self {
                word.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = WordError;

            fn try_from(text: String) -> Result<Self, WordError> {
                text.parse()
            }
        }
    )*};
}

words! {
    AccountName, is_name, Name;
    CostCenter, is_name, Name;
    Month, is_month, Month;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_plain() {
        for text in ["ana@example.org", "ci-bot", "4711", "research.ml_2"] {
            assert_eq!(text.parse::<AccountName>().expect(text).payer(), format!("account:{text}"));
        }
        let long = "a".repeat(limits::ACCOUNT_NAME_BYTES_MAX + 1);
        for text in ["", "Ana", "=1", "-a", "@a", ".a", "_a", "a b", "a,b", "a/b", "a:b", "ä", &long] {
            assert!(text.parse::<AccountName>().is_err() && text.parse::<CostCenter>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_part_is_rounded_down() {
        let of = |percent: u32, pico: u128| Percent::try_from(percent).expect("a part").of(Pico(pico)).0;
        for (percent, pico, atomic) in [
            (1, 0, 0),
            (100, 7_999_999, 7),
            (1, 99_999_999, 0),
            (1, 100_000_000, 1),
            (33, 6_000_000, 1),
            (50, 5_999_000_000, 2_999),
        ] {
            assert_eq!(of(percent, pico), atomic, "{percent} % of {pico}");
        }
        for percent in [0, 101, 256, 257, u32::MAX] {
            assert_eq!(Percent::try_from(percent), Err(WordError::Percent(percent)));
        }
    }

    #[test]
    fn months_are_written_one_way() {
        for text in ["2026-01", "2026-12", "0001-10"] {
            assert_eq!(text.parse::<Month>().expect(text).as_str(), text);
        }
        for (text, next) in [("2026-01", "2026-02"), ("2026-12", "2027-01"), ("0001-10", "0001-11")] {
            assert_eq!(text.parse::<Month>().expect(text).next(), next);
        }
        for text in ["", "2026", "2026-1", "2026-00", "2026-13", "26-01", "2026-1a", "2026-01-01", "2026/01"]
        {
            assert!(text.parse::<Month>().is_err(), "{text}");
        }
    }
}
