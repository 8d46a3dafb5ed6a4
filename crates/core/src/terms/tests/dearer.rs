//! What makes terms dearer: one change for each thing that whoever relied on them has.

use super::*;
use crate::manifest::{
    Consent, ContentUsage, Date, Dependency, DerivedFrom, Edition, ForkRoyalty, Length, MachineAccess,
    Metered, Offer, OfferAct, Operators, Payee, Place, Requirement, RoyaltyMode, SaleUnit, Sla, Splits,
    Upstream,
};

type Change = fn(&mut Terms);

fn date(text: &str) -> Date {
    text.parse().expect("a date")
}

fn length(text: &str) -> Length {
    text.parse().expect("a length")
}

/// Terms under which there is something of everything that can be taken away.
fn rich() -> Hashed<Terms> {
    let sla = Sla {
        response: Some(length("PT4H")),
        fix_critical: Some(length("P7D")),
        uptime: Some("99.9".parse().expect("a part of a hundred")),
        credit: 2_500,
    };
    let more = MoreTerms {
        deny_use: ["training".to_owned()].into(),
        change_license: Some("Apache-2.0".into()),
        change_date: Some(date("2029-06-30")),
        operators: Some(Operators::Any),
        source: Some(MachineAccess::Metered),
        dependencies: [("b:zip".parse().expect("valid"), dependency())].into(),
        edition: [("pro".to_owned(), Edition { exports: ["g".to_owned()].into(), ..edition() })].into(),
        plan: vec![Plan {
            id: "t".into(),
            on: PlanKind::Support,
            amount: Atomic(20),
            unit: None,
            period: Period::Month,
            scope: None,
            includes: vec![Inclusion::Execute(None)],
            quota: Some(PlanQuota { calls: 10, overage_price: Some("p".into()) }),
            sla: Some(sla),
            backports: vec!["4.x".into()],
        }],
        offer: vec![Offer {
            id: "o".into(),
            grants: "LicenseRef-Lab".into(),
            on: Some(OfferAct::Download),
            unit: Some(SaleUnit::Copy),
            amount: Atomic(30),
            scope: None,
            term: Some(length("P1Y")),
            updates: Some(length("P1Y")),
        }],
        grant: vec![Grant {
            id: "g".into(),
            prices: ["p".to_owned()].into(),
            percent_off: 50,
            quota: Some(GrantQuota { calls: Some(10), fuel: None, period: Period::Month }),
            proof: GrantProof::LicenseToken,
        }],
        discount: vec![Discount {
            price: "p".into(),
            percent: 40,
            window: Some("22:00-06:00Z".parse().expect("a window")),
            from: None,
            until: None,
        }],
        upstream: Some(Upstream {
            allow_forks: true,
            royalty: Some(ForkRoyalty {
                share: 500,
                mode: RoyaltyMode::Requested,
                term: Some(length("P4Y")),
            }),
        }),
        derived_from: Vec::new(),
        splits: Some(Splits { dependencies: 2_000, ..Splits::default() }),
        usage: Some(ContentUsage { train_ai: Some(Consent::Y), search: Some(Consent::Y), rsl: None }),
        max_monthly_per_payer: Some(Atomic(1_000)),
    };
    let free = Free { quantity: 5, period: Period::Month, scope: FreeScope::Payer };
    let price = Price {
        minimum: Some(Atomic(5)),
        max_per_call: Some(Atomic(90)),
        free: Some(free),
        ..price(Unit::Call, 7, 1)
    };
    terms(vec![price], more).with(|terms| {
        terms.execute = [Place::Remote, Place::Local].into();
        terms.import = true;
        terms.accepts = vec!["x402:exact".into(), "x402:upto".into()];
    })
}

fn dependency() -> Dependency {
    Dependency {
        version: "1".parse().expect("valid"),
        metered: Metered,
        share: None,
        absorb: false,
        calls_max: Some(9),
    }
}

fn edition() -> Edition {
    Edition { path: None, exports: Default::default(), license: None, execute: None, requires: None }
}

fn sla(terms: &mut Terms) -> &mut Sla {
    terms.more.plan[0].sla.as_mut().expect("there is one")
}

fn royalty(terms: &mut Terms) -> &mut ForkRoyalty {
    let upstream = terms.more.upstream.as_mut().expect("there is one");
    upstream.royalty.as_mut().expect("there is one")
}

fn usage(terms: &mut Terms) -> &mut ContentUsage {
    terms.more.usage.as_mut().expect("there is one")
}

/// What takes something away, by the name that it is refused by. The other way round it gives something.
const DEARER: &[(Change, &str)] = &[
    (|terms| terms.price[0].amount = Atomic(8), "price `p`"),
    (|terms| terms.price[0].charge_on = ChargeOn::Attempt, "price `p`"),
    (|terms| terms.price[0].minimum = Some(Atomic(6)), "price `p`"),
    (|terms| terms.price[0].max_per_call = None, "price `p`"),
    (|terms| terms.price[0].free = None, "price `p`"),
    (|terms| terms.price.push(Price { id: "q".into(), ..price(Unit::Call, 1, 1) }), "price `q`"),
    (
        |terms| {
            terms.execute.remove(&Place::Local);
        },
        "`execute`",
    ),
    (|terms| terms.import = false, "`import`"),
    (
        |terms| {
            terms.accepts.pop();
        },
        "`accepts`",
    ),
    (
        |terms| {
            terms.more.deny_use.insert("hosting-competitor".into());
        },
        "`deny-use`",
    ),
    (|terms| terms.more.change_date = Some(date("2029-07-01")), "`change-date`"),
    (|terms| (terms.more.change_license, terms.more.change_date) = (None, None), "`change-date`"),
    (|terms| terms.more.operators = None, "`operators`"),
    (
        |terms| {
            let pro = terms.more.edition.get_mut("pro").expect("there is one");
            pro.requires = Some(Requirement::Plan("t".into()));
        },
        "edition `pro`",
    ),
    (|terms| terms.more.plan[0].amount = Atomic(21), "plan `t`"),
    (|terms| terms.more.plan[0].includes.clear(), "plan `t`"),
    (|terms| terms.more.plan[0].quota.as_mut().expect("there is one").calls = 9, "plan `t`"),
    (|terms| terms.more.plan[0].backports.clear(), "plan `t`"),
    (|terms| terms.more.plan[0].sla = None, "plan `t`"),
    (|terms| sla(terms).credit = 2_499, "plan `t`"),
    (|terms| terms.more.plan.clear(), "plan `t`"),
    (|terms| terms.more.offer[0].amount = Atomic(31), "offer `o`"),
    (|terms| terms.more.offer.clear(), "offer `o`"),
    (|terms| terms.more.grant[0].percent_off = 49, "grant `g`"),
    (|terms| terms.more.grant.clear(), "grant `g`"),
    (|terms| terms.more.discount[0].percent = 39, "the discount on `p`"),
    (|terms| terms.more.discount.clear(), "the discount on `p`"),
    (|terms| terms.more.upstream.as_mut().expect("there is one").allow_forks = false, "[upstream]"),
    (|terms| royalty(terms).share = 501, "[upstream]"),
    (|terms| royalty(terms).mode = RoyaltyMode::Required, "[upstream]"),
    (|terms| usage(terms).train_ai = Some(Consent::N), "[usage]"),
    (|terms| usage(terms).search = None, "[usage]"),
    (|terms| terms.more.max_monthly_per_payer = Some(Atomic(1_001)), "`max-monthly-per-payer`"),
    (|terms| terms.more.max_monthly_per_payer = None, "`max-monthly-per-payer`"),
];

/// What is neither less nor more, so that somebody may have relied on either. The second name is for the other way round.
const OTHER: &[(Change, [&str; 2])] = &[
    (|terms| terms.license = "BUSL-1.1".into(), ["release, licence, currency or `fuel-max`"; 2]),
    (|terms| terms.fuel_max += 1, ["release, licence, currency or `fuel-max`"; 2]),
    (|terms| terms.price[0].id = "q".into(), ["price `q`", "price `p`"]),
    (|terms| terms.more.change_license = Some("MIT".into()), ["`change-date`"; 2]),
    (|terms| terms.more.source = Some(MachineAccess::Licensed), ["`machines`"; 2]),
    (|terms| terms.more.source = None, ["`machines`"; 2]),
    (|terms| terms.more.dependencies.clear(), ["what it rests on"; 2]),
    (
        |terms| {
            let zip = terms.more.dependencies.values_mut().next().expect("there is one");
            zip.absorb = true;
        },
        ["what it rests on"; 2],
    ),
    (|terms| terms.more.splits = None, ["what it rests on"; 2]),
    (
        |terms| {
            terms.more.derived_from.push(DerivedFrom {
                release: "b:zip@1.0.0".parse().expect("valid"),
                terms: Digest::of("terms"),
                share: 100,
            });
        },
        ["what it rests on"; 2],
    ),
    (|terms| terms.more.edition.clear(), ["edition `pro`", "an edition"]),
    (|terms| sla(terms).response = Some(length("PT8H")), ["plan `t`"; 2]),
    (|terms| terms.more.plan[0].period = Period::Year, ["plan `t`"; 2]),
    (|terms| terms.more.offer[0].grants = "MIT".into(), ["offer `o`"; 2]),
    (|terms| terms.more.offer[0].term = Some(length("P2Y")), ["offer `o`"; 2]),
    (|terms| terms.more.grant[0].proof = GrantProof::OidcRepository, ["grant `g`"; 2]),
    (|terms| royalty(terms).term = None, ["[upstream]"; 2]),
];

#[test]
fn dearer_terms_are_told_apart() {
    let old = rich();
    let refused = |old: &Terms, new: &Terms| cheaper_or_equal(old, new).expect_err("dearer");
    for (change, what) in DEARER {
        let new = old.with(change);
        assert_eq!(refused(&old, &new), Dearer((*what).into()));
        assert_eq!(cheaper_or_equal(&new, &old), Ok(()), "{what}, the other way round");
    }
    for (change, whats) in OTHER {
        let new = old.with(change);
        assert_eq!([refused(&old, &new), refused(&new, &old)], whats.map(|what| Dearer(what.into())));
    }
    // Who is paid is no concern of whoever pays.
    let other = old.with(|terms| {
        terms.payee = vec![Payee { id: "acct:eve".into(), share: 10_000, role: None }];
    });
    assert_eq!(cheaper_or_equal(&old, &other), Ok(()));
}
