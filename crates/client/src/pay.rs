//! Calling, and paying for it within a budget that is checked before anything is signed.

use std::time::Duration;

use glassbox_api::{CallBody, CallResponse};
use glassbox_core::{Atomic, PackageRef};
use glassbox_pay::x402::{self, PaymentRequired, PaymentRequirements};
use glassbox_pay::{Wallet, devnet};
use reqwest::{Method, Response, StatusCode};

use crate::error::ClientError;
use crate::http::{Client, function_path};

/// How often a paid request is sent again while its answer is missing. The same payment each time: it can be charged
/// once at most.
const PAID_TRIES_MAX: u32 = 6;

/// What a call may cost, and who pays.
#[derive(Debug, Clone, Copy)]
pub struct Budget<'a> {
    /// Who pays.
    pub wallet: &'a Wallet,
    /// The most that one call may cost, in atomic units.
    pub amount_max: Atomic,
}

/// A call to be made.
#[derive(Debug, Clone)]
pub struct Call<'a> {
    /// The release.
    pub release: &'a PackageRef,
    /// The function, by any of its names.
    pub function: &'a str,
    /// Arguments, fuel ceiling and nonce.
    pub body: CallBody,
}

impl Client {
    /// Runs a function, and pays within `budget` where it has a price.
    pub async fn call(
        &self,
        release: &PackageRef,
        function: &str,
        args: serde_json::Value,
        budget: Option<Budget<'_>>,
    ) -> Result<CallResponse, ClientError> {
        let body = CallBody { args, ..CallBody::default() };
        self.call_with(&Call { release, function, body }, budget).await
    }

    /// Like [`Client::call`], with a fuel ceiling or a nonce.
    pub async fn call_with(
        &self,
        call: &Call<'_>,
        budget: Option<Budget<'_>>,
    ) -> Result<CallResponse, ClientError> {
        let response = self.send_call(call, None).await?;
        if response.status() != StatusCode::PAYMENT_REQUIRED {
            return self.read(response).await;
        }
        let required = self.required(&response)?;
        let header = sign(&required, budget)?;
        self.call_paid(call, &header).await
    }

    /// Asks what a call would cost by making it without a payment. Returns `None` when it is free and therefore ran.
    pub async fn payment_required(&self, call: &Call<'_>) -> Result<Option<PaymentRequired>, ClientError> {
        let response = self.send_call(call, None).await?;
        if response.status() == StatusCode::PAYMENT_REQUIRED {
            return self.required(&response).map(Some);
        }
        self.expect_success(response).await.map(|_| None)
    }

    /// Sends a paid request until it is answered. `header` is the value of `PAYMENT-SIGNATURE`.
    pub async fn call_paid(&self, call: &Call<'_>, header: &str) -> Result<CallResponse, ClientError> {
        let mut wait = Duration::from_millis(250);
        for _ in 0..PAID_TRIES_MAX {
            match self.send_call(call, Some(header)).await {
                // Not an answer, and not a reason to pay anew: the registry knows this payment and will say.
                Ok(response) if response.status() == StatusCode::SERVICE_UNAVAILABLE => {}
                Err(ClientError::Transport { .. }) => {}
                Ok(response) => return self.read(response).await,
                Err(error) => return Err(error),
            }
            tokio::time::sleep(wait).await;
            wait = (wait * 2).min(Duration::from_secs(5));
        }
        Err(ClientError::Undecided)
    }

    async fn send_call(&self, call: &Call<'_>, payment: Option<&str>) -> Result<Response, ClientError> {
        let path = function_path("/v1/call", call.release, call.function);
        let request = self.request(Method::POST, &path).json(&call.body);
        let request = match payment {
            Some(payment) => request.header(x402::PAYMENT_SIGNATURE, payment),
            None => request,
        };
        self.send(request).await
    }

    fn required(&self, response: &Response) -> Result<PaymentRequired, ClientError> {
        let header = response.headers().get(x402::PAYMENT_REQUIRED).and_then(|value| value.to_str().ok());
        let header = header.ok_or_else(|| self.odd("402 without a PAYMENT-REQUIRED header".into()))?;
        x402::decode(header).map_err(|error| self.odd(error.to_string()))
    }
}

/// Signs the first way to pay that the wallet can take, if it is within the budget. Returns the header's value.
fn sign(required: &PaymentRequired, budget: Option<Budget<'_>>) -> Result<String, ClientError> {
    let ways: Vec<String> =
        required.accepts.iter().map(|way| format!("{} on {}", way.scheme, way.network)).collect();
    let way = required.accepts.iter().find(|way| can_pay(way));
    let way = way.ok_or_else(|| ClientError::NoWayToPay(ways.join(", ")))?;
    let amount = way.amount().map_err(ClientError::NoWayToPay)?;
    let Some(Budget { wallet, amount_max }) = budget else {
        return Err(ClientError::PaymentNotAllowed { amount });
    };
    if amount > amount_max {
        return Err(ClientError::PriceAboveMax { amount, amount_max });
    }
    let now_s = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |elapsed| elapsed.as_secs());
    let payload = wallet.sign_exact(way, Some(required.resource.clone()), now_s)?;
    Ok(x402::encode(&payload))
}

/// Only `exact` on the devnet, so that no mistake of ours can move real money yet.
fn can_pay(way: &PaymentRequirements) -> bool {
    way.scheme == x402::SCHEME_EXACT && way.network == devnet::NETWORK.to_string()
}
