//! Modules by `wasm-smith`, each called over and over by a module of ours.

use arbitrary::Unstructured;
use wasm_smith::{Config, Module};

use crate::component::wasm;
use crate::encode::{first_module, section};
use crate::random::Random;

/// A generated module, which exports `run: (i32) -> (i32)`.
pub(crate) fn draw(random: &mut Random) -> Vec<u8> {
    loop {
        let bytes: Vec<u8> = (0..512 + random.below(4096)).map(|_| random.next() as u8).collect();
        // Where it makes no module of the bytes, the next ones may do.
        if let Ok(module) = Module::new(config(random), &mut Unstructured::new(&bytes)) {
            return module.to_bytes();
        }
    }
}

/// What the profile has, and no more.
fn config(random: &mut Random) -> Config {
    let shape = wat::parse_str(r#"(module (func (export "run") (param i32) (result i32) unreachable))"#);
    Config {
        exports: Some(shape.expect("valid text")),
        max_imports: 0,
        // Traps end the search; but some of what can trap is not made otherwise.
        disallow_traps: random.below(4) != 0,
        max_memory32_bytes: 16 * 1024 * 1024,
        max_table_elements: 10_000,
        max_instructions: 200,
        max_type_size: 100,
        generate_custom_sections: false,
        exceptions_enabled: false,
        gc_enabled: false,
        memory64_enabled: false,
        // It cannot leave `externref` out alone, which the profile does not have.
        reference_types_enabled: false,
        relaxed_simd_enabled: false,
        threads_enabled: false,
        shared_everything_threads_enabled: false,
        custom_page_sizes_enabled: false,
        wide_arithmetic_enabled: false,
        ..Config::default()
    }
}

/// Makes the component that calls the module without end.
pub(crate) fn endless(module: &[u8]) -> Vec<u8> {
    let caller = wasm(
        r#"(component
            (core module $g (func (export "run") (param i32) (result i32) unreachable))
            (core module $c (import "g" "run" (func $g (param i32) (result i32)))
                (func (export "run") (param i32) (result i32)
                    (loop (local.set 0 (call $g (local.get 0))) (br 0)) (unreachable)))
            (core instance $g (instantiate $g))
            (core instance $c (instantiate $c (with "g" (instance $g))))
            (func (export "run") (param "n" u32) (result u32) (canon lift (core func $c "run"))))"#,
    );
    let (before, _, after) = first_module(&caller).expect("it begins with a module");
    [before, &section(1, module), after].concat()
}
