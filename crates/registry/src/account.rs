//! What the bill needs to know of a payer: what it used before, and the licences that it has.
//!
//! Read before a call runs, and counted when it is decided. Calls of one payer that run at the same time do not see one
//! another: each may still find the last free unit, and there are at most
//! [`CALLS_PER_PAYER_MAX`](glassbox_core::limits::CALLS_PER_PAYER_MAX) of them; of the accounts of a company, at most
//! [`FREE_CALLS_IN_FLIGHT_MAX`](glassbox_core::limits::FREE_CALLS_IN_FLIGHT_MAX) together.

use std::collections::BTreeMap;

use glassbox_core::license::Item;
use glassbox_core::manifest::{Date, FreeScope, Price, Requirement, Terms};
use glassbox_core::terms::{Account, Counter, HeldPlan, PAID, Quote, applies, counters, edition_of};
use glassbox_core::{Atomic, FunctionName};
use glassbox_store::{Consumed, NewLicense};
use jiff::Timestamp;

use crate::call::Plan;
use crate::error::{CallError, RegistryError};
use crate::live::Live;
use crate::open::Registry;
use crate::settle::Executed;

impl Registry {
    /// Returns the time, to the second.
    pub(crate) fn now(&self) -> Timestamp {
        Timestamp::from_second(self.env.now_ms() / 1_000).unwrap_or(Timestamp::MAX)
    }

    /// Returns the day that it is by the registry's clock.
    pub fn today(&self) -> Date {
        Date::of(self.now())
    }

    /// Returns what matters of a payer for a call of `function`; nothing where the terms are the same for everybody.
    pub(crate) async fn account(
        &self,
        live: &Live,
        function: &FunctionName,
        payer: &str,
    ) -> Result<Account, RegistryError> {
        let terms = &live.terms;
        if !is_personal(terms) {
            return Ok(Account::default());
        }
        let (package, at) = (&live.id.package, self.now());
        let licenses = self.store.licenses(package, payer, at.as_second()).await?;
        let mut account = Account { at: Some(at), ..Account::default() };
        let mut seats: BTreeMap<String, u64> = BTreeMap::new();
        for license in licenses {
            match license.item.parse() {
                Ok(Item::Plan(id)) => {
                    let seats = seats.entry(id).or_default();
                    *seats = seats.saturating_add(license.units);
                }
                Ok(Item::Grant(id)) => {
                    account.grants.insert(id);
                }
                _ => {}
            }
        }
        let plans = terms.more.plan.iter().filter_map(|plan| seats.remove_entry(&plan.id));
        account.plans = plans.map(|(id, seats)| HeldPlan { id, seats }).collect();
        let counters = counters(terms, function, &account, at);
        // Free units of everybody together are not a payer's.
        let own = |counter: &Counter| {
            !terms.price.iter().any(|price| price.id == counter.key && is_anonymous(price))
        };
        account.used = self.store.used(package, payer, counters.into_iter().filter(own).collect()).await?;
        account.paid = account.used.remove(PAID).map(|paid| Atomic(paid.into()));
        Ok(account)
    }

    /// Makes the quote of a plan that of its payer, who may pay less than it was asked for. Once: what was held for it stands.
    pub(crate) async fn personalise(&self, plan: &mut Plan, payer: &str) -> Result<(), RegistryError> {
        if !plan.quote.account.is_unknown() {
            return Ok(());
        }
        let account = self.account(&plan.live, &plan.function.name, payer).await?;
        if !account.is_unknown() {
            plan.quote = plan.live.quote(&plan.function.name, plan.quote.fuel_max, account);
        }
        Ok(())
    }

    /// Takes what is free for everybody together, where that is all that the call costs: what its dependencies charge, somebody
    /// pays. Returns the quote with it.
    pub(crate) async fn take_free(&self, live: &Live, asked: &Quote) -> Result<Option<Quote>, RegistryError> {
        let terms = &live.terms;
        let prices: Vec<&Price> =
            terms.price.iter().filter(|price| applies(price, &asked.function)).collect();
        let is_charged_beside = asked.dependencies().next().is_some();
        if is_charged_beside || prices.is_empty() || !prices.iter().all(|price| is_anonymous(price)) {
            return Ok(None);
        }
        let bounds = bounds(&prices, self.now());
        let Some(used) = self.store.take_free(&live.id.package, bounds).await? else { return Ok(None) };
        let account = Account { at: Some(self.now()), used, ..Account::default() };
        Ok(Some(live.quote(&asked.function, asked.fuel_max, account)))
    }

    /// Gives back what was taken for a call that is not charged.
    pub(crate) async fn give_back_free(&self, live: &Live, taken: &Quote) -> Result<(), RegistryError> {
        let Some(at) = taken.account.at else { return Ok(()) };
        let prices =
            live.terms.price.iter().filter(|price| applies(price, &taken.function)).collect::<Vec<_>>();
        let counters = bounds(&prices, at).into_iter().map(|(counter, _)| counter).collect();
        Ok(self.store.give_back_free(&live.id.package, counters).await?)
    }

    /// Refuses a function of an edition to whoever lacks what that requires.
    pub(crate) async fn check_entitled(
        &self,
        live: &Live,
        function: &FunctionName,
        payer: Option<&str>,
    ) -> Result<(), CallError> {
        let Some((edition, required)) = requirement(&live.terms, function) else { return Ok(()) };
        let wanted = match required {
            Requirement::Plan(id) => Item::Plan(id.clone()),
            Requirement::Offer(id) => Item::Offer(id.clone()),
        };
        let held = match payer {
            Some(payer) => self.store.licenses(&live.id.package, payer, self.now().as_second()).await?,
            None => Vec::new(),
        };
        let is_held = |license: &NewLicense| license.item == wanted.to_string();
        match held.iter().any(is_held) {
            true => Ok(()),
            false => Err(CallError::NotEntitled { edition: edition.to_owned(), item: wanted }),
        }
    }
}

impl Executed {
    /// Returns what it adds to the counters of its payer, where it adds anything.
    pub(crate) fn consumed_by(&self, payer: &str) -> Option<Consumed> {
        (!self.consumed.is_empty()).then(|| Consumed {
            package: self.release.package.clone(),
            payer: payer.to_owned(),
            units: self.consumed.clone(),
        })
    }
}

/// Tells whether a bill by these terms depends on whose it is, or when.
fn is_personal(terms: &Terms) -> bool {
    let more = &terms.more;
    more.max_monthly_per_payer.is_some()
        || !more.discount.is_empty()
        || !more.grant.is_empty()
        || !more.plan.is_empty()
        || terms.price.iter().any(|price| price.period().is_some())
}

fn is_anonymous(price: &Price) -> bool {
    price.free.as_ref().is_some_and(|free| free.scope == FreeScope::Anonymous)
}

/// Returns how much of each price is free for everybody together in the period of a time.
fn bounds(prices: &[&Price], at: Timestamp) -> Vec<(Counter, u64)> {
    let bound = |price: &&Price| {
        let free = price.free.as_ref()?;
        Some((Counter { key: price.id.clone(), period: free.period.name(at) }, free.quantity))
    };
    prices.iter().filter_map(bound).collect()
}

/// Returns the edition that a function belongs to, and what it requires.
pub(crate) fn requirement<'a>(
    terms: &'a Terms,
    function: &FunctionName,
) -> Option<(&'a str, &'a Requirement)> {
    let (name, edition) = edition_of(&terms.more.edition, function)?;
    Some((name, edition.requires.as_ref()?))
}
