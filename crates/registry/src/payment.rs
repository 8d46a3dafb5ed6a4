//! What a caller pays with, checked against our own offers and nobody else's words.

use glassbox_core::Atomic;
use glassbox_pay::payment::{self, Authorization};
use glassbox_pay::scheme::Scheme;
use glassbox_pay::scheme::batch::{self, Action};
use glassbox_pay::x402::extensions::payment_identifier;
use glassbox_pay::x402::{ErrorCode, PaymentPayload, PaymentRequirements, v1};
use glassbox_pay::{B256, Rejection};
use glassbox_store::{Backing, Budget, ChainState, CompanyAccount, Spender, Standing, Voucher};

use crate::company::{Caller, is_paid_before};
use crate::credit::Credit;
use crate::error::CallError;
use crate::hold::Order;
use crate::open::Registry;

/// What came with a request to pay for it.
#[derive(Debug, Clone)]
pub enum Payment {
    /// A payment by x402.
    X402(Box<PaymentPayload>),
    /// One by the first version of x402, which does not say what offer it takes.
    X402V1(Box<v1::Payment>),
    /// A token that spends prepaid credit.
    Credit(Box<Credit>),
    /// An account of a company.
    Account(Box<Caller>),
}

impl Payment {
    /// Returns the account that calls, where it is one that does.
    pub(crate) fn caller(&self) -> Option<&Caller> {
        match self {
            Self::Account(caller) => Some(caller),
            _ => None,
        }
    }
}

/// A payment that holds, for one order: who pays, with what, and what makes it the one it is.
pub(crate) struct Tender {
    /// The payer's address, or the account.
    pub(crate) payer: String,
    pub(crate) rail: String,
    /// One key, one call.
    pub(crate) key: String,
    /// The payer's own name for the request.
    pub(crate) identifier: Option<String>,
    pub(crate) means: Means,
}

/// How the charge is collected.
pub(crate) enum Means {
    /// By what was signed, on the rail.
    Signed {
        payment: Box<PaymentPayload>,
        offer: Box<PaymentRequirements>,
        authorization: Box<Authorization>,
    },
    /// Out of prepaid credit.
    Credit(Vec<Budget>),
    /// From an account of a company.
    Account { spender: Box<Spender>, account: Box<CompanyAccount> },
}

/// A payment that holds in itself, whoever's offer it answers.
pub(crate) struct Known {
    pub(crate) payer: String,
    /// Its key, where that does not depend on what it shall buy.
    pub(crate) key: Option<String>,
    pub(crate) identifier: Option<String>,
    /// What was signed, by the offer that it says it takes.
    pub(crate) authorization: Option<Authorization>,
}

impl Tender {
    /// Tells whether a chain has to move money for it. What a voucher or credit pays is paid once it is written down.
    pub(crate) fn needs_rail(&self) -> bool {
        match &self.means {
            Means::Signed { authorization, .. } => {
                !matches!(&**authorization, Authorization::Batch(batch) if batch.action == Action::Voucher)
            }
            Means::Credit(_) | Means::Account { .. } => false,
        }
    }

    /// Returns how what needs no rail is called on receipts, and how sure it is once it is written down.
    pub(crate) fn written(&self) -> (&'static str, Standing) {
        match &self.means {
            Means::Account { account, .. } if is_paid_before(account) => ("prepaid", Standing::Final),
            Means::Account { .. } => ("invoice", Standing::Vouched),
            Means::Signed { .. } | Means::Credit(_) => ("credit", Standing::Final),
        }
    }

    /// Returns the channel that it pays through.
    pub(crate) fn channel(&self) -> Option<&batch::Authorization> {
        match &self.means {
            Means::Signed { authorization, .. } => match &**authorization {
                Authorization::Batch(batch) => Some(batch),
                Authorization::Exact(_) | Authorization::Upto(_) => None,
            },
            Means::Credit(_) | Means::Account { .. } => None,
        }
    }

    /// Returns what stands behind the call; `known` is what the contract says of its channel, where it was asked.
    pub(crate) fn backing(&self, known: Option<ChainState>) -> Backing {
        match (&self.means, self.channel()) {
            (Means::Credit(budgets), _) => Backing::Credit(budgets.clone()),
            (Means::Account { spender, .. }, _) => Backing::Account(spender.clone()),
            (Means::Signed { .. }, None) => Backing::Payment,
            (Means::Signed { .. }, Some(batch)) => Backing::Voucher(Box::new(Voucher {
                channel: channel_text(batch.channel_id),
                config: serde_json::to_string(&batch.channel).expect("a channel has string keys"),
                ceiling: batch.max_claimable,
                deposit: batch.deposited(),
                known,
            })),
        }
    }

    /// Returns payment and offer as JSON, as they are kept.
    pub(crate) fn to_json(&self) -> (String, String) {
        let json = |value: serde_json::Result<String>| value.expect("wire types have string keys");
        match &self.means {
            Means::Signed { payment, offer, .. } => {
                (json(serde_json::to_string(payment)), json(serde_json::to_string(offer)))
            }
            Means::Credit(_) | Means::Account { .. } => ("{}".into(), "{}".into()),
        }
    }
}

impl Registry {
    /// Reads a payment against its own words: who made it, and what may find the call that it paid before. What does not
    /// even hold in itself was never taken.
    pub(crate) fn known(&self, payment: &Payment) -> Option<Known> {
        match payment {
            Payment::Credit(credit) => {
                let (payer, key) = self.known_credit(credit).ok()?;
                Some(Known { payer, key, identifier: credit.identifier.clone(), authorization: None })
            }
            Payment::Account(caller) => Some(Known {
                payer: caller.account.name.payer(),
                key: None,
                identifier: caller.identifier.clone(),
                authorization: None,
            }),
            Payment::X402V1(payment) => self.known_v1(payment),
            Payment::X402(payment) => {
                let authorization = payment::read(payment, &payment.accepted).ok()?;
                Some(Known {
                    payer: authorization.signer().to_string(),
                    key: (authorization.scheme() != Scheme::Batch).then(|| authorization.key().to_string()),
                    identifier: identifier(payment).ok().flatten(),
                    authorization: Some(authorization),
                })
            }
        }
    }

    /// The same of a payment that does not say what offer it takes: one of ours, over as much as it moves.
    fn known_v1(&self, payment: &v1::Payment) -> Option<Known> {
        let amount = payment.payload.get("authorization")?.get("value")?.as_str()?;
        let amount = Atomic(amount.parse().ok()?);
        let offer = self.rail.offer(Scheme::Exact, amount, self.rail.treasury(), 0);
        let payment = v1::payment(payment.clone(), &offer).ok()?;
        let authorization = payment::read(&payment, &offer).ok()?;
        let (payer, key) = (authorization.signer().to_string(), authorization.key().to_string());
        // Read under an offer that it was not made for, it says nothing of the order that it is checked against.
        Some(Known { payer, key: Some(key), identifier: None, authorization: None })
    }

    /// Checks a payment against what we ask for this order, and the clock.
    ///
    /// Who signed it is found out once: where the offer is to the letter the one that the payment says it takes, it is `known`.
    pub(crate) async fn check(
        &self,
        payment: Payment,
        known: Option<Known>,
        order: &Order,
    ) -> Result<Tender, CallError> {
        let refused = |rejection: Rejection| order.refused(rejection);
        let accepts = &order.required.accepts;
        let payment = match payment {
            Payment::Credit(credit) => return self.check_credit(*credit, order),
            Payment::Account(caller) => return self.check_account(*caller),
            Payment::X402(payment) => payment,
            Payment::X402V1(payment) => {
                let offer = accepts.iter().find(|offer| v1::speaks(offer)).ok_or_else(|| {
                    let message = "version 1 of x402 is not spoken here";
                    refused(Rejection::new(ErrorCode::UnsupportedScheme, message))
                })?;
                Box::new(v1::payment(*payment, offer).map_err(refused)?)
            }
        };
        let offer = payment::taken(&payment, accepts).map_err(refused)?.clone();
        let read = known.and_then(|known| known.authorization).filter(|_| payment.accepted == offer);
        let authorization = match read {
            Some(authorization) => authorization,
            None => payment::read(&payment, &offer).map_err(refused)?,
        };
        let identifier = identifier(&payment).map_err(refused)?;
        let key = match &authorization {
            Authorization::Exact(_) | Authorization::Upto(_) => authorization.key().to_string(),
            Authorization::Batch(batch) => match &batch.action {
                // The same voucher may stand for another call once the first cost nothing, or less than its ceiling.
                Action::Voucher => format!("{}/{}", batch.key(), order.request),
                // Another deposit is another payment, also where the first was refused and the voucher is the same.
                Action::Deposit(deposit) => format!("{}/{}", deposit.key, order.request),
                Action::Refund(_) => {
                    let message = "who wants the rest of a channel back asks for it by GET";
                    return Err(refused(Rejection::new(ErrorCode::BatchPayloadType, message)));
                }
            },
        };
        let now_s = (self.env.now_ms() / 1_000) as u64;
        if let Err(rejection) = payment::check_window(&authorization, now_s, order.run_ms_max)
            // It is never too late to fetch what a payment bought.
            && self.store.call_by_payment(&key).await?.is_none()
        {
            return Err(refused(rejection));
        }
        Ok(Tender {
            payer: authorization.signer().to_string(),
            rail: rail_text(&offer),
            key,
            identifier,
            means: Means::Signed { payment, offer: Box::new(offer), authorization: Box::new(authorization) },
        })
    }
}

/// Returns the name of a rail in the ledger.
pub(crate) fn rail_text(offer: &PaymentRequirements) -> String {
    format!("x402:{}", offer.network)
}

/// Returns a channel's id as it is stored.
pub(crate) fn channel_text(id: B256) -> String {
    format!("{id:#x}")
}

/// Reads the payer's own name for its request.
fn identifier(payment: &PaymentPayload) -> Result<Option<String>, Rejection> {
    let id = payment_identifier::read(payment.extensions.as_ref())?;
    Ok(id.map(|id| id.as_str().to_owned()))
}
