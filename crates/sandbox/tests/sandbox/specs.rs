//! The WIT side, and whether a component keeps its promise.

use glassbox_core::value::Type;
use glassbox_sandbox::{SandboxError, Spec, inspect};
use serde_json::json;

use crate::component::wasm;

const SHOP: &str = r#"
/// Prices of things.
package acme:shop@1.2.0;

interface prices {
  use acme:money/types@1.0.0.{amount};

  /// A thing on a shelf.
  record thing {
    name: string,
    /// How many there are.
    in-stock: u32,
  }
  resource basket { constructor(); total: func() -> amount; }
  flags options { gift-wrap, express }

  /// What a thing costs.
  price: func(thing: thing, options: options) -> result<amount, string>;
  fill: func(basket: borrow<basket>);
}

world shop {
  import acme:stock/count@2.0.0;
  export prices;
  /// Opens the shop.
  export open: func(hour: u8);
}
"#;

const MONEY: &str = "package acme:money@1.0.0; interface types { type amount = u64; }";
const STOCK: &str = "package acme:stock@2.0.0; interface count { of: func(name: string) -> u32; }";

fn parse(files: &[(&str, &str)], world: Option<&str>) -> Result<Spec, SandboxError> {
    let files: Vec<_> = files.iter().map(|(path, text)| (path.to_string(), text.to_string())).collect();
    Spec::parse(&files, world)
}

fn shop() -> Spec {
    // Dependencies come as a folder or as a file.
    let files = [("world.wit", SHOP), ("deps/money/types.wit", MONEY), ("deps/stock.wit", STOCK)];
    parse(&files, None).expect("valid WIT")
}

#[test]
fn functions_and_their_types() {
    let spec = shop();
    assert_eq!(spec.package(), "acme:shop@1.2.0");
    assert_eq!(spec.version().map(ToString::to_string).as_deref(), Some("1.2.0"));
    assert_eq!(spec.world_name(), "shop");
    assert!(spec.imports().contains(&"acme:stock/count@2.0.0".to_owned()), "{:?}", spec.imports());
    let names: Vec<_> = spec.functions().iter().map(|function| function.name.to_string()).collect();
    assert_eq!(names, ["open", "acme:shop/prices@1.2.0#price", "acme:shop/prices@1.2.0#fill"]);
    let price = spec.function("prices.price").expect("it is there");
    assert_eq!(price.docs, "What a thing costs.");
    assert_eq!(price.signature, "price: func(thing: thing, options: options) -> result<amount, string>");
    assert_eq!(
        price.ty.to_string(),
        "func(thing: record { name: string, in-stock: u32 }, options: flags { gift-wrap, express }) \
         -> result<u64, string>"
    );
    let fill = spec.function("fill").expect("it is there");
    assert_eq!(fill.callable, Err("parameter `basket` holds a resource".into()));
    let open = spec.function("open").expect("it is there");
    assert_eq!((&open.ty.params[0].ty, &open.ty.result), (&Type::U8, &None));
    assert_eq!(spec.function("close"), None);
}

/// What lives in the instance that made it has no value, wherever in a type it stands.
#[test]
fn what_has_no_value_is_not_callable() {
    let callable = |ty: &str, result: bool| {
        let function = if result { format!("func() -> {ty}") } else { format!("func(x: {ty})") };
        let text = format!(
            "package a:b;\ninterface c {{ resource r; record inside {{ s: stream<u8> }} f: {function}; }}\n\
             world w {{ export c; }}"
        );
        parse(&[("a.wit", &text)], None)
            .expect("valid WIT")
            .function("f")
            .expect("it is there")
            .callable
            .clone()
    };
    for (ty, holds) in [
        ("stream<u8>", "a stream"),
        ("stream", "a stream"),
        ("list<stream<string>>", "a stream"),
        ("inside", "a stream"),
        ("future<u8>", "a future"),
        ("option<future>", "a future"),
        ("result<u8, future<string>>", "a future"),
        ("r", "a resource"),
        ("tuple<u8, r>", "a resource"),
        ("list<option<r>>", "a resource"),
    ] {
        assert_eq!(callable(ty, true), Err(format!("its result holds {holds}")), "{ty}");
        assert_eq!(callable(ty, false), Err(format!("parameter `x` holds {holds}")), "{ty}");
    }
    assert_eq!(callable("list<u8>", true), Ok(()));
}

/// A component that would keep such a promise is beyond the profile.
#[test]
fn streams_and_futures_are_no_types_of_components() {
    for ty in ["(stream u8)", "(future u8)"] {
        let error = inspect(&wasm(&format!("(component (type {ty}))"))).expect_err("refused").to_string();
        assert!(error.contains("the profile `glassbox-det/1` leaves this out"), "{ty}: {error}");
    }
}

#[test]
fn words_for_the_search() {
    let spec = shop();
    let identifiers = spec.identifiers();
    for name in ["acme", "shop", "prices", "price", "thing", "in-stock", "gift-wrap", "open", "hour"] {
        assert!(identifiers.iter().any(|identifier| identifier == name), "{name} of {identifiers:?}");
    }
    assert!(!identifiers.contains(&"count".to_owned()), "names of other packages are not ours");
    let docs = spec.docs();
    for text in [
        "Prices of things.",
        "A thing on a shelf.",
        "How many there are.",
        "What a thing costs.",
        "Opens the shop.",
    ] {
        assert!(docs.contains(text), "{text} in {docs}");
    }
}

#[test]
fn what_is_wrong_is_said_with_its_place() {
    let refused = |files: &[(&str, &str)], world| parse(files, world).expect_err("refused").to_string();
    let syntax = refused(&[("a.wit", "package a:b;\ninterface c { d: fun(); }")], None);
    assert!(syntax.contains("a.wit:2:"), "{syntax}");
    let unknown = refused(&[("a.wit", "package a:b;\nworld c { import d:e/f; }")], None);
    assert!(unknown.contains("d:e"), "{unknown}");
    let nested = refused(
        &[("a.wit", "package a:b; world c {}"), ("deps/x.wit", "package d:e; interface f { g }")],
        None,
    );
    assert!(nested.contains("deps/x.wit:1:"), "{nested}");
    let wrong_type = refused(&[("a.wit", "package a:b;\nworld c { export d: func(e: f); }")], None);
    assert!(wrong_type.contains("a.wit:2:"), "{wrong_type}");
    assert!(refused(&[("deps/a.wit", "package a:b;")], None).contains("outside of `deps`"));
    assert!(refused(&[], None).contains("no `.wit` file"));
    let two = [("a.wit", "package a:b; world c {} world d {}")];
    assert!(refused(&two, None).contains("`c`, `d`"));
    assert!(refused(&two, Some("e")).contains("no world `e`"));
    assert_eq!(parse(&two, Some("d")).expect("valid").world_name(), "d");
    assert!(refused(&[("a.wit", "package a:b; interface c {}")], None).contains("no world"));
}

const ADDER: &str = "package acme:math@0.1.0; interface add { add: func(a: u32, b: u32) -> u32; } \
    world adder { export add; }";

fn adder(interface: &str, function: &str, params: &str) -> Vec<u8> {
    wasm(&format!(
        r#"(component
            (core module $m (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1))))
            (core instance $i (instantiate $m))
            (func $add {params} (canon lift (core func $i "add")))
            (instance $add (export "{function}" (func $add)))
            (export "{interface}" (instance $add))
            (func (export "init") (param "a" u32) (param "b" u32) (result u32) (canon lift (core func $i "add"))))"#
    ))
}

const PARAMS: &str = r#"(param "a" u32) (param "b" u32) (result u32)"#;

#[test]
fn components_are_checked_against_their_world() {
    let spec = parse(&[("world.wit", ADDER)], None).expect("valid WIT");
    let check = |component: &[u8]| spec.check_world(component);
    // An extra export passes, and so does a compatible version.
    assert_eq!(check(&adder("acme:math/add@0.1.0", "add", PARAMS)), Ok(()));
    assert_eq!(check(&adder("acme:math/add@0.1.3", "add", PARAMS)), Ok(()));
    let missing = check(&adder("acme:math/sub@0.1.0", "add", PARAMS)).expect_err("another interface");
    assert_eq!(missing.missing_exports, ["acme:math/add@0.1.0"]);
    assert!(missing.to_string().contains("missing export `acme:math/add@0.1.0`"), "{missing}");
    let renamed = check(&adder("acme:math/add@0.1.0", "sum", PARAMS)).expect_err("another function");
    assert_eq!(renamed.mismatched_types[0].0, "acme:math/add@0.1.0");
    let retyped = r#"(param "a" u32) (param "b" s32) (result u32)"#;
    let retyped = check(&adder("acme:math/add@0.1.0", "add", retyped)).expect_err("another type");
    assert!(retyped.to_string().contains("different type of `acme:math/add@0.1.0`"), "{retyped}");
    let garbage = check(b"\0asm garbage").expect_err("no component");
    assert!(garbage.problem.is_some());
}

#[test]
fn imports_outside_the_world_are_refused_but_for_wasi() {
    let spec = parse(&[("world.wit", "package acme:quiet; world quiet {}")], None).expect("valid WIT");
    let wasi = wasm(r#"(component (import "wasi:cli/environment@0.2.3" (instance (export "f" (func)))))"#);
    assert_eq!(spec.check_world(&wasi), Ok(()));
    let foreign = wasm(r#"(component (import "acme:text/spell@1.0.0" (instance (export "f" (func)))))"#);
    let mismatch = spec.check_world(&foreign).expect_err("an import that the world does not have");
    assert_eq!(mismatch.unexpected_imports, ["acme:text/spell@1.0.0"]);
    assert!(mismatch.to_string().contains("unexpected import `acme:text/spell@1.0.0`"), "{mismatch}");
}

#[tokio::test]
async fn a_compatible_version_is_found_when_called() {
    let spec = parse(&[("world.wit", ADDER)], None).expect("valid WIT");
    let component = adder("acme:math/add@0.1.3", "add", PARAMS);
    let add = spec.function("add").expect("it is there");
    let prepared = crate::component::prepare(&component, &[]).expect("valid");
    let run = crate::component::run_in(
        &crate::component::sandbox(),
        &prepared,
        &add.name.to_string(),
        &add.ty,
        json!({ "a": 40, "b": 2 }),
        Default::default(),
    )
    .await;
    assert_eq!(run.outcome, glassbox_sandbox::Outcome::Returned(Some(glassbox_core::value::Value::U32(42))));
}

/// WIT comes from strangers too.
#[test]
fn hostile_wit_is_refused() {
    let world = |types: &str, ty: &str| {
        let text =
            format!("package a:b; interface c {{ {types} f: func(x: {ty}); }} world d {{ export c; }}");
        parse(&[("a.wit", &text)], None)
    };
    let not_callable = |spec: Result<Spec, SandboxError>| {
        spec.is_err() || spec.is_ok_and(|spec| spec.functions()[0].callable.is_err())
    };
    // Each line doubles the type: two to the fiftieth parts.
    let doubling: String = (1..50).map(|n| format!("type t{n} = tuple<t{}, t{}>;", n - 1, n - 1)).collect();
    let doubled = world(&format!("type t0 = u8; {doubling}"), "t49");
    if let Ok(spec) = &doubled {
        let mismatch = spec.check_world(&adder("a:b/c", "f", PARAMS)).expect_err("nothing has this type");
        assert!(mismatch.problem.is_some(), "{mismatch}");
    }
    assert!(not_callable(doubled));
    // A chain of names, each for the last.
    let chain: String = (1..20_000).map(|n| format!("type t{n} = t{};", n - 1)).collect();
    assert!(not_callable(world(&format!("type t0 = u8; {chain}"), "t19999")));
    // A large type, spelled out by each of many functions.
    let large: String = (1..13).map(|n| format!("type t{n} = tuple<t{}, t{}>;", n - 1, n - 1)).collect();
    let many: String = (0..200).map(|n| format!("g{n}: func(x: t12);")).collect();
    let crowd = world(&format!("type t0 = u8; {large} {many}"), "u8");
    assert!(matches!(crowd, Err(SandboxError::TooMany { what: "parts in its types", .. })), "{crowd:?}");
    let functions: String = (0..1_100).map(|n| format!("g{n}: func();")).collect();
    assert!(matches!(world(&functions, "u8"), Err(SandboxError::TooMany { what: "functions", .. })));
    // Receipts spell types out in JSON, three levels for a record, and JSON readers stop at 128.
    let records = |levels: usize| {
        let types: String = (1..levels).map(|n| format!("record t{n} {{ a: t{} }}", n - 1)).collect();
        world(&format!("record t0 {{ a: u8 }} {types}"), &format!("t{}", levels - 1))
    };
    assert!(not_callable(records(33)));
    let deepest = records(31).expect("within the limit");
    let text = serde_json::to_string(&deepest.functions()[0].ty).expect("plain JSON");
    let read: glassbox_core::value::FunctionType = serde_json::from_str(&text).expect("can be read back");
    assert_eq!(read, *deepest.functions()[0].ty);
    // As deep as a file allows.
    for levels in [100, 150_000] {
        assert!(not_callable(world("", &format!("{}u8{}", "list<".repeat(levels), ">".repeat(levels)))));
    }
}
