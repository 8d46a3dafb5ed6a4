//! Payments out of a deposit: deposits, vouchers, claims, refunds and withdrawals.

use std::path::Path;
use std::sync::atomic::Ordering;

use alloy_primitives::{B256, U256, keccak256};
use glassbox_core::Atomic;
use glassbox_core::limits::CLAIMS_MAX;
use glassbox_pay::eip712::batch::channel_id;
use glassbox_pay::evm::addresses::BATCH_SETTLEMENT;
use glassbox_pay::scheme::batch::ChannelConfig;
use glassbox_pay::wallet::DepositTerms;
use glassbox_pay::{
    Authorization, ChannelState, Claim, ErrorCode, Facilitator, PaymentPayload, PaymentRequirements,
    Settlement, Wallet, devnet, payment,
};
use serde_json::json;

use crate::stage::{START_S, Stage, nonce, wallet};

fn refusal(settlement: Settlement) -> ErrorCode {
    match settlement {
        Settlement::Rejected(rejection) => rejection.code,
        other => panic!("{other:?}"),
    }
}

fn amount_of(settlement: &Settlement) -> u128 {
    match settlement {
        Settlement::Settled { amount, .. } => amount.0,
        other => panic!("{other:?}"),
    }
}

/// A payer with a channel.
struct Payer<'a> {
    stage: &'a Stage,
    wallet: Wallet,
    offered: PaymentRequirements,
    channel: ChannelConfig,
}

impl<'a> Payer<'a> {
    fn new(stage: &'a Stage, wallet: Wallet) -> Self {
        let offered = stage.batch_offer(100);
        let channel = wallet.channel(&offered, B256::ZERO).unwrap();
        Self { stage, wallet, offered, channel }
    }

    fn id(&self) -> B256 {
        channel_id(devnet::NETWORK.chain_id, &self.channel)
    }

    async fn state(&self) -> ChannelState {
        self.stage.rail.channel(self.id()).await.unwrap()
    }

    fn sign_deposit(&self, amount: u128, number: u64) -> PaymentPayload {
        let terms = DepositTerms { amount: Atomic(amount), salt: nonce(number), now_s: START_S };
        self.wallet.sign_deposit(&self.offered, None, &self.channel, Atomic(100), &terms).unwrap()
    }

    async fn settle(&self, payload: &PaymentPayload, amount: u128) -> Settlement {
        self.stage.rail.settle(payload, &self.offered, Atomic(amount)).await
    }

    async fn deposit(&self, amount: u128, number: u64) -> Settlement {
        self.settle(&self.sign_deposit(amount, number), amount).await
    }

    fn sign_voucher(&self, max_claimable: u128) -> PaymentPayload {
        self.wallet.sign_voucher(&self.offered, None, &self.channel, Atomic(max_claimable)).unwrap()
    }

    async fn verify(&self, payload: &PaymentPayload) -> Option<ErrorCode> {
        self.stage.rail.verify(payload, &self.offered).await.err().map(|rejection| rejection.code)
    }

    /// A voucher as it is claimed.
    fn claim(&self, max_claimable: u128, total_claimed: u128) -> Claim {
        let voucher = self.sign_voucher(max_claimable);
        match payment::read(&voucher, &self.offered).unwrap() {
            Authorization::Batch(batch) => Claim {
                channel: batch.channel,
                max_claimable: batch.max_claimable,
                signature: batch.signature.to_vec(),
                total_claimed: Atomic(total_claimed),
            },
            other => panic!("{other:?}"),
        }
    }

    /// Calls a function of the contract whose arguments are the channel and one more word at most.
    async fn send(&self, function: &str, amount: Option<u64>) -> serde_json::Value {
        let channel = &self.channel;
        let mut words = vec![
            channel.payer.into_word(),
            channel.payer_authorizer.into_word(),
            channel.receiver.into_word(),
            channel.receiver_authorizer.into_word(),
            channel.token.into_word(),
            U256::from(channel.withdraw_delay).into(),
            channel.salt,
        ];
        words.extend(amount.map(|amount| B256::from(U256::from(amount))));
        let types = "(address,address,address,address,address,uint40,bytes32)";
        let rest = if amount.is_some() { ",uint128" } else { "" };
        let data = crate::stage::call(&format!("{function}({types}{rest})"), &words);
        self.stage.send(&self.wallet, BATCH_SETTLEMENT, &data).await
    }
}

#[tokio::test]
async fn a_deposit_pays_for_vouchers_that_are_claimed_at_once() {
    let stage = Stage::new().await;
    let payer = Payer::new(&stage, stage.payer.clone());
    let deposit = payer.sign_deposit(3_000, 1);
    assert_eq!(payer.verify(&deposit).await, None);
    assert_eq!(payer.state().await, ChannelState::default(), "verifying moves nothing");
    let first = payer.settle(&deposit, 3_000).await;
    assert!(
        matches!(first, Settlement::Settled { payer, .. } if payer == stage.payer.address()),
        "{first:?}"
    );
    assert_eq!(payer.settle(&deposit, 3_000).await, first, "settled again, it is the same deposit");
    let state = payer.state().await;
    assert_eq!((state.balance.0, state.total_claimed.0, state.withdraw_requested_at), (3_000, 0, 0));
    assert_eq!(stage.balance(BATCH_SETTLEMENT).await, 3_000);

    assert_eq!(payer.verify(&payer.sign_voucher(200)).await, None);
    let claimed = stage.rail.claim("first", &[payer.claim(200, 150)]).await;
    assert_eq!(amount_of(&claimed), 150);
    assert_eq!(stage.rail.claim("first", &[payer.claim(200, 150)]).await, claimed, "once");
    assert_eq!(stage.balance(stage.devnet.treasury()).await, 150);
    let claimed = stage.rail.claim("second", &[payer.claim(500, 500)]).await;
    assert_eq!(amount_of(&claimed), 350, "what comes is what is new");
    assert_eq!(amount_of(&stage.rail.claim("third", &[payer.claim(500, 500)]).await), 0);
    assert_eq!(payer.state().await.total_claimed.0, 500);
    assert_eq!(payer.verify(&payer.sign_voucher(500)).await, Some(ErrorCode::BatchCumulativeBelowClaimed));
    assert_eq!(payer.verify(&payer.sign_voucher(3_000)).await, None);
    assert_eq!(
        payer.verify(&payer.sign_voucher(3_001)).await,
        Some(ErrorCode::BatchCumulativeExceedsBalance)
    );
    // A second deposit adds to the first.
    assert_eq!(amount_of(&payer.deposit(1_000, 2).await), 1_000);
    assert_eq!(payer.verify(&payer.sign_voucher(4_000)).await, None);
    assert_eq!(stage.rail.transfers(0).await.unwrap().len(), 2, "two claims arrived at the treasury");
}

#[tokio::test]
async fn many_channels_are_claimed_in_one_transaction() {
    let stage = Stage::new().await;
    let wallets: Vec<Wallet> = (0..CLAIMS_MAX).map(|number| wallet(&format!("payer {number}"))).collect();
    let mut claims = Vec::new();
    for wallet in wallets {
        stage.devnet.faucet(wallet.address(), Atomic(1_000)).await.unwrap();
        let payer = Payer::new(&stage, wallet);
        assert_eq!(amount_of(&payer.deposit(1_000, 1).await), 1_000);
        claims.push(payer.claim(100, 70));
    }
    let claimed = stage.rail.claim("all", &claims).await;
    assert_eq!(amount_of(&claimed), 70 * CLAIMS_MAX as u128);
    assert_eq!(stage.balance(stage.devnet.treasury()).await, 70 * CLAIMS_MAX as u128);
    claims.push(claims[0].clone());
    assert_eq!(refusal(stage.rail.claim("too many", &claims).await), ErrorCode::InvalidPayload);
    assert_eq!(refusal(stage.rail.claim("none", &[]).await), ErrorCode::InvalidPayload);
    assert_eq!(refusal(stage.rail.claim("", &claims[..1]).await), ErrorCode::InvalidPayload);
}

#[tokio::test]
async fn deposits_come_through_permit2_as_well() {
    let stage = Stage::new().await;
    let mut payer = Payer::new(&stage, stage.payer.clone());
    payer.offered.extra.insert("assetTransferMethod".to_owned(), json!("permit2"));
    let mut deposit = payer.sign_deposit(3_000, 1);
    assert_eq!(payer.verify(&deposit).await, Some(ErrorCode::BatchPermit2AllowanceRequired));
    stage.payer.add_permit(&mut deposit, U256::ZERO).unwrap();
    assert_eq!(payer.verify(&deposit).await, None);
    let first = payer.settle(&deposit, 3_000).await;
    assert_eq!(amount_of(&first), 3_000);
    assert_eq!(payer.settle(&deposit, 3_000).await, first);
    stage.approve(&stage.payer).await;
    assert_eq!(amount_of(&payer.deposit(2_000, 2).await), 2_000);
    assert_eq!(refusal(payer.deposit(2_001, 2).await), ErrorCode::NonceAlreadyUsed);
    assert_eq!(payer.verify(&payer.sign_deposit(5_001, 3)).await, Some(ErrorCode::BatchInsufficientBalance));
    assert_eq!(payer.state().await.balance.0, 5_000);
}

#[tokio::test]
async fn what_is_left_goes_back() {
    let stage = Stage::new().await;
    let payer = Payer::new(&stage, stage.payer.clone());
    assert_eq!(amount_of(&payer.deposit(3_000, 1).await), 3_000);
    let first = stage.rail.refund_channel("one", &payer.claim(400, 400), Atomic(1_000)).await;
    assert_eq!(amount_of(&first), 1_000);
    let again = stage.rail.refund_channel("one", &payer.claim(400, 400), Atomic(1_000)).await;
    assert_eq!(again, first, "once for each id");
    assert_eq!(stage.balance(stage.payer.address()).await, 8_000);
    assert_eq!(stage.balance(stage.devnet.treasury()).await, 400, "what was owed came too");
    let state = payer.state().await;
    assert_eq!((state.balance.0, state.total_claimed.0, state.refund_nonce), (2_000, 400, U256::ONE));
    // Nothing new is owed, and there is less than is asked for.
    let rest = stage.rail.refund_channel("two", &payer.claim(400, 400), Atomic(9_000)).await;
    assert_eq!(amount_of(&rest), 1_600);
    assert_eq!(amount_of(&stage.rail.refund_channel("three", &payer.claim(400, 400), Atomic(1)).await), 0);
    let nothing = stage.rail.refund_channel("four", &payer.claim(400, 400), Atomic::ZERO).await;
    assert_eq!(refusal(nothing), ErrorCode::BatchRefundAmountInvalid);
    let asked =
        stage.payer.sign_channel_refund(&payer.offered, None, &payer.channel, Atomic(400), None).unwrap();
    assert_eq!(payer.verify(&asked).await, Some(ErrorCode::BatchRefundNoBalance));
    assert_eq!(refusal(payer.settle(&asked, 1).await), ErrorCode::BatchPayloadType);
    assert_eq!(stage.balance(BATCH_SETTLEMENT).await, 0);
}

#[tokio::test]
async fn what_the_contract_refuses() {
    let stage = Stage::new().await;
    let payer = Payer::new(&stage, stage.payer.clone());
    assert_eq!(payer.verify(&payer.sign_voucher(1)).await, Some(ErrorCode::BatchChannelNotFound));
    assert_eq!(payer.verify(&payer.sign_deposit(10_001, 1)).await, Some(ErrorCode::BatchInsufficientBalance));
    assert_eq!(refusal(payer.deposit(10_001, 1).await), ErrorCode::BatchInsufficientBalance);
    assert_eq!(
        payer.verify(&payer.sign_deposit(99, 1)).await,
        Some(ErrorCode::BatchCumulativeExceedsBalance)
    );
    assert_eq!(refusal(payer.settle(&payer.sign_deposit(500, 1), 499).await), ErrorCode::InvalidPayload);
    assert_eq!(refusal(payer.settle(&payer.sign_voucher(1), 1).await), ErrorCode::BatchPayloadType);
    assert_eq!(amount_of(&payer.deposit(500, 1).await), 500);
    assert_eq!(refusal(payer.deposit(400, 1).await), ErrorCode::NonceAlreadyUsed);

    let claim = async |claim: Claim| refusal(stage.rail.claim("claim", &[claim]).await);
    assert_eq!(claim(payer.claim(501, 501)).await, ErrorCode::BatchCumulativeExceedsBalance);
    assert_eq!(claim(payer.claim(200, 201)).await, ErrorCode::BatchChargeExceedsSignedCumulative);
    let mut forged = payer.claim(200, 200);
    forged.max_claimable = Atomic(300);
    assert_eq!(claim(forged.clone()).await, ErrorCode::BatchVoucherSignature);
    forged.signature.clear();
    assert_eq!(claim(forged).await, ErrorCode::BatchVoucherSignature);
    for (change, code) in [
        (0, ErrorCode::BatchReceiverMismatch),
        (1, ErrorCode::BatchReceiverAuthorizerMismatch),
        (2, ErrorCode::BatchTokenMismatch),
    ] {
        let (mut foreign, other) = (payer.claim(200, 200), wallet("other").address());
        match change {
            0 => foreign.channel.receiver = other,
            1 => foreign.channel.receiver_authorizer = other,
            _ => foreign.channel.token = other,
        }
        assert_eq!(refusal(stage.rail.refund_channel("refund", &foreign, Atomic(1)).await), code);
        assert_eq!(claim(foreign).await, code);
    }
    assert_eq!(payer.state().await.balance.0, 500);
    assert_eq!(stage.balance(stage.devnet.treasury()).await, 0);
    // An id that was refused is free.
    assert_eq!(amount_of(&stage.rail.claim("claim", &[payer.claim(200, 200)]).await), 200);
}

#[tokio::test]
async fn time_is_the_chains() {
    let stage = Stage::new().await;
    let payer = Payer::new(&stage, stage.payer.clone());
    let deposit = payer.sign_deposit(500, 1);
    stage.now_s.store(START_S + 55, Ordering::SeqCst);
    assert_eq!(payer.verify(&deposit).await, Some(ErrorCode::BatchValidBefore), "no time to settle it");
    stage.now_s.store(START_S + 60, Ordering::SeqCst);
    assert_eq!(refusal(payer.settle(&deposit, 500).await), ErrorCode::BatchValidBefore);
}

#[tokio::test]
async fn a_payer_takes_its_deposit_back_alone_and_too_late_for_nobody() {
    let stage = Stage::new().await;
    let payer = Payer::new(&stage, stage.payer.clone());
    assert_eq!(amount_of(&payer.deposit(3_000, 1).await), 3_000);
    let asked = payer.send("initiateWithdraw", Some(3_000)).await;
    assert!(asked["result"].is_string(), "{asked}");
    assert_eq!(payer.state().await.withdraw_requested_at, START_S);
    let early = payer.send("finalizeWithdraw", None).await;
    let reason = keccak256("WithdrawDelayNotElapsed()");
    assert_eq!(early["error"]["data"], json!(alloy_primitives::hex::encode_prefixed(&reason[..4])));
    assert_eq!(amount_of(&stage.rail.claim("in time", &[payer.claim(700, 700)]).await), 700);
    stage.now_s.store(START_S + payer.channel.withdraw_delay, Ordering::SeqCst);
    let done = payer.send("finalizeWithdraw", None).await;
    assert!(done["result"].is_string(), "{done}");
    assert_eq!(stage.balance(stage.payer.address()).await, 9_300);
    let state = payer.state().await;
    assert_eq!((state.balance.0, state.total_claimed.0, state.withdraw_requested_at), (700, 700, 0));
}

/// Opens the devnet at `path` and makes, or asks again for, one operation of every kind.
async fn every_kind(path: &Path) -> (Vec<Settlement>, ChannelState, Vec<u128>) {
    let stage = Stage::open(Some(path));
    if stage.devnet.total_supply().await.unwrap() == Atomic::ZERO {
        stage.devnet.faucet(stage.payer.address(), Atomic(10_000)).await.unwrap();
        stage.approve(&stage.payer).await;
    }
    let payer = Payer::new(&stage, stage.payer.clone());
    let (upto, offered) = stage.upto(2_000, 7);
    let answers = vec![
        stage.pay(100, 1).await,
        stage.rail.settle(&upto, &offered, Atomic(55)).await,
        payer.deposit(3_000, 2).await,
        stage.rail.claim("claim", &[payer.claim(500, 400)]).await,
        stage.rail.refund_channel("refund", &payer.claim(500, 450), Atomic(50)).await,
        stage.rail.pay_out("pay", stage.payee, Atomic(9)).await,
    ];
    let balances = [stage.payer.address(), stage.payee, stage.devnet.treasury(), BATCH_SETTLEMENT];
    let mut has = Vec::new();
    for address in balances {
        has.push(stage.balance(address).await);
    }
    (answers, payer.state().await, has)
}

#[tokio::test]
async fn every_kind_of_operation_is_replayed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("devnet.journal");
    let first = every_kind(&path).await;
    assert!(first.0.iter().all(|answer| matches!(answer, Settlement::Settled { .. })), "{first:?}");
    assert_eq!(first.2, [6_895, 164, 441, 2_500]);
    let written = std::fs::read(&path).unwrap();
    assert_eq!(every_kind(&path).await, first);
    assert_eq!(std::fs::read(&path).unwrap(), written, "nothing was done twice");
    // Torn after any line, and within any line, it goes on to the same end.
    let ends: Vec<usize> = (0..written.len()).filter(|&index| written[index] == b'\n').collect();
    for pair in ends.windows(2).skip(2) {
        for length in [pair[0] + 1, pair[0] + 30, pair[1]] {
            std::fs::write(&path, &written[..length]).unwrap();
            assert_eq!(every_kind(&path).await, first);
            assert_eq!(std::fs::read(&path).unwrap(), written);
        }
    }
}
