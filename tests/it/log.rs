//! The transparency log, read as a monitor reads it: over HTTP, believing nothing.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use glassbox_core::Digest;
use glassbox_core::log::{
    Entry, InclusionProof, SignedCheckpoint, Standing, StandingProof, Tree, entries_of_bundle,
    open_checkpoint,
};
use glassbox_core::release::Release;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::task::JoinSet;

use crate::packages::{self, bench, example};
use crate::stage::{Stage, Sweep, World};

fn tree_of(entries: &[Vec<u8>]) -> Tree {
    let mut tree = Tree::default();
    entries.iter().for_each(|entry| tree.push(entry));
    tree
}

#[tokio::test(flavor = "multi_thread")]
async fn every_release_is_in_the_log_and_the_tiles_re_compute_its_root() {
    let stage = Stage::empty().await;
    let descriptor = stage.get("/v1/registry").await.json();
    let key = descriptor["log_key"].as_str().unwrap();
    let empty = open_checkpoint(&stage.get("/checkpoint").await.text, key).unwrap();
    assert_eq!(empty.size, 0);

    let mut published = Vec::new();
    for package in [bench("1.0.0"), example("checksum"), bench("1.1.0"), bench("1.2.0-rc.1"), bench("2.0.0")]
    {
        published.push(stage.publish(&package).await);
    }
    let note = stage.get("/checkpoint").await;
    assert_eq!(note.header("content-type"), Some("text/plain; charset=utf-8"));
    let checkpoint = open_checkpoint(&note.text, key).unwrap();
    assert_eq!(checkpoint.size, 5);

    let entries = entries_of_bundle(&stage.get("/tile/entries/000.p/5").await.bytes).unwrap();
    assert_eq!(tree_of(&entries).root(), checkpoint.root);
    let leaves: Vec<u8> =
        entries.iter().flat_map(|entry| *Digest::of_parts(&[&[0], entry]).as_bytes()).collect();
    assert_eq!(stage.get("/tile/0/000.p/5").await.bytes, leaves);

    for (index, published) in published.iter().enumerate() {
        let proof: InclusionProof = serde_json::from_value(published["proof"].clone()).unwrap();
        assert_eq!(proof.index, index as u64);
        let entry = published["entry"].as_str().unwrap().as_bytes();
        assert_eq!(entry, entries[index]);
        proof.verify(entry, key).unwrap();
        // The publisher's own words are in it, so the operator cannot have made them up.
        let Entry { statement, previous, .. } = serde_json::from_slice(entry).unwrap();
        let signed = statement.verify::<Release>(&packages::publisher().public()).unwrap();
        assert_eq!(published["release"], signed.predicate.release.to_string());
        assert_eq!(previous.is_some(), [2, 3, 4].contains(&index), "entry {index}");
        // A newer checkpoint proves it as well.
        let (_, now) = stage.store().prove_entry(index as u64).await.unwrap().unwrap();
        assert_eq!(now.verify(entry, key).unwrap(), checkpoint);
    }
    let newest = stage.get("/v1/packages/lab/bench/latest").await.json();
    assert_eq!(newest["release"], "lab:bench@2.0.0");
}

#[tokio::test(flavor = "multi_thread")]
async fn publishers_at_once_make_one_log() {
    let stage = Arc::new(Stage::empty().await);
    let mut publishing = JoinSet::new();
    for minor in 0..24 {
        let stage = stage.clone();
        publishing.spawn(async move { stage.publish(&bench(&format!("1.{minor}.0"))).await });
    }
    publishing.join_all().await;
    let key = stage.registry.log_verifier_key();
    let served = open_checkpoint(&stage.get("/checkpoint").await.text, &key).unwrap();
    assert_eq!(served.size, 24);
    assert_eq!(served, stage.registry.checkpoint());
    let entries = entries_of_bundle(&stage.get("/tile/entries/000.p/24").await.bytes).unwrap();
    assert_eq!(tree_of(&entries).root(), served.root);
    // A restart neither loses nor forks it.
    let stage = Arc::into_inner(stage).unwrap().reopen(Sweep::On).await;
    assert_eq!(stage.registry.checkpoint(), served);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_serves_its_own_files_and_no_others() {
    let stage = Stage::new().await;
    let address = stage.url.strip_prefix("http://").unwrap().to_owned();
    for path in [
        "/tile/../checkpoint",
        "/tile/../../glassbox.sqlite",
        "/tile/%2e%2e/%2e%2e/glassbox.sqlite",
        "/tile/..%2f..%2fglassbox.sqlite",
        "/tile/0/../../../glassbox.sqlite",
        "/tile//etc/passwd",
        "/tile/%2fetc%2fpasswd",
        "/tile/0/000%00",
        "/tile/0",
        "/tile/0/",
        "/tile/.",
        "/tile/0/000.p",
        "/tile/0/000.p/1/x",
        "/tile/9/999",
        "/tile/0/0",
        "/tile/0/00",
        "/tile/0/0000",
        "/tile/00/000",
        "/tile/0/x000/000",
        "/tile/0/001/000",
        "/tile/0/000.p/01",
        "/tile/0/000.p/0",
        "/tile/0/000.p/256",
        "/tile/0/000.p/1/",
        "/tile/0/000.p%2f1",
        "/tile/0/%30%30%30.p/01",
        "/tile/entries",
        "/tile/entries/0",
        "/tile/data/000",
        "/tile/0/.tmp000",
        &format!("/tile/0/{}", "9".repeat(300)),
        "/tile/-1/000",
        "/tile/0/%ff",
        "/checkpoint/..",
        "/../glassbox.sqlite",
    ] {
        // Written by hand: a client would tidy the path up first.
        let mut stream = tokio::net::TcpStream::connect(&address).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        let answer = String::from_utf8_lossy(&answer);
        let status = answer.split(' ').nth(1).unwrap();
        assert!(["400", "404"].contains(&status), "{path}: {answer}");
        assert!(answer.contains("application/problem+json"), "{path}: {answer}");
        assert!(!answer.contains("SQLite format") && !answer.contains("root:"), "{path}");
    }
}

/// Fetches what stands about something, and verifies it as a stranger would.
async fn standing(stage: &Stage, about: &str) -> (Option<Standing>, SignedCheckpoint) {
    let reply = stage.get(&format!("/v1/log/standing/{about}")).await;
    assert_eq!((reply.status, reply.header("cache-control")), (200, Some("no-cache")), "{}", reply.text);
    let proof: StandingProof = serde_json::from_value(reply.json()).unwrap();
    assert_eq!(proof.about, about);
    let signed = proof.verify(&stage.registry.log_verifier_key()).unwrap();
    (proof.standing, signed)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_stands_is_proved_and_so_is_what_does_not() {
    let stage = Stage::new().await;
    stage.publish(&bench("1.1.0")).await;
    stage.publish(&example("checksum")).await;
    let (bench, signed) = standing(&stage, "lab:bench").await;
    let bench = bench.unwrap();
    assert_eq!((bench.entries, bench.latest.unwrap().to_string()), (2, "1.1.0".to_owned()));
    assert_eq!(bench.terms.len(), 2);
    assert_eq!(signed.checkpoint, stage.registry.checkpoint());
    let (checksum, _) = standing(&stage, "bits:checksum").await;
    assert_eq!(checksum.unwrap().entries, 1);
    for absent in ["lab:other", "nobody", &packages::publisher().public().to_string()] {
        assert_eq!(standing(&stage, absent).await.0, None, "{absent}");
    }
    for bad in ["Lab", "lab:", "did:key:z6Mk", "lab:bench@1.0.0", &"x".repeat(5_000)] {
        stage.get(&format!("/v1/log/standing/{bad}")).await.assert_problem(400, "name-invalid");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_checkpoint_never_gets_older_than_a_minute_while_the_registry_runs() {
    let stage = Stage::without_sweep().await;
    let time = async |stage: &Stage| {
        let note = stage.get("/checkpoint").await.text;
        SignedCheckpoint::open(&note, &stage.registry.log_verifier_key()).unwrap()
    };
    let first = time(&stage).await;
    assert_eq!(first.time_s, Some(stage.world.now_s()));
    for (seconds, signed_anew) in [(10, false), (30, false), (15, true), (45, false), (6, true)] {
        let before = time(&stage).await.time_s;
        stage.world.advance(Duration::from_secs(seconds));
        stage.registry.reconcile().await;
        let now = time(&stage).await;
        assert_eq!(now.time_s != before, signed_anew, "{seconds}");
        assert!(now.time_s.unwrap() + 60 > stage.world.now_s());
        assert_eq!((now.checkpoint, now.map), (first.checkpoint.clone(), first.map));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registry_on_an_older_database_publishes_nothing_and_still_answers() {
    let stage = Stage::without_sweep().await;
    let backup = tempfile::tempdir().unwrap();
    let database = ["glassbox.sqlite", "glassbox.sqlite-wal", "glassbox.sqlite-shm"];
    let copy = |from: &Path, to: &Path| {
        for name in database {
            let _ = std::fs::remove_file(to.join(name));
            if from.join(name).exists() {
                std::fs::copy(from.join(name), to.join(name)).unwrap();
            }
        }
    };
    let newer = tempfile::tempdir().unwrap();
    let stage = stage.reopen_changed(Sweep::Off, |store| copy(store, backup.path())).await;
    stage.publish(&bench("1.1.0")).await;
    let shown = stage.get("/checkpoint").await.text;
    let stage = stage
        .reopen_changed(Sweep::Off, |store| {
            copy(store, newer.path());
            copy(backup.path(), store);
        })
        .await;

    let package = bench("1.2.0");
    let request = packages::request(&package, packages::sign(&package, &packages::publisher()));
    let refused = stage.post("/v1/publish", &request).await;
    refused.assert_problem(503, "log-behind");
    assert!(refused.text.contains("restores a newer copy"), "{}", refused.text);
    stage.world.advance(Duration::from_secs(600));
    stage.registry.reconcile().await;
    assert_eq!(stage.get("/checkpoint").await.text, shown, "nothing is signed");
    // What is there answers: pages, lookups, and calls.
    assert_eq!(stage.get("/v1/packages/lab/bench/1.0.0").await.status, 200);
    assert_eq!(standing(&stage, "lab:bench").await.0.unwrap().entries, 1);
    let call = stage.post("/v1/call/lab/bench/1.0.0/double", &serde_json::json!({ "args": [21] })).await;
    call.assert_problem(402, "payment-required");

    // With what was signed last it goes on, and the log grows.
    let stage = stage.reopen_changed(Sweep::Off, |store| copy(newer.path(), store)).await;
    stage.publish(&package).await;
    assert_eq!(stage.registry.checkpoint().size, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_publishers_of_one_version_one_wins_and_the_log_has_one_entry_of_it() {
    let stage = Arc::new(Stage::empty().await);
    let mut publishing = JoinSet::new();
    for n in 0..64 {
        let stage = stage.clone();
        publishing.spawn(async move {
            let mut package = bench("1.0.0");
            package.source = Some(packages::one_file("n.txt", n.to_string()));
            let request = packages::request(&package, packages::sign(&package, &packages::publisher()));
            loop {
                let reply = stage.post("/v1/publish", &request).await;
                if reply.status != 503 {
                    break reply;
                }
            }
        });
    }
    let replies = publishing.join_all().await;
    let won = replies.iter().filter(|reply| reply.status == 201).count();
    assert_eq!(won, 1);
    for reply in replies.iter().filter(|reply| reply.status != 201) {
        reply.assert_problem(409, "release-exists");
    }
    assert_eq!(stage.registry.checkpoint().size, 1);
    assert_eq!(standing(&stage, "lab:bench").await.0.unwrap().entries, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_monitor_reads_a_whole_log_and_finds_nothing_wrong_with_it() {
    // The reader's clock is the system's.
    let now_ms = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_millis();
    let folder = Arc::new(tempfile::tempdir().unwrap());
    let stage = Stage::open(folder, World::at(now_ms as i64), Sweep::On).await;
    stage.publish(&bench("1.0.0")).await;
    stage.publish(&bench("1.1.0")).await;
    stage.publish(&example("checksum")).await;
    let home = tempfile::tempdir().unwrap();
    let client = glassbox_client::Client::new(&stage.url).unwrap();
    let trust = glassbox_client::Trust::in_home(home.path(), None);
    let (_, report) = glassbox_client::monitor::check(&client, &trust).await.unwrap();
    assert_eq!(report.findings, []);
    assert_eq!((report.entries, report.about), (3, 2));
    assert_eq!(report.kinds, [("release", 3)].into());
    let (standing, _) = trust.standing(&client, "lab:bench").await.unwrap();
    assert_eq!(standing.unwrap().entries, 2);
    assert_eq!(trust.standing(&client, "lab:other").await.unwrap().0, None);
}
