//! Prices of calls: free units, tiers, discounts, caps; for who is known and who is not.

use std::time::Duration;

use glassbox_core::Atomic;
use glassbox_core::ledger::Account;
use glassbox_store::Moment;

use super::{Customer, earned, net, path, pays_by_wallet, priced, stage_with};

const DAY: Duration = Duration::from_secs(24 * 3_600);

#[tokio::test(flavor = "multi_thread")]
async fn free_units_then_tiers_and_a_new_month() {
    let stage = stage_with(&priced(
        "[[price]]\nid = \"each\"\nunit = \"call\"\namount = \"0.002\"\nfree = { quantity = 2 }\n\
         tiers = { mode = \"graduated\", steps = [{ up-to = 3, amount = \"0.002\" }, { amount = \"0.001\" }] }\n",
    ))
    .await;
    let ana = Customer::with(&stage, "ana", "1").await;
    for (n, cost) in [(1, 0), (2, 0), (3, 2_000), (4, 1_000), (5, 1_000)] {
        assert_eq!(ana.pays("double", n).await, cost, "call {n}");
    }
    assert_eq!(earned(&stage).await, net(4_000));
    // Somebody else has free units of their own.
    let ben = Customer::with(&stage, "ben", "1").await;
    assert_eq!(ben.pays("double", 1).await, 0);
    // Who fails has used nothing.
    ben.call("boom", 1).await.assert_problem(422, "guest-failed");
    assert_eq!(ben.pays("double", 2).await, 0);
    assert_eq!(ben.pays("double", 3).await, 2_000);
    // Who has no credit for what it may cost gets nothing free.
    let poor = Customer::with(&stage, "poor", "0.001").await;
    poor.call("double", 1).await.assert_problem(402, "credit-short");
    // Next month all of it begins anew.
    stage.world.advance(DAY * 31);
    assert_eq!(ana.pays("double", 6).await, 0);
    stage.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_step_of_the_volume_holds_for_a_whole_call_and_a_call_has_a_minimum() {
    let stage = stage_with(&priced(
        "[[price]]\nid = \"row\"\nexport = \"rows\"\nunit = \"event:row\"\namount = \"0.002\"\n\
         minimum = \"0.01\"\nmax-per-call = \"0.1\"\n\
         tiers = { mode = \"volume\", steps = [{ up-to = 10, amount = \"0.002\" }, { amount = \"0.001\" }] }\n",
    ))
    .await;
    let ana = Customer::with(&stage, "ana", "1").await;
    // Ten rows, then the call that goes beyond them, and all that follow.
    let mut sum = 0;
    for (rows, cost) in [(3, 10_000), (7, 14_000), (6, 10_000), (20, 20_000), (200, 100_000)] {
        assert_eq!(ana.pays("rows", rows).await, cost, "{rows} rows");
        sum += cost;
    }
    assert_eq!(earned(&stage).await, net(sum));
    // Next month the first step holds again.
    stage.world.advance(DAY * 31);
    assert_eq!(ana.pays("rows", 6).await, 12_000);
    assert_eq!(earned(&stage).await, net(sum + 12_000));
    stage.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn beyond_the_quota_of_a_plan_a_call_costs_the_one_price_that_it_names() {
    let stage = stage_with(&priced(
        "[[price]]\nid = \"each\"\nexport = \"double\"\nunit = \"call\"\namount = \"0.01\"\n\
         [[price]]\nid = \"extra\"\nexport = \"double\"\nunit = \"call\"\namount = \"0.003\"\n\
         [[plan]]\nid = \"team\"\namount = \"2\"\nunit = \"seat\"\nincludes = [\"execute:*\"]\n\
         quota = { calls = 1, overage-price = \"extra\" }\n",
    ))
    .await;
    let ana = Customer::with(&stage, "ana", "9").await;
    assert_eq!(ana.pays("double", 1).await, 13_000, "without a plan, what all of it costs");
    let plan = serde_json::json!({ "item": "plan:team", "units": 2 });
    assert_eq!(ana.post("/v1/packages/shop/goods/1.0.0/licenses", &plan).await.status, 200);
    for (n, cost) in [(2, 0), (3, 0), (4, 3_000), (5, 3_000)] {
        assert_eq!(ana.pays("double", n).await, cost, "call {n}");
    }
    stage.world.advance(DAY * 32);
    assert_eq!(ana.pays("double", 6).await, 13_000, "the plan is over");
    assert_eq!(earned(&stage).await, net(4_000_000 + 2 * 13_000 + 2 * 3_000));
    stage.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wallet_is_charged_by_its_account_too() {
    let stage = stage_with(&priced(
        "[[price]]\nid = \"each\"\nunit = \"call\"\namount = \"0.002\"\nfree = { quantity = 1 }\n",
    ))
    .await;
    let buyer = stage.buyer("wallet", 1).await;
    let before = stage.balance(buyer.wallet.address()).await;
    let free = pays_by_wallet(&buyer, "double", 1, "first").await;
    let (_, receipt) = free.receipt();
    assert_eq!((receipt.charge.amount, receipt.account.used["each"]), (Atomic(0), 0));
    assert_eq!(stage.balance(buyer.wallet.address()).await, before, "nothing was taken");
    let paid = pays_by_wallet(&buyer, "double", 2, "second").await;
    let (_, receipt) = paid.receipt();
    assert_eq!((receipt.charge.amount, receipt.account.used["each"]), (Atomic(2_000), 1));
    assert_eq!(stage.balance(buyer.wallet.address()).await, before - 2_000);
    assert_eq!(earned(&stage).await, net(2_000));
    stage.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_share_one_bucket() {
    let stage = stage_with(&priced(
        "[[price]]\nid = \"each\"\nunit = \"call\"\namount = \"0.002\"\n\
         free = { quantity = 2, period = \"day\", scope = \"anonymous\" }\n",
    ))
    .await;
    let call =
        async |function: &str, n: u32| stage.post(&path(function), &serde_json::json!({ "args": [n] })).await;
    let first = call("double", 1).await;
    assert_eq!(first.receipt().1.account.used["each"], 0);
    // What would not be charged is not taken.
    call("boom", 1).await.assert_problem(422, "guest-failed");
    assert_eq!(call("double", 2).await.receipt().1.account.used["each"], 1);
    call("double", 3).await.assert_problem(402, "payment-required");
    // Who pays has no part in it.
    let ana = Customer::with(&stage, "ana", "1").await;
    assert_eq!(ana.pays("double", 1).await, 2_000);
    stage.world.advance(DAY);
    call("double", 4).await.output();
    stage.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nights_are_cheaper_and_a_month_has_a_cap() {
    // The clock of the stage stands at 08:00.
    let stage = stage_with(&priced(
        "[[price]]\nid = \"each\"\nunit = \"call\"\namount = \"0.01\"\n\
         [[discount]]\nprice = \"each\"\npercent = 40\nwindow = \"22:00-06:00Z\"\n\
         [settlement]\nmax-monthly-per-payer = \"0.03\"\n",
    ))
    .await;
    let ana = Customer::with(&stage, "ana", "1").await;
    assert_eq!(ana.pays("double", 1).await, 10_000);
    stage.world.advance(Duration::from_secs(15 * 3_600));
    assert_eq!(ana.pays("double", 2).await, 6_000);
    stage.world.advance(Duration::from_secs(9 * 3_600));
    for (n, cost) in [(3, 10_000), (4, 4_000), (5, 0)] {
        assert_eq!(ana.pays("double", n).await, cost, "the month's 30,000 are a cap");
    }
    assert_eq!(earned(&stage).await, net(30_000));
    stage.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_are_counted_as_they_are_encoded() {
    let stage = stage_with(&priced(
        "[[price]]\nid = \"in\"\nexport = \"double\"\nunit = \"byte-in\"\namount = \"0.001\"\n\
         [[price]]\nid = \"out\"\nexport = \"double\"\nunit = \"byte-out\"\namount = \"0.0001\"\n\
         [[price]]\nid = \"wait\"\nexport = \"double\"\nunit = \"second\"\namount = \"0.5\"\n",
    ))
    .await;
    let ana = Customer::with(&stage, "ana", "50").await;
    // Up to 6 MiB at a thousandth each: nobody has as much, so nobody can ask.
    ana.call("double", 100).await.assert_problem(402, "credit-short");
    let capped = stage_with(&priced(
        "[[price]]\nid = \"in\"\nunit = \"byte-in\"\namount = \"0.001\"\nmax-per-call = \"0.01\"\n\
         [[price]]\nid = \"out\"\nunit = \"byte-out\"\namount = \"0.0001\"\nmax-per-call = \"0.01\"\n\
         [[price]]\nid = \"wait\"\nunit = \"second\"\namount = \"0.5\"\n",
    ))
    .await;
    let ana = Customer::with(&capped, "ana", "50").await;
    // 100 takes a byte and 200 two; waiting was for nothing.
    assert_eq!(ana.pays("double", 100).await, 1_000 + 200);
    assert_eq!(ana.pays("double", 20_000).await, 3_000 + 300);
    capped.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_charge_that_failed_to_be_written_counts_once() {
    let stage = stage_with(&priced(
        "[[price]]\nid = \"each\"\nunit = \"call\"\namount = \"0.002\"\nfree = { quantity = 1 }\n",
    ))
    .await;
    let ana = Customer::with(&stage, "ana", "1").await;
    assert_eq!(ana.pays("double", 1).await, 0);
    for (n, moment) in [(2, Moment::Before), (3, Moment::After)] {
        stage.inject("post_held_call", moment);
        let failed = ana.call("double", n).await;
        assert!(failed.status >= 500, "{}", failed.text);
        stage.registry.reconcile().await;
    }
    // The first was released, the second was posted: one charge, one unit.
    assert_eq!(earned(&stage).await, net(2_000));
    let reply = ana.call("double", 4).await;
    assert_eq!(reply.receipt().1.account.used["each"], 2);
    let spent = stage.store().balance(&Account::Payer(ana.account.clone())).await.unwrap().debits.0;
    assert_eq!(spent, 2 * 2_000 * 1_000_000);
    stage.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_free_is_not_run_before_it_is_written_down() {
    for (moment, taken) in [(Moment::Before, 0), (Moment::After, 1)] {
        let stage = stage_with(&priced(
            "[[price]]\nid = \"each\"\nunit = \"call\"\namount = \"0.002\"\n\
             free = { quantity = 4, period = \"day\", scope = \"anonymous\" }\n",
        ))
        .await;
        let call =
            async |function: &str| stage.post(&path(function), &serde_json::json!({ "args": [4] })).await;
        // What could not be written down is not run.
        let first = stage.ask_twice("take_free", moment, async || call("double").await).await;
        assert_eq!(first.receipt().1.account.used["each"], taken, "{moment:?}");
        // What could not be given back is lost to its day, and nobody is charged for it.
        let again = stage.ask_twice("give_back_free", moment, async || call("boom").await).await;
        again.assert_problem(422, "guest-failed");
        let second = call("double").await;
        assert_eq!(second.receipt().1.account.used["each"], 2, "{moment:?}");
        assert_eq!(earned(&stage).await, 0);
        stage.assert_sound().await;
    }
}
