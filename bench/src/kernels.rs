//! What metering costs, and whether a unit of fuel is the same time everywhere.

use std::sync::Arc;

use anyhow::{Result, ensure};
use glassbox_core::value::{Type, Value};
use glassbox_sandbox::Sandbox;

use crate::bare::{Bare, failed};
use crate::guests::{Function, Guest, SMALL_STACK, returned};
use crate::measure::{on_this_thread, take_turns};
use crate::report::Report;

/// The kernels, how large, and how much dearer metering may make them.
const KERNELS: [(&str, u32, f64); 6] = [
    ("sha256", 20_000, 1.15),
    ("sieve", 2_000_000, 1.6),
    ("matmul", 120, 1.6),
    ("sum", 300, 1.6),
    ("spin", 5_000_000, 1.6),
    ("fill", 300, 1.6),
];

pub(crate) fn run(report: &mut Report, sandbox: &Sandbox) -> Result<()> {
    let plain = Bare::new(SMALL_STACK, false).map_err(failed)?;
    let same = Bare::deterministic(SMALL_STACK, false).map_err(failed)?;
    let engines_own = Bare::deterministic(SMALL_STACK, true).map_err(failed)?;
    let guest = Guest::new(sandbox, SMALL_STACK)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut rows = Vec::new();
    let mut rates = Vec::new();
    for (name, n, bound) in KERNELS {
        let function = Function::new(name, &[Type::U32], Type::U32)?;
        let args = [Value::U32(n)].into();
        let run = runtime.block_on(guest.run_here(&function, Arc::clone(&args)));
        ensure!(
            returned(&run)? == &Value::U32(plain.kernel(name, n).map_err(failed)?),
            "{name} computes something else when metered"
        );
        let mut candidates = [
            on_this_thread("plain", || drop(plain.kernel(name, n))),
            on_this_thread("deterministic", || drop(same.kernel(name, n))),
            on_this_thread("engine's own fuel", || drop(engines_own.kernel(name, n))),
            guest.candidate("metered", &runtime, &function, &args),
        ];
        let best = take_turns(15, 3, &mut candidates);
        let [(_, plain_ns), (_, same_ns), (_, own_ns), (_, metered_ns)] = best[..] else {
            unreachable!("four candidates")
        };
        let rate = run.fuel_used as f64 / metered_ns;
        rates.push(rate);
        rows.push(vec![
            format!("{name}({n})"),
            format!("{:.2} ms", plain_ns / 1e6),
            format!("{:.2} ms", same_ns / 1e6),
            format!("{:.2} ms", own_ns / 1e6),
            format!("{:.2} ms", metered_ns / 1e6),
            format!("{:.2}x", own_ns / same_ns),
            format!("{:.2}x", metered_ns / same_ns),
            format!("{:.2}x", metered_ns / plain_ns),
            run.fuel_used.to_string(),
            format!("{rate:.1} G/s"),
        ]);
        report.figure(&format!("metering overhead, {name}"), metered_ns / same_ns, "x", bound);
    }
    let fastest = rates.iter().copied().fold(0.0, f64::max);
    let slowest = rates.iter().copied().fold(f64::INFINITY, f64::min);
    report.figure("spread of fuel per second over six kernels", fastest / slowest, "x", 3.0);
    report.heading("Metering");
    report.text(
        "Six kernels of the same guest. \"Plain\" is the engine alone; \"same everywhere\" adds NaN canonicalisation, \
         without which processors differ; \"engine's fuel\" adds the engine's own counter with its own costs; \
         \"sandbox\" has our costs, gives way, and unrolls small loops. Metering is what comes on top of being the same \
         everywhere: nearly all of it is the engine's check at the head of each loop, which takes the same with any costs. \
         The last column shows whether a unit of fuel is the same time everywhere.",
    );
    report.table(
        &[
            "kernel",
            "plain",
            "same everywhere",
            "engine's fuel",
            "sandbox",
            "metering, engine's",
            "metering, ours",
            "in all",
            "fuel",
            "fuel per CPU second",
        ],
        rows,
    );
    Ok(())
}
