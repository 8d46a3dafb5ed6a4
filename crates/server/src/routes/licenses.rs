//! Plans and offers that are bought, grants that are proved, gifts.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use glassbox_api::{
    LicenseBody, LicenseResponse, OidcBody, Problem, RedeemBody, SpreadBody, SpreadResponse,
    SpreadTipResponse, TipBody, TipResponse,
};
use glassbox_core::Atomic;
use glassbox_core::account::{Month, Percent, WordError};
use glassbox_pay::x402::{self, SettleResponse};
use glassbox_registry::{CallError, LicenseRequest, OidcRequest, SpreadAmount, SpreadTip};

use super::money::dollars;
use crate::app::App;
use crate::extract::{Body, Head, Path, caller, payment, reference};
use crate::problem::Refusal;

/// Sells a licence: a plan, or an offer. Without a payment it answers 402 with what x402 asks for; what costs nothing is
/// given to whoever asks.
#[utoipa::path(post, path = "/v1/packages/{ns}/{name}/{version}/licenses", tag = "money", request_body = LicenseBody,
    params(("PAYMENT-SIGNATURE" = Option<String>, Header, description = "base64 of an x402 version 2 PaymentPayload")),
    responses((status = 200, body = LicenseResponse,
               headers(("PAYMENT-RESPONSE" = String, description = "base64 of an x402 SettleResponse"))),
              (status = 400, body = Problem), (status = 404, body = Problem), (status = 422, body = Problem),
              (status = 402, body = Problem,
               headers(("PAYMENT-REQUIRED" = String, description = "base64 of x402 PaymentRequired"))),
              (status = 409, body = Problem, description = "the payment belongs to another request"),
              (status = 503, body = Problem, description = "send the same request with the same payment again")))]
pub(crate) async fn buy(
    State(app): State<App>,
    Path((ns, name, version)): Path<(String, String, String)>,
    head: Head,
    Body(body): Body<LicenseBody>,
) -> Result<Response, Refusal> {
    let item = body.item.parse().map_err(|error| {
        let next = "write plan:ID or offer:ID, as the manifest names them";
        Refusal::new(StatusCode::BAD_REQUEST, "license-invalid", error, next)
    })?;
    let request = LicenseRequest {
        release: reference(&ns, &name, &version)?,
        item,
        units: body.units.unwrap_or(1),
        licensee: body.licensee,
        payment: payment(&app, &head).await?,
    };
    let bought = app.registry.license(request).await?;
    let body = LicenseResponse { license: bought.license, charged: bought.charged.into() };
    Ok(sold(Json(body), bought.settlement.as_ref()))
}

/// Gives a tip to the payees of a package that accepts them, all of it. Without a payment it answers 402 with what x402
/// asks for.
#[utoipa::path(post, path = "/v1/packages/{ns}/{name}/{version}/tips", tag = "money", request_body = TipBody,
    params(("PAYMENT-SIGNATURE" = Option<String>, Header, description = "base64 of an x402 version 2 PaymentPayload")),
    responses((status = 200, body = TipResponse,
               headers(("PAYMENT-RESPONSE" = String, description = "base64 of an x402 SettleResponse"))),
              (status = 400, body = Problem), (status = 404, body = Problem), (status = 422, body = Problem),
              (status = 402, body = Problem,
               headers(("PAYMENT-REQUIRED" = String, description = "base64 of x402 PaymentRequired"))),
              (status = 503, body = Problem, description = "send the same request with the same payment again")))]
pub(crate) async fn tip(
    State(app): State<App>,
    Path((ns, name, version)): Path<(String, String, String)>,
    head: Head,
    Body(body): Body<TipBody>,
) -> Result<Response, Refusal> {
    let amount = dollars(&body.usd)?;
    let given =
        app.registry.tip(&reference(&ns, &name, &version)?, amount, payment(&app, &head).await?).await?;
    let body = TipResponse { release: given.release.to_string(), charged: given.amount.into() };
    Ok(sold(Json(body), given.settlement.as_ref()))
}

/// Answers whoever bought something: it is theirs, so no cache on the way may keep it.
fn sold(body: impl IntoResponse, settlement: Option<&SettleResponse>) -> Response {
    let mut response = body.into_response();
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    let settlement = settlement.map(x402::encode);
    if let Some(value) = settlement.and_then(|settlement| HeaderValue::from_str(&settlement).ok()) {
        response.headers_mut().insert(x402::PAYMENT_RESPONSE, value);
    }
    response
}

/// Takes a grant that a publisher signed for somebody, so that their calls cost less from now on.
#[utoipa::path(post, path = "/v1/licenses", tag = "money", request_body = RedeemBody,
    responses((status = 201, description = "it is kept"), (status = 200, description = "it was kept before"),
              (status = 400, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem), (status = 422, body = Problem)))]
pub(crate) async fn redeem(
    State(app): State<App>,
    Body(body): Body<RedeemBody>,
) -> Result<StatusCode, Refusal> {
    match app.registry.redeem(body.license).await? {
        true => Ok(StatusCode::CREATED),
        false => Ok(StatusCode::OK),
    }
}

/// Gives a grant to whoever a forge vouches for: its identity token says that a workflow runs for a public repository. The
/// grant lasts for an hour.
#[utoipa::path(post, path = "/v1/licenses/oidc", tag = "money", request_body = OidcBody,
    responses((status = 201, body = LicenseResponse), (status = 200, body = LicenseResponse, description = "by the same token before"),
              (status = 400, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem),
              (status = 422, body = Problem), (status = 503, body = Problem, description = "the forge's keys cannot be had")))]
pub(crate) async fn prove(State(app): State<App>, Body(body): Body<OidcBody>) -> Result<Response, Refusal> {
    let OidcBody { release, grant, holder, token } = body;
    let request = OidcRequest { release: release.parse()?, grant, holder, token };
    let (license, new) = app.registry.grant_by_oidc(request).await?;
    let status = if new { StatusCode::CREATED } else { StatusCode::OK };
    Ok(sold((status, Json(LicenseResponse { license, charged: Atomic::ZERO.into() })), None))
}

/// Spreads tips over all that a company used in a month, at its own registry, by the calls of each package. The account whose
/// token comes pays; the same month again is the same tips, and gives what one package refused.
#[utoipa::path(post, path = "/v1/tips", tag = "company", request_body = SpreadBody,
    responses((status = 200, body = SpreadResponse), (status = 400, body = Problem), (status = 401, body = Problem),
              (status = 403, body = Problem), (status = 409, body = Problem)))]
pub(crate) async fn spread(
    State(app): State<App>,
    head: Head,
    Body(body): Body<SpreadBody>,
) -> Result<Json<SpreadResponse>, Refusal> {
    let caller = caller(&app, &head).await?.ok_or(CallError::AccountRequired)?;
    let month: Month = body.month.parse().map_err(|error: WordError| {
        Refusal::new(StatusCode::BAD_REQUEST, "account-invalid", error.to_string(), "correct the word")
    })?;
    let given = app.registry.spread_tips(&caller, &month, amount(&body)?).await?;
    let tip = |tip: SpreadTip| SpreadTipResponse {
        package: tip.package.to_string(),
        calls: tip.calls,
        charged: tip.given.as_ref().map_or(Atomic::ZERO, |given| given.amount).into(),
        refused: tip.given.err().map(|error| error.code().to_owned()),
    };
    Ok(Json(SpreadResponse { tips: given.into_iter().map(tip).collect() }))
}

/// Reads how much is to be spread.
fn amount(body: &SpreadBody) -> Result<SpreadAmount, Refusal> {
    match (&body.usd, body.percent) {
        (Some(usd), None) => dollars(usd).map(SpreadAmount::Sum),
        (None, Some(percent)) => Percent::try_from(percent).map(SpreadAmount::Percent).map_err(|error| {
            let next = "write a whole number, such as 2";
            Refusal::new(StatusCode::BAD_REQUEST, "amount-invalid", error.to_string(), next)
        }),
        (usd, _) => {
            let found = if usd.is_some() { "both" } else { "none" };
            let detail = format!("expected one of `usd` and `percent`, found {found}");
            Err(Refusal::new(StatusCode::BAD_REQUEST, "body-invalid", detail, "send one of them"))
        }
    }
}
