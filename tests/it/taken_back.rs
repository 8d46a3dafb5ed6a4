//! What waits is paid once, and what a chain takes back is paid again, once: payments of every kind, and what the registry
//! moves itself. Every row on the devnet, and over HTTP in front of a real node.

use std::time::Duration;

use glassbox_core::{Atomic, limits};
use glassbox_pay::chain::Standing;
use glassbox_pay::faults::MoveFault;
use glassbox_pay::{Chain, ErrorCode, Facilitator as _, Rejection, Scheme, devnet, x402};
use glassbox_registry::PayoutTerms;
use serde_json::{Value, json};

use crate::buyer::{Reply, bench};
use crate::ground::{FINALITY, Ground, InProcess, Node};
use crate::payer::{ON_CHAIN, Payer, Way, charged, worth};
use crate::schemes::offer;
use crate::stage::{MOMENTS, Stage, wallet};

macro_rules! on_every_chain {
    ($($row:ident)*) => {
        mod in_process {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $row() {
                super::$row(&super::InProcess::new().await).await;
            })*
        }

        mod on_a_node {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $row() {
                super::$row(&super::Node::new().await).await;
            })*
        }
    };
}

on_every_chain! {
    a_payment_in_a_stuck_mempool_is_paid_once
    a_payment_that_is_taken_back_is_settled_again
    bought_credit_that_is_taken_back_is_settled_again
    a_refund_that_is_taken_back_is_paid_again
    returned_credit_that_is_taken_back_is_paid_again
    a_payout_that_is_taken_back_is_paid_again
    a_claim_that_is_taken_back_is_made_again
    the_rest_of_a_channel_that_is_taken_back_is_returned_again
}

/// Says whether no block holds the transaction that paid for a call.
async fn is_missing<G: Ground>(ground: &G, reply: &Reply) -> bool {
    let paid = reply.receipt().1.payment.unwrap();
    let standing = ground.stage().rail.standing(paid.transaction.parse().unwrap()).await.unwrap();
    standing == Standing::Missing
}

async fn a_payment_in_a_stuck_mempool_is_paid_once<G: Ground>(ground: &G) {
    for way in ON_CHAIN {
        let mut payer = ground.payer(&format!("{way:?}")).await;
        let before = worth(ground.stage(), &payer).await;
        let body = json!({ "args": [21] });
        ground.stall().await;
        // The client gave up, lost what it signed, and signs anew; the mempool is still stuck.
        let first = payer.order(way, "double", body.clone(), "first").await;
        first.send(&payer.buyer).await.assert_pending();
        let second = payer.order(way, "double", body, "second").await;
        assert_ne!(first.payment, second.payment);
        second.send(&payer.buyer).await.assert_pending();
        ground.release().await;
        let reply = payer.pays(&second).await;
        assert_eq!((reply.output(), &reply.json()["replayed"]), (json!(42), &json!(true)), "{way:?}");
        assert_eq!(payer.pays(&first).await.receipt().1.call, reply.receipt().1.call, "{way:?}");
        ground.finish().await;
        assert_eq!(before - worth(ground.stage(), &payer).await, 2_000, "{way:?}: one charge");
    }
}

/// More is offered for the nonce that waits, and one of the two gets into a block.
#[tokio::test(flavor = "multi_thread")]
async fn a_payment_that_offers_too_little_gas_is_paid_once_when_more_is_offered() {
    let ground = Node::new().await;
    let mut payer = ground.payer("ana").await;
    ground.stall().await;
    let order = payer.order(Way::Exact, "double", json!({ "args": [21] }), "first").await;
    order.send(&payer.buyer).await.assert_pending();
    let operator = ground.stage().treasury();
    let submitted = ground.anvil.count(operator).await;
    // A hundred times what a block costs at first.
    let dear = json!([format!("{:#x}", 100_000_000_000_u64)]);
    ground.anvil.ask("anvil_setNextBlockBaseFeePerGas", dear).await;
    ground.anvil.mine(1).await;
    assert_eq!(ground.anvil.count(operator).await, submitted, "it was too dear for what was offered");
    order.send(&payer.buyer).await.assert_pending();
    ground.release().await;
    assert_eq!(payer.pays(&order).await.output(), 42);
    ground.finish().await;
    assert_eq!(ground.anvil.count(operator).await, submitted + 1);
    assert_eq!(ground.stage().balance(payer.address()).await, 5_000_000 - 2_000);
}

async fn a_payment_that_is_taken_back_is_settled_again<G: Ground>(ground: &G) {
    for way in ON_CHAIN {
        let mut payer = ground.payer(&format!("{way:?}")).await;
        ground.finish().await;
        let before = worth(ground.stage(), &payer).await;
        let order = payer.order(way, "double", json!({ "args": [21] }), "first").await;
        let reply = payer.pays(&order).await;
        assert_eq!(reply.output(), 42);
        ground.reorg(1).await;
        assert!(is_missing(ground, &reply).await, "{way:?}");
        ground.stage().registry.reconcile().await;
        assert_eq!(before - worth(ground.stage(), &payer).await, charged(&reply), "{way:?}: settled again");
        ground.finish().await;
        assert_eq!(before - worth(ground.stage(), &payer).await, charged(&reply), "{way:?}: once");
        assert_eq!(payer.pays(&order).await.receipt().1.call, reply.receipt().1.call, "{way:?}");
    }
}

async fn bought_credit_that_is_taken_back_is_settled_again<G: Ground>(ground: &G) {
    let stage = ground.stage();
    let mut payer = ground.payer("ana").await;
    assert_eq!(stage.balance(stage.treasury()).await, 1_000_000);
    ground.reorg(1).await;
    assert_eq!(stage.balance(stage.treasury()).await, 0, "it is gone");
    let order = payer.order(Way::Credit, "double", json!({ "args": [21] }), "first").await;
    assert_eq!(payer.pays(&order).await.output(), 42);
    stage.registry.reconcile().await;
    assert_eq!(stage.balance(stage.treasury()).await, 1_000_000);
    ground.finish().await;
    assert_eq!(stage.balance(payer.address()).await, 5_000_000, "once");
}

async fn a_refund_that_is_taken_back_is_paid_again<G: Ground>(ground: &G) {
    let stage = ground.stage();
    let mut payer = ground.payer("ana").await;
    ground.finish().await;
    let body = json!({ "args": [10], "fuel": 50_000_000 });
    let order = payer.order(Way::Exact, "burn", body, "first").await;
    assert_eq!(charged(&payer.pays(&order).await), 100);
    ground.mine(FINALITY).await;
    let gave = async || 5_000_000 - stage.balance(payer.address()).await;
    assert_eq!(gave().await, 5_000);
    stage.registry.reconcile().await;
    assert_eq!(gave().await, 100);
    ground.reorg(1).await;
    assert_eq!(gave().await, 5_000, "the refund is gone");
    stage.registry.reconcile().await;
    assert_eq!(gave().await, 100, "and paid again");
    ground.finish().await;
    assert_eq!(gave().await, 100, "once");
}

async fn returned_credit_that_is_taken_back_is_paid_again<G: Ground>(ground: &G) {
    let stage = ground.stage();
    let payer = ground.payer("ana").await;
    ground.finish().await;
    let home = wallet("home").address();
    let wish = json!({ "id": "all", "to": home.to_string(), "usd": "1" });
    let request = stage.http.post(format!("{}/v1/credit/refund", stage.url)).json(&wish);
    let reply = Reply::of(request.bearer_auth(&payer.token).send().await.unwrap()).await;
    assert_eq!(reply.status, 202, "{}", reply.text);
    stage.registry.reconcile().await;
    assert_eq!(stage.balance(home).await, 1_000_000);
    ground.reorg(1).await;
    assert_eq!(stage.balance(home).await, 0, "it is gone");
    stage.registry.reconcile().await;
    assert_eq!(stage.balance(home).await, 1_000_000, "and paid again");
    ground.finish().await;
    assert_eq!(stage.balance(home).await, 1_000_000, "once");
}

/// Everything that is final is paid out, to three addresses.
pub(crate) fn terms() -> PayoutTerms {
    let to = |name: &str| wallet(name).address();
    let addresses =
        [("operator", "boss"), ("acct:ana@lab.example", "ana's"), ("acct:ben@lab.example", "ben's")];
    let addresses = addresses.map(|(payee, name)| (payee.to_owned(), to(name)));
    PayoutTerms { addresses: addresses.into(), ..PayoutTerms::default() }
}

/// Returns what arrived there.
async fn paid_out<C: Chain + 'static>(stage: &Stage<C>) -> Vec<u128> {
    let mut paid = Vec::new();
    for name in ["boss", "ana's", "ben's"] {
        paid.push(stage.balance(wallet(name).address()).await);
    }
    paid
}

async fn a_payout_that_is_taken_back_is_paid_again<G: Ground>(ground: &G) {
    let stage = ground.stage();
    let mut payer = ground.payer("ana").await;
    let order = payer.order(Way::Exact, "double", json!({ "args": [21] }), "first").await;
    payer.pays(&order).await.output();
    ground.finish().await;
    let paid = async || paid_out(stage).await;
    let plan = stage.registry.pay_out_earnings(&terms()).await.unwrap();
    assert_eq!(plan.total, Atomic(2_000));
    assert_eq!(paid().await, [100, 1_330, 570]);
    ground.reorg(1).await;
    assert_eq!(paid().await, [0, 0, 0], "it is gone");
    // What was paid is not payable again, wherever it is.
    assert_eq!(stage.registry.pay_out_earnings(&terms()).await.unwrap().total, Atomic::ZERO);
    stage.registry.reconcile().await;
    assert_eq!(paid().await, [100, 1_330, 570], "and paid again");
    ground.finish().await;
    assert_eq!(paid().await, [100, 1_330, 570], "once");
}

impl Node {
    /// Takes what waits in the mempool, and has somebody else submit an authorization of the token out of it, for more gas.
    async fn submitted_by_somebody_else(&self) {
        let pool = self.anvil.ask("txpool_content", json!([])).await;
        let account = pool["pending"].as_object().unwrap().values().next().unwrap();
        let waits = account.as_object().unwrap().values().next().unwrap();
        let input = waits["input"].as_str().unwrap();
        // The call of `transferWithAuthorization` with nine words, alone or the first of several.
        let call = &input[input.find("e3ee160e").expect("an authorization")..][..2 * (4 + 9 * 32)];
        let tip = json!("0x174876e800");
        let transaction = json!({
            "from": "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266",
            "to": devnet::ASSET.to_string(),
            "data": format!("0x{call}"),
            "maxFeePerGas": tip,
            "maxPriorityFeePerGas": tip,
        });
        self.anvil.ask("eth_sendTransaction", json!([transaction])).await;
        self.anvil.mine(1).await;
    }

    /// Pays out in a transaction that reverts, because the first of its payments was made by somebody else before it.
    async fn pays_out_in_vain(&self) {
        let mut payer = self.payer("ana").await;
        let order = payer.order(Way::Exact, "double", json!({ "args": [21] }), "first").await;
        payer.pays(&order).await.output();
        self.finish().await;
        self.stall().await;
        let plan = self.stage().registry.pay_out_earnings(&terms()).await.unwrap();
        assert_eq!((plan.total, plan.transaction), (Atomic(2_000), None));
        self.submitted_by_somebody_else().await;
        let paid: u128 = self.paid().await.iter().sum();
        assert!(paid > 0 && paid < 2_000, "one has its money, and the others do not: {paid}");
        self.stage().registry.reconcile().await;
        // It is neither paid nor payable, because another block may let it through.
        assert_eq!(self.stage().registry.pay_out_earnings(&terms()).await.unwrap().total, Atomic::ZERO);
        assert_eq!(self.paid().await.iter().sum::<u128>(), paid);
    }

    async fn paid(&self) -> Vec<u128> {
        paid_out(self.stage()).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payout_that_reverts_and_is_let_through_by_a_reorganisation_is_paid_once() {
    let ground = Node::new().await;
    ground.pays_out_in_vain().await;
    ground.reorg(1).await;
    assert_eq!(ground.paid().await, [0, 0, 0]);
    ground.stage().registry.reconcile().await;
    assert_eq!(ground.paid().await, [100, 1_330, 570], "it is let through");
    ground.finish().await;
    assert_eq!(ground.stage().registry.pay_out_earnings(&terms()).await.unwrap().total, Atomic::ZERO);
    assert_eq!(ground.paid().await, [100, 1_330, 570], "once");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payout_that_somebody_else_submits_is_paid_once_and_keeps_out_no_other() {
    let ground = Node::new().await;
    ground.pays_out_in_vain().await;
    ground.release().await;
    ground.finish().await;
    assert_eq!(ground.paid().await, [100, 1_330, 570], "one by one");
    assert_eq!(ground.stage().registry.pay_out_earnings(&terms()).await.unwrap().total, Atomic::ZERO);
    assert_eq!(ground.paid().await, [100, 1_330, 570], "once");
}

/// Payments that were made one by one, and one of them by somebody else, are taken back.
#[tokio::test(flavor = "multi_thread")]
async fn a_payout_that_was_made_one_by_one_and_is_taken_back_is_paid_again() {
    let ground = Node::new().await;
    ground.pays_out_in_vain().await;
    ground.release().await;
    ground.mine(FINALITY).await;
    ground.stage().registry.reconcile().await;
    assert_eq!(ground.paid().await, [100, 1_330, 570], "one by one");
    ground.reorg(2).await;
    ground.finish().await;
    assert_eq!(ground.paid().await, [100, 1_330, 570], "once");
}

/// Whoever sees a payment on its way can submit it too. The payer has paid, so it gets what it paid for.
#[tokio::test(flavor = "multi_thread")]
async fn a_payment_that_somebody_else_submits_pays_for_its_call() {
    let ground = Node::new().await;
    let mut payer = ground.payer("ana").await;
    let before = worth(ground.stage(), &payer).await;
    ground.stall().await;
    let order = payer.order(Way::Exact, "double", json!({ "args": [21] }), "first").await;
    order.send(&payer.buyer).await.assert_pending();
    ground.submitted_by_somebody_else().await;
    ground.release().await;
    order.send(&payer.buyer).await.assert_pending();
    ground.mine(FINALITY).await;
    assert_eq!(payer.pays(&order).await.output(), 42);
    ground.finish().await;
    assert_eq!(before - worth(ground.stage(), &payer).await, 2_000, "one charge");
}

/// Pays for one call out of a channel that is filled with it, and waits until that is final.
async fn with_channel<G: Ground>(ground: &G) -> Payer {
    let mut payer = ground.payer("ana").await;
    let order = payer.order(Way::Deposit, "double", json!({ "args": [0] }), "first deposit").await;
    payer.pays(&order).await.output();
    ground.finish().await;
    payer
}

async fn a_claim_that_is_taken_back_is_made_again<G: Ground>(ground: &G) {
    let stage = ground.stage();
    with_channel(ground).await;
    let treasury = stage.balance(stage.treasury()).await;
    let claimed = async || stage.balance(stage.treasury()).await - treasury;
    let payable = async || stage.registry.plan_payouts(&terms()).await.unwrap().total;
    assert_eq!(stage.registry.claim_channels().await.unwrap(), Atomic(2_000));
    assert_eq!((claimed().await, payable().await), (2_000, Atomic::ZERO), "it may still be taken back");
    ground.reorg(1).await;
    assert_eq!(claimed().await, 0, "it is gone");
    stage.registry.reconcile().await;
    assert_eq!(claimed().await, 2_000, "and made again");
    ground.finish().await;
    assert_eq!((claimed().await, payable().await), (2_000, Atomic(2_000)), "once, and for good");
}

async fn the_rest_of_a_channel_that_is_taken_back_is_returned_again<G: Ground>(ground: &G) {
    let stage = ground.stage();
    let payer = with_channel(ground).await;
    let required = payer.buyer.send(&bench("double"), &json!({ "args": [2] }), None).await.required();
    let batch = offer(&required, Scheme::Batch);
    let wish = payer.buyer.wallet.sign_channel_refund(&batch, None, &payer.config, Atomic(2_000), None);
    let wish = x402::encode(&wish.unwrap());
    assert_eq!(payer.buyer.ask(&bench("double"), &wish).await.status, 200);
    let has = async || stage.balance(payer.address()).await;
    assert_eq!(has().await, 5_000_000 - 2_000);
    ground.reorg(1).await;
    assert_eq!(has().await, 5_000_000 - 50_000, "it is gone");
    // What goes back pays for nothing, though the contract has it for now; and is not asked back twice.
    stage.world.advance(Duration::from_millis(limits::CHANNEL_KNOWN_MS as u64 + 1_000));
    let order = payer.order(Way::Voucher, "double", json!({ "args": [7] }), "late").await;
    order.send(&payer.buyer).await.assert_problem(402, "payment-invalid");
    assert_ne!(payer.buyer.ask(&bench("double"), &wish).await.status, 200);
    stage.registry.reconcile().await;
    assert_eq!(has().await, 5_000_000 - 2_000, "and returned again");
    ground.finish().await;
    assert_eq!(has().await, 5_000_000 - 2_000, "once");
}

/// Every write on the way of what is taken back fails, before it happened and after.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_taken_back_survives_writes_that_fail() {
    for verb in ["post_owed", "touch_submission", "move_submission", "end_submission"] {
        for moment in MOMENTS {
            let case = format!("{verb} {moment:?}");
            let ground = InProcess::new().await;
            let mut payer = ground.payer("ana").await;
            ground.finish().await;
            let body = json!({ "args": [10], "fuel": 50_000_000 });
            let order = payer.order(Way::Exact, "burn", body, "first").await;
            payer.pays(&order).await.output();
            ground.mine(FINALITY).await;
            ground.stage().inject(verb, moment);
            for _ in 0..2 {
                ground.stage().registry.reconcile().await;
            }
            ground.reorg(1).await;
            for _ in 0..2 {
                ground.stage().registry.reconcile().await;
            }
            ground.finish().await;
            assert_eq!(ground.stage().store().faults_waiting(), 0, "{case}");
            assert_eq!(ground.stage().balance(payer.address()).await, 5_000_000 - 100, "{case}: once");
        }
    }
}

/// The same on the way of what fills a channel.
#[tokio::test(flavor = "multi_thread")]
async fn a_deposit_that_is_taken_back_survives_writes_that_fail() {
    for verb in ["touch_call", "mark_standing", "learn_channel"] {
        for moment in MOMENTS {
            let case = format!("{verb} {moment:?}");
            let ground = InProcess::new().await;
            let stage = ground.stage();
            let mut payer = ground.payer("ana").await;
            ground.finish().await;
            let before = worth(stage, &payer).await;
            let order = payer.order(Way::Deposit, "double", json!({ "args": [21] }), "first").await;
            let reply = payer.pays(&order).await;
            stage.inject(verb, moment);
            stage.registry.reconcile().await;
            ground.reorg(1).await;
            for _ in 0..2 {
                stage.registry.reconcile().await;
            }
            assert_eq!(stage.store().faults_waiting(), 0, "{case}");
            ground.finish().await;
            assert_eq!(before - worth(stage, &payer).await, charged(&reply), "{case}: once");
            assert_eq!(stage.registry.claim_channels().await.unwrap(), Atomic(2_000), "{case}");
            ground.finish().await;
        }
    }
}

/// What was paid together is paid one by one after a refusal, also where the first try to write that down failed.
#[tokio::test(flavor = "multi_thread")]
async fn a_payout_that_is_taken_apart_survives_writes_that_fail() {
    for moment in MOMENTS {
        let ground = InProcess::new().await;
        let stage = ground.stage();
        let mut payer = ground.payer("ana").await;
        let order = payer.order(Way::Exact, "double", json!({ "args": [21] }), "first").await;
        payer.pays(&order).await.output();
        ground.finish().await;
        assert_eq!(stage.registry.pay_out_earnings(&terms()).await.unwrap().total, Atomic(2_000));
        ground.reorg(1).await;
        stage.inject("split_submission", moment);
        for _ in 0..2 {
            let rejection = Rejection::new(ErrorCode::InsufficientFunds, "scripted");
            stage.rail.next_pay_out(MoveFault::Rejected(rejection));
            stage.registry.reconcile().await;
        }
        assert_eq!(stage.store().faults_waiting(), 0, "{moment:?}");
        assert_eq!(stage.store().submissions(9).await.unwrap().len(), 3, "{moment:?}: one by one");
        ground.finish().await;
        assert_eq!(paid_out(stage).await, [100, 1_330, 570], "{moment:?}: once");
        assert_eq!(stage.registry.pay_out_earnings(&terms()).await.unwrap().total, Atomic::ZERO);
    }
}

/// A crash between the reorganisation and the sweep forgets nothing.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_taken_back_survives_a_power_cut() {
    let ground = InProcess::new().await;
    with_channel(&ground).await;
    let treasury = ground.stage().balance(ground.stage().treasury()).await;
    ground.stage().registry.claim_channels().await.unwrap();
    ground.reorg(1).await;
    let InProcess(stage) = ground;
    let ground = InProcess(stage.reopen(crate::stage::Sweep::Off).await);
    ground.0.devnet().weather().finality(FINALITY).await.unwrap();
    ground.finish().await;
    assert_eq!(ground.0.balance(ground.0.treasury()).await, treasury + 2_000);
}

impl Reply {
    /// Insists that the payment is undecided, and that the same is to be sent again.
    fn assert_pending(&self) {
        assert_eq!((self.status, self.code().as_str()), (503, "settlement-pending"), "{}", self.text);
        assert_eq!(self.json()["retry"], Value::from("later"), "{}", self.text);
    }
}
