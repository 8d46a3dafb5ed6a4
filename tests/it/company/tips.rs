//! A company thanks whom it used, also for what costs nothing.

use std::time::Duration;

use glassbox_core::ledger::Account;
use glassbox_registry::PackageFiles;
use serde_json::{Value, json};

use super::{Agent, ask, operate};
use crate::command::Shell;
use crate::economy::{PAYEE, goods};
use crate::stage::{MOMENTS, Stage};

/// A free package that accepts gifts, whose payee is called as it is.
fn tipped(name: &str) -> PackageFiles {
    let files = goods("MIT", "", &format!("[tips]\naccept = true\n{PAYEE}"));
    let renamed = |text: &str| text.replace("shop:goods", &format!("shop:{name}"));
    let (_, meter) = files.wit.iter().find(|(path, _)| path.starts_with("deps/")).unwrap();
    let (_, world) = files.wit.iter().find(|(path, _)| *path == "world.wit").unwrap();
    let world = renamed(std::str::from_utf8(world).unwrap());
    let wit = [("world.wit".to_owned(), world.into_bytes()), ("deps/meter.wit".to_owned(), meter.to_vec())];
    PackageFiles {
        manifest: renamed(&files.manifest).replace("acct:ana@", &format!("acct:{name}@")),
        wit: glassbox_core::files::Files::new(wit).unwrap(),
        ..files
    }
}

/// The next release of a package.
fn next(files: &PackageFiles) -> PackageFiles {
    let renamed = |text: &str| text.replace("1.0.0", "1.1.0");
    let (_, meter) = files.wit.iter().find(|(path, _)| path.starts_with("deps/")).unwrap();
    let (_, world) = files.wit.iter().find(|(path, _)| *path == "world.wit").unwrap();
    let world = std::str::from_utf8(world).unwrap().replace("@1.0.0;\nworld", "@1.1.0;\nworld");
    let wit = [("world.wit".to_owned(), world.into_bytes()), ("deps/meter.wit".to_owned(), meter.to_vec())];
    PackageFiles {
        manifest: renamed(&files.manifest),
        wit: glassbox_core::files::Files::new(wit).unwrap(),
        ..files.clone()
    }
}

async fn earned(stage: &Stage, name: &str) -> u128 {
    let account = Account::Payee(format!("acct:{name}@shop.example"));
    stage.store().balance(&account).await.unwrap().credits.0 / 1_000_000
}

#[tokio::test(flavor = "multi_thread")]
async fn gifts_are_spread_over_what_was_used() {
    let stage = Stage::of_company("budget.account-month = '50'").await;
    stage.publish(&tipped("goods")).await;
    stage.publish(&tipped("other")).await;
    stage.publish(&tipped("unused")).await;
    let (agent, fund) = (Agent::new(&stage, "ci-bot").await, Agent::new(&stage, "fund").await);
    let call = async |name: &str, n: u32| {
        let path = format!("/v1/call/shop/{name}/1.0.0/double");
        assert_eq!(agent.post(&path, &json!({ "args": [n] })).await.status, 200);
    };
    for n in 0..3 {
        call("goods", n).await;
    }
    call("other", 0).await;
    assert_eq!(agent.call("gift", 1).await.status, 200, "and something that takes no gifts");
    let month = stage.registry.month().to_string();
    let body = json!({ "month": month, "usd": "10" });
    stage.post("/v1/tips", &body).await.assert_problem(401, "account-required");
    fund.post("/v1/tips", &json!({ "month": "January", "usd": "10" }))
        .await
        .assert_problem(400, "account-invalid");
    fund.post("/v1/tips", &body).await.assert_problem(409, "month-open");
    stage.world.advance(Duration::from_secs(31 * 24 * 60 * 60));
    let shell = Shell::new(&stage.url);
    let said = async |args: &[&str]| {
        let mut command = tokio::process::Command::from(shell.command(args));
        command.env("GLASSBOX_ACCOUNT", &fund.token).output().await.unwrap()
    };
    // The purse has enough for one of the two; the other is told, and given once there is more.
    for (budget, other) in [("8", Some("company-refused")), ("50", None), ("50", None)] {
        operate(&stage, "/accounts/fund/budget", &json!({ "month_usd": budget })).await;
        let given = fund.post("/v1/tips", &body).await;
        assert_eq!(given.status, 200, "{}", given.text);
        let rows = given.json()["tips"].clone();
        assert_eq!((&rows[0]["package"], &rows[0]["calls"]), (&json!("shop:goods"), &json!(3)));
        assert_eq!((rows[1]["refused"].as_str(), rows.as_array().unwrap().len()), (other, 2));
        let usd = if other.is_some() { "0" } else { "2.5" };
        assert_eq!(rows[1]["charged"]["usd"], usd);
        let has_other = if other.is_some() { 0 } else { 2_500_000 };
        for (name, amount) in [("goods", 7_500_000), ("other", has_other), ("unused", 0)] {
            assert_eq!(earned(&stage, name).await, amount, "{name}: once");
        }
        // A later release changes nothing of what was decided.
        if let Some(code) = other {
            stage.publish(&next(&tipped("goods"))).await;
            let output = said(&["tip", "spread", &month, "10"]).await;
            assert_eq!(output.status.code(), Some(1), "not all of them are given");
            let told = String::from_utf8(output.stdout).unwrap();
            assert!(told.contains(&format!("nothing yet for shop:other: {code}")), "{told}");
        }
    }
    // The command says the same in the account's name.
    let output = said(&["tip", "spread", &month, "10", "--json"]).await;
    let given: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        (&given["tips"][0]["charged"]["usd"], output.status.code()),
        (&json!("7.5"), Some(0)),
        "{given}"
    );
    assert_eq!(earned(&stage, "goods").await, 7_500_000);
    assert_eq!(said(&["tip", "spread", &month, "20", "--json"]).await.status.code(), Some(1));
    // Another sum for the same month is another word for the same gifts, and refused.
    let other = json!({ "month": month, "usd": "20" });
    fund.post("/v1/tips", &other).await.assert_problem(409, "payment-bound");
    // Nothing was used before; and no purse gives more than it has.
    let nothing = fund.post("/v1/tips", &json!({ "month": "2020-02", "usd": "10" })).await;
    assert_eq!(nothing.json()["tips"], json!([]));
    let chargeback = ask(&stage, "/v1/operate/chargeback").await.json();
    assert_eq!(chargeback["total"]["usd"], "10");
    stage.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn gifts_are_a_part_of_what_the_account_spent_on_calls() {
    let stage = Stage::of_company("").await;
    stage.publish(&tipped("goods")).await;
    stage.publish(&tipped("other")).await;
    let (agent, fund) = (Agent::new(&stage, "ci-bot").await, Agent::new(&stage, "fund").await);
    let free = async |name: &str, n: u32| {
        let path = format!("/v1/call/shop/{name}/1.0.0/double");
        assert_eq!(agent.post(&path, &json!({ "args": [n] })).await.status, 200);
    };
    for n in 0..3 {
        free("goods", n).await;
    }
    free("other", 0).await;
    // 6,000 for calls, of which 1 goes back; what others spend, failures and a gift of its own are nothing of it.
    let mut calls = Vec::new();
    for n in 0..3 {
        calls.push(agent.call("double", n).await.json()["call"].as_str().unwrap().to_owned());
    }
    assert_eq!(agent.call("boom", 1).await.status, 422);
    assert_eq!(Agent::new(&stage, "lab").await.call("double", 4).await.status, 200);
    let gift = agent.post("/v1/packages/shop/other/1.0.0/tips", &json!({ "usd": "1" })).await;
    assert_eq!((gift.status, earned(&stage, "other").await), (200, 1_000_000), "{}", gift.text);
    let refund = async |call: &str, usd: &str| {
        let body = json!({ "call": call, "total_usd": usd, "reason": "a test" });
        assert_eq!(operate(&stage, "/refunds", &body).await.json()["total"]["usd"], usd);
    };
    refund(&calls[0], "0.000001").await;

    let month = stage.registry.month().to_string();
    let body = |percent: u32| json!({ "month": month, "percent": percent });
    agent.post("/v1/tips", &body(50)).await.assert_problem(409, "month-open");
    stage.world.advance(Duration::from_secs(31 * 24 * 60 * 60));
    for percent in [0, 101, 65_586] {
        agent.post("/v1/tips", &body(percent)).await.assert_problem(400, "amount-invalid");
    }
    for unclear in [json!({ "month": month }), json!({ "month": month, "percent": 50, "usd": "1" })] {
        agent.post("/v1/tips", &unclear).await.assert_problem(400, "body-invalid");
    }
    assert_eq!(fund.post("/v1/tips", &body(50)).await.json()["tips"], json!([]), "it spent nothing");
    // Half of 5,999, rounded down, by three calls and one; and again, whatever goes back since.
    for _ in 0..2 {
        let given = agent.post("/v1/tips", &body(50)).await.json();
        let charged = |row: usize| given["tips"][row]["charged"]["amount"].clone();
        assert_eq!((charged(0), charged(1)), (json!("2249"), json!("750")), "{given}");
        assert_eq!((earned(&stage, "goods").await, earned(&stage, "other").await), (2_249, 1_000_750));
        refund(&calls[1], "0.002").await;
    }
    agent.post("/v1/tips", &body(40)).await.assert_problem(409, "payment-bound");
    let sum = json!({ "month": month, "usd": "1" });
    agent.post("/v1/tips", &sum).await.assert_problem(409, "payment-bound");

    // The command asks for the same, and for one of the two.
    let shell = Shell::new(&stage.url);
    let said = async |args: &[&str]| {
        let mut command = tokio::process::Command::from(shell.command(args));
        command.env("GLASSBOX_ACCOUNT", &agent.token).output().await.unwrap()
    };
    let spread = ["tip", "spread", month.as_str(), "--percent", "50"];
    let output = said(&[&spread[..], &["--json"]].concat()).await;
    let given: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(given["tips"][0]["charged"]["usd"], "0.002249", "{given}");
    for wrong in [&["5", "--percent", "50"][..], &[], &["--percent", "0"], &["--percent", "101"]] {
        let output = said(&[&spread[..3], wrong].concat()).await;
        assert_eq!(output.status.code(), Some(2), "{wrong:?}");
    }
    assert_eq!(earned(&stage, "goods").await, 2_249, "once");
    stage.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tips_that_cannot_be_decided_are_decided_when_they_are_asked_for_again() {
    for moment in MOMENTS {
        let stage = Stage::of_company("budget.account-month = '50'").await;
        stage.publish(&tipped("goods")).await;
        let (agent, fund) = (Agent::new(&stage, "ci-bot").await, Agent::new(&stage, "fund").await);
        let path = "/v1/call/shop/goods/1.0.0/double";
        assert_eq!(agent.post(path, &json!({ "args": [1] })).await.status, 200);
        let body = json!({ "month": stage.registry.month().to_string(), "usd": "10" });
        stage.world.advance(Duration::from_secs(31 * 24 * 60 * 60));
        let given = stage.ask_twice("plan_tips", moment, async || fund.post("/v1/tips", &body).await).await;
        assert_eq!(given.json()["tips"][0]["charged"]["usd"], "10", "{}", given.text);
        assert_eq!(earned(&stage, "goods").await, 10_000_000, "{moment:?}: once");
        stage.assert_sound().await;
    }
}
