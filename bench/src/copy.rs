//! What bytes cost on their way through a guest.

use std::sync::Arc;

use anyhow::{Result, ensure};
use glassbox_core::value::{Type, Value};
use glassbox_sandbox::Sandbox;

use crate::guests::{Function, Guest, SMALL_STACK, returned};
use crate::measure::{on_this_thread, show_ns, take_turns};
use crate::report::Report;

const BYTES: usize = 10_000_000;

pub(crate) fn run(report: &mut Report, sandbox: &Sandbox) -> Result<()> {
    let bytes_ty = Type::List(Box::new(Type::U8));
    let echo = Function::new("echo", std::slice::from_ref(&bytes_ty), bytes_ty.clone())?;
    let echo_text = Function::new("echo-text", &[Type::String], Type::String)?;
    let guest = Guest::new(sandbox, SMALL_STACK)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let bytes: Arc<[Value]> = [Value::Bytes(vec![7; BYTES])].into();
    let text: Arc<[Value]> = [Value::String("7".repeat(BYTES))].into();
    let run = runtime.block_on(guest.run_here(&echo, bytes.clone()));
    ensure!(returned(&run)? == &bytes[0], "the echo is another");
    let source = vec![7_u8; BYTES];
    let mut target = vec![0_u8; BYTES];
    let mut candidates = [
        on_this_thread("memcpy", || {
            target.copy_from_slice(std::hint::black_box(&source));
            std::hint::black_box(&mut target);
        }),
        guest.candidate("echo of `list<u8>`", &runtime, &echo, &bytes),
        guest.candidate("echo of `string`", &runtime, &echo_text, &text),
    ];
    let best = take_turns(7, 3, &mut candidates);
    let memcpy = best[0].1;
    report.heading("Bytes");
    report.text(
        "Ten megabytes into a guest and back, in a fresh instance, which copies them at least three times.",
    );
    let rows =
        best.iter().map(|(name, ns)| vec![(*name).to_owned(), show_ns(*ns), format!("{:.1}x", ns / memcpy)]);
    report.table(&["what", "CPU", "against memcpy"], rows);
    report.figure("10 MB `list<u8>` echo against memcpy", best[1].1 / memcpy, "x", 30.0);
    Ok(())
}
