//! Packages with the same interface compete, and a caller may leave it open which of them it calls.

use std::time::Duration;

use glassbox_core::acts::{Act as _, Quarantine};
use glassbox_core::key::SecretKey;
use glassbox_core::limits;
use glassbox_pay::x402;
use glassbox_registry::PackageFiles;
use glassbox_store::Moment;
use serde_json::{Value, json};

use crate::buyer::Reply;
use crate::command::Shell;
use crate::names::act;
use crate::packages::{self, one_file};
use crate::stage::{OPERATOR, Stage, Sweep, keys, wallet};

/// How long a comparison is shown before it is made anew.
const COMPARED_FOR: Duration = Duration::from_millis(limits::ANSWERS_KEPT_MS as u64);

const INTERFACE: &str = "spec:twice/number@1.0.0";

/// A component that doubles a number after going round a loop some times.
fn component(rounds: u32) -> Vec<u8> {
    wat::parse_str(text(rounds)).unwrap()
}

pub(crate) fn text(rounds: u32) -> String {
    format!(
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
    )
}

pub(crate) const INTERFACE_WIT: &str = "interface number { double: func(n: u32) -> u32; }";

pub(crate) const CASES: &str = "[[case]]\nname = \"twice two\"\ncall = \"double(2)\"\nexpect = \"4\"\n";

/// A package with the interface: the one that it is named after, or another.
pub(crate) fn package(name: &str, rounds: u32, price: &str, cases: &str) -> PackageFiles {
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
        documents: Default::default(),
        component: component(rounds),
        files: None,
        source: None,
    }
}

/// A free package with the interface that may look at the clock.
pub(crate) fn observing(name: &str, rounds: u32) -> PackageFiles {
    let mut package = package(name, rounds, "0", CASES);
    let looks = r#"(component
      (import "wasi:clocks/wall-clock@0.2.0" (instance $clock
        (type $time (record (field "seconds" u64) (field "nanoseconds" u32)))
        (export "datetime" (type $datetime (eq $time)))
        (export "now" (func (result $datetime)))))"#;
    package.component = wat::parse_str(text(rounds).replacen("(component", looks, 1)).unwrap();
    let allowed = "fuel-max = 1_000_000_000\nimports-allow = [\"wasi:clocks/wall-clock\"]";
    package.manifest = package.manifest.replacen("fuel-max = 1_000_000_000", allowed, 1);
    package
}

async fn market() -> Stage {
    let stage = Stage::empty().await;
    fill(&stage).await;
    test_all(&stage).await;
    stage
}

/// Runs the tests of interfaces wherever they were not run yet.
pub(crate) async fn test_all(stage: &Stage) {
    while stage.registry.test_next().await.unwrap() {}
}

pub(crate) async fn publish(stage: &Stage, seed: u8, package: &PackageFiles) {
    let request = packages::request(package, packages::sign(package, &SecretKey::from_seed(&[seed; 32])));
    let reply = stage.post("/v1/publish", &request).await;
    assert_eq!(reply.status, 201, "{}", reply.text);
}

/// Costs nothing, and returns what it was given. So its own tests say.
fn stub() -> PackageFiles {
    let mut stub = package("stub:twice", 0, "0", &CASES.replace("\"4\"", "\"2\""));
    stub.component = wat::parse_str(text(0).replace("(i32.const 2))))", "(i32.const 1))))")).unwrap();
    stub
}

pub(crate) async fn fill(stage: &Stage) {
    for (seed, package) in [
        package("spec:twice", 1_000, "0.002", CASES),
        package("quick:twice", 0, "0.004", CASES),
        package("cheap:twice", 5_000, "0.001", CASES),
        // Its own tests are others. The spec's are run on it all the same.
        package("odd:twice", 10, "0.003", &CASES.replace("double(2)", "double(3)").replace("\"4\"", "\"6\"")),
    ]
    .iter()
    .enumerate()
    {
        publish(stage, 100 + seed as u8, package).await;
    }
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
        ["spec:twice@1.0.0", "quick:twice@1.0.0", "cheap:twice@1.0.0", "odd:twice@1.0.0"],
        "as they came"
    );
    let fuel = |at: usize| all[at]["spec_tests"]["fuel"].as_u64();
    assert!(fuel(1).is_some() && fuel(1) < fuel(3) && fuel(3) < fuel(0) && fuel(0) < fuel(2), "{all:?}");
    assert_eq!(all[3]["spec_tests"]["passed"], json!(1), "it ships other tests");
    assert_eq!((&all[1]["spec_tests"]["passed"], &all[1]["max"]["usd"]), (&json!(1), &json!("0.004")));
    assert!(all.iter().all(|one| one.get("run_us_median").is_none()), "nothing ran yet: {all:?}");
    let price = |at: usize| &all[at]["functions"][0];
    assert_eq!((&price(2)["name"], &price(2)["price"]), (&json!("double"), &json!("$0.001 per call")));
    assert_eq!(stage.get("/v1/interfaces/spec/twice/other@1.0.0").await.json()["implementations"], json!([]));

    // Three strangers who pay are organic use; a payee, or one who comes often, is not.
    for name in ["ana", "ben", "cy"] {
        let buyer = stage.buyer(name, 1).await;
        buyer.pay("/v1/call/quick/twice/1.0.0/double", json!([1]), name).await.output();
    }
    let often = stage.buyer("dan", 1).await;
    for n in 0..5 {
        often.pay("/v1/call/odd/twice/1.0.0/double", json!([n]), &format!("dan {n}")).await.output();
    }
    assert_eq!(listed(&stage).await, all, "compared once for all who ask within a while");
    stage.world.advance(COMPARED_FOR);
    let all = listed(&stage).await;
    assert_eq!(names(&all)[0], "quick:twice@1.0.0");
    let usage =
        |at: usize| (all[at]["payers"].clone(), all[at]["payers_organic"].clone(), all[at]["calls"].clone());
    assert_eq!(usage(0), (json!(3), json!(3), json!(3)));
    assert_eq!(usage(3), (json!(1), json!(0), json!(5)), "{all:?}");
    let chosen = stage.get("/v1/choose/spec/twice/latest/double?by=most-proven").await.json();
    assert_eq!((&chosen["release"], &chosen["among"]), (&json!("quick:twice@1.0.0"), &json!(4)), "{chosen}");
    stage.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn implementations_are_put_in_the_order_that_is_asked_for() {
    let stage = market().await;
    let payer = stage.buyer("payer", 1).await;
    for n in 0..5 {
        payer.pay("/v1/call/odd/twice/1.0.0/double", json!([n]), &n.to_string()).await.output();
    }
    for (by, first, last) in [
        ("use", "spec", "odd"),
        ("price", "cheap", "quick"),
        ("fuel", "quick", "cheap"),
        ("time", "odd", "cheap"),
        ("tests", "spec", "odd"),
        ("name", "cheap", "spec"),
    ] {
        let path = format!("/v1/interfaces/spec/twice/number@1.0.0?by={by}");
        let sorted = stage.get(&path).await.json()["implementations"].as_array().unwrap().clone();
        let release = |one: Option<&Value>| one.unwrap()["release"].as_str().unwrap().to_owned();
        let ends = (release(sorted.first()), release(sorted.last()));
        assert_eq!(ends, (format!("{first}:twice@1.0.0"), format!("{last}:twice@1.0.0")), "{by}");
    }
    let path = "/v1/interfaces/spec/twice/number@1.0.0?by=luck";
    stage.get(path).await.assert_problem(400, "ranking-invalid");
    let interfaces = stage.get("/v1/interfaces").await.json();
    assert_eq!(
        interfaces,
        json!({ "total": 1, "interfaces": [{ "name": INTERFACE, "implementations": 4 }] })
    );
}

/// Finds nothing in a page that is not text: every tag is one of ours, and nothing is loaded or run.
fn assert_harmless(page: &Reply) {
    let policy = page.header("content-security-policy").unwrap();
    assert!(policy.starts_with("default-src 'none'; style-src 'sha256-"), "{policy}");
    assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"));
    for bad in ["<script", "<img", "javascript:", "<b>", "\u{202e}"] {
        assert!(!page.text.contains(bad), "{bad}: {}", page.text);
    }
}

/// Returns what a cell says to people.
fn cell(row: &str, label: &str) -> String {
    let begin = format!("data-label=\"{label}\">");
    let cell = &row[row.find(&begin).unwrap_or_else(|| panic!("no {label}: {row}")) + begin.len()..];
    let cell = &cell[..cell.find("</td>").unwrap()];
    let said = cell.split('<').map(|part| part.split_once('>').map_or(part, |(_, text)| text));
    said.collect::<Vec<_>>()
        .join(" ")
        .replace('\u{202f}', "")
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
}

#[tokio::test(flavor = "multi_thread")]
async fn people_compare_implementations_on_a_page() {
    let stage = market().await;
    for (name, times) in [("ana", 3), ("ben", 2), ("cy", 1)] {
        let buyer = stage.buyer(name, 1).await;
        for n in 0..times {
            buyer.pay("/v1/call/quick/twice/1.0.0/double", json!([n]), &format!("{name} {n}")).await.output();
        }
    }
    let mut hostile = observing("evil:twice", 1);
    let described = "<script>alert(1)</script> \u{202e}<b>gnp</b><img src=x onload=x>";
    let described = format!("version = \"1.0.0\"\ndescription = {}", json!(described));
    hostile.manifest = hostile.manifest.replacen("version = \"1.0.0\"", &described, 1);
    publish(&stage, 99, &hostile).await;

    let all = stage.get("/interfaces").await;
    assert_harmless(&all);
    assert!(all.text.contains("href=\"/interfaces/spec/twice/number@1.0.0\""), "{}", all.text);
    let page = stage.get("/interfaces/spec/twice/number@1.0.0?by=price").await;
    assert_harmless(&page);
    assert!(page.text.contains("&lt;script&gt;alert(1)&lt;/script&gt;"), "{}", page.text);
    let at = |text: &str| page.text.find(text).unwrap_or_else(|| panic!("no `{text}` in {}", page.text));
    assert!(at(">evil:twice<") < at(">cheap:twice<") && at(">cheap:twice<") < at(">quick:twice<"));
    // What a row says is what the API does.
    let row = |name: &str| {
        let row = &page.text[at(&format!(">{name}<"))..];
        row[..row.find("</tr>").unwrap()].to_owned()
    };
    let listed = listed(&stage).await;
    let fuel = |release: &str| {
        let one = listed.iter().find(|one| one["release"] == release).unwrap();
        one["spec_tests"]["fuel"].to_string()
    };
    let [quick, evil, cheap] = ["quick:twice", "evil:twice", "cheap:twice"].map(row);
    for (row, label, said) in [
        (&quick, "Price", "$0.004 at most double: $0.004 per call"),
        (&quick, "Tests", "all 1 of the interface’s 1 of its own"),
        (&quick, "Fuel", &fuel("quick:twice@1.0.0")),
        (&quick, "Use", "3 independent 3 payers, 6 calls"),
        (&quick, "May use", "nothing"),
        (&evil, "Price", "free"),
        (&evil, "Tests", "the interface’s are not run yet 1 of its own"),
        (&evil, "Fuel", "not known"),
        (&evil, "Use", "none yet"),
        (&evil, "May use", "wasi:clocks/wall-clock@0.2.0"),
        (&cheap, "Run time", "not known"),
    ] {
        assert_eq!(cell(row, label), said, "{label}");
    }
    let took = cell(&quick, "Run time");
    assert!(took.starts_with(|first: char| first.is_ascii_digit()), "{took}");
    for path in ["/interfaces/no/such/thing@1.0.0", "/interfaces/%3Cb%3E/x/%3Cscript%3E"] {
        let page = stage.get(path).await;
        assert_eq!(page.status, 404, "{path}");
        assert_harmless(&page);
    }
    stage.get("/interfaces/spec/twice/number@1.0.0?by=luck").await.assert_problem(400, "ranking-invalid");
}

#[tokio::test(flavor = "multi_thread")]
async fn payers_who_belong_together_or_to_a_payee_do_not_count() {
    let stage = market().await;
    let quick = async || {
        stage.world.advance(COMPARED_FOR);
        let all = listed(&stage).await;
        let one = all.iter().find(|one| one["release"] == "quick:twice@1.0.0").unwrap();
        (one["payers"].as_u64().unwrap(), one["payers_organic"].as_u64().unwrap())
    };
    for name in ["ana", "ben", "cy"] {
        let buyer = stage.buyer(name, 1).await;
        buyer.pay("/v1/call/quick/twice/1.0.0/double", json!([1]), name).await.output();
    }
    assert_eq!(quick().await, (3, 3));
    // What one of them paid for with credit, too, is the same payer's; an account that another bought is another.
    for (n, name, counted) in [(1, "ana", 3), (2, "ana", 3), (3, "dan", 4)] {
        let buyer = stage.buyer(name, 2).await;
        let body = json!({ "usd": "1" });
        let asked = stage.post("/v1/credit", &body).await;
        let payment = x402::encode(&buyer.answer(&asked.required(), &format!("credit {n}")));
        let bought = buyer.send("/v1/credit", &body, Some(&payment)).await.json();
        let url = format!("{}/v1/call/quick/twice/1.0.0/double", stage.url);
        let call = stage.http.post(url).json(&json!({ "args": [n] }));
        let called = call.bearer_auth(bought["token"].as_str().unwrap()).send().await.unwrap();
        assert_eq!(Reply::of(called).await.output(), 2 * n);
        assert_eq!(quick().await, (3 + n, counted), "{name}");
    }
    // The payee is paid at an address that the operator wrote down: whoever pays from there pays themselves.
    let address = wallet("ben").address().to_string();
    let (payee, state) = ("acct:twice@quick.example", "verified");
    let known = json!({ "payee": payee, "state": state, "address": address, "reason": "known" });
    let url = format!("{}/v1/operate/payees", stage.url);
    let decided = stage.http.post(url).json(&known).bearer_auth(OPERATOR).send().await.unwrap();
    assert!(decided.status().is_success());
    assert_eq!(quick().await, (6, 3));
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
async fn what_does_not_do_what_the_interface_says_is_not_chosen() {
    let stage = Stage::empty().await;
    publish(&stage, 90, &package("spec:twice", 1_000, "0.002", CASES)).await;
    publish(&stage, 91, &stub()).await;
    let path = "/v1/choose/stub/twice/latest/double?by=cheapest";
    let awaited = stage.get(path).await;
    awaited.assert_problem(409, "none-to-choose");
    assert!(awaited.text.contains("stub:twice@1.0.0 (spec-tests-awaited)"), "{}", awaited.text);
    test_all(&stage).await;
    let chosen = stage.get(path).await.json();
    assert_eq!((&chosen["release"], &chosen["among"]), (&json!("spec:twice@1.0.0"), &json!(1)), "{chosen}");
    assert_eq!(chosen["spec_cases"], 1);
    assert_eq!(chosen["left_out"], json!([{ "release": "stub:twice@1.0.0", "rule": "spec-tests-failed" }]));
    let shown = stage.get("/v1/interfaces/spec/twice/number@1.0.0").await.json();
    assert_eq!(shown["spec"], json!({ "release": "spec:twice@1.0.0", "cases": 1 }));
    assert_eq!(shown["implementations"][1]["spec_tests"], json!({ "total": 1, "passed": 0 }), "{shown}");
    // Whoever insists may have it, by the body of a call, too.
    let any = stage.get(&format!("{path}&untested=true")).await.json();
    assert_eq!((&any["release"], &any["among"]), (&json!("stub:twice@1.0.0"), &json!(2)));
    let body = json!({ "args": [21], "choose": "cheapest", "untested": true });
    assert_eq!(stage.post("/v1/call/spec/twice/latest/double", &body).await.output(), 21);

    // What was shown is kept, and what comes later is tested, too.
    let stage = stage.reopen(Sweep::Off).await;
    assert_eq!(stage.get(path).await.json(), chosen);
    publish(&stage, 92, &package("new:twice", 0, "0", CASES)).await;
    assert_eq!(stage.get(path).await.json()["release"], "spec:twice@1.0.0");
    test_all(&stage).await;
    assert_eq!(stage.get(path).await.json()["release"], "new:twice@1.0.0");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interface_is_tested_by_the_cases_of_its_own_functions_alone() {
    let stage = Stage::empty().await;
    let mut spec = package("spec:twice", 1, "0", "");
    let more = "(instance $again (export \"twice\" (func $double)))
        (export \"spec:twice/again@1.0.0\" (instance $again)))";
    let with_more = text(1).trim_end().trim_end_matches(')').to_owned() + "))" + more;
    spec.component = wat::parse_str(with_more).unwrap();
    let wit = format!(
        "package spec:twice@1.0.0;\n{INTERFACE_WIT}\ninterface again {{ twice: func(n: u32) -> u32; }}\n\
         world w {{ export number; export again; }}"
    );
    spec.wit = one_file("world.wit", wit);
    let other = "[[case]]\nname = \"thrice\"\ncall = \"again.twice(3)\"\nexpect = \"6\"\n";
    spec.tests = one_file("twice.toml", other);
    publish(&stage, 90, &spec).await;
    publish(&stage, 91, &stub()).await;
    test_all(&stage).await;
    let shown = stage.get("/v1/interfaces/spec/twice/number@1.0.0").await.json();
    assert_eq!(shown.get("spec"), None, "{shown}");
    // Where an interface has no tests, all qualify, and the answer says so.
    let chosen = stage.get("/v1/choose/spec/twice/latest/number.double?by=cheapest").await.json();
    assert_eq!((&chosen["among"], &chosen["spec_cases"]), (&json!(2), &json!(0)), "{chosen}");
    assert!(chosen["why"].as_str().unwrap().contains("no tests of this interface"), "{chosen}");
    let shown = stage.get("/v1/interfaces/spec/twice/again@1.0.0").await.json();
    assert_eq!(shown["implementations"][0]["spec_tests"]["passed"], 1, "{shown}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_chooses_over_mcp() {
    let stage = Stage::empty().await;
    for (seed, package) in
        [package("spec:twice", 100, "0", CASES), package("quick:twice", 0, "0", CASES)].iter().enumerate()
    {
        publish(&stage, 100 + seed as u8, package).await;
    }
    test_all(&stage).await;
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

#[tokio::test(flavor = "multi_thread")]
async fn the_command_leaves_it_open_and_says_who_it_was() {
    let stage = Stage::of_today().await;
    for (seed, package) in
        [package("spec:twice", 100, "0", CASES), package("quick:twice", 0, "0", CASES), stub()]
            .iter()
            .enumerate()
    {
        publish(&stage, 100 + seed as u8, package).await;
    }
    test_all(&stage).await;
    let shell = Shell::new(&stage.url);
    let call = |more: &[&str]| {
        let output = shell.run(&[&["call", "spec:twice", "double(21)", "--choose"], more].concat());
        let [said, noted] = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
        assert!(output.status.success(), "{noted}");
        (said, noted)
    };
    let (said, noted) = call(&["fastest"]);
    assert!(said.contains("42"), "{said}");
    assert!(noted.contains("fastest of 2: quick:twice@1.0.0: "), "{noted}");
    assert!(noted.contains("not stub:twice@1.0.0: spec-tests-failed"), "{noted}");
    let (said, noted) = call(&["fastest", "--untested"]);
    assert!(said.contains("42") && noted.contains("fastest of 3"), "{noted}");
    let (said, noted) = call(&["pinned"]);
    assert!(said.contains("42") && noted.contains("pinned of 1: spec:twice@1.0.0: it was named"), "{noted}");
    shell.refused(&["call", "no:such", "double(21)", "--choose", "cheapest"], "package-not-found");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_as_relevant_goes_by_who_pays_for_it() {
    let stage = market().await;
    let first = async || {
        let found = stage.get("/v1/search?q=twice&limit=1").await.json();
        found["results"].as_array().unwrap()[0].clone()
    };
    let found = first().await;
    assert_eq!(found["payers_organic"], 0);
    let other = if found["package"] == "odd:twice" { "quick" } else { "odd" };
    for name in ["ana", "ben", "cy"] {
        let buyer = stage.buyer(name, 1).await;
        buyer.pay(&format!("/v1/call/{other}/twice/1.0.0/double"), json!([1]), name).await.output();
    }
    stage.world.advance(COMPARED_FOR);
    let found = first().await;
    assert_eq!((&found["package"], &found["payers_organic"]), (&json!(format!("{other}:twice")), &json!(3)));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_could_not_be_written_is_tested_again() {
    for (moment, again) in [(Moment::Before, true), (Moment::After, false)] {
        let stage = Stage::empty().await;
        publish(&stage, 90, &package("spec:twice", 1, "0", CASES)).await;
        stage.inject("set_spec_run", moment);
        assert!(stage.registry.test_next().await.is_err(), "{moment:?}");
        assert_eq!(stage.registry.test_next().await.unwrap(), again, "{moment:?}");
        assert!(!stage.registry.test_next().await.unwrap(), "{moment:?}");
        assert_eq!(listed(&stage).await[0]["spec_tests"]["passed"], 1, "{moment:?}");
    }
}
