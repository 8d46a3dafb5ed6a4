//! Copies of components: marked ones tell what they enter and do as before, mutants are valid and few bytes away.

use std::collections::BTreeSet;

use glassbox_core::FunctionName;
use glassbox_sandbox::{
    Flow, Invocation, Mutant, Outcome, Run, RunLimits, Sandbox, entries, inspect, marked, mutants,
};

use crate::component::{integer_component, integer_type, prepare, run, sandbox, wasm};

const CORE: &str = r#"
    (func $twice (param i32) (result i32) (i32.mul (local.get 0) (i32.const 2)))
    (func $never (param i32) (result i32) (i32.sub (local.get 0) (i32.const 2)))
    (func (export "run") (param i32) (result i32)
      (if (i32.lt_u (local.get 0) (i32.const 10)) (then (return (call $twice (local.get 0)))))
      (if (i32.eqz (local.get 0)) (then (return (call $never (local.get 0)))))
      (i32.const 7))"#;

async fn enter(sandbox: &Sandbox, component: &[u8], n: u32) -> Run {
    come_by(sandbox, component, &entries(component).expect("valid"), n).await
}

async fn come_by(sandbox: &Sandbox, component: &[u8], places: &[usize], n: u32) -> Run {
    let prepared = prepare(&marked(component, places).expect("marked"), &[]).expect("accepted");
    let (function, ty): (FunctionName, _) = ("run".parse().expect("a name"), integer_type());
    let args = glassbox_core::value::json::args_from_json(&ty, &serde_json::json!([n])).expect("a number");
    let invocation =
        Invocation { marked: true, ..Invocation::new(&function, &ty, args.into(), RunLimits::default()) };
    sandbox.run(&prepared, invocation, Flow::new("payer", "package")).await
}

#[tokio::test]
async fn a_marked_copy_does_the_same_and_tells_what_it_enters() {
    for memory in ["", "(memory 1)", "(memory 0 1)", "(table 3 funcref) (global i32 (i32.const 1))"] {
        let component = integer_component(&format!("{memory} {CORE}"));
        for (n, entered) in [(3, &[0, 2][..]), (30, &[2])] {
            let plain =
                run(&component, "run", &integer_type(), serde_json::json!([n]), RunLimits::default()).await;
            let told = enter(&sandbox(), &component, n).await;
            assert_eq!(told.outcome, plain.outcome, "{memory}");
            assert_eq!(told.reached, entered.iter().copied().collect(), "{memory}: {n}");
            assert!(plain.reached.is_empty());
        }
    }
    // Functions are counted over all modules, nested ones too.
    let nested = wasm(
        r#"(component
          (core module $none (func (param i64)))
          (component $inner
            (core module $m (func) (func (export "run") (param i32) (result i32) (local.get 0)))
            (core instance $i (instantiate $m))
            (func (export "run") (param "n" u32) (result u32) (canon lift (core func $i "run"))))
          (instance $inner (instantiate $inner))
          (export "run" (func $inner "run")))"#,
    );
    assert_eq!(enter(&sandbox(), &nested, 1).await.reached, BTreeSet::from([2]));
    // Once each: a mark costs millions, and must not cost them ten thousand times.
    let often = integer_component(
        r#"(func $step (param i32) (result i32) (i32.sub (local.get 0) (i32.const 1)))
           (func (export "run") (param i32) (result i32)
             (loop $l (br_if $l (local.tee 0 (call $step (local.get 0))))) (local.get 0))"#,
    );
    let told = enter(&sandbox(), &often, 10_000).await;
    assert_eq!(told.reached, BTreeSet::from([0, 1]));
    assert!(matches!(told.outcome, Outcome::Returned(_)) && told.fuel_used < 30_000_000, "{told:?}");
    // What a guest asks for by itself counts for nothing, unless it was made to tell.
    let greedy = integer_component(
        "(memory 1) (func (export \"run\") (param i32) (result i32) (memory.grow (i32.const 40000)))",
    );
    let plain = run(&greedy, "run", &integer_type(), serde_json::json!([1]), RunLimits::default()).await;
    assert!(plain.reached.is_empty(), "{plain:?}");
}

/// Returns where the operators begin of some functions, by their numbers.
fn functions(component: &[u8], numbers: &[usize]) -> BTreeSet<usize> {
    let entries = entries(component).expect("valid");
    numbers.iter().map(|number| entries[*number]).collect()
}

#[tokio::test]
async fn places_within_functions_are_told_apart() {
    let component = integer_component(CORE);
    let all = mutants(&component, &functions(&component, &[0, 1, 2])).expect("mutants");
    let mut places: Vec<usize> = all.iter().map(Mutant::place).collect();
    places.sort_unstable();
    places.dedup();
    let passed = async |n| {
        let run = come_by(&sandbox(), &component, &places, n).await;
        assert!(matches!(run.outcome, Outcome::Returned(_)), "{run:?}");
        run.reached.len()
    };
    // The constant and the comparison; then the constant and the product, or the condition after them.
    assert_eq!((places.len(), passed(3).await, passed(30).await), (6, 4, 3));
    assert_eq!(marked(&component, &[]).expect("nothing"), component, "without places, nothing is changed");
}

#[test]
fn mutants_are_valid_and_the_same_for_everybody() {
    let component = integer_component(CORE);
    let all = mutants(&component, &functions(&component, &[0, 1, 2])).expect("mutants");
    assert_eq!(all, mutants(&component, &functions(&component, &[0, 1, 2])).expect("mutants"));
    for mutant in &all {
        let mutated = mutant.of(&component);
        assert_eq!(mutated.iter().zip(&component).filter(|(one, other)| one != other).count(), 1);
        inspect(&mutated).expect("a mutant is valid");
    }
    // Factor and product of one function, difference of another; the comparison twice, its bound, and the condition of the last.
    let of = |number: usize| mutants(&component, &functions(&component, &[number])).expect("mutants").len();
    assert_eq!((of(0), of(1), of(2), all.len()), (2, 1, 4, 7));
    assert!(mutants(&component, &BTreeSet::new()).expect("none").is_empty());
    assert!(mutants(b"\0asm nonsense", &BTreeSet::new()).is_err());
}

#[test]
fn copies_of_what_compilers_make_are_valid() {
    let examples = [
        &include_bytes!("../../../../examples/checksum/dist/checksum.wasm")[..],
        include_bytes!("../../../../examples/markdown/dist/markdown.wasm"),
        include_bytes!("../../../../examples/semver/dist/semver.wasm"),
    ];
    for component in examples {
        let entries = entries(component).expect("valid");
        inspect(&marked(component, &entries).expect("marked")).expect("a marked copy is valid");
        let all = mutants(component, &entries.into_iter().collect()).expect("mutants");
        let places: BTreeSet<usize> = all.iter().take(1_000).map(Mutant::place).collect();
        let places: Vec<usize> = places.into_iter().collect();
        inspect(&marked(component, &places).expect("marked")).expect("a marked copy is valid");
        for mutant in all.iter().take(20) {
            inspect(&mutant.of(component)).expect("a mutant is valid");
        }
    }
}
