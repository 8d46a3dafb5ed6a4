//! The guests, ready to run in our sandbox and in a bare engine.

use std::sync::Arc;

use anyhow::{Context as _, Result};
use glassbox_core::value::{FunctionType, Param, Type, Value};
use glassbox_core::{Digest, FunctionName};
use glassbox_sandbox::{Flow, Grants, Invocation, Outcome, Prepared, Run, RunLimits, Sandbox};
use tokio::runtime::Runtime;

use crate::measure::{Candidate, thread_cpu};

/// Linked with a stack of 64 KiB, as our templates are.
pub(crate) const SMALL_STACK: &[u8] = include_bytes!("../guest/dist/small-stack.wasm");
/// Linked with the usual stack of 1 MiB.
pub(crate) const LARGE_STACK: &[u8] = include_bytes!("../guest/dist/large-stack.wasm");

/// A guest in our sandbox.
#[derive(Clone)]
pub(crate) struct Guest {
    pub(crate) sandbox: Sandbox,
    pub(crate) prepared: Arc<Prepared>,
}

impl Guest {
    pub(crate) fn new(sandbox: &Sandbox, component: &[u8]) -> Result<Self> {
        let prepared = sandbox.prepare(Digest::of(component), component, &Grants::none())?;
        Ok(Self { sandbox: sandbox.clone(), prepared })
    }

    /// Runs a function on this thread.
    pub(crate) async fn run_here(&self, function: &Function, args: Arc<[Value]>) -> Run {
        self.sandbox.run_here(&self.prepared, function.invocation(args)).await
    }

    /// Makes runs of a function on this thread a candidate.
    pub(crate) fn candidate<'a>(
        &'a self,
        name: &'a str,
        runtime: &'a Runtime,
        function: &'a Function,
        args: &Arc<[Value]>,
    ) -> Candidate<'a> {
        let args = args.clone();
        let run = move |times| {
            runtime.block_on(async {
                let start = thread_cpu();
                for _ in 0..times {
                    let _ = std::hint::black_box(self.run_here(function, args.clone()).await);
                }
                thread_cpu() - start
            })
        };
        (name, Box::new(run))
    }

    /// Runs a function on a thread for guests.
    pub(crate) async fn run(&self, function: &Function, args: Arc<[Value]>, flow: Flow) -> Run {
        self.sandbox.run(&self.prepared, function.invocation(args), flow).await
    }
}

/// A function of the guest, and how far it may go.
pub(crate) struct Function {
    name: FunctionName,
    pub(crate) ty: FunctionType,
    pub(crate) limits: RunLimits,
}

impl Function {
    pub(crate) fn new(name: &str, params: &[Type], result: Type) -> Result<Self> {
        let param = |(index, ty): (usize, &Type)| Param { name: format!("p{index}"), ty: ty.clone() };
        Ok(Self {
            name: name.parse().with_context(|| format!("{name} is no name"))?,
            ty: FunctionType { params: params.iter().enumerate().map(param).collect(), result: Some(result) },
            limits: RunLimits { fuel: u64::MAX, ..RunLimits::default() },
        })
    }

    fn invocation(&self, args: Arc<[Value]>) -> Invocation<'_> {
        Invocation::new(&self.name, &self.ty, args, self.limits)
    }
}

/// Returns what a run returned.
pub(crate) fn returned(run: &Run) -> Result<&Value> {
    match &run.outcome {
        Outcome::Returned(Some(value)) => Ok(value),
        outcome => anyhow::bail!("expected a value, found {outcome:?}"),
    }
}
