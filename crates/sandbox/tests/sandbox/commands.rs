//! Programs as functions: what goes in, what comes out, and where they end.

use glassbox_core::limits;
use glassbox_core::profile::Profile;
use glassbox_core::value::Value;
use glassbox_sandbox::{FailureKind, Flow, Invocation, Kind, Run, RunLimits, inspect};
use serde_json::json;

use crate::component::{function_type, prepare, sandbox, wasm};
use crate::program::{ALL, Input, Output, TOOL, bytes, failure, output, run_tool, stdout, tool, tool_spec};

#[test]
fn a_program_is_one_function() {
    let spec = tool_spec();
    assert_eq!(spec.kind(), Kind::Command);
    assert_eq!(spec.check_world(TOOL), Ok(()));
    let [run] = spec.functions() else { panic!("{:?}", spec.functions()) };
    assert_eq!(run.name.to_string(), "wasi:cli/run@0.2.6#run");
    assert_eq!((&run.callable, spec.program()), (&Ok(()), Some(run)));
    assert_eq!(
        run.signature,
        "run: func(args: list<string>, stdin: list<u8>, files: list<tuple<string, list<u8>>>) -> record { status: u8, \
         stdout: list<u8>, stderr: list<u8>, files: list<tuple<string, list<u8>>> }"
    );
    assert_eq!(prepare(TOOL, &[]).expect("valid").kind(), Kind::Command);
    assert_eq!(inspect(TOOL).expect("valid").kind(), Kind::Command);
}

#[tokio::test]
async fn arguments_input_and_files_go_in_and_come_out() {
    let input = Input {
        args: &["echo", "one", "two words"],
        stdin: "in",
        files: &[("in/b.txt", "abc"), ("in/a.txt", "12"), ("other/x", "untouched")],
        ..Input::default()
    };
    let run = run_tool(input).await;
    let expected = Output {
        status: 0,
        stdout: "in".into(),
        stderr: "one two words".into(),
        files: vec![("out/a.txt".into(), "21".into()), ("out/b.txt".into(), "cba".into())],
    };
    assert_eq!(output(&run), expected);
    assert!(run.pure && run.transcript.is_none());
    let again = run_tool(input).await;
    assert_eq!((&again.outcome, again.fuel_used), (&run.outcome, run.fuel_used));
    // Every byte that crosses is paid.
    let longer = "i".repeat(10_002);
    let longer = run_tool(Input { stdin: &longer, ..input }).await;
    let host = &Profile::current().host;
    let crossing = host.per_byte_lowered + host.per_byte_lifted + 2 * host.per_host_byte;
    assert!(longer.fuel_used - run.fuel_used >= 10_000 * crossing);
    assert_eq!(stdout(&["name"]).await, "run");
}

#[tokio::test]
async fn programs_end_with_a_status() {
    assert_eq!(output(&tool(&["mkdir", "a/b"]).await).status, 0);
    // This standard library knows only whether all went well.
    assert_eq!(output(&tool(&["exit", "3"]).await).status, 1);
    assert_eq!(output(&tool(&["exit", "0"]).await).status, 0);
    assert_eq!(failure(&tool(&["panic"]).await).kind, FailureKind::Trap);
}

#[tokio::test]
async fn files_are_a_tree_in_memory() {
    let files = [("a.txt", "A"), ("dir/b.txt", "B"), ("dir/sub/c.txt", "C")];
    let run =
        async |args: &[&str]| output(&run_tool(Input { args, files: &files, ..Input::default() }).await);
    assert_eq!(run(&["ls", "/"]).await.stdout, "a.txt\ndir/\n");
    assert_eq!(run(&["ls", "dir/../dir/./"]).await.stdout, "b.txt\nsub/\n");
    assert_eq!(run(&["cat", "/dir/sub/c.txt"]).await.stdout, "C\n");
    let changed = async |args: &[&str]| {
        let output = run(args).await;
        assert_eq!((output.status, &*output.stderr), (0, ""), "{args:?}");
        output.files
    };
    let file = |path: &str, content: &str| (path.to_owned(), content.to_owned());
    assert_eq!(changed(&["write", "a.txt", "new"]).await, [file("a.txt", "new")]);
    // What is written as it was has not changed.
    assert_eq!(changed(&["write", "a.txt", "A"]).await, []);
    assert_eq!(changed(&["append", "dir/b.txt", "!"]).await, [file("dir/b.txt", "B!")]);
    assert_eq!(changed(&["rm", "a.txt"]).await, []);
    assert_eq!(
        changed(&["mv", "dir", "moved"]).await,
        [file("moved/b.txt", "B"), file("moved/sub/c.txt", "C")]
    );
    assert_eq!(changed(&["mv", "a.txt", "dir/b.txt"]).await, [file("dir/b.txt", "A")]);
    let seconds = Profile::current().virtual_clocks.wall_seconds;
    assert_eq!(run(&["stat", "a.txt"]).await.stdout, format!("1 false {seconds}\n"));
    for (args, kind) in [
        (&["cat", "none"][..], "NotFound"),
        (&["cat", "a.txt/b"], "NotADirectory"),
        (&["cat", "dir"], "IsADirectory"),
        (&["rm", "dir"], "IsADirectory"),
        // The standard library has no name for `not-empty` here.
        (&["rmdir", "dir"], "Uncategorized"),
        (&["rmdir", "a.txt"], "NotADirectory"),
        (&["mv", "dir", "dir/sub/x"], "InvalidInput"),
        (&["mv", "a.txt", "dir"], "IsADirectory"),
        (&["cat", "../../etc/passwd"], "PermissionDenied"),
        (&["mkdir", "a.txt/x"], "NotADirectory"),
    ] {
        let output = run(args).await;
        assert_eq!((output.status != 0, output.stderr.trim_end()), (true, kind), "{args:?}");
        assert_eq!(output.files, []);
    }
}

#[tokio::test]
async fn paths_of_input_files_are_checked() {
    for path in ["", "/a", "a/", "a//b", "../a", "a/./b", "a\0", &"x".repeat(256), &"d/".repeat(100)] {
        let run = run_tool(Input { args: &["ls", "/"], files: &[(path, "")], ..Input::default() }).await;
        assert_eq!((failure(&run).kind, run.fuel_used), (FailureKind::BadArguments, 0), "{path:?}");
    }
    for files in [[("a", ""), ("a", "")], [("a", ""), ("a/b", "")], [("a/b", ""), ("a", "")]] {
        let run = run_tool(Input { args: &["ls", "/"], files: &files, ..Input::default() }).await;
        assert_eq!(failure(&run).kind, FailureKind::BadArguments, "{files:?}");
    }
}

#[tokio::test]
async fn files_of_the_release_are_shown_where_they_are_granted() {
    let shipped = &[("dir/a.txt", "A"), ("dir/b.txt", "B")][..];
    let run = async |args: &[&str], files: &[(&str, &str)], grants: &[&str]| {
        run_tool(Input { args, files, shipped, grants, ..Input::default() }).await
    };
    for grants in [&["wasi:filesystem"][..], &["wasi:filesystem/preopens"], ALL] {
        assert_eq!(output(&run(&["cat", "/dir/a.txt"], &[], grants).await).stdout, "A\n", "{grants:?}");
    }
    let granted = &["wasi:filesystem"][..];
    // What the call brings stands beside them, and in place of one with the same path.
    let mine = &[("dir/b.txt", "mine"), ("c.txt", "C")][..];
    for (path, text) in [("/dir/a.txt", "A\n"), ("/dir/b.txt", "mine\n"), ("/c.txt", "C\n")] {
        assert_eq!(output(&run(&["cat", path], mine, granted).await).stdout, text);
    }
    assert_eq!(output(&run(&["write", "/dir/a.txt", "A"], &[], granted).await).files, []);
    let changed = output(&run(&["write", "/dir/a.txt", "new"], &[], granted).await).files;
    assert_eq!(changed, [("dir/a.txt".to_owned(), "new".to_owned())]);
    let clash = run(&["ls", "/"], &[("dir", "")], granted).await;
    assert_eq!(failure(&clash).kind, FailureKind::BadArguments);
    for grants in [&[][..], &["wasi:filesystem/types"], &["wasi:io", "wasi:random"]] {
        let missing = output(&run(&["cat", "/dir/a.txt"], mine, grants).await);
        assert_eq!((missing.status, &*missing.stderr), (1, "NotFound\n"), "{grants:?}");
        assert_eq!(output(&run(&["cat", "/dir/b.txt"], mine, grants).await).stdout, "mine\n");
    }
}

#[tokio::test]
async fn what_a_program_hands_out_is_bounded() {
    let limits = RunLimits { output_bytes: 10_000, ..RunLimits::default() };
    let run = run_tool(Input { args: &["fill"], limits, ..Input::default() }).await;
    // The program is told, and may still end as it likes; its last words have no room.
    let full = output(&run);
    assert_eq!((full.status, &*full.stderr), (1, ""));
    assert!(full.stdout.len() > 9_900 && full.stdout.len() < 10_000, "{}", full.stdout.len());
    let large = "x".repeat(9_000);
    let full = ["write", "a", &large];
    let fits = run_tool(Input { args: &full, limits, ..Input::default() }).await;
    assert_eq!(output(&fits).files[0].1.len(), 9_000);
    // A path and its file together are too much, which only the end can tell.
    let crowded = "x".repeat(9_980);
    let crowded = ["write", "a-long-name.txt", &crowded];
    let run = run_tool(Input { args: &crowded, limits, ..Input::default() }).await;
    assert_eq!(failure(&run).kind, FailureKind::OutputRefused);
    let larger = "x".repeat(10_001);
    let full = ["write", "a", &larger];
    let refused = output(&run_tool(Input { args: &full, limits, ..Input::default() }).await);
    // It wrote what had room, so that there is none for what it says.
    assert_eq!((refused.status, &*refused.stderr), (1, ""));
    assert!(refused.files[0].1.len() > 9_900 && refused.files[0].1.len() < 10_000);
}

#[tokio::test]
async fn what_a_program_takes_of_the_host_is_bounded() {
    let run = tool(&["open"]).await;
    assert_eq!(failure(&run).kind, FailureKind::Trap);
    assert!(run.fuel_used >= Profile::current().host.per_host_call * limits::HOST_RESOURCES_MAX as u64);
    // With less fuel than that the host's own work ends it.
    let limits = RunLimits { fuel: 5_000_000, ..RunLimits::default() };
    let run = run_tool(Input { args: &["open"], limits, ..Input::default() }).await;
    assert_eq!((failure(&run).kind, run.fuel_used), (FailureKind::OutOfFuel, limits.fuel));
    // A real hour is more than a call has.
    let limits = RunLimits { wall_ms: 300, ..RunLimits::default() };
    let run = run_tool(Input { args: &["sleep", "3600"], grants: ALL, limits, ..Input::default() }).await;
    assert_eq!(failure(&run).kind, FailureKind::TimedOut);
}

/// A program whose core function `run` is `core`, with `$exit` and `$random` of the host.
fn program(core: &str) -> Vec<u8> {
    wasm(&format!(
        r#"(component
            (import "wasi:cli/exit@0.2.12" (instance $cli (export "exit-with-code" (func (param "status-code" u8)))))
            (import "wasi:random/random@0.2.0" (instance $host
                (export "get-random-bytes" (func (param "len" u64) (result (list u8))))))
            (core module $memory
                (memory (export "memory") 32)
                (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024)))
            (core instance $mem (instantiate $memory))
            (alias core export $mem "memory" (core memory $memory))
            (alias core export $mem "realloc" (core func $realloc))
            (core func $exit (canon lower (func $cli "exit-with-code")))
            (core func $random (canon lower (func $host "get-random-bytes") (memory $memory) (realloc $realloc)))
            (core module $m
                (import "" "exit" (func $exit (param i32)))
                (import "" "random" (func $random (param i64 i32)))
                (func (export "run") (result i32) {core}))
            (core instance $i (instantiate $m (with "" (instance
                (export "exit" (func $exit)) (export "random" (func $random))))))
            (func $run (result (result)) (canon lift (core func $i "run")))
            (instance $interface (export "run" (func $run)))
            (export "wasi:cli/run@0.2.12" (instance $interface)))"#
    ))
}

async fn run_program(core: &str) -> Run {
    let spec = tool_spec();
    let function = spec.function("run").expect("it is there");
    let prepared = prepare(&program(core), &[]).expect("valid");
    let args = [Value::List(Vec::new()), bytes(""), Value::List(Vec::new())].into();
    let invocation = Invocation::new(&function.name, &function.ty, args, RunLimits::default());
    sandbox().run(&prepared, invocation, Flow::new("payer", "package")).await
}

#[tokio::test]
async fn a_status_is_what_the_program_says() {
    for (core, status) in [
        ("(i32.const 0)", 0),
        ("(i32.const 1)", 1),
        ("(call $exit (i32.const 42)) (i32.const 0)", 42),
        ("(call $exit (i32.const 0)) (i32.const 1)", 0),
    ] {
        assert_eq!(output(&run_program(core).await).status, status, "{core}");
    }
    // Another type than the one that callers see.
    let function = "wasi:cli/run@0.2.12#run".parse().expect("a name");
    let prepared = prepare(&program("(i32.const 0)"), &[]).expect("valid");
    let ty = function_type(json!({ "params": [], "result": { "result": {} } }));
    let invocation = Invocation::new(&function, &ty, [].into(), RunLimits::default());
    let run = sandbox().run(&prepared, invocation, Flow::new("payer", "package")).await;
    assert_eq!(failure(&run).kind, FailureKind::NoSuchFunction);
}

/// Not a unit more or less than the profile says, whatever the operators around it cost.
#[tokio::test]
async fn each_host_call_and_each_byte_has_its_price() {
    let fuel = async |core: &str| {
        let run = run_program(&format!("{core} (i32.const 0)")).await;
        assert_eq!(output(&run).status, 0, "{core}");
        run.fuel_used
    };
    let random = |len: u64| format!("(call $random (i64.const {len}) (i32.const 0))");
    let host = &Profile::current().host;
    let byte = host.per_host_byte + host.per_random_byte;
    for (less, more) in [(1, 2), (1_000, 2_000), (5, 100_000)] {
        let [less_fuel, more_fuel] = [fuel(&random(less)).await, fuel(&random(more)).await];
        assert_eq!(more_fuel - less_fuel, (more - less) * byte, "{less} and {more} bytes");
    }
    // A second call costs what the first did: its own price, two constants, the call, and `realloc`.
    let [none, once, twice] =
        [fuel("").await, fuel(&random(8)).await, fuel(&format!("{0} {0}", random(8))).await];
    assert_eq!(twice - once, once - none);
    let operators = once - none - host.per_host_call - 8 * byte;
    assert!(operators < 100, "{operators}");
}

#[tokio::test]
async fn numbers_from_guests_allocate_nothing() {
    let random = |len: i64| format!("(call $random (i64.const {len}) (i32.const 0)) (i32.const 0)");
    assert_eq!(output(&run_program(&random(1 << 20)).await).status, 0);
    assert_eq!(failure(&run_program(&random((1 << 20) + 1)).await).kind, FailureKind::Trap);
    // More than all fuel.
    assert_eq!(failure(&run_program(&random(-1)).await).kind, FailureKind::OutOfFuel);
}
