//! One line of a bill: what the units of one price come to.
//!
//! ```text
//! units ─▶ less the free ones ─▶ by tier, per `per`, rounded up ─▶ `minimum` ─▶ `max-per-call` ─▶ discount, grant ─▶ plan
//! ```

use super::account::{Account, grant_key, plan_key};
use super::{Line, Quote};
use crate::limits;
use crate::manifest::{Grant, Inclusion, Plan, Price, Terms, TierMode, Unit};
use crate::money::{ATOMIC_DECIMALS, Atomic};
use crate::name::ReleaseId;

/// Makes a line.
pub(super) fn make(price: &Price, quantity: u64, amount: u128) -> Line {
    let (id, unit) = (price.id.clone(), price.unit.clone());
    Line { dependency: None, price: id, unit, quantity, amount: Atomic(amount) }
}

/// Returns what `quantity` units cost `account`.
pub(super) fn owed(terms: &Terms, price: &Price, account: &Account, quantity: u64) -> u128 {
    match is_included(terms, price, account) {
        true => 0,
        false => reduced(terms, price, account, quantity, rated(price, account, quantity, 1), Covers::Part),
    }
}

/// Returns the most that up to `quantity_max` units cost `account`.
pub(super) fn most(terms: &Terms, price: &Price, account: &Account, quantity_max: u64) -> u128 {
    if is_included(terms, price, account) {
        return 0;
    }
    // Within a step more units never cost less; where the next begins they may, if it is for the whole volume.
    let used = account.used.get(&price.id).copied().unwrap_or_default();
    let steps = price.tiers.iter().flat_map(|tiers| &tiers.steps).filter_map(|step| step.up_to);
    let ends =
        steps.filter_map(|up_to| up_to.checked_sub(used)).filter(|end| (1..quantity_max).contains(end));
    let rated = ends.chain([quantity_max]).map(|quantity| rated(price, account, quantity, 1)).max();
    reduced(terms, price, account, quantity_max, rated.unwrap_or_default(), Covers::AllOrNothing)
}

/// Makes the line of a dependency for its part in the call of another release: what its price says to an account of which
/// nothing is known, for what it did in as many `calls`.
pub(super) fn imported(release: &ReleaseId, price: &Price, quantity: u64, calls: u64) -> Line {
    let amount = rated(price, &Account::default(), quantity, calls);
    Line { dependency: Some(release.clone()), ..make(price, quantity, amount) }
}

/// Returns what the units of `calls` cost by the price itself.
pub(super) fn rated(price: &Price, account: &Account, quantity: u64, calls: u64) -> u128 {
    let used = account.used.get(&price.id).copied();
    let free = match (&price.free, used) {
        (Some(free), Some(used)) => free.quantity.saturating_sub(used),
        _ => 0,
    };
    if free > 0 && quantity <= free {
        return 0;
    }
    let first = u128::from(used.unwrap_or_default()) + u128::from(free);
    let last = u128::from(used.unwrap_or_default()) + u128::from(quantity);
    // Cannot overflow: a quantity below 2^64 times an amount below 2^60 is below 2^124.
    let total = match (&price.tiers, used) {
        (Some(_), None) => (last - first) * price.amount_max().0,
        (None, _) => (last - first) * price.amount.0,
        (Some(tiers), Some(_)) => {
            let end = |up_to: Option<u64>| up_to.map_or(u128::MAX, u128::from);
            match tiers.mode {
                TierMode::Volume => {
                    let step = tiers.steps.iter().find(|step| last <= end(step.up_to));
                    (last - first) * step.map_or(price.amount, |step| step.amount).0
                }
                TierMode::Graduated => {
                    let (mut from, mut total) = (first, 0);
                    for step in &tiers.steps {
                        let until = last.min(end(step.up_to));
                        total += until.saturating_sub(from) * step.amount.0;
                        from = from.max(until);
                    }
                    // What no step reaches costs what the price says; the steps of a checked manifest reach all.
                    total + (last - from) * price.amount.0
                }
            }
        }
    };
    let amount = total.div_ceil(u128::from(price.per.get()));
    let of_each = |bound: Atomic| bound.0.saturating_mul(calls.into());
    let amount = amount.max(price.minimum.map_or(0, of_each));
    let amount = amount.min(price.max_per_call.map_or(u128::MAX, of_each));
    // Terms and fuel may come from a stranger's bundle: what no payment could carry must not overflow later.
    amount.min(limits::AMOUNT_MAX * 10u128.pow(ATOMIC_DECIMALS))
}

/// How a grant counts whose quota does not reach for all units.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Covers {
    /// For those that it reaches for.
    Part,
    /// For none: so is a bound made that holds for fewer units, too.
    AllOrNothing,
}

/// Takes discount and grant off an amount: of the discounts the best, and of the grants, too; and of both the better.
fn reduced(
    terms: &Terms,
    price: &Price,
    account: &Account,
    quantity: u64,
    amount: u128,
    covers: Covers,
) -> u128 {
    let discounts =
        terms.more.discount.iter().filter(|discount| {
            discount.price == price.id && account.at.is_some_and(|at| discount.applies(at))
        });
    let percent = discounts.map(|discount| discount.percent.min(100)).max().unwrap_or(0);
    let held = terms
        .more
        .grant
        .iter()
        .filter(|grant| account.grants.contains(&grant.id) && grant.prices.contains(&price.id));
    let with_grants = held.map(|grant| {
        let covered = covered(grant, price, account, quantity);
        let part = match covered {
            _ if covered >= quantity => amount,
            _ if covers == Covers::AllOrNothing => 0,
            // Fits: an amount is below 2^60, and a part of a quantity below 2^64.
            covered => amount * u128::from(covered) / u128::from(quantity),
        };
        let best = grant.percent_off.min(100).max(percent);
        (part * u128::from(100 - best) + (amount - part) * u128::from(100 - percent)).div_ceil(100)
    });
    let without = (amount * u128::from(100 - percent)).div_ceil(100);
    with_grants.min().map_or(without, |with| with.min(without))
}

/// Returns how many of a call's units a grant reaches for.
pub(super) fn covered(grant: &Grant, price: &Price, account: &Account, quantity: u64) -> u64 {
    let Some(quota) = &grant.quota else { return quantity };
    let quantity_max = match price.unit {
        Unit::Fuel => quota.fuel,
        Unit::Call => quota.calls,
        _ => None,
    };
    let used = account.used.get(&grant_key(&grant.id)).copied().unwrap_or(u64::MAX);
    quantity_max.unwrap_or_default().saturating_sub(used).min(quantity)
}

/// Tells whether a plan includes what a price is for.
pub(super) fn includes(plan: &Plan, price: &Price) -> bool {
    plan.includes.iter().any(|inclusion| match inclusion {
        Inclusion::Execute(which) => which.as_ref().is_none_or(|id| *id == price.id),
        Inclusion::Edition(_) | Inclusion::Download => false,
    })
}

/// What a plan is to a price that it includes. The least comes first: it covers the price where several could.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Cover {
    /// It has no quota.
    Whole,
    /// A call of its quota is left.
    Quota,
    /// Its quota is used up, and what is beyond costs another price.
    Beyond,
}

/// Returns the plan of an account that covers a price: of those that cover it alike, the one that the terms name first.
fn covering<'a>(terms: &'a Terms, price: &Price, account: &Account) -> Option<(Cover, &'a Plan)> {
    let held = terms.more.plan.iter().map(|plan| (plan, account.seats(plan)));
    let held = held.filter(|(plan, seats)| *seats > 0 && includes(plan, price));
    let covers = held.filter_map(|(plan, seats)| {
        let Some(quota) = &plan.quota else { return Some((Cover::Whole, plan)) };
        let used = account.used.get(&plan_key(&plan.id)).copied().unwrap_or(u64::MAX);
        if used < quota.calls.saturating_mul(seats) {
            return Some((Cover::Quota, plan));
        }
        let is_beyond = quota.overage_price.as_ref().is_some_and(|overage| *overage != price.id);
        is_beyond.then_some((Cover::Beyond, plan))
    });
    covers.min_by_key(|(cover, _)| *cover)
}

/// Returns the plan whose quota a call spends that covers a price.
pub(super) fn spent_plan<'a>(terms: &'a Terms, price: &Price, account: &Account) -> Option<&'a Plan> {
    covering(terms, price, account).filter(|(cover, _)| *cover == Cover::Quota).map(|(_, plan)| plan)
}

fn is_included(terms: &Terms, price: &Price, account: &Account) -> bool {
    covering(terms, price, account).is_some()
}

/// Cuts lines to what the account still pays in this month, the first lines first.
pub(super) fn capped(terms: &Terms, account: &Account, mut lines: Vec<Line>) -> Vec<Line> {
    if let (Some(most), Some(paid)) = (terms.more.max_monthly_per_payer, account.paid) {
        let mut left = most.0.saturating_sub(paid.0);
        for line in &mut lines {
            line.amount.0 = line.amount.0.min(left);
            left -= line.amount.0;
        }
    }
    lines
}

pub(super) fn sum(lines: &[Line]) -> Atomic {
    Atomic(lines.iter().map(|line| line.amount.0).sum())
}

impl Quote {
    /// Tells whether the charge may be less than the quote, so that a payer of the whole would be due a refund.
    pub fn is_ceiling(&self, terms: &Terms) -> bool {
        let price = |line: &Line| terms.price.iter().find(|price| price.id == line.price);
        // What a dependency charges depends on how much of it is used, calls of it among that.
        let counted = self.lines.iter().any(|line| line.unit != Unit::Call || line.dependency.is_some());
        let depends = self.lines.iter().filter_map(price).any(|price| {
            price.period().is_some()
                || terms.more.discount.iter().any(|discount| discount.price == price.id)
                || terms.more.grant.iter().any(|grant| grant.prices.contains(&price.id))
        });
        let planned = terms.more.plan.iter().flat_map(|plan| &plan.includes);
        counted
            || depends
            || terms.more.max_monthly_per_payer.is_some()
            || planned.into_iter().any(|inclusion| matches!(inclusion, Inclusion::Execute(_)))
    }
}
