//! A company thanks whom it used, also for what costs nothing.

use glassbox_core::ledger::Account;
use glassbox_registry::PackageFiles;
use serde_json::{Value, json};

use super::{Agent, ask};
use crate::command::Shell;
use crate::economy::{PAYEE, goods};
use crate::stage::Stage;

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
    let body = json!({ "month": "2027-01", "usd": "10" });
    stage.post("/v1/tips", &body).await.assert_problem(401, "account-required");
    fund.post("/v1/tips", &json!({ "month": "January", "usd": "10" }))
        .await
        .assert_problem(400, "account-invalid");
    for _ in 0..2 {
        let given = fund.post("/v1/tips", &body).await;
        assert_eq!(given.status, 200, "{}", given.text);
        let rows = given.json()["tips"].clone();
        assert_eq!((&rows[0]["package"], &rows[0]["calls"]), (&json!("shop:goods"), &json!(3)));
        assert_eq!((&rows[1]["charged"]["usd"], rows.as_array().unwrap().len()), (&json!("2.5"), 2));
        for (name, amount) in [("goods", 7_500_000), ("other", 2_500_000), ("unused", 0)] {
            assert_eq!(earned(&stage, name).await, amount, "{name}: once");
        }
    }
    // The command says the same in the account's name.
    let shell = Shell::new(&stage.url);
    let said = async |args: &[&str]| {
        let mut command = tokio::process::Command::from(shell.command(args));
        command.env("GLASSBOX_ACCOUNT", &fund.token).output().await.unwrap()
    };
    let output = said(&["tip", "spread", "2027-01", "10", "--json"]).await;
    let given: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(given["tips"][0]["charged"]["usd"], "7.5", "{given}");
    assert_eq!(earned(&stage, "goods").await, 7_500_000);
    assert_eq!(said(&["tip", "spread", "2027-01", "20", "--json"]).await.status.code(), Some(1));
    // Another sum for the same month is another word for the same gifts, and refused.
    let other = json!({ "month": "2027-01", "usd": "20" });
    fund.post("/v1/tips", &other).await.assert_problem(409, "payment-bound");
    // Nothing was used in February; and no purse gives more than it has.
    let nothing = fund.post("/v1/tips", &json!({ "month": "2027-02", "usd": "10" })).await;
    assert_eq!(nothing.json()["tips"], json!([]));
    let chargeback = ask(&stage, "/v1/operate/chargeback").await.json();
    assert_eq!(chargeback["total"]["usd"], "10");
    stage.assert_sound().await;
}
