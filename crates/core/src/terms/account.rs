//! What a bill needs to know of whoever it is for, beyond the terms.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize};

use super::{Charge, Ending, Quote, Usage, applies, line};
use crate::manifest::{Period, Plan, Price, Terms};
use crate::money::Atomic;
use crate::name::FunctionName;

/// What matters of a payer at the moment of a quote. It stands on the receipt, and is the operator's claim.
///
/// What it does not say is not in the payer's favour: without a counter nothing is free and the dearest step applies, and
/// without a time there is no discount.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Account {
    /// When, to the second: it decides about discounts and periods.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
    /// The units used before in the period, by the id of a price, `plan:ID` or `grant:ID`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub used: BTreeMap<String, u64>,
    /// What was paid for calls of the package in the month so far.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paid: Option<Atomic>,
    /// The plans that it has. Earlier receipts name one, as `plan`.
    #[serde(
        default,
        alias = "plan",
        deserialize_with = "one_or_many",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub plans: Vec<HeldPlan>,
    /// The grants that it has, by their ids.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub grants: BTreeSet<String>,
}

/// A plan that somebody has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldPlan {
    /// The plan, by its id.
    pub id: String,
    /// For how many, in all.
    pub seats: u64,
}

fn one_or_many<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<HeldPlan>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Plans {
        Many(Vec<HeldPlan>),
        One(HeldPlan),
    }
    Ok(match Plans::deserialize(deserializer)? {
        Plans::Many(plans) => plans,
        Plans::One(plan) => vec![plan],
    })
}

impl Account {
    /// Tells whether nothing is known.
    pub fn is_unknown(&self) -> bool {
        *self == Self::default()
    }

    /// Returns for how many seats it has a plan.
    pub(super) fn seats(&self, plan: &Plan) -> u64 {
        let held = self.plans.iter().filter(|held| held.id == plan.id);
        held.fold(0, |seats, held| seats.saturating_add(held.seats))
    }
}

/// The key of what was paid in a month, in atomic units.
pub const PAID: &str = "paid";

pub(super) fn plan_key(id: &str) -> String {
    format!("plan:{id}")
}

pub(super) fn grant_key(id: &str) -> String {
    format!("grant:{id}")
}

/// Something that is counted for a payer of a package from one call to the next.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Counter {
    /// What: the id of a price, `plan:ID`, `grant:ID` or [`PAID`].
    pub key: String,
    /// In which period: `2026-11-22`, `2026-11` or `2026`.
    pub period: String,
}

/// Returns the counters that a quote for a call of `function` depends on, for somebody with the plans and grants of `account`.
pub fn counters(terms: &Terms, function: &FunctionName, account: &Account, at: Timestamp) -> Vec<Counter> {
    let counter = |key: String, period: Period| Counter { key, period: period.name(at) };
    let prices: Vec<_> = terms.price.iter().filter(|price| applies(price, function)).collect();
    let priced = prices.iter().filter_map(|price| Some(counter(price.id.clone(), price.period()?)));
    let plans = terms.more.plan.iter().filter(|plan| plan.quota.is_some() && account.seats(plan) > 0);
    let plans = plans.filter(|plan| prices.iter().any(|price| line::includes(plan, price)));
    let plans = plans.map(|plan| counter(plan_key(&plan.id), plan.period));
    let grants = terms.more.grant.iter().filter(|grant| account.grants.contains(&grant.id));
    let grants = grants.filter_map(|grant| Some(counter(grant_key(&grant.id), grant.quota.as_ref()?.period)));
    let paid = terms.more.max_monthly_per_payer.filter(|_| !prices.is_empty());
    let paid = paid.map(|_| counter(PAID.into(), Period::Month));
    priced.chain(plans).chain(grants).chain(paid).collect()
}

/// Returns what a call adds to the counters of its payer.
pub fn consumption(terms: &Terms, quote: &Quote, usage: &Usage, charge: &Charge) -> Vec<(Counter, u64)> {
    let Some(at) = quote.account.at else { return Vec::new() };
    let added = |counter: &Counter| -> u64 {
        let key = counter.key.as_str();
        if key == PAID {
            let paid: u128 = charge.own().map(|line| line.amount.0).sum();
            return u64::try_from(paid).unwrap_or(u64::MAX);
        }
        let lines = charge.own();
        if let Some(id) = key.strip_prefix("plan:") {
            let spends = |price: &Price| {
                applies(price, &quote.function)
                    && line::spent_plan(terms, price, &quote.account).is_some_and(|plan| plan.id == id)
            };
            return u64::from(usage.ending == Ending::Returned && terms.price.iter().any(spends));
        }
        let Some(id) = key.strip_prefix("grant:") else {
            return lines.filter(|line| line.price == key).map(|line| line.quantity).sum();
        };
        let Some(grant) = terms.more.grant.iter().find(|grant| grant.id == id) else { return 0 };
        let reached = lines.filter_map(|line| {
            let price = terms.price.iter().find(|price| price.id == line.price)?;
            let granted = grant.prices.contains(&price.id);
            granted.then(|| line::covered(grant, price, &quote.account, line.quantity))
        });
        reached.sum()
    };
    let counters = counters(terms, &quote.function, &quote.account, at).into_iter();
    counters
        .map(|counter| (added(&counter), counter))
        .filter(|(units, _)| *units > 0)
        .map(|(units, counter)| (counter, units))
        .collect()
}
