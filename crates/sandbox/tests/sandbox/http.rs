//! HTTP: requests that rules allow and a transcript repeats, and servers as functions. Against a real server.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use glassbox_core::egress::{Egress, Rule, Scheme};
use glassbox_core::transcript::{Entry, Transcript};
use glassbox_core::value::Value;
use glassbox_core::{Digest, limits};
use glassbox_sandbox::{
    Effects, Failure, FailureKind, Flow, Grants, ImportKind, Invocation, Kind, Network, Outcome, Run,
    RunLimits, Sandbox, SandboxConfig, Spec, inspect,
};

/// A library that makes requests, and the same that answers them too; see `tests/fixtures/web`.
const CLIENT: &[u8] = include_bytes!("../fixtures/web/client.wasm");
const SERVER: &[u8] = include_bytes!("../../../../conformance/fuel/server.wasm");

const HANDLER: &str = "wasi:http/outgoing-handler";

fn spec(world: &str) -> Spec {
    let files = [
        ("world.wit", include_str!("../fixtures/web/world.wit")),
        ("deps/io.wit", include_str!("../../wit/deps/io.wit")),
        ("deps/clocks.wit", include_str!("../../wit/deps/clocks.wit")),
        ("deps/http.wit", include_str!("../../wit/deps/http.wit")),
    ];
    let files: Vec<_> = files.map(|(path, text)| (path.to_owned(), text.to_owned())).into();
    Spec::parse(&files, Some(world)).expect("valid WIT")
}

/// A sandbox whose operator allows every request, to this machine as well.
fn open_sandbox() -> Sandbox {
    static SHARED: OnceLock<Sandbox> = OnceLock::new();
    SHARED.get_or_init(|| sandbox(Network { egress: Egress::Any, private_addresses: true })).clone()
}

fn sandbox(network: Network) -> Sandbox {
    let config = SandboxConfig { threads: 2, pool: false, network, ..SandboxConfig::default() };
    Sandbox::new(config).expect("starts")
}

/// A server on this machine that counts its requests, and is gone when it is dropped.
struct Origin {
    address: SocketAddr,
    seen: Arc<AtomicUsize>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Origin {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Origin {
    async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("bound");
        let seen = Arc::new(AtomicUsize::new(0));
        let router = Router::new().fallback(origin).with_state(seen.clone());
        let task = tokio::spawn(async move { axum::serve(listener, router).await.expect("serves") });
        Self { address, seen, task }
    }

    fn seen(&self) -> usize {
        self.seen.load(Ordering::SeqCst)
    }

    fn authority(&self) -> String {
        self.address.to_string()
    }

    /// Allows every request to this server.
    fn rule(&self) -> Rule {
        let rule = Rule::https("127.0.0.1").expect("a host").with_scheme(Scheme::Http);
        rule.with_port(self.address.port()).expect("a port")
    }

    fn request<'a>(&self, method: &'a str, path: &'a str, body: &'a [u8]) -> Request<'a> {
        Request {
            method,
            scheme: "http",
            authority: self.authority(),
            path,
            headers: &[],
            body,
            timeout_ms: 0,
        }
    }

    fn get<'a>(&self, path: &'a str) -> Request<'a> {
        self.request("GET", path, b"")
    }
}

async fn origin(
    State(seen): State<Arc<AtomicUsize>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    seen.fetch_add(1, Ordering::SeqCst);
    match uri.path() {
        "/elsewhere" => (StatusCode::FOUND, [("location", "http://localhost/secret")]).into_response(),
        "/large" => vec![b'x'; limits::HTTP_BODY_BYTES_MAX + 1].into_response(),
        "/largest" => vec![b'x'; limits::HTTP_BODY_BYTES_MAX].into_response(),
        "/never" => std::future::pending().await,
        "/headers" => [("x-large", "x".repeat(limits::HTTP_FIELDS_BYTES_MAX))].into_response(),
        _ => {
            let mut text = format!("{method} {uri}\n");
            for (name, value) in &headers {
                if name != "host" {
                    text += &format!("{name}: {}\n", value.to_str().expect("text"));
                }
            }
            let text = text + std::str::from_utf8(&body).expect("text");
            ([("x-answer", "yes"), ("connection", "close")], text).into_response()
        }
    }
}

#[derive(Clone)]
struct Request<'a> {
    method: &'a str,
    scheme: &'a str,
    authority: String,
    path: &'a str,
    headers: &'a [(&'a str, &'a str)],
    body: &'a [u8],
    timeout_ms: u32,
}

fn text(text: &str) -> Value {
    Value::String(text.to_owned())
}

fn headers(headers: &[(&str, &str)]) -> Value {
    let header =
        |(name, value): &(&str, &str)| Value::Tuple(vec![text(name), Value::Bytes(value.as_bytes().into())]);
    Value::List(headers.iter().map(header).collect())
}

impl Request<'_> {
    fn value(&self) -> Value {
        Value::Record(vec![
            text(self.method),
            text(self.scheme),
            text(&self.authority),
            text(self.path),
            headers(self.headers),
            Value::Bytes(self.body.to_vec()),
            Value::U32(self.timeout_ms),
        ])
    }
}

/// What a run is given beside its arguments.
struct Setting<'a> {
    sandbox: Sandbox,
    rules: Vec<Rule>,
    effects: Effects<'a>,
    limits: RunLimits,
}

impl Setting<'_> {
    fn of(origin: &Origin) -> Self {
        let (sandbox, rules) = (open_sandbox(), vec![origin.rule()]);
        Self { sandbox, rules, effects: Effects::default(), limits: RunLimits::default() }
    }

    async fn run(&self, component: &[u8], world: &str, function: &str, args: Vec<Value>) -> Run {
        let spec = spec(world);
        let function = spec.function(function).expect("it is there");
        let granted = if self.rules.is_empty() { &[][..] } else { &[HANDLER] };
        let grants = Grants::parse(granted.iter().copied()).expect("granted").with_http(self.rules.clone());
        let prepared = self.sandbox.prepare(Digest::of(component), component, &grants).expect("valid");
        let invocation = Invocation {
            effects: self.effects,
            ..Invocation::new(&function.name, &function.ty, args.into(), self.limits)
        };
        self.sandbox.run(&prepared, invocation, Flow::new("payer", "package")).await
    }

    async fn fetch(&self, function: &str, requests: &[Request<'_>]) -> Run {
        let requests = Value::List(requests.iter().map(Request::value).collect());
        self.run(CLIENT, "client", function, vec![requests]).await
    }

    /// Runs live, then again by the transcript in a sandbox without a network, and compares.
    async fn repeat(&self, function: &str, requests: &[Request<'_>]) -> Run {
        let live = self.fetch(function, requests).await;
        let transcript = live.transcript.clone().expect("it is not pure");
        let alone = sandbox(Network::default());
        let setting = Setting {
            sandbox: alone,
            rules: self.rules.clone(),
            effects: Effects::Replay(&transcript),
            limits: self.limits,
        };
        let again = setting.fetch(function, requests).await;
        assert_eq!((&again.outcome, again.fuel_used), (&live.outcome, live.fuel_used));
        assert_eq!(again.transcript.as_ref(), Some(&transcript));
        live
    }
}

/// A response, its headers and its body as text; or the error's name.
type Fetched = Result<(u16, Vec<(String, String)>, String), String>;

fn response(value: &Value) -> (u16, Vec<(String, String)>, String) {
    let Value::Record(parts) = value else { panic!("{value:?}") };
    let [Value::U16(status), Value::List(headers), Value::Bytes(body)] = &parts[..] else {
        panic!("{parts:?}")
    };
    let utf8 = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("UTF-8");
    let header = |header: &Value| match header {
        Value::Tuple(parts) => match &parts[..] {
            [Value::String(name), Value::Bytes(value)] => (name.clone(), utf8(value)),
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    };
    (*status, headers.iter().map(header).collect(), utf8(body))
}

fn fetched(run: &Run) -> Vec<Fetched> {
    let Outcome::Returned(Some(Value::List(results))) = &run.outcome else { panic!("{:?}", run.outcome) };
    let result = |result: &Value| match result {
        Value::Result(Ok(Some(value))) => Ok(response(value)),
        Value::Result(Err(Some(name))) => match &**name {
            Value::String(name) => Err(name.clone()),
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    };
    results.iter().map(result).collect()
}

fn errors(run: &Run) -> Vec<String> {
    fetched(run)
        .into_iter()
        .map(|fetched| fetched.map(|(status, ..)| status.to_string()).unwrap_or_else(|name| name))
        .collect()
}

fn failure(run: &Run) -> &Failure {
    match &run.outcome {
        Outcome::Failed(failure) => failure,
        Outcome::Returned(value) => panic!("returned {value:?}"),
    }
}

#[test]
fn requests_are_granted_apart_and_make_a_run_impure() {
    let none = Grants::none();
    let grants = Grants::parse([HANDLER]).expect("granted");
    let inspection = inspect(CLIENT).expect("valid");
    assert!(inspection.imports_of(ImportKind::Foreign, &none).is_empty() && inspection.is_pure(&none));
    assert_eq!(inspection.imports_of(ImportKind::Granted, &grants), ["wasi:http/outgoing-handler@0.2.12"]);
    assert!(!inspection.is_pure(&grants));
    assert_eq!((inspection.kind(), inspect(SERVER).expect("valid").kind()), (Kind::Library, Kind::Service));
    assert_eq!(spec("client").check_world(CLIENT), Ok(()));
    assert_eq!(spec("server").check_world(SERVER), Ok(()));
}

#[tokio::test]
async fn a_request_is_made_recorded_and_repeated_without_its_server() {
    let origin = Origin::start().await;
    let mut post = origin.request("POST", "/a?b=c", b"the body");
    post.headers = &[("X-Asked", "twice"), ("x-asked", "over"), ("content-length", "8")];
    let run = Setting::of(&origin).repeat("fetch", &[origin.get("/"), post]).await;
    assert_eq!(origin.seen(), 2);
    let fetched = fetched(&run);
    let (status, headers, body) = fetched[0].clone().expect("a response");
    assert_eq!((status, body.lines().next()), (200, Some("GET /")));
    assert!(headers.contains(&("x-answer".into(), "yes".into())), "{headers:?}");
    assert!(!headers.iter().any(|(name, _)| name == "connection"), "{headers:?}");
    let (_, _, body) = fetched[1].clone().expect("a response");
    assert!(body.starts_with("POST /a?b=c\n") && body.ends_with("\nthe body"), "{body}");
    assert!(body.contains("x-asked: twice\nx-asked: over\n"), "{body}");
    let transcript = run.transcript.expect("it is not pure");
    assert_eq!(transcript.entries().len(), 2);
    assert!(transcript.entries().iter().all(|entry| entry.import == "wasi:http/outgoing-handler#handle"));
    // With the server gone, a live run comes to another end, and the recorded one to the same.
    let setting = Setting::of(&origin);
    let (get, address) = (origin.get("/"), origin.address);
    drop(origin);
    // Its task ends a moment later, and with it the listener.
    while tokio::net::TcpStream::connect(address).await.is_ok() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let refused = setting.repeat("fetch", std::slice::from_ref(&get)).await;
    assert_eq!(errors(&refused), ["ConnectionRefused"]);
}

#[tokio::test]
async fn requests_go_side_by_side() {
    let origin = Origin::start().await;
    let requests = [origin.get("/1"), origin.request("PUT", "/2", b"x"), origin.get("/3"), origin.get("/4")];
    let run = Setting::of(&origin).repeat("fetch-all", &requests).await;
    let bodies: Vec<_> = fetched(&run).into_iter().map(|fetched| fetched.expect("a response").2).collect();
    let lines: Vec<_> = bodies.iter().map(|body| body.lines().next().expect("a line")).collect();
    assert_eq!(lines, ["GET /1", "PUT /2", "GET /3", "GET /4"]);
}

#[tokio::test]
async fn what_left_is_on_record_also_where_nobody_looked() {
    let origin = Origin::start().await;
    let setting = Setting::of(&origin);
    let run = setting.run(CLIENT, "client", "forget", vec![origin.request("POST", "/x", b"y").value()]).await;
    assert_eq!(run.outcome, Outcome::Returned(None));
    assert_eq!((origin.seen(), run.transcript.map(|transcript| transcript.entries().len())), (1, Some(1)));
}

#[tokio::test]
async fn what_no_rule_allows_never_leaves() {
    let origin = Origin::start().await;
    let port = origin.address.port();
    let rule = origin
        .rule()
        .with_methods(["GET", "POST"])
        .expect("methods")
        .with_path_prefix("/v1")
        .expect("a path");
    let setting = Setting { rules: vec![rule], ..Setting::of(&origin) };
    let allowed = origin.get("/v1/x");
    let with_authority = |authority: String| Request { authority, ..allowed.clone() };
    let denied = [
        origin.request("PUT", "/v1/x", b""),
        origin.get("/v10"),
        origin.get("/"),
        origin.get("/v1//x"),
        with_authority(format!("localhost:{port}")),
        with_authority("127.0.0.1".into()),
        with_authority("example.com".into()),
        Request { scheme: "", ..allowed.clone() },
    ];
    let run = setting.repeat("fetch", &denied).await;
    assert_eq!(errors(&run), ["HttpRequestDenied"; 8]);
    let invalid = [
        origin.get("/v1/../x"),
        origin.get("/v1/%2e%2e/x"),
        with_authority(format!("a@127.0.0.1:{port}")),
        with_authority(format!("127.1:{port}")),
        with_authority(String::new()),
    ];
    let run = setting.fetch("fetch", &invalid).await;
    assert_eq!(errors(&run), ["HttpRequestUriInvalid"; 5]);
    for name in ["host", "Connection", "transfer-encoding", "proxy-authorization"] {
        let forbidden = Request { headers: &[(name, "x")], ..allowed.clone() };
        assert_eq!(errors(&setting.fetch("fetch", &[forbidden]).await), ["HeaderError::Forbidden"], "{name}");
    }
    let broken = Request { headers: &[("a b", "x")], ..allowed.clone() };
    assert_eq!(errors(&setting.fetch("fetch", &[broken]).await), ["HeaderError::InvalidSyntax"]);
    assert_eq!(origin.seen(), 0);
    assert_eq!(errors(&setting.fetch("fetch", &[allowed]).await), ["200"]);
}

#[tokio::test]
async fn a_caller_and_an_operator_allow_less() {
    let origin = Origin::start().await;
    let requests = [origin.get("/a/x"), origin.get("/b/x"), origin.get("/c/x")];
    let below = |prefix: &str| origin.rule().with_path_prefix(prefix).expect("a path");
    let operator = Egress::Rules(vec![below("/a"), below("/b")]);
    let caller = Egress::Rules(vec![below("/b"), below("/c")]);
    let setting = Setting {
        sandbox: sandbox(Network { egress: operator, private_addresses: true }),
        effects: Effects::Live { environment: &[], egress: &caller },
        ..Setting::of(&origin)
    };
    let denied = "HttpRequestDenied";
    assert_eq!(errors(&setting.fetch("fetch", &requests).await), [denied, "200", denied]);
    // Without a word of the operator there is no network.
    let setting = Setting { sandbox: sandbox(Network::default()), ..Setting::of(&origin) };
    assert_eq!(errors(&setting.fetch("fetch", &requests).await), [denied; 3]);
    assert_eq!(origin.seen(), 1);
}

#[tokio::test]
async fn this_machine_is_not_public() {
    let origin = Origin::start().await;
    let port = origin.address.port();
    let rules = ["127.0.0.1", "localhost", "[::1]"].map(|host| {
        Rule::https(host).expect("a host").with_scheme(Scheme::Http).with_port(port).expect("a port")
    });
    let requests = ["127.0.0.1", "localhost", "[::1]"]
        .map(|host| Request { authority: format!("{host}:{port}"), ..origin.get("/") });
    let public = sandbox(Network { egress: Egress::Any, private_addresses: false });
    let setting = Setting { sandbox: public, rules: rules.into(), ..Setting::of(&origin) };
    assert_eq!(errors(&setting.fetch("fetch", &requests).await), ["DestinationIpProhibited"; 3]);
    assert_eq!(origin.seen(), 0);
    // The name leads here where the operator lets it.
    let setting = Setting { sandbox: open_sandbox(), ..setting };
    assert_eq!(errors(&setting.fetch("fetch", &requests[..2]).await), ["200"; 2]);
}

#[tokio::test]
async fn a_redirect_is_the_guests_to_follow() {
    let origin = Origin::start().await;
    let run = Setting::of(&origin).repeat("fetch", &[origin.get("/elsewhere")]).await;
    let (status, headers, _) = fetched(&run)[0].clone().expect("a response");
    assert_eq!(status, 302);
    assert!(headers.contains(&("location".into(), "http://localhost/secret".into())), "{headers:?}");
    assert_eq!(origin.seen(), 1);
}

#[tokio::test]
async fn messages_are_bounded() {
    let origin = Origin::start().await;
    let setting = Setting::of(&origin);
    let body = vec![b'x'; limits::HTTP_BODY_BYTES_MAX + 1];
    let (largest, too_large) = (origin.request("POST", "/", &body[1..]), origin.request("POST", "/", &body));
    let requests = [too_large, origin.get("/large"), origin.get("/headers"), origin.get("/largest"), largest];
    let expected = [
        "HttpRequestBodySize",
        "HttpResponseBodySize",
        "HttpResponseHeaderSectionSize",
        "200",
        "HttpResponseBodySize",
    ];
    // The last one comes back with more than it left with.
    assert_eq!(errors(&setting.repeat("fetch", &requests).await), expected);
    let misstated = Request { headers: &[("content-length", "3")], ..origin.request("POST", "/", b"four") };
    assert_eq!(errors(&setting.fetch("fetch", &[misstated]).await), ["HttpRequestBodySize"]);
    let many = vec![origin.get("/"); limits::HTTP_REQUESTS_MAX + 1];
    let results = errors(&setting.fetch("fetch", &many).await);
    assert_eq!((results[63].as_str(), results[64].as_str()), ("200", "ConnectionLimitReached"));
}

#[tokio::test]
async fn waiting_has_an_end() {
    let origin = Origin::start().await;
    let setting = Setting::of(&origin);
    let slow = Request { timeout_ms: 100, ..origin.get("/never") };
    assert_eq!(errors(&setting.repeat("fetch", &[slow]).await), ["HttpResponseTimeout"]);
    let short = Setting { limits: RunLimits { wall_ms: 300, ..RunLimits::default() }, ..setting };
    let run = short.fetch("fetch", &[origin.get("/never")]).await;
    assert_eq!(failure(&run).kind, FailureKind::TimedOut);
    // What can never come is no wait at all.
    let setting = Setting::of(&origin);
    let run = setting.run(CLIENT, "client", "wait-forever", vec![origin.get("/").value()]).await;
    assert_eq!(failure(&run).kind, FailureKind::Trap);
    assert!(failure(&run).message.contains("not finished"), "{:?}", failure(&run));
    let run = setting.run(CLIENT, "client", "abandon", vec![origin.get("/").value()]).await;
    assert_eq!(
        run.outcome,
        Outcome::Returned(Some(Value::Result(Err(Some(Box::new(text("InternalError")))))))
    );
}

#[tokio::test]
async fn a_replay_that_leaves_its_transcript_is_noticed() {
    let origin = Origin::start().await;
    let live = Setting::of(&origin).fetch("fetch", &[origin.get("/")]).await;
    let entry = live.transcript.expect("it is not pure").entries()[0].clone();
    let replay = async |entries: &[Entry], requests: &[Request<'_>]| {
        let mut transcript = Transcript::new();
        entries.iter().for_each(|entry| transcript.push(entry.clone()).expect("room"));
        let setting = Setting { effects: Effects::Replay(&transcript), ..Setting::of(&origin) };
        setting.fetch("fetch", requests).await
    };
    let same = replay(std::slice::from_ref(&entry), &[origin.get("/")]).await;
    assert_eq!((same.outcome, same.fuel_used), (live.outcome, live.fuel_used));
    for (entries, request) in [
        (vec![], origin.get("/")),
        (vec![entry.clone()], origin.get("/other")),
        (vec![entry.clone(), entry.clone()], origin.get("/")),
        (vec![Entry { result: b"\x02".to_vec(), ..entry.clone() }], origin.get("/")),
    ] {
        assert_eq!(failure(&replay(&entries, &[request]).await).kind, FailureKind::Diverged);
    }
    // Another answer is followed to another end.
    let mut other = entry.clone();
    let place = other.result.windows(5).position(|bytes| bytes == b"GET /").expect("the body");
    other.result[place] = b'g';
    let run = replay(&[other], &[origin.get("/")]).await;
    assert!(fetched(&run)[0].clone().expect("a response").2.starts_with("gET /"));
}

#[tokio::test]
async fn without_a_grant_there_is_no_request() {
    let origin = Origin::start().await;
    let setting = Setting { rules: Vec::new(), ..Setting::of(&origin) };
    assert_eq!(failure(&setting.fetch("fetch", &[origin.get("/")]).await).kind, FailureKind::NotGranted);
    assert_eq!(origin.seen(), 0);
}

/// Calls the server.
async fn serve(setting: &Setting<'_>, path: &str, authority: Option<&str>, body: &[u8]) -> Run {
    let option = |value: Option<&str>| Value::Option(value.map(|value| Box::new(text(value))));
    let request = Value::Record(vec![
        text("POST"),
        option(Some("https")),
        option(authority),
        option(Some(path)),
        headers(&[("X-Who", "me"), ("x-who", "you")]),
        Value::Bytes(body.to_vec()),
    ]);
    setting.run(SERVER, "server", "handle", vec![request]).await
}

fn alone() -> Setting<'static> {
    let limits = RunLimits { output_bytes: 16 * 1024, ..RunLimits::default() };
    Setting { sandbox: open_sandbox(), rules: Vec::new(), effects: Effects::default(), limits }
}

#[tokio::test]
async fn a_server_is_one_function() {
    let spec = spec("server");
    let handle = spec.function("handle").expect("it is there");
    assert_eq!(handle.name.to_string(), "wasi:http/incoming-handler@0.2.12#handle");
    assert_eq!(
        handle.signature,
        "handle: func(request: record { method: string, scheme: option<string>, authority: option<string>, \
         path-with-query: option<string>, headers: list<tuple<string, list<u8>>>, body: list<u8> }) -> \
         record { status: u16, headers: list<tuple<string, list<u8>>>, body: list<u8> }"
    );
    let run = serve(&alone(), "/x?y=z", Some("a.org"), b"hello").await;
    let Outcome::Returned(Some(value)) = &run.outcome else { panic!("{run:?}") };
    let body = "Method::Post Some(Scheme::Https) Some(\"a.org\") /x?y=z\nx-who: me\nx-who: you\nhello";
    assert_eq!(response(value), (201, vec![("x-served-by".into(), "glassbox".into())], body.into()));
    assert!(run.pure && run.transcript.is_none());
    let again = serve(&alone(), "/x?y=z", Some("a.org"), b"hello").await;
    assert_eq!((&again.outcome, again.fuel_used), (&run.outcome, run.fuel_used));
    let run = serve(&alone(), "/no-body", None, b"").await;
    let Outcome::Returned(Some(value)) = &run.outcome else { panic!("{run:?}") };
    assert_eq!(response(value), (204, Vec::new(), String::new()));
}

#[tokio::test]
async fn a_server_that_does_not_answer_fails() {
    for (path, kind, message) in [
        ("/silent", FailureKind::Trap, "without a response"),
        ("/error", FailureKind::Trap, "LoopDetected"),
        ("/unfinished", FailureKind::Trap, "did not finish the body"),
        ("/trap", FailureKind::Trap, "unreachable"),
        ("/fetch", FailureKind::NotGranted, "outgoing-handler"),
    ] {
        let run = serve(&alone(), path, None, b"").await;
        let failure = failure(&run);
        assert!(failure.kind == kind && failure.message.contains(message), "{path}: {failure:?}");
    }
    // More than it may hand out does not fit its response.
    let run = serve(&alone(), "/large", None, b"").await;
    assert_eq!(failure(&run).kind, FailureKind::Trap);
}

#[tokio::test]
async fn a_server_makes_requests_where_it_may() {
    let origin = Origin::start().await;
    let authority = origin.authority();
    let run = serve(&Setting::of(&origin), "/fetch", Some(&authority), b"").await;
    let Outcome::Returned(Some(value)) = &run.outcome else { panic!("{run:?}") };
    assert!(response(value).2.starts_with("GET /\n"), "{value:?}");
    assert_eq!((run.pure, run.transcript.map(|transcript| transcript.entries().len())), (false, Some(1)));
}
