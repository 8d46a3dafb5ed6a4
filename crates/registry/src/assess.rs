//! What a run comes to: what it owes, and what can be proved of it.

use std::collections::BTreeMap;

use glassbox_core::manifest::{Terms, Unit};
use glassbox_core::receipt::{Opening, Outcome};
use glassbox_core::split::split_bill;
use glassbox_core::terms::{Usage, bill, consumption};
use glassbox_core::tree::{Linked, Node};
use glassbox_core::value::{binary, json};
use glassbox_core::{Atomic, Digest};
use glassbox_sandbox::{Outcome as RunOutcome, Run};

use crate::call::{Plan, StoredFailure};
use crate::error::{CallError, RegistryError};
use crate::open::Registry;
use crate::settle::Executed;

/// What a run came to, and what took part in it.
pub(crate) struct Ran {
    pub(crate) run: Run,
    pub(crate) linked: Vec<Linked>,
    pub(crate) inner: Vec<Node>,
    pub(crate) works: BTreeMap<Digest, Terms>,
}

impl Plan {
    /// Tells whether a unit of this kind has a price.
    fn counts(&self, unit: &Unit) -> bool {
        self.live.terms.price.iter().any(|price| price.unit == *unit)
    }
}

impl Registry {
    /// Turns a run into what is owed and what can be proved.
    pub(crate) fn assess(
        &self,
        plan: &Plan,
        call: &str,
        ran: Ran,
        started_at_ms: i64,
    ) -> Result<Executed, CallError> {
        let Ran { run, linked, inner, works } = ran;
        let salt = self.env.random();
        let ty = &plan.function.ty;
        let damaged =
            |reason: String| CallError::Find(RegistryError::Damaged(plan.live.id.to_string(), reason));
        let unwritable = |error: glassbox_core::value::ValueError| damaged(error.to_string());
        let mut bytes_out = 0;
        let (outcome, output, failure) = match run.outcome {
            RunOutcome::Returned(value) => {
                bytes_out = binary::measure_result(ty, value.as_ref()).map_err(unwritable)? as u64;
                let output = Opening::output_digest(&salt, ty, value.as_ref()).map_err(unwritable)?;
                let json = match (&ty.result, &value) {
                    (Some(ty), Some(value)) => Some(json::to_json(value, ty).map_err(unwritable)?),
                    _ => None,
                };
                (Outcome::Returned { output }, json, None)
            }
            RunOutcome::Failed(failure) => {
                let kind = failure.kind.to_string();
                let deterministic = failure.kind.deterministic();
                let outcome = Outcome::Failed { failure: kind.clone() };
                let message = match failure.dependency {
                    Some(dependency) => format!("in {dependency}: {}", failure.message),
                    None => failure.message,
                };
                (outcome, None, Some(StoredFailure { kind, message, deterministic }))
            }
        };
        let fuel_used = run.fuel_used.min(plan.quote.fuel_max);
        let usage = Usage {
            bytes_in: binary::measure_args(ty, &plan.args).map_err(unwritable)? as u64,
            bytes_out,
            wait_ms: if plan.counts(&Unit::Second) {
                u64::try_from(run.waited.as_millis()).unwrap_or(u64::MAX)
            } else {
                0
            },
            events: run.events,
            ..Usage::of_fuel(fuel_used, outcome.ending())
        };
        let bill = bill(&plan.live.terms, &plan.quote, &usage, &inner, &works)
            .map_err(|error| damaged(error.to_string()))?;
        let charge = bill.charge();
        if charge.amount > Atomic::ZERO {
            // Before anything is settled that could not be divided.
            split_bill(&bill, self.config.fee_bps, &works, call)
                .map_err(|error| damaged(error.to_string()))?;
        }
        Ok(Executed {
            call: call.to_owned(),
            release: plan.live.id.clone(),
            manifest: Some(plan.live.manifest_digest),
            component: plan.component,
            world: Some(plan.live.manifest.spec.world.clone()),
            files: plan.live.files.map(|files| files.digest),
            function: plan.function.name.clone(),
            resource: plan.resource.as_ref().map(|resource| resource.url.clone()),
            input: Opening::input_digest(&salt, ty, &plan.args).map_err(unwritable)?,
            opening: Opening {
                salt: Digest::from_bytes(salt).hex(),
                function_type: ty.clone(),
                nonce: None,
                args: json::args_to_json(ty, &plan.args).map_err(unwritable)?,
                output,
                transcript: run.transcript,
                grants: plan.allowed.clone(),
                terms: plan.live.terms.clone(),
                works,
            },
            dependencies: linked,
            inner,
            outcome,
            failure,
            fuel_used,
            fuel_max: plan.quote.fuel_max,
            memory_bytes_max: plan.live.manifest.memory_max_bytes() as u64,
            pure: run.pure,
            grants: plan.allows.grants.iter().map(str::to_owned).collect(),
            consumed: consumption(&plan.live.terms, &plan.quote, &usage, &charge),
            account: plan.quote.account.clone(),
            events: usage.events,
            wait_ms: usage.wait_ms,
            charge,
            fee_bps: self.config.fee_bps,
            request: plan.request,
            terms_index: plan.live.terms_index,
            nonce: plan.nonce.clone(),
            checkpoint: self.checkpoint(),
            started_at_ms,
            finished_at_ms: self.env.now_ms(),
        })
    }
}
