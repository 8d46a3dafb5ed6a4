//! What chains do: they wait, forget, undo, and become dear.

use std::time::Duration;

use glassbox_core::Atomic;
use glassbox_pay::{ErrorCode, Facilitator, Settlement, Standing};
use serde_json::json;

use crate::stage::{COIN, Stage, is_settled, is_unknown, known, transaction_of};

#[tokio::test]
async fn a_stuck_mempool_is_waited_for() {
    let stage = Stage::new().await;
    stage.anvil.mine_at_once(false).await;
    for number in 0..3 {
        assert!(is_unknown(&stage.settle(100, number).await));
        assert!(is_unknown(&stage.settle(100, number).await));
    }
    stage.anvil.mine_at_once(true).await;
    stage.anvil.mine(1).await;
    for number in 0..3 {
        assert!(is_settled(&stage.insist(100, number).await));
    }
    assert_eq!(stage.payee_has().await, 300);
    assert_eq!(stage.anvil.count(stage.operator()).await, 3);
}

#[tokio::test]
async fn what_is_undone_comes_back_when_it_is_submitted_again() {
    let stage = Stage::new().await;
    assert!(is_settled(&stage.insist(100, 1).await));
    let settled = stage.insist(50, 2).await;
    stage.anvil.mine_at_once(false).await;
    stage.anvil.ask("anvil_reorg", json!([2, []])).await;
    assert_eq!(stage.rail.standing(transaction_of(&settled)).await.unwrap(), Standing::Missing);
    assert_eq!(stage.payee_has().await, 0);
    stage.anvil.mine_at_once(true).await;
    // The later one brings back the one before it, without which it would wait for ever.
    let again = stage.insist(50, 2).await;
    assert_eq!(transaction_of(&again), transaction_of(&settled));
    assert!(is_settled(&stage.insist(100, 1).await));
    assert_eq!(stage.payee_has().await, 150);
    assert_eq!(stage.anvil.count(stage.operator()).await, 2);
}

#[tokio::test]
async fn what_the_node_forgot_is_broadcast_again() {
    let stage = Stage::new().await;
    stage.anvil.mine_at_once(false).await;
    assert!(is_unknown(&stage.settle(100, 1).await));
    assert!(is_unknown(&stage.settle(100, 2).await));
    stage.anvil.ask("anvil_dropAllTransactions", json!([])).await;
    stage.anvil.mine_at_once(true).await;
    // A new one does not leave a gap behind it.
    assert!(is_settled(&stage.insist(100, 3).await));
    assert_eq!(stage.payee_has().await, 300);
    for number in 1..=2 {
        assert!(is_settled(&stage.insist(100, number).await));
    }
    assert_eq!(stage.payee_has().await, 300);
    assert_eq!(stage.anvil.count(stage.operator()).await, 3);
}

#[tokio::test]
async fn a_node_that_sleeps_makes_nothing_happen_twice() {
    let stage = Stage::new().await;
    assert!(is_settled(&stage.insist(100, 1).await));
    let stage = stage.reopen(|config| config.timeout = Duration::from_secs(2)).await;
    stage.anvil.signal("-STOP");
    assert!(is_unknown(&stage.settle(100, 2).await));
    let (payload, offered) = stage.pay(100, 3);
    let code = stage.rail.verify(&payload, &offered).await.unwrap_err().code;
    assert_eq!(code, ErrorCode::UnexpectedVerifyError);
    stage.anvil.signal("-CONT");
    let stage = stage.reopen(|_| ()).await;
    assert!(is_settled(&stage.insist(100, 2).await));
    assert_eq!(stage.payee_has().await, 200);
    assert_eq!(stage.anvil.count(stage.operator()).await, 2);
}

#[tokio::test]
async fn without_coins_for_gas_no_new_work_begins_and_nothing_is_lost() {
    let stage = Stage::new().await;
    stage.anvil.set_coins(stage.operator(), 0).await;
    let (payload, offered) = stage.pay(100, 1);
    let rejection = stage.rail.verify(&payload, &offered).await.unwrap_err();
    assert_eq!(rejection.code, ErrorCode::UnexpectedVerifyError);
    assert!(rejection.message.contains("for gas"), "{}", rejection.message);
    let settlement = stage.settle(100, 1).await;
    assert!(is_unknown(&settlement), "what was done already is settled later: {settlement:?}");
    stage.anvil.set_coins(stage.operator(), COIN).await;
    stage.rail.verify(&payload, &offered).await.unwrap();
    assert!(is_settled(&stage.insist(100, 1).await));
    assert_eq!(stage.anvil.count(stage.operator()).await, 1);
}

#[tokio::test]
async fn coins_that_run_out_in_between_hold_up_and_do_not_mix_up() {
    let stage = Stage::new().await;
    stage.anvil.mine_at_once(false).await;
    assert!(is_unknown(&stage.settle(100, 1).await));
    stage.anvil.ask("anvil_dropAllTransactions", json!([])).await;
    stage.anvil.set_coins(stage.operator(), 1).await;
    stage.anvil.mine_at_once(true).await;
    for number in [1, 2] {
        assert!(is_unknown(&stage.settle(100, number).await));
    }
    stage.anvil.set_coins(stage.operator(), COIN).await;
    for number in [2, 1] {
        assert!(is_settled(&stage.insist(100, number).await));
    }
    assert_eq!(stage.payee_has().await, 200);
    assert_eq!(stage.anvil.count(stage.operator()).await, 2);
}

#[tokio::test]
async fn when_gas_becomes_dear_more_is_offered_for_the_same_nonce() {
    let stage = Stage::new().await.reopen(|config| config.replace_after = Duration::ZERO).await;
    stage.anvil.mine_at_once(false).await;
    assert!(is_unknown(&stage.settle(100, 1).await));
    assert!(is_unknown(&stage.settle(100, 2).await));
    let pending = async || {
        let pool = stage.anvil.ask("txpool_content", json!([])).await;
        let of_account = pool["pending"].as_object().unwrap().values().next().cloned().unwrap_or_default();
        of_account["0"]["hash"].as_str().unwrap_or_default().to_owned()
    };
    let first = pending().await;
    // A hundred times what a block costs at first.
    let dear = 100_000_000_000_u64;
    stage.anvil.ask("anvil_setNextBlockBaseFeePerGas", json!([format!("{dear:#x}")])).await;
    stage.anvil.mine(1).await;
    assert_eq!(stage.anvil.count(stage.operator()).await, 0, "it was too dear for what was offered");
    // The second replaces the first too, or it would wait behind it.
    assert!(is_unknown(&stage.settle(100, 2).await));
    assert_ne!(pending().await, first);
    stage.anvil.mine_at_once(true).await;
    stage.anvil.mine(1).await;
    for number in 1..=2 {
        assert!(is_settled(&stage.insist(100, number).await));
    }
    assert_eq!(stage.payee_has().await, 200);
    assert_eq!(stage.anvil.count(stage.operator()).await, 2);
}

#[tokio::test]
async fn gas_that_is_dearer_than_allowed_is_not_paid() {
    let stage = Stage::new().await.reopen(|config| config.fee_max = 1_000).await;
    let (payload, offered) = stage.pay(100, 1);
    let rejection = stage.rail.verify(&payload, &offered).await.unwrap_err();
    assert_eq!(rejection.code, ErrorCode::UnexpectedVerifyError);
    assert!(is_unknown(&stage.settle(100, 1).await));
    let stage = stage.reopen(|_| ()).await;
    assert!(is_settled(&stage.insist(100, 1).await));
}

#[tokio::test]
async fn what_reverts_in_its_block_may_be_tried_again_once_that_is_final() {
    let stage = Stage::new().await.reopen(|config| config.finality = 10).await;
    stage.anvil.mint(stage.operator(), 100).await;
    stage.anvil.mine_at_once(false).await;
    // Each could be paid alone.
    for id in ["one", "two"] {
        assert!(is_unknown(&stage.rail.pay_out(id, stage.payee, Atomic(100)).await));
    }
    stage.anvil.mine_at_once(true).await;
    stage.anvil.mine(1).await;
    let once = async |id: &str| stage.rail.pay_out(id, stage.payee, Atomic(100)).await;
    let pay = async |id: &str| known(async || once(id).await).await;
    assert!(is_settled(&pay("one").await));
    assert!(is_unknown(&once("two").await), "in another block it may pay");
    stage.anvil.mine(10).await;
    let Settlement::Rejected(rejection) = pay("two").await else { panic!("there was no money") };
    assert_eq!(rejection.code, ErrorCode::InsufficientFunds);

    stage.anvil.mint(stage.operator(), 100).await;
    assert!(is_settled(&pay("two").await));
    assert!(is_settled(&pay("two").await));
    assert_eq!(stage.payee_has().await, 200);
    assert_eq!(stage.anvil.count(stage.operator()).await, 3);
}

#[tokio::test]
async fn what_reverts_is_unknown_for_as_long_as_another_block_may_let_it_through() {
    let stage = Stage::new().await.reopen(|config| config.finality = 10).await;
    stage.anvil.mint(stage.operator(), 100).await;
    stage.anvil.mine_at_once(false).await;
    let pay = async |id: &str| stage.rail.pay_out(id, stage.payee, Atomic(100)).await;
    for id in ["one", "two"] {
        assert!(is_unknown(&pay(id).await));
    }
    stage.anvil.mine(1).await;
    assert!(is_settled(&pay("one").await));
    assert!(is_unknown(&pay("two").await));
    stage.anvil.ask("anvil_reorg", json!([1, []])).await;
    stage.anvil.mine_at_once(true).await;
    stage.anvil.mint(stage.operator(), 100).await;
    assert!(is_settled(&known(async || pay("two").await).await), "it is let through");
    assert!(is_settled(&known(async || pay("one").await).await));
    assert_eq!((stage.payee_has().await, stage.anvil.count(stage.operator()).await), (200, 2), "once each");
}

#[tokio::test]
async fn what_is_undone_and_reverts_in_another_block_is_not_taken_for_settled() {
    let stage = Stage::new().await;
    let settled = stage.insist(10_000, 1).await;
    let standing = async || stage.rail.standing(transaction_of(&settled)).await.unwrap();
    assert!(matches!(standing().await, Standing::Mined { .. }));
    stage.anvil.mine_at_once(false).await;
    stage.anvil.ask("anvil_reorg", json!([1, []])).await;
    stage.anvil.mine_at_once(true).await;
    stage.anvil.transfer(stage.payer.address(), stage.operator(), 10_000).await;
    assert!(is_unknown(&stage.settle(10_000, 1).await), "it may be undone once more");
    assert_eq!(standing().await, Standing::Missing);
    stage.anvil.mine(3).await;
    assert_eq!(standing().await, Standing::Missing);
    let Settlement::Rejected(rejection) = stage.insist(10_000, 1).await else { panic!("there is no money") };
    assert_eq!(rejection.code, ErrorCode::InsufficientFunds);
    assert_eq!(stage.payee_has().await, 0);
}
