//! The ledger, for whoever operates the server: audit, statements, payouts, claims, and credit that is given.
//!
//! The operator's token, which lies in the data folder, opens these routes. They speak of payers and amounts, which are
//! nobody else's business.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use glassbox_api::{
    AuditResponse, ClaimResponse, CreditResponse, GrantRequest, PayoutRequest, PayoutResponse, PayoutRow,
    Problem, StatementResponse, StatementRow,
};
use glassbox_core::ledger::{Account, AccountError};
use glassbox_core::{Pico, limits};
use glassbox_registry::{PayoutLine, PayoutPlan, PayoutTerms, RegistryError, TransferRow};
use serde::Deserialize;
use utoipa::IntoParams;

use super::money::{address, dollars};
use crate::app::App;
use crate::extract::{Body, Query, operator};
use crate::problem::Refusal;

/// What of the ledger.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct StatementQuery {
    /// An account, such as `payee:ID`, `payer:0x…` or `operator`; all when absent.
    account: Option<String>,
    /// The number of the last transfer that was seen; from the beginning when absent.
    after: Option<i64>,
}

/// Replays the ledger, and compares it with the chain to the last unit.
#[utoipa::path(get, path = "/v1/operate/audit", tag = "operate",
    responses((status = 200, body = AuditResponse), (status = 401, body = Problem)))]
pub(crate) async fn audit(
    State(app): State<App>,
    headers: HeaderMap,
) -> Result<Json<AuditResponse>, Refusal> {
    operator(&app, &headers)?;
    let audit = app.registry.audit_ledger().await?;
    Ok(Json(AuditResponse {
        accounts: audit.accounts,
        transfers: audit.transfers,
        transactions: audit.transactions,
        booked_usd: audit.booked.to_decimal(),
        held_usd: audit.held.to_decimal(),
        findings: audit.findings.iter().map(|finding| serde_json::json!(finding)).collect(),
    }))
}

/// Returns posted transfers, in their order, at most a page of them.
#[utoipa::path(get, path = "/v1/operate/statement", tag = "operate", params(StatementQuery),
    responses((status = 200, body = StatementResponse), (status = 400, body = Problem), (status = 401, body = Problem)))]
pub(crate) async fn statement(
    State(app): State<App>,
    headers: HeaderMap,
    Query(query): Query<StatementQuery>,
) -> Result<Json<StatementResponse>, Refusal> {
    operator(&app, &headers)?;
    let account: Option<Account> =
        query.account.map(|text| text.parse()).transpose().map_err(|error: AccountError| {
            let next = "write it like `payee:ID`, `payer:0x…`, `escrow:0x…`, `rail:x402:…` or `operator`";
            Refusal::new(StatusCode::BAD_REQUEST, "account-invalid", error.to_string(), next)
        })?;
    let after = query.after.unwrap_or_default();
    let page = app.registry.store().transfers(account.as_ref(), after, limits::STATEMENT_ROWS_MAX).await;
    let page = page.map_err(RegistryError::from)?;
    let row = |row: TransferRow| StatementRow {
        id: row.id,
        at: glassbox_registry::rfc3339(row.created_at),
        subject: row.subject,
        kind: row.transfer.kind.as_str().into(),
        debit: row.transfer.debit.to_string(),
        credit: row.transfer.credit.to_string(),
        pico: row.transfer.amount.to_string(),
        usd: row.transfer.amount.to_decimal(),
        transaction: row.reference,
    };
    let balance = match &account {
        Some(account) => {
            let balance = app.registry.store().balance(account).await;
            let balance = balance.map_err(RegistryError::from)?;
            Some(balance)
        }
        None => None,
    };
    Ok(Json(StatementResponse {
        credits_usd: balance.as_ref().map(|balance| balance.credits.to_decimal()),
        debits_usd: balance.as_ref().map(|balance| balance.debits.to_decimal()),
        more: page.len() == limits::STATEMENT_ROWS_MAX,
        transfers: page.into_iter().map(row).collect(),
    }))
}

/// Pays out what was earned for good, or says what it would pay.
#[utoipa::path(post, path = "/v1/operate/payouts", tag = "operate", request_body = PayoutRequest,
    responses((status = 200, body = PayoutResponse), (status = 400, body = Problem), (status = 401, body = Problem)))]
pub(crate) async fn payouts(
    State(app): State<App>,
    headers: HeaderMap,
    Body(request): Body<PayoutRequest>,
) -> Result<Json<PayoutResponse>, Refusal> {
    operator(&app, &headers)?;
    let addresses = request.addresses.iter().map(|(id, text)| Ok((id.clone(), address(text)?)));
    let addresses: BTreeMap<_, _> = addresses.collect::<Result<_, Refusal>>()?;
    let terms = PayoutTerms {
        addresses,
        threshold: dollars(&request.threshold_usd)?,
        verified_only: request.verified_only,
    };
    let plan = match request.dry_run {
        true => app.registry.plan_payouts(&terms).await?,
        false => app.registry.pay_out_earnings(&terms).await?,
    };
    Ok(Json(response(plan)))
}

fn response(plan: PayoutPlan) -> PayoutResponse {
    let row = |line: PayoutLine| PayoutRow {
        account: line.account.to_string(),
        payable_usd: line.payable.to_decimal(),
        frozen_usd: (line.frozen > Pico::ZERO).then(|| line.frozen.to_decimal()),
        amount: line.amount.into(),
        to: line.to.map(|to| to.to_string()),
        waits: line.waits.map(std::borrow::Cow::into_owned),
    };
    PayoutResponse {
        total: plan.total.into(),
        gas: plan.fee.map(|fee| fee.gas),
        gas_price: plan.fee.map(|fee| fee.price.to_string()),
        transaction: plan.transaction,
        payouts: plan.lines.into_iter().map(row).collect(),
    }
}

/// Turns the vouchers of all channels into money.
#[utoipa::path(post, path = "/v1/operate/claims", tag = "operate",
    responses((status = 200, body = ClaimResponse), (status = 401, body = Problem)))]
pub(crate) async fn claims(
    State(app): State<App>,
    headers: HeaderMap,
) -> Result<Json<ClaimResponse>, Refusal> {
    operator(&app, &headers)?;
    Ok(Json(ClaimResponse { arrived: app.registry.claim_channels().await?.into() }))
}

/// Opens a credit account and gives it credit, at the operator's own expense.
#[utoipa::path(post, path = "/v1/operate/credit", tag = "operate", request_body = GrantRequest,
    responses((status = 200, body = CreditResponse), (status = 400, body = Problem), (status = 401, body = Problem)))]
pub(crate) async fn grant(
    State(app): State<App>,
    headers: HeaderMap,
    Body(request): Body<GrantRequest>,
) -> Result<Json<CreditResponse>, Refusal> {
    operator(&app, &headers)?;
    let amount = dollars(&request.usd)?;
    let (account, token) = app.registry.grant_credit(&request.label, amount).await?;
    Ok(Json(CreditResponse { account, token: Some(token.to_string()), credited: amount.into() }))
}
