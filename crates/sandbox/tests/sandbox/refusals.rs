//! Components that break a rule of the component model, one rule each: every one is refused by name before anything is
//! compiled of it, and beside some of them stands what is allowed.

use glassbox_core::Digest;
use glassbox_sandbox::{Grants, SandboxError, inspect};

use crate::component::{sandbox, wasm};

/// The kinds of error that a wrong component can meet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Invalid,
    TooMany,
    Unbounded,
    NotGranted,
}

fn kind(error: &SandboxError) -> Option<Kind> {
    match error {
        SandboxError::Invalid { .. } => Some(Kind::Invalid),
        SandboxError::TooMany { .. } => Some(Kind::TooMany),
        SandboxError::Unbounded { .. } => Some(Kind::Unbounded),
        SandboxError::NotGranted { .. } => Some(Kind::NotGranted),
        _ => None,
    }
}

/// Checks that a component is refused as `expected`, in words that contain `part`, by both who look at it.
fn refused(name: &str, text: &str, expected: Kind, part: &str) {
    let bytes = wasm(&format!("(component {text})"));
    // What is foreign is a matter of grants, which only come with preparing.
    if expected != Kind::NotGranted {
        let error = inspect(&bytes).expect_err(name);
        assert_eq!(kind(&error), Some(expected), "{name}: {error:?}");
    }
    let error = sandbox().prepare(Digest::of(&bytes), &bytes, &Grants::none()).expect_err(name);
    assert_eq!(kind(&error), Some(expected), "{name}: {error:?}");
    let message = error.to_string();
    assert!(message.contains(part), "{name}: `{message}` lacks `{part}`");
}

fn accepted(name: &str, text: &str) {
    let bytes = wasm(&format!("(component {text})"));
    let prepared = sandbox().prepare(Digest::of(&bytes), &bytes, &Grants::none());
    prepared.unwrap_or_else(|error| panic!("{name}: {error}"));
}

/// Checks components that break a rule of the validator's.
fn invalid(cases: &[(&str, &str, &str)]) {
    for (name, text, part) in cases {
        refused(name, text, Invalid, part);
    }
}

use Kind::*;

/// A module with a memory, a way to grow it, and functions of several types; `$i` is an instance of it.
const CORE: &str = r#"(core module $m
        (memory (export "memory") 1)
        (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 0))
        (func (export "none")) (func (export "one") (param i32) (result i32) (local.get 0))
        (func (export "two") (param i32 i32) (result i32) (local.get 0))
        (func (export "long") (param i64) (result i64) (local.get 0)))
    (core instance $i (instantiate $m))"#;

#[test]
fn what_does_not_exist() {
    invalid(&[
        ("a type", "(func (type 7) (canon lift (core func 0)))", "unknown type 7: type index out of bounds"),
        ("a type inside of one", "(type (list 3))", "unknown type 3: type index out of bounds"),
        ("a core module", "(core instance (instantiate 0))", "unknown module 0: module index out of bounds"),
        ("a component", "(instance (instantiate 0))", "unknown component 0: component index out of bounds"),
        (
            "a core function",
            r#"(type $f (func)) (func (type $f) (canon lift (core func 3)))"#,
            "unknown core function 3: function index out of bounds",
        ),
        (
            "an export of an instance",
            r#"(import "a:b/c" (instance $i (export "f" (func)))) (alias export $i "g" (func))"#,
            "instance 0 has no export named `g`",
        ),
        (
            "an export of another kind",
            r#"(import "a:b/c" (instance $i (export "f" (func)))) (alias export $i "f" (type))"#,
            "export `f` for instance 0 is not a type",
        ),
        (
            "an export of a core instance",
            r#"(core module $m) (core instance $i (instantiate $m)) (alias core export $i "f" (core func))"#,
            "core instance 0 has no export named `f`",
        ),
        ("a component so far outside", "(alias outer 3 0 (type))", "invalid outer alias count of 3"),
        (
            "an exported function",
            r#"(export "f" (func 0))"#,
            "unknown function 0: function index out of bounds",
        ),
    ]);
}

#[test]
fn functions_that_do_not_fit() {
    let lift = |ty: &str, function: &str, options: &str| {
        format!(r#"{CORE} (func (export "f") {ty} (canon lift (core func $i "{function}") {options}))"#)
    };
    let memory = r#"(memory (core memory $i "memory"))"#;
    let realloc = r#"(realloc (core func $i "realloc"))"#;
    let both = format!("{memory} {realloc}");
    accepted("a string", &lift(r#"(param "s" string) (result u32)"#, "two", &both));
    for (name, text, part) in [
        (
            "another core type",
            lift(r#"(param "n" u32) (result u32)"#, "long", ""),
            "lowered parameter types `[I32]` do not match parameter types `[I64]` of core function 0",
        ),
        (
            "too few parameters",
            lift(r#"(param "n" u32) (result u32)"#, "none", ""),
            "lowered parameter types `[I32]` do not match parameter types `[]` of core function 0",
        ),
        (
            "a string without memory",
            lift(r#"(param "s" string) (result u32)"#, "two", ""),
            "canonical option `memory` is required",
        ),
        (
            "a string without realloc",
            lift(r#"(param "s" string) (result u32)"#, "two", memory),
            "canonical option `realloc` is required",
        ),
        (
            "realloc without memory",
            lift(r#"(param "n" u32) (result u32)"#, "one", realloc),
            "canonical option `realloc` requires `memory` to also be specified",
        ),
        (
            "memory twice",
            lift(r#"(param "n" u32) (result u32)"#, "one", &format!("{memory} {memory}")),
            "canonical option `memory` is specified more than once",
        ),
        (
            "two encodings",
            lift(
                r#"(param "s" string) (result u32)"#,
                "two",
                &format!("{both} string-encoding=utf8 string-encoding=utf16"),
            ),
            "canonical encoding option `utf8` conflicts with option `utf16`",
        ),
        (
            "a realloc of another type",
            lift(
                r#"(param "s" string) (result u32)"#,
                "two",
                &format!(r#"{memory} (realloc (core func $i "two"))"#),
            ),
            "canonical option `realloc` uses a core function with an incorrect signature",
        ),
        (
            "a post-return of another type",
            lift(r#"(param "n" u32) (result u32)"#, "one", r#"(post-return (core func $i "long"))"#),
            "canonical option `post-return` uses a core function with an incorrect signature",
        ),
        (
            "an async lift",
            lift(r#"(param "n" u32) (result u32)"#, "one", "async"),
            "canonical option `async` requires the component model async feature",
        ),
    ] {
        refused(name, &text, Invalid, part);
    }
    refused(
        "a lowered function with a post-return",
        &format!(
            r#"{CORE} (import "f" (func $f)) (core func (canon lower (func $f) (post-return (core func $i "none"))))"#
        ),
        Invalid,
        "canonical option `post-return` cannot be specified for lowerings",
    );
}

#[test]
fn arguments_of_instances() {
    let core = r#"(core module $m (import "a" "f" (func (param i32))))
        (core module $n (func (export "f") (param i64)) (func (export "g")))
        (core instance $n (instantiate $n))"#;
    let inner = r#"(component $c (import "f" (func (param "n" u32))))"#;
    invalid(&[
        (
            "none to a core module",
            r#"(core module $m (import "a" "f" (func))) (core instance (instantiate $m))"#,
            "missing module instantiation argument named `a`",
        ),
        ("none to a component", &format!("{inner} (instance (instantiate $c))"), "missing import named `f`"),
        (
            "another type to a core module",
            &format!(r#"{core} (core instance (instantiate $m (with "a" (instance $n))))"#),
            "type mismatch for export `f` of module instantiation argument `a`",
        ),
        (
            "one of a core module twice",
            &format!(
                r#"{core} (core instance (instantiate $m (with "a" (instance $n)) (with "a" (instance $n))))"#
            ),
            "duplicate module instantiation argument named `a`",
        ),
        (
            "another type to a component",
            &format!(
                r#"(import "g" (func $g (param "n" string))) {inner} (instance (instantiate $c (with "f" (func $g))))"#
            ),
            "type mismatch for import `f`",
        ),
        (
            "another kind to a component",
            &format!(r#"(type $t u32) {inner} (instance (instantiate $c (with "f" (type $t))))"#),
            "type mismatch for import `f`",
        ),
        (
            "one of a component twice",
            &format!(
                r#"(import "g" (func $g (param "n" u32))) {inner} (instance (instantiate $c (with "f" (func $g)) (with "f" (func $g))))"#
            ),
            "instantiation argument `f` conflicts with previous argument `f`",
        ),
    ]);
}

#[test]
fn names() {
    accepted(
        "one function under two names",
        r#"(core module $m (func (export "f"))) (core instance $i (instantiate $m))
            (func $f (canon lift (core func $i "f"))) (export "one" (func $f)) (export "two" (func $f))"#,
    );
    invalid(&[
        (
            "two imports",
            r#"(import "a" (func)) (import "a" (func))"#,
            "import name `a` conflicts with previous name `a`",
        ),
        (
            "two imports but for case",
            r#"(import "a-b" (func)) (import "A-b" (func))"#,
            "import name `A-b` conflicts with previous name `a-b`",
        ),
        (
            "two exports",
            r#"(type $t u8) (export "a" (type $t)) (export "a" (type $t))"#,
            "export name `a` conflicts with previous name `a`",
        ),
        (
            "two exports but for case",
            r#"(type $t u8) (export "a" (type $t)) (export "A" (type $t))"#,
            "export name `A` conflicts with previous name `a`",
        ),
        (
            "two parameters",
            r#"(type (func (param "a" u8) (param "A" u8)))"#,
            "function parameter name `A` conflicts with previous parameter name `a`",
        ),
        ("nothing", r#"(import "" (func))"#, "import name `` is not a valid extern name"),
        ("mixed case", r#"(import "aB" (func))"#, "import name `aB` is not a valid extern name"),
        ("a hyphen at the end", r#"(import "a-" (func))"#, "import name `a-` is not a valid extern name"),
        ("two hyphens", r#"(import "a--b" (func))"#, "import name `a--b` is not a valid extern name"),
        ("a digit first", r#"(import "1a" (func))"#, "import name `1a` is not a valid extern name"),
        ("an underscore", r#"(import "a_b" (func))"#, "import name `a_b` is not a valid extern name"),
        (
            "an interface without a package",
            r#"(import "a:/c" (instance))"#,
            "import name `a:/c` is not a valid extern name",
        ),
        (
            "a version that is none",
            r#"(import "a:b/c@1.x" (instance))"#,
            "import name `a:b/c@1.x` is not valid",
        ),
        ("a version of nothing", r#"(import "a:b/c@" (instance))"#, "import name `a:b/c@` is not valid"),
        ("a method of nothing", r#"(import "[method]a.b" (func))"#, "import name `[method]a.b` is not valid"),
        (
            "a constructor of nothing",
            r#"(import "[constructor]a" (func))"#,
            "import name `[constructor]a` is not valid",
        ),
    ]);
}

#[test]
fn types() {
    let wide: String = (0..33).map(|flag| format!(r#""f{flag}" "#)).collect();
    invalid(&[
        ("a variant without cases", "(type (variant))", "variant type must have at least one case"),
        (
            "two cases of a name",
            r#"(type (variant (case "a") (case "a")))"#,
            "variant case name `a` conflicts with previous case name `a`",
        ),
        ("a record without fields", "(type (record))", "record type must have at least one field"),
        (
            "two fields of a name",
            r#"(type (record (field "a" u8) (field "A" u8)))"#,
            "record field name `A` conflicts with previous field name `a`",
        ),
        ("a tuple of nothing", "(type (tuple))", "tuple type must have at least one type"),
        ("no flags", "(type (flags))", "flags must have at least one entry"),
        ("33 flags", &format!("(type (flags {wide}))"), "cannot have more than 32 flags"),
        (
            "two flags of a name",
            r#"(type (flags "a" "a"))"#,
            "flag name `a` conflicts with previous flag name `a`",
        ),
        ("an enum of nothing", "(type (enum))", "enum type must have at least one variant"),
        (
            "two cases of an enum",
            r#"(type (enum "a" "A"))"#,
            "enum tag name `A` conflicts with previous tag name `a`",
        ),
        ("a type in itself", "(type (list 0))", "unknown type 0: type index out of bounds"),
        (
            "a type before it is there",
            "(type (option 1)) (type u8)",
            "unknown type 1: type index out of bounds",
        ),
        ("own of no resource", "(type $t u8) (type (own $t))", "type index 0 is not a resource type"),
        ("borrow of no resource", "(type $t u8) (type (borrow $t))", "type index 0 is not a resource type"),
        (
            "a borrow in a result",
            r#"(import "r" (type $r (sub resource))) (type (func (result (borrow $r))))"#,
            "function result cannot contain a `borrow` type",
        ),
        (
            "a list of borrows in a result",
            r#"(import "r" (type $r (sub resource))) (type (func (result (list (borrow $r)))))"#,
            "function result cannot contain a `borrow` type",
        ),
        (
            "a value type where a function is due",
            r#"(type $t u8) (import "f" (func (type $t)))"#,
            "type index 0 is not a function type",
        ),
        (
            "a list of a length",
            "(type (list u8 4))",
            "Fixed-length lists require the component model fixed-length lists feature",
        ),
    ]);
}

#[test]
fn resources() {
    invalid(&[
        (
            "of 64 bits",
            "(type (resource (rep i64)))",
            "resources with `i64` require the `cm64` feature to be enabled",
        ),
        (
            "made in a type",
            "(type (component (type (resource (rep i32)))))",
            "resources can only be defined within a concrete component",
        ),
        (
            "from outside of the component around",
            "(type $r (resource (rep i32))) (component (alias outer 1 $r (type $s)) (type (own $s)))",
            "cannot alias outer type which transitively refers to resources not defined in the current component",
        ),
        (
            "made by who did not define it",
            r#"(import "r" (type $r (sub resource))) (core func (canon resource.new $r))"#,
            "type 0 is not a local resource",
        ),
        (
            "looked into by who did not define it",
            r#"(import "r" (type $r (sub resource))) (core func (canon resource.rep $r))"#,
            "type 0 is not a local resource",
        ),
        (
            "dropped though it is none",
            "(type $t u8) (core func (canon resource.drop $t))",
            "type index 0 is not a resource type",
        ),
        (
            "exported in a function but not by itself",
            r#"(type $r (resource (rep i32))) (core module $m (func (export "f") (result i32) (i32.const 0)))
                (core instance $i (instantiate $m)) (func $f (result (own $r)) (canon lift (core func $i "f"))) (export "f" (func $f))"#,
            "func not valid to be used as export: a resource or another type that it names must be exported, too",
        ),
        (
            "with a destructor of another type",
            r#"(core module $m (func (export "d") (param i64))) (core instance $i (instantiate $m))
                (type (resource (rep i32) (dtor (core func $i "d"))))"#,
            "core function 0 has wrong signature for a destructor",
        ),
    ]);
}

/// What the profile leaves out: values that are there later, or that no receipt could hold.
#[test]
fn beyond_the_profile() {
    let left_out = [
        (
            "a future",
            r#"(type $t (future u8)) (import "f" (func (param "x" $t)))"#,
            "`future` requires the component model async feature",
        ),
        (
            "a stream",
            r#"(type $t (stream u8)) (import "f" (func (result $t)))"#,
            "`stream` requires the component model async feature",
        ),
        (
            "an error context",
            r#"(import "f" (func (param "x" error-context)))"#,
            "`error-context` requires the component model error-context feature",
        ),
        (
            "an async function",
            r#"(import "f" (func async))"#,
            "async component functions require the component model async feature",
        ),
        ("a map", "(type (map string u8))", "Maps require the component model map feature"),
        ("a value", r#"(import "v" (value u8))"#, "support for component model `value`s is not enabled"),
        (
            "a start function",
            r#"(import "f" (func $f)) (start $f)"#,
            "support for component model `value`s is not enabled",
        ),
        (
            "threads",
            "(core func (canon thread.available_parallelism))",
            "requires the shared-everything-threads proposal",
        ),
        (
            "a task",
            "(core func (canon backpressure.inc))",
            "`backpressure.inc` requires the component model async feature",
        ),
        (
            "a memory of 64 bits",
            "(core module (memory i64 1))",
            "memory64 must be enabled for 64-bit memories",
        ),
        (
            "relaxed vectors",
            "(core module (func (param v128) (result v128) (i8x16.relaxed_swizzle (local.get 0) (local.get 0))))",
            "relaxed SIMD support is not enabled",
        ),
        (
            "a shared memory",
            "(core module (memory 1 1 shared))",
            "threads must be enabled for shared memories",
        ),
        ("an exception", "(core module (tag))", "exceptions proposal not enabled"),
    ];
    for (name, text, part) in left_out {
        refused(name, text, Invalid, part);
        // The validator's words are as if somebody could switch it on.
        refused(name, text, Invalid, "the profile `glassbox-det/1` leaves this out");
    }
    let named = wasm(r#"(component (import "enabled" (func)) (import "enabled" (func)))"#);
    let message = inspect(&named).expect_err("one name twice").to_string();
    assert!(!message.contains("leaves this out"), "{message}");
    for (name, text, expected, part) in [
        (
            "an interface that nobody has",
            r#"(import "acme:a/b@1.0.0" (instance (export "f" (func))))"#,
            NotGranted,
            "acme:a/b@1.0.0",
        ),
        ("a function under the name of an interface", r#"(import "a:b/c" (func))"#, NotGranted, "a:b/c"),
        ("a function that nobody has", r#"(import "f" (func))"#, NotGranted, "f"),
        ("a module from outside", r#"(import "m" (core module))"#, Unbounded, "define it where"),
        ("a component from outside", r#"(import "c" (component))"#, Unbounded, "define it where"),
        (
            "too many levels",
            &format!("{}{}", "(component ".repeat(20), ")".repeat(20)),
            TooMany,
            "levels of nesting",
        ),
    ] {
        refused(name, text, expected, part);
    }
}
