//! Earnings, balances and play money.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use glassbox_api::{
    BalanceResponse, CreditBalanceResponse, CreditRefundRequest, CreditRequest, CreditResponse, EarningRow,
    EarningsQuery, EarningsResponse, FaucetRequest, Problem, RevokeRequest,
};
use glassbox_core::ledger::Account;
use glassbox_core::{Atomic, Pico, limits};
use glassbox_pay::{Address, Devnet, x402};
use glassbox_registry::{Credit, EarnedBy, Earning, RegistryError, TokenError, day_starts_ms, day_text};

use crate::app::App;
use crate::extract::{Body, Head, Path, Query, credit, read, signed};
use crate::problem::Refusal;

/// Returns who earned what: the sums of what the ledger has.
#[utoipa::path(get, path = "/v1/earnings", tag = "money", params(EarningsQuery),
    responses((status = 200, body = EarningsResponse), (status = 400, body = Problem)))]
pub(crate) async fn earnings(
    State(app): State<App>,
    Query(query): Query<EarningsQuery>,
) -> Result<Json<EarningsResponse>, Refusal> {
    let earnings = app.registry.earnings(read_query(query)?).await?;
    let earned = Pico(earnings.iter().map(|earning| earning.amount.0).sum());
    let reversed = Pico(earnings.iter().map(|earning| earning.reversed.0).sum());
    Ok(Json(EarningsResponse {
        earnings: earnings.into_iter().map(row).collect(),
        total_usd: difference(earned, reversed),
        play_money: app.options.devnet.is_some(),
    }))
}

fn read_query(query: EarningsQuery) -> Result<glassbox_registry::EarningsQuery, Refusal> {
    let EarningsQuery { package, receiver, by, from, until } = query;
    let invalid = |detail: String, next: &str| {
        Refusal::new(StatusCode::BAD_REQUEST, "earnings-query-invalid", detail, next)
    };
    let day = |text: &String| {
        day_starts_ms(text).ok_or_else(|| {
            let detail =
                format!("`{}` is no day", text.chars().take(limits::QUOTED_CHARS_MAX).collect::<String>());
            invalid(detail, "write a day such as 2026-11-22")
        })
    };
    let word = |word: &str| {
        word.parse::<EarnedBy>().map_err(|detail| invalid(detail, "name some of them, joined by commas"))
    };
    Ok(glassbox_registry::EarningsQuery {
        package: package.map(|name| name.parse()).transpose()?,
        receiver: receiver.map(|receiver| match receiver.as_str() {
            "operator" => Account::Operator,
            _ => Account::Payee(receiver),
        }),
        by: match by.as_deref() {
            None => vec![EarnedBy::Release],
            Some(words) => words.split(',').map(word).collect::<Result<_, _>>()?,
        },
        from_ms: from.as_ref().map(day).transpose()?,
        until_ms: until.as_ref().map(day).transpose()?,
    })
}

/// Writes what is left, which is below nothing where more went back than was earned in the time that is asked for.
fn difference(earned: Pico, reversed: Pico) -> String {
    match earned.0.checked_sub(reversed.0) {
        Some(left) => Pico(left).to_decimal(),
        None => format!("-{}", Pico(reversed.0 - earned.0).to_decimal()),
    }
}

fn row(earning: Earning) -> EarningRow {
    let Earning { key, calls, amount, reversed } = earning;
    let reversed = (reversed > Pico::ZERO).then_some(reversed);
    EarningRow {
        receiver: match key.account {
            Account::Payee(id) => id,
            account => account.to_string(),
        },
        package: key.package.map(|package| package.to_string()),
        release: key.release.map(|release| release.to_string()),
        export: key.export,
        day: key.day.map(day_text),
        payer: key.payer.map(|payer| payer.to_string()),
        calls,
        pico: amount.to_string(),
        usd: amount.to_decimal(),
        reversed_pico: reversed.map(|reversed| reversed.to_string()),
        reversed_usd: reversed.map(Pico::to_decimal),
    }
}

pub(super) fn address(text: &str) -> Result<Address, Refusal> {
    text.parse().map_err(|_| {
        let detail = format!("`{}` is not an address", text.chars().take(80).collect::<String>());
        Refusal::new(StatusCode::BAD_REQUEST, "address-invalid", detail, "write 0x and 40 hexadecimal digits")
    })
}

async fn balance_of(app: &App, address: Address) -> Result<Json<BalanceResponse>, Refusal> {
    let rail = app.registry.rail();
    let balance = rail.balance(address).await.map_err(RegistryError::from)?;
    Ok(Json(BalanceResponse {
        address: address.to_string(),
        balance: balance.into(),
        label: rail.label().into(),
    }))
}

/// Returns what an address has of the token that payments are made in.
#[utoipa::path(get, path = "/v1/balances/{address}", tag = "money",
    responses((status = 200, body = BalanceResponse), (status = 400, body = Problem)))]
pub(crate) async fn balance(
    State(app): State<App>,
    Path(text): Path<String>,
) -> Result<Json<BalanceResponse>, Refusal> {
    balance_of(&app, address(&text)?).await
}

/// Hands out play money. Only where payments are made on the devnet.
#[utoipa::path(post, path = "/v1/devnet/faucet", tag = "money", request_body = FaucetRequest,
    responses((status = 200, body = BalanceResponse), (status = 400, body = Problem), (status = 404, body = Problem)))]
pub(crate) async fn faucet(
    State(app): State<App>,
    Body(request): Body<FaucetRequest>,
) -> Result<Json<BalanceResponse>, Refusal> {
    let Some(devnet) = &app.options.devnet else {
        let detail = "this registry takes real money";
        return Err(Refusal::new(
            StatusCode::NOT_FOUND,
            "faucet-not-found",
            detail,
            "fund your wallet as usual",
        ));
    };
    let address = fund(devnet, &request).await?;
    balance_of(&app, address).await
}

/// Hands out play money, within the faucet's bounds.
pub(crate) async fn fund(devnet: &Devnet, request: &FaucetRequest) -> Result<Address, Refusal> {
    let address = address(&request.address)?;
    if address.is_zero() {
        let detail = "nobody has the key of the zero address";
        let next = "write the address of your own wallet";
        return Err(Refusal::new(StatusCode::BAD_REQUEST, "address-invalid", detail, next));
    }
    let refuse = |detail: String| {
        Refusal::new(
            StatusCode::BAD_REQUEST,
            "amount-invalid",
            detail,
            "write an amount from 0.000001 to 100, such as \"10\"",
        )
    };
    let amount = Atomic::from_decimal(&request.usd).map_err(|error| refuse(error.to_string()))?;
    if amount == Atomic::ZERO {
        return Err(refuse("0 is nothing to give".into()));
    }
    devnet.faucet(address, amount).await.map_err(|error| refuse(error.to_string()))?;
    Ok(address)
}

/// Sells prepaid credit: to an account, or to a new one, whose token comes with the reply. Without a payment it answers 402
/// with what x402 asks for.
#[utoipa::path(post, path = "/v1/credit", tag = "money", request_body = CreditRequest,
    params(("PAYMENT-SIGNATURE" = Option<String>, Header, description = "base64 of an x402 version 2 PaymentPayload")),
    responses((status = 200, body = CreditResponse,
               headers(("PAYMENT-RESPONSE" = String, description = "base64 of an x402 SettleResponse"))),
              (status = 400, body = Problem), (status = 402, body = Problem), (status = 404, body = Problem),
              (status = 503, body = Problem, description = "send the same request with the same payment again")))]
pub(crate) async fn buy_credit(
    State(app): State<App>,
    headers: HeaderMap,
    Body(request): Body<CreditRequest>,
) -> Result<Response, Refusal> {
    let amount = dollars(&request.usd)?;
    let bought = app.registry.buy_credit(request.account, amount, signed(&headers)?).await?;
    let settlement = bought.settlement.as_ref().map(x402::encode);
    let body =
        CreditResponse { account: bought.account, token: bought.token, credited: bought.amount.into() };
    let mut response = Json(body).into_response();
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Some(value) = settlement.and_then(|settlement| HeaderValue::from_str(&settlement).ok()) {
        response.headers_mut().insert(x402::PAYMENT_RESPONSE, value);
    }
    Ok(response)
}

/// Returns what the account of a token has. The token comes as `Authorization: Bearer gbt_…`.
#[utoipa::path(get, path = "/v1/credit", tag = "money",
    responses((status = 200, body = CreditBalanceResponse), (status = 401, body = Problem)))]
pub(crate) async fn credit_balance(
    State(app): State<App>,
    head: Head,
) -> Result<Json<CreditBalanceResponse>, Refusal> {
    let balance = app.registry.credit_balance(&bearer(&head)?).await?;
    Ok(Json(CreditBalanceResponse {
        account: balance.account,
        available_usd: balance.available.to_decimal(),
        held_usd: balance.held.to_decimal(),
        spent_usd: balance.spent.to_decimal(),
    }))
}

/// Pays credit back to an address. Only the token that the account was opened with may ask; the same `id` again is the
/// same refund.
#[utoipa::path(post, path = "/v1/credit/refund", tag = "money", request_body = CreditRefundRequest,
    responses((status = 202, description = "it is owed, and paid within seconds"), (status = 400, body = Problem),
              (status = 401, body = Problem), (status = 402, body = Problem)))]
pub(crate) async fn refund_credit(
    State(app): State<App>,
    head: Head,
    Body(request): Body<CreditRefundRequest>,
) -> Result<StatusCode, Refusal> {
    let to = address(&request.to)?;
    let amount = dollars(&request.usd)?;
    app.registry.refund_credit(&bearer(&head)?, &request.id, to, amount).await?;
    Ok(StatusCode::ACCEPTED)
}

/// Takes a token back, and every token that was made from it. With `block`, takes that block back instead, which only the
/// token that the account was opened with may ask.
#[utoipa::path(post, path = "/v1/credit/revoke", tag = "money", request_body = RevokeRequest,
    responses((status = 204, description = "it pays nothing more"), (status = 400, body = Problem),
              (status = 401, body = Problem)))]
pub(crate) async fn revoke_token(
    State(app): State<App>,
    head: Head,
    Body(request): Body<RevokeRequest>,
) -> Result<StatusCode, Refusal> {
    let block = request.block.map(|id| id.parse()).transpose().map_err(|error: TokenError| {
        let next = "send the id as `glassbox token inspect` shows it";
        Refusal::new(StatusCode::BAD_REQUEST, "block-invalid", error.to_string(), next)
    })?;
    app.registry.revoke_token(&bearer(&head)?, block).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Answers what a client asks the devnet as it would ask a node: the few calls of JSON-RPC that stock clients make.
#[utoipa::path(post, path = "/v1/devnet/rpc", tag = "money", request_body = serde_json::Value,
    responses((status = 200, body = serde_json::Value), (status = 404, body = Problem)))]
pub(crate) async fn devnet_rpc(
    State(app): State<App>,
    request: axum::extract::Request,
) -> Result<Json<serde_json::Value>, Refusal> {
    let Some(devnet) = &app.options.devnet else {
        return Err(no_devnet("ask a node of the network"));
    };
    let (parts, body) = request.into_parts();
    let body = read(&parts.headers, body, limits::JSON_RPC_BYTES_MAX).await?;
    Ok(Json(devnet.json_rpc(&body).await))
}

fn bearer(head: &Head) -> Result<Credit, Refusal> {
    credit(head)?.ok_or_else(|| {
        let next = "send `Authorization: Bearer gbt_…`";
        Refusal::new(StatusCode::UNAUTHORIZED, "token-missing", "there is no token in the request", next)
    })
}

pub(super) fn dollars(text: &str) -> Result<Atomic, Refusal> {
    Atomic::from_decimal(text).map_err(|error| {
        let next = "write dollars, such as \"5\"";
        Refusal::new(StatusCode::BAD_REQUEST, "amount-invalid", error.to_string(), next)
    })
}

fn no_devnet(next: &str) -> Refusal {
    Refusal::new(StatusCode::NOT_FOUND, "devnet-not-found", "this registry takes real money", next)
}
