//! Everything at random: thousands of operations by several payers in every way, while the chain misbehaves, writes fail
//! and the power goes. After each power cut, and at the end, the ledger is right to the last unit, and every reply that
//! was promised is there.
//!
//! One seed, one run. `GLASSBOX_CHAOS` is how many operations, `GLASSBOX_CHAOS_SEED` the seed; both are printed.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use glassbox_core::Atomic;
use glassbox_pay::chain::Chain;
use glassbox_pay::faults::{MoveFault, VerifyFault};
use glassbox_pay::{ErrorCode, Rejection, Scheme, x402};
use glassbox_store::Moment;
use serde_json::{Value, json};

use crate::buyer::{Reply, bench};
use crate::payer::{Order, Payer, Way, worth};
use crate::schemes::offer;
use crate::stage::{Stage, Sweep};
use crate::taken_back::terms;

/// How many operations there are in an ordinary run of the tests.
const OPERATIONS: u64 = 1_500;

/// How many confirmations make a payment final; the chain takes back fewer.
const FINALITY: u64 = 4;

const WRITES: [&str; 24] = [
    "hold_call",
    "record_outcome",
    "post_call",
    "post_held_call",
    "void_call",
    "release_call",
    "mark_delivered",
    "mark_standing",
    "post_owed",
    "owe",
    "post_claims",
    "learn_channel",
    "touch_call",
    "begin_claim",
    "stand_in",
    "owe_all",
    "post_run",
    "move_submission",
    "split_submission",
    "end_submission",
    "drop_claim",
    "lose_call",
    "touch_owed",
    "forget_replies",
];

/// SplitMix64: small, and the same everywhere.
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % sides
    }

    pub(crate) fn pick<T: Clone>(&mut self, choices: &[T]) -> T {
        choices[self.roll(choices.len() as u64) as usize].clone()
    }
}

/// A request that was sent, and what must come of it.
#[derive(Clone)]
struct Sent {
    payer: usize,
    order: Order,
    /// What the function returns; nothing where it traps.
    output: Option<Value>,
}

/// What a registry said of a call, and must say for ever.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Promise {
    output: Option<Value>,
    charged: u128,
}

struct Chaos {
    stage: Stage,
    dice: Dice,
    payers: Vec<Payer>,
    /// What each payer had at first.
    worth: Vec<u128>,
    /// What was sent and not answered for good.
    open: Vec<Sent>,
    /// What was delivered, with the call that it was.
    delivered: Vec<(Sent, String)>,
    /// What was promised, by the payer and the call.
    promises: BTreeMap<(usize, String), Promise>,
    /// Requests for which two payments were signed: one of them was never taken.
    anew: BTreeSet<String>,
    names: u64,
}

impl Chaos {
    async fn begin(seed: u64) -> Self {
        let stage = Stage::without_sweep().await;
        let (mut payers, mut at_first) = (Vec::new(), Vec::new());
        for name in ["ana", "ben", "cyn"] {
            let payer = Payer::with_channel(&stage, name).await;
            stage.devnet().faucet(payer.address(), Atomic(90_000_000)).await.unwrap();
            at_first.push(worth(&stage, &payer).await);
            payers.push(payer);
        }
        stage.devnet().weather().finality(FINALITY).await.unwrap();
        stage.devnet().weather().mine(FINALITY).await.unwrap();
        stage.registry.reconcile().await;
        Self {
            stage,
            dice: Dice(seed),
            payers,
            worth: at_first,
            open: Vec::new(),
            delivered: Vec::new(),
            promises: BTreeMap::new(),
            anew: BTreeSet::new(),
            names: 0,
        }
    }

    fn name(&mut self) -> String {
        self.names += 1;
        format!("chaos-{}", self.names)
    }

    async fn operate(&mut self) {
        match self.dice.roll(100) {
            0..45 => self.call().await,
            45..57 => self.retry().await,
            57..63 => self.replay().await,
            63..67 => self.sign_anew().await,
            67..70 => self.misuse().await,
            70..72 => self.top_up().await,
            72..74 => self.refund_credit().await,
            74..75 => self.refund_channel().await,
            // A claim, or a payout, that fails is made again.
            75 => drop(self.stage.registry.claim_channels().await),
            76 => drop(self.stage.registry.pay_out_earnings(&terms()).await),
            77..82 => self.stage.registry.reconcile().await,
            82..88 => self.weather().await,
            88..92 => self.rail_fault(),
            92..96 => self.write_fault(),
            96..98 => {
                let seconds = 1 + self.dice.roll(40);
                self.stage.world.advance(Duration::from_secs(seconds));
            }
            98 => self.stage.world.advance(Duration::from_secs(61)),
            _ => match self.dice.roll(4) {
                0 => self.power_cut().await,
                _ => self.stage.registry.reconcile().await,
            },
        }
    }

    async fn call(&mut self) {
        let payer = self.dice.roll(self.payers.len() as u64) as usize;
        let way = match self.dice.roll(20) {
            0 => Way::Deposit,
            _ => self.dice.pick(&[Way::Exact, Way::Upto, Way::Voucher, Way::Voucher, Way::Credit]),
        };
        let number = 10_000 + self.names;
        let (function, output) = match self.dice.roll(12) {
            0 => ("boom", None),
            1 => ("try-boom", None),
            2..7 => ("burn", Some(json!(number))),
            _ => ("double", Some(json!(2 * number))),
        };
        let body = json!({ "args": [number], "fuel": 1_000_000 + 1_000_000 * self.dice.roll(9) });
        let name = self.name();
        let order = self.payers[payer].order(way, function, body, &name).await;
        self.send(Sent { payer, order, output }).await;
    }

    /// Sends an order once, and notes what came of it. Returns whether it is decided.
    async fn send(&mut self, sent: Sent) -> bool {
        let payer = &mut self.payers[sent.payer];
        let reply = sent.order.send(&payer.buyer).await;
        let failed = reply.status == 422;
        match (reply.status, reply.code().as_str()) {
            (200, _) => assert_eq!(Some(reply.output()), sent.output, "{:?}", sent.order),
            (422, "guest-failed") => assert_eq!(sent.output, None, "{:?}", sent.order),
            // Refused for good, or for now: not charged, and no output.
            (402 | 409 | 429, _) => {
                Self::count_again(payer, &reply);
                return true;
            }
            (500 | 503, _) => {
                let output = sent.output.as_ref().filter(|output| output.as_u64() > Some(9_999));
                let leaked = output
                    .is_some_and(|output| reply.json()["detail"].to_string().contains(&output.to_string()));
                assert!(!leaked, "{}", reply.text);
                self.open.push(sent);
                return false;
            }
            _ => panic!("{:?}: {} {}", sent.order, reply.status, reply.text),
        }
        let json = reply.json();
        let call = json["call"].as_str().unwrap().to_owned();
        let amount = if failed { &json["charged"] } else { &json["charged"]["amount"] };
        let charged: u128 = amount.as_str().unwrap_or_else(|| panic!("{json}")).parse().unwrap();
        payer.note(&sent.order, &reply);
        if failed && charged > 0 && matches!(sent.order.way, Way::Deposit | Way::Voucher) {
            payer.charged = payer.charged.max(reply.receipt().1.payment.unwrap().cumulative.unwrap().0);
        }
        // A failed call that cost nothing is promised to nobody.
        if charged > 0 {
            let promise = Promise { output: json.get("output").cloned().filter(|_| !failed), charged };
            let known = self.promises.entry((sent.payer, call.clone())).or_insert(promise.clone());
            assert_eq!(*known, promise, "{:?}", sent.order);
            self.delivered.push((sent, call));
        }
        true
    }

    /// A payer that lost count is told where its channel stands.
    fn count_again(payer: &mut Payer, reply: &Reply) {
        if reply.header(x402::PAYMENT_REQUIRED).is_none() {
            return;
        }
        let offers = reply.required().accepts;
        let told =
            offers.iter().find_map(|offer| offer.extra.get("channelState")?.get("chargedCumulativeAmount"));
        if let Some(charged) = told {
            payer.charged = charged.as_str().unwrap().parse().unwrap();
        }
    }

    async fn retry(&mut self) {
        if self.open.is_empty() {
            return;
        }
        let index = self.dice.roll(self.open.len() as u64) as usize;
        let sent = self.open.swap_remove(index);
        self.send(sent).await;
    }

    /// What was delivered is delivered again, and it is the same call.
    async fn replay(&mut self) {
        if self.delivered.is_empty() {
            return;
        }
        let (sent, call) = self.dice.pick(&self.delivered);
        let reply = sent.order.send(&self.payers[sent.payer].buyer).await;
        // A payment that was never taken has expired, where it is not the one that was.
        let expired = reply.status == 402 && self.anew.contains(&sent.order.body.to_string());
        if reply.status < 500 && reply.status != 429 && !expired {
            assert_eq!(reply.json()["call"], json!(call), "{:?}: {}", sent.order, reply.text);
        }
    }

    /// A client that lost what it signed signs anew, for the same request.
    async fn sign_anew(&mut self) {
        if self.open.is_empty() {
            return;
        }
        let sent = self.dice.pick(&self.open);
        if !matches!(sent.order.way, Way::Exact | Way::Upto) {
            return;
        }
        let name = self.name();
        let function = sent.order.path.rsplit('/').next().unwrap().to_owned();
        let body = sent.order.body.clone();
        self.anew.insert(body.to_string());
        let order = self.payers[sent.payer].order(sent.order.way, &function, body, &name).await;
        self.send(Sent { order, ..sent }).await;
    }

    /// A payment that bought something buys nothing else.
    async fn misuse(&mut self) {
        if self.delivered.is_empty() {
            return;
        }
        let (sent, call) = self.dice.pick(&self.delivered);
        let anew = self.anew.contains(&sent.order.body.to_string());
        if anew || matches!(sent.order.way, Way::Deposit | Way::Voucher) {
            return;
        }
        let other = Order { body: json!({ "args": [1_000_001] }), ..sent.order };
        let reply = other.send(&self.payers[sent.payer].buyer).await;
        assert!(matches!(reply.status, 409 | 500 | 503), "{other:?}: {}", reply.text);
        assert!(!reply.text.contains(&call), "{}", reply.text);
    }

    async fn top_up(&mut self) {
        let name = self.name();
        let payer = &self.dice.pick(&[0usize, 1, 2]);
        let payer = &self.payers[*payer];
        let body = json!({ "usd": "0.05", "account": payer.account });
        let asked = self.stage.post("/v1/credit", &body).await;
        if asked.status != 402 {
            return;
        }
        let payment = x402::encode(&payer.buyer.answer(&asked.required(), &name));
        let sends = 1 + self.dice.roll(3);
        for _ in 0..sends {
            payer.buyer.send("/v1/credit", &body, Some(&payment)).await;
        }
    }

    async fn refund_credit(&mut self) {
        let (payer, id) = (self.dice.pick(&[0usize, 1, 2]), self.dice.roll(200));
        let payer = &self.payers[payer];
        let wish = json!({ "id": format!("wish-{id}"), "to": payer.address().to_string(), "usd": "0.001" });
        let request = self.stage.http.post(format!("{}/v1/credit/refund", self.stage.url)).json(&wish);
        let reply = Reply::of(request.bearer_auth(&payer.token).send().await.unwrap()).await;
        assert!(matches!(reply.status, 202 | 402 | 500 | 503), "{}", reply.text);
    }

    async fn refund_channel(&mut self) {
        let payer = self.dice.pick(&[0usize, 1, 2]);
        let payer = &self.payers[payer];
        let body = json!({ "args": [3] });
        let required = payer.buyer.send(&bench("double"), &body, None).await.required();
        let batch = offer(&required, Scheme::Batch);
        let (wallet, charged) = (&payer.buyer.wallet, Atomic(payer.charged));
        let wish =
            wallet.sign_channel_refund(&batch, None, &payer.config, charged, Some(Atomic(1_000))).unwrap();
        payer.buyer.send(&bench("double"), &body, Some(&x402::encode(&wish))).await;
    }

    async fn weather(&mut self) {
        let blocks = 1 + self.dice.roll(FINALITY - 1);
        match self.dice.roll(8) {
            0 | 1 => return self.call_and_reorg().await,
            2 => return self.sweep_and_reorg().await,
            _ => {}
        }
        let weather = self.stage.devnet().weather();
        match self.dice.roll(8) {
            0 => weather.drop_next().await,
            1 => weather.delay_next(Duration::from_millis(20)).await,
            2 => weather.stall().await,
            3 | 4 => weather.release().await,
            _ => weather.mine(blocks).await,
        }
        .unwrap();
    }

    /// Takes back the block that paid for a call, and no other.
    async fn call_and_reorg(&mut self) {
        let height = Chain::block(self.stage.devnet()).await.unwrap();
        self.call().await;
        if Chain::block(self.stage.devnet()).await.unwrap() == height + 1 {
            self.stage.devnet().weather().reorg(1).await.unwrap();
        }
    }

    /// Takes back all that the registry moves by itself: refunds, claims, payouts, payments that were taken back before.
    async fn sweep_and_reorg(&mut self) {
        let height = Chain::block(self.stage.devnet()).await.unwrap();
        self.stage.registry.reconcile().await;
        let _ = self.stage.registry.pay_out_earnings(&terms()).await;
        let made = Chain::block(self.stage.devnet()).await.unwrap() - height;
        if (1..FINALITY).contains(&made) {
            self.stage.devnet().weather().reorg(made).await.unwrap();
        }
    }

    fn rail_fault(&mut self) {
        let rejected = || Rejection::new(ErrorCode::InsufficientFunds, "scripted");
        let unknown = self.dice.pick(&[MoveFault::UnknownBefore, MoveFault::UnknownAfter]);
        let rail = &self.stage.rail;
        match self.dice.roll(6) {
            0 => rail.next_verify(VerifyFault::Rejected(rejected())),
            1 => rail.next_settle(unknown),
            // Never after an `Unknown`: a rail that says no says what is so.
            2 => rail.next_pay_out(unknown),
            3 => rail.next_claim(unknown),
            4 => rail.next_refund_channel(unknown),
            _ => rail.next_settle(MoveFault::Delay(Duration::from_millis(10))),
        }
    }

    fn write_fault(&mut self) {
        let verb = self.dice.pick(&WRITES);
        let moment = self.dice.pick(&[Moment::Before, Moment::After]);
        self.stage.inject(verb, moment);
    }

    /// Everything in memory is gone, faults among it; what is left is decided, and must be right.
    async fn power_cut(&mut self) {
        let folder = std::mem::replace(&mut self.stage, Stage::empty().await);
        self.stage = folder.reopen(Sweep::Off).await;
        for payer in &mut self.payers {
            payer.at(&self.stage);
        }
        self.stage.devnet().weather().finality(FINALITY).await.unwrap();
        for _ in 0..3 {
            self.stage.devnet().weather().mine(FINALITY).await.unwrap();
            self.stage.registry.reconcile().await;
        }
        self.stage.assert_sound().await;
        for ((_, call), promise) in &self.promises {
            let stored = self.stage.registry.receipt(call).await.unwrap();
            assert_eq!((&stored.output, stored.charged.0), (&promise.output, promise.charged), "{call}");
        }
    }

    /// Asks for everything that is open until it is decided, and compares what payers gave with what they were promised.
    async fn end(mut self) -> usize {
        self.power_cut().await;
        for sent in std::mem::take(&mut self.open) {
            let mut asks = 0;
            while !self.send(sent.clone()).await {
                self.open.pop();
                asks += 1;
                assert!(asks < 20, "never decided: {:?}", sent.order);
            }
        }
        self.power_cut().await;
        self.stage.registry.claim_channels().await.unwrap();
        self.stage.assert_sound().await;
        let mut promised = vec![0; self.payers.len()];
        for ((payer, _), promise) in &self.promises {
            promised[*payer] += promise.charged;
        }
        for (index, payer) in self.payers.iter().enumerate() {
            let given = self.worth[index] - worth(&self.stage, payer).await;
            assert_eq!(given, promised[index], "payer {index} gave something else than it was told");
        }
        self.promises.len()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_ledger_conserves_whatever_happens() {
    let number = |name: &str, default: u64| match std::env::var(name) {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("{name} is no number: {text}")),
        Err(_) => default,
    };
    let (operations, seed) = (number("GLASSBOX_CHAOS", OPERATIONS), number("GLASSBOX_CHAOS_SEED", 402));
    println!("GLASSBOX_CHAOS={operations} GLASSBOX_CHAOS_SEED={seed}");
    let mut chaos = Chaos::begin(seed).await;
    for _ in 0..operations {
        chaos.operate().await;
    }
    let paid = chaos.end().await;
    println!("{paid} paid calls");
    // A run in which nothing is paid shows nothing.
    assert!(paid as u64 > operations / 10, "only {paid} paid calls");
}
