//! What a project uses: pinned in `glassbox.lock`, refused in CI where it may not be used, and thanked.

use std::time::Duration;

use glassbox_core::Atomic;
use glassbox_core::acts::{Act as _, Quarantine, TermsChange, Yank};
use glassbox_core::hashed::Document as _;
use glassbox_core::ledger::Account;
use glassbox_core::manifest::{Manifest, Terms};
use glassbox_registry::{Package, PackageFiles};
use serde_json::{Value, json};

use crate::command::Shell;
use crate::names::act;
use crate::packages::{bench, one_file, publisher};
use crate::stage::{Stage, keys};
use crate::{economy, mirror};

/// Runs the audit. Returns whether it held, and what it found.
fn audit(shell: &Shell) -> (bool, Vec<Value>) {
    audit_with(shell, &[])
}

/// The same with some more arguments.
fn audit_with(shell: &Shell, args: &[&str]) -> (bool, Vec<Value>) {
    let output = shell.run(&[&["audit", "licenses", "--allow", "MIT,Apache-2.0", "--json"], args].concat());
    let said: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)));
    (output.status.success(), said["findings"].as_array().unwrap().clone())
}

fn codes(findings: &[Value]) -> Vec<(&str, bool)> {
    findings.iter().map(|one| (one["code"].as_str().unwrap(), one["warning"].as_bool().unwrap())).collect()
}

fn lock(shell: &Shell) -> String {
    std::fs::read_to_string(shell.folder.path().join("glassbox.lock")).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn ci_refuses_a_licence_that_nobody_took() {
    let offer = "[[offer]]\nid = \"commercial\"\ngrants = \"LicenseRef-Shop-Commercial\"\namount = \"0\"\nterm = \"P1Y\"\n";
    let stage = Stage::of_today().await;
    for package in
        [bench("1.0.0"), economy::goods("LicenseRef-Shop", "", &format!("{offer}{}", economy::PAYEE))]
    {
        stage.publish(&package).await;
    }
    let shell = Shell::new(&stage.url);
    // In another folder than the project's, nothing is well.
    for command in [&["audit", "licenses", "--allow", "MIT"][..], &["lock"]] {
        shell.refused(command, "lock-not-found");
    }
    assert!(!shell.folder.path().join("glassbox.lock").exists(), "begun by nobody");
    let pinned = shell.ok(&["add", "lab:bench"]);
    let page = stage.get("/v1/packages/lab/bench/1.0.0").await.json();
    for field in ["release", "component", "terms"] {
        assert_eq!(pinned[field], page[field], "{field}");
        assert!(lock(&shell).contains(page[field].as_str().unwrap()), "{}", lock(&shell));
    }
    assert_eq!(audit(&shell), (true, Vec::new()));

    shell.ok(&["add", "shop:goods"]);
    let (holds, findings) = audit(&shell);
    assert_eq!((holds, codes(&findings)), (false, vec![("license-not-allowed", false)]));
    let (exit, said) = shell.json(&["audit", "licenses", "--allow", "MIT"]);
    assert_eq!((exit, &said["code"]), (1, &json!("lock-refused")), "{said}");

    // With a licence in hand it may be used: with this one, and for this package.
    shell.ok(&["license", "buy", "shop:goods", "offer:commercial", "--out", "goods.license.json"]);
    shell.refused(&["add", "lab:bench", "--license", "goods.license.json"], "license-refused");
    let held = shell.ok(&["add", "shop:goods", "--license", "goods.license.json"]);
    assert!(lock(&shell).contains(held["license"]["id"].as_str().unwrap()), "{}", lock(&shell));
    assert_eq!(audit(&shell), (true, Vec::new()));
    shell.ok(&["license", "buy", "shop:goods", "offer:commercial", "--out", "goods.license.json"]);
    let (holds, findings) = audit(&shell);
    assert_eq!((holds, codes(&findings)), (false, vec![("license-refused", false)]), "another one");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_page_says_decides_nothing() {
    let stage = Stage::of_today().await;
    stage.publish(&economy::goods("LicenseRef-Shop", "", "")).await;
    // A registry whose page is kinder than what was signed, and than what the log has.
    let kind = |path: &str, said: Vec<u8>| {
        if path != "/v1/packages/shop/goods/1.0.0" && path != "/v1/packages/shop/goods/latest" {
            return said;
        }
        let mut page: Value = serde_json::from_slice(&said).unwrap();
        page["license"] = json!("MIT");
        page.as_object_mut().unwrap().remove("yanked");
        serde_json::to_vec(&page).unwrap()
    };
    let shell = Shell::new(&mirror::passing_on(&stage.url, str::to_owned, kind).await);
    shell.ok(&["add", "shop:goods"]);
    assert_eq!(shell.ok(&["info", "shop:goods"])["license"], "MIT");
    let (holds, findings) = audit(&shell);
    assert_eq!((holds, codes(&findings)), (false, vec![("license-not-allowed", false)]));
    assert!(findings[0]["detail"].as_str().unwrap().contains("`LicenseRef-Shop`"), "{findings:?}");
    let id = "shop:goods@1.0.0".parse().unwrap();
    let yank = Yank { release: id, yanked: true, reason: "loses accents".into(), sequence: 1 };
    let yanked = act(&stage, "/v1/packages/shop/goods/1.0.0/yank", yank.sign(&publisher())).await;
    assert_eq!(yanked.status, 201);
    let (_, findings) = audit(&shell);
    assert_eq!(codes(&findings), [("release-yanked", true), ("license-not-allowed", false)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_edition_is_under_counts_too() {
    let stage = Stage::of_today().await;
    let editions = "[edition.ce]\nlicense = \"Apache-2.0\"\nexports = [\"rows\"]\n\
                    [edition.pro]\nlicense = \"LicenseRef-Shop-Pro\"\nexports = [\"double\"]\n";
    stage.publish(&economy::goods("MIT", "", editions)).await;
    let shell = Shell::new(&stage.url);
    shell.ok(&["add", "shop:goods"]);
    let (holds, findings) = audit(&shell);
    assert_eq!((holds, codes(&findings)), (false, vec![("license-not-allowed", false)]));
    let detail = findings[0]["detail"].as_str().unwrap();
    assert!(detail.contains("edition `pro` is under `LicenseRef-Shop-Pro`"), "{detail}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_licence_that_everybody_may_take_is_what_it_is() {
    let offer = |id: &str, grants: &str| {
        format!("[[offer]]\nid = \"{id}\"\ngrants = \"{grants}\"\namount = \"0\"\nterm = \"P1Y\"\n")
    };
    let offers =
        [offer("gpl", "GPL-3.0-only"), offer("either", "GPL-3.0-only OR LicenseRef-Shop-Commercial")]
            .concat();
    let stage = Stage::of_today().await;
    let license = "GPL-3.0-only OR LicenseRef-Shop-Commercial";
    let source = "[source]\npath = \"src/\"\nmachines = \"free\"\n";
    let goods = economy::goods(license, "", &format!("{source}{offers}{}", economy::PAYEE));
    stage.publish(&PackageFiles { source: Some(one_file("lib.wat", "(component)")), ..goods }).await;
    let shell = Shell::new(&stage.url);
    for (item, found) in [("gpl", vec![("license-not-allowed", false)]), ("either", Vec::new())] {
        let file = format!("{item}.license.json");
        shell.ok(&["license", "buy", "shop:goods", &format!("offer:{item}"), "--out", &file]);
        shell.ok(&["add", "shop:goods", "--license", &file]);
        let (holds, findings) = audit(&shell);
        assert_eq!((holds, codes(&findings)), (found.is_empty(), found), "{item}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_licence_that_is_over_is_refused_after_its_grace() {
    let offer =
        "[[offer]]\nid = \"trial\"\ngrants = \"LicenseRef-Shop-Trial\"\namount = \"0\"\nterm = \"P30D\"\n";
    // Taken a while ago, so that by the command's clock it ended three days ago.
    let stage = Stage::of_days_ago(33).await;
    stage.publish(&economy::goods("LicenseRef-Shop", "", &format!("{offer}{}", economy::PAYEE))).await;
    let body = json!({ "item": "offer:trial" });
    let taken = stage.post("/v1/packages/shop/goods/1.0.0/licenses", &body).await.json();
    stage.world.advance(Duration::from_secs(33 * 24 * 60 * 60));
    // Whatever is published has the log signed again.
    stage.publish(&bench("1.0.0")).await;
    let shell = Shell::new(&stage.url);
    std::fs::write(shell.folder.path().join("trial.json"), taken["license"].to_string()).unwrap();
    shell.ok(&["add", "shop:goods", "--license", "trial.json"]);

    let (holds, findings) = audit(&shell);
    assert_eq!((holds, codes(&findings)), (true, vec![("license-expired", true)]), "within two weeks");
    for (grace, warning) in [("0", false), ("2", false), ("4", true), ("4294967295", true)] {
        let (holds, findings) = audit_with(&shell, &["--grace", grace]);
        assert_eq!((holds, codes(&findings)), (warning, vec![("license-expired", warning)]), "{grace}");
    }
    let (exit, said) = shell.json(&["audit", "licenses", "--grace", "2"]);
    assert_eq!((exit, &said["code"]), (1, &json!("lock-refused")), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gift_is_given_by_a_command() {
    let stage = Stage::of_today().await;
    stage.publish(&economy::goods("MIT", "", &format!("[tips]\naccept = true\n{}", economy::PAYEE))).await;
    let shell = Shell::new(&stage.url);
    shell.ok(&["wallet", "new", "--plain"]);
    shell.ok(&["wallet", "fund", "5"]);
    let (exit, said) = shell.json(&["tip", "give", "shop:goods", "2"]);
    assert_eq!(exit, 3, "nothing is paid that was not allowed: {said}");
    let given = shell.ok(&["tip", "give", "shop:goods", "2", "--max-price", "2"]);
    assert_eq!((&given["release"], &given["charged"]["usd"]), (&json!("shop:goods@1.0.0"), &json!("2")));
    let payee = Account::Payee("acct:ana@shop.example".into());
    assert_eq!(stage.store().balance(&payee).await.unwrap().credits.0, 2_000_000 * 1_000_000);
    stage.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ci_refuses_dearer_terms_and_what_was_stopped() {
    let stage = Stage::of_today().await;
    let package = bench("1.0.0");
    stage.publish(&package).await;
    let shell = Shell::new(&stage.url);
    shell.ok(&["add", "lab:bench"]);
    let before = lock(&shell);

    // What became cheaper since is what was locked, for less.
    let own = Terms::of(&Manifest::parse(&package.manifest).unwrap());
    let mut cheaper = own.clone();
    cheaper.price[0].amount = Atomic(1_000);
    let release = Package::check(package.clone()).unwrap().statement();
    let change = TermsChange::new(&release, own.compute_digest(), cheaper.clone()).sign(&publisher());
    assert_eq!(act(&stage, "/v1/packages/lab/bench/1.0.0/terms", change).await.status, 201);
    assert_eq!(audit(&shell), (true, Vec::new()));
    shell.ok(&["lock"]);
    let after = lock(&shell);
    let (old, new) = (own.compute_digest().to_string(), cheaper.compute_digest().to_string());
    assert!(before.contains(&old) && after.contains(&new) && !after.contains(&old), "{after}");
    assert_eq!(audit(&shell), (true, Vec::new()));

    // Terms that nothing leads here from are not what was agreed to.
    let other = glassbox_core::Digest::of("cheaper still").to_string();
    std::fs::write(shell.folder.path().join("glassbox.lock"), after.replace(&new, &other)).unwrap();
    let (holds, findings) = audit(&shell);
    assert_eq!((holds, codes(&findings)), (false, vec![("terms-dearer", false)]));
    std::fs::write(shell.folder.path().join("glassbox.lock"), &after).unwrap();

    // A yanked release goes on with a warning, one that is stopped does not.
    let id = || "lab:bench@1.0.0".parse().unwrap();
    let yank = Yank { release: id(), yanked: true, reason: "loses accents".into(), sequence: 1 };
    assert_eq!(act(&stage, "/v1/packages/lab/bench/1.0.0/yank", yank.sign(&publisher())).await.status, 201);
    let (holds, findings) = audit(&shell);
    assert_eq!((holds, codes(&findings)), (true, vec![("release-yanked", true)]));
    let stop = Quarantine { release: id(), quarantined: true, reason: "leaks".into(), sequence: 1 };
    let stopped = act(&stage, "/v1/packages/lab/bench/1.0.0/quarantine", stop.sign(&keys().operator)).await;
    assert_eq!(stopped.status, 201);
    let (holds, findings) = audit(&shell);
    assert_eq!((holds, codes(&findings)), (false, vec![("release-quarantined", false)]));

    std::fs::write(shell.folder.path().join("glassbox.lock"), "version = 2\n").unwrap();
    let (exit, said) = shell.json(&["audit", "licenses"]);
    assert_eq!((exit, &said["code"]), (2, &json!("lock-invalid")), "{said}");
}
