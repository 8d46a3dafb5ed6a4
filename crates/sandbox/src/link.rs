//! Gives a component its imports: the host's interfaces where it may have them, its dependencies' functions, refusals
//! everywhere else.

use glassbox_core::manifest::HTTP_INTERFACE;
use wasmtime::component::types::ComponentItem;
use wasmtime::component::{Component, InstancePre, Linker, LinkerInstance, ResourceType};

use crate::grants::is_tolerated;
use crate::meter::Guest;
use crate::{Dependency, Grants, Kind, SandboxError, compose, host};

/// A call of a function that was not granted.
#[derive(Debug, Clone, thiserror::Error)]
#[error("`{function}` of `{interface}` is not granted")]
pub(crate) struct NotGranted {
    pub(crate) interface: String,
    pub(crate) function: String,
}

/// Stands for the resources of interfaces that are not provided: no value of it is ever made.
struct Refused;

/// Interfaces that do nothing by themselves: all they offer works on a handle that another interface must hand out.
/// Once anything is granted they are the real ones, so that handles agree between interfaces.
const HANDLES_ONLY: [&str; 7] = [
    "wasi:io/error",
    "wasi:io/poll",
    "wasi:io/streams",
    "wasi:filesystem/types",
    "wasi:http/types",
    "wasi:cli/terminal-input",
    "wasi:cli/terminal-output",
];

/// Tells whether the host provides an interface, named without its version, to a component.
///
/// A program and a server get all that there is, but for the network: what is not granted follows from their input alone.
pub(crate) fn is_provided(interface: &str, grants: &Grants, kind: Kind) -> bool {
    let may_have = match kind {
        Kind::Library => {
            !grants.is_empty() && (grants.allows(interface) || HANDLES_ONLY.contains(&interface))
        }
        Kind::Command | Kind::Service => interface != HTTP_INTERFACE || grants.allows(interface),
    };
    interface == host::events::INTERFACE || (may_have && host::provides(interface))
}

/// A component with all its imports.
pub(crate) struct Linked {
    pub(crate) pre: InstancePre<Guest>,
    /// How many functions of dependencies it is linked to.
    pub(crate) slots: usize,
}

/// Links `component`, whose imports that nobody provides were refused before.
pub(crate) fn link(
    component: &Component,
    grants: &Grants,
    kind: Kind,
    dependencies: &[Dependency],
) -> Result<Linked, SandboxError> {
    let failed = |error: wasmtime::Error| SandboxError::Compile { reason: format!("{error:#}") };
    let engine = component.engine();
    let mut linker = Linker::new(engine);
    let mut slots = 0;
    if kind != Kind::Library || !grants.is_empty() {
        host::add_to_linker(&mut linker).map_err(failed)?;
        // A refusal replaces the function of the host that it stands for.
        linker.allow_shadowing(true);
    }
    // Resources of provided interfaces, which others may know under names of their own.
    let mut provided = Vec::new();
    let ty = component.component_type();
    for (name, item) in ty.imports(engine) {
        let ComponentItem::ComponentInstance(instance) = item.ty else {
            // Types need nothing, and bare functions are foreign.
            continue;
        };
        let interface = name.split('@').next().unwrap_or(name);
        if interface == host::events::INTERFACE {
            host::events::link(&mut linker.instance(name).map_err(failed)?).map_err(failed)?;
            continue;
        }
        if is_provided(interface, grants, kind) {
            provided.extend(instance.exports(engine).filter_map(|(_, item)| match item.ty {
                ComponentItem::Resource(resource) => Some(resource),
                _ => None,
            }));
            continue;
        }
        // The name as the component spells it, version and all, comes before any other version in the linker's eyes,
        // so this covers the host's own definition whichever patch version that has.
        let mut definitions = linker.instance(name).map_err(failed)?;
        let provider = if is_tolerated(name) { None } else { compose::provider(name, dependencies)? };
        if let Some(place) = provider {
            let exports = instance.exports(engine).map(|(export, item)| (export, item.ty));
            compose::route(&mut definitions, name, exports, place, &dependencies[place], &mut slots)?;
            continue;
        }
        for (export, item) in instance.exports(engine) {
            match item.ty {
                ComponentItem::ComponentFunc(_) => refuse(&mut definitions, name, export).map_err(failed)?,
                ComponentItem::Resource(resource) if !provided.contains(&resource) => definitions
                    .resource(export, ResourceType::host::<Refused>(), |_, _| Ok(()))
                    .map_err(failed)?,
                _ => {}
            }
        }
    }
    Ok(Linked { pre: linker.instantiate_pre(component).map_err(failed)?, slots })
}

fn refuse(refusals: &mut LinkerInstance<'_, Guest>, interface: &str, function: &str) -> wasmtime::Result<()> {
    let error = NotGranted { interface: interface.to_owned(), function: function.to_owned() };
    refusals.func_new(function, move |_, _, _, _| Err(wasmtime::Error::new(error.clone())))
}
