//! What goes wrong on our own side: lost questions and answers, crashes, and mistakes of the operator.

use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use glassbox_pay::{Chain, PayError, Rpc, RpcConfig, devnet};

use crate::anvil::{self, Anvil};
use crate::stage::{COIN, Stage, config, is_settled, is_unknown, wallet};

/// What is lost of a broadcast on its way through the [`Line`].
const NOTHING: u8 = 0;
const QUESTION: u8 = 1;
const ANSWER: u8 = 2;

/// A line to a node on which broadcasts are lost.
struct Line {
    port: u16,
    lost: AtomicU8,
}

async fn forward(State(line): State<Weak<Line>>, question: String) -> Response {
    let Some(line) = line.upgrade() else { return StatusCode::GONE.into_response() };
    let lost =
        if question.contains("eth_sendRawTransaction") { line.lost.load(Ordering::SeqCst) } else { NOTHING };
    if lost == QUESTION {
        return StatusCode::BAD_GATEWAY.into_response();
    }
    let answer = anvil::post(line.port, &question).await.unwrap();
    if lost == ANSWER { StatusCode::GATEWAY_TIMEOUT.into_response() } else { answer.into_response() }
}

async fn line_to(anvil: &Anvil, lost: u8) -> (Arc<Line>, String) {
    let line = Arc::new(Line { port: anvil.port, lost: AtomicU8::new(lost) });
    let app = Router::new().route("/", post(forward)).with_state(Arc::downgrade(&line));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    (line, url)
}

#[tokio::test]
async fn a_crash_between_the_journal_and_the_broadcast_loses_and_doubles_nothing() {
    for lost in [QUESTION, ANSWER] {
        let stage = Stage::new().await;
        let (_line, url) = line_to(&stage.anvil, lost).await;
        let stage = stage.reopen(|config| config.url = url).await;
        if lost == QUESTION {
            assert!(is_unknown(&stage.settle(100, 1).await));
        } else {
            assert!(is_settled(&stage.insist(100, 1).await), "it arrived nevertheless");
        }
        assert_eq!(stage.anvil.count(stage.operator()).await, u64::from(lost == ANSWER));
        let stage = stage.reopen(|_| ()).await;
        // Whoever comes first brings the one before along.
        assert!(is_settled(&stage.insist(100, 2).await));
        assert_eq!(stage.payee_has().await, 200);
        assert!(is_settled(&stage.insist(100, 1).await));
        assert_eq!(stage.payee_has().await, 200);
        assert_eq!(stage.anvil.count(stage.operator()).await, 2);
    }
}

#[tokio::test]
async fn lost_broadcasts_are_made_up_for_without_a_restart() {
    let stage = Stage::new().await;
    let (line, url) = line_to(&stage.anvil, QUESTION).await;
    let stage = stage.reopen(|config| config.url = url).await;
    assert!(is_unknown(&stage.settle(100, 1).await));
    assert!(is_unknown(&stage.settle(100, 2).await), "it would leave a gap");
    line.lost.store(NOTHING, Ordering::SeqCst);
    assert!(is_settled(&stage.insist(100, 2).await));
    assert!(is_settled(&stage.insist(100, 1).await));
    assert_eq!(stage.payee_has().await, 200);
    assert_eq!(stage.anvil.count(stage.operator()).await, 2);
}

#[tokio::test]
async fn a_caller_that_gives_up_leaves_nothing_half_done() {
    let stage = Arc::new(Stage::new().await);
    for number in 0..20 {
        let asker = Arc::clone(&stage);
        let task = tokio::spawn(async move { asker.settle(100, number).await });
        // A little later each time, so that it is given up at every step.
        tokio::time::sleep(Duration::from_millis(number)).await;
        task.abort();
    }
    for number in 0..20 {
        let settlement = stage.insist(100, number).await;
        assert!(is_settled(&settlement), "{number}: {settlement:?}");
    }
    assert_eq!(stage.payee_has().await, 2_000);
    assert_eq!(stage.anvil.count(stage.operator()).await, 20);
}

#[tokio::test]
async fn what_was_settled_is_known_after_a_restart() {
    let stage = Stage::new().await;
    let settled = stage.insist(100, 1).await;
    let stage = stage.reopen(|_| ()).await;
    assert_eq!(stage.insist(100, 1).await, settled);
    assert_eq!(stage.anvil.count(stage.operator()).await, 1);
}

#[tokio::test]
async fn a_journal_serves_one_process_one_key_and_one_chain() {
    let stage = Stage::new().await;
    assert!(is_settled(&stage.insist(100, 1).await));
    let again = || config(&stage.anvil.url(), &stage.folder);
    let error = Rpc::open(again(), wallet("treasury")).await.unwrap_err();
    assert!(matches!(error, PayError::JournalInUse(_)), "{error}");
    drop(stage.rail);
    let open = async |config: RpcConfig, name: &str| loop {
        match Rpc::open(config.clone(), wallet(name)).await {
            Err(PayError::JournalInUse(_)) => tokio::time::sleep(Duration::from_millis(100)).await,
            other => break other,
        }
    };
    let config = |anvil: &Anvil| config(&anvil.url(), &stage.folder);
    let error = open(config(&stage.anvil), "somebody else").await.unwrap_err();
    assert!(matches!(error, PayError::JournalDamaged { line: 1, .. }), "{error}");
    // The chain has the same id and another beginning.
    tokio::time::sleep(Duration::from_secs(1)).await;
    let other = Anvil::with_contracts().await;
    other.set_coins(wallet("treasury").address(), COIN).await;
    let error = open(config(&other), "treasury").await.unwrap_err();
    assert!(matches!(error, PayError::JournalDamaged { line: 1, .. }), "{error}");
    open(config(&stage.anvil), "treasury").await.unwrap();
}

#[tokio::test]
async fn real_money_must_be_meant() {
    let anvil = Anvil::start(8_453);
    let folder = tempfile::tempdir().unwrap();
    let mut config =
        RpcConfig::new("Base?", anvil.url() + "/?secret-key", devnet::ASSET, folder.path().join("journal"));
    let error = Rpc::open(config.clone(), wallet("treasury")).await.unwrap_err();
    assert!(matches!(error, PayError::RealMoney { chain_id: 8_453 }), "{error}");
    config.chain_id = Some(84_532);
    let error = Rpc::open(config.clone(), wallet("treasury")).await.unwrap_err();
    assert!(matches!(error, PayError::WrongChain { chain_id: 8_453, named: 84_532 }), "{error}");
    config.chain_id = Some(8_453);
    let chain = Rpc::open(config.clone(), wallet("treasury")).await.unwrap();
    assert_eq!(chain.network().to_string(), "eip155:8453");
    let shown = format!("{chain:?}");
    assert!(!shown.contains("secret-key") && !shown.contains(&wallet("treasury").to_hex()[2..]), "{shown}");
    config.url = "http://127.0.0.1:1/secret-key".to_owned();
    let error = Rpc::open(config, wallet("treasury")).await.unwrap_err().to_string();
    assert!(!error.contains("secret-key"), "{error}");
}

#[tokio::test]
async fn a_nonce_that_somebody_else_took_is_replaced_once_that_is_final() {
    let stage = Stage::new().await.reopen(|config| config.finality = 10).await;
    stage.anvil.mine_at_once(false).await;
    assert!(is_unknown(&stage.settle(100, 1).await));
    stage.anvil.ask("anvil_dropAllTransactions", serde_json::json!([])).await;
    stage.anvil.mine_at_once(true).await;
    stage.anvil.use_key_of(stage.operator()).await;
    assert!(is_unknown(&stage.settle(100, 1).await), "what took it may be undone, and ours come back");
    assert!(is_settled(&stage.insist(100, 2).await), "others need not wait");
    stage.anvil.mine(10).await;
    assert!(is_settled(&stage.insist(100, 1).await));
    assert_eq!(stage.payee_has().await, 200);
    assert_eq!(stage.anvil.count(stage.operator()).await, 3);
}
