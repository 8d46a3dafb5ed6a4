//! Manifests that contradict themselves are refused at the door, by the name of the rule.

use glassbox_registry::PackageFiles;

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
    ] {
        let problem = refused(&stage, &package).await;
        assert_eq!(problem["rule"], rule, "{problem}");
    }
}
