//! A wallet, what it may spend, and where that is written down.

use std::path::Path;

use glassbox_core::Atomic;
use glassbox_core::limits::{OFFER_SECONDS_MAX, QUOTED_CHARS_MAX};
use glassbox_pay::x402::extensions::sign_in;
use glassbox_pay::x402::{self, PaymentRequired, PaymentRequirements};
use glassbox_pay::{Address, Wallet};
use jiff::Timestamp;

use crate::error::ClientError;
use crate::policy::{self, Asset, Host, Policy, Spend};
use crate::spending::{self, Outcome, Reservation, Spending};

/// Who pays for calls, and how much at most.
///
/// Before anything is signed, the price is held against three bounds: the most that one call may cost, the [`Policy`],
/// and with it what was [spent](Spending) in the day. Clones share what was spent.
#[derive(Debug, Clone)]
pub struct Buyer {
    wallet: Wallet,
    amount_max: Atomic,
    policy: Policy,
    spending: Spending,
}

/// A payment that was written down and signed.
pub(crate) struct Signed {
    /// The value of `PAYMENT-SIGNATURE`.
    pub(crate) header: String,
    reservation: Reservation,
}

impl Buyer {
    /// A buyer that pays at most `amount_max` for a call, in play money until a policy allows other.
    ///
    /// What it spends is written down in memory, and forgotten with the last clone.
    pub fn new(wallet: Wallet, amount_max: Atomic) -> Self {
        Self { wallet, amount_max, policy: Policy::default(), spending: Spending::in_memory() }
    }

    /// A buyer by the policy and the journals of a home folder, as the command line has it.
    pub fn open(home: &Path, wallet: Wallet, amount_max: Atomic) -> Result<Self, ClientError> {
        let policy = Policy::load(&home.join(policy::FILE_NAME))?;
        let spending = Spending::open(&home.join(spending::FOLDER_NAME));
        Ok(Self { wallet, amount_max, policy, spending })
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

    /// Signs the first way to pay that the wallet can take and that is within all bounds.
    pub(crate) async fn sign(
        &self,
        required: &PaymentRequired,
        host: Host,
        call: &str,
    ) -> Result<Signed, ClientError> {
        let mut refused = None;
        for way in payable(required) {
            match self.spend(way, &host, call) {
                Ok(spend) => return self.sign_way(required, way, spend).await,
                // The first way is the registry's favourite, so its refusal is the one to tell of.
                Err(error) => refused = refused.or(Some(error)),
            }
        }
        Err(refused.unwrap_or_else(|| no_way(required)))
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
        let spending = self.spending.clone();
        let written = blocking(move || spending.record(&signed.reservation, outcome)).await;
        if let Err(error) = written {
            tracing::warn!(%error, "Cannot write down what became of a payment");
        }
    }

    /// Returns what a way to pay would take, if each bound but those of the day allows it.
    fn spend(&self, way: &PaymentRequirements, host: &Host, call: &str) -> Result<Spend, ClientError> {
        let amount = way.amount().map_err(ClientError::NoWayToPay)?;
        let address = |text| policy::address(text).map_err(ClientError::NoWayToPay);
        let spend = Spend {
            amount_max: amount,
            asset: Asset { network: way.network.parse()?, address: address(&way.asset)? },
            payee: address(&way.pay_to)?.to_checksum(None),
            host: host.clone(),
            scheme: way.scheme.clone(),
            deposit: false,
            call: call.chars().take(QUOTED_CHARS_MAX).collect(),
        };
        if amount > self.amount_max {
            return Err(ClientError::PriceAboveMax { amount, amount_max: self.amount_max });
        }
        self.policy.check(&spend)?;
        Ok(spend)
    }

    async fn sign_way(
        &self,
        required: &PaymentRequired,
        way: &PaymentRequirements,
        spend: Spend,
    ) -> Result<Signed, ClientError> {
        let now = Timestamp::now();
        let (spending, policy) = (self.spending.clone(), self.policy.clone());
        let reservation = blocking(move || spending.reserve(&spend, &policy, now)).await?;
        let now_s = u64::try_from(now.as_second()).unwrap_or_default();
        match self.wallet.sign_exact(way, Some(required.resource.clone()), now_s) {
            Ok(payload) => Ok(Signed { header: x402::encode(&payload), reservation }),
            Err(error) => {
                let unsent = Signed { header: String::new(), reservation };
                self.record(unsent, Some(Outcome::NotSent)).await;
                Err(error.into())
            }
        }
    }
}

/// Returns the price by the first way that could be paid.
pub(crate) fn price(required: &PaymentRequired) -> Result<Atomic, ClientError> {
    let way = payable(required).next().ok_or_else(|| no_way(required))?;
    way.amount().map_err(ClientError::NoWayToPay)
}

/// Returns the ways to pay that need nothing but a signature: the payer's allowances and channels are not looked after.
fn payable(required: &PaymentRequired) -> impl Iterator<Item = &PaymentRequirements> {
    required.accepts.iter().filter(|way| {
        let method = way.extra_text("assetTransferMethod").unwrap_or("eip3009");
        let is_signed = way.scheme == x402::SCHEME_EXACT && method == "eip3009";
        is_signed && way.max_timeout_seconds <= OFFER_SECONDS_MAX
    })
}

fn no_way(required: &PaymentRequired) -> ClientError {
    let ways = required.accepts.iter().map(|way| {
        let words = format!("{} on {} for {} seconds", way.scheme, way.network, way.max_timeout_seconds);
        words.chars().take(QUOTED_CHARS_MAX).collect::<String>()
    });
    ClientError::NoWayToPay(ways.collect::<Vec<_>>().join(", "))
}

/// Waits for work that waits for the disk, and for other processes.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}
