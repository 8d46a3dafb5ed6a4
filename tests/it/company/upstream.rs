//! A company pays the makers of what it took from a public registry: what its accounts used is settled, and paid out.

use std::time::Duration;

use glassbox_core::Atomic;
use glassbox_core::ledger::Account;
use glassbox_registry::Finding;
use serde_json::{Value, json};

use super::{Agent, operate};
use crate::command::Shell;
use crate::economy::{PAYEE, goods, path};
use crate::stage::{FEE_BPS, Stage, wallet};

const ANA: &str = "acct:ana@shop.example";

/// Pays whoever is verified, and returns what each payee was paid in atomic units, or why not.
async fn pay_out(stage: &Stage) -> Vec<(String, String)> {
    let body = json!({ "threshold_usd": "0", "verified_only": true });
    let paid = operate(stage, "/payouts", &body).await.json();
    let rows = paid["payouts"].as_array().unwrap_or_else(|| panic!("{paid}"));
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let row = |row: &Value| {
        let paid = text(&row["waits"]).unwrap_or_else(|| text(&row["amount"]["amount"]).unwrap());
        (text(&row["account"]).unwrap(), paid)
    };
    rows.iter().map(row).filter(|(account, _)| account != "operator").collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_made_what_was_taken_from_elsewhere_is_paid_what_it_earned() {
    let price = "[[price]]\nid = \"each\"\nexport = \"double\"\nunit = \"call\"\namount = \"0.002\"\n";
    let open = "execute = [\"remote\", \"local\"]\noperators = \"any\"";
    let upstream = Stage::elsewhere().await;
    upstream.publish(&goods("LicenseRef-Shop", open, &format!("{price}{PAYEE}"))).await;
    let stage = Stage::of_company_today("").await;
    let from = format!("{}/shop:goods@1.0.0", upstream.url.strip_prefix("http://").unwrap());
    let taken = Shell::new(&stage.url).ok(&["republish", &from]);
    assert_eq!(taken["releases"][0]["release"], "shop:goods@1.0.0", "{taken}");

    let agent = Agent::new(&stage, "ci-bot").await;
    for n in 0..3 {
        assert_eq!(agent.post(&path("double"), &json!({ "args": [n] })).await.output(), json!(2 * n));
    }
    let charged = Atomic(3 * 2_000);
    let earned = charged.0 * u128::from(10_000 - FEE_BPS) / 10_000;
    let credits = async |account: Account| stage.store().balance(&account).await.unwrap().credits;
    assert_eq!(credits(Account::Payee(ANA.into())).await, Atomic(earned).to_pico());
    assert_eq!(credits(Account::Operator).await, Atomic(charged.0 - earned).to_pico());

    // What is owed by invoice is nobody's money yet, and what is settled goes to nobody who is not known.
    assert_eq!(pay_out(&stage).await, []);
    let month = stage.registry.month().to_string();
    stage.world.advance(Duration::from_secs(31 * 24 * 60 * 60));
    let settlement = json!({ "month": month, "reference": "journal 88" });
    let settled = operate(&stage, "/accounts/ci-bot/settlement", &settlement).await.json();
    assert_eq!((&settled["settled"]["amount"], &settled["calls"]), (&json!("6000"), &json!(3)));
    let payee = format!("payee:{ANA}");
    let row = |paid: &str| vec![(payee.clone(), paid.to_owned())];
    assert_eq!(pay_out(&stage).await, row("it is not verified"));

    // The company's bank moved what it owed; its treasury on the chain has to have it, too.
    stage.devnet().faucet(stage.treasury(), charged).await.unwrap();
    let address = wallet("ana's").address();
    assert_eq!(stage.balance(address).await, 0);
    let verified =
        json!({ "payee": ANA, "state": "verified", "address": address.to_string(), "reason": "a test" });
    assert_eq!(operate(&stage, "/payees", &verified).await.status, 200);
    assert_eq!(pay_out(&stage).await, row(&earned.to_string()));
    assert_eq!(stage.balance(address).await, earned);
    assert_eq!(pay_out(&stage).await, [], "once");
    assert_eq!(
        (stage.balance(address).await, stage.balance(stage.treasury()).await),
        (earned, charged.0 - earned)
    );

    // The books agree, but for what the treasury was given; and the registry that it came from had no part in it.
    let audit = stage.registry.audit_ledger().await.unwrap();
    let given = charged.to_pico().0 as i128;
    let [Finding::Transaction { booked: 0, moved, .. }] = audit.findings.as_slice() else {
        panic!("{audit:?}")
    };
    assert_eq!(*moved, given);
    assert_eq!(upstream.store().balance(&Account::Payee(ANA.into())).await.unwrap().credits.0, 0);
    upstream.assert_sound().await;
}
