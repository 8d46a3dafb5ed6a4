//! Moving play money: once each, never more, never lost.

use std::collections::HashMap;
use std::sync::atomic::Ordering;

use glassbox_core::Atomic;
use glassbox_pay::{Address, Chain, ErrorCode, Facilitator, PayError, Scheme, Settlement, Standing};
use proptest::prelude::*;

use crate::stage::{START_S, Stage, TIMEOUT_S, nonce, wallet};

fn code(settlement: &Settlement) -> Option<&str> {
    match settlement {
        Settlement::Rejected(rejection) => Some(rejection.code.as_str()),
        _ => None,
    }
}

#[tokio::test]
async fn a_payment_settles() {
    let stage = Stage::new().await;
    let settlement = stage.pay(2_000, 1).await;
    let Settlement::Settled { transaction, payer, amount, block } = settlement else {
        panic!("{settlement:?}")
    };
    assert_eq!((payer, amount, block), (stage.payer.address(), Atomic(2_000), 2));
    assert_eq!((stage.balance(payer).await, stage.payee_has().await), (8_000, 2_000));
    let event = stage.devnet.transfers().await.unwrap().pop().unwrap();
    assert_eq!((event.transaction, event.block, event.time_s), (transaction, block, START_S));
    assert_eq!((event.from, event.to, event.amount), (payer, stage.payee, amount));
    assert_eq!(stage.rail.standing(transaction).await.unwrap(), Standing::Final);
    let response = settlement.response(stage.rail.network()).unwrap();
    assert_eq!((response.success, response.amount.as_deref()), (true, Some("2000")));
    assert_eq!(stage.rail.label(), "devnet, play money");
}

#[tokio::test]
async fn a_replay_returns_the_first_answer_even_after_it_expired() {
    let stage = Stage::new().await;
    let first = stage.pay(2_000, 1).await;
    assert_eq!(stage.pay(2_000, 1).await, first);
    stage.now_s.store(START_S + 10 * TIMEOUT_S, Ordering::SeqCst);
    assert_eq!(stage.pay(2_000, 1).await, first);
    assert_eq!(stage.payee_has().await, 2_000);
    let offered = stage.offer(2_000);
    let refused = stage.rail.verify(&stage.sign(&offered, 1), &offered).await.unwrap_err();
    assert_eq!(refused.code, ErrorCode::ValidBefore);
}

#[tokio::test]
async fn a_spent_nonce_buys_nothing_else() {
    let stage = Stage::new().await;
    assert_eq!(code(&stage.pay(2_000, 1).await), None);
    assert_eq!(code(&stage.pay(1_000, 1).await), Some("invalid_exact_evm_nonce_already_used"));
    let offered = stage.offer(2_000);
    let refused = stage.rail.verify(&stage.sign(&offered, 1), &offered).await.unwrap_err();
    assert_eq!(refused.code, ErrorCode::NonceAlreadyUsed);
    assert_eq!(stage.payee_has().await, 2_000);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn fifty_settlements_of_one_payment_are_one_transfer() {
    let stage = Stage::new().await;
    let offered = stage.offer(2_000);
    let payload = stage.sign(&offered, 1);
    let tasks: Vec<_> = (0..50)
        .map(|_| {
            let (rail, payload, offered) = (stage.rail.clone(), payload.clone(), offered.clone());
            tokio::spawn(async move { rail.settle(&payload, &offered, offered.amount().unwrap()).await })
        })
        .collect();
    let mut answers = Vec::new();
    for task in tasks {
        answers.push(task.await.unwrap());
    }
    assert!(matches!(answers[0], Settlement::Settled { .. }), "{:?}", answers[0]);
    assert!(answers.iter().all(|answer| *answer == answers[0]));
    assert_eq!((stage.payee_has().await, stage.devnet.transfers().await.unwrap().len()), (2_000, 2));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_hundred_different_payments_all_settle() {
    let stage = Stage::new().await;
    let offered = stage.offer(3);
    let tasks: Vec<_> = (0..200)
        .map(|number| {
            let (rail, payload, offered) =
                (stage.rail.clone(), stage.sign(&offered, number), offered.clone());
            tokio::spawn(async move { rail.settle(&payload, &offered, offered.amount().unwrap()).await })
        })
        .collect();
    let mut transactions = std::collections::HashSet::new();
    for task in tasks {
        match task.await.unwrap() {
            Settlement::Settled { transaction, .. } => transactions.insert(transaction),
            other => panic!("{other:?}"),
        };
    }
    assert_eq!((transactions.len(), stage.payee_has().await), (200, 600));
}

#[tokio::test]
async fn time_and_funds_are_the_tokens_business_at_settlement() {
    let stage = Stage::new().await;
    assert_eq!(code(&stage.pay(10_001, 1).await), Some("insufficient_funds"));
    let offered = stage.offer(10_001);
    let refused = stage.rail.verify(&stage.sign(&offered, 1), &offered).await.unwrap_err();
    assert_eq!(refused.code, ErrorCode::InsufficientFunds);
    stage.now_s.store(START_S + TIMEOUT_S - 1, Ordering::SeqCst);
    assert_eq!(code(&stage.pay(1, 2).await), None, "the last second counts");
    stage.now_s.store(START_S + TIMEOUT_S, Ordering::SeqCst);
    let expired = stage.pay(1, 3).await;
    assert_eq!(code(&expired), Some("invalid_exact_evm_payload_authorization_valid_before"));
    assert_eq!(stage.payee_has().await, 1);
}

#[tokio::test]
async fn only_the_devnets_own_offers_are_settled() {
    let stage = Stage::new().await;
    for (field, value) in
        [("network", "eip155:8453"), ("asset", "0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913")]
    {
        let mut offered = serde_json::to_value(stage.offer(1)).unwrap();
        offered[field] = value.into();
        let offered = serde_json::from_value(offered).unwrap();
        let settlement = stage.rail.settle(&stage.sign(&offered, 1), &offered, Atomic(1)).await;
        assert_eq!(code(&settlement), Some("invalid_payment_requirements"));
    }
    let nobody = stage.rail.offer(Scheme::Exact, Atomic(1), Address::ZERO, TIMEOUT_S);
    let settlement = stage.rail.settle(&stage.sign(&nobody, 1), &nobody, Atomic(1)).await;
    assert_eq!(code(&settlement), Some("invalid_payment_requirements"));
}

#[tokio::test]
async fn pay_outs_happen_once_for_each_id() {
    let stage = Stage::new().await;
    let (treasury, payer) = (stage.devnet.treasury(), stage.payer.address());
    let empty = stage.rail.pay_out("refund:1", payer, Atomic(700)).await;
    assert_eq!(code(&empty), Some("insufficient_funds"));
    stage.devnet.faucet(treasury, Atomic(1_000)).await.unwrap();
    let first = stage.rail.pay_out("refund:1", payer, Atomic(700)).await;
    assert!(matches!(first, Settlement::Settled { payer, .. } if payer == treasury), "{first:?}");
    assert_eq!(stage.rail.pay_out("refund:1", payer, Atomic(700)).await, first);
    let other_amount = stage.rail.pay_out("refund:1", payer, Atomic(1)).await;
    let other_payee = stage.rail.pay_out("refund:1", stage.payee, Atomic(700)).await;
    for other in [other_amount, other_payee] {
        assert_eq!(code(&other), Some("invalid_transaction_state"));
    }
    for (id, amount) in [("", 1), (&"x".repeat(129)[..], 1), ("refund:2", 0)] {
        let refused = stage.rail.pay_out(id, payer, Atomic(amount)).await;
        assert_eq!(code(&refused), Some("invalid_payload"));
    }
    assert_eq!((stage.balance(treasury).await, stage.balance(payer).await), (300, 10_700));
}

#[tokio::test]
async fn the_faucet_is_bounded() {
    let stage = Stage::new().await;
    for amount in [0, 100_000_001] {
        let refused = stage.devnet.faucet(stage.payee, Atomic(amount)).await;
        assert!(matches!(refused, Err(PayError::FaucetAmount { .. })));
    }
    assert!(stage.devnet.faucet(Address::ZERO, Atomic(1)).await.is_err());
    assert_eq!(stage.devnet.block().await.unwrap(), 1);
}

/// One step of a random history between four accounts.
#[derive(Debug, Clone)]
enum Step {
    Faucet { to: usize, amount: u128 },
    Pay { from: usize, to: usize, amount: u128, number: u64 },
    PayOut { id: u8, to: usize, amount: u128 },
}

fn step() -> impl Strategy<Value = Step> {
    let account = || 0..4_usize;
    prop_oneof![
        (account(), 1..5_000_u128).prop_map(|(to, amount)| Step::Faucet { to, amount }),
        // Few numbers and ids, so that many steps repeat or contradict an earlier one.
        (account(), account(), 1..4_000_u128, 0..6_u64).prop_map(|(from, to, amount, number)| Step::Pay {
            from,
            to,
            amount,
            number
        }),
        (0..4_u8, account(), 1..2_000_u128).prop_map(|(id, to, amount)| Step::PayOut { id, to, amount }),
    ]
}

async fn take(stage: &Stage, accounts: &[glassbox_pay::Wallet], step: &Step) {
    match *step {
        Step::Faucet { to, amount } => {
            stage.devnet.faucet(accounts[to].address(), Atomic(amount)).await.unwrap();
        }
        Step::Pay { from, to, amount, number } => {
            let offered = stage.rail.offer(Scheme::Exact, Atomic(amount), accounts[to].address(), TIMEOUT_S);
            let payload =
                accounts[from].sign_exact_with_nonce(&offered, None, START_S, nonce(number)).unwrap();
            let settlement = stage.rail.settle(&payload, &offered, Atomic(amount)).await;
            assert_eq!(
                stage.rail.settle(&payload, &offered, Atomic(amount)).await,
                settlement,
                "settling again says the same"
            );
        }
        Step::PayOut { id, to, amount } => {
            let (id, to) = (format!("id {id}"), accounts[to].address());
            let settlement = stage.rail.pay_out(&id, to, Atomic(amount)).await;
            assert_eq!(stage.rail.pay_out(&id, to, Atomic(amount)).await, settlement);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Whatever happens, money is only made by the faucet, the events tell every balance, and a reopened devnet
    /// is the same one.
    #[test]
    fn money_is_conserved(steps in proptest::collection::vec(step(), 1..24)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("devnet.journal");
            let accounts = ["treasury", "a", "b", "c"].map(wallet);
            let stage = Stage::open(Some(&path));
            let mut minted = 0;
            for step in &steps {
                take(&stage, &accounts, step).await;
                if let Step::Faucet { amount, .. } = step {
                    minted += amount;
                }
            }
            let transfers = stage.devnet.transfers().await.unwrap();
            let mut told: HashMap<Address, i128> = HashMap::new();
            for transfer in &transfers {
                *told.entry(transfer.from).or_default() -= transfer.amount.0 as i128;
                *told.entry(transfer.to).or_default() += transfer.amount.0 as i128;
            }
            let mut sum = 0;
            for account in &accounts {
                let balance = stage.balance(account.address()).await;
                assert_eq!(balance as i128, told.get(&account.address()).copied().unwrap_or(0));
                sum += balance;
            }
            assert_eq!((sum, stage.devnet.total_supply().await.unwrap().0), (minted, minted));
            drop(stage);
            let again = Stage::open(Some(&path));
            assert_eq!(again.devnet.transfers().await.unwrap(), transfers);
        });
    }
}
