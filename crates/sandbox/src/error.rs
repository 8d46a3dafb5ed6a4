//! Why a component or its WIT was refused.

use std::fmt;

use glassbox_core::Digest;

use crate::CompileResource;

/// Says why a component cannot be used, or why the sandbox could not be made.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// More bytes than allowed.
    #[error("the component has {bytes} bytes; at most {max} are allowed")]
    TooLarge {
        /// How many it has.
        bytes: usize,
        /// How many it may have.
        max: usize,
    },
    /// Bytes that are no Wasm at all.
    #[error("not a Wasm component: the file does not start with the bytes of one")]
    NotWasm,
    /// A core module in place of a component.
    #[error("this is a core module, not a component")]
    CoreModule,
    /// Bytes that do not have the digest they were announced under.
    #[error("the component has the digest {found}, not {expected}")]
    Digest {
        /// The digest announced.
        expected: Digest,
        /// The digest of the bytes.
        found: Digest,
    },
    /// Wasm that is damaged, or uses what the profile does not allow.
    #[error("invalid component at byte {offset}: {reason}")]
    Invalid {
        /// Where.
        offset: usize,
        /// What the validator says.
        reason: String,
    },
    /// More of something than a component may have.
    #[error("the component has {count} {what}; at most {max} are allowed")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// How many it has.
        count: usize,
        /// How many it may have.
        max: usize,
    },
    /// A module or component that comes from outside, so that nothing bounds what instantiating it comes to.
    #[error("the component takes a {what} from an import or an instance; define it where it is instantiated")]
    Unbounded {
        /// What comes from outside.
        what: &'static str,
    },
    /// Imports that no grant can satisfy.
    #[error("the component imports what is not granted: {}", interfaces.join(", "))]
    NotGranted {
        /// The interfaces.
        interfaces: Vec<String>,
    },
    /// An import that cannot be linked to the dependencies that there are.
    #[error("cannot link `{interface}`: {reason}")]
    Import {
        /// The interface, or the dependency.
        interface: String,
        /// Why not.
        reason: String,
    },
    /// WIT text that does not parse or resolve.
    #[error("invalid WIT: {reason}")]
    Wit {
        /// What the parser says, with file and line.
        reason: String,
    },
    /// A world that does not exist, or several where one must be named.
    #[error("{reason}")]
    World {
        /// What is missing or ambiguous.
        reason: String,
    },
    /// The compiler gave up.
    #[error("cannot compile the component: {reason}")]
    Compile {
        /// What the compiler says.
        reason: String,
    },
    /// Compiling takes more than a component may take.
    #[error("compiling the component takes more than {what}")]
    CompileLimit {
        /// What it takes too much of, and how much there is.
        what: CompileResource,
    },
    /// The compiler could not be asked: no fault of the component.
    #[error("cannot run the compiler")]
    Compiler(#[source] std::io::Error),
    /// The engine could not be set up.
    #[error("cannot start the engine: {reason}")]
    Engine {
        /// What the engine says.
        reason: String,
    },
    /// The directory of compiled artefacts cannot be used.
    #[error("cannot use the directory of compiled components")]
    Artifacts(#[source] std::io::Error),
}

/// Says how a component differs from the world that it should satisfy.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WorldMismatch {
    /// The world.
    pub world: String,
    /// Exports that the world asks for and the component lacks.
    pub missing_exports: Vec<String>,
    /// Imports of the component that the world does not have.
    pub unexpected_imports: Vec<String>,
    /// Imports and exports of another type: the name and how it differs.
    pub mismatched_types: Vec<(String, String)>,
    /// Set when the two could not be compared at all.
    pub problem: Option<String>,
}

impl std::error::Error for WorldMismatch {}

impl fmt::Display for WorldMismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the component does not satisfy the world `{}`", self.world)?;
        if let Some(problem) = &self.problem {
            write!(f, "\n  {problem}")?;
        }
        for name in &self.missing_exports {
            write!(
                f,
                "\n  missing export `{name}`: the world promises it; build the component for this world"
            )?;
        }
        for name in &self.unexpected_imports {
            write!(
                f,
                "\n  unexpected import `{name}`: add it to the world, compose it in, or stop using it"
            )?;
        }
        for (name, difference) in &self.mismatched_types {
            write!(f, "\n  different type of `{name}`: {difference}")?;
        }
        Ok(())
    }
}
