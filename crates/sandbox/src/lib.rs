//! Runs components: the only crate that knows Wasm.
//!
//! Nothing that a publisher or a caller sends is trusted here. [`inspect`] looks at a component without compiling
//! it, [`Spec`] reads the WIT that it claims to satisfy, [`Sandbox::prepare`] compiles it once, and
//! [`Sandbox::run`] runs one function of it in a fresh instance, metered by the profile of [`glassbox_core::profile`].
//! Price, payment and storage are others' concern.
//!
//! # Packages of packages
//!
//! A component may import another package: [`Sandbox::compose`] links it to its [`Dependency`]s, each of which runs in a
//! store of its own, with limits, grants and fuel of its own. Values cross, and nothing else.
//!
//! # Where components are compiled
//!
//! Compiling what strangers send is the widest door into this program. With [`Compiler::Process`] it happens in a
//! child that can open nothing and reach nobody, within [`CompileLimits`]; the parent alone keeps what comes out.
//!
//! # Where guests run
//!
//! Guests run on threads of their own, never on the caller's runtime: a call that computes for ten seconds must not
//! keep a web server from answering. A guest gives way whenever it has burnt the fuel of one yield interval, and who is
//! next is decided fairly among payers, then among packages ([`Flow`]). [`RunLimits::wall_ms`] counts from the moment a
//! call starts, not from when it began to wait.

mod artifact;
mod bytes;
mod code;
mod codegen;
mod compose;
mod convert;
mod cross;
mod engine;
mod error;
mod features;
mod function;
mod grants;
mod guest;
mod host;
mod inner;
mod inspect;
mod isolate;
mod link;
mod meter;
mod mutants;
mod pool;
mod prepare;
mod rewrite;
mod run;
mod sbom;
mod schedule;
mod shape;
mod spec;
mod turn;
mod unroll;
mod world;
mod wrapper;

pub use code::code_digest;
pub use codegen::Codegen;
pub use compose::Dependency;
pub use engine::{Sandbox, SandboxConfig};
pub use error::{SandboxError, WorldMismatch};
pub use grants::{Allowed, AllowedError, Grants, UnknownGrant};
pub use host::entry::Kind;
pub use host::http::address::is_public;
pub use host::http::client::Network;
pub use host::is_observing;
pub use host::observer::Effects;
pub use host::tree::{BadPath, FileSet, check_files};
pub use inner::InnerCalls;
pub use inspect::{Import, ImportKind, Inspection, inspect};
pub use isolate::{
    CompileLimits, CompileResource, Compiler, Confinement, Executor, compile_worker, confine, execute_worker,
};
pub use mutants::{Mutant, entries, marked, mutants};
pub use prepare::Prepared;
pub use run::{Failure, FailureKind, Invocation, Outcome, Run, RunLimits};
pub use sbom::{SbomError, read_sbom};
pub use schedule::Flow;
pub use spec::{Function, Spec};
pub use wrapper::Unwrappable;
