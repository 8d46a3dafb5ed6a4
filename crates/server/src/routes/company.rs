//! A company's registry: accounts for its operator, approvals for people, and what an account has for itself.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use glassbox_api::{
    AccountRequest, AccountResponse, AccountTokenRequest, AccountTokenResponse, AccountTokensResponse,
    AccountsResponse, ApprovalResponse, ApprovalsResponse, BudgetRequest, ChargebackResponse, ChargebackRow,
    ChargebackSum, DecisionRequest, PayInRequest, Problem, SettleRequest, SettleResponse,
};
use glassbox_core::Atomic;
use glassbox_core::account::{AccountName, WordError};
use glassbox_registry::{
    AccountStanding, AccountToken, Approval, Caller, NewAccount, Registry, UseRow, UseSum, rfc3339,
};
use serde::Deserialize;
use utoipa::IntoParams;

use super::money::dollars;
use crate::app::App;
use crate::extract::{Body, Head, Path, Query, caller, operator};
use crate::problem::Refusal;

/// Reads one of the words that accounts are described with.
fn word<T: std::str::FromStr<Err = WordError>>(text: &str) -> Result<T, Refusal> {
    text.parse().map_err(|error: WordError| {
        let next = "correct the word";
        Refusal::new(StatusCode::BAD_REQUEST, "account-invalid", error.to_string(), next)
    })
}

fn response(registry: &Registry, standing: AccountStanding) -> AccountResponse {
    let AccountStanding { account, spent, available, owed } = standing;
    AccountResponse {
        month_usd: registry.month_max(&account).map(Atomic::to_decimal),
        name: account.name.to_string(),
        kind: account.kind.as_str().into(),
        cost_center: account.cost_center.to_string(),
        paying: account.paying.as_str().into(),
        approves: account.approves,
        spent_usd: spent.to_decimal(),
        available_usd: available.to_decimal(),
        owed_usd: owed.to_decimal(),
        created_at: rfc3339(account.created_at),
        closed_at: account.closed_at.map(rfc3339),
    }
}

/// Opens an account. The same again changes nothing.
#[utoipa::path(post, path = "/v1/operate/accounts", tag = "company", request_body = AccountRequest,
    responses((status = 200, body = AccountResponse), (status = 400, body = Problem), (status = 401, body = Problem),
              (status = 404, body = Problem), (status = 409, body = Problem)))]
pub(crate) async fn open(
    State(app): State<App>,
    headers: HeaderMap,
    Body(request): Body<AccountRequest>,
) -> Result<Json<AccountResponse>, Refusal> {
    operator(&app, &headers)?;
    let new = NewAccount {
        name: word(&request.name)?,
        kind: word(&request.kind)?,
        cost_center: word(&request.cost_center)?,
        paying: word(&request.paying)?,
        approves: request.approves,
        month_max: request.month_usd.as_deref().map(dollars).transpose()?,
    };
    let opened = app.registry.open_account(new).await?;
    let standing = app.registry.company_account(&opened.name).await?;
    Ok(Json(response(&app.registry, standing)))
}

/// Returns the accounts, with what they have and used in this month.
#[utoipa::path(get, path = "/v1/operate/accounts", tag = "company",
    responses((status = 200, body = AccountsResponse), (status = 401, body = Problem), (status = 404, body = Problem)))]
pub(crate) async fn list(
    State(app): State<App>,
    headers: HeaderMap,
) -> Result<Json<AccountsResponse>, Refusal> {
    operator(&app, &headers)?;
    let accounts = app.registry.accounts().await?;
    let accounts = accounts.into_iter().map(|standing| response(&app.registry, standing)).collect();
    Ok(Json(AccountsResponse { accounts }))
}

/// Sets what an account may spend in a month.
#[utoipa::path(post, path = "/v1/operate/accounts/{account}/budget", tag = "company", request_body = BudgetRequest,
    responses((status = 200, body = AccountResponse), (status = 400, body = Problem), (status = 401, body = Problem),
              (status = 404, body = Problem)))]
pub(crate) async fn budget(
    State(app): State<App>,
    headers: HeaderMap,
    Path(name): Path<String>,
    Body(request): Body<BudgetRequest>,
) -> Result<Json<AccountResponse>, Refusal> {
    operator(&app, &headers)?;
    let name: AccountName = word(&name)?;
    app.registry.set_budget(&name, request.month_usd.as_deref().map(dollars).transpose()?).await?;
    Ok(Json(response(&app.registry, app.registry.company_account(&name).await?)))
}

/// Closes an account for good: none of its tokens opens it any more.
#[utoipa::path(post, path = "/v1/operate/accounts/{account}/close", tag = "company",
    responses((status = 200, body = AccountResponse), (status = 401, body = Problem), (status = 404, body = Problem)))]
pub(crate) async fn close(
    State(app): State<App>,
    headers: HeaderMap,
    Path(name): Path<String>,
) -> Result<Json<AccountResponse>, Refusal> {
    operator(&app, &headers)?;
    let name: AccountName = word(&name)?;
    app.registry.close_account(&name).await?;
    Ok(Json(response(&app.registry, app.registry.company_account(&name).await?)))
}

fn token_response(token: AccountToken, text: Option<String>) -> AccountTokenResponse {
    AccountTokenResponse {
        id: token.id(),
        label: token.label,
        created_at: rfc3339(token.created_at),
        expires_at: token.expires_at.map(rfc3339),
        revoked_at: token.revoked_at.map(rfc3339),
        token: text,
    }
}

/// Makes a token of an account. Its text is in the answer, and is kept nowhere.
#[utoipa::path(post, path = "/v1/operate/accounts/{account}/tokens", tag = "company", request_body = AccountTokenRequest,
    responses((status = 200, body = AccountTokenResponse), (status = 400, body = Problem), (status = 401, body = Problem),
              (status = 404, body = Problem), (status = 409, body = Problem)))]
pub(crate) async fn make_token(
    State(app): State<App>,
    headers: HeaderMap,
    Path(name): Path<String>,
    Body(request): Body<AccountTokenRequest>,
) -> Result<Json<AccountTokenResponse>, Refusal> {
    operator(&app, &headers)?;
    let made = app.registry.make_account_token(&word(&name)?, &request.label, request.seconds).await?;
    Ok(Json(token_response(made.token, Some(made.text))))
}

/// Returns the tokens of an account, without their texts.
#[utoipa::path(get, path = "/v1/operate/accounts/{account}/tokens", tag = "company",
    responses((status = 200, body = AccountTokensResponse), (status = 401, body = Problem), (status = 404, body = Problem)))]
pub(crate) async fn tokens(
    State(app): State<App>,
    headers: HeaderMap,
    Path(name): Path<String>,
) -> Result<Json<AccountTokensResponse>, Refusal> {
    operator(&app, &headers)?;
    let tokens = app.registry.account_tokens(&word(&name)?).await?;
    Ok(Json(AccountTokensResponse {
        tokens: tokens.into_iter().map(|token| token_response(token, None)).collect(),
    }))
}

/// Takes a token of an account back.
#[utoipa::path(post, path = "/v1/operate/accounts/{account}/tokens/{id}/revoke", tag = "company",
    responses((status = 204, description = "it opens nothing any more"), (status = 401, body = Problem),
              (status = 404, body = Problem)))]
pub(crate) async fn revoke(
    State(app): State<App>,
    headers: HeaderMap,
    Path((name, id)): Path<(String, String)>,
) -> Result<StatusCode, Refusal> {
    operator(&app, &headers)?;
    app.registry.revoke_account_token(&word(&name)?, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Books what was paid in for an account that pays beforehand. The same `id` again is booked once.
#[utoipa::path(post, path = "/v1/operate/accounts/{account}/credit", tag = "company", request_body = PayInRequest,
    responses((status = 200, body = AccountResponse), (status = 400, body = Problem), (status = 401, body = Problem),
              (status = 404, body = Problem), (status = 409, body = Problem)))]
pub(crate) async fn pay_in(
    State(app): State<App>,
    headers: HeaderMap,
    Path(name): Path<String>,
    Body(request): Body<PayInRequest>,
) -> Result<Json<AccountResponse>, Refusal> {
    operator(&app, &headers)?;
    let amount = dollars(&request.usd)?;
    let standing = app.registry.pay_in(&word(&name)?, amount, &request.id, &request.reference).await?;
    Ok(Json(response(&app.registry, standing)))
}

/// Books that an account paid what it owes for a month that is over.
#[utoipa::path(post, path = "/v1/operate/accounts/{account}/settlement", tag = "company", request_body = SettleRequest,
    responses((status = 200, body = SettleResponse), (status = 400, body = Problem), (status = 401, body = Problem),
              (status = 404, body = Problem), (status = 409, body = Problem)))]
pub(crate) async fn settle(
    State(app): State<App>,
    headers: HeaderMap,
    Path(name): Path<String>,
    Body(request): Body<SettleRequest>,
) -> Result<Json<SettleResponse>, Refusal> {
    operator(&app, &headers)?;
    let (name, month) = (word(&name)?, word(&request.month)?);
    let (settled, calls) = app.registry.settle_account(&name, &month, &request.reference).await?;
    Ok(Json(SettleResponse { settled: settled.into(), calls }))
}

/// Which part of what was used.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ChargebackQuery {
    /// A month by UTC, such as `2026-11`; this one when absent.
    month: Option<String>,
    /// The number of the last call that was seen; from the beginning when absent.
    after: Option<i64>,
}

/// Returns what accounts used in a month: the sums by cost centre, and at most a page of the calls.
#[utoipa::path(get, path = "/v1/operate/chargeback", tag = "company", params(ChargebackQuery),
    responses((status = 200, body = ChargebackResponse), (status = 400, body = Problem), (status = 401, body = Problem),
              (status = 404, body = Problem)))]
pub(crate) async fn chargeback(
    State(app): State<App>,
    headers: HeaderMap,
    Query(query): Query<ChargebackQuery>,
) -> Result<Json<ChargebackResponse>, Refusal> {
    operator(&app, &headers)?;
    let month = query.month.as_deref().map(word).transpose()?;
    let used = app.registry.chargeback(month, query.after.unwrap_or_default()).await?;
    let sum = |sum: UseSum| ChargebackSum {
        cost_center: sum.cost_center.to_string(),
        account: sum.account.to_string(),
        calls: sum.calls,
        charged: sum.charge.into(),
    };
    let row = |row: UseRow| ChargebackRow {
        number: row.number,
        at: rfc3339(row.used.at),
        cost_center: row.used.cost_center.to_string(),
        account: row.used.account.to_string(),
        token: row.used.token,
        call: row.used.call,
        release: row.used.release.to_string(),
        function: row.used.function.to_string(),
        charged: row.charge.into(),
        receipt: row.used.receipt.map(|digest| digest.to_string()),
    };
    Ok(Json(ChargebackResponse {
        month: used.month.to_string(),
        total: Atomic(used.sums.iter().map(|sum| sum.charge.0).sum()).into(),
        sums: used.sums.into_iter().map(sum).collect(),
        calls: used.calls.into_iter().map(row).collect(),
        more: used.more,
    }))
}

/// Returns what the account has and used, whose token comes as `Authorization: Bearer gba_…`.
#[utoipa::path(get, path = "/v1/account", tag = "company",
    responses((status = 200, body = AccountResponse), (status = 401, body = Problem)))]
pub(crate) async fn own(State(app): State<App>, head: Head) -> Result<Json<AccountResponse>, Refusal> {
    let caller = caller(&app, &head).await?.ok_or_else(|| {
        let next = "send `Authorization: Bearer gba_…`";
        Refusal::new(StatusCode::UNAUTHORIZED, "token-missing", "there is no token in the request", next)
    })?;
    let standing = app.registry.company_account(&caller.account.name).await?;
    Ok(Json(response(&app.registry, standing)))
}

/// Returns the account that asks, or nothing where it is the operator.
async fn person(app: &App, head: &Head) -> Result<Option<Caller>, Refusal> {
    match caller(app, head).await? {
        Some(caller) => Ok(Some(caller)),
        None => operator(app, &head.headers).map(|()| None),
    }
}

pub(crate) fn approval_response(approval: Approval) -> ApprovalResponse {
    ApprovalResponse {
        id: approval.id,
        account: approval.account.to_string(),
        release: approval.release.to_string(),
        function: approval.function.to_string(),
        max: approval.amount_max.into(),
        state: approval.state.as_str().into(),
        asked_at: rfc3339(approval.asked_at),
        decided_by: approval.decided_by,
        call: approval.call,
    }
}

/// Which approvals.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ApprovalsQuery {
    /// Whether to leave out what is decided.
    #[serde(default)]
    waiting: bool,
}

/// Returns what was asked for within a week: all of it for the operator and for who may approve, its own for any other
/// account.
#[utoipa::path(get, path = "/v1/approvals", tag = "company", params(ApprovalsQuery),
    responses((status = 200, body = ApprovalsResponse), (status = 401, body = Problem), (status = 404, body = Problem)))]
pub(crate) async fn approvals(
    State(app): State<App>,
    head: Head,
    Query(query): Query<ApprovalsQuery>,
) -> Result<Json<ApprovalsResponse>, Refusal> {
    let by = person(&app, &head).await?;
    let approvals = app.registry.approvals(query.waiting, by.as_ref()).await?;
    Ok(Json(ApprovalsResponse { approvals: approvals.into_iter().map(approval_response).collect() }))
}

/// Approves a call, once, or denies it: for the operator, and for people who may approve.
#[utoipa::path(post, path = "/v1/approvals/{id}", tag = "company", request_body = DecisionRequest,
    responses((status = 200, body = ApprovalResponse), (status = 400, body = Problem), (status = 401, body = Problem),
              (status = 403, body = Problem), (status = 404, body = Problem), (status = 409, body = Problem)))]
pub(crate) async fn decide(
    State(app): State<App>,
    Path(id): Path<String>,
    head: Head,
    Body(request): Body<DecisionRequest>,
) -> Result<Json<ApprovalResponse>, Refusal> {
    let by = person(&app, &head).await?;
    let decided = app.registry.decide_approval(&id, request.approve, by.as_ref()).await?;
    Ok(Json(approval_response(decided)))
}
