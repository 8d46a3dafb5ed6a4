//! The API of facilitators: what `POST /verify`, `POST /settle` and `GET /supported` answer for any facilitator.
//!
//! JSON in, JSON out; who listens, and to whom, is decided above. See the x402 specification, version 2, section 7.

use alloy_primitives::Address;
use glassbox_core::Atomic;
use glassbox_core::limits::FACILITATOR_BODY_BYTES_MAX;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::facilitator::{Facilitator, Rejection, Settlement};
use crate::payment::{self, Authorization};
use crate::scheme::Scheme;
use crate::scheme::batch::Action;
use crate::x402::extensions::gas_sponsoring;
use crate::x402::{ErrorCode, PaymentPayload, PaymentRequirements, VERSION, clip};

/// The field of an answer's `extra` that tells the number of the block, which stock facilitators leave out.
pub(crate) const BLOCK: &str = "block";

/// An answer: its HTTP status and its JSON.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// 200 for every verdict, 400 for what is no question, 503 while nobody knows.
    pub status: u16,
    /// The body.
    pub body: Value,
}

/// What is asked about a payment.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Question {
    x402_version: u32,
    payment_payload: PaymentPayload,
    payment_requirements: PaymentRequirements,
}

/// A question in our terms.
struct Asked {
    payload: PaymentPayload,
    /// The offer that was taken: its amount is what the payer signed.
    offered: PaymentRequirements,
    authorization: Authorization,
    /// What is to be settled.
    amount: Atomic,
}

/// Answers `POST /verify`.
pub async fn verify(facilitator: &dyn Facilitator, body: &[u8]) -> Answer {
    let question = match read(body) {
        Ok(question) => question,
        Err(rejection) => return Answer { status: 400, body: invalid(&rejection) },
    };
    let Question { payment_payload: payload, payment_requirements: offered, .. } = question;
    let body = match facilitator.verify(&payload, &offered).await {
        Ok(verified) => json!({ "isValid": true, "payer": verified.payer.to_checksum(None) }),
        Err(rejection) => invalid(&rejection),
    };
    Answer { status: 200, body }
}

/// Answers `POST /settle`. While nobody knows whether the money moved there is no verdict: the wire has no word for
/// that, and `success: false` would make a server ask its client for another payment.
pub async fn settle(facilitator: &dyn Facilitator, body: &[u8]) -> Answer {
    let question = match read(body) {
        Ok(question) => question,
        Err(rejection) => return Answer { status: 400, body: failed(facilitator, &rejection) },
    };
    let asked = match Asked::of(question) {
        Ok(asked) => asked,
        Err(rejection) => return Answer { status: 200, body: failed(facilitator, &rejection) },
    };
    if asked.amount == Atomic::ZERO {
        // `upto`, and nothing was used: there is no transaction.
        let payer = asked.authorization.payer();
        return Answer { status: 200, body: done(facilitator, payer, Atomic::ZERO, "", Map::new()) };
    }
    let body = match facilitator.settle(&asked.payload, &asked.offered, asked.amount).await {
        Settlement::Settled { transaction, payer, amount, block } => {
            let extra = Map::from_iter([(BLOCK.to_owned(), block.into())]);
            done(facilitator, payer, amount, &transaction.to_string(), extra)
        }
        Settlement::Rejected(rejection) => failed(facilitator, &rejection),
        Settlement::Unknown { detail } => {
            tracing::warn!(detail, "Cannot say yet whether a payment is settled");
            let message =
                "it is not known yet whether the payment is settled; ask again with the same payment";
            let body = json!({ "error": ErrorCode::SettlementPending, "message": message });
            return Answer { status: 503, body };
        }
    };
    Answer { status: 200, body }
}

/// Answers `GET /supported`.
pub fn supported(facilitator: &dyn Facilitator) -> Answer {
    let schemes = facilitator.schemes();
    let offer = |scheme| facilitator.offer(scheme, Atomic(1), facilitator.treasury(), 60);
    let kinds = schemes.iter().map(|&scheme| {
        let mut extra = offer(scheme).extra;
        // These are the token's, and the offer's to say.
        extra.retain(|name, _| !matches!(name.as_str(), "name" | "version"));
        json!({
            "x402Version": VERSION,
            "scheme": scheme.as_str(),
            "network": facilitator.network().to_string(),
            "extra": extra,
        })
    });
    let sponsors = schemes.contains(&Scheme::Upto);
    let body = json!({
        "kinds": kinds.collect::<Vec<_>>(),
        "extensions": if sponsors { vec![gas_sponsoring::NAME] } else { Vec::new() },
        "signers": { "eip155:*": [facilitator.treasury().to_checksum(None)] },
    });
    Answer { status: 200, body }
}

fn read(body: &[u8]) -> Result<Question, Rejection> {
    let refused = |message| Rejection::new(ErrorCode::InvalidPayload, message);
    if body.len() > FACILITATOR_BODY_BYTES_MAX {
        return Err(refused(format!("a question has at most {FACILITATOR_BODY_BYTES_MAX} bytes")));
    }
    let question: Question = serde_json::from_slice(body)
        .map_err(|error| refused(format!("it is no question: {}", clip(&error.to_string()))))?;
    if question.x402_version != VERSION {
        let message = format!("x402 version {VERSION} is spoken here, not {}", question.x402_version);
        return Err(Rejection::new(ErrorCode::InvalidX402Version, message));
    }
    Ok(question)
}

impl Asked {
    /// Under `upto` the amount asked for is what was used, and the ceiling stands in what the client took; it is what
    /// the payer signed, or the payment does not pass.
    fn of(question: Question) -> Result<Self, Rejection> {
        let Question { payment_payload: payload, payment_requirements: mut offered, .. } = question;
        let mut used = None;
        if offered.scheme == Scheme::Upto.as_str() {
            let amount = offered
                .amount
                .parse::<Atomic>()
                .map_err(|error| Rejection::new(ErrorCode::InvalidPaymentRequirements, error.to_string()))?;
            used = Some(amount);
            offered.amount.clone_from(&payload.accepted.amount);
        }
        let authorization = payment::read(&payload, &offered)?;
        let amount = match (&authorization, used) {
            (_, Some(used)) => used,
            (Authorization::Exact(exact), None) => exact.amount,
            (Authorization::Upto(upto), None) => upto.ceiling,
            (Authorization::Batch(batch), None) => match &batch.action {
                Action::Deposit(deposit) => deposit.amount,
                Action::Voucher | Action::Refund(_) => batch.max_claimable,
            },
        };
        Ok(Self { payload, offered, authorization, amount })
    }
}

fn invalid(rejection: &Rejection) -> Value {
    json!({ "isValid": false, "invalidReason": rejection.code, "invalidMessage": rejection.message })
}

fn failed(facilitator: &dyn Facilitator, rejection: &Rejection) -> Value {
    json!({
        "success": false,
        "errorReason": rejection.code,
        "errorMessage": rejection.message,
        "transaction": "",
        "network": facilitator.network().to_string(),
    })
}

fn done(
    facilitator: &dyn Facilitator,
    payer: Address,
    amount: Atomic,
    transaction: &str,
    extra: Map<String, Value>,
) -> Value {
    json!({
        "success": true,
        "payer": payer.to_checksum(None),
        "transaction": transaction,
        "network": facilitator.network().to_string(),
        "amount": amount.to_string(),
        "extra": extra,
    })
}
