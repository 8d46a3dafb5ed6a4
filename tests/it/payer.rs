//! A payer that can pay in every way, and what it sends: so that a promise is shown for all of them at once.

use glassbox_core::ledger::Account;
use glassbox_core::money::PICO_PER_ATOMIC;
use glassbox_core::{Atomic, Digest};
use glassbox_pay::chain::{Call, Chain, Submission};
use glassbox_pay::eip712::batch::channel_id;
use glassbox_pay::evm::addresses::PERMIT2;
use glassbox_pay::scheme::batch::ChannelConfig;
use glassbox_pay::wallet::DepositTerms;
use glassbox_pay::x402::{self, PaymentRequirements};
use glassbox_pay::{Address, B256, Facilitator as _, Scheme, Settlement, devnet, hex};
use glassbox_token::Token;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::buyer::{Buyer, Reply, bench};
use crate::schemes::offer;
use crate::stage::{PATIENCE, Stage};

/// The ways to pay for a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    Exact,
    Upto,
    /// A deposit into a channel, and the first voucher out of it.
    Deposit,
    /// A voucher of a channel that was filled before.
    Voucher,
    Credit,
}

/// Those for which a chain moves money while the caller waits.
pub(crate) const ON_CHAIN: [Way; 3] = [Way::Exact, Way::Upto, Way::Deposit];

pub(crate) const ALL: [Way; 5] = [Way::Exact, Way::Upto, Way::Deposit, Way::Voucher, Way::Credit];

/// What a payer puts into its channel at a time, in atomic units.
pub(crate) const DEPOSIT: u128 = 50_000;

/// Somebody with a wallet, a channel and prepaid credit.
pub(crate) struct Payer {
    pub(crate) buyer: Buyer,
    pub(crate) config: ChannelConfig,
    /// What the calls of the channel cost so far.
    pub(crate) charged: u128,
    pub(crate) token: Token,
    pub(crate) account: String,
}

/// A paid request. Sent again, it is the same to the byte.
#[derive(Debug, Clone)]
pub(crate) struct Order {
    pub(crate) way: Way,
    pub(crate) path: String,
    pub(crate) body: Value,
    /// The payment, or the token.
    pub(crate) payment: String,
    /// The name that makes a request paid by credit the same one.
    pub(crate) name: String,
}

impl Payer {
    /// Makes a payer with five dollars in its wallet, one in credit, and a channel with a little in it.
    pub(crate) async fn new(stage: &Stage, name: &str) -> Self {
        let buyer = stage.buyer(name, 6).await;
        approve(stage, buyer.wallet.address()).await;
        Self::of(buyer, name).await
    }

    /// Makes a payer of somebody whose wallet has enough, and allows Permit2 to move it.
    pub(crate) async fn of(buyer: Buyer, name: &str) -> Self {
        let required = buyer.send(&bench("double"), &json!({ "args": [0] }), None).await.required();
        let config = buyer.wallet.channel(&offer(&required, Scheme::Batch), B256::ZERO).unwrap();
        let top_up = json!({ "usd": "1" });
        let asked = buyer.send("/v1/credit", &top_up, None).await.required();
        let payment = x402::encode(&buyer.answer(&asked, &format!("{name}: credit")));
        let bought = buyer.send("/v1/credit", &top_up, Some(&payment)).await.json();
        let text = |field: &str| bought[field].as_str().unwrap_or_else(|| panic!("{bought}")).to_owned();
        let (token, account) = (text("token").parse().unwrap(), text("account"));
        Self { buyer, config, charged: 0, token, account }
    }

    /// The same with something in its channel, so that vouchers pay.
    pub(crate) async fn with_channel(stage: &Stage, name: &str) -> Self {
        let mut payer = Self::new(stage, name).await;
        let order = payer.order(Way::Deposit, "double", json!({ "args": [0] }), "first deposit").await;
        payer.pays(&order).await.output();
        payer
    }

    /// Finds the registry again after it was started anew.
    pub(crate) fn at(&mut self, stage: &Stage) {
        self.buyer = self.buyer.at(stage);
    }

    pub(crate) fn address(&self) -> Address {
        self.buyer.wallet.address()
    }

    /// Asks for the price of a function of `lab:bench@1.0.0` and signs for it. The same name signs the same.
    pub(crate) async fn order(&self, way: Way, function: &str, body: Value, name: &str) -> Order {
        self.order_at(way, bench(function), body, name).await
    }

    /// The same of any function.
    pub(crate) async fn order_at(&self, way: Way, path: String, body: Value, name: &str) -> Order {
        let payment = match way {
            Way::Credit => self.token.to_string(),
            _ => {
                let required = self.buyer.send(&path, &body, None).await.required();
                let offer = offer(&required, way.scheme());
                x402::encode(&self.sign(way, &offer, name))
            }
        };
        Order { way, path, body, payment, name: name.to_owned() }
    }

    fn sign(&self, way: Way, offer: &PaymentRequirements, name: &str) -> x402::PaymentPayload {
        let (wallet, now_s) = (&self.buyer.wallet, self.buyer.now_s());
        let nonce = B256::from(*Digest::of(format!("{}: {name}", self.address())).as_bytes());
        let ceiling = Atomic(self.charged + offer.amount().unwrap().0);
        let signed = match way {
            Way::Exact => wallet.sign_exact_with_nonce(offer, None, now_s, nonce),
            Way::Upto => wallet.sign_upto(offer, None, now_s, nonce),
            Way::Voucher => wallet.sign_voucher(offer, None, &self.config, ceiling),
            Way::Deposit => {
                let terms = DepositTerms { amount: Atomic(DEPOSIT), salt: nonce, now_s };
                wallet.sign_deposit(offer, None, &self.config, ceiling, &terms)
            }
            Way::Credit => unreachable!("credit is not signed for"),
        };
        signed.unwrap()
    }

    /// Sends an order for as long as the registry says that this helps, and notes what the channel paid.
    pub(crate) async fn pays(&mut self, order: &Order) -> Reply {
        let reply = order.insist(&self.buyer).await;
        self.note(order, &reply);
        reply
    }

    /// Notes what the channel paid for a call.
    pub(crate) fn note(&mut self, order: &Order, reply: &Reply) {
        if let (Way::Deposit | Way::Voucher, 200) = (order.way, reply.status) {
            let cumulative = reply.receipt().1.payment.unwrap().cumulative.unwrap();
            self.charged = self.charged.max(cumulative.0);
        }
    }
}

impl Way {
    pub(crate) fn scheme(self) -> Scheme {
        match self {
            Self::Exact => Scheme::Exact,
            Self::Upto => Scheme::Upto,
            Self::Deposit | Self::Voucher => Scheme::Batch,
            Self::Credit => unreachable!("credit is no scheme of x402"),
        }
    }
}

impl Order {
    /// Sends it, once.
    pub(crate) async fn send(&self, buyer: &Buyer) -> Reply {
        match self.way {
            Way::Credit => {
                let request = buyer.http.post(format!("{}{}", buyer.url, self.path)).json(&self.body);
                let request = request.bearer_auth(&self.payment).header("idempotency-key", &self.name);
                Reply::of(request.send().await.unwrap()).await
            }
            _ => buyer.send(&self.path, &self.body, Some(&self.payment)).await,
        }
    }

    /// Sends it for as long as the registry says that this helps.
    pub(crate) async fn insist(&self, buyer: &Buyer) -> Reply {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let reply = self.send(buyer).await;
            let later = reply.status >= 400 && reply.json()["retry"] == "later";
            if !later || Instant::now() > deadline {
                return reply;
            }
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    }
}

/// Lets Permit2 move the tokens of an account, as a wallet with coins for gas would.
async fn approve(stage: &Stage, owner: Address) {
    // `approve(address,uint256)`, for all there will ever be.
    let data = [&hex::decode("095ea7b3").unwrap()[..], PERMIT2.into_word().as_slice(), &[0xff; 32]].concat();
    let call = Call { from: owner, to: devnet::ASSET, data: data.into() };
    let submitted = Chain::submit(stage.devnet(), &format!("approve:{owner}"), &call).await;
    assert!(matches!(submitted, Submission::Mined { .. }), "{submitted:?}");
}

/// Spends a payer's money elsewhere, by the authorization with this nonce: what a payer can do while a call runs.
pub(crate) async fn spend_elsewhere(stage: &Stage, payer: &Buyer, amount: u128, nonce: B256) {
    let rail = stage.rail.inner();
    let offer = rail.offer(Scheme::Exact, Atomic(amount), Address::repeat_byte(0x5e), 300);
    let payment = payer.wallet.sign_exact_with_nonce(&offer, None, payer.now_s(), nonce).unwrap();
    let settlement = rail.settle(&payment, &offer, Atomic(amount)).await;
    assert!(matches!(settlement, Settlement::Settled { .. }), "{settlement:?}");
}

/// Returns what a reply says that its call cost.
pub(crate) fn charged(reply: &Reply) -> u128 {
    reply.json()["charged"]["amount"].as_str().unwrap_or_else(|| panic!("{}", reply.text)).parse().unwrap()
}

/// Returns what a channel is called on its chain.
pub(crate) fn channel_of(payer: &Payer) -> B256 {
    channel_id(devnet::NETWORK.chain_id, &payer.config)
}

/// Returns what the vouchers of a payer promise beyond what was claimed.
pub(crate) async fn escrowed<C: Chain + 'static>(stage: &Stage<C>, payer: &Payer) -> u128 {
    let account = Account::Escrow(format!("{:#x}", channel_of(payer)));
    let balance = stage.store().balance(&account).await.unwrap();
    (balance.debits.0 - balance.credits.0) / PICO_PER_ATOMIC
}

/// Returns what a payer has in its wallet, in its credit and in its channel, less what its vouchers promise. What is
/// gone from it was charged.
pub(crate) async fn worth<C: Chain + 'static>(stage: &Stage<C>, payer: &Payer) -> u128 {
    let credit = stage.store().balance(&Account::Payer(payer.account.clone())).await.unwrap();
    let channel = stage.rail.channel(channel_of(payer)).await.unwrap();
    let in_channel = channel.balance.0 - channel.total_claimed.0 - escrowed(stage, payer).await;
    stage.balance(payer.address()).await + credit.available().0 / PICO_PER_ATOMIC + in_channel
}
