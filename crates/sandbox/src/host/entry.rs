//! How a call enters a component: by a function of its own, or by one that the sandbox makes of a standard world.
//!
//! A made function has a type like any other, so quotes, receipts and replays know nothing of it. Its module says what
//! the call's arguments mean to the guest, and what comes out.

use std::sync::Arc;

use super::Host;
use super::tree::FileSet;
use super::{command, service};
use crate::{Failure, FailureKind};
use glassbox_core::FunctionName;
use glassbox_core::value::{FunctionType, Value};

/// What a component is for, by what it exports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Functions of its own.
    Library,
    /// A program: it exports `wasi:cli/run`.
    Command,
    /// A server: it exports `wasi:http/incoming-handler`.
    Service,
}

impl Kind {
    /// Tells what exports are for: names of interfaces with their versions, with or without a function behind `#`.
    pub(crate) fn of<'a>(exports: impl IntoIterator<Item = &'a str>) -> Self {
        let mut kind = Self::Library;
        for export in exports {
            let interface = export.split('#').next().unwrap_or(export);
            if is_version_0_2(service::INTERFACE, interface) {
                return Self::Service;
            }
            if is_version_0_2(command::INTERFACE, interface) {
                kind = Self::Command;
            }
        }
        kind
    }
}

fn is_version_0_2(interface: &str, versioned: &str) -> bool {
    versioned.strip_prefix(interface).is_some_and(|version| version.starts_with("@0.2."))
}

/// How a call enters a component.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Entry {
    /// By the function that it names.
    Function,
    /// By `run` of `wasi:cli/run`, as a program.
    Command,
    /// By `handle` of `wasi:http/incoming-handler`, as a server.
    Service,
}

/// A function that the sandbox makes.
pub(crate) struct Made {
    pub(crate) ty: FunctionType,
    pub(crate) signature: String,
    pub(crate) docs: &'static str,
    /// The type of the component's own function behind it.
    pub(crate) own: FunctionType,
}

impl Entry {
    /// Tells how a call of a function enters.
    pub(crate) fn of(name: &FunctionName) -> Self {
        match name.interface() {
            Some(interface) if name.function() == "run" && is_version_0_2(command::INTERFACE, interface) => {
                Self::Command
            }
            Some(interface)
                if name.function() == "handle" && is_version_0_2(service::INTERFACE, interface) =>
            {
                Self::Service
            }
            _ => Self::Function,
        }
    }

    /// Returns the function that callers see in place of the component's own.
    pub(crate) fn made(self) -> Option<Made> {
        match self {
            Self::Function => None,
            Self::Command => Some(command::function()),
            Self::Service => Some(service::function()),
        }
    }

    /// Gives the host what the arguments of a made function bring.
    pub(crate) fn enter(
        self,
        host: &mut Host,
        args: &[Value],
        files: &Arc<FileSet>,
        output_bytes: usize,
    ) -> Result<(), Failure> {
        let entered = match self {
            Self::Function => Ok(()),
            Self::Command => command::enter(host, args, files, output_bytes),
            Self::Service => service::enter(host, args, output_bytes),
        };
        entered.map_err(|reason| Failure::new(FailureKind::BadArguments, reason))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_by_exports() {
        assert_eq!(Kind::of(["acme:x/y@1.0.0#run", "run"]), Kind::Library);
        assert_eq!(Kind::of(["wasi:cli/run@0.3.0#run", "wasi:cli/runs@0.2.0#run"]), Kind::Library);
        assert_eq!(Kind::of(["init", "wasi:cli/run@0.2.6#run"]), Kind::Command);
        assert_eq!(Kind::of(["wasi:cli/run@0.2.6", "wasi:http/incoming-handler@0.2.0"]), Kind::Service);
    }
}
