//! A facilitator that fails on demand: for tests, and for drills of an operator.
//!
//! Every money-moving call has faults of each kind: failed before the chain heard of it, failed after the chain
//! did it, refused, late. Faults are scripted per operation and used up in order; with no fault left the inner
//! facilitator answers.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use alloy_primitives::{Address, B256};
use async_trait::async_trait;
use glassbox_core::Atomic;

use crate::chain::{Fee, Standing, TransferEvent};
use crate::error::PayError;
use crate::facilitator::{ChannelState, Claim, Facilitator, PayOut, Rejection, Settlement, Verified};
use crate::network::Network;
use crate::scheme::Scheme;
use crate::x402::{PaymentPayload, PaymentRequirements};

/// What goes wrong in one call that moves money.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MoveFault {
    /// The request is lost on the way: the chain never hears of it, and the caller cannot know.
    UnknownBefore,
    /// The answer is lost on the way: the chain has done it, and the caller cannot know.
    UnknownAfter,
    /// It is refused without being tried.
    Rejected(Rejection),
    /// It is done, but late.
    Delay(Duration),
}

/// What goes wrong in one `verify`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VerifyFault {
    /// It is refused without being tried.
    Rejected(Rejection),
    /// It is done, but late.
    Delay(Duration),
}

/// Wraps a facilitator and fails as scripted.
#[derive(Debug)]
pub struct Faulty<F> {
    inner: F,
    verify: Script<VerifyFault>,
    settle: Script<MoveFault>,
    pay_out: Script<MoveFault>,
    claim: Script<MoveFault>,
    refund_channel: Script<MoveFault>,
}

type Script<T> = Mutex<VecDeque<T>>;

impl<F: Facilitator> Faulty<F> {
    /// Wraps `inner`, with no fault scripted.
    pub fn new(inner: F) -> Self {
        Self {
            inner,
            verify: Script::default(),
            settle: Script::default(),
            pay_out: Script::default(),
            claim: Script::default(),
            refund_channel: Script::default(),
        }
    }

    /// Returns the wrapped facilitator, which never fails on demand.
    pub fn inner(&self) -> &F {
        &self.inner
    }

    /// Adds a fault for the next `verify` that has none yet.
    pub fn next_verify(&self, fault: VerifyFault) {
        add(&self.verify, fault);
    }

    /// Adds a fault for the next `settle` that has none yet.
    pub fn next_settle(&self, fault: MoveFault) {
        add(&self.settle, fault);
    }

    /// Adds a fault for the next `pay_out` that has none yet.
    pub fn next_pay_out(&self, fault: MoveFault) {
        add(&self.pay_out, fault);
    }

    /// Adds a fault for the next `claim` that has none yet.
    pub fn next_claim(&self, fault: MoveFault) {
        add(&self.claim, fault);
    }

    /// Adds a fault for the next `refund_channel` that has none yet.
    pub fn next_refund_channel(&self, fault: MoveFault) {
        add(&self.refund_channel, fault);
    }
}

fn add<T>(script: &Script<T>, fault: T) {
    script.lock().unwrap_or_else(PoisonError::into_inner).push_back(fault);
}

fn take<T>(script: &Script<T>) -> Option<T> {
    script.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
}

/// Moves money as the fault lets it.
async fn under(fault: Option<MoveFault>, moving: impl Future<Output = Settlement> + Send) -> Settlement {
    match fault {
        None => moving.await,
        Some(MoveFault::UnknownBefore) => {
            Settlement::Unknown { detail: "scripted: the request was lost".to_owned() }
        }
        Some(MoveFault::UnknownAfter) => {
            // The outcome is dropped on purpose: that the caller does not learn it is the fault.
            let _lost = moving.await;
            Settlement::Unknown { detail: "scripted: the answer was lost".to_owned() }
        }
        Some(MoveFault::Rejected(rejection)) => Settlement::Rejected(rejection),
        Some(MoveFault::Delay(delay)) => {
            tokio::time::sleep(delay).await;
            moving.await
        }
    }
}

#[async_trait]
impl<F: Facilitator> Facilitator for Faulty<F> {
    fn label(&self) -> &str {
        self.inner.label()
    }

    fn network(&self) -> Network {
        self.inner.network()
    }

    fn asset(&self) -> Address {
        self.inner.asset()
    }

    fn treasury(&self) -> Address {
        self.inner.treasury()
    }

    fn schemes(&self) -> &[Scheme] {
        self.inner.schemes()
    }

    fn offer(&self, scheme: Scheme, amount: Atomic, pay_to: Address, timeout_s: u64) -> PaymentRequirements {
        self.inner.offer(scheme, amount, pay_to, timeout_s)
    }

    async fn verify(
        &self,
        payload: &PaymentPayload,
        offered: &PaymentRequirements,
    ) -> Result<Verified, Rejection> {
        match take(&self.verify) {
            Some(VerifyFault::Rejected(rejection)) => return Err(rejection),
            Some(VerifyFault::Delay(delay)) => tokio::time::sleep(delay).await,
            None => {}
        }
        self.inner.verify(payload, offered).await
    }

    async fn settle(
        &self,
        payload: &PaymentPayload,
        offered: &PaymentRequirements,
        amount: Atomic,
    ) -> Settlement {
        under(take(&self.settle), self.inner.settle(payload, offered, amount)).await
    }

    async fn pay_out(&self, id: &str, to: Address, amount: Atomic) -> Settlement {
        under(take(&self.pay_out), self.inner.pay_out(id, to, amount)).await
    }

    async fn pay_out_all(&self, id: &str, payments: &[PayOut]) -> Settlement {
        under(take(&self.pay_out), self.inner.pay_out_all(id, payments)).await
    }

    async fn pay_out_fee(&self, id: &str, payments: &[PayOut]) -> Result<Fee, PayError> {
        self.inner.pay_out_fee(id, payments).await
    }

    async fn channel(&self, id: B256) -> Result<ChannelState, PayError> {
        self.inner.channel(id).await
    }

    async fn claim(&self, id: &str, claims: &[Claim]) -> Settlement {
        under(take(&self.claim), self.inner.claim(id, claims)).await
    }

    async fn refund_channel(&self, id: &str, claim: &Claim, amount: Atomic) -> Settlement {
        under(take(&self.refund_channel), self.inner.refund_channel(id, claim, amount)).await
    }

    fn can_pay_out(&self) -> bool {
        self.inner.can_pay_out()
    }

    async fn balance(&self, address: Address) -> Result<Atomic, PayError> {
        self.inner.balance(address).await
    }

    async fn standing(&self, transaction: B256) -> Result<Standing, PayError> {
        self.inner.standing(transaction).await
    }

    async fn transfers(&self, from_block: u64) -> Result<Vec<TransferEvent>, PayError> {
        self.inner.transfers(from_block).await
    }
}
