//! A wallet, what it may spend, and where that is written down.

use std::path::Path;

use glassbox_core::Atomic;
use glassbox_core::limits::{CHANNEL_DEPOSIT_CALLS, OFFER_SECONDS_MAX, QUOTED_CHARS_MAX};
use glassbox_pay::wallet::{DepositTerms, random_nonce};
use glassbox_pay::x402::extensions::{gas_sponsoring, sign_in};
use glassbox_pay::x402::{self, PaymentPayload, PaymentRequired, PaymentRequirements, SettleResponse};
use glassbox_pay::{Address, Scheme, Wallet};
use jiff::Timestamp;

use crate::channels::{self, Channel, ChannelError, Channels, Held, TakeError};
use crate::error::ClientError;
use crate::node::Node;
use crate::policy::{self, Asset, Host, Policy, Spend};
use crate::spending::{self, Outcome, Reservation, Spending, SpendingError};

/// Who pays for calls, and how much at most.
///
/// Before anything is signed, the price is held against three bounds: the most that one call may cost, the [`Policy`],
/// and with it what was [spent](Spending) in the day. Clones share what was spent.
///
/// Of the ways to pay that a registry offers, it takes the first that it can and may. Out of a [channel](Channels) comes
/// before all others, for those who allow deposits; `upto` needs a node to ask about the allowance, which the devnet has.
#[derive(Debug, Clone)]
pub struct Buyer {
    wallet: Wallet,
    amount_max: Atomic,
    policy: Policy,
    spending: Spending,
    channels: Channels,
}

/// A payment that was written down and signed.
pub(crate) struct Signed {
    /// The value of `PAYMENT-SIGNATURE`.
    pub(crate) header: String,
    reservation: Reservation,
    out_of: Option<OutOf>,
}

/// The channel that pays.
struct OutOf {
    held: Held,
    /// What is deposited with the payment.
    deposit: Atomic,
    signer: Wallet,
}

/// What is paid for, and where.
pub(crate) struct Purchase<'a> {
    pub(crate) required: &'a PaymentRequired,
    pub(crate) host: Host,
    /// In words.
    pub(crate) what: &'a str,
}

impl Buyer {
    /// A buyer that pays at most `amount_max` for a call, in play money until a policy allows other.
    ///
    /// What it spends is written down in memory, and forgotten with the last clone.
    pub fn new(wallet: Wallet, amount_max: Atomic) -> Self {
        let (spending, channels) = (Spending::in_memory(), Channels::in_memory());
        Self { wallet, amount_max, policy: Policy::default(), spending, channels }
    }

    /// A buyer by the policy, the journals and the channels of a home folder, as the command line has it.
    pub fn open(home: &Path, wallet: Wallet, amount_max: Atomic) -> Result<Self, ClientError> {
        let policy = Policy::load(&home.join(policy::FILE_NAME))?;
        let spending = Spending::open(&home.join(spending::FOLDER_NAME));
        let channels = Channels::open(&home.join(channels::FOLDER_NAME));
        Ok(Self { wallet, amount_max, policy, spending, channels })
    }

    /// Sets what may be spent.
    #[must_use]
    pub fn with_policy(self, policy: Policy) -> Self {
        Self { policy, ..self }
    }

    /// Sets where payments are written down.
    #[must_use]
    pub fn with_spending(self, spending: Spending) -> Self {
        Self { spending, ..self }
    }

    /// Sets where channels are kept.
    #[must_use]
    pub fn with_channels(self, channels: Channels) -> Self {
        Self { channels, ..self }
    }

    /// Returns the same buyer, which pays at most `amount_max` for a call, and no more than it did before.
    #[must_use]
    pub fn at_most(self, amount_max: Atomic) -> Self {
        Self { amount_max: self.amount_max.min(amount_max), ..self }
    }

    /// Returns the same buyer for one payment that its owner was asked about and allowed: what bounds a call gives way,
    /// and what bounds a day does not.
    #[must_use]
    pub fn allowing(self, amount: Atomic) -> Self {
        let mut buyer = self;
        buyer.amount_max = buyer.amount_max.max(amount);
        buyer.policy.max.call = buyer.policy.max.call.map(|max| max.max(amount));
        buyer
    }

    /// Returns the address that pays.
    pub fn address(&self) -> Address {
        self.wallet.address()
    }

    /// Returns what may be spent.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Returns the channels that it pays out of.
    pub fn channels(&self) -> &Channels {
        &self.channels
    }

    /// Signs the first way to pay that the wallet can take and that is within all bounds.
    pub(crate) async fn sign(&self, purchase: &Purchase<'_>) -> Result<Signed, ClientError> {
        let mut refused = None;
        for way in self.ways(purchase.required) {
            match self.sign_way(purchase, way).await {
                Ok(Some(signed)) => return Ok(signed),
                Ok(None) => {}
                // The first way is the favourite, so its refusal is the one to tell of.
                Err(error) => refused = refused.or(Some(error)),
            }
        }
        Err(refused.unwrap_or_else(|| no_way(purchase.required)))
    }

    /// Returns the ways to pay that the wallet may know, in the order in which it likes them: its own wish for channels
    /// first, and the registry's order after that.
    fn ways<'a>(&self, required: &'a PaymentRequired) -> Vec<&'a PaymentRequirements> {
        let mut ways: Vec<_> = payable(required).collect();
        let channels = self.policy.max.deposit.is_some();
        ways.sort_by_key(|way| !(channels && way.scheme == Scheme::Batch.as_str()));
        ways
    }

    /// Signs a way to pay; `None` where the wallet cannot take it.
    async fn sign_way(
        &self,
        purchase: &Purchase<'_>,
        way: &PaymentRequirements,
    ) -> Result<Option<Signed>, ClientError> {
        match way.scheme.parse() {
            Ok(Scheme::Exact) => {
                let spend = self.spend(purchase, way)?;
                self.reserve(spend, None, |now_s| {
                    self.wallet.sign_exact(way, Some(purchase.required.resource.clone()), now_s)
                })
                .await
                .map(Some)
            }
            Ok(Scheme::Upto) => self.sign_upto(purchase, way).await,
            Ok(Scheme::Batch) => self.sign_batch(purchase, way).await,
            Err(_) => Ok(None),
        }
    }

    /// Signs a ceiling, and with it the allowance for Permit2 where the token has none.
    async fn sign_upto(
        &self,
        purchase: &Purchase<'_>,
        way: &PaymentRequirements,
    ) -> Result<Option<Signed>, ClientError> {
        let spend = self.spend(purchase, way)?;
        let Some(node) = Node::of(&spend.asset, &self.policy, &purchase.host) else { return Ok(None) };
        let permit = match node.permit(spend.asset.address, self.address(), spend.amount_max).await {
            Ok(permit) => permit,
            Err(error) => {
                tracing::debug!(%error, "No node says what Permit2 may move; paying otherwise");
                return Ok(None);
            }
        };
        let sponsored = purchase.required.extensions.as_ref();
        if permit.is_some() && !sponsored.is_some_and(|known| known.contains_key(gas_sponsoring::NAME)) {
            return Ok(None);
        }
        let nonce = random_nonce()?;
        let signed = self.reserve(spend, None, |now_s| {
            let resource = Some(purchase.required.resource.clone());
            let mut payment = self.wallet.sign_upto(way, resource, now_s, nonce)?;
            if let Some(used) = permit {
                self.wallet.add_permit(&mut payment, used)?;
            }
            Ok(payment)
        });
        signed.await.map(Some)
    }

    /// Signs a voucher, with a deposit where the channel has too little for it and the policy allows one.
    async fn sign_batch(
        &self,
        purchase: &Purchase<'_>,
        way: &PaymentRequirements,
    ) -> Result<Option<Signed>, ClientError> {
        let call = self.spend(purchase, way)?;
        let (channels, wallet, host) = (self.channels.clone(), self.wallet.clone(), purchase.host.clone());
        let offer = way.clone();
        let Some(mut held) = blocking(move || channels.take(&wallet, &offer, &host)).await? else {
            // One call at a time; this one is paid otherwise.
            return Ok(None);
        };
        let ceiling = Atomic(held.channel.charged.0.saturating_add(call.amount_max.0));
        let missing = ceiling.0.saturating_sub(held.channel.balance.0);
        let deposit = match self.policy.max.deposit {
            _ if missing == 0 => Atomic::ZERO,
            None => return Ok(None),
            Some(max) => {
                Atomic(call.amount_max.0.saturating_mul(CHANNEL_DEPOSIT_CALLS).min(max.0).max(missing))
            }
        };
        let spend = match deposit {
            Atomic::ZERO => Spend { channel: Some(held.channel.id.clone()), ..call },
            _ => Spend { amount_max: deposit, deposit: true, ..call },
        };
        self.policy.check(&spend)?;
        let (_, config) = channels::identify(&self.wallet, way)?;
        let salt = random_nonce()?;
        let channel = &mut held.channel;
        channel.path = path_of(&purchase.required.resource.url);
        channel.offer = way.clone();
        channel.signed = channel.signed.max(ceiling);
        // As if it were there already: a registry that knows better says so, and deposits are not made twice.
        channel.balance.0 = channel.balance.0.saturating_add(deposit.0);
        let out_of = OutOf { held, deposit, signer: self.wallet.clone() };
        let signed = self.reserve(spend, Some(out_of), |now_s| {
            let resource = Some(purchase.required.resource.clone());
            match deposit {
                Atomic::ZERO => self.wallet.sign_voucher(way, resource, &config, ceiling),
                amount => {
                    let terms = DepositTerms { amount, salt, now_s };
                    self.wallet.sign_deposit(way, resource, &config, ceiling, &terms)
                }
            }
        });
        signed.await.map(Some)
    }

    /// Answers the challenge of a registry, to be let in again to what was paid for. Returns the value of `SIGN-IN-WITH-X`;
    /// `None` where there is no challenge, or one for somebody else's site, where the answer would let its bearer in.
    pub(crate) fn sign_in(&self, required: &PaymentRequired, host: &Host) -> Option<String> {
        let challenge = sign_in::read(required.extensions.as_ref())?;
        let (_, domain) = host.as_str().split_once("://")?;
        let path = challenge.uri.strip_prefix(host.as_str())?;
        let network = required.accepts.first()?.network.parse().ok()?;
        let is_theirs = challenge.domain == domain && path.starts_with('/');
        is_theirs.then(|| x402::encode(&challenge.answer(&self.wallet, network)))
    }

    /// Writes down what became of a payment. Where that fails it counts with all that it could take, and the answer is
    /// worth more than the line.
    pub(crate) async fn record(&self, signed: Signed, outcome: Option<Outcome>) {
        let Some(outcome) = outcome else { return };
        let outcome = match (outcome, &signed.out_of) {
            // What was deposited is gone from the wallet, whatever the call cost.
            (Outcome::Charged(_), Some(out_of)) if out_of.deposit > Atomic::ZERO => {
                Outcome::Charged(out_of.deposit)
            }
            (outcome, _) => outcome,
        };
        let spending = self.spending.clone();
        let written = blocking(move || spending.record(&signed.reservation, outcome)).await;
        if let Err(error) = written {
            tracing::warn!(%error, "Cannot write down what became of a payment");
        }
    }

    /// Takes a channel to close it, and signs that its payer wants the rest of it back.
    pub(crate) async fn sign_close(
        &self,
        channel: &Channel,
        way: &PaymentRequirements,
    ) -> Result<(Held, PaymentPayload), ClientError> {
        let (id, config) = channels::identify(&self.wallet, way)?;
        if id.to_string() != channel.id {
            return Err(ChannelError::Unknown(channel.id.clone()).into());
        }
        let (channels, wallet) = (self.channels.clone(), self.wallet.clone());
        let (offer, host) = (way.clone(), channel.host.clone());
        let held = blocking(move || channels.take(&wallet, &offer, &host)).await?;
        let held = held.ok_or_else(|| ChannelError::Busy(channel.id.clone()))?;
        let charged = held.channel.charged;
        let wish = self.wallet.sign_channel_refund(way, None, &config, charged, None)?;
        Ok((held, wish))
    }

    /// Takes over what a registry says of a channel.
    pub(crate) fn learn(&self, held: &mut Held, extra: &serde_json::Map<String, serde_json::Value>) -> bool {
        held.learn(extra, &self.wallet)
    }

    /// Returns what a way to pay would take, if each bound but those of the day allows it.
    fn spend(&self, purchase: &Purchase<'_>, way: &PaymentRequirements) -> Result<Spend, ClientError> {
        let amount = way.amount().map_err(ClientError::NoWayToPay)?;
        let address = |text| policy::address(text).map_err(ClientError::NoWayToPay);
        let spend = Spend {
            amount_max: amount,
            asset: Asset { network: way.network.parse()?, address: address(&way.asset)? },
            payee: address(&way.pay_to)?.to_checksum(None),
            host: purchase.host.clone(),
            scheme: way.scheme.clone(),
            deposit: false,
            channel: None,
            call: purchase.what.chars().take(QUOTED_CHARS_MAX).collect(),
        };
        if amount > self.amount_max {
            return Err(ClientError::PriceAboveMax { amount, amount_max: self.amount_max });
        }
        self.policy.check(&spend)?;
        Ok(spend)
    }

    /// Writes a payment down, and then signs it.
    async fn reserve(
        &self,
        spend: Spend,
        out_of: Option<OutOf>,
        sign: impl FnOnce(u64) -> Result<PaymentPayload, glassbox_pay::PayError>,
    ) -> Result<Signed, ClientError> {
        let now = Timestamp::now();
        let (spending, policy) = (self.spending.clone(), self.policy.clone());
        let (reservation, kept, out_of) = blocking(move || {
            let reservation = spending.reserve(&spend, &policy, now)?;
            let kept = out_of.as_ref().map_or(Ok(()), |out_of| out_of.held.save());
            Ok::<_, SpendingError>((reservation, kept, out_of))
        })
        .await?;
        let failed = |reservation| Signed { header: String::new(), reservation, out_of: None };
        if let Err(error) = kept {
            self.record(failed(reservation), Some(Outcome::NotSent)).await;
            return Err(error.into());
        }
        let now_s = u64::try_from(now.as_second()).unwrap_or_default();
        match sign(now_s) {
            Ok(payload) => Ok(Signed { header: x402::encode(&payload), reservation, out_of }),
            Err(error) => {
                self.record(failed(reservation), Some(Outcome::NotSent)).await;
                Err(error.into())
            }
        }
    }
}

impl Signed {
    /// Takes over what the answer to a payment says of its channel.
    pub(crate) fn settled(&mut self, response: &SettleResponse) {
        if let (Some(out_of), Some(extra)) = (&mut self.out_of, &response.extra) {
            out_of.held.learn(extra, &out_of.signer);
        }
    }

    /// Tells whether a refusal says where the channel stands, so that another voucher may fit.
    pub(crate) fn corrected(&mut self, required: &PaymentRequired) -> bool {
        let Some(out_of) = &mut self.out_of else { return false };
        let batch = Scheme::Batch.as_str();
        let mut offers = required.accepts.iter().filter(|offer| offer.scheme == batch);
        offers.any(|offer| out_of.held.learn(&offer.extra, &out_of.signer))
    }
}

impl From<TakeError> for ClientError {
    fn from(error: TakeError) -> Self {
        match error {
            TakeError::Channel(error) => error.into(),
            TakeError::Offer(error) => error.into(),
        }
    }
}

/// Returns the price by the first way that could be paid.
pub(crate) fn price(required: &PaymentRequired) -> Result<Atomic, ClientError> {
    let way = payable(required).next().ok_or_else(|| no_way(required))?;
    way.amount().map_err(ClientError::NoWayToPay)
}

/// Returns the ways to pay that this wallet can sign, and whose payments do not last for too long.
fn payable(required: &PaymentRequired) -> impl Iterator<Item = &PaymentRequirements> {
    required.accepts.iter().filter(|way| {
        let method = way.extra_text("assetTransferMethod");
        let is_known = match way.scheme.parse() {
            Ok(Scheme::Exact | Scheme::Batch) => method.unwrap_or("eip3009") == "eip3009",
            Ok(Scheme::Upto) => true,
            Err(_) => false,
        };
        is_known && way.max_timeout_seconds <= OFFER_SECONDS_MAX
    })
}

/// Returns the path of a resource, where the rest of a channel is asked back.
fn path_of(url: &str) -> String {
    reqwest::Url::parse(url).map(|url| url.path().to_owned()).unwrap_or_default()
}

fn no_way(required: &PaymentRequired) -> ClientError {
    let ways = required.accepts.iter().map(|way| {
        let words = format!("{} on {} for {} seconds", way.scheme, way.network, way.max_timeout_seconds);
        words.chars().take(QUOTED_CHARS_MAX).collect::<String>()
    });
    ClientError::NoWayToPay(ways.collect::<Vec<_>>().join(", "))
}

/// Waits for work that waits for the disk, and for other processes.
pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}
