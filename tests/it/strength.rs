//! How strong tests are: tried on mutants, the same at home and on a registry.

use glassbox_core::key::SecretKey;
use glassbox_core::{Digest, limits};
use glassbox_registry::{Package, PackageFiles, Strength, strength, testing};
use glassbox_store::Moment;
use serde_json::{Value, json};

use crate::blocklists;
use crate::packages::{self, one_file};
use crate::stage::{Stage, sandbox};

/// Grades: nothing below 50, one below 80, three for exactly 100, and something of its own for the rest.
const GRADE: &str = r#"(component
  (core module $m
    (func (export "grade") (param i32) (result i32)
      (if (i32.lt_u (local.get 0) (i32.const 50)) (then (return (i32.const 0))))
      (if (i32.lt_u (local.get 0) (i32.const 80)) (then (return (i32.const 1))))
      (if (i32.eq (local.get 0) (i32.const 100)) (then (return (i32.const 3))))
      (i32.add (i32.mul (i32.and (local.get 0) (i32.const 7)) (i32.const 3)) (i32.const 2)))
    (func (export "more") (param i32) (result i32)
      (i32.div_u (i32.const 1) (i32.shl (local.get 0) (i32.const 4)))))
  (core instance $i (instantiate $m))
  (func (export "grade") (param "n" u32) (result u32) (canon lift (core func $i "grade"))))"#;

fn package(name: &str, cases: &[(u32, u32)]) -> PackageFiles {
    let case = |(n, grade): &(u32, u32)| {
        format!("[[case]]\nname = \"{n}\"\ncall = \"grade({n})\"\nexpect = \"{grade}\"\n")
    };
    PackageFiles {
        manifest: format!(
            "[package]\nname = \"{name}\"\nversion = \"1.0.0\"\nlicense = \"MIT\"\n[spec]\nworld = \"w\"\n\
             [component]\npath = \"grade.wasm\"\nfuel-max = 1_000_000\n"
        ),
        wit: one_file(
            "w.wit",
            format!("package {name}@1.0.0;\nworld w {{ export grade: func(n: u32) -> u32; }}"),
        ),
        tests: one_file("grade.toml", cases.iter().map(case).collect::<String>()),
        editions: Default::default(),
        component: wat::parse_str(GRADE).unwrap(),
        files: None,
        source: None,
    }
}

const STRONG: [(u32, u32); 8] = [(0, 0), (49, 0), (50, 1), (79, 1), (80, 2), (81, 5), (87, 23), (100, 3)];
/// Runs everything, and touches no bound.
const WEAK: [(u32, u32); 1] = [(90, 8)];

async fn measured(files: PackageFiles) -> Strength {
    let package = Package::check(files).unwrap();
    let report = testing::run(&sandbox(), &package, Vec::new()).await.unwrap();
    strength::measure(&sandbox(), &package, Vec::new(), &report).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn strong_tests_catch_what_weak_ones_let_pass() {
    let strong = measured(package("a:grade", &STRONG)).await;
    assert_eq!(strong, Strength::Measured { caught: 13, mutants: 13 }, "of what they run alone");
    let Strength::Measured { caught, mutants } = measured(package("a:grade", &WEAK)).await else { panic!() };
    assert_eq!((caught, mutants), (7, 13), "what moves a bound is not seen");
    // The same for whoever measures, whenever.
    assert_eq!(measured(package("b:other", &STRONG)).await, strong);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_tried_says_so() {
    let why = |strength: Strength| match strength {
        Strength::Unmeasured { unmeasured } => unmeasured,
        Strength::Measured { .. } => panic!("it was measured"),
    };
    assert_eq!(why(measured(package("a:grade", &[])).await), "it has no tests");
    let mut small = package("a:grade", &[(1, 2)]);
    let little = GRADE.replace("(export \"grade\") (param i32)", "(export \"unused\") (param i32)");
    let little = little.replace(
        "(export \"more\") (param i32) (result i32)",
        "(export \"grade\") (param i32) (result i32) (i32.const 2)) (func (param i32) (result i32)",
    );
    small.component = wat::parse_str(little).unwrap();
    assert_eq!(why(measured(small).await), "its tests run too little code");
    assert!(why(measured(packages::example("semver")).await).starts_with("the component is larger than"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registry_shows_how_strong_tests_are() {
    let stage = Stage::empty().await;
    for (name, cases) in [("ana:grade", &STRONG[..]), ("ben:grade", &WEAK)] {
        let files = package(name, cases);
        let seed = if name.starts_with("ana") { 91 } else { 92 };
        let request = packages::request(&files, packages::sign(&files, &SecretKey::from_seed(&[seed; 32])));
        assert_eq!(stage.post("/v1/publish", &request).await.status, 201);
    }
    let shown = async |name: &str| {
        let release = stage.get(&format!("/v1/packages/{name}/grade/1.0.0")).await.json();
        release["tests"]["strength"].clone()
    };
    assert_eq!(shown("ana").await, Value::Null, "not yet");
    // One after the other, in the order of their coming, and each once.
    assert!(stage.registry.measure_next().await.unwrap());
    assert_eq!(shown("ana").await, json!({ "caught": 13, "mutants": 13 }));
    assert_eq!(shown("ben").await, Value::Null);
    assert!(stage.registry.measure_next().await.unwrap());
    assert_eq!(shown("ben").await, json!({ "caught": 7, "mutants": 13 }));
    assert!(!stage.registry.measure_next().await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_could_not_be_written_is_measured_again() {
    for (moment, again) in [(Moment::Before, true), (Moment::After, false)] {
        let stage = Stage::empty().await;
        stage.publish(&packages::bench("1.0.0")).await;
        stage.inject("set_strength", moment);
        assert!(stage.registry.measure_next().await.is_err(), "{moment:?}");
        assert_eq!(stage.registry.measure_next().await.unwrap(), again, "{moment:?}");
        assert!(!stage.registry.measure_next().await.unwrap(), "{moment:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_machine_failed_at_is_tried_again_a_few_times() {
    let stage = Stage::empty().await;
    for (name, seed) in [("ana:grade", 91), ("ben:grade", 92)] {
        let files = package(name, &STRONG);
        let key = SecretKey::from_seed(&[seed; 32]);
        let request = packages::request(&files, packages::sign(&files, &key));
        assert_eq!(stage.post("/v1/publish", &request).await.status, 201);
    }
    let shown = async |name: &str| {
        let release = stage.get(&format!("/v1/packages/{name}/grade/1.0.0")).await.json();
        release["tests"]["strength"].clone()
    };
    // Both have one component.
    let digest = Digest::of(wat::parse_str(GRADE).unwrap()).hex();
    let object = stage.store_path().join("objects").join(&digest[..2]).join(&digest);
    let away = object.with_extension("away");
    std::fs::rename(&object, &away).unwrap();
    assert!(stage.registry.measure_next().await.unwrap());
    assert_eq!(shown("ana").await, Value::Null);
    std::fs::rename(&away, &object).unwrap();
    assert!(stage.registry.measure_next().await.unwrap());
    assert_eq!(shown("ana").await, json!({ "caught": 13, "mutants": 13 }));
    std::fs::rename(&object, &away).unwrap();
    for n in 0..limits::TESTING_TRIES_MAX {
        assert_eq!(shown("ben").await, Value::Null, "{n}");
        assert!(stage.registry.measure_next().await.unwrap());
    }
    assert_eq!(shown("ben").await, json!({ "unmeasured": "it failed" }));
    assert!(!stage.registry.measure_next().await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_may_not_run_is_not_tried() {
    let stage = Stage::with_blocklist(blocklists::keeper().public()).await;
    blocklists::block(&stage, "package:lab:bench").await;
    while stage.registry.measure_next().await.unwrap() {}
    let shown = stage.get("/v1/packages/lab/bench/1.0.0").await.json()["tests"]["strength"].clone();
    assert_eq!(shown, json!({ "unmeasured": "it may not run here" }));
}
