//! Who may call, and what: tokens, lists and approvals, over HTTP and MCP.

use std::time::Duration;

use glassbox_registry::PackageFiles;
use serde_json::{Value, json};

use super::{Agent, ask, operate, refused};
use crate::buyer::{Reply, bench};
use crate::command::Shell;
use crate::stage::Stage;
use crate::{composition, economy, grants, implementations, packages};

#[tokio::test(flavor = "multi_thread")]
async fn accounts_alone_call_and_a_token_ends_when_it_is_taken_back() {
    let stage = Stage::of_company("").await;
    let agent = Agent::new(&stage, "ci-bot").await;
    // Also what costs nothing, and what somebody would pay for.
    for function in ["gift", "double"] {
        stage.post(&bench(function), &json!({ "args": [1] })).await.assert_problem(401, "account-required");
    }
    let buyer = stage.buyer("payer", 1).await;
    let offer: glassbox_pay::x402::PaymentRequired = {
        let quoted = stage.get("/v1/quote/lab/bench/1.0.0/double").await.json();
        serde_json::from_value(quoted["payment_required"].clone()).unwrap()
    };
    let payment = glassbox_pay::x402::encode(&buyer.answer(&offer, "first"));
    let paid = buyer.send(&bench("double"), &json!({ "args": [1] }), Some(&payment)).await;
    paid.assert_problem(401, "account-required");
    assert_eq!(stage.payments().await, 0);
    for token in ["gba_", "gba_0000", &agent.token[..20]] {
        let stranger = Agent { token: token.to_owned(), ..agent.clone() };
        stranger.call("gift", 1).await.assert_problem(401, "account-refused");
    }
    assert_eq!(agent.call("gift", 4).await.output(), json!(8));

    // Nobody keeps the text.
    let database = std::fs::read(stage.store_path().join("glassbox.sqlite")).unwrap();
    let log = std::fs::read(stage.store_path().join("glassbox.sqlite-wal")).unwrap_or_default();
    let secret = agent.token.trim_start_matches("gba_").as_bytes();
    assert!(![database, log].concat().windows(secret.len()).any(|bytes| bytes == secret));

    let tokens = ask(&stage, "/v1/operate/accounts/ci-bot/tokens").await.json();
    let id = tokens["tokens"][0]["id"].as_str().unwrap().to_owned();
    assert_eq!(
        (&tokens["tokens"][0]["label"], &tokens["tokens"][0]["token"]),
        (&json!("a test"), &Value::Null)
    );
    let path = format!("/accounts/ci-bot/tokens/{id}/revoke");
    assert_eq!(operate(&stage, &path, &json!({})).await.status, 204);
    for function in ["gift", "double"] {
        agent.call(function, 1).await.assert_problem(401, "account-refused");
    }
    operate(&stage, "/accounts/ci-bot/tokens/0123/revoke", &json!({}))
        .await
        .assert_problem(404, "account-token-not-found");

    // One that ends by itself, and one whose account is closed.
    let short = operate(&stage, "/accounts/ci-bot/tokens", &json!({ "seconds": 60 })).await.json();
    let short = Agent { token: short["token"].as_str().unwrap().into(), ..agent.clone() };
    assert_eq!(short.call("gift", 1).await.status, 200);
    stage.world.advance(Duration::from_secs(60));
    short.call("gift", 1).await.assert_problem(401, "account-refused");
    let other = Agent::new(&stage, "other").await;
    assert_eq!(operate(&stage, "/accounts/other/close", &json!({})).await.status, 200);
    other.call("gift", 1).await.assert_problem(401, "account-refused");
    operate(&stage, "/accounts/other/tokens", &json!({})).await.assert_problem(404, "account-not-found");
    stage.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registry_without_a_company_has_no_accounts() {
    let stage = Stage::new().await;
    let request = stage.http.post(format!("{}{}", stage.url, bench("gift"))).json(&json!({ "args": [1] }));
    let reply = Reply::of(request.bearer_auth("gba_00").send().await.unwrap()).await;
    reply.assert_problem(401, "account-refused");
    let account = json!({ "name": "ci-bot", "cost_center": "research" });
    operate(&stage, "/accounts", &account).await.assert_problem(404, "company-not-served");
    let stranger = stage.http.get(format!("{}/v1/operate/accounts", stage.url)).send().await.unwrap();
    assert_eq!(stranger.status(), 401);
}

/// `lab:bench` under another licence.
fn licensed(version: &str, license: &str) -> PackageFiles {
    let package = packages::bench(version);
    let manifest = package.manifest.replace("license = \"Apache-2.0\"", &format!("license = \"{license}\""));
    PackageFiles { manifest, ..package }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_allowed_is_refused_by_its_rule_and_nothing_runs() {
    let policy = r#"
        allow.licenses = ["Apache-2.0", "MIT"]
        allow.publishers = ["lab"]
        allow.price = "0.05"
        deny.packages = ["lab:bench@=1.3.0"]
        account.intern.allow.packages = ["lab:bench@<1.1.0"]
    "#;
    let stage = Stage::of_company(policy).await;
    let free = licensed("1.1.0", "BSD-3-Clause OR MIT");
    for package in
        [&free, &licensed("1.2.0", "BSD-3-Clause"), &packages::bench("1.3.0"), &packages::example("checksum")]
    {
        stage.publish(package).await;
    }
    let [agent, intern] = [Agent::new(&stage, "agent").await, Agent::new(&stage, "intern").await];
    let call = async |agent: &Agent, version: &str, function: &str, body: Value| {
        agent.post(&format!("/v1/call/lab/bench/{version}/{function}"), &body).await
    };
    let one = || json!({ "args": [1] });
    for (agent, version, function, rule) in [
        (&agent, "1.0.0", "gift", None),
        (&agent, "1.1.0", "double", None),
        (&agent, "1.2.0", "gift", Some("allow.licenses")),
        (&agent, "1.2.0", "double", Some("allow.licenses")),
        (&agent, "1.3.0", "gift", Some("deny.packages")),
        (&intern, "1.0.0", "double", None),
        (&intern, "1.1.0", "gift", Some("account.intern.allow.packages")),
    ] {
        let reply = call(agent, version, function, one()).await;
        match rule {
            None => assert_eq!(reply.status, 200, "{}", reply.text),
            Some(rule) => drop(refused(&reply, rule)),
        }
    }
    // By fuel, the ceiling decides; a caller who asks for less keeps within it.
    refused(&agent.call("burn", 10).await, "allow.price");
    assert_eq!(call(&agent, "1.0.0", "burn", json!({ "args": [10], "fuel": 50_000_000 })).await.status, 200);
    let checksum = agent.post("/v1/call/bits/checksum/latest/crc32", &json!({ "args": [[1]] })).await;
    refused(&checksum, "allow.publishers");
    // What may not be called may not be taken home either.
    refused(&agent.get("/v1/packages/bits/checksum/latest/component").await, "allow.publishers");
    stage.get("/v1/packages/bits/checksum/latest/component").await.assert_problem(401, "account-required");
    // Whatever else was asked for under the same name.
    assert_eq!(agent.call_as("double", 1, "key").await.status, 200);
    let url = format!("{}/v1/packages/bits/checksum/latest/component", stage.url);
    let named = stage.http.get(url).bearer_auth(&agent.token).header("idempotency-key", "key");
    refused(&Reply::of(named.send().await.unwrap()).await, "allow.publishers");
    // Reading is free.
    assert_eq!(stage.get("/v1/packages/bits/checksum/latest/wit").await.status, 200);
    stage.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_component_may_use_what_the_list_covers() {
    for (policy, allowed) in [("'wasi:clocks'", true), ("'wasi:random'", false), ("", false)] {
        let stage = Stage::of_company(&format!("allow.grants = [{policy}]")).await;
        stage.publish(&grants::clock()).await;
        let agent = Agent::new(&stage, "agent").await;
        let look = async |body: Value| agent.post("/v1/call/lab/clock/1.0.0/look", &body).await;
        let reply = look(json!({ "args": [0] })).await;
        match allowed {
            true => assert_eq!(reply.status, 200, "{}", reply.text),
            false => drop(refused(&reply, "allow.grants")),
        }
        // A caller who allows nothing keeps within every list.
        assert_eq!(look(json!({ "args": [0], "grants": [] })).await.status, 200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_holds_over_mcp() {
    let stage = Stage::of_company("deny.packages = ['lab:bench@=1.1.0']").await;
    stage.publish(&packages::bench("1.1.0")).await;
    let agent = Agent::new(&stage, "agent").await;
    let call = async |token: Option<&str>, id: &str, function: &str| {
        let body = json!({
            "jsonrpc": "2.0", "id": 1, "method": "tools/call",
            "params": { "name": "call", "arguments": { "id": id, "function": function, "args": [21] } },
        });
        let request = stage.http.post(format!("{}/mcp", stage.url)).json(&body);
        let request = request.header("accept", "application/json, text/event-stream");
        let request = request.header("mcp-protocol-version", "2025-06-18");
        let request = match token {
            Some(token) => request.bearer_auth(token),
            None => request,
        };
        let reply = Reply::of(request.send().await.unwrap()).await;
        reply.json()["result"]["structuredContent"].clone()
    };
    let bench = "lab:bench@1.0.0";
    assert_eq!(call(None, bench, "double").await["code"], "account-required");
    assert_eq!(call(Some("gba_0"), bench, "double").await["code"], "account-refused");
    let said = call(Some(&agent.token), "lab:bench@1.1.0", "double").await;
    assert_eq!(
        (&said["code"], &said["rule"]),
        (&json!("company-refused"), &json!("deny.packages")),
        "{said}"
    );
    for function in ["gift", "double"] {
        let said = call(Some(&agent.token), bench, function).await;
        assert_eq!(said["output"], 42, "{said}");
    }
    assert_eq!(agent.standing(&stage).await.spent.0, 2_000);
    stage.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_costs_much_waits_for_a_person_and_is_let_through_once() {
    let stage = Stage::of_company("approval.above = '0.001'").await;
    let agent = Agent::new(&stage, "agent").await;
    let person =
        json!({ "name": "ana@example.org", "kind": "person", "approves": true, "cost_center": "it" });
    let ana = Agent::with(&stage, &person).await;
    let bo = Agent::with(&stage, &json!({ "name": "bo", "kind": "person", "cost_center": "it" })).await;
    assert_eq!(agent.call("gift", 1).await.status, 200, "what costs less is not asked about");

    let first = refused(&agent.call("double", 21).await, "approval.above");
    let id = first["approval"]["id"].as_str().unwrap().to_owned();
    assert_eq!(
        (&first["approval"]["state"], &first["approval"]["account"], &first["approval"]["max"]["usd"]),
        (&json!("waiting"), &json!("agent"), &json!("0.002"))
    );
    // Asked again it is the same question; another request is another.
    assert_eq!(refused(&agent.call("double", 21).await, "approval.above")["approval"]["id"], *id);
    let other = refused(&agent.call("double", 22).await, "approval.above");
    assert_ne!(other["approval"]["id"], *id);

    let path = format!("/v1/approvals/{id}");
    let yes = json!({ "approve": true });
    agent.post(&path, &yes).await.assert_problem(403, "approver-only");
    bo.post(&path, &yes).await.assert_problem(403, "approver-only");
    stage.post(&path, &yes).await.assert_problem(401, "operator-only");
    ana.post("/v1/approvals/none", &yes).await.assert_problem(404, "approval-not-found");
    assert_eq!(bo.get("/v1/approvals").await.json()["approvals"], json!([]), "others' are not shown");
    assert_eq!(agent.get("/v1/approvals").await.json()["approvals"].as_array().unwrap().len(), 2);
    assert_eq!(ana.get("/v1/approvals?waiting=true").await.json()["approvals"].as_array().unwrap().len(), 2);
    let decided = ana.post(&path, &yes).await.json();
    assert_eq!((&decided["state"], &decided["decided_by"]), (&json!("approved"), &json!("ana@example.org")));
    assert_eq!(ana.post(&path, &yes).await.status, 200, "the same again changes nothing");
    ana.post(&path, &json!({ "approve": false })).await.assert_problem(409, "approval-decided");

    // Many at once: one goes through, and is charged once.
    let tries: Vec<_> = (0..8)
        .map(|n| {
            let agent = agent.clone();
            tokio::spawn(async move { agent.call_as("double", 21, &format!("try {n}")).await })
        })
        .collect();
    let mut done = 0;
    for reply in tries {
        let reply = reply.await.unwrap();
        match reply.status {
            200 => {
                assert_eq!(reply.output(), json!(42));
                done += usize::from(reply.json()["replayed"] == false);
            }
            _ => drop(refused(&reply, "approval.above")),
        }
    }
    assert_eq!((done, agent.standing(&stage).await.spent.0), (1, 2_000));
    refused(&agent.call("double", 21).await, "approval.above");
    ana.post(&path, &yes).await.assert_problem(409, "approval-decided");

    let no = format!("/v1/approvals/{}", other["approval"]["id"].as_str().unwrap());
    assert_eq!(ana.post(&no, &json!({ "approve": false })).await.json()["state"], "denied");
    let denied = refused(&agent.call("double", 22).await, "approval.above");
    assert!(denied["detail"].as_str().unwrap().contains("ana@example.org denied"), "{denied}");
    // After a week it may be asked for anew.
    stage.world.advance(Duration::from_secs(8 * 24 * 60 * 60));
    assert_eq!(refused(&agent.call("double", 22).await, "approval.above")["approval"]["state"], "waiting");

    // A run that came to nothing leaves its approval to another try.
    let boom = refused(&agent.call("boom", 1).await, "approval.above");
    let path = format!("/v1/approvals/{}", boom["approval"]["id"].as_str().unwrap());
    assert_eq!(ana.post(&path, &yes).await.status, 200);
    for _ in 0..2 {
        assert_eq!(agent.call("boom", 1).await.status, 422);
    }
    // Nobody approves their own.
    let own = refused(&ana.call("double", 5).await, "approval.above");
    let path = format!("/v1/approvals/{}", own["approval"]["id"].as_str().unwrap());
    ana.post(&path, &yes).await.assert_problem(403, "approval-own");
    stage.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_imported_is_held_to_the_lists_as_what_is_called() {
    let stage = Stage::of_company("account.intern.deny.packages = ['lab:leaf']").await;
    let leaf = composition::leaf("leaf", "");
    let middle = composition::on("middle", &[&leaf], "");
    let top = composition::on("top", &[&middle], "");
    for (package, pins) in [(&leaf, vec![]), (&middle, vec![&leaf]), (&top, vec![&middle])] {
        let pins = pins.into_iter().map(composition::pin).collect();
        assert_eq!(composition::send(&stage, package, pins).await.status, 201);
    }
    let [agent, intern] = [Agent::new(&stage, "agent").await, Agent::new(&stage, "intern").await];
    let call = async |agent: &Agent, package: &str| {
        agent.post(&format!("/v1/call/lab/{package}/1.0.0/run"), &json!({ "args": [1] })).await
    };
    for package in ["top", "middle", "leaf"] {
        assert_eq!(call(&agent, package).await.status, 200, "{package}");
        let problem = refused(&call(&intern, package).await, "account.intern.deny.packages");
        assert!(problem["detail"].as_str().unwrap().contains("lab:leaf@1.0.0"), "{problem}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_licence_is_that_of_what_is_called_on_the_day() {
    let stage = Stage::of_company("allow.licenses = ['Apache-2.0', 'MPL-2.0']").await;
    stage.publish(&economy::examples::package("audit")).await;
    stage.publish(&economy::rights::changing("MPL-2.0", &economy::rights::day(&stage, 2))).await;
    let agent = Agent::new(&stage, "ci-bot").await;
    let args = json!({ "args": [4] });
    // The community's edition is under a licence of its own, and the enterprise's, too.
    let audit = "/v1/call/ledgerly/audit/1.0.0";
    assert_eq!(agent.post(&format!("{audit}/add"), &args).await.output(), json!(5));
    refused(&agent.post(&format!("{audit}/allow"), &args).await, "allow.licenses");
    let component = "/v1/packages/ledgerly/audit/1.0.0/component";
    assert_eq!(agent.get(&format!("{component}?edition=ce")).await.status, 200);
    refused(&agent.get(component).await, "allow.licenses");

    let double = economy::path("double");
    refused(&agent.post(&double, &args).await, "allow.licenses");
    stage.world.advance(Duration::from_secs(2 * 24 * 3_600));
    assert_eq!(agent.post(&double, &args).await.output(), json!(8));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_leaves_it_open_gets_the_best_of_what_the_company_allows() {
    let policy = "[deny]\npackages = [\"cheap:*\"]\n[allow]\nprice = \"0.003\"\n[account.narrow.allow]\npackages = [\"lab:*\"]\n";
    let stage = Stage::of_company(policy).await;
    implementations::fill(&stage).await;
    while stage.registry.test_next().await.unwrap() {}
    let agent = Agent::new(&stage, "ci-bot").await;
    let path = "/v1/call/spec/twice/latest/double";
    for (choice, release, left_out) in [
        (
            "cheapest",
            "spec:twice@1.0.0",
            [("cheap:twice@1.0.0", "deny.packages"), ("quick:twice@1.0.0", "allow.price")],
        ),
        (
            "fastest",
            "odd:twice@1.0.0",
            [("quick:twice@1.0.0", "allow.price"), ("cheap:twice@1.0.0", "deny.packages")],
        ),
    ] {
        let called = agent.post_as(path, &json!({ "args": [21], "choose": choice }), choice).await;
        assert_eq!(called.output(), 42, "{choice}");
        let chosen = called.json()["chosen"].clone();
        let left_out: Value =
            left_out.iter().map(|(release, rule)| json!({ "release": release, "rule": rule })).collect();
        assert_eq!((&chosen["release"], &chosen["left_out"]), (&json!(release), &left_out), "{chosen}");
        let asked = agent.get(&format!("/v1/choose/spec/twice/latest/double?by={choice}")).await.json();
        assert_eq!(asked["release"], release);
    }
    // Where none is allowed, the rule that leaves out the best says so, and nothing is charged.
    let narrow = Agent::new(&stage, "narrow").await;
    let body = json!({ "args": [21], "choose": "most-proven" });
    narrow.post(path, &body).await.assert_problem(400, "idempotency-key-required");
    let called = narrow.post_as(path, &body, "open").await;
    refused(&called, "account.narrow.allow.packages");
    stage.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_allowed_less_than_it_asks_for_is_chosen_where_the_call_would_be_allowed() {
    let stage = Stage::of_company_today("allow.grants = []").await;
    let spec = implementations::package("spec:twice", 100, "0", implementations::CASES);
    for (seed, package) in [spec, implementations::observing("eye:twice", 0)].iter().enumerate() {
        implementations::publish(&stage, 100 + seed as u8, package).await;
    }
    implementations::test_all(&stage).await;
    let agent = Agent::new(&stage, "ci-bot").await;
    let left_out = json!([{ "release": "eye:twice@1.0.0", "rule": "allow.grants" }]);
    let path = "/v1/choose/spec/twice/latest/double?by=fastest";
    for (grants, release) in [
        ("", "spec:twice@1.0.0"),
        ("&grants=[\"wasi:clocks\"]", "spec:twice@1.0.0"),
        ("&grants=[]", "eye:twice@1.0.0"),
    ] {
        let chosen = agent.get(&format!("{path}{grants}")).await.json();
        assert_eq!(chosen["release"], release, "{chosen}");
        assert_eq!(chosen.get("left_out") == Some(&left_out), release == "spec:twice@1.0.0", "{chosen}");
    }
    for bad in ["wasi:clocks", "{}", "[1]"] {
        agent.get(&format!("{path}&grants={bad}")).await.assert_problem(400, "query-invalid");
    }
    let body = json!({ "args": [21], "choose": "fastest", "grants": [] });
    let called = agent.post_as("/v1/call/spec/twice/latest/double", &body, "open").await;
    assert_eq!(
        (&called.output(), &called.json()["chosen"]["release"]),
        (&json!(42), &json!("eye:twice@1.0.0"))
    );

    // The command says what it allows before it is chosen, too.
    let shell = Shell::new(&stage.url);
    let noted = |more: &[&str]| {
        let args = [&["call", "spec:twice", "double(21)", "--choose", "fastest"], more].concat();
        let output = shell.command(&args).env("GLASSBOX_ACCOUNT", &agent.token).output().unwrap();
        let noted = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "{noted}");
        noted
    };
    assert!(noted(&[]).contains("not eye:twice@1.0.0: allow.grants"));
    assert!(noted(&["--allow-none"]).contains("fastest of 2: eye:twice@1.0.0: "));
}
