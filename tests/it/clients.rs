//! Stock x402 clients, unmodified, pay for calls by every scheme: in TypeScript and in Python, on the real clock.
//!
//! What a stock client sends is not for us to choose, so these are the tests that the wire is what others mean by it.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;

use glassbox_core::receipt::Receipt;
use serde_json::{Value, json};
use tokio::process::Command;

use crate::buyer::{Reply, bench};
use crate::command::Server;
use crate::packages;
use crate::stage::{PATIENCE, Stage, Sweep, World, wallet};

/// Returns a path under `tests/it/clients`, which `cargo xtask setup` fills.
pub(crate) fn installed(path: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/clients").join(path);
    assert!(path.exists(), "{} is missing: run `cargo xtask setup`", path.display());
    path
}

fn typescript() -> Command {
    installed("ts/node_modules/@x402/fetch");
    let mut command = Command::new("node");
    command.arg(installed("ts/pay.mjs"));
    command
}

fn python() -> Command {
    let python = if cfg!(windows) { "py/.venv/Scripts/python.exe" } else { "py/.venv/bin/python" };
    let mut command = Command::new(installed(python));
    command.arg(installed("py/pay.py"));
    command
}

/// Runs a client for calls that it makes one after the other; returns what it printed, a line for each.
async fn run(
    mut client: Command,
    key: &str,
    environment: &[(&str, &str)],
    url: &str,
    bodies: &[Value],
) -> Vec<Value> {
    client.arg(url).args(bodies.iter().map(Value::to_string));
    client.env("KEY", key).envs(environment.iter().copied()).stdin(Stdio::null()).kill_on_drop(true);
    let output = tokio::time::timeout(PATIENCE, client.output()).await.expect("the client ends").unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}{errors}");
    let lines = said.lines().map(serde_json::from_str);
    lines.collect::<Result<_, _>>().unwrap_or_else(|error| panic!("{error}: {said}{errors}"))
}

/// A registry on the real clock: a stock client signs by its own.
pub(crate) async fn stage() -> Stage {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let world = World::at(now.as_millis() as i64);
    let stage = Stage::open(Arc::new(tempfile::tempdir().unwrap()), world, Sweep::On).await;
    stage.publish(&packages::bench("1.0.0")).await;
    stage
}

/// The receipt in the body of an answer.
fn receipt(said: &Value) -> Receipt {
    let bytes = said["body"].to_string().into_bytes();
    Reply { status: 200, headers: Default::default(), text: String::new(), bytes }.receipt().1
}

async fn pays(client: fn() -> Command) {
    let stage = stage().await;
    let buyer = stage.buyer("payer", 1).await;
    let key = buyer.wallet.to_hex();

    let url = format!("{}{}", stage.url, bench("double"));
    let said = &run(client(), &key, &[], &url, &[json!({ "args": { "n": 21 } })]).await[0];
    assert_eq!((&said["status"], &said["body"]["output"]), (&json!(200), &json!(42)), "{said}");
    assert_eq!(
        (&said["settlement"]["success"], &said["settlement"]["amount"]),
        (&json!(true), &json!("2000"))
    );
    assert_eq!(receipt(said).payment.unwrap().transaction, said["settlement"]["transaction"]);
    assert_eq!(stage.balance(buyer.wallet.address()).await, 998_000);

    // By fuel: the ceiling is signed, what was not burnt comes back.
    let url = format!("{}{}", stage.url, bench("burn"));
    let said = &run(client(), &key, &[], &url, &[json!({ "args": [10], "fuel": 50_000_000 })]).await[0];
    assert_eq!(
        (&said["body"]["output"], &said["body"]["charged"]["amount"]),
        (&json!(10), &json!("100")),
        "{said}"
    );
    assert_eq!(stage.balance(buyer.wallet.address()).await, 997_900);

    // A call that fails is answered with a problem, and costs nothing.
    let url = format!("{}{}", stage.url, bench("boom"));
    let said = &run(client(), &key, &[], &url, &[json!({ "args": [1] })]).await[0];
    assert_eq!((&said["status"], &said["body"]["code"]), (&json!(422), &json!("guest-failed")), "{said}");
    assert_eq!(stage.balance(buyer.wallet.address()).await, 997_900);
    assert_eq!(stage.payments().await, 2);
    stage.assert_sound().await;
}

/// Signs ceilings and permits for them; what was not burnt never leaves the wallet.
async fn pays_up_to_a_ceiling(client: fn() -> Command) {
    let stage = stage().await;
    let buyer = stage.buyer("payer", 1).await;
    let rpc = format!("{}/v1/devnet/rpc", stage.url);
    let environment = [("SCHEME", "upto"), ("RPC", rpc.as_str())];
    let url = format!("{}{}", stage.url, bench("burn"));
    // The second permit has the next nonce, which the client reads from the chain.
    let bodies = [10, 11].map(|n| json!({ "args": [n], "fuel": 50_000_000 }));
    let answers = run(client(), &buyer.wallet.to_hex(), &environment, &url, &bodies).await;
    assert_eq!(answers.len(), 2);
    let mut spent = 0;
    for (said, n) in answers.iter().zip([10, 11]) {
        assert_eq!((&said["status"], &said["body"]["output"]), (&json!(200), &json!(n)), "{said}");
        let charged = said["body"]["charged"]["amount"].as_str().unwrap();
        assert_eq!(said["settlement"]["amount"], charged, "{said}");
        spent += charged.parse::<u128>().unwrap();
        let paid = receipt(said).payment.unwrap();
        assert_eq!((paid.scheme.as_str(), paid.amount.to_string().as_str()), ("upto", charged));
        assert_eq!(paid.transaction, said["settlement"]["transaction"]);
    }
    assert_eq!(stage.balance(buyer.wallet.address()).await, 1_000_000 - spent);
    assert_eq!(stage.payments().await, 2, "one transfer for a call, and none back");
    stage.assert_sound().await;
}

/// Pays many calls out of a deposit, fills it again when it is spent, and has the rest back at the end.
async fn pays_out_of_a_channel(client: fn() -> Command) {
    let stage = stage().await;
    let buyer = stage.buyer("payer", 1).await;
    let rpc = format!("{}/v1/devnet/rpc", stage.url);
    let key = buyer.wallet.to_hex();
    let environment = [("SCHEME", "batch-settlement"), ("RPC", rpc.as_str()), ("REFUND", "all")];
    let url = format!("{}{}", stage.url, bench("double"));
    let calls = 8;
    let bodies: Vec<Value> = (1..=calls).map(|n| json!({ "args": [n] })).collect();
    let mut answers = run(client(), &key, &environment, &url, &bodies).await;
    let refund = answers.pop().unwrap();
    let mut deposits = 0;
    for (said, n) in answers.iter().zip(1..=calls) {
        assert_eq!((&said["status"], &said["body"]["output"]), (&json!(200), &json!(2 * n)), "{said}");
        let extra = &said["settlement"]["extra"];
        assert_eq!(extra["chargedAmount"], "2000", "{said}");
        assert_eq!(extra["channelState"]["chargedCumulativeAmount"], (2_000 * n).to_string(), "{said}");
        deposits += usize::from(said["settlement"]["transaction"] != "");
        assert_eq!(receipt(said).payment.unwrap().scheme, "batch-settlement");
    }
    assert_eq!(answers.len(), calls as usize);
    assert!((1..answers.len()).contains(&deposits), "{deposits} deposits for {calls} calls");

    // What was owed was claimed with the refund.
    assert_eq!(refund["refund"]["success"], true, "{refund}");
    assert_eq!(stage.balance(buyer.wallet.address()).await, 1_000_000 - 16_000);
    stage.registry.claim_channels().await.unwrap();
    assert_eq!(stage.balance(stage.devnet().treasury()).await, 16_000);
    stage.assert_sound().await;

    // A process that remembers nothing opens the channel again and goes on.
    let environment = &environment[..2];
    let said = &run(client(), &key, environment, &url, &[json!({ "args": [9] })]).await[0];
    assert_eq!((&said["status"], &said["body"]["output"]), (&json!(200), &json!(18)), "{said}");
    // And one after it is told where the channel stands, and signs anew.
    let said = &run(client(), &key, environment, &url, &[json!({ "args": [10] })]).await[0];
    assert_eq!((&said["status"], &said["body"]["output"]), (&json!(200), &json!(20)), "{said}");
    assert_eq!(said["settlement"]["transaction"], "", "the deposit is known: {said}");
    stage.registry.claim_channels().await.unwrap();
    assert_eq!(stage.balance(stage.devnet().treasury()).await, 20_000);
    stage.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stock_typescript_client_pays_unmodified() {
    pays(typescript).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stock_python_client_pays_unmodified() {
    pays(python).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stock_typescript_client_pays_up_to_a_ceiling() {
    pays_up_to_a_ceiling(typescript).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stock_python_client_pays_up_to_a_ceiling() {
    pays_up_to_a_ceiling(python).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stock_typescript_client_pays_out_of_a_channel() {
    pays_out_of_a_channel(typescript).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stock_python_client_pays_out_of_a_channel() {
    pays_out_of_a_channel(python).await;
}

/// Neither server nor client knows that it is a devnet which settles.
#[tokio::test(flavor = "multi_thread")]
async fn a_stock_server_is_settled_by_a_devnet_alone() {
    installed("ts/node_modules/@x402/express");
    let devnet = Server::devnet();
    let mut reference = std::process::Command::new("node");
    reference.arg(installed("ts/reference.mjs")).env("FACILITATOR", &devnet.url);
    let shop = Server::of(reference);
    let payer = wallet("payer");
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let fund = json!({ "address": payer.address().to_string(), "usd": "1" });
    let funded = http.post(format!("{}/faucet", devnet.url)).json(&fund).send().await.unwrap();
    assert_eq!(funded.status(), 200);
    for (scheme, charges) in [("exact", &["2000"][..]), ("upto", &["1234", "0"])] {
        let url = format!("{}/{scheme}", shop.url);
        let environment = [("SCHEME", scheme), ("RPC", devnet.url.as_str())];
        let body = |charge| if scheme == "upto" { json!({ "charge": charge }) } else { json!({}) };
        let bodies: Vec<Value> = charges.iter().map(body).collect();
        let answers = run(typescript(), &payer.to_hex(), &environment, &url, &bodies).await;
        for (said, charge) in answers.iter().zip(charges) {
            assert_eq!(
                (&said["status"], &said["settlement"]["success"]),
                (&json!(200), &json!(true)),
                "{said}"
            );
            assert_eq!(said["settlement"]["amount"].as_str().unwrap_or("2000"), *charge, "{said}");
        }
    }
    let balance = json!({ "address": payer.address().to_string(), "usd": "0.000001" });
    let balance = http.post(format!("{}/faucet", devnet.url)).json(&balance).send().await.unwrap();
    let balance: Value = balance.json().await.unwrap();
    assert_eq!(balance["balance"]["amount"], (1_000_000 - 2_000 - 1_234 + 1).to_string(), "{balance}");
    let supported: Value =
        http.get(format!("{}/supported", devnet.url)).send().await.unwrap().json().await.unwrap();
    let schemes: Vec<&Value> =
        supported["kinds"].as_array().unwrap().iter().map(|kind| &kind["scheme"]).collect();
    assert_eq!(schemes, ["exact", "upto"], "channels are claimed by the key of who is paid");
    let nonsense = http.post(format!("{}/settle", devnet.url)).body("{}").send().await.unwrap();
    assert_eq!(nonsense.status(), 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stock_client_of_the_first_version_pays() {
    let stage = stage().await;
    let buyer = stage.buyer("payer", 1).await;
    let mut client = Command::new("node");
    client.arg(installed("ts/pay-v1.mjs"));
    installed("ts/node_modules/x402-fetch");
    let url = format!("{}{}", stage.url, bench("double"));
    let said = &run(client, &buyer.wallet.to_hex(), &[], &url, &[json!({ "args": [21] })]).await[0];
    assert_eq!((&said["status"], &said["body"]["output"]), (&json!(200), &json!(42)), "{said}");
    assert_eq!(said["settlement"]["success"], true, "{said}");
    assert_eq!(stage.balance(buyer.wallet.address()).await, 998_000);
    stage.assert_sound().await;
}

/// Two processes that give their payments one identifier made one call: the second gets the answer of the first.
async fn is_known_by_its_payment_identifier(client: fn() -> Command) {
    let stage = stage().await;
    let buyer = stage.buyer("payer", 1).await;
    let url = format!("{}{}", stage.url, bench("double"));
    let environment = [("PAYMENT_ID", "pay_0123456789abcdef")];
    let mut calls = Vec::new();
    for _ in 0..2 {
        let said =
            &run(client(), &buyer.wallet.to_hex(), &environment, &url, &[json!({ "args": [21] })]).await[0];
        assert_eq!((&said["status"], &said["body"]["output"]), (&json!(200), &json!(42)), "{said}");
        calls.push(receipt(said).call);
    }
    assert_eq!(calls[0], calls[1]);
    assert_eq!(stage.balance(buyer.wallet.address()).await, 998_000);
    assert_eq!(stage.payments().await, 1);
    stage.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stock_typescript_client_is_known_by_its_payment_identifier() {
    is_known_by_its_payment_identifier(typescript).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stock_python_client_is_known_by_its_payment_identifier() {
    is_known_by_its_payment_identifier(python).await;
}

/// The rows of `faults.mjs` that need no control of the chain; it exits with an error when one is not sound.
#[tokio::test(flavor = "multi_thread")]
async fn stock_clients_that_repeat_themselves_run_and_pay_once() {
    let stage = stage().await;
    let buyer = stage.buyer("payer", 1).await;
    let (rpc, faucet) = (format!("{}/v1/devnet/rpc", stage.url), format!("{}/v1/devnet/faucet", stage.url));
    let body = json!({ "args": [21] }).to_string();
    let environment = [
        ("RPC", rpc.as_str()),
        ("FAUCET", &faucet),
        ("BODY", &body),
        ("SETTLE_MS", "500"),
        ("ROWS", "same header,10 payments"),
    ];
    let mut client = Command::new("node");
    client.arg(installed("ts/faults.mjs"));
    installed("ts/node_modules/@x402/fetch");
    let url = format!("{}{}", stage.url, bench("double"));
    let rows = run(client, &buyer.wallet.to_hex(), &environment, &url, &[]).await;
    let counted: Vec<_> = rows.iter().map(|row| (&row["runs"], &row["paid"])).collect();
    let (one, ten) = (json!(1), json!(10));
    assert_eq!(counted, [(&one, &one), (&one, &one), (&ten, &ten)]);
    assert_eq!(stage.payments().await, 12);
    stage.assert_sound().await;
}
