//! The buyer's side: asks, is told a price, signs, asks again.

use std::time::Duration;

use glassbox_core::Digest;
use glassbox_core::receipt::{Bundle, Receipt};
use glassbox_pay::x402::{self, PaymentPayload, PaymentRequired, SettleResponse};
use glassbox_pay::{B256, Wallet};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::stage::{PATIENCE, Stage, World, keys};

/// An answer over HTTP, read whole.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) text: String,
    pub(crate) bytes: Vec<u8>,
}

impl Reply {
    pub(crate) async fn of(response: reqwest::Response) -> Self {
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let bytes = response.bytes().await.unwrap().to_vec();
        Self { status, headers, text: String::from_utf8_lossy(&bytes).into_owned(), bytes }
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.bytes).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// Reads a payment header.
    pub(crate) fn x402<T: DeserializeOwned>(&self, name: &str) -> T {
        let text = self.header(name).unwrap_or_else(|| panic!("no {name} in {self:?}"));
        x402::decode(text).unwrap()
    }

    pub(crate) fn required(&self) -> PaymentRequired {
        self.x402(x402::PAYMENT_REQUIRED)
    }

    pub(crate) fn settlement(&self) -> SettleResponse {
        self.x402(x402::PAYMENT_RESPONSE)
    }

    pub(crate) fn code(&self) -> String {
        match serde_json::from_slice::<Value>(&self.bytes) {
            Ok(json) => json["code"].as_str().unwrap_or_default().to_owned(),
            Err(_) => String::new(),
        }
    }

    /// Insists that this is a problem with everything that an agent needs, and that nobody was charged.
    pub(crate) fn assert_problem(&self, status: u16, code: &str) -> Value {
        assert_eq!((self.status, self.code().as_str()), (status, code), "{}", self.text);
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{}", self.text);
        let problem = self.json();
        assert_eq!(problem["status"], status, "{problem}");
        assert_eq!(problem["charged"], "0", "{problem}");
        for field in ["type", "title", "detail", "next", "retry"] {
            assert!(
                problem[field].as_str().is_some_and(|text| !text.is_empty()),
                "no `{field}` in {problem}"
            );
        }
        let retry = problem["retry"].as_str().unwrap();
        assert!(["never", "after-change", "later", "with-payment"].contains(&retry), "{problem}");
        problem
    }

    /// Insists on an output, and returns it.
    pub(crate) fn output(&self) -> Value {
        assert_eq!(self.status, 200, "{}", self.text);
        self.json()["output"].clone()
    }

    /// Reads the receipt and insists that it verifies.
    pub(crate) fn receipt(&self) -> (Bundle, Receipt) {
        let bundle: Bundle = serde_json::from_value(self.json()["receipt"].clone()).unwrap();
        let (report, receipt) = bundle.verify(Some(&keys().executor.public()));
        assert!(report.holds(), "{report:?}");
        (bundle, receipt.unwrap())
    }
}

/// A payer and the registry that it buys from.
#[derive(Clone)]
pub(crate) struct Buyer {
    pub(crate) wallet: Wallet,
    pub(crate) url: String,
    world: World,
    pub(crate) http: reqwest::Client,
}

/// The path of a function of `lab:bench@1.0.0`.
pub(crate) fn bench(function: &str) -> String {
    format!("/v1/call/lab/bench/1.0.0/{function}")
}

impl Buyer {
    pub(crate) fn new<C>(stage: &Stage<C>, wallet: Wallet) -> Self {
        Self { wallet, url: stage.url.clone(), world: stage.world.clone(), http: stage.http.clone() }
    }

    /// Finds the registry again after it was started anew.
    pub(crate) fn at(&self, stage: &Stage) -> Self {
        Self::new(stage, self.wallet.clone())
    }

    /// Sends a call, with a payment or without.
    pub(crate) async fn send(&self, path: &str, body: &Value, payment: Option<&str>) -> Reply {
        let mut request = self.http.post(format!("{}{path}", self.url)).json(body);
        if let Some(payment) = payment {
            request = request.header(x402::PAYMENT_SIGNATURE, payment);
        }
        Reply::of(request.send().await.unwrap()).await
    }

    /// Asks by GET, with a payment that buys nothing.
    pub(crate) async fn ask(&self, path: &str, payment: &str) -> Reply {
        let request = self.http.get(format!("{}{path}", self.url)).header(x402::PAYMENT_SIGNATURE, payment);
        Reply::of(request.send().await.unwrap()).await
    }

    /// Asks for the price and signs it. The same `nonce` signs the same payment.
    pub(crate) async fn sign(&self, path: &str, body: &Value, nonce: &str) -> String {
        x402::encode(&self.payload(path, body, nonce).await)
    }

    pub(crate) async fn payload(&self, path: &str, body: &Value, nonce: &str) -> PaymentPayload {
        let asked = self.send(path, body, None).await;
        assert_eq!(asked.status, 402, "{}", asked.text);
        self.answer(&asked.required(), nonce)
    }

    pub(crate) fn answer(&self, required: &PaymentRequired, nonce: &str) -> PaymentPayload {
        let nonce = B256::from(*Digest::of(nonce).as_bytes());
        let resource = Some(required.resource.clone());
        let exact = required.accepts.iter().find(|offer| offer.scheme == x402::SCHEME_EXACT);
        self.wallet.sign_exact_with_nonce(exact.unwrap(), resource, self.now_s(), nonce).unwrap()
    }

    /// Returns the Unix second of the registry's world.
    pub(crate) fn now_s(&self) -> u64 {
        self.world.now_s()
    }

    /// Asks, pays and gets the answer, once.
    pub(crate) async fn pay(&self, path: &str, args: Value, nonce: &str) -> Reply {
        let body = json!({ "args": args });
        let payment = self.sign(path, &body, nonce).await;
        self.send(path, &body, Some(&payment)).await
    }

    /// Sends the same request with the same payment for as long as the registry says that this helps.
    pub(crate) async fn insist(&self, path: &str, body: &Value, payment: &str) -> Reply {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let reply = self.send(path, body, Some(payment)).await;
            let later = reply.status >= 400 && reply.json()["retry"] == "later";
            if !later || Instant::now() > deadline {
                return reply;
            }
            assert!(reply.header("retry-after").is_some(), "{reply:?}");
            // Sooner than it asks for: impatience must not cost anything either.
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}
