//! What the rail moves for us: refunds, payouts and claims.
//!
//! Each is asked for under an id of its own, which makes it happen once, and is watched until it is final. What a chain
//! takes back is asked for again under the same id, so it is never paid twice and never forgotten.

use glassbox_core::{Atomic, limits};
use glassbox_pay::chain::Standing as OnChain;
use glassbox_pay::x402::ErrorCode;
use glassbox_pay::{B256, Claim, PayOut, Settlement};
use glassbox_store::{Moved, SubmissionRow};
use serde::{Deserialize, Serialize};
use tracing::{error, warn};

use crate::call::logged;
use crate::channels::Begun;
use crate::error::RegistryError;
use crate::open::Registry;
use crate::settle::within;

/// What is asked of the rail, as it is written down.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub(crate) enum Request {
    /// To pay somebody.
    PayOut { id: String, payment: Payment },
    /// To pay several of a run at once.
    PayOutAll { id: String, payments: Vec<Payment> },
    /// To claim vouchers, or to give a payer the rest of its channel back.
    Claim { id: String, vouchers: Vec<Begun> },
}

/// What somebody is paid.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(into = "Words", try_from = "Words")]
pub(crate) struct Payment(pub(crate) PayOut);

/// A payment as it is written: the address as text.
#[derive(Serialize, Deserialize)]
struct Words {
    #[serde(default)]
    number: u32,
    to: String,
    amount: Atomic,
}

impl From<Payment> for Words {
    fn from(Payment(PayOut { number, to, amount }): Payment) -> Self {
        Self { number, to: to.to_string(), amount }
    }
}

impl TryFrom<Words> for Payment {
    type Error = String;

    fn try_from(words: Words) -> Result<Self, String> {
        let to = words.to.parse().map_err(|_| format!("`{}` is no address", words.to))?;
        Ok(Self(PayOut { number: words.number, to, amount: words.amount }))
    }
}

impl Request {
    /// Returns the payments of a run each by itself, with their subjects; nothing where it is one already.
    fn parts(&self) -> Result<Option<Vec<(String, String)>>, RegistryError> {
        let Self::PayOutAll { id, payments } = self else { return Ok(None) };
        if payments.len() < 2 {
            return Ok(None);
        }
        let parts = payments.iter().map(|payment| {
            let alone = Self::PayOutAll { id: id.clone(), payments: vec![payment.clone()] };
            Ok((payout_subject(id, payment.0.number), alone.to_json()?))
        });
        parts.collect::<Result<_, _>>().map(Some)
    }

    fn to_json(&self) -> Result<String, RegistryError> {
        serde_json::to_string(self).map_err(|_| RegistryError::Worker)
    }

    /// Returns what it claims of channels, in all.
    fn claimed(self) -> Vec<(String, Atomic)> {
        match self {
            Self::PayOut { .. } | Self::PayOutAll { .. } => Vec::new(),
            Self::Claim { vouchers, .. } => {
                vouchers.into_iter().map(|voucher| (voucher.channel, voucher.claimed)).collect()
            }
        }
    }
}

impl Registry {
    /// Has the rail do something, once for its id.
    pub(crate) async fn submit(&self, request: &Request) -> Settlement {
        match request {
            Request::PayOut { id, payment: Payment(payment) } => {
                within(self.rail.pay_out(id, payment.to, payment.amount)).await
            }
            Request::PayOutAll { id, payments } => {
                let payments: Vec<_> = payments.iter().map(|payment| payment.0).collect();
                within(self.rail.pay_out_all(id, &payments)).await
            }
            Request::Claim { id, vouchers } => {
                let Some(claims) = vouchers.iter().map(Begun::claim).collect::<Option<Vec<Claim>>>() else {
                    return Settlement::rejected(
                        ErrorCode::InvalidPayload,
                        "a stored voucher cannot be read",
                    );
                };
                match (vouchers.as_slice(), claims.as_slice()) {
                    ([Begun { back: Some(back), .. }], [claim]) => {
                        within(self.rail.refund_channel(id, claim, *back)).await
                    }
                    _ => within(self.rail.claim(id, &claims)).await,
                }
            }
        }
    }

    /// Says what is to be booked of a request that a transaction fulfilled, and whether to watch it.
    pub(crate) async fn booking(&self, request: &Request, transaction: B256) -> Result<Moved, RegistryError> {
        let request = match self.rail.standing(transaction).await {
            Ok(OnChain::Final) => None,
            _ => Some(request.to_json()?),
        };
        Ok(Moved { transaction: transaction.to_string(), request })
    }

    /// Looks whether the chain still has what it moved for us, and asks again where it has not.
    pub(crate) async fn watch_submissions(&self) {
        let rows = match self.store.submissions(limits::RECONCILE_BATCH).await {
            Ok(rows) => rows,
            Err(error) => return error!(%error, "Could not list what is not final"),
        };
        for row in rows {
            if let Err(error) = self.watch_submission(&row).await {
                error!(subject = logged(&row.subject), %error, "Could not look after what was moved");
            }
        }
    }

    async fn watch_submission(&self, row: &SubmissionRow) -> Result<(), RegistryError> {
        let (subject, now_ms) = (&row.subject, self.env.now_ms());
        let request = read(row)?;
        let damaged = |_| RegistryError::Damaged("submission".into(), row.transaction.clone());
        match self.rail.standing(row.transaction.parse().map_err(damaged)?).await {
            Ok(OnChain::Final) => return Ok(self.store.end_submission(subject, request.claimed()).await?),
            Ok(OnChain::Mined { .. }) => {}
            Ok(OnChain::Missing) => return self.submit_again(row, &request).await,
            Err(error) => warn!(subject = logged(subject), %error, "A chain does not say where a payment is"),
        }
        Ok(self.store.touch_submission(subject, now_ms).await?)
    }

    async fn submit_again(&self, row: &SubmissionRow, request: &Request) -> Result<(), RegistryError> {
        let subject = logged(&row.subject);
        warn!(subject, "The chain lost what it moved for us; asking again");
        match self.submit(request).await {
            Settlement::Settled { transaction, .. } => {
                let (reference, now_ms) = (transaction.to_string(), self.env.now_ms());
                return Ok(self.store.move_submission(&row.subject, &reference, now_ms).await?);
            }
            Settlement::Rejected(rejection) => {
                // Somebody else may have had one of several made.
                if let Some(parts) = request.parts()? {
                    warn!(subject, code = %rejection.code, "What was paid together is paid again one by one");
                    return Ok(self.store.split_submission(&row.subject, parts).await?);
                }
                // What it stands on may be missing too, and come back later.
                error!(subject, code = %rejection.code, "Could not move again what the chain lost; it stays open");
            }
            Settlement::Unknown { detail } => warn!(subject, detail, "Moving it again is unknown"),
        }
        Ok(self.store.touch_submission(&row.subject, self.env.now_ms()).await?)
    }

    /// Returns what was given back of a channel by refunds that a contract with this nonce knows nothing of: the chain took
    /// them back, and they will be made again.
    pub(crate) async fn going_back(&self, channel: &str, nonce: &str) -> Result<Atomic, RegistryError> {
        let prefix = refund_prefix(channel);
        let nonce: u128 = nonce.parse().unwrap_or(u128::MAX);
        let mut back = Atomic::ZERO;
        for row in self.store.submissions_of(&prefix).await? {
            let made: Option<u128> = row.subject.strip_prefix(&prefix).and_then(|made| made.parse().ok());
            if made.is_some_and(|made| made >= nonce)
                && let Request::Claim { vouchers, .. } = read(&row)?
            {
                back.0 += vouchers.iter().filter_map(|voucher| voucher.back).map(|back| back.0).sum::<u128>();
            }
        }
        Ok(back)
    }
}

/// Returns what a payment of a run belongs to.
pub(crate) fn payout_subject(run: &str, number: u32) -> String {
    format!("payout:{run}:{number:04}")
}

/// What the ids of a channel's refunds begin with; the number of the refund comes after it.
pub(crate) fn refund_prefix(channel: &str) -> String {
    format!("refund:{channel}:")
}

fn read(row: &SubmissionRow) -> Result<Request, RegistryError> {
    serde_json::from_str(&row.request)
        .map_err(|error| RegistryError::Damaged("submission".into(), error.to_string()))
}
