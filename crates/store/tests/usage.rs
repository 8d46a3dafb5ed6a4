//! Counters of payers and their licences: counted with the call, and never without it.

use glassbox_core::ledger::charge;
use glassbox_core::split::split;
use glassbox_core::terms::Counter;
use glassbox_core::{Atomic, Digest, PackageName};
use glassbox_store::{
    Backing, CallState, Consumed, Fault, Hold, Moment, NewCall, NewLicense, Posting, Standing, Store,
};

fn package() -> PackageName {
    "acme:rows".parse().expect("a name")
}

fn counter(key: &str) -> Counter {
    Counter { key: key.into(), period: "2026-11".into() }
}

fn consumed(units: u64) -> Consumed {
    Consumed { package: package(), payer: "0xp".into(), units: vec![(counter("row"), units)] }
}

fn call(id: &str) -> NewCall {
    NewCall {
        id: id.into(),
        payment_key: id.into(),
        identifier: None,
        payer: "0xp".into(),
        rail: "x402:eip155:84532".into(),
        request: Digest::of(id),
        requests: vec![Digest::of(id)],
        release: "acme:rows@1.0.0".parse().expect("a release"),
        function: "find".parse().expect("a function"),
        held: Atomic(100),
        payment: "{}".into(),
        offer: "{}".into(),
        backing: Backing::Payment,
        now_ms: 1,
    }
}

async fn hold(store: &Store, id: &str) {
    assert!(matches!(store.hold_call(call(id)).await.expect("held"), Hold::Held));
}

fn posting(consumed: Option<Consumed>) -> Posting {
    Posting {
        amount: Atomic(100),
        transaction: None,
        standing: Standing::Final,
        channel: None,
        charge: charge("0xp", &split(Atomic(100), 0, &[], "c")),
        refund: None,
        reply: "{}".into(),
        receipt: None,
        consumed,
        license: None,
        accruals: Vec::new(),
    }
}

async fn rows(store: &Store) -> u64 {
    store.used(&package(), "0xp", vec![counter("row")]).await.expect("read")["row"]
}

#[tokio::test]
async fn what_is_used_is_counted_with_the_charge() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = Store::open(folder.path()).expect("opened");
    assert_eq!(rows(&store).await, 0);
    for (moment, counted) in [(Moment::Before, 0), (Moment::After, 20)] {
        let id = format!("{counted}");
        hold(&store, &id).await;
        store.inject(Fault { verb: "post_held_call".into(), moment, abort: false });
        let posted = store.post_held_call(&id, Atomic(100), posting(Some(consumed(20))), 2).await;
        assert!(posted.is_err(), "the fault struck");
        assert_eq!(rows(&store).await, counted, "counted as the charge was posted, or not");
    }
    hold(&store, "free").await;
    store.void_call("free", CallState::Held, "{}".into(), Some(consumed(3)), 3).await.expect("voided");
    assert_eq!(rows(&store).await, 23, "what is free is counted, too");
    let other = Counter { period: "2026-12".into(), ..counter("row") };
    assert_eq!(store.used(&package(), "0xp", vec![other]).await.expect("read")["row"], 0, "a new month");
    assert_eq!(store.used(&package(), "0xq", vec![counter("row")]).await.expect("read")["row"], 0, "another");
}

#[tokio::test]
async fn who_paid_for_calls_is_counted_by_day_and_taken_back_with_the_payment() {
    const DAY: i64 = 86_400_000;
    let folder = tempfile::tempdir().expect("a folder");
    let store = Store::open(folder.path()).expect("opened");
    let paid = async |since_ms: i64| {
        let payers = store.payers(&package(), since_ms).await.expect("read");
        payers.iter().map(|sum| (sum.payer.clone(), sum.calls, sum.amount.0)).collect::<Vec<_>>()
    };
    let of = |payer: &str, release: &str, day: i64| NewCall {
        payer: payer.into(),
        release: release.parse().expect("a release"),
        now_ms: day * DAY,
        ..call(&format!("{payer} {release} {day}"))
    };
    let sale = "glassbox:registry/releases#download".parse().expect("a function");
    for call in [
        of("0xa", "acme:rows@1.0.0", 1),
        of("0xa", "acme:rows@1.1.0", 3),
        of("0xb", "acme:rows@1.1.0", 3),
        of("0xc", "acme:rows-b@1.0.0", 3),
        NewCall { function: sale, ..of("0xd", "acme:rows@1.0.0", 3) },
    ] {
        let id = call.id.clone();
        store.hold_call(call).await.expect("held");
        let posting = Posting { standing: Standing::Mined, ..posting(None) };
        store.post_held_call(&id, Atomic(100), posting, 3 * DAY).await.expect("posted");
    }
    assert_eq!(paid(-1).await, [("0xa".into(), 2, 200), ("0xb".into(), 1, 100)], "a sale is no call");
    assert_eq!(paid(DAY).await, [("0xa".into(), 1, 100), ("0xb".into(), 1, 100)], "whole days");
    for _ in 0..2 {
        store.lose_call("0xb acme:rows@1.1.0 3", Vec::new(), 4 * DAY).await.expect("taken back");
        assert_eq!(paid(DAY).await, [("0xa".into(), 1, 100)]);
    }
}

#[tokio::test]
async fn free_units_of_everybody_are_taken_one_by_one() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = Store::open(folder.path()).expect("opened");
    let package = package();
    let take = || store.take_free(&package, vec![(counter("a"), 3), (counter("b"), 2)]);
    let taken = at_once(take).await;
    assert_eq!(taken, 2, "the smaller bucket decides");
    store.give_back_free(&package, vec![counter("a"), counter("b")]).await.expect("given back");
    assert_eq!(take().await.expect("asked").expect("one again")["b"], 1);
    assert!(take().await.expect("asked").is_none());
}

/// Asks five times at once, and counts who got one.
async fn at_once<F>(take: impl Fn() -> F) -> usize
where
    F: Future<Output = Result<Option<std::collections::BTreeMap<String, u64>>, glassbox_store::StoreError>>,
{
    let (a, b, c, d, e) = tokio::join!(take(), take(), take(), take(), take());
    [a, b, c, d, e].into_iter().filter(|taken| matches!(taken, Ok(Some(_)))).count()
}

#[tokio::test]
async fn licences_are_found_while_they_last() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = Store::open(folder.path()).expect("opened");
    let license = |id: &str, from_s, until_s| NewLicense {
        id: id.into(),
        package: package(),
        holder: "0xp".into(),
        item: "plan:team".into(),
        units: 3,
        from_s,
        until_s,
        credit_max: None,
        statement: "{}".into(),
    };
    assert_eq!(store.keep_license(license("a", 10, Some(20))).await.expect("kept"), None);
    let other = NewLicense { statement: "another".into(), ..license("a", 10, Some(20)) };
    let before = store.keep_license(other).await.expect("kept");
    assert_eq!(before, Some(license("a", 10, Some(20)).statement), "what was kept first stays");
    store.keep_license(license("b", 15, None)).await.expect("kept");
    for (at_s, ids) in [(9, ""), (10, "a"), (15, "b a"), (19, "b a"), (20, "b"), (99, "b")] {
        let found = store.licenses(&package(), "0xp", at_s).await.expect("read");
        let found: Vec<&str> = found.iter().map(|license| license.id.as_str()).collect();
        assert_eq!(found.join(" "), ids, "at {at_s}");
    }
    assert!(store.licenses(&package(), "0xq", 15).await.expect("read").is_empty());
}
