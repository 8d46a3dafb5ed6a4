//! The host's side of WASI: what is not granted follows from the input, what is granted is recorded and can be replayed.

use std::sync::Arc;

use glassbox_core::egress::Egress;
use glassbox_core::limits;
use glassbox_core::profile::Profile;
use glassbox_core::transcript::{Entry, Transcript};
use glassbox_core::value::Value;
use glassbox_sandbox::{
    Effects, FailureKind, FileSet, Flow, Invocation, Kind, Outcome, Prepared, Run, RunLimits,
};

use crate::component::{integer_type, prepare, sandbox, wasm};
use crate::program::{ALL, Input, failure, output, run_tool, stdout};

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
async fn sockets_are_imported_and_never_given() {
    let component = wasm(
        r#"(component
            (import "wasi:sockets/network@0.2.0" (instance $network (export "network" (type (sub resource)))))
            (alias export $network "network" (type $network-type))
            (import "wasi:sockets/instance-network@0.2.0" (instance $instance
                (export "network" (type $n (eq $network-type)))
                (export "instance-network" (func (result (own $n))))))
            (core func $open (canon lower (func $instance "instance-network")))
            (core module $m
                (import "" "open" (func $open (result i32)))
                (func (export "run") (param i32) (result i32) (call $open)))
            (core instance $i (instantiate $m (with "" (instance (export "open" (func $open))))))
            (func (export "run") (param "n" u32) (result u32) (canon lift (core func $i "run"))))"#,
    );
    for grants in [&[][..], ALL] {
        let prepared = prepare(&component, grants).expect("inert");
        assert!(prepared.is_pure());
        let run = run_library(&component, 1, grants, Effects::default()).await;
        assert_eq!(failure(&run).kind, FailureKind::NotGranted);
    }
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
    assert_eq!(run.fuel_used, 0);
}
