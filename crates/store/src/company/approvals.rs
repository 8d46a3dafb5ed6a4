//! What a person has to approve before it is called.
//!
//! ```text
//! waiting ──▶ approved ──▶ used      its call is under way, or was posted
//!    │            ▲─────────┘        the call came to nothing
//!    └──────▶ denied
//! ```

use glassbox_core::account::AccountName;
use glassbox_core::{Atomic, Digest, FunctionName, ReleaseId, limits};
use rusqlite::{OptionalExtension as _, Row, Transaction, params};

use super::AccountRefusal;
use crate::binding::NewCall;
use crate::error::StoreError;
use crate::sqlite::{Store, amount_from_sql, amount_to_sql, parse};

/// What became of an approval.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ApprovalState {
    /// Nobody has decided.
    Waiting,
    /// The call may be made, once.
    Approved,
    /// The call may not be made.
    Denied,
    /// A call was made by it.
    Used,
}

impl ApprovalState {
    const ALL: [(Self, &'static str); 4] = [
        (Self::Waiting, "waiting"),
        (Self::Approved, "approved"),
        (Self::Denied, "denied"),
        (Self::Used, "used"),
    ];

    /// Returns the word that is stored and shown.
    pub fn as_str(self) -> &'static str {
        Self::ALL.iter().find(|(state, _)| *state == self).expect("all states are listed").1
    }
}

/// A call that a person decides about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Approval {
    /// Its id.
    pub id: String,
    /// Who asks.
    pub account: AccountName,
    /// The request: the same one is let through, and no other.
    pub request: Digest,
    /// The release.
    pub release: ReleaseId,
    /// The function.
    pub function: FunctionName,
    /// What it costs at most.
    pub amount_max: Atomic,
    /// What became of it.
    pub state: ApprovalState,
    /// When it was asked for, in Unix milliseconds.
    pub asked_at: i64,
    /// Who decided.
    pub decided_by: Option<String>,
    /// The call that used it.
    pub call: Option<String>,
}

const COLUMNS: &str =
    "id, account, request, release, function, amount_max, state, asked_at, decided_by, call";

fn read(row: &Row<'_>) -> rusqlite::Result<Result<Approval, StoreError>> {
    let text = |column: usize| row.get::<_, String>(column);
    let (account, request, release, function, state) = (text(1)?, text(2)?, text(3)?, text(4)?, text(6)?);
    let amount_max: Vec<u8> = row.get(5)?;
    let (id, asked_at, decided_by, call) = (row.get(0)?, row.get(7)?, row.get(8)?, row.get(9)?);
    let parsed = || {
        let known = ApprovalState::ALL.iter().find(|(_, word)| *word == state);
        Ok(Approval {
            id,
            account: parse(&account)?,
            request: parse(&request)?,
            release: parse(&release)?,
            function: parse(&function)?,
            amount_max: Atomic(amount_from_sql(&amount_max)?),
            state: known.ok_or_else(|| StoreError::corrupt(format!("an approval that is `{state}`")))?.0,
            asked_at,
            decided_by,
            call,
        })
    };
    Ok(parsed())
}

/// Uses the approval of a request for its call, or says that there is none, and asks for it.
pub(super) fn claim(
    transaction: &Transaction<'_>,
    call: &NewCall,
    account: &AccountName,
    id: &str,
) -> Result<Option<AccountRefusal>, StoreError> {
    let since = call.now_ms.saturating_sub(limits::APPROVAL_MS);
    let found = transaction
        .prepare_cached(&format!(
            "SELECT {COLUMNS} FROM approvals
             WHERE account = ?1 AND request = ?2 AND state != 'used' AND asked_at > ?3
             ORDER BY asked_at DESC LIMIT 1"
        ))?
        .query_row(params![account.as_str(), call.request.to_string(), since], read)
        .optional()?
        .transpose()?;
    // What was approved may have become dearer: free units used up, a discount at its end. Then it is another question.
    let is_dearer = |it: &Approval| it.state == ApprovalState::Approved && it.amount_max < call.held;
    if let Some(approval) = found.filter(|found| !is_dearer(found)) {
        if approval.state != ApprovalState::Approved {
            return Ok(Some(AccountRefusal::Approval(Box::new(approval))));
        }
        transaction.execute(
            "UPDATE approvals SET state = 'used', call = ?2 WHERE id = ?1",
            params![approval.id, call.id],
        )?;
        return Ok(None);
    }
    let waiting: i64 = transaction.query_row(
        "SELECT COUNT(*) FROM approvals WHERE account = ?1 AND state = 'waiting' AND asked_at > ?2",
        params![account.as_str(), since],
        |row| row.get(0),
    )?;
    if waiting >= limits::APPROVALS_WAITING_MAX as i64 {
        return Ok(Some(AccountRefusal::ManyWaiting));
    }
    let approval = Approval {
        id: id.to_owned(),
        account: account.clone(),
        request: call.request,
        release: call.release.clone(),
        function: call.function.clone(),
        amount_max: call.held,
        state: ApprovalState::Waiting,
        asked_at: call.now_ms,
        decided_by: None,
        call: None,
    };
    transaction.execute(
        "INSERT INTO approvals (id, account, request, release, function, amount_max, state, asked_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, 'waiting', ?7)",
        params![
            approval.id,
            account.as_str(),
            approval.request.to_string(),
            approval.release.to_string(),
            approval.function.to_string(),
            amount_to_sql(approval.amount_max.0),
            approval.asked_at,
        ],
    )?;
    Ok(Some(AccountRefusal::Approval(Box::new(approval))))
}

/// Gives an approval back that a call used which came to nothing.
pub(crate) fn give_back(transaction: &Transaction<'_>, call: &str) -> Result<(), StoreError> {
    transaction
        .prepare_cached("UPDATE approvals SET state = 'approved', call = NULL WHERE call = ?1")?
        .execute([call])?;
    Ok(())
}

impl Store {
    /// Returns the approvals that were asked for since a time, the newest first; with `waiting`, those that nobody has
    /// decided.
    pub async fn approvals(&self, since_ms: i64, waiting: bool) -> Result<Vec<Approval>, StoreError> {
        self.read(move |connection| {
            let mut statement = connection.prepare(&format!(
                "SELECT {COLUMNS} FROM approvals WHERE asked_at > ?1 AND (NOT ?2 OR state = 'waiting')
                 ORDER BY asked_at DESC, id LIMIT ?3"
            ))?;
            let limit = limits::ACCOUNTS_LISTED_MAX as i64;
            statement.query_map(params![since_ms, waiting, limit], read)?.map(|row| row?).collect()
        })
        .await
    }

    /// Returns an approval, or `None`.
    pub async fn approval(&self, id: &str) -> Result<Option<Approval>, StoreError> {
        let id = id.to_owned();
        self.read(move |connection| {
            connection
                .prepare_cached(&format!("SELECT {COLUMNS} FROM approvals WHERE id = ?1"))?
                .query_row([id], read)
                .optional()?
                .transpose()
        })
        .await
    }

    /// Decides an approval that waits. One that was decided otherwise, or used, stays as it is; it is returned either way.
    pub async fn decide_approval(
        &self,
        id: &str,
        approve: bool,
        by: &str,
        now_ms: i64,
    ) -> Result<Option<Approval>, StoreError> {
        let (id, by) = (id.to_owned(), by.to_owned());
        self.write("decide_approval", move |transaction| {
            let state = if approve { ApprovalState::Approved } else { ApprovalState::Denied };
            transaction.execute(
                "UPDATE approvals SET state = ?2, decided_by = ?3, decided_at = ?4
                 WHERE id = ?1 AND state = 'waiting'",
                params![id, state.as_str(), by, now_ms],
            )?;
            transaction
                .query_row(&format!("SELECT {COLUMNS} FROM approvals WHERE id = ?1"), [&id], read)
                .optional()?
                .transpose()
        })
        .await
    }
}
