//! Releases that are held: a patch that asks for more, and a key that releases everything at once.

use std::time::Duration;

use glassbox_core::Digest;
use glassbox_core::acts::{Act as _, Confirmation, NamespacePolicy, Yank};
use glassbox_core::dsse::Envelope;
use glassbox_core::key::SecretKey;
use glassbox_core::limits;
use glassbox_registry::PackageFiles;
use glassbox_store::Moment;
use serde_json::{Value, json};

use crate::grants::CLOCK;
use crate::names::{act, key};
use crate::packages::{self, one_file, publisher};
use crate::stage::{Stage, Sweep};

/// Never looks at the clock.
const PURE: &str = r#"(component
  (core module $m (func (export "look") (param i32) (result i32) (i32.const 0)))
  (core instance $i (instantiate $m))
  (func (export "look") (param "times" u32) (result u32) (canon lift (core func $i "look"))))"#;

fn package(name: &str, version: &str, component: &str, declared: &str) -> PackageFiles {
    PackageFiles {
        manifest: format!(
            "[package]\nname = \"lab:{name}\"\nversion = \"{version}\"\nlicense = \"Apache-2.0\"\n\n[spec]\nworld = \"w\"\n\n\
             [component]\npath = \"c.wasm\"\n{declared}"
        ),
        wit: one_file(
            "world.wit",
            format!("package lab:{name}@{version}; world w {{ export look: func(times: u32) -> u32; }}"),
        ),
        tests: one_file("look.toml", "[[case]]\nname = \"no\"\ncall = \"look(0)\"\nexpect = \"0\"\n"),
        editions: Default::default(),
        component: wat::parse_str(component).unwrap(),
        files: None,
        source: None,
    }
}

fn pure(version: &str) -> PackageFiles {
    package("clock", version, PURE, "")
}

fn looking(version: &str) -> PackageFiles {
    let mut files = package("clock", version, CLOCK, "imports-allow = [\"wasi:clocks/wall-clock\"]\n");
    files.manifest = files.manifest.replacen("license", "description = \"A sundial\"\nlicense", 1);
    files
}

async fn latest(stage: &Stage) -> Value {
    stage.get("/v1/packages/lab/clock/latest").await.json()["release"].clone()
}

async fn look(stage: &Stage, version: &str, body: Value) -> crate::buyer::Reply {
    stage.post(&format!("/v1/call/lab/clock/{version}/look"), &body).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_patch_that_asks_for_more_is_held_and_no_agent_is_upgraded_into_it() {
    let stage = Stage::empty().await;
    stage.publish(&pure("1.0.0")).await;
    let published = stage.publish(&looking("1.0.1")).await;
    let reason = published["held"]["reasons"][0].as_str().unwrap();
    assert!(reason.contains("wasi:clocks/wall-clock") && reason.contains("1.0.0"), "{reason}");
    assert!(published["held"]["next"].as_str().unwrap().contains("second key"));
    // It can be read under its exact version, with the reason.
    let read = stage.get("/v1/packages/lab/clock/1.0.1").await.json();
    assert_eq!(read["held"]["reasons"], published["held"]["reasons"]);
    assert_eq!(stage.get("/v1/packages/lab/clock/1.0.1/wit").await.status, 200);
    // Names do not resolve to it, and it does not run.
    assert_eq!(latest(&stage).await, "lab:clock@1.0.0");
    assert_eq!(
        look(&stage, "latest", json!({ "args": [1] })).await.receipt().1.release.to_string(),
        "lab:clock@1.0.0"
    );
    let found = stage.get("/v1/search?q=look").await.json();
    assert_eq!(found["results"][0]["version"], "1.0.0");
    let refused = look(&stage, "1.0.1", json!({ "args": [1] })).await;
    let problem = refused.assert_problem(403, "release-held");
    assert!(problem["detail"].as_str().unwrap().contains("wasi:clocks/wall-clock"), "{problem}");
    // What follows a held release is compared with what is not held.
    assert!(stage.publish(&looking("1.0.2")).await["held"].is_object());
    // Three days later it is let go, also over a restart; an agent that allows nothing still gives it nothing.
    let stage = stage.reopen(Sweep::On).await;
    stage.world.advance(Duration::from_millis(limits::HOLD_MS as u64 - 1));
    look(&stage, "1.0.2", json!({ "args": [1] })).await.assert_problem(403, "release-held");
    stage.world.advance(Duration::from_millis(1));
    assert_eq!(latest(&stage).await, "lab:clock@1.0.2");
    // Search finds it by what is new of it, at once and after a restart.
    stage.registry.reconcile().await;
    let by_what_is_new = async |stage: &Stage| {
        let found = stage.get("/v1/search?q=sundial").await.json();
        found["results"][0]["version"].clone()
    };
    assert_eq!(by_what_is_new(&stage).await, "1.0.2");
    let stage = stage.reopen(Sweep::On).await;
    assert_eq!(by_what_is_new(&stage).await, "1.0.2");
    assert_eq!(look(&stage, "latest", json!({ "args": [1] })).await.status, 200);
    let bounded = look(&stage, "latest", json!({ "args": [1], "grants": [] })).await;
    bounded.assert_problem(422, "guest-import-not-granted");
    // By now that is what its users have.
    assert!(stage.publish(&looking("1.0.3")).await.get("held").is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_says_so_by_its_version_or_asks_for_nothing_new_is_not_held() {
    let stage = Stage::empty().await;
    stage.publish(&pure("1.0.0")).await;
    for next in [pure("1.0.1"), looking("2.0.0"), looking("2.1.0"), pure("2.2.0")] {
        assert!(stage.publish(&next).await.get("held").is_none());
    }
    // What is declared and not used, or imported and not declared, gives a component nothing.
    let declared = package("clock", "1.0.2", PURE, "imports-allow = [\"wasi:clocks/wall-clock\"]\n");
    assert!(stage.publish(&declared).await.get("held").is_none());
    let inert = package("clock", "1.0.3", CLOCK, "");
    assert!(stage.publish(&inert).await.get("held").is_none());
    assert!(stage.publish(&looking("1.0.4")).await["held"].is_object());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_releases_everything_at_once_is_held_up() {
    let stage = Stage::empty().await;
    let name = |number: usize| {
        format!("p{number}x").replace(|digit: char| digit.is_ascii_digit(), "a") + &"b".repeat(number)
    };
    let names: Vec<_> = (0..=limits::HOLD_CADENCE_PACKAGES_MAX).map(name).collect();
    // First releases are nobody's upgrade, however many.
    for name in &names {
        assert!(stage.publish(&package(name, "1.0.0", PURE, "")).await.get("held").is_none(), "{name}");
    }
    let (last, first) = names.split_last().unwrap();
    for name in first {
        assert!(stage.publish(&package(name, "1.0.1", PURE, "")).await.get("held").is_none(), "{name}");
    }
    let held = stage.publish(&package(last, "1.0.1", PURE, "")).await;
    assert!(held["held"]["reasons"][0].as_str().unwrap().contains("within 60 minutes"), "{held}");
    // Slower, it is nothing.
    stage.world.advance(Duration::from_millis(limits::HOLD_CADENCE_MS as u64 + 1));
    assert!(stage.publish(&package(last, "1.0.2", PURE, "")).await.get("held").is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn yanking_what_was_there_before_hides_no_widening() {
    let stage = Stage::empty().await;
    stage.publish(&pure("1.0.0")).await;
    let release = "lab:clock@1.0.0".parse().unwrap();
    let yank = Yank { release, yanked: true, reason: "no longer kept".into(), sequence: 1 };
    let yanked = act(&stage, "/v1/packages/lab/clock/1.0.0/yank", yank.sign(&publisher())).await;
    assert_eq!(yanked.status, 201);
    assert!(stage.publish(&looking("1.0.1")).await["held"].is_object());
}

fn confirmation(key: &SecretKey) -> Envelope {
    let component = Digest::of(&looking("1.0.1").component);
    Confirmation { release: "lab:clock@1.0.1".parse().unwrap(), component }.sign(key)
}

const CONFIRM: &str = "/v1/packages/lab/clock/1.0.1/confirm";

#[tokio::test(flavor = "multi_thread")]
async fn only_a_second_key_of_the_namespace_confirms() {
    let stage = Stage::without_sweep().await;
    stage.publish(&pure("1.0.0")).await;
    stage.publish(&looking("1.0.1")).await;
    // Who published has said all that it can say, and a stranger nothing.
    act(&stage, CONFIRM, confirmation(&publisher())).await.assert_problem(403, "confirmation-refused");
    act(&stage, CONFIRM, confirmation(&key(77))).await.assert_problem(403, "confirmation-refused");
    let other = Confirmation { release: "lab:clock@1.0.1".parse().unwrap(), component: Digest::of("other") };
    act(&stage, CONFIRM, other.sign(&publisher())).await.assert_problem(422, "confirmation-invalid");
    let release = packages::sign(&looking("1.0.1"), &publisher());
    act(&stage, CONFIRM, release).await.assert_problem(422, "confirmation-invalid");
    let unheld = CONFIRM.replace("1.0.1", "1.0.0");
    act(&stage, &unheld, confirmation(&publisher())).await.assert_problem(409, "release-not-held");
    look(&stage, "1.0.1", json!({ "args": [1] })).await.assert_problem(403, "release-held");

    let policy = NamespacePolicy {
        controllers: vec![publisher().public(), key(21).public()],
        sequence: 1,
        ..NamespacePolicy::of_one_key("lab".parse().unwrap(), publisher().public())
    };
    let changed = act(&stage, "/v1/namespaces/lab/policy", policy.sign(&publisher())).await;
    assert_eq!(changed.status, 201, "{}", changed.text);
    // A write that fails is repeated; the release runs once it is written and not before.
    for (moment, runs) in [(Moment::Before, false), (Moment::After, true)] {
        stage.inject("confirm", moment);
        assert_eq!(act(&stage, CONFIRM, confirmation(&key(21))).await.status, 500);
        assert_eq!(stage.store().faults_waiting(), 0);
        let stage = &stage;
        assert_eq!(latest(stage).await == "lab:clock@1.0.1", runs, "{moment:?}");
    }
    assert_eq!(act(&stage, CONFIRM, confirmation(&key(21))).await.status, 204);
    assert_eq!(look(&stage, "1.0.1", json!({ "args": [1] })).await.status, 200);
    assert!(stage.get("/v1/packages/lab/clock/1.0.1").await.json().get("held").is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_release_to_be_held_is_held_also_where_publishing_failed_half_way() {
    for moment in [Moment::Before, Moment::After] {
        let stage = Stage::without_sweep().await;
        stage.publish(&pure("1.0.0")).await;
        stage.inject("publish", moment);
        let package = looking("1.0.1");
        let request = packages::request(&package, packages::sign(&package, &publisher()));
        assert_eq!(stage.post("/v1/publish", &request).await.status, 500);
        if moment == Moment::After {
            look(&stage, "1.0.1", json!({ "args": [1] })).await.assert_problem(403, "release-held");
        }
        assert!(stage.post("/v1/publish", &request).await.json()["held"].is_object(), "{moment:?}");
        look(&stage, "1.0.1", json!({ "args": [1] })).await.assert_problem(403, "release-held");
    }
}
