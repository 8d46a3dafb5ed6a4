//! A hundred thousand damaged components and WIT texts: each is refused with a typed error or accepted, and what is
//! accepted runs within its limits and ends.
//!
//! The damage is the same in every run. A case that fails prints its number, which is enough to make it again.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use glassbox_core::Digest;
use glassbox_core::value::FunctionType;
use glassbox_sandbox::{
    FailureKind, Grants, Outcome, RunLimits, Sandbox, SandboxConfig, SandboxError, Spec, inspect,
};
use wasm_mutate::WasmMutate;

use crate::component::{run_in, wasm};
use crate::encode::{first_module, section};
use crate::golden;
use crate::random::Random;
use crate::stopwatch::{peak_bytes, process_time};

/// A component to damage, with a call of it that works.
struct Seed {
    name: String,
    bytes: Vec<u8>,
    function: String,
    ty: FunctionType,
    args: serde_json::Value,
}

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Returns the components of the golden vectors that are text and stand by themselves, each with the first call of it.
fn seeds() -> Vec<Seed> {
    let folder = workspace().join("conformance/fuel");
    let text = fs::read_to_string(folder.join("vectors.json")).expect("the vectors are committed");
    let document: serde_json::Value = serde_json::from_str(&text).expect("valid JSON");
    let mut seeds: Vec<Seed> = Vec::new();
    for vector in document["vectors"].as_array().expect("vectors") {
        let name = vector["component"].as_str().expect("a file").to_owned();
        let imports = vector.get("dependencies").is_some() || !name.ends_with(".wat");
        if imports || seeds.last().is_some_and(|last| last.name == name) {
            continue;
        }
        let bytes = golden::component(&name);
        let function = vector["function"].as_str().expect("a name").to_owned();
        let ty = serde_json::from_value(vector["type"].clone()).expect("a type");
        seeds.push(Seed { name, bytes, function, ty, args: vector["args"].clone() });
    }
    seeds
}

/// Damages bytes in one to four places.
fn damage(bytes: &mut Vec<u8>, other: &[u8], random: &mut Random) {
    const TELLING: [u8; 8] = [0x00, 0x01, 0x0b, 0x40, 0x7f, 0x80, 0xfe, 0xff];
    for _ in 0..=random.below(4) {
        if bytes.is_empty() {
            return;
        }
        let at = random.below(bytes.len());
        let len = 1 + random.below(24.min(bytes.len() - at));
        match random.below(9) {
            0 => bytes[at] ^= 1 << random.below(8),
            1 => bytes[at] = TELLING[random.below(TELLING.len())],
            2 => bytes[at] = random.next() as u8,
            3 => bytes.truncate(at),
            4 => drop(bytes.drain(at..at + len)),
            5 => {
                let copy = bytes[at..at + len].to_vec();
                let to = random.below(bytes.len());
                bytes.splice(to..to, copy);
            }
            6 => {
                let from = random.below(other.len());
                let piece = other[from..(from + len).min(other.len())].to_vec();
                bytes.splice(at..at, piece);
            }
            // A number that goes on: the largest, or one that never ends.
            7 => drop(bytes.splice(at..=at, [0xff, 0xff, 0xff, 0xff, 0x0f])),
            _ => *bytes = shuffled(bytes, random),
        }
    }
}

/// Exchanges two sections of a component, leaves one out, or repeats one.
fn shuffled(bytes: &[u8], random: &mut Random) -> Vec<u8> {
    let Some((head, mut rest)) = bytes.split_at_checked(8) else { return bytes.to_vec() };
    let mut sections = Vec::new();
    while let [_, size @ ..] = rest {
        let (mut len, mut shift, mut digits) = (0_usize, 0, 0);
        for byte in size.iter().take(4) {
            len |= usize::from(byte & 0x7f) << shift;
            (shift, digits) = (shift + 7, digits + 1);
            if byte & 0x80 == 0 {
                break;
            }
        }
        let (section, others) = rest.split_at((1 + digits + len).min(rest.len()));
        sections.push(section);
        rest = others;
    }
    if !sections.is_empty() {
        let (a, b) = (random.below(sections.len()), random.below(sections.len()));
        match random.below(3) {
            0 => sections.swap(a, b),
            1 => drop(sections.remove(a)),
            _ => sections.insert(a, sections[b]),
        }
    }
    [head, &sections.concat()].concat()
}

/// Runs what was accepted, as its seed is run, with little of everything.
struct Runner {
    sandbox: Sandbox,
    runtime: tokio::runtime::Runtime,
    returned: usize,
    failed: usize,
    refused: usize,
}

impl Runner {
    fn new() -> Self {
        let config = SandboxConfig { threads: 1, hot_bytes: 1, ..SandboxConfig::default() };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        Self {
            sandbox: Sandbox::new(config).expect("starts"),
            runtime: runtime.expect("starts"),
            returned: 0,
            failed: 0,
            refused: 0,
        }
    }

    fn run(&mut self, seed: &Seed, bytes: &[u8], case: &str) {
        let limits = RunLimits {
            fuel: 2_000_000,
            memory_bytes: 4 * 1024 * 1024,
            table_elements: 10_000,
            output_bytes: 64 * 1024,
            wall_ms: 20_000,
        };
        let prepared = match self.sandbox.prepare(Digest::of(bytes), bytes, &Grants::none()) {
            Ok(prepared) => prepared,
            Err(SandboxError::NotGranted { .. } | SandboxError::Compile { .. }) => {
                self.refused += 1;
                return;
            }
            Err(error) => panic!("{case}: accepted, and then refused: {error}"),
        };
        let run = run_in(&self.sandbox, &prepared, &seed.function, &seed.ty, seed.args.clone(), limits);
        let run = self.runtime.block_on(run);
        assert!(run.fuel_used <= limits.fuel, "{case}: {run:?}");
        assert!(run.memory_peak_bytes <= limits.memory_bytes, "{case}: {run:?}");
        match run.outcome {
            Outcome::Returned(_) => self.returned += 1,
            Outcome::Failed(failure) => {
                let ours =
                    matches!(failure.kind, FailureKind::Internal | FailureKind::TimedOut | FailureKind::Busy);
                assert!(!ours, "{case}: {failure:?}");
                self.failed += 1;
            }
        }
    }
}

/// The most processor time of one case. Few take a hundredth of it: this tells what hangs.
const CASE_MAX: Duration = Duration::from_secs(1);

/// The most memory that the whole of a test may hold: what was damaged, the compiler, and what it keeps.
const PEAK_BYTES_MAX: usize = 1 << 30;

/// Calls `work`, and insists that it did not take this process, whose threads compile and run, longer than any case may.
fn guarded<T>(case: &str, work: impl FnOnce() -> T) -> T {
    let started = process_time();
    let done = work();
    let taken = process_time() - started;
    assert!(taken < CASE_MAX, "{case}: {taken:?}");
    done
}

fn assert_bounded_memory() {
    let peak = peak_bytes();
    assert!(peak < PEAK_BYTES_MAX, "{peak} bytes");
}

/// Looks at a damaged component. Every `sample`th that is accepted is run, too.
fn check(seed: &Seed, bytes: &[u8], case: &str, accepted: &mut usize, sample: usize, runner: &mut Runner) {
    if is_accepted(bytes, case) {
        *accepted += 1;
        if accepted.is_multiple_of(sample) {
            guarded(case, || runner.run(seed, bytes, case));
        }
    }
}

/// Tells whether a damaged component is accepted, and insists that it is refused as such otherwise.
fn is_accepted(bytes: &[u8], case: &str) -> bool {
    match guarded(case, || inspect(bytes)) {
        Ok(inspection) => {
            assert_eq!(inspection.bytes, bytes.len(), "{case}");
            true
        }
        Err(
            SandboxError::Invalid { .. }
            | SandboxError::NotWasm
            | SandboxError::CoreModule
            | SandboxError::TooMany { .. }
            | SandboxError::Unbounded { .. },
        ) => false,
        Err(error) => panic!("{case}: {error:?}"),
    }
}

#[test]
fn damaged_components_are_refused_or_run() {
    const CASES: u64 = 98_000;
    let seeds = seeds();
    let mut runner = Runner::new();
    let mut accepted = 0;
    for case in 0..CASES {
        let mut random = Random(case);
        let seed = &seeds[random.below(seeds.len())];
        let other = &seeds[random.below(seeds.len())];
        let mut bytes = seed.bytes.clone();
        damage(&mut bytes, &other.bytes, &mut random);
        check(seed, &bytes, &format!("case {case} of {}", seed.name), &mut accepted, 20, &mut runner);
    }
    let Runner { returned, failed, refused, .. } = runner;
    eprintln!(
        "{accepted} of {CASES} accepted; of the sample {returned} returned, {failed} failed, {refused} were refused"
    );
    // Otherwise the damage is such that nothing is tested.
    assert!(accepted > 2_000 && returned > 50 && failed > 50);
    assert_bounded_memory();
}

/// Real components are larger: damage in them lies deeper.
#[test]
fn damaged_examples_are_refused() {
    for name in ["checksum", "markdown"] {
        let path = workspace().join(format!("examples/{name}/dist/{name}.wasm"));
        let good = fs::read(path).expect("the example is committed");
        assert!(is_accepted(&good, name));
        let cases = 2_000_000_u64.div_ceil(good.len() as u64).min(1_000);
        for case in 0..cases {
            let mut random = Random(case);
            let mut bytes = good.clone();
            damage(&mut bytes, &good, &mut random);
            is_accepted(&bytes, &format!("case {case} of {name}"));
        }
    }
    assert_bounded_memory();
}

/// Modules that are changed and stay valid, each in the place of the one in its component.
#[test]
fn changed_modules_run() {
    const CASES: usize = 2_000;
    let seeds = seeds();
    let mut runner = Runner::new();
    let (mut accepted, mut changed) = (0, 0);
    for seed_number in 0.. {
        let mut random = Random(seed_number);
        let seed = &seeds[random.below(seeds.len())];
        let Some((before, module, after)) = first_module(&seed.bytes) else { continue };
        let mut mutate = WasmMutate::default();
        mutate.seed(seed_number).preserve_semantics(false).fuel(200);
        let Ok(modules) = mutate.run(module) else { continue };
        // The first few: to find many more in one place takes the mutator long.
        for module in modules.take(2).flatten() {
            changed += 1;
            let bytes = [before, &section(1, &module), after].concat();
            let case = format!("change {changed}, of {}", seed.name);
            check(seed, &bytes, &case, &mut accepted, 10, &mut runner);
        }
        if changed >= CASES {
            break;
        }
    }
    let Runner { returned, failed, refused, .. } = runner;
    eprintln!(
        "{accepted} of {changed} accepted; of the sample {returned} returned, {failed} failed, {refused} were refused"
    );
    assert!(accepted > 1_000 && returned > 50);
    assert_bounded_memory();
}

const WIT: &str = r#"package acme:shapes@1.2.3;

/// Shapes and what they have.
interface shapes {
    enum colour { red, green, blue }
    flags style { filled, dashed }
    record point { x: f64, y: f64 }
    variant shape { dot(point), line(tuple<point, point>), path(list<point>), none }
    resource canvas { constructor(); draw: func(shape: shape) -> result<u32, string>; }
    type many = list<option<shape>>;
    area: func(shape: shape, scale: option<f32>) -> result<f64, string>;
    paint: func(shapes: many, tint: colour, how: style) -> list<u8>;
}

world drawing {
    import wasi:clocks/wall-clock@0.2.0;
    use shapes.{point};
    export shapes;
    export origin: func() -> point;
    export mirror: func(p: point) -> point;
}
"#;

const CLOCKS: &str = "package wasi:clocks@0.2.0;\ninterface wall-clock { now: func() -> u64; }\n";

/// Damages a text by words and characters, so that much of it still reads as WIT.
fn damaged_text(text: &str, random: &mut Random) -> String {
    let mut words: Vec<String> =
        text.split_inclusive([' ', '\n', ';', '(', '<', '{', ',']).map(str::to_owned).collect();
    for _ in 0..=random.below(3) {
        let (a, b) = (random.below(words.len()), random.below(words.len()));
        match random.below(6) {
            0 => words.swap(a, b),
            1 => drop(words.remove(a)),
            2 => words.insert(a, words[b].clone()),
            3 => words[a] = words[a].replace(char::is_alphabetic, "é"),
            4 => {
                let copies = words[a].repeat(1 + random.below(40));
                words[a] = copies;
            }
            _ => words[a] = words[b].clone(),
        }
        if words.is_empty() {
            break;
        }
    }
    words.concat()
}

#[test]
fn damaged_wit_is_refused_or_read() {
    const CASES: u64 = 6_000;
    let component = wasm("(component)");
    let mut read = 0;
    let clocks = || ("deps/clocks/clocks.wit".to_owned(), CLOCKS.to_owned());
    Spec::parse(&[("shapes.wit".to_owned(), WIT.to_owned()), clocks()], None).expect("it is valid undamaged");
    for case in 0..CASES {
        let mut random = Random(case);
        let text = damaged_text(WIT, &mut random);
        let case_name = format!("text {case}");
        match guarded(&case_name, || Spec::parse(&[("shapes.wit".to_owned(), text), clocks()], None)) {
            Ok(spec) => {
                read += 1;
                let _ = (spec.identifiers(), spec.docs(), spec.imports(), spec.functions().len());
                if case % 4 == 0 {
                    spec.check_world(&component).expect_err("an empty component exports nothing");
                }
            }
            Err(SandboxError::Wit { .. } | SandboxError::World { .. } | SandboxError::TooMany { .. }) => {}
            Err(error) => panic!("case {case}: {error:?}"),
        }
    }
    assert!(read > 300, "{read} of {CASES}");
}

/// Whatever a damaged component is, whether it fits a world can be asked.
#[test]
fn damaged_components_are_held_against_a_world() {
    const CASES: u64 = 3_000;
    let folder = workspace().join("examples/checksum");
    let wit = fs::read_to_string(folder.join("wit/world.wit")).expect("the example is committed");
    let spec = Spec::parse(&[("world.wit".to_owned(), wit)], None).expect("the example's WIT is valid");
    let good = fs::read(folder.join("dist/checksum.wasm")).expect("the example is committed");
    assert_eq!(spec.check_world(&good), Ok(()));
    let mut fitting = 0;
    for case in 0..CASES {
        let mut random = Random(case);
        let mut bytes = good.clone();
        damage(&mut bytes, &good, &mut random);
        let fits = guarded(&format!("case {case}"), || spec.check_world(&bytes).is_ok());
        fitting += usize::from(fits);
    }
    assert!((1..CASES as usize).contains(&fitting), "{fitting} of {CASES}");
}
