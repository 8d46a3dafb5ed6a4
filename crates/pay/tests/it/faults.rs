//! The facilitator that fails on demand, and what a caller must make of it.

use std::time::Duration;

use glassbox_core::Atomic;
use glassbox_pay::faults::{MoveFault, VerifyFault};
use glassbox_pay::{ErrorCode, Facilitator, Faulty, Rejection, Settlement};

use crate::stage::Stage;

#[tokio::test]
async fn unknown_before_and_after_are_told_apart_by_asking_again() {
    let stage = Stage::new().await;
    let faulty: Box<Faulty<_>> = Box::new(Faulty::new(stage.rail.clone()));
    let offered = stage.offer(2_000);
    for (number, fault, moved) in [(1, MoveFault::UnknownBefore, 0), (2, MoveFault::UnknownAfter, 2_000)] {
        let before = stage.payee_has().await;
        let payload = stage.sign(&offered, number);
        faulty.next_settle(fault);
        let answer = faulty.settle(&payload, &offered, Atomic(2_000)).await;
        assert!(matches!(answer, Settlement::Unknown { .. }));
        assert_eq!(answer.response(faulty.network()), None, "the wire has no word for it");
        assert_eq!(stage.payee_has().await - before, moved);
        assert!(matches!(faulty.settle(&payload, &offered, Atomic(2_000)).await, Settlement::Settled { .. }));
        assert_eq!(stage.payee_has().await - before, 2_000);
    }
}

#[tokio::test]
async fn pay_outs_fail_likewise() {
    let stage = Stage::new().await;
    stage.devnet.faucet(stage.devnet.treasury(), Atomic(1_000)).await.unwrap();
    let faulty = Faulty::new(stage.rail.clone());
    for fault in [MoveFault::UnknownBefore, MoveFault::UnknownAfter] {
        faulty.next_pay_out(fault);
        assert!(matches!(faulty.pay_out("id", stage.payee, Atomic(100)).await, Settlement::Unknown { .. }));
    }
    assert!(matches!(faulty.pay_out("id", stage.payee, Atomic(100)).await, Settlement::Settled { .. }));
    assert_eq!(stage.payee_has().await, 100);
}

#[tokio::test]
async fn claims_and_refunds_fail_likewise() {
    let stage = Stage::new().await;
    let faulty = Faulty::new(stage.rail.clone());
    faulty.next_claim(MoveFault::UnknownBefore);
    assert!(matches!(faulty.claim("id", &[]).await, Settlement::Unknown { .. }));
    assert!(matches!(faulty.claim("id", &[]).await, Settlement::Rejected(_)), "there is nothing to claim");
    let claim = stage.claim(1);
    faulty.next_refund_channel(MoveFault::UnknownAfter);
    let lost = faulty.refund_channel("id", &claim, Atomic(1)).await;
    assert!(matches!(lost, Settlement::Unknown { .. }));
    let refused = faulty.refund_channel("id", &claim, Atomic(1)).await;
    assert!(matches!(refused, Settlement::Rejected(_)), "the channel is empty: {refused:?}");
    assert_eq!(faulty.schemes(), stage.rail.schemes());
    assert_eq!(faulty.transfers(0).await.unwrap(), []);
}

#[tokio::test]
async fn refusals_and_delays_are_used_up_in_order() {
    let stage = Stage::new().await;
    let faulty = Faulty::new(stage.rail.clone());
    let offered = stage.offer(2_000);
    let payload = stage.sign(&offered, 1);
    let rejection = Rejection::new(ErrorCode::UnexpectedSettleError, "scripted");
    faulty.next_settle(MoveFault::Rejected(rejection.clone()));
    faulty.next_settle(MoveFault::Delay(Duration::from_millis(1)));
    faulty.next_verify(VerifyFault::Rejected(rejection.clone()));
    faulty.next_verify(VerifyFault::Delay(Duration::from_millis(1)));
    assert_eq!(faulty.verify(&payload, &offered).await, Err(rejection.clone()));
    assert!(faulty.verify(&payload, &offered).await.is_ok());
    assert_eq!(faulty.settle(&payload, &offered, Atomic(2_000)).await, Settlement::Rejected(rejection));
    assert_eq!(stage.payee_has().await, 0);
    assert!(matches!(faulty.settle(&payload, &offered, Atomic(2_000)).await, Settlement::Settled { .. }));
}

#[tokio::test]
async fn the_trait_is_used_as_an_object() {
    let stage = Stage::new().await;
    let rails: Vec<std::sync::Arc<dyn Facilitator>> =
        vec![std::sync::Arc::new(stage.rail.clone()), std::sync::Arc::new(Faulty::new(stage.rail.clone()))];
    for rail in rails {
        assert_eq!(rail.balance(stage.payer.address()).await.unwrap(), Atomic(10_000));
    }
}
