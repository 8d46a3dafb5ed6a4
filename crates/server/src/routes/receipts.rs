//! Receipts and executors: checked, proved, found out.

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use glassbox_api::{
    ContradictionRequest, ContradictionResponse, ExecutorResponse, Problem, ProofResponse, VerifyResponse,
};
use glassbox_core::Digest;
use glassbox_core::key::PublicKey;
use glassbox_core::receipt::{Bundle, Certificate};
use glassbox_registry::{AccusationError, ReceiptProof, Retry};
use serde_json::Value;

use crate::app::App;
use crate::extract::{Body, Path};
use crate::problem::Refusal;

/// Checks a receipt: the bundle that a caller was given. Nothing of it is kept.
#[utoipa::path(post, path = "/v1/verify", tag = "call", request_body = Object,
    responses((status = 200, body = VerifyResponse), (status = 400, body = Problem)))]
pub(crate) async fn verify(
    State(app): State<App>,
    Body(body): Body<Value>,
) -> Result<Json<VerifyResponse>, Refusal> {
    let bundle = Bundle::from_value(body).map_err(|error| {
        let next = "send the receipt as its caller was given it";
        Refusal::new(StatusCode::BAD_REQUEST, "receipt-invalid", glassbox_registry::chain(&error), next)
    })?;
    let (report, receipt) = app.registry.verify_bundle(&bundle).await?;
    Ok(Json(VerifyResponse::of(report, receipt)))
}

/// Returns the proof that a receipt is logged, for whoever knows the digest of its payload.
#[utoipa::path(get, path = "/v1/verify/{digest}", tag = "call",
    responses((status = 200, body = ProofResponse), (status = 400, body = Problem), (status = 404, body = Problem)))]
pub(crate) async fn proof(
    State(app): State<App>,
    Path(digest): Path<String>,
) -> Result<Json<ProofResponse>, Refusal> {
    let digest: Digest = parse(&digest)?;
    let (logged, proof) = match app.registry.prove_receipt(digest).await? {
        ReceiptProof::Logged(proof) => (true, Some(proof)),
        ReceiptProof::Waiting => (false, None),
        ReceiptProof::Unknown => {
            let detail = format!("there is no receipt {digest} here");
            let next = "receipts of paid calls are logged; that of a free call is its caller's alone";
            return Err(Refusal::new(StatusCode::NOT_FOUND, "receipt-not-found", detail, next));
        }
    };
    Ok(Json(ProofResponse { receipt: digest.to_string(), logged, proof }))
}

/// Returns what the log says of an executor.
#[utoipa::path(get, path = "/v1/executors/{did}", tag = "log",
    responses((status = 200, body = ExecutorResponse), (status = 400, body = Problem), (status = 404, body = Problem)))]
pub(crate) async fn executor(
    State(app): State<App>,
    Path(did): Path<String>,
) -> Result<Json<ExecutorResponse>, Refusal> {
    let key: PublicKey = parse(&did)?;
    let standing = app.registry.executor_standing(&key).await?;
    let record = standing.record.ok_or(AccusationError::Unknown(Box::new(key)))?;
    Ok(Json(ExecutorResponse {
        executor: key.to_string(),
        operator: record.operator.to_string(),
        profile: record.profile.to_string(),
        url: record.url,
        quarantined: standing.quarantined,
        contradictions: standing.contradictions.iter().map(Digest::to_string).collect(),
    }))
}

/// Takes a certificate that an executor signed what cannot be true. One that holds is logged, and the executor's receipts
/// count no longer.
#[utoipa::path(post, path = "/v1/contradictions", tag = "log", request_body = ContradictionRequest,
    responses((status = 200, body = ContradictionResponse, description = "the executor had been found out before"),
              (status = 201, body = ContradictionResponse), (status = 400, body = Problem),
              (status = 404, body = Problem), (status = 422, body = Problem), (status = 503, body = Problem)))]
pub(crate) async fn accuse(
    State(app): State<App>,
    Body(ContradictionRequest { format, receipts }): Body<ContradictionRequest>,
) -> Result<Response, Refusal> {
    let accused = app.registry.accuse(&Certificate { format, receipts }).await?;
    let status = if accused.new { StatusCode::CREATED } else { StatusCode::OK };
    let response = ContradictionResponse {
        executor: accused.executor.to_string(),
        certificate: accused.certificate.to_string(),
        new: accused.new,
    };
    Ok((status, Json(response)).into_response())
}

/// Returns a certificate against an executor, whole: whoever reads it can check it.
#[utoipa::path(get, path = "/v1/executors/{did}/contradictions/{digest}", tag = "log",
    responses((status = 200, body = ContradictionRequest), (status = 400, body = Problem), (status = 404, body = Problem)))]
pub(crate) async fn contradiction(
    State(app): State<App>,
    Path((did, digest)): Path<(String, String)>,
) -> Result<Response, Refusal> {
    let bytes = app.registry.certificate(&parse(&did)?, parse(&digest)?).await?;
    Ok(([(header::CONTENT_TYPE, "application/json")], bytes).into_response())
}

fn parse<T: std::str::FromStr<Err: std::fmt::Display>>(text: &str) -> Result<T, Refusal> {
    text.parse().map_err(|error: T::Err| {
        let next = "write the path as /openapi.json describes it";
        Refusal::new(StatusCode::BAD_REQUEST, "path-invalid", error.to_string(), next)
    })
}

impl From<AccusationError> for Refusal {
    fn from(error: AccusationError) -> Self {
        let (status, retry) = match error {
            AccusationError::Registry(error) => return error.into(),
            AccusationError::Unknown(_) => (StatusCode::NOT_FOUND, Retry::AfterChange),
            AccusationError::Busy => (StatusCode::SERVICE_UNAVAILABLE, Retry::After(5)),
            AccusationError::Refused(_) | AccusationError::Undecided(_) => {
                (StatusCode::UNPROCESSABLE_ENTITY, Retry::Never)
            }
        };
        Self::new(status, error.code(), error.to_string(), error.next()).retry(retry)
    }
}
