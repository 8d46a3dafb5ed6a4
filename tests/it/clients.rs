//! Stock x402 clients, unmodified, pay for a call: in TypeScript and in Python, on the real clock.
//!
//! What a stock client sends is not for us to choose, so these are the tests that the wire is what others mean by it.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;

use serde_json::{Value, json};
use tokio::process::Command;

use crate::buyer::{Reply, bench};
use crate::packages;
use crate::stage::{PATIENCE, Stage, Sweep, World};

/// Returns a path under `tests/it/clients`, which `cargo xtask setup` fills.
fn installed(path: &str) -> PathBuf {
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

/// Runs a client for one call.
async fn run(mut client: Command, key: &str, url: &str, body: &Value) -> Value {
    client.args([url, &body.to_string()]).env("KEY", key).stdin(Stdio::null()).kill_on_drop(true);
    let output = tokio::time::timeout(PATIENCE, client.output()).await.expect("the client ends").unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    serde_json::from_str(said.trim()).unwrap_or_else(|error| panic!("{error}: {said}{errors}"))
}

async fn pays(client: fn() -> Command) {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let world = World::at(now.as_millis() as i64);
    let stage = Stage::open(Arc::new(tempfile::tempdir().unwrap()), world, Sweep::On).await;
    stage.publish(&packages::bench("1.0.0")).await;
    let buyer = stage.buyer("payer", 1).await;
    let key = buyer.wallet.to_hex();

    let url = format!("{}{}", stage.url, bench("double"));
    let said = run(client(), &key, &url, &json!({ "args": { "n": 21 } })).await;
    assert_eq!((&said["status"], &said["body"]["output"]), (&json!(200), &json!(42)), "{said}");
    assert_eq!(
        (&said["settlement"]["success"], &said["settlement"]["amount"]),
        (&json!(true), &json!("2000"))
    );
    let reply = Reply {
        status: 200,
        headers: Default::default(),
        text: String::new(),
        bytes: said["body"].to_string().into_bytes(),
    };
    let (_, receipt) = reply.receipt();
    assert_eq!(receipt.payment.unwrap().transaction, said["settlement"]["transaction"]);
    assert_eq!(stage.balance(buyer.wallet.address()).await, 998_000);

    // By fuel: the ceiling is signed, what was not burnt comes back.
    let url = format!("{}{}", stage.url, bench("burn"));
    let said = run(client(), &key, &url, &json!({ "args": [10], "fuel": 50_000_000 })).await;
    assert_eq!(
        (&said["body"]["output"], &said["body"]["charged"]["amount"]),
        (&json!(10), &json!("100")),
        "{said}"
    );
    assert_eq!(stage.balance(buyer.wallet.address()).await, 997_900);

    // A call that fails is answered with a problem, and costs nothing.
    let url = format!("{}{}", stage.url, bench("boom"));
    let said = run(client(), &key, &url, &json!({ "args": [1] })).await;
    assert_eq!((&said["status"], &said["body"]["code"]), (&json!(422), &json!("guest-failed")), "{said}");
    assert_eq!(stage.balance(buyer.wallet.address()).await, 997_900);
    assert_eq!(stage.payments().await, 2);
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
