//! Paying out what payees and the operator earned.
//!
//! Only what is final: a charge whose payment the chain may still take back, or whose voucher is not claimed yet, waits.
//! All of one run is paid in one transaction, or one by one where that is refused; its id and their numbers make each
//! payment happen once. What was signed to pay never expires, so what is refused stays owed and does not go back.

use std::borrow::Cow;
use std::collections::BTreeMap;

use glassbox_core::ledger::{Account, Kind, payout};
use glassbox_core::money::PICO_PER_ATOMIC;
use glassbox_core::{Atomic, Pico, limits};
use glassbox_pay::{Address, Fee, PayOut, Settlement};
use glassbox_store::{OwedTransfer, Owing, PayeeRow, PayeeState};
use tracing::{error, info, warn};

use crate::call::logged;
use crate::error::RegistryError;
use crate::open::Registry;
use crate::submissions::{Payment, Request, payout_subject};

/// Who is paid, and where.
#[derive(Debug, Clone, Default)]
pub struct PayoutTerms {
    /// The addresses of payees by their ids, and of the operator as `operator`. A payee whose id is an address needs none.
    pub addresses: BTreeMap<String, Address>,
    /// From how much on an account is paid.
    pub threshold: Atomic,
    /// Whether only verified payees are paid.
    pub verified_only: bool,
}

/// What a run would pay, or paid.
#[derive(Debug, Clone)]
pub struct PayoutPlan {
    /// One line for each account that earned anything.
    pub lines: Vec<PayoutLine>,
    /// What all together are paid.
    pub total: Atomic,
    /// What the transaction costs the operator, in the chain's coin; `None` where nobody is paid or the chain does not say.
    pub fee: Option<Fee>,
    /// The transaction, once it is made.
    pub transaction: Option<String>,
}

/// What one account is paid, or why not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PayoutLine {
    /// `payee:ID` or `operator`.
    pub account: Account,
    /// What it earned for good and was not paid yet.
    pub payable: Pico,
    /// What of it waits because the package that earned it is disputed.
    pub frozen: Pico,
    /// What it is paid now: whole atomic units.
    pub amount: Atomic,
    /// Where to.
    pub to: Option<Address>,
    /// Why it is not paid now.
    pub waits: Option<Cow<'static, str>>,
}

impl Registry {
    /// Says what a run would pay, and moves nothing.
    pub async fn plan_payouts(&self, terms: &PayoutTerms) -> Result<PayoutPlan, RegistryError> {
        let payees = self.store.payees().await?;
        let payees: BTreeMap<_, _> = payees.into_iter().map(|payee| (payee.id.clone(), payee)).collect();
        let frozen = self.store.frozen().await?;
        let due = |(account, payable): (Account, Pico)| {
            let frozen = frozen.get(&account).copied().unwrap_or_default().min(payable);
            let payee = match &account {
                Account::Payee(id) => payees.get(id),
                _ => None,
            };
            let earned = PayoutLine { account, payable, frozen, amount: Atomic::ZERO, to: None, waits: None };
            let mut line = line(terms, payee, earned);
            if let Account::Payee(id) = &line.account
                && let Some(blocked) = self.listed_payee(id, line.to)
            {
                line.waits = Some(blocked.to_string().into());
            }
            line
        };
        let mut lines: Vec<PayoutLine> = self.store.payable().await?.into_iter().map(due).collect();
        let (made, why) = match self.rail.can_pay_out() {
            true => (limits::PAY_OUTS_MAX, "the next run pays it"),
            false => (0, "this rail cannot pay out"),
        };
        for late in lines.iter_mut().filter(|line| line.waits.is_none()).skip(made) {
            late.waits = Some(why.into());
        }
        let payments = payments(&lines);
        let fee = match payments.is_empty() {
            true => None,
            false => self.rail.pay_out_fee("estimate", &payments).await.ok(),
        };
        let total = Atomic(payments.iter().map(|payment| payment.amount.0).sum());
        Ok(PayoutPlan { lines, total, fee, transaction: None })
    }

    /// Claims what vouchers promise and pays out what is due. What the rail does not confirm at once stays owed, and the
    /// next sweep asks again.
    pub async fn pay_out_earnings(&self, terms: &PayoutTerms) -> Result<PayoutPlan, RegistryError> {
        self.claim_channels().await?;
        let mut plan = self.plan_payouts(terms).await?;
        if plan.total == Atomic::ZERO {
            return Ok(plan);
        }
        let (id, rail) = (self.env.id(), format!("x402:{}", self.rail.network()));
        let due = plan.lines.iter().filter(|line| line.waits.is_none());
        let owing = due.zip(0..).filter_map(|(line, number)| {
            Some(Owing {
                subject: payout_subject(&id, number),
                transfer: payout(&rail, line.account.clone(), line.amount),
                payee: line.to?.to_string(),
            })
        });
        self.store.owe_all(owing.collect(), self.env.now_ms()).await?;
        info!(total.atomic = plan.total.0, "Paying out earnings");
        self.pay_out_run(&id).await;
        plan.transaction = self.store.transaction_of_run(&id).await?;
        Ok(plan)
    }

    /// Takes up every run that the rail has not confirmed.
    pub(crate) async fn pay_out_runs(&self) {
        let owed = match self.store.owed(Kind::Payout, limits::RECONCILE_BATCH).await {
            Ok(owed) => owed,
            Err(error) => return error!(%error, "Could not list payouts"),
        };
        let mut runs: Vec<&str> = owed.iter().filter_map(|owed| owed.subject.split(':').nth(1)).collect();
        runs.dedup();
        for run in runs {
            self.pay_out_run(run).await;
        }
    }

    async fn pay_out_run(&self, run: &str) {
        let owed = match self.store.owed_of_run(run).await {
            Ok(owed) => owed,
            Err(error) => return error!(%error, "Could not list a payout"),
        };
        let (mut due, mut unpayable) = (Vec::new(), 0);
        for owed in &owed {
            match payment(run, owed) {
                Some(payment) => due.push(payment),
                None => unpayable += 1,
            }
        }
        if unpayable > 0 {
            error!(run = logged(run), unpayable, "Payouts are owed to no address");
        }
        if due.len() > 1 && self.pay_together(run, &due).await != Paid::Refused {
            return;
        }
        // One that can never be paid, or that somebody else had made, must not keep out the others.
        let mut waited = 0;
        for payment in due {
            if waited == limits::PAY_OUTS_ALONE_MAX {
                return;
            }
            if self.pay_together(run, &[payment]).await != Paid::Refused {
                waited += 1;
            }
        }
    }

    /// Pays some of a run, all or none.
    async fn pay_together(&self, run: &str, due: &[PayOut]) -> Paid {
        let request =
            Request::PayOutAll { id: run.to_owned(), payments: due.iter().copied().map(Payment).collect() };
        let transaction = match self.submit(&request).await {
            Settlement::Settled { transaction, .. } => transaction,
            Settlement::Rejected(rejection) => {
                let (payments, code) = (due.len(), rejection.code);
                warn!(run = logged(run), payments, %code, "The rail refused a payout; it stays owed");
                return Paid::Refused;
            }
            Settlement::Unknown { detail } => {
                warn!(run = logged(run), detail, "A payout is unknown");
                return Paid::Unknown;
            }
        };
        let subjects: Vec<_> = due.iter().map(|payment| payout_subject(run, payment.number)).collect();
        let watched = match subjects.as_slice() {
            [alone] => alone.clone(),
            _ => format!("payout:{run}"),
        };
        let written = match self.booking(&request, transaction).await {
            Ok(moved) => self.store.post_run(&watched, subjects, moved).await.map_err(RegistryError::from),
            Err(error) => Err(error),
        };
        if let Err(error) = written {
            error!(run = logged(run), %error, "Could not write down what became of a payout; will ask again");
        }
        Paid::Made
    }
}

/// What became of asking the rail to pay.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Paid {
    Made,
    Refused,
    Unknown,
}

/// Reads what is owed to one payee of a run.
fn payment(run: &str, owed: &OwedTransfer) -> Option<PayOut> {
    let number = owed.subject.strip_prefix("payout:")?.strip_prefix(run)?.strip_prefix(':')?;
    let (number, to) = (number.parse().ok()?, owed.payee.as_deref()?.parse().ok()?);
    Some(PayOut { number, to, amount: owed.amount })
}

/// Says what an account is paid, as far as its payee is known.
fn line(terms: &PayoutTerms, payee: Option<&PayeeRow>, earned: PayoutLine) -> PayoutLine {
    let state = payee.map(|payee| payee.state).unwrap_or_default();
    let id = match &earned.account {
        Account::Payee(id) => id.as_str(),
        _ => "operator",
    };
    let written = || payee?.address.as_ref()?.parse().ok();
    let to = terms.addresses.get(id).copied().or_else(written).or_else(|| id.parse().ok());
    let to = to.filter(|to| !to.is_zero());
    let amount = Atomic(earned.payable.0.saturating_sub(earned.frozen.0) / PICO_PER_ATOMIC);
    let must_be_verified = terms.verified_only && matches!(earned.account, Account::Payee(_));
    let waits = match to {
        _ if state == PayeeState::Suspended => Some("it is suspended"),
        _ if must_be_verified && state != PayeeState::Verified => Some("it is not verified"),
        None => Some("its address is not known"),
        Some(_) if amount == Atomic::ZERO && earned.frozen > Pico::ZERO => {
            Some("what a disputed package earned is frozen")
        }
        Some(_) if amount < terms.threshold => Some("it is below the threshold"),
        Some(_) if amount == Atomic::ZERO => Some("it is less than the smallest unit"),
        Some(_) => None,
    };
    PayoutLine { amount, to, waits: waits.map(Cow::Borrowed), ..earned }
}

fn payments(lines: &[PayoutLine]) -> Vec<PayOut> {
    let due = lines.iter().filter(|line| line.waits.is_none());
    due.zip(0..)
        .filter_map(|(line, number)| Some(PayOut { number, to: line.to?, amount: line.amount }))
        .collect()
}
