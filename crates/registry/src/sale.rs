//! What is sold as it is, and not run: credit, and downloads.
//!
//! A sale has the states of a call, and a crash in between is taken up like any other. Its price is known before, and the
//! goods are there already, so it is recorded as soon as its payment is held and verified.

use std::sync::Arc;

use glassbox_core::limits::OFFER_MARGIN_SECONDS;
use glassbox_core::{Atomic, ReleaseId};
use glassbox_pay::scheme::Scheme;
use glassbox_pay::x402::{PaymentRequired, Resource, VERSION};
use glassbox_store::{CallRow, CallState};
use serde::de::DeserializeOwned;

use crate::error::{CallError, RegistryError};
use crate::hold::Order;
use crate::open::Registry;
use crate::payment::Payment;
use crate::settle::{NotSettled, Recorded};

/// What x402 is told of a payment whose sale was given back whole: it buys nothing any more.
const GIVEN_BACK: &str = "payment_given_back";

/// Who runs first, in a sale: the money, or the goods.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flow {
    /// As x402 has it: verified, given, settled.
    Usual,
    /// Nothing can fail between the payment and the goods, so the money moves first.
    Upfront,
}

impl Registry {
    /// Returns what x402 asks for something that is sold as it is, for the amount that it costs.
    pub(crate) fn sale_requirements(
        &self,
        resource: Resource,
        amount: Atomic,
        flow: Flow,
    ) -> PaymentRequired {
        let mut offer = self.rail.offer(Scheme::Exact, amount, self.rail.treasury(), OFFER_MARGIN_SECONDS);
        if flow == Flow::Upfront {
            offer.extra.insert("paymentFlow".into(), "upfront".into());
        }
        let (x402_version, accepts) = (VERSION, vec![offer]);
        let mut required = PaymentRequired { x402_version, error: None, resource, accepts, extensions: None };
        self.declare(&mut required);
        required
    }

    /// Returns the address of something of a release: `component`, `licenses`, `tips`.
    pub(crate) fn release_url(&self, release: &ReleaseId, what: &str) -> String {
        let (package, version) = (&release.package, &release.version);
        let base = &self.config.public_url;
        format!("{base}/v1/packages/{}/{}/{version}/{what}", package.namespace(), package.name())
    }

    /// Sells what `item` makes for the id of the sale. Returns what its buyer gets; `None` where that was handed over long
    /// ago, and is kept no more.
    pub(crate) async fn sell<R: DeserializeOwned>(
        self: &Arc<Self>,
        order: Order,
        payment: Payment,
        item: impl FnOnce(&str) -> Recorded + Send + 'static,
    ) -> Result<Option<R>, CallError> {
        // On a task of its own, as a call: who hangs up stops nothing.
        let registry = self.clone();
        let sold = tokio::spawn(async move { registry.take_payment(order, payment, item).await });
        let row = sold.await.map_err(|_| RegistryError::Worker)??;
        self.note_delivered(&row.id).await;
        let Some(reply) = row.reply else { return Ok(None) };
        let read = serde_json::from_str(&reply).map(Some);
        read.map_err(|error| RegistryError::Damaged(row.release.to_string(), error.to_string()).into())
    }

    /// Takes the payment of a sale, once, and returns the sale, which is then posted.
    async fn take_payment(
        &self,
        order: Order,
        payment: Payment,
        item: impl FnOnce(&str) -> Recorded,
    ) -> Result<CallRow, CallError> {
        let known = self.known(&payment);
        if let Some(row) = self.presented(known.as_ref()).await? {
            // Whoever asks again for what was paid for may be late, so the clock is asked after this.
            return match order.is_for(row.request) {
                true => self.await_sale(&row.id, &order).await,
                false => Err(CallError::PaymentBound),
            };
        }
        let tender = self.check(payment, known, &order).await?;
        let admitted = self.admit(&tender.payer)?;
        let call = self.env.id();
        let work = self.running.claim(&call).expect("a fresh id is nobody's");
        if let Some(other) = self.hold(&call, &order, &tender).await? {
            drop((work, admitted));
            return self.await_sale(&other, &order).await;
        }
        if let Err(refused) = self.verify(&call, &tender, &order).await {
            admitted.failed();
            return Err(refused);
        }
        self.finish(&call, item(&call), &tender).await?;
        Ok(self.store.call(&call).await?.ok_or(RegistryError::Worker)?)
    }

    async fn await_sale(&self, call: &str, order: &Order) -> Result<CallRow, CallError> {
        let row = self.await_decision(call).await?;
        if row.state == CallState::Posted {
            if self.store.is_given_back(call).await? {
                // There is nothing left to hand over, so that another payment buys it anew.
                self.note_delivered(call).await;
                return Err(order.refused_with(GIVEN_BACK.into()));
            }
            return Ok(row);
        }
        let refused: Result<NotSettled, _> = serde_json::from_str(row.reply.as_deref().unwrap_or_default());
        let refused =
            refused.map_err(|error| RegistryError::Damaged(row.release.to_string(), error.to_string()))?;
        Err(order.refused_with(refused.code))
    }
}
