//! What an account pays is its own price: its rules, budgets and approvals see that one.

use std::time::Duration;

use glassbox_core::Atomic;
use serde_json::{Value, json};

use super::{Agent, ask, refused};
use crate::buyer::Reply;
use crate::economy::{path, priced};
use crate::stage::{OPERATOR, Stage, Sweep};

const LICENSES: &str = "/v1/packages/shop/goods/1.0.0/licenses";

async fn stage_with(policy: &str, prices: &str) -> Stage {
    let stage = Stage::of_company(policy).await;
    stage.publish(&priced(prices)).await;
    stage
}

async fn call(agent: &Agent, n: u32) -> Reply {
    agent.post(&path("double"), &json!({ "args": [n] })).await
}

/// Calls, and returns what it cost.
async fn pays(agent: &Agent, n: u32) -> Atomic {
    let reply = call(agent, n).await;
    assert_eq!(reply.output(), json!(2 * n));
    reply.receipt().1.charge.amount
}

#[tokio::test(flavor = "multi_thread")]
async fn free_units_are_an_accounts_own_and_ask_for_no_budget() {
    let prices = "[[price]]\nid = \"each\"\nunit = \"call\"\namount = \"0.002\"\nfree = { quantity = 2 }\n";
    let stage = stage_with("allow.price = '0.001'\nbudget.month = '0'\napproval.above = '0'", prices).await;
    let [ana, ben] = [Agent::new(&stage, "ana").await, Agent::new(&stage, "ben").await];
    for (n, used) in [(1, 0), (2, 1)] {
        // What fails uses nothing.
        let failed = ana.post(&path("boom"), &json!({ "args": [n] })).await;
        failed.assert_problem(422, "guest-failed");
        let (_, receipt) = call(&ana, n).await.receipt();
        assert_eq!((receipt.charge.amount, receipt.account.used["each"]), (Atomic(0), used));
        assert!(receipt.payment.is_none());
    }
    refused(&call(&ana, 3).await, "allow.price");
    assert_eq!(pays(&ben, 1).await, Atomic(0));
    let chargeback = ask(&stage, "/v1/operate/chargeback").await.json();
    assert_eq!(
        (&chargeback["total"]["usd"], chargeback["calls"].as_array().unwrap().len()),
        (&json!("0"), 5)
    );
    // Counted with the record of the call, so that a restart forgets none.
    let stage = stage.reopen(Sweep::Off).await;
    refused(&call(&ana.at(&stage), 3).await, "allow.price");
    stage.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_budget_reaches_as_far_as_the_accounts_tier_says() {
    let prices = "[[price]]\nid = \"each\"\nunit = \"call\"\namount = \"0.002\"\n\
         tiers = { mode = \"graduated\", steps = [{ up-to = 2, amount = \"0.002\" }, { amount = \"0.001\" }] }\n";
    let stage = stage_with("budget.account-month = '0.006'", prices).await;
    let ana = Agent::new(&stage, "ana").await;
    for (n, cost) in [(1, 2_000), (2, 2_000), (3, 1_000), (4, 1_000)] {
        assert_eq!(pays(&ana, n).await, Atomic(cost), "call {n}");
    }
    let problem = refused(&call(&ana, 5).await, "budget.account-month");
    assert!(problem["detail"].as_str().unwrap().contains("may cost $0.001"), "{problem}");
    stage.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_approved_for_less_is_asked_again() {
    // The clock of the stage stands at 08:00.
    let prices = "[[price]]\nid = \"each\"\nunit = \"call\"\namount = \"0.01\"\n\
         [[discount]]\nprice = \"each\"\npercent = 40\nwindow = \"06:00-10:00Z\"\n";
    let stage = stage_with("approval.above = '0.005'", prices).await;
    let ana = Agent::new(&stage, "ana").await;
    let waits = async |most: &str| {
        let problem = refused(&call(&ana, 1).await, "approval.above");
        assert!(problem["detail"].as_str().unwrap().contains(most), "{problem}");
        problem["approval"]["id"].as_str().unwrap_or_else(|| panic!("{problem}")).to_owned()
    };
    let approve = async |id: &str| {
        let request = stage.http.post(format!("{}/v1/approvals/{id}", stage.url));
        let request = request.bearer_auth(OPERATOR).json(&json!({ "approve": true }));
        assert_eq!(request.send().await.unwrap().status(), 200);
    };
    let early = waits("$0.006").await;
    approve(&early).await;
    stage.world.advance(Duration::from_secs(3 * 3_600));
    let late = waits("$0.01").await;
    assert_ne!(early, late);
    approve(&late).await;
    assert_eq!(pays(&ana, 1).await, Atomic(10_000));
    stage.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_is_bought_within_the_rules_and_found_by_the_calls_of_its_account() {
    let prices = "[[price]]\nid = \"each\"\nunit = \"call\"\namount = \"0.01\"\n\
         [[plan]]\nid = \"team\"\namount = \"2\"\nunit = \"seat\"\nincludes = [\"execute:*\"]\nquota = { calls = 1 }\n\
         [tips]\naccept = true\n";
    let policy = "allow.price = '2'\nbudget.month = '3'\naccount.intern.allow.packages = []";
    let stage = stage_with(policy, prices).await;
    let [ana, intern] = [Agent::new(&stage, "ana").await, Agent::new(&stage, "intern").await];
    let team = |seats: u32| json!({ "item": "plan:team", "units": seats });
    stage.post(LICENSES, &team(1)).await.assert_problem(401, "account-required");
    refused(&intern.post(LICENSES, &team(1)).await, "account.intern.allow.packages");
    refused(&ana.post(LICENSES, &team(2)).await, "allow.price");
    let bought = ana.post(LICENSES, &team(1)).await;
    assert_eq!(bought.status, 200, "{}", bought.text);
    assert_eq!(bought.json()["charged"]["usd"], "2");
    for (n, cost) in [(1, 0), (2, 10_000)] {
        assert_eq!(pays(&ana, n).await, Atomic(cost), "call {n}");
    }
    refused(&ana.post(LICENSES, &team(1)).await, "budget.month");
    let tip = async |agent: &Agent, usd: &str| -> Reply {
        agent.post("/v1/packages/shop/goods/1.0.0/tips", &json!({ "usd": usd })).await
    };
    refused(&tip(&intern, "0.5").await, "account.intern.allow.packages");
    refused(&tip(&ana, "2.5").await, "allow.price");
    assert_eq!(tip(&ana, "0.5").await.status, 200);
    let spent: Value = ana.get("/v1/account").await.json();
    assert_eq!(spent["spent_usd"], "2.51");
    let chargeback = ask(&stage, "/v1/operate/chargeback").await.json();
    assert_eq!(chargeback["total"]["usd"], "2.51");
    stage.assert_sound().await;
}
