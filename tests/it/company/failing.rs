//! Every write of a company's registry fails once, before it happened and after. Whoever asks again ends where they would
//! have: charged once at most, approved once, booked once.

use std::time::Duration;

use glassbox_core::Atomic;
use glassbox_store::Moment;
use serde_json::{Value, json};

use super::{Agent, ask, new_account, operate, refused};
use crate::buyer::Reply;
use crate::stage::{MOMENTS, Stage, Sweep, until};

/// Asks the same as long as the answer is missing.
async fn insist(ask: impl AsyncFn() -> Reply) -> Reply {
    until("an answer", async || {
        let reply = ask().await;
        (reply.status != 500 && reply.status != 503).then_some(reply)
    })
    .await
}

async fn rows(stage: &Stage) -> Vec<Value> {
    ask(stage, "/v1/operate/chargeback").await.json()["calls"].as_array().unwrap().clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_of_a_call_that_fails_charges_its_account_once() {
    for paying in ["invoice", "prepaid"] {
        for verb in ["hold_call", "post_held_call", "mark_delivered"] {
            for moment in MOMENTS {
                for restart in [false, true] {
                    let case = format!("{paying}: {verb} {moment:?}, restart: {restart}");
                    // A budget for this one call, which therefore must not be used up by what came to nothing.
                    let policy = "approval.above = '0.001'\nbudget.account-month = '0.002'";
                    let stage = Stage::of_company(policy).await;
                    let account = json!({ "name": "ci-bot", "cost_center": "it", "paying": paying });
                    let agent = Agent::with(&stage, &account).await;
                    if paying == "prepaid" {
                        operate(&stage, "/accounts/ci-bot/credit", &json!({ "id": "1", "usd": "0.002" }))
                            .await;
                    }
                    let waits = refused(&agent.call_as("double", 21, "job").await, "approval.above");
                    let path = format!("/v1/approvals/{}", waits["approval"]["id"].as_str().unwrap());
                    let approving =
                        stage.http.post(format!("{}{path}", stage.url)).json(&json!({ "approve": true }));
                    let approved = approving.bearer_auth(crate::stage::OPERATOR).send().await.unwrap();
                    assert_eq!(approved.status(), 200, "{case}");

                    stage.inject(verb, moment);
                    let reply = agent.call_as("double", 21, "job").await;
                    if reply.status != 200 {
                        assert_eq!((reply.status, reply.code().as_str()), (500, "internal"), "{case}");
                    }
                    let stage = if restart { stage.reopen(Sweep::Off).await } else { stage };
                    let agent = agent.at(&stage);
                    let reply = insist(async || agent.call_as("double", 21, "job").await).await;
                    assert_eq!(reply.output(), json!(42), "{case}");
                    assert_eq!(stage.store().faults_waiting(), 0, "{case}");
                    let standing = agent.standing(&stage).await;
                    assert_eq!(standing.spent, Atomic(2_000), "{case}");
                    let rows = rows(&stage).await;
                    assert_eq!(
                        (rows.len(), &rows[0]["call"]),
                        (1, &reply.json()["call"]),
                        "{case}: {rows:?}"
                    );
                    stage.assert_sound().await;
                    // And the next is one too many.
                    refused(&agent.call_as("double", 1, "more").await, "budget.account-month");
                }
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_comes_to_nothing_gives_all_back_whatever_fails() {
    for verb in ["void_call", "release_call"] {
        for moment in MOMENTS {
            let case = format!("{verb} {moment:?}");
            let stage = Stage::of_company("budget.account-month = '0.002'").await;
            let agent = Agent::new(&stage, "ci-bot").await;
            stage.inject(verb, moment);
            if verb == "release_call" {
                // A hold that is left by itself is let go of.
                stage.inject("hold_call", Moment::After);
            }
            let reply = agent.call_as("boom", 1, "job").await;
            assert!([422, 500].contains(&reply.status), "{case}: {}", reply.text);
            let reply = insist(async || agent.call_as("boom", 1, "job").await).await;
            assert_eq!(
                (reply.status, &reply.json()["charged"]),
                (422, &json!("0")),
                "{case}: {}",
                reply.text
            );
            assert_eq!(agent.standing(&stage).await.spent, Atomic::ZERO, "{case}");
            assert_eq!(agent.call("double", 4).await.output(), json!(8), "{case}");
            assert_eq!(rows(&stage).await.len(), 2, "{case}");
            stage.assert_sound().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_free_call_that_cannot_be_written_down_is_not_answered() {
    for (moment, noted) in [(Moment::Before, 1), (Moment::After, 2)] {
        let stage = Stage::of_company("").await;
        let agent = Agent::new(&stage, "ci-bot").await;
        stage.inject("note_use", moment);
        let reply = agent.call("gift", 1_234_567).await;
        assert_eq!((reply.status, reply.code().as_str()), (500, "internal"));
        assert!(!reply.text.contains("2469134"), "{}", reply.text);
        assert_eq!(agent.call("gift", 1_234_567).await.output(), json!(2_469_134));
        assert_eq!(rows(&stage).await.len(), noted, "{moment:?}");
        stage.assert_sound().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_operator_asks_for_is_done_once_however_often_it_is_asked() {
    for moment in MOMENTS {
        let stage = Stage::of_company("approval.above = '0.003'").await;
        let failing = async |verb: &str, path: &str, body: Value| {
            stage.ask_twice(verb, moment, async || operate(&stage, path, &body).await).await
        };
        let account = json!({ "name": "ci-bot", "cost_center": "it" });
        assert_eq!(failing("open_account", "/accounts", account).await.status, 200);
        assert_eq!(ask(&stage, "/v1/operate/accounts").await.json()["accounts"].as_array().unwrap().len(), 1);
        let budget =
            failing("set_budget", "/accounts/ci-bot/budget", json!({ "month_usd": "1" })).await.json();
        assert_eq!(budget["month_usd"], "1");

        // A token whose text got lost opens nothing for anybody, and shows.
        let made = failing("add_account_token", "/accounts/ci-bot/tokens", json!({})).await.json();
        let tokens = ask(&stage, "/v1/operate/accounts/ci-bot/tokens").await.json();
        let count = if moment == Moment::After { 2 } else { 1 };
        assert_eq!(tokens["tokens"].as_array().unwrap().len(), count);
        let token = made["token"].as_str().unwrap().to_owned();
        let agent = Agent { url: stage.url.clone(), http: stage.http.clone(), name: "ci-bot".into(), token };
        assert_eq!(agent.call("double", 1).await.status, 200);

        let lab = json!({ "name": "lab", "cost_center": "it", "paying": "prepaid" });
        operate(&stage, "/accounts", &lab).await;
        let paid_in =
            failing("post_transfer", "/accounts/lab/credit", json!({ "id": "1", "usd": "2" })).await;
        assert_eq!(paid_in.json()["available_usd"], "2");

        let month = stage.registry.month().to_string();
        stage.world.advance(Duration::from_secs(31 * 24 * 60 * 60));
        let settled =
            failing("settle_account", "/accounts/ci-bot/settlement", json!({ "month": month })).await;
        let calls = if moment == Moment::After { 0 } else { 1 };
        assert_eq!(settled.json()["calls"], calls, "what was settled is not settled again");
        assert_eq!(agent.standing(&stage).await.owed.0, 0);

        let id = made["id"].as_str().unwrap();
        let revoke = format!("/accounts/ci-bot/tokens/{id}/revoke");
        assert_eq!(failing("revoke_account_token", &revoke, json!({})).await.status, 204);
        agent.call("double", 2).await.assert_problem(401, "account-refused");
        assert_eq!(failing("close_account", "/accounts/ci-bot/close", json!({})).await.status, 200);
        stage.assert_sound().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_decision_that_fails_half_way_is_decided_once() {
    for moment in MOMENTS {
        let stage = Stage::of_company("approval.above = '0.001'").await;
        let agent = Agent::new(&stage, "ci-bot").await;
        let waits = refused(&agent.call("double", 21).await, "approval.above");
        let path = format!("{}/v1/approvals/{}", stage.url, waits["approval"]["id"].as_str().unwrap());
        let decide = async |approve: bool| {
            let request = stage.http.post(&path).json(&json!({ "approve": approve }));
            Reply::of(request.bearer_auth(crate::stage::OPERATOR).send().await.unwrap()).await
        };
        stage.inject("decide_approval", moment);
        assert_eq!(decide(true).await.status, 500);
        let again = decide(true).await.json();
        assert_eq!((&again["state"], &again["decided_by"]), (&json!("approved"), &json!("operator")));
        decide(false).await.assert_problem(409, "approval-decided");
        assert_eq!(agent.call("double", 21).await.output(), json!(42));
        stage.assert_sound().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn too_many_that_wait_are_refused_and_make_nothing_more() {
    let stage = Stage::of_company("approval.above = '0'").await;
    let agent = Agent::new(&stage, "ci-bot").await;
    let most = glassbox_core::limits::APPROVALS_WAITING_MAX as u32;
    for n in 0..most {
        assert!(refused(&agent.call("double", n).await, "approval.above")["approval"].is_object());
    }
    assert!(refused(&agent.call("double", most).await, "approval.above").get("approval").is_none());
    assert!(
        refused(&agent.call("double", 0).await, "approval.above")["approval"].is_object(),
        "known ones are"
    );
    let listed = agent.get("/v1/approvals").await.json();
    assert_eq!(listed["approvals"].as_array().unwrap().len(), most as usize);
    stage.registry.open_account(new_account("other")).await.unwrap();
}
