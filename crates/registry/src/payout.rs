//! Paying out what payees and the operator earned.
//!
//! Only what is final: a charge whose payment the chain may still take back, or whose voucher is not claimed yet, waits.
//! All of one run is paid in one transaction, under an id that makes it happen once.

use std::collections::BTreeMap;

use glassbox_core::ledger::{Account, Kind, payout};
use glassbox_core::money::PICO_PER_ATOMIC;
use glassbox_core::{Atomic, Pico, limits};
use glassbox_pay::{Address, Fee, PayOut, Settlement};
use glassbox_store::{OwedTransfer, Owing};
use tracing::{error, info, warn};

use crate::call::logged;
use crate::error::RegistryError;
use crate::open::Registry;
use crate::submissions::{Payment, Request};

/// Who is paid, and where.
#[derive(Debug, Clone, Default)]
pub struct PayoutTerms {
    /// The addresses of payees by their ids, and of the operator as `operator`. A payee whose id is an address needs none.
    pub addresses: BTreeMap<String, Address>,
    /// From how much on an account is paid.
    pub threshold: Atomic,
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
    /// What it is paid now: whole atomic units.
    pub amount: Atomic,
    /// Where to.
    pub to: Option<Address>,
    /// Why it is not paid now.
    pub waits: Option<&'static str>,
}

impl Registry {
    /// Says what a run would pay, and moves nothing.
    pub async fn plan_payouts(&self, terms: &PayoutTerms) -> Result<PayoutPlan, RegistryError> {
        let payable = self.store.payable().await?;
        let mut lines: Vec<PayoutLine> =
            payable.into_iter().map(|(account, pico)| line(terms, account, pico)).collect();
        for late in lines.iter_mut().filter(|line| line.waits.is_none()).skip(limits::PAY_OUTS_MAX) {
            late.waits = Some("the next run pays it");
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
        let owing = due.enumerate().filter_map(|(index, line)| {
            Some(Owing {
                // In the order in which they are paid: the same words again are the same payment.
                subject: format!("payout:{id}:{index:04}"),
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

    async fn pay_out_run(&self, id: &str) {
        let owed = match self.store.owed_of_run(id).await {
            Ok(owed) => owed,
            Err(error) => return error!(%error, "Could not list a payout"),
        };
        let payment = |owed: &OwedTransfer| {
            let to = owed.payee.as_deref()?.parse().ok()?;
            Some(Payment(PayOut { to, amount: owed.amount }))
        };
        let Some(payments) = owed.iter().map(payment).collect::<Option<Vec<_>>>() else {
            return error!(run = logged(id), "A payout is owed to no address");
        };
        if payments.is_empty() {
            return;
        }
        let request = Request::PayOutAll { id: id.to_owned(), payments };
        let moved = match self.submit(&request).await {
            Settlement::Settled { transaction, .. } => self.booking(&request, transaction).await.map(Some),
            Settlement::Rejected(rejection) => {
                error!(run = logged(id), code = %rejection.code, "The rail refused a payout; it stays with the accounts");
                Ok(None)
            }
            Settlement::Unknown { detail } => return warn!(run = logged(id), detail, "A payout is unknown"),
        };
        let written = match moved {
            Ok(moved) => self.store.post_run(id, moved).await.map_err(RegistryError::from),
            Err(error) => Err(error),
        };
        if let Err(error) = written {
            error!(run = logged(id), %error, "Could not write down what became of a payout; will ask again");
        }
    }
}

fn line(terms: &PayoutTerms, account: Account, payable: Pico) -> PayoutLine {
    let id = match &account {
        Account::Payee(id) => id.as_str(),
        _ => "operator",
    };
    let to = terms.addresses.get(id).copied().or_else(|| id.parse().ok());
    let amount = Atomic(payable.0 / PICO_PER_ATOMIC);
    let waits = match to {
        None => Some("its address is not known"),
        Some(_) if amount < terms.threshold => Some("it is below the threshold"),
        Some(_) if amount == Atomic::ZERO => Some("it is less than the smallest unit"),
        Some(_) => None,
    };
    PayoutLine { account, payable, amount, to, waits }
}

fn payments(lines: &[PayoutLine]) -> Vec<PayOut> {
    let due = lines.iter().filter(|line| line.waits.is_none());
    due.filter_map(|line| Some(PayOut { to: line.to?, amount: line.amount })).collect()
}
