//! Advisories: who may warn of what, who sees it, and that callers are told.

use glassbox_core::acts::{Act as _, Advisory};
use glassbox_core::key::SecretKey;
use glassbox_core::log::{Entry, Kind};
use glassbox_core::sbom::CARGO_HOST;
use glassbox_store::Moment;
use serde_json::{Value, json};

use crate::buyer::Reply;
use crate::names::act;
use crate::packages::publisher;
use crate::stage::{Stage, Sweep, keys};
use crate::supply::made_of;

const FEED: &str = "/v1/advisories";

fn advisory(id: &str, modified: &str, events: Value) -> Advisory {
    serde_json::from_value(json!({
        "package": "lab:bench",
        "osv": {
            "id": id,
            "modified": modified,
            "summary": "doubles may be odd",
            "affected": [{
                "package": { "ecosystem": "Glassbox", "name": "lab:bench" },
                "ranges": [{ "type": "SEMVER", "events": events }],
            }],
        },
    }))
    .unwrap()
}

fn first() -> Advisory {
    advisory("GBX-2026-1", "2026-11-22T03:00:00Z", json!([{ "introduced": "1.0.0" }, { "fixed": "1.1.0" }]))
}

fn smallvec() -> Advisory {
    serde_json::from_value(json!({
        "part": "pkg:cargo/smallvec",
        "osv": {
            "id": "RUSTSEC-2021-0003",
            "modified": "2021-01-08T12:00:00Z",
            "summary": "buffer overflow in insert_many",
            "affected": [{
                "package": { "ecosystem": CARGO_HOST, "name": "smallvec" },
                "ranges": [{ "type": "SEMVER", "events": [{ "introduced": "0.6.3" }, { "fixed": "1.6.1" }] }],
            }],
        },
    }))
    .unwrap()
}

async fn advise(stage: &Stage, advisory: Advisory, key: &SecretKey) -> Reply {
    act(stage, FEED, advisory.sign(key)).await
}

async fn gift(stage: &Stage, version: &str) -> Value {
    let reply = stage.post(&format!("/v1/call/lab/bench/{version}/gift"), &json!({ "args": [1] })).await;
    assert_eq!(reply.output(), 2);
    reply.json()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_publisher_warns_and_callers_are_told() {
    let stage = Stage::new().await;
    stage.publish(&crate::packages::bench("1.1.0")).await;
    assert!(gift(&stage, "1.0.0").await.get("advisories").is_none());
    let reply = advise(&stage, first(), &publisher()).await;
    assert_eq!(reply.status, 201, "{}", reply.text);
    let note = json!([{ "id": "GBX-2026-1", "summary": "doubles may be odd", "fixed": ["1.1.0"] }]);
    assert_eq!(gift(&stage, "1.0.0").await["advisories"], note);
    assert!(gift(&stage, "1.1.0").await.get("advisories").is_none());
    assert_eq!(stage.get("/v1/packages/lab/bench/1.0.0").await.json()["advisories"], note);
    let osv = stage.get("/v1/advisories/GBX-2026-1").await.json();
    assert_eq!(
        (&osv["id"], &osv["affected"][0]["package"]["ecosystem"]),
        (&json!("GBX-2026-1"), &json!("Glassbox"))
    );
    // It is in the log, in the words of whoever signed it.
    let (entry, _) =
        stage.store().prove_entry(reply.json()["log_index"].as_u64().unwrap()).await.unwrap().unwrap();
    let entry: Entry = serde_json::from_slice(&entry).unwrap();
    assert_eq!(entry.kind, Kind::Advisory);
    entry.statement.verify::<Advisory>(&publisher().public()).unwrap();
    // A later word takes its place, and what is withdrawn warns nobody.
    let mut withdrawn = first();
    withdrawn.osv.modified = "2026-11-23T00:00:00Z".into();
    withdrawn.osv.withdrawn = Some("2026-11-23T00:00:00Z".into());
    assert_eq!(advise(&stage, withdrawn, &publisher()).await.status, 201);
    assert!(gift(&stage, "1.0.0").await.get("advisories").is_none());
    let stage = stage.reopen(Sweep::On).await;
    assert!(gift(&stage, "1.0.0").await.get("advisories").is_none());
    assert_eq!(stage.get(FEED).await.json()["advisories"].as_array().unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_operator_warns_of_what_releases_are_made_of() {
    let stage = Stage::new().await;
    stage.publish(&made_of("1.1.0", "smallvec", "1.6.0")).await;
    stage.publish(&made_of("1.2.0", "smallvec", "1.13.0")).await;
    advise(&stage, smallvec(), &publisher()).await.assert_problem(403, "advisory-refused");
    assert_eq!(advise(&stage, smallvec(), &keys().operator).await.status, 201);
    let told = gift(&stage, "1.1.0").await;
    assert_eq!(told["advisories"][0]["part"], "pkg:cargo/smallvec 1.6.0");
    assert!(gift(&stage, "1.2.0").await.get("advisories").is_none());
    assert!(gift(&stage, "1.0.0").await.get("advisories").is_none());
    // What is published afterwards is matched as well.
    stage.publish(&made_of("1.3.0", "smallvec", "1.0.0")).await;
    assert_eq!(gift(&stage, "1.3.0").await["advisories"][0]["id"], "RUSTSEC-2021-0003");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_feed_is_newest_first_and_says_when_nothing_is_new() {
    let stage = Stage::new().await;
    let all = json!([{ "introduced": "0" }]);
    for number in 1..=3 {
        let advisory = advisory(&format!("GBX-2026-{number}"), "2026-11-22T03:00:00Z", all.clone());
        assert_eq!(advise(&stage, advisory, &publisher()).await.status, 201);
    }
    assert_eq!(advise(&stage, smallvec(), &keys().operator).await.status, 201);
    let ids = |reply: &Reply| -> Vec<String> {
        let listed = reply.json();
        let listed = listed["advisories"].as_array().unwrap();
        listed.iter().map(|one| one["osv"]["id"].as_str().unwrap().to_owned()).collect()
    };
    let feed = stage.get(FEED).await;
    assert_eq!(ids(&feed), ["RUSTSEC-2021-0003", "GBX-2026-3", "GBX-2026-2", "GBX-2026-1"]);
    let of_package = stage.get("/v1/advisories?about=lab:bench").await;
    assert_eq!(ids(&of_package), ["GBX-2026-3", "GBX-2026-2", "GBX-2026-1"]);
    assert_eq!(ids(&stage.get("/v1/advisories?before=3").await), ["GBX-2026-2", "GBX-2026-1"]);
    let tag = feed.header("etag").unwrap().to_owned();
    let ask = async |tag: &str| {
        let request = stage.http.get(format!("{}{FEED}", stage.url)).header("if-none-match", tag);
        Reply::of(request.send().await.unwrap()).await
    };
    assert_eq!(ask(&tag).await.status, 304);
    let more = advisory("GBX-2026-4", "2026-11-22T03:00:00Z", all);
    assert_eq!(advise(&stage, more, &publisher()).await.status, 201);
    assert_eq!(ask(&tag).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_warn_or_says_what_is_none_is_refused() {
    let stage = Stage::new().await;
    let stranger = SecretKey::from_seed(&[77; 32]);
    advise(&stage, first(), &stranger).await.assert_problem(403, "advisory-refused");
    let elsewhere = Advisory { package: Some("lab:none".parse().unwrap()), ..first() };
    advise(&stage, elsewhere, &publisher()).await.assert_problem(422, "advisory-invalid");
    let mut long = first();
    long.osv.rest.insert("details".into(), "x".repeat(40_000).into());
    advise(&stage, long, &publisher()).await.assert_problem(422, "advisory-invalid");
    assert_eq!(advise(&stage, first(), &publisher()).await.status, 201);
    assert_eq!(advise(&stage, first(), &publisher()).await.status, 200, "the very same");
    let mut older = first();
    older.osv.summary = "another".into();
    advise(&stage, older, &publisher()).await.assert_problem(409, "advisory-exists");
    stage.get("/v1/advisories/GBX-2026-9").await.assert_problem(404, "advisory-not-found");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_advisory_that_fails_half_way_is_repeated() {
    for verb in ["advise", "publish_log"] {
        for moment in [Moment::Before, Moment::After] {
            let stage = Stage::without_sweep().await;
            gift(&stage, "1.0.0").await;
            stage.inject(verb, moment);
            assert_eq!(advise(&stage, first(), &publisher()).await.status, 500, "{verb} {moment:?}");
            let written = (verb, moment) != ("advise", Moment::Before);
            assert_eq!(gift(&stage, "1.0.0").await.get("advisories").is_some(), written, "{verb} {moment:?}");
            let again = advise(&stage, first(), &publisher()).await;
            assert_eq!(again.status, if written { 200 } else { 201 }, "{verb} {moment:?}: {}", again.text);
            let shown = stage.registry.checkpoint().size;
            assert_eq!(shown, 2, "{verb} {moment:?}");
        }
    }
}
