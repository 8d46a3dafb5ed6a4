//! A chain that drops, delays, stalls and changes its mind.

use std::collections::HashMap;
use std::time::Duration;

use alloy_primitives::U256;
use glassbox_core::Atomic;
use glassbox_pay::evm::addresses::BATCH_SETTLEMENT;
use glassbox_pay::wallet::DepositTerms;
use glassbox_pay::{Address, B256, Chain, Facilitator, PayError, Scheme, Settlement, Standing};
use proptest::prelude::*;

use crate::stage::{START_S, Stage, TIMEOUT_S, nonce, wallet};

fn hash(settlement: &Settlement) -> B256 {
    match settlement {
        Settlement::Settled { transaction, .. } => *transaction,
        other => panic!("{other:?}"),
    }
}

fn is_unknown(settlement: &Settlement) -> bool {
    matches!(settlement, Settlement::Unknown { .. })
}

#[tokio::test]
async fn a_dropped_transaction_is_sent_again() {
    let stage = Stage::new().await;
    stage.devnet.weather().drop_next().await.unwrap();
    assert!(is_unknown(&stage.pay(500, 1).await));
    assert_eq!(stage.payee_has().await, 0);
    hash(&stage.pay(500, 1).await);
    assert_eq!(stage.payee_has().await, 500);
}

#[tokio::test]
async fn a_late_answer_is_still_the_answer() {
    let stage = Stage::new().await;
    stage.devnet.weather().delay_next(Duration::from_millis(20)).await.unwrap();
    hash(&stage.pay(500, 1).await);
    // A caller that gives up waiting does not stop it.
    stage.devnet.weather().delay_next(Duration::from_secs(600)).await.unwrap();
    let patience = tokio::time::timeout(Duration::from_millis(200), stage.pay(500, 2)).await;
    assert!(patience.is_err());
    hash(&stage.pay(500, 2).await);
    assert_eq!(stage.payee_has().await, 1_000);
}

#[tokio::test]
async fn a_stuck_mempool_holds_each_transaction_once() {
    let stage = Stage::new().await;
    let weather = stage.devnet.weather();
    weather.stall().await.unwrap();
    for number in [1, 2, 1, 1, 2] {
        assert!(is_unknown(&stage.pay(500, number).await));
    }
    let refused = stage.pay(50_000, 3).await;
    assert!(matches!(refused, Settlement::Rejected(_)), "what cannot be mined is not taken: {refused:?}");
    // Both would do alone, and not together.
    assert!(is_unknown(&stage.pay(9_500, 4).await));
    assert_eq!((stage.payee_has().await, stage.devnet.block().await.unwrap()), (0, 1));
    weather.release().await.unwrap();
    assert_eq!((stage.payee_has().await, stage.devnet.block().await.unwrap()), (1_000, 3));
    let first = stage.pay(500, 1).await;
    assert!(matches!(first, Settlement::Settled { block: 2, .. }), "{first:?}");
    assert!(matches!(stage.pay(9_500, 4).await, Settlement::Rejected(_)));
}

#[tokio::test]
async fn an_undone_transaction_is_missing_until_it_is_sent_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("devnet.journal");
    let stage = Stage::open(Some(&path));
    let weather = stage.devnet.weather();
    weather.finality(3).await.unwrap();
    stage.devnet.faucet(stage.payer.address(), Atomic(10_000)).await.unwrap();
    let first = hash(&stage.pay(500, 1).await);
    let second = hash(&stage.pay(700, 2).await);
    assert_eq!(stage.rail.standing(first).await.unwrap(), Standing::Mined { block: 2, confirmations: 2 });
    weather.reorg(2).await.unwrap();
    for transaction in [first, second] {
        assert_eq!(stage.rail.standing(transaction).await.unwrap(), Standing::Missing);
    }
    assert_eq!((stage.payee_has().await, stage.balance(stage.payer.address()).await), (0, 10_000));
    assert_eq!(stage.devnet.transfers().await.unwrap().len(), 1);
    // The other way round, in other blocks, and with the same hashes.
    assert_eq!(hash(&stage.pay(700, 2).await), second);
    assert_eq!(hash(&stage.pay(500, 1).await), first);
    assert_eq!(stage.rail.standing(first).await.unwrap(), Standing::Mined { block: 3, confirmations: 1 });
    weather.mine(2).await.unwrap();
    assert_eq!(stage.rail.standing(first).await.unwrap(), Standing::Final);
    assert_eq!((stage.payee_has().await, stage.devnet.block().await.unwrap()), (1_200, 5));
    let transfers = stage.devnet.transfers().await.unwrap();
    drop(stage);
    let again = Stage::open(Some(&path));
    assert_eq!((again.payee_has().await, again.devnet.block().await.unwrap()), (1_200, 5));
    assert_eq!(again.devnet.transfers().await.unwrap(), transfers);
    assert_eq!(again.rail.standing(B256::ZERO).await.unwrap(), Standing::Missing);
}

#[tokio::test]
async fn weather_has_its_limits() {
    let stage = Stage::new().await;
    let weather = stage.devnet.weather();
    for refused in [weather.reorg(2).await, weather.mine(1_000_000).await] {
        assert!(matches!(refused, Err(PayError::Devnet(_))), "{refused:?}");
    }
    weather.mine(256).await.unwrap();
    weather.mine(10).await.unwrap();
    weather.reorg(200).await.unwrap();
    assert_eq!(stage.devnet.block().await.unwrap(), 67);
    assert_eq!(stage.balance(stage.payer.address()).await, 10_000);
}

/// One step of a random history over every scheme.
#[derive(Debug, Clone)]
enum Step {
    Faucet(u128),
    Exact(u128, u64),
    Upto(u128, u64),
    Deposit(u128, u64),
    Claim(u128),
    Refund(u8, u128),
    PayOut(u8, u128),
    Approve,
    Drop,
    Stall,
    Release,
    Reorg(u64),
    Mine(u64),
    Pass(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (1..5_000_u128).prop_map(Step::Faucet),
        4 => (1..4_000_u128, 0..6_u64).prop_map(|(amount, number)| Step::Exact(amount, number)),
        4 => (1..4_000_u128, 0..6_u64).prop_map(|(amount, number)| Step::Upto(amount, number)),
        4 => (1..4_000_u128, 0..6_u64).prop_map(|(amount, number)| Step::Deposit(amount, number)),
        4 => (1..4_000_u128).prop_map(Step::Claim),
        2 => (0..4_u8, 1..2_000_u128).prop_map(|(id, amount)| Step::Refund(id, amount)),
        2 => (0..4_u8, 1..2_000_u128).prop_map(|(id, amount)| Step::PayOut(id, amount)),
        2 => Just(Step::Approve),
        1 => Just(Step::Drop),
        1 => Just(Step::Stall),
        2 => Just(Step::Release),
        2 => (1..4_u64).prop_map(Step::Reorg),
        1 => (1..4_u64).prop_map(Step::Mine),
        1 => (1..30_u64).prop_map(Step::Pass),
    ]
}

async fn take(stage: &Stage, step: &Step) {
    let (rail, weather) = (&stage.rail, stage.devnet.weather());
    let offered = stage.batch_offer(100);
    let channel = stage.payer.channel(&offered, B256::ZERO).unwrap();
    let claim = |total| stage.claim(total);
    // Whatever became of it, asked again it says the same, or knows by now.
    let settled = match *step {
        Step::Faucet(amount) => {
            stage.devnet.faucet(stage.payer.address(), Atomic(amount)).await.unwrap();
            return;
        }
        Step::Exact(amount, number) => {
            let first = stage.pay(amount, number).await;
            (first, stage.pay(amount, number).await)
        }
        Step::Upto(amount, number) => {
            let (payload, offered) = stage.upto(amount, number);
            let part = Atomic(amount.div_ceil(2));
            (rail.settle(&payload, &offered, part).await, rail.settle(&payload, &offered, part).await)
        }
        Step::Deposit(amount, number) => {
            let terms = DepositTerms { amount: Atomic(amount), salt: nonce(number), now_s: START_S };
            let payload = stage.payer.sign_deposit(&offered, None, &channel, Atomic(100), &terms).unwrap();
            let settle = async || rail.settle(&payload, &offered, Atomic(amount)).await;
            (settle().await, settle().await)
        }
        Step::Claim(total) => {
            let (id, claims) = (format!("{total}"), [claim(total)]);
            (rail.claim(&id, &claims).await, rail.claim(&id, &claims).await)
        }
        Step::Refund(id, amount) => {
            let (id, claim) = (format!("{id}"), claim(1));
            let refund = async || rail.refund_channel(&id, &claim, Atomic(amount)).await;
            (refund().await, refund().await)
        }
        Step::PayOut(id, amount) => {
            let id = format!("{id}");
            let pay = async || rail.pay_out(&id, stage.payee, Atomic(amount)).await;
            (pay().await, pay().await)
        }
        Step::Approve => {
            stage.approve(&stage.payer).await;
            return;
        }
        Step::Drop => return weather.drop_next().await.unwrap(),
        Step::Stall => return weather.stall().await.unwrap(),
        Step::Release => return weather.release().await.unwrap(),
        // More than there is to undo is refused.
        Step::Reorg(blocks) => return weather.reorg(blocks).await.unwrap_or_default(),
        Step::Mine(blocks) => return weather.mine(blocks).await.unwrap(),
        Step::Pass(seconds) => {
            stage.now_s.fetch_add(seconds, std::sync::atomic::Ordering::SeqCst);
            return;
        }
    };
    match settled {
        (Settlement::Unknown { .. }, _) => {}
        (first, second) => assert_eq!(first, second, "{step:?}"),
    }
}

async fn told(stage: &Stage) -> HashMap<Address, u128> {
    let mut told = HashMap::new();
    for transfer in stage.devnet.transfers().await.unwrap() {
        if transfer.from != Address::ZERO {
            *told.get_mut(&transfer.from).unwrap() -= transfer.amount.0;
        }
        *told.entry(transfer.to).or_default() += transfer.amount.0;
    }
    told
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    /// Whatever the weather, the events tell every balance, the contract holds what its channels hold, nothing is made
    /// or lost, and a reopened devnet is the same one.
    #[test]
    fn money_is_conserved_in_any_weather(steps in proptest::collection::vec(step(), 1..30)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("devnet.journal");
            let stage = Stage::open(Some(&path));
            for step in &steps {
                take(&stage, step).await;
            }
            let told = told(&stage).await;
            let mut sum = 0;
            for (address, amount) in &told {
                assert_eq!(stage.balance(*address).await, *amount);
                sum += amount;
            }
            assert_eq!(stage.devnet.total_supply().await.unwrap().0, sum);
            let offered = stage.batch_offer(100);
            let channel = stage.payer.channel(&offered, B256::ZERO).unwrap();
            let id = glassbox_pay::eip712::batch::channel_id(84_532, &channel);
            let state = stage.rail.channel(id).await.unwrap();
            let held = told.get(&BATCH_SETTLEMENT).copied().unwrap_or_default();
            assert_eq!(state.balance.0 - state.total_claimed.0, held);
            let (transfers, block) =
                (stage.devnet.transfers().await.unwrap(), stage.devnet.block().await.unwrap());
            drop(stage);
            let again = Stage::open(Some(&path));
            assert_eq!(again.devnet.transfers().await.unwrap(), transfers);
            assert_eq!(again.devnet.block().await.unwrap(), block);
            assert_eq!(again.rail.channel(id).await.unwrap(), state);
            for (address, amount) in &told {
                assert_eq!(again.balance(*address).await, *amount);
            }
        });
    }
}

#[tokio::test]
async fn the_chain_says_who_submits_and_what_time_it_is() {
    let stage = Stage::new().await;
    assert_eq!(stage.devnet.submitter(), wallet("treasury").address());
    assert_eq!(stage.devnet.now_s().await.unwrap(), START_S);
    let offered = stage.rail.offer(Scheme::Upto, Atomic(1), stage.payee, TIMEOUT_S);
    assert_eq!(offered.extra_text("facilitatorAddress"), Some(&*stage.devnet.submitter().to_checksum(None)));
    assert_eq!(stage.rail.schemes(), [Scheme::Exact, Scheme::Upto, Scheme::Batch]);
    assert_eq!(U256::from(stage.devnet.block().await.unwrap()), U256::ONE);
}
