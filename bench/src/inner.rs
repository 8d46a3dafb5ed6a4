//! What a call from one package into another costs.

use std::sync::Arc;

use anyhow::{Result, ensure};
use glassbox_core::Digest;
use glassbox_core::value::{Type, Value};
use glassbox_sandbox::{Dependency, Grants, Sandbox};

use crate::guests::{Function, Guest, returned};
use crate::measure::{show_ns, take_turns};
use crate::report::Report;

/// Calls of one run, so many that making the two instances does not show.
const CALLS: u32 = 10_000;

const BYTES: usize = 1_000_000;

pub(crate) fn run(report: &mut Report, sandbox: &Sandbox) -> Result<()> {
    let imported = wat::parse_str(include_str!("../../conformance/fuel/imported.wat"))?;
    let imports = wat::parse_str(include_str!("../../conformance/fuel/imports.wat"))?;
    let dependency = Dependency {
        name: "demo:imported@1.0.0".into(),
        prepared: sandbox.prepare(Digest::of(&imported), &imported, &Grants::none())?,
        memory_bytes: usize::MAX,
        calls_max: None,
    };
    let prepared = sandbox.compose(Digest::of(&imports), &imports, &Grants::none(), vec![dependency])?;
    let guest = Guest { sandbox: sandbox.clone(), prepared };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let count = Function::new("demo:imports/ops@1.0.0#run", &[Type::U32], Type::U32)?;
    let bytes = Type::List(Box::new(Type::U8));
    let echo = Function::new("demo:imports/ops@1.0.0#echo", std::slice::from_ref(&bytes), bytes.clone())?;
    let often: Arc<[Value]> = [Value::U32(CALLS)].into();
    let once: Arc<[Value]> = [Value::U32(1)].into();
    let many: Arc<[Value]> = [Value::Bytes(vec![7; BYTES])].into();
    let counted = runtime.block_on(guest.run_here(&count, often.clone()));
    ensure!(returned(&counted)? == &Value::U32(CALLS), "the guest cannot count");
    let echoed = runtime.block_on(guest.run_here(&echo, many.clone()));
    ensure!(returned(&echoed)? == &many[0], "the echo is another");
    let mut candidates = [
        guest.candidate("a run with one call of a dependency", &runtime, &count, &once),
        guest.candidate("a run with 10,000", &runtime, &count, &often),
        guest.candidate("1 MB into the dependency and back", &runtime, &echo, &many),
    ];
    let best = take_turns(7, 10, &mut candidates);
    let each = (best[1].1 - best[0].1) / f64::from(CALLS - 1);
    report.heading("Calls between packages");
    report.text(
        "Each package in a store of its own, with its own fuel; an `u32` there and back. The runs make both instances.",
    );
    let rows = best.iter().map(|(name, ns)| vec![(*name).to_owned(), show_ns(*ns)]);
    report.table(&["what", "CPU"], rows.chain([vec!["each further call".to_owned(), show_ns(each)]]));
    report.figure("call of a dependency", each / 1_000.0, "µs CPU", 1.0);
    Ok(())
}
