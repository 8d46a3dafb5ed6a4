//! What a release may not pin, because of what it does or what became of it: each is refused by its own name, and taken once
//! it may be. What is wrong with a pin itself is in `composition`.

use std::time::Duration;

use glassbox_core::acts::{Act as _, Quarantine};
use glassbox_core::limits;
use glassbox_registry::PackageFiles;
use serde_json::json;

use crate::composition::{leaf, leaf_at, on, on_at, path, pin, publish, send};
use crate::names::act;
use crate::packages::one_file;
use crate::stage::{Stage, keys};

/// Sends a release that pins one other, and insists that it is refused because of `culprit`.
async fn refused(stage: &Stage, package: &PackageFiles, import: &PackageFiles, code: &str, culprit: &str) {
    let problem = send(stage, package, vec![pin(import)]).await.assert_problem(422, code);
    assert!(problem["detail"].as_str().unwrap().contains(culprit), "{problem}");
}

/// Says more in `[component]`.
fn with_component(package: PackageFiles, keys: &str) -> PackageFiles {
    let manifest = package.manifest.replace("import = true", &format!("import = true\n{keys}"));
    PackageFiles { manifest, ..package }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chain_of_imports_has_an_end() {
    let stage = Stage::empty().await;
    let mut chain = vec![leaf("l1", "")];
    publish(&stage, &chain[0], &[]).await;
    while chain.len() < limits::CALL_DEPTH_MAX {
        let below = &chain[chain.len() - 1];
        let next = on(&format!("l{}", chain.len() + 1), &[below], "");
        publish(&stage, &next, &[below]).await;
        chain.push(next);
    }
    // The deepest that there may be runs.
    assert_eq!(stage.post(&path("l8"), &json!({ "args": [0] })).await.output(), 17);
    let deepest = &chain[chain.len() - 1];
    refused(&stage, &on("l9", &[deepest], ""), deepest, "dependency-too-deep", "lab:l8@1.0.0").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_release_is_not_imported_by_what_it_imports() {
    let stage = Stage::empty().await;
    let low = leaf("low", "");
    let top = on("top", &[&low], "");
    publish(&stage, &low, &[]).await;
    publish(&stage, &top, &[&low]).await;
    // Whoever publishes a version a second time could close a circle; `top` itself would still run what it pinned.
    let again = on("low", &[&top], "");
    refused(&stage, &again, &top, "dependency-cycle", "lab:top@1.0.0 rests on lab:low@1.0.0").await;
    // Releases do not change: a later one that imports what imports an earlier one is no circle.
    publish(&stage, &on_at("low", "1.1.0", &[&top], ""), &[&top]).await;
    let reply = stage.post("/v1/call/lab/low/1.1.0/run", &json!({ "args": [0] })).await;
    assert_eq!(reply.output(), 12);
    let (_, receipt) = reply.receipt();
    let ran: Vec<_> = receipt.inner.iter().map(|node| node.release.to_string()).collect();
    assert_eq!(ran, ["lab:top@1.0.0", "lab:low@1.0.0"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_held_is_pinned_once_it_is_let_go() {
    let stage = Stage::empty().await;
    publish(&stage, &leaf("low", ""), &[]).await;
    let asks_for_more = PackageFiles {
        component: wat::parse_str(
            r#"(component
                (import "wasi:clocks/wall-clock@0.2.0" (instance
                    (type $t (record (field "seconds" u64) (field "nanoseconds" u32)))
                    (export "datetime" (type $datetime (eq $t)))
                    (export "now" (func (result $datetime)))))
                (core module $m (func (export "run") (param i32) (result i32) (local.get 0)))
                (core instance $i (instantiate $m))
                (func $run (param "n" u32) (result u32) (canon lift (core func $i "run")))
                (instance $ops (export "run" (func $run)))
                (export "lab:low/ops@1.0.1" (instance $ops)))"#,
        )
        .unwrap(),
        tests: one_file("it.toml", "[[case]]\nname = \"same\"\ncall = \"run(0)\"\nexpect = \"0\"\n"),
        ..leaf_at("low", "1.0.1", "")
    };
    let held = with_component(asks_for_more, "imports-allow = [\"wasi:clocks/wall-clock\"]");
    publish(&stage, &held, &[]).await;
    let top = on("top", &[&held], "");
    refused(&stage, &top, &held, "dependency-held", "lab:low@1.0.1").await;
    stage.world.advance(Duration::from_millis(limits::HOLD_MS as u64 + 1));
    publish(&stage, &top, &[&held]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_ships_files_is_not_imported() {
    let stage = Stage::empty().await;
    let keys = "files = \"data/\"\nimports-allow = [\"wasi:filesystem\"]";
    let ships = PackageFiles { files: Some(one_file("words.txt", "one")), ..leaf("ships", "") };
    let ships = with_component(ships, keys);
    publish(&stage, &ships, &[]).await;
    refused(&stage, &on("top", &[&ships], ""), &ships, "dependency-ships-files", "lab:ships@1.0.0").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_operator_stopped_is_pinned_by_nobody() {
    let stage = Stage::empty().await;
    let low = leaf("low", "");
    let middle = on("middle", &[&low], "");
    publish(&stage, &low, &[]).await;
    publish(&stage, &middle, &[&low]).await;
    let quarantine = async |quarantined: bool, sequence: u64| {
        let release = "lab:low@1.0.0".parse().unwrap();
        let statement = Quarantine { release, quarantined, reason: "leaks".into(), sequence };
        let path = "/v1/packages/lab/low/1.0.0/quarantine";
        let reply = act(&stage, path, statement.sign(&keys().operator)).await;
        assert_eq!(reply.status, 201, "{}", reply.text);
    };
    quarantine(true, 1).await;
    // By itself, and by another.
    for import in [&low, &middle] {
        let top = on("top", &[import], "");
        refused(&stage, &top, import, "dependency-quarantined", "lab:low@1.0.0 cannot run: leaks").await;
    }
    quarantine(false, 2).await;
    publish(&stage, &on("top", &[&middle], ""), &[&middle]).await;
}
