use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::map::{EMPTY, Leaf, MapProof, MemoryMap, Node, prove, update};
use super::*;
use crate::Digest;
use crate::acts::{Act as _, KeyRevocation, Quarantine, Yank};
use crate::dsse::Envelope;
use crate::key::SecretKey;
use crate::release::{Authorship, Release};

/// The root by the definition, with no way around anything.
fn naive_root(leaves: &[(Digest, Digest)], depth: usize) -> Digest {
    match leaves {
        [] => EMPTY,
        [(key, value)] => Digest::of_parts(&[&[2], key.as_bytes(), value.as_bytes()]),
        leaves => {
            let half = |side: u8| -> Vec<_> {
                let bit = |key: &Digest| key.as_bytes()[depth / 8] >> (7 - depth % 8) & 1;
                leaves.iter().copied().filter(|(key, _)| bit(key) == side).collect()
            };
            let [left, right] = [0, 1].map(|side| naive_root(&half(side), depth + 1));
            Digest::of_parts(&[&[3], left.as_bytes(), right.as_bytes()])
        }
    }
}

/// Keys that share long beginnings as often as not, so that deep trees come about.
fn key() -> impl Strategy<Value = Digest> {
    let near = (0..4_u8, 0..256_usize).prop_map(|(first, bit)| {
        let mut bytes = [0; 32];
        bytes[31] = first;
        bytes[bit / 8] ^= 0x80 >> (bit % 8);
        Digest::from_bytes(bytes)
    });
    prop_oneof![any::<[u8; 32]>().prop_map(Digest::from_bytes), near]
}

fn changes() -> impl Strategy<Value = BTreeMap<Digest, Digest>> {
    prop::collection::btree_map(key(), any::<[u8; 32]>().prop_map(Digest::from_bytes), 0..12)
}

proptest! {
    #[test]
    fn however_it_grew_the_root_is_that_of_what_is_in_it(batches in prop::collection::vec(changes(), 0..6)) {
        let mut map = MemoryMap::default();
        let mut leaves = BTreeMap::new();
        for batch in batches {
            let root = map.update(&batch);
            leaves.extend(batch);
            let listed: Vec<_> = leaves.clone().into_iter().collect();
            prop_assert_eq!(root, naive_root(&listed, 0));
        }
    }

    #[test]
    fn what_is_there_is_provable_and_so_is_what_is_not(
        leaves in changes(), absent in key(), at in any::<prop::sample::Index>(), wrong in key(),
    ) {
        let mut map = MemoryMap::default();
        let root = map.update(&leaves);
        for (key, value) in &leaves {
            let Ok(proof) = prove(&map, *key);
            prop_assert!(proof.verify(root, *key, Some(*value)).is_ok());
            prop_assert!(proof.verify(root, *key, None).is_err());
            prop_assert!(proof.verify(root, *key, Some(Digest::of("another"))).is_err());
            prop_assert!(proof.verify(Digest::of("another"), *key, Some(*value)).is_err());
            let longer = MapProof { siblings: [proof.siblings.clone(), vec![EMPTY]].concat(), ..proof.clone() };
            prop_assert!(longer.verify(root, *key, Some(*value)).is_err());
            if !proof.siblings.is_empty() {
                let mut changed = proof;
                let at = at.index(changed.siblings.len());
                changed.siblings[at] = Digest::of(changed.siblings[at].as_bytes());
                prop_assert!(changed.verify(root, *key, Some(*value)).is_err());
            }
        }
        if !leaves.contains_key(&absent) {
            let Ok(proof) = prove(&map, absent);
            prop_assert!(proof.verify(root, absent, None).is_ok());
            prop_assert!(proof.verify(root, absent, Some(wrong)).is_err());
            // Nobody can be hidden behind the absence of another.
            for key in leaves.keys() {
                prop_assert!(proof.verify(root, *key, None).is_err());
            }
        }
    }

    #[test]
    fn no_proof_makes_it_panic(siblings in prop::collection::vec(key(), 0..300), other in key(), key in key()) {
        let other = Some(Leaf { key: other, value: other });
        let _ = MapProof { siblings: siblings.clone(), other }.verify(EMPTY, key, None);
        let _ = MapProof { siblings, other: None }.verify(EMPTY, key, Some(key));
    }
}

#[test]
fn an_update_writes_only_what_is_on_the_way() {
    let mut map = MemoryMap::default();
    let key = |n: u32| Digest::of(n.to_be_bytes());
    map.update(&(0..10_000).map(|n| (key(n), key(n))).collect());
    let Ok(one) = update(&map, &BTreeMap::from([(key(1), EMPTY)]));
    assert!((10..30).contains(&one.nodes.len()), "{} nodes", one.nodes.len());
    for (_, node) in one.nodes {
        assert_eq!(Node::from_bytes(&node.to_bytes()), Some(node));
    }
    assert!(Node::from_bytes(&[1; 65]).is_none() && Node::from_bytes(&[2; 64]).is_none());
}

struct Story {
    key: SecretKey,
    entries: Vec<Vec<u8>>,
}

impl Story {
    fn say(&mut self, kind: Kind, statement: Envelope) -> Change {
        let entry = Entry { kind, statement, previous: None }.to_bytes();
        self.entries.push(entry.clone());
        Change::of(&entry).expect("it is about something")
    }

    fn release(&mut self, version: &str) -> Change {
        let digest = Digest::of(version);
        let release = Release {
            release: format!("lab:bench@{version}").parse().expect("a release"),
            manifest: digest,
            terms: digest,
            wit: digest,
            tests: digest,
            component: digest,
            files: None,
            source: None,
            dependencies: Vec::new(),
            documents: Default::default(),
            registry: None,
            editions: Default::default(),
            authorship: Authorship::default(),
        };
        let statement = release.sign(&self.key);
        self.say(Kind::Release, statement)
    }

    fn yank(&mut self, version: &str, yanked: bool) -> Change {
        let release = format!("lab:bench@{version}").parse().expect("a release");
        let statement = Yank { release, yanked, reason: String::new(), sequence: 1 }.sign(&self.key);
        self.say(Kind::Yank, statement)
    }

    fn quarantine(&mut self, version: &str, quarantined: bool) -> Change {
        let release = format!("lab:bench@{version}").parse().expect("a release");
        let act = Quarantine { release, quarantined, reason: String::new(), sequence: 1 };
        let statement = act.sign(&self.key);
        self.say(Kind::Quarantine, statement)
    }
}

#[test]
fn a_standing_is_what_the_entries_add_up_to() {
    let mut story = Story { key: SecretKey::from_seed(&[1; 32]), entries: Vec::new() };
    let steps = [
        (story.release("1.0.0"), Some("1.0.0")),
        (story.release("1.2.0"), Some("1.2.0")),
        (story.release("2.0.0-rc.1"), Some("1.2.0")),
        (story.yank("1.2.0", true), Some("1.0.0")),
        (story.quarantine("1.0.0", true), Some("2.0.0-rc.1")),
        (story.quarantine("2.0.0-rc.1", true), None),
        (story.yank("1.2.0", false), Some("1.2.0")),
        (story.quarantine("1.0.0", false), Some("1.2.0")),
    ];
    let mut standing = None;
    for (index, (change, latest)) in steps.iter().enumerate() {
        assert_eq!(change.about, "lab:bench");
        let after = Standing::after(standing, change);
        assert_eq!(after.latest.as_ref().map(ToString::to_string).as_deref(), *latest, "step {index}");
        assert_eq!((after.entries, after.head), (index as u64 + 1, Digest::of(&story.entries[index])));
        standing = Some(after);
    }
    let standing = standing.expect("entries");
    assert_eq!(standing.terms.len(), 3);
    assert_eq!(standing.quarantined, BTreeSet::from(["2.0.0-rc.1".parse().expect("a version")]));
    let json = serde_json::to_string(&standing).expect("plain");
    assert_eq!(serde_json::from_str::<Standing>(&json).expect("reads back"), standing);
}

#[test]
fn what_says_another_thing_than_its_kind_changes_nothing_but_the_head() {
    let mut story = Story { key: SecretKey::from_seed(&[1; 32]), entries: Vec::new() };
    let standing = Standing::after(None, &story.release("1.0.0"));
    let release = "lab:bench@1.0.0".parse().expect("a release");
    let yank = Yank { release, yanked: true, reason: String::new(), sequence: 1 }.sign(&story.key);
    let disguised = story.say(Kind::Quarantine, yank);
    let after = Standing::after(Some(standing.clone()), &disguised);
    assert_eq!(after, Standing { head: disguised.entry, entries: 2, ..standing });
    let key = story.key.public();
    let namespace = "lab".parse().expect("a namespace");
    let revocation = KeyRevocation { namespace, key, reason: String::new() }.sign(&story.key);
    assert_eq!(story.say(Kind::Key, revocation).about, "lab");
    for nothing in [
        "",
        "{}",
        "[]",
        r#"{"type":"release","statement":{"payload":"e30=","payloadType":"","signatures":[]}}"#,
    ] {
        assert_eq!(Change::of(nothing.as_bytes()), None, "{nothing}");
    }
}

/// A chained log of three releases, with the tree and the map that it comes to.
fn watched() -> (Vec<Vec<u8>>, SignedCheckpoint) {
    let mut story = Story { key: SecretKey::from_seed(&[1; 32]), entries: Vec::new() };
    for version in ["1.0.0", "1.1.0", "1.2.0"] {
        let previous = story.entries.last().map(Digest::of);
        story.release(version);
        let entry: Entry = serde_json::from_slice(story.entries.last().expect("one")).expect("an entry");
        *story.entries.last_mut().expect("one") = Entry { previous, ..entry }.to_bytes();
    }
    let monitor = watch(&story.entries);
    let checkpoint = Checkpoint { origin: "o".into(), size: 3, root: monitor.tree().root() };
    (story.entries, SignedCheckpoint { checkpoint, map: Some(monitor.map_root()), time_s: None })
}

fn watch(entries: &[Vec<u8>]) -> Monitor {
    let mut monitor = Monitor::default();
    entries.iter().for_each(|entry| monitor.push(entry));
    monitor
}

#[test]
fn a_monitor_finds_what_is_left_out_made_up_or_out_of_its_chain() {
    let (entries, signed) = watched();
    assert_eq!(watch(&entries).findings(&signed), []);
    // The newest release is left out of the map: lookups would be answered with the one before it.
    let stale = SignedCheckpoint { map: Some(watch(&entries[..2]).map_root()), ..signed.clone() };
    assert!(matches!(watch(&entries).findings(&stale)[..], [Finding::Map { .. }]));
    let without = SignedCheckpoint { map: None, ..signed.clone() };
    assert!(matches!(watch(&entries).findings(&without)[..], [Finding::Map { signed: None, .. }]));
    // An entry is taken out of the log, or put in another's place.
    let gone = [entries[0].clone(), entries[2].clone()];
    let found = watch(&gone).findings(&signed);
    assert!(matches!(
        &found[..],
        [Finding::Unchained { index: 1, .. }, Finding::Root { .. }, Finding::Map { .. }]
    ));
    // A statement that nobody signed, and bytes that say nothing.
    let mut forged: Entry = serde_json::from_slice(&entries[2]).expect("an entry");
    forged.statement.signatures[0].sig = String::new();
    let forged = [entries[0].clone(), entries[1].clone(), forged.to_bytes()];
    assert!(
        matches!(&watch(&forged).findings(&signed)[0], Finding::Unsigned { index: 2, about } if about == "lab:bench")
    );
    let spaced = [&entries[2][..], b" "].concat();
    let odd = [entries[0].clone(), entries[1].clone(), spaced];
    assert!(matches!(watch(&odd).findings(&signed)[0], Finding::Unreadable { index: 2 }));
}
