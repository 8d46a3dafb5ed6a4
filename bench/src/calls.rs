//! What one call costs: a fresh instance for every call, as a registry must, against the engine without us.

use std::sync::Arc;

use anyhow::Result;
use glassbox_core::value::{Type, Value};
use glassbox_sandbox::{Flow, Sandbox};
use wasmtime::component::Val;

use crate::bare::{Bare, failed};
use crate::guests::{Function, Guest, LARGE_STACK, SMALL_STACK, returned};
use crate::measure::{Candidate, on_this_thread, process_cpu, show_ns, take_turns};
use crate::report::Report;

pub(crate) fn run(report: &mut Report, sandbox: &Sandbox) -> Result<()> {
    let add = Function::new("add", &[Type::U32, Type::U32], Type::U32)?;
    let args: Arc<[Value]> = [Value::U32(20), Value::U32(22)].into();
    let small = Guest::new(sandbox, SMALL_STACK)?;
    let large = Guest::new(sandbox, LARGE_STACK)?;
    let bare_small = Bare::new(SMALL_STACK, true).map_err(failed)?;
    let bare_large = Bare::new(LARGE_STACK, true).map_err(failed)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let run = small.run_here(&add, args.clone()).await;
        anyhow::ensure!(returned(&run)? == &Value::U32(42), "the guest cannot add");
        Ok(())
    })?;

    let mut reused = bare_small.store().map_err(failed)?;
    let instance = bare_small.pre.instantiate(&mut reused).map_err(failed)?;
    let reused_add = instance.get_typed_func::<(u32, u32), (u32,)>(&mut reused, "add").map_err(failed)?;
    let scheduled = |name, guest: &Guest| -> Candidate<'_> {
        let (guest, add, args, runtime) = (guest.clone(), &add, args.clone(), &runtime);
        let run = move |times| {
            runtime.block_on(async {
                let start = process_cpu();
                for _ in 0..times {
                    let flow = Flow::new("payer", "package");
                    let _ = std::hint::black_box(guest.run(add, args.clone(), flow).await);
                }
                process_cpu() - start
            })
        };
        (name, Box::new(run))
    };
    let bare = |name, bare: &Bare, is_typed| -> Candidate<'_> {
        let (engine, pre) = (bare.engine.clone(), bare.pre.clone());
        let index = pre.component().get_export_index(None, "add");
        on_this_thread(name, move || {
            let mut store = wasmtime::Store::new(&engine, ());
            let _ = store.set_fuel(u64::MAX);
            let called = pre.instantiate(&mut store).and_then(|instance| {
                let index = index.ok_or_else(|| wasmtime::format_err!("no `add`"))?;
                if is_typed {
                    let add = instance.get_typed_func::<(u32, u32), (u32,)>(&mut store, index)?;
                    return add.call(&mut store, (20, 22)).map(|(sum,)| Val::U32(sum));
                }
                let add = instance.get_func(&mut store, index);
                let add = add.ok_or_else(|| wasmtime::format_err!("`add` is no function"))?;
                let mut sum = [Val::U32(0)];
                add.call(&mut store, &[Val::U32(20), Val::U32(22)], &mut sum)?;
                let [sum] = sum;
                Ok(sum)
            });
            let _ = std::hint::black_box(called);
        })
    };
    let mut candidates = [
        on_this_thread("engine alone, one instance for all calls", || {
            let _ = std::hint::black_box(reused_add.call(&mut reused, (20, 22)));
        }),
        bare("engine alone, fresh instance, 64 KiB stack", &bare_small, true),
        bare("engine alone, fresh instance, 64 KiB stack, by dynamic values", &bare_small, false),
        small.candidate("sandbox, fresh instance, 64 KiB stack", &runtime, &add, &args),
        bare("engine alone, fresh instance, 1 MiB stack", &bare_large, true),
        bare("engine alone, fresh instance, 1 MiB stack, by dynamic values", &bare_large, false),
        large.candidate("sandbox, fresh instance, 1 MiB stack", &runtime, &add, &args),
        scheduled("sandbox, in its turn on a thread for guests, one at a time", &small),
    ];
    let best = take_turns(9, 10_000, &mut candidates);
    let [_, bare_small, _, small, bare_large, _, large, _] = best[..] else {
        unreachable!("eight candidates")
    };
    report.heading("One call");
    report.text(
        "`add(u32, u32)` of a 25 KB Rust guest, in CPU time of the calling thread (of the whole process in the last row). \
         \"Engine alone\" is Wasmtime set up for speed, with a pool and fuel, typed and synchronous; \
         the sandbox takes values of any type, as \"by dynamic values\" does.",
    );
    let rows = best.iter().map(|(name, ns)| vec![(*name).to_owned(), show_ns(*ns)]);
    report.table(&["what", "CPU per call"], rows);
    report.figure("warm call, 64 KiB stack", small.1 / 1_000.0, "µs CPU", 6.0);
    report.figure("warm call, 1 MiB stack", large.1 / 1_000.0, "µs CPU", 9.0);
    report.figure("warm call against the engine alone, 64 KiB stack", small.1 / bare_small.1, "x", 1.5);
    report.figure("warm call against the engine alone, 1 MiB stack", large.1 / bare_large.1, "x", 1.5);
    Ok(())
}
