//! Packages with the same interface compete, and a caller may leave it open which of them it calls.

use glassbox_core::acts::{Act as _, Quarantine};
use glassbox_core::key::SecretKey;
use glassbox_registry::PackageFiles;
use serde_json::{Value, json};

use crate::buyer::Reply;
use crate::names::act;
use crate::packages::{self, one_file};
use crate::stage::{Stage, keys};

const INTERFACE: &str = "spec:twice/number@1.0.0";

/// A component that doubles a number after going round a loop some times.
fn component(rounds: u32) -> Vec<u8> {
    let text = format!(
        r#"(component
          (core module $m
            (func (export "double") (param i32) (result i32) (local $n i32)
              (block $end (loop $more
                (br_if $end (i32.eq (local.get $n) (i32.const {rounds})))
                (local.set $n (i32.add (local.get $n) (i32.const 1)))
                (br $more)))
              (i32.mul (local.get 0) (i32.const 2))))
          (core instance $i (instantiate $m))
          (func $double (param "n" u32) (result u32) (canon lift (core func $i "double")))
          (instance $number (export "double" (func $double)))
          (export "{INTERFACE}" (instance $number)))"#
    );
    wat::parse_str(text).unwrap()
}

const INTERFACE_WIT: &str = "interface number { double: func(n: u32) -> u32; }";

const CASES: &str = "[[case]]\nname = \"twice two\"\ncall = \"double(2)\"\nexpect = \"4\"\n";

/// A package with the interface: the one that it is named after, or another.
fn package(name: &str, rounds: u32, price: &str, cases: &str) -> PackageFiles {
    let (ns, short) = name.split_once(':').unwrap();
    let price = match price {
        "0" => String::new(),
        price => format!(
            "[[price]]\nid = \"call\"\nunit = \"call\"\namount = \"{price}\"\n[[payee]]\nid = \"acct:{short}@{ns}.example\"\n\
             share = 10000\n[security]\ncontact = \"security@{ns}.example\"\nsupport-until = 2029-12-31\n"
        ),
    };
    let wit = match name {
        "spec:twice" => one_file(
            "world.wit",
            format!("package spec:twice@1.0.0;\n{INTERFACE_WIT}\nworld w {{ export number; }}"),
        ),
        _ => {
            let world = format!("package {name}@1.0.0;\nworld w {{ export {INTERFACE}; }}");
            let spec = format!("package spec:twice@1.0.0;\n{INTERFACE_WIT}");
            glassbox_core::files::Files::new([
                ("deps/spec.wit".to_owned(), spec.into_bytes()),
                ("world.wit".to_owned(), world.into_bytes()),
            ])
            .unwrap()
        }
    };
    PackageFiles {
        manifest: format!(
            "[package]\nname = \"{name}\"\nversion = \"1.0.0\"\nlicense = \"MIT\"\n[spec]\nworld = \"w\"\n\
             [component]\npath = \"{short}.wasm\"\nfuel-max = 1_000_000_000\n{price}"
        ),
        wit,
        tests: one_file("twice.toml", cases),
        editions: Default::default(),
        component: component(rounds),
        files: None,
        source: None,
    }
}

async fn market() -> Stage {
    let stage = Stage::empty().await;
    for (seed, package) in [
        package("spec:twice", 1_000, "0.002", CASES),
        package("quick:twice", 0, "0.004", CASES),
        package("cheap:twice", 5_000, "0.001", CASES),
        // Its tests are its own, so it shows nothing of the spec's.
        package("odd:twice", 10, "0.003", &CASES.replace("double(2)", "double(3)").replace("\"4\"", "\"6\"")),
    ]
    .iter()
    .enumerate()
    {
        let key = SecretKey::from_seed(&[100 + seed as u8; 32]);
        let request = packages::request(package, packages::sign(package, &key));
        let reply = stage.post("/v1/publish", &request).await;
        assert_eq!(reply.status, 201, "{}", reply.text);
    }
    stage
}

async fn listed(stage: &Stage) -> Vec<Value> {
    let listed = stage.get("/v1/interfaces/spec/twice/number@1.0.0").await.json();
    assert_eq!(listed["interface"], INTERFACE);
    listed["implementations"].as_array().unwrap().clone()
}

fn names(listed: &[Value]) -> Vec<&str> {
    listed.iter().map(|one| one["release"].as_str().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn implementations_are_listed_with_what_they_show() {
    let stage = market().await;
    let all = listed(&stage).await;
    assert_eq!(
        names(&all),
        ["cheap:twice@1.0.0", "odd:twice@1.0.0", "quick:twice@1.0.0", "spec:twice@1.0.0"]
    );
    let fuel = |at: usize| all[at]["spec_fuel"].as_u64();
    assert!(fuel(2) < fuel(3) && fuel(3) < fuel(0) && fuel(2).is_some(), "{all:?}");
    assert_eq!(fuel(1), None, "it does not ship the spec's tests");
    let price = |at: usize| &all[at]["functions"][0];
    assert_eq!((&price(0)["name"], &price(0)["price"]), (&json!("double"), &json!("$0.001 per call")));
    assert_eq!(stage.get("/v1/interfaces/spec/twice/other@1.0.0").await.json()["implementations"], json!([]));

    // Three strangers who pay are organic use; a payee, or one who comes often, is not.
    for (name, times) in [("ana", 1), ("ben", 1), ("cy", 1)] {
        let buyer = stage.buyer(name, 1).await;
        for n in 0..times {
            buyer.pay("/v1/call/quick/twice/1.0.0/double", json!([n]), name).await.output();
        }
    }
    let often = stage.buyer("dan", 1).await;
    for n in 0..5 {
        often.pay("/v1/call/odd/twice/1.0.0/double", json!([n]), &format!("dan {n}")).await.output();
    }
    let all = listed(&stage).await;
    assert_eq!(names(&all)[0], "quick:twice@1.0.0");
    let usage =
        |at: usize| (all[at]["payers"].clone(), all[at]["payers_organic"].clone(), all[at]["calls"].clone());
    assert_eq!(usage(0), (json!(3), json!(3), json!(3)));
    assert_eq!(usage(2), (json!(1), json!(0), json!(5)), "{all:?}");
    let chosen = stage.get("/v1/choose/spec/twice/latest/double?by=most-proven").await.json();
    assert_eq!((&chosen["release"], &chosen["among"]), (&json!("quick:twice@1.0.0"), &json!(4)), "{chosen}");
    stage.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_goes_to_the_one_that_was_asked_for_and_says_which_and_why() {
    let stage = market().await;
    let path = "/v1/call/spec/twice/latest/double";
    let buyer = stage.buyer("payer", 1).await;
    for (choice, release, charged, why) in [
        ("cheapest", "cheap:twice@1.0.0", "1000", "$0.001 at most; next is spec:twice@1.0.0: $0.002 at most"),
        ("fastest", "quick:twice@1.0.0", "4000", "fuel for the interface's own tests"),
    ] {
        let body = json!({ "args": [21], "choose": choice });
        let payment = buyer.sign(path, &body, choice).await;
        let reply = buyer.send(path, &body, Some(&payment)).await;
        assert_eq!(reply.output(), 42, "{choice}");
        let said = reply.json();
        let chosen = &said["chosen"];
        assert_eq!((&chosen["release"], &chosen["choice"]), (&json!(release), &json!(choice)), "{chosen}");
        assert!(chosen["why"].as_str().unwrap().contains(why), "{chosen}");
        assert_eq!(said["charged"]["amount"], charged);
        // The receipt says which.
        assert_eq!(reply.receipt().1.release.to_string(), release);
    }
    let named = stage.post(path, &json!({ "args": [21] })).await;
    assert_eq!(named.json()["required"]["accepts"][0]["amount"], "2000", "pinned by its name");
    stage.post(path, &json!({ "args": [21], "choose": "best" })).await.assert_problem(400, "choice-invalid");
    stage
        .get("/v1/choose/spec/twice/latest/none?by=cheapest")
        .await
        .assert_problem(404, "function-not-found");
    stage.get("/v1/choose/no/such/latest/f?by=cheapest").await.assert_problem(404, "package-not-found");

    // One that is quarantined is chosen no more, and a function of a world has its own package alone.
    let release = "cheap:twice@1.0.0".parse().unwrap();
    let quarantine = Quarantine { release, quarantined: true, reason: "a test".into(), sequence: 1 };
    let path = "/v1/packages/cheap/twice/1.0.0/quarantine";
    assert_eq!(act(&stage, path, quarantine.sign(&keys().operator)).await.status, 201);
    let chosen = stage.get("/v1/choose/spec/twice/latest/double?by=cheapest").await.json();
    assert_eq!((&chosen["release"], &chosen["among"]), (&json!("spec:twice@1.0.0"), &json!(3)));
    stage.publish(&packages::bench("1.0.0")).await;
    let alone = stage.get("/v1/choose/lab/bench/latest/double?by=cheapest").await.json();
    assert_eq!((&alone["release"], &alone["among"]), (&json!("lab:bench@1.0.0"), &json!(1)));
    stage.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_chooses_over_mcp() {
    let stage = Stage::empty().await;
    for (seed, package) in
        [package("spec:twice", 100, "0", CASES), package("quick:twice", 0, "0", CASES)].iter().enumerate()
    {
        let key = SecretKey::from_seed(&[100 + seed as u8; 32]);
        let request = packages::request(package, packages::sign(package, &key));
        assert_eq!(stage.post("/v1/publish", &request).await.status, 201);
    }
    let arguments = json!({ "id": "spec:twice", "function": "double", "args": [21], "choose": "fastest" });
    let body = json!({
        "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": { "name": "call", "arguments": arguments },
    });
    let request = stage.http.post(format!("{}/mcp", stage.url)).json(&body);
    let request = request.header("accept", "application/json, text/event-stream");
    let reply = request.header("mcp-protocol-version", "2025-06-18").send().await.unwrap();
    let said = Reply::of(reply).await.json()["result"]["structuredContent"].clone();
    assert_eq!(
        (&said["output"], &said["chosen"]["release"]),
        (&json!(42), &json!("quick:twice@1.0.0")),
        "{said}"
    );
}
