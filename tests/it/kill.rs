//! `kill -9`, for real: the server is a process, and it ends in the middle of a paid call. After a restart the payer
//! sends the same request with the same payment, and is charged once and answered once.

use std::path::Path;
use std::time::{Duration, Instant};

use glassbox_api::{CallBody, CallResponse};
use glassbox_client::{Call, Client, ClientError};
use glassbox_core::PackageRef;
use glassbox_pay::{Wallet, x402};
use serde_json::json;

use crate::command::{Server, Shell};

/// What the wallet starts with: a dollar.
const FUNDED: u128 = 1_000_000;

/// What a call of `work` costs, in atomic units.
const PRICE: u128 = 2_000;

/// A package whose function works for as long as it is told to, and then returns the number.
const COMPONENT: &str = r#"
(component
  (core module $m
    (func (export "work") (param $n i64) (result i64) (local $i i64)
      (local.set $i (local.get $n))
      (block $done (loop $again
        (br_if $done (i64.eqz (local.get $i)))
        (local.set $i (i64.sub (local.get $i) (i64.const 1)))
        (br $again)))
      (local.get $n)))
  (core instance $i (instantiate $m))
  (func (export "work") (param "n" u64) (result u64) (canon lift (core func $i "work"))))
"#;

const MANIFEST: &str = r#"
[package]
name = "lab:work"
version = "1.0.0"
license = "Apache-2.0"
[spec]
world = "work"
[component]
path = "work.wasm"
execute = ["remote", "local"]
fuel-max = 250_000_000_000
[[price]]
id = "call"
unit = "call"
amount = "0.002"
[[payee]]
id = "acct:lab@example.org"
share = 10000
[security]
contact = "security@example.org"
support-until = 2029-12-31
"#;

const WIT: &str = "package lab:work@1.0.0;\nworld work { export work: func(n: u64) -> u64; }\n";

/// Few enough to be done at once.
const SHORT: u64 = 1_000;

/// Enough for seconds of work: long enough to be killed in the middle.
const LONG: u64 = 5_000_000_000;

fn publish(shell: &Shell) {
    let folder = shell.folder.path().join("work");
    std::fs::create_dir_all(folder.join("wit")).unwrap();
    std::fs::write(folder.join("glassbox.toml"), MANIFEST).unwrap();
    std::fs::write(folder.join("wit/world.wit"), WIT).unwrap();
    std::fs::write(folder.join("work.wasm"), wat::parse_str(COMPONENT).unwrap()).unwrap();
    let output = shell.run(&["publish", "work"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// A payer with one signed payment for one call.
struct Payer {
    wallet: Wallet,
    release: PackageRef,
    body: CallBody,
    header: String,
}

impl Payer {
    async fn new(client: &Client, n: u64) -> Self {
        let wallet = Wallet::random().unwrap();
        client.faucet(&wallet.address().to_string(), "1").await.unwrap();
        let release: PackageRef = "lab:work@1.0.0".parse().unwrap();
        let body = CallBody { args: json!([n]), ..CallBody::default() };
        let call = Call { release: &release, function: "work", body: body.clone() };
        let required = client.payment_required(&call).await.unwrap().unwrap();
        let now_s = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs();
        let exact = required.accepts.iter().find(|offer| offer.scheme == x402::SCHEME_EXACT).unwrap();
        let payment = wallet.sign_exact(exact, Some(required.resource), now_s).unwrap();
        Self { wallet, release, body, header: x402::encode(&payment) }
    }

    async fn call(&self, client: &Client) -> Result<CallResponse, ClientError> {
        let call = Call { release: &self.release, function: "work", body: self.body.clone() };
        client.call_paid(&call, &self.header).await
    }

    /// Sends the request once, and does not mind that nobody answers.
    async fn call_into_the_void(&self, url: &str) {
        let request = reqwest::Client::new()
            .post(format!("{url}/v1/call/lab/work/1.0.0/work"))
            .header(x402::PAYMENT_SIGNATURE, &self.header)
            .json(&self.body);
        assert!(request.send().await.is_err(), "the server was to end before it answered");
    }

    async fn spent(&self, client: &Client) -> u128 {
        let balance = client.balance(&self.wallet.address().to_string()).await.unwrap();
        FUNDED - balance.balance.amount.parse::<u128>().unwrap()
    }
}

/// What must hold after a restart, whatever happened before it.
async fn charged_once_and_answered(data: &Path, payer: &Payer, n: u64) {
    let server = Server::start(data, &[]);
    let client = Client::new(&server.url).unwrap();
    let first = payer.call(&client).await.unwrap();
    assert_eq!(first.output, json!(n));
    assert_eq!(payer.spent(&client).await, PRICE);
    let again = payer.call(&client).await.unwrap();
    assert!(again.replayed);
    assert_eq!((again.call, again.output), (first.call, first.output));
    assert_eq!(payer.spent(&client).await, PRICE);
    let earnings = client.earnings(&Default::default()).await.unwrap();
    assert_eq!((earnings.total_usd.as_str(), earnings.earnings[0].calls), ("0.002", 1));
}

#[tokio::test]
async fn a_crash_at_any_write_of_a_paid_call_charges_once_and_loses_no_reply() {
    for verb in ["hold_call", "record_outcome", "post_call", "mark_delivered"] {
        for moment in ["before", "after"] {
            let point = format!("{verb}:{moment}");
            let shell = Shell::new("");
            let data = shell.folder.path().join("data");
            let mut server = Server::start(&data, &["--crash-at", &point]);
            let shell = Shell { registry: server.url.clone(), ..shell };
            publish(&shell);
            let client = Client::new(&server.url).unwrap();
            let payer = Payer::new(&client, SHORT).await;
            payer.call_into_the_void(&server.url).await;
            server.wait();
            charged_once_and_answered(&data, &payer, SHORT).await;
        }
    }
}

#[tokio::test]
async fn kill_9_while_a_guest_runs_charges_nothing_and_the_retry_once() {
    let shell = Shell::new("");
    let data = shell.folder.path().join("data");
    let mut server = Server::start(&data, &[]);
    let shell = Shell { registry: server.url.clone(), ..shell };
    publish(&shell);
    let client = Client::new(&server.url).unwrap();
    let payer = Payer::new(&client, LONG).await;

    let url = server.url.clone();
    let calling = async { payer.call_into_the_void(&url).await };
    let killing = async {
        // The call is held before it runs, and it runs for seconds after that.
        wait_until_held(&data).await;
        server.kill();
    };
    tokio::join!(calling, killing);

    // Shorter from here on: what matters is that the first run was charged nothing, and that its payment is free.
    let server = Server::start(&data, &[]);
    let client = Client::new(&server.url).unwrap();
    assert_eq!(payer.spent(&client).await, 0);
    drop(server);
    charged_once_and_answered(&data, &payer, LONG).await;
}

/// Waits until the database holds a call that has not ended.
async fn wait_until_held(data: &Path) {
    let deadline = Instant::now() + Duration::from_secs(60);
    let database = data.join("registry").join("glassbox.sqlite");
    loop {
        let connection = rusqlite::Connection::open(&database).unwrap();
        let held: i64 = connection
            .query_row("SELECT COUNT(*) FROM calls WHERE state = 'held'", [], |row| row.get(0))
            .unwrap();
        if held > 0 {
            return;
        }
        assert!(Instant::now() < deadline, "no call was ever held");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
