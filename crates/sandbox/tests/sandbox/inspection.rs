//! The first gate: what is no component, or not one of this profile.

use glassbox_core::limits;
use glassbox_sandbox::{Grants, ImportKind, SandboxError, inspect};

use crate::component::{integer_component, wasm};

#[test]
fn what_is_no_component_is_told_apart() {
    assert!(matches!(inspect(b""), Err(SandboxError::NotWasm)));
    assert!(matches!(inspect(b"#!/bin/sh\n"), Err(SandboxError::NotWasm)));
    assert!(matches!(inspect(b"\0asm"), Err(SandboxError::Invalid { .. })));
    let module = wasm("(module (func (export \"run\")))");
    let error = inspect(&module).expect_err("a core module");
    assert!(matches!(error, SandboxError::CoreModule));
    assert!(error.to_string().contains("core module"), "{error}");
    let large = vec![0; limits::COMPONENT_BYTES_MAX + 1];
    assert!(matches!(inspect(&large), Err(SandboxError::TooLarge { .. })));
}

#[test]
fn damage_is_found() {
    let component = integer_component(
        r#"(func (export "run") (param i32) (result i32) (i32.add (local.get 0) (i32.const 1)))"#,
    );
    assert_eq!(inspect(&component).expect("valid").exports, ["run"]);
    // Where a top-level section ends, what is left is a component again; anywhere else it is not.
    let valid_cuts = (0..component.len()).filter(|end| inspect(&component[..*end]).is_ok()).count();
    assert!(valid_cuts < 12, "{valid_cuts} of {}", component.len());
    // A function body that is not valid, inside a component whose outline is.
    let body = component.windows(3).position(|bytes| bytes == [0x41, 0x01, 0x6a]).expect("the body");
    let mut damaged = component.clone();
    damaged[body + 2] = 0x7c;
    assert!(matches!(inspect(&damaged), Err(SandboxError::Invalid { .. })));
    // Never a panic, whatever byte is wrong.
    for at in 0..component.len() {
        for byte in [0, 1, 0x7f, 0xff] {
            let mut damaged = component.clone();
            damaged[at] = byte;
            let _ = inspect(&damaged);
        }
    }
}

#[test]
fn features_outside_the_profile_are_refused() {
    let run = r#"(func (export "run") (param i32) (result i32) (local.get 0))"#;
    for core in [
        format!("(memory 1 1 shared) {run}"),
        format!("(memory i64 1) {run}"),
        format!("(memory 1) (memory 1) {run}"),
        format!("(tag) {run}"),
        format!("(type (struct)) {run}"),
        format!("(func (drop (i32x4.relaxed_trunc_f32x4_s (v128.const i64x2 0 0)))) {run}"),
    ] {
        let error = inspect(&integer_component(&core)).expect_err(&core);
        assert!(matches!(error, SandboxError::Invalid { .. }), "{core}: {error}");
    }
    let asynchronous = wasm(r#"(component (type $f (future u8)) (import "f" (func (param "x" $f))))"#);
    assert!(matches!(inspect(&asynchronous), Err(SandboxError::Invalid { .. })));
}

#[test]
fn shape_is_bounded() {
    let mut nested = "(core module)".to_owned();
    for _ in 0..20 {
        nested = format!("(component {nested})");
    }
    assert!(matches!(inspect(&wasm(&nested)), Err(SandboxError::TooMany { what: "levels of nesting", .. })));
    let modules = "(core module)".repeat(257);
    let many = wasm(&format!("(component {modules})"));
    assert!(matches!(inspect(&many), Err(SandboxError::TooMany { what: "core modules", count: 257, .. })));
    let memory = wasm("(component (core module (memory 65536)))");
    assert!(matches!(inspect(&memory), Err(SandboxError::TooMany { what: "bytes of initial memory", .. })));
}

#[test]
fn imports_and_exports_are_listed() {
    let component = wasm(
        r#"(component
            (import "wasi:random/random@0.2.0" (instance (export "get-random-u64" (func (result u64)))))
            (import "wasi:clocks/wall-clock@0.2.6" (instance (export "now" (func))))
            (import "acme:types/shapes@1.0.0" (instance (type $t u32) (export "point" (type (eq $t)))))
            (import "acme:text/spell@1.0.0" (instance $spell (export "check" (func))))
            (export "acme:text/also@1.0.0" (instance $spell)))"#,
    );
    let inspection = inspect(&component).expect("valid");
    let grants = Grants::parse(["wasi:random/random"]).expect("valid");
    let kinds: Vec<_> = inspection.imports.iter().map(|import| import.kind(&grants)).collect();
    assert_eq!(kinds, [ImportKind::Granted, ImportKind::Inert, ImportKind::Inert, ImportKind::Foreign]);
    assert_eq!(inspection.imports[0].functions, ["get-random-u64"]);
    assert!(inspection.imports[2].types_only);
    assert_eq!(inspection.imports_of(ImportKind::Foreign, &grants), ["acme:text/spell@1.0.0"]);
    assert_eq!(inspection.exports, ["acme:text/also@1.0.0#check"]);
    assert!(!inspection.is_pure(&grants));
}
