use proptest::prelude::*;

use super::*;
use crate::manifest::{
    Discount, Free, FreeScope, Grant, GrantProof, GrantQuota, Inclusion, MoreTerms, Period, Plan, PlanKind,
    PlanQuota, Step, TierMode, Tiers,
};

mod dearer;
mod imports;
mod vectors;

pub(super) fn price(unit: Unit, amount: u128, per: u64) -> Price {
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
        free: None,
        tiers: None,
    }
}

pub(super) fn terms(price: Vec<Price>, more: MoreTerms) -> Hashed<Terms> {
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
        more,
    })
}

pub(super) fn function() -> FunctionName {
    "a:b/c@1.0.0#f".parse().expect("valid")
}

fn asked(terms: &Hashed<Terms>, fuel_max: u64, account: Account) -> Quote {
    quote(terms, &function(), fuel_max, account, &[])
}

/// Charges for a call without dependencies.
fn charge(terms: &Terms, quote: &Quote, usage: &Usage) -> Charge {
    bill(terms, quote, usage, &[], &BTreeMap::new()).expect("nothing exceeds its quote").charge()
}

fn owed(terms: &Hashed<Terms>, account: Account, usage: &Usage) -> u128 {
    charge(terms, &asked(terms, 1_000_000_000, account), usage).amount.0
}

fn charged(price: Price, fuel: u64, ending: Ending) -> u128 {
    owed(&terms(vec![price], MoreTerms::default()), Account::default(), &Usage::of_fuel(fuel, ending))
}

fn used(key: &str, units: u64) -> Account {
    Account { used: [(key.to_owned(), units)].into(), ..Account::default() }
}

fn tiers(mode: TierMode) -> Option<Tiers> {
    let steps = vec![
        Step { up_to: Some(10_000), amount: Atomic(2_000) },
        Step { up_to: None, amount: Atomic(1_000) },
    ];
    Some(Tiers { mode, steps, period: None })
}

#[test]
fn fuel_rounds_up() {
    assert_eq!(charged(price(Unit::Fuel, 40, 1_000_000), 12_345_678, Ending::Returned), 494);
    assert_eq!(charged(price(Unit::Fuel, 40, 1_000_000), 0, Ending::Returned), 0);
    assert_eq!(charged(price(Unit::Call, 2_000, 1), 12_345_678, Ending::Returned), 2_000);
}

#[test]
fn tiers_graduate_or_are_for_the_volume() {
    // Twenty rows after 9,990 of them.
    let usage = Usage { events: [("row".to_owned(), 20)].into(), ..Usage::of_fuel(1, Ending::Returned) };
    for (mode, expected) in [(TierMode::Graduated, 30_000), (TierMode::Volume, 20_000)] {
        let price = Price { tiers: tiers(mode), ..price(Unit::Event("row".into()), 2_000, 1) };
        let terms = terms(vec![price], MoreTerms::default());
        assert_eq!(owed(&terms, used("p", 9_990), &usage), expected);
        assert_eq!(owed(&terms, used("p", 0), &usage), 40_000);
        assert_eq!(owed(&terms, used("p", 10_000), &usage), 20_000);
        assert_eq!(owed(&terms, used("p", u64::MAX), &usage), 20_000);
        assert_eq!(
            owed(&terms, Account::default(), &usage),
            40_000,
            "who is not known pays the dearest step"
        );
    }
}

#[test]
fn free_units_come_first_and_are_for_who_is_known() {
    let free = Free { quantity: 100, period: Period::Month, scope: FreeScope::Payer };
    let price = Price { free: Some(free), minimum: Some(Atomic(5)), ..price(Unit::ByteIn, 3, 10) };
    let terms = terms(vec![price], MoreTerms::default());
    let usage = |bytes_in| Usage { bytes_in, ..Usage::of_fuel(1, Ending::Returned) };
    for (before, bytes, expected) in
        [(0, 0, 0), (0, 100, 0), (0, 101, 5), (99, 1, 0), (90, 110, 30), (100, 100, 30), (100, 0, 5)]
    {
        assert_eq!(owed(&terms, used("p", before), &usage(bytes)), expected, "{bytes} after {before}");
    }
    assert_eq!(owed(&terms, Account::default(), &usage(100)), 30);
}

#[test]
fn what_is_counted_is_what_the_unit_says() {
    let usage = Usage {
        bytes_in: 7,
        bytes_out: 11,
        wait_ms: 1_001,
        events: [("row".to_owned(), 5)].into(),
        ..Usage::of_fuel(3, Ending::Returned)
    };
    let units = [
        (Unit::Call, 1),
        (Unit::Fuel, 3),
        (Unit::ByteIn, 7),
        (Unit::ByteOut, 11),
        (Unit::Second, 2),
        (Unit::Event("row".into()), 5),
        (Unit::Event("other".into()), 0),
    ];
    for (unit, expected) in units {
        let terms = terms(vec![price(unit.clone(), 1, 1)], MoreTerms::default());
        assert_eq!(owed(&terms, Account::default(), &usage), expected, "{unit}");
    }
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
    let terms = terms(vec![price(Unit::Call, 7, 1), download.clone(), download], MoreTerms::default());
    assert_eq!(asked(&terms, 9, Account::default()).amount_max, Atomic(7));
    let charge = sale_charge(&terms, PricedAct::Download);
    assert_eq!((charge.lines.len(), charge.amount), (2, Atomic(1_000_000)));
    assert_eq!((&charge.lines[0].unit, charge.lines[0].quantity), (&Unit::Download, 1));
}

#[test]
fn discounts_are_for_their_time() {
    let discount = Discount {
        price: "p".into(),
        percent: 40,
        window: Some("22:00-06:00Z".parse().expect("a window")),
        from: None,
        until: Some("2026-12-31".parse().expect("a date")),
    };
    let more = MoreTerms { discount: vec![discount], ..MoreTerms::default() };
    let terms = terms(vec![price(Unit::Call, 11, 1)], more);
    let usage = Usage::of_fuel(1, Ending::Returned);
    for (at, expected) in [
        (None, 11),
        (Some("2026-11-22T12:00:00Z"), 11),
        (Some("2026-11-22T23:00:00Z"), 7),
        (Some("2026-12-31T23:59:59Z"), 7),
        (Some("2027-01-01T00:00:00Z"), 11),
    ] {
        let account = Account { at: at.map(|at| at.parse().expect("a time")), ..Account::default() };
        assert_eq!(owed(&terms, account, &usage), expected, "{at:?}");
    }
}

#[test]
fn grants_reach_as_far_as_their_quota() {
    let quota = GrantQuota { calls: None, fuel: Some(1_000), period: Period::Month };
    let grant = Grant {
        id: "g".into(),
        prices: ["p".to_owned()].into(),
        percent_off: 100,
        quota: Some(quota),
        proof: GrantProof::LicenseToken,
    };
    let more = MoreTerms { grant: vec![grant], ..MoreTerms::default() };
    let terms = terms(vec![price(Unit::Fuel, 1, 1)], more);
    let usage = Usage::of_fuel(100, Ending::Returned);
    let holder = |units| Account { grants: ["g".to_owned()].into(), ..used("grant:g", units) };
    for (before, expected) in [(0, 0), (900, 0), (950, 50), (1_000, 100), (5_000, 100)] {
        assert_eq!(owed(&terms, holder(before), &usage), expected, "after {before}");
    }
    assert_eq!(owed(&terms, used("grant:g", 0), &usage), 100, "a grant is for who has it");
    assert_eq!(asked(&terms, 100, holder(900)).amount_max, Atomic(0));
    let at = Some("2026-11-22T12:00:00Z".parse().expect("a time"));
    let quote = asked(&terms, 1_000, Account { at, ..holder(950) });
    let counted = consumption(&terms, &quote, &usage, &charge(&terms, &quote, &usage));
    let counted: Vec<(&str, u64)> =
        counted.iter().map(|(counter, units)| (counter.key.as_str(), *units)).collect();
    assert_eq!(counted, [("grant:g", 50)]);
}

#[test]
fn a_plan_includes_calls_up_to_its_quota() {
    let team = |overage_price| Plan {
        id: "team".into(),
        on: PlanKind::Subscribe,
        amount: Atomic(1),
        unit: None,
        period: Period::Month,
        scope: None,
        includes: vec![Inclusion::Execute(None)],
        quota: Some(PlanQuota { calls: 10, overage_price }),
        sla: None,
        backports: vec![],
    };
    let prices = || vec![price(Unit::Call, 7, 1), Price { id: "q".into(), ..price(Unit::Call, 5, 1) }];
    let usage = Usage::of_fuel(1, Ending::Returned);
    for (overage, beyond) in [(None, 12), (Some("p".to_owned()), 7), (Some("q".to_owned()), 5)] {
        let terms = terms(prices(), MoreTerms { plan: vec![team(overage)], ..MoreTerms::default() });
        let holder = |units, seats| Account {
            plans: vec![HeldPlan { id: "team".into(), seats }],
            ..used("plan:team", units)
        };
        let bills = [holder(0, 1), holder(9, 1), holder(10, 1), holder(10, 2), holder(20, 2)]
            .map(|account| owed(&terms, account, &usage));
        assert_eq!(bills, [0, 0, beyond, 0, beyond]);
        assert_eq!(owed(&terms, used("plan:team", 0), &usage), 12);
    }
}

#[test]
fn all_plans_of_an_account_count_and_only_what_they_cover() {
    let plan = |id: &str, price: &str, calls: Option<u64>| Plan {
        id: id.into(),
        on: PlanKind::Subscribe,
        amount: Atomic(1),
        unit: None,
        period: Period::Month,
        scope: None,
        includes: vec![Inclusion::Execute(Some(price.into()))],
        quota: calls.map(|calls| PlanQuota { calls, overage_price: None }),
        sla: None,
        backports: vec![],
    };
    let prices = vec![price(Unit::Call, 7, 1), Price { id: "q".into(), ..price(Unit::Call, 5, 1) }];
    let plans = vec![
        plan("a", "p", Some(10)),
        plan("b", "p", Some(10)),
        plan("c", "q", None),
        plan("d", "q", Some(1)),
    ];
    let terms = terms(prices, MoreTerms { plan: plans, ..MoreTerms::default() });
    let at = Some("2026-11-22T12:00:00Z".parse().expect("a time"));
    let held = |ids: &[&str]| ids.iter().map(|id| HeldPlan { id: (*id).into(), seats: 1 }).collect();
    let usage = Usage::of_fuel(1, Ending::Returned);
    let failed = Usage::of_fuel(1, Ending::GuestFailed);
    for (ids, used, cost, counted) in [
        (vec!["a"], vec![("plan:a", 0)], 5, vec!["plan:a"]),
        (vec!["b", "a"], vec![("plan:a", 9), ("plan:b", 0)], 5, vec!["plan:a"]),
        (vec!["b", "a"], vec![("plan:a", 10), ("plan:b", 9)], 5, vec!["plan:b"]),
        (vec!["b", "a"], vec![("plan:a", 10), ("plan:b", 10)], 12, vec![]),
        (vec!["a", "a"], vec![("plan:a", 19)], 5, vec!["plan:a"]),
        (vec!["d", "c"], vec![("plan:d", 0)], 7, vec![]),
        (vec!["d"], vec![("plan:d", 0)], 7, vec!["plan:d"]),
        (vec!["d", "a"], vec![("plan:d", 0), ("plan:a", 0)], 0, vec!["plan:a", "plan:d"]),
        (vec!["other"], vec![("plan:other", 0)], 12, vec![]),
    ] {
        let used = used.into_iter().map(|(key, units): (&str, u64)| (key.to_owned(), units)).collect();
        let account = Account { at, used, plans: held(&ids), ..Account::default() };
        let quote = asked(&terms, 1, account.clone());
        let charge = charge(&terms, &quote, &usage);
        assert_eq!((charge.amount, quote.amount_max), (Atomic(cost), Atomic(cost)), "{account:?}");
        let units = |usage| consumption(&terms, &quote, usage, &charge);
        assert_eq!(units(&usage).iter().map(|(counter, _)| &counter.key).collect::<Vec<_>>(), counted);
        assert_eq!(units(&failed), [], "what did not return is not of a quota");
    }
}

#[test]
fn earlier_receipts_name_one_plan() {
    let earlier: Account = serde_json::from_str(r#"{"plan":{"id":"team","seats":2}}"#).expect("an account");
    let now: Account = serde_json::from_str(r#"{"plans":[{"id":"team","seats":2}]}"#).expect("an account");
    assert_eq!(earlier, now);
}

#[test]
fn a_month_has_a_cap() {
    let more = MoreTerms { max_monthly_per_payer: Some(Atomic(100)), ..MoreTerms::default() };
    let terms =
        terms(vec![price(Unit::Call, 30, 1), Price { id: "q".into(), ..price(Unit::Call, 30, 1) }], more);
    let usage = Usage::of_fuel(1, Ending::Returned);
    for (paid, expected) in [(0, 60), (40, 60), (55, 45), (80, 20), (100, 0), (900, 0)] {
        let account = Account { paid: Some(Atomic(paid)), ..Account::default() };
        assert_eq!(owed(&terms, account, &usage), expected, "after {paid}");
    }
}

#[test]
fn exports_select_prices() {
    for (export, hits) in [
        ("f", true),
        ("c#f", true),
        ("a:b/c#f", true),
        ("a:b/c@1.0.0#f", true),
        ("a:b/c", true),
        ("a:b/c@1.0.0", true),
        ("g", false),
        ("c", false),
        ("d#f", false),
        ("a:b/d", false),
        ("a:b/c@2.0.0#f", false),
    ] {
        let price = Price { export: Some(export.into()), ..price(Unit::Call, 1, 1) };
        assert_eq!(applies(&price, &function()), hits, "{export}");
    }
}

// Small numbers meet at the edges of quotas and tiers more often than large ones.

fn any_unit() -> impl Strategy<Value = Unit> {
    prop_oneof![
        Just(Unit::Call),
        Just(Unit::Fuel),
        Just(Unit::ByteOut),
        Just(Unit::Second),
        Just(Unit::Event("row".into()))
    ]
}

fn any_tiers() -> impl Strategy<Value = Tiers> {
    let mode = prop_oneof![Just(TierMode::Graduated), Just(TierMode::Volume)];
    (mode, prop::collection::btree_set(1u64..30, 0..3), prop::collection::vec(1u128..20, 3)).prop_map(
        |(mode, ends, amounts)| {
            let ends = ends.into_iter().map(Some).chain([None]);
            let steps =
                ends.zip(amounts).map(|(up_to, amount)| Step { up_to, amount: Atomic(amount) }).collect();
            Tiers { mode, steps, period: None }
        },
    )
}

fn any_price(id: &'static str) -> impl Strategy<Value = Price> {
    let money = || prop::option::of(0u128..60);
    let charge_on = prop_oneof![Just(ChargeOn::Success), Just(ChargeOn::Attempt)];
    let free = prop::option::of(1u64..20);
    (any_unit(), 1u128..20, 1u64..5, money(), money(), charge_on, free, prop::option::of(any_tiers()))
        .prop_map(move |(unit, amount, per, minimum, max_per_call, charge_on, free, tiers)| Price {
            id: id.into(),
            minimum: minimum.map(Atomic),
            max_per_call: max_per_call.map(Atomic),
            charge_on,
            free: free.map(|quantity| Free { quantity, period: Period::Month, scope: FreeScope::Payer }),
            tiers,
            ..price(unit, amount, per)
        })
}

fn any_more() -> impl Strategy<Value = MoreTerms> {
    let percent = || 1u32..=100;
    let quota = prop::option::of((1u64..20, prop::option::of(prop_oneof![Just("p"), Just("q")])));
    let grant_quota = prop::option::of((prop::bool::ANY, 1u64..20));
    let cap = prop::option::of(1u128..200);
    (percent(), percent(), grant_quota, quota, cap).prop_map(|(off, granted, grant_quota, quota, cap)| {
        MoreTerms {
            discount: vec![Discount {
                price: "p".into(),
                percent: off,
                window: Some("22:00-06:00Z".parse().expect("a window")),
                from: None,
                until: None,
            }],
            grant: vec![Grant {
                id: "g".into(),
                prices: ["p".to_owned(), "q".to_owned()].into(),
                percent_off: granted,
                quota: grant_quota.map(|(is_fuel, units)| GrantQuota {
                    calls: (!is_fuel).then_some(units),
                    fuel: is_fuel.then_some(units),
                    period: Period::Month,
                }),
                proof: GrantProof::LicenseToken,
            }],
            plan: vec![Plan {
                id: "t".into(),
                on: PlanKind::Subscribe,
                amount: Atomic(1),
                unit: None,
                period: Period::Month,
                scope: None,
                includes: vec![Inclusion::Execute(None)],
                quota: quota
                    .map(|(calls, price)| PlanQuota { calls, overage_price: price.map(str::to_owned) }),
                sla: None,
                backports: vec![],
            }],
            max_monthly_per_payer: cap.map(Atomic),
            ..MoreTerms::default()
        }
    })
}

fn any_terms() -> impl Strategy<Value = Hashed<Terms>> {
    (any_price("p"), any_price("q"), any_more()).prop_map(|(p, q, more)| terms(vec![p, q], more))
}

fn any_account() -> impl Strategy<Value = Account> {
    let keys = prop_oneof![Just("p"), Just("q"), Just("grant:g"), Just("plan:t")];
    let used = prop::collection::btree_map(keys.prop_map(str::to_owned), 0u64..40, 0..5);
    let at = prop_oneof![Just(None), Just(Some("2026-11-22T12:00:00Z")), Just(Some("2026-11-22T23:00:00Z"))];
    (at, used, prop::option::of(0u128..250), prop::option::of(1u64..3), prop::bool::ANY).prop_map(
        |(at, used, paid, seats, granted)| Account {
            at: at.map(|at| at.parse().expect("a time")),
            used,
            paid: paid.map(Atomic),
            plans: seats.map(|seats| HeldPlan { id: "t".into(), seats }).into_iter().collect(),
            grants: granted.then(|| "g".to_owned()).into_iter().collect(),
        },
    )
}

fn any_usage() -> impl Strategy<Value = Usage> {
    let ending = prop_oneof![Just(Ending::Returned), Just(Ending::GuestFailed), Just(Ending::Aborted)];
    (ending, 0u64..60, 0u64..60, 0u64..60_000, 0u64..60).prop_map(
        |(ending, fuel, bytes_out, wait_ms, rows)| Usage {
            bytes_out,
            wait_ms,
            events: [("row".to_owned(), rows)].into(),
            ..Usage::of_fuel(fuel, ending)
        },
    )
}

/// Removes what a payer knows in its favour.
fn forget(account: &Account, what: u8) -> Account {
    let mut less = account.clone();
    match what {
        0 => less.at = None,
        1 => less.paid = None,
        2 => less.plans.clear(),
        3 => less.grants.clear(),
        4 => less.used.clear(),
        _ => less = Account::default(),
    }
    less
}

proptest! {
    #[test]
    fn a_charge_is_within_its_quote(
        terms in any_terms(), account in any_account(), usage in any_usage(), fuel_max in 1u64..60,
    ) {
        let quote = asked(&terms, fuel_max, account);
        let charge = charge(&terms, &quote, &usage);
        prop_assert!(charge.amount <= quote.amount_max);
        prop_assert_eq!(charge.amount.0, charge.lines.iter().map(|line| line.amount.0).sum::<u128>());
    }

    #[test]
    fn who_has_more_pays_no_more(
        terms in any_terms(), account in any_account(), usage in any_usage(), what in 0u8..6,
    ) {
        let less = forget(&account, what);
        let (with, without) = (owed(&terms, account.clone(), &usage), owed(&terms, less.clone(), &usage));
        prop_assert!(with <= without, "{with} with {account:?}, {without} with {less:?}");
        let ceiling = |account| asked(&terms, 50, account).amount_max;
        prop_assert!(ceiling(account) <= ceiling(less));
    }

    #[test]
    fn what_is_called_cheaper_is_cheaper(
        old in any_terms(), new in any_terms(), change in 0u8..12, account in any_account(), usage in any_usage(),
    ) {
        // Two that differ in everything are never comparable, so most of the time one thing is changed.
        let new = old.with(|terms| {
            let (price, other) = (&mut terms.price[0], &new.price[0]);
            match change {
                0 => price.amount = other.amount,
                1 => price.per = other.per,
                2 => price.minimum = other.minimum,
                3 => price.max_per_call = other.max_per_call,
                4 => price.charge_on = other.charge_on,
                5 => price.free = other.free.clone(),
                6 => price.tiers = other.tiers.clone(),
                7 => terms.more.discount = new.more.discount.clone(),
                8 => terms.more.grant = new.more.grant.clone(),
                9 => terms.more.plan = new.more.plan.clone(),
                10 => terms.more.max_monthly_per_payer = new.more.max_monthly_per_payer,
                _ => { terms.price.pop(); }
            }
        });
        prop_assert!(cheaper_or_equal(&old, &old).is_ok());
        if cheaper_or_equal(&old, &new).is_ok() {
            let (was, is) = (owed(&old, account.clone(), &usage), owed(&new, account, &usage));
            prop_assert!(is <= was, "{is} and not {was}");
        }
    }
}
