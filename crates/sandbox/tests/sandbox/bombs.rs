//! Components that are small or valid and would cost far more than their bytes: each is refused by name before
//! anything is made of it, and what is just allowed is cheap.

use std::time::{Duration, Instant};

use glassbox_core::Digest;
use glassbox_core::profile::Profile;
use glassbox_sandbox::{CompileLimits, Grants, Sandbox, SandboxConfig, SandboxError, Spec, inspect};

use crate::component::wasm;
use crate::encode::{code, component, function, function_type, leb, module, repeated, section, wrapped};
use crate::isolation::worker;
use crate::stopwatch::thread_time;

/// Blocks, one in another, or one after another.
const BLOCK: [u8; 2] = [0x02, 0x40];
const LOOP: [u8; 2] = [0x03, 0x40];
const END: u8 = 0x0b;
const I32: u8 = 0x7f;

/// The most processor time that looking at a component may take: a second, and where our own code is not optimised,
/// which is up to ten times slower, ten.
const LOOK_MAX: Duration = Duration::from_secs(if cfg!(debug_assertions) { 10 } else { 1 });

/// Calls `look`, and insists that it takes this thread no longer than it may.
fn in_time<T>(look: impl FnOnce() -> T) -> T {
    let started = thread_time();
    let seen = look();
    let taken = thread_time() - started;
    assert!(taken < LOOK_MAX, "{taken:?}");
    seen
}

/// Returns why a component is refused, in words.
fn refusal(bytes: &[u8]) -> String {
    let error = in_time(|| inspect(bytes)).expect_err("it is a bomb");
    assert!(
        matches!(
            error,
            SandboxError::TooMany { .. }
                | SandboxError::Invalid { .. }
                | SandboxError::Unbounded { .. }
                | SandboxError::TooLarge { .. }
        ),
        "{error:?}"
    );
    error.to_string()
}

fn check(bytes: &[u8], named: &str) {
    let refusal = refusal(bytes);
    assert!(refusal.contains(named), "`{refusal}` does not name `{named}`");
}

fn nested(opener: &[u8], depth: usize) -> Vec<u8> {
    function(&[], &[opener.repeat(depth), vec![END; depth]].concat())
}

#[test]
fn functions() {
    let many = |count: usize| module(&[function_type(0, 0), repeated(3, count, &[0]), code(count, &[], &[])]);
    check(&wrapped(&many(300_000)), "core functions");
    // Over several modules, too.
    let half = section(1, &many(60_000));
    check(&component(&[half.clone(), half]), "core functions");
    check(&function(&[(1_000_000, I32)], &[]), "locals");
    check(&function(&[(u32::MAX as usize, I32)], &[]), "locals");
    check(&function(&[(20_001, I32)], &[]), "locals in one function");
    check(&function(&vec![(1, I32); 30_000], &[]), "locals in one function");
    check(&function(&[], &[0x01].repeat(3_000_000)), "bytes in one function");
    check(&function(&[], &[0x01].repeat(10_000_000)), "function body size");
}

#[test]
fn blocks() {
    check(&nested(&BLOCK, 100_000), "levels of blocks");
    check(&nested(&LOOP, 10_000), "levels of loops");
    let row = |count: usize, block: &[u8]| function(&[(1, I32)], &block.repeat(count));
    check(&row(200_000, &[0x02, 0x40, END]), "branches in one function");
    check(&row(200_000, &[0x20, 0, 0x04, 0x40, END]), "branches in one function");
    // Each loop may need each local again, and each loop around it.
    let locals = 12_000;
    let uses: Vec<u8> =
        (0..locals).flat_map(|local| [vec![0x20], leb(local), vec![0x21], leb(local)].concat()).collect();
    let loops = [LOOP.repeat(60), uses, vec![END; 60]].concat();
    check(&function(&[(locals, I32)], &loops), "locals times levels of loops in one function");
    check(&jump(6_000_000), "bytes in one function");
    check(&jump(2_090_000), "branches in one function");
    check(&jump(Profile::current().limits.function_branches_max), "branches in one function");
    // Many functions of what is honest once.
    let busy = code(60, &[(1, I32)], &[0x20, 0, 0x04, 0x40, END].repeat(10_000));
    check(&wrapped(&module(&[function_type(0, 0), repeated(3, 60, &[0]), busy])), "pairs of branches");
}

#[test]
fn operands() {
    let wide = |width: usize, calls: usize| {
        let params: Vec<u8> = (0..width).flat_map(|param| [vec![0x20], leb(param)].concat()).collect();
        let body = [params, vec![0x10, 0]].concat().repeat(calls);
        wrapped(&module(&[function_type(width, 0), repeated(3, 1, &[0]), code(1, &[], &body)]))
    };
    check(&wide(1_000, 200), "operands");
    check(&wide(1_001, 1), "function params size");
    inspect(&wide(20, 20)).expect("twenty operands are honest");
}

/// What a call returns, and what a loop takes along, moves without an operator that is paid for it.
#[test]
fn values_that_nobody_pushes() {
    let results = |count: usize| {
        let values: Vec<u8> = [0x41, 0].repeat(count);
        wrapped(&module(&[function_type(0, count), repeated(3, 1, &[0]), code(1, &[], &values)]))
    };
    check(&results(17), "results of one core function");
    inspect(&results(16)).expect("sixteen results are honest");
    // The block's type is the function's own, which takes and gives nothing else.
    let taken = |count: usize| {
        let gets: Vec<u8> = (0..count).flat_map(|param| [vec![0x20], leb(param)].concat()).collect();
        let body = [gets, vec![0x03, 0], [0x1a].repeat(count), vec![END]].concat();
        wrapped(&module(&[function_type(count, 0), repeated(3, 1, &[0]), code(1, &[], &body)]))
    };
    check(&taken(17), "values into one block");
    inspect(&taken(16)).expect("a loop that takes sixteen values is honest");
}

#[test]
fn sections() {
    let many = |count: usize| {
        let names =
            |entry: &dyn Fn(usize) -> Vec<u8>| [leb(count), (0..count).flat_map(entry).collect()].concat();
        let name = |number: usize| {
            let name = number.to_string();
            [leb(name.len()), name.into_bytes()].concat()
        };
        let one = [function_type(0, 0), repeated(3, 1, &[0])];
        let imports = section(2, &names(&|number| [vec![0], name(number), vec![0, 0]].concat()));
        let exports = section(7, &names(&|number| [name(number), vec![0, 0]].concat()));
        [
            module(&[repeated(1, count, &[0x60, 0, 0])]),
            module(&[function_type(0, 0), imports]),
            module(&[&one[..], &[exports, code(1, &[], &[])]].concat()),
            module(&[repeated(6, count, &[I32, 1, 0x41, 0, END])]),
            module(&[repeated(5, 1, &[0, 1]), repeated(11, count, &[0, 0x41, 0, END, 1, 7])]),
        ]
    };
    for module in many(600_000) {
        check(&wrapped(&module), "definitions");
    }
    for module in many(1_000) {
        inspect(&wrapped(&module)).expect("a thousand of anything is honest");
    }
    let element = |count| section(9, &[vec![1, 1, 0], leb(count), vec![0; count]].concat());
    let table = repeated(4, 1, &[0x70, 0, 1]);
    let elements = |count| {
        module(&[function_type(0, 0), repeated(3, 1, &[0]), table.clone(), element(count), code(1, &[], &[])])
    };
    check(&wrapped(&elements(4_000_000)), "definitions");
    let name = [leb(200_000), vec![b'x'; 200_000]].concat();
    let import = section(2, &[leb(1), vec![0], name, vec![0, 0]].concat());
    check(&wrapped(&module(&[function_type(0, 0), import])), "string size");
}

#[test]
fn memories_and_tables() {
    check(&wasm("(component (core module (memory 65536)))"), "bytes of initial memory");
    check(&wasm("(component (core module (table 4294967295 funcref)))"), "initial table elements");
    let module = "(core module $m (memory 0) (table 0 funcref))";
    let instances =
        |count: usize| format!("(component {module} {})", "(core instance (instantiate $m))".repeat(count));
    check(&wasm(&instances(9)), "memories");
    inspect(&wasm(&instances(8))).expect("eight memories are honest");
    let tables = format!("(component (core module {}))", "(table 0 funcref)".repeat(17));
    check(&wasm(&tables), "tables");
    // A little more than the limit in each of four, by start sizes that are honest alone.
    let quarter = Profile::current().limits.memory_bytes_max / 4 / 65536 + 1;
    let four = format!(
        "(component (core module $m (memory {quarter})) {})",
        "(core instance (instantiate $m))".repeat(4)
    );
    check(&wasm(&four), "bytes of initial memory");
    // Data that is written again for each instance.
    let data = format!(
        r#"(component (core module $l (memory (export "m") 80)) (core instance $l (instantiate $l))
            (core module $m (import "l" "m" (memory 80)) (data (i32.const 0) "{}")) {})"#,
        "x".repeat(1_000_000),
        r#"(core instance (instantiate $m (with "l" (instance $l))))"#.repeat(100)
    );
    check(&wasm(&data), "bytes of data");
}

#[test]
fn instances_that_make_instances() {
    let core = "(core module $m) (core instance (instantiate $m)) (core instance (instantiate $m))";
    let mut text = format!("(component $c0 {core})");
    for level in 1..10 {
        let below = level - 1;
        text = format!(
            "(component $c{level} {text} {})",
            format!("(instance (instantiate $c{below}))").repeat(10)
        );
    }
    check(&wasm(&format!("(component {text})")), "instances");
    // By another name for the same component, and by one from outside.
    let alias = r#"(component
        (component $c (core module $m) (core instance (instantiate $m)))
        (component
            (alias outer 1 $c (component $a))
            (export $b "b" (component $a))
            INSTANCES))"#;
    check(
        &wasm(&alias.replace("INSTANCES", &"(instance (instantiate $b))".repeat(300))),
        "instances of core modules",
    );
    inspect(&wasm(&alias.replace("INSTANCES", "(instance (instantiate $b))"))).expect("one is honest");
    for imported in [
        r#"(component (import "c" (component $c)) (instance (instantiate $c)))"#,
        r#"(component (import "m" (core module $m)) (core instance (instantiate $m)))"#,
        r#"(component (import "i" (instance $i (export "c" (component)))) (alias export $i "c" (component $c)))"#,
    ] {
        check(&wasm(imported), "from an import or an instance");
    }
}

#[test]
fn types_that_grow() {
    let mut text = "(type $t0 (tuple u8 u8))".to_owned();
    for level in 1..40 {
        let below = level - 1;
        text += &format!("(type $t{level} (tuple $t{below} $t{below}))");
    }
    check(&wasm(&format!("(component {text})")), "type size");
    // An instance type of one declaration, which is a type again: to read it takes the stack for each level.
    let instance = [[0x42, 1, 1].repeat(20_000), vec![0x42, 0]].concat();
    check(&component(&[section(7, &[vec![1], instance].concat())]), "types inside of types");
}

/// A function of `locals` that are all in use beyond `count` branches, each of which changes one of them.
fn merging(locals: usize, count: usize) -> Vec<u8> {
    let get = |local: usize| [vec![0x20], leb(local)].concat();
    let branch = |number: usize| {
        let set = [vec![0x41, 1, 0x21], leb(number % locals)].concat();
        [get(0), vec![0x04, 0x40], set, vec![END]].concat()
    };
    let used = (0..locals).flat_map(|local| [get(local), vec![0x1a]].concat());
    function(&[(locals, I32)], &(0..count).flat_map(branch).chain(used).collect::<Vec<_>>())
}

/// A function with one jump by a table of as many `targets`, which are all the same.
fn jump(targets: usize) -> Vec<u8> {
    let body = [vec![0x41, 0, 0x0e], leb(targets), vec![0; targets + 1]].concat();
    function(&[], &body)
}

/// What comes close to a limit compiles within what a child may take to compile what a stranger sends.
#[test]
fn the_most_that_is_allowed_compiles() {
    let limits = &Profile::current().limits;
    let empty = |count: usize| {
        wrapped(&module(&[function_type(0, 0), repeated(3, count, &[0]), code(count, &[], &[])]))
    };
    let body = limits.function_bytes_max - 16;
    let honest = [
        ("levels of blocks", nested(&BLOCK, limits.block_depth_max - 1)),
        ("levels of loops", nested(&LOOP, limits.loop_depth_max)),
        ("locals", function(&[(limits.function_locals_max, I32)], &[])),
        ("branches", merging(1, limits.function_branches_max)),
        ("locals times branches", merging(250, limits.function_merges_max / 250)),
        ("calls", function(&[], &[0x10, 0].repeat(50_000))),
        ("bytes of a function", function(&[], &[0x01].repeat(body))),
        ("targets of a jump", jump(limits.function_branches_max - 1)),
        ("functions", empty(limits.core_functions_max)),
    ];
    let config = SandboxConfig {
        compiler: worker(),
        compile_limits: CompileLimits::default(),
        pool: false,
        threads: 1,
        ..SandboxConfig::default()
    };
    let sandbox = Sandbox::new(config).expect("starts");
    for (what, bytes) in honest {
        let started = Instant::now();
        in_time(|| inspect(&bytes)).unwrap_or_else(|error| panic!("{what}: {error}"));
        let inspected = started.elapsed();
        let prepared = sandbox.prepare(Digest::of(&bytes), &bytes, &Grants::none());
        eprintln!("{what}: {inspected:?}, then {:?}", started.elapsed() - inspected);
        prepared.unwrap_or_else(|error| panic!("{what}: {error}"));
    }
}

/// Texts that are read level by level, each of which takes the stack of whoever reads it.
#[test]
fn wit() {
    let lines = |count: usize, line: &dyn Fn(usize) -> String| (0..count).map(line).collect::<String>();
    let spec = |body: String| {
        let text = format!("package a:b;\n{body}\nworld w {{ export last; }}\n");
        in_time(|| Spec::parse(&[("a.wit".to_owned(), text)], None))
    };
    let lists = |depth: usize| {
        let list = format!("{}u8{}", "list<".repeat(depth), ">".repeat(depth));
        spec(format!("interface last {{ f: func(x: {list}); }}"))
    };
    let names = |depth: usize| {
        let names = lines(depth, &|n| format!("type t{} = t{n};\n", n + 1));
        spec(format!("interface last {{ type t0 = u8; {names} f: func(x: t{depth}); }}"))
    };
    let pairs = |depth: usize| {
        let pairs = lines(depth, &|n| format!("record t{} {{ a: t{n}, b: t{n} }}\n", n + 1));
        spec(format!("interface last {{ record t0 {{ a: u8 }} {pairs} f: func(x: t{depth}); }}"))
    };
    let uses = |depth: usize, comment: &str| {
        let uses = lines(depth, &|n| format!("{comment} interface i{} {{ use i{n}.{{t}}; }}\n", n + 1));
        spec(format!(
            "interface i0 {{ type t = u8; }} {uses} interface last {{ use i{depth}.{{t}}; f: func(x: t); }}"
        ))
    };
    let error = |spec: Result<Spec, SandboxError>| spec.expect_err("it is a bomb").to_string();
    assert!(error(lists(100_000)).contains("too deep"));
    assert!(error(names(20_000)).contains("deeper than 64"));
    assert!(error(pairs(20_000)).contains("deeper than 64"));
    assert!(error(uses(10_000, "")).contains("10002 WIT interfaces"));
    assert!(error(uses(10_000, "/*//*/")).contains("10002 WIT interfaces"));
    assert!(error(uses(100, "")).contains("deeper than 64"));
    let component = wasm("(component)");
    for honest in [lists(20), names(20), pairs(4), uses(40, "// with a comment\n")] {
        let spec = honest.expect("it is honest");
        assert_eq!(spec.functions().len(), 1);
        assert_eq!(spec.check_world(&component).expect_err("it is empty").missing_exports, ["a:b/last"]);
    }
}
