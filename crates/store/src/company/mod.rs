//! Accounts of a company: in whose name calls are made, and what opens them.
//!
//! What an account may spend is decided in the transaction that holds its call, from what stands here at that moment: a
//! token that was taken back a moment ago pays nothing, and of many that race for one budget none gets more than is left.

mod approvals;
mod tips;
mod uses;

use glassbox_core::account::{AccountKind, AccountName, CostCenter, Month, Paying};
use glassbox_core::ledger::{self as transfers, Account};
use glassbox_core::money::PICO_PER_ATOMIC;
use glassbox_core::{Atomic, Digest, Pico, limits};
use rusqlite::{Connection, OptionalExtension as _, Row, Transaction, params};

pub use self::approvals::{Approval, ApprovalState};
pub use self::tips::{TipPart, TipPlan};
pub use self::uses::{Use, UseRow, UseSum};
use crate::binding::NewCall;
use crate::credit::{self, Budget, CreditRefusal};
use crate::error::StoreError;
use crate::ledger;
use crate::sqlite::{Store, amount_from_sql, amount_to_sql, parse};

pub(crate) use self::approvals::give_back;
pub(crate) use self::uses::note_receipt;

/// An account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CompanyAccount {
    /// Its name.
    pub name: AccountName,
    /// Who is behind it.
    pub kind: AccountKind,
    /// What bears its cost.
    pub cost_center: CostCenter,
    /// How it pays.
    pub paying: Paying,
    /// Whether it may decide what others ask approval for.
    pub approves: bool,
    /// What it may spend in a month, where that is its own.
    pub month_max: Option<Atomic>,
    /// When it was opened, in Unix milliseconds.
    pub created_at: i64,
    /// When it was closed.
    pub closed_at: Option<i64>,
}

/// An account with what it has and used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountStanding {
    /// The account.
    pub account: CompanyAccount,
    /// What it spent in the month, and what is set aside for calls under way.
    pub spent: Atomic,
    /// What it may spend of what was paid in.
    pub available: Pico,
    /// What it owes by invoice.
    pub owed: Pico,
}

/// A token of an account, as far as anybody knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountToken {
    /// The digest of its text.
    pub digest: Digest,
    /// The account that it opens.
    pub account: AccountName,
    /// What it is for, in the operator's words.
    pub label: String,
    /// When it was made, in Unix milliseconds.
    pub created_at: i64,
    /// When it ends.
    pub expires_at: Option<i64>,
    /// When it was taken back.
    pub revoked_at: Option<i64>,
}

impl AccountToken {
    /// Returns what it is called: the first digits of its digest.
    pub fn id(&self) -> String {
        token_id(&self.digest)
    }
}

/// Returns what a token is called.
pub fn token_id(digest: &Digest) -> String {
    digest.hex()[..TOKEN_ID_DIGITS].to_owned()
}

const TOKEN_ID_DIGITS: usize = 16;

/// Why no token was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoToken {
    /// There is no such account, or it is closed.
    NoAccount,
    /// It has as many as it may have.
    Enough,
}

/// What an account spends with, and what its company allows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spender {
    /// The digest of the token that was shown.
    pub token: Digest,
    /// The month that the call is counted in.
    pub month: Month,
    /// What an account may spend in a month that has no budget of its own.
    pub month_max: Option<Atomic>,
    /// What the cost centre and the company may spend.
    pub budgets: Vec<Budget>,
    /// Above how much a person has to approve.
    pub approval_above: Option<Atomic>,
    /// The id of the approval that is asked for where none was given.
    pub approval: String,
}

/// Why an account may not make a call. Nothing is held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AccountRefusal {
    /// The token was taken back, or is at its end, or the account is closed.
    Token,
    /// Less was paid in than the call may cost.
    Short {
        /// What is left.
        available: Pico,
    },
    /// A budget of the month is used up.
    Budget {
        /// Whose: the block under which it is counted.
        block: String,
        /// What of it is left.
        left: Atomic,
    },
    /// A person has to approve, or has denied it.
    Approval(Box<Approval>),
    /// Too many of its calls wait for a person.
    ManyWaiting,
}

/// Returns the name under which what an account spends in a month is counted.
pub fn month_block(name: &AccountName, month: &Month) -> String {
    format!("{}/{month}", name.payer())
}

const COLUMNS: &str = "name, kind, cost_center, paying, approves, month_max, created_at, closed_at";

fn read(row: &Row<'_>) -> rusqlite::Result<Result<CompanyAccount, StoreError>> {
    let text = |column: usize| row.get::<_, String>(column);
    let (name, kind, cost_center, paying) = (text(0)?, text(1)?, text(2)?, text(3)?);
    let month_max: Option<Vec<u8>> = row.get(5)?;
    let (approves, created_at, closed_at) = (row.get(4)?, row.get(6)?, row.get(7)?);
    let parsed = || {
        Ok(CompanyAccount {
            name: parse(&name)?,
            kind: parse(&kind)?,
            cost_center: parse(&cost_center)?,
            paying: parse(&paying)?,
            approves,
            month_max: month_max.as_deref().map(amount_from_sql).transpose()?.map(Atomic),
            created_at,
            closed_at,
        })
    };
    Ok(parsed())
}

fn find(connection: &Connection, name: &AccountName) -> Result<Option<CompanyAccount>, StoreError> {
    connection
        .prepare_cached(&format!("SELECT {COLUMNS} FROM company_accounts WHERE name = ?1"))?
        .query_row([name.as_str()], read)
        .optional()?
        .transpose()
}

/// Returns the account that a token opens now.
fn opened_by(
    connection: &Connection,
    token: &Digest,
    now_ms: i64,
) -> Result<Option<CompanyAccount>, StoreError> {
    connection
        .prepare_cached(&format!(
            "SELECT {COLUMNS} FROM company_accounts WHERE closed_at IS NULL AND name = (
                SELECT account FROM account_tokens
                WHERE digest = ?1 AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > ?2))"
        ))?
        .query_row(params![token.hex(), now_ms], read)
        .optional()?
        .transpose()
}

/// Sets aside what a call of an account may cost, or says why it may not be made. Where a person has to approve first, that
/// is asked for in the same transaction.
pub(crate) fn reserve(
    transaction: &Transaction<'_>,
    call: &NewCall,
    spender: &Spender,
) -> Result<Result<transfers::Transfer, AccountRefusal>, StoreError> {
    let Some(account) = opened_by(transaction, &spender.token, call.now_ms)? else {
        return Ok(Err(AccountRefusal::Token));
    };
    let own = Budget {
        block: month_block(&account.name, &spender.month),
        amount_max: account.month_max.or(spender.month_max),
        calls_max: None,
    };
    let budgets: Vec<Budget> = [own].into_iter().chain(spender.budgets.iter().cloned()).collect();
    match credit::shortage(transaction, &call.payer, call.held, &budgets)? {
        None => {}
        Some(CreditRefusal::BudgetSpent { block, left }) => {
            return Ok(Err(AccountRefusal::Budget { block, left }));
        }
        // Budgets of a month bound no calls, and nobody takes them back.
        Some(other) => return Err(StoreError::corrupt(format!("a month's budget says {other:?}"))),
    }
    let set_aside = match account.paying {
        Paying::Invoice => transfers::invoice(&call.payer, call.held),
        Paying::Prepaid => {
            let available = ledger::available(transaction, &Account::Payer(call.payer.clone()))?;
            if available < call.held.to_pico() {
                return Ok(Err(AccountRefusal::Short { available }));
            }
            transfers::hold(&call.payer, call.held)
        }
    };
    // Last, so that nobody is asked to approve what could not be paid.
    if spender.approval_above.is_some_and(|above| call.held > above)
        && let Some(refusal) = approvals::claim(transaction, call, &account.name, &spender.approval)?
    {
        return Ok(Err(refusal));
    }
    credit::set_aside(transaction, &call.id, call.held, &budgets)?;
    let used = Use {
        call: call.id.clone(),
        account: account.name,
        cost_center: account.cost_center,
        token: token_id(&spender.token),
        month: spender.month.clone(),
        release: call.release.clone(),
        function: call.function.clone(),
        receipt: None,
        at: call.now_ms,
    };
    uses::insert(transaction, &used)?;
    Ok(Ok(set_aside))
}

impl Store {
    /// Opens an account. Where there is one of that name, it stays as it is and is returned.
    pub async fn open_account(&self, account: CompanyAccount) -> Result<CompanyAccount, StoreError> {
        self.write("open_account", move |transaction| {
            if let Some(found) = find(transaction, &account.name)? {
                return Ok(found);
            }
            transaction.execute(
                "INSERT INTO company_accounts (name, kind, cost_center, paying, approves, month_max, created_at)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                params![
                    account.name.as_str(),
                    account.kind.as_str(),
                    account.cost_center.as_str(),
                    account.paying.as_str(),
                    account.approves,
                    account.month_max.map(|max| amount_to_sql(max.0)),
                    account.created_at,
                ],
            )?;
            Ok(account)
        })
        .await
    }

    /// Sets what an account may spend in a month; `None` is what the policy says. Returns whether there is such an account.
    pub async fn set_budget(
        &self,
        name: &AccountName,
        month_max: Option<Atomic>,
    ) -> Result<bool, StoreError> {
        let name = name.clone();
        self.write("set_budget", move |transaction| {
            let changed = transaction.execute(
                "UPDATE company_accounts SET month_max = ?2 WHERE name = ?1",
                params![name.as_str(), month_max.map(|max| amount_to_sql(max.0))],
            )?;
            Ok(changed == 1)
        })
        .await
    }

    /// Closes an account: none of its tokens opens it any more. Returns whether there is such an account.
    pub async fn close_account(&self, name: &AccountName, now_ms: i64) -> Result<bool, StoreError> {
        let name = name.clone();
        self.write("close_account", move |transaction| {
            let changed = transaction.execute(
                "UPDATE company_accounts SET closed_at = COALESCE(closed_at, ?2) WHERE name = ?1",
                params![name.as_str(), now_ms],
            )?;
            Ok(changed == 1)
        })
        .await
    }

    /// Keeps the digest of a token.
    pub async fn add_account_token(&self, token: AccountToken) -> Result<Result<(), NoToken>, StoreError> {
        self.write("add_account_token", move |transaction| {
            let account = find(transaction, &token.account)?;
            if account.is_none_or(|account| account.closed_at.is_some()) {
                return Ok(Err(NoToken::NoAccount));
            }
            let in_force: i64 = transaction.query_row(
                "SELECT COUNT(*) FROM account_tokens
                 WHERE account = ?1 AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > ?2)",
                params![token.account.as_str(), token.created_at],
                |row| row.get(0),
            )?;
            if in_force >= limits::ACCOUNT_TOKENS_MAX as i64 {
                return Ok(Err(NoToken::Enough));
            }
            transaction.execute(
                "INSERT INTO account_tokens (digest, account, label, created_at, expires_at)
                 VALUES (?1, ?2, ?3, ?4, ?5)",
                params![
                    token.digest.hex(),
                    token.account.as_str(),
                    token.label,
                    token.created_at,
                    token.expires_at
                ],
            )?;
            Ok(Ok(()))
        })
        .await
    }

    /// Takes a token of an account back, by its id. Returns whether there is such a token.
    pub async fn revoke_account_token(
        &self,
        account: &AccountName,
        id: &str,
        now_ms: i64,
    ) -> Result<bool, StoreError> {
        let (account, id) = (account.clone(), id.to_owned());
        self.write("revoke_account_token", move |transaction| {
            let changed = transaction.execute(
                "UPDATE account_tokens SET revoked_at = COALESCE(revoked_at, ?3)
                 WHERE account = ?1 AND substr(digest, 1, ?4) = ?2",
                params![account.as_str(), id, now_ms, TOKEN_ID_DIGITS as i64],
            )?;
            Ok(changed > 0)
        })
        .await
    }

    /// Returns the account that a token opens at a time, or `None`.
    pub async fn account_of(
        &self,
        token: &Digest,
        now_ms: i64,
    ) -> Result<Option<CompanyAccount>, StoreError> {
        let token = *token;
        self.read(move |connection| opened_by(connection, &token, now_ms)).await
    }

    /// Returns the tokens of an account, the oldest first.
    pub async fn account_tokens(&self, account: &AccountName) -> Result<Vec<AccountToken>, StoreError> {
        let account = account.clone();
        self.read(move |connection| {
            let mut statement = connection.prepare(
                "SELECT digest, label, created_at, expires_at, revoked_at FROM account_tokens
                 WHERE account = ?1 ORDER BY created_at, digest",
            )?;
            let mut rows = statement.query([account.as_str()])?;
            let mut tokens = Vec::new();
            while let Some(row) = rows.next()? {
                tokens.push(AccountToken {
                    digest: parse(&format!("sha256:{}", row.get::<_, String>(0)?))?,
                    account: account.clone(),
                    label: row.get(1)?,
                    created_at: row.get(2)?,
                    expires_at: row.get(3)?,
                    revoked_at: row.get(4)?,
                });
            }
            Ok(tokens)
        })
        .await
    }

    /// Returns an account with what it has and used in a month, or `None`.
    pub async fn account_standing(
        &self,
        name: &AccountName,
        month: &Month,
    ) -> Result<Option<AccountStanding>, StoreError> {
        let (name, month) = (name.clone(), month.clone());
        self.read(move |connection| {
            let account = find(connection, &name)?;
            account.map(|account| standing(connection, account, &month)).transpose()
        })
        .await
    }

    /// Returns the accounts with what they have and used in a month, by their names.
    pub async fn accounts(&self, month: &Month) -> Result<Vec<AccountStanding>, StoreError> {
        let month = month.clone();
        self.read(move |connection| {
            let mut statement = connection
                .prepare(&format!("SELECT {COLUMNS} FROM company_accounts ORDER BY name LIMIT ?1"))?;
            let rows = statement.query_map([limits::ACCOUNTS_LISTED_MAX as i64], read)?;
            rows.map(|row| standing(connection, row??, &month)).collect()
        })
        .await
    }

    /// Books that an account paid what it owes for the calls of a month, and returns how much that was and for how many
    /// calls: nothing where nothing is owed. What went back on its invoice and was not taken off before is taken off. What
    /// payees earned by the calls can be paid out from then on.
    pub async fn settle_account(
        &self,
        name: &AccountName,
        month: &Month,
        id: &str,
        reference: &str,
        now_ms: i64,
    ) -> Result<(Atomic, u64), StoreError> {
        let (payer, month, id, reference) =
            (name.payer(), month.clone(), id.to_owned(), reference.to_owned());
        self.write("settle_account", move |transaction| {
            let open = "payer = ?1 AND state = 'posted' AND standing = 'vouched'";
            let of_month = format!("{open} AND id IN (SELECT call FROM account_uses WHERE month = ?2)");
            let (charged, calls) = charges(transaction, &of_month, &[&payer, month.as_str()])?;
            if calls == 0 {
                return Ok((Atomic::ZERO, 0));
            }
            // What is charged and not settled, less what is owed, is what went back.
            let (charged_open, _) = charges(transaction, open, &[&payer])?;
            let balance = ledger::balance(transaction, &Account::Invoice(payer.clone()))?;
            let went_back = (charged_open.to_pico().0 + balance.credits.0).saturating_sub(balance.debits.0);
            let amount = Atomic(charged.0.saturating_sub(went_back / PICO_PER_ATOMIC));
            transaction.execute(
                &format!("UPDATE calls SET standing = 'final' WHERE {of_month}"),
                [&payer, month.as_str()],
            )?;
            if amount > Atomic::ZERO {
                let transfer = transfers::settlement(&payer, amount);
                let subject = format!("settlement:{id}");
                ledger::insert(transaction, &subject, &[transfer], "posted", Some(&reference), now_ms)?;
            }
            Ok((amount, calls))
        })
        .await
    }
}

/// Returns what the calls cost that a condition selects, and how many they are.
fn charges(connection: &Connection, condition: &str, params: &[&str]) -> Result<(Atomic, u64), StoreError> {
    let mut statement = connection.prepare(&format!("SELECT charge FROM calls WHERE {condition}"))?;
    let mut rows = statement.query(rusqlite::params_from_iter(params))?;
    let (mut amount, mut calls) = (0, 0);
    while let Some(row) = rows.next()? {
        amount += amount_from_sql(&row.get::<_, Vec<u8>>(0)?)?;
        calls += 1;
    }
    Ok((Atomic(amount), calls))
}

fn standing(
    connection: &Connection,
    account: CompanyAccount,
    month: &Month,
) -> Result<AccountStanding, StoreError> {
    let payer = account.name.payer();
    let owed = ledger::balance(connection, &Account::Invoice(payer.clone()))?;
    Ok(AccountStanding {
        spent: credit::counted(connection, &month_block(&account.name, month))?,
        available: ledger::available(connection, &Account::Payer(payer))?,
        owed: Pico(owed.debits.0.saturating_sub(owed.credits.0)),
        account,
    })
}
