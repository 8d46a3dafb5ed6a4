//! A receipt that is logged: what proves it, and that nobody can change a byte of it.

use super::*;
use crate::acts::{Act as _, ReceiptBatch, TermsChange};
use crate::limits;
use crate::log::cosignature::attach;
use crate::log::{self, Cosigner, Entry, Kind, KnownLog, LogKey, LogPolicy};
use crate::release::{Authorship, EditionComponent, Editions, Release};

pub(super) fn log_key() -> LogKey {
    LogKey::new("example.org/log", SecretKey::from_seed(&[3; 32])).expect("a valid name")
}

/// When everything is signed, in Unix seconds.
const TIME_S: u64 = 1_800_000_000;

fn witness() -> Cosigner {
    Cosigner::new("witness.example", SecretKey::from_seed(&[6; 32])).expect("a valid name")
}

/// Puts the witness's signature in the place of the log's own under the time.
fn cosigned(note: &str) -> String {
    let (log, _) = note.trim_end().rsplit_once('\n').expect("two signatures");
    let note = format!("{log}\n");
    attach(&note, &[witness().cosign(&note, TIME_S).expect("a note")]).expect("a note")
}

fn release() -> Release {
    Release {
        release: terms().release.clone(),
        manifest: Digest::of("manifest"),
        terms: terms().digest(),
        wit: Digest::of("wit"),
        tests: Digest::of("tests"),
        component: Digest::of("component"),
        files: None,
        source: None,
        dependencies: Vec::new(),
        documents: Default::default(),
        registry: None,
        editions: Default::default(),
        authorship: Authorship::default(),
    }
}

/// The entry by which the publisher of `acme:double` set its terms.
fn release_entry() -> Vec<u8> {
    let statement = release().sign(&SecretKey::from_seed(&[4; 32]));
    Entry { kind: Kind::Release, statement, previous: None }.to_bytes()
}

/// The entry by which two of its keys made the terms what they are.
pub(super) fn change_entry(change: impl FnOnce(&mut TermsChange)) -> Vec<u8> {
    let mut made = TermsChange::new(&release(), Digest::of("dearer terms"), Terms::clone(&terms()));
    change(&mut made);
    let mut statement = made.sign(&SecretKey::from_seed(&[4; 32]));
    statement.add_signature(&SecretKey::from_seed(&[5; 32])).expect("our own envelope");
    Entry { kind: Kind::Terms, statement, previous: Some(Digest::of("the entry before")) }.to_bytes()
}

/// A log of `entries` with a batch of `count` receipts, of which `bundle`'s is number `index`: the bundle with its proof.
pub(super) fn logged(bundle: Bundle, entries: u64, count: u64, index: u64) -> Bundle {
    logged_under(&release_entry(), bundle, entries, count, index)
}

/// The same in a log whose first entry is the one by which the terms were set.
pub(super) fn logged_under(terms: &[u8], mut bundle: Bundle, entries: u64, count: u64, index: u64) -> Bundle {
    let digest = bundle.receipt.payload_digest().expect("ours");
    let receipts = (0..count).map(|n| if n == index { digest } else { Digest::of(n.to_string()) });
    let tree = BatchTree::of(receipts);
    let (from, root, place) = (40, tree.root(), tree.place(index).expect("it is in it"));
    let statement = ReceiptBatch { executor: key().public(), from, count, root }.sign(&key());
    let signature = statement.signatures[0].sig.clone();
    let previous = Some(Digest::of("the entry before"));
    let batch = Entry { kind: Kind::Receipts, statement, previous }.to_bytes();

    let last = entries - 1;
    let mut log = Log::default();
    log.push(terms);
    (1..last).for_each(|n| log.push(n.to_string().as_bytes()));
    log.push(&batch);
    let place_of = |index| Place { index, hashes: log::prove(index, entries, &log).expect("stored") };
    let proof = Proof {
        batch: Batch { from, count, signature, previous, place },
        entry: place_of(last),
        terms: Some(LoggedTerms {
            entry: String::from_utf8(terms.to_vec()).expect("JSON"),
            place: place_of(0),
        }),
        checkpoint: {
            let root = log::root(entries, &log).expect("stored");
            cosigned(&log_key().sign(entries, root, Digest::of("map"), TIME_S))
        },
        keys: vec![log_key().verifier_key(), witness().key().to_string()],
    };
    bundle.proof = Some(Box::new(proof));
    bundle
}

#[derive(Default)]
struct Log(Vec<log::Hash>, u64);

impl Log {
    fn push(&mut self, entry: &[u8]) {
        let hashes = log::hashes_of_new_entry(self.1, entry, self).expect("stored");
        self.0.extend(hashes);
        self.1 += 1;
    }
}

impl log::HashReader for Log {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<log::Hash>, log::TreeError> {
        indexes
            .iter()
            .map(|n| self.0.get(*n as usize).copied().ok_or(log::TreeError::IndexesNotInTree))
            .collect()
    }
}

/// A policy that believes the log, and wants this quorum.
fn policy(quorum: &str) -> LogPolicy {
    let (log, witness) = (log_key().verifier_key(), witness().key().to_string());
    let other = Cosigner::new("other.example", SecretKey::from_seed(&[8; 32])).expect("a valid name");
    let text = format!(
        "log {log}\nwitness one {witness}\nwitness other {}\ngroup both all one other\nquorum {quorum}\n",
        other.key()
    );
    LogPolicy::parse(&text).expect("a policy")
}

#[test]
fn the_readers_policy_says_which_witnesses_it_takes() {
    let judged = |quorum| {
        let (report, _) = proof(|_| {}).verify_by(&Trust { executor: None, policy: Some(policy(quorum)) });
        report.level()
    };
    assert_eq!([judged("none"), judged("one")], [Some(Level::L1); 2]);
    assert_eq!([judged("other"), judged("both")], [None; 2]);
}

fn proof(change: impl FnOnce(&mut Proof)) -> Bundle {
    let mut bundle = logged(bundle(), 5, 3, 1);
    change(bundle.proof.as_mut().expect("logged"));
    bundle
}

#[test]
fn a_logged_receipt_is_of_level_1() {
    for (entries, count, index) in [(2, 1, 0), (5, 3, 1), (9, 8, 7), (300, 1_000, 999)] {
        let bundle = logged(bundle(), entries, count, index);
        let (report, _) = bundle.verify_by(&Trust { executor: None, policy: Some(policy("none")) });
        assert_eq!(report.level(), Some(Level::L1), "{report:?}");
    }
    assert_eq!(bundle().verify(None).0.level(), Some(Level::L0));
    // Who wants it logged does not get less, nor by another log.
    let unlogged = bundle().verify_by(&Trust { executor: None, policy: Some(policy("none")) }).0;
    assert_eq!(unlogged.level(), None);
    let other = LogKey::new("example.org/log", SecretKey::from_seed(&[5; 32])).expect("a valid name");
    let elsewhere = proof(|_| {})
        .verify_by(&Trust {
            executor: None,
            policy: Some(LogPolicy::of_log(KnownLog::new(&other.verifier_key(), None).expect("a key"))),
        })
        .0;
    assert!(!elsewhere.holds());
}

#[test]
fn a_proof_is_of_one_receipt_and_one_log() {
    assert_eq!(failing(&proof(|_| {})), [""; 0]);
    assert_eq!(failing(&proof(|proof| proof.batch.from += 1)), ["inclusion"]);
    assert_eq!(failing(&proof(|proof| proof.batch.count += 1)), ["inclusion"]);
    assert_eq!(failing(&proof(|proof| proof.batch.count = u64::MAX)), ["inclusion"]);
    assert_eq!(failing(&proof(|proof| proof.batch.place.index = 0)), ["inclusion"]);
    assert_eq!(failing(&proof(|proof| proof.batch.previous = None)), ["inclusion"]);
    assert_eq!(failing(&proof(|proof| proof.entry.index = 3)), ["inclusion"]);
    assert_eq!(failing(&proof(|proof| proof.entry.hashes.clear())), ["inclusion"]);
    assert_eq!(failing(&proof(|proof| proof.keys.clear())), ["log"]);
    assert_eq!(failing(&proof(|proof| proof.keys.truncate(1))), ["log"], "nobody checks the witness");
    assert_eq!(failing(&proof(|proof| proof.keys.reverse())), ["log"]);
    assert_eq!(failing(&proof(|proof| proof.keys.push(witness().key().to_string()))), ["log"]);
    assert_eq!(failing(&proof(|proof| proof.checkpoint.push_str("— example.com AAAAAAAA\n"))), ["log"]);
    // The proof of another receipt.
    let mut other = resigned(|receipt| receipt.started_at = "2026-01-01T00:00:00.5Z".into());
    other.proof = proof(|_| {}).proof;
    assert_eq!(failing(&other), ["inclusion"]);
    // The executor had seen more than there is, or another log.
    let ahead = logged(resigned(|receipt| receipt.checkpoint.size = 6), 5, 3, 1);
    assert_eq!(failing(&ahead), ["log"]);
    let elsewhere = logged(resigned(|receipt| receipt.checkpoint.origin = "example.com/log".into()), 5, 3, 1);
    assert_eq!(failing(&elsewhere), ["log"]);
}

#[test]
fn the_price_is_what_the_publisher_had_logged_before_the_call() {
    let unseen = logged(resigned(|receipt| receipt.checkpoint.size = 0), 5, 3, 1);
    assert_eq!(failing(&unseen), ["price"]);
    let other_manifest = resigned(|receipt| receipt.manifest = Some(Digest::of("another")));
    assert_eq!(failing(&logged(other_manifest, 5, 3, 1)), ["price"]);
    assert_eq!(failing(&proof(|proof| proof.terms.as_mut().expect("there").place.index = 1)), ["price"]);
    // Without the entry nothing is said of the price.
    assert_eq!(failing(&proof(|proof| proof.terms = None)), [""; 0]);
}

#[test]
fn a_change_of_terms_proves_the_price_of_what_was_called_after_it() {
    let under = |entry: &[u8]| logged_under(entry, bundle(), 5, 3, 1);
    assert_eq!(failing(&under(&change_entry(|_| {}))), [""; 0]);
    let (report, _) = under(&change_entry(|_| {})).verify(None);
    let price = report.checks.iter().find(|check| check.name == "price").expect("it is checked");
    let signers = [4, 5].map(|seed| SecretKey::from_seed(&[seed; 32]).public().to_string());
    assert!(signers.iter().all(|signer| price.detail.contains(signer)), "{}", price.detail);
    let refused: [fn(&mut TermsChange); 5] = [
        |change| change.terms.price[0].amount = Atomic(39),
        |change| change.release = "acme:double@1.0.1".parse().expect("valid"),
        |change| change.component = Digest::of("another"),
        |change| change.files = Some(Digest::of("files")),
        |change| change.manifest = Digest::of("another"),
    ];
    for change in refused {
        assert_eq!(failing(&under(&change_entry(change))), ["price"]);
    }
    // What runs is the component of the function's edition, where that has one.
    let of_edition = |component: &str, own: &str, export: &str| {
        let edition = EditionComponent { component: Digest::of(own), exports: [export.to_owned()].into() };
        let editions = Editions([("ee".to_owned(), edition)].into());
        let component = Digest::of(component);
        failing(&under(&change_entry(|change| (change.component, change.editions) = (component, editions))))
    };
    assert_eq!(of_edition("another", "component", "double"), [""; 0]);
    assert_eq!(of_edition("component", "another", "other"), [""; 0]);
    assert_eq!(of_edition("component", "another", "double"), ["price"]);
    // Logged after the call, and signed by one of the two that it names.
    let unseen = resigned(|receipt| receipt.checkpoint.size = 0);
    assert_eq!(failing(&logged_under(&change_entry(|_| {}), unseen, 5, 3, 1)), ["price"]);
    let mut half: Entry = serde_json::from_slice(&change_entry(|_| {})).expect("an entry");
    half.statement.signatures[1].sig = half.statement.signatures[0].sig.clone();
    assert_eq!(failing(&under(&half.to_bytes())), ["price"]);
}

#[test]
fn every_changed_byte_of_a_bundle_is_refused() {
    let text = serde_json::to_string(&proof(|_| {})).expect("plain JSON");
    let holds = |bytes: &[u8]| {
        let bundle = std::str::from_utf8(bytes).ok().and_then(|text| Bundle::from_json(text).ok());
        bundle.is_some_and(|bundle| bundle.verify(None).0.holds())
    };
    assert!(holds(text.as_bytes()));
    let changed = |mask: u8, index: usize| {
        let mut bytes = text.clone().into_bytes();
        bytes[index] ^= mask;
        holds(&bytes).then(|| format!("byte {index}: {}", &text[index.saturating_sub(40)..=index]))
    };
    let survivors: Vec<String> = (0..text.len()).filter_map(|index| changed(0x01, index)).collect();
    assert_eq!(survivors, [""; 0]);
    // Capitals for small letters, where no signature covers them.
    let letters = (0..text.len()).filter(|index| text.as_bytes()[*index].is_ascii_alphabetic());
    let payload = text.find("payloadType").expect("it is there");
    let survivors: Vec<String> =
        letters.filter(|index| *index > payload).filter_map(|index| changed(0x20, index)).collect();
    assert_eq!(survivors, [""; 0]);
}

#[test]
fn every_cut_bundle_is_refused() {
    let text = serde_json::to_string(&proof(|_| {})).expect("plain JSON");
    for length in (0..text.len()).filter(|length| text.is_char_boundary(*length)) {
        assert!(Bundle::from_json(&text[..length]).is_err(), "cut to {length} bytes");
    }
}

#[test]
fn a_bundle_says_nothing_that_a_verifier_ignores() {
    let json = serde_json::to_value(proof(|_| {})).expect("plain JSON");
    assert!(Bundle::from_value(json.clone()).is_ok());
    // White space and order are nobody's claim.
    assert!(Bundle::from_json(&serde_json::to_string_pretty(&json).expect("plain JSON")).is_ok());
    for path in
        ["", "/opening", "/receipt", "/receipt/signatures/0", "/proof", "/proof/batch", "/opening/terms"]
    {
        let mut json = json.clone();
        json.pointer_mut(path).expect("it is there")["note"] = json!("verified by nobody");
        assert!(Bundle::from_value(json).is_err(), "{path}");
    }
}

#[test]
fn a_bundle_is_small() {
    // A full batch, in a log of some hundred entries; one of some thousand has four hashes more.
    let mut bundle = logged(bundle(), 256, limits::RECEIPT_BATCH_MAX as u64, 100);
    let terms = bundle.proof.as_mut().expect("logged").terms.take();
    let size = |json: serde_json::Result<Vec<u8>>| json.expect("plain JSON").len();
    let (whole, values) = (size(serde_json::to_vec(&bundle)), size(serde_json::to_vec(&bundle.opening)));
    let terms = size(serde_json::to_vec(&terms));
    let hashes = 4 * 32 * 4 / 3;
    assert!(
        whole - values + hashes < 5 * 1_024,
        "{whole} with {values} of values, and {terms} of the publisher's"
    );
}
