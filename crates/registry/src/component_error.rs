//! What is wrong with a component, each with a stable code and what to do about it.

use glassbox_sandbox::SandboxError;

/// Returns the stable code of what is wrong with a component.
pub(crate) fn code(error: &SandboxError) -> &'static str {
    match error {
        SandboxError::TooLarge { .. } => "component-too-large",
        SandboxError::NotWasm | SandboxError::Invalid { .. } => "component-invalid",
        SandboxError::CoreModule => "component-is-core-module",
        SandboxError::TooMany { .. } | SandboxError::Unbounded { .. } | SandboxError::CompileLimit { .. } => {
            "component-too-complex"
        }
        SandboxError::NotGranted { .. } => "import-not-granted",
        SandboxError::Import { .. } => "import-not-linkable",
        SandboxError::Wit { .. } => "wit-invalid",
        SandboxError::World { .. } => "world-not-found",
        SandboxError::Compile { .. } => "component-not-compilable",
        SandboxError::Digest { .. }
        | SandboxError::Engine { .. }
        | SandboxError::Compiler(_)
        | SandboxError::Artifacts(_) => "internal",
    }
}

/// Returns what to do about it.
pub(crate) fn next(error: &SandboxError) -> String {
    match error {
        SandboxError::TooLarge { .. } | SandboxError::TooMany { .. } | SandboxError::CompileLimit { .. } => {
            "optimise for size, and leave out what is unused"
        }
        SandboxError::Unbounded { .. } => {
            "compose it so that every module and component is defined where it is instantiated"
        }
        SandboxError::NotWasm => "check `path` in [component]: it must be the built component",
        SandboxError::CoreModule => {
            "make a component of it: `wasm-tools component new`, or the target wasm32-wasip2"
        }
        SandboxError::Invalid { .. } => {
            "build it again; the profile's features are listed in conformance/glassbox-det-1.json"
        }
        SandboxError::NotGranted { .. } => {
            "name the package under [dependencies], or compose it into the component"
        }
        SandboxError::Import { .. } => "build it for the interface that the dependency exports",
        SandboxError::Wit { .. } => "correct the WIT",
        SandboxError::World { .. } => "name a world of the WIT package in [spec]",
        _ => "tell the operator",
    }
    .into()
}
