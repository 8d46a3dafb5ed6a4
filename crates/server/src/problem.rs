//! Errors on the wire: one status and one shape for each code, decided here and nowhere else.

use std::any::Any;
use std::time::Duration;

use axum::Json;
use axum::extract::Request;
use axum::http::{HeaderValue, Method, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use glassbox_api::Problem;
use glassbox_core::limits;
use glassbox_core::name::NameError;
use glassbox_pay::x402::{self, ErrorCode, PaymentRequired, v1};
use glassbox_registry::{
    AccountError, ActError, AdviseError, AttestError, CallError, ConfirmError, OperatorError, PublishError,
    RegistryError, Retry, chain,
};
use serde_json::json;

use crate::routes::company::approval_response;

/// A problem as a response: its status, its media type, and the headers that go with it.
#[derive(Debug)]
pub(crate) struct Refusal {
    problem: Box<Problem>,
    headers: Vec<(&'static str, String)>,
}

impl Refusal {
    pub(crate) fn new(
        status: StatusCode,
        code: &str,
        detail: impl Into<String>,
        next: impl Into<String>,
    ) -> Self {
        Self { problem: Box::new(Problem::new(status.as_u16(), code, detail, next)), headers: Vec::new() }
    }

    /// Returns what it says, for those who do not speak HTTP.
    pub(crate) fn into_problem(self) -> Problem {
        *self.problem
    }

    pub(crate) fn retry(mut self, retry: Retry) -> Self {
        self.problem.retry = match retry {
            Retry::Never => "never",
            Retry::AfterChange => "after-change",
            Retry::WithPayment => "with-payment",
            Retry::After(seconds) => {
                self.problem.retry_after_seconds = Some(seconds);
                self.headers.push(("retry-after", seconds.to_string()));
                "later"
            }
        }
        .into();
        self
    }

    pub(crate) fn with(mut self, name: &str, value: serde_json::Value) -> Self {
        self.problem.extra.insert(name.into(), value);
        self
    }

    /// Puts into the body what the header asks for: as version 2 of x402 writes it, and beside it as version 1 does, whose
    /// clients read bodies.
    fn asking(self, required: &PaymentRequired) -> Self {
        let refusal = self.with("required", json!(required));
        let Some(first) = v1::required(required) else { return refusal };
        refusal.with("x402Version", json!(first.x402_version)).with("accepts", json!(first.accepts))
    }

    fn header(mut self, name: &'static str, value: String) -> Self {
        self.headers.push((name, value));
        self
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, Json(self.problem)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(Problem::MEDIA_TYPE));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        for (name, value) in self.headers {
            if let Ok(value) = HeaderValue::from_str(&value) {
                headers.insert(name, value);
            }
        }
        response
    }
}

fn status_of(code: &str) -> StatusCode {
    match code {
        "package-not-found"
        | "release-not-found"
        | "function-not-found"
        | "receipt-not-found"
        | "advisory-not-found"
        | "namespace-not-found"
        | "release-yanked"
        | "files-not-published"
        | "document-not-found"
        | "source-not-published" => StatusCode::NOT_FOUND,
        "component-not-downloadable"
        | "release-not-remote"
        | "release-held"
        | "release-quarantined"
        | "operator-not-allowed"
        | "namespace-taken"
        | "namespace-confusable"
        | "package-confusable"
        | "namespace-frozen"
        | "threshold-missed"
        | "attestation-not-publishers"
        | "advisory-refused"
        | "confirmation-refused"
        | "operator-key"
        | "operator-only" => StatusCode::FORBIDDEN,
        "payment-required"
        | "payment-invalid"
        | "payment-not-settled"
        | "credit-short"
        | "sign-in-refused" => StatusCode::PAYMENT_REQUIRED,
        "token-refused" | "proof-refused" | "account-required" | "account-refused" => {
            StatusCode::UNAUTHORIZED
        }
        "company-refused" | "approver-only" | "approval-own" => StatusCode::FORBIDDEN,
        "company-not-served" | "account-token-not-found" | "approval-not-found" => StatusCode::NOT_FOUND,
        "account-exists"
        | "account-tokens-full"
        | "account-pays-otherwise"
        | "month-open"
        | "approval-decided" => StatusCode::CONFLICT,
        "account-invalid" | "cost-center-unknown" | "payee-invalid" | "reason-invalid" | "notice-invalid" => {
            StatusCode::BAD_REQUEST
        }
        "notice-not-found" | "call-not-charged" => StatusCode::NOT_FOUND,
        "notices-full" | "notice-decided" | "refund-too-much" | "refund-waits" | "payment-lost" => {
            StatusCode::CONFLICT
        }
        "token-spent" | "license-required" | "license-refused" | "source-denied" | "oidc-refused" => {
            StatusCode::FORBIDDEN
        }
        "account-not-found" => StatusCode::NOT_FOUND,
        "reply-forgotten" => StatusCode::GONE,
        "amount-invalid" => StatusCode::BAD_REQUEST,
        "none-to-choose" | "payment-bound" | "release-exists" | "release-not-held" | "advisory-exists"
        | "attestations-full" | "act-out-of-order" | "act-without-effect" | "policy-pending"
        | "policy-not-pending" => StatusCode::CONFLICT,
        "too-many-failures" | "packages-too-many" => StatusCode::TOO_MANY_REQUESTS,
        "busy"
        | "settlement-pending"
        | "log-behind"
        | "domain-silent"
        | "oidc-silent"
        | "executor-quarantined" => StatusCode::SERVICE_UNAVAILABLE,
        "call-timed-out" => StatusCode::GATEWAY_TIMEOUT,
        "component-too-large" => StatusCode::PAYLOAD_TOO_LARGE,
        "internal" => StatusCode::INTERNAL_SERVER_ERROR,
        "name-invalid"
        | "arguments-invalid"
        | "fuel-ceiling-invalid"
        | "nonce-too-long"
        | "license-invalid"
        | "idempotency-key-required"
        | "earnings-too-many"
        | "grants-invalid" => StatusCode::BAD_REQUEST,
        _ => StatusCode::UNPROCESSABLE_ENTITY,
    }
}

impl From<NameError> for Refusal {
    fn from(error: NameError) -> Self {
        RegistryError::from(error).into()
    }
}

impl From<RegistryError> for Refusal {
    fn from(error: RegistryError) -> Self {
        if error.code() == "internal" {
            tracing::error!(error = chain(&error), "A request failed inside");
        }
        let refusal = Self::new(status_of(error.code()), error.code(), error.to_string(), error.next());
        refusal.retry(error.retry())
    }
}

impl From<PublishError> for Refusal {
    fn from(error: PublishError) -> Self {
        let code = error.code();
        if code == "internal" {
            tracing::error!(error = chain(&error), "A publish failed inside");
        }
        // The publisher wrote what failed, so every cause is theirs to read; a store's is the operator's.
        let detail = if code == "internal" { error.to_string() } else { chain(&error) };
        let retry = match code {
            "internal" => Retry::After(5),
            "log-behind" => Retry::After(600),
            _ => Retry::AfterChange,
        };
        let refusal = Self::new(status_of(code), code, detail, error.next()).retry(retry);
        match &error {
            PublishError::TestsFailed(report) => {
                let failed: Vec<_> = report.cases.iter().filter(|case| !case.passed).take(20).collect();
                refusal.with("tests", json!(failed))
            }
            PublishError::Manifest(manifest) => {
                refusal.with("rule", json!(manifest.rule)).with("line", json!(manifest.line))
            }
            _ => refusal,
        }
    }
}

impl From<AdviseError> for Refusal {
    fn from(error: AdviseError) -> Self {
        match error {
            AdviseError::Registry(error) => error.into(),
            error => Self::new(status_of(error.code()), error.code(), chain(&error), error.next())
                .retry(Retry::AfterChange),
        }
    }
}

impl From<ConfirmError> for Refusal {
    fn from(error: ConfirmError) -> Self {
        match error {
            ConfirmError::Find(error) => error.into(),
            error => Self::new(status_of(error.code()), error.code(), chain(&error), error.next())
                .retry(Retry::AfterChange),
        }
    }
}

impl From<AttestError> for Refusal {
    fn from(error: AttestError) -> Self {
        match error {
            AttestError::Find(error) => error.into(),
            error => Self::new(status_of(error.code()), error.code(), chain(&error), error.next())
                .retry(Retry::AfterChange),
        }
    }
}

impl From<ActError> for Refusal {
    fn from(error: ActError) -> Self {
        let code = error.code();
        if code == "internal" {
            tracing::error!(error = chain(&error), "An act failed inside");
        }
        // The actor wrote what failed, so every cause is theirs to read; a store's is the operator's.
        let detail = if code == "internal" { error.to_string() } else { chain(&error) };
        Self::new(status_of(code), code, detail, error.next()).retry(error.retry())
    }
}

impl From<OperatorError> for Refusal {
    fn from(error: OperatorError) -> Self {
        match error {
            OperatorError::Registry(error) => error.into(),
            error => Self::new(status_of(error.code()), error.code(), error.to_string(), error.next())
                .retry(Retry::AfterChange),
        }
    }
}

impl From<AccountError> for Refusal {
    fn from(error: AccountError) -> Self {
        match error {
            AccountError::Registry(error) => error.into(),
            error => Self::new(status_of(error.code()), error.code(), error.to_string(), error.next())
                .retry(Retry::AfterChange),
        }
    }
}

impl From<CallError> for Refusal {
    fn from(error: CallError) -> Self {
        let code = error.code();
        if code == "internal" {
            tracing::error!(error = chain(&error), "A call failed inside");
        }
        let status = match &error {
            CallError::PaymentRequired { required, .. } if lacks_allowance(required) => {
                StatusCode::PRECONDITION_FAILED
            }
            _ => status_of(code),
        };
        let mut refusal = Self::new(status, code, error.to_string(), error.next()).retry(error.retry());
        refusal.problem.charged =
            error.charged().map_or_else(|| "unknown".into(), |charged| charged.to_string());
        match error {
            CallError::PaymentRequired { required, .. }
            | CallError::CreditSpent { required, .. }
            | CallError::SignIn { required, .. } => {
                refusal.header(x402::PAYMENT_REQUIRED, x402::encode(&*required)).asking(&required)
            }
            CallError::NotSettled { response, required } => refusal
                .header(x402::PAYMENT_REQUIRED, x402::encode(&*required))
                .header(x402::PAYMENT_RESPONSE, x402::encode(&*response))
                .with("required", json!(required)),
            CallError::Failed(failure) => {
                let refusal = match &failure.reply.settlement {
                    Some(settlement) => refusal.header(x402::PAYMENT_RESPONSE, x402::encode(settlement)),
                    None => refusal,
                };
                refusal.with("call", json!(failure.reply.call)).with("receipt", json!(failure.reply.bundle))
            }
            CallError::Pending { call } => refusal.with("call", json!(call)),
            CallError::Policy(refused) => {
                let refusal = refusal.with("rule", json!(refused.rule));
                match refused.approval {
                    Some(approval) => refusal.with("approval", json!(approval_response(*approval))),
                    None => refusal,
                }
            }
            _ => refusal,
        }
    }
}

/// Tells whether the payer only has to let Permit2 move its tokens. Clients of x402 know that by a status of its own.
fn lacks_allowance(required: &PaymentRequired) -> bool {
    required.error.as_deref() == Some(ErrorCode::Permit2AllowanceRequired.as_str())
}

/// Answers for a path that leads nowhere.
pub(crate) async fn no_such_route(uri: Uri) -> Refusal {
    let path: String = uri.path().chars().take(120).collect();
    Refusal::new(
        StatusCode::NOT_FOUND,
        "route-not-found",
        format!("there is nothing at `{path}`"),
        "see /openapi.json",
    )
}

/// Answers for a method that a path does not take.
pub(crate) async fn no_such_method(method: Method, uri: Uri) -> Refusal {
    let path: String = uri.path().chars().take(120).collect();
    let detail = format!("`{path}` does not take {method}");
    Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed", detail, "see /openapi.json")
}

/// Lets a request take no longer than [`in_time`] lets its answer.
pub(crate) async fn too_slow(request: Request, next: Next) -> Response {
    in_time(next.run(request)).await
}

/// Answers for a request that takes too long: a body that trickles in must not hold a connection for ever. A paid call
/// goes on by itself, and its reply waits.
pub(crate) async fn in_time(answer: impl Future<Output = Response>) -> Response {
    let patience = Duration::from_secs(limits::REQUEST_SECONDS_MAX);
    match tokio::time::timeout(patience, answer).await {
        Ok(response) => response,
        Err(_) => {
            let detail = format!("the request took longer than {} seconds", limits::REQUEST_SECONDS_MAX);
            let next = "send it again; a paid call with the same payment";
            let mut refusal = Refusal::new(StatusCode::GATEWAY_TIMEOUT, "request-timed-out", detail, next);
            refusal.problem.charged = "unknown".into();
            refusal.retry(Retry::After(5)).into_response()
        }
    }
}

/// Answers for a panic, which is a mistake of ours: the message goes to the log and not to the caller.
pub(crate) fn panicked(panic: Box<dyn Any + Send + 'static>) -> Response {
    let message = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("no message");
    tracing::error!(message, "A request panicked");
    let detail = "the registry made a mistake";
    let mut refusal = Refusal::new(
        StatusCode::INTERNAL_SERVER_ERROR,
        "internal",
        detail,
        "try again, or tell the operator",
    );
    refusal.problem.charged = "unknown".into();
    refusal.retry(Retry::After(5)).into_response()
}
