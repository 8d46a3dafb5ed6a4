//! Works that derive from works: who may, what they owe, and that the roots are paid.

use std::collections::BTreeMap;
use std::time::Duration;

use glassbox_core::acts::{Act as _, Quarantine, Yank};
use glassbox_core::hashed::Document as _;
use glassbox_core::ledger::Account;
use glassbox_core::manifest::{Manifest, Terms};
use glassbox_core::split::Receiver;
use glassbox_core::{Atomic, Digest, Pico};
use glassbox_pay::x402;
use glassbox_registry::PackageFiles;
use serde_json::json;

use crate::buyer::Reply;
use crate::command::Shell;
use crate::composition::{assert_known, leaf, path, payee, send};
use crate::names::act;
use crate::packages::publisher;
use crate::receipts::stranger;
use crate::stage::{Stage, keys};

/// A call costs a cent, a download half a dollar, a licence two.
const PRICES: &str = "[[price]]\nid = \"run\"\nunit = \"call\"\namount = \"0.01\"\n\
    [[price]]\nid = \"copy\"\non = \"download\"\nunit = \"download\"\namount = \"0.5\"\n\
    [[offer]]\nid = \"commercial\"\ngrants = \"LicenseRef-Lab\"\non = \"download\"\nunit = \"copy\"\namount = \"2\"\n\
    [security]\ncontact = \"a@lab.example\"\nsupport-until = 2029-12-31\n";

/// Requires a tenth of what a fork receives, where the fork appears within a year.
const REQUIRED: &str = "[upstream]\nroyalty = { share = 1000, mode = \"required\", term = \"P1Y\" }\n";

/// What a fork has after a fee of 5 % from a call.
const NET: u128 = 9_500_000_000;

/// Makes `lab:{name}` under a licence of its own.
pub(crate) fn own(name: &str, terms: &str) -> PackageFiles {
    let files = leaf(name, terms);
    let manifest = files.manifest.replace("Apache-2.0", "LicenseRef-Lab");
    let manifest = manifest.replace("import = true", "execute = [\"remote\", \"local\"]\nimport = true");
    PackageFiles { manifest, ..files }
}

/// Makes `lab:{name}` with prices, which pays its publisher and owes `share` to each of `parents`.
pub(crate) fn fork(name: &str, parents: &[(&PackageFiles, u32)], terms: &str) -> PackageFiles {
    let parents: String = parents.iter().map(|(parent, share)| derived_from(parent, *share)).collect();
    own(name, &format!("{terms}{parents}{PRICES}{}", payee(name)))
}

fn derived_from(parent: &PackageFiles, share: u32) -> String {
    let terms = Terms::of(&Manifest::parse(&parent.manifest).unwrap());
    entry(&terms.release.to_string(), terms.compute_digest(), share)
}

fn entry(release: &str, terms: Digest, share: u32) -> String {
    format!("[[derived-from]]\nrelease = \"{release}\"\nterms = \"{terms}\"\nshare = {share}\n")
}

async fn refused(stage: &Stage, package: &PackageFiles, code: &str) {
    send(stage, package, Vec::new()).await.assert_problem(422, code);
}

/// Returns what each payee has earned so far.
async fn earned<const N: usize>(stage: &Stage, names: [&str; N]) -> [u128; N] {
    let mut earned = [0; N];
    for (earned, name) in earned.iter_mut().zip(names) {
        let account = Account::Payee(format!("acct:{name}"));
        *earned = stage.store().balance(&account).await.unwrap().credits.0;
    }
    earned
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chain_of_forks_pays_its_root_from_all_that_it_earns() {
    let stage = Stage::empty().await;
    let root = fork("root", &[], REQUIRED);
    let middle = fork("middle", &[(&root, 1_000)], "");
    let top = fork("top", &[(&middle, 2_000)], "[tips]\naccept = true\n");
    for package in [&root, &middle, &top] {
        stage.publish(package).await;
    }
    let buyer = stage.buyer("payer", 10).await;
    let names = ["root", "middle", "top"];

    let reply = buyer.pay(&path("top"), json!([0]), "call").await;
    let (bundle, receipt) = reply.receipt();
    let of_call = [NET / 50, NET / 5 - NET / 50, NET - NET / 5];
    let shares: BTreeMap<_, _> = receipt.split.iter().map(|share| (share.to.clone(), share)).collect();
    for (name, amount) in names.iter().zip(of_call) {
        let share = shares[&Receiver::Payee(format!("acct:{name}"))];
        assert_eq!(share.amount, Pico(amount), "{name}");
        let through = share.through.as_ref().map(ToString::to_string);
        assert_eq!(through, (*name != "top").then(|| format!("lab:{name}")));
    }
    assert_eq!(earned(&stage, names).await, of_call);
    assert_eq!(bundle.opening.works.len(), 2);

    // Whoever has the bundle alone comes to the same, and to another without the terms of the parents.
    let shell = Shell::new(&stage.url);
    let file = shell.folder.path().join("receipt.json");
    std::fs::write(&file, serde_json::to_vec(&bundle).unwrap()).unwrap();
    shell.ok(&["verify", "receipt.json"]);
    let (agrees, said) = stranger(&[&file]).await;
    assert!(agrees, "{said}");
    let mut without = bundle.clone();
    without.opening.works.clear();
    let (report, _) = without.verify(None);
    assert!(report.checks.iter().any(|check| check.name == "split" && !check.holds));

    // What is sold and not run is shared alike.
    let component = "/v1/packages/lab/top/1.0.0/component";
    let asked = stage.get(component).await;
    let payment = x402::encode(&buyer.answer(&asked.required(), "copy"));
    let bought = buyer.ask(component, &payment).await;
    assert_eq!(bought.status, 200, "{}", bought.text);
    let of_copy = of_call.map(|amount| amount * 50);
    assert_eq!(earned(&stage, names).await, [0, 1, 2].map(|n| of_call[n] + of_copy[n]));
    let licenses = "/v1/packages/lab/top/1.0.0/licenses";
    let body = json!({ "item": "offer:commercial" });
    let asked = buyer.send(licenses, &body, None).await;
    let payment = x402::encode(&buyer.answer(&asked.required(), "license"));
    let bought = buyer.send(licenses, &body, Some(&payment)).await;
    assert_eq!(bought.status, 200, "{}", bought.text);
    assert_eq!(earned(&stage, names).await, of_call.map(|amount| amount * 251));
    // A gift is for whom it is given to.
    let tips = "/v1/packages/lab/top/1.0.0/tips";
    let body = json!({ "usd": "1" });
    let asked = buyer.send(tips, &body, None).await;
    let payment = x402::encode(&buyer.answer(&asked.required(), "tip"));
    assert_eq!(buyer.send(tips, &body, Some(&payment)).await.status, 200);
    let given = 1_000_000_000_000;
    assert_eq!(earned(&stage, names).await, [0, 1, 2].map(|n| of_call[n] * 251 + [0, 0, given][n]));
    stage.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fork_that_cannot_be_is_refused_by_name() {
    let stage = Stage::empty().await;
    let root = fork("root", &[], REQUIRED);
    let closed = fork("closed", &[], "[upstream]\nallow-forks = false\n");
    let asking = fork("asking", &[], "[upstream]\nroyalty = { share = 1000, mode = \"requested\" }\n");
    for package in [&root, &closed, &asking] {
        stage.publish(package).await;
    }
    let manifest = |terms: &str| fork("fork", &[], terms);
    let digest = Terms::of(&Manifest::parse(&root.manifest).unwrap()).compute_digest();
    for (package, code) in [
        (manifest(&entry("lab:nobody@1.0.0", digest, 1_000)), "parent-not-found"),
        (manifest(&entry("lab:root@1.0.1", digest, 1_000)), "parent-not-found"),
        (manifest(&entry("lab:root@1.0.0", Digest::of("others"), 1_000)), "parent-differs"),
        (manifest(&entry("lab:asking@1.0.0", digest, 1_000)), "parent-differs"),
        (fork("fork", &[(&closed, 3_000)], ""), "fork-denied"),
        (fork("fork", &[(&root, 999)], ""), "royalty-too-low"),
        (fork("fork", &[(&root, 0)], ""), "royalty-too-low"),
    ] {
        refused(&stage, &package, code).await;
    }
    // A wish is none that must be granted, and what was required is so for a year.
    stage.publish(&fork("other", &[(&asking, 0)], "")).await;
    stage.publish(&fork("fork", &[(&root, 1_000)], "")).await;
    stage.world.advance(Duration::from_secs(364 * 86_400));
    refused(&stage, &fork("late", &[(&root, 0)], ""), "royalty-too-low").await;
    stage.world.advance(Duration::from_secs(86_400));
    stage.publish(&fork("late", &[(&root, 0)], "")).await;

    let release = || "lab:root@1.0.0".parse().unwrap();
    let yank = Yank { release: release(), yanked: true, reason: "wrong".into(), sequence: 1 };
    let marked = |reply: Reply| assert_eq!(reply.status, 201, "{}", reply.text);
    // What is published already stays so, and is only said again.
    let again = async || send(&stage, &fork("fork", &[(&root, 1_000)], ""), Vec::new()).await;
    marked(act(&stage, "/v1/packages/lab/root/1.0.0/yank", yank.sign(&publisher())).await);
    refused(&stage, &fork("later", &[(&root, 1_000)], ""), "parent-yanked").await;
    assert_known(&again().await);
    let back = Yank { release: release(), yanked: false, reason: "right".into(), sequence: 2 };
    marked(act(&stage, "/v1/packages/lab/root/1.0.0/yank", back.sign(&publisher())).await);
    let quarantine =
        Quarantine { release: release(), quarantined: true, reason: "leaks".into(), sequence: 1 };
    let statement = quarantine.sign(&keys().operator);
    marked(act(&stage, "/v1/packages/lab/root/1.0.0/quarantine", statement).await);
    refused(&stage, &fork("later", &[(&root, 1_000)], ""), "parent-quarantined").await;
    assert_known(&again().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn works_have_few_ways_to_their_roots() {
    let stage = Stage::empty().await;
    let mut level: Vec<PackageFiles> = Vec::new();
    // Each generation derives from all of the one before: 2, 6, 14 and 30 ways, and 62.
    for generation in 0..5 {
        let parents: Vec<_> = level.iter().map(|parent| (parent, 1_000)).collect();
        let made = [format!("a{generation}"), format!("b{generation}")].map(|name| fork(&name, &parents, ""));
        for package in &made {
            stage.publish(package).await;
        }
        level = made.into();
        // Not in a burst, which would be held.
        stage.world.advance(Duration::from_secs(7_200));
    }
    let buyer = stage.buyer("payer", 1).await;
    let receipt = buyer.pay(&path("a4"), json!([0]), "call").await.receipt().1;
    assert_eq!(receipt.split.len(), 2 + 30);
    let parents: Vec<_> = level.iter().map(|parent| (parent, 1_000)).collect();
    refused(&stage, &fork("a5", &parents, ""), "parents-too-many").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dispute_about_a_work_keeps_what_it_earned_wherever_it_did_and_nobody_elses() {
    let stage = Stage::without_sweep().await;
    let root = fork("root", &[], REQUIRED);
    let middle = fork("middle", &[(&root, 1_000)], "");
    let top = fork("top", &[(&middle, 2_000)], "");
    for package in [&root, &middle, &top] {
        stage.publish(package).await;
    }
    let buyer = stage.buyer("payer", 10).await;
    let call = buyer.pay(&path("top"), json!([0]), "call").await.json()["call"].as_str().unwrap().to_owned();
    let frozen = async |name: &str| {
        let package = format!("lab:{name}").parse().unwrap();
        stage.registry.freeze(&package, true, "a dispute").await.unwrap();
        let found = stage.store().frozen().await.unwrap();
        stage.registry.freeze(&package, false, "it is over").await.unwrap();
        let some = found.into_iter().filter(|(_, pico)| *pico > Pico::ZERO);
        some.map(|(account, pico)| (account.to_string(), pico.0)).collect::<Vec<_>>()
    };
    let of = |name: &str, pico: u128| (format!("payee:acct:{name}"), pico);
    assert_eq!(frozen("root").await, [of("root", NET / 50)]);
    assert_eq!(frozen("middle").await, [of("middle", NET / 5 - NET / 50)]);
    assert_eq!(frozen("top").await, [of("top", NET - NET / 5), ("operator".to_owned(), NET / 19)]);
    // What goes back goes back of each work.
    for (total, left) in [(5_000, NET / 100), (10_000, 0)] {
        stage.registry.refund(&call, Some(Atomic(total)), "a test").await.unwrap();
        let expected = (left > 0).then(|| of("root", left));
        assert_eq!(frozen("root").await, Vec::from_iter(expected), "{total}");
    }
    stage.registry.reconcile().await;
    stage.assert_sound().await;
}
