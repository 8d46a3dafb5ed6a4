//! What of the host a component may use: what its manifest declares, as far as the caller allows it, with what it
//! observed on the receipt.

use glassbox_core::Digest;
use glassbox_core::transcript::{Entry, Transcript};
use glassbox_registry::{Code, PackageFiles, replay};
use serde_json::json;

use crate::packages::one_file;
use crate::stage::{Stage, keys, sandbox};

const MANIFEST: &str = r#"
[package]
name = "lab:clock"
version = "1.0.0"
license = "Apache-2.0"

[spec]
world = "clock"

[component]
path = "clock.wasm"
imports-allow = ["wasi:clocks/wall-clock"]
"#;

/// Returns the seconds of the wall clock, or nothing of it where it is not asked to look.
pub(crate) const CLOCK: &str = r#"(component
  (import "wasi:clocks/wall-clock@0.2.0" (instance $clock
    (type $t (record (field "seconds" u64) (field "nanoseconds" u32)))
    (export "datetime" (type $datetime (eq $t)))
    (export "now" (func (result $datetime)))))
  (core module $memory (memory (export "memory") 1))
  (core instance $mem (instantiate $memory))
  (alias core export $mem "memory" (core memory $memory))
  (alias export $clock "now" (func $now))
  (core func $lowered (canon lower (func $now) (memory $memory)))
  (core module $m
    (import "" "now" (func $now (param i32)))
    (import "" "memory" (memory 1))
    (func (export "look") (param i32) (result i32)
      (if (local.get 0) (then (call $now (i32.const 0))))
      (i32.wrap_i64 (i64.load (i32.const 0)))))
  (core instance $i (instantiate $m
    (with "" (instance (export "now" (func $lowered)) (export "memory" (memory $memory))))))
  (func (export "look") (param "times" u32) (result u32) (canon lift (core func $i "look"))))"#;

pub(crate) fn clock() -> PackageFiles {
    PackageFiles {
        manifest: MANIFEST.into(),
        wit: one_file(
            "world.wit",
            "package lab:clock@1.0.0; world clock { export look: func(times: u32) -> u32; }",
        ),
        tests: one_file(
            "clock.toml",
            "[[case]]\nname = \"not looking\"\ncall = \"look(0)\"\nexpect = \"0\"\n",
        ),
        editions: Default::default(),
        documents: Default::default(),
        component: wat::parse_str(CLOCK).unwrap(),
        files: None,
        source: None,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_observed_is_on_the_receipt_and_runs_again() {
    let stage = Stage::empty().await;
    let package = clock();
    stage.publish(&package).await;
    let info = stage.get("/v1/packages/lab/clock/1.0.0").await;
    assert!(info.text.contains("wasi:clocks/wall-clock"), "{}", info.text);

    let reply = stage.post("/v1/call/lab/clock/1.0.0/look", &json!({ "args": [1] })).await;
    assert!(reply.output().as_u64().unwrap() > 1_700_000_000, "a real clock");
    let (bundle, receipt) = reply.receipt();
    assert!(!receipt.pure && receipt.grants == ["wasi:clocks/wall-clock"], "{receipt:?}");
    assert_eq!(receipt.transcript.as_ref().unwrap().entries, 1);
    let code = Code { component: &package.component, files: None, dependencies: &[] };
    let (mut report, _) = bundle.verify(Some(&keys().executor.public()));
    replay(&sandbox(), &bundle, &receipt, code, &mut report).await;
    assert!(report.holds(), "{report:?}");

    // Another answer in its place is found out by the hash, and by the output that comes of it.
    let mut forged = bundle.clone();
    let mut entries = bundle.opening.transcript.as_ref().unwrap().entries().to_vec();
    entries[0].result[0] ^= 1;
    let mut transcript = Transcript::new();
    entries.into_iter().for_each(|entry: Entry| transcript.push(entry).unwrap());
    forged.opening.transcript = Some(transcript);
    let (mut report, _) = forged.verify(Some(&keys().executor.public()));
    replay(&sandbox(), &forged, &receipt, code, &mut report).await;
    let failed: Vec<_> =
        report.checks.iter().filter(|check| !check.holds).map(|check| check.name.as_str()).collect();
    assert_eq!(failed[0], "transcript", "{report:?}");
    assert_eq!(Digest::of(&package.component), receipt.component);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_allows_less_than_is_declared_and_never_more() {
    let stage = Stage::empty().await;
    stage.publish(&clock()).await;
    let call = |body| {
        let stage = &stage;
        async move { stage.post("/v1/call/lab/clock/1.0.0/look", &body).await }
    };
    let refused = call(json!({ "args": [1], "grants": [] })).await;
    refused.assert_problem(422, "guest-import-not-granted");
    let unused = call(json!({ "args": [0], "grants": [] })).await;
    assert!(unused.output() == 0 && unused.receipt().1.pure, "{}", unused.text);
    let more = call(json!({ "args": [1], "grants": ["wasi:clocks", "wasi:random"] })).await;
    assert_eq!(more.receipt().1.grants, ["wasi:clocks/wall-clock"]);
    call(json!({ "args": [1], "grants": ["the moon"] })).await.assert_problem(400, "grants-invalid");
}
