//! Releases that are yanked by their publisher or quarantined by the operator.

use glassbox_core::ReleaseId;
use glassbox_core::acts::{Act as _, Quarantine, Yank};
use glassbox_core::dsse::Envelope;
use serde_json::{Value, json};

use crate::buyer::Reply;
use crate::names::{act, key};
use crate::packages::{bench, publisher};
use crate::stage::{Stage, Sweep, keys};

fn release(version: &str) -> ReleaseId {
    format!("lab:bench@{version}").parse().unwrap()
}

fn yank(version: &str, yanked: bool, sequence: u64) -> Envelope {
    Yank { release: release(version), yanked, reason: "loses accents".into(), sequence }.sign(&publisher())
}

fn quarantine(version: &str, quarantined: bool, sequence: u64) -> Envelope {
    let reason = "sends its input away".into();
    Quarantine { release: release(version), quarantined, reason, sequence }.sign(&keys().operator)
}

async fn marked(stage: &Stage, verb: &str, version: &str, statement: Envelope) -> Reply {
    act(stage, &format!("/v1/packages/lab/bench/{version}/{verb}"), statement).await
}

async fn gift(stage: &Stage, version: &str) -> Reply {
    stage.post(&format!("/v1/call/lab/bench/{version}/gift"), &json!({ "args": [1] })).await
}

async fn latest(stage: &Stage) -> Value {
    stage.get("/v1/packages/lab/bench/latest").await.json()["release"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_yanked_release_is_not_what_a_bare_name_means_and_still_runs() {
    let stage = Stage::new().await;
    stage.publish(&bench("1.1.0")).await;
    let stranger = Yank { release: release("1.1.0"), yanked: true, reason: "spite".into(), sequence: 1 };
    let refused = marked(&stage, "yank", "1.1.0", stranger.sign(&key(99))).await;
    refused.assert_problem(403, "threshold-missed");
    marked(&stage, "yank", "1.0.0", yank("1.1.0", true, 1)).await.assert_problem(422, "statement-differs");
    marked(&stage, "yank", "9.0.0", yank("9.0.0", true, 1)).await.assert_problem(404, "release-not-found");

    assert_eq!(marked(&stage, "yank", "1.1.0", yank("1.1.0", true, 1)).await.status, 201);
    assert_eq!(latest(&stage).await, "lab:bench@1.0.0");
    let exact = gift(&stage, "1.1.0").await;
    assert_eq!(exact.output(), 2);
    assert!(exact.json()["notice"].as_str().unwrap().contains("loses accents"), "{}", exact.text);
    assert!(gift(&stage, "latest").await.json().get("notice").is_none());
    let quote = stage.get("/v1/quote/lab/bench/1.1.0/double").await.json();
    assert!(quote["notice"].as_str().unwrap().contains("yanked"));
    let package = stage.get("/v1/packages/lab/bench").await.json();
    assert_eq!(package["yanked"], json!(["1.1.0"]));
    assert_eq!(package["versions"], json!(["1.1.0", "1.0.0"]));

    // When everything is yanked, a bare name means nothing, and search finds nothing.
    assert_eq!(marked(&stage, "yank", "1.0.0", yank("1.0.0", true, 1)).await.status, 201);
    gift(&stage, "latest").await.assert_problem(404, "release-yanked");
    assert_eq!(stage.get("/v1/search?q=functions").await.json()["results"], json!([]));
    assert_eq!(stage.get("/v1/packages").await.json()["results"], json!([]));

    // Put back; and an old yank cannot be presented again, also not after a restart.
    assert_eq!(marked(&stage, "yank", "1.1.0", yank("1.1.0", false, 2)).await.status, 201);
    let stage = stage.reopen(Sweep::On).await;
    assert_eq!(marked(&stage, "yank", "1.1.0", yank("1.1.0", true, 1)).await.json()["new"], false);
    marked(&stage, "yank", "1.1.0", yank("1.1.0", true, 2)).await.assert_problem(409, "act-out-of-order");
    marked(&stage, "yank", "1.1.0", yank("1.1.0", false, 3)).await.assert_problem(409, "act-without-effect");
    assert_eq!(latest(&stage).await, "lab:bench@1.1.0");
    assert_eq!(stage.get("/v1/search?q=functions").await.json()["results"][0]["version"], "1.1.0");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quarantined_release_does_not_run_and_its_page_says_why() {
    let stage = Stage::new().await;
    stage.publish(&bench("1.1.0")).await;
    let buyer = stage.buyer("payer", 1).await;
    let path = "/v1/call/lab/bench/1.1.0/double";
    let body = json!({ "args": [21] });
    let payment = buyer.sign(path, &body, "first").await;
    let unpaid = buyer.sign(path, &body, "second").await;
    assert_eq!(buyer.send(path, &body, Some(&payment)).await.output(), 42);

    assert_eq!(marked(&stage, "quarantine", "1.1.0", quarantine("1.1.0", true, 1)).await.status, 201);
    let refused = gift(&stage, "1.1.0").await.assert_problem(403, "release-quarantined");
    assert!(refused["detail"].as_str().unwrap().contains("sends its input away"), "{refused}");
    buyer.send(path, &body, Some(&unpaid)).await.assert_problem(403, "release-quarantined");
    stage.get("/v1/quote/lab/bench/1.1.0/double").await.assert_problem(403, "release-quarantined");
    assert_eq!(latest(&stage).await, "lab:bench@1.0.0");
    let page = stage.get("/v1/packages/lab/bench/1.1.0").await.json();
    assert_eq!(page["quarantined"]["reason"], "sends its input away");
    assert_eq!(stage.get("/v1/packages/lab/bench").await.json()["quarantined"], json!(["1.1.0"]));
    // What was paid for before is its payer's.
    assert_eq!(buyer.send(path, &body, Some(&payment)).await.output(), 42);

    let stage = stage.reopen(Sweep::On).await;
    gift(&stage, "1.1.0").await.assert_problem(403, "release-quarantined");
    assert_eq!(marked(&stage, "quarantine", "1.1.0", quarantine("1.1.0", false, 2)).await.status, 201);
    assert_eq!(gift(&stage, "1.1.0").await.output(), 2);
    assert_eq!(latest(&stage).await, "lab:bench@1.1.0");
    let page = stage.get("/v1/packages/lab/bench/1.1.0").await.json();
    assert_eq!((&page["quarantined"]["set"], &page["quarantined"]["sequence"]), (&json!(false), &json!(2)));
    stage.assert_sound().await;
}
