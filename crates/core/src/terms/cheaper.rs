//! A version's terms may only get cheaper: whoever relied on them must never be worse off.
//!
//! What is compared is the terms' own words, rule by rule, and not some bills: so the answer holds for every call, and
//! names what is dearer. It may refuse what happens to be cheaper in a way that it does not see. Who is paid may change,
//! because that is no concern of whoever pays.

use crate::manifest::{
    ChargeOn, Consent, ContentUsage, Discount, Grant, MoreTerms, Offer, Plan, Price, RoyaltyMode, Sla, Terms,
    Tiers, Upstream,
};
use crate::money::Atomic;

/// Says what of new terms is dearer than it was, or may be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0} may be dearer than it was")]
pub struct Dearer(pub String);

/// Tells whether under `new` everything costs at most what it costs under `old`, and every right is still there.
pub fn cheaper_or_equal(old: &Terms, new: &Terms) -> Result<(), Dearer> {
    let fixed = (&old.release, &old.license, &old.currency, old.fuel_max)
        == (&new.release, &new.license, &new.currency, new.fuel_max);
    keep(fixed, "release, licence, currency or `fuel-max`")?;
    keep(old.execute.is_subset(&new.execute), "`execute`")?;
    keep(new.import || !old.import, "`import`")?;
    keep(old.accepts.iter().all(|way| new.accepts.contains(way)), "`accepts`")?;
    for price in &new.price {
        let was = old.price.iter().find(|old| old.id == price.id);
        keep(was.is_some_and(|old| price_falls(old, price)), &format!("price `{}`", price.id))?;
    }
    more_falls(&old.more, &new.more)
}

fn keep(holds: bool, what: &str) -> Result<(), Dearer> {
    if holds { Ok(()) } else { Err(Dearer(what.to_owned())) }
}

/// Every item that there was is still there, and no worse.
fn each<T>(
    kind: &str,
    (old, new): (&[T], &[T]),
    id: impl Fn(&T) -> &str,
    falls: impl Fn(&T, &T) -> bool,
) -> Result<(), Dearer> {
    for was in old {
        let is = new.iter().any(|new| id(new) == id(was) && falls(was, new));
        keep(is, &format!("{kind} `{}`", id(was)))?;
    }
    Ok(())
}

fn more_falls(old: &MoreTerms, new: &MoreTerms) -> Result<(), Dearer> {
    keep(new.deny_use.is_subset(&old.deny_use), "`deny-use`")?;
    let changes = match (old.change_date, new.change_date) {
        (None, _) => true,
        (Some(old_date), new_date) => {
            old.change_license == new.change_license && new_date.is_some_and(|date| date <= old_date)
        }
    };
    keep(changes, "`change-date`")?;
    keep(old.operators.is_none() || new.operators.is_some(), "`operators`")?;
    keep(old.source == new.source, "`machines`")?;
    let rests_on = (&old.dependencies, &old.derived_from, &old.splits)
        == (&new.dependencies, &new.derived_from, &new.splits);
    keep(rests_on, "what it rests on")?;
    for (name, edition) in &old.edition {
        let opened = new.edition.get(name).is_some_and(|new| {
            let mut opened = edition.clone();
            opened.requires = opened.requires.filter(|_| new.requires.is_some());
            opened == *new
        });
        keep(opened, &format!("edition `{name}`"))?;
    }
    keep(new.edition.keys().all(|name| old.edition.contains_key(name)), "an edition")?;
    each("plan", (&old.plan, &new.plan), |plan| &plan.id, plan_falls)?;
    each("offer", (&old.offer, &new.offer), |offer| &offer.id, offer_falls)?;
    each("grant", (&old.grant, &new.grant), |grant| &grant.id, grant_rises)?;
    each("the discount on", (&old.discount, &new.discount), |discount| &discount.price, discount_rises)?;
    keep(upstream_falls(old.upstream.as_ref(), new.upstream.as_ref()), "[upstream]")?;
    keep(usage_opens(old.usage.as_ref(), new.usage.as_ref()), "[usage]")?;
    keep(at_most(new.max_monthly_per_payer, old.max_monthly_per_payer), "`max-monthly-per-payer`")
}

/// Compares upper bounds, of which none is the highest.
fn at_most(new: Option<Atomic>, old: Option<Atomic>) -> bool {
    old.is_none_or(|old| new.is_some_and(|new| new <= old))
}

fn price_falls(old: &Price, new: &Price) -> bool {
    let same = (old.on, &old.export, &old.unit) == (new.on, &new.export, &new.unit);
    let charged = new.charge_on == ChargeOn::Success || old.charge_on == ChargeOn::Attempt;
    let least = new.minimum.unwrap_or(Atomic::ZERO) <= old.minimum.unwrap_or(Atomic::ZERO);
    let free = match (&old.free, &new.free) {
        (None, _) => true,
        (Some(old), Some(new)) => {
            (old.period, old.scope) == (new.period, new.scope) && old.quantity <= new.quantity
        }
        (Some(_), None) => false,
    };
    let period = old.period().is_none() || old.period() == new.period();
    same && charged
        && least
        && free
        && period
        && at_most(new.max_per_call, old.max_per_call)
        && steps_fall(old, new)
}

/// Every unit costs at most what it did, wherever in the period it stands.
fn steps_fall(old: &Price, new: &Price) -> bool {
    let mode = |tiers: &Option<Tiers>| tiers.as_ref().map(|tiers| tiers.mode);
    if let (Some(old), Some(new)) = (mode(&old.tiers), mode(&new.tiers))
        && old != new
    {
        return false;
    }
    let tiers = [&old.tiers, &new.tiers].into_iter().flatten();
    let starts = tiers.flat_map(|tiers| &tiers.steps).filter_map(|step| step.up_to?.checked_add(1));
    let below = |unit: u64| {
        amount_at(new, unit).0 * u128::from(old.per.get())
            <= amount_at(old, unit).0 * u128::from(new.per.get())
    };
    starts.chain([1]).all(below)
}

/// Returns the price of `per` units at a place in the period, counted from 1.
fn amount_at(price: &Price, unit: u64) -> Atomic {
    let steps = price.tiers.iter().flat_map(|tiers| &tiers.steps);
    let mut reached = steps.filter(|step| step.up_to.is_none_or(|up_to| unit <= up_to));
    reached.next().map_or(price.amount, |step| step.amount)
}

fn plan_falls(old: &Plan, new: &Plan) -> bool {
    let same = (old.on, old.unit, old.period, old.scope) == (new.on, new.unit, new.period, new.scope);
    let quota = match (&old.quota, &new.quota) {
        (_, None) => true,
        (None, Some(_)) => false,
        (Some(old), Some(new)) => old.calls <= new.calls && old.overage_price == new.overage_price,
    };
    let backports = old.backports.iter().all(|line| new.backports.contains(line));
    let includes = old.includes.iter().all(|inclusion| new.includes.contains(inclusion));
    let promised = match (&old.sla, &new.sla) {
        (None, _) => true,
        (Some(old), Some(new)) => {
            Sla { credit: new.credit, ..old.clone() } == *new && old.credit <= new.credit
        }
        (Some(_), None) => false,
    };
    same && new.amount <= old.amount && quota && backports && includes && promised
}

fn offer_falls(old: &Offer, new: &Offer) -> bool {
    Offer { amount: new.amount, ..old.clone() } == *new && new.amount <= old.amount
}

fn grant_rises(old: &Grant, new: &Grant) -> bool {
    let quota = match (&old.quota, &new.quota) {
        (_, None) => true,
        (None, Some(_)) => false,
        (Some(old), Some(new)) => {
            old.period == new.period
                && (old.calls.is_some(), old.fuel.is_some()) == (new.calls.is_some(), new.fuel.is_some())
                && (old.calls, old.fuel) <= (new.calls, new.fuel)
        }
    };
    old.proof == new.proof && old.percent_off <= new.percent_off && old.prices.is_subset(&new.prices) && quota
}

fn discount_rises(old: &Discount, new: &Discount) -> bool {
    Discount { percent: new.percent, ..old.clone() } == *new && old.percent <= new.percent
}

fn upstream_falls(old: Option<&Upstream>, new: Option<&Upstream>) -> bool {
    let forks = |upstream: Option<&Upstream>| upstream.is_none_or(|upstream| upstream.allow_forks);
    let royalty = |upstream: Option<&Upstream>| upstream.and_then(|upstream| upstream.royalty.clone());
    let owed = match (royalty(old), royalty(new)) {
        (_, None) => true,
        (None, Some(_)) => false,
        (Some(old), Some(new)) => {
            let mode = new.mode == RoyaltyMode::Requested || old.mode == RoyaltyMode::Required;
            mode && new.share <= old.share && new.term == old.term
        }
    };
    owed && (forks(new) || !forks(old))
}

fn usage_opens(old: Option<&ContentUsage>, new: Option<&ContentUsage>) -> bool {
    let opens = |old: Option<Consent>, new: Option<Consent>| new == old || new == Some(Consent::Y);
    let of =
        |usage: Option<&ContentUsage>| usage.map_or((None, None), |usage| (usage.train_ai, usage.search));
    let (old, new) = (of(old), of(new));
    opens(old.0, new.0) && opens(old.1, new.1)
}
