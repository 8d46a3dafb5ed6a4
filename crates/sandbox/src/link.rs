//! Gives a component its imports: the host's interfaces where it may have them, refusals everywhere else.

use glassbox_core::manifest::HTTP_INTERFACE;
use wasmtime::Engine;
use wasmtime::component::types::ComponentItem;
use wasmtime::component::{Component, InstancePre, Linker, LinkerInstance, ResourceType};

use crate::meter::Guest;
use crate::{Grants, Kind, host};

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

/// Links `component`, whose foreign imports were refused before.
pub(crate) fn link(
    engine: &Engine,
    component: &Component,
    grants: &Grants,
    kind: Kind,
) -> wasmtime::Result<InstancePre<Guest>> {
    let mut linker = Linker::new(engine);
    if kind != Kind::Library || !grants.is_empty() {
        host::add_to_linker(&mut linker)?;
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
            host::events::link(&mut linker.instance(name)?)?;
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
        let mut refusals = linker.instance(name)?;
        for (export, item) in instance.exports(engine) {
            match item.ty {
                ComponentItem::ComponentFunc(_) => refuse(&mut refusals, name, export)?,
                ComponentItem::Resource(resource) if !provided.contains(&resource) => {
                    refusals.resource(export, ResourceType::host::<Refused>(), |_, _| Ok(()))?;
                }
                _ => {}
            }
        }
    }
    linker.instantiate_pre(component)
}

fn refuse(refusals: &mut LinkerInstance<'_, Guest>, interface: &str, function: &str) -> wasmtime::Result<()> {
    let error = NotGranted { interface: interface.to_owned(), function: function.to_owned() };
    refusals.func_new(function, move |_, _, _, _| Err(wasmtime::Error::new(error.clone())))
}
