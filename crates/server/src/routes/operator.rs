//! Payees as their operator knows them, packages whose earnings wait, notices from others, and the record of all that.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use glassbox_api::{
    ActionRow, ActionsResponse, BlocklistEntry, BlocklistResponse, BlocklistsResponse, CreditDueResponse,
    FreezeRequest, FreezeResponse, NoticeDecision, NoticeRequest, NoticeResponse, NoticesResponse,
    PayeeRequest, PayeeResponse, PayeesResponse, Problem, RefundRequest, RefundResponse, UnclaimedResponse,
};
use glassbox_core::ledger::DAY_MS;
use glassbox_core::{PackageName, PackageRef, limits};
use glassbox_registry::{
    Action, CreditDue, FeedView, Freeze, Notice, NoticeState, PayeeRow, PayeeState, rfc3339,
};
use serde::Deserialize;
use utoipa::IntoParams;

use super::money::{address, dollars};
use crate::app::App;
use crate::extract::{Body, Path, Query, operator};
use crate::problem::Refusal;

fn invalid(code: &str, error: String) -> Refusal {
    Refusal::new(StatusCode::BAD_REQUEST, code, error, "correct the word")
}

async fn payees_response(app: &App) -> Result<Json<PayeesResponse>, Refusal> {
    let payee = |row: PayeeRow| PayeeResponse {
        payee: row.id,
        state: row.state.as_str().into(),
        address: row.address,
        reason: row.reason,
        at: rfc3339(row.at),
    };
    let freeze = |freeze: Freeze| FreezeResponse {
        package: freeze.package.to_string(),
        reason: freeze.reason,
        at: rfc3339(freeze.at),
    };
    let mut unclaimed: BTreeMap<String, (u128, i64)> = BTreeMap::new();
    for (row, lapses) in app.registry.unclaimed().await? {
        let sum = unclaimed.entry(row.payee).or_insert((0, lapses));
        *sum = (sum.0 + row.amount.0, sum.1.min(lapses));
    }
    let unclaimed = unclaimed.into_iter().map(|(payee, (pico, day))| UnclaimedResponse {
        payee,
        pico: pico.to_string(),
        lapses_at: rfc3339(day * DAY_MS),
    });
    let due = |due: CreditDue| CreditDueResponse {
        call: due.license,
        package: due.package.to_string(),
        due: due.amount.into(),
    };
    Ok(Json(PayeesResponse {
        unclaimed: unclaimed.collect(),
        credits_due: app.registry.credits_due().await?.into_iter().map(due).collect(),
        payees: app.registry.payees().await?.into_iter().map(payee).collect(),
        frozen: app.registry.freezes().await?.into_iter().map(freeze).collect(),
    }))
}

/// Returns the payees that something was decided about, and the packages whose earnings wait.
#[utoipa::path(get, path = "/v1/operate/payees", tag = "operate",
    responses((status = 200, body = PayeesResponse), (status = 401, body = Problem)))]
pub(crate) async fn payees(
    State(app): State<App>,
    headers: HeaderMap,
) -> Result<Json<PayeesResponse>, Refusal> {
    operator(&app, &headers)?;
    payees_response(&app).await
}

/// Writes down how far a payee is known. What a suspended one earned stays here.
#[utoipa::path(post, path = "/v1/operate/payees", tag = "operate", request_body = PayeeRequest,
    responses((status = 200, body = PayeesResponse), (status = 400, body = Problem), (status = 401, body = Problem)))]
pub(crate) async fn decide_payee(
    State(app): State<App>,
    headers: HeaderMap,
    Body(request): Body<PayeeRequest>,
) -> Result<Json<PayeesResponse>, Refusal> {
    operator(&app, &headers)?;
    let state: PayeeState = request.state.parse().map_err(|error| invalid("payee-invalid", error))?;
    let address = request.address.as_deref().map(address).transpose()?;
    app.registry.decide_payee(&request.payee, state, address, &request.reason).await?;
    payees_response(&app).await
}

/// Has what a package earned wait, or lets it go. Its calls go on.
#[utoipa::path(post, path = "/v1/operate/freezes", tag = "operate", request_body = FreezeRequest,
    responses((status = 200, body = PayeesResponse), (status = 400, body = Problem), (status = 401, body = Problem),
              (status = 404, body = Problem)))]
pub(crate) async fn freeze(
    State(app): State<App>,
    headers: HeaderMap,
    Body(request): Body<FreezeRequest>,
) -> Result<Json<PayeesResponse>, Refusal> {
    operator(&app, &headers)?;
    let package: PackageName = request.package.parse()?;
    app.registry.freeze(&package, request.frozen, &request.reason).await?;
    payees_response(&app).await
}

/// Writes a notice for whoever gave it, or with its text for the operator.
fn notice_response(notice: Notice, whole: bool) -> NoticeResponse {
    let some = |text: String| (!text.is_empty()).then_some(text);
    NoticeResponse {
        id: notice.id,
        about: notice.about,
        ground: notice.ground,
        text: some(notice.text).filter(|_| whole),
        contact: some(notice.contact).filter(|_| whole),
        at: rfc3339(notice.at),
        state: notice.state.as_str().into(),
        reason: some(notice.reason),
        decided_at: notice.decided_at.map(rfc3339),
    }
}

/// Takes a notice that something is wrong with a package, from anybody. Nothing happens by itself: a person decides.
#[utoipa::path(post, path = "/v1/notices", tag = "names", request_body = NoticeRequest,
    responses((status = 201, body = NoticeResponse), (status = 400, body = Problem), (status = 404, body = Problem),
              (status = 409, body = Problem)))]
pub(crate) async fn give(
    State(app): State<App>,
    Body(request): Body<NoticeRequest>,
) -> Result<(StatusCode, Json<NoticeResponse>), Refusal> {
    let about: PackageRef = request.about.parse()?;
    let contact = request.contact.unwrap_or_default();
    let notice = app.registry.give_notice(&about, &request.ground, request.text, contact).await?;
    Ok((StatusCode::CREATED, Json(notice_response(notice, false))))
}

/// Says what became of a notice, to whoever knows its id. Its text is the operator's.
#[utoipa::path(get, path = "/v1/notices/{id}", tag = "names",
    responses((status = 200, body = NoticeResponse), (status = 404, body = Problem)))]
pub(crate) async fn notice(
    State(app): State<App>,
    Path(id): Path<String>,
) -> Result<Json<NoticeResponse>, Refusal> {
    Ok(Json(notice_response(app.registry.given_notice(&id).await?, false)))
}

/// Which notices.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct NoticesQuery {
    /// Also those that were decided.
    #[serde(default)]
    all: bool,
}

/// Returns the notices that wait for a decision.
#[utoipa::path(get, path = "/v1/operate/notices", tag = "operate", params(NoticesQuery),
    responses((status = 200, body = NoticesResponse), (status = 401, body = Problem)))]
pub(crate) async fn notices(
    State(app): State<App>,
    headers: HeaderMap,
    Query(query): Query<NoticesQuery>,
) -> Result<Json<NoticesResponse>, Refusal> {
    operator(&app, &headers)?;
    let notices = app.registry.notices(!query.all).await?;
    let notices = notices.into_iter().map(|notice| notice_response(notice, true)).collect();
    Ok(Json(NoticesResponse { notices }))
}

/// Decides a notice, for good. What is done about it is another request: a quarantine, a freeze, a suspension.
#[utoipa::path(post, path = "/v1/operate/notices/{id}", tag = "operate", request_body = NoticeDecision,
    responses((status = 200, body = NoticeResponse), (status = 400, body = Problem), (status = 401, body = Problem),
              (status = 404, body = Problem), (status = 409, body = Problem)))]
pub(crate) async fn decide_notice(
    State(app): State<App>,
    headers: HeaderMap,
    Path(id): Path<String>,
    Body(decision): Body<NoticeDecision>,
) -> Result<Json<NoticeResponse>, Refusal> {
    operator(&app, &headers)?;
    let state: NoticeState = decision.state.parse().map_err(|error| invalid("notice-invalid", error))?;
    if state == NoticeState::Open {
        return Err(invalid("notice-invalid", "a notice is decided as acted or dismissed".into()));
    }
    let decided = app.registry.decide_notice(&id, state, &decision.reason).await?;
    Ok(Json(notice_response(decided, true)))
}

/// After which decision.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ActionsQuery {
    /// The number of the last one that was seen; from the beginning when absent.
    after: Option<i64>,
}

/// Returns what the operator decided about payees, packages and notices, in order, at most a page of it.
#[utoipa::path(get, path = "/v1/operate/actions", tag = "operate", params(ActionsQuery),
    responses((status = 200, body = ActionsResponse), (status = 401, body = Problem)))]
pub(crate) async fn actions(
    State(app): State<App>,
    headers: HeaderMap,
    Query(query): Query<ActionsQuery>,
) -> Result<Json<ActionsResponse>, Refusal> {
    operator(&app, &headers)?;
    let page = app.registry.actions(query.after.unwrap_or_default()).await?;
    let row = |action: Action| ActionRow {
        number: action.number,
        at: rfc3339(action.at),
        about: action.about,
        action: action.action,
        reason: action.reason,
    };
    Ok(Json(ActionsResponse {
        more: page.len() == limits::STATEMENT_ROWS_MAX,
        actions: page.into_iter().map(row).collect(),
    }))
}

/// Returns the blocklists that are followed, what is on them, and why one was not taken.
#[utoipa::path(get, path = "/v1/operate/blocklists", tag = "operate",
    responses((status = 200, body = BlocklistsResponse), (status = 401, body = Problem)))]
pub(crate) async fn blocklists(
    State(app): State<App>,
    headers: HeaderMap,
) -> Result<Json<BlocklistsResponse>, Refusal> {
    operator(&app, &headers)?;
    let feed = |FeedView { key, list, stale, problem }: FeedView| BlocklistResponse {
        key,
        name: list.as_ref().map(|list| list.name.clone()),
        sequence: list.as_ref().map(|list| list.sequence),
        expires: list.as_ref().map(|list| list.expires.to_string()),
        stale,
        problem,
        entries: list
            .into_iter()
            .flat_map(|list| list.entries)
            .map(|entry| BlocklistEntry { about: entry.about.to_string(), reason: entry.reason })
            .collect(),
    };
    Ok(Json(BlocklistsResponse { feeds: app.registry.blocklists().into_iter().map(feed).collect() }))
}

/// Gives back what was charged for a call, download, licence or tip, from whoever got it: the whole, or until so much went back
/// in all. It goes back as it came; the same again gives nothing more.
#[utoipa::path(post, path = "/v1/operate/refunds", tag = "operate", request_body = RefundRequest,
    responses((status = 200, body = RefundResponse), (status = 400, body = Problem), (status = 401, body = Problem),
              (status = 404, body = Problem), (status = 409, body = Problem)))]
pub(crate) async fn refund(
    State(app): State<App>,
    headers: HeaderMap,
    Body(request): Body<RefundRequest>,
) -> Result<Json<RefundResponse>, Refusal> {
    operator(&app, &headers)?;
    let RefundRequest { call, total_usd, reason } = request;
    let total = total_usd.as_deref().map(dollars).transpose()?;
    let refunded = app.registry.refund(&call, total, &reason).await?;
    Ok(Json(RefundResponse {
        call,
        refunded: refunded.now.into(),
        total: refunded.total.into(),
        charged: refunded.charged.into(),
    }))
}
