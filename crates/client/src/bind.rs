//! Whether an answer is the answer to what was asked.
//!
//! A receipt that holds may still be somebody else's. Here it is tied to the request that was sent and to the output that
//! came, before anybody relies on either.

use glassbox_api::CallResponse;
use glassbox_core::Hashed;
use glassbox_core::key::PublicKey;
use glassbox_core::receipt::{Outcome, Receipt, Request};
use glassbox_core::value::{FunctionType, json};

use crate::error::ClientError;
use crate::pay::Call;

/// The number of hexadecimal digits in a call's id.
const CALL_ID_DIGITS: usize = 32;

/// Checks that `response` answers `call`, of a function of type `ty`, by the registry whose key is `executor`.
///
/// Returns the receipt, which then speaks of this request, this output and this charge.
pub fn check_reply(
    call: &Call<'_>,
    ty: &Hashed<FunctionType>,
    response: &CallResponse,
    executor: &PublicKey,
) -> Result<Receipt, ClientError> {
    let unbound = |what: &str| ClientError::Receipt(what.to_owned());
    let (report, receipt) = response.receipt.verify(Some(executor));
    if let Some(check) = report.checks.iter().find(|check| !check.holds) {
        return Err(ClientError::Receipt(format!("{}: {}", check.name, check.detail)));
    }
    let receipt = receipt.ok_or_else(|| unbound("it is not signed"))?;
    let opening = &response.receipt.opening;
    let holds = |holds: bool, what: &str| if holds { Ok(()) } else { Err(unbound(what)) };
    // The id becomes a file name: nothing but digits, whatever a registry calls its calls.
    let is_id = receipt.call.len() == CALL_ID_DIGITS && receipt.call.bytes().all(|b| b.is_ascii_hexdigit());
    holds(is_id && receipt.call == response.call, "it is of another call")?;
    let same_release = receipt.release.package == call.release.package
        && call.release.version.as_ref().is_none_or(|version| *version == receipt.release.version);
    holds(same_release, "it is of another release")?;
    holds(
        receipt.function.matches(call.function) && opening.function_type == *ty,
        "it is of another function",
    )?;
    holds(call.body.fuel.is_none_or(|fuel| fuel == receipt.fuel_max), "it has another fuel ceiling")?;
    let args = json::args_from_json(ty, &call.body.args).map_err(|error| unbound(&error.to_string()))?;
    let request = Request {
        component: receipt.component,
        files: receipt.files,
        terms: opening.terms.digest(),
        function: &receipt.function,
        fuel_max: receipt.fuel_max,
        function_type: ty,
        args: &args,
        nonce: call.body.nonce.as_deref(),
        grants: call.body.grants.as_deref(),
    };
    holds(response.receipt.answers(&receipt, &request), "it is of other arguments")?;
    holds(matches!(receipt.outcome, Outcome::Returned { .. }), "it is of a call that failed")?;
    let output = opening.output.clone().unwrap_or_default();
    holds(output == response.output, "it is of another output")?;
    let charged = response.charged.amount == receipt.charge.amount.to_string()
        && response.fuel_used == receipt.fuel_used;
    holds(charged, "it is of another charge")?;
    Ok(receipt)
}
