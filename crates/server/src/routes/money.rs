//! Earnings, balances and play money.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use glassbox_api::{BalanceResponse, EarningRow, EarningsResponse, FaucetRequest, Problem};
use glassbox_core::{Atomic, PackageName, Pico};
use glassbox_pay::Address;
use glassbox_registry::RegistryError;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::app::App;
use crate::extract::{Body, Path, Query};
use crate::problem::Refusal;

/// Whose earnings.
#[derive(Debug, Deserialize, IntoParams)]
pub(crate) struct EarningsQuery {
    /// A package, `ns:name`; all when absent.
    package: Option<String>,
}

/// Returns who earned what.
#[utoipa::path(get, path = "/v1/earnings", tag = "money", params(EarningsQuery),
    responses((status = 200, body = EarningsResponse), (status = 400, body = Problem)))]
pub(crate) async fn earnings(
    State(app): State<App>,
    Query(query): Query<EarningsQuery>,
) -> Result<Json<EarningsResponse>, Refusal> {
    let package: Option<PackageName> = query.package.map(|name| name.parse()).transpose()?;
    let earnings = app.registry.earnings(package.as_ref()).await?;
    let total: u128 = earnings.iter().map(|row| row.amount.0).sum();
    let row = |row: glassbox_registry::Earnings| EarningRow {
        receiver: row.receiver,
        release: row.release,
        calls: row.calls,
        pico: row.amount.to_string(),
        usd: row.amount.to_decimal(),
    };
    Ok(Json(EarningsResponse {
        earnings: earnings.into_iter().map(row).collect(),
        total_usd: Pico(total).to_decimal(),
        play_money: app.options.devnet.is_some(),
    }))
}

fn address(text: &str) -> Result<Address, Refusal> {
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
    balance_of(&app, address).await
}
