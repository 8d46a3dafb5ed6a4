//! What an operator decides: how far payees are known, whose earnings wait, and what comes of notices.

use glassbox_core::limits;
use glassbox_store::Moment;
use serde_json::{Value, json};

use crate::buyer::{Reply, bench};
use crate::command::{Server, Shell};
use crate::packages;
use crate::stage::{MOMENTS, OPERATOR, Stage, wallet};

async fn operate(stage: &Stage, path: &str, body: Option<Value>) -> Reply {
    let url = format!("{}/v1/operate{path}", stage.url);
    let request = match body {
        Some(body) => stage.http.post(url).json(&body),
        None => stage.http.get(url),
    };
    Reply::of(request.bearer_auth(OPERATOR).send().await.unwrap()).await
}

async fn decide(stage: &Stage, payee: &str, state: &str, address: Option<&str>) -> Value {
    let body = json!({ "payee": payee, "state": state, "address": address, "reason": "a test" });
    operate(stage, "/payees", Some(body)).await.json()
}

async fn freeze(stage: &Stage, package: &str, frozen: bool) -> Reply {
    let body = json!({ "package": package, "frozen": frozen, "reason": "a dispute" });
    operate(stage, "/freezes", Some(body)).await
}

/// Pays out, and returns what each payee was paid in atomic units, or why not, and what is frozen.
async fn pay_out(stage: &Stage, verified_only: bool) -> Vec<(String, String, Option<String>)> {
    let ben = wallet("ben's").address().to_string();
    let body = json!({ "threshold_usd": "0", "addresses": { BEN: ben }, "verified_only": verified_only });
    let paid = operate(stage, "/payouts", Some(body)).await.json();
    let rows = paid["payouts"].as_array().unwrap_or_else(|| panic!("{paid}"));
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let row = |row: &Value| {
        let paid = text(&row["waits"]).unwrap_or_else(|| text(&row["amount"]["amount"]).unwrap());
        (text(&row["account"]).unwrap(), paid, text(&row["frozen_usd"]))
    };
    rows.iter().map(row).filter(|(account, ..)| account != "operator").collect()
}

const ANA: &str = "acct:ana@lab.example";
const BEN: &str = "acct:ben@lab.example";

fn row(payee: &str, paid: &str, frozen: Option<&str>) -> (String, String, Option<String>) {
    (format!("payee:{payee}"), paid.to_owned(), frozen.map(str::to_owned))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payee_is_paid_as_far_as_it_is_known() {
    let stage = Stage::new().await;
    let buyer = stage.buyer("cy", 1).await;
    buyer.pay(&bench("double"), json!([1]), "first").await.output();
    let unverified = "it is not verified";
    assert_eq!(pay_out(&stage, true).await, [row(ANA, unverified, None), row(BEN, unverified, None)]);
    // Where it is paid is written down once.
    let address = wallet("ana's").address().to_string();
    decide(&stage, ANA, "verified", Some(&address)).await;
    decide(&stage, BEN, "suspended", None).await;
    let suspended = row(BEN, "it is suspended", None);
    assert_eq!(pay_out(&stage, true).await, [row(ANA, "1330", None), suspended.clone()]);
    assert_eq!(stage.balance(wallet("ana's").address()).await, 1_330);
    buyer.pay(&bench("double"), json!([2]), "second").await.output();
    // A suspended one waits whatever is asked for, and keeps what it earned.
    decide(&stage, ANA, "suspended", None).await;
    assert_eq!(pay_out(&stage, false).await, [row(ANA, "it is suspended", None), suspended]);
    let known = decide(&stage, ANA, "verified", None).await;
    assert_eq!(known["payees"][0]["address"], address, "{known}");
    decide(&stage, BEN, "unverified", None).await;
    assert_eq!(pay_out(&stage, false).await, [row(ANA, "1330", None), row(BEN, "1140", None)]);
    let actions = operate(&stage, "/actions", None).await.json();
    let actions: Vec<_> = actions["actions"].as_array().unwrap().iter().map(|row| &row["action"]).collect();
    assert_eq!(actions, ["verified", "suspended", "suspended", "verified", "unverified"]);
    for (body, code) in [
        (json!({ "payee": "", "state": "verified", "reason": "x" }), "payee-invalid"),
        (json!({ "payee": "a b", "state": "verified", "reason": "x" }), "payee-invalid"),
        (json!({ "payee": ANA, "state": "known", "reason": "x" }), "payee-invalid"),
        (json!({ "payee": ANA, "state": "verified", "reason": " " }), "reason-invalid"),
        (json!({ "payee": ANA, "state": "verified", "reason": "x", "address": "0x1" }), "address-invalid"),
    ] {
        operate(&stage, "/payees", Some(body)).await.assert_problem(400, code);
    }
    stage.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_disputed_package_earned_waits_and_nothing_else() {
    let stage = Stage::new().await;
    let other = packages::bench("1.0.0");
    let renamed = |text: &str| text.replace("lab:bench", "lab:other");
    let (_, wit) = other.wit.iter().next().unwrap();
    let wit = renamed(std::str::from_utf8(wit).unwrap());
    stage
        .publish(&glassbox_registry::PackageFiles {
            manifest: renamed(&other.manifest),
            wit: packages::one_file("world.wit", wit),
            ..other
        })
        .await;
    decide(&stage, ANA, "verified", Some(&wallet("ana's").address().to_string())).await;
    let buyer = stage.buyer("cy", 1).await;
    let other = bench("double").replace("/bench/", "/other/");
    let pay = async |path: &str, nonce: &str| {
        let reply = buyer.pay(path, json!([1]), nonce).await;
        reply.output();
        reply.json()["call"].clone()
    };
    let one = pay(&bench("double"), "one").await;
    pay(&other, "two").await;
    assert_eq!(freeze(&stage, "lab:bench", true).await.status, 200);
    assert_eq!(
        pay_out(&stage, false).await,
        [row(ANA, "1330", Some("0.00133")), row(BEN, "570", Some("0.00057"))]
    );
    // Its calls go on, and what they earn waits, too.
    let three = pay(&bench("double"), "three").await;
    let waits = "what a disputed package earned is frozen";
    assert_eq!(
        pay_out(&stage, false).await,
        [row(ANA, waits, Some("0.00266")), row(BEN, waits, Some("0.00114"))]
    );
    assert_eq!(freeze(&stage, "lab:bench", false).await.json()["frozen"], json!([]));
    assert_eq!(pay_out(&stage, false).await, [row(ANA, "2660", None), row(BEN, "1140", None)]);
    // What left before is made up for by what its payees earn otherwise.
    freeze(&stage, "lab:bench", true).await;
    pay(&other, "four").await;
    assert_eq!(
        pay_out(&stage, false).await,
        [row(ANA, waits, Some("0.00133")), row(BEN, waits, Some("0.00057"))]
    );
    // What went back of it is frozen no more, nor owed to its payees.
    for call in [one, three] {
        let body = json!({ "call": call, "reason": "the dispute is settled" });
        assert_eq!(operate(&stage, "/refunds", Some(body)).await.json()["refunded"]["amount"], "2000");
    }
    for nonce in ["five", "six"] {
        pay(&other, nonce).await;
    }
    for _ in 0..2 {
        stage.registry.reconcile().await;
    }
    assert_eq!(pay_out(&stage, false).await, [row(ANA, "1330", None), row(BEN, "570", None)]);
    freeze(&stage, "lab:nothing", true).await.assert_problem(404, "package-not-found");
    stage.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_notice_is_decided_by_a_person_and_answered() {
    let stage = Stage::new().await;
    let notice = |about: &str, ground: &str, text: &str| json!({ "about": about, "ground": ground, "text": text, "contact": "me@example.org" });
    let give = async |body: Value| stage.post("/v1/notices", &body).await;
    let given = give(notice("lab:bench@1.0.0", "license", "it is mine")).await;
    assert_eq!(given.status, 201, "{}", given.text);
    let id = given.json()["id"].as_str().unwrap().to_owned();
    let other = give(notice("lab:bench", "other", "it is slow")).await.json();
    // Whoever knows the id sees the state, and not what was written.
    let shown = stage.get(&format!("/v1/notices/{id}")).await.json();
    assert_eq!(
        (&shown["state"], &shown["text"], &shown["contact"]),
        (&json!("open"), &Value::Null, &Value::Null)
    );
    let listed = operate(&stage, "/notices", None).await.json();
    assert_eq!(
        (&listed["notices"][0]["text"], &listed["notices"][0]["contact"]),
        (&json!("it is mine"), &json!("me@example.org"))
    );
    let decide = async |id: &str, state: &str| {
        let body = json!({ "state": state, "reason": "frozen until it is settled" });
        operate(&stage, &format!("/notices/{id}"), Some(body)).await
    };
    decide(&id, "open").await.assert_problem(400, "notice-invalid");
    for _ in 0..2 {
        assert_eq!(decide(&id, "acted").await.json()["state"], "acted");
    }
    decide(&id, "dismissed").await.assert_problem(409, "notice-decided");
    decide("0123", "acted").await.assert_problem(404, "notice-not-found");
    decide(other["id"].as_str().unwrap(), "dismissed").await.json();
    let shown = stage.get(&format!("/v1/notices/{id}")).await.json();
    assert_eq!((&shown["state"], &shown["reason"]), (&json!("acted"), &json!("frozen until it is settled")));
    assert_eq!(operate(&stage, "/notices", None).await.json()["notices"], json!([]));
    assert_eq!(
        operate(&stage, "/notices?all=true", None).await.json()["notices"].as_array().unwrap().len(),
        2
    );
    let actions = operate(&stage, "/actions?after=1", None).await.json();
    assert_eq!(
        (&actions["actions"][0]["action"], &actions["actions"][1]),
        (&json!("dismissed"), &Value::Null)
    );

    for (body, status, code) in [
        (notice("lab:nothing", "license", "x"), 404, "package-not-found"),
        (notice("lab:bench@9.0.0", "license", "x"), 404, "release-not-found"),
        (notice("lab:bench", "taste", "x"), 400, "notice-invalid"),
        (notice("lab:bench", "other", " "), 400, "notice-invalid"),
        (notice("lab:bench", "other", &"x".repeat(limits::NOTICE_BYTES_MAX + 1)), 400, "notice-invalid"),
        (notice("bench", "other", "x"), 400, "name-invalid"),
    ] {
        give(body).await.assert_problem(status, code);
    }
    for n in 0..limits::NOTICES_PER_RELEASE_MAX {
        assert_eq!(give(notice("lab:bench", "other", "again")).await.status, 201, "{n}");
    }
    give(notice("lab:bench", "other", "again")).await.assert_problem(409, "notices-full");
    for path in ["notices", "actions", "payees"] {
        stage.get(&format!("/v1/operate/{path}")).await.assert_problem(401, "operator-only");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_decided_while_a_write_fails_is_so_when_it_is_asked_for_again() {
    for moment in MOMENTS {
        let stage = Stage::new().await;
        // What was written and said to have failed is written twice, where it may be.
        let times = if moment == Moment::After { 2 } else { 1 };
        let address = wallet("ana's").address().to_string();
        let verified = json!({ "payee": ANA, "state": "verified", "address": address, "reason": "a test" });
        let verify = async || operate(&stage, "/payees", Some(verified.clone())).await;
        let payees = stage.ask_twice("set_payee", moment, verify).await.json();
        let payee = &payees["payees"][0];
        assert_eq!((&payee["state"], &payee["address"]), (&json!("verified"), &json!(address)), "{moment:?}");
        for (frozen, packages) in [(true, 1), (false, 0)] {
            let freeze = async || freeze(&stage, "lab:bench", frozen).await;
            let left = stage.ask_twice("set_freeze", moment, freeze).await.json();
            assert_eq!(left["frozen"].as_array().unwrap().len(), packages, "{moment:?}");
        }

        let text = json!({ "about": "lab:bench", "ground": "other", "text": "it is slow" });
        let give = async || stage.post("/v1/notices", &text).await;
        let given = stage.ask_twice("add_notice", moment, give).await;
        assert_eq!(given.status, 201, "{}", given.text);
        let open =
            async || operate(&stage, "/notices", None).await.json()["notices"].as_array().unwrap().len();
        assert_eq!(open().await, times, "{moment:?}");
        let id = given.json()["id"].as_str().unwrap().to_owned();
        let act = json!({ "state": "acted", "reason": "it is faster now" });
        let decide = async || operate(&stage, &format!("/notices/{id}"), Some(act.clone())).await;
        assert_eq!(stage.ask_twice("decide_notice", moment, decide).await.json()["state"], "acted");
        assert_eq!(open().await, times - 1, "{moment:?}");

        // The record says what was done as often as it was; a notice is decided once.
        let actions = operate(&stage, "/actions", None).await.json();
        let actions = actions["actions"].as_array().unwrap();
        for (action, count) in [("verified", times), ("frozen", times), ("thawed", times), ("acted", 1)] {
            let found = actions.iter().filter(|row| row["action"] == action).count();
            assert_eq!(found, count, "{action} {moment:?}");
        }
        stage.assert_sound().await;
    }
}

#[test]
fn the_command_decides_and_writes_the_books_for_an_accountant() {
    let shell = Shell::new("");
    let server = Server::start(&shell.folder.path().join("registry"), &[]);
    let shell = Shell { registry: server.url.clone(), ..shell };
    let operate = |args: &[&str]| shell.ok(&[args, &["--data", "registry"]].concat());
    let folder = format!("{}/examples/checksum", env!("CARGO_MANIFEST_DIR"));
    shell.ok(&["publish", &folder]);
    let package = "bits:checksum";
    let text = ["--ground", "copyright", "--text", "it is mine"];
    let given = shell.ok(&[&["notice", "give", package][..], &text].concat());
    let id = given["id"].as_str().unwrap();
    assert_eq!(operate(&["notice", "list"])["notices"][0]["id"], id);
    assert_eq!(
        operate(&["payee", "freeze", package, "--reason", "a dispute"])["frozen"][0]["package"],
        package
    );
    operate(&["notice", "act", id, "--reason", "its earnings wait"]);
    assert_eq!(shell.ok(&["notice", "show", id])["reason"], "its earnings wait");
    let suspended = operate(&["payee", "suspend", "acct:ana@example.org", "--reason", "no answer"]);
    assert_eq!(suspended["payees"][0]["state"], "suspended");
    operate(&["payee", "thaw", package, "--reason", "settled"]);
    assert_eq!(operate(&["notice", "log"])["actions"].as_array().unwrap().len(), 4);

    operate(&["credit", "grant", "5", "--label", "=1+1"]);
    let output = shell.run(&["statement", "--csv", "--data", "registry"]);
    let csv = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<&str> = csv.lines().collect();
    assert_eq!(lines[0], "number,at,kind,debit,credit,usd,pico,subject,transaction");
    assert_eq!(lines.len(), 2, "{csv}");
    assert!(
        lines[1].contains(",grant,operator,payer:credit:") && lines[1].contains(",5,5000000000000,"),
        "{csv}"
    );
}
