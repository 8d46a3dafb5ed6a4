//! Downloads: for nothing, not at all, or sold once and open from then on to whoever paid.

use std::time::Duration;

use glassbox_client::{ClientError, Policy};
use glassbox_core::acts::{Act as _, Quarantine};
use glassbox_core::limits::{REPLY_KEPT_MS, SIGN_IN_SECONDS_MAX};
use glassbox_core::{Atomic, Digest};
use glassbox_pay::faults::MoveFault;
use glassbox_pay::x402::extensions::offer_receipt::{Receipt, Signed, Signer, read_receipt};
use glassbox_pay::x402::extensions::sign_in::{self, Challenge, SignIn};
use glassbox_pay::x402::{self, ErrorCode};
use glassbox_pay::{Rejection, Wallet, devnet};
use glassbox_registry::Credit;
use glassbox_store::Moment;
use glassbox_token::{Caps, Token};
use serde_json::json;

use crate::buyer::{Buyer, Reply, bench};
use crate::command::{Server, Shell};
use crate::names::act;
use crate::packages::{self, downloadable};
use crate::stage::{Stage, Sweep, keys};

/// What a download costs, in atomic units.
const PRICE: u128 = 500_000;

fn path(version: &str) -> String {
    format!("/v1/packages/lab/bench/{version}/component")
}

fn files(version: &str) -> String {
    format!("/v1/packages/lab/bench/{version}/files")
}

async fn get(stage: &Stage, path: &str, headers: &[(&str, &str)]) -> Reply {
    let mut request = stage.http.get(format!("{}{path}", stage.url));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    Reply::of(request.send().await.unwrap()).await
}

async fn get_paid(stage: &Stage, path: &str, payment: &str) -> Reply {
    get(stage, path, &[(x402::PAYMENT_SIGNATURE, payment)]).await
}

/// Asks for the price of a path and signs it. The same `nonce` signs the same payment.
async fn sign(stage: &Stage, buyer: &Buyer, path: &str, nonce: &str) -> String {
    let asked = get(stage, path, &[]).await;
    asked.assert_problem(402, "payment-required");
    x402::encode(&buyer.answer(&asked.required(), nonce))
}

/// Insists on the component of `lab:bench`.
fn assert_component(reply: &Reply, version: &str) {
    assert_eq!(reply.status, 200, "{}", reply.text);
    assert_eq!(Digest::of(&reply.bytes), Digest::of(&downloadable(version, None).component));
}

async fn stage(sweep: Sweep) -> Stage {
    let stage = match sweep {
        Sweep::On => Stage::empty().await,
        Sweep::Off => Stage::without_sweep().await,
    };
    stage.publish(&downloadable("1.1.0", Some("0.5"))).await;
    stage
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_no_price_is_free_and_what_is_not_allowed_is_refused() {
    let stage = Stage::new().await;
    stage.publish(&downloadable("1.1.0", None)).await;
    let buyer = stage.buyer("ana", 1).await;
    let payment = buyer.sign(&bench("double"), &json!({ "args": [1] }), "first").await;
    for headers in [&[][..], &[(x402::PAYMENT_SIGNATURE, payment.as_str())]] {
        get(&stage, &path("1.0.0"), headers).await.assert_problem(403, "component-not-downloadable");
        get(&stage, &files("1.0.0"), headers).await.assert_problem(403, "component-not-downloadable");
        let free = get(&stage, &path("1.1.0"), headers).await;
        assert_component(&free, "1.1.0");
        assert!(free.header("cache-control").is_none() && free.header("glassbox-receipt").is_none());
    }
    assert_eq!(stage.payments().await, 0);
    let release = stage.get("/v1/packages/lab/bench/1.1.0").await.json();
    assert_eq!((&release["download"], release.get("download_price")), (&json!(true), None));
    stage.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_payment_bought_opens_no_quarantined_release() {
    let stage = Stage::new().await;
    stage.publish(&downloadable("1.1.0", Some("0.5"))).await;
    stage.publish(&downloadable("1.2.0", None)).await;
    let buyer = stage.buyer("ana", 2).await;
    let args = json!({ "args": [1] });
    let called = buyer.sign(&bench("double"), &args, "call").await;
    assert_eq!(buyer.send(&bench("double"), &args, Some(&called)).await.status, 200);
    let bought = sign(&stage, &buyer, &path("1.1.0"), "download").await;
    assert_component(&get_paid(&stage, &path("1.1.0"), &bought).await, "1.1.0");
    for version in ["1.1.0", "1.2.0"] {
        let quarantine = Quarantine {
            release: format!("lab:bench@{version}").parse().unwrap(),
            quarantined: true,
            reason: "leaks".into(),
            sequence: 1,
        };
        let to = format!("/v1/packages/lab/bench/{version}/quarantine");
        assert_eq!(act(&stage, &to, quarantine.sign(&keys().operator)).await.status, 201);
    }
    for payment in [&called, &bought] {
        get_paid(&stage, &path("1.2.0"), payment).await.assert_problem(403, "release-quarantined");
    }
    get_paid(&stage, &path("1.1.0"), &called).await.assert_problem(403, "release-quarantined");
    // It is never too late to fetch what was bought.
    assert_component(&get_paid(&stage, &path("1.1.0"), &bought).await, "1.1.0");
    stage.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_download_is_paid_once_and_its_payment_serves_it_again() {
    let stage = stage(Sweep::On).await;
    let buyer = stage.buyer("ana", 1).await;
    let release = stage.get("/v1/packages/lab/bench/1.1.0").await.json();
    assert_eq!(release["download_price"], json!({ "amount": "500000", "usd": "0.5" }));
    let asked = get(&stage, &path("latest"), &[]).await;
    let required = asked.required();
    assert_eq!(required.resource.url, format!("{}{}", stage.url, path("1.1.0")));
    assert_eq!(required.accepts.len(), 1);
    assert_eq!(required.accepts[0].amount().unwrap(), Atomic(PRICE));
    assert_eq!(required.accepts[0].extra_text("paymentFlow"), Some("upfront"));

    let payment = x402::encode(&buyer.answer(&required, "first"));
    let bought = get_paid(&stage, &path("latest"), &payment).await;
    assert_component(&bought, "1.1.0");
    assert_eq!(bought.header("cache-control"), Some("no-store"));
    assert_eq!(bought.header("content-type"), Some("application/wasm"));
    let settlement = bought.settlement();
    assert!(settlement.success);
    let receipt: Signed<Receipt> = bought.x402("glassbox-receipt");
    assert_eq!(read_receipt(settlement.extensions.as_ref()), Some(receipt.clone()));
    let (signer, receipt) = receipt.read().unwrap();
    assert_eq!(signer, Signer::Key(keys().executor.public()));
    assert_eq!(receipt.resource_url, required.resource.url);
    assert_eq!(receipt.payer, buyer.wallet.address().to_string());
    assert_eq!(receipt.transaction, settlement.transaction);

    // The component and its files have one price, and the payment is good for them from now on.
    let again = get_paid(&stage, &path("1.1.0"), &payment).await;
    assert_component(&again, "1.1.0");
    assert_eq!(again.settlement(), settlement);
    let words = get_paid(&stage, &files("1.1.0"), &payment).await;
    assert_eq!(words.json()["files"][0]["text"], "the words of 1.1.0");
    stage.world.advance(Duration::from_millis(2 * REPLY_KEPT_MS as u64));
    stage.registry.reconcile().await;
    let late = get_paid(&stage, &path("1.1.0"), &payment).await;
    assert_component(&late, "1.1.0");
    assert!(late.header("payment-response").is_none(), "the reply is kept no more, and the goods are");
    assert_eq!(stage.payments().await, 1);
    assert_eq!(stage.balance(buyer.wallet.address()).await, 1_000_000 - PRICE);

    let earnings = stage.get("/v1/earnings?package=lab:bench").await.json();
    let earned = |receiver: &str| {
        let rows = earnings["earnings"].as_array().unwrap();
        let row = rows.iter().find(|row| row["receiver"] == receiver).unwrap();
        (row["release"].as_str().unwrap().to_owned(), row["usd"].as_str().unwrap().to_owned())
    };
    for (receiver, usd) in
        [("operator", "0.025"), ("acct:ana@lab.example", "0.3325"), ("acct:ben@lab.example", "0.1425")]
    {
        assert_eq!(earned(receiver), ("lab:bench@1.1.0".to_owned(), usd.to_owned()));
    }
    // What is no call has no receipt of a call.
    let transfers = stage.store().transfers(None, 0, 9).await.unwrap();
    let sale = format!("/v1/receipts/{}", transfers[0].subject);
    stage.get(&sale).await.assert_problem(404, "receipt-not-found");
    stage.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_for_one_release_buys_no_other_and_no_call() {
    let stage = stage(Sweep::On).await;
    let buyer = stage.buyer("ana", 5).await;
    let payment = sign(&stage, &buyer, &path("latest"), "first").await;
    assert_component(&get_paid(&stage, &path("latest"), &payment).await, "1.1.0");
    stage.publish(&downloadable("1.2.0", Some("0.5"))).await;
    // The newest is another one by now, and what was bought is not.
    let words = get_paid(&stage, &files("latest"), &payment).await;
    assert_eq!(words.json()["files"][0]["text"], "the words of 1.1.0");
    get_paid(&stage, &path("1.2.0"), &payment).await.assert_problem(409, "payment-bound");

    let body = json!({ "args": [4] });
    let call = "/v1/call/lab/bench/1.1.0/double";
    buyer.send(call, &body, Some(&payment)).await.assert_problem(409, "payment-bound");
    let for_call = buyer.sign(call, &body, "second").await;
    assert_eq!(buyer.send(call, &body, Some(&for_call)).await.output(), 8);
    get_paid(&stage, &path("1.1.0"), &for_call).await.assert_problem(409, "payment-bound");
    // A payment of another amount was never one for this.
    let cheap = buyer.sign(call, &json!({ "args": [5] }), "third").await;
    get_paid(&stage, &path("1.1.0"), &cheap).await.assert_problem(402, "payment-invalid");
    assert_eq!(stage.payments().await, 2);
    stage.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_at_once_one_is_settled() {
    let stage = stage(Sweep::On).await;
    let buyer = stage.buyer("ana", 5).await;
    let payments = [
        sign(&stage, &buyer, &path("1.1.0"), "first").await,
        sign(&stage, &buyer, &path("1.1.0"), "second").await,
    ];
    let same: Vec<_> = (0..16)
        .map(|_| {
            let request = stage.http.get(format!("{}{}", stage.url, path("1.1.0")));
            let request = request.header(x402::PAYMENT_SIGNATURE, &payments[0]);
            tokio::spawn(async move { Reply::of(request.send().await.unwrap()).await })
        })
        .collect();
    for reply in same {
        assert_component(&reply.await.unwrap(), "1.1.0");
    }
    assert_eq!(stage.payments().await, 1);
    // It was handed over, so another payment buys it again.
    assert_component(&get_paid(&stage, &path("1.1.0"), &payments[1]).await, "1.1.0");
    assert_eq!(stage.payments().await, 2);
    stage.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_download_survives_a_crash_at_every_write() {
    for verb in ["hold_call", "record_outcome", "post_call", "mark_delivered"] {
        for moment in [Moment::Before, Moment::After] {
            let case = format!("{verb} {moment:?}");
            let stage = stage(Sweep::Off).await;
            let buyer = stage.buyer("ana", 1).await;
            let payment = sign(&stage, &buyer, &path("1.1.0"), "first").await;
            stage.inject(verb, moment);
            let reply = get_paid(&stage, &path("1.1.0"), &payment).await;
            // Whether a reply was handed over is a note and no more.
            assert_eq!(
                reply.status,
                if verb == "mark_delivered" { 200 } else { 500 },
                "{case}: {}",
                reply.text
            );
            let stage = stage.reopen(Sweep::Off).await;
            stage.assert_sound().await;
            let reply = get_paid(&stage, &path("1.1.0"), &payment).await;
            assert_component(&reply, "1.1.0");
            assert_eq!(stage.payments().await, 1, "{case}");
            assert_eq!(stage.balance(buyer.wallet.address()).await, 1_000_000 - PRICE, "{case}");
            stage.assert_sound().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_leaves_before_it_is_paid() {
    let stage = stage(Sweep::Off).await;
    let poor = stage.buyer("poor", 0).await;
    let payment = sign(&stage, &poor, &path("1.1.0"), "first").await;
    let reply = get_paid(&stage, &path("1.1.0"), &payment).await;
    reply.assert_problem(402, "payment-invalid");
    assert_eq!(reply.required().error.as_deref(), Some(ErrorCode::InsufficientFunds.as_str()));

    let buyer = stage.buyer("ana", 5).await;
    let payment = sign(&stage, &buyer, &path("1.1.0"), "first").await;
    let rejection = Rejection::new(ErrorCode::InsufficientFunds, "drained");
    stage.rail.next_settle(MoveFault::Rejected(rejection));
    let reply = get_paid(&stage, &path("1.1.0"), &payment).await;
    reply.assert_problem(402, "payment-not-settled");
    get_paid(&stage, &path("1.1.0"), &payment).await.assert_problem(402, "payment-invalid");

    for (nonce, fault) in [("second", MoveFault::UnknownBefore), ("third", MoveFault::UnknownAfter)] {
        let before = stage.payments().await;
        let payment = sign(&stage, &buyer, &path("1.1.0"), nonce).await;
        stage.rail.next_settle(fault);
        let reply = get_paid(&stage, &path("1.1.0"), &payment).await;
        assert_eq!((reply.status, reply.code().as_str()), (503, "settlement-pending"));
        assert_component(&get_paid(&stage, &path("1.1.0"), &payment).await, "1.1.0");
        assert_eq!(stage.payments().await, before + 1);
    }
    stage.assert_sound().await;
}

/// Answers the challenge of a 402.
fn answer(asked: &Reply, wallet: &Wallet) -> SignIn {
    challenge(asked).answer(wallet, devnet::NETWORK)
}

fn challenge(asked: &Reply) -> Challenge {
    sign_in::read(asked.required().extensions.as_ref()).unwrap()
}

async fn get_signed_in(stage: &Stage, path: &str, sign_in: &SignIn) -> Reply {
    get(stage, path, &[(sign_in::HEADER, &x402::encode(sign_in))]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn who_paid_signs_in_and_pays_no_more() {
    let stage = stage(Sweep::On).await;
    let buyer = stage.buyer("ana", 5).await;
    let asked = get(&stage, &path("1.1.0"), &[]).await;
    // Before: who it is does not matter yet.
    let early = answer(&asked, &buyer.wallet);
    get_signed_in(&stage, &path("1.1.0"), &early).await.assert_problem(402, "payment-required");
    let payment = sign(&stage, &buyer, &path("1.1.0"), "first").await;
    assert_component(&get_paid(&stage, &path("1.1.0"), &payment).await, "1.1.0");

    // After, also more than once, for the files, and after a restart: nothing of a challenge is kept.
    let served = get_signed_in(&stage, &path("1.1.0"), &early).await;
    assert_component(&served, "1.1.0");
    assert_eq!(served.header("cache-control"), Some("no-store"));
    assert!(served.header("payment-response").is_none());
    assert_eq!(get_signed_in(&stage, &files("1.1.0"), &early).await.status, 200);
    assert_component(&get_signed_in(&stage, &path("latest"), &early).await, "1.1.0");
    // A payment that came with it is not taken.
    let second = sign(&stage, &buyer, &path("1.1.0"), "second").await;
    let header = x402::encode(&early);
    let both = [(sign_in::HEADER, header.as_str()), (x402::PAYMENT_SIGNATURE, second.as_str())];
    assert_component(&get(&stage, &path("1.1.0"), &both).await, "1.1.0");
    assert_eq!(stage.payments().await, 1);

    // Nobody else.
    let stranger = stage.buyer("mallory", 0).await.wallet;
    get_signed_in(&stage, &path("1.1.0"), &answer(&asked, &stranger))
        .await
        .assert_problem(402, "payment-required");
    let forged = SignIn { address: early.address.clone(), ..answer(&asked, &stranger) };
    let altered = |change: &dyn Fn(&mut Challenge)| {
        let mut challenge = challenge(&asked);
        change(&mut challenge);
        challenge.answer(&buyer.wallet, devnet::NETWORK)
    };
    let other = format!("{}{}", stage.url, path("1.0.0"));
    for (sign_in, code) in [
        (forged, "invalid_siwx_signature"),
        (altered(&|it| it.nonce = "0".repeat(32)), "invalid_siwx_nonce"),
        (altered(&|it| it.uri = other.clone()), "invalid_siwx_uri_mismatch"),
        (altered(&|it| it.domain = "evil.example".into()), "invalid_siwx_domain_mismatch"),
        (altered(&|it| it.issued_at = "2020-01-01T00:00:00Z".into()), "invalid_siwx_issued_at_too_old"),
    ] {
        let reply = get_signed_in(&stage, &path("1.1.0"), &sign_in).await;
        reply.assert_problem(402, "sign-in-refused");
        assert_eq!(reply.required().error.as_deref(), Some(code));
        assert!(!reply.required().accepts.is_empty());
    }
    get(&stage, &path("1.1.0"), &[(sign_in::HEADER, "%")]).await.assert_problem(400, "sign-in-malformed");
    // It is for this release, and for some minutes.
    stage.publish(&downloadable("1.2.0", Some("0.5"))).await;
    let next = answer(&get(&stage, &path("1.2.0"), &[]).await, &buyer.wallet);
    get_signed_in(&stage, &path("1.2.0"), &next).await.assert_problem(402, "payment-required");
    stage.world.advance(Duration::from_secs(SIGN_IN_SECONDS_MAX as u64 + 1));
    let late = get_signed_in(&stage, &path("1.1.0"), &early).await;
    late.assert_problem(402, "sign-in-refused");
    let fresh = answer(&late, &buyer.wallet);
    assert_component(&get_signed_in(&stage, &path("1.1.0"), &fresh).await, "1.1.0");

    let stage = stage.reopen(Sweep::On).await;
    let fresh = answer(&get(&stage, &path("1.1.0"), &[]).await, &buyer.wallet);
    assert_component(&get_signed_in(&stage, &path("1.1.0"), &fresh).await, "1.1.0");
    stage.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn credit_pays_for_downloads_within_its_caps() {
    let stage = stage(Sweep::On).await;
    let (_, token) = stage.registry.grant_credit("lab", Atomic(1_200_000)).await.unwrap();
    let get_by = async |token: &Token, key: &str| {
        let bearer = format!("Bearer {token}");
        get(&stage, &path("1.1.0"), &[("authorization", bearer.as_str()), ("idempotency-key", key)]).await
    };
    let reply = get_by(&token, "first").await;
    assert_component(&reply, "1.1.0");
    assert!(reply.header("payment-response").is_none());
    let receipt: Signed<Receipt> = reply.x402("glassbox-receipt");
    assert!(receipt.read().unwrap().1.payer.starts_with("credit:"));
    // The same name is the same download.
    assert_component(&get_by(&token, "first").await, "1.1.0");
    let credit = Credit::new(&token.to_string(), None, None).unwrap();
    let left = async || stage.registry.credit_balance(&credit).await.unwrap().available;
    assert_eq!(left().await, Atomic(700_000).to_pico());

    let only = |function: &str| Caps { functions: Some(vec![function.into()]), ..Caps::default() };
    let calls = token.attenuate(&only("double")).unwrap();
    get_by(&calls, "second").await.assert_problem(401, "token-refused");
    let downloads = token.attenuate(&only("glassbox:registry/releases#download")).unwrap();
    assert_component(&get_by(&downloads, "third").await, "1.1.0");
    get_by(&downloads, "fourth").await.assert_problem(402, "credit-short");
    assert_eq!(left().await, Atomic(200_000).to_pico());
    let earnings = stage.get("/v1/earnings?package=lab:bench").await.json();
    assert_eq!(earnings["total_usd"], "1");
    assert_eq!(stage.payments().await, 0);
    stage.assert_sound().await;
}

/// The client reads the clock of the machine, so the registry does, too.
async fn stage_of_today() -> Stage {
    let stage = Stage::of_today().await;
    stage.publish(&downloadable("1.1.0", Some("0.5"))).await;
    stage
}

#[tokio::test(flavor = "multi_thread")]
async fn the_client_pays_once_and_checks_what_came() {
    let stage = stage_of_today().await;
    let wallet = stage.buyer("ana", 1).await.wallet;
    let client = glassbox_client::Client::new(&stage.url).unwrap();
    let release = "lab:bench".parse().unwrap();
    let refused = client.download(&release, None).await;
    assert!(matches!(refused, Err(ClientError::PaymentNotAllowed { amount: Atomic(PRICE) })), "{refused:?}");
    let buyer = |usd: &str| {
        glassbox_client::Buyer::new(wallet.clone(), Atomic::from_decimal(usd).unwrap())
            .with_policy(Policy::default())
    };
    let refused = client.download(&release, Some(&buyer("0.4"))).await;
    assert!(matches!(refused, Err(ClientError::PriceAboveMax { .. })), "{refused:?}");
    for (usd, charged) in [("0.5", PRICE), ("0.5", 0), ("0", 0)] {
        let downloaded = client.download(&release, Some(&buyer(usd))).await.unwrap();
        assert_eq!(downloaded.charged, Atomic(charged));
        assert_eq!(downloaded.release.to_string(), "lab:bench@1.1.0");
        assert_eq!(Digest::of(&downloaded.bytes), Digest::of(&packages::bench("1.1.0").component));
    }
    assert_eq!(stage.payments().await, 1);
    stage.assert_sound().await;
}

#[test]
fn the_command_pays_once_and_replaces_no_file_that_nobody_named() {
    let shell = Shell::new("");
    let server = Server::start(&shell.folder.path().join("data"), &[]);
    let shell = Shell { registry: server.url.clone(), ..shell };
    let run = |args: &[&str]| {
        let output = shell.run(args);
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
    };
    assert_eq!(run(&["new", "words", "--lang", "wat", "--name", "acme:words"]).0, 0);
    let folder = shell.folder.path();
    let manifest = folder.join("words/glassbox.toml");
    let text = std::fs::read_to_string(&manifest).unwrap();
    std::fs::write(&manifest, format!("{text}{PRICED}")).unwrap();
    assert!(run(&["check", "words"]).1.contains("$0.5"), "the price is shown before it is published");
    assert_eq!(run(&["publish", "words"]).0, 0);
    assert!(run(&["info", "acme:words"]).1.contains("may be downloaded for $0.5"));

    let (exit, _, error) = run(&["download", "acme:words"]);
    assert_eq!(exit, 3, "{error}");
    assert!(error.contains("--max-price 0.5"), "{error}");
    assert_eq!(run(&["wallet", "new"]).0, 0);
    assert_eq!(run(&["wallet", "fund", "1"]).0, 0);
    let (exit, said, error) = run(&["download", "acme:words", "--max-price", "0.5"]);
    assert_eq!(exit, 0, "{error}");
    assert!(said.contains("acme:words@0.1.0") && said.contains("$0.5"), "{said}");
    let component = std::fs::read(folder.join("words/dist/component.wasm")).unwrap();
    assert_eq!(std::fs::read(folder.join("words.wasm")).unwrap(), component);

    let (exit, _, error) = run(&["download", "acme:words", "--max-price", "0.5"]);
    assert_eq!(exit, 1, "{error}");
    assert!(error.contains("--out"), "{error}");
    let (exit, said, error) =
        run(&["download", "acme:words", "--max-price", "0", "-o", "again.wasm", "--json"]);
    assert_eq!(exit, 0, "{error}");
    let answer: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert_eq!((&answer["charged"], &answer["file"]), (&json!("0"), &json!("again.wasm")));
    assert_eq!(std::fs::read(folder.join("again.wasm")).unwrap(), component);
    let piped = shell.run(&["download", "acme:words@0.1.0", "--max-price", "0", "-o", "-"]);
    assert_eq!(piped.stdout, component);
    assert!(run(&["wallet", "show"]).1.contains("0.5"));
}

/// What makes a package sell its downloads.
const PRICED: &str = r#"
[[price]]
id = "copy"
on = "download"
unit = "download"
amount = "0.5"

[security]
contact = "security@acme.example"
support-until = 2029-12-31

[[payee]]
id = "acct:ana@acme.example"
share = 10000
"#;
