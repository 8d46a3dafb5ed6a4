//! A quarantine reaches an executor that runs: nothing of the component is kept, and no name runs it.

use glassbox_core::Digest;
use glassbox_core::acts::{Act as _, Quarantine};
use glassbox_core::dsse::Envelope;
use glassbox_registry::PackageFiles;
use glassbox_sandbox::Grants;
use glassbox_store::Moment;
use serde_json::json;

use crate::buyer::Reply;
use crate::composition::assert_known;
use crate::names::act;
use crate::packages::{self, bench, publisher};
use crate::stage::{Stage, Sweep, keys, sandbox};

/// The same component under another version, which the quarantine does not name.
fn twin() -> PackageFiles {
    bench("1.1.0")
}

fn quarantine(quarantined: bool, sequence: u64) -> Envelope {
    let release = "lab:bench@1.0.0".parse().unwrap();
    let reason = "sends its input away".into();
    Quarantine { release, quarantined, reason, sequence }.sign(&keys().operator)
}

async fn stop(stage: &Stage, statement: Envelope) -> Reply {
    act(stage, "/v1/packages/lab/bench/1.0.0/quarantine", statement).await
}

async fn gift(stage: &Stage, version: &str) -> Reply {
    stage.post(&format!("/v1/call/lab/bench/{version}/gift"), &json!({ "args": [1] })).await
}

fn is_compiled() -> bool {
    sandbox().prepared(Digest::of(&bench("1.0.0").component), &Grants::none(), &[]).is_some()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quarantine_stops_a_running_executor() {
    let stage = Stage::new().await;
    stage.publish(&twin()).await;
    for version in ["1.0.0", "1.1.0"] {
        assert_eq!(gift(&stage, version).await.output(), 2);
    }
    assert!(is_compiled());
    assert_eq!(stop(&stage, quarantine(true, 1)).await.status, 201);
    // From the very next call on: the pinned version with the reason, and the same component under another name.
    let pinned = gift(&stage, "1.0.0").await.assert_problem(403, "release-quarantined");
    assert!(pinned["detail"].as_str().unwrap().contains("sends its input away"), "{pinned}");
    let twin_refused = gift(&stage, "1.1.0").await.assert_problem(403, "release-quarantined");
    assert!(twin_refused["detail"].as_str().unwrap().contains("lab:bench@1.0.0"), "{twin_refused}");
    assert!(!is_compiled(), "what was compiled is gone");
    // Nor does it run as a test of a new release.
    let again = bench("1.2.0");
    let request = packages::request(&again, packages::sign(&again, &publisher()));
    stage.post("/v1/publish", &request).await.assert_problem(403, "release-quarantined");
    // What was published before is said again, and does not run either.
    let request = packages::request(&twin(), packages::sign(&twin(), &publisher()));
    assert_known(&stage.post("/v1/publish", &request).await);
    assert!(!is_compiled());
    // So after a restart, and no longer than it lasts.
    let stage = stage.reopen(Sweep::On).await;
    gift(&stage, "1.1.0").await.assert_problem(403, "release-quarantined");
    assert_eq!(stop(&stage, quarantine(false, 2)).await.status, 201);
    for version in ["1.0.0", "1.1.0"] {
        assert_eq!(gift(&stage, version).await.output(), 2);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quarantine_counts_also_where_its_answer_was_lost() {
    let stage = Stage::without_sweep().await;
    gift(&stage, "1.0.0").await.output();
    stage.inject("mark_release", Moment::After);
    assert_eq!(stop(&stage, quarantine(true, 1)).await.status, 500);
    gift(&stage, "1.0.0").await.assert_problem(403, "release-quarantined");
    assert!(!is_compiled());
}
