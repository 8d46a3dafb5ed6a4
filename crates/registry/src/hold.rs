//! From a payment that is presented to one that is held: whatever it buys, it buys that once.
//!
//! A call, prepaid credit and a download are ordered alike. A payment is bound to its [`Order`] before anything is done for
//! it, and presented again it finds what it bought.

use glassbox_core::{Atomic, Digest, FunctionName, PackageRef, ReleaseId, limits};
use glassbox_pay::Rejection;
use glassbox_pay::x402::PaymentRequired;
use glassbox_store::{CallRow, Hold, NewCall, VoucherRefusal};
use tokio::sync::SemaphorePermit;
use tokio::time::{Duration, Instant};

use crate::error::CallError;
use crate::meter::{Place, Refusal};
use crate::offer::voucher_refused;
use crate::open::Registry;
use crate::payment::{Known, Means, Tender};

/// What a payment is to buy, and what we ask for it.
pub(crate) struct Order {
    /// What tells it from every other order.
    pub(crate) request: Digest,
    /// The same under all terms that the release ever had, `request` among them.
    pub(crate) requests: Vec<Digest>,
    /// The release whose payees earn.
    pub(crate) release: ReleaseId,
    /// The component that runs, or leaves; absent where something else is sold.
    pub(crate) component: Option<Digest>,
    /// The function that runs, or the name under which something else is sold.
    pub(crate) function: FunctionName,
    /// The most that it can cost.
    pub(crate) amount_max: Atomic,
    /// What x402 asks for.
    pub(crate) required: PaymentRequired,
    /// How long it may take until the payment is settled, in milliseconds.
    pub(crate) run_ms_max: u64,
}

impl Order {
    /// Tells whether what was bought is what is ordered, whatever the terms were then.
    pub(crate) fn is_for(&self, bought: Digest) -> bool {
        self.requests.contains(&bought)
    }

    /// Asks for a payment.
    pub(crate) fn unpaid(self) -> CallError {
        CallError::PaymentRequired { amount: self.amount_max, required: Box::new(self.required) }
    }

    /// Says why a payment will not do, and what would.
    pub(crate) fn refused(&self, rejection: Rejection) -> CallError {
        self.refused_with(rejection.code.to_string())
    }

    pub(crate) fn refused_with(&self, code: String) -> CallError {
        let required = PaymentRequired { error: Some(code), ..self.required.clone() };
        CallError::PaymentRequired { amount: self.amount_max, required: Box::new(required) }
    }
}

/// A place among everything that is paid for at the moment. Dropping it gives it back.
pub(crate) struct Admitted<'a> {
    place: Place<'a>,
    _slot: SemaphorePermit<'a>,
}

impl Admitted<'_> {
    /// Counts work that was not paid.
    pub(crate) fn failed(&self) {
        self.place.failed();
    }
}

impl Registry {
    /// Finds what a payment was first presented for. Whoever signed it may ask, and nobody else.
    pub(crate) async fn presented(&self, known: Option<&Known>) -> Result<Option<CallRow>, CallError> {
        let Some(known) = known else { return Ok(None) };
        if let Some(key) = &known.key
            && let Some(row) = self.store.call_by_payment(key).await?
        {
            return Ok(Some(row));
        }
        match &known.identifier {
            Some(identifier) => Ok(self.store.call_by_identifier(&known.payer, identifier).await?),
            None => Ok(None),
        }
    }

    /// Takes one of the payer's places, and one of everybody's.
    pub(crate) fn admit(&self, payer: &str) -> Result<Admitted<'_>, CallError> {
        let place = self.free_work.enter(payer, self.env.now_ms()).map_err(|refusal| match refusal {
            Refusal::Busy => CallError::Busy,
            Refusal::TooManyFailures => CallError::TooManyFailures,
        })?;
        let slot = self.in_flight.try_acquire().map_err(|_| CallError::Busy)?;
        Ok(Admitted { place, _slot: slot })
    }

    /// Binds the payment to `call`, in one transaction, before anything is done for it. Returns the call that it finds its
    /// answer at where that is another one.
    pub(crate) async fn hold(
        &self,
        call: &str,
        order: &Order,
        tender: &Tender,
    ) -> Result<Option<String>, CallError> {
        match self.hold_in_turn(call, order, tender).await? {
            Hold::Held => Ok(None),
            // Presented at the same moment by another request for the same: one run, one charge.
            Hold::SamePayment(row) | Hold::SameIdentifier(row) if !order.is_for(row.request) => {
                Err(CallError::PaymentBound)
            }
            // Or signed anew while the first payment is undecided: a payer must not pay twice for one thing.
            Hold::SamePayment(row) | Hold::SameIdentifier(row) | Hold::SameRequest(row) => Ok(Some(row.id)),
            Hold::Voucher(refusal) => Err(voucher_refused(refusal, order)),
            Hold::Account(refusal) => Err(self.account_refused(refusal, tender, order)),
            Hold::Credit(refusal) => {
                Err(CallError::CreditSpent { refusal, required: Box::new(order.required.clone()) })
            }
        }
    }

    async fn hold_in_turn(&self, call: &str, order: &Order, tender: &Tender) -> Result<Hold, CallError> {
        let deadline = Instant::now() + Duration::from_millis(limits::DECISION_WAIT_MS_MAX);
        loop {
            let known = self.ask_channel(tender).await?;
            let (payment, offer) = tender.to_json();
            let new = NewCall {
                id: call.to_owned(),
                payment_key: tender.key.clone(),
                identifier: tender.identifier.clone(),
                payer: tender.payer.clone(),
                rail: tender.rail.clone(),
                request: order.request,
                requests: order.requests.clone(),
                release: order.release.clone(),
                function: order.function.clone(),
                held: order.amount_max,
                payment,
                offer,
                backing: tender.backing(known),
                now_ms: self.env.now_ms(),
            };
            let held = self.store.hold_call(new).await?;
            // Calls of one channel come one after the other, because each voucher builds on the one before.
            let Hold::Voucher(VoucherRefusal::Busy { call: other }) = &held else { return Ok(held) };
            // Or a refund has it, which is quick, and nobody waits for.
            if Instant::now() > deadline || self.store.call(other).await?.is_none() {
                return Err(CallError::Busy);
            }
            self.await_end(other, deadline).await?;
        }
    }

    /// Asks the rail whether what is held could be settled now, and lets go of it where it could not. What needs no rail
    /// holds as it is.
    ///
    /// Asked only after the hold: before it, another presentation of this payment could be settled in between, and its payer
    /// would be told to sign anew.
    pub(crate) async fn verify(&self, call: &str, tender: &Tender, order: &Order) -> Result<(), CallError> {
        let Means::Signed { payment, offer, .. } = &tender.means else { return Ok(()) };
        if !tender.needs_rail() {
            return Ok(());
        }
        let patience = Duration::from_millis(limits::RAIL_WAIT_MS_MAX);
        let refused = match tokio::time::timeout(patience, self.rail.verify(payment, offer)).await {
            Ok(Ok(_)) => return Ok(()),
            Ok(Err(rejection)) => order.refused(rejection),
            // A rail that does not answer is busy.
            Err(_) => CallError::Busy,
        };
        self.store.release_call(call, self.env.now_ms()).await?;
        Err(refused)
    }
}

/// Fixes the version of a release that was named by its package alone: the newest may be another one by now; what was
/// bought is the one that was the newest then.
pub(crate) fn pin(release: &mut PackageRef, row: &CallRow) {
    if release.version.is_none() && release.package == row.release.package {
        release.version = Some(row.release.version.clone());
    }
}
