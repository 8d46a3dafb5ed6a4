//! Packages that import packages: pinned at publish, run as they were pinned, on the receipt, and paid.

use std::collections::BTreeMap;
use std::time::Duration;

use glassbox_core::acts::{Act as _, Quarantine, TermsChange, Yank};
use glassbox_core::dsse::Envelope;
use glassbox_core::files::Files;
use glassbox_core::manifest::Terms;
use glassbox_core::receipt::{Bundle, Receipt};
use glassbox_core::release::{Pinned, Release};
use glassbox_core::split::Receiver;
use glassbox_core::{Atomic, Digest, Pico, limits};
use glassbox_registry::package::Package;
use glassbox_registry::{Code, PackageFiles, replay};
use serde_json::json;

use crate::buyer::Reply;
use crate::names::act;
use crate::packages::{self, publisher};
use crate::receipts::{complete, sweep};
use crate::stage::{Stage, keys, sandbox};

/// A package `lab:{name}` whose interface `ops` has `run: func(n: u32) -> u32`.
///
/// It adds one as often as `rounds` says, and then passes the number through each of `imports`: once, or as often as the
/// number says that it is called with.
struct Made<'a> {
    name: &'a str,
    version: &'a str,
    rounds: u32,
    imports: &'a [&'a PackageFiles],
    often: bool,
    /// What stands in the manifest besides.
    terms: &'a str,
}

impl Made<'_> {
    fn package(&self) -> PackageFiles {
        let Self { name, version, rounds, imports, often, terms } = self;
        let names: Vec<String> = imports.iter().map(|package| name_of(package)).collect();
        let each = |text: &dyn Fn(&str) -> String| names.iter().map(|name| text(name)).collect::<String>();
        let ty = r#"(func (param "n" u32) (result u32))"#;
        let passed = each(&|import| format!("(local.set 0 (call ${import} (local.get 0)))"));
        let component = format!(
            r#"(component
                {}
                (core module $m
                    {}
                    (func (export "run") (param i32) (result i32) (local i32 i32)
                        (local.set 2 (local.get 0))
                        (local.set 1 (i32.const {rounds}))
                        (block $end (loop $next
                            (br_if $end (i32.eqz (local.get 1)))
                            (local.set 0 (i32.add (local.get 0) (i32.const 1)))
                            (local.set 1 (i32.sub (local.get 1) (i32.const 1)))
                            (br $next)))
                        {}
                        (local.get 0)))
                (core instance $i (instantiate $m {}))
                (func $run (param "n" u32) (result u32) (canon lift (core func $i "run")))
                (instance $ops (export "run" (func $run)))
                (export "lab:{name}/ops@{version}" (instance $ops)))"#,
            each(&|import| format!(
                r#"(import "lab:{import}/ops@1.0.0" (instance ${import} (export "run" {ty})))
                   (core func ${import}-run (canon lower (func ${import} "run")))"#
            )),
            each(&|import| format!(r#"(import "{import}" "run" (func ${import} (param i32) (result i32)))"#)),
            match often {
                false => passed,
                true => format!(
                    "(block $done (loop $again
                        (br_if $done (i32.eqz (local.get 2)))
                        {passed}
                        (local.set 2 (i32.sub (local.get 2) (i32.const 1)))
                        (br $again)))"
                ),
            },
            each(&|import| format!(r#"(with "{import}" (instance (export "run" (func ${import}-run))))"#)),
        );
        let interface = |name: &str, version: &str| {
            format!("package lab:{name}@{version};\ninterface ops {{ run: func(n: u32) -> u32; }}\n")
        };
        let imported = each(&|import| format!("import lab:{import}/ops@1.0.0; "));
        let world = format!("{}world it {{ {imported}export ops; }}\n", interface(name, version));
        let inside = names
            .iter()
            .map(|import| (format!("deps/{import}/world.wit"), interface(import, "1.0.0").into_bytes()));
        let wit = inside.chain([("world.wit".to_owned(), world.into_bytes())]);
        let dependencies = match terms.contains("[dependencies") || names.is_empty() {
            true => String::new(),
            false => format!(
                "[dependencies]\n{}",
                each(&|import| format!("\"lab:{import}\" = {{ version = \"1\" }}\n"))
            ),
        };
        PackageFiles {
            manifest: format!(
                "[package]\nname = \"lab:{name}\"\nversion = \"{version}\"\nlicense = \"Apache-2.0\"\n\n\
                 [spec]\nworld = \"it\"\n\n[component]\npath = \"it.wasm\"\nimport = true\n\n{dependencies}\n{terms}"
            ),
            wit: Files::new(wit).unwrap(),
            tests: packages::one_file(
                "it.toml",
                format!(
                    "[[case]]\nname = \"adds\"\ncall = \"run(0)\"\nexpect = \"{}\"\n",
                    rounds
                        + if *often { 0 } else { imports.iter().map(|package| adds(package)).sum::<u32>() }
                ),
            ),
            editions: Default::default(),
            documents: Default::default(),
            component: wat::parse_str(component).unwrap(),
            files: None,
            source: None,
        }
    }
}

fn name_of(package: &PackageFiles) -> String {
    let manifest = glassbox_core::manifest::Manifest::parse(&package.manifest).unwrap();
    manifest.package.name.name().to_owned()
}

/// How much a package adds, by its own tests.
fn adds(package: &PackageFiles) -> u32 {
    let (_, text) = package.tests.iter().next().unwrap();
    let text = std::str::from_utf8(text).unwrap();
    text.split("expect = \"").nth(1).unwrap().split('"').next().unwrap().parse().unwrap()
}

pub(crate) fn leaf(name: &str, terms: &str) -> PackageFiles {
    leaf_at(name, "1.0.0", terms)
}

pub(crate) fn leaf_at(name: &str, version: &str, terms: &str) -> PackageFiles {
    Made { name, version, rounds: 10, imports: &[], often: false, terms }.package()
}

pub(crate) fn on(name: &str, imports: &[&PackageFiles], terms: &str) -> PackageFiles {
    on_at(name, "1.0.0", imports, terms)
}

pub(crate) fn on_at(name: &str, version: &str, imports: &[&PackageFiles], terms: &str) -> PackageFiles {
    Made { name, version, rounds: 1, imports, often: false, terms }.package()
}

/// Calls each of `imports` as often as its argument says.
pub(crate) fn often(name: &str, imports: &[&PackageFiles], terms: &str) -> PackageFiles {
    Made { name, version: "1.0.0", rounds: 0, imports, often: true, terms }.package()
}

/// Payees of one.
pub(crate) fn payee(id: &str) -> String {
    format!("[[payee]]\nid = \"acct:{id}\"\nshare = 10000\n")
}

pub(crate) fn pin(package: &PackageFiles) -> Pinned {
    let Release { release, component, terms, .. } = Package::check(package.clone()).unwrap().statement();
    Pinned { release, component, terms }
}

fn signed(package: &PackageFiles, pins: Vec<Pinned>) -> Envelope {
    let mut release = Package::check(package.clone()).unwrap().statement();
    release.dependencies = pins;
    release.sign(&publisher())
}

pub(crate) async fn send(stage: &Stage, package: &PackageFiles, pins: Vec<Pinned>) -> Reply {
    stage.post("/v1/publish", &packages::request(package, signed(package, pins))).await
}

/// Insists that what was sent is published already.
pub(crate) fn assert_known(reply: &Reply) {
    assert_eq!((reply.status, &reply.json()["new"]), (200, &json!(false)), "{}", reply.text);
}

pub(crate) async fn publish(stage: &Stage, package: &PackageFiles, imports: &[&PackageFiles]) {
    let mut pins: Vec<Pinned> = imports.iter().map(|package| pin(package)).collect();
    pins.sort();
    let reply = send(stage, package, pins).await;
    assert_eq!(reply.status, 201, "{}", reply.text);
}

pub(crate) fn path(name: &str) -> String {
    format!("/v1/call/lab/{name}/1.0.0/run")
}

/// Runs a call again, and names what does not hold.
pub(crate) async fn again(
    bundle: &Bundle,
    receipt: &Receipt,
    package: &PackageFiles,
    parts: &[&PackageFiles],
) -> Vec<String> {
    let dependencies: Vec<_> = parts.iter().map(|package| package.component.clone()).collect();
    let code = Code { component: &package.component, files: None, dependencies: &dependencies };
    let (mut report, _) = bundle.verify(Some(&keys().executor.public()));
    replay(&sandbox(), bundle, receipt, code, &mut report).await;
    report.checks.into_iter().filter(|check| !check.holds).map(|check| check.name).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_imported_runs_as_it_was_pinned_and_stands_on_the_receipt() {
    let stage = Stage::empty().await;
    let low = leaf("low", "");
    let middle = on("middle", &[&low], "");
    let top = on("top", &[&low, &middle], "");
    publish(&stage, &low, &[]).await;
    publish(&stage, &middle, &[&low]).await;
    publish(&stage, &top, &[&low, &middle]).await;
    // What comes later changes nothing.
    let newer = Made { name: "low", version: "1.1.0", rounds: 1_000, imports: &[], often: false, terms: "" }
        .package();
    publish(&stage, &newer, &[]).await;

    let reply = stage.post(&path("top"), &json!({ "args": [0] })).await;
    assert_eq!(reply.output(), 22);
    let (bundle, receipt) = reply.receipt();
    let called: Vec<_> =
        receipt.inner.iter().map(|node| (node.parent, node.release.to_string(), node.calls)).collect();
    assert_eq!(
        called,
        [
            (None, "lab:low@1.0.0".into(), 1),
            (None, "lab:middle@1.0.0".into(), 1),
            (Some(1), "lab:low@1.0.0".into(), 1)
        ]
    );
    assert_eq!(receipt.inner[0].fuel, receipt.inner[2].fuel);
    assert!(receipt.inner.iter().map(|node| node.fuel).sum::<u64>() < receipt.fuel_used);
    assert!(receipt.pure && receipt.links(&[pin(&low), pin(&middle)]));

    let none: [String; 0] = [];
    assert_eq!(again(&bundle, &receipt, &top, &[&middle, &low]).await, none);
    assert_eq!(again(&bundle, &receipt, &top, &[&low]).await, ["dependency"]);
    // Whoever says another tree than there was says so in vain, however well it adds up.
    type Change = fn(&mut Receipt);
    let changes: [(Change, &str); 6] = [
        (|receipt| receipt.inner[0].fuel += 1, "calls of dependencies"),
        (|receipt| receipt.inner[1].calls = 2, "calls of dependencies"),
        (|receipt| receipt.inner[2].parent = None, "calls of dependencies"),
        (|receipt| receipt.inner[2].parent = Some(2), "call tree"),
        (|receipt| receipt.inner[0].terms = Digest::of("others"), "call tree"),
        (|receipt| receipt.inner[0].fuel = receipt.fuel_used, "call tree"),
    ];
    for (change, fails) in changes {
        let mut receipt = receipt.clone();
        change(&mut receipt);
        let forged = Bundle::new(receipt.clone(), bundle.opening.clone(), &keys().executor);
        let found = again(&forged, &receipt, &top, &[&middle, &low]).await;
        assert!(found.iter().any(|name| name == fails), "{fails}: {found:?}");
    }
    stage.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dependency_that_cannot_be_is_refused_by_name() {
    let stage = Stage::empty().await;
    let low = leaf("low", "");
    publish(&stage, &low, &[]).await;
    let top = on("top", &[&low], "");
    let good = pin(&low);
    let other = Digest::of("something else");
    let unknown = Pinned { release: "lab:low@1.9.0".parse().unwrap(), ..good.clone() };
    let beyond = Pinned { release: "lab:low@2.0.0".parse().unwrap(), ..good.clone() };
    let stranger = Pinned { release: "lab:zero@1.0.0".parse().unwrap(), ..good.clone() };
    for (pins, code) in [
        (vec![], "dependency-unpinned"),
        (vec![good.clone(), stranger.clone()], "dependency-undeclared"),
        (vec![good.clone(), good.clone()], "dependency-undeclared"),
        (vec![stranger, good.clone()], "dependencies-unordered"),
        (vec![unknown], "dependency-not-found"),
        (vec![beyond], "dependency-version"),
        (vec![Pinned { component: other, ..good.clone() }], "dependency-differs"),
        (vec![Pinned { terms: other, ..good.clone() }], "dependency-differs"),
    ] {
        send(&stage, &top, pins).await.assert_problem(422, code);
    }
    let closed = leaf("closed", "");
    let closed =
        PackageFiles { manifest: closed.manifest.replace("import = true", "import = false"), ..closed };
    publish(&stage, &closed, &[]).await;
    let above = on("above", &[&closed], "");
    send(&stage, &above, vec![pin(&closed)]).await.assert_problem(422, "dependency-not-importable");
    // The interface is there, and its function of another type.
    let wrong = PackageFiles {
        component: wat::parse_str(
            r#"(component (import "lab:low/ops@1.0.0" (instance (export "run" (func (param "n" u64) (result u32)))))
                (core module $m (func (export "run") (param i32) (result i32) (local.get 0)))
                (core instance $i (instantiate $m))
                (func $run (param "n" u32) (result u32) (canon lift (core func $i "run")))
                (instance $ops (export "run" (func $run)))
                (export "lab:wrong/ops@1.0.0" (instance $ops)))"#,
        )
        .unwrap(),
        wit: Files::new([
            (
                "deps/low/world.wit".to_owned(),
                b"package lab:low@1.0.0;\ninterface ops { run: func(n: u64) -> u32; }\n".to_vec(),
            ),
            (
                "world.wit".to_owned(),
                b"package lab:wrong@1.0.0;\ninterface ops { run: func(n: u32) -> u32; }\nworld it { import lab:low/ops@1.0.0; export ops; }\n".to_vec(),
            ),
        ])
        .unwrap(),
        ..on("wrong", &[&low], "")
    };
    send(&stage, &wrong, vec![good.clone()]).await.assert_problem(422, "import-not-linkable");
    // What was pinned goes on when it is yanked, and is pinned no more.
    publish(&stage, &top, &[&low]).await;
    let release = || "lab:low@1.0.0".parse().unwrap();
    let yank = Yank { release: release(), yanked: true, reason: "loses one".into(), sequence: 1 };
    let yanked = act(&stage, "/v1/packages/lab/low/1.0.0/yank", yank.sign(&publisher())).await;
    assert_eq!(yanked.status, 201, "{}", yanked.text);
    send(&stage, &on("late", &[&low], ""), vec![good.clone()]).await.assert_problem(422, "dependency-yanked");
    let again = async || send(&stage, &top, vec![good.clone()]).await;
    assert_known(&again().await);
    assert_eq!(stage.post(&path("top"), &json!({ "args": [0] })).await.output(), 11);
    // What the operator stopped runs under no name.
    let quarantine =
        Quarantine { release: release(), quarantined: true, reason: "leaks".into(), sequence: 1 };
    let statement = quarantine.sign(&keys().operator);
    let stopped = act(&stage, "/v1/packages/lab/low/1.0.0/quarantine", statement).await;
    assert_eq!(stopped.status, 201, "{}", stopped.text);
    assert_known(&again().await);
    let refused = stage.post(&path("top"), &json!({ "args": [0] })).await;
    let problem = refused.assert_problem(403, "release-quarantined");
    assert!(problem["detail"].as_str().unwrap().contains("lab:low@1.0.0"), "{problem}");
}

#[tokio::test(flavor = "multi_thread")]
async fn those_who_did_the_work_share_what_was_paid_for_it() {
    let stage = Stage::empty().await;
    let terms = payee("lou");
    let long =
        Made { name: "long", version: "1.0.0", rounds: 100_000, imports: &[], often: false, terms: &terms };
    let long = long.package();
    let short = leaf("short", &payee("sam"));
    let fixed = leaf("fixed", &payee("fay"));
    // Has nobody to be paid, and burns all the same.
    let nobody = leaf("nobody", "");
    let terms = "[dependencies]\n\"lab:long\" = { version = \"1\" }\n\"lab:short\" = { version = \"1\" }\n\
        \"lab:fixed\" = { version = \"1\", share = 300 }\n\"lab:nobody\" = { version = \"1\" }\n\n\
        [splits]\ndependencies = 2000\n\n\
        [[price]]\nid = \"run\"\nunit = \"call\"\namount = \"0.01\"\n\n\
        [security]\ncontact = \"a@lab.example\"\nsupport-until = 2029-12-31\n\n";
    let parts = [&fixed, &long, &nobody, &short];
    let top = on("top", &parts, &format!("{terms}{}", payee("ana")));
    for part in parts {
        publish(&stage, part, &[]).await;
    }
    publish(&stage, &top, &parts).await;
    let buyer = stage.buyer("payer", 1).await;
    let reply = buyer.pay(&path("top"), json!([0]), "first").await;
    assert_eq!(reply.output(), 100_031);
    let (bundle, receipt) = reply.receipt();
    let shares: BTreeMap<String, u128> = receipt
        .split
        .iter()
        .map(|share| match &share.to {
            Receiver::Operator => ("operator".into(), share.amount.0),
            Receiver::Payee(id) => (id.clone(), share.amount.0),
        })
        .collect();
    let net = 9_500_000_000_u128;
    assert_eq!(shares["operator"], 500_000_000);
    assert_eq!(shares["acct:fay"], net * 300 / 10_000);
    // Half of the pool is the most that one of them has.
    assert_eq!(shares["acct:lou"], net * 2_000 / 10_000 / 2);
    let fuel = |name: &str| {
        let release = format!("lab:{name}@1.0.0");
        let node = receipt.inner.iter().find(|node| node.release.to_string() == release);
        u128::from(node.unwrap().fuel)
    };
    let exact = net * 2_000 / 10_000 * fuel("short") / (fuel("short") + fuel("long"));
    assert!(shares["acct:sam"].abs_diff(exact) <= 1);
    assert_eq!(shares.values().sum::<u128>(), 10_000_000_000);
    assert_eq!(receipt.split.len(), 5, "{:?}", receipt.split);
    // Each has it in the books.
    for (id, amount) in &shares {
        if let Some(account) = id.strip_prefix("acct:") {
            let account = glassbox_core::ledger::Account::Payee(format!("acct:{account}"));
            assert_eq!(stage.store().balance(&account).await.unwrap().credits, Pico(*amount), "{id}");
        }
    }
    let parts: Vec<&PackageFiles> = parts.to_vec();
    assert!(again(&bundle, &receipt, &top, &parts).await.is_empty());
    // Who takes a share away from another is found out.
    let mut forged = receipt.clone();
    forged.split[1].amount = Pico(forged.split[1].amount.0 - 1);
    forged.split[2].amount = Pico(forged.split[2].amount.0 + 1);
    let forged = Bundle::new(forged.clone(), bundle.opening.clone(), &keys().executor);
    let (report, _) = forged.verify(None);
    assert!(report.checks.iter().any(|check| check.name == "split" && !check.holds));
    let mut without = bundle.clone();
    without.opening.works.clear();
    let (report, _) = without.verify(None);
    assert!(report.checks.iter().any(|check| check.name == "charge" && !check.holds));
    stage.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_pinned_stays_so_when_the_terms_of_a_dependency_or_of_its_importer_change() {
    let stage = Stage::without_sweep().await;
    let low = leaf("low", &payee("lou"));
    let terms = "[dependencies]\n\"lab:low\" = { version = \"1\", share = 300 }\n\n\
        [[price]]\nid = \"run\"\nunit = \"call\"\namount = \"0.01\"\n\n\
        [security]\ncontact = \"a@lab.example\"\nsupport-until = 2029-12-31\n\n";
    let top = on("top", &[&low], &format!("{terms}{}", payee("ana")));
    publish(&stage, &low, &[]).await;
    publish(&stage, &top, &[&low]).await;
    let change = async |package: &PackageFiles, pins: Vec<Pinned>, edit: fn(&mut Terms)| {
        let package = Package::check(package.clone()).unwrap();
        let release = Release { dependencies: pins, ..package.statement() };
        let mut terms = Terms::of(&package.manifest);
        edit(&mut terms);
        let change = TermsChange::new(&release, release.terms, terms);
        let path = format!("/v1/packages/lab/{}/1.0.0/terms", release.release.package.name());
        act(&stage, &path, change.sign(&publisher())).await
    };
    let other_payee = |terms: &mut Terms| terms.payee[0].id = "acct:eve".into();
    assert_eq!(change(&low, Vec::new(), other_payee).await.status, 201);
    let cheaper = |terms: &mut Terms| terms.price[0].amount = Atomic(5_000);
    change(&top, Vec::new(), cheaper).await.assert_problem(422, "statement-differs");
    assert_eq!(change(&top, vec![pin(&low)], cheaper).await.status, 201);

    let buyer = stage.buyer("payer", 1).await;
    let reply = buyer.pay(&path("top"), json!([0]), "first").await;
    assert_eq!(reply.output(), 11);
    let (bundle, receipt) = reply.receipt();
    assert!(receipt.links(&[pin(&low)]));
    assert_eq!(receipt.charge.amount, Atomic(5_000));
    // By the terms that were pinned: whoever imports was promised to nobody else.
    let share = |id: &str| {
        let to = Receiver::Payee(format!("acct:{id}"));
        receipt.split.iter().find(|share| share.to == to).map(|share| share.amount.0)
    };
    assert_eq!((share("lou"), share("eve")), (Some(4_750_000_000 * 300 / 10_000), None));
    sweep(&stage).await;
    complete(&stage, &bundle).await;
    // Who publishes now may pin what stands, or what was resolved before it did.
    let later = |version| on_at("top", version, &[&low], "");
    publish(&stage, &later("1.1.0"), &[&low]).await;
    // But not for ever: the payees who were taken out have no part in what is made without them.
    stage.world.advance(Duration::from_millis(limits::QUOTE_KEPT_MS as u64 + 1));
    let latest = later("1.2.0");
    let refused = send(&stage, &latest, vec![pin(&low)]).await;
    refused.assert_problem(422, "dependency-terms-superseded");
    let standing = stage.get("/v1/log/standing/lab:low").await.json()["standing"]["terms"]["1.0.0"].clone();
    let new = Pinned { terms: serde_json::from_value(standing).unwrap(), ..pin(&low) };
    assert_eq!(send(&stage, &latest, vec![new]).await.status, 201);
    assert_known(&send(&stage, &top, vec![pin(&low)]).await);
    stage.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_wastes_fuel_does_not_earn_by_it() {
    let stage = Stage::empty().await;
    // In its tests it counts to nothing; called with a number, it counts to that.
    let greedy = often("greedy", &[], &payee("guy"));
    let honest = leaf("honest", &payee("hal"));
    let terms = format!(
        "[splits]\ndependencies = 2000\n[[price]]\nid = \"run\"\nunit = \"call\"\namount = \"0.01\"\n\
         [security]\ncontact = \"a@lab.example\"\nsupport-until = 2029-12-31\n{}",
        payee("ana")
    );
    let top = on("top", &[&greedy, &honest], &terms);
    for part in [&greedy, &honest] {
        publish(&stage, part, &[]).await;
    }
    publish(&stage, &top, &[&greedy, &honest]).await;
    let buyer = stage.buyer("payer", 1).await;
    let reply = buyer.pay(&path("top"), json!([3_000_000]), "first").await;
    assert_eq!(reply.output(), 3_000_011);
    let (bundle, receipt) = reply.receipt();
    let share = |receipt: &Receipt, id: &str| {
        let to = Receiver::Payee(format!("acct:{id}"));
        receipt.split.iter().find(|share| share.to == to).unwrap().amount.0
    };
    let [one, other] = &receipt.inner[..] else { panic!("{:?}", receipt.inner) };
    let page = stage.get("/v1/packages/lab/greedy/1.0.0").await.json();
    assert_eq!(json!(one.fuel_baseline), page["tests"]["fuel_baseline"]);
    let counted = 4 * one.fuel_baseline.unwrap();
    assert!(other.fuel < 4 * other.fuel_baseline.unwrap());
    let pool = 9_500_000_000_u128 * 2_000 / 10_000;
    let exact = pool * u128::from(other.fuel) / u128::from(counted + other.fuel);
    assert!(share(&receipt, "hal").abs_diff(exact) <= 1);
    assert!(exact > 10 * pool * u128::from(other.fuel) / u128::from(one.fuel + other.fuel));
    assert_eq!(share(&receipt, "guy"), pool / 2);
    assert!(again(&bundle, &receipt, &top, &[&greedy, &honest]).await.is_empty());
    // Another baseline is another split.
    for baseline in [None, Some(1), Some(one.fuel)] {
        let mut forged = receipt.clone();
        forged.inner[0].fuel_baseline = baseline;
        let forged = Bundle::new(forged, bundle.opening.clone(), &keys().executor);
        let (report, _) = forged.verify(None);
        assert!(report.checks.iter().any(|check| check.name == "split" && !check.holds), "{baseline:?}");
    }
    stage.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_shares_by_fuel_has_tests_to_compare_it_with() {
    let stage = Stage::empty().await;
    let untested = |package: &PackageFiles| PackageFiles { tests: Files::default(), ..package.clone() };
    let each = "[[price]]\nid = \"run\"\nunit = \"call\"\namount = \"0.01\"\n\
        [security]\ncontact = \"a@lab.example\"\nsupport-until = 2029-12-31\n";
    let bare = leaf("bare", &payee("bob"));
    let nobody = leaf("nobody", "");
    let priced = leaf("priced", &format!("{each}{}", payee("pia")));
    for package in [&bare, &nobody, &priced] {
        publish(&stage, &untested(package), &[]).await;
    }
    let through = on("through", &[&bare], "");
    publish(&stage, &through, &[&bare]).await;
    let pool = |dependencies: u32| format!("[splits]\ndependencies = {dependencies}\n{each}{}", payee("ana"));
    // By itself, and by another: both burn what the pool of whoever is called is shared by.
    for import in [&bare, &through] {
        let refused = send(&stage, &on("top", &[import], &pool(2_000)), vec![pin(import)]).await;
        let problem = refused.assert_problem(422, "dependency-untested");
        assert!(problem["detail"].as_str().unwrap().contains("lab:bare@1.0.0"), "{problem}");
        assert!(problem["next"].as_str().unwrap().contains("`share`"), "{problem}");
    }
    // What no fuel is shared with needs no tests for that.
    let named = |name: &str, with: &str| {
        format!("[dependencies]\n\"lab:{name}\" = {{ version = \"1\", {with} }}\n{}", pool(2_000))
    };
    for (name, import, terms) in [
        ("unshared", &bare, pool(0)),
        ("fixed", &bare, named("bare", "share = 300")),
        ("unpaid", &nobody, pool(2_000)),
        ("charged", &priced, named("priced", "calls-max = 3")),
    ] {
        publish(&stage, &on(name, &[import], &terms), &[import]).await;
    }
    // Nor does it matter any more where a later version has some.
    let later = leaf_at("bare", "1.1.0", &payee("bob"));
    publish(&stage, &later, &[]).await;
    publish(&stage, &on("tested", &[&bare], &pool(2_000)), &[&later]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn more_components_than_a_call_may_have_are_refused_first() {
    let stage = Stage::empty().await;
    // Each calls the one below by two ways: 2, 6, 14, 30 and 62 of them.
    let mut below = vec![leaf("a", ""), leaf("b", "")];
    for package in &below {
        publish(&stage, package, &[]).await;
    }
    for (one, other) in [("c", "d"), ("e", "f"), ("g", "h")] {
        let parts: Vec<&PackageFiles> = below.iter().collect();
        let both = vec![on(one, &parts, ""), on(other, &parts, "")];
        for package in &both {
            publish(&stage, package, &parts).await;
        }
        below = both;
    }
    let parts: Vec<&PackageFiles> = below.iter().collect();
    let most = on("most", &parts, "");
    publish(&stage, &most, &parts).await;
    let pins = vec![pin(&below[0]), pin(&below[1]), pin(&most)];
    let parts = [parts[0], parts[1], &most];
    send(&stage, &on("over", &parts, ""), pins).await.assert_problem(422, "dependencies-too-many");
}
