//! Budgets, invoices, prepaid credit and chargeback: to the unit, whoever races.

use std::time::Duration;

use glassbox_core::Atomic;
use glassbox_core::ledger::Account;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::{Agent, ask, operate, refused};
use crate::stage::{Stage, Sweep};

/// Has each of these accounts call once, at the same moment. Returns how many were answered; the others were refused by
/// `rule`.
async fn race(agents: &[Agent], rule: &'static str) -> u64 {
    let mut calls = JoinSet::new();
    for (n, agent) in agents.iter().cloned().enumerate() {
        calls.spawn(async move {
            let reply = agent.call("double", n as u32).await;
            match reply.status {
                200 => assert_eq!(reply.output(), json!(2 * n)),
                _ => drop(refused(&reply, rule)),
            }
            u64::from(reply.status == 200)
        });
    }
    calls.join_all().await.into_iter().sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_agents_that_race_for_one_budget_end_exactly_at_it() {
    // Seven calls, and half of one.
    for (policy, rule) in [
        ("cost-center.research.month = '0.015'", "cost-center.research.month"),
        ("budget.month = '0.015'", "budget.month"),
    ] {
        let stage = Stage::of_company(policy).await;
        let mut agents = Vec::new();
        for n in 0..50 {
            agents.push(Agent::new(&stage, &format!("agent-{n}")).await);
        }
        assert_eq!(race(&agents, rule).await, 7, "{rule}");
        let chargeback = ask(&stage, "/v1/operate/chargeback").await.json();
        assert_eq!(
            (&chargeback["total"]["usd"], chargeback["calls"].as_array().unwrap().len()),
            (&json!("0.014"), 7)
        );
        refused(&agents[0].call("double", 100).await, rule);
        assert_eq!(agents[0].call("gift", 1).await.status, 200, "what costs nothing goes on");
        // The next month has a budget of its own.
        stage.world.advance(Duration::from_secs(31 * 24 * 60 * 60));
        assert_eq!(agents[0].call("double", 100).await.status, 200);
        stage.assert_sound().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_keeps_within_its_own_budget_from_all_its_tokens() {
    let stage = Stage::of_company("budget.account-month = '0.004'").await;
    let agent = Agent::new(&stage, "ci-bot").await;
    let second = operate(&stage, "/accounts/ci-bot/tokens", &json!({})).await.json();
    let second = Agent { token: second["token"].as_str().unwrap().into(), ..agent.clone() };
    let both: Vec<Agent> = (0..20).map(|n| if n % 2 == 0 { agent.clone() } else { second.clone() }).collect();
    assert_eq!(race(&both, "budget.account-month").await, 2);
    // Failed work is given back, so it uses no budget.
    let raised = operate(&stage, "/accounts/ci-bot/budget", &json!({ "month_usd": "0.006" })).await.json();
    assert_eq!((&raised["month_usd"], &raised["spent_usd"]), (&json!("0.006"), &json!("0.004")));
    assert_eq!(agent.call("boom", 1).await.status, 422);
    assert_eq!(agent.call("double", 50).await.status, 200);
    refused(&agent.call("double", 51).await, "account.ci-bot.month");
    let own = agent.get("/v1/account").await.json();
    assert_eq!((&own["spent_usd"], &own["owed_usd"]), (&json!("0.006"), &json!("0.006")), "{own}");
    // A lower budget holds for the very next call.
    operate(&stage, "/accounts/ci-bot/budget", &json!({ "month_usd": "0" })).await;
    refused(&agent.call("double", 52).await, "account.ci-bot.month");
    operate(&stage, "/accounts/ci-bot/budget", &json!({ "month_usd": null })).await;
    refused(&agent.call("double", 53).await, "budget.account-month");
    operate(&stage, "/accounts/nobody/budget", &json!({ "month_usd": "1" }))
        .await
        .assert_problem(404, "account-not-found");
    stage.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_by_invoice_credits_the_payees_and_is_paid_out_once_it_is_settled() {
    let stage = Stage::of_company("").await;
    let agent = Agent::new(&stage, "ci-bot").await;
    for n in 0..3 {
        let reply = agent.call("double", n).await;
        assert_eq!(reply.output(), json!(2 * n));
        let paid = reply.receipt().1.payment.unwrap();
        assert_eq!(
            (paid.scheme.as_str(), paid.payer.as_str(), paid.amount),
            ("invoice", "account:ci-bot", Atomic(2_000))
        );
    }
    let balance = async |account: Account| stage.store().balance(&account).await.unwrap();
    let payer = balance(Account::Payer("account:ci-bot".into())).await;
    assert_eq!((payer.debits, payer.credits), (Atomic(6_000).to_pico(), Atomic(6_000).to_pico()));
    assert_eq!(agent.standing(&stage).await.owed, Atomic(6_000).to_pico());
    assert_eq!(stage.payments().await, 0, "no chain was asked");
    let earned: u128 =
        stage.registry.earnings(Default::default()).await.unwrap().iter().map(|row| row.amount.0).sum();
    assert_eq!(earned, Atomic(6_000).to_pico().0);
    assert_eq!(stage.store().payable().await.unwrap(), [], "nothing of it came in yet");

    let settle =
        async |month: &str| operate(&stage, "/accounts/ci-bot/settlement", &json!({ "month": month })).await;
    let month = stage.registry.month().to_string();
    settle(&month).await.assert_problem(409, "month-open");
    settle("2027").await.assert_problem(400, "account-invalid");
    stage.world.advance(Duration::from_secs(31 * 24 * 60 * 60));
    agent.call("double", 9).await.output();
    let settled = settle(&month).await.json();
    assert_eq!((&settled["settled"]["usd"], &settled["calls"]), (&json!("0.006"), &json!(3)));
    assert_eq!(settle(&month).await.json()["calls"], 0, "settled once");
    assert_eq!(agent.standing(&stage).await.owed, Atomic(2_000).to_pico(), "this month's call is open");
    let payable: u128 = stage.store().payable().await.unwrap().iter().map(|(_, pico)| pico.0).sum();
    assert_eq!(payable, Atomic(6_000).to_pico().0);
    operate(&stage, "/accounts/ci-bot/credit", &json!({ "id": "1", "usd": "1" }))
        .await
        .assert_problem(409, "account-pays-otherwise");
    stage.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_went_back_is_taken_off_the_invoice_once() {
    let stage = Stage::of_company("").await;
    let agent = Agent::new(&stage, "ci-bot").await;
    let mut calls = Vec::new();
    for n in 0..3 {
        calls.push(agent.call("double", n).await.json()["call"].as_str().unwrap().to_owned());
    }
    let refund = async |call: &str| {
        let refunded = operate(&stage, "/refunds", &json!({ "call": call, "reason": "a test" })).await;
        assert_eq!(refunded.json()["total"]["usd"], "0.002", "{}", refunded.text);
    };
    let owed = async || agent.standing(&stage).await.owed.0 / 1_000_000;
    for _ in 0..2 {
        refund(&calls[0]).await;
    }
    assert_eq!(owed().await, 4_000);
    let settle = async |month: &str| {
        let settled = operate(&stage, "/accounts/ci-bot/settlement", &json!({ "month": month })).await.json();
        (settled["settled"]["usd"].as_str().unwrap().to_owned(), settled["calls"].as_u64().unwrap())
    };
    let first = stage.registry.month().to_string();
    stage.world.advance(Duration::from_secs(31 * 24 * 60 * 60));
    let second = stage.registry.month().to_string();
    for n in 3..5 {
        agent.call("double", n).await.output();
    }
    assert_eq!(settle(&first).await, ("0.004".into(), 3));
    assert_eq!((settle(&first).await, owed().await), (("0".into(), 0), 4_000));
    // What goes back of what was settled comes off what is settled next.
    refund(&calls[1]).await;
    assert_eq!(owed().await, 2_000);
    stage.world.advance(Duration::from_secs(31 * 24 * 60 * 60));
    assert_eq!(settle(&second).await, ("0.002".into(), 2));
    assert_eq!(owed().await, 0);
    let payable: u128 = stage.store().payable().await.unwrap().iter().map(|(_, pico)| pico.0).sum();
    assert_eq!(payable, Atomic(6_000).to_pico().0, "what was paid in");
    stage.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_went_back_is_in_its_budgets_again_and_charged_back_to_nobody() {
    let policy =
        "budget.account-month = '0.004'\nbudget.month = '0.004'\ncost-center.research.month = '0.004'";
    let stage = Stage::of_company(policy).await;
    let agent = Agent::new(&stage, "ci-bot").await;
    let mut calls = Vec::new();
    for n in 0..2 {
        calls.push(agent.call("double", n).await.json()["call"].as_str().unwrap().to_owned());
    }
    assert_eq!(agent.call("double", 9).await.status, 403, "all is spent");
    for total in ["0.0005", "0.0005", "0.002"] {
        let body = json!({ "call": calls[0], "total_usd": total, "reason": "a test" });
        assert_eq!(operate(&stage, "/refunds", &body).await.status, 200);
        let spent = if total == "0.002" { 2_000 } else { 3_500 };
        assert_eq!(agent.standing(&stage).await.spent, Atomic(spent), "{total}");
        let chargeback = ask(&stage, "/v1/operate/chargeback").await.json();
        let charged = |row: &Value| row["charged"]["amount"].as_str().unwrap().parse::<u128>().unwrap();
        let rows = chargeback["calls"].as_array().unwrap();
        assert_eq!(chargeback["total"]["amount"], spent.to_string(), "{total}");
        assert_eq!(chargeback["sums"].as_array().unwrap().iter().map(charged).sum::<u128>(), spent);
        assert_eq!((charged(&rows[0]), charged(&rows[1])), (spent - 2_000, 2_000), "{total}");
    }
    // All three budgets have room for one call more, and for no second one.
    assert_eq!(agent.call("double", 10).await.status, 200);
    assert_eq!(agent.call("double", 11).await.status, 403);
    stage.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_prepaid_account_spends_what_was_paid_in() {
    let stage = Stage::of_company("").await;
    let lab = Agent::with(&stage, &json!({ "name": "lab", "cost_center": "it", "paying": "prepaid" })).await;
    refused(&lab.call("double", 1).await, "account.prepaid");
    let pay_in = json!({ "id": "transfer-1", "usd": "0.005", "reference": "4711" });
    for _ in 0..2 {
        let account = operate(&stage, "/accounts/lab/credit", &pay_in).await.json();
        assert_eq!(account["available_usd"], "0.005", "the same booking again is booked once");
    }
    let agents = vec![lab.clone(); 20];
    assert_eq!(race(&agents, "account.prepaid").await, 2);
    let reply = operate(&stage, "/accounts/lab/credit", &json!({ "id": "transfer-2", "usd": "1" })).await;
    assert_eq!(reply.json()["available_usd"], "1.001");
    let paid = lab.call("double", 33).await.receipt().1.payment.unwrap();
    assert_eq!((paid.scheme.as_str(), paid.payer.as_str()), ("prepaid", "account:lab"));
    assert!(!stage.store().payable().await.unwrap().is_empty(), "what was paid in can be paid out");
    for usd in ["0", "10001", "-1"] {
        let reply = operate(&stage, "/accounts/lab/credit", &json!({ "id": usd, "usd": usd })).await;
        reply.assert_problem(400, "amount-invalid");
    }
    operate(&stage, "/accounts/lab/settlement", &json!({ "month": "2026-01" }))
        .await
        .assert_problem(409, "account-pays-otherwise");
    stage.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_call_is_charged_back_with_the_receipt_that_proves_it() {
    let stage = Stage::of_company("cost-center.research.month = '1'\ncost-center.it.month = '1'").await;
    let agent = Agent::new(&stage, "ci-bot").await;
    let ana = Agent::with(&stage, &json!({ "name": "ana", "kind": "person", "cost_center": "it" })).await;
    let replies = [agent.call("double", 1).await, ana.call("double", 2).await, agent.call("gift", 3).await];
    assert_eq!(agent.call("boom", 4).await.status, 422);
    let again = agent.call_as("double", 5, "job-17").await;
    assert_eq!(agent.call_as("double", 5, "job-17").await.json()["call"], again.json()["call"]);
    agent.call_as("double", 6, "job-17").await.assert_problem(409, "payment-bound");

    let whole = ask(&stage, "/v1/operate/chargeback").await.json();
    assert_eq!(whole["total"]["usd"], "0.006");
    let sums: Vec<_> = whole["sums"]
        .as_array()
        .unwrap()
        .iter()
        .map(|sum| {
            (
                sum["cost_center"].clone(),
                sum["account"].clone(),
                sum["calls"].clone(),
                sum["charged"]["usd"].clone(),
            )
        })
        .collect();
    let sum = |cost_center: &str, account: &str, calls: u32, usd: &str| {
        (json!(cost_center), json!(account), json!(calls), json!(usd))
    };
    assert_eq!(sums, [sum("it", "ana", 1, "0.002"), sum("research", "ci-bot", 4, "0.004")]);
    let rows = whole["calls"].as_array().unwrap();
    let charged: Vec<_> = rows.iter().map(|row| row["charged"]["usd"].clone()).collect();
    assert_eq!(charged, ["0.002", "0.002", "0", "0", "0.002"]);
    for (reply, row) in replies.iter().zip(rows) {
        let (bundle, receipt) = reply.receipt();
        let digest = bundle.receipt.payload_digest().unwrap().to_string();
        assert_eq!((&row["call"], &row["receipt"]), (&json!(receipt.call), &json!(digest)));
        assert_eq!(row["release"], "lab:bench@1.0.0");
    }
    let after = rows[3]["number"].as_i64().unwrap();
    let rest = ask(&stage, &format!("/v1/operate/chargeback?after={after}")).await.json();
    assert_eq!((rest["calls"].as_array().unwrap().len(), &rest["calls"][0]), (1, &rows[4]));
    assert_eq!(ask(&stage, "/v1/operate/chargeback?month=2026-01").await.json()["sums"], json!([]));
    ask(&stage, "/v1/operate/chargeback?month=2026").await.assert_problem(400, "account-invalid");
    assert_eq!(agent.get("/v1/operate/chargeback").await.code(), "operator-only");
    stage.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn accounts_are_opened_once_and_by_what_the_policy_knows() {
    let stage = Stage::of_company("cost-center.research.month = '1'").await;
    let account = |changes: Value| {
        let mut account = json!({ "name": "ci-bot", "cost_center": "research" });
        account.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        account
    };
    for _ in 0..2 {
        assert_eq!(operate(&stage, "/accounts", &account(json!({}))).await.status, 200);
    }
    for (changes, status, code) in [
        (json!({ "kind": "person" }), 409, "account-exists"),
        (json!({ "name": "x", "cost_center": "resaerch" }), 400, "cost-center-unknown"),
        (json!({ "name": "x", "approves": true }), 400, "account-invalid"),
        (json!({ "name": "X" }), 400, "account-invalid"),
        (json!({ "name": "=1" }), 400, "account-invalid"),
        (json!({ "name": "x", "paying": "later" }), 400, "account-invalid"),
        (json!({ "name": "x", "month_usd": "1e3" }), 400, "amount-invalid"),
        (json!({ "name": "x", "budget": "1" }), 400, "body-invalid"),
    ] {
        operate(&stage, "/accounts", &account(changes)).await.assert_problem(status, code);
    }
    let listed = ask(&stage, "/v1/operate/accounts").await.json();
    assert_eq!(listed["accounts"].as_array().unwrap().len(), 1);
    let reply = operate(&stage, "/accounts/ci-bot/tokens", &json!({ "label": "a\nb" })).await;
    reply.assert_problem(400, "account-invalid");
    for _ in 0..glassbox_core::limits::ACCOUNT_TOKENS_MAX {
        assert_eq!(operate(&stage, "/accounts/ci-bot/tokens", &json!({})).await.status, 200);
    }
    let reply = operate(&stage, "/accounts/ci-bot/tokens", &json!({})).await;
    reply.assert_problem(409, "account-tokens-full");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_power_cut_leaves_is_taken_up() {
    let stage = Stage::of_company("").await;
    let agent = Agent::new(&stage, "ci-bot").await;
    agent.call("double", 1).await.output();
    let stage = stage.reopen(Sweep::Off).await;
    let agent = agent.at(&stage);
    agent.call("double", 2).await.output();
    assert_eq!(agent.standing(&stage).await.spent, Atomic(4_000));
    stage.assert_sound().await;
}
