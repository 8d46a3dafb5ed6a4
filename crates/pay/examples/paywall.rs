//! A paywall of one page, to see a stock x402 client pay the devnet.
//!
//! `cargo run -p glassbox-pay --example paywall -- 0xPAYER` gives the payer a play dollar, prints the page's address
//! and serves it until it is interrupted. It shows the wire alone: a real server must also bind a payment to its
//! request and keep the answer, or two requests with one payment are both served.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use glassbox_core::Atomic;
use glassbox_pay::x402::{self, PAYMENT_REQUIRED, PAYMENT_RESPONSE, PAYMENT_SIGNATURE};
use glassbox_pay::{
    Address, Devnet, Facilitator, PaymentPayload, PaymentRequired, PaymentRequirements, Resource, Scheme,
    Settlement, Settler, Wallet, payment,
};

const RUN_MS_MAX: u64 = 1_000;

struct Page {
    rail: Settler<Devnet>,
    url: String,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let payer: Address = std::env::args().nth(1).ok_or("usage: paywall 0xPAYER")?.parse()?;
    let devnet = Devnet::open(None, Wallet::random()?)?;
    devnet.faucet(payer, Atomic(1_000_000)).await?;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}/", listener.local_addr()?);
    println!("{url}");
    let rail = devnet.facilitator();
    eprintln!("{}: {payer} has a dollar", rail.label());
    let router = Router::new().route("/", get(page)).with_state(Arc::new(Page { rail, url }));
    Ok(axum::serve(listener, router).await?)
}

async fn page(State(page): State<Arc<Page>>, headers: HeaderMap) -> Response {
    let offered = page.rail.offer(Scheme::Exact, Atomic(2_000), page.rail.treasury(), 60);
    let Some(header) = headers.get(PAYMENT_SIGNATURE) else {
        return payment_required(&page, offered, "payment required");
    };
    let payload: PaymentPayload = match header
        .to_str()
        .map_err(|error| error.to_string())
        .and_then(|text| x402::decode(text).map_err(|error| error.to_string()))
    {
        Ok(payload) => payload,
        Err(error) => return (StatusCode::BAD_REQUEST, error).into_response(),
    };
    let now_s = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_secs());
    if let Err(rejection) = payment::check(&payload, &offered, now_s, RUN_MS_MAX) {
        return payment_required(&page, offered, rejection.code.as_str());
    }
    if let Err(rejection) = page.rail.verify(&payload, &offered).await {
        return payment_required(&page, offered, rejection.code.as_str());
    }
    let settlement = page.rail.settle(&payload, &offered, Atomic(2_000)).await;
    let response = settlement.response(page.rail.network()).map(|response| x402::encode(&response));
    match (settlement, response) {
        (Settlement::Settled { payer, amount, .. }, Some(response)) => {
            eprintln!("{payer} paid {amount}");
            ([(HeaderName::from_static("payment-response"), response)], "the paid page\n").into_response()
        }
        (Settlement::Rejected(rejection), Some(response)) => {
            let mut refused = payment_required(&page, offered, rejection.code.as_str());
            if let Ok(value) = response.parse() {
                refused.headers_mut().insert(PAYMENT_RESPONSE, value);
            }
            refused
        }
        // Never a fresh 402: the client would sign, and perhaps pay, a second time.
        _ => (StatusCode::SERVICE_UNAVAILABLE, [("retry-after", "1")], "the settlement is not known yet\n")
            .into_response(),
    }
}

fn payment_required(page: &Page, offered: PaymentRequirements, error: &str) -> Response {
    let required = PaymentRequired {
        x402_version: x402::VERSION,
        error: Some(error.to_owned()),
        resource: Resource {
            url: page.url.clone(),
            description: Some(format!("A page ({})", page.rail.label())),
            mime_type: Some("text/plain".to_owned()),
        },
        accepts: vec![offered],
        extensions: None,
    };
    let headers = [(PAYMENT_REQUIRED, x402::encode(&required)), ("cache-control", "no-store".to_owned())];
    (StatusCode::PAYMENT_REQUIRED, headers, "{}").into_response()
}
