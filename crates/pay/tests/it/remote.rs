//! A facilitator over HTTP, with the devnet behind it: the same answers, and what becomes of bad ones.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use glassbox_core::Atomic;
use glassbox_pay::devnet::token;
use glassbox_pay::facilitator_api::{self, Answer};
use glassbox_pay::{
    Chain, ErrorCode, Facilitator, PaymentRequirements, Remote, RemoteConfig, Scheme, Settlement,
};
use serde_json::{Value, json};

use crate::stage::{START_S, Stage, TIMEOUT_S, nonce};

/// How the facilitator answers a settlement.
#[derive(Debug, Clone)]
enum Mood {
    Fine,
    /// Settles, and answers this.
    After(u16, String),
    /// Answers this, and settles nothing.
    Instead(u16, String),
    /// Settles, and closes the connection within the answer.
    Close,
    /// Settles, and never answers.
    Hang,
}

struct Desk {
    rail: Arc<dyn Facilitator>,
    mood: Mutex<Mood>,
    asked: AtomicUsize,
}

impl Desk {
    fn mood(&self, mood: Mood) {
        *self.mood.lock().unwrap() = mood;
    }
}

fn respond(answer: Answer) -> Response {
    (StatusCode::from_u16(answer.status).unwrap(), answer.body.to_string()).into_response()
}

async fn settle(State(desk): State<Arc<Desk>>, body: Bytes) -> Response {
    desk.asked.fetch_add(1, Ordering::SeqCst);
    let mood = desk.mood.lock().unwrap().clone();
    if let Mood::Instead(status, text) = mood {
        return (StatusCode::from_u16(status).unwrap(), text).into_response();
    }
    let answer = facilitator_api::settle(desk.rail.as_ref(), &body).await;
    match mood {
        Mood::After(status, text) => (StatusCode::from_u16(status).unwrap(), text).into_response(),

        Mood::Close => Response::builder().header("content-length", "9999").body(Body::from("{")).unwrap(),
        Mood::Hang => std::future::pending().await,
        _ => respond(answer),
    }
}

/// A facilitator over HTTP on a port of its own.
async fn serve(rail: Arc<dyn Facilitator>) -> (Arc<Desk>, String) {
    let desk = Arc::new(Desk { rail, mood: Mutex::new(Mood::Fine), asked: AtomicUsize::new(0) });
    let verify = async |State(desk): State<Arc<Desk>>, body: Bytes| {
        respond(facilitator_api::verify(desk.rail.as_ref(), &body).await)
    };
    let supported =
        async |State(desk): State<Arc<Desk>>| respond(facilitator_api::supported(desk.rail.as_ref()));
    let app = Router::new()
        .route("/x402/verify", post(verify))
        .route("/x402/settle", post(settle))
        .route("/x402/supported", get(supported))
        .with_state(Arc::clone(&desk));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/x402/", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    (desk, url)
}

struct Setup {
    stage: Stage,
    desk: Arc<Desk>,
    url: String,
}

impl Setup {
    async fn new() -> Self {
        let stage = Stage::new().await;
        stage.approve(&stage.payer).await;
        let (desk, url) = serve(Arc::new(stage.rail.clone())).await;
        Self { stage, desk, url }
    }

    async fn remote(&self, chain: bool, treasurer: bool) -> Remote {
        let config = RemoteConfig {
            label: "far away".to_owned(),
            url: self.url.clone(),
            timeout: Duration::from_secs(2),
            token: token(),
            treasury: self.stage.devnet.treasury(),
        };
        let chain = chain.then(|| Arc::new(self.stage.devnet.clone()) as Arc<dyn Chain>);
        let treasurer = treasurer.then(|| Arc::new(self.stage.rail.clone()) as Arc<dyn Facilitator>);
        Remote::connect(config, chain, treasurer).await.unwrap()
    }
}

fn refusal(settlement: Settlement) -> ErrorCode {
    match settlement {
        Settlement::Rejected(rejection) => rejection.code,
        other => panic!("{other:?}"),
    }
}

fn is_unknown(settlement: &Settlement) -> bool {
    matches!(settlement, Settlement::Unknown { .. })
}

fn no(code: &str) -> String {
    json!({ "success": false, "errorReason": code, "transaction": "", "network": "eip155:84532" }).to_string()
}

#[tokio::test]
async fn a_far_facilitator_answers_as_the_near_one_does() {
    let setup = Setup::new().await;
    let (stage, near) = (&setup.stage, &setup.stage.rail);
    let far = setup.remote(true, true).await;
    assert_eq!(far.schemes(), near.schemes());
    for scheme in Scheme::ALL {
        let offer = |rail: &dyn Facilitator| rail.offer(scheme, Atomic(700), stage.payee, TIMEOUT_S);
        assert_eq!(offer(&far), offer(near));
    }
    let offered = stage.offer(700);
    let payload = stage.sign(&offered, 1);
    assert_eq!(far.verify(&payload, &offered).await, near.verify(&payload, &offered).await);
    let settled = far.settle(&payload, &offered, Atomic(700)).await;
    assert!(matches!(settled, Settlement::Settled { .. }), "{settled:?}");
    assert_eq!(near.settle(&payload, &offered, Atomic(700)).await, settled);
    assert_eq!(far.settle(&payload, &offered, Atomic(700)).await, settled);
    assert_eq!(far.verify(&payload, &offered).await, near.verify(&payload, &offered).await);

    let (payload, offered) = stage.upto(5_000, 2);
    assert_eq!(far.verify(&payload, &offered).await, near.verify(&payload, &offered).await);
    let settled = far.settle(&payload, &offered, Atomic(1_234)).await;
    assert!(matches!(settled, Settlement::Settled { amount: Atomic(1_234), .. }), "{settled:?}");
    assert_eq!(near.settle(&payload, &offered, Atomic(1_234)).await, settled);

    let poor = stage.offer(9_999);
    let payload = stage.sign(&poor, 3);
    assert_eq!(far.verify(&payload, &poor).await, near.verify(&payload, &poor).await);
    assert_eq!(refusal(far.settle(&payload, &poor, Atomic(9_999)).await), ErrorCode::InsufficientFunds);
    assert_eq!(stage.payee_has().await, 1_934);
    assert_eq!(far.balance(stage.payee).await.unwrap(), Atomic(1_934));
    assert!(far.can_pay_out());
}

#[tokio::test]
async fn without_somebody_who_pays_out_there_are_no_channels() {
    let setup = Setup::new().await;
    let far = setup.remote(false, false).await;
    assert_eq!(far.schemes(), [Scheme::Exact, Scheme::Upto]);
    assert!(!far.can_pay_out());
    let code = refusal(far.pay_out("one", setup.stage.payee, Atomic(1)).await);
    assert_eq!(code, ErrorCode::UnsupportedScheme);
    assert!(far.balance(setup.stage.payee).await.is_err());
}

#[tokio::test]
async fn what_is_neither_yes_nor_no_is_unknown_and_asking_again_is_safe() {
    let yes = |transaction: &str, amount: &str| {
        let network = "eip155:84532";
        json!({ "success": true, "transaction": transaction, "network": network, "amount": amount })
            .to_string()
    };
    let hash = format!("0x{}", "ab".repeat(32));
    let moods = [
        Mood::Close,
        Mood::Hang,
        Mood::After(200, "<html>".to_owned()),
        Mood::After(200, "x".repeat(300_000)),
        Mood::After(200, json!({ "success": "yes" }).to_string()),
        Mood::After(200, json!({ "success": false }).to_string()),
        Mood::After(200, yes("", "100")),
        Mood::After(200, yes(&hash, "99")),
        // The chain knows nothing of it.
        Mood::After(200, yes(&hash, "100")),
        Mood::After(500, no("insufficient_funds")),
        Mood::After(503, String::new()),
        Mood::After(302, String::new()),
        Mood::Instead(502, "bad gateway".to_owned()),
        Mood::Instead(200, no("settlement_pending")),
        Mood::Instead(200, no("unexpected_settle_error")),
        Mood::Instead(200, no("invalid_exact_evm_transaction_failed")),
        Mood::Instead(200, no("something_new")),
    ];
    let setup = Setup::new().await;
    let far = setup.remote(true, false).await;
    for (index, mood) in moods.into_iter().enumerate() {
        let (offered, before) = (setup.stage.offer(100), setup.stage.payee_has().await);
        let payload = setup.stage.sign(&offered, 100 + index as u64);
        setup.desk.mood(mood.clone());
        let first = far.settle(&payload, &offered, Atomic(100)).await;
        assert!(is_unknown(&first), "{mood:?}: {first:?}");
        setup.desk.mood(Mood::Fine);
        let second = far.settle(&payload, &offered, Atomic(100)).await;
        assert!(matches!(second, Settlement::Settled { .. }), "{mood:?}: {second:?}");
        assert_eq!(setup.stage.payee_has().await, before + 100, "{mood:?}");
    }
}

#[tokio::test]
async fn a_clear_no_is_a_no() {
    let setup = Setup::new().await;
    for chain in [true, false] {
        let far = setup.remote(chain, false).await;
        for code in ["insufficient_funds", "invalid_exact_evm_payload_signature", "invalid_payload"] {
            setup.desk.mood(Mood::Instead(200, no(code)));
            let offered = setup.stage.offer(100);
            let payload = setup.stage.sign(&offered, 1);
            assert_eq!(refusal(far.settle(&payload, &offered, Atomic(100)).await).as_str(), code);
        }
    }
    assert_eq!(setup.stage.payee_has().await, 0);
}

/// Settles, loses the answer, and then says no.
async fn echo(setup: &Setup, far: &Remote, number: u64, code: &str) -> Settlement {
    let offered = setup.stage.offer(100);
    let payload = setup.stage.sign(&offered, number);
    setup.desk.mood(Mood::After(504, String::new()));
    assert!(is_unknown(&far.settle(&payload, &offered, Atomic(100)).await));
    setup.desk.mood(Mood::Instead(200, no(code)));
    far.settle(&payload, &offered, Atomic(100)).await
}

#[tokio::test]
async fn a_no_after_a_lost_yes_is_looked_up_on_the_chain() {
    let setup = Setup::new().await;
    let far = setup.remote(true, false).await;
    let codes = [
        "invalid_exact_evm_nonce_already_used",
        "insufficient_funds",
        "invalid_exact_evm_payload_authorization_valid_before",
    ];
    for (number, code) in codes.into_iter().enumerate() {
        let settled = echo(&setup, &far, number as u64, code).await;
        let offered = setup.stage.offer(100);
        let payload = setup.stage.sign(&offered, number as u64);
        assert_eq!(settled, setup.stage.rail.settle(&payload, &offered, Atomic(100)).await, "{code}");
    }
    // Another one that was settled before is no other's echo, and after a restart nothing is remembered.
    let far = setup.remote(true, false).await;
    let offered = setup.stage.offer(100);
    let payload = setup.stage.sign(&offered, 9);
    setup.desk.mood(Mood::Instead(200, no("invalid_exact_evm_nonce_already_used")));
    assert!(is_unknown(&far.settle(&payload, &offered, Atomic(100)).await), "its nonce is unused");
    setup.stage.now_s.store(START_S + TIMEOUT_S + 1, Ordering::SeqCst);
    let code = refusal(far.settle(&payload, &offered, Atomic(100)).await);
    assert_eq!(code, ErrorCode::NonceAlreadyUsed, "nobody takes it any more");
    assert_eq!(setup.stage.payee_has().await, 300);
}

#[tokio::test]
async fn without_a_chain_a_no_after_a_lost_yes_is_unknown_until_the_payment_expires() {
    let setup = Setup::new().await;
    let far = setup.remote(false, false).await;
    for code in ["invalid_exact_evm_nonce_already_used", "insufficient_funds"] {
        let settlement = echo(&setup, &far, code.len() as u64, code).await;
        assert!(is_unknown(&settlement), "{settlement:?}");
    }
    // One that expired long ago.
    let offered = setup.stage.offer(100);
    let payload = setup.stage.payer.sign_exact_with_nonce(&offered, None, 1, nonce(9)).unwrap();
    setup.desk.mood(Mood::Instead(200, no("invalid_exact_evm_nonce_already_used")));
    let code = refusal(far.settle(&payload, &offered, Atomic(100)).await);
    assert_eq!(code, ErrorCode::NonceAlreadyUsed);
}

#[tokio::test]
async fn a_payment_by_permit2_is_found_too() {
    let setup = Setup::new().await;
    let far = setup.remote(true, false).await;
    let (payload, offered) = setup.stage.upto(5_000, 1);
    setup.desk.mood(Mood::Close);
    assert!(is_unknown(&far.settle(&payload, &offered, Atomic(77)).await));
    setup.desk.mood(Mood::Instead(200, no("permit2_invalid_nonce")));
    let settled = far.settle(&payload, &offered, Atomic(77)).await;
    assert_eq!(settled, setup.stage.rail.settle(&payload, &offered, Atomic(77)).await);
    assert!(matches!(settled, Settlement::Settled { amount: Atomic(77), .. }), "{settled:?}");
}

/// A payer takes its nonce back, and has paid the same amount before.
#[tokio::test]
async fn a_payment_by_permit2_is_not_taken_for_another() {
    let setup = Setup::new().await;
    let far = setup.remote(true, false).await;
    let (paid, offered) = setup.stage.upto(5_000, 1);
    assert!(matches!(far.settle(&paid, &offered, Atomic(77)).await, Settlement::Settled { .. }));
    let (cancelled, offered) = setup.stage.upto(5_000, 2);
    setup.stage.cancel(2).await;
    let settlement = far.settle(&cancelled, &offered, Atomic(77)).await;
    assert!(is_unknown(&settlement), "{settlement:?}");
    setup.stage.now_s.store(START_S + TIMEOUT_S + 1, Ordering::SeqCst);
    refusal(far.settle(&cancelled, &offered, Atomic(77)).await);
    assert_eq!(setup.stage.payee_has().await, 77);
}

#[tokio::test]
async fn what_cannot_be_settled_is_not_asked_for() {
    let setup = Setup::new().await;
    let far = setup.remote(true, false).await;
    let offered = setup.stage.offer(100);
    let payload = setup.stage.sign(&offered, 1);
    let code = refusal(far.settle(&payload, &offered, Atomic(99)).await);
    assert_eq!(code, ErrorCode::ValueMismatch);
    let (payload, offered) = setup.stage.upto(100, 2);
    for (amount, code) in [(101, ErrorCode::SettlementExceedsAmount), (0, ErrorCode::InvalidPayload)] {
        assert_eq!(refusal(far.settle(&payload, &offered, Atomic(amount)).await), code);
    }
    assert_eq!(setup.desk.asked.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn nothing_is_a_facilitator_that_supports_nothing_of_ours() {
    let setup = Setup::new().await;
    let config = |url: &str| RemoteConfig {
        label: "far away".to_owned(),
        url: url.to_owned(),
        timeout: Duration::from_secs(2),
        token: token(),
        treasury: setup.stage.devnet.treasury(),
    };
    let elsewhere = setup.url.replace("/x402/", "/secret-key/");
    for url in [elsewhere.as_str(), "http://127.0.0.1:1/secret-key", "ftp://x/secret-key", "secret-key"] {
        let error = Remote::connect(config(url), None, None).await.unwrap_err().to_string();
        assert!(!error.contains("secret-key"), "{error}");
    }
    let mut other = config(&setup.url);
    other.token.chain_id = 8453;
    assert!(Remote::connect(other, None, None).await.is_err());
}

async fn ask(stage: &Stage, what: &str, body: Value) -> Answer {
    let body = body.to_string();
    match what {
        "verify" => facilitator_api::verify(&stage.rail, body.as_bytes()).await,
        _ => facilitator_api::settle(&stage.rail, body.as_bytes()).await,
    }
}

#[tokio::test]
async fn the_api_answers_every_question() {
    let stage = Stage::new().await;
    stage.approve(&stage.payer).await;
    let offered = stage.offer(100);
    let question = |payload: &Value, requirements: &PaymentRequirements| json!({ "x402Version": 2, "paymentPayload": payload, "paymentRequirements": requirements });
    let payload = json!(stage.sign(&offered, 1));
    assert_eq!(ask(&stage, "verify", question(&payload, &offered)).await.body["isValid"], true);
    let settled = ask(&stage, "settle", question(&payload, &offered)).await;
    assert_eq!((settled.status, &settled.body["success"]), (200, &json!(true)), "{settled:?}");
    assert_eq!(settled.body["payer"], json!(stage.payer.address().to_checksum(None)));
    let verified = ask(&stage, "verify", question(&payload, &offered)).await;
    assert_eq!(verified.body["invalidReason"], "invalid_exact_evm_nonce_already_used");

    // What was used of a ceiling; nothing makes no transaction.
    let (payload, offered) = stage.upto(5_000, 2);
    for (amount, payee_has) in [("0", 100), ("77", 177)] {
        let used = PaymentRequirements { amount: amount.to_owned(), ..offered.clone() };
        let settled = ask(&stage, "settle", question(&json!(payload), &used)).await.body;
        assert_eq!((&settled["success"], &settled["amount"]), (&json!(true), &json!(amount)), "{settled}");
        assert_eq!(settled["transaction"].as_str().unwrap().is_empty(), amount == "0");
        assert_eq!(stage.payee_has().await, payee_has);
    }
    let more = PaymentRequirements { amount: "5001".to_owned(), ..offered.clone() };
    let refused = ask(&stage, "settle", question(&json!(payload), &more)).await.body;
    assert_eq!(refused["errorReason"], "invalid_upto_evm_payload_settlement_exceeds_amount");

    for body in [json!(null), json!({}), json!([1]), json!({ "x402Version": 1 }), json!("x".repeat(300_000))]
    {
        assert_eq!(ask(&stage, "verify", body.clone()).await.status, 400);
        assert_eq!(ask(&stage, "settle", body).await.status, 400);
    }
    let mut old = question(&json!(payload), &offered);
    old["x402Version"] = json!(1);
    assert_eq!(ask(&stage, "settle", old).await.body["errorReason"], "invalid_x402_version");

    let supported = facilitator_api::supported(&stage.rail).body;
    assert_eq!(supported["kinds"].as_array().unwrap().len(), 3, "{supported}");
    let treasury = json!(stage.devnet.treasury().to_checksum(None));
    assert_eq!(supported["kinds"][1]["extra"]["facilitatorAddress"], treasury);
}

#[tokio::test]
async fn the_api_gives_no_verdict_while_nobody_knows() {
    let stage = Stage::new().await;
    stage.devnet.weather().stall().await.unwrap();
    let offered = stage.offer(100);
    let question = json!({ "x402Version": 2, "paymentPayload": stage.sign(&offered, 1), "paymentRequirements": offered });
    let answer = ask(&stage, "settle", question).await;
    assert_eq!((answer.status, answer.body.get("success")), (503, None));
    assert_eq!(answer.body["error"], "settlement_pending");
}
