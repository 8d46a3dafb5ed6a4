//! Wrappers: generated components that pass every call on.

use glassbox_core::Digest;
use glassbox_core::limits;
use glassbox_core::value::json;
use glassbox_sandbox::{Dependency, Flow, Grants, Invocation, Outcome, RunLimits, Spec};
use serde_json::{Value, json};
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

use crate::component::{sandbox, wasm};

const PARENT: &str = "package demo:parent@1.0.0;
interface ops {
  record point { x: f64, y: s64 }
  sum: func(a: u32, b: u32, c: u32, d: u32, e: u32, f: u32, g: u32, h: u32, i: u32, j: u32, k: u32, l: u32, m: u32,
    n: u32, o: u32, p: u32, q: u32) -> u32;
  same: func(text: string) -> string;
  mirror: func(at: point) -> result<point, string>;
  nothing: func();
}
world parent { export ops; }
";

const MODULE: &str = r#"(module
  (memory (export "memory") 1)
  (global $next (mut i32) (i32.const 1024))
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (local $at i32)
    (local.set $at (i32.and (i32.add (global.get $next) (i32.const 7)) (i32.const -8)))
    (global.set $next (i32.add (local.get $at) (local.get 3)))
    (drop (memory.grow (i32.shr_u (local.get 3) (i32.const 15))))
    (local.get $at))
  (func (export "demo:parent/ops@1.0.0#sum") (param $at i32) (result i32) (local $sum i32) (local $end i32)
    (local.set $end (i32.add (local.get $at) (i32.const 68)))
    (loop $next
      (local.set $sum (i32.add (local.get $sum) (i32.load (local.get $at))))
      (local.set $at (i32.add (local.get $at) (i32.const 4)))
      (br_if $next (i32.lt_u (local.get $at) (local.get $end))))
    (local.get $sum))
  (func (export "demo:parent/ops@1.0.0#same") (param i32 i32) (result i32)
    (i32.store (i32.const 8) (local.get 0))
    (i32.store (i32.const 12) (local.get 1))
    (i32.const 8))
  (func (export "demo:parent/ops@1.0.0#mirror") (param f64 i64) (result i32)
    (i32.store8 (i32.const 16) (i32.const 0))
    (f64.store (i32.const 24) (f64.neg (local.get 0)))
    (i64.store (i32.const 32) (i64.sub (i64.const 0) (local.get 1)))
    (i32.const 16))
  (func (export "demo:parent/ops@1.0.0#nothing")))"#;

fn parent() -> Vec<u8> {
    let mut resolve = Resolve::default();
    let package = resolve.push_source("parent.wit", PARENT).expect("the test's WIT is valid");
    let world = resolve.select_world(&[package], Some("parent")).expect("it is there");
    let mut module = wasm(MODULE);
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).expect("a module");
    let encoder = ComponentEncoder::default().module(&module).expect("a module of the world");
    encoder.validate(true).encode().expect("a component")
}

fn spec(world: &str) -> Spec {
    let own = format!("package demo:wrapper@0.1.0;\nworld wrapper {{ {world} }}\n");
    let files = [("world.wit".to_owned(), own), ("deps/parent/world.wit".to_owned(), PARENT.to_owned())];
    Spec::parse(&files, Some("wrapper")).expect("the test's WIT is valid")
}

#[tokio::test(flavor = "multi_thread")]
async fn values_of_every_form_pass_through() {
    let (sandbox, grants) = (sandbox(), Grants::none());
    let spec = spec("import demo:parent/ops@1.0.0; export demo:parent/ops@1.0.0;");
    let wrapper = spec.wrapper().expect("an interface of plain functions is wrapped");
    spec.check_world(&wrapper).expect("a wrapper is of its world");
    let parent = parent();
    let parent =
        sandbox.compose(Digest::of(&parent), &parent, &grants, Vec::new()).expect("the parent compiles");
    let dependency = Dependency {
        name: "demo:parent@1.0.0".into(),
        prepared: parent,
        memory_bytes: limits::MEMORY_BYTES_DEFAULT,
        calls_max: None,
    };
    let prepared = sandbox.compose(Digest::of(&wrapper), &wrapper, &grants, vec![dependency]);
    let prepared = prepared.expect("the wrapper links");
    let long = "ä€𝄞".repeat(100_000);
    for (name, args, result) in [
        ("sum", Value::from((1..=17).collect::<Vec<u32>>()), json!(153)),
        ("same", json!(["so"]), json!("so")),
        ("same", json!([""]), json!("")),
        ("same", json!([long]), json!(long)),
        ("mirror", json!([{ "x": 1.5, "y": -9 }]), json!({ "ok": { "x": -1.5, "y": 9 } })),
        ("nothing", json!([]), Value::Null),
    ] {
        let function = spec.function(name).expect("it is exported");
        let args = json::args_from_json(&function.ty, &args).expect("the test's arguments are valid");
        let invocation = Invocation::new(&function.name, &function.ty, args.into(), RunLimits::default());
        let run = sandbox.run(&prepared, invocation, Flow::new("payer", "package")).await;
        let Outcome::Returned(value) = run.outcome else { panic!("{name}: {:?}", run.outcome) };
        let value = value.zip(function.ty.result.as_ref()).map(|(value, ty)| json::to_json(&value, ty));
        assert_eq!(value.map_or(Value::Null, |value| value.expect("it has a JSON form")), result, "{name}");
        assert_eq!(run.inner.len(), 1);
        assert!(run.inner[0].fuel > 0 && run.inner[0].fuel < run.fuel_used);
    }
}

#[test]
fn what_cannot_be_imported_alike_has_no_wrapper() {
    for (world, why) in [
        ("export run: func();", "`run` is in no interface"),
        ("export inner: interface { run: func(); }", "`inner` has no name outside"),
        ("export demo:parent/ops@1.0.0;", "is not imported"),
    ] {
        let refused = spec(world).wrapper().expect_err(world).to_string();
        assert!(refused.contains(why), "{refused}");
    }
    let resource = "package demo:wrapper@0.1.0;\ninterface i { resource r { get: func() -> u32; } }\n\
        world wrapper { import i; export i; }\n";
    let spec = Spec::parse(&[("world.wit".to_owned(), resource.to_owned())], None).expect("valid");
    let refused = spec.check_wrappable().expect_err("a resource").to_string();
    assert!(refused.contains("is no plain function"), "{refused}");
}
