//! What every store must keep: the arrows between the states of a call, the balance of the ledger, the immutability of
//! releases, and the growth of the log. Each refusal stands beside its success, each write with its faults.

use glassbox_core::dsse::{Envelope, Signers};
use glassbox_core::key::SecretKey;
use glassbox_core::ledger::{Account, Kind, charge, refund};
use glassbox_core::log::{Checkpoint, Cosigner, LogKey, open_checkpoint};
use glassbox_core::manifest::Payee;
use glassbox_core::release::Release;
use glassbox_core::split::split;
use glassbox_core::{Atomic, Digest, ReleaseId, limits};
use glassbox_store::{
    Backing, CallState, Fault, Filter, Hold, Moment, Moved, NewCall, NewRelease, Outcome, Posting, PowerCut,
    Published, SearchDocument, Standing, Store, StoreError, WitnessStore, Witnessed,
};

const PAYER: &str = "0xpayer";
const RAIL: &str = "x402:test";

struct Stage {
    store: Store,
    folder: tempfile::TempDir,
}

fn stage() -> Stage {
    let folder = tempfile::tempdir().expect("a temporary folder");
    Stage { store: Store::open(folder.path()).expect("a new store"), folder }
}

fn new_call(id: &str, payment: &str, request: &str) -> NewCall {
    NewCall {
        id: id.into(),
        payment_key: payment.into(),
        payer: PAYER.into(),
        rail: RAIL.into(),
        request: Digest::of(request),
        requests: vec![Digest::of(request)],
        release: "a:b@1.0.0".parse().expect("valid"),
        function: "f".parse().expect("valid"),
        held: Atomic(2_000),
        payment: "{}".into(),
        offer: "{}".into(),
        identifier: None,
        backing: Backing::Payment,
        now_ms: 1,
    }
}

fn outcome() -> Outcome {
    Outcome { outcome: "{}".into(), charge: Atomic(494) }
}

fn posting() -> Posting {
    let payees = [Payee { id: "ana".into(), share: 10_000, role: None }];
    Posting {
        amount: Atomic(2_000),
        transaction: Some("0x1".into()),
        standing: Standing::Mined,
        channel: None,
        charge: charge(PAYER, &split(Atomic(494), 500, &payees, "c")),
        refund: Some(refund(RAIL, PAYER, Atomic(2_000 - 494))),
        reply: "\"reply\"".into(),
        receipt: None,
        consumed: None,
        license: None,
        accruals: Vec::new(),
    }
}

async fn state(store: &Store, call: &str) -> CallState {
    store.call(call).await.expect("readable").expect("there").state
}

/// Account, debits, credits; and over all of them the one equals the other.
async fn balances(store: &Store) -> Vec<(String, u128, u128)> {
    let balances = store.balances().await.expect("readable");
    let rows: Vec<_> =
        balances.into_iter().map(|b| (b.account.to_string(), b.debits.0, b.credits.0)).collect();
    let rows: Vec<_> = rows.into_iter().filter(|row| row.1 + row.2 > 0).collect();
    assert_eq!(rows.iter().map(|row| row.1).sum::<u128>(), rows.iter().map(|row| row.2).sum::<u128>());
    rows
}

#[tokio::test]
async fn a_call_goes_from_hold_to_post() {
    let Stage { store, .. } = stage();
    assert!(matches!(store.hold_call(new_call("c", "p", "r")).await.expect("written"), Hold::Held));
    assert!(
        balances(&store).await.iter().all(|row| row.1 + row.2 == 0),
        "a pending deposit counts for nothing"
    );
    store.record_outcome("c", outcome(), 2).await.expect("held");
    store.post_call("c", posting(), 3).await.expect("executed");
    assert_eq!(state(&store, "c").await, CallState::Posted);
    assert!(
        store.owed(Kind::Refund, 9).await.expect("readable").is_empty(),
        "not while the chain may take it back"
    );
    store.mark_standing("c", "0x1", Standing::Final, 4).await.expect("mined");
    assert_eq!(store.owed(Kind::Refund, 9).await.expect("readable").len(), 1);
    let moved = || Moved { transaction: "0x2".into(), request: Some("{}".into()) };
    store.post_owed("c", Kind::Refund, moved()).await.expect("pending");
    store.post_owed("c", Kind::Refund, moved()).await.expect("posting again changes nothing");
    assert_eq!(store.submissions(9).await.expect("readable").len(), 1, "watched until it is final");
    assert!(store.owed(Kind::Refund, 9).await.expect("readable").is_empty());
    let pico = 1_000_000;
    assert_eq!(
        balances(&store).await,
        [
            ("operator".into(), 0, 494 * pico / 20),
            ("payee:ana".into(), 0, 494 * pico * 19 / 20),
            (format!("payer:{PAYER}"), 2_000 * pico, 2_000 * pico),
            (format!("rail:{RAIL}"), 2_000 * pico, 1_506 * pico),
        ]
    );
}

#[tokio::test]
async fn no_arrow_can_be_taken_twice_or_out_of_order() {
    let Stage { store, .. } = stage();
    let refused = |result: Result<(), StoreError>| matches!(result, Err(StoreError::CallState { .. }));
    assert!(refused(store.record_outcome("c", outcome(), 1).await), "unknown");
    store.hold_call(new_call("c", "p", "r")).await.expect("written");
    assert!(refused(store.post_call("c", posting(), 1).await), "held, not executed");
    store.record_outcome("c", outcome(), 1).await.expect("held");
    assert!(refused(store.record_outcome("c", outcome(), 1).await), "executed already");
    assert!(refused(store.release_call("c", 1).await), "a call that ran is never let go");
    store.post_call("c", posting(), 1).await.expect("executed");
    let before = balances(&store).await;
    assert!(refused(store.post_call("c", posting(), 1).await), "posted already");
    assert!(
        refused(store.void_call("c", CallState::Executed, String::new(), None, 1).await),
        "posted is final"
    );
    assert_eq!(balances(&store).await, before);
}

#[tokio::test]
async fn one_payment_holds_one_call_until_it_is_released() {
    let Stage { store, .. } = stage();
    store.hold_call(new_call("c", "p", "r")).await.expect("written");
    let again = store.hold_call(new_call("d", "p", "other")).await.expect("written");
    assert!(matches!(again, Hold::SamePayment(row) if row.id == "c"));
    let resigned = store.hold_call(new_call("d", "p2", "r")).await.expect("written");
    assert!(matches!(resigned, Hold::SameRequest(row) if row.id == "c"));
    store.release_call("c", 2).await.expect("held");
    assert!(matches!(store.hold_call(new_call("d", "p", "r")).await.expect("written"), Hold::Held));
    store.void_call("d", CallState::Held, "\"failed\"".into(), None, 3).await.expect("held");
    let voided = store.hold_call(new_call("e", "p", "r")).await.expect("written");
    assert!(matches!(voided, Hold::SamePayment(row) if row.id == "d" && row.reply.is_some()));
    assert!(balances(&store).await.is_empty(), "nothing was ever posted");
}

#[tokio::test]
async fn a_posted_call_answers_the_same_request_until_it_is_delivered() {
    let Stage { store, .. } = stage();
    store.hold_call(new_call("c", "p", "r")).await.expect("written");
    store.record_outcome("c", outcome(), 1).await.expect("held");
    store.post_call("c", posting(), 1).await.expect("executed");
    let resigned = store.hold_call(new_call("d", "p2", "r")).await.expect("written");
    assert!(matches!(resigned, Hold::SameRequest(row) if row.id == "c"));
    store.mark_delivered("c", 4).await.expect("posted");
    // A payment that was not taken stays so for this request, should its answer have been lost; another is taken.
    let again = store.hold_call(new_call("d", "p2", "r")).await.expect("written");
    assert!(matches!(again, Hold::SameRequest(row) if row.id == "c"));
    assert!(matches!(store.hold_call(new_call("d", "p3", "r")).await.expect("written"), Hold::Held));
}

#[tokio::test]
async fn of_fifty_holds_at_once_one_wins() {
    let Stage { store, .. } = stage();
    let holds = (0..50).map(|n| {
        let store = store.clone();
        tokio::spawn(
            async move { store.hold_call(new_call(&format!("c{n}"), "p", "r")).await.expect("written") },
        )
    });
    let mut held = 0;
    for hold in holds.collect::<Vec<_>>() {
        held += usize::from(matches!(hold.await.expect("no panic"), Hold::Held));
    }
    assert_eq!(held, 1);
    assert_eq!(store.undecided_calls(99).await.expect("readable").len(), 1);
}

#[tokio::test]
async fn a_write_that_fails_before_is_not_there_and_one_that_fails_after_is() {
    for (moment, there) in [(Moment::Before, false), (Moment::After, true)] {
        let Stage { store, folder } = stage();
        let fail = |verb: &str| store.inject(Fault { verb: verb.into(), moment, abort: false });
        let next = |there: bool, state: CallState, before: CallState| if there { state } else { before };

        fail("hold_call");
        assert!(matches!(store.hold_call(new_call("c", "p", "r")).await, Err(StoreError::Injected)));
        assert_eq!(store.call("c").await.expect("readable").is_some(), there);
        if !there {
            store.hold_call(new_call("c", "p", "r")).await.expect("written");
        }
        fail("record_outcome");
        assert!(matches!(store.record_outcome("c", outcome(), 1).await, Err(StoreError::Injected)));
        assert_eq!(state(&store, "c").await, next(there, CallState::Executed, CallState::Held));
        if !there {
            store.record_outcome("c", outcome(), 1).await.expect("held");
        }
        fail("post_call");
        assert!(matches!(store.post_call("c", posting(), 1).await, Err(StoreError::Injected)));
        assert_eq!(state(&store, "c").await, next(there, CallState::Posted, CallState::Executed));
        assert_eq!(balances(&store).await.is_empty(), !there, "all transfers or none");

        // And what was written is there for the next program.
        drop(store);
        let store = Store::open(folder.path()).expect("the same store");
        assert_eq!(state(&store, "c").await, next(there, CallState::Posted, CallState::Executed));
    }
}

fn release(id: &str, key: &SecretKey, component: &str) -> NewRelease {
    let id: ReleaseId = id.parse().expect("valid");
    let digest = Digest::of(component);
    let statement = Release {
        release: id.clone(),
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
        authorship: Default::default(),
    };
    NewRelease {
        search: SearchDocument {
            name: id.package.to_string(),
            description: component.into(),
            ..Default::default()
        },
        publisher: key.public(),
        signers: Signers::one(key.public()),
        statement: statement.sign(key) as Envelope,
        id,
        manifest: String::new(),
        component: digest,
        wit: digest,
        tests: digest,
        files: Some(digest),
        source: None,
        listing: "{}".into(),
        report: "{}".into(),
        interfaces: Default::default(),
        sbom: Default::default(),
        hold_reasons: Vec::new(),
        code: digest,
        newcomers_bounded: false,
        now_ms: 1,
    }
}

#[tokio::test]
async fn a_version_is_immutable_and_a_namespace_has_an_owner() {
    let Stage { store, folder } = stage();
    let (ana, eve) = (SecretKey::from_seed(&[1; 32]), SecretKey::from_seed(&[2; 32]));
    let publish = |id: &str, key: &SecretKey, component: &str| store.publish(release(id, key, component));
    assert_eq!(publish("acme:x@1.0.0", &ana, "one").await.expect("new"), Published::New(0));
    assert_eq!(publish("acme:x@1.0.0", &ana, "one").await.expect("the same"), Published::Already(0));
    let other = publish("acme:x@1.0.0", &ana, "two").await;
    assert!(matches!(other, Err(StoreError::ReleaseExists(_))));
    let stranger = publish("acme:y@1.0.0", &eve, "one").await;
    assert!(matches!(stranger, Err(StoreError::NamespaceTaken { .. })));
    assert_eq!(publish("acme:x@2.0.0-rc.1", &ana, "pear").await.expect("new"), Published::New(1));
    assert_eq!(publish("acme:x@1.1.0", &ana, "apple").await.expect("new"), Published::New(2));

    // The newest is the highest that is no pre-release; search shows that one, also after a restart.
    drop(store);
    let store = Store::open(folder.path()).expect("the same store");
    let newest = store.newest_release(&"acme:x".parse().expect("valid"), 1).await.expect("readable");
    assert_eq!(newest.expect("there").id.version.to_string(), "1.1.0");
    assert_eq!(store.search("apple", Filter::default(), 5).await.expect("searched").len(), 1);
    assert!(store.search("pear", Filter::default(), 5).await.expect("searched").is_empty());
}

#[tokio::test]
async fn a_store_of_the_first_schema_is_brought_up_to_date() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let database = rusqlite::Connection::open(folder.path().join("glassbox.sqlite")).expect("a database");
    database.execute_batch(include_str!("../src/schema.sql")).expect("the first schema");
    let digest = Digest::of("one").to_string();
    let amount = |pico: u128| pico.to_be_bytes();
    let search =
        serde_json::to_string(&release("acme:x@1.0.0", &SecretKey::from_seed(&[1; 32]), "one").search)
            .expect("texts");
    database
        .execute(
            "INSERT INTO releases VALUES ('acme:x', '1.0.0', 'did:key:z', '{}', '', '', ?1, ?1, ?1, NULL, '{}', ?2, '{}',
                0, 1)",
            rusqlite::params![digest, search],
        )
        .expect("a release");
    database
        .execute(
            "INSERT INTO calls VALUES ('c', 'posted', 'p', '0xpayer', 'x402:test', ?1, 'acme:x@1.0.0', 'f', ?2, '{}',
                '{}', NULL, ?2, 'null', 1, 1, 7)",
            rusqlite::params![digest, amount(2)],
        )
        .expect("a call");
    let many = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?1)
         INSERT INTO calls SELECT ?2 || i, 'posted', NULL, ?2, 'x402:test', ?5, ?3, 'f', ?4, '{}', '{}', NULL, ?4, 'null', 1, 1, 7
         FROM n";
    for (count, payer, release, charge) in
        [(30_000, "0xpayer", "acme:x@1.0.0", 3), (1, "0xlater", "acme:x@1.1.0", 5)]
    {
        let values = rusqlite::params![count, payer, release, amount(charge), digest];
        database.execute(many, values).expect("calls");
    }
    for (kind, debit, credit, pico, state) in [
        ("deposit", "rail:x402:test", "payer:0xpayer", 2_000_000_u128, "posted"),
        ("charge", "payer:0xpayer", "operator", 1_000_000, "posted"),
        ("refund", "payer:0xpayer", "rail:x402:test", 1_000_000, "pending"),
        ("deposit", "rail:x402:test", "payer:0xother", 9_000_000, "voided"),
    ] {
        database
            .execute(
                "INSERT INTO transfers (call, kind, debit, credit, amount, state, created_at)
                 VALUES ('c', ?1, ?2, ?3, ?4, ?5, 1)",
                rusqlite::params![kind, debit, credit, amount(pico), state],
            )
            .expect("a transfer");
    }
    database.execute_batch("PRAGMA user_version = 1;").expect("the version");
    drop(database);

    let store = Store::open(folder.path()).expect("the store of an older program");
    let row = store.release(&"acme:x@1.0.0".parse().expect("valid")).await.expect("readable").expect("there");
    assert_eq!((row.files, row.component, row.report.as_str()), (None, Digest::of("one"), "{}"));
    assert_eq!(store.check_ledger().await.expect("readable"), []);
    let payer = store.balance(&Account::Payer("0xpayer".into())).await.expect("readable");
    let sums = [payer.debits, payer.credits, payer.debits_pending, payer.credits_pending];
    assert_eq!(sums.map(|sum| sum.0), [1_000_000, 2_000_000, 1_000_000, 0]);
    assert_eq!(
        store.balance(&Account::Payer("0xother".into())).await.expect("readable").credits_pending.0,
        0
    );
    assert_eq!(store.owed(Kind::Refund, 9).await.expect("readable").len(), 1);
    assert!(store.unsettled_calls(9).await.expect("readable").is_empty(), "what was posted before is final");
    // However often one calls, and whichever release, nobody is hidden by it.
    let payers = store.payers(&"acme:x".parse().expect("valid"), -1).await.expect("readable");
    let counted: Vec<_> = payers.iter().map(|sum| (sum.payer.as_str(), sum.calls, sum.amount.0)).collect();
    assert_eq!(counted, [("0xlater", 1, 5), ("0xpayer", 30_001, 2 + 30_000 * 3)]);
}

#[tokio::test]
async fn the_log_only_grows_also_over_a_crash() {
    let Stage { store, folder } = stage();
    let key = LogKey::new("example.org/log", SecretKey::from_seed(&[3; 32])).expect("a valid name");
    let ana = SecretKey::from_seed(&[1; 32]);
    store.publish_log(key.clone(), 0).await.expect("an empty log has a checkpoint too");
    for n in 0..3 {
        store.publish(release(&format!("acme:x@1.0.{n}"), &ana, &n.to_string())).await.expect("new");
        assert!(store.prove_entry(n).await.expect("readable").is_none(), "appended, and not shown yet");
        if n == 1 {
            store.inject(Fault { verb: "publish_log".into(), moment: Moment::Before, abort: false });
            assert!(
                store.publish_log(key.clone(), 0).await.is_err(),
                "the tiles are there, the checkpoint is not"
            );
        } else {
            store.publish_log(key.clone(), 0).await.expect("written");
        }
        if n == 1 {
            assert!(store.prove_entry(n).await.expect("readable").is_none());
            let store = Store::open(folder.path()).expect("the same store, as after a crash");
            store.publish_log(key.clone(), 0).await.expect("what was appended is shown");
        }
        let (entry, proof) = store.prove_entry(n).await.expect("readable").expect("shown");
        let checkpoint = proof.verify(&entry, &key.verifier_key()).expect("included");
        assert_eq!(checkpoint.size, n + 1);
        let file = store.log_file("checkpoint").await.expect("readable").expect("there");
        let file =
            open_checkpoint(std::str::from_utf8(&file).expect("text"), &key.verifier_key()).expect("signed");
        assert_eq!(file, checkpoint);
    }
    assert!(store.log_file("tile/0/000.p/3").await.expect("readable").is_some());
    for path in ["tile/../checkpoint", "tile//x", "../glassbox.sqlite", "tile/0/..", "tile", ""] {
        assert!(store.log_file(path).await.expect("readable").is_none(), "{path}");
    }
}

#[tokio::test]
async fn cosignatures_join_the_checkpoint_that_they_are_of_and_no_other() {
    let Stage { store, folder } = stage();
    let key = LogKey::new("example.org/log", SecretKey::from_seed(&[3; 32])).expect("a valid name");
    let witness = Cosigner::new("w.example", SecretKey::from_seed(&[5; 32])).expect("a valid name");
    let ana = SecretKey::from_seed(&[1; 32]);
    let old = store.publish_log(key.clone(), 0).await.expect("shown").checkpoint;
    store.publish(release("acme:x@1.0.0", &ana, "1")).await.expect("new");
    let new = store.publish_log(key.clone(), 0).await.expect("shown").checkpoint;
    let attach = async |note: &str, time_s: u64| {
        let line = witness.cosign(note, time_s).expect("a note");
        store.attach_cosignatures(note.to_owned(), vec![line]).await
    };
    let cosigned_at = async || {
        let file = store.log_file("checkpoint").await.expect("readable").expect("there");
        let file = String::from_utf8(file).expect("text");
        assert_eq!(store.log_state().await.expect("readable").expect("there").checkpoint, file);
        open_checkpoint(&file, &key.verifier_key()).expect("signed");
        witness.key().verify(&file).expect("sound")
    };
    assert!(attach(&old, 10).await.expect("nothing to do").is_none(), "it is another by now");
    assert_eq!(cosigned_at().await, None);
    assert!(attach(&new, 20).await.expect("written").is_some());
    assert_eq!(cosigned_at().await, Some(20));
    // Fresher ones take the place of older; a fault before the write leaves what was, one after it is caught up with.
    for (moment, found, time_s) in [(Moment::Before, 20, 30), (Moment::After, 40, 40)] {
        store.inject(Fault { verb: "attach_cosignatures".into(), moment, abort: false });
        assert!(attach(&new, time_s).await.is_err());
        let again = Store::open(folder.path()).expect("the same store, as after a crash");
        again.publish_log(key.clone(), 0).await.expect("shown");
        assert_eq!(cosigned_at().await, Some(found), "{moment:?}");
    }
    let (entry, proof) = store.prove_entry(0).await.expect("readable").expect("shown");
    proof.verify(&entry, &key.verifier_key()).expect("included");
    assert_eq!(witness.key().verify(&proof.checkpoint).expect("sound"), Some(40), "proofs have them, too");
}

#[tokio::test]
async fn a_witness_remembers_what_it_answered_and_nothing_else() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("witness.sqlite");
    let store = WitnessStore::open(&path).expect("a new one");
    let advance = async |store: &WitnessStore, size: u64| {
        let judge = move |last: Option<&Checkpoint>| match last.map_or(0, |last| last.size) {
            seen if seen <= size => {
                let checkpoint =
                    Checkpoint { origin: "log".into(), size, root: Digest::of(size.to_string()) };
                Ok((Witnessed { checkpoint, note: format!("note {size}") }, seen))
            }
            seen => Err(seen),
        };
        store.advance("log".into(), judge).await
    };
    let note = async |store: &WitnessStore| store.note(Digest::of("log").hex()).await.expect("readable");
    assert_eq!(note(&store).await, None);
    assert_eq!(advance(&store, 5).await.expect("written"), Ok(0));
    assert_eq!(advance(&store, 3).await.expect("readable"), Err(5), "refused, and nothing changed");
    assert_eq!(note(&store).await.as_deref(), Some("note 5"));
    for (moment, size, remembered) in [(Moment::Before, 6, "note 5"), (Moment::After, 7, "note 7")] {
        store.inject(Fault { verb: "witness".into(), moment, abort: false });
        assert!(advance(&store, size).await.is_err());
        assert_eq!(note(&store).await.as_deref(), Some(remembered), "{moment:?}");
    }
    let again = WitnessStore::open(&path).expect("the same");
    assert_eq!(advance(&again, 6).await.expect("readable"), Err(7));
    assert_eq!(advance(&again, 8).await.expect("written"), Ok(7));
}

#[tokio::test]
async fn objects_are_checked_when_they_are_read() {
    let Stage { store, folder } = stage();
    let digest = store.put_object(b"bytes".to_vec()).await.expect("written");
    assert_eq!(store.object(digest).await.expect("there"), b"bytes");
    let missing = store.object(Digest::of("other")).await;
    assert!(matches!(missing, Err(StoreError::NoObject(_))));
    let path = folder.path().join("objects").join(&digest.hex()[..2]).join(digest.hex());
    std::fs::write(path, b"damage").expect("writable");
    assert!(matches!(store.object(digest).await, Err(StoreError::Corrupt(_))));
}

#[tokio::test]
async fn a_newer_store_is_refused() {
    let Stage { store, folder } = stage();
    drop(store);
    let database = rusqlite::Connection::open(folder.path().join("glassbox.sqlite")).expect("a database");
    database.pragma_update(None, "user_version", 99).expect("writable");
    assert!(matches!(Store::open(folder.path()), Err(StoreError::TooNew { found: 99, .. })));
}

/// Opens a store whose power will be cut.
fn powered(folder: tempfile::TempDir) -> (Stage, PowerCut) {
    let store = Store::open(folder.path()).expect("a store");
    let cut = store.foresee_power_cut();
    (Stage { store, folder }, cut)
}

/// Cuts the power, and opens what is left.
fn cut_off((Stage { store, folder }, cut): (Stage, PowerCut)) -> (Stage, PowerCut) {
    drop(store);
    cut.strike().expect("a closed store");
    powered(folder)
}

#[tokio::test]
async fn a_power_cut_undoes_a_hold_and_nothing_that_anybody_was_told() {
    let mut powered = powered(stage().folder);
    let found = async |powered: &(Stage, PowerCut), call: &str| {
        powered.0.store.call(call).await.expect("readable").map(|row| (row.state, row.delivered))
    };
    let hold = async |powered: &(Stage, PowerCut), call: &str, payment: &str| {
        powered.0.store.hold_call(new_call(call, payment, "r")).await.expect("written")
    };
    assert!(matches!(hold(&powered, "a", "p").await, Hold::Held));
    // A write that changes nothing does not reach the disk, and takes nothing along.
    assert_eq!(powered.0.store.forget_replies(0, 9).await.expect("written"), 0);
    powered = cut_off(powered);
    assert_eq!(found(&powered, "a").await, None, "as if it was released");
    powered.0.store.check_ledger().await.expect("readable");

    assert!(matches!(hold(&powered, "b", "p").await, Hold::Held), "the payment is free");
    powered.0.store.record_outcome("b", outcome(), 2).await.expect("held");
    powered = cut_off(powered);
    assert_eq!(found(&powered, "b").await, Some((CallState::Executed, false)), "a chain may have been asked");

    powered.0.store.post_call("b", posting(), 3).await.expect("executed");
    powered.0.store.mark_delivered("b", 4).await.expect("written");
    powered = cut_off(powered);
    assert_eq!(found(&powered, "b").await, Some((CallState::Posted, false)), "it is delivered once more");

    // Answered from the first call, the second payment is never taken for the same, also once that was delivered.
    assert!(matches!(hold(&powered, "c", "q").await, Hold::SameRequest(row) if row.id == "b"));
    powered = cut_off(powered);
    powered.0.store.mark_delivered("b", 5).await.expect("written");
    assert!(matches!(hold(&powered, "c", "q").await, Hold::SameRequest(row) if row.id == "b"));
    powered = cut_off(powered);

    // What relies on a delivery is nowhere without it.
    powered.0.store.mark_delivered("b", 6).await.expect("written");
    assert!(matches!(hold(&powered, "d", "s").await, Hold::Held));
    powered.0.store.void_call("d", CallState::Held, "\"no\"".into(), None, 7).await.expect("held");
    powered = cut_off(powered);
    assert_eq!(found(&powered, "d").await, Some((CallState::Voided, false)), "somebody was told");
    assert_eq!(found(&powered, "b").await, Some((CallState::Posted, true)));
}

#[tokio::test]
async fn a_new_key_begins_so_many_packages_a_day() {
    let Stage { store, .. } = stage();
    let key = SecretKey::from_seed(&[3; 32]);
    let name = |n: usize| format!("new:{}@1.0.0", "a".repeat(n + 1));
    let publish = async |id: &str, now_ms: i64| {
        store.publish(NewRelease { newcomers_bounded: true, now_ms, ..release(id, &key, id) }).await
    };
    let (day, max) = (limits::NEW_KEY_WINDOW_MS, limits::NEW_KEY_PACKAGES_MAX);
    for n in 0..max {
        publish(&name(n), 1).await.expect("one of the first");
    }
    let refused = publish(&name(max), 1).await;
    assert!(
        matches!(refused, Err(StoreError::TooManyPackages { max: found, .. }) if found == max),
        "{refused:?}"
    );
    publish("new:a@1.1.0", 1).await.expect("more of what it has");
    store.publish(release("new:d@1.0.0", &key, "d")).await.expect("where nothing is limited");
    publish(&name(max), 1 + day).await.expect("on another day");
    for n in 0..=max {
        let id = name(max + 1 + n);
        publish(&id, 1 + limits::KEY_NEW_MS).await.expect("the key is not new any more");
    }
}

#[tokio::test]
async fn a_new_package_that_looks_like_anothers_is_refused() {
    let Stage { store, folder } = stage();
    let (ana, eve) = (SecretKey::from_seed(&[1; 32]), SecretKey::from_seed(&[2; 32]));
    let publish = async |store: &Store, id: &str, key: &SecretKey| {
        store.publish(NewRelease { newcomers_bounded: true, ..release(id, key, id) }).await
    };
    publish(&store, "acme:text-slug@1.0.0", &ana).await.expect("the first");
    let refused = publish(&store, "acme-text:slug@1.0.0", &eve).await;
    assert!(
        matches!(&refused, Err(StoreError::PackageConfusable { other, .. }) if other.to_string() == "acme:text-slug"),
        "{refused:?}"
    );
    assert!(refused.is_err_and(|error| error.is_refusal()));
    publish(&store, "acme-text:other@1.0.0", &eve).await.expect("another name");
    // Whoever was there first may; so may whose it is, and where no strangers publish, everybody.
    publish(&store, "acme-text:s1ug@1.0.0", &eve).await.expect_err("it looks the same");
    publish(&store, "acme-text:pad@1.0.0", &eve).await.expect("new");
    publish(&store, "acme:text-pad@1.0.0", &ana).await.expect("the older namespace gives no way");
    publish(&store, "acme-te:xt-pad@1.0.0", &ana).await.expect_err("the younger one does");
    publish(&store, "acme-te:xt-slug@1.0.0", &ana).await.expect("one's own");
    store.publish(release("acme-t:ext-slug@1.0.0", &eve, "x")).await.expect("no strangers");
    // What there was before is compared, too.
    drop(store);
    let store = Store::open(folder.path()).expect("the same store");
    publish(&store, "a-cme:text-slug@1.0.0", &SecretKey::from_seed(&[3; 32])).await.expect_err("the same");
    publish(&store, "acme:text-slug@1.1.0", &ana).await.expect("more of what there is");
}

#[tokio::test]
async fn what_an_older_program_thought_of_implementations_is_asked_anew() {
    const SHARED: &str = "spec:a/b@1.0.0";
    let Stage { store, folder } = stage();
    let ana = SecretKey::from_seed(&[1; 32]);
    let interfaces = [SHARED, "wasi:cli/run@0.2.6", "glassbox:x/y", "api"].map(str::to_owned);
    let new = NewRelease { interfaces: interfaces.into(), ..release("acme:x@1.0.0", &ana, "x") };
    store.publish(new).await.expect("new");
    let id = |text: &str| text.parse::<ReleaseId>().expect("valid");
    let run = |passed: u32| format!("{{\"total\":2,\"passed\":{passed},\"fuel\":7}}");
    for (release, passed) in [("acme:x@1.0.0", 2), ("acme:y@1.0.0", 1), ("acme:z@1.0.0", 0)] {
        let written = store.set_spec_run(SHARED, &id(release), Digest::of("tests"), run(passed)).await;
        written.expect("written");
    }
    let database = rusqlite::Connection::open(folder.path().join("glassbox.sqlite")).expect("a database");
    for migration in
        [include_str!("../src/shared_interfaces.sql"), include_str!("../src/spec_runs_again.sql")]
    {
        database.execute_batch(migration).expect("it runs");
    }
    let runs = store.spec_runs(SHARED).await.expect("read");
    assert!(runs.contains_key(&id("acme:x@1.0.0")) && runs.contains_key(&id("acme:y@1.0.0")));
    assert!(!runs.contains_key(&id("acme:z@1.0.0")), "it may have been the machine");
    let interfaces: Vec<String> = store.all_interfaces().await.expect("read").into_iter().collect();
    assert_eq!(interfaces, [SHARED]);
}

#[tokio::test]
async fn nobody_claims_a_namespace_of_the_host() {
    let Stage { store, .. } = stage();
    let eve = SecretKey::from_seed(&[2; 32]);
    for id in ["wasi:cli@1.0.0", "wa-si:cli@1.0.0", "glassbox:meter@1.0.0"] {
        let refused = store.publish(release(id, &eve, id)).await;
        assert!(matches!(&refused, Err(StoreError::NamespaceOfHost(_))), "{id}: {refused:?}");
        assert!(refused.is_err_and(|error| error.is_refusal()));
    }
    store.publish(release("wasily:cli@1.0.0", &eve, "x")).await.expect("another name");
}

#[tokio::test]
async fn the_first_release_with_some_code_is_found() {
    let Stage { store, .. } = stage();
    let (ana, eve) = (SecretKey::from_seed(&[1; 32]), SecretKey::from_seed(&[2; 32]));
    for (id, key, code) in
        [("ana:a@1.0.0", &ana, "one"), ("ana:a@1.1.0", &ana, "two"), ("eve:b@1.0.0", &eve, "two")]
    {
        let component = format!("{id} {code}");
        let new = NewRelease { code: Digest::of(code), ..release(id, key, &component) };
        store.publish(new).await.expect("new");
    }
    for (id, first) in
        [("ana:a@1.0.0", "ana:a@1.0.0"), ("ana:a@1.1.0", "ana:a@1.1.0"), ("eve:b@1.0.0", "ana:a@1.1.0")]
    {
        let found =
            store.first_with_code_of(&id.parse().expect("valid")).await.expect("read").expect("there");
        assert_eq!(
            (found.release.to_string().as_str(), found.publisher),
            (first, ana.public().to_string()),
            "{id}"
        );
    }
    assert_eq!(store.first_with_code_of(&"no:such@1.0.0".parse().expect("valid")).await.expect("read"), None);
}

#[tokio::test]
async fn implementations_are_those_of_the_packages_that_had_the_interface_first() {
    const INTERFACE: &str = "spec:a/b@1.0.0";
    let Stage { store, .. } = stage();
    let ana = SecretKey::from_seed(&[1; 32]);
    let publish = async |id: &str, interfaces: &[&str]| {
        let interfaces = interfaces.iter().map(|name| (*name).to_owned()).collect();
        store.publish(NewRelease { interfaces, ..release(id, &ana, id) }).await.expect("new");
    };
    let listed = async |max: usize| {
        let rows = store.implementations(INTERFACE, 1, max).await.expect("read");
        assert!(rows.is_sorted_by_key(|row| row.first_index), "{rows:?}");
        rows.iter().map(|row| row.release.id.to_string()).collect::<Vec<_>>()
    };
    assert!(!store.is_exported(INTERFACE).await.expect("read"));
    // A package is not older than what it does.
    publish("m:late@1.0.0", &[]).await;
    for id in ["z:first@1.0.0", "y:second@1.0.0", "a:third@1.0.0", "b:fourth@1.0.0"] {
        publish(id, &[INTERFACE, "other:x/y"]).await;
    }
    publish("m:late@1.1.0", &[INTERFACE]).await;
    publish("o:other@1.0.0", &["other:x/y"]).await;
    // Whoever releases anew keeps the place, and whoever exports it no more has none.
    publish("z:first@1.1.0", &[INTERFACE]).await;
    publish("z:first@2.0.0-rc.1", &[]).await;
    publish("y:second@2.0.0", &["spec:a/b@2.0.0"]).await;
    assert_eq!(listed(2).await, ["z:first@1.1.0", "a:third@1.0.0"]);
    assert_eq!(listed(9).await, ["z:first@1.1.0", "a:third@1.0.0", "b:fourth@1.0.0", "m:late@1.1.0"]);
    assert!(store.is_exported(INTERFACE).await.expect("read"));
    let counts = store.interfaces(1).await.expect("read");
    let counts: Vec<_> = counts.iter().map(|(name, count)| (name.as_str(), *count)).collect();
    assert_eq!(counts, [("other:x/y", 3), (INTERFACE, 4), ("spec:a/b@2.0.0", 1)]);
    for (package, newest) in
        [("z:first", Some("z:first@1.1.0")), ("y:second", Some("y:second@1.0.0")), ("o:other", None)]
    {
        let package = package.parse().expect("valid");
        let found = store.newest_with(INTERFACE, &package, 1).await.expect("read");
        assert_eq!(found.map(|row| row.id.to_string()).as_deref(), newest);
    }
}
