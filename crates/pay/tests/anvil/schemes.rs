//! Every scheme, on a node that does what it should.

use std::collections::HashSet;
use std::sync::Arc;

use alloy_primitives::U256;
use glassbox_core::Atomic;
use glassbox_pay::eip712::batch::channel_id;
use glassbox_pay::evm::addresses::BATCH_SETTLEMENT;
use glassbox_pay::wallet::DepositTerms;
use glassbox_pay::{
    Authorization, B256, Chain, Claim, ErrorCode, Facilitator, PayOut, Scheme, Settlement, Standing, devnet,
    payment,
};

use crate::stage::{Stage, TIMEOUT_S, amount_of, is_settled, known, nonce, transaction_of};

#[tokio::test]
async fn exact() {
    let stage = Stage::new().await;
    let (payload, offered) = stage.pay(700, 1);
    let verified = stage.rail.verify(&payload, &offered).await.unwrap();
    assert_eq!(verified.payer, stage.payer.address());
    let first = stage.insist(700, 1).await;
    assert_eq!(amount_of(&first), 700);
    assert_eq!(stage.insist(700, 1).await, first, "once for each payment");
    let code = stage.rail.verify(&payload, &offered).await.unwrap_err().code;
    assert_eq!(code, ErrorCode::NonceAlreadyUsed);

    // Refused before it costs gas.
    let count = stage.anvil.count(stage.operator()).await;
    let Settlement::Rejected(rejection) = stage.settle(9_999, 2).await else { panic!("too much") };
    assert_eq!(rejection.code, ErrorCode::InsufficientFunds);
    assert_eq!(stage.anvil.count(stage.operator()).await, count);

    let transaction = transaction_of(&first);
    let standing = stage.rail.standing(transaction).await.unwrap();
    assert!(matches!(standing, Standing::Mined { confirmations: 1, .. }), "{standing:?}");
    stage.anvil.mine(2).await;
    assert_eq!(stage.rail.standing(transaction).await.unwrap(), Standing::Final);
    assert_eq!(stage.rail.standing(B256::ZERO).await.unwrap(), Standing::Missing);
    assert!(stage.rail.chain().logs(B256::ZERO).await.unwrap().is_none());
    assert_eq!(stage.rail.chain().logs(transaction).await.unwrap().unwrap().len(), 2);
}

#[tokio::test]
async fn upto() {
    let stage = Stage::new().await;
    stage.anvil.approve(&stage.payer).await;
    let offered = stage.rail.offer(Scheme::Upto, Atomic(5_000), stage.payee, TIMEOUT_S);
    let payload = stage.payer.sign_upto(&offered, None, stage.now_s, nonce(1)).unwrap();
    stage.rail.verify(&payload, &offered).await.unwrap();
    let settled = known(async || stage.rail.settle(&payload, &offered, Atomic(1_234)).await).await;
    assert_eq!(amount_of(&settled), 1_234);
    assert_eq!(stage.rail.settle(&payload, &offered, Atomic(1_234)).await, settled);
    assert_eq!(stage.payee_has().await, 1_234);
}

#[tokio::test]
async fn batch_settlement_and_pay_outs() {
    let stage = Stage::new().await;
    let treasury = stage.operator();
    let offered = stage.rail.offer(Scheme::Batch, Atomic(100), treasury, TIMEOUT_S);
    let channel = stage.payer.channel(&offered, B256::ZERO).unwrap();
    let id = channel_id(devnet::NETWORK.chain_id, &channel);
    let terms = DepositTerms { amount: Atomic(3_000), salt: nonce(1), now_s: stage.now_s };
    let deposit = stage.payer.sign_deposit(&offered, None, &channel, Atomic(100), &terms).unwrap();
    stage.rail.verify(&deposit, &offered).await.unwrap();
    let first = known(async || stage.rail.settle(&deposit, &offered, Atomic(3_000)).await).await;
    assert_eq!(amount_of(&first), 3_000);
    assert_eq!(stage.rail.settle(&deposit, &offered, Atomic(3_000)).await, first);
    let claim = |total: u128| {
        let voucher = stage.payer.sign_voucher(&offered, None, &channel, Atomic(total)).unwrap();
        let Authorization::Batch(batch) = payment::read(&voucher, &offered).unwrap() else { unreachable!() };
        Claim {
            channel: batch.channel,
            max_claimable: batch.max_claimable,
            signature: batch.signature.to_vec(),
            total_claimed: Atomic(total),
        }
    };
    let claimed = known(async || stage.rail.claim("one", &[claim(400)]).await).await;
    assert_eq!(amount_of(&claimed), 400);
    assert_eq!(stage.rail.claim("one", &[claim(400)]).await, claimed);
    let refunded = known(async || stage.rail.refund_channel("two", &claim(500), Atomic(1_000)).await).await;
    assert_eq!(amount_of(&refunded), 1_000);
    assert_eq!(stage.rail.refund_channel("two", &claim(500), Atomic(1_000)).await, refunded);
    let state = stage.rail.channel(id).await.unwrap();
    assert_eq!((state.balance.0, state.total_claimed.0, state.refund_nonce), (2_000, 500, U256::ONE));
    let paid = known(async || stage.rail.pay_out("three", stage.payee, Atomic(120)).await).await;
    assert_eq!(amount_of(&paid), 120);
    assert_eq!(stage.rail.pay_out("three", stage.payee, Atomic(120)).await, paid);
    assert_eq!(stage.balance(treasury).await, 380);
    let payments =
        [(0, 40), (1, 60)].map(|(number, amount)| PayOut { number, to: stage.payee, amount: Atomic(amount) });
    let fee = stage.rail.pay_out_fee("four", &payments).await.unwrap();
    assert!(fee.gas > 21_000 && fee.price > 0, "{fee:?}");
    let paid_all = known(async || stage.rail.pay_out_all("four", &payments).await).await;
    assert_eq!(amount_of(&paid_all), 100);
    assert_eq!(stage.rail.pay_out_all("four", &payments).await, paid_all);
    assert_eq!(stage.balance(treasury).await, 280);

    let transfers = stage.rail.transfers(0).await.unwrap();
    let moved: Vec<_> = transfers.iter().map(|event| (event.from, event.to, event.amount.0)).collect();
    let expected = [
        (BATCH_SETTLEMENT, treasury, 400),
        (BATCH_SETTLEMENT, treasury, 100),
        (treasury, stage.payee, 120),
        (treasury, stage.payee, 40),
        (treasury, stage.payee, 60),
    ];
    assert_eq!(moved, expected);
    assert_eq!(transfers[2].transaction, transaction_of(&paid));
    assert!(transfers[2].time_s >= stage.now_s);
    assert_eq!(stage.rail.transfers(transfers[1].block + 1).await.unwrap().len(), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn ten_payments_at_once_are_ten_transfers() {
    let stage = Arc::new(Stage::new().await);
    let tasks: Vec<_> = (0..10)
        .map(|number| {
            let stage = Arc::clone(&stage);
            tokio::spawn(async move { stage.insist(100, number).await })
        })
        .collect();
    let mut transactions = HashSet::new();
    for task in tasks {
        transactions.insert(transaction_of(&task.await.unwrap()));
    }
    assert_eq!(transactions.len(), 10);
    assert_eq!(stage.payee_has().await, 1_000);
    assert_eq!(stage.anvil.count(stage.operator()).await, 10);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_payment_ten_times_at_once_is_one_transfer() {
    let stage = Arc::new(Stage::new().await);
    let tasks: Vec<_> = (0..10)
        .map(|_| {
            let stage = Arc::clone(&stage);
            tokio::spawn(async move { stage.insist(100, 1).await })
        })
        .collect();
    let mut answers = Vec::new();
    for task in tasks {
        answers.push(task.await.unwrap());
    }
    assert!(is_settled(&answers[0]) && answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
    assert_eq!(stage.anvil.count(stage.operator()).await, 1);
}
