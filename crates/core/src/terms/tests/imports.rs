//! Bills of calls with dependencies, and how they are split: vectors that other implementations compute, too.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::super::*;
use crate::hashed::Document as _;
use crate::manifest::Manifest;
use crate::money::Pico;
use crate::split::{Receiver, Share, SplitError, split_bill};
use crate::tree::Linked;

/// The root of all cases, but for its dependencies.
const REPORT: &str = r#"
[package]
name = "acme:report"
version = "1.0.0"
license = "MIT"
[spec]
world = "report"
[component]
path = "it.wasm"
fuel-max = 1000000
[[price]]
id = "each"
unit = "call"
amount = "0.01"
[security]
contact = "security@acme.example"
support-until = 2029-12-31
[splits]
dependencies = 2000
[[payee]]
id = "ana"
share = 6000
[[payee]]
id = "bo"
share = 3000
[[payee]]
id = "cy"
share = 1000
"#;

/// Makes the terms of a package that has one payee.
fn made(name: &str, more: &str) -> Terms {
    let text = format!(
        "[package]\nname = \"{name}\"\nversion = \"1.0.0\"\nlicense = \"MIT\"\n[spec]\nworld = \"it\"\n\
         [component]\npath = \"it.wasm\"\nimport = true\n{more}\n[[payee]]\nid = \"acct:{name}\"\nshare = 10000\n\
         [security]\ncontact = \"security@acme.example\"\nsupport-until = 2029-12-31\n"
    );
    Terms::of(&Manifest::parse(&text).expect("valid"))
}

/// Makes another release of a package.
fn released(terms: &Terms, version: &str) -> Terms {
    let release = format!("{}@{version}", terms.release.package).parse().expect("valid");
    Terms { release, ..terms.clone() }
}

fn report(more: &str) -> Hashed<Terms> {
    Terms::of(&Manifest::parse(&format!("{REPORT}{more}")).expect("valid")).into()
}

const PER_CALL: &str = "[[price]]\nid = \"inflate\"\nunit = \"call\"\namount = \"0.0001\"\n";

/// A call with dependencies.
struct Case {
    name: &'static str,
    terms: Hashed<Terms>,
    works: BTreeMap<Digest, Terms>,
    dependencies: Vec<Linked>,
    inner: Vec<Node>,
    ending: Ending,
}

impl Case {
    fn new(name: &'static str, terms: Hashed<Terms>, works: &[&Terms]) -> Self {
        let works = works.iter().map(|terms| (terms.compute_digest(), (*terms).clone())).collect();
        Self { name, terms, works, dependencies: vec![], inner: vec![], ending: Ending::Returned }
    }

    fn calls(mut self, parent: Option<u32>, terms: &Terms, function: &str, calls: u64, fuel: u64) -> Self {
        let digest = terms.compute_digest();
        let function: FunctionName =
            format!("{}/ops@1.0.0#{function}", terms.release.package).parse().expect("valid");
        let way = parent.map_or_else(Vec::new, |parent| self.way(parent));
        let mut among = &mut self.dependencies;
        for digest in way {
            let at = among.iter().position(|linked| linked.terms == digest).expect("linked");
            among = &mut among[at].dependencies;
        }
        let at = among.iter().position(|linked| linked.terms == digest).unwrap_or_else(|| {
            among.push(Linked {
                release: terms.release.clone(),
                component: digest,
                terms: digest,
                memory_bytes_max: 65_536,
                calls_max: None,
                grants: vec![],
                functions: vec![],
                dependencies: vec![],
            });
            among.len() - 1
        });
        if terms.price.iter().any(|price| applies(price, &function))
            && !among[at].functions.contains(&function)
        {
            among[at].functions.push(function.clone());
        }
        let release = terms.release.clone();
        self.inner.push(Node {
            parent,
            release,
            component: digest,
            terms: digest,
            function,
            calls,
            fuel,
            fuel_baseline: None,
        });
        self
    }

    /// Says what calls of the last node burn in its release's own tests.
    fn tested(mut self, fuel_baseline: u64) -> Self {
        self.inner.last_mut().expect("a node").fuel_baseline = Some(fuel_baseline);
        self
    }

    fn way(&self, node: u32) -> Vec<Digest> {
        let node = &self.inner[node as usize];
        let mut way = node.parent.map_or_else(Vec::new, |parent| self.way(parent));
        way.push(node.terms);
        way
    }

    fn imports(&self) -> Vec<Import> {
        Import::of(&self.dependencies, &self.works)
    }

    fn quote(&self) -> Quote {
        let function = "acme:report/ops@1.0.0#run".parse().expect("valid");
        quote(&self.terms, &function, 1_000_000, Account::default(), &self.imports())
    }

    fn bill(&self) -> Result<Bill<'_>, BillError> {
        bill(&self.terms, &self.quote(), &self.usage(), &self.inner, &self.works)
    }

    fn usage(&self) -> Usage {
        Usage::of_fuel(1_000_000, self.ending)
    }

    fn shares(&self) -> Vec<Share> {
        split_bill(&self.bill().expect("a bill"), 500, &self.works, "call").expect("covered")
    }

    /// Returns what everybody has, by name and package.
    fn amounts(&self) -> BTreeMap<String, u128> {
        let named = |share: Share| {
            let to = match share.to {
                Receiver::Operator => "operator".to_owned(),
                Receiver::Payee(id) => id,
            };
            let through = share.through.map(|package| format!(" through {package}")).unwrap_or_default();
            (format!("{to}{through}"), share.amount.0)
        };
        self.shares().into_iter().map(named).collect()
    }
}

fn cases() -> Vec<Case> {
    let (png, zip) = (made("a:png", ""), made("b:zip", ""));
    let inflate = made("zip:inflate", PER_CALL);
    let fold = made(
        "spiral:fold",
        "[[price]]\nid = \"work\"\nunit = \"fuel\"\namount = \"0.00004\"\nper = 1000\nminimum = \"0.0005\"\n\
         max-per-call = \"0.002\"\ncharge-on = \"attempt\"\nfree = { quantity = 1000000, period = \"month\" }\n\
         [[discount]]\nprice = \"work\"\npercent = 50\nwindow = \"00:00-23:59Z\"\n",
    );
    let tiered = made(
        "geo:code",
        "[[price]]\nid = \"tiered\"\nunit = \"call\"\namount = \"0.002\"\nexport = \"geo:code/ops@1.4.0#run\"\n\
         tiers = { mode = \"graduated\", steps = [{ up-to = 10, amount = \"0.002\" }, { amount = \"0.001\" }] }\n",
    );
    let middle = made(
        "mid:dle",
        "[dependencies]\n\"zip:inflate\" = { version = \"1\", absorb = true, calls-max = 4 }\n\
         \"b:zip\" = { version = \"1\" }\n[splits]\ndependencies = 1000\n\
         [[price]]\nid = \"run\"\nunit = \"call\"\namount = \"0.001\"\nexport = \"run\"\n",
    );
    let plain = made("plain:pass", "[dependencies]\n\"zip:inflate\" = { version = \"1\", calls-max = 3 }\n");
    let on = |names: &str| report(&format!("[dependencies]\n{names}"));
    let three = "\"a:png\" = { version = \"1\" }\n\"b:zip\" = { version = \"1\" }\n";
    let bounded =
        |more: &str| format!("{three}\"zip:inflate\" = {{ version = \"1\", calls-max = 16{more} }}\n");
    let of_three = |name, more| {
        Case::new(name, on(&bounded(more)), &[&png, &zip, &inflate])
            .calls(None, &png, "run", 3, 300_000)
            .calls(None, &zip, "run", 3, 100_000)
            .calls(None, &inflate, "run", 12, 40_000)
    };
    let pooled = |name| Case::new(name, on(three), &[&png, &zip]);
    let (second, third) = (released(&zip, "2.0.0"), released(&zip, "3.0.0"));
    let one = made("h:one", "[dependencies]\n\"b:zip\" = { version = \"2\" }\n");
    let two = made("h:two", "[dependencies]\n\"b:zip\" = { version = \"3\" }\n");
    let helper =
        made("h:elp", "[dependencies]\n\"h:one\" = { version = \"1\" }\n\"h:two\" = { version = \"1\" }\n");
    vec![
        pooled("fuel beyond four times the baseline of each call does not count")
            .calls(None, &png, "run", 3, 100_000_000)
            .tested(5_000)
            .calls(None, &zip, "run", 3, 100_000)
            .tested(30_000),
        pooled("the bound is for all calls of a dependency together, and none where one has no baseline")
            .calls(None, &png, "run", 1, 50_000)
            .tested(10_000)
            .calls(None, &png, "walk", 9, 20_000)
            .tested(10_000)
            .calls(None, &zip, "run", 1, 50_000)
            .tested(1)
            .calls(None, &zip, "walk", 1, 20_000),
        of_three("two unpriced dependencies, and one that charges for each call", ""),
        of_three("the release absorbs what its dependency charges", ", absorb = true"),
        Case::new(
            "fuel, at least and at most so much for each call; neither free units nor a discount count",
            on("\"spiral:fold\" = { version = \"1\", calls-max = 3 }\n"),
            &[&fold],
        )
        .calls(None, &fold, "run", 2, 12_345)
        .calls(None, &fold, "walk", 1, 999),
        Case {
            ending: Ending::GuestFailed,
            ..Case::new(
                "a call that failed owes what is charged for attempts",
                on("\"spiral:fold\" = { version = \"1\", calls-max = 3 }\n\"zip:inflate\" = { version = \"1\", calls-max = 3 }\n"),
                &[&fold, &inflate],
            )
            .calls(None, &fold, "run", 1, 200_000)
            .calls(None, &inflate, "run", 2, 10_000)
        },
        Case::new(
            "the first step, however many calls; linked by a compatible version; a function without a price is free",
            on("\"geo:code\" = { version = \"1\", calls-max = 20 }\n"),
            &[&tiered],
        )
        .calls(None, &tiered, "run", 15, 5_000)
        .calls(None, &tiered, "walk", 9, 100_000),
        Case::new(
            "a dependency absorbs one of its own, and shares with another",
            on("\"mid:dle\" = { version = \"1\", calls-max = 5 }\n\"zip:inflate\" = { version = \"1\", calls-max = 2 }\n\"b:zip\" = { version = \"1\" }\n"),
            &[&middle, &inflate, &zip],
        )
        .calls(None, &middle, "run", 2, 20_000)
        .calls(Some(0), &inflate, "run", 7, 9_000)
        .calls(Some(0), &zip, "run", 1, 8_000)
        .calls(None, &inflate, "run", 2, 3_000)
        .calls(None, &zip, "run", 1, 4_000),
        Case::new(
            "the bound is the product of those on the way, the line the sum of all ways",
            on("\"plain:pass\" = { version = \"1\", calls-max = 5 }\n\"zip:inflate\" = { version = \"1\", calls-max = 2 }\n"),
            &[&plain, &inflate],
        )
        .calls(None, &plain, "run", 4, 7_000)
        .calls(Some(0), &inflate, "run", 11, 9_000)
        .calls(None, &inflate, "run", 2, 3_000),
        Case::new(
            "what is absorbed is absorbed with all below it",
            on("\"plain:pass\" = { version = \"1\", calls-max = 5, absorb = true }\n\"zip:inflate\" = { version = \"1\", calls-max = 2 }\n"),
            &[&plain, &inflate],
        )
        .calls(None, &plain, "run", 4, 7_000)
        .calls(Some(0), &inflate, "run", 11, 9_000)
        .calls(None, &inflate, "run", 2, 3_000),
        Case::new(
            "a share is given once, and divided among releases of the package by the fuel that counts",
            on("\"b:zip\" = { version = \"1\", share = 2000 }\n\"h:elp\" = { version = \"1\" }\n"),
            &[&zip, &second, &third, &one, &two, &helper],
        )
        .calls(None, &zip, "run", 2, 60_000)
        .calls(None, &helper, "run", 1, 5_000)
        .calls(Some(1), &one, "run", 1, 1_000)
        .calls(Some(2), &second, "run", 1, 90_000)
        .tested(7_500)
        .calls(Some(1), &two, "run", 1, 1_000)
        .calls(Some(4), &third, "run", 1, 0),
    ]
}

fn case(name: &str) -> Case {
    cases().into_iter().find(|case| case.name.starts_with(name)).expect("a case")
}

#[test]
fn bills_with_dependencies_are_the_same_for_everybody() {
    let cases = cases().into_iter().map(|case| {
        let (quote, charge, shares) = (case.quote(), case.bill().expect("a bill").charge(), case.shares());
        let sum: u128 = shares.iter().map(|share| share.amount.0).sum();
        assert_eq!(Pico(sum), charge.amount.to_pico(), "{}", case.name);
        assert!(charge.amount <= quote.amount_max, "{}", case.name);
        json!({
            "name": case.name, "terms": *case.terms, "works": case.works, "dependencies": case.dependencies,
            "inner": case.inner, "usage": case.usage(), "feeBps": 500, "call": "call",
            "quote": quote, "charge": charge, "shares": shares,
        })
    });
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../conformance/bill/imports.json");
    let text = serde_json::to_string_pretty(&cases.collect::<Vec<Value>>()).expect("serialises");
    if std::env::var_os("GLASSBOX_BLESS").is_some() {
        std::fs::write(path, format!("{text}\n")).expect("written");
    }
    assert_eq!(std::fs::read_to_string(path).unwrap_or_default(), format!("{text}\n"));
}

#[test]
fn a_priced_dependency_is_a_line_and_not_a_share() {
    let case = case("two unpriced");
    let lines = |lines: &[Line]| -> Vec<(u64, u128)> {
        lines.iter().map(|line| (line.quantity, line.amount.0)).collect()
    };
    assert_eq!(lines(&case.quote().lines), [(1, 10_000), (16, 1_600)]);
    let charge = case.bill().expect("a bill").charge();
    assert_eq!((lines(&charge.lines), charge.amount), (vec![(1, 10_000), (12, 1_200)], Atomic(11_200)));
    assert_eq!(charge.lines[1].dependency, Some("zip:inflate@1.0.0".parse().expect("valid")));
    let (net, pool) = (9_500_000_000, 1_900_000_000);
    let own = net - pool / 2 - pool / 4;
    let expected = [
        ("operator", 500_000_000),
        // Three quarters of the fuel, and half of the pool.
        ("acct:a:png through a:png", pool / 2),
        ("acct:b:zip through b:zip", pool / 4),
        ("ana", own * 6 / 10),
        ("bo", own * 3 / 10),
        ("cy", own / 10),
        ("operator through zip:inflate", 60_000_000),
        ("acct:zip:inflate through zip:inflate", 1_140_000_000),
    ];
    let expected = expected.map(|(name, amount)| (name.to_owned(), amount));
    assert_eq!(case.amounts(), BTreeMap::from(expected));
}

#[test]
fn who_wastes_fuel_does_not_earn_by_it() {
    let case = case("fuel beyond four times");
    let pool = 9_500_000_000 * 2 / 10;
    let amounts = case.amounts();
    // 60,000 of a hundred million count, beside 100,000.
    assert_eq!(amounts["acct:a:png through a:png"], pool * 3 / 8);
    assert_eq!(amounts["acct:b:zip through b:zip"], pool / 2, "five eighths, and a half is the most");
    let untested = Case {
        inner: case.inner.iter().map(|node| Node { fuel_baseline: None, ..node.clone() }).collect(),
        ..case
    };
    assert_eq!(untested.amounts()["acct:a:png through a:png"], pool / 2, "without tests, a half is the most");
}

#[test]
fn whoever_imports_release_after_release_of_a_package_gives_it_no_more() {
    let case = case("a share is given once");
    let shares = case.shares();
    let of = |package: &str| -> Vec<u128> {
        let through = |share: &&Share| share.through.as_ref().is_some_and(|name| name.to_string() == package);
        shares.iter().filter(through).map(|share| share.amount.0).collect()
    };
    let net = 9_500_000_000_u128;
    // 60,000 and 30,000 of the fuel count, and one unit of what burnt none, which comes to no basis point.
    let mut zip = of("b:zip");
    zip.sort();
    assert_eq!(zip, [net * 667 / 10_000, net * 1_333 / 10_000]);
    let pool = net / 5;
    assert_eq!(of("h:elp"), [pool / 2], "five sevenths, and a half is the most");
    let own: u128 = shares.iter().filter(|share| share.through.is_none()).map(|share| share.amount.0).sum();
    let helped = [of("h:elp"), of("h:one"), of("h:two")].concat().iter().sum::<u128>();
    assert_eq!(own, 10_000_000_000 - net / 5 - helped);
    // Where none of it counts, as of a sale that no test came by, they divide it evenly.
    let idle =
        Case { inner: case.inner.iter().map(|node| Node { fuel: 0, ..node.clone() }).collect(), ..case };
    let shares = idle.shares();
    let through = |share: &&Share| share.through.is_some();
    let zip: Vec<u128> = shares.iter().filter(through).map(|share| share.amount.0).collect();
    assert_eq!(zip, [667, 667, 666].map(|bps| net * bps / 10_000));
}

#[test]
fn what_is_absorbed_comes_off_the_net() {
    let case = case("the release absorbs");
    assert_eq!(case.quote().amount_max, Atomic(10_000));
    assert_eq!(case.bill().expect("a bill").charge().amount, Atomic(10_000));
    let amounts = case.amounts();
    let net = 9_500_000_000 - 1_200_000_000;
    assert_eq!(amounts["operator"], 500_000_000);
    assert_eq!(amounts["acct:a:png through a:png"], net / 10);
    assert_eq!(amounts["acct:zip:inflate through zip:inflate"], 1_140_000_000);
    assert_eq!(amounts["operator through zip:inflate"], 60_000_000);
    // Nobody's share is below nothing: who pays more than there is has no split.
    let short = Case { terms: case.terms.with(|terms| terms.price[0].amount = Atomic(1_200)), ..case };
    let bill = short.bill().expect("a bill");
    let split = split_bill(&bill, 500, &short.works, "call");
    assert_eq!(split, Err(SplitError::Uncovered(short.terms.release.clone())));
}

#[test]
fn what_no_call_can_have_is_no_bill() {
    let more = |change: fn(&mut Node)| {
        let mut case = case("two unpriced");
        change(&mut case.inner[2]);
        case.bill().map(|bill| bill.charge().amount)
    };
    let (charge, quote) = (Atomic(11_700), Atomic(11_600));
    assert_eq!(more(|node| node.calls = 17), Err(BillError::Exceeds { charge, quote }));
    assert!(more(|node| node.calls = u64::MAX).is_err());
    let none = Digest::of("nobody's");
    assert_eq!(more(|node| node.terms = Digest::of("nobody's")), Err(BillError::Missing(none)));
    // The tree of a stranger may lead anywhere; whoever checks the tree says so.
    assert!(more(|node| node.parent = Some(9)).is_ok());
}

#[test]
fn what_is_absorbed_is_covered_whoever_calls() {
    let function: FunctionName = "acme:report/ops@1.0.0#run".parse().expect("valid");
    let imports = case("the release absorbs").imports();
    let check = |terms: &Terms| check_absorbed(terms, &function, &imports);
    let covered = |change: fn(&mut Terms)| check(&case("the release absorbs").terms.with(change)).is_ok();
    // 16 calls at 100, and 15 % for the operator.
    assert!(covered(|terms| terms.price[0].amount = Atomic(1_883)));
    let least = case("the release absorbs").terms.with(|terms| terms.price[0].amount = Atomic(1_882));
    let most = Atomic(1_600);
    assert_eq!(check(&least), Err(Uncovered { function: function.clone(), least: Atomic(1_882), most }));
    let parsed = |more: &str| report(more);
    let sales = parsed(
        "[[discount]]\nprice = \"each\"\npercent = 1\nwindow = \"22:00-06:00Z\"\n\
         [[grant]]\nid = \"g\"\nprices = [\"each\"]\npercent-off = 1\nproof = \"license-token\"\n\
         [[plan]]\nid = \"t\"\non = \"subscribe\"\namount = \"1\"\nperiod = \"month\"\nincludes = [\"execute:*\"]\n\
         [settlement]\nmax-monthly-per-payer = \"100\"\n",
    );
    let with = |change: &dyn Fn(&mut Terms)| check(&case("the release absorbs").terms.with(change)).is_ok();
    assert!(with(&|_| {}));
    assert!(!with(&|terms| terms.more.discount = sales.more.discount.clone()));
    assert!(!with(&|terms| terms.more.grant = sales.more.grant.clone()));
    assert!(!with(&|terms| terms.more.plan = sales.more.plan.clone()));
    assert!(!with(&|terms| terms.more.max_monthly_per_payer = sales.more.max_monthly_per_payer));
    assert!(!covered(|terms| terms.price[0].unit = Unit::Fuel));
    assert!(covered(|terms| {
        terms.price[0].unit = Unit::Fuel;
        terms.price[0].minimum = Some(Atomic(2_000));
    }));
    assert!(!covered(|terms| terms.price[0].export = Some("other".into())));
    assert!(!covered(|terms| {
        let named = terms.more.dependencies.get_mut(&"zip:inflate".parse().expect("valid"));
        named.expect("named").calls_max = None;
    }));
    // Who is charged for attempts must be paid for them.
    let attempts = |change: fn(&mut Terms)| {
        let mut imports = imports.clone();
        imports[0].terms = imports[0].terms.with(|terms| terms.price[0].charge_on = ChargeOn::Attempt);
        let terms = case("the release absorbs").terms.with(change);
        check_absorbed(&terms, &function, &imports).is_ok()
    };
    assert!(!attempts(|_| {}));
    assert!(attempts(|terms| terms.price[0].charge_on = ChargeOn::Attempt));
}

#[test]
fn what_a_dependency_charges_adds_to_no_counter_of_the_release() {
    let mut case = case("two unpriced");
    case.terms = case.terms.with(|terms| terms.more.max_monthly_per_payer = Some(Atomic(10_500)));
    let account = Account {
        at: Some("2026-11-22T12:00:00Z".parse().expect("a time")),
        paid: Some(Atomic(10_000)),
        ..Account::default()
    };
    let quote = quote(&case.terms, &case.quote().function, 1_000_000, account, &case.imports());
    assert_eq!(quote.amount_max, Atomic(500 + 1_600), "the cap is the release's own");
    let charge = bill(&case.terms, &quote, &case.usage(), &case.inner, &case.works).expect("a bill").charge();
    let counted = consumption(&case.terms, &quote, &case.usage(), &charge);
    assert_eq!(counted.iter().map(|(_, units)| *units).collect::<Vec<_>>(), [500]);
}

#[test]
fn bills_of_sales_are_split_the_same_by_everybody() {
    let (png, zip, inflate) = (made("a:png", ""), made("b:zip", ""), made("zip:inflate", PER_CALL));
    let named =
        "[dependencies]\n\"a:png\" = { version = \"1\" }\n\"b:zip\" = { version = \"1\", share = 300 }\n";
    let terms = report(named);
    let works: BTreeMap<Digest, Terms> =
        [&png, &zip, &inflate].into_iter().map(|terms| (terms.compute_digest(), terms.clone())).collect();
    let effort = |terms: &Terms, fuel, fuel_counted_max| {
        (terms.compute_digest(), Effort { release: terms.release.clone(), fuel, fuel_counted_max })
    };
    let cases = [
        (
            "the pool by what dependencies did in the tests",
            vec![effort(&png, 9_000, Some(30_000)), effort(&inflate, 3_000, None)],
        ),
        (
            "no more than counts of it, and a fixed share also where no test came by",
            vec![
                effort(&png, 900_000, Some(30_000)),
                effort(&inflate, 90_000, Some(400_000)),
                effort(&zip, 0, Some(0)),
            ],
        ),
        ("without tests, the fixed share alone", vec![effort(&zip, 0, Some(0))]),
        ("nobody else", vec![]),
    ];
    let sales = cases.into_iter().map(|(name, efforts)| {
        let efforts: BTreeMap<Digest, Effort> = efforts.into_iter().collect();
        let bill = Bill::of_sale(&terms, Atomic(99_000_000), efforts.clone());
        let shares = split_bill(&bill, 500, &works, "call").expect("nothing is missing");
        let sum: u128 = shares.iter().map(|share| share.amount.0).sum();
        assert_eq!(Pico(sum), Atomic(99_000_000).to_pico(), "{name}");
        json!({
            "name": name, "terms": *terms, "works": works, "amount": "99000000", "efforts": efforts,
            "feeBps": 500, "call": "call", "shares": shares,
        })
    });
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../conformance/bill/sales.json");
    let text = serde_json::to_string_pretty(&sales.collect::<Vec<Value>>()).expect("serialises");
    if std::env::var_os("GLASSBOX_BLESS").is_some() {
        std::fs::write(path, format!("{text}\n")).expect("written");
    }
    assert_eq!(std::fs::read_to_string(path).unwrap_or_default(), format!("{text}\n"));
}
