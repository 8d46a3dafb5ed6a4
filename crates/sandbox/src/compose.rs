//! Components that import one another: what stands behind each import, checked once.
//!
//! A dependency runs in a store of its own, so nothing but values can cross: its memory, its grants and its fuel are
//! its own. What it may do is never more than its importer may, and each way from the called component to a dependency
//! has an instance of it, so importers share no state. See [`crate::inner`] for what happens in a call.

use std::sync::Arc;

use glassbox_core::profile::Profile;
use glassbox_core::{Digest, FunctionName, limits};
use wasmtime::component::types::{self, ComponentItem};
use wasmtime::component::{Component, LinkerInstance};

use crate::function::{describe, same_types};
use crate::inner::Route;
use crate::meter::Guest;
use crate::{Grants, Inspection, Prepared, SandboxError, cross};

/// A package that a component imports.
#[derive(Debug, Clone)]
pub struct Dependency {
    /// What failures and the call tree call it, such as `demo:zip@1.0.0`.
    pub name: Arc<str>,
    /// The component, with grants [under](Grants::under) those of its importer.
    pub prepared: Arc<Prepared>,
    /// The most memory of each instance of it, in bytes.
    pub memory_bytes: usize,
    /// How often one call of its importer may call it, or `None` where nothing but fuel bounds that.
    pub calls_max: Option<u64>,
}

/// What decides whether two compositions are the same.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Part {
    name: Arc<str>,
    composition: Digest,
    memory_bytes: usize,
    calls_max: Option<u64>,
}

impl Dependency {
    pub(crate) fn part(&self) -> Part {
        let Self { name, prepared, memory_bytes, calls_max } = self;
        let composition = prepared.composition();
        Part { name: name.clone(), composition, memory_bytes: *memory_bytes, calls_max: *calls_max }
    }

    fn exports(&self, interface: &str) -> bool {
        self.prepared.pre.component().get_export_index(None, interface).is_some()
    }
}

/// Returns what tells a composition from all others.
pub(crate) fn composition(digest: Digest, grants: &Grants, parts: &[Part]) -> Digest {
    Digest::of(format!("{digest}\n{grants:?}\n{parts:?}"))
}

/// How much a call comes to over the component and all of its dependencies.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Size {
    depth: usize,
    instances: usize,
    memories: usize,
    tables: usize,
    core_instances: usize,
}

impl Size {
    /// Adds up a component and its dependencies, and refuses what is more than a call may come to.
    pub(crate) fn of(
        component: &Component,
        inspection: &Inspection,
        dependencies: &[Dependency],
    ) -> Result<Self, SandboxError> {
        // There is always an answer: modules are never imported.
        let needs = component.resources_required();
        let mut size = Self {
            depth: 1,
            instances: 1,
            memories: needs.as_ref().map_or(0, |needs| needs.num_memories as usize),
            tables: needs.as_ref().map_or(0, |needs| needs.num_tables as usize),
            core_instances: inspection.start.core_instances,
        };
        for Dependency { prepared, .. } in dependencies {
            let other = prepared.size();
            size.depth = size.depth.max(other.depth + 1);
            size.instances += other.instances;
            size.memories += other.memories;
            size.tables += other.tables;
            size.core_instances += other.core_instances;
        }
        let limits = &Profile::current().limits;
        let bounded = |what, count, max| {
            if count <= max { Ok(()) } else { Err(SandboxError::TooMany { what, count, max }) }
        };
        if !dependencies.is_empty() {
            bounded("levels of dependencies", size.depth, limits.call_depth_max)?;
            bounded("components over all dependencies", size.instances, limits.call_instances_max)?;
            bounded("memories over all dependencies", size.memories, limits.call_memories_max)?;
            bounded("tables over all dependencies", size.tables, limits.call_tables_max)?;
            let max = limits.call_core_instances_max;
            bounded("core instances over all dependencies", size.core_instances, max)?;
        }
        Ok(size)
    }
}

/// Refuses dependencies that may do more than their importer.
pub(crate) fn check_grants(grants: &Grants, dependencies: &[Dependency]) -> Result<(), SandboxError> {
    let exceeds = |dependency: &&Dependency| {
        let own = dependency.prepared.grants();
        own.under(grants) != *own
    };
    match dependencies.iter().find(exceeds) {
        None => Ok(()),
        Some(Dependency { name, .. }) => Err(SandboxError::Import {
            interface: name.to_string(),
            reason: "it would be granted more than the component that imports it".into(),
        }),
    }
}

/// Returns the one dependency that exports an interface, by its place, or `None` where none does.
pub(crate) fn provider(interface: &str, dependencies: &[Dependency]) -> Result<Option<usize>, SandboxError> {
    let mut places = (0..).zip(dependencies).filter(|(_, dependency)| dependency.exports(interface));
    match (places.next(), places.next()) {
        (Some((_, one)), Some((_, other))) => Err(SandboxError::Import {
            interface: interface.to_owned(),
            reason: format!("both `{}` and `{}` export it; keep one of them", one.name, other.name),
        }),
        (found, _) => Ok(found.map(|(place, _)| place)),
    }
}

/// Links the functions of an imported interface to those of the dependency that exports it.
pub(crate) fn route<'a>(
    linker: &mut LinkerInstance<'_, Guest>,
    interface: &str,
    exports: impl Iterator<Item = (&'a str, ComponentItem)>,
    place: usize,
    dependency: &Dependency,
    slots: &mut usize,
) -> Result<(), SandboxError> {
    let refused = |reason: String| SandboxError::Import { interface: interface.to_owned(), reason };
    let component = dependency.prepared.pre.component();
    let index = component.get_export_index(None, interface);
    for (name, item) in exports {
        let imported = match item {
            ComponentItem::ComponentFunc(imported) => imported,
            ComponentItem::Resource(_) => {
                return Err(refused(format!(
                    "`{name}` is a resource, which has no meaning outside of the instance that made it; packages \
                     exchange values only"
                )));
            }
            _ => continue,
        };
        let by_value = |function: &types::ComponentFunc| {
            describe(function).map_err(|reason| {
                refused(format!("`{name}` cannot be called from another package: {reason}"))
            })
        };
        let ty = by_value(&imported)?;
        let Some((ComponentItem::ComponentFunc(found), export)) = component.get_export(index.as_ref(), name)
        else {
            return Err(refused(format!("`{}` does not export `{name}`", dependency.name)));
        };
        if !same_types(&ty, &by_value(&found)?) {
            return Err(refused(format!("`{}` exports `{name}` with another type", dependency.name)));
        }
        let function =
            FunctionName::new(Some(interface), name).map_err(|error| refused(error.to_string()))?;
        let route = Arc::new(Route { place, slot: *slots, export, function });
        *slots += 1;
        cross::link(linker, name, &ty, route).map_err(|error| refused(format!("{error:#}")))?;
    }
    Ok(())
}

/// Returns the memory that a call may come to, in bytes, where its component alone may have `own`.
pub(crate) fn memory_bytes(own: usize, dependencies: &[Dependency]) -> usize {
    let theirs = |Dependency { prepared, memory_bytes: own, .. }: &Dependency| {
        memory_bytes(*own, prepared.dependencies())
    };
    let sum = dependencies.iter().map(theirs).fold(own, usize::saturating_add);
    sum.min(limits::MEMORY_BYTES_MAX)
}
