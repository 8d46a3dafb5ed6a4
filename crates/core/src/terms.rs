//! From terms to a quote, from a meter reading to a charge. Pure arithmetic in integers.
//!
//! A quote is a function of the release, the function and the fuel ceiling alone, so that nobody has to store one:
//! whoever asks later gets the same. A charge never exceeds its quote. Holding and moving money is `ledger`'s part.

use serde::{Deserialize, Serialize};

use crate::manifest::{ChargeOn, Price, PricedAct, Terms, Unit};
use crate::money::{ATOMIC_DECIMALS, Atomic};
use crate::name::FunctionName;
use crate::{Digest, Hashed, limits};

/// The upper bound for one call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quote {
    /// The terms that it follows from.
    pub terms: Digest,
    /// The function.
    pub function: FunctionName,
    /// The fuel ceiling that the bound is for.
    pub fuel_max: u64,
    /// One line for each price that applies.
    pub lines: Vec<Line>,
    /// The sum of the lines: the most that the call can cost.
    pub amount_max: Atomic,
}

/// One line of a quote or a charge.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// The id of the price.
    pub price: String,
    /// What is counted: `call`, `fuel` or `download`.
    pub unit: Unit,
    /// How many units.
    pub quantity: u64,
    /// What they come to.
    pub amount: Atomic,
}

/// What the meter read of one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// The fuel burnt.
    pub fuel: u64,
    /// How the call ended, as far as money is concerned.
    pub ending: Ending,
}

/// How a call ended, as far as money is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ending {
    /// The function returned.
    Returned,
    /// The guest failed by its own doing, and would fail so again: a trap, or fuel at its end.
    GuestFailed,
    /// The host ended it: a wall-clock guard, an overflowing stack. Never charged.
    Aborted,
}

impl Ending {
    /// Says what a failure of this stable name means for the bill: only what the guest did by itself, and would do again
    /// on any machine, can be charged. A name that is not known is never charged.
    pub fn of_failure(failure: &str) -> Self {
        match failure {
            "out-of-fuel" | "trap" | "memory-exceeded" | "output-refused" | "not-granted"
            | "too-many-calls" => Self::GuestFailed,
            _ => Self::Aborted,
        }
    }
}

/// What is owed for one call, or one download.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Charge {
    /// One line for each price that applied.
    pub lines: Vec<Line>,
    /// The sum of the lines.
    pub amount: Atomic,
}

/// Tells whether `price` applies to a call of `function`.
///
/// `export` is `interface#function`, `function`, or the full `ns:pkg/interface@version#function`; an absent version
/// matches any.
pub fn applies(price: &Price, function: &FunctionName) -> bool {
    if price.on != PricedAct::Execute {
        return false;
    }
    let Some(export) = &price.export else { return true };
    let (interface, name) = match export.rsplit_once('#') {
        Some((interface, name)) => (Some(interface), name),
        None => (None, export.as_str()),
    };
    if name != function.function() {
        return false;
    }
    match (interface, function.interface()) {
        (None, _) => true,
        (Some(_), None) => false,
        (Some(wanted), Some(id)) => {
            let versionless = id.split('@').next().unwrap_or(id);
            let bare = versionless.rsplit('/').next().unwrap_or(versionless);
            wanted == id || wanted == versionless || wanted == bare
        }
    }
}

/// Returns the most that one call of `function` within `fuel_max` can cost.
pub fn quote(terms: &Hashed<Terms>, function: &FunctionName, fuel_max: u64) -> Quote {
    let lines: Vec<Line> = terms
        .price
        .iter()
        .filter(|price| applies(price, function))
        .map(|price| line(price, fuel_max))
        .collect();
    let amount_max = sum(&lines);
    Quote { terms: terms.digest(), function: function.clone(), fuel_max, lines, amount_max }
}

/// Returns what a call owes for `usage`.
///
/// # Panics
///
/// When the result exceeds the quote for `fuel_max`, which would be a mistake in this module: every line grows with
/// its quantity, and the meter cannot pass the ceiling.
pub fn charge(terms: &Terms, quote: &Quote, usage: Usage) -> Charge {
    let owed = |price: &&Price| match usage.ending {
        Ending::Returned => true,
        Ending::GuestFailed => price.charge_on == ChargeOn::Attempt,
        Ending::Aborted => false,
    };
    let fuel = usage.fuel.min(quote.fuel_max);
    let lines: Vec<Line> = terms
        .price
        .iter()
        .filter(|price| applies(price, &quote.function))
        .filter(owed)
        .map(|price| line(price, fuel))
        .collect();
    let amount = sum(&lines);
    assert!(amount <= quote.amount_max, "charge {amount} exceeds quote {}", quote.amount_max);
    Charge { lines, amount }
}

/// Returns what a download costs: known before, and the same for everybody.
pub fn download_charge(terms: &Terms) -> Charge {
    let prices = terms.price.iter().filter(|price| price.on == PricedAct::Download);
    let lines: Vec<Line> = prices.map(|price| line(price, 0)).collect();
    let amount = sum(&lines);
    Charge { lines, amount }
}

/// `ceil(quantity × amount / per)`, at least `minimum`, at most `max-per-call`.
fn line(price: &Price, fuel: u64) -> Line {
    let quantity = match price.unit {
        Unit::Call | Unit::Download => 1,
        Unit::Fuel => fuel,
    };
    // Cannot overflow: a quantity below 2^64 times an amount below 2^60 is below 2^124.
    let amount = (u128::from(quantity) * price.amount.0).div_ceil(u128::from(price.per.get()));
    let amount = amount.max(price.minimum.map_or(0, |minimum| minimum.0));
    let amount = amount.min(price.max_per_call.map_or(u128::MAX, |max| max.0));
    // Terms and fuel may come from a stranger's bundle: what no payment could carry must not overflow later.
    let amount = amount.min(limits::AMOUNT_MAX * 10u128.pow(ATOMIC_DECIMALS));
    Line { price: price.id.clone(), unit: price.unit, quantity, amount: Atomic(amount) }
}

fn sum(lines: &[Line]) -> Atomic {
    Atomic(lines.iter().map(|line| line.amount.0).sum())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::PricedAct;

    fn price(unit: Unit, amount: u128, per: u64) -> Price {
        Price {
            id: "p".into(),
            on: PricedAct::Execute,
            export: None,
            unit,
            amount: Atomic(amount),
            per: per.try_into().expect("not zero"),
            minimum: None,
            max_per_call: None,
            charge_on: ChargeOn::Success,
        }
    }

    fn terms(price: Vec<Price>) -> Hashed<Terms> {
        Hashed::new(Terms {
            release: "a:b@1.0.0".parse().expect("valid"),
            license: "MIT".into(),
            execute: Default::default(),
            import: false,
            fuel_max: 1_000_000_000,
            price,
            payee: vec![],
            currency: "USD".into(),
            accepts: vec![],
            more: Default::default(),
        })
    }

    fn function() -> FunctionName {
        "a:b/c@1.0.0#f".parse().expect("valid")
    }

    fn charged(price: Price, fuel: u64, ending: Ending) -> u128 {
        let terms = terms(vec![price]);
        let quote = quote(&terms, &function(), 1_000_000_000);
        charge(&terms, &quote, Usage { fuel, ending }).amount.0
    }

    #[test]
    fn fuel_rounds_up() {
        assert_eq!(charged(price(Unit::Fuel, 40, 1_000_000), 12_345_678, Ending::Returned), 494);
        assert_eq!(charged(price(Unit::Fuel, 40, 1_000_000), 0, Ending::Returned), 0);
        assert_eq!(charged(price(Unit::Call, 2_000, 1), 12_345_678, Ending::Returned), 2_000);
    }

    #[test]
    fn minimum_and_maximum_bound_a_line() {
        let bounded = Price {
            minimum: Some(Atomic(500)),
            max_per_call: Some(Atomic(600)),
            ..price(Unit::Fuel, 40, 1_000_000)
        };
        assert_eq!(charged(bounded.clone(), 1, Ending::Returned), 500);
        assert_eq!(charged(bounded, 999_000_000, Ending::Returned), 600);
    }

    #[test]
    fn failures_are_free_unless_the_terms_say_attempt() {
        let attempt = Price { charge_on: ChargeOn::Attempt, ..price(Unit::Call, 7, 1) };
        assert_eq!(charged(price(Unit::Call, 7, 1), 9, Ending::GuestFailed), 0);
        assert_eq!(charged(attempt.clone(), 9, Ending::GuestFailed), 7);
        assert_eq!(charged(attempt, 9, Ending::Aborted), 0);
    }

    #[test]
    fn calls_and_downloads_are_charged_apart() {
        let download = Price { on: PricedAct::Download, ..price(Unit::Download, 500_000, 1) };
        assert_eq!(charged(download.clone(), 9, Ending::Returned), 0);
        let terms = terms(vec![price(Unit::Call, 7, 1), download.clone(), download]);
        assert_eq!(quote(&terms, &function(), 9).amount_max, Atomic(7));
        let charge = download_charge(&terms);
        assert_eq!((charge.lines.len(), charge.amount), (2, Atomic(1_000_000)));
        assert_eq!((charge.lines[0].unit, charge.lines[0].quantity), (Unit::Download, 1));
    }

    #[test]
    fn exports_select_prices() {
        for (export, hits) in [
            ("f", true),
            ("c#f", true),
            ("a:b/c#f", true),
            ("a:b/c@1.0.0#f", true),
            ("g", false),
            ("d#f", false),
            ("a:b/c@2.0.0#f", false),
        ] {
            let price = Price { export: Some(export.into()), ..price(Unit::Call, 1, 1) };
            assert_eq!(applies(&price, &function()), hits, "{export}");
        }
    }
}
