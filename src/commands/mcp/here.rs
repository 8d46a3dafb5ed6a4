//! Running on this machine: instead of a call, or to see that a call gave what it should.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use glassbox_client::Client;
use glassbox_core::receipt::{Bundle, Receipt};
use glassbox_core::value::json;
use glassbox_core::{Digest, PackageRef};
use glassbox_mcp::{Asked, Called};
use glassbox_registry::{Code, failure_code};
use glassbox_sandbox::{Flow, Function, Grants, Invocation, Outcome, RunLimits, Sandbox};
use serde_json::json as value;

use super::{Release, nothing};
use crate::failure::Failure;
use crate::sandbox;

/// A component's bytes, under their digest.
type Component = (Digest, Arc<Vec<u8>>);

/// How many components are kept in memory.
const COMPONENTS_MAX: usize = 16;

/// Components that were downloaded, and the sandbox that they run in.
#[derive(Default)]
pub(super) struct Here {
    sandbox: OnceLock<Sandbox>,
    components: Mutex<HashMap<PackageRef, Component>>,
}

impl Here {
    /// Runs a function of a component that asks nothing of the host, within the release's own ceiling of fuel.
    pub(super) async fn run(
        &self,
        client: &Client,
        release: &Release,
        function: &Function,
        asked: &Asked,
    ) -> Result<Called, Failure> {
        let invalid = |error: glassbox_core::value::ValueError| {
            let hint = format!("the signature is {}", function.signature);
            Failure::no("arguments-invalid", error.to_string(), hint)
        };
        let args = json::args_from_json(&function.ty, &asked.body.args).map_err(invalid)?;
        let (digest, component) = self.component(client, release).await?;
        let sandbox = self.sandbox()?.clone();
        let compiler = sandbox.clone();
        let prepared =
            tokio::task::spawn_blocking(move || compiler.prepare(digest, &component, &Grants::default()))
                .await
                .map_err(|error| Failure::error("internal", error.to_string(), ""))?
                .map_err(|error| {
                    Failure::error("internal", error.to_string(), "set `local = false` under [agent]")
                })?;
        let fuel = asked.body.fuel.unwrap_or(u64::MAX).min(release.response.fuel_max);
        let limits = RunLimits { fuel, ..RunLimits::default() };
        let invocation = Invocation::new(&function.name, &function.ty, args.into(), limits);
        let run =
            sandbox.run(&prepared, invocation, Flow::new("here", release.response.release.clone())).await;
        let output = match run.outcome {
            Outcome::Returned(returned) => {
                let result = function.ty.result.as_ref().zip(returned.as_ref());
                result.map(|(ty, returned)| json::to_json(returned, ty)).transpose().map_err(invalid)?
            }
            Outcome::Failed(failure) => {
                let code = failure_code(failure.kind.name());
                let message = format!("{}: {}", failure.kind, failure.message);
                return Err(Failure::no(code, message, "it ran on this machine, and cost nothing"));
            }
        };
        Ok(Called {
            output: output.unwrap_or_default(),
            charged: nothing(),
            fuel_used: run.fuel_used,
            call: None,
            replayed: false,
            receipt: None,
            settlement: None,
            source: None,
            sources: None,
            notes: vec![("ran", value!("on this machine: its terms allow it, and it costs nothing"))],
        })
    }

    /// Runs a call again, and fails where it does not give the same.
    pub(super) async fn replay(
        &self,
        client: &Client,
        release: &Release,
        bundle: &Bundle,
        receipt: &Receipt,
    ) -> Result<(), Failure> {
        let (_, component) = self.component(client, release).await?;
        let (mut report, _) = bundle.verify(None);
        let mut dependencies = Vec::new();
        for (id, _) in receipt.linked_components() {
            let id = PackageRef { package: id.package, version: Some(id.version) };
            dependencies.push(client.component(&id).await?);
        }
        let code = Code { component: &component, files: None, dependencies: &dependencies };
        glassbox_registry::replay(self.sandbox()?, bundle, receipt, code, &mut report).await;
        match report.checks.iter().find(|check| !check.holds) {
            None => Ok(()),
            Some(check) => {
                let message =
                    format!("run again, the call does not give the same: {}: {}", check.name, check.detail);
                Err(Failure::no("receipt-invalid", message, "do not rely on this answer; tell the operator"))
            }
        }
    }

    /// Returns the component of a release, which must be what its publisher signed, as the log has it.
    async fn component(&self, client: &Client, release: &Release) -> Result<Component, Failure> {
        let known = self.components.lock().unwrap_or_else(PoisonError::into_inner).get(&release.id).cloned();
        if let Some(known) = known {
            return Ok(known);
        }
        let signed = &release.logged.release;
        let id = signed.release.clone();
        let downloaded = client.download_signed(&release.response, id, None, signed.component, None).await?;
        let component = (downloaded.digest, Arc::new(downloaded.bytes));
        let mut components = self.components.lock().unwrap_or_else(PoisonError::into_inner);
        if components.len() >= COMPONENTS_MAX {
            components.clear();
        }
        components.insert(release.id.clone(), component.clone());
        Ok(component)
    }

    fn sandbox(&self) -> Result<&Sandbox, Failure> {
        if let Some(sandbox) = self.sandbox.get() {
            return Ok(sandbox);
        }
        let sandbox = sandbox::temporary()?;
        Ok(self.sandbox.get_or_init(|| sandbox))
    }
}
