//! What the log must keep whatever fails: it is never forked, never signed over what cannot be read, and never over a
//! database that has lost entries.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::LazyLock;

use glassbox_core::Digest;
use glassbox_core::acts::{Act as _, Yank};
use glassbox_core::key::SecretKey;
use glassbox_core::log::map::MemoryMap;
use glassbox_core::log::{
    Change, Kind, LogKey, SignedCheckpoint, Standing, Tile, check_tiles, entries_of_bundle, tiles,
};
use glassbox_store::{Fault, Moment, NewEntry, Store, StoreError};

const SECOND: i64 = 1_000;

struct Stage {
    store: Store,
    folder: tempfile::TempDir,
    key: LogKey,
}

impl Stage {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let key = LogKey::new("example.org/log", SecretKey::from_seed(&[3; 32])).expect("a valid name");
        Self { store: Store::open(folder.path()).expect("a new store"), folder, key }
    }

    /// Opens it again, as after a crash.
    fn reopen(self) -> Self {
        let Self { store, folder, key } = self;
        drop(store);
        Self { store: Store::open(folder.path()).expect("the same store"), folder, key }
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    async fn append(&self, acts: std::ops::Range<u64>) -> Result<u64, StoreError> {
        self.store.append(acts.map(|n| ACTS[n as usize].clone()).collect()).await
    }

    async fn publish(&self, now_s: i64) -> Result<SignedCheckpoint, StoreError> {
        let state = self.store.publish_log(self.key.clone(), now_s * SECOND).await?;
        Ok(self.opened(&state.checkpoint))
    }

    fn opened(&self, note: &str) -> SignedCheckpoint {
        SignedCheckpoint::open(note, &self.key.verifier_key()).expect("signed")
    }

    /// Checks what everybody can read: tiles and entries under a root that is signed, and the map that they add up to.
    async fn shown(&self) -> SignedCheckpoint {
        let note = self.store.log_file("checkpoint").await.expect("readable").expect("a checkpoint");
        let shown = self.opened(&String::from_utf8(note).expect("text"));
        let size = shown.checkpoint.size;
        let read = |tile: &Tile| fs::read(self.path("log").join(tile.to_string())).ok();
        check_tiles(size, shown.checkpoint.root, read).expect("the tiles give the root");
        let mut standings = BTreeMap::<String, Standing>::new();
        for bundle in tiles(0, size).iter().filter(|tile| tile.entries().is_some()) {
            let bundle = self.store.log_file(&bundle.to_string()).await.expect("readable").expect("a bundle");
            for entry in entries_of_bundle(&bundle).expect("whole") {
                let change = Change::of(&entry).expect("about something");
                let after = Standing::after(standings.remove(&change.about), &change);
                standings.insert(change.about, after);
            }
        }
        let leaves = standings.iter().map(|(about, standing)| (Digest::of(about), standing.digest()));
        assert_eq!(shown.map, Some(MemoryMap::default().update(&leaves.collect())));
        shown
    }
}

/// Signed once: that is what takes the time.
static ACTS: LazyLock<Vec<NewEntry>> = LazyLock::new(|| (0..300).map(act).collect());

/// Act number `n`, about one of seven packages.
fn act(n: u64) -> NewEntry {
    let about = format!("lab:p{}", n % 7);
    let release = format!("{about}@1.0.{n}").parse().expect("a release");
    let act = Yank { release, yanked: n.is_multiple_of(2), reason: String::new(), sequence: n };
    NewEntry { kind: Kind::Yank, statement: act.sign(&SecretKey::from_seed(&[1; 32])), about }
}

fn fault(verb: &str, moment: Moment) -> Fault {
    Fault { verb: verb.into(), moment, abort: false }
}

#[tokio::test]
async fn whichever_write_of_the_log_fails_it_is_shown_in_the_end_and_never_forked() {
    // From 255 entries on also a full tile and a tile of the next level are written.
    for (old, new) in [(0, 3), (3, 5), (255, 257)] {
        let tiles = tiles(old, new).iter().map(Tile::to_string).collect::<Vec<_>>();
        let others = ["signed-checkpoint", "publish_log", "checkpoint"].map(str::to_owned);
        for write in tiles.into_iter().chain(others) {
            for moment in [Moment::Before, Moment::After] {
                // The long log has more files to write, and what fails is the same.
                for restart in if old == 255 { vec![true] } else { vec![false, true] } {
                    let case = format!("{old} to {new}, {write} {moment:?}, restart: {restart}");
                    let stage = Stage::new();
                    stage.append(0..old).await.expect("appended");
                    let before = stage.publish(0).await.expect("shown");
                    stage.append(old..new).await.expect("appended");
                    stage.store.inject(fault(&write, moment));
                    let failed = stage.publish(1).await;
                    assert!(matches!(failed, Err(StoreError::Injected)), "{case}: {failed:?}");
                    assert_eq!(stage.store.faults_waiting(), 0, "{case}");
                    // Whoever looks now sees the old log or the new one, whole.
                    let size = stage.shown().await.checkpoint.size;
                    assert!([old, new].contains(&size), "{case}");
                    let stage = if restart { stage.reopen() } else { stage };
                    // More came in between: what may be signed already is a part of it.
                    stage.append(new..new + 1).await.expect("appended");
                    let after = stage.publish(2).await.expect("shown");
                    assert_eq!(
                        (after.checkpoint.size, stage.shown().await),
                        (new + 1, after.clone()),
                        "{case}"
                    );
                    assert_eq!(before.checkpoint.size, old, "{case}");
                }
            }
        }
    }
}

#[tokio::test]
async fn acts_are_appended_all_or_none() {
    for (moment, there) in [(Moment::Before, 0), (Moment::After, 3)] {
        let stage = Stage::new();
        stage.store.inject(fault("append", moment));
        let failed = stage.append(0..3).await;
        assert!(matches!(failed, Err(StoreError::Injected)), "{failed:?}");
        assert_eq!(stage.store.faults_waiting(), 0);
        assert_eq!(stage.append(3..4).await.expect("appended"), there, "{moment:?}");
        assert_eq!(stage.publish(0).await.expect("shown"), stage.shown().await);
    }
}

#[tokio::test]
async fn the_log_never_signs_a_root_whose_tiles_are_unreadable() {
    let stage = Stage::new();
    stage.append(0..3).await.expect("appended");
    let before = stage.publish(0).await.expect("shown");
    let signed = fs::read(stage.path("signed-checkpoint")).expect("kept");
    stage.append(3..5).await.expect("appended");
    // The disk refuses for real: something is where the file should be.
    for name in ["log/tile/0/000.p/5", "log/tile/entries/000.p/5"] {
        fs::create_dir(stage.path(name)).expect("writable");
        assert!(matches!(stage.publish(1).await, Err(StoreError::Io(_))), "{name}");
        assert_eq!(fs::read(stage.path("signed-checkpoint")).expect("kept"), signed, "{name}");
        assert_eq!(stage.shown().await, before, "{name}");
        fs::remove_dir(stage.path(name)).expect("writable");
    }
    assert_eq!(stage.publish(1).await.expect("shown").checkpoint.size, 5);
}

#[tokio::test]
async fn tiles_that_were_lost_or_changed_are_made_again_or_stop_the_log() {
    let stage = Stage::new();
    stage.append(0..300).await.expect("appended");
    let before = stage.publish(0).await.expect("shown");
    let full = stage.path("log/tile/1/000.p/1");
    // Changed under the running store: nothing is signed on top of it.
    let bytes = fs::read(&full).expect("there");
    fs::write(&full, vec![7; bytes.len()]).expect("writable");
    let refused = stage.publish(100).await;
    assert!(matches!(refused, Err(StoreError::Corrupt(_))), "signed anew over a damaged tile: {refused:?}");
    // Lost with the whole folder: all of it is made again, from the database.
    fs::remove_dir_all(stage.path("log/tile")).expect("writable");
    let stage = stage.reopen();
    assert_eq!(stage.publish(100).await.expect("shown").checkpoint, before.checkpoint);
    assert_eq!(fs::read(&full).expect("made again"), bytes);
    assert_eq!(stage.shown().await.time_s, Some(100));
}

#[tokio::test]
async fn a_checkpoint_is_signed_anew_before_it_is_a_minute_old() {
    let stage = Stage::new();
    stage.append(0..5).await.expect("appended");
    let first = stage.publish(1_000).await.expect("shown");
    assert_eq!(first.time_s, Some(1_000));
    assert_eq!(stage.publish(1_049).await.expect("shown"), first);
    // A clock that was put back is no reason to keep a time that lies ahead.
    for now_s in [1_050, 1_110, 40_000_000, 2_000] {
        let again = stage.publish(now_s).await.expect("shown");
        assert_eq!(again, SignedCheckpoint { time_s: Some(now_s as u64), ..first.clone() });
        assert_eq!(stage.shown().await, again);
    }
}

/// Copies the database, and nothing beside it.
fn back_up(stage: &Stage, to: &Path) {
    for name in ["glassbox.sqlite", "glassbox.sqlite-wal"] {
        if stage.path(name).exists() {
            fs::copy(stage.path(name), to.join(name)).expect("writable");
        }
    }
}

fn restore(stage: Stage, from: &Path) -> Stage {
    let Stage { store, folder, key } = stage;
    drop(store);
    for name in ["glassbox.sqlite", "glassbox.sqlite-wal", "glassbox.sqlite-shm"] {
        let _ = fs::remove_file(folder.path().join(name));
        if from.join(name).exists() {
            fs::copy(from.join(name), folder.path().join(name)).expect("writable");
        }
    }
    Stage { store: Store::open(folder.path()).expect("a store"), folder, key }
}

fn is_behind<T: std::fmt::Debug>(result: Result<T, StoreError>, expected: (u64, u64)) {
    match result {
        Err(StoreError::LogBehind { found, signed }) => assert_eq!((found, signed), expected),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_database_restored_from_an_older_backup_is_not_signed_over() {
    let stage = Stage::new();
    let [older, newer, other] = [0; 3].map(|_| tempfile::tempdir().expect("a temporary folder"));
    stage.append(0..3).await.expect("appended");
    stage.publish(0).await.expect("shown");
    back_up(&stage, older.path());
    stage.append(3..5).await.expect("appended");
    let signed = stage.publish(1).await.expect("shown");
    back_up(&stage, newer.path());

    // Nothing is appended nor signed, and all of it can be read.
    let stage = restore(stage, older.path());
    is_behind(stage.append(5..6).await, (3, 5));
    is_behind(stage.publish(100).await, (3, 5));
    assert_eq!(stage.shown().await, signed);
    assert!(stage.store.prove_entry(2).await.expect("readable").is_some());
    assert!(stage.store.prove_standing("lab:p0").await.expect("readable").is_some());
    // Also without the guard's file the checkpoint that everybody saw tells.
    let guard = fs::read(stage.path("signed-checkpoint")).expect("kept");
    fs::remove_file(stage.path("signed-checkpoint")).expect("writable");
    let stage = stage.reopen();
    is_behind(stage.append(5..6).await, (3, 5));
    fs::remove_file(stage.path("log/checkpoint")).expect("writable");
    // As many entries, and others: that is a fork.
    let stage = stage.reopen();
    stage.append(10..12).await.expect("nothing is left to know better by");
    back_up(&stage, other.path());
    fs::write(stage.path("signed-checkpoint"), &guard).expect("writable");
    let stage = restore(stage, other.path());
    is_behind(stage.append(12..13).await, (5, 5));
    is_behind(stage.publish(100).await, (5, 5));

    // The right one goes on.
    let stage = restore(stage, newer.path());
    assert_eq!(stage.publish(100).await.expect("shown").checkpoint, signed.checkpoint);
    stage.append(5..6).await.expect("appended");
    assert_eq!(stage.publish(101).await.expect("shown").checkpoint.size, 6);
    assert_eq!(stage.shown().await.checkpoint.size, 6);
}

#[tokio::test]
async fn a_disk_that_said_flushed_and_lost_the_end_is_not_signed_over() {
    let stage = Stage::new();
    let kept = tempfile::tempdir().expect("a temporary folder");
    stage.append(0..3).await.expect("appended");
    stage.publish(0).await.expect("shown");
    stage.append(3..5).await.expect("appended");
    let signed = stage.publish(1).await.expect("shown");
    back_up(&stage, kept.path());
    let journal = kept.path().join("glassbox.sqlite-wal");
    let bytes = fs::read(&journal).expect("the end of the database is in its journal");
    let mut stage = stage;
    let mut states = (0, 0);
    // Whatever of the journal's pages reached the disk, in whole or in part.
    for lost in (0..=bytes.len()).step_by(2_500) {
        fs::write(&journal, &bytes[..bytes.len() - lost]).expect("writable");
        stage = restore(stage, kept.path());
        match stage.append(5..6).await {
            Ok(index) => {
                states.0 += 1;
                assert_eq!(index, 5, "{lost} bytes lost, and entries with them");
            }
            Err(StoreError::LogBehind { found, signed: 5 }) => {
                states.1 += 1;
                assert!(
                    [0, 3, 5].contains(&found),
                    "{lost} bytes lost: half of a transaction is there, {found}"
                );
                assert!(matches!(stage.publish(100).await, Err(StoreError::LogBehind { .. })), "{lost}");
            }
            other => panic!("{lost} bytes lost: {other:?}"),
        }
    }
    assert!(states.0 > 0 && states.1 > 0, "{states:?}");
    // The checkpoint that everybody saw is still there for them.
    let shown = fs::read_to_string(stage.path("log/checkpoint")).expect("kept");
    assert_eq!(stage.opened(&shown).checkpoint, signed.checkpoint);
}

#[tokio::test]
async fn what_stands_is_provable_and_never_ahead_of_the_checkpoint() {
    let stage = Stage::new();
    assert!(
        stage.store.prove_standing("lab:p0").await.expect("readable").is_none(),
        "there is no checkpoint"
    );
    stage.append(0..20).await.expect("appended");
    stage.publish(0).await.expect("shown");
    let key = stage.key.verifier_key();
    for (about, entries) in [("lab:p0", Some(3)), ("lab:p6", Some(2)), ("lab:p7", None), ("nobody", None)] {
        let proof = stage.store.prove_standing(about).await.expect("readable").expect("a checkpoint");
        assert_eq!(proof.verify(&key).expect("proved").checkpoint.size, 20);
        assert_eq!(proof.standing.map(|standing| standing.entries), entries, "{about}");
    }
    stage.append(20..22).await.expect("appended");
    let proof = stage.store.prove_standing("lab:p0").await.expect("readable").expect("a checkpoint");
    assert_eq!(proof.verify(&key).expect("proved").checkpoint.size, 20);
    stage.publish(0).await.expect("shown");
    let proof = stage.store.prove_standing("lab:p0").await.expect("readable").expect("a checkpoint");
    assert_eq!(proof.verify(&key).expect("proved").checkpoint.size, 22);
    assert_eq!(proof.standing.expect("there").entries, 4);
    // What is about something else than it says would be found nowhere.
    let misplaced = NewEntry { about: "lab:other".into(), ..act(0) };
    assert!(matches!(stage.store.append(vec![act(1), misplaced]).await, Err(StoreError::Corrupt(_))));
    assert_eq!(stage.publish(100).await.expect("shown").checkpoint.size, 22, "all of them or none");
}

#[tokio::test]
async fn a_store_of_before_there_was_a_map_gets_one() {
    let stage = Stage::new();
    stage.append(0..300).await.expect("appended");
    let before = stage.publish(0).await.expect("shown");
    let database = rusqlite::Connection::open(stage.path("glassbox.sqlite")).expect("a database");
    database
        .execute_batch("DELETE FROM standings; DELETE FROM map_nodes; UPDATE checkpoint SET mapped = 0")
        .expect("writable");
    let stage = stage.reopen();
    let after = stage.publish(1).await.expect("shown");
    assert_eq!((after.time_s, after.map), (Some(1), before.map));
    let proof = stage.store.prove_standing("lab:p0").await.expect("readable").expect("a checkpoint");
    proof.verify(&stage.key.verifier_key()).expect("proved");
}
