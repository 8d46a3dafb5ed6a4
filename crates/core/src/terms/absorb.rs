//! What a release absorbs must be covered: its own price pays for it, whoever calls and however the call ends.
//!
//! Only a price that is the same for everybody can promise that. So of the release's prices those count that no free
//! units, tiers, discount, grant, plan or cap can lower, each at the least that a call is charged by it, less the highest
//! fee that an operator may take.

use super::bill::Bill;
use super::{Account, Ending, Import, applies, line};
use crate::limits;
use crate::manifest::{Inclusion, Price, Terms, Unit};
use crate::money::{Atomic, Pico};
use crate::name::FunctionName;

/// A call may cost less than what the release would have to pay out of it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "a call of `{function}` is sure to bring ${}, and what it absorbs may come to ${}",
    least.to_decimal(), most.to_decimal()
)]
pub struct Uncovered {
    /// The full name of the function.
    pub function: FunctionName,
    /// What a call of it brings at least, before any fee.
    pub least: Atomic,
    /// What the release absorbs at most.
    pub most: Atomic,
}

/// Checks that a call of `function` brings what the release absorbs of `imports`, after any operator's fee.
pub fn check_absorbed(terms: &Terms, function: &FunctionName, imports: &[Import]) -> Result<(), Uncovered> {
    // What others may import can be part of a call that burns more than its own terms allow.
    let fuel_max = if terms.import { limits::FUEL_MAX } else { terms.fuel_max };
    [Ending::Returned, Ending::GuestFailed].into_iter().try_for_each(|ending| {
        let most = Bill::at_most(terms, Vec::new(), imports, ending, fuel_max).absorbed_by(0);
        let least = least(terms, function, ending);
        match net(least) >= most.to_pico() {
            true => Ok(()),
            false => Err(Uncovered { function: function.clone(), least, most }),
        }
    })
}

/// Returns the least that anybody is charged for a call of `function` that ends so.
fn least(terms: &Terms, function: &FunctionName, ending: Ending) -> Atomic {
    let sure = terms.price.iter().filter(|price| {
        applies(price, function) && price.is_owed(ending) && is_same_for_everybody(terms, price)
    });
    let least = sure.map(|price| {
        let quantity = u64::from(price.unit == Unit::Call);
        line::rated(price, &Account::default(), quantity, 1)
    });
    Atomic(least.sum())
}

fn is_same_for_everybody(terms: &Terms, price: &Price) -> bool {
    let more = &terms.more;
    let planned = |inclusion: &Inclusion| match inclusion {
        Inclusion::Execute(which) => which.as_ref().is_none_or(|id| *id == price.id),
        Inclusion::Edition(_) | Inclusion::Download => false,
    };
    price.period().is_none()
        && more.max_monthly_per_payer.is_none()
        && !more.discount.iter().any(|discount| discount.price == price.id)
        && !more.grant.iter().any(|grant| grant.prices.contains(&price.id))
        && !more.plan.iter().flat_map(|plan| &plan.includes).any(planned)
}

/// Returns what is left of a charge after the highest fee.
fn net(charge: Atomic) -> Pico {
    let Pico(charge) = charge.to_pico();
    Pico(charge - charge * u128::from(limits::OPERATOR_FEE_BPS_MAX) / 10_000)
}
