//! A grant for public repositories: the forge says in whose name a workflow runs.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use glassbox_core::license::License;
use glassbox_registry::{OidcIssuer, OidcKeys};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::examples::package;
use super::{Customer, net};
use crate::buyer::Reply;
use crate::command::Shell;
use crate::stage::Stage;

const FORGE: &str = "https://forge.example";
const KEYS: &str = include_str!("oidc/keys.json");

fn rsa() -> (Algorithm, EncodingKey) {
    (Algorithm::RS256, EncodingKey::from_rsa_der(include_bytes!("oidc/rsa.der")))
}

fn ec() -> (Algorithm, EncodingKey) {
    (Algorithm::ES256, EncodingKey::from_ec_der(include_bytes!("oidc/ec.der")))
}

/// What a workflow of a public repository is told about itself, for the next ten minutes.
fn claims(stage: &Stage, holder: &str) -> Value {
    json!({
        "iss": FORGE,
        "aud": format!("{}#{holder}", stage.url),
        "exp": stage.world.now_s() + 600,
        "nbf": stage.world.now_s(),
        "repository": "example/tool",
        "repository_visibility": "public",
        "sub": "repo:example/tool:ref:refs/heads/main",
    })
}

fn token((algorithm, key): &(Algorithm, EncodingKey), kid: &str, claims: &Value) -> String {
    let header = Header { kid: Some(kid.into()), ..Header::new(*algorithm) };
    jsonwebtoken::encode(&header, claims, key).unwrap()
}

async fn prove(stage: &Stage, grant: &str, holder: &str, token: &str) -> Reply {
    let body = json!({ "release": "helix:fold", "grant": grant, "holder": holder, "token": token });
    stage.post("/v1/licenses/oidc", &body).await
}

async fn stage() -> Stage {
    let keys = OidcKeys::Set(KEYS.into());
    let stage = Stage::with_oidc(OidcIssuer { issuer: FORGE.into(), keys }).await;
    stage.publish(&package("fold")).await;
    stage
}

const FOLD: &str = "/v1/call/helix/fold/0.9.0/fold";

#[tokio::test(flavor = "multi_thread")]
async fn a_public_repository_computes_for_nothing_for_an_hour() {
    let stage = stage().await;
    let (ana, ben) = (Customer::with(&stage, "ana", "5").await, Customer::with(&stage, "ben", "5").await);
    let cost = async |customer: &Customer<'_>, n: u32| {
        customer.post(FOLD, &json!({ "args": [n] })).await.receipt().1.charge.amount.0
    };
    assert_eq!(cost(&ana, 1).await, 500, "the least that a call costs");
    let by_rsa = token(&rsa(), "rsa", &claims(&stage, &ana.account));
    let given = prove(&stage, "oss", &ana.account, &by_rsa).await;
    assert_eq!(given.status, 201, "{}", given.text);
    stage.world.advance(Duration::from_secs(1));
    let again = prove(&stage, "oss", &ana.account, &by_rsa).await;
    assert_eq!(again.status, 200, "the same token is the same grant");
    assert_eq!(again.json()["license"], given.json()["license"], "and the licence that is kept");
    assert_eq!(cost(&ana, 2).await, 0);
    assert_eq!(cost(&ben, 2).await, 500, "a grant is its holder's");
    stage.world.advance(Duration::from_secs(3_601));
    assert_eq!(cost(&ana, 3).await, 500, "and ends with the workflow");
    let by_ec = token(&ec(), "ec", &claims(&stage, &ana.account));
    assert_eq!(prove(&stage, "oss", &ana.account, &by_ec).await.status, 201);
    assert_eq!(cost(&ana, 4).await, 0);
    // The payees are paid of what was paid for, and of nothing else.
    let helix = glassbox_core::ledger::Account::Payee("did:web:helix.example".into());
    assert_eq!(stage.store().balance(&helix).await.unwrap().credits.0, net(1_500) * 7 / 10);
    stage.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_keys_of_a_forge_are_fetched_now_and_then() {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    let keys = get(move || {
        count.fetch_add(1, Ordering::SeqCst);
        async { KEYS }
    });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/keys", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, Router::new().route("/keys", keys)).await });
    let stage = Stage::with_oidc(OidcIssuer { issuer: FORGE.into(), keys: OidcKeys::Url(url) }).await;
    stage.publish(&package("fold")).await;
    for (holder, fetched) in [("credit:a", 1), ("credit:b", 1), ("credit:c", 2)] {
        if fetched == 2 {
            stage.world.advance(Duration::from_secs(601));
        }
        let token = token(&ec(), "ec", &claims(&stage, holder));
        assert_eq!(prove(&stage, "oss", holder, &token).await.status, 201, "{holder}");
        assert_eq!(asked.load(Ordering::SeqCst), fetched, "{holder}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_workflow_asks_for_the_grant_by_a_command() {
    let stage = stage().await;
    let ana = Customer::with(&stage, "ana", "5").await;
    let shell = Shell::new(&stage.url);
    let file = |text: &str| std::fs::write(shell.folder.path().join("token.txt"), text).unwrap();
    let args = ["license", "prove", "helix:fold", "oss", "--to", &ana.account, "--token-file", "token.txt"];
    file("no token");
    shell.refused(&args, "oidc-refused");
    file(&format!("{}\n", token(&rsa(), "rsa", &claims(&stage, &ana.account))));
    let given = serde_json::from_value(shell.ok(&args)).unwrap();
    assert_eq!(License::open(&given).unwrap().holder, ana.account);
    assert_eq!(ana.post(FOLD, &json!({ "args": [1] })).await.receipt().1.charge.amount.0, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_proves_each_grant_for_itself() {
    let mut fold = package("fold");
    let oss = "id = \"oss\"";
    assert_eq!(fold.manifest.matches(oss).count(), 1);
    let more =
        "id = \"half\"\nprices = [\"compute\"]\npercent-off = 50\nproof = \"oidc-repository\"\n\n[[grant]]\n";
    fold.manifest = fold.manifest.replace(oss, &format!("{more}{oss}"));
    let keys = OidcKeys::Set(KEYS.into());
    let stage = Stage::with_oidc(OidcIssuer { issuer: FORGE.into(), keys }).await;
    stage.publish(&fold).await;
    let ana = Customer::with(&stage, "ana", "5").await;
    let token = token(&rsa(), "rsa", &claims(&stage, &ana.account));
    for grant in ["half", "oss"] {
        let given = prove(&stage, grant, &ana.account, &token).await;
        assert_eq!(given.status, 201, "{grant}: {}", given.text);
    }
    // The better one counts: it is kept, too.
    assert_eq!(ana.post(FOLD, &json!({ "args": [1] })).await.receipt().1.charge.amount.0, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forge_that_is_silent_is_asked_now_and_then_and_holds_up_no_other() {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    let broken = get(move || {
        count.fetch_add(1, Ordering::SeqCst);
        async { axum::http::StatusCode::INTERNAL_SERVER_ERROR }
    });
    let (reached, mut is_reached) = tokio::sync::mpsc::unbounded_channel();
    let mute = get(move || {
        reached.send(()).unwrap();
        std::future::pending::<&str>()
    });
    let routes =
        Router::new().route("/broken", broken).route("/mute", mute).route("/keys", get(|| async { KEYS }));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, routes).await });
    let issuer = |name: &str| OidcIssuer {
        issuer: format!("https://{name}.example"),
        keys: OidcKeys::Url(format!("{base}/{name}")),
    };
    let stage = Arc::new(Stage::with_forges(["broken", "mute", "keys"].map(issuer).into()).await);
    stage.publish(&package("fold")).await;
    let ask = async |name: &str| {
        let mut claims = claims(&stage, "credit:a");
        claims["iss"] = json!(format!("https://{name}.example"));
        prove(&stage, "oss", "credit:a", &token(&ec(), "ec", &claims)).await
    };
    for (pause_s, times) in [(0, 1), (1, 1), (31, 2)] {
        stage.world.advance(Duration::from_secs(pause_s));
        ask("broken").await.assert_problem(503, "oidc-silent");
        assert_eq!(asked.load(Ordering::SeqCst), times, "after {pause_s} s");
    }
    tokio::select! {
        reply = ask("mute") => panic!("{}", reply.text),
        answered = async {
            is_reached.recv().await.unwrap();
            ask("keys").await
        } => assert_eq!(answered.status, 201, "{}", answered.text),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_does_not_hold_proves_nothing() {
    let stage = stage().await;
    let holder = "credit:somebody";
    let good = claims(&stage, holder);
    let with = |field: &str, value: Value| {
        let mut claims = good.clone();
        claims[field] = value;
        token(&rsa(), "rsa", &claims)
    };
    let now = stage.world.now_s();
    let mut der = vec![0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];
    der.extend([5; 32]);
    let foreign = (Algorithm::EdDSA, EncodingKey::from_ed_der(&der));
    let shared = (Algorithm::HS256, EncodingKey::from_secret(KEYS.as_bytes()));
    let valid = token(&rsa(), "rsa", &good);
    let (head, tail) = valid.rsplit_once('.').unwrap();
    for refused in [
        with("iss", json!("https://other.example")),
        with("aud", json!(format!("{}#credit:else", stage.url))),
        with("aud", json!(stage.url)),
        with("exp", json!(now)),
        with("nbf", json!(now + 600)),
        with("repository_visibility", json!("private")),
        with("repository", json!("")),
        token(&rsa(), "none", &good),
        token(&rsa(), "ec", &good),
        token(&foreign, "rsa", &good),
        token(&shared, "rsa", &good),
        format!("{head}."),
        format!("{head}.{}", tail.chars().rev().collect::<String>()),
        "no token".to_owned(),
        "x".repeat(20_000),
    ] {
        prove(&stage, "oss", holder, &refused).await.assert_problem(403, "oidc-refused");
    }
    // What another proof is for, nobody's word gives.
    prove(&stage, "academic", holder, &valid).await.assert_problem(422, "license-not-sold");
    prove(&stage, "oss", "", &valid).await.assert_problem(400, "license-invalid");
    assert_eq!(prove(&stage, "oss", holder, &valid).await.status, 201);
    // A forge that cannot be asked is no proof, and no answer either.
    let keys = OidcKeys::Url("http://127.0.0.1:9/keys".into());
    let silent = Stage::with_oidc(OidcIssuer { issuer: FORGE.into(), keys }).await;
    silent.publish(&package("fold")).await;
    let token = token(&rsa(), "rsa", &claims(&silent, holder));
    prove(&silent, "oss", holder, &token).await.assert_problem(503, "oidc-silent");
}
