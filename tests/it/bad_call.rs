//! What a caller can get wrong. Each row is refused with a code and a next step; nothing runs and nothing is paid.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use glassbox_core::limits;
use glassbox_pay::x402::{self, PaymentPayload};
use glassbox_registry::PackageFiles;
use reqwest::Method;
use serde_json::{Value, json};

use crate::buyer::{Buyer, Reply, bench};
use crate::packages::one_file;
use crate::stage::Stage;

async fn assert_untouched(stage: &Stage, buyer: &Buyer) {
    assert_eq!(stage.balance(buyer.wallet.address()).await, 1_000_000);
    assert_eq!(stage.payments().await, 0);
    assert!(stage.store().balances().await.unwrap().is_empty());
    stage.assert_sound().await;
}

async fn request(stage: &Stage, method: Method, path: &str, body: impl Into<reqwest::Body>) -> Reply {
    Reply::of(stage.http.request(method, format!("{}{path}", stage.url)).body(body).send().await.unwrap())
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_there_is_named_with_what_is() {
    let stage = Stage::new().await;
    let buyer = stage.buyer("payer", 1).await;
    let long = "x".repeat(300);
    for (path, status, code, hint) in [
        ("/v1/call/lab/nothing/1.0.0/double", 404, "package-not-found", "lab:nothing"),
        ("/v1/call/lab/bench/9.9.9/double", 404, "release-not-found", "1.0.0"),
        ("/v1/call/lab/bench/1.0.0/treble", 404, "function-not-found", "double"),
        ("/v1/call/lab/bench/1.0.0/Double", 404, "function-not-found", "double"),
        ("/v1/call/l%20b/bench/1.0.0/double", 400, "name-invalid", "l b"),
        ("/v1/call/lab/be_nch/1.0.0/double", 400, "name-invalid", "be_nch"),
        ("/v1/call/lab/bench/one/double", 400, "name-invalid", "one"),
        ("/v1/call/lab/bench/1.0/double", 400, "name-invalid", "1.0"),
        (&*format!("/v1/call/lab/{long}/1.0.0/double"), 400, "name-invalid", "xxx"),
        (&*format!("/v1/call/lab/bench/1.0.0/{long}"), 404, "function-not-found", "double"),
        ("/v1/call/lab/bench/1.0.0/%00", 404, "function-not-found", "double"),
        ("/v1/call/lab/bench/1.0.0/%ff", 400, "path-invalid", ""),
    ] {
        let reply = buyer.send(path, &json!({ "args": [1] }), None).await;
        let problem = reply.assert_problem(status, code);
        assert!(problem["detail"].as_str().unwrap().contains(hint), "{hint}: {problem}");
        assert!(reply.text.len() < 2_000, "{problem}");
    }
    for (path, code) in [
        ("/v1/packages/lab/nothing", "package-not-found"),
        ("/v1/packages/lab/nothing/latest", "package-not-found"),
        ("/v1/packages/lab/bench/2.0.0/wit", "release-not-found"),
        ("/v1/packages/lab/bench/1.0.0/source", "source-not-published"),
        ("/v1/receipts/0123456789abcdef", "receipt-not-found"),
        ("/v1/quote/lab/bench/1.0.0/treble", "function-not-found"),
        ("/", "route-not-found"),
        ("/v2/search", "route-not-found"),
        ("/v1/call/lab/bench/1.0.0", "route-not-found"),
    ] {
        stage.get(path).await.assert_problem(404, code);
    }
    // `bench` may run here and nowhere else, so its bytes stay.
    let component = stage.get("/v1/packages/lab/bench/1.0.0/component").await;
    component.assert_problem(403, "component-not-downloadable");
    assert_untouched(&stage, &buyer).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn arguments_that_do_not_fit_are_named_by_their_path() {
    let stage = Stage::new().await;
    let buyer = stage.buyer("payer", 1).await;
    for (args, hint) in [
        (json!(["x"]), "n"),
        (json!([-1]), "n"),
        (json!([1.5]), "n"),
        (json!([4_294_967_296u64]), "n"),
        (json!([null]), "n"),
        (json!([[1]]), "n"),
        (json!([]), "n"),
        (json!([1, 2]), ""),
        (json!({}), "n"),
        (json!({ "m": 1 }), "m"),
        (json!({ "n": 1, "m": 2 }), "m"),
        (json!("x"), ""),
        (json!(7), ""),
        (json!(true), ""),
    ] {
        let reply = buyer.send(&bench("double"), &json!({ "args": args }), None).await;
        let problem = reply.assert_problem(400, "arguments-invalid");
        assert!(problem["detail"].as_str().unwrap().contains(hint), "{args}: {problem}");
        assert!(problem["next"].as_str().unwrap().contains("double: func(n: u32) -> u32"), "{problem}");
    }
    assert_untouched(&stage, &buyer).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_that_are_no_call_are_refused() {
    let stage = Stage::new().await;
    let buyer = stage.buyer("payer", 1).await;
    let deep = format!("{{\"args\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000));
    let nested = format!("{{\"args\":[{}1{}]}}", "[".repeat(100), "]".repeat(100));
    for (body, status, code) in [
        ("{", 400, "body-invalid"),
        ("nonsense", 400, "body-invalid"),
        (" [[21]]", 400, "body-invalid"),
        ("{\"arg\":[1]}", 400, "body-invalid"),
        ("{\"args\":[1],\"fuel\":-1}", 400, "body-invalid"),
        ("{\"args\":[1],\"fuel\":\"many\"}", 400, "body-invalid"),
        ("{\"args\":[1],\"fuel\":1e30}", 400, "body-invalid"),
        ("{\"args\":[1],\"args\":[2]}", 400, "body-invalid"),
        ("{\"args\":[1]} trailing", 400, "body-invalid"),
        ("{\"args\":[1e400]}", 400, "body-invalid"),
        ("\u{0}", 400, "body-invalid"),
        (&*deep, 400, "body-invalid"),
        (&*nested, 400, "arguments-invalid"),
        ("", 400, "arguments-invalid"),
        ("{}", 400, "arguments-invalid"),
        ("{\"args\":[1],\"fuel\":0}", 400, "fuel-ceiling-invalid"),
        (&*format!("{{\"args\":[1],\"nonce\":\"{}\"}}", "x".repeat(129)), 400, "nonce-too-long"),
        (
            &*format!("{{\"args\":[\"{}\"]}}", "x".repeat(limits::CALL_BODY_BYTES_MAX - 12)),
            413,
            "body-too-large",
        ),
    ] {
        let reply = request(&stage, Method::POST, &bench("double"), body.to_owned()).await;
        let problem = reply.assert_problem(status, code);
        assert!(reply.text.len() < 2_000, "{problem}");
    }
    let not_text = request(&stage, Method::POST, &bench("double"), vec![0xff, 0xfe]).await;
    not_text.assert_problem(400, "body-invalid");
    for (method, path) in [
        (Method::PUT, bench("double")),
        (Method::DELETE, "/v1/publish".into()),
        (Method::POST, "/v1/search".into()),
        (Method::PUT, "/checkpoint".into()),
    ] {
        request(&stage, method, &path, "").await.assert_problem(405, "method-not-allowed");
    }
    assert_untouched(&stage, &buyer).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn queries_and_money_routes_refuse_what_they_cannot_read() {
    let stage = Stage::new().await;
    let buyer = stage.buyer("payer", 1).await;
    for (path, code) in [
        ("/v1/search", "query-invalid"),
        ("/v1/search?q=x&limit=many", "query-invalid"),
        ("/v1/quote/lab/bench/1.0.0/double?fuel=x", "query-invalid"),
        ("/v1/quote/lab/bench/1.0.0/double?fuel=0", "fuel-ceiling-invalid"),
        ("/v1/earnings?package=%21", "name-invalid"),
        ("/v1/balances/0x12", "address-invalid"),
        ("/v1/balances/nobody", "address-invalid"),
    ] {
        stage.get(path).await.assert_problem(400, code);
    }
    let address = buyer.wallet.address().to_string();
    for (body, code) in [
        (json!({ "address": "0x12", "usd": "1" }), "address-invalid"),
        (json!({ "address": address, "usd": 1 }), "body-invalid"),
        (json!({ "address": address, "usd": "-1" }), "amount-invalid"),
        (json!({ "address": address, "usd": "0" }), "amount-invalid"),
        (json!({ "address": address, "usd": "1e3" }), "amount-invalid"),
        (json!({ "address": address, "usd": "0.0000001" }), "amount-invalid"),
        (json!({ "address": address, "usd": "100.000001" }), "amount-invalid"),
        (json!({ "address": address, "usd": "9".repeat(100) }), "amount-invalid"),
        (json!({ "address": address }), "body-invalid"),
    ] {
        stage.post("/v1/devnet/faucet", &body).await.assert_problem(400, code);
    }
    // Search words are words: whatever a query language would make of them.
    for words in ["\"", "(", "a AND", "title:x", "*", "+-!", "a~9", "[a TO b]", "\u{0}", "😀", "' OR 1=1 --"]
    {
        let found =
            stage.http.get(format!("{}/v1/search", stage.url)).query(&[("q", words)]).send().await.unwrap();
        assert_eq!(found.status(), 200, "{words:?}");
    }
    for limit in ["0", "1", "50", "51", "18446744073709551615"] {
        assert_eq!(stage.get(&format!("/v1/search?q=trap&limit={limit}")).await.status, 200, "{limit}");
    }
    assert_untouched(&stage, &buyer).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_header_that_is_no_payment_is_malformed() {
    let stage = Stage::new().await;
    let buyer = stage.buyer("payer", 1).await;
    let body = json!({ "args": [21] });
    let base64 = |text: &str| STANDARD.encode(text);
    for header in [
        String::new(),
        "!!!".into(),
        base64("nonsense"),
        base64("{}"),
        base64("[]"),
        base64("null"),
        base64("{\"x402Version\":2}"),
        base64("{\"x402Version\":2,\"accepted\":{},\"payload\":{}}"),
        base64(&"[".repeat(10_000)),
    ] {
        let reply = buyer.send(&bench("double"), &body, Some(&header)).await;
        reply.assert_problem(400, "payment-malformed");
    }
    assert_untouched(&stage, &buyer).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_that_does_not_answer_the_offer_is_refused_with_its_x402_code() {
    let stage = Stage::new().await;
    let buyer = stage.buyer("payer", 1).await;
    let body = json!({ "args": [21] });
    let good = serde_json::to_value(buyer.payload(&bench("double"), &body, "first").await).unwrap();
    let stranger = crate::stage::wallet("stranger").address().to_string();
    for (pointer, value, error) in [
        ("/x402Version", json!(1), "invalid_x402_version"),
        ("/accepted/scheme", json!("barter"), "unsupported_scheme"),
        ("/accepted/network", json!("eip155:1"), "invalid_network"),
        ("/accepted/amount", json!("1"), "invalid_payment_requirements"),
        ("/accepted/amount", json!("02000"), "invalid_payment_requirements"),
        ("/accepted/payTo", json!(stranger), "invalid_payment_requirements"),
        ("/accepted/asset", json!(stranger), "invalid_payment_requirements"),
        ("/accepted/maxTimeoutSeconds", json!(1), "invalid_payment_requirements"),
        ("/accepted/extra/name", json!("Dollar"), "invalid_payment_requirements"),
        (
            "/payload/authorization/value",
            json!("1"),
            "invalid_exact_evm_payload_authorization_value_mismatch",
        ),
        ("/payload/authorization/value", json!("-1"), "invalid_payload"),
        ("/payload/authorization/value", json!("9".repeat(90)), "invalid_payload"),
        ("/payload/authorization/to", json!(stranger), "invalid_exact_evm_payload_recipient_mismatch"),
        ("/payload/authorization/from", json!(stranger), "invalid_exact_evm_payload_signature"),
        (
            "/payload/authorization/nonce",
            json!(format!("0x{}", "11".repeat(32))),
            "invalid_exact_evm_payload_signature",
        ),
        ("/payload/authorization/nonce", json!("0x11"), "invalid_payload"),
        ("/payload/authorization/validBefore", json!("9999999999"), "invalid_exact_evm_payload_signature"),
        (
            "/payload/signature",
            json!(format!("0x{}", "22".repeat(65))),
            "invalid_exact_evm_payload_signature",
        ),
        ("/payload/signature", json!("0x"), "invalid_exact_evm_payload_signature"),
        ("/payload/signature", json!(7), "invalid_payload"),
        ("/payload", json!({}), "invalid_payload"),
    ] {
        let mut payload = good.clone();
        *payload.pointer_mut(pointer).unwrap() = value;
        refused(&buyer, &body, &payload, error).await;
    }
    assert_untouched(&stage, &buyer).await;
    // The untouched one is still good.
    assert_eq!(buyer.send(&bench("double"), &body, Some(&x402::encode(&good))).await.output(), 42);
}

async fn refused(buyer: &Buyer, body: &Value, payload: &Value, error: &str) {
    let reply = buyer.send(&bench("double"), body, Some(&x402::encode(payload))).await;
    let problem = reply.assert_problem(402, "payment-invalid");
    assert_eq!(problem["retry"], "with-payment");
    let required = reply.required();
    assert_eq!(required.error.as_deref(), Some(error), "{payload}");
    assert!(required.accepts.iter().all(|offer| offer.amount == "2000"), "the requirements are our own");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_out_of_its_time_or_without_money_is_refused() {
    let stage = Stage::new().await;
    let buyer = stage.buyer("payer", 1).await;
    let body = json!({ "args": [21] });
    let payment = buyer.payload(&bench("double"), &body, "first").await;
    let value = |payment: &PaymentPayload| serde_json::to_value(payment).unwrap();
    // Long enough for the chain, too short for a run and a settlement after it.
    stage.world.advance(std::time::Duration::from_secs(130));
    let too_late = "invalid_exact_evm_payload_authorization_valid_before";
    refused(&buyer, &body, &value(&payment), too_late).await;
    stage.world.advance(std::time::Duration::from_secs(3_600));
    refused(&buyer, &body, &value(&payment), too_late).await;

    let poor = stage.buyer("poor", 0).await;
    let payment = poor.payload(&bench("double"), &body, "first").await;
    refused(&poor, &body, &value(&payment), "insufficient_funds").await;
    // A payment for another price.
    let other = json!({ "args": [21], "fuel": 90_000_000 });
    let dearer = buyer.payload(&bench("burn"), &other, "second").await;
    refused(&buyer, &body, &value(&dearer), "invalid_payment_requirements").await;
    assert_untouched(&stage, &buyer).await;
    // The same payment is good once there is money: nothing was bound to the refusal.
    stage.buyer("poor", 1).await;
    let reply = poor.send(&bench("double"), &body, Some(&x402::encode(&payment))).await;
    assert_eq!(reply.output(), 42);
    stage.assert_sound().await;
}

/// A function that lends books, which are resources, beside one that counts them.
const SHELF: &str = r#"(component
  (type $own (resource (rep i32)))
  (core func $new (canon resource.new $own))
  (core module $m
    (import "" "new" (func $new (param i32) (result i32)))
    (func (export "lend") (result i32) (call $new (i32.const 1)))
    (func (export "count") (result i32) (i32.const 3)))
  (core instance $i (instantiate $m (with "" (instance (export "new" (func $new))))))
  (func $lend (result (own $own)) (canon lift (core func $i "lend")))
  (func $count (result u32) (canon lift (core func $i "count")))
  (component $books
    (import "book" (type $book (sub resource)))
    (import "lend" (func $lend (result (own $book))))
    (import "count" (func $count (result u32)))
    (export $exported "book" (type $book))
    (export "lend" (func $lend) (func (result (own $exported))))
    (export "count" (func $count)))
  (instance $books (instantiate $books
    (with "book" (type $own)) (with "lend" (func $lend)) (with "count" (func $count))))
  (export "lab:shelf/books@1.0.0" (instance $books)))"#;

const SHELF_WIT: &str = "package lab:shelf@1.0.0;
interface books {
  resource book;
  lend: func() -> book;
  count: func() -> u32;
}
world shelf { export books; }
";

const SHELF_MANIFEST: &str = r#"
[package]
name = "lab:shelf"
version = "1.0.0"
license = "Apache-2.0"

[spec]
world = "shelf"

[component]
path = "shelf.wasm"
execute = ["remote"]
"#;

const SHELF_CASES: &str = r#"
[[case]]
name = "three books"
call = "count()"
expect = "3"
"#;

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_callable_by_value_says_why() {
    let stage = Stage::empty().await;
    stage
        .publish(&PackageFiles {
            documents: Default::default(),
            manifest: SHELF_MANIFEST.into(),
            wit: one_file("world.wit", SHELF_WIT),
            tests: one_file("shelf.toml", SHELF_CASES),
            editions: Default::default(),
            component: wat::parse_str(SHELF).unwrap(),
            files: None,
            source: None,
        })
        .await;
    let body = json!({ "args": [] });
    assert_eq!(stage.post("/v1/call/lab/shelf/1.0.0/count", &body).await.output(), 3);
    for path in ["/v1/call/lab/shelf/1.0.0/lend", "/v1/call/lab/shelf/1.0.0/books.lend"] {
        let problem = stage.post(path, &body).await.assert_problem(422, "function-not-callable");
        assert!(problem["detail"].as_str().unwrap().contains("its result holds a resource"), "{problem}");
        assert!(problem["next"].as_str().unwrap().contains("download"), "{problem}");
    }
    let shelf = stage.get("/v1/packages/lab/shelf/1.0.0").await.json();
    assert!(shelf.to_string().contains("its result holds a resource"), "{shelf}");
}
