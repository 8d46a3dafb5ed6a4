//! From terms to a quote, from a meter reading to a charge. Pure arithmetic in integers.
//!
//! A quote is a function of the terms, the function, the fuel ceiling and the [account](Account), so that nobody has to
//! store one: whoever asks later gets the same. A charge never exceeds its quote, and no account is charged more than
//! one of which nothing is known, so that a payment can be asked for before its payer is. What dependencies charge for
//! their part in a call stands on the same [bill](Bill). Holding and moving money is `ledger`'s part.

mod absorb;
mod account;
mod bill;
mod cheaper;
mod line;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::manifest::{ChargeOn, Edition, Price, PricedAct, Terms, Unit};
use crate::money::Atomic;
use crate::name::{FunctionName, ReleaseId, same_interface};
use crate::tree::Node;
use crate::{Digest, Hashed, limits};

pub use absorb::{Uncovered, check_absorbed};
pub use account::{Account, Counter, HeldPlan, PAID, consumption, counters};
pub use bill::{Bill, BillError, Effort, Import, Part};
pub use cheaper::{Dearer, cheaper_or_equal};

/// The upper bound for one call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quote {
    /// The terms that it follows from.
    pub terms: Digest,
    /// The function.
    pub function: FunctionName,
    /// The fuel ceiling that the bound is for.
    pub fuel_max: u64,
    /// Who asks, as far as it matters.
    #[serde(default, skip_serializing_if = "Account::is_unknown")]
    pub account: Account,
    /// One line for each price that applies: those of the release, then those of dependencies.
    pub lines: Vec<Line>,
    /// The sum of the lines: the most that the call can cost.
    pub amount_max: Atomic,
}

impl Quote {
    /// Returns the lines of dependencies.
    pub fn dependencies(&self) -> impl Iterator<Item = &Line> {
        self.lines.iter().filter(|line| line.dependency.is_some())
    }
}

/// One line of a quote or a charge.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// The dependency that charges it; absent where that is the release that is called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dependency: Option<ReleaseId>,
    /// The id of the price.
    pub price: String,
    /// What is counted.
    pub unit: Unit,
    /// How many units, those that cost nothing among them.
    pub quantity: u64,
    /// What they come to.
    pub amount: Atomic,
}

/// What the meter read of one call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Usage {
    /// The fuel burnt.
    pub fuel: u64,
    /// How the call ended, as far as money is concerned.
    pub ending: Ending,
    /// The bytes of the arguments, in their binary encoding.
    #[serde(default)]
    pub bytes_in: u64,
    /// The bytes of what the function returned, in its binary encoding.
    #[serde(default)]
    pub bytes_out: u64,
    /// How long the call waited for the host, in milliseconds.
    #[serde(default)]
    pub wait_ms: u64,
    /// What the component reported, by name.
    #[serde(default)]
    pub events: BTreeMap<String, u64>,
}

impl Usage {
    /// A call of which nothing but its fuel was counted.
    pub fn of_fuel(fuel: u64, ending: Ending) -> Self {
        Self { fuel, ending, bytes_in: 0, bytes_out: 0, wait_ms: 0, events: BTreeMap::new() }
    }

    /// Returns how many of a unit were used. Whatever the meter read, no more than a quote allows for.
    fn count(&self, unit: &Unit, fuel_max: u64) -> u64 {
        let count = match unit {
            Unit::Call | Unit::Download => 1,
            Unit::Fuel => self.fuel,
            Unit::ByteIn => self.bytes_in,
            Unit::ByteOut => self.bytes_out,
            Unit::Second => self.wait_ms.div_ceil(1_000),
            Unit::Event(name) => self.events.get(name).copied().unwrap_or_default(),
        };
        count.min(count_max(unit, fuel_max))
    }
}

/// Returns the most of a unit that a call can use.
fn count_max(unit: &Unit, fuel_max: u64) -> u64 {
    match unit {
        Unit::Call | Unit::Download => 1,
        Unit::Fuel => fuel_max,
        Unit::ByteIn => limits::RUN_INPUT_BYTES_MAX as u64,
        Unit::ByteOut => limits::OUTPUT_BYTES_MAX as u64,
        Unit::Second => limits::CALL_WALL_MS_MAX.div_ceil(1_000),
        Unit::Event(_) => limits::EVENTS_PER_CALL_MAX,
    }
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

impl Charge {
    fn of(lines: Vec<Line>) -> Self {
        Self { amount: line::sum(&lines), lines }
    }

    /// Returns the lines of the release that was called, without those of dependencies.
    pub fn own(&self) -> impl Iterator<Item = &Line> {
        self.lines.iter().filter(|line| line.dependency.is_none())
    }
}

impl Price {
    /// Tells whether it is charged for a call that ended so.
    fn is_owed(&self, ending: Ending) -> bool {
        match ending {
            Ending::Returned => true,
            Ending::GuestFailed => self.charge_on == ChargeOn::Attempt,
            Ending::Aborted => false,
        }
    }
}

/// Tells whether `price` applies to a call of `function`.
pub fn applies(price: &Price, function: &FunctionName) -> bool {
    let wanted = price.export.as_deref();
    price.on == PricedAct::Execute && wanted.is_none_or(|export| names(export, function))
}

/// Tells whether `export` means `function`, alone or among others.
///
/// `export` is `interface#function`, `function`, the full `ns:pkg/interface@version#function`, or the whole interface
/// `ns:pkg/interface`. An absent version matches any, another one what is compatible: so dependencies are linked.
pub fn names(export: &str, function: &FunctionName) -> bool {
    let (interface, name) = match export.rsplit_once('#') {
        Some((interface, name)) => (Some(interface), Some(name)),
        None if export.contains('/') => (Some(export), None),
        None => (None, Some(export)),
    };
    if name.is_some_and(|name| name != function.function()) {
        return false;
    }
    match (interface, function.interface()) {
        (None, _) => true,
        (Some(_), None) => false,
        (Some(wanted), Some(id)) => {
            let versionless = id.split('@').next().unwrap_or(id);
            let bare = versionless.rsplit('/').next().unwrap_or(versionless);
            same_interface(wanted, id) || wanted == versionless || wanted == bare
        }
    }
}

/// Returns the edition that a function belongs to, with its name; nothing where it belongs to none.
pub fn edition_of<'a>(
    editions: &'a BTreeMap<String, Edition>,
    function: &FunctionName,
) -> Option<(&'a str, &'a Edition)> {
    let has =
        |(_, edition): &(&String, &Edition)| edition.exports.iter().any(|export| names(export, function));
    editions.iter().find(has).map(|(name, edition)| (name.as_str(), edition))
}

/// Returns the most that one call of `function` within `fuel_max` can cost `account`, with what `imports` charge at most.
pub fn quote(
    terms: &Hashed<Terms>,
    function: &FunctionName,
    fuel_max: u64,
    account: Account,
    imports: &[Import],
) -> Quote {
    let prices = terms.price.iter().filter(|price| applies(price, function));
    let lines = prices.map(|price| {
        let quantity = count_max(&price.unit, fuel_max);
        line::make(price, quantity, line::most(terms, price, &account, quantity))
    });
    let own = line::capped(terms, &account, lines.collect());
    let Charge { lines, amount: amount_max } =
        Bill::at_most(terms, own, imports, Ending::Returned, fuel_max).charge();
    Quote { terms: terms.digest(), function: function.clone(), fuel_max, account, lines, amount_max }
}

/// Returns the bill of a call for `usage`, in which `ran` took part, whose terms are among `works`.
///
/// A quote is made for the dearest reading that the meter can have, and readings beyond are cut to it. A call tree that
/// no such call can have is an error.
pub fn bill<'a>(
    terms: &'a Terms,
    quote: &Quote,
    usage: &Usage,
    ran: &'a [Node],
    works: &'a BTreeMap<Digest, Terms>,
) -> Result<Bill<'a>, BillError> {
    let prices = terms.price.iter().filter(|price| applies(price, &quote.function));
    let lines = prices.filter(|price| price.is_owed(usage.ending)).map(|price| {
        let quantity = usage.count(&price.unit, quote.fuel_max);
        line::make(price, quantity, line::owed(terms, price, &quote.account, quantity))
    });
    let own = line::capped(terms, &quote.account, lines.collect());
    let bill = Bill::new(terms, own, ran, works, usage.ending, quote.fuel_max)?;
    let (charge, quote) = (bill.charge().amount, quote.amount_max);
    if charge <= quote { Ok(bill) } else { Err(BillError::Exceeds { charge, quote }) }
}

/// Returns what a download costs, or the source in bulk: known before, and the same for everybody.
pub fn sale_charge(terms: &Terms, act: PricedAct) -> Charge {
    let prices = terms.price.iter().filter(|price| price.on == act);
    Charge::of(prices.map(|price| line::make(price, 1, price.amount.0)).collect())
}
