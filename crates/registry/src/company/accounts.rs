//! Accounts, their tokens and what waits for a person: for whoever operates the registry, and for people who approve.

use glassbox_core::account::{AccountKind, AccountName, CostCenter, Month, Paying};
use glassbox_core::ledger::{BANK, deposit};
use glassbox_core::{Atomic, Digest, limits};
use glassbox_store::{
    AccountStanding, AccountToken, Approval, ApprovalState, CompanyAccount, NoToken, StoreError,
};

use super::{ACCOUNT_TOKEN_PREFIX, Caller};
use crate::error::RegistryError;
use crate::open::Registry;

/// An account to be opened.
#[derive(Debug, Clone)]
pub struct NewAccount {
    /// Its name.
    pub name: AccountName,
    /// Who is behind it.
    pub kind: AccountKind,
    /// What bears its cost.
    pub cost_center: CostCenter,
    /// How it pays.
    pub paying: Paying,
    /// Whether it may decide what others ask approval for. Only a person may.
    pub approves: bool,
    /// What it may spend in a month; what the policy says where that is absent.
    pub month_max: Option<Atomic>,
}

/// A token that was made just now.
#[derive(Debug, Clone)]
pub struct NewToken {
    /// Its text, which is kept nowhere.
    pub text: String,
    /// What is kept of it.
    pub token: AccountToken,
}

/// Why something about an account was not done.
#[derive(Debug, thiserror::Error)]
pub enum AccountError {
    /// The registry serves no company.
    #[error("this registry serves no company, and has no accounts")]
    NoCompany,
    /// There is no such account.
    #[error("there is no account `{0}`, or it is closed")]
    NotFound(AccountName),
    /// There is another account of this name.
    #[error("there is an account `{0}` already, and it is another")]
    Exists(AccountName),
    /// The policy names cost centres, and this is none of them.
    #[error("the company's policy has no cost centre `{0}`")]
    CostCenter(CostCenter),
    /// An agent cannot approve.
    #[error("an agent cannot approve what agents ask for")]
    AgentApproves,
    /// A label is too long, or has control characters.
    #[error("a label has at most {} printable bytes", limits::ACCOUNT_LABEL_BYTES_MAX)]
    Label,
    /// The account has as many tokens as it may have.
    #[error("the account has {} tokens, and no more", limits::ACCOUNT_TOKENS_MAX)]
    Enough,
    /// There is no such token.
    #[error("the account has no token `{0}`")]
    NoToken(String),
    /// Nothing is paid in for an account that pays afterwards, and nothing is owed by one that pays before.
    #[error("the account `{name}` pays by {}", paying.as_str())]
    Paying {
        /// The account.
        name: AccountName,
        /// How it pays.
        paying: Paying,
    },
    /// The amount is nothing, or too much.
    #[error("{} dollars are not between 0.000001 and {}", .0.to_decimal(), limits::CREDIT_AMOUNT_MAX / 1_000_000)]
    Amount(Atomic),
    /// The month is not over, so that more may be owed.
    #[error("{0} is not over: more may be owed for it")]
    MonthOpen(Month),
    /// There is no such approval.
    #[error("there is no approval `{0}`")]
    NoApproval(String),
    /// It was decided, used, or nobody asks for it any more.
    #[error("the approval `{id}` is {state} already")]
    Decided {
        /// The approval.
        id: String,
        /// What became of it.
        state: &'static str,
    },
    /// Whoever asks may not approve.
    #[error("the account `{0}` may not approve")]
    NotApprover(AccountName),
    /// Nobody approves what they ask for themselves.
    #[error("nobody approves their own calls")]
    OwnApproval,
    /// The store failed.
    #[error(transparent)]
    Registry(#[from] RegistryError),
}

impl From<StoreError> for AccountError {
    fn from(error: StoreError) -> Self {
        Self::Registry(error.into())
    }
}

impl AccountError {
    /// Returns the stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NoCompany => "company-not-served",
            Self::NotFound(_) => "account-not-found",
            Self::Exists(_) => "account-exists",
            Self::CostCenter(_) => "cost-center-unknown",
            Self::AgentApproves | Self::Label => "account-invalid",
            Self::Enough => "account-tokens-full",
            Self::NoToken(_) => "account-token-not-found",
            Self::Paying { .. } => "account-pays-otherwise",
            Self::Amount(_) => "amount-invalid",
            Self::MonthOpen(_) => "month-open",
            Self::NoApproval(_) => "approval-not-found",
            Self::Decided { .. } => "approval-decided",
            Self::NotApprover(_) => "approver-only",
            Self::OwnApproval => "approval-own",
            Self::Registry(error) => error.code(),
        }
    }

    /// Returns what to do next.
    pub fn next(&self) -> String {
        match self {
            Self::NoCompany => "start it with `glassbox serve --company FILE`".into(),
            Self::NotFound(_) => "`glassbox account list` shows those that there are".into(),
            Self::Exists(_) => "choose another name, or change that one's budget".into(),
            Self::CostCenter(name) => format!("write [cost-center.{name}] into the policy, or name another"),
            Self::AgentApproves => "open the account as a person's".into(),
            Self::Label => "write a shorter one".into(),
            Self::Enough => "take those back that nobody uses".into(),
            Self::NoToken(_) => "`glassbox account tokens NAME` shows those that there are".into(),
            Self::Paying { paying: Paying::Prepaid, .. } => {
                "nothing is owed: pay in with `glassbox account credit`".into()
            }
            Self::Paying { paying: Paying::Invoice, .. } => {
                "nothing is paid in: book what it paid with `glassbox account settle`".into()
            }
            Self::Amount(_) => "write dollars, such as \"5\"".into(),
            Self::MonthOpen(_) => "settle it when it is over by UTC".into(),
            Self::NoApproval(_) => "`glassbox approvals list` shows what waits".into(),
            Self::Decided { .. } => {
                "the same request asks for a new approval once this one is used or a week old".into()
            }
            Self::NotApprover(_) => "ask a person who may; `glassbox account list` shows them".into(),
            Self::OwnApproval => "ask another person who may approve".into(),
            Self::Registry(error) => error.next(),
        }
    }
}

impl Registry {
    /// Opens an account. The same again changes nothing.
    pub async fn open_account(&self, new: NewAccount) -> Result<CompanyAccount, AccountError> {
        let policy = self.config.company.as_ref().ok_or(AccountError::NoCompany)?;
        if !policy.has_cost_center(&new.cost_center) {
            return Err(AccountError::CostCenter(new.cost_center));
        }
        if new.approves && new.kind == AccountKind::Agent {
            return Err(AccountError::AgentApproves);
        }
        let account = CompanyAccount {
            name: new.name,
            kind: new.kind,
            cost_center: new.cost_center,
            paying: new.paying,
            approves: new.approves,
            month_max: new.month_max,
            created_at: self.env.now_ms(),
            closed_at: None,
        };
        let opened = self.store.open_account(account.clone()).await?;
        match opened == (CompanyAccount { created_at: opened.created_at, ..account }) {
            true => Ok(opened),
            false => Err(AccountError::Exists(opened.name)),
        }
    }

    /// Returns the accounts, by their names, with what they used in the month.
    pub async fn accounts(&self) -> Result<Vec<AccountStanding>, AccountError> {
        self.check_company()?;
        Ok(self.store.accounts(&self.month()).await?)
    }

    /// Returns an account with what it used in the month.
    pub async fn company_account(&self, name: &AccountName) -> Result<AccountStanding, AccountError> {
        self.check_company()?;
        let standing = self.store.account_standing(name, &self.month()).await?;
        standing.ok_or_else(|| AccountError::NotFound(name.clone()))
    }

    /// Returns what an account may spend in a month: its own budget, or the policy's.
    pub fn month_max(&self, account: &CompanyAccount) -> Option<Atomic> {
        account
            .month_max
            .or_else(|| self.config.company.as_ref().and_then(|policy| policy.account_month_max()))
    }

    /// Sets what an account may spend in a month; `None` is what the policy says.
    pub async fn set_budget(
        &self,
        name: &AccountName,
        month_max: Option<Atomic>,
    ) -> Result<(), AccountError> {
        self.check_company()?;
        found(self.store.set_budget(name, month_max).await?, name)
    }

    /// Closes an account for good: none of its tokens opens it any more.
    pub async fn close_account(&self, name: &AccountName) -> Result<(), AccountError> {
        self.check_company()?;
        found(self.store.close_account(name, self.env.now_ms()).await?, name)
    }

    /// Makes a token of an account, whose text is shown this once. It lasts for `seconds`, or until it is taken back.
    pub async fn make_account_token(
        &self,
        account: &AccountName,
        label: &str,
        seconds: Option<u64>,
    ) -> Result<NewToken, AccountError> {
        self.check_company()?;
        if label.len() > limits::ACCOUNT_LABEL_BYTES_MAX || label.chars().any(char::is_control) {
            return Err(AccountError::Label);
        }
        let text = format!("{ACCOUNT_TOKEN_PREFIX}{}", Digest::from_bytes(self.env.secret()).hex());
        let now_ms = self.env.now_ms();
        let lasts_ms =
            seconds.map(|seconds| i64::try_from(seconds.saturating_mul(1_000)).unwrap_or(i64::MAX));
        let token = AccountToken {
            digest: Digest::of(&text),
            account: account.clone(),
            label: label.to_owned(),
            created_at: now_ms,
            expires_at: lasts_ms.map(|lasts_ms| now_ms.saturating_add(lasts_ms)),
            revoked_at: None,
        };
        match self.store.add_account_token(token.clone()).await? {
            Ok(()) => Ok(NewToken { text, token }),
            Err(NoToken::NoAccount) => Err(AccountError::NotFound(account.clone())),
            Err(NoToken::Enough) => Err(AccountError::Enough),
        }
    }

    /// Returns the tokens of an account, as far as anybody knows them.
    pub async fn account_tokens(&self, account: &AccountName) -> Result<Vec<AccountToken>, AccountError> {
        self.company_account(account).await?;
        Ok(self.store.account_tokens(account).await?)
    }

    /// Takes a token of an account back.
    pub async fn revoke_account_token(&self, account: &AccountName, id: &str) -> Result<(), AccountError> {
        self.check_company()?;
        match self.store.revoke_account_token(account, id, self.env.now_ms()).await? {
            true => Ok(()),
            false => Err(AccountError::NoToken(id.chars().take(limits::QUOTED_CHARS_MAX).collect())),
        }
    }

    /// Books what was paid in for an account that pays beforehand. `id` makes it happen once.
    pub async fn pay_in(
        &self,
        name: &AccountName,
        amount: Atomic,
        id: &str,
        reference: &str,
    ) -> Result<AccountStanding, AccountError> {
        self.check_pays(name, Paying::Prepaid).await?;
        if !(1..=limits::CREDIT_AMOUNT_MAX).contains(&amount.0) {
            return Err(AccountError::Amount(amount));
        }
        let transfer = deposit(BANK, &name.payer(), amount);
        let (subject, reference) = (format!("paid-in:{name}:{}", label(id)?), label(reference)?);
        self.store.post_transfer(&subject, transfer, Some(reference), self.env.now_ms()).await?;
        self.company_account(name).await
    }

    /// Books that an account paid what it owes for a month that is over. Returns how much that was, and for how many calls.
    pub async fn settle_account(
        &self,
        name: &AccountName,
        month: &Month,
        reference: &str,
    ) -> Result<(Atomic, u64), AccountError> {
        self.check_pays(name, Paying::Invoice).await?;
        if *month >= self.month() {
            return Err(AccountError::MonthOpen(month.clone()));
        }
        let (id, reference) = (self.env.id(), label(reference)?);
        Ok(self.store.settle_account(name, month, &id, &reference, self.env.now_ms()).await?)
    }

    /// Returns what was asked for within a week, the newest first; with `waiting`, what nobody has decided. The operator,
    /// where `by` is none, and whoever may approve see all of it, any other account its own.
    pub async fn approvals(&self, waiting: bool, by: Option<&Caller>) -> Result<Vec<Approval>, AccountError> {
        self.check_company()?;
        let since_ms = self.env.now_ms().saturating_sub(limits::APPROVAL_MS);
        let mut approvals = self.store.approvals(since_ms, waiting).await?;
        if let Some(Caller { account, .. }) = by.filter(|by| !by.account.approves) {
            approvals.retain(|approval| approval.account == account.name);
        }
        Ok(approvals)
    }

    /// Decides an approval that waits: for the operator, where `by` is none, or for an account that may approve. The same
    /// decision again changes nothing.
    pub async fn decide_approval(
        &self,
        id: &str,
        approve: bool,
        by: Option<&Caller>,
    ) -> Result<Approval, AccountError> {
        self.check_company()?;
        let missing = || AccountError::NoApproval(id.chars().take(limits::QUOTED_CHARS_MAX).collect());
        let asked = self.store.approval(id).await?.ok_or_else(missing)?;
        if let Some(Caller { account, .. }) = by {
            if !account.approves {
                return Err(AccountError::NotApprover(account.name.clone()));
            }
            if account.name == asked.account {
                return Err(AccountError::OwnApproval);
            }
        }
        let now_ms = self.env.now_ms();
        if asked.asked_at.saturating_add(limits::APPROVAL_MS) <= now_ms {
            return Err(missing());
        }
        let name = by.map_or("operator", |by| by.account.name.as_str());
        let decided = self.store.decide_approval(id, approve, name, now_ms).await?.ok_or_else(missing)?;
        let wanted = if approve { ApprovalState::Approved } else { ApprovalState::Denied };
        match decided.state == wanted {
            true => Ok(decided),
            false => Err(AccountError::Decided { id: decided.id, state: decided.state.as_str() }),
        }
    }

    async fn check_pays(&self, name: &AccountName, paying: Paying) -> Result<(), AccountError> {
        let account = self.company_account(name).await?.account;
        match account.paying == paying {
            true => Ok(()),
            false => Err(AccountError::Paying { name: account.name, paying: account.paying }),
        }
    }

    pub(super) fn check_company(&self) -> Result<(), AccountError> {
        self.config.company.as_ref().map(|_| ()).ok_or(AccountError::NoCompany)
    }
}

fn found(is_there: bool, name: &AccountName) -> Result<(), AccountError> {
    if is_there { Ok(()) } else { Err(AccountError::NotFound(name.clone())) }
}

/// Checks words that the operator writes beside a booking.
fn label(text: &str) -> Result<String, AccountError> {
    match text.len() <= limits::ACCOUNT_LABEL_BYTES_MAX && !text.chars().any(char::is_control) {
        true => Ok(text.to_owned()),
        false => Err(AccountError::Label),
    }
}
