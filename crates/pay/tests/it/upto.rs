//! Payments through Permit2: a part of a ceiling, once.

use std::sync::atomic::Ordering;

use alloy_primitives::U256;
use glassbox_core::Atomic;
use glassbox_pay::{ErrorCode, Facilitator, Scheme, Settlement};
use serde_json::json;

use crate::stage::{START_S, Stage, TIMEOUT_S, nonce, wallet};

fn refusal(settlement: Settlement) -> ErrorCode {
    match settlement {
        Settlement::Rejected(rejection) => rejection.code,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_part_of_the_ceiling_is_settled_and_once() {
    let stage = Stage::new().await;
    stage.approve(&stage.payer).await;
    let (payload, offered) = stage.upto(5_000, 1);
    let verified = stage.rail.verify(&payload, &offered).await.unwrap();
    assert_eq!(verified.payer, stage.payer.address());
    let first = stage.rail.settle(&payload, &offered, Atomic(1_234)).await;
    let Settlement::Settled { payer, amount, .. } = first.clone() else { panic!("{first:?}") };
    assert_eq!((payer, amount), (stage.payer.address(), Atomic(1_234)));
    assert_eq!(stage.rail.settle(&payload, &offered, Atomic(1_234)).await, first);
    let other = stage.rail.settle(&payload, &offered, Atomic(1_233)).await;
    assert_eq!(refusal(other), ErrorCode::InvalidTransactionState);
    assert_eq!(stage.rail.verify(&payload, &offered).await.unwrap_err().code, ErrorCode::Permit2InvalidNonce);
    // Another ceiling under the same nonce is another payment, and cannot be made.
    let (again, offered) = stage.upto(4_000, 1);
    let settlement = stage.rail.settle(&again, &offered, Atomic(1_234)).await;
    assert_eq!(refusal(settlement), ErrorCode::Permit2InvalidNonce);
    assert_eq!((stage.payee_has().await, stage.balance(payer).await), (1_234, 8_766));
}

#[tokio::test]
async fn the_whole_ceiling_may_be_settled_and_nothing_beyond() {
    let stage = Stage::new().await;
    stage.approve(&stage.payer).await;
    let (payload, offered) = stage.upto(5_000, 1);
    let settle = async |amount| stage.rail.settle(&payload, &offered, Atomic(amount)).await;
    assert_eq!(refusal(settle(5_001).await), ErrorCode::SettlementExceedsAmount);
    assert_eq!(refusal(settle(0).await), ErrorCode::InvalidPayload);
    assert!(matches!(settle(5_000).await, Settlement::Settled { .. }));
    assert_eq!(stage.payee_has().await, 5_000);
}

#[tokio::test]
async fn without_an_allowance_it_is_asked_for_and_may_come_along() {
    let stage = Stage::new().await;
    let (mut payload, offered) = stage.upto(5_000, 1);
    let code = stage.rail.verify(&payload, &offered).await.unwrap_err().code;
    assert_eq!(code, ErrorCode::Permit2AllowanceRequired);
    let settlement = stage.rail.settle(&payload, &offered, Atomic(777)).await;
    assert_eq!(refusal(settlement), ErrorCode::Permit2AllowanceRequired);
    // A permit that was used up before is none.
    stage.payer.add_permit(&mut payload, U256::from(1)).unwrap();
    let code = stage.rail.verify(&payload, &offered).await.unwrap_err().code;
    assert_eq!(code, ErrorCode::Permit2AllowanceRequired);

    let (mut payload, offered) = stage.upto(5_000, 1);
    stage.payer.add_permit(&mut payload, U256::ZERO).unwrap();
    stage.rail.verify(&payload, &offered).await.unwrap();
    let settled = stage.rail.settle(&payload, &offered, Atomic(777)).await;
    assert!(matches!(settled, Settlement::Settled { amount: Atomic(777), .. }), "{settled:?}");
    // What is left of the allowance does for another payment.
    let (payload, offered) = stage.upto(4_223, 2);
    stage.rail.verify(&payload, &offered).await.unwrap();
    let (payload, offered) = stage.upto(4_224, 3);
    let code = stage.rail.verify(&payload, &offered).await.unwrap_err().code;
    assert_eq!(code, ErrorCode::Permit2AllowanceRequired);
    assert_eq!(stage.payee_has().await, 777);
}

#[tokio::test]
async fn purse_time_and_facilitator_are_checked_on_the_chain() {
    let stage = Stage::new().await;
    stage.approve(&stage.payer).await;
    let (payload, offered) = stage.upto(10_001, 1);
    let code = stage.rail.verify(&payload, &offered).await.unwrap_err().code;
    assert_eq!(code, ErrorCode::Permit2InsufficientBalance);

    let mut offered = stage.upto(5_000, 2).1;
    offered.extra["facilitatorAddress"] = json!(wallet("other").address().to_string());
    let payload = stage.payer.sign_upto(&offered, None, START_S, nonce(2)).unwrap();
    let code = stage.rail.verify(&payload, &offered).await.unwrap_err().code;
    assert_eq!(code, ErrorCode::UptoUnauthorizedFacilitator);

    let (payload, offered) = stage.upto(5_000, 3);
    stage.now_s.store(START_S + TIMEOUT_S - 1, Ordering::SeqCst);
    let code = stage.rail.verify(&payload, &offered).await.unwrap_err().code;
    assert_eq!(code, ErrorCode::Permit2DeadlineExpired, "there is no time to settle it");
    stage.now_s.store(START_S + TIMEOUT_S + 1, Ordering::SeqCst);
    let settlement = stage.rail.settle(&payload, &offered, Atomic(1)).await;
    assert_eq!(refusal(settlement), ErrorCode::Permit2DeadlineExpired);
    assert_eq!(stage.payee_has().await, 0);
}

#[tokio::test]
async fn a_fixed_price_may_be_paid_through_permit2_too() {
    let stage = Stage::new().await;
    let mut offered = stage.rail.offer(Scheme::Exact, Atomic(2_000), stage.payee, TIMEOUT_S);
    offered.extra.insert("assetTransferMethod".to_owned(), json!("permit2"));
    let mut payload = stage.sign(&offered, 1);
    let code = stage.rail.verify(&payload, &offered).await.unwrap_err().code;
    assert_eq!(code, ErrorCode::Permit2AllowanceRequired);
    stage.payer.add_permit(&mut payload, U256::ZERO).unwrap();
    stage.rail.verify(&payload, &offered).await.unwrap();
    let first = stage.rail.settle(&payload, &offered, Atomic(2_000)).await;
    assert!(matches!(first, Settlement::Settled { amount: Atomic(2_000), .. }), "{first:?}");
    assert_eq!(stage.rail.settle(&payload, &offered, Atomic(2_000)).await, first);
    assert_eq!(refusal(stage.rail.settle(&payload, &offered, Atomic(1)).await), ErrorCode::ValueMismatch);
    assert_eq!(stage.payee_has().await, 2_000);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn thirty_settlements_of_one_payment_are_one_transfer() {
    let stage = Stage::new().await;
    stage.approve(&stage.payer).await;
    let (payload, offered) = stage.upto(5_000, 1);
    let tasks: Vec<_> = (0..30)
        .map(|_| {
            let (rail, payload, offered) = (stage.rail.clone(), payload.clone(), offered.clone());
            tokio::spawn(async move { rail.settle(&payload, &offered, Atomic(10)).await })
        })
        .collect();
    let mut answers = Vec::new();
    for task in tasks {
        answers.push(task.await.unwrap());
    }
    assert!(answers.iter().all(|answer| *answer == answers[0]));
    assert_eq!(stage.payee_has().await, 10);
}
