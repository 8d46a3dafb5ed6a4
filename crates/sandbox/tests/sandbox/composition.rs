//! Packages that import packages: values cross, fuel is whose it was burnt by, and nothing else is shared.

use std::sync::Arc;

use glassbox_core::Digest;
use glassbox_core::limits;
use glassbox_core::profile::Profile;
use glassbox_core::value::Value;
use glassbox_sandbox::{
    Dependency, Failure, FailureKind, Flow, Grants, InnerCalls, Invocation, Outcome, Prepared, Run,
    RunLimits, Sandbox, SandboxConfig, SandboxError,
};
use serde_json::json;

use crate::component::{function_type, integer_type, run_in, sandbox, wasm};

/// A package whose interface `demo:{name}/ops` has the functions of `core` that are named, each `func(n: u32) -> u32`.
///
/// `imports` are other such packages of which `core` may call `run`, imported under their names.
pub(crate) fn package(name: &str, imports: &[&str], core: &str, functions: &[&str]) -> Vec<u8> {
    let ty = r#"(func (param "n" u32) (result u32))"#;
    let imported = imports.iter().map(|import| {
        format!(
            r#"(import "demo:{import}/ops@1.0.0" (instance ${import} (export "run" {ty})))
               (core func ${import}-run (canon lower (func ${import} "run")))"#
        )
    });
    let core_imports = imports
        .iter()
        .map(|import| format!(r#"(import "{import}" "run" (func ${import} (param i32) (result i32)))"#));
    let with = imports
        .iter()
        .map(|import| format!(r#"(with "{import}" (instance (export "run" (func ${import}-run))))"#));
    let lifted = functions.iter().map(|function| {
        format!(r#"(func ${function} (param "n" u32) (result u32) (canon lift (core func $i "{function}")))"#)
    });
    let exported = functions.iter().map(|function| format!(r#"(export "{function}" (func ${function}))"#));
    let join = |texts: &mut dyn Iterator<Item = String>| texts.collect::<Vec<_>>().join("\n");
    let [imported, core_imports, with, lifted, exported] = [
        join(&mut imported.into_iter()),
        join(&mut core_imports.into_iter()),
        join(&mut with.into_iter()),
        join(&mut lifted.into_iter()),
        join(&mut exported.into_iter()),
    ];
    wasm(&format!(
        r#"(component
            {imported}
            (core module $m {core_imports} {core})
            (core instance $i (instantiate $m {with}))
            {lifted}
            (instance $ops {exported})
            (export "demo:{name}/ops@1.0.0" (instance $ops)))"#
    ))
}

/// Adds one to its argument.
fn increment(name: &str) -> Vec<u8> {
    let core = r#"(func (export "run") (param i32) (result i32) (i32.add (local.get 0) (i32.const 1)))"#;
    package(name, &[], core, &["run"])
}

/// Calls `run` of `import` once with its argument.
pub(crate) fn passes_on(name: &str, import: &str) -> Vec<u8> {
    let core = format!(r#"(func (export "run") (param i32) (result i32) (call ${import} (local.get 0)))"#);
    package(name, &[import], &core, &["run"])
}

/// Calls `run` of `import` as often as its argument says, each time with what it returned last, from zero.
fn repeats(name: &str, import: &str) -> Vec<u8> {
    let core = format!(
        r#"(func (export "run") (param i32) (result i32) (local i32)
            (block $end (loop $next
                (br_if $end (i32.eqz (local.get 0)))
                (local.set 1 (call ${import} (local.get 1)))
                (local.set 0 (i32.sub (local.get 0) (i32.const 1)))
                (br $next)))
            (local.get 1))"#
    );
    package(name, &[import], &core, &["run"])
}

pub(crate) fn dependency(name: &str, prepared: Arc<Prepared>) -> Dependency {
    Dependency {
        name: format!("demo:{name}@1.0.0").into(),
        prepared,
        memory_bytes: limits::MEMORY_BYTES_DEFAULT,
        calls_max: None,
    }
}

pub(crate) fn compose_in(
    sandbox: &Sandbox,
    component: &[u8],
    grants: &[&str],
    dependencies: Vec<Dependency>,
) -> Result<Arc<Prepared>, SandboxError> {
    let grants = Grants::parse(grants.iter().copied()).expect("the test's grants are valid");
    sandbox.compose(Digest::of(component), component, &grants, dependencies)
}

pub(crate) fn composed(component: &[u8], dependencies: Vec<Dependency>) -> Arc<Prepared> {
    compose_in(&sandbox(), component, &[], dependencies).expect("the test's composition is accepted")
}

fn refused(component: &[u8], dependencies: Vec<Dependency>) -> String {
    let refused = compose_in(&sandbox(), component, &[], dependencies);
    refused.expect_err("the composition is refused").to_string()
}

fn leaf(name: &str) -> Dependency {
    dependency(name, composed(&increment(name), Vec::new()))
}

async fn run_of(name: &str, prepared: &Arc<Prepared>, n: u32, limits: RunLimits) -> Run {
    let function = format!("demo:{name}/ops@1.0.0#run");
    run_in(&sandbox(), prepared, &function, &integer_type(), json!([n]), limits).await
}

async fn call(name: &str, prepared: &Arc<Prepared>, n: u32) -> Run {
    run_of(name, prepared, n, RunLimits::default()).await
}

pub(crate) fn returned(run: &Run) -> u32 {
    match &run.outcome {
        Outcome::Returned(Some(Value::U32(n))) => *n,
        outcome => panic!("expected a number, found {outcome:?}"),
    }
}

pub(crate) fn failure(run: &Run) -> &Failure {
    match &run.outcome {
        Outcome::Failed(failure) => failure,
        outcome => panic!("expected a failure, found {outcome:?}"),
    }
}

/// The tree as text: who was called by the entry at which place, and how often.
fn tree(run: &Run) -> Vec<String> {
    let line = |InnerCalls { parent, dependency, function, calls, .. }: &InnerCalls| {
        let parent = parent.map_or_else(|| "-".to_owned(), |parent| parent.to_string());
        format!("{parent} {dependency} {} x{calls}", function.function())
    };
    run.inner.iter().map(line).collect()
}

fn inner_fuel(run: &Run) -> u64 {
    run.inner.iter().map(|calls| calls.fuel).sum()
}

#[tokio::test]
async fn a_component_calls_another_and_each_burns_its_own_fuel() {
    let root = composed(&repeats("root", "inc"), vec![leaf("inc")]);
    let (none, once, often) =
        (call("root", &root, 0).await, call("root", &root, 1).await, call("root", &root, 100).await);
    assert_eq!((returned(&none), returned(&once), returned(&often)), (0, 1, 100));
    assert!(none.inner.is_empty() && root.is_pure());
    assert_eq!(tree(&often), ["- demo:inc@1.0.0 run x100"]);
    assert_eq!(often.inner[0].component, root.dependencies()[0].prepared.digest());
    // A dependency costs as much each time, and its instance with the first.
    let each = (often.inner[0].fuel - once.inner[0].fuel) / 99;
    assert_eq!(once.inner[0].fuel + 99 * each, often.inner[0].fuel);
    let host = &Profile::current().host;
    assert_eq!(each, 7 + host.per_inner_call + host.per_value_lowered + host.per_value_lifted);
    assert!(once.inner[0].fuel > each + host.per_call + host.per_core_instance);
    // What is left is the importer's own: as much more for each turn of its loop.
    let own = |run: &Run| run.fuel_used - inner_fuel(run);
    assert_eq!((own(&often) - own(&once)) % 99, 0);
    assert_eq!(call("root", &root, 100).await.fuel_used, often.fuel_used);
}

#[tokio::test]
async fn what_a_dependency_burns_is_gone_for_its_importer() {
    let (low, middle) = (leaf("low"), repeats("middle", "low"));
    let middle = dependency("middle", composed(&middle, vec![low]));
    let root = composed(&passes_on("root", "middle"), vec![middle]);
    let run = call("root", &root, 50).await;
    assert_eq!(returned(&run), 50);
    assert_eq!(tree(&run), ["- demo:middle@1.0.0 run x1", "0 demo:low@1.0.0 run x50"]);
    let enough = RunLimits { fuel: run.fuel_used, ..RunLimits::default() };
    assert_eq!(run_of("root", &root, 50, enough).await.fuel_used, run.fuel_used);
    // Wherever it runs out, all of it is used up, and no entry has more than there was.
    for part in [1, 2, 3, 5, 9, 17, 33, 100, 1_000] {
        let fuel = run.fuel_used - run.fuel_used.div_ceil(part).min(run.fuel_used - 1);
        let less = run_of("root", &root, 50, RunLimits { fuel, ..RunLimits::default() }).await;
        assert_eq!((failure(&less).kind, less.fuel_used), (FailureKind::OutOfFuel, fuel), "{part}");
        assert!(inner_fuel(&less) <= fuel, "{part}: {:?}", less.inner);
    }
}

#[tokio::test]
async fn a_dependency_that_fails_ends_the_run_and_is_named() {
    let traps = |name| {
        package(name, &[], r#"(func (export "run") (param i32) (result i32) (unreachable))"#, &["run"])
    };
    let traps = dependency("traps", composed(&traps("traps"), Vec::new()));
    let middle = dependency("middle", composed(&passes_on("middle", "traps"), vec![traps]));
    let root = composed(&passes_on("root", "middle"), vec![middle]);
    let run = call("root", &root, 1).await;
    let Failure { kind, message, dependency } = failure(&run);
    assert_eq!((*kind, dependency.as_deref()), (FailureKind::Trap, Some("demo:traps@1.0.0")), "{message}");
    assert!(message.contains("unreachable"), "{message}");
    assert_eq!(tree(&run), ["- demo:middle@1.0.0 run x1", "0 demo:traps@1.0.0 run x1"]);
    // What the trap may have hidden is added once, where it happened.
    let interval = Profile::current().trap.yield_interval;
    assert!(run.inner[1].fuel > interval && run.inner[0].fuel < interval, "{:?}", run.inner);
    assert!(run.fuel_used - inner_fuel(&run) < interval);
    assert_eq!(call("root", &root, 1).await.fuel_used, run.fuel_used);
}

#[tokio::test]
async fn work_before_a_fault_deep_down_is_paid() {
    let core = r#"(func (export "run") (param i32) (result i32)
        (loop $l (br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
        (i32.div_u (i32.const 1) (local.get 0)))"#;
    let faults = dependency("faults", composed(&package("faults", &[], core, &["run"]), Vec::new()));
    let root = composed(&passes_on("root", "faults"), vec![faults]);
    let run = call("root", &root, 1_000_000).await;
    assert_eq!(failure(&run).kind, FailureKind::Trap);
    // Ten units a turn at the least.
    assert!(run.inner[0].fuel >= 10_000_000 && run.fuel_used < 40_000_000, "{}", run.fuel_used);
}

/// Also where the engine did not look before the function of the dependency came to its end.
#[tokio::test]
async fn a_dependency_that_burns_all_that_is_left_is_named() {
    let ty = r#"(func (param "n" u32))"#;
    let burns = wasm(
        r#"(component
            (core module $m
                (func (export "run") (param i32)
                    (loop $l (br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))))
            (core instance $i (instantiate $m))
            (func $run (param "n" u32) (canon lift (core func $i "run")))
            (instance $ops (export "run" (func $run)))
            (export "demo:burns/ops@1.0.0" (instance $ops)))"#,
    );
    let root = wasm(&format!(
        r#"(component
            (import "demo:burns/ops@1.0.0" (instance $burns (export "run" {ty})))
            (core func $burn (canon lower (func $burns "run")))
            (core module $m
                (import "burns" "run" (func $burn (param i32)))
                (func (export "run") (param i32) (call $burn (local.get 0))))
            (core instance $i (instantiate $m (with "burns" (instance (export "run" (func $burn))))))
            (func (export "run") (param "n" u32) (canon lift (core func $i "run"))))"#
    ));
    let root = composed(&root, vec![dependency("burns", composed(&burns, Vec::new()))]);
    let ty = function_type(json!({ "params": [{ "name": "n", "type": "u32" }] }));
    let run = async |fuel| {
        run_in(&sandbox(), &root, "run", &ty, json!([9]), RunLimits { fuel, ..RunLimits::default() }).await
    };
    let cost = run(RunLimits::default().fuel).await.fuel_used;
    for fuel in cost - 150..=cost {
        let run = run(fuel).await;
        let Failure { kind, dependency, .. } = failure(&run);
        assert_eq!((*kind, dependency.as_deref()), (FailureKind::OutOfFuel, Some("demo:burns@1.0.0")));
        assert_eq!(run.fuel_used, fuel);
    }
    assert_eq!(run(cost + 1).await.outcome, Outcome::Returned(None));
}

/// Returns how often it was called so far.
fn counter(name: &str) -> Vec<u8> {
    let core = r#"(global $n (mut i32) (i32.const 0))
        (func (export "run") (param i32) (result i32)
            (global.set $n (i32.add (global.get $n) (i32.const 1)))
            (global.get $n))"#;
    package(name, &[], core, &["run"])
}

#[tokio::test]
async fn an_instance_lives_as_long_as_the_call_and_is_no_others() {
    let count = || dependency("count", composed(&counter("count"), Vec::new()));
    let left = dependency("left", composed(&passes_on("left", "count"), vec![count()]));
    let right = dependency("right", composed(&passes_on("right", "count"), vec![count()]));
    let core = r#"(func (export "run") (param i32) (result i32)
        (drop (call $left (i32.const 0)))
        (i32.add (i32.mul (call $left (i32.const 0)) (i32.const 10)) (call $right (i32.const 0))))"#;
    let root = composed(&package("root", &["left", "right"], core, &["run"]), vec![left, right]);
    for _ in 0..2 {
        let run = call("root", &root, 0).await;
        assert_eq!(returned(&run), 21);
        assert_eq!(
            tree(&run),
            [
                "- demo:left@1.0.0 run x2",
                "0 demo:count@1.0.0 run x2",
                "- demo:right@1.0.0 run x1",
                "2 demo:count@1.0.0 run x1"
            ]
        );
    }
}

#[tokio::test]
async fn functions_are_told_apart_by_the_way_to_them() {
    let core = r#"(func (export "run") (param i32) (result i32) (call $low (local.get 0)))
        (func (export "also") (param i32) (result i32) (call $low (call $low (local.get 0))))"#;
    let middle = package("middle", &["low"], core, &["run", "also"]);
    let middle = dependency("middle", composed(&middle, vec![leaf("low")]));
    let root = wasm(
        r#"(component
            (import "demo:middle/ops@1.0.0" (instance $middle
                (export "run" (func (param "n" u32) (result u32)))
                (export "also" (func (param "n" u32) (result u32)))))
            (core func $run (canon lower (func $middle "run")))
            (core func $also (canon lower (func $middle "also")))
            (core module $m
                (import "middle" "run" (func $run (param i32) (result i32)))
                (import "middle" "also" (func $also (param i32) (result i32)))
                (func (export "run") (param i32) (result i32)
                    (call $also (call $run (call $also (local.get 0))))))
            (core instance $i (instantiate $m
                (with "middle" (instance (export "run" (func $run)) (export "also" (func $also))))))
            (func (export "run") (param "n" u32) (result u32) (canon lift (core func $i "run"))))"#,
    );
    let root = composed(&root, vec![middle]);
    let run = run_in(&sandbox(), &root, "run", &integer_type(), json!([0]), RunLimits::default()).await;
    assert_eq!(returned(&run), 5);
    assert_eq!(
        tree(&run),
        [
            "- demo:middle@1.0.0 also x2",
            "0 demo:low@1.0.0 run x4",
            "- demo:middle@1.0.0 run x1",
            "2 demo:low@1.0.0 run x1"
        ]
    );
}

#[tokio::test]
async fn calls_are_counted_for_each_call_of_the_importer() {
    let low = Dependency { calls_max: Some(3), ..leaf("low") };
    let middle = dependency("middle", composed(&repeats("middle", "low"), vec![low]));
    let three = composed(&passes_on("root", "middle"), vec![middle.clone()]);
    assert_eq!(returned(&call("root", &three, 3).await), 3);
    let refused = call("root", &three, 4).await;
    let Failure { kind, message, dependency } = failure(&refused);
    assert_eq!((*kind, dependency.as_deref()), (FailureKind::TooManyCalls, Some("demo:middle@1.0.0")));
    assert!(kind.deterministic() && message.contains("`demo:low@1.0.0`"), "{message}");
    // Two calls of the importer may make three each.
    let core = r#"(func (export "run") (param i32) (result i32)
        (i32.add (call $middle (local.get 0)) (call $middle (local.get 0))))"#;
    let twice = composed(&package("root", &["middle"], core, &["run"]), vec![middle]);
    assert_eq!(returned(&call("root", &twice, 3).await), 6);
}

/// Holds one page for each call, for ever.
fn hoarder(name: &str) -> Vec<u8> {
    let core = r#"(memory 0) (func (export "run") (param i32) (result i32) (memory.grow (i32.const 1)))"#;
    package(name, &[], core, &["run"])
}

#[tokio::test]
async fn memory_is_bounded_for_each_and_for_all() {
    const PAGE: usize = 64 * 1024;
    let hoard = |memory_bytes| Dependency {
        memory_bytes,
        ..dependency("hoard", composed(&hoarder("hoard"), Vec::new()))
    };
    let root = composed(&repeats("root", "hoard"), vec![hoard(4 * PAGE)]);
    let run = call("root", &root, 4).await;
    assert_eq!((returned(&run), run.memory_peak_bytes), (3, 4 * PAGE));
    // The fifth page is not there: growing by it gives -1.
    assert_eq!(returned(&call("root", &root, 5).await), u32::MAX);
    // Two of them have their own each, and together no more than a call may have.
    let core = r#"(memory (export "memory") 8000)
        (func (export "run") (param i32) (result i32) (call $hoard (local.get 0)))"#;
    let full = package("root", &["hoard"], core, &["run"]);
    let limits = RunLimits { memory_bytes: limits::MEMORY_BYTES_MAX, ..RunLimits::default() };
    let full = composed(&full, vec![hoard(usize::MAX)]);
    let run = run_of("root", &full, 0, limits).await;
    assert_eq!((returned(&run), run.memory_peak_bytes), (0, 8001 * PAGE));
}

#[tokio::test]
async fn what_computes_for_long_gives_way_and_is_stopped() {
    let core = r#"(func (export "run") (param i32) (result i32) (loop $l (br $l)) (unreachable))"#;
    let endless = dependency("endless", composed(&package("endless", &[], core, &["run"]), Vec::new()));
    let root = composed(&passes_on("root", "endless"), vec![endless]);
    let fuel = 300_000_000;
    let run = run_of("root", &root, 0, RunLimits { fuel, ..RunLimits::default() }).await;
    assert_eq!((failure(&run).kind, run.fuel_used), (FailureKind::OutOfFuel, fuel));
    let limits = RunLimits { wall_ms: 100, fuel: limits::FUEL_MAX, ..RunLimits::default() };
    let run = run_of("root", &root, 0, limits).await;
    assert_eq!(failure(&run).kind, FailureKind::TimedOut);
    assert!(run.fuel_used > Profile::current().trap.yield_interval * 2, "{}", run.fuel_used);
    // Neither of the two ever burns a whole interval at a time, and still they give way together.
    let short = composed(&repeats("root", "inc"), vec![leaf("inc")]);
    let limits = RunLimits { wall_ms: 100, fuel: limits::FUEL_MAX, ..RunLimits::default() };
    assert_eq!(failure(&run_of("root", &short, u32::MAX, limits).await).kind, FailureKind::TimedOut);
}

#[tokio::test]
async fn a_run_that_nobody_waits_for_ends() {
    let core = r#"(func (export "run") (param i32) (result i32) (loop $l (br $l)) (unreachable))"#;
    let sandbox = Sandbox::new(SandboxConfig { threads: 1, ..SandboxConfig::default() }).expect("starts");
    let component = passes_on("root", "endless");
    let inner =
        compose_in(&sandbox, &package("endless", &[], core, &["run"]), &[], Vec::new()).expect("valid");
    let root = compose_in(&sandbox, &component, &[], vec![dependency("endless", inner)]).expect("valid");
    let (function, ty) = ("demo:root/ops@1.0.0#run".parse().expect("a name"), integer_type());
    let limits = RunLimits { fuel: limits::FUEL_MAX, ..RunLimits::default() };
    let args: Arc<[Value]> = [Value::U32(0)].into();
    let invocation = || Invocation::new(&function, &ty, args.clone(), limits);
    let run = sandbox.run(&root, invocation(), Flow::new("payer", "package"));
    assert!(tokio::time::timeout(std::time::Duration::from_millis(50), run).await.is_err());
    // The one thread is free again.
    let other = compose_in(&sandbox, &increment("inc"), &[], Vec::new()).expect("valid");
    let (function, args) = ("demo:inc/ops@1.0.0#run", json!([1]));
    let next = run_in(&sandbox, &other, function, &ty, args, RunLimits::default()).await;
    assert_eq!(returned(&next), 2);
}

#[test]
fn what_cannot_be_linked_says_why() {
    let root = passes_on("root", "inc");
    let nobody = refused(&root, Vec::new());
    assert!(nobody.contains("demo:inc/ops@1.0.0"), "{nobody}");
    let unrelated = refused(&root, vec![leaf("other")]);
    assert!(unrelated.contains("imports what is not granted"), "{unrelated}");
    let two = refused(&root, vec![leaf("inc"), Dependency { name: "demo:fork@1.0.0".into(), ..leaf("inc") }]);
    assert!(two.contains("both `demo:inc@1.0.0` and `demo:fork@1.0.0`"), "{two}");
    let exports = |text: &str| wasm(&format!(r#"(component {text})"#));
    let import = |text: &str| exports(&format!(r#"(import "demo:inc/ops@1.0.0" (instance {text}))"#));
    let found = |text: &str| refused(&import(text), vec![leaf("inc")]);
    let missing = found(r#"(export "walk" (func))"#);
    assert!(missing.contains("`demo:inc@1.0.0` does not export `walk`"), "{missing}");
    let another = found(r#"(export "run" (func (param "n" u64) (result u32)))"#);
    assert!(another.contains("exports `run` with another type"), "{another}");
    let resource = found(r#"(export "blob" (type (sub resource)))"#);
    assert!(resource.contains("`blob` is a resource") && resource.contains("values only"), "{resource}");
}

#[test]
fn compositions_are_bounded() {
    let sandbox = sandbox();
    let compose = |component: &[u8], dependencies| compose_in(&sandbox, component, &[], dependencies);
    let mut last = leaf("p0");
    for depth in 1..limits::CALL_DEPTH_MAX {
        let name = format!("p{depth}");
        let component = passes_on(&name, &format!("p{}", depth - 1));
        last = dependency(&name, compose(&component, vec![last]).expect("not too deep"));
    }
    let deeper = passes_on("deeper", &format!("p{}", limits::CALL_DEPTH_MAX - 1));
    let error = compose(&deeper, vec![last]).expect_err("too deep");
    assert!(matches!(error, SandboxError::TooMany { what: "levels of dependencies", .. }), "{error}");
    // Two ways each at five levels are 63 components.
    let both = |name: &str, [one, other]: [&str; 2]| {
        let core = format!(
            r#"(func (export "run") (param i32) (result i32)
                (i32.add (call ${one} (local.get 0)) (call ${other} (local.get 0))))"#
        );
        package(name, &[one, other], &core, &["run"])
    };
    let mut names = ["left0".to_owned(), "right0".to_owned()];
    let mut below = vec![leaf("left0"), leaf("right0")];
    for level in 1..=4 {
        let next = [format!("left{level}"), format!("right{level}")];
        let composed = next.each_ref().map(|name| {
            let component = both(name, names.each_ref().map(String::as_str));
            compose(&component, below.clone()).map(|prepared| dependency(name, prepared))
        });
        let [left, right] = composed;
        below = vec![left.expect("few enough"), right.expect("few enough")];
        names = next;
    }
    let component = both("root", names.each_ref().map(String::as_str));
    let error = compose(&component, below).expect_err("too many");
    assert!(error.to_string().contains("components over all dependencies"), "{error}");
}

#[tokio::test]
async fn a_call_tree_has_no_more_entries_than_it_may() {
    let names: Vec<_> = (0..=limits::CALL_TREE_NODES_MAX).map(|n| format!("f{n}")).collect();
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    let function =
        |name: &&str| format!(r#"(func (export "{name}") (param i32) (result i32) (local.get 0))"#);
    let core: String = names.iter().map(function).collect();
    let many = dependency("many", composed(&package("many", &[], &core, &names), Vec::new()));
    let exports: String = names
        .iter()
        .map(|name| format!(r#"(export "{name}" (func (param "n" u32) (result u32)))"#))
        .collect();
    let lowered: String = names
        .iter()
        .map(|name| format!(r#"(core func ${name} (canon lower (func $many "{name}")))"#))
        .collect();
    let imports: String = names
        .iter()
        .map(|name| format!(r#"(import "many" "{name}" (func ${name} (param i32) (result i32)))"#))
        .collect();
    let calls: String = names.iter().map(|name| format!("(drop (call ${name} (i32.const 0)))")).collect();
    let with: String = names.iter().map(|name| format!(r#"(export "{name}" (func ${name}))"#)).collect();
    let root = wasm(&format!(
        r#"(component
            (import "demo:many/ops@1.0.0" (instance $many {exports}))
            {lowered}
            (core module $m {imports} (func (export "run") (param i32) (result i32) {calls} (i32.const 0)))
            (core instance $i (instantiate $m (with "many" (instance {with}))))
            (func (export "run") (param "n" u32) (result u32) (canon lift (core func $i "run"))))"#
    ));
    let root = composed(&root, vec![many]);
    let run = run_in(&sandbox(), &root, "run", &integer_type(), json!([0]), RunLimits::default()).await;
    assert_eq!(failure(&run).kind, FailureKind::TooManyCalls);
    assert_eq!(run.inner.len(), limits::CALL_TREE_NODES_MAX);
}

#[tokio::test]
async fn what_is_forgotten_is_gone_where_it_was_part_of_others() {
    let sandbox = Sandbox::new(SandboxConfig { threads: 1, ..SandboxConfig::default() }).expect("starts");
    let inner = increment("inc");
    let component = passes_on("root", "inc");
    let compose = || {
        let inner = compose_in(&sandbox, &inner, &[], Vec::new()).expect("valid");
        let dependencies = vec![dependency("inc", inner)];
        let root = compose_in(&sandbox, &component, &[], dependencies.clone()).expect("valid");
        (root, dependencies)
    };
    let (root, dependencies) = compose();
    assert!(Arc::ptr_eq(&root, &compose().0));
    let known = || sandbox.prepared(Digest::of(&component), &Grants::none(), &dependencies);
    assert!(known().is_some_and(|known| Arc::ptr_eq(&known, &root)));
    sandbox.forget(Digest::of(&inner));
    assert!(known().is_none());
    assert_eq!(
        returned(
            &run_in(
                &sandbox,
                &root,
                "demo:root/ops@1.0.0#run",
                &integer_type(),
                json!([4]),
                RunLimits::default()
            )
            .await
        ),
        5
    );
}
