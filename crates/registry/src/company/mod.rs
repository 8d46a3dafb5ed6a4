//! A company's own registry: people and agents call in the names of accounts, within what the company allows.
//!
//! ```text
//! token ─▶ authenticate ─▶ gate: the policy's lists ─▶ hold: budgets, approval, credit or invoice ─▶ as every paid call
//! ```
//!
//! What the policy says of a release is pure and asked before anything is held. What depends on what others spend meanwhile
//! is decided in the transaction of the hold. A refusal is a [`PolicyRefusal`], which names its rule.

mod accounts;
mod chargeback;
mod policy;
mod tips;

use glassbox_core::account::{AccountName, CostCenter, Month, Paying};
use glassbox_core::{Atomic, Digest, PackageRef, limits};
use glassbox_sandbox::{Allowed, Grants};
use glassbox_store::{
    AccountRefusal, Approval, ApprovalState, Budget, CompanyAccount, Spender, Use, month_block, token_id,
};

pub use self::accounts::{AccountError, NewAccount, NewToken};
pub use self::chargeback::Chargeback;
use self::policy::Asked;
pub use self::policy::{CompanyPolicy, PolicyRefusal};
pub use self::tips::{SpreadAmount, SpreadTip};
use crate::call::{Plan, StoredReply};
use crate::depend::exact;
use crate::env::rfc3339;
use crate::error::{CallError, RegistryError};
use crate::hold::Order;
use crate::live::Live;
use crate::open::Registry;
use crate::payment::{Means, Payment, Tender};
use crate::settle::Executed;

/// What the text of every account's token begins with.
pub const ACCOUNT_TOKEN_PREFIX: &str = "gba_";

/// Who makes a request: an account, by one of its tokens.
#[derive(Debug, Clone)]
pub struct Caller {
    /// The account.
    pub account: CompanyAccount,
    /// The digest of the token.
    pub(crate) token: Digest,
    /// The caller's own name for the request: the same again is answered from the same call.
    pub(crate) identifier: Option<String>,
}

impl Caller {
    /// Returns the payer's name in the store.
    pub(crate) fn payer(&self) -> String {
        self.account.name.payer()
    }
}

impl Registry {
    /// Finds the account that a token opens.
    pub async fn authenticate(&self, token: &str, identifier: Option<String>) -> Result<Caller, CallError> {
        if self.config.company.is_none() {
            return Err(CallError::Account("this registry serves no company, and has no accounts"));
        }
        let token = Digest::of(token);
        let account = self.store.account_of(&token, self.env.now_ms()).await?;
        let account = account.ok_or(CallError::Account(UNKNOWN))?;
        Ok(Caller { account, token, identifier })
    }

    /// The gate of a call. An account is known before it is asked for anything, so what its company compares with is what
    /// the call may cost this account, and that is what it pays at most.
    pub(crate) async fn gate_call(
        &self,
        plan: &mut Plan,
        payment: Option<&Payment>,
    ) -> Result<(), CallError> {
        if self.config.company.is_none() {
            return Ok(());
        }
        if let Some(caller) = payment.and_then(Payment::caller) {
            self.personalise(plan, &caller.payer()).await?;
        }
        let license = plan.live.terms.license_of(&plan.quote.function, self.today());
        self.gate(&plan.live, license, &plan.allows, plan.quote.amount_max, payment).await
    }

    /// Refuses what the company does not allow to whoever asks, of a release, under the licence of what is asked for, and of
    /// everything that it imports. Where there is no company, everybody may.
    pub(crate) async fn gate(
        &self,
        live: &Live,
        license: &str,
        allowed: &Allowed,
        amount_max: Atomic,
        payment: Option<&Payment>,
    ) -> Result<(), CallError> {
        let Some(policy) = &self.config.company else { return Ok(()) };
        let Some(Payment::Account(caller)) = payment else { return Err(CallError::AccountRequired) };
        let check = |live: &Live, license: &str, grants: &Grants, amount_max: Atomic| {
            let asked = Asked {
                release: &live.id,
                publisher: &live.publisher,
                license,
                grants,
                egress: &allowed.egress,
                amount_max,
            };
            let refused = |refusal| CallError::Policy(Box::new(refusal));
            policy.check(&caller.account.name, &asked).map_err(refused)
        };
        check(live, license, &allowed.grants, amount_max)?;
        let pins = |live: &Live, grants: &Grants| -> Vec<(PackageRef, Grants)> {
            live.dependencies.iter().map(|pin| (exact(&pin.release), grants.clone())).collect()
        };
        let mut imported = pins(live, &allowed.grants);
        while let Some((release, grants)) = imported.pop() {
            let live = self.live(&release).await?;
            let grants = live.grants.under(&grants);
            // What it costs is part of the price of what imports it, and any of its editions may be what runs.
            for license in live.terms.licenses_on(self.today()) {
                check(&live, license, &grants, Atomic::ZERO)?;
            }
            imported.extend(pins(&live, &grants));
        }
        Ok(())
    }

    /// Says what an account pays an order with.
    pub(crate) fn check_account(&self, caller: Caller) -> Result<Tender, CallError> {
        let policy = self.config.company.as_ref().ok_or(CallError::AccountRequired)?;
        let Caller { account, token, identifier } = caller;
        if identifier.as_ref().is_some_and(|id| id.is_empty() || id.len() > limits::NONCE_BYTES_MAX) {
            return Err(CallError::NonceTooLong);
        }
        let month = self.month();
        let budget = |block, amount_max| Budget { block, amount_max, calls_max: None };
        let payer = account.name.payer();
        let spender = Spender {
            token,
            month_max: policy.account_month_max(),
            budgets: vec![
                budget(
                    cost_center_block(&account.cost_center, &month),
                    policy.cost_center_month_max(&account.cost_center),
                ),
                budget(company_block(&month), policy.month_max()),
            ],
            approval_above: policy.approval_above(&account.name).map(|(above, _)| above),
            approval: self.env.id()[..APPROVAL_ID_DIGITS].to_owned(),
            month,
        };
        Ok(Tender {
            key: format!("{payer}/{}", self.env.id()),
            payer,
            rail: "account".into(),
            identifier,
            means: Means::Account { spender: Box::new(spender), account: Box::new(account) },
        })
    }

    /// Says why an account may not make a call.
    pub(crate) fn account_refused(
        &self,
        refusal: AccountRefusal,
        tender: &Tender,
        order: &Order,
    ) -> CallError {
        let Means::Account { spender, account } = &tender.means else { return RegistryError::Worker.into() };
        let most = order.amount_max.to_decimal();
        let (rule, detail, next, approval) = match refusal {
            AccountRefusal::Token => return CallError::Account(UNKNOWN),
            AccountRefusal::Short { available } => (
                "account.prepaid".to_owned(),
                format!(
                    "the call may cost ${most}, and of what was paid in ${} are left",
                    available.to_decimal()
                ),
                "ask whoever operates this registry to pay more in".to_owned(),
                None,
            ),
            AccountRefusal::Budget { block, left } => (
                budget_rule(&block, spender, account),
                format!(
                    "the call may cost ${most}, and of the month's budget ${} are left",
                    left.to_decimal()
                ),
                "wait for the next month by UTC, or ask whoever operates this registry for more".into(),
                None,
            ),
            AccountRefusal::ManyWaiting => (
                self.approval_rule(&account.name),
                "too many of the account's calls wait for a person to approve them".into(),
                "have them decided first".into(),
                None,
            ),
            AccountRefusal::Approval(approval) => {
                let (detail, next) = approval_words(&approval, &most);
                (self.approval_rule(&account.name), detail, next, Some(approval))
            }
        };
        CallError::Policy(Box::new(PolicyRefusal { rule, detail, next, approval }))
    }

    fn approval_rule(&self, account: &AccountName) -> String {
        let above = self.config.company.as_ref().and_then(|policy| policy.approval_above(account));
        above.map_or_else(|| "approval.above".into(), |(_, rule)| rule)
    }

    /// Ends an account's call that needed no hold. It is written down what it used: that stands nowhere else.
    pub(crate) async fn end_used(
        &self,
        executed: Executed,
        caller: &Caller,
    ) -> Result<StoredReply, CallError> {
        let consumed = executed.consumed_by(&caller.payer());
        let (release, function) = (executed.release.clone(), executed.function.clone());
        let stored = self.reply_unpaid(executed);
        let used = Use {
            call: stored.call.clone(),
            account: caller.account.name.clone(),
            cost_center: caller.account.cost_center.clone(),
            token: token_id(&caller.token),
            month: self.month(),
            release,
            function,
            receipt: stored.bundle.receipt.payload_digest(),
            at: self.env.now_ms(),
        };
        self.store.note_use(used, consumed).await?;
        Ok(stored)
    }

    /// Returns the month that calls are counted in now.
    pub fn month(&self) -> Month {
        rfc3339(self.env.now_ms())[..MONTH_BYTES].parse().expect("a time begins with its month")
    }
}

const UNKNOWN: &str =
    "the token opens no account: it is mistyped, was taken back or is at its end, or the account is closed";

/// The bytes of a month at the beginning of a time.
const MONTH_BYTES: usize = 7;

/// Approvals are typed by people, and their ids open nothing by themselves.
const APPROVAL_ID_DIGITS: usize = 12;

fn cost_center_block(cost_center: &CostCenter, month: &Month) -> String {
    format!("cost-center:{cost_center}/{month}")
}

fn company_block(month: &Month) -> String {
    format!("company/{month}")
}

/// Returns the rule of the budget that is counted under a block.
fn budget_rule(block: &str, spender: &Spender, account: &CompanyAccount) -> String {
    if block == month_block(&account.name, &spender.month) {
        match account.month_max {
            Some(_) => format!("account.{}.month", account.name),
            None => "budget.account-month".into(),
        }
    } else if block == company_block(&spender.month) {
        "budget.month".into()
    } else {
        format!("cost-center.{}.month", account.cost_center)
    }
}

fn approval_words(approval: &Approval, most: &str) -> (String, String) {
    let id = &approval.id;
    match approval.state {
        ApprovalState::Denied => {
            let by = approval.decided_by.as_deref().unwrap_or("somebody");
            (format!("{by} denied this call, as {id}"), "make another call, or talk to who denied it".into())
        }
        _ => (
            format!("the call may cost ${most}, and waits for a person as {id}"),
            format!(
                "have it approved with `glassbox approvals approve {id}`, then send the same request again"
            ),
        ),
    }
}

/// Tells how an account's call is collected: a settled call pays its payees for good, an owed one once it is settled.
pub(crate) fn is_paid_before(account: &CompanyAccount) -> bool {
    account.paying == Paying::Prepaid
}
