//! What the log costs: entries appended and sealed, against the hashing alone that nobody can spare.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use glassbox_core::Digest;
use glassbox_core::acts::{Act as _, Yank};
use glassbox_core::key::SecretKey;
use glassbox_core::log::map::MemoryMap;
use glassbox_core::log::{
    Change, Entry, Hash, HashReader, Kind, LogKey, Standing, TreeError, hashes_of_new_entry, root,
};
use glassbox_store::{NewEntry, Store};

use crate::measure::{process_cpu, show_ns};
use crate::report::Report;

/// How many entries are appended and sealed at once.
const ENTRIES: u64 = 10_000;

/// How many packages they are about.
const PACKAGES: u64 = 1_000;

const ROUNDS: usize = 3;

pub(crate) fn run(report: &mut Report) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let acts = (0..ENTRIES).map(act).collect::<Result<Vec<_>>>()?;
    let [mut alone, mut cpu, mut wall, mut single] = [Duration::MAX; 4];
    for _ in 0..ROUNDS {
        let start = process_cpu();
        let in_memory = hash_alone(&acts)?;
        alone = alone.min(process_cpu() - start);

        let folder = tempfile::tempdir()?;
        let store = Store::open(folder.path())?;
        let key = LogKey::new("bench.glassbox.dev/log", SecretKey::from_seed(&[2; 32]));
        let key = key.context("the log's name is not valid")?;
        let (start, clock) = (process_cpu(), Instant::now());
        let state = runtime.block_on(async {
            store.append(acts.clone()).await?;
            store.publish_log(key.clone(), 0).await
        })?;
        cpu = cpu.min(process_cpu() - start);
        wall = wall.min(clock.elapsed());
        let sealed = glassbox_core::log::open_checkpoint(&state.checkpoint, &key.verifier_key())?;
        ensure!(sealed.root == in_memory, "the store came to another root");

        // One more, as a publisher appends it.
        let clock = Instant::now();
        runtime.block_on(async {
            store.append(vec![act(ENTRIES)?]).await?;
            anyhow::Ok(store.publish_log(key, 0).await?)
        })?;
        single = single.min(clock.elapsed());
    }
    report.heading("The log");
    report.text(&format!(
        "{ENTRIES} signed acts about {PACKAGES} packages, appended in one transaction and sealed under one checkpoint: \
         tiles, tree, map. Hashing alone builds the same tree and the same map in memory. Then one more act, on its own.",
    ));
    let row = |what: &str, took: Duration| vec![what.to_owned(), show_ns(took.as_nanos() as f64)];
    report.table(
        &["what", "time"],
        [
            row("hashing alone, CPU", alone),
            row("appended and sealed, CPU", cpu),
            row("appended and sealed, wall", wall),
            row("one more act, wall", single),
        ],
    );
    let ratio = cpu.as_secs_f64() / alone.as_secs_f64();
    report.figure("10,000 log entries appended and sealed, against hashing alone", ratio, "x CPU", 5.0);
    report.figure("10,000 log entries appended and sealed", wall.as_secs_f64(), "s", 2.0);
    Ok(())
}

fn act(n: u64) -> Result<NewEntry> {
    let about = format!("bench:p{}", n % PACKAGES);
    let release = format!("{about}@1.0.{n}").parse()?;
    let act = Yank { release, yanked: true, reason: String::new(), sequence: n };
    Ok(NewEntry { kind: Kind::Yank, statement: act.sign(&SecretKey::from_seed(&[1; 32])), about })
}

#[derive(Default)]
struct Stored(Vec<Hash>);

impl HashReader for Stored {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<Hash>, TreeError> {
        let read = |index: &u64| self.0.get(*index as usize).copied().ok_or(TreeError::IndexesNotInTree);
        indexes.iter().map(read).collect()
    }
}

/// Builds tree and map in memory. Returns the root of the tree.
fn hash_alone(acts: &[NewEntry]) -> Result<Digest> {
    let mut stored = Stored::default();
    let mut standings = BTreeMap::<String, Standing>::new();
    for (index, act) in (0..).zip(acts) {
        let previous = standings.get(&act.about).map(|standing| standing.head);
        let entry = Entry { kind: act.kind, statement: act.statement.clone(), previous }.to_bytes();
        let hashes = hashes_of_new_entry(index, &entry, &stored)?;
        stored.0.extend(hashes);
        let change = Change::of(&entry).context("an act about nothing")?;
        let after = Standing::after(standings.remove(&change.about), &change);
        standings.insert(change.about, after);
    }
    let leaves = standings.iter().map(|(about, standing)| (Digest::of(about), standing.digest())).collect();
    std::hint::black_box(MemoryMap::default().update(&leaves));
    Ok(root(acts.len() as u64, &stored)?)
}
