//! Dependencies that charge: what of them a component is linked to, and whether its publisher may rest on them.
//!
//! An importer's caller pays what its dependencies charge, so that must be bounded before the call: only calls and fuel are
//! charged for through an import, and calls are counted. What a release absorbs, its own price must cover.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::Arc;

use glassbox_core::manifest::{Manifest, PricedAct, Terms, Unit};
use glassbox_core::name::same_interface;
use glassbox_core::release::{Editions, Pinned};
use glassbox_core::terms::{Import, applies, check_absorbed};
use glassbox_core::{Digest, FunctionName, Hashed};
use glassbox_sandbox::{Inspection, Spec, inspect};

use crate::depend::{DependencyError, exact};
use crate::error::RegistryError;
use crate::live::Live;
use crate::open::Registry;
use crate::package::Package;

/// A dependency with the terms that it was pinned with.
pub(crate) type PinnedLive = (Arc<Live>, Hashed<Terms>);

/// What of a release's dependencies may cost something in a call, by the component that is linked to them: an edition may
/// have one of its own.
#[derive(Debug, Clone, Default)]
pub(crate) struct Imports {
    own: Vec<Import>,
    editions: Editions,
    others: BTreeMap<Digest, Vec<Import>>,
}

impl Imports {
    /// Returns those of the component that a call of `function` runs.
    pub(crate) fn of(&self, function: &FunctionName) -> &[Import] {
        match self.editions.component_of(function) {
            Some(component) => self.of_component(component),
            None => &self.own,
        }
    }

    /// Returns those of a component of the release.
    pub(crate) fn of_component(&self, component: Digest) -> &[Import] {
        self.others.get(&component).unwrap_or(&self.own)
    }

    fn all(&self) -> impl Iterator<Item = &Import> {
        self.own.iter().chain(self.others.values().flatten())
    }
}

impl Registry {
    /// Returns what of the dependencies of a release may cost something.
    pub(crate) async fn imports(&self, live: &Live) -> Result<Imports, RegistryError> {
        let pinned = self.pinned(&live.dependencies).await?;
        if !pinned.iter().any(may_charge) {
            return Ok(Imports::default());
        }
        let own = self.store.object(live.component).await?;
        let mut others = Vec::new();
        for component in live.editions.components() {
            others.push(self.store.object(component).await?);
        }
        let editions = live.editions.clone();
        blocking(move || read(editions, &own, &others, &pinned)).await
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

/// Reads what may cost something from the components of a release: its own, and those of its editions. Slow.
fn read(
    editions: Editions,
    own: &[u8],
    others: &[Vec<u8>],
    pinned: &[PinnedLive],
) -> Result<Imports, RegistryError> {
    let imports = |component: &[u8]| -> Result<Vec<Import>, RegistryError> {
        let inspection = inspect(component).map_err(|_| RegistryError::Worker)?;
        Ok(pinned.iter().filter_map(|pinned| import(&inspection, pinned)).collect())
    };
    let others = others.iter().map(|component| Ok((Digest::of(component), imports(component)?)));
    let others = others.collect::<Result<_, RegistryError>>()?;
    Ok(Imports { own: imports(own)?, editions, others })
}

/// Does slow work on a thread that may block.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, RegistryError> + Send + 'static,
) -> Result<T, RegistryError> {
    tokio::task::spawn_blocking(work).await.map_err(|_| RegistryError::Worker)?
}

/// Checks that what dependencies charge a package is bounded, and covered where it absorbs that. Returns what may cost
/// something.
pub(crate) async fn check_prices(
    package: &Package,
    pinned: Vec<PinnedLive>,
) -> Result<Result<Imports, DependencyError>, RegistryError> {
    if !pinned.iter().any(may_charge) {
        return Ok(Ok(Imports::default()));
    }
    let (manifest, spec, editions) = (package.manifest.clone(), package.spec.clone(), package.editions());
    let own = package.files.component.clone();
    let others: Vec<Vec<u8>> = package.files.editions.values().cloned().collect();
    blocking(move || {
        let imports = read(editions, &own, &others, &pinned)?;
        let checked = imports.all().try_for_each(|import| check_bounded(&manifest, import));
        Ok(checked.and_then(|()| check_covered(&Terms::of(&manifest), &spec, &imports)).map(|()| imports))
    })
    .await
}

/// Checks that whatever call of a release covers what it absorbs.
pub(crate) fn check_covered(terms: &Terms, spec: &Spec, imports: &Imports) -> Result<(), DependencyError> {
    let mut callable = spec.functions().iter().filter(|function| function.callable.is_ok());
    callable.try_for_each(|function| Ok(check_absorbed(terms, &function.name, imports.of(&function.name))?))
}

/// Checks that what a dependency charges for is counted where the call is another's, and that calls are bounded.
fn check_bounded(manifest: &Manifest, import: &Import) -> Result<(), DependencyError> {
    let (terms, release) = (&import.terms, || import.terms.release.clone());
    for function in &import.functions {
        let mut prices = terms.price.iter().filter(|price| applies(price, function));
        if let Some(price) = prices.find(|price| !matches!(price.unit, Unit::Call | Unit::Fuel)) {
            let (function, unit) = (function.short(), price.unit.clone());
            return Err(DependencyError::Unit { release: release(), function, unit });
        }
    }
    let named = manifest.dependencies.get(&terms.release.package);
    match import.counts_calls() && named.is_none_or(|named| named.calls_max.is_none()) {
        true => Err(DependencyError::Unbounded(release())),
        false => Ok(()),
    }
}

/// Tells whether using a dependency may cost something. Most cost nothing, and are not looked into.
fn may_charge((live, terms): &PinnedLive) -> bool {
    live.imports.all().next().is_some() || terms.price.iter().any(|price| price.on == PricedAct::Execute)
}

/// Says what a bill must know of a dependency of a component; nothing where its use costs nothing.
fn import(inspection: &Inspection, (live, terms): &PinnedLive) -> Option<Import> {
    Import::new(terms.clone(), linked(inspection, live), live.imports.own.clone())
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
