//! The transparency log, read as a monitor reads it: over HTTP, believing nothing.

use std::sync::Arc;

use glassbox_core::Digest;
use glassbox_core::log::{
    Entry, Hash, HashReader, InclusionProof, TreeError, hashes_of_new_entry, open_checkpoint, root,
};
use glassbox_core::release::Release;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::task::JoinSet;

use crate::packages::{self, bench, example};
use crate::stage::{Stage, Sweep};

#[derive(Default)]
struct Stored(Vec<Hash>);

impl HashReader for Stored {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<Hash>, TreeError> {
        let read = |index: &u64| self.0.get(*index as usize).copied().ok_or(TreeError::IndexesNotInTree);
        indexes.iter().map(read).collect()
    }
}

/// Splits an entry bundle. See C2SP tlog-tiles, "Log entries".
fn split(mut bundle: &[u8]) -> Vec<Vec<u8>> {
    let mut entries = Vec::new();
    while let [high, low, rest @ ..] = bundle {
        let (entry, rest) = rest.split_at(usize::from(u16::from_be_bytes([*high, *low])));
        entries.push(entry.to_vec());
        bundle = rest;
    }
    entries
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

    let entries = split(&stage.get("/tile/entries/000.p/5").await.bytes);
    let mut stored = Stored::default();
    for (index, entry) in entries.iter().enumerate() {
        let hashes = hashes_of_new_entry(index as u64, entry, &stored).unwrap();
        stored.0.extend(hashes);
    }
    assert_eq!(root(5, &stored).unwrap(), checkpoint.root);
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
    let mut stored = Stored::default();
    for (index, entry) in split(&stage.get("/tile/entries/000.p/24").await.bytes).iter().enumerate() {
        let hashes = hashes_of_new_entry(index as u64, entry, &stored).unwrap();
        stored.0.extend(hashes);
    }
    assert_eq!(root(24, &stored).unwrap(), served.root);
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
