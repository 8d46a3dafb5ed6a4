//! Amounts of money, in integers only.
//!
//! A charge is an integer in the asset's *atomic* unit (a millionth of a dollar for USDC). The ledger counts in
//! *pico* units (1e-12 of the currency), so that a split of a single atomic unit is still exact. Decimal text is
//! read and written digit by digit; no float appears anywhere.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The number of decimals of the atomic unit: USDC and its play-money twin on the devnet have six.
pub const ATOMIC_DECIMALS: u32 = 6;

/// The number of decimals of the ledger's unit.
pub const PICO_DECIMALS: u32 = 12;

/// How many pico one atomic unit is.
pub const PICO_PER_ATOMIC: u128 = 1_000_000;

/// Says why an amount was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MoneyError {
    /// The text is not a plain non-negative decimal.
    #[error("`{0}` is not an amount; write a decimal string such as \"0.002\"")]
    Malformed(String),
    /// There are more decimals than the unit holds.
    #[error("`{text}` has more than {decimals} decimals")]
    TooFine {
        /// What was written.
        text: String,
        /// How many decimals are allowed.
        decimals: u32,
    },
    /// The amount does not fit.
    #[error("`{0}` is too large an amount")]
    TooLarge(String),
}

/// An amount in atomic units (1e-6 of the currency). On the wire it is a string of digits, as in x402.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Atomic(pub u128);

/// An amount in pico units (1e-12 of the currency), the ledger's unit. On the wire it is a string of digits.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Pico(pub u128);

impl Atomic {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// Reads a decimal in the currency, such as `0.002` (2,000 atomic units).
    pub fn from_decimal(text: &str) -> Result<Self, MoneyError> {
        Ok(Self(decimal(text, ATOMIC_DECIMALS)?))
    }

    /// Writes the shortest decimal in the currency, such as `0.002`.
    pub fn to_decimal(self) -> String {
        to_decimal(self.0, ATOMIC_DECIMALS)
    }

    /// Returns the same amount in the ledger's unit. Amounts are bounded by `limits::AMOUNT_MAX`, so it fits.
    pub fn to_pico(self) -> Pico {
        Pico(self.0.checked_mul(PICO_PER_ATOMIC).expect("amounts are bounded far below u128::MAX"))
    }
}

impl Pico {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// Reads a decimal in the currency with up to twelve decimals.
    pub fn from_decimal(text: &str) -> Result<Self, MoneyError> {
        Ok(Self(decimal(text, PICO_DECIMALS)?))
    }

    /// Writes the shortest decimal in the currency.
    pub fn to_decimal(self) -> String {
        to_decimal(self.0, PICO_DECIMALS)
    }
}

/// Reads `digits[.digits]` with at most `decimals` decimals into an integer of that unit.
///
/// Refuses signs, exponents, leading zeros, a bare point, and anything above [`crate::limits::AMOUNT_MAX`].
fn decimal(text: &str, decimals: u32) -> Result<u128, MoneyError> {
    let clipped = || text.chars().take(60).collect::<String>();
    let malformed = || MoneyError::Malformed(clipped());
    let (whole, fraction) = match text.split_once('.') {
        Some((_, "")) => return Err(malformed()),
        Some(parts) => parts,
        None => (text, ""),
    };
    let all_digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    let leading_zero = whole.len() > 1 && whole.starts_with('0');
    if whole.is_empty() || leading_zero || !all_digits(whole) || !all_digits(fraction) {
        return Err(malformed());
    }
    if fraction.len() > decimals as usize {
        return Err(MoneyError::TooFine { text: clipped(), decimals });
    }
    let digits = format!("{whole}{fraction:0<width$}", width = decimals as usize);
    let units: u128 = digits.parse().map_err(|_| MoneyError::TooLarge(clipped()))?;
    let units_max = crate::limits::AMOUNT_MAX * 10u128.pow(decimals);
    if units <= units_max { Ok(units) } else { Err(MoneyError::TooLarge(clipped())) }
}

fn to_decimal(units: u128, decimals: u32) -> String {
    let scale = 10u128.pow(decimals);
    let (whole, fraction) = (units / scale, units % scale);
    if fraction == 0 {
        return whole.to_string();
    }
    let fraction = format!("{fraction:0width$}", width = decimals as usize);
    format!("{whole}.{}", fraction.trim_end_matches('0'))
}

/// Reads a string of digits as x402 writes amounts: no sign, no leading zero, no point.
fn units(text: &str, units_max: u128) -> Result<u128, MoneyError> {
    let canonical = !text.is_empty()
        && text.bytes().all(|b| b.is_ascii_digit())
        && (text.len() == 1 || !text.starts_with('0'));
    if !canonical {
        return Err(MoneyError::Malformed(text.chars().take(60).collect()));
    }
    match text.parse() {
        Ok(value) if value <= units_max => Ok(value),
        _ => Err(MoneyError::TooLarge(text.chars().take(60).collect())),
    }
}

impl FromStr for Atomic {
    type Err = MoneyError;

    fn from_str(text: &str) -> Result<Self, MoneyError> {
        Ok(Self(units(text, crate::limits::AMOUNT_MAX * 10u128.pow(ATOMIC_DECIMALS))?))
    }
}

impl FromStr for Pico {
    type Err = MoneyError;

    fn from_str(text: &str) -> Result<Self, MoneyError> {
        Ok(Self(units(text, crate::limits::AMOUNT_MAX * 10u128.pow(PICO_DECIMALS))?))
    }
}

macro_rules! text_conversions {
    ($($name:ty),*) => {$(
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}", self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0)
            }
        }

        impl From<$name> for String {
            fn from(amount: $name) -> Self {
                amount.to_string()
            }
        }

        impl TryFrom<String> for $name {
            type Error = MoneyError;

            fn try_from(text: String) -> Result<Self, MoneyError> {
                text.parse()
            }
        }
    )*};
}

text_conversions!(Atomic, Pico);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_are_exact() {
        for (text, atomic) in
            [("0", 0), ("0.002", 2_000), ("1", 1_000_000), ("49.00", 49_000_000), ("0.000001", 1)]
        {
            assert_eq!(Atomic::from_decimal(text), Ok(Atomic(atomic)), "{text}");
        }
        assert_eq!(Atomic(2_000).to_decimal(), "0.002");
        assert_eq!(Atomic(49_000_000).to_decimal(), "49");
        assert_eq!(Pico::from_decimal("0.000000000001"), Ok(Pico(1)));
        assert_eq!(Atomic(3).to_pico(), Pico(3_000_000));
    }

    #[test]
    fn refuses_what_is_not_plain() {
        for text in ["", ".", "1.", ".5", "-1", "+1", "01", "1e3", "1,0", " 1", "0.0000001", "1.2.3", "١"] {
            assert!(Atomic::from_decimal(text).is_err(), "{text}");
        }
        let huge = "9".repeat(60);
        assert!(matches!(Atomic::from_decimal(&huge), Err(MoneyError::TooLarge(_))));
        for text in [
            "",
            "-1",
            "00",
            "01",
            "1.0",
            "115792089237316195423570985008687907853269984665640564039457584007913129639936",
        ] {
            assert!(text.parse::<Atomic>().is_err(), "{text}");
        }
    }
}
