//! Open core: a community edition for everybody, and an enterprise edition with a component of its own behind a plan.

use glassbox_core::Digest;
use glassbox_core::ledger::Account;
use glassbox_registry::{Code, Package, PackageFiles, replay};
use serde_json::json;

use super::examples::{package, sold_whole};
use super::{Customer, net};
use crate::command::{Server, Shell};
use crate::packages::{publisher, request, sign};
use crate::stage::{Stage, keys, sandbox};

const AUDIT: &str = "/v1/packages/ledgerly/audit/1.0.0";

fn call(function: &str) -> String {
    format!("/v1/call/ledgerly/audit/1.0.0/{function}")
}

async fn earned(stage: &Stage) -> u128 {
    let account = Account::Payee("did:web:ledgerly.example".into());
    stage.store().balance(&account).await.unwrap().credits.0
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edition_runs_its_own_component_for_whoever_holds_its_plan() {
    let audit = package("audit");
    let stage = Stage::empty().await;
    stage.publish(&audit).await;
    let enterprise = Digest::of(&audit.editions["ee"]);
    let args = json!({ "args": [4] });
    // The community's part is everybody's, and so is its component; nothing of the other is in it.
    let free = stage.post(&call("add"), &args).await;
    assert_eq!((free.output(), free.receipt().1.component), (json!(5), Digest::of(&audit.component)));
    let bytes = stage.http.get(format!("{}{AUDIT}/component", stage.url)).send().await.unwrap();
    assert_eq!(bytes.bytes().await.unwrap(), audit.component);
    // Nobody else gets anything of the enterprise's, whether it has a price or not.
    let ben = Customer::with(&stage, "ben", "5").await;
    stage.post(&call("sign-in"), &args).await.assert_problem(403, "license-required");
    for function in ["sign-in", "allow", "write"] {
        let refused = ben.post(&call(function), &args).await.assert_problem(403, "license-required");
        assert!(refused["detail"].as_str().unwrap().contains("plan:team"), "{refused}");
    }
    assert_eq!(earned(&stage).await, 0);
    let ana = Customer::with(&stage, "ana", "60").await;
    let bought = ana.post(&format!("{AUDIT}/licenses"), &json!({ "item": "plan:team", "units": 2 })).await;
    assert_eq!(bought.status, 200, "{}", bought.text);
    assert_eq!(earned(&stage).await, net(58_000_000));
    for (function, output) in [("sign-in", 4), ("allow", 4), ("write", 8)] {
        let reply = ana.post(&call(function), &args).await;
        assert_eq!(reply.output(), json!(output), "{function}");
        let (_, receipt) = reply.receipt();
        assert_eq!((receipt.component, receipt.charge.amount.0), (enterprise, 0), "{function}");
    }
    // The receipt is of the component that really ran: with that one it replays, with the other it does not.
    let (bundle, receipt) = ana.post(&call("write"), &args).await.receipt();
    for (component, same) in [(&audit.editions["ee"], true), (&audit.component, false)] {
        let (mut report, _) = bundle.verify(Some(&keys().executor.public()));
        let code = Code { component, files: None, dependencies: &[] };
        replay(&sandbox(), &bundle, &receipt, code, &mut report).await;
        assert_eq!(report.holds(), same, "{report:?}");
    }
    stage.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_takes_them_to_another_registry_pays_once_for_all_components() {
    let stage = Stage::of_today().await;
    stage.publish(&sold_whole("audit", "0.5")).await;
    let ana = Customer::with(&stage, "ana", "5").await;
    let folder = tempfile::tempdir().unwrap();
    let there = Server::start(folder.path(), &[]);
    let shell = Shell::new(&there.url);
    let from = format!("{}/ledgerly:audit@1.0.0", stage.url.strip_prefix("http://").unwrap());
    // Also where it is done again.
    for new in [true, false] {
        let mut command = shell.command(&["republish", &from, "--credit", "--json"]);
        let output = command.env("GLASSBOX_CREDIT", &ana.token).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let taken: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(taken["releases"][0]["new"], new, "{taken}");
        assert_eq!(earned(&stage).await, net(500_000));
    }
    stage.assert_sound().await;
}

/// Publishes what a check at home would have refused.
async fn refused(audit: &PackageFiles) -> String {
    assert!(Package::check(audit.clone()).is_err());
    let stage = Stage::empty().await;
    let honest = sign(&package("audit"), &publisher());
    let problem = stage.post("/v1/publish", &request(audit, honest)).await.json();
    assert_eq!(problem["status"], 422, "{problem}");
    problem["rule"].as_str().or(problem["code"].as_str()).unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_enterprise_is_in_no_component_that_others_have() {
    let audit = package("audit");
    let with = |change: &dyn Fn(&mut PackageFiles)| {
        let mut changed = audit.clone();
        change(&mut changed);
        changed
    };
    let both = "(component
        (core module $m (func (export \"f\") (param i32) (result i32) (local.get 0)))
        (core instance $i (instantiate $m))
        (func $f (param \"n\" u32) (result u32) (canon lift (core func $i \"f\")))
        (instance $core (export \"add\" (func $f)))
        (instance $rbac (export \"allow\" (func $f)) (export \"deny\" (func $f)))
        (export \"ledgerly:audit/core@1.0.0\" (instance $core))
        (export \"ledgerly:audit/rbac@1.0.0\" (instance $rbac)))";
    let both = wat::parse_str(both).unwrap();
    let leaking = with(&|audit| audit.component.clone_from(&both));
    assert_eq!(refused(&leaking).await, "edition-apart");
    let missing = with(&|audit| audit.editions.clear());
    assert_eq!(refused(&missing).await, "edition-file");
    let more = with(&|audit| drop(audit.editions.insert("ce".into(), audit.component.clone())));
    assert_eq!(refused(&more).await, "edition-file");
    // An edition has all that it says.
    let short = with(&|audit| drop(audit.editions.insert("ee".into(), both.clone())));
    assert_eq!(refused(&short).await, "world-mismatch");
    // The statement speaks of each component.
    let other = with(&|audit| audit.editions.get_mut("ee").unwrap().extend([0, 3, 1, b'x', 0]));
    let stage = Stage::empty().await;
    let honest = sign(&audit, &publisher());
    let differs = stage.post("/v1/publish", &request(&other, honest)).await;
    let differs = differs.assert_problem(422, "statement-differs");
    assert!(differs["detail"].as_str().unwrap().contains("edition"), "{differs}");
    let part = with(&|audit| {
        audit.manifest = audit.manifest.replace("\"ledgerly:audit/rbac\"", "\"ledgerly:audit/rbac#allow\"");
    });
    assert_eq!(refused(&part).await, "edition-whole");
    // What a function requires must not depend on which of its names is looked at.
    let overlapping = with(&|audit| {
        audit.manifest =
            audit.manifest.replace("[\"ledgerly:audit/core\"]", "[\"ledgerly:audit/core\", \"allow\"]");
    });
    assert_eq!(refused(&overlapping).await, "edition-exports");
}
