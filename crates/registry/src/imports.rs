//! Dependencies that charge: what of them a component is linked to, and whether its publisher may rest on them.
//!
//! An importer's caller pays what its dependencies charge, so that must be bounded before the call: only calls and fuel are
//! charged for through an import, and calls are counted. What a release absorbs, its own price must cover.

use std::pin::Pin;
use std::sync::Arc;

use glassbox_core::manifest::{PricedAct, Terms, Unit};
use glassbox_core::name::same_interface;
use glassbox_core::release::Pinned;
use glassbox_core::terms::{Import, applies, check_absorbed};
use glassbox_core::{FunctionName, Hashed};
use glassbox_sandbox::{Inspection, Spec, inspect};

use crate::depend::{DependencyError, exact};
use crate::error::RegistryError;
use crate::live::Live;
use crate::open::Registry;
use crate::package::Package;

/// A dependency with the terms that it was pinned with.
pub(crate) type PinnedLive = (Arc<Live>, Hashed<Terms>);

impl Registry {
    /// Returns what of the dependencies of a release may cost something.
    pub(crate) async fn imports(&self, live: &Live) -> Result<Vec<Import>, RegistryError> {
        let pinned = self.pinned(&live.dependencies).await?;
        let charges = |(live, terms): &PinnedLive| {
            !live.imports.is_empty() || terms.price.iter().any(|price| price.on == PricedAct::Execute)
        };
        // Most cost nothing, and are not looked into.
        if !pinned.iter().any(charges) {
            return Ok(Vec::new());
        }
        let component = self.store.object(live.component).await?;
        let inspecting = tokio::task::spawn_blocking(move || inspect(&component));
        let inspection = inspecting.await.map_err(|_| RegistryError::Worker)?;
        let inspection =
            inspection.map_err(|error| RegistryError::Damaged(live.id.to_string(), error.to_string()))?;
        Ok(pinned.iter().filter_map(|pinned| import(&inspection, pinned)).collect())
    }

    /// Returns the releases behind pins. They were there when they were pinned, and had these terms.
    pub(crate) fn pinned<'a>(
        &'a self,
        pins: &'a [Pinned],
    ) -> Pin<Box<dyn Future<Output = Result<Vec<PinnedLive>, RegistryError>> + Send + 'a>> {
        Box::pin(async move {
            let mut pinned = Vec::with_capacity(pins.len());
            for pin in pins {
                let live = self.live(&exact(&pin.release)).await?;
                let others =
                    || RegistryError::Damaged(pin.release.to_string(), "it never had its terms".into());
                let terms = live.had(pin.terms).ok_or_else(others)?;
                pinned.push((live, terms));
            }
            Ok(pinned)
        })
    }
}

/// Checks that what dependencies charge a package is bounded, and covered where it absorbs that. Returns what may cost
/// something.
pub(crate) fn check_prices(package: &Package, pinned: &[PinnedLive]) -> Result<Vec<Import>, DependencyError> {
    let Package { manifest, inspection, spec, .. } = package;
    let mut imports = Vec::new();
    for pinned in pinned {
        let Some(import) = import(inspection, pinned) else { continue };
        let (live, terms) = pinned;
        check_countable(live, terms, &import.functions)?;
        let named = manifest.dependencies.get(&live.id.package);
        if import.counts_calls() && named.is_none_or(|named| named.calls_max.is_none()) {
            return Err(DependencyError::Unbounded(live.id.clone()));
        }
        imports.push(import);
    }
    check_covered(&Terms::of(manifest), spec, &imports)?;
    Ok(imports)
}

/// Checks that whatever call of a release covers what it absorbs.
pub(crate) fn check_covered(terms: &Terms, spec: &Spec, imports: &[Import]) -> Result<(), DependencyError> {
    let callable = spec.functions().iter().filter(|function| function.callable.is_ok());
    Ok(check_absorbed(terms, callable.map(|function| &function.name), imports)?)
}

/// Checks that what functions are charged for is counted where the call is another's.
fn check_countable(live: &Live, terms: &Terms, functions: &[FunctionName]) -> Result<(), DependencyError> {
    let mut priced = functions.iter().flat_map(|function| {
        terms
            .price
            .iter()
            .filter(move |price| applies(price, function))
            .map(move |price| (function, &price.unit))
    });
    match priced.find(|(_, unit)| !matches!(unit, Unit::Call | Unit::Fuel)) {
        None => Ok(()),
        Some((function, unit)) => {
            let (release, function) = (live.id.clone(), function.short());
            Err(DependencyError::Unit { release, function, unit: unit.clone() })
        }
    }
}

/// Says what a bill must know of a dependency of a component; nothing where its use costs nothing.
fn import(inspection: &Inspection, (live, terms): &PinnedLive) -> Option<Import> {
    Import::new(terms.clone(), linked(inspection, live), live.imports.clone())
}

/// Returns the functions of a dependency that a component is linked to, under the names that the component has for them.
fn linked(inspection: &Inspection, live: &Live) -> Vec<FunctionName> {
    let exports = live.spec.exports();
    let imports = inspection.imports.iter();
    let imports =
        imports.filter(|import| exports.iter().any(|export| same_interface(&import.interface, export)));
    let functions = imports.flat_map(|import| {
        import.functions.iter().filter_map(|name| FunctionName::new(Some(&import.interface), name).ok())
    });
    functions.collect()
}
