//! The vectors in `conformance/log`, which another implementation made.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::map::{EMPTY, MapProof, MemoryMap, prove as prove_standing};
use super::tests::{log_of, with_entries};
use super::*;
use crate::Digest;

macro_rules! vectors {
    ($name:literal) => {
        read(include_str!(concat!("../../../../conformance/log/", $name)))
    };
}

fn read<T: DeserializeOwned>(text: &str) -> T {
    serde_json::from_str(text).expect("vectors read")
}

#[derive(Deserialize)]
struct TreeVectors {
    leaves: Vec<Digest>,
    roots: Vec<Root>,
    inclusion: Vec<Inclusion>,
    consistency: Vec<Consistency>,
    tiles: Vec<Files>,
}

#[derive(Deserialize)]
struct Root {
    #[serde(alias = "entries")]
    size: u64,
    root: Digest,
}

#[derive(Deserialize)]
struct Inclusion {
    index: u64,
    size: u64,
    hashes: Vec<Digest>,
}

#[derive(Deserialize)]
struct Consistency {
    old: u64,
    new: u64,
    hashes: Vec<Digest>,
}

#[derive(Deserialize)]
struct Files {
    size: u64,
    files: BTreeMap<String, Digest>,
}

#[test]
fn the_tree_is_as_the_vectors_have_it() {
    let vectors: TreeVectors = vectors!("tree.json");
    let stored = log_of(600);
    for (index, leaf) in vectors.leaves.iter().enumerate() {
        assert_eq!(Digest::of_parts(&[&[0], format!("entry {index}").as_bytes()]), *leaf);
    }
    for Root { size, root: expected } in vectors.roots {
        assert_eq!(root(size, &stored).expect("stored"), expected, "{size}");
    }
    for Inclusion { index, size, hashes } in vectors.inclusion {
        assert_eq!(prove(index, size, &stored).expect("stored"), hashes, "{index} of {size}");
    }
    let tree = |size| Checkpoint { origin: "o".into(), size, root: root(size, &stored).expect("stored") };
    for Consistency { old, new, hashes } in vectors.consistency {
        assert_eq!(prove_consistency(old, new, &stored).expect("stored"), hashes, "{old} to {new}");
        check_consistency(&tree(old), &tree(new), &hashes).expect("consistent");
    }
    for Files { size, files: expected } in vectors.tiles {
        let entries: Vec<_> = (0..size).map(|n| format!("entry {n}").into_bytes()).collect();
        let bytes = |tile: &Tile| match tile.entries() {
            Some(range) => bundle(&entries[range.start as usize..range.end as usize]),
            None => tile.hashes(&stored).expect("stored"),
        };
        let files: BTreeMap<_, _> =
            tiles(0, size).iter().map(|tile| (tile.to_string(), Digest::of(bytes(tile)))).collect();
        assert_eq!(files, expected, "{size}");
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct TileVectors {
    paths: Vec<String>,
    refused_paths: Vec<String>,
    bundles: Vec<Bundle>,
    refused_bundles: Vec<String>,
}

#[derive(Deserialize)]
struct Bundle {
    hex: String,
    entries: Vec<String>,
}

#[test]
fn tiles_are_named_and_packed_as_the_vectors_have_it() {
    let vectors: TileVectors = vectors!("tiles.json");
    for path in vectors.paths {
        assert_eq!(path.parse::<Tile>().expect("a path").to_string(), path);
    }
    for path in vectors.refused_paths {
        assert!(path.parse::<Tile>().is_err(), "{path}");
    }
    for Bundle { hex, entries } in vectors.bundles {
        let entries: Vec<_> = entries.into_iter().map(String::into_bytes).collect();
        let bytes = hex::decode(hex).expect("hexadecimal");
        assert_eq!(bundle(&entries), bytes);
        assert_eq!(entries_of_bundle(&bytes).expect("whole"), entries);
    }
    for hex in vectors.refused_bundles {
        assert!(entries_of_bundle(&hex::decode(&hex).expect("hexadecimal")).is_err(), "{hex}");
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct CheckpointVectors {
    log: String,
    witness: CosignerKey,
    notes: Vec<Note>,
    refused: Vec<Note>,
    witness_refused: Vec<Note>,
    continued: Vec<Step>,
    not_continued: Vec<Step>,
}

#[derive(Deserialize)]
struct Note {
    #[serde(default)]
    why: String,
    note: String,
    size: Option<u64>,
    root: Option<Digest>,
    map: Option<Digest>,
    time: Option<u64>,
    witnessed: Option<u64>,
}

#[derive(Deserialize)]
struct Step {
    #[serde(default)]
    why: String,
    seen: String,
    shown: String,
    proof: Vec<Digest>,
}

#[test]
fn checkpoints_are_signed_and_continued_as_the_vectors_have_it() {
    let vectors: CheckpointVectors = vectors!("checkpoints.json");
    for note in vectors.notes {
        let opened = SignedCheckpoint::open(&note.note, &vectors.log).expect("signed");
        let tree = (Some(opened.checkpoint.size), Some(opened.checkpoint.root));
        assert_eq!(tree, (note.size, note.root));
        assert_eq!((opened.map, opened.time_s), (note.map, note.time));
        assert_eq!(vectors.witness.verify(&note.note).expect("a note"), note.witnessed);
    }
    for note in vectors.refused {
        assert!(SignedCheckpoint::open(&note.note, &vectors.log).is_err(), "{}", note.why);
    }
    for note in vectors.witness_refused {
        assert!(vectors.witness.verify(&note.note).is_err(), "{}", note.why);
    }
    let check = |step: &Step| {
        let [seen, shown] =
            [&step.seen, &step.shown].map(|note| open_checkpoint(note, &vectors.log).expect("signed"));
        check_consistency(&seen, &shown, &step.proof)
    };
    for step in vectors.continued {
        check(&step).expect("continued");
    }
    for step in vectors.not_continued {
        assert!(check(&step).is_err(), "{}", step.why);
    }
}

#[derive(Deserialize)]
struct MapVectors {
    entries: Vec<String>,
    roots: Vec<Root>,
    standings: Vec<StandingDigest>,
    proofs: Vec<Proved>,
    refused: Vec<Proved>,
}

#[derive(Deserialize)]
struct StandingDigest {
    about: String,
    standing: Standing,
    digest: Digest,
}

#[derive(Deserialize)]
struct Proved {
    #[serde(default)]
    why: String,
    about: String,
    standing: Option<Standing>,
    proof: MapProof,
}

#[test]
fn the_map_adds_up_as_the_vectors_have_it() {
    let vectors: MapVectors = vectors!("map.json");
    let mut roots: BTreeMap<u64, Digest> =
        vectors.roots.into_iter().map(|root| (root.size, root.root)).collect();
    assert_eq!(roots.remove(&0), Some(EMPTY));
    let (mut map, mut standings, mut root) = (MemoryMap::default(), BTreeMap::new(), EMPTY);
    for (index, entry) in vectors.entries.iter().enumerate() {
        let read: Entry = read(entry);
        assert_eq!(read.to_bytes(), entry.as_bytes());
        let change = Change::of(entry.as_bytes()).expect("about something");
        let before: Option<Standing> = standings.remove(&change.about);
        assert_eq!(read.previous, before.as_ref().map(|before| before.head), "{index}");
        let after = Standing::after(before, &change);
        root = map.update(&[(Digest::of(&change.about), after.digest())].into());
        assert_eq!(roots.remove(&(index as u64 + 1)), Some(root), "{index}");
        standings.insert(change.about, after);
    }
    assert!(roots.is_empty());
    for StandingDigest { about, standing, digest } in vectors.standings {
        assert_eq!((standing.digest(), standings.get(&about)), (digest, Some(&standing)), "{about}");
    }
    let verify = |proved: &Proved| {
        let value = proved.standing.as_ref().map(Standing::digest);
        proved.proof.verify(root, Digest::of(&proved.about), value)
    };
    for proved in vectors.proofs {
        verify(&proved).unwrap_or_else(|_| panic!("{}", proved.about));
        let Ok(proof) = prove_standing(&map, Digest::of(&proved.about));
        assert_eq!(proof, proved.proof, "{}", proved.about);
    }
    for proved in vectors.refused {
        assert!(verify(&proved).is_err(), "{}", proved.why);
    }
}

/// The root of some leaves, by the definition. See RFC 6962, section 2.1.
fn naive_root(leaves: &[Digest]) -> Digest {
    match leaves {
        [] => Digest::of(""),
        [leaf] => *leaf,
        leaves => {
            let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
            Digest::of_parts(&[&[1], naive_root(left).as_bytes(), naive_root(right).as_bytes()])
        }
    }
}

/// See RFC 6962, section 2.1.1.
fn naive_inclusion(index: usize, leaves: &[Digest]) -> Vec<Digest> {
    if leaves.len() == 1 {
        return Vec::new();
    }
    let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
    let (mut proof, other) = if index < left.len() {
        (naive_inclusion(index, left), right)
    } else {
        (naive_inclusion(index - left.len(), right), left)
    };
    proof.push(naive_root(other));
    proof
}

/// See RFC 6962, section 2.1.2.
fn naive_consistency(old: usize, leaves: &[Digest], whole: bool) -> Vec<Digest> {
    if old == leaves.len() {
        return if whole { Vec::new() } else { vec![naive_root(leaves)] };
    }
    let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
    let (mut proof, other) = if old <= left.len() {
        (naive_consistency(old, left, whole), right)
    } else {
        (naive_consistency(old - left.len(), right, false), left)
    };
    proof.push(naive_root(other));
    proof
}

#[test]
fn at_every_size_up_to_600_roots_and_proofs_are_those_of_a_naive_tree() {
    let stored = log_of(600);
    let leaves: Vec<_> =
        (0..600).map(|n| Digest::of_parts(&[&[0], format!("entry {n}").as_bytes()])).collect();
    let roots: Vec<_> = (0..=600).map(|size| naive_root(&leaves[..size])).collect();
    let tree = |size: usize| Checkpoint { origin: "o".into(), size: size as u64, root: roots[size] };
    assert_eq!(root(0, &stored).expect("nothing to read"), naive_root(&[]));
    let mut random = 7_u64;
    let mut below = |bound: usize| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (random >> 33) as usize % bound
    };
    for size in 1..=600 {
        let now = tree(size);
        assert_eq!(root(size as u64, &stored).expect("stored"), now.root, "{size}");
        let index = below(size);
        let proof = prove(index as u64, size as u64, &stored).expect("stored");
        assert_eq!(proof, naive_inclusion(index, &leaves[..size]), "{index} of {size}");
        for old in [0, size, below(size)] {
            let proof = prove_consistency(old as u64, size as u64, &stored).expect("stored");
            if old > 0 {
                assert_eq!(proof, naive_consistency(old, &leaves[..size], true), "{old} to {size}");
            }
            let before = tree(old);
            check_consistency(&before, &now, &proof).expect("consistent");
            // Of another tree of that size nothing is proved, nor backwards.
            if old > 0 {
                let forked = Checkpoint { root: Digest::of("another"), ..before.clone() };
                assert!(check_consistency(&forked, &now, &proof).is_err(), "{old} to {size}");
            }
            if old < size {
                assert!(check_consistency(&now, &before, &proof).is_err(), "{size} to {old}");
            }
        }
    }
}

proptest::proptest! {
    /// Two logs that differ in one entry: no proof leads from what has it to what has the other.
    #[test]
    fn a_fork_is_consistent_with_nothing_after_it(
        at in 0..200_u64, old in 1..200_u64, more in 1..200_u64,
    ) {
        let new = old + more;
        let honest = log_of(new);
        let forked = with_entries(new, |n| if n == at { "forked".into() } else { format!("entry {n}") });
        let tree = |size, stored| Checkpoint { origin: "o".into(), size, root: root(size, stored).expect("stored") };
        for (log, holds) in [(&honest, at >= old), (&forked, at >= new)] {
            let proof = prove_consistency(old, new, log).expect("stored");
            let leads = check_consistency(&tree(old, &forked), &tree(new, &honest), &proof);
            proptest::prop_assert_eq!(leads.is_ok(), holds);
        }
    }
}

#[derive(Deserialize)]
struct PolicyVectors {
    judged: Vec<Judged>,
    refused: Vec<RefusedPolicy>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Judged {
    why: String,
    policy: String,
    note: String,
    result: String,
    #[serde(default)]
    witnesses: Vec<String>,
    now_s: Option<u64>,
    age_seconds_max: Option<u64>,
}

#[derive(Deserialize)]
struct RefusedPolicy {
    why: String,
    policy: String,
    line: usize,
}

#[test]
fn policies_trust_what_they_should() {
    let vectors: PolicyVectors = read(include_str!("../../../../conformance/policy/log.json"));
    for Judged { why, policy, note, result, witnesses, now_s, age_seconds_max } in vectors.judged {
        let policy = LogPolicy::parse(&policy).expect(&why);
        let freshness =
            now_s.zip(age_seconds_max).map(|(now_s, age_seconds_max)| Freshness { now_s, age_seconds_max });
        let judged = policy.judge(&note, freshness);
        let found = match &judged {
            Ok(_) => "trusted",
            Err(Distrust::UnknownLog { .. }) => "unknown-log",
            Err(Distrust::TooFewWitnesses { .. }) => "too-few-witnesses",
            Err(Distrust::Frozen { .. }) => "frozen",
        };
        assert_eq!(found, result, "{why}: {judged:?}");
        assert_eq!(judged.map(|trusted| trusted.witnesses).unwrap_or_default(), witnesses, "{why}");
    }
    for RefusedPolicy { why, policy, line } in vectors.refused {
        assert_eq!(LogPolicy::parse(&policy).expect_err(&why).line, line, "{why}");
    }
}
