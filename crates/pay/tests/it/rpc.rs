//! The chain over JSON-RPC, with the devnet as its node; bad weather is for a real node, see `tests/anvil`.

use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::routing::post;
use glassbox_core::Atomic;
use glassbox_pay::devnet::{self, Devnet, token};
use glassbox_pay::{Chain, ErrorCode, Facilitator, Rpc, RpcConfig, Scheme, Settlement, Settler};

use crate::stage::{Stage, TIMEOUT_S, nonce, wallet};

/// The devnet's JSON-RPC on a port of its own.
async fn serve(devnet: Devnet) -> String {
    let answer = async |State(devnet): State<Devnet>, body: Bytes| devnet.json_rpc(&body).await.to_string();
    let app = Router::new().route("/", post(answer)).with_state(devnet);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    url
}

#[tokio::test]
async fn payments_are_settled_and_found_again() {
    let stage = Stage::new().await;
    stage.approve(&stage.payer).await;
    let folder = tempfile::tempdir().unwrap();
    let url = serve(stage.devnet.clone()).await;
    let mut config = RpcConfig::new("devnet by wire", url, devnet::ASSET, folder.path().join("journal"));
    config.poll = Duration::from_millis(10);
    let operator = wallet("treasury");
    let open = async || {
        let chain = Rpc::open(config.clone(), operator.clone()).await.unwrap();
        Settler::new(chain, operator.clone(), token())
    };
    let rail = open().await;
    let now_s = rail.chain().now_s().await.unwrap();
    let sign = |amount, number| {
        let offered = rail.offer(Scheme::Exact, Atomic(amount), stage.payee, TIMEOUT_S);
        (stage.payer.sign_exact_with_nonce(&offered, None, now_s, nonce(number)).unwrap(), offered)
    };
    let (payload, offered) = sign(700, 1);
    rail.verify(&payload, &offered).await.unwrap();
    let first = rail.settle(&payload, &offered, Atomic(700)).await;
    assert!(matches!(first, Settlement::Settled { amount: Atomic(700), .. }), "{first:?}");
    assert_eq!(rail.settle(&payload, &offered, Atomic(700)).await, first);
    let (poor, offered_poor) = sign(9_999, 2);
    let Settlement::Rejected(rejection) = rail.settle(&poor, &offered_poor, Atomic(9_999)).await else {
        panic!("there is not so much")
    };
    assert_eq!(rejection.code, ErrorCode::InsufficientFunds);
    assert_eq!(rail.transfers(0).await.unwrap(), [], "the treasury had no part in it");
    let transfers = rail.chain().transfers(stage.payee, 0).await.unwrap();
    assert_eq!(transfers, Chain::transfers(&stage.devnet, stage.payee, 0).await.unwrap());
    assert_eq!(transfers.len(), 1);

    drop(rail);
    let rail = open().await;
    assert_eq!(rail.settle(&payload, &offered, Atomic(700)).await, first);
    assert_eq!(stage.payee_has().await, 700);
}
