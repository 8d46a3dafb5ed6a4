//! How a call enters a component: by a function of its own, or by one that the sandbox makes of a standard world.
//!
//! A made function has a type like any other, so quotes, receipts and replays know nothing of it. Its module says what
//! the call's arguments mean to the guest, and what comes out.

use glassbox_core::FunctionName;
use glassbox_core::value::{FunctionType, Value};
use wasmtime::component::Val;

use super::Host;
use super::cli::Exit;
use super::command;
use super::tree::FileSet;
use crate::{Failure, FailureKind, convert};

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
            if is_version_0_2("wasi:http/incoming-handler", interface) {
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
}

/// A function that the sandbox makes: its type, its signature and its documentation.
pub(crate) struct Made {
    pub(crate) ty: FunctionType,
    pub(crate) signature: String,
    pub(crate) docs: &'static str,
}

impl Entry {
    /// Tells how a function is entered.
    pub(crate) fn of(interface: Option<&str>, function: &str) -> Self {
        match interface {
            Some(interface) if function == "run" && is_version_0_2(command::INTERFACE, interface) => {
                Self::Command
            }
            _ => Self::Function,
        }
    }

    /// Tells how a function is entered, by its full name.
    pub(crate) fn of_name(name: &FunctionName) -> Self {
        Self::of(name.interface(), name.function())
    }

    /// Returns the function that callers see in place of the component's own.
    pub(crate) fn made(self) -> Option<Made> {
        match self {
            Self::Function => None,
            Self::Command => Some(command::function()),
        }
    }

    /// Gives the host what the call brings, and returns the arguments for the component's own function.
    pub(crate) fn enter(
        self,
        host: &mut Host,
        ty: &FunctionType,
        args: Vec<Value>,
        files: &FileSet,
        output_bytes: usize,
    ) -> Result<Vec<Val>, Failure> {
        match self {
            Self::Function => {
                let args = args.into_iter().zip(&ty.params);
                Ok(args.map(|(value, param)| convert::to_engine(value, &param.ty)).collect())
            }
            Self::Command => {
                command::enter(host, args, files, output_bytes)
                    .map_err(|reason| Failure::new(FailureKind::BadArguments, reason))?;
                Ok(Vec::new())
            }
        }
    }

    /// Returns the status of a guest that ended itself, where that is a way to return.
    pub(crate) fn exit_status(self, error: &wasmtime::Error) -> Option<Val> {
        match self {
            Self::Function => None,
            Self::Command => error.downcast_ref::<Exit>().map(|exit| Val::U8(exit.status)),
        }
    }

    /// Makes the call's result of what the component's own function returned, or of the guest's status.
    pub(crate) fn leave(
        self,
        host: &mut Host,
        ty: &FunctionType,
        returned: Option<Val>,
        output_bytes: usize,
    ) -> Result<Option<Value>, Failure> {
        match (self, returned, &ty.result) {
            (Self::Command, returned, _) => {
                let too_much =
                    || Failure::new(FailureKind::OutputRefused, "the program wrote more than it may");
                command::leave(host, returned, output_bytes).map(Some).ok_or_else(too_much)
            }
            (Self::Function, Some(val), Some(ty)) => convert::from_engine(val, ty)
                .map(Some)
                .map_err(|error| Failure::new(FailureKind::NoSuchFunction, error.to_string())),
            (Self::Function, ..) => Ok(None),
        }
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
