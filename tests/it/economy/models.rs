//! The models that have no scenario of their own elsewhere: source-available works, knowledge, docs that lead to a product,
//! hosting by whoever may.

use glassbox_core::hashed::Document as _;
use glassbox_core::key::SecretKey;
use glassbox_core::ledger::Account;
use glassbox_core::license::License;
use glassbox_core::manifest::{Manifest, Terms};
use glassbox_registry::{Package, PackageFiles};
use serde_json::json;

use super::{Customer, PAYEE, earned, goods, net, path, priced, stage_with};
use crate::packages::{one_file, publisher, request, sign};
use crate::stage::Stage;

const GOODS: &str = "/v1/packages/shop/goods/1.0.0";

/// Adds keys to `[package]`.
fn with_package(files: PackageFiles, keys: &str) -> PackageFiles {
    let manifest = files.manifest.replacen("[spec]", &format!("{keys}[spec]"), 1);
    PackageFiles { manifest, ..files }
}

const BUSL: &str =
    "deny-use = [\"hosting-competitor\"]\nchange-license = \"Apache-2.0\"\nchange-date = 2030-01-01\n";

fn source_available(license: &str) -> PackageFiles {
    let rest = format!(
        "[source]\npath = \"src/\"\nmachines = \"free\"\n\
         [upstream]\nallow-forks = false\n\
         [[offer]]\nid = \"hosting\"\ngrants = \"LicenseRef-Shop-Hosting\"\non = \"download\"\nunit = \"copy\"\n\
         amount = \"500\"\nscope = \"organisation\"\nterm = \"P1Y\"\n{PAYEE}"
    );
    let files = goods(license, "execute = [\"remote\", \"local\"]", &rest);
    PackageFiles { source: Some(one_file("lib.wat", "(component)")), ..with_package(files, BUSL) }
}

#[tokio::test(flavor = "multi_thread")]
async fn source_available_is_read_and_run_by_all_and_hosted_for_a_licence() {
    let files = source_available("BUSL-1.1");
    let (stage, elsewhere) = (Stage::empty().await, Stage::elsewhere().await);
    // For one registry, as `glassbox publish` signs what no other may host.
    let signed_for = |stage: &Stage| {
        let mut release = Package::check(files.clone()).unwrap().statement();
        release.registry = Some(stage.registry.log_verifier_key());
        request(&files, release.sign(&publisher()))
    };
    assert_eq!(stage.post("/v1/publish", &signed_for(&stage)).await.status, 201);
    let competitor = async || elsewhere.post("/v1/publish", &signed_for(&stage)).await;
    competitor().await.assert_problem(403, "operator-not-allowed");
    assert_eq!(elsewhere.get(GOODS).await.status, 404);
    for lane in ["source", "component"] {
        assert_eq!(stage.get(&format!("{GOODS}/{lane}")).await.status, 200, "{lane}");
    }
    assert_eq!(stage.post(&path("double"), &json!({ "args": [4] })).await.output(), 8);
    // What it denies, and when that ends, is signed with everything else.
    let terms = Terms::of(&Manifest::parse(&files.manifest).unwrap());
    assert!(terms.more.deny_use.contains("hosting-competitor"));
    assert_eq!(terms.more.change_license.as_deref(), Some("Apache-2.0"));
    let page = stage.get(GOODS).await.json();
    assert_eq!(page["terms"], terms.compute_digest().to_string());
    assert_eq!(page["for_sale"][0]["item"], "offer:hosting");
    let hoster = Customer::with(&stage, "hoster", "99").await;
    let licenses = format!("{GOODS}/licenses");
    hoster.post(&licenses, &json!({ "item": "offer:hosting" })).await.assert_problem(402, "credit-short");
    assert_eq!(earned(&stage).await, 0);
    let rich = stage.buyer("rich", 600).await;
    let body = json!({ "item": "offer:hosting", "licensee": "Clouds Ltd" });
    let asked = rich.send(&licenses, &body, None).await;
    let payment = glassbox_pay::x402::encode(&rich.answer(&asked.required(), "hosting"));
    let bought = rich.send(&licenses, &body, Some(&payment)).await.json();
    let held = License::open(&serde_json::from_value(bought["license"].clone()).unwrap()).unwrap();
    assert_eq!(held.grants.as_deref(), Some("LicenseRef-Shop-Hosting"));
    assert_eq!(earned(&stage).await, net(500_000_000));
    // The hoster has it from its publisher, who signs it for the hoster's registry; what is for another stays refused.
    competitor().await.assert_problem(403, "operator-not-allowed");
    assert_eq!(elsewhere.post("/v1/publish", &signed_for(&elsewhere)).await.status, 201);
    assert_eq!(elsewhere.post(&path("double"), &json!({ "args": [4] })).await.output(), 8);
    assert_eq!((earned(&elsewhere).await, earned(&stage).await), (0, net(500_000_000)));
    // A fork is refused, and so is the same under a licence that denies nothing.
    let fork = format!(
        "[[derived-from]]\nrelease = \"shop:goods@1.0.0\"\nterms = \"{}\"\nshare = 0\n",
        terms.compute_digest()
    );
    let fork = crate::derived::own("copy", &fork);
    let refused = stage.post("/v1/publish", &request(&fork, sign(&fork, &publisher()))).await;
    refused.assert_problem(422, "fork-denied");
    let open = source_available("MIT");
    let honest = sign(&priced(""), &publisher());
    let anywhere = files.manifest.replacen("[component]", "[component]\noperators = \"any\"", 1);
    let anywhere = PackageFiles { manifest: anywhere, ..files.clone() };
    for (wrong, rule) in [(open, "osi-deny-use"), (anywhere, "deny-use-operators")] {
        let refused = stage.post("/v1/publish", &request(&wrong, honest.clone())).await;
        assert_eq!(refused.assert_problem(422, "manifest-invalid")["rule"], rule);
    }
    elsewhere.assert_sound().await;
    stage.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn knowledge_is_free_and_names_whoever_wrote_it() {
    let rest = "[tips]\naccept = true\n\
        [[payee]]\nid = \"acct:ana@shop.example\"\nshare = 6000\nrole = \"wrote the answers\"\n\
        [[payee]]\nid = \"acct:ben@shop.example\"\nshare = 4000\nrole = \"wrote the examples\"\n";
    let files =
        with_package(goods("CC-BY-4.0", "", rest), "kind = \"knowledge\"\nauthors = [\"Ana\", \"Ben\"]\n");
    let stage = stage_with(&files).await;
    for lane in ["wit", "tests", "manifest"] {
        assert_eq!(stage.get(&format!("{GOODS}/{lane}")).await.status, 200, "{lane}");
    }
    let page = stage.get(GOODS).await.json();
    assert_eq!((&page["license"], &page["authors"]), (&json!("CC-BY-4.0"), &json!(["Ana", "Ben"])));
    assert_eq!(stage.post(&path("double"), &json!({ "args": [4] })).await.output(), 8);
    let ana = Customer::with(&stage, "reader", "5").await;
    assert_eq!(ana.post(&format!("{GOODS}/tips"), &json!({ "usd": "1" })).await.status, 200);
    for (id, share) in [("acct:ana@shop.example", 6), ("acct:ben@shop.example", 4)] {
        let balance = stage.store().balance(&Account::Payee(id.into())).await.unwrap();
        assert_eq!(balance.credits.0, 1_000_000 * 1_000_000 * share / 10, "{id}");
    }
    // Nobody else puts a name of their own on it, and takes the gifts.
    let taken = PackageFiles { manifest: files.manifest.replace("acct:ana@", "acct:eve@"), ..files.clone() };
    let signed = sign(&taken, &SecretKey::from_seed(&[66; 32]));
    stage.post("/v1/publish", &request(&taken, signed)).await.assert_problem(403, "namespace-taken");
    stage.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn docs_are_free_and_say_what_is_for_sale() {
    let rest = "[[price]]\nid = \"copy\"\non = \"download\"\nunit = \"copy\"\namount = \"0.5\"\n\
        [[offer]]\nid = \"pro\"\ngrants = \"LicenseRef-Shop\"\non = \"download\"\nunit = \"copy\"\namount = \"9\"\n\
        [[plan]]\nid = \"team\"\namount = \"2\"\nunit = \"seat\"\nincludes = [\"download:*\"]\n";
    let files = goods("LicenseRef-Shop", "execute = [\"remote\", \"local\"]", &format!("{rest}{PAYEE}"));
    let stage = stage_with(&files).await;
    assert_eq!(stage.get(&format!("{GOODS}/wit")).await.status, 200);
    let page = stage.get(GOODS).await.json();
    let expected = json!([
        { "item": "plan:team", "price": { "amount": "2000000", "usd": "2" }, "unit": "seat" },
        { "item": "offer:pro", "price": { "amount": "9000000", "usd": "9" }, "unit": "copy", "grants": "LicenseRef-Shop" },
    ]);
    assert_eq!(page["for_sale"], expected);
    // Whoever takes the product itself pays, and nobody else earns.
    stage.get(&format!("{GOODS}/component")).await.assert_problem(402, "payment-required");
    assert_eq!(earned(&stage).await, 0);
    let agent = Customer::with(&stage, "agent", "10").await;
    let bought = agent.post(&format!("{GOODS}/licenses"), &json!({ "item": "offer:pro" })).await;
    assert_eq!((bought.status, earned(&stage).await), (200, net(9_000_000)));
    stage.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn hosting_is_paid_by_use_and_the_component_stays() {
    let stage: Stage = stage_with(&priced(
        "[[price]]\nid = \"run\"\nunit = \"fuel\"\namount = \"0.001\"\nper = 1_000\nmax-per-call = \"1\"\n",
    ))
    .await;
    stage.get(&format!("{GOODS}/component")).await.assert_problem(403, "component-not-downloadable");
    let ana = Customer::with(&stage, "ana", "5").await;
    let reply = ana.call("double", 4).await;
    let (_, receipt) = reply.receipt();
    assert_eq!(receipt.charge.amount.0, u128::from(receipt.fuel_used));
    let operator = stage.store().balance(&Account::Operator).await.unwrap().credits.0;
    let charged = receipt.charge.amount.0;
    // The operator that runs it has its fee, the owner the rest.
    assert_eq!((earned(&stage).await, operator), (net(charged), charged * 1_000_000 - net(charged)));
    stage.assert_sound().await;
}
