//! A buyer of the client library pays by every scheme: out of a channel where its policy allows deposits, up to a ceiling
//! where fuel decides, and plainly otherwise.

use std::path::Path;

use glassbox_api::CallBody;
use glassbox_client::channels::{self, Channel, ChannelError, Channels};
use glassbox_client::spending::{Entry, Outcome, day_of};
use glassbox_client::{Buyer, Call, Client, ClientError, Policy, Spending};
use glassbox_core::receipt::Receipt;
use glassbox_core::{Atomic, PackageRef};
use jiff::Timestamp;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::packages;
use crate::stage::{Stage, Sweep, World, wallet};

/// A registry whose clock is that of its clients, and a payer with a dollar.
async fn market() -> (Stage, Client) {
    let now = Timestamp::try_from(std::time::SystemTime::now()).unwrap();
    let folder = std::sync::Arc::new(tempfile::tempdir().unwrap());
    let stage = Stage::open(folder, World::at(now.as_millisecond()), Sweep::On).await;
    stage.publish(&packages::bench("1.0.0")).await;
    stage.buyer("payer", 1).await;
    let client = Client::new(&stage.url).unwrap();
    (stage, client)
}

/// The payer, by what is in a home folder and a policy.
fn buyer(stage: &Stage, home: &Path, policy: &str) -> Buyer {
    let policy = Policy::parse(&format!("allow.hosts = ['{}']\n{policy}", stage.url)).unwrap();
    Buyer::open(home, wallet("payer"), Atomic(1_000_000)).unwrap().with_policy(policy)
}

/// Calls and returns output and receipt.
async fn call(client: &Client, buyer: &Buyer, function: &str, arg: u32) -> (Value, Receipt) {
    let release: PackageRef = "lab:bench@1.0.0".parse().unwrap();
    let fuel = (function == "burn").then_some(50_000_000);
    let body = CallBody { args: json!([arg]), fuel, ..CallBody::default() };
    let reply = client.call_with(&Call { release: &release, function, body }, Some(buyer)).await.unwrap();
    let (report, receipt) = reply.receipt.verify(None);
    assert!(report.holds(), "{report:?}");
    (reply.output, receipt.unwrap())
}

fn scheme(receipt: &Receipt) -> &str {
    &receipt.payment.as_ref().unwrap().scheme
}

fn entries(home: &TempDir) -> Vec<Entry> {
    let today = day_of(Timestamp::try_from(std::time::SystemTime::now()).unwrap());
    Spending::open(&home.path().join("spending")).day(today).unwrap()
}

fn counted(home: &TempDir) -> u128 {
    entries(home).iter().map(|entry| entry.counted(true).0).sum()
}

fn channel(home: &TempDir) -> Channel {
    let mut all = Channels::open(&home.path().join(channels::FOLDER_NAME)).all().unwrap();
    assert_eq!(all.len(), 1);
    all.remove(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_with_deposits_pays_out_of_a_channel() {
    let (stage, client) = market().await;
    let home = tempfile::tempdir().unwrap();
    for number in 1..=3 {
        // Each time by another process, as it were.
        let buyer = buyer(&stage, home.path(), "max = { deposit = '0.02', day = '0.03' }");
        let (output, receipt) = call(&client, &buyer, "double", number).await;
        assert_eq!((output, scheme(&receipt)), (json!(2 * number), "batch-settlement"));
    }
    let of = channel(&home);
    assert_eq!((of.balance, of.charged, of.signed), (Atomic(20_000), Atomic(6_000), Atomic(6_000)));
    let written = entries(&home);
    assert_eq!(written.iter().map(|entry| entry.spend.deposit).collect::<Vec<_>>(), [true, false, false]);
    assert_eq!(written[0].outcome, Some(Outcome::Charged(Atomic(20_000))));
    assert_eq!(counted(&home), 20_000, "a deposit counts, and what is paid out of it does not");
    assert_eq!(stage.balance(wallet("payer").address()).await, 980_000);
    // What fuel decides is paid out of it, too; and for what was burnt.
    let buyer = buyer(&stage, home.path(), "max = { deposit = '0.02', day = '0.03' }");
    let (_, receipt) = call(&client, &buyer, "burn", 10).await;
    assert_eq!((scheme(&receipt), receipt.charge.amount), ("batch-settlement", Atomic(100)));
    assert_eq!(channel(&home).charged, Atomic(6_100));
    // Beyond the day's bound there is no other deposit, and what is left pays on.
    stage.registry.claim_channels().await.unwrap();
    stage.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_rest_of_a_channel_comes_back() {
    let (stage, client) = market().await;
    let home = tempfile::tempdir().unwrap();
    let buyer = buyer(&stage, home.path(), "max = { deposit = '0.02' }");
    call(&client, &buyer, "double", 1).await;
    assert_eq!(client.close_channel(&channel(&home), &buyer).await.unwrap(), Atomic(18_000));
    assert_eq!(stage.balance(wallet("payer").address()).await, 998_000);
    assert_eq!(channel(&home).left(), Atomic::ZERO);
    let again = client.close_channel(&channel(&home), &buyer).await.unwrap_err();
    assert!(matches!(again, ClientError::Problem(_)), "{again:?}");
    // The channel is filled again, and goes on where it was.
    let (_, receipt) = call(&client, &buyer, "double", 2).await;
    assert_eq!(receipt.payment.unwrap().cumulative, Some(Atomic(4_000)));
    let others = Buyer::open(home.path(), wallet("other"), Atomic(1_000_000)).unwrap();
    let error = client.close_channel(&channel(&home), &others).await.unwrap_err();
    assert!(matches!(error, ClientError::Channel(ChannelError::Unknown(_))), "{error:?}");
    stage.registry.claim_channels().await.unwrap();
    stage.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_channel_that_was_forgotten_is_found_again_by_what_was_signed() {
    let (stage, client) = market().await;
    let (home, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let policy = "max = { deposit = '0.02' }";
    call(&client, &buyer(&stage, home.path(), policy), "double", 1).await;
    let (_, receipt) = call(&client, &buyer(&stage, other.path(), policy), "double", 2).await;
    assert_eq!(receipt.payment.unwrap().cumulative, Some(Atomic(4_000)));
    assert_eq!((channel(&other).balance, channel(&other).charged), (Atomic(20_000), Atomic(4_000)));
    assert_eq!(stage.balance(wallet("payer").address()).await, 980_000, "one deposit");
    // The first is behind now, is told so, and goes on.
    let (_, receipt) = call(&client, &buyer(&stage, home.path(), policy), "double", 3).await;
    assert_eq!(receipt.payment.unwrap().cumulative, Some(Atomic(6_000)));
    stage.registry.claim_channels().await.unwrap();
    stage.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_at_once_are_all_paid_whoever_has_the_channel() {
    let (stage, client) = market().await;
    let home = tempfile::tempdir().unwrap();
    let buyer = buyer(&stage, home.path(), "max = { deposit = '0.02' }");
    let calls = (1..=6).map(|number| {
        let (client, buyer) = (client.clone(), buyer.clone());
        tokio::spawn(async move { call(&client, &buyer, "double", number).await })
    });
    let calls: Vec<_> = calls.collect();
    let mut out_of_channel = 0;
    for (paid, number) in calls.into_iter().zip(1..) {
        let (output, receipt) = paid.await.unwrap();
        assert_eq!(output, json!(2 * number));
        out_of_channel += u128::from(scheme(&receipt) == "batch-settlement");
    }
    assert!(out_of_channel >= 1);
    assert_eq!(channel(&home).charged.0, 2_000 * out_of_channel);
    stage.registry.claim_channels().await.unwrap();
    stage.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_fuel_decides_is_paid_up_to_a_ceiling() {
    let (stage, client) = market().await;
    let home = tempfile::tempdir().unwrap();
    let plain = buyer(&stage, home.path(), "");
    for number in [10, 11] {
        let (output, receipt) = call(&client, &plain, "burn", number).await;
        assert_eq!((output, scheme(&receipt)), (json!(number), "upto"));
        assert_eq!(receipt.payment.as_ref().unwrap().refund, Atomic::ZERO);
    }
    // A fixed price is paid plainly, and so is everything where the policy says so.
    assert_eq!(scheme(&call(&client, &plain, "double", 1).await.1), "exact");
    let only = buyer(&stage, home.path(), "allow.schemes = ['exact']");
    assert_eq!(scheme(&call(&client, &only, "burn", 12).await.1), "exact");
    // Without a node there is nobody to ask what Permit2 may move.
    let astray = buyer(&stage, home.path(), "[nodes]\n\"eip155:84532\" = 'http://127.0.0.1:1'");
    assert_eq!(scheme(&call(&client, &astray, "burn", 13).await.1), "exact");
    stage.registry.reconcile().await;
    stage.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn deposits_stay_within_the_policy() {
    let (stage, client) = market().await;
    let release: PackageRef = "lab:bench@1.0.0".parse().unwrap();
    for (policy, rule) in [
        ("max = { deposit = '0.001' }\nallow.schemes = ['batch-settlement']", "max.deposit"),
        ("max = { deposit = '0.02', day = '0.01' }\nallow.schemes = ['batch-settlement']", "max.day"),
        ("max = { deposit = '0.02', call = '0.001' }", "max.call"),
    ] {
        let home = tempfile::tempdir().unwrap();
        let buyer = buyer(&stage, home.path(), policy);
        let error = client.call(&release, "double", json!([1]), Some(&buyer)).await.unwrap_err();
        let ClientError::PolicyRefused(refusal) = &error else { panic!("{error:?}") };
        assert_eq!(refusal.rule.as_str(), rule);
        assert_eq!(entries(&home), []);
    }
    assert_eq!(stage.balance(wallet("payer").address()).await, 1_000_000);
}
