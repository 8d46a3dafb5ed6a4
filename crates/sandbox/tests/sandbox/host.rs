//! The host's side of WASI: what is not granted follows from the input, what is granted is recorded and can be replayed.

use std::sync::Arc;

use glassbox_core::egress::Egress;
use glassbox_core::limits;
use glassbox_core::profile::Profile;
use glassbox_core::transcript::{Entry, Transcript};
use glassbox_core::value::Value;
use glassbox_sandbox::{
    Effects, Failure, FailureKind, FileSet, Flow, Invocation, Kind, Outcome, Prepared, Run, RunLimits, Spec,
    inspect,
};
use serde_json::json;

use crate::component::{integer_type, prepare, sandbox, wasm};

/// A program in Rust that does what its first argument says; see `tests/fixtures/tool.rs`.
const TOOL: &[u8] = include_bytes!("../fixtures/tool.wasm");

const WORLD: &str = "package acme:tool@1.0.0; world tool { export wasi:cli/run@0.2.6; }";
const RUN: &str = "package wasi:cli@0.2.6; interface run { run: func() -> result; }";

fn tool_spec() -> Spec {
    let files = [("world.wit", WORLD), ("deps/cli.wit", RUN)];
    let files: Vec<_> = files.iter().map(|(path, text)| (path.to_string(), text.to_string())).collect();
    Spec::parse(&files, None).expect("valid WIT")
}

/// What a program is called with.
#[derive(Default, Clone, Copy)]
struct Input<'a> {
    args: &'a [&'a str],
    stdin: &'a str,
    files: &'a [(&'a str, &'a str)],
    grants: &'a [&'a str],
    effects: Effects<'a>,
    limits: RunLimits,
}

fn text(text: &str) -> Value {
    Value::String(text.into())
}

fn bytes(text: &str) -> Value {
    Value::Bytes(text.into())
}

async fn run_tool(input: Input<'_>) -> Run {
    let spec = tool_spec();
    let function = spec.function("run").expect("it is there");
    let files = input.files.iter().map(|(path, content)| Value::Tuple(vec![text(path), bytes(content)]));
    let args: Arc<[Value]> = Arc::new([
        Value::List(input.args.iter().map(|arg| text(arg)).collect()),
        bytes(input.stdin),
        Value::List(files.collect()),
    ]);
    let prepared = prepare(TOOL, input.grants).expect("valid");
    let invocation = Invocation {
        effects: input.effects,
        ..Invocation::new(&function.name, &function.ty, args, input.limits)
    };
    sandbox().run(&prepared, invocation, Flow::new("payer", "package")).await
}

async fn tool(args: &[&str]) -> Run {
    run_tool(Input { args, ..Input::default() }).await
}

/// What a program left: its status, what it printed, and its files.
#[derive(Debug, PartialEq, Eq)]
struct Output {
    status: u8,
    stdout: String,
    stderr: String,
    files: Vec<(String, String)>,
}

fn output(run: &Run) -> Output {
    let Outcome::Returned(Some(Value::Record(fields))) = &run.outcome else { panic!("{:?}", run.outcome) };
    let [Value::U8(status), Value::Bytes(stdout), Value::Bytes(stderr), Value::List(files)] = &fields[..]
    else {
        panic!("{fields:?}")
    };
    let utf8 = |bytes: &Vec<u8>| String::from_utf8(bytes.clone()).expect("UTF-8");
    let file = |file: &Value| match file {
        Value::Tuple(parts) => match &parts[..] {
            [Value::String(path), Value::Bytes(bytes)] => (path.clone(), utf8(bytes)),
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    };
    Output {
        status: *status,
        stdout: utf8(stdout),
        stderr: utf8(stderr),
        files: files.iter().map(file).collect(),
    }
}

async fn stdout(args: &[&str]) -> String {
    let run = tool(args).await;
    let output = output(&run);
    assert_eq!(output.status, 0, "{args:?}: {output:?}");
    output.stdout.trim_end().to_owned()
}

fn failure(run: &Run) -> &Failure {
    match &run.outcome {
        Outcome::Failed(failure) => failure,
        Outcome::Returned(value) => panic!("returned {value:?}"),
    }
}

#[test]
fn a_program_is_one_function() {
    let spec = tool_spec();
    assert_eq!(spec.kind(), Kind::Command);
    assert_eq!(spec.check_world(TOOL), Ok(()));
    let [run] = spec.functions() else { panic!("{:?}", spec.functions()) };
    assert_eq!(run.name.to_string(), "wasi:cli/run@0.2.6#run");
    assert_eq!(run.callable, Ok(()));
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
async fn what_is_not_granted_follows_from_the_input() {
    let clocks = &Profile::current().virtual_clocks;
    assert_eq!(stdout(&["now"]).await, format!("{} {}", clocks.wall_seconds, clocks.monotonic_step_ns));
    // An hour goes by at once.
    assert_eq!(stdout(&["sleep", "3600"]).await, "3600");
    let random = stdout(&["random", "x"]).await;
    assert_eq!(stdout(&["random", "x"]).await, random);
    let input = Input { args: &["random", "x"], stdin: "other input", ..Input::default() };
    assert_ne!(output(&run_tool(input).await).stdout.trim_end(), random);
    assert_eq!(stdout(&["env"]).await, "");
}

const ALL: &[&str] = &["wasi"];

/// Runs a program live, replays it, and returns the live run.
async fn run_and_replay(input: Input<'_>) -> (Run, Transcript) {
    let live = run_tool(input).await;
    assert!(!live.pure);
    let transcript = live.transcript.clone().expect("it can observe");
    let replayed = run_tool(Input { effects: Effects::Replay(&transcript), ..input }).await;
    assert_eq!(replayed.outcome, live.outcome);
    assert_eq!((replayed.fuel_used, replayed.memory_peak_bytes), (live.fuel_used, live.memory_peak_bytes));
    assert_eq!(replayed.transcript.as_ref(), Some(&transcript));
    (live, transcript)
}

fn imports(transcript: &Transcript) -> Vec<&str> {
    transcript.entries().iter().map(|entry| entry.import.as_str()).collect()
}

#[tokio::test]
async fn what_is_granted_is_recorded_and_replayed() {
    let input = |args| Input { args, grants: ALL, ..Input::default() };
    let (now, transcript) = run_and_replay(input(&["now"])).await;
    let seconds: u64 = output(&now).stdout.split(' ').next().expect("a time").parse().expect("a number");
    assert!(seconds > 1_700_000_000);
    let clocks = imports(&transcript);
    assert!(clocks.contains(&"wasi:clocks/wall-clock#now"), "{clocks:?}");
    assert!(clocks.contains(&"wasi:clocks/monotonic-clock#now"), "{clocks:?}");
    let (random, transcript) = run_and_replay(input(&["random", "x"])).await;
    assert!(imports(&transcript).contains(&"wasi:random/insecure-seed#insecure-seed"), "{transcript:?}");
    let (other, _) = run_and_replay(input(&["random", "x"])).await;
    assert_ne!(output(&random).stdout, output(&other).stdout);
    run_and_replay(input(&["sleep", "0"])).await;
    let environment = [("USER".to_owned(), "ada".to_owned())];
    let input = Input {
        effects: Effects::Live { environment: &environment, egress: &Egress::Any },
        ..input(&["env"])
    };
    let (env, _) = run_and_replay(input).await;
    assert_eq!(output(&env).stdout, "USER=ada\n");
    // A failed run is replayed as well.
    let failed = Input { args: &["panic"], ..input };
    assert_eq!(failure(&run_and_replay(failed).await.0).kind, FailureKind::Trap);
}

#[tokio::test]
async fn a_grant_makes_one_interface_real_and_no_other() {
    let grants = &["wasi:clocks/wall-clock"][..];
    let (now, transcript) = run_and_replay(Input { args: &["now"], grants, ..Input::default() }).await;
    assert_eq!(imports(&transcript), ["wasi:clocks/wall-clock#now"]);
    let step = Profile::current().virtual_clocks.monotonic_step_ns;
    assert!(output(&now).stdout.ends_with(&format!(" {step}\n")));
    // What is granted and only looks at the input is pure.
    let run =
        run_tool(Input { args: &["now"], grants: &["wasi:filesystem", "wasi:io"], ..Input::default() }).await;
    assert!(run.pure && run.transcript.is_none());
}

#[tokio::test]
async fn a_replay_that_leaves_its_transcript_says_where() {
    let input = Input { args: &["now"], grants: ALL, ..Input::default() };
    let (_, transcript) = run_and_replay(input).await;
    let replay = async |entries: &[Entry], input: Input<'_>| {
        let mut changed = Transcript::new();
        entries.iter().for_each(|entry| changed.push(entry.clone()).expect("it fits"));
        let run = run_tool(Input { effects: Effects::Replay(&changed), ..input }).await;
        let failure = failure(&run);
        assert_eq!(failure.kind, FailureKind::Diverged, "{failure:?}");
        failure.message.clone()
    };
    let entries = transcript.entries();
    let last = entries.len() - 1;
    assert!(last >= 1, "{entries:?}");
    // Another question, other arguments, and an answer that is none.
    type Change = fn(&mut Entry);
    let changes: [Change; 3] =
        [|entry| entry.import.push('x'), |entry| entry.args.push(1), |entry| entry.result.push(1)];
    for index in 0..=last {
        for change in changes {
            let mut entries = entries.to_vec();
            change(&mut entries[index]);
            let message = replay(&entries, input).await;
            assert!(message.contains(&format!("entry {index}:")), "{message}");
        }
    }
    let short = replay(&entries[..last], input).await;
    assert!(short.contains(&format!("entry {last}: expected the end, found `wasi:clocks/")), "{short}");
    let long = [entries, &entries[..1]].concat();
    let long = replay(&long, input).await;
    assert!(long.contains(&format!("entry {}:", last + 1)) && long.ends_with("found the end"), "{long}");
    let other = replay(entries, Input { args: &["random", "x"], ..input }).await;
    assert!(other.contains("entry 0:"), "{other}");
    // Another answer to the same question is another run, not a divergence: its output shows it.
    let mut forged = entries.to_vec();
    let wall = forged.iter_mut().find(|entry| entry.import.contains("wall")).expect("it looked");
    wall.result = vec![1, 0];
    let mut transcript = Transcript::new();
    forged.into_iter().for_each(|entry| transcript.push(entry).expect("it fits"));
    let run = run_tool(Input { effects: Effects::Replay(&transcript), ..input }).await;
    assert!(output(&run).stdout.starts_with("1 "));
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

/// Exports `run: func(n: u32) -> u32`, which runs `core` with `n` as its parameter, `$now` and `$random` of the host,
/// `$ready` and `$block` of a timer of `n` nanoseconds, and `$files`, which lists the directories.
fn library(core: &str) -> Vec<u8> {
    wasm(&format!(
        r#"(component
            (import "wasi:io/poll@0.2.3" (instance $poll
                (export "pollable" (type $pollable (sub resource)))
                (export "[method]pollable.ready" (func (param "self" (borrow $pollable)) (result bool)))
                (export "[method]pollable.block" (func (param "self" (borrow $pollable))))))
            (alias export $poll "pollable" (type $pollable))
            (import "wasi:clocks/monotonic-clock@0.2.0" (instance $clock
                (export "pollable" (type $p (eq $pollable)))
                (export "now" (func (result u64)))
                (export "subscribe-duration" (func (param "when" u64) (result (own $p))))))
            (import "wasi:random/random@0.2.5" (instance $random
                (export "get-random-u64" (func (result u64)))))
            (core func $now (canon lower (func $clock "now")))
            (core func $subscribe (canon lower (func $clock "subscribe-duration")))
            (core func $ready (canon lower (func $poll "[method]pollable.ready")))
            (core func $block (canon lower (func $poll "[method]pollable.block")))
            (core func $drop (canon resource.drop $pollable))
            (core func $random (canon lower (func $random "get-random-u64")))
            (core module $m
                (import "" "now" (func $now (result i64)))
                (import "" "subscribe" (func $subscribe (param i64) (result i32)))
                (import "" "ready" (func $ready (param i32) (result i32)))
                (import "" "block" (func $block (param i32)))
                (import "" "drop" (func $drop (param i32)))
                (import "" "random" (func $random (result i64)))
                (func (export "run") (param $n i32) (result i32) (local $timer i32) {core}))
            (core instance $i (instantiate $m (with "" (instance
                (export "now" (func $now)) (export "subscribe" (func $subscribe)) (export "ready" (func $ready))
                (export "block" (func $block)) (export "drop" (func $drop)) (export "random" (func $random))))))
            (func (export "run") (param "n" u32) (result u32) (canon lift (core func $i "run"))))"#
    ))
}

async fn run_library(component: &[u8], n: u32, grants: &[&str], effects: Effects<'_>) -> Run {
    let prepared: Arc<Prepared> = prepare(component, grants).expect("valid");
    assert_eq!(prepared.kind(), Kind::Library);
    let function = "run".parse().expect("a name");
    let (ty, args) = (integer_type(), [Value::U32(n)].into());
    let invocation = Invocation { effects, ..Invocation::new(&function, &ty, args, RunLimits::default()) };
    sandbox().run(&prepared, invocation, Flow::new("payer", "package")).await
}

const TIMER: &str = "(local.set $timer (call $subscribe (i64.extend_i32_u (local.get $n))))";

#[tokio::test]
async fn a_library_is_refused_what_it_is_not_granted() {
    let component = library("(drop (call $random)) (i32.wrap_i64 (call $now))");
    for grants in [&[][..], &["wasi:io"], &["wasi:clocks"], &["wasi:random"]] {
        let run = run_library(&component, 1, grants, Effects::default()).await;
        assert_eq!(failure(&run).kind, FailureKind::NotGranted, "{grants:?}");
    }
    let run = run_library(&component, 1, &["wasi:clocks", "wasi:random"], Effects::default()).await;
    assert!(matches!(run.outcome, Outcome::Returned(_)), "{run:?}");
    let transcript = run.transcript.expect("it observed");
    assert_eq!(
        imports(&transcript),
        ["wasi:random/random#get-random-u64", "wasi:clocks/monotonic-clock#now"]
    );
}

#[tokio::test]
async fn waiting_is_observed_where_it_says_something() {
    let grants = &["wasi:clocks"][..];
    let spinning = library(&format!(
        "{TIMER} (loop $again (br_if $again (i32.eqz (call $ready (local.get $timer))))) (call $drop (local.get $timer)) \
         (i32.const 5)"
    ));
    let run = run_library(&spinning, 1_000_000, grants, Effects::default()).await;
    assert_eq!(run.outcome, Outcome::Returned(Some(Value::U32(5))));
    let transcript = run.transcript.clone().expect("it observed");
    assert_eq!(transcript.entries().last().map(|entry| &entry.result[..]), Some(&[1][..]));
    assert!(imports(&transcript).iter().all(|import| *import == "wasi:io/poll#[method]pollable.ready"));
    let replayed = run_library(&spinning, 1_000_000, grants, Effects::Replay(&transcript)).await;
    assert_eq!((&replayed.outcome, replayed.fuel_used), (&run.outcome, run.fuel_used));
    // Blocking says nothing by itself, and a replay does not wait.
    let blocking = library(&format!("{TIMER} (call $block (local.get $timer)) (i32.const 6)"));
    let run = run_library(&blocking, 1_000, grants, Effects::default()).await;
    assert_eq!(run.outcome, Outcome::Returned(Some(Value::U32(6))));
    let transcript = run.transcript.expect("it could observe");
    assert!(transcript.is_empty());
    let replayed = run_library(&blocking, u32::MAX, grants, Effects::Replay(&transcript)).await;
    assert_eq!(replayed.outcome, run.outcome);
    // Who spins without end runs out of fuel, or of room in the transcript.
    let endless = library(&format!(
        "{TIMER} (loop $again (drop (call $ready (local.get $timer))) (br $again)) (unreachable)"
    ));
    let run = run_library(&endless, u32::MAX, grants, Effects::default()).await;
    assert_eq!(failure(&run).kind, FailureKind::Trap);
    let transcript = run.transcript.clone().expect("it observed");
    assert_eq!(transcript.entries().len(), limits::TRANSCRIPT_ENTRIES_MAX);
    let replayed = run_library(&endless, u32::MAX, grants, Effects::Replay(&transcript)).await;
    assert_eq!((&replayed.outcome, replayed.fuel_used), (&run.outcome, run.fuel_used));
}

#[tokio::test]
async fn a_library_reads_the_files_of_its_release() {
    let component = wasm(
        r#"(component
            (import "wasi:filesystem/types@0.2.0" (instance $types
                (export "descriptor" (type $descriptor (sub resource)))
                (type $error-code' (enum "access" "would-block" "already" "bad-descriptor" "busy" "deadlock" "quota"
                    "exist" "file-too-large" "illegal-byte-sequence" "in-progress" "interrupted" "invalid" "io"
                    "is-directory" "loop" "too-many-links" "message-size" "name-too-long" "no-device" "no-entry" "no-lock"
                    "insufficient-memory" "insufficient-space" "not-directory" "not-empty" "not-recoverable"
                    "unsupported" "no-tty" "no-such-device" "overflow" "not-permitted" "pipe" "read-only" "invalid-seek"
                    "text-file-busy" "cross-device"))
                (export "error-code" (type $error-code (eq $error-code')))
                (export "[method]descriptor.create-directory-at" (func
                    (param "self" (borrow $descriptor)) (param "path" string) (result (result (error $error-code)))))
                (type $metadata-hash' (record (field "lower" u64) (field "upper" u64)))
                (export "metadata-hash-value" (type $metadata-hash (eq $metadata-hash')))
                (type $path-flags' (flags "symlink-follow"))
                (export "path-flags" (type $path-flags (eq $path-flags')))
                (export "[method]descriptor.metadata-hash-at" (func
                    (param "self" (borrow $descriptor)) (param "path-flags" $path-flags) (param "path" string)
                    (result (result $metadata-hash (error $error-code)))))))
            (alias export $types "descriptor" (type $descriptor))
            (import "wasi:filesystem/preopens@0.2.0" (instance $preopens
                (export "descriptor" (type $d (eq $descriptor)))
                (export "get-directories" (func (result (list (tuple (own $d) string)))))))
            (core module $memory
                (memory (export "memory") 1)
                (data (i32.const 512) "data/a.txt")
                (global $next (mut i32) (i32.const 1024))
                (func (export "realloc") (param i32 i32 i32 i32) (result i32)
                    (global.get $next) (global.set $next (i32.add (global.get $next) (i32.const 64)))))
            (core instance $mem (instantiate $memory))
            (alias core export $mem "memory" (core memory $memory))
            (alias core export $mem "realloc" (core func $realloc))
            (core func $open (canon lower (func $preopens "get-directories") (memory $memory) (realloc $realloc)))
            (core func $create (canon lower (func $types "[method]descriptor.create-directory-at") (memory $memory)))
            (core func $find (canon lower (func $types "[method]descriptor.metadata-hash-at") (memory $memory)))
            (core module $m
                (import "" "open" (func $open (param i32)))
                (import "" "create" (func $create (param i32 i32 i32 i32)))
                (import "" "find" (func $find (param i32 i32 i32 i32 i32)))
                (import "" "memory" (memory 1))
                (func (export "run") (param $len i32) (result i32)
                    (local $root i32)
                    (call $open (i32.const 0))
                    (local.set $root (i32.load (i32.load (i32.const 0))))
                    (call $find (local.get $root) (i32.const 0) (i32.const 512) (local.get $len) (i32.const 64))
                    (call $create (local.get $root) (i32.const 512) (i32.const 1) (i32.const 16))
                    ;; Tags and codes of both results.
                    (i32.or
                        (i32.or (i32.load8_u (i32.const 64))
                            (i32.shl (i32.mul (i32.load8_u (i32.const 64)) (i32.load8_u (i32.const 72))) (i32.const 8)))
                        (i32.or (i32.shl (i32.load8_u (i32.const 16)) (i32.const 16))
                            (i32.shl (i32.load8_u (i32.const 17)) (i32.const 24))))))
            (core instance $i (instantiate $m (with "" (instance
                (export "open" (func $open)) (export "create" (func $create)) (export "find" (func $find))
                (export "memory" (memory $memory))))))
            (func (export "run") (param "n" u32) (result u32) (canon lift (core func $i "run"))))"#,
    );
    let files: Arc<FileSet> = Arc::new([("data/a.txt".to_owned(), Arc::from(*b"A"))].into());
    let prepared = prepare(&component, &["wasi:filesystem"]).expect("valid");
    assert!(prepared.is_pure(), "files of the release are part of it");
    let function = "run".parse().expect("a name");
    let ty = integer_type();
    // No error for the file, then `read-only`, the 34th code, for the directory.
    let (no_entry, read_only) = (20 << 8 | 1, 33 << 24 | 1 << 16);
    for (len, files, expected) in [
        (10, Some(&files), read_only),
        (4, Some(&files), read_only),
        (9, Some(&files), read_only | no_entry),
        (10, None, read_only | no_entry),
    ] {
        let args = [Value::U32(len)].into();
        let invocation = Invocation { files, ..Invocation::new(&function, &ty, args, RunLimits::default()) };
        let run = sandbox().run(&prepared, invocation, Flow::new("payer", "package")).await;
        assert_eq!(run.outcome, Outcome::Returned(Some(Value::U32(expected))), "{len}");
    }
    let bad: Arc<FileSet> = Arc::new([("../a".to_owned(), Arc::from(*b"A"))].into());
    let args = [Value::U32(1)].into();
    let invocation =
        Invocation { files: Some(&bad), ..Invocation::new(&function, &ty, args, RunLimits::default()) };
    let run = sandbox().run(&prepared, invocation, Flow::new("payer", "package")).await;
    assert_eq!(failure(&run).kind, FailureKind::Internal);
    assert_eq!(json!(run.fuel_used), json!(0));
}
