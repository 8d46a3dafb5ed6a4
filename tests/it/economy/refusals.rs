//! Manifests that contradict themselves are refused at the door, by the name of the rule.

use glassbox_registry::package::Package;
use glassbox_registry::{PackageFiles, PublishError};

use super::{PAYEE, goods, priced};
use crate::packages::{publisher, request};
use crate::stage::Stage;

/// Publishes what is not a package, as somebody would who left out the check at home.
async fn refused(stage: &Stage, package: &PackageFiles) -> serde_json::Value {
    let honest = crate::packages::sign(&priced(""), &publisher());
    stage.post("/v1/publish", &request(package, honest)).await.assert_problem(422, "manifest-invalid")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_names_its_rule() {
    let stage = Stage::empty().await;
    let free = |license: &str, component: &str, rest: &str| goods(license, component, rest);
    for (package, rule) in [
        (free("GPL-3.0-only", "", ""), "copyleft-source"),
        (free("Proprietary", "", ""), "license-spdx"),
        (free("MIT", "", "[upstream]\nroyalty = { share = 500, mode = \"required\" }\n"), "osi-royalty"),
        (
            free("BUSL-1.1", "", "[upstream]\nroyalty = { share = 3001, mode = \"required\" }\n"),
            "royalty-cap",
        ),
        (priced("[[price]]\nid = \"a\"\nunit = \"event:row\"\namount = \"1\"\n"), "price-event-max"),
        (priced("[[price]]\nid = \"a\"\nunit = \"call\"\namount = \"0.0000001\"\n"), "amount-decimals"),
        (free("MIT", "", "[settlement]\ncurrency = \"EUR\"\n"), "currency"),
        (
            goods(
                "LicenseRef-Shop",
                "execute = [\"remote\", \"local\"]",
                &format!(
                    "[edition.ee]\nexports = [\"double\"]\nexecute = [\"remote\"]\nrequires = \"plan:team\"\n\
                     [[plan]]\nid = \"team\"\namount = \"29\"\nincludes = [\"edition:ee\"]\n{PAYEE}"
                ),
            ),
            "edition-component",
        ),
        (priced("[edition.ee]\nexports = [\"double\"]\npath = \"ee.wasm\"\n"), "edition-file"),
        (priced("[edition.ee]\nexports = [\"triple\"]\n"), "export-exists"),
        (free("MIT", "deterministic = true\nimports-allow = [\"wasi:random\"]", ""), "deterministic-grants"),
        (free("MIT", "", "[[payee]]\nid = \"acct:ana\"\nshare = 9999\n"), "payees-sum"),
        (
            priced(
                "[splits]\ndependencies = 5000\n[dependencies]\n\"a:b\" = { version = \"1\", share = 3001 }\n",
            ),
            "splits-floor",
        ),
        (priced(&parents(&["shop:one@1.0.0", "shop:two@1.0.0"], 1_501)), "royalty-cap"),
        (priced(&parents(&["shop:goods@1.0.0"], 1_000)), "derived-from-self"),
        (priced("[dependencies]\n\"shop:goods\" = { version = \"1\" }\n"), "dependency-self"),
        (priced("[dependencies]\n\"a:b\" = { version = \"1\", metered = false }\n"), "dependency-metered"),
        (free("MIT", "", "[source]\npath = \"src/\"\nhumans = \"metered\"\n"), "source-humans"),
    ] {
        let problem = refused(&stage, &package).await;
        assert_eq!(problem["rule"], rule, "{problem}");
        assert!(problem["next"].as_str().is_some_and(|next| !next.is_empty()), "{problem}");
    }
    assert_eq!(stage.registry.checkpoint().size, 0);
}

/// Writes that it derives from works, and owes as much to each.
fn parents(releases: &[&str], share: u32) -> String {
    let terms = glassbox_core::Digest::of("their terms");
    let entry = |release: &&str| {
        format!("[[derived-from]]\nrelease = \"{release}\"\nterms = \"{terms}\"\nshare = {share}\n")
    };
    releases.iter().map(entry).collect()
}

#[test]
fn what_is_promised_to_be_deterministic_is_told_nothing_from_outside() {
    let check = |allow: &str, promise: bool| {
        let allow = format!("deterministic = {promise}\nimports-allow = [{allow:?}]");
        let rules =
            if allow.contains("outgoing") { "[[component.http]]\nhost = \"api.example.com\"\n" } else { "" };
        Package::check(goods("MIT", &allow, rules)).map(|package| package.listing().is_pure())
    };
    // A whole package, too, and a version.
    for allow in [
        "wasi",
        "wasi:cli",
        "wasi:cli/environment",
        "wasi:clocks/monotonic-clock@0.2.0",
        "wasi:clocks/wall-clock",
        "wasi:http/outgoing-handler",
        "wasi:random/insecure",
        "wasi:random/insecure-seed",
        "wasi:random/random",
    ] {
        match check(allow, true) {
            Err(PublishError::Manifest(error)) => assert_eq!(error.rule, "deterministic-grants", "{error}"),
            other => panic!("{allow}: {other:?}"),
        }
        assert!(check(allow, false).is_ok(), "{allow}");
    }
    for allow in ["wasi:cli/stdout", "wasi:filesystem", "wasi:http/types", "wasi:io"] {
        assert!(check(allow, true).unwrap(), "{allow}");
    }
}
