//! HTTP requests of components: what the manifest declares, as far as caller and operator allow it, URL by URL.

use std::fs;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use glassbox_core::files::Files;
use glassbox_core::ledger::Account;
use glassbox_core::manifest::Unit;
use glassbox_registry::{Code, PackageFiles, replay};
use glassbox_sandbox::Allowed;
use serde_json::{Value, json};

use crate::buyer::Reply;
use crate::command::{Server, Shell};
use crate::economy;
use crate::stage::{FEE_BPS, Stage, keys, sandbox};

const INTERFACE: &str = "wasi:http/outgoing-handler";
const DENIED: &str = "HttpRequestDenied";
const FETCH: &str = "/v1/call/test/web/1.0.0/fetch";

/// A server on this machine that counts its requests.
struct Origin {
    address: SocketAddr,
    seen: Arc<AtomicUsize>,
}

impl Origin {
    async fn start() -> Self {
        Self::that_takes(Duration::ZERO).await
    }

    /// One that answers after some time.
    async fn that_takes(time: Duration) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(AtomicUsize::new(0));
        let count = seen.clone();
        let answer = move || async move {
            tokio::time::sleep(time).await;
            count.fetch_add(1, Ordering::SeqCst).to_string()
        };
        tokio::spawn(async move { axum::serve(listener, axum::Router::new().fallback(answer)).await });
        Self { address, seen }
    }

    fn port(&self) -> u16 {
        self.address.port()
    }

    fn seen(&self) -> usize {
        self.seen.load(Ordering::SeqCst)
    }
}

/// Makes `test:web`, a service that also makes requests as it is told: below `/a` and `/b` of one host, and to another.
fn web(port: u16) -> PackageFiles {
    let rule = |host: &str, prefix: &str| {
        format!(
            "[[component.http]]\nhost = {host:?}\nscheme = \"http\"\nport = {port}\npath-prefix = {prefix:?}\n"
        )
    };
    let rules = [rule("127.0.0.1", "/a"), rule("127.0.0.1", "/b"), rule("localhost", "/")].concat();
    let wit = [
        ("world.wit", include_str!("../../crates/sandbox/tests/fixtures/web/world.wit")),
        ("deps/io.wit", include_str!("../../crates/sandbox/wit/deps/io.wit")),
        ("deps/clocks.wit", include_str!("../../crates/sandbox/wit/deps/clocks.wit")),
        ("deps/http.wit", include_str!("../../crates/sandbox/wit/deps/http.wit")),
    ];
    PackageFiles {
        manifest: format!(
            "[package]\nname = \"test:web\"\nversion = \"1.0.0\"\nlicense = \"Apache-2.0\"\n\
             [spec]\nworld = \"server\"\n[component]\npath = \"web.wasm\"\nexecute = [\"remote\", \"local\"]\n\
             imports-allow = [{INTERFACE:?}]\n{rules}"
        ),
        wit: Files::new(wit.map(|(path, text)| (path.to_owned(), text.into()))).unwrap(),
        tests: Files::default(),
        editions: Default::default(),
        documents: Default::default(),
        component: include_bytes!("../../conformance/fuel/server.wasm").to_vec(),
        files: None,
        source: None,
    }
}

/// A request as `fetch` is told it.
fn get(host: &str, port: u16, path: &str) -> Value {
    json!({ "method": "GET", "scheme": "http", "authority": format!("{host}:{port}"), "path": path,
            "headers": [], "body": { "hex": "" }, "timeout-ms": 0 })
}

/// Requests everything that the manifest declares, and something that it does not, in this order.
async fn fetch(stage: &Stage, port: u16, grants: Option<&[&str]>) -> Reply {
    let get = |host: &str, path: &str| get(host, port, path);
    let requests =
        [get("127.0.0.1", "/a/x"), get("127.0.0.1", "/b"), get("localhost", "/"), get("127.0.0.1", "/c")];
    let mut body = json!({ "args": [requests] });
    if let Some(grants) = grants {
        body["grants"] = json!(grants);
    }
    stage.post(FETCH, &body).await
}

/// Returns the hosts and paths of [`fetch`] that answered, a letter each. Insists that the others were refused.
fn answered(output: &Value) -> String {
    let answered = |(letter, result): (char, &Value)| {
        let denied = result["err"] == DENIED;
        assert!(denied || result["ok"]["status"] == 200, "{output}");
        (!denied).then_some(letter)
    };
    "abLc".chars().zip(output.as_array().unwrap()).filter_map(answered).collect()
}

/// Asks the service for what it fetches from a host.
async fn served(stage: &Stage, host: &str, port: u16) -> Reply {
    let request = stage.http.get(format!("{}/v1/serve/test/web/1.0.0/fetch", stage.url));
    Reply::of(request.header("host", format!("{host}:{port}")).send().await.unwrap()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_allows_requests_by_url_and_the_receipt_says_so() {
    let origin = Origin::start().await;
    let port = origin.port();
    let stage = Stage::allowing(Allowed::parse([INTERFACE]).unwrap()).await;
    let package = web(port);
    stage.publish(&package).await;
    let url = |rest: &str| format!("http://127.0.0.1:{port}{rest}");
    let (host, a, b, posts) = (url(""), url("/a"), url("/b"), format!("POST {}", url("")));
    let (get_a, local, tls) =
        (format!("GET {a}"), format!("http://localhost:{port}/"), format!("https://127.0.0.1:{port}"));
    let mut seen = 0;
    for (grants, expected) in [
        (None, "abL"),
        (Some(&[a.as_str()][..]), "a"),
        (Some(&[&get_a, &local]), "aL"),
        (Some(&["wasi:http/types", &b]), "b"),
        (Some(&["wasi", &b]), "b"),
        (Some(&[&host]), "ab"),
        (Some(&[&posts]), ""),
        (Some(&[&tls]), ""),
        (Some(&[&a, INTERFACE]), "abL"),
        (Some(&["wasi:http", &a]), "abL"),
    ] {
        let reply = fetch(&stage, port, grants).await;
        assert_eq!(answered(&reply.output()), expected, "{grants:?}");
        seen += expected.len();
        assert_eq!(origin.seen(), seen, "{grants:?}");
        let (bundle, receipt) = reply.receipt();
        let words: Option<Vec<String>> =
            grants.map(|grants| grants.iter().map(ToString::to_string).collect());
        assert_eq!((&bundle.opening.grants, receipt.pure), (&words, false));
        // What was refused is on record like what was answered, and needs no network to be run again.
        assert_eq!((receipt.grants[0].as_str(), receipt.grants.len()), (INTERFACE, 1));
        assert_eq!(receipt.transcript.as_ref().unwrap().entries, 4);
        let (mut report, _) = bundle.verify(Some(&keys().executor.public()));
        let code = Code { component: &package.component, files: None, dependencies: &[] };
        replay(&sandbox(), &bundle, &receipt, code, &mut report).await;
        assert!(report.holds() && origin.seen() == seen, "{report:?}");
        // Other words are another request.
        let mut forged = bundle.clone();
        forged.opening.grants = Some(vec![url("/c")]);
        assert!(!forged.verify(Some(&keys().executor.public())).0.holds());
    }
    for nothing in [&[][..], &["wasi"]] {
        fetch(&stage, port, Some(nothing)).await.assert_problem(422, "guest-import-not-granted");
    }
    for bad in ["a.org/v1", "https://a.org?q", "https://u@a.org", "ftp://a.org", "https://a.org/../x"] {
        let problem = fetch(&stage, port, Some(&[bad])).await.assert_problem(400, "grants-invalid");
        assert!(problem["next"].as_str().unwrap().contains("https://api.example.com/v1/"), "{problem}");
    }
    assert_eq!(served(&stage, "localhost", port).await.text, seen.to_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_allows_requests_by_url_to_calls_and_services() {
    let origin = Origin::start().await;
    let port = origin.port();
    let (b, local) = (format!("http://127.0.0.1:{port}/b"), format!("http://localhost:{port}"));
    let not_b = format!("http://127.0.0.1:{port}/a");
    for (operator, calls, local_is_allowed) in
        [(&[&b][..], ["b", "b", ""], false), (&[&b, &local], ["bL", "bL", ""], true)]
    {
        let operator = operator.iter().map(|rule| rule.as_str());
        let stage = Stage::allowing(Allowed::parse(operator).unwrap()).await;
        stage.publish(&web(port)).await;
        for (grants, expected) in [None, Some(&[INTERFACE][..]), Some(&[&not_b])].into_iter().zip(calls) {
            let reply = fetch(&stage, port, grants).await;
            assert_eq!(answered(&reply.output()), expected, "{grants:?}");
            assert_eq!(reply.receipt().1.grants, [INTERFACE]);
        }
        // Whoever asks a service for something allows everything: the operator alone stands in between.
        let before = origin.seen();
        let text = served(&stage, "localhost", port).await.text;
        assert_eq!(text != DENIED, local_is_allowed, "{text}");
        assert_eq!(origin.seen() - before, usize::from(local_is_allowed));
    }
    let stage = Stage::empty().await;
    stage.publish(&web(port)).await;
    fetch(&stage, port, None).await.assert_problem(422, "guest-import-not-granted");
}

/// A dollar cent for each second, and whom it is paid to.
fn by_the_second(package: PackageFiles) -> PackageFiles {
    let price = "[[price]]\nid = \"wait\"\nexport = \"fetch\"\nunit = \"second\"\namount = \"0.01\"\n";
    PackageFiles { manifest: format!("{}{price}{}", package.manifest, economy::PAYEE), ..package }
}

#[tokio::test(flavor = "multi_thread")]
async fn waiting_is_paid_by_the_begun_second() {
    let origin = Origin::that_takes(Duration::from_millis(1_200)).await;
    let stage = Stage::allowing(Allowed::parse([INTERFACE]).unwrap()).await;
    let package = by_the_second(web(origin.port()));
    stage.publish(&package).await;
    let buyer = stage.buyer("ana", 1).await;
    let before = stage.balance(buyer.wallet.address()).await;
    let args = json!([[get("127.0.0.1", origin.port(), "/a")]]);
    stage.post(FETCH, &json!({ "args": args })).await.assert_problem(402, "payment-required");
    assert_eq!(origin.seen(), 0);

    let since = Instant::now();
    let reply = buyer.pay(FETCH, args, "slow").await;
    let passed_ms = since.elapsed().as_millis();
    assert_eq!(reply.output()[0]["ok"]["status"], 200);
    let (bundle, receipt) = reply.receipt();
    // Two on a machine that has nothing else to do; never fewer, and never more than passed here.
    let waited = u128::from(receipt.wait_ms);
    assert!((1_001..=passed_ms).contains(&waited), "{waited} of {passed_ms} ms");
    let seconds = waited.div_ceil(1_000);
    let [line] = receipt.charge.lines.as_slice() else { panic!("{receipt:?}") };
    assert_eq!((&line.unit, u128::from(line.quantity)), (&Unit::Second, seconds));
    assert_eq!(receipt.charge.amount.0, seconds * 10_000);
    assert_eq!(stage.balance(buyer.wallet.address()).await, before - seconds * 10_000);
    let payee = Account::Payee("acct:ana@shop.example".into());
    let net = seconds * 10_000 * 1_000_000 * u128::from(10_000 - FEE_BPS) / 10_000;
    assert_eq!(stage.store().balance(&payee).await.unwrap().credits.0, net);

    // Run again from what was recorded: the origin is not asked, nothing is waited for, and the bill is the same.
    let (mut report, _) = bundle.verify(Some(&keys().executor.public()));
    let code = Code { component: &package.component, files: None, dependencies: &[] };
    replay(&sandbox(), &bundle, &receipt, code, &mut report).await;
    assert!(report.holds() && origin.seen() == 1, "{report:?}");
    assert!(report.checks.iter().any(|check| check.name == "re-execution" && check.holds), "{report:?}");
    stage.assert_sound().await;
}

#[test]
fn a_registry_is_told_on_its_command_line() {
    let shell = Shell::new("");
    let data = shell.folder.path().join("registry");
    // What the rules let through is stopped only because it is this machine.
    let through = "DestinationIpProhibited";
    let server = Server::start(&data, &["--allow", "wasi:io", "--allow", "GET http://127.0.0.1:9/a"]);
    let shell = Shell { registry: server.url.clone(), ..shell };
    let package = web(9);
    let folder = shell.folder.path().join("web");
    for (path, text) in package.wit.iter() {
        let path = folder.join("wit").join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    fs::write(folder.join("glassbox.toml"), &package.manifest).unwrap();
    fs::write(folder.join("web.wasm"), &package.component).unwrap();
    let published = shell.run(&["publish", "web"]);
    assert!(published.status.success(), "{}", String::from_utf8_lossy(&published.stderr));

    let get = |path: &str| {
        format!(
            "{{method: \"GET\", scheme: \"http\", authority: \"127.0.0.1:9\", path: \"{path}\", headers: [], \
             body: [], timeout-ms: 0}}"
        )
    };
    let call = format!("fetch([{}, {}])", get("/a"), get("/b"));
    let call = |allow: &[&str]| {
        let args = ["call", "test:web@1.0.0", &call, "--json", "--receipt", "r.json"];
        shell.run(&[&args[..], allow].concat())
    };
    for (allow, expected) in [
        (&[][..], [through, DENIED]),
        (&["--allow", INTERFACE], [through, DENIED]),
        (&["--allow", "http://127.0.0.1:9/a"], [through, DENIED]),
        (&["--allow", "http://127.0.0.1:9/b", "--allow", "wasi:io"], [DENIED, DENIED]),
    ] {
        let output = call(allow);
        let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
        let found = answer["output"].as_array().unwrap().iter().map(|result| result["err"].clone());
        assert_eq!(found.collect::<Vec<_>>(), expected, "{allow:?}");
        assert!(shell.run(&["verify", "r.json", "--replay"]).status.success(), "{allow:?}");
    }
    let code = |output: &std::process::Output| {
        let error: Value = serde_json::from_slice(&output.stderr).unwrap();
        (output.status.code(), error["error"]["code"].as_str().unwrap().to_owned())
    };
    assert_eq!(code(&call(&["--allow", "https://u@a.org"])), (Some(1), "grants-invalid".into()));
    let serve =
        ["serve", "--data", "other", "--listen", "127.0.0.1:0", "--json", "--allow", "https://a.org?q"];
    assert_eq!(code(&shell.run(&serve)), (Some(2), "grant-unknown".into()));
}
