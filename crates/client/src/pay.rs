//! Calling, and paying for it.

use std::time::Duration;

use glassbox_api::{CallBody, CallResponse, CreditRequest, CreditResponse};
use glassbox_core::{Atomic, PackageRef};
use glassbox_pay::Scheme;
use glassbox_pay::x402::{self, PaymentRequired, SettleResponse};
use reqwest::{Method, RequestBuilder, Response, StatusCode};

use crate::buyer::{self, Buyer, Purchase, Signed};
use crate::channels::Channel;
use crate::error::ClientError;
use crate::http::{Client, function_path};
use crate::policy::Host;
use crate::spending::Outcome;

/// How often a paid request is sent again while its answer is missing. The same payment each time: it can be charged
/// once at most.
const PAID_TRIES_MAX: u32 = 6;

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
    /// Runs a function. Where it has a price, `buyer` pays, within its bounds.
    pub async fn call(
        &self,
        release: &PackageRef,
        function: &str,
        args: serde_json::Value,
        buyer: Option<&Buyer>,
    ) -> Result<CallResponse, ClientError> {
        let body = CallBody { args, ..CallBody::default() };
        self.call_with(&Call { release, function, body }, buyer).await
    }

    /// Like [`Client::call`], with a fuel ceiling or a nonce.
    pub async fn call_with(
        &self,
        call: &Call<'_>,
        buyer: Option<&Buyer>,
    ) -> Result<CallResponse, ClientError> {
        let response = self.send_call(call, None).await?;
        if response.status() != StatusCode::PAYMENT_REQUIRED || self.pays_by_credit() {
            return self.read(response).await;
        }
        let required = self.required(&response)?;
        let what = format!("{} {}", call.release, call.function);
        self.pay(&required, buyer, &what, |payment| self.call_request(call, Some(payment))).await
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
        self.read(self.insist(|| self.call_request(call, Some(header))).await?).await
    }

    /// Buys prepaid credit for `account`, or for a new one, whose token is then in the answer. `buyer` pays.
    pub async fn buy_credit(
        &self,
        request: &CreditRequest,
        buyer: &Buyer,
    ) -> Result<CreditResponse, ClientError> {
        let ask = |payment: Option<&str>| {
            let asked = self.request(Method::POST, "/v1/credit").json(request);
            match payment {
                Some(payment) => asked.header(x402::PAYMENT_SIGNATURE, payment),
                None => asked,
            }
        };
        let response = self.send(ask(None)).await?;
        if response.status() != StatusCode::PAYMENT_REQUIRED {
            return self.read(response).await;
        }
        let required = self.required(&response)?;
        self.pay(&required, Some(buyer), "credit", |payment| ask(Some(payment))).await
    }

    /// Pays what is asked for, within the bounds of `buyer`, and sends it until it is answered. `what` is bought, in words.
    pub(crate) async fn pay<T: Bought>(
        &self,
        required: &PaymentRequired,
        buyer: Option<&Buyer>,
        what: &str,
        request: impl Fn(&str) -> RequestBuilder,
    ) -> Result<T, ClientError> {
        let Some(buyer) = buyer else {
            return Err(ClientError::PaymentNotAllowed { amount: buyer::price(required)? });
        };
        let host = Host::of(self.url()).map_err(ClientError::Url)?;
        let purchase = Purchase { required, host: host.clone(), what };
        let mut signed = buyer.sign(&purchase).await?;
        let mut answered = self.insist(|| request(&signed.header)).await;
        // A voucher that did not fit its channel was not taken, and the refusal says what fits. Once: who is refused
        // again has been told nothing that helps.
        if let Some(corrected) =
            answered.as_ref().ok().and_then(|response| self.correction(response, &mut signed))
        {
            buyer.record(signed, Some(Outcome::NotCharged)).await;
            signed = buyer.sign(&Purchase { required: &corrected, host, what }).await?;
            answered = self.insist(|| request(&signed.header)).await;
        }
        let bought = match answered {
            Ok(response) => {
                if let Some(settled) = settlement(&response) {
                    signed.settled(&settled);
                }
                T::read(self, response).await
            }
            Err(error) => Err(error),
        };
        buyer.record(signed, outcome(&bought)).await;
        bought
    }

    /// Returns what is asked for now, where a refusal says where the channel stands.
    fn correction(&self, response: &Response, signed: &mut Signed) -> Option<PaymentRequired> {
        let refused = response.status() == StatusCode::PAYMENT_REQUIRED;
        let required = refused.then(|| self.required(response)).and_then(Result::ok)?;
        signed.corrected(&required).then_some(required)
    }

    /// Asks for the rest of a channel back, and returns how much of it came. Nothing is charged to it meanwhile.
    ///
    /// # Errors
    ///
    /// When a call is paid out of it at the moment, and when the registry does not give it back. After the channel's
    /// delay its payer can take it back alone, on the chain.
    pub async fn close_channel(&self, channel: &Channel, buyer: &Buyer) -> Result<Atomic, ClientError> {
        let ask = || self.request(Method::GET, &channel.path);
        let mut required = self.required(&self.send(ask()).await?)?;
        for _ in 0..2 {
            let offers = &mut required.accepts.iter();
            let way = offers.find(|way| way.scheme == Scheme::Batch.as_str());
            let way = way.ok_or_else(|| ClientError::NoWayToPay("it offers no channels any more".into()))?;
            let (mut held, wish) = buyer.sign_close(channel, way).await?;
            let wish = x402::encode(&wish);
            let response = self.insist(|| ask().header(x402::PAYMENT_SIGNATURE, &wish)).await?;
            if response.status() == StatusCode::PAYMENT_REQUIRED {
                let refused = self.required(&response)?;
                if refused.accepts.iter().any(|offer| buyer.learn(&mut held, &offer.extra)) {
                    required = refused;
                    continue;
                }
            }
            let settled = settlement(&response);
            self.expect_success(response).await?;
            let before = held.channel.left();
            let extra = settled.and_then(|settled| settled.extra);
            return match extra.is_some_and(|extra| buyer.learn(&mut held, &extra)) {
                true => Ok(Atomic(before.0.saturating_sub(held.channel.left().0))),
                false => Err(self.odd("it does not say where the channel stands".into())),
            };
        }
        Err(self.odd("it says otherwise each time where the channel stands".into()))
    }

    /// Sends a paid request until it is answered.
    async fn insist(&self, request: impl Fn() -> RequestBuilder) -> Result<Response, ClientError> {
        let mut wait = Duration::from_millis(250);
        for _ in 0..PAID_TRIES_MAX {
            match self.send(request()).await {
                // Not an answer, and not a reason to pay anew: the registry knows this payment and will say.
                Ok(response) if response.status() == StatusCode::SERVICE_UNAVAILABLE => {}
                Err(ClientError::Transport { .. }) => {}
                answered => return answered,
            }
            tokio::time::sleep(wait).await;
            wait = (wait * 2).min(Duration::from_secs(5));
        }
        Err(ClientError::Undecided)
    }

    async fn send_call(&self, call: &Call<'_>, payment: Option<&str>) -> Result<Response, ClientError> {
        self.send(self.call_request(call, payment)).await
    }

    fn call_request(&self, call: &Call<'_>, payment: Option<&str>) -> RequestBuilder {
        let path = function_path("/v1/call", call.release, call.function);
        let request = self.request(Method::POST, &path).json(&call.body);
        match payment {
            Some(payment) => request.header(x402::PAYMENT_SIGNATURE, payment),
            None => request,
        }
    }

    pub(crate) fn required(&self, response: &Response) -> Result<PaymentRequired, ClientError> {
        let header = response.headers().get(x402::PAYMENT_REQUIRED).and_then(|value| value.to_str().ok());
        let header = header.ok_or_else(|| self.odd("402 without a PAYMENT-REQUIRED header".into()))?;
        x402::decode(header).map_err(|error| self.odd(error.to_string()))
    }
}

/// What is paid for.
pub(crate) trait Bought: Sized {
    /// Reads it from the answer.
    async fn read(client: &Client, response: Response) -> Result<Self, ClientError>;

    /// Returns what the answer says was charged; `None` where it does not say, and all that was signed counts.
    fn charged(&self) -> Option<Atomic>;
}

impl Bought for CallResponse {
    async fn read(client: &Client, response: Response) -> Result<Self, ClientError> {
        client.read(response).await
    }

    fn charged(&self) -> Option<Atomic> {
        self.charged.amount.parse().ok()
    }
}

impl Bought for CreditResponse {
    async fn read(client: &Client, response: Response) -> Result<Self, ClientError> {
        client.read(response).await
    }

    fn charged(&self) -> Option<Atomic> {
        self.credited.amount.parse().ok()
    }
}

/// Reads how a payment was settled.
fn settlement(response: &Response) -> Option<SettleResponse> {
    let header = response.headers().get(x402::PAYMENT_RESPONSE)?.to_str().ok()?;
    x402::decode(header).ok()
}

/// Says what became of a payment, if the answer says so.
fn outcome<T: Bought>(bought: &Result<T, ClientError>) -> Option<Outcome> {
    match bought {
        Ok(bought) => bought.charged().map(Outcome::Charged),
        // The call may still be taken up again after an error of the registry's own.
        Err(ClientError::Problem(problem)) if problem.status < 500 || problem.status == 504 => {
            match problem.charged.parse() {
                Ok(Atomic::ZERO) => Some(Outcome::NotCharged),
                Ok(amount) => Some(Outcome::Charged(amount)),
                Err(_) => None,
            }
        }
        Err(_) => None,
    }
}
