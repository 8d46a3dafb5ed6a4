//! What is done for strangers in a process of its own, so that a bug in the engine's compiler ends there.
//!
//! The child is our own program with a hidden argument. It is given one request on its standard input, gives up
//! whatever it does not need before it reads a byte of a stranger's, and answers on its standard output. It holds no
//! key, no file and no network; the parent bounds its time and the size of what it says.
//!
//! What comes back is still the work of a compiler: a child that a component has taken over could hand out machine
//! code of its choice. It could not have it run before the parent has loaded it, nor reach anything by itself.

mod compile;
mod confine;
mod execute;
mod executors;
mod frame;
mod line;
#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
mod syscalls;

pub(crate) use compile::{Compilation, compile};
pub use compile::{CompileLimits, CompileResource, Compiler, compile_worker};
pub use confine::{Confinement, confine};
pub(crate) use execute::Start;
pub use execute::execute_worker;
pub use executors::Executor;
pub(crate) use executors::{Executors, Recipe};
pub(crate) use line::Line;
