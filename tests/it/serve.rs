//! Services: requests over HTTP that are calls, free and paid.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use glassbox_core::files::Files;
use glassbox_core::receipt::Bundle;
use glassbox_pay::x402;
use glassbox_registry::PackageFiles;

use crate::buyer::Reply;
use crate::packages::one_file;
use crate::stage::{Stage, keys};

const MANIFEST: &str = r#"
[package]
name = "lab:web"
version = "1.0.0"
license = "Apache-2.0"

[spec]
world = "web"

[component]
path = "web.wasm"
"#;

const PRICED: &str = r#"
[[price]]
id = "request"
unit = "call"
amount = "0.002"

[security]
contact = "security@lab.example"
support-until = 2029-12-31

[[payee]]
id = "acct:ana@lab.example"
share = 10000
"#;

const CASES: &str = r#"
[[case]]
name = "nothing to say"
call = "handle({method: \"GET\", path-with-query: some(\"/no-body\"), headers: [], body: []})"
expect = "{status: 204, headers: [], body: []}"
"#;

/// Makes `lab:web`, whose component answers with what it was asked.
fn web(price: &str) -> PackageFiles {
    let wit = [
        ("world.wit", "package lab:web@1.0.0; world web { export wasi:http/incoming-handler@0.2.12; }"),
        ("deps/io.wit", include_str!("../../crates/sandbox/wit/deps/io.wit")),
        ("deps/clocks.wit", include_str!("../../crates/sandbox/wit/deps/clocks.wit")),
        ("deps/http.wit", include_str!("../../crates/sandbox/wit/deps/http.wit")),
    ];
    PackageFiles {
        manifest: format!("{MANIFEST}{price}"),
        wit: Files::new(wit.map(|(path, text)| (path.to_owned(), text.into()))).unwrap(),
        tests: one_file("web.toml", CASES),
        editions: Default::default(),
        documents: Default::default(),
        component: include_bytes!("../../conformance/fuel/server.wasm").to_vec(),
        files: None,
        source: None,
    }
}

const ROOT: &str = "/v1/serve/lab/web/1.0.0";

async fn request(stage: &Stage, method: &str, path: &str, payment: Option<&str>) -> Reply {
    let url = format!("{}{ROOT}{path}", stage.url);
    let mut request = stage.http.request(method.parse().unwrap(), url).body("the body");
    request = request.header("x-asked", "yes").header("user-agent", "me").header("cookie", "a=b");
    if let Some(payment) = payment {
        request = request.header(x402::PAYMENT_SIGNATURE, payment);
    }
    Reply::of(request.send().await.unwrap()).await
}

fn assert_holds(bundle: &Bundle) {
    let (report, _) = bundle.verify(Some(&keys().executor.public()));
    assert!(report.holds(), "{report:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_answers_and_its_receipt_is_at_hand() {
    let stage = Stage::empty().await;
    stage.publish(&web("")).await;
    for (method, name) in
        [("POST", "Method::Post"), ("PURGE", "Method::Other(\"PURGE\")"), ("GET", "Method::Get")]
    {
        let reply = request(&stage, method, "/a%2Fb?c=d", None).await;
        assert_eq!((reply.status, reply.header("x-served-by")), (201, Some("glassbox")), "{reply:?}");
        let host = stage.url.strip_prefix("http://").unwrap();
        assert!(
            reply.text.starts_with(&format!("{name} None Some(\"{host}\") /a%2Fb?c=d\n")),
            "{}",
            reply.text
        );
        assert!(reply.text.contains("x-asked: yes\n") && reply.text.ends_with("the body"), "{}", reply.text);
        for unasked in ["user-agent", "cookie", "content-length"] {
            assert!(!reply.text.contains(unasked), "{}", reply.text);
        }
        assert_eq!(reply.header("content-security-policy"), Some("sandbox"));
        let receipt = STANDARD.decode(reply.header("glassbox-receipt").unwrap()).unwrap();
        let bundle: Bundle = serde_json::from_slice(&receipt).unwrap();
        assert_holds(&bundle);
    }
    assert_eq!(request(&stage, "GET", "/", None).await.status, 201);
    let large = request(&stage, "GET", "/large", None).await;
    assert_eq!((large.status, large.text.len()), (200, 64 * 1024));
    assert_eq!(
        (large.header("glassbox-receipt"), large.header("glassbox-receipt-at")),
        (None, Some("omitted"))
    );
    for path in ["/silent", "/error", "/unfinished", "/trap"] {
        request(&stage, "GET", path, None).await.assert_problem(422, "guest-failed");
    }
    stage.get("/v1/serve/lab/none/1.0.0/").await.assert_problem(404, "package-not-found");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_priced_service_is_paid_for_each_request() {
    let stage = Stage::empty().await;
    stage.publish(&web(PRICED)).await;
    let buyer = stage.buyer("payer", 1).await;
    let asked = request(&stage, "POST", "/x", None).await;
    asked.assert_problem(402, "payment-required");
    let payment = x402::encode(&buyer.answer(&asked.required(), "first"));
    let paid = request(&stage, "POST", "/x", Some(&payment)).await;
    assert_eq!(paid.status, 201, "{}", paid.text);
    assert!(paid.settlement().success && !paid.text.contains("payment"), "{}", paid.text);
    let kept = stage.get(paid.header("glassbox-receipt-at").unwrap()).await;
    assert_holds(&kept.receipt().0);
    // The same payment fetches the same reply, and buys nothing else.
    let again = request(&stage, "POST", "/x", Some(&payment)).await;
    assert_eq!(
        (again.text.clone(), again.header("glassbox-call").map(str::to_owned)),
        (paid.text.clone(), paid.header("glassbox-call").map(str::to_owned))
    );
    request(&stage, "POST", "/y", Some(&payment)).await.assert_problem(409, "payment-bound");
    assert_eq!(stage.payments().await, 1);
    stage.assert_sound().await;
}
