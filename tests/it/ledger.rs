//! The operator's view: audits, statements, payouts. And nobody else's.

use glassbox_core::ledger::{Account, Kind};
use glassbox_pay::faults::MoveFault;
use glassbox_store::Moment;
use serde_json::{Value, json};

use crate::buyer::{Reply, bench};
use crate::stage::{OPERATOR, Stage, Sweep, wallet};

async fn operate(stage: &Stage, path: &str, body: Option<&Value>) -> Reply {
    let url = format!("{}{path}", stage.url);
    let request = match body {
        Some(body) => stage.http.post(url).json(body),
        None => stage.http.get(url),
    };
    Reply::of(request.bearer_auth(OPERATOR).send().await.unwrap()).await
}

/// Sells a call by each of three payers.
async fn sell(stage: &Stage) {
    for name in ["ana", "bo", "cy"] {
        let buyer = stage.buyer(name, 1).await;
        buyer.pay(&bench("double"), json!([21]), name).await.output();
    }
}

/// The payees of the bench package, seventy to thirty, and where they want to be paid.
fn addresses() -> Value {
    json!({
        "acct:ana@lab.example": wallet("ana's").address().to_string(),
        "acct:ben@lab.example": wallet("ben's").address().to_string(),
    })
}

/// What ana, ben and the operator have on the chain.
async fn paid(stage: &Stage) -> [u128; 3] {
    let mut paid = [0; 3];
    for (paid, name) in paid.iter_mut().zip(["ana's", "ben's", "boss"]) {
        *paid = stage.balance(wallet(name).address()).await;
    }
    paid
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_operator_is_let_in() {
    let stage = Stage::new().await;
    for (path, body) in [
        ("/v1/operate/audit", None),
        ("/v1/operate/statement", None),
        ("/v1/operate/payouts", Some(json!({ "threshold_usd": "0" }))),
        ("/v1/operate/claims", Some(json!({}))),
        ("/v1/operate/credit", Some(json!({ "usd": "5" }))),
    ] {
        let url = format!("{}{path}", stage.url);
        for token in ["", "gbo_", "gbo_stagee", "gbt_stage"] {
            let request = match &body {
                Some(body) => stage.http.post(&url).json(body),
                None => stage.http.get(&url),
            };
            let reply = Reply::of(request.bearer_auth(token).send().await.unwrap()).await;
            reply.assert_problem(401, "operator-only");
        }
        assert_eq!(operate(&stage, path, body.as_ref()).await.status, 200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_audit_compares_every_transaction_and_a_statement_shows_it() {
    let stage = Stage::new().await;
    sell(&stage).await;
    let audit = operate(&stage, "/v1/operate/audit", None).await.json();
    assert_eq!((&audit["findings"], &audit["transactions"]), (&json!([]), &json!(3)), "{audit}");
    assert_eq!((&audit["booked_usd"], &audit["held_usd"]), (&json!("0.006"), &json!("0.006")));

    let statement = operate(&stage, "/v1/operate/statement?account=operator", None).await.json();
    assert_eq!((&statement["credits_usd"], &statement["debits_usd"]), (&json!("0.0003"), &json!("0")));
    assert_eq!(statement["transfers"].as_array().unwrap().len(), 3);
    let all = operate(&stage, "/v1/operate/statement", None).await.json();
    let rows = all["transfers"].as_array().unwrap();
    assert!(rows.iter().filter(|row| row["kind"] == "deposit").all(|row| row["transaction"].is_string()));
    let after = rows[rows.len() - 2]["id"].to_string();
    let last = operate(&stage, &format!("/v1/operate/statement?after={after}"), None).await.json();
    assert_eq!(last["transfers"].as_array().unwrap().len(), 1);
    operate(&stage, "/v1/operate/statement?account=bank:x", None)
        .await
        .assert_problem(400, "account-invalid");

    // Money that nobody booked shows.
    stage.devnet().faucet(stage.devnet().treasury(), glassbox_core::Atomic(5)).await.unwrap();
    let audit = operate(&stage, "/v1/operate/audit", None).await.json();
    assert_eq!(audit["findings"][0]["kind"], "transaction", "{audit}");
    assert_eq!(
        (&audit["findings"][0]["booked"], &audit["findings"][0]["moved"]),
        (&json!(0), &json!(5_000_000))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn earnings_are_paid_out_once_and_in_one_transaction() {
    let stage = Stage::new().await;
    sell(&stage).await;
    let mut addresses = addresses();
    addresses["operator"] = json!(wallet("boss").address().to_string());
    let request = |threshold: &str, dry_run: bool| json!({ "addresses": addresses, "threshold_usd": threshold, "dry_run": dry_run });
    let dry = operate(&stage, "/v1/operate/payouts", Some(&request("0", true))).await.json();
    assert_eq!((&dry["total"]["amount"], &dry["transaction"]), (&json!("6000"), &Value::Null), "{dry}");
    assert_eq!(paid(&stage).await, [0, 0, 0], "a dry run pays nothing");
    let dear = operate(&stage, "/v1/operate/payouts", Some(&request("0.001", false))).await.json();
    assert_eq!(dear["total"]["amount"], "5700", "{dear}");
    let waits: Vec<&Value> = dear["payouts"].as_array().unwrap().iter().map(|row| &row["waits"]).collect();
    assert!(waits.contains(&&json!("it is below the threshold")), "{dear}");
    assert_eq!(paid(&stage).await, [3_990, 1_710, 0]);
    let payouts = stage.devnet().transfers().await.unwrap();
    let payouts: Vec<_> = payouts.iter().filter(|event| event.from == stage.devnet().treasury()).collect();
    assert_eq!((payouts.len(), payouts[0].transaction), (2, payouts[1].transaction), "one transaction");
    let rest = operate(&stage, "/v1/operate/payouts", Some(&request("0", false))).await.json();
    assert_eq!(rest["total"]["amount"], "300", "{rest}");
    let none = operate(&stage, "/v1/operate/payouts", Some(&request("0", false))).await.json();
    assert_eq!((&none["total"]["amount"], none["payouts"].as_array().unwrap().len()), (&json!("0"), 0));
    assert_eq!(paid(&stage).await, [3_990, 1_710, 300]);
    stage.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_no_address_waits_and_loses_nothing() {
    let stage = Stage::new().await;
    sell(&stage).await;
    let request = json!({ "threshold_usd": "0" });
    let answer = operate(&stage, "/v1/operate/payouts", Some(&request)).await.json();
    assert_eq!(answer["total"]["amount"], "0", "{answer}");
    let rows = answer["payouts"].as_array().unwrap();
    assert!(rows.iter().all(|row| row["waits"] == "its address is not known"), "{answer}");
    let wrong = json!({ "threshold_usd": "0", "addresses": { "operator": "0x12" } });
    operate(&stage, "/v1/operate/payouts", Some(&wrong)).await.assert_problem(400, "address-invalid");
    stage.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payout_survives_lost_answers_and_crashes() {
    for fault in ["unknown before", "unknown after", "owe_all before", "post_run before", "post_run after"] {
        let stage = Stage::without_sweep().await;
        sell(&stage).await;
        let request = json!({ "addresses": addresses(), "threshold_usd": "0" });
        match fault {
            "unknown before" => stage.rail.next_pay_out(MoveFault::UnknownBefore),
            "unknown after" => stage.rail.next_pay_out(MoveFault::UnknownAfter),
            written => {
                let (verb, moment) = written.split_once(' ').unwrap();
                let moment = if moment == "before" { Moment::Before } else { Moment::After };
                stage.inject(verb, moment);
            }
        }
        let _ = operate(&stage, "/v1/operate/payouts", Some(&request)).await;
        let stage = stage.reopen(Sweep::Off).await;
        stage.registry.reconcile().await;
        let first = if fault == "owe_all before" { [0, 0, 0] } else { [3_990, 1_710, 0] };
        assert_eq!(paid(&stage).await, first, "{fault}");
        let again = operate(&stage, "/v1/operate/payouts", Some(&request)).await;
        assert_eq!(again.status, 200, "{}", again.text);
        assert_eq!(paid(&stage).await, [3_990, 1_710, 0], "{fault}: once");
        assert_eq!(stage.store().owed(Kind::Payout, 9).await.unwrap(), [], "{fault}");
        stage.assert_sound().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_operator_gives_credit_at_its_own_expense() {
    let stage = Stage::new().await;
    let given =
        operate(&stage, "/v1/operate/credit", Some(&json!({ "label": "ci", "usd": "0.004" }))).await.json();
    let token = given["token"].as_str().unwrap();
    for n in 0..2 {
        let request =
            stage.http.post(format!("{}{}", stage.url, bench("double"))).json(&json!({ "args": [n] }));
        Reply::of(request.bearer_auth(token).send().await.unwrap()).await.output();
    }
    let operator = stage.store().balance(&Account::Operator).await.unwrap();
    assert_eq!(
        (operator.debits.to_decimal(), operator.credits.to_decimal()),
        ("0.004".into(), "0.0002".into())
    );
    stage.assert_sound().await;
}
