//! Who leaves open whom it calls: it pays once, for the one that it got.

use std::sync::Arc;
use std::time::Duration;

use glassbox_core::acts::{Act as _, Yank};
use glassbox_core::files::Files;
use glassbox_core::key::SecretKey;
use glassbox_core::{Atomic, Digest, limits};
use glassbox_pay::x402::extensions::payment_identifier;
use glassbox_pay::x402::{self, PaymentPayload, v1};
use glassbox_registry::PackageFiles;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::buyer::{Buyer, Reply};
use crate::command::Shell;
use crate::implementations::{CASES, INTERFACE_WIT, fill, package, publish, test_all, text};
use crate::mcp::{Agent, Era};
use crate::names::act;
use crate::packages;
use crate::payer::{Payer, Way};
use crate::stage::{Stage, Sweep, World};

const PATH: &str = "/v1/call/spec/twice/latest/double";

/// A registry with implementations of `spec:twice`, which tests them when it is told to.
async fn market() -> Stage {
    let stage = Stage::open(Arc::new(tempfile::tempdir().unwrap()), World::default(), Sweep::Off).await;
    fill(&stage).await;
    test_all(&stage).await;
    stage
}

fn open() -> Value {
    json!({ "args": [21], "choose": "cheapest" })
}

/// Makes something else the cheapest: one is new, and the one before is yanked.
async fn another_becomes_the_cheapest(stage: &Stage) {
    publish(stage, 120, &package("new:twice", 0, "0.0005", CASES)).await;
    test_all(stage).await;
    let yank = Yank {
        release: "cheap:twice@1.0.0".parse().unwrap(),
        yanked: true,
        reason: "a test".into(),
        sequence: 1,
    };
    let path = "/v1/packages/cheap/twice/1.0.0/yank";
    let yanked = act(stage, path, yank.sign(&SecretKey::from_seed(&[102; 32]))).await;
    assert_eq!(yanked.status, 201, "{}", yanked.text);
    let chosen = stage.get("/v1/choose/spec/twice/latest/double?by=cheapest").await.json();
    assert_eq!(chosen["release"], "new:twice@1.0.0");
}

/// Sends a payment of the first version of x402.
async fn send_v1(buyer: &Buyer, payload: &PaymentPayload) -> Reply {
    let payment = v1::Payment {
        x402_version: v1::VERSION,
        scheme: payload.accepted.scheme.clone(),
        network: "base-sepolia".into(),
        payload: payload.payload.clone(),
    };
    let request = buyer.http.post(format!("{}{PATH}", buyer.url)).json(&open());
    Reply::of(request.header(v1::X_PAYMENT, x402::encode(&payment)).send().await.unwrap()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_finds_the_one_that_it_bought_whatever_would_be_chosen_by_now() {
    let stage = market().await;
    let [ana, ben] = [stage.buyer("ana", 1).await, stage.buyer("ben", 1).await];
    let payment = ana.sign(PATH, &open(), "ana").await;
    let first = ana.send(PATH, &open(), Some(&payment)).await;
    assert_eq!(first.output(), 42);
    let of_ben = ben.payload(PATH, &open(), "ben").await;
    let first_v1 = send_v1(&ben, &of_ben).await;
    assert_eq!(first_v1.output(), 42);
    assert_eq!(stage.payments().await, 2);

    another_becomes_the_cheapest(&stage).await;
    for (first, again) in
        [(&first, ana.send(PATH, &open(), Some(&payment)).await), (&first_v1, send_v1(&ben, &of_ben).await)]
    {
        assert_eq!(again.output(), 42);
        let (first, again) = (first.json(), again.json());
        assert_eq!((&again["call"], &again["replayed"]), (&first["call"], &json!(true)), "{again}");
        assert_eq!(again["chosen"]["release"], "cheap:twice@1.0.0", "{again}");
        assert_eq!(first["chosen"]["release"], "cheap:twice@1.0.0", "{first}");
    }
    // It buys that and nothing else.
    let other = json!({ "args": [22], "choose": "cheapest" });
    ana.send(PATH, &other, Some(&payment)).await.assert_problem(409, "payment-bound");
    assert_eq!(stage.payments().await, 2);
    stage.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_needs_a_name_for_a_request_that_leaves_it_open() {
    let stage = market().await;
    let (_, token) = stage.registry.grant_credit("a test", Atomic(1_000_000)).await.unwrap();
    let call = async |body: &Value, key: Option<&str>| {
        let mut request = stage.http.post(format!("{}{PATH}", stage.url)).json(body).bearer_auth(&token);
        if let Some(key) = key {
            request = request.header("idempotency-key", key);
        }
        Reply::of(request.send().await.unwrap()).await
    };
    let problem = call(&open(), None).await.assert_problem(400, "idempotency-key-required");
    assert!(problem["next"].as_str().unwrap().contains("send an `Idempotency-Key`"), "{problem}");
    let first = call(&open(), Some("one")).await;
    assert_eq!(first.output(), 42);
    another_becomes_the_cheapest(&stage).await;
    let again = call(&open(), Some("one")).await;
    assert_eq!(again.output(), 42);
    assert_eq!(again.json()["call"], first.json()["call"]);
    assert_eq!(again.json()["chosen"]["release"], "cheap:twice@1.0.0");
    let other = call(&open(), Some("two")).await;
    assert_eq!(
        (&other.output(), &other.json()["chosen"]["release"]),
        (&json!(42), &json!("new:twice@1.0.0"))
    );
    // Who names one package leaves nothing open.
    let pinned = call(&json!({ "args": [1], "choose": "pinned" }), None).await;
    assert_eq!((&pinned.output(), &pinned.json()["charged"]["amount"]), (&json!(2), &json!("2000")));

    // The same for agents.
    let call = async |key: Option<&str>| {
        let mut arguments =
            json!({ "id": "spec:twice", "function": "double", "args": [5], "choose": "cheapest" });
        if let Some(key) = key {
            arguments["idempotency_key"] = json!(key);
        }
        let params = json!({ "name": "call", "arguments": arguments });
        let body = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params });
        let request = stage.http.post(format!("{}/mcp", stage.url)).json(&body).bearer_auth(&token);
        let request = request.header("accept", "application/json, text/event-stream");
        let reply = request.header("mcp-protocol-version", "2025-06-18").send().await.unwrap();
        Reply::of(reply).await.json()["result"]["structuredContent"].clone()
    };
    assert_eq!(call(None).await["code"], "idempotency-key-required");
    let first = call(Some("three")).await;
    assert_eq!((&first["output"], &first["chosen"]["release"]), (&json!(10), &json!("new:twice@1.0.0")));
    publish(&stage, 121, &package("newest:twice", 0, "0.0001", CASES)).await;
    test_all(&stage).await;
    let again = call(Some("three")).await;
    assert_eq!((&again["call"], &again["chosen"]["release"]), (&first["call"], &json!("new:twice@1.0.0")));
    stage.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_voucher_needs_a_name_for_a_request_that_leaves_it_open() {
    let stage = market().await;
    stage.publish(&packages::bench("1.0.0")).await;
    let payer = Payer::with_channel(&stage, "payer").await;
    let order = payer.order_at(Way::Voucher, PATH.into(), open(), "voucher").await;
    order.send(&payer.buyer).await.assert_problem(400, "idempotency-key-required");
    let mut payment: PaymentPayload = x402::decode(&order.payment).unwrap();
    let extensions = payment.extensions.get_or_insert_default();
    payment_identifier::write(extensions, &"a-name-for-a-voucher".parse().unwrap());
    let payment = x402::encode(&payment);
    let first = payer.buyer.send(PATH, &open(), Some(&payment)).await;
    assert_eq!(first.output(), 42);
    another_becomes_the_cheapest(&stage).await;
    let again = payer.buyer.send(PATH, &open(), Some(&payment)).await;
    assert_eq!((&again.output(), &again.json()["call"]), (&json!(42), &first.json()["call"]));
    stage.assert_sound().await;
}

/// Has a second function of the name, in an interface of its own that is called the same, too.
fn ambiguous() -> PackageFiles {
    let mut evil = package("evil:twice", 0, "0", "");
    let again = r#"(instance $again (export "double" (func $double)))
        (export "evil:twice/number@1.0.0" (instance $again)))"#;
    let own = text(0);
    let own = own.trim_end().strip_suffix(')').unwrap();
    evil.component = wat::parse_str(format!("{own}{again}")).unwrap();
    let world = format!(
        "package evil:twice@1.0.0;\n{INTERFACE_WIT}\nworld w {{ export spec:twice/number@1.0.0; export number; }}"
    );
    let spec = format!("package spec:twice@1.0.0;\n{INTERFACE_WIT}");
    let files =
        [("deps/spec.wit".to_owned(), spec.into_bytes()), ("world.wit".to_owned(), world.into_bytes())];
    evil.wit = Files::new(files).unwrap();
    evil
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_means_several_where_it_was_chosen_stands_for_the_one_that_was_meant() {
    let world = World::at(Timestamp::now().as_millisecond());
    let stage = Stage::open(Arc::new(tempfile::tempdir().unwrap()), world, Sweep::Off).await;
    publish(&stage, 100, &package("spec:twice", 100, "0", CASES)).await;
    publish(&stage, 101, &ambiguous()).await;
    test_all(&stage).await;
    let evil = "/v1/call/evil/twice/latest/double";
    stage.post(evil, &json!({ "args": [21] })).await.assert_problem(404, "function-not-found");
    let body = json!({ "args": [21], "choose": "fastest" });
    let called = stage.post(PATH, &body).await;
    assert_eq!(called.output(), 42);
    let chosen = called.json()["chosen"].clone();
    let full = "spec:twice/number@1.0.0#double";
    assert_eq!(
        (&chosen["release"], &chosen["function"]),
        (&json!("evil:twice@1.0.0"), &json!(full)),
        "{chosen}"
    );
    assert_eq!(called.receipt().1.function.to_string(), full);

    let arguments = json!({ "id": "spec:twice", "function": "double", "args": [21], "choose": "fastest" });
    let agent = Agent::new(&stage, "/mcp", Era::Legacy);
    let said = agent.tool("call", arguments).await["structuredContent"].clone();
    assert_eq!((&said["output"], &said["chosen"]["function"]), (&json!(42), &json!(full)), "{said}");

    let shell = Shell::new(&stage.url);
    let output = shell.run(&["call", "spec:twice", "double(21)", "--choose", "fastest"]);
    let [said, noted] = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
    assert!(output.status.success() && said.contains("42"), "{noted}");
    assert!(noted.contains("fastest of 2: evil:twice@1.0.0: "), "{noted}");
}

/// A program that ends at once: every program exports what it does.
fn program(name: &str, price: &str) -> PackageFiles {
    let mut program = package(name, 0, price, "");
    program.component = wat::parse_str(
        r#"(component
          (core module $m (func (export "run") (result i32) (i32.const 0)))
          (core instance $i (instantiate $m))
          (func $run (result (result)) (canon lift (core func $i "run")))
          (instance $interface (export "run" (func $run)))
          (export "wasi:cli/run@0.2.6" (instance $interface)))"#,
    )
    .unwrap();
    let world = format!("package {name}@1.0.0;\nworld w {{ export wasi:cli/run@0.2.6; }}");
    let cli = "package wasi:cli@0.2.6; interface run { run: func() -> result; }";
    let files = [("deps/cli.wit".to_owned(), cli.into()), ("world.wit".to_owned(), world.into_bytes())];
    program.wit = Files::new(files).unwrap();
    program
}

/// Has its function in an interface that its world defines in place.
fn inline(name: &str, price: &str) -> PackageFiles {
    let mut inline = package(name, 0, price, "");
    inline.component = wat::parse_str(text(0).replace("spec:twice/number@1.0.0", "api")).unwrap();
    let world = format!(
        "package {name}@1.0.0;\nworld w {{ export api: interface {{ double: func(n: u32) -> u32; }} }}"
    );
    inline.wit = packages::one_file("world.wit", world);
    inline
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_nothing_in_common_but_a_name_does_not_compete() {
    let stage = market().await;
    for (seed, package) in [
        program("pdf:tool", "0.002"),
        program("free:stranger", "0"),
        inline("mine:twice", "0.002"),
        inline("yours:twice", "0"),
    ]
    .iter()
    .enumerate()
    {
        publish(&stage, 130 + seed as u8, package).await;
    }
    for (path, function, release) in [
        ("pdf/tool/latest/run", "wasi:cli/run@0.2.6#run", "pdf:tool@1.0.0"),
        ("mine/twice/latest/double", "api#double", "mine:twice@1.0.0"),
    ] {
        let chosen = stage.get(&format!("/v1/choose/{path}?by=cheapest")).await.json();
        let said = (&chosen["release"], &chosen["function"], &chosen["among"]);
        assert_eq!(said, (&json!(release), &json!(function), &json!(1)), "{chosen}");
    }
    let listed = stage.get("/v1/interfaces").await.json();
    let only = json!({ "name": "spec:twice/number@1.0.0", "implementations": 4 });
    assert_eq!(listed, json!({ "total": 1, "interfaces": [only] }));
    let run = stage.get("/v1/interfaces/wasi/cli/run@0.2.6").await.json();
    assert_eq!(run["implementations"], json!([]));
    assert_eq!(stage.get("/interfaces/wasi/cli/run@0.2.6").await.status, 404);

    // Nor can anybody say by tests of a package of theirs what every program must do.
    for name in ["wasi:cli", "wa-si:cli", "glassbox:meter"] {
        let package = inline(name, "0");
        let key = SecretKey::from_seed(&[140; 32]);
        let request = packages::request(&package, packages::sign(&package, &key));
        let refused = stage.post("/v1/publish", &request).await;
        refused.assert_problem(403, "namespace-taken");
    }
    stage.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn interfaces_take_turns_at_being_tested() {
    let stage = Stage::open(Arc::new(tempfile::tempdir().unwrap()), World::default(), Sweep::Off).await;
    fill(&stage).await;
    let renamed = |text: String| text.replace("spec:twice", "zeta:twice");
    let mut other = package("spec:twice", 1, "0", CASES);
    other.manifest = renamed(other.manifest);
    other.component = wat::parse_str(renamed(text(1))).unwrap();
    let world = format!("package zeta:twice@1.0.0;\n{INTERFACE_WIT}\nworld w {{ export number; }}");
    other.wit = packages::one_file("world.wit", world);
    publish(&stage, 110, &other).await;
    for _ in 0..2 {
        assert!(stage.registry.test_next().await.unwrap());
    }
    let tested = async |interface: &str| {
        let listed = stage.get(&format!("/v1/interfaces/{interface}")).await.json();
        let all = listed["implementations"].as_array().unwrap().clone();
        (all.iter().filter(|one| one.get("spec_tests").is_some()).count(), all.len())
    };
    assert_eq!(tested("spec/twice/number@1.0.0").await, (1, 4));
    assert_eq!(tested("zeta/twice/number@1.0.0").await, (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_machine_failed_at_is_tried_again_and_shows_nothing() {
    let stage = Stage::open(Arc::new(tempfile::tempdir().unwrap()), World::default(), Sweep::Off).await;
    for (seed, package) in
        [package("spec:twice", 100, "0", CASES), package("quick:twice", 0, "0", CASES)].iter().enumerate()
    {
        publish(&stage, 100 + seed as u8, package).await;
    }
    // The component of one cannot be read.
    let hex = Digest::of(package("quick:twice", 0, "0", CASES).component).hex();
    let mut hidden = None;
    let stage = stage.reopen_changed(Sweep::Off, |store| {
        let object = store.join("objects").join(&hex[..2]).join(&hex);
        let away = object.with_extension("away");
        std::fs::rename(&object, &away).unwrap();
        hidden = Some((away, object));
    });
    let stage = stage.await;
    let (away, object) = hidden.unwrap();
    let shown = async |stage: &Stage| {
        let listed = stage.get("/v1/interfaces/spec/twice/number@1.0.0").await.json();
        let of = |release: &str| {
            let all = listed["implementations"].as_array().unwrap();
            all.iter().find(|one| one["release"] == release).unwrap().get("spec_tests").cloned()
        };
        ["spec:twice@1.0.0", "quick:twice@1.0.0"].map(of)
    };
    let passed = |shown: &Option<Value>| shown.as_ref().map(|tests| tests["passed"].clone());
    for _ in 0..5 {
        test_all(&stage).await;
        let [spec, quick] = shown(&stage).await;
        assert_eq!((passed(&spec), quick), (Some(json!(1)), None), "the other is not kept waiting");
        stage.world.advance(Duration::from_millis(limits::TESTING_PAUSE_MS as u64));
    }
    let chosen = stage.get("/v1/choose/spec/twice/latest/double?by=fastest").await.json();
    let awaited = json!([{ "release": "quick:twice@1.0.0", "rule": "spec-tests-awaited" }]);
    assert_eq!((&chosen["release"], &chosen["left_out"]), (&json!("spec:twice@1.0.0"), &awaited));
    // Not before the pause is over, which has a bound; and at once after a restart.
    test_all(&stage).await;
    std::fs::rename(&away, &object).unwrap();
    assert!(!stage.registry.test_next().await.unwrap());
    stage.world.advance(Duration::from_millis(limits::TESTING_PAUSE_MS_MAX as u64));
    test_all(&stage).await;
    assert_eq!(shown(&stage).await.each_ref().map(passed), [Some(json!(1)), Some(json!(1))]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_equal_goes_by_who_had_the_interface_first_and_not_by_own_tests() {
    let stage = Stage::open(Arc::new(tempfile::tempdir().unwrap()), World::default(), Sweep::Off).await;
    // As good as the first by the interface's own tests, with more of its own, and of a name before it.
    let many: String = ["one", "two", "three"].map(|name| CASES.replace("twice two", name)).concat();
    let copy = package("copy:twice", 100, "0.002", &many);
    // Passes what it ships, and none of the interface's.
    let mut wrong = package("wrong:twice", 100, "0.002", &many.replace("\"4\"", "\"2\""));
    wrong.component = wat::parse_str(text(100).replace("(i32.const 2))))", "(i32.const 1))))")).unwrap();
    for (seed, package) in [package("spec:twice", 100, "0.002", CASES), wrong, copy].iter().enumerate() {
        publish(&stage, 100 + seed as u8, package).await;
    }
    test_all(&stage).await;
    for by in ["cheapest", "fastest", "most-proven"] {
        let path = format!("/v1/choose/copy/twice/latest/double?by={by}");
        let chosen = stage.get(&path).await.json();
        assert_eq!((&chosen["release"], &chosen["among"]), (&json!("spec:twice@1.0.0"), &json!(2)), "{by}");
        let any = stage.get(&format!("{path}&untested=true")).await.json();
        assert_eq!((&any["release"], &any["among"]), (&json!("spec:twice@1.0.0"), &json!(3)), "{by}");
    }
    for by in ["use", "price", "tests"] {
        let listed = stage.get(&format!("/v1/interfaces/spec/twice/number@1.0.0?by={by}")).await.json();
        let names: Vec<&Value> =
            listed["implementations"].as_array().unwrap().iter().map(|one| &one["release"]).collect();
        assert_eq!(names, ["spec:twice@1.0.0", "copy:twice@1.0.0", "wrong:twice@1.0.0"], "{by}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_takes_an_untested_one_where_it_is_told_that_it_may() {
    let stage = Stage::open(Arc::new(tempfile::tempdir().unwrap()), World::default(), Sweep::Off).await;
    publish(&stage, 100, &package("spec:twice", 100, "0", CASES)).await;
    let agent = Agent::new(&stage, "/mcp", Era::Legacy);
    let call = async |untested: Value| {
        let mut arguments =
            json!({ "id": "spec:twice", "function": "double", "args": [21], "choose": "cheapest" });
        if !untested.is_null() {
            arguments["untested"] = untested;
        }
        agent.tool("call", arguments).await["structuredContent"].clone()
    };
    let refused = call(Value::Null).await;
    assert_eq!(refused["code"], "none-to-choose", "{refused}");
    assert!(refused["next"].as_str().unwrap().contains("`untested`"), "{refused}");
    assert_eq!(call(json!(false)).await["code"], "none-to-choose");
    let called = call(json!(true)).await;
    assert_eq!((&called["output"], &called["chosen"]["release"]), (&json!(42), &json!("spec:twice@1.0.0")));
}
