//! A buyer of the client library: what it writes down of payments that end in every way, and what it never signs.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use glassbox_client::policy::Rule;
use glassbox_client::spending::{Outcome, day_of};
use glassbox_client::{Buyer, Client, ClientError, Policy, Spending};
use glassbox_core::{Atomic, PackageRef};
use glassbox_pay::faults::MoveFault;
use jiff::Timestamp;
use serde_json::json;
use tempfile::TempDir;

use crate::packages;
use crate::stage::{Stage, Sweep, World, until, wallet};

/// A registry whose clock is that of its clients, its client, and a buyer with a dollar.
async fn market() -> (Stage, Client, Buyer, TempDir) {
    let folder = Arc::new(tempfile::tempdir().unwrap());
    let now_ms = Timestamp::try_from(SystemTime::now()).unwrap().as_millisecond();
    let stage = Stage::open(folder, World::at(now_ms), Sweep::On).await;
    stage.publish(&packages::bench("1.0.0")).await;
    let client = Client::new(&stage.url).unwrap();
    stage.buyer("payer", 1).await;
    let home = tempfile::tempdir().unwrap();
    let policy = Policy::parse(&format!("max.day = '0.01'\nallow.hosts = ['{}']", stage.url)).unwrap();
    let buyer = Buyer::open(home.path(), wallet("payer"), Atomic(1_000_000)).unwrap().with_policy(policy);
    (stage, client, buyer, home)
}

fn release() -> PackageRef {
    "lab:bench@1.0.0".parse().unwrap()
}

/// Returns the outcomes of today's payments, and what they count with.
fn written(home: &TempDir) -> (Vec<Option<Outcome>>, u128) {
    let today = day_of(Timestamp::try_from(SystemTime::now()).unwrap());
    let entries = Spending::open(&home.path().join("spending")).day(today).unwrap();
    let counted = entries.iter().map(|entry| entry.counted(true).0).sum();
    (entries.into_iter().map(|entry| entry.outcome).collect(), counted)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_payment_is_written_down_with_its_outcome() {
    let (stage, client, buyer, home) = market().await;
    let call =
        async |function: &str, arg: u32| client.call(&release(), function, json!([arg]), Some(&buyer)).await;
    assert_eq!(call("double", 21).await.unwrap().output, json!(42));
    assert_eq!(written(&home), (vec![Some(Outcome::Charged(Atomic(2_000)))], 2_000));
    call("boom", 1).await.unwrap_err();
    let (outcomes, counted) = written(&home);
    assert_eq!((outcomes[1], counted), (Some(Outcome::NotCharged), 2_000));
    // Free calls are not payments.
    call("gift", 1).await.unwrap();
    assert_eq!(written(&home).0.len(), 2);

    // The answer of the chain is lost for as long as the client asks.
    (0..100).for_each(|_| stage.rail.next_settle(MoveFault::UnknownBefore));
    let error = call("double", 4).await.unwrap_err();
    assert!(matches!(error, ClientError::Undecided), "{error:?}");
    let (outcomes, counted) = written(&home);
    assert_eq!((outcomes[2], counted), (None, 4_000), "unknown counts");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paid_answer_is_handed_over_although_its_outcome_cannot_be_written_down() {
    let (stage, client, buyer, home) = market().await;
    // The settlement takes until the journal is damaged.
    stage.rail.next_settle(MoveFault::Delay(Duration::from_secs(5)));
    let paying = {
        let (client, buyer) = (client.clone(), buyer.clone());
        tokio::spawn(async move { client.call(&release(), "double", json!([21]), Some(&buyer)).await })
    };
    let folder = home.path().join("spending");
    let journal = until("a line in the journal", async || {
        let path = std::fs::read_dir(&folder).ok()?.next()?.ok()?.path();
        std::fs::read_to_string(&path).ok()?.contains("signed").then_some(path)
    })
    .await;
    std::fs::write(&journal, "damage\n").unwrap();
    assert_eq!(paying.await.unwrap().unwrap().output, json!(42));
    assert_eq!(std::fs::read_to_string(&journal).unwrap(), "damage\n", "and nobody hides it");
    let next = client.call(&release(), "double", json!([1]), Some(&buyer)).await.unwrap_err();
    assert!(matches!(next, ClientError::Spending(_)), "{next:?}");
    assert_eq!(stage.payments().await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_refused_is_neither_signed_nor_written_down() {
    let (stage, client, buyer, home) = market().await;
    let double = async |buyer: Option<&Buyer>| client.call(&release(), "double", json!([21]), buyer).await;
    let refused = async |buyer: Buyer| double(Some(&buyer)).await.unwrap_err();
    let error = double(None).await.unwrap_err();
    assert!(matches!(error, ClientError::PaymentNotAllowed { amount: Atomic(2_000) }), "{error:?}");
    let little = Buyer::open(home.path(), wallet("payer"), Atomic(1_999)).unwrap();
    let error = refused(little).await;
    assert!(matches!(error, ClientError::PriceAboveMax { .. }), "{error:?}");
    for (policy, rule) in [
        ("max.call = '0.001999'", Rule::MaxCall),
        ("max.day = '0.001999'", Rule::MaxDay),
        ("allow.hosts = ['http://127.0.0.1:1']", Rule::AllowHosts),
        ("allow.assets = []", Rule::AllowAssets),
    ] {
        let error = refused(buyer.clone().with_policy(Policy::parse(policy).unwrap())).await;
        assert!(matches!(&error, ClientError::PolicyRefused(refusal) if refusal.rule == rule), "{error:?}");
    }
    assert_eq!(written(&home), (vec![], 0));
    assert_eq!(stage.payments().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_calls_at_once_stay_within_a_budget_of_five() {
    let (stage, client, buyer, home) = market().await;
    let calls: Vec<_> = (0..20)
        .map(|number: u32| {
            let (client, buyer) = (client.clone(), buyer.clone());
            tokio::spawn(
                async move { client.call(&release(), "double", json!([number]), Some(&buyer)).await },
            )
        })
        .collect();
    let mut paid = 0;
    for call in calls {
        match call.await.unwrap() {
            Ok(_) => paid += 1,
            Err(error) => assert!(matches!(error, ClientError::PolicyRefused(_)), "{error:?}"),
        }
    }
    assert_eq!((paid, written(&home).1, stage.payments().await), (5, 10_000, 5));
}
