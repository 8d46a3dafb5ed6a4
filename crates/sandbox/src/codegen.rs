//! How guests become instructions. Results and fuel do not depend on it.

use serde::{Deserialize, Serialize};
use wasmtime::{Config, OptLevel};

use crate::engine::Purpose;

/// The ways to run a guest's code, from which a machine chooses for its own reasons.
///
/// All of them return the same values for the same fuel: fuel is counted in the operators of the component, before
/// any of this. So whoever doubts one compiler can verify a receipt with another, and on a processor that no compiler
/// knows there is the interpreter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub enum Codegen {
    /// Optimised machine code.
    #[default]
    Optimized,
    /// Machine code as it comes, with the optimiser off. A second opinion on the optimiser.
    Unoptimized,
    /// Portable bytecode in an interpreter, on any 64-bit machine. Some twenty times slower.
    Pulley,
}

impl Codegen {
    /// Every one of them.
    pub const ALL: [Codegen; 3] = [Codegen::Optimized, Codegen::Unoptimized, Codegen::Pulley];

    /// Returns its name. Names of compiled components on disk carry it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Optimized => "optimized",
            Self::Unoptimized => "unoptimized",
            Self::Pulley => "pulley",
        }
    }

    pub(crate) fn apply(self, config: &mut Config, purpose: Purpose) -> wasmtime::Result<()> {
        if self == Self::Pulley {
            config.target(PULLEY)?;
        }
        let level = if self == Self::Unoptimized { OptLevel::None } else { OptLevel::Speed };
        // Without a compiler there is none to set up.
        if purpose == Purpose::Compile {
            config.cranelift_opt_level(level);
        }
        Ok(())
    }
}

/// The interpreter's name as a target; its bytecode follows the byte order of the machine.
const PULLEY: &str = if cfg!(target_endian = "big") { "pulley64be" } else { "pulley64" };
