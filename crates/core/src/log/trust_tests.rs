//! What witnesses decide, what policies ask for, and proofs that travel.

use super::cosignature::attach;
use super::*;
use crate::Digest;
use crate::key::SecretKey;

const ORIGIN: &str = "example.org/log";

fn log_key() -> LogKey {
    LogKey::new(ORIGIN, SecretKey::from_seed(&[3; 32])).expect("valid name")
}

fn known() -> Vec<KnownLog> {
    vec![KnownLog::new(&log_key().verifier_key(), None).expect("a key")]
}

fn cosigner(seed: u8) -> Cosigner {
    Cosigner::new(&format!("witness.example/{seed}"), SecretKey::from_seed(&[seed; 32])).expect("valid name")
}

fn tree(size: u64, kind: &str) -> Tree {
    let mut tree = Tree::default();
    (0..size).for_each(|index| tree.push(format!("{kind} {index}").as_bytes()));
    tree
}

fn checkpoint(tree: &Tree) -> Checkpoint {
    Checkpoint { origin: ORIGIN.into(), size: tree.size(), root: tree.root() }
}

fn note(tree: &Tree) -> String {
    log_key().sign(tree.size(), tree.root(), map::EMPTY, 1_000)
}

fn request(old_size: u64, tree: &Tree) -> AddCheckpoint {
    let hashes = prove_consistency(old_size, tree.size(), tree).expect("stored");
    AddCheckpoint { old_size, hashes, checkpoint: note(tree) }
}

fn judge(request: &AddCheckpoint, last: Option<&Tree>) -> Result<(), WitnessRefusal> {
    let read = AddCheckpoint::parse(request.to_text().as_bytes())?;
    assert_eq!(read, *request);
    read.open(&known())?.judge(last.map(checkpoint).as_ref())
}

#[test]
fn a_witness_follows_a_log_that_only_grows() {
    let empty = Tree::default();
    for (old, new) in [(0, 0), (0, 1), (0, 300), (1, 2), (5, 5), (7, 8), (255, 257), (300, 600)] {
        let (last, next) = (tree(old, "entry"), tree(new, "entry"));
        let request = request(old, &next);
        assert_eq!(judge(&request, Some(&last)), Ok(()), "{old} to {new}");
        assert_eq!(judge(&request, None).is_ok(), old == 0, "{old} to {new}, never seen");
        if old > 0 {
            assert_eq!(judge(&request, None), Err(WitnessRefusal::Conflict(0)));
        }
    }
    assert_eq!(judge(&request(0, &tree(4, "entry")), Some(&empty)), Ok(()));
}

#[test]
fn a_witness_cosigns_no_fork_and_no_smaller_tree() {
    let (last, fork) = (tree(7, "entry"), tree(9, "other"));
    let inconsistent = Err(WitnessRefusal::Inconsistent);
    assert_eq!(judge(&request(7, &fork), Some(&last)), inconsistent);
    assert_eq!(judge(&request(7, &tree(7, "other")), Some(&last)), inconsistent);
    // A proof of another place, one too short, and one where none belongs.
    let mut short = request(7, &tree(9, "entry"));
    short.hashes.pop();
    assert_eq!(judge(&short, Some(&last)), inconsistent);
    let wrong = AddCheckpoint { old_size: 7, ..request(6, &tree(9, "entry")) };
    assert_eq!(judge(&wrong, Some(&last)), inconsistent);
    let superfluous = AddCheckpoint { hashes: vec![Digest::of("x")], ..request(0, &tree(9, "entry")) };
    assert_eq!(judge(&superfluous, None), inconsistent);
    let rootless = AddCheckpoint {
        old_size: 0,
        hashes: Vec::new(),
        checkpoint: log_key().sign(0, Digest::of("not the empty tree"), map::EMPTY, 1),
    };
    assert_eq!(judge(&rootless, None), inconsistent);
    // Back to where it was, or from where it never was.
    assert_eq!(judge(&request(5, &tree(6, "entry")), Some(&last)), Err(WitnessRefusal::Conflict(7)));
    assert_eq!(judge(&request(8, &tree(9, "entry")), Some(&last)), Err(WitnessRefusal::Conflict(7)));
    let backwards = AddCheckpoint { old_size: 7, ..request(5, &tree(6, "entry")) };
    assert!(matches!(judge(&backwards, Some(&last)), Err(WitnessRefusal::Malformed(_))));
}

#[test]
fn a_witness_knows_who_signed() {
    let (next, logs) = (tree(3, "entry"), known());
    let open = |note: String| {
        AddCheckpoint { old_size: 0, hashes: Vec::new(), checkpoint: note }.open(&logs).map(|opened| {
            let note = opened.note().to_owned();
            (opened.checkpoint().size, note)
        })
    };
    let other_key = LogKey::new(ORIGIN, SecretKey::from_seed(&[4; 32])).expect("valid name");
    let other_log = LogKey::new("other.org/log", SecretKey::from_seed(&[3; 32])).expect("valid name");
    assert_eq!(open(other_key.sign(3, next.root(), map::EMPTY, 1)), Err(WitnessRefusal::NotSigned));
    assert_eq!(open(note(&next).replace("\n3\n", "\n4\n")), Err(WitnessRefusal::NotSigned));
    let unknown = Err(WitnessRefusal::UnknownLog("other.org/log".into()));
    assert_eq!(open(other_log.sign(3, next.root(), map::EMPTY, 1)), unknown);
    let huge = log_key().sign(u64::MAX, next.root(), map::EMPTY, 1);
    assert!(matches!(open(huge), Err(WitnessRefusal::Malformed(_))));
    // Signatures of others are neither looked at nor passed on.
    let line = cosigner(7).cosign(&note(&next), 5).expect("a note");
    let (size, kept) = open(attach(&note(&next), &[line]).expect("a note")).expect("signed");
    assert_eq!(size, 3);
    assert!(!kept.contains("witness.example") && open_checkpoint(&kept, logs[0].key()).is_ok(), "{kept}");
}

#[test]
fn a_malformed_request_is_refused() {
    let good = request(3, &tree(5, "entry")).to_text();
    assert!(AddCheckpoint::parse(good.as_bytes()).is_ok());
    let many =
        format!("old 1\n{}\n{}", format!("{}\n", "A".repeat(43) + "=").repeat(64), note(&tree(2, "entry")));
    for (what, bad) in [
        ("nothing", String::new()),
        ("no old size", good.replacen("old 3", "new 3", 1)),
        ("a leading zero", good.replacen("old 3", "old 03", 1)),
        ("a sign", good.replacen("old 3", "old +3", 1)),
        ("a size above all", good.replacen("old 3", "old 18446744073709551616", 1)),
        ("no empty line", good.replacen("\n\n", "\n", 1).replacen("\n\n", "\n", 1)),
        ("a hash that is none", good.replacen("old 3\n", "old 3\nAAAA\n", 1)),
        ("64 hashes", many),
    ] {
        let refused = AddCheckpoint::parse(bad.as_bytes()).and_then(|request| request.open(&known()));
        assert!(matches!(refused, Err(WitnessRefusal::Malformed(_))), "{what}: {refused:?}");
    }
    assert!(AddCheckpoint::parse(b"old 0\n\n\xff").is_err());
}

fn policy(quorum: &str) -> String {
    let keys: Vec<String> = (1..=5).map(|seed| cosigner(seed).key().to_string()).collect();
    let mut text = format!("# a policy\n\nlog {} https://example.org\n", log_key().verifier_key());
    for (index, key) in keys.iter().enumerate() {
        text.push_str(&format!("witness\tw{} {key}\n", index + 1));
    }
    text + quorum
}

const GROUPS: &str = "group x 2 w1 w2 w3\n  group y any w4 w5\ngroup both all x y\nquorum both\n";

fn cosigned(by: &[(u8, u64)]) -> String {
    let note = note(&tree(3, "entry"));
    let line = |(seed, time): &(u8, u64)| cosigner(*seed).cosign(&note, *time).expect("a note");
    attach(&note, &by.iter().map(line).collect::<Vec<_>>()).expect("a note")
}

#[test]
fn a_quorum_of_groups_is_counted() {
    let policy = LogPolicy::parse(&policy(GROUPS)).expect("a policy");
    assert_eq!((policy.logs().len(), policy.witnesses().len()), (1, 5));
    assert_eq!(policy.logs()[0].url(), Some("https://example.org"));
    for (by, enough) in [
        (&[][..], false),
        (&[1, 2], false),
        (&[4, 5], false),
        (&[1, 4], false),
        (&[1, 2, 3], false),
        (&[1, 3, 5], true),
        (&[2, 3, 4], true),
        (&[1, 2, 3, 4, 5], true),
        (&[9, 1, 4], false),
    ] {
        let by: Vec<(u8, u64)> = by.iter().map(|seed| (*seed, 1_000)).collect();
        let judged = policy.judge(&cosigned(&by), None);
        assert_eq!(judged.is_ok(), enough, "{by:?}: {judged:?}");
        if !enough {
            assert!(matches!(judged, Err(Distrust::TooFewWitnesses { .. })), "{judged:?}");
        }
    }
    // A cosignature of something else is none.
    let line = cosigner(1).cosign(&note(&tree(4, "entry")), 1_000).expect("a note");
    let moved = attach(&cosigned(&[(2, 1_000), (4, 1_000)]), &[line]).expect("a note");
    assert!(matches!(policy.judge(&moved, None), Err(Distrust::TooFewWitnesses { .. })));
    let other = LogKey::new(ORIGIN, SecretKey::from_seed(&[4; 32])).expect("valid name");
    let other = other.sign(3, tree(3, "entry").root(), map::EMPTY, 1_000);
    assert!(matches!(policy.judge(&other, None), Err(Distrust::UnknownLog { .. })));
    assert!(matches!(policy.judge("no note", None), Err(Distrust::UnknownLog { .. })));
}

#[test]
fn a_frozen_log_is_not_believed() {
    let policy = LogPolicy::parse(&policy("group two 2 w1 w2 w3\nquorum two")).expect("a policy");
    let at = |now_s: u64| Some(Freshness { now_s, age_seconds_max: 100 });
    let note = cosigned(&[(1, 1_000), (2, 1_050), (3, 900)]);
    for (now_s, believed) in
        [(1_050, true), (1_100, true), (1_101, false), (5_000, false), (450, true), (300, false)]
    {
        let judged = policy.judge(&note, at(now_s));
        assert_eq!(judged.is_ok(), believed, "{now_s}: {judged:?}");
        if !believed {
            assert!(matches!(judged, Err(Distrust::Frozen { newest_s: Some(1_050), .. })), "{judged:?}");
        }
    }
    assert!(policy.judge(&note, None).is_ok(), "a proof that was kept");
    // Without witnesses the log itself says when it was.
    let policy = LogPolicy::of_log(known().remove(0));
    let note = cosigned(&[]);
    assert!(policy.judge(&note, at(1_100)).is_ok());
    assert!(matches!(policy.judge(&note, at(1_101)), Err(Distrust::Frozen { newest_s: Some(1_000), .. })));
}

#[test]
fn a_policy_that_is_none_is_refused() {
    let key = |seed| cosigner(seed).key().to_string();
    let log = log_key().verifier_key();
    let renamed = Cosigner::new("other.name", SecretKey::from_seed(&[1; 32])).expect("valid name");
    for (text, says) in [
        (String::new(), "no `quorum` line"),
        ("quorum none\nquorum none\n".into(), "second `quorum`"),
        ("quorum w1\n".into(), "not defined above"),
        (format!("quorum w1\nwitness w1 {}\n", key(1)), "not defined above"),
        (format!("witness none {}\nquorum none", key(1)), "is taken"),
        (format!("witness w {}\nwitness w {}\nquorum w", key(1), key(2)), "is taken"),
        (format!("witness a {}\nwitness b {}\nquorum a", key(1), renamed.key()), "there already"),
        (format!("log {log}\nlog {log}\nquorum none"), "there already"),
        (format!("witness w {log}\nquorum w"), "not the verifier key of a cosigner"),
        (format!("log {}\nquorum none", key(1)), "not the verifier key of a log"),
        ("log x+y+z\nquorum none".into(), "not the verifier key of a log"),
        (format!("witness w {}\ngroup g 2 w\nquorum g", key(1)), "more than it has"),
        (format!("witness w {}\ngroup g 0 w\nquorum g", key(1)), "more than it has"),
        (format!("witness w {}\ngroup g all\nquorum g", key(1)), "more than it has"),
        (format!("witness w {}\ngroup g some w\nquorum g", key(1)), "`all`, `any` or how many"),
        (format!("witness w {}\ngroup g any w w\nquorum g", key(1)), "in a group already"),
        (format!("witness w {}\ngroup g any w\ngroup h any w\nquorum g", key(1)), "in a group already"),
        ("group g any g\nquorum g".into(), "not defined above"),
        ("group g any none\nquorum none".into(), "not defined above"),
        ("trust everybody\nquorum none".into(), "not such a line"),
        ("quorum none\r\n".into(), "control character"),
    ] {
        let error = LogPolicy::parse(&text).expect_err(&text);
        assert!(error.to_string().contains(says), "{text}: {error}");
    }
}

#[test]
fn a_proof_travels_as_text() {
    let tree = tree(300, "entry");
    for index in [0, 7, 255, 256, 299] {
        let hashes = prove(index, 300, &tree).expect("stored");
        let entry = format!("entry {index}").into_bytes();
        let proof = InclusionProof { index, hashes, checkpoint: note(&tree) };
        for extra in [None, Some(entry.clone())] {
            let proof = TlogProof { extra, proof: proof.clone() };
            let text = proof.to_text();
            assert!(text.starts_with("c2sp.org/tlog-proof@v1\n"), "{text}");
            let read = TlogProof::parse(&text).expect("a proof");
            assert_eq!(read, proof);
            assert!(read.proof.verify(&entry, &log_key().verifier_key()).is_ok());
            // No byte of it can be changed: what still reads does not verify, or says the same.
            for at in 0..text.len() {
                let mut bytes = text.clone().into_bytes();
                bytes[at] ^= 1;
                let Some(changed) =
                    String::from_utf8(bytes).ok().and_then(|text| TlogProof::parse(&text).ok())
                else {
                    continue;
                };
                let holds = changed.proof.verify(&entry, &log_key().verifier_key()).is_ok();
                let same = changed.proof.index == index && changed.proof.hashes == proof.proof.hashes;
                assert!(!holds || same, "byte {at}");
            }
        }
    }
    let one = TlogProof {
        extra: None,
        proof: InclusionProof { index: 0, hashes: Vec::new(), checkpoint: note(&tree) },
    };
    for bad in ["", "c2sp.org/tlog-proof@v2\nindex 0\n\nx", "c2sp.org/tlog-proof@v1\nindex 00\n\nx"] {
        assert!(TlogProof::parse(bad).is_err(), "{bad}");
    }
    assert!(TlogProof::parse(&one.to_text().replace("index 0", "index -1")).is_err());
    assert!(TlogProof::parse(&one.to_text().replace("index 0", "index 0\nAAAA")).is_err());
}

/// Returns the files of the tiles that a log of this size publishes.
fn tiles(tree: &Tree) -> LogFiles {
    let bytes = |tile: Tile| (tile.to_string(), tile.hashes(tree).expect("stored"));
    super::tiles(0, tree.size()).into_iter().filter(|tile| tile.entries().is_none()).map(bytes).collect()
}

/// Asks as a reader does: with nothing at first, then with what is missing.
fn asking<T>(from: &LogFiles, ask: impl Fn(&LogFiles) -> Result<T, ReadError>) -> Result<T, LogError> {
    let mut files = LogFiles::new();
    for _ in 0..4 {
        match ask(&files) {
            Ok(answer) => return Ok(answer),
            Err(ReadError::Refused(error)) => return Err(error),
            Err(ReadError::Missing(paths)) => {
                files.extend(paths.into_iter().map(|path| {
                    let bytes = from.get(&path).cloned().unwrap_or_default();
                    (path, bytes)
                }));
            }
        }
    }
    panic!("a reader that never has enough");
}

#[test]
fn tiles_are_believed_only_under_the_root() {
    for size in [1, 2, 255, 256, 257, 600, 1_000] {
        let whole = tree(size, "entry");
        let (now, files) = (checkpoint(&whole), tiles(&whole));
        for old in [0, 1, 2, 100, 255, 256, 257, 599, 999].into_iter().filter(|old| *old <= size) {
            let root = asking(&files, |files| root_at(old, &now, files)).expect("consistent");
            assert_eq!(root, tree(old, "entry").root(), "{old} of {size}");
        }
        for index in [0, size / 2, size - 1] {
            let hashes = asking(&files, |files| prove_inclusion(index, &now, files)).expect("included");
            assert_eq!(hashes, prove(index, size, &whole).expect("stored"));
        }
        if size > 2 {
            for damage in [|bytes: &mut Vec<u8>| bytes[40] ^= 1, |bytes: &mut Vec<u8>| bytes.truncate(33)] {
                let mut damaged = files.clone();
                damaged.values_mut().filter(|bytes| bytes.len() > 64).for_each(damage);
                assert!(asking(&damaged, |files| root_at(2, &now, files)).is_err(), "{size}");
                assert!(asking(&damaged, |files| prove_inclusion(0, &now, files)).is_err(), "{size}");
            }
        }
    }
    let huge = Checkpoint { origin: ORIGIN.into(), size: u64::MAX, root: Digest::of("") };
    assert!(matches!(root_at(1, &huge, &LogFiles::new()), Err(ReadError::Refused(_))));
    let empty = Checkpoint { size: 0, ..huge };
    assert!(matches!(root_at(1, &empty, &LogFiles::new()), Err(ReadError::Refused(_))));
}
