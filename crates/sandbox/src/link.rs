//! Gives a component its imports: WASI where granted, refusals everywhere else.

use wasmtime::Engine;
use wasmtime::component::types::ComponentItem;
use wasmtime::component::{Component, InstancePre, Linker, LinkerInstance, ResourceType};

use crate::Grants;
use crate::meter::Guest;

/// A call of a function that was not granted.
#[derive(Debug, Clone, thiserror::Error)]
#[error("`{function}` of `{interface}` is not granted")]
pub(crate) struct NotGranted {
    pub(crate) interface: String,
    pub(crate) function: String,
}

/// Stands for the resources of interfaces that are not granted: no value of it is ever made.
struct Refused;

/// Interfaces that do nothing by themselves: all they offer works on a handle that another interface must hand out.
/// Once anything is granted they are the real ones, so that handles agree between interfaces.
const HANDLES_ONLY: [&str; 6] = [
    "wasi:io/error",
    "wasi:io/poll",
    "wasi:io/streams",
    "wasi:filesystem/types",
    "wasi:cli/terminal-input",
    "wasi:cli/terminal-output",
];

/// Links `component`, whose foreign imports were refused before.
pub(crate) fn link(
    engine: &Engine,
    component: &Component,
    grants: &Grants,
) -> wasmtime::Result<InstancePre<Guest>> {
    let mut linker = Linker::new(engine);
    if !grants.is_empty() {
        wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
        // A refusal replaces the function of WASI that it stands for.
        linker.allow_shadowing(true);
    }
    let ty = component.component_type();
    for (name, item) in ty.imports(engine) {
        let ComponentItem::ComponentInstance(instance) = item.ty else {
            // Types need nothing, and bare functions are foreign.
            continue;
        };
        let name_without_version = name.split('@').next().unwrap_or(name);
        let is_real =
            !grants.is_empty() && (grants.allows(name) || HANDLES_ONLY.contains(&name_without_version));
        if is_real {
            continue;
        }
        // The name as the component spells it, version and all, comes before any other version in the linker's eyes,
        // so this covers WASI's own definition whichever patch version that has.
        let mut refusals = linker.instance(name)?;
        for (export, item) in instance.exports(engine) {
            match item.ty {
                ComponentItem::ComponentFunc(_) => refuse(&mut refusals, name, export)?,
                ComponentItem::Resource(_) if grants.is_empty() => {
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
