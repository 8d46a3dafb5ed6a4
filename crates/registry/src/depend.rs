//! Dependencies: checked against the log when a release is published, linked when it is called.
//!
//! What stands behind an import is decided once, by the publisher, and signed with the release. A call runs exactly that,
//! with the grants that importer and dependency share, in the order of the pins.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::Arc;

use glassbox_core::manifest::{self, Manifest, Unit};
use glassbox_core::release::Pinned;
use glassbox_core::terms::{Import, Uncovered, applies};
use glassbox_core::tree::{Linked, Node};
use glassbox_core::{Digest, PackageName, PackageRef, ReleaseId, limits};
use glassbox_sandbox::{Dependency, Function, Grants, InnerCalls, Prepared};

use crate::error::RegistryError;
use crate::imports::{Imports, check_prices};
use crate::live::Live;
use crate::open::Registry;
use crate::package::Package;

/// Why a release cannot have a dependency.
#[derive(Debug, thiserror::Error)]
pub enum DependencyError {
    /// The statement does not say which release stands behind a package.
    #[error("the statement pins no release of `{0}`, which [dependencies] names")]
    Unpinned(PackageName),
    /// The statement pins what the manifest does not name, or pins twice.
    #[error("the statement pins {0}, and [dependencies] does not ask for it")]
    Undeclared(ReleaseId),
    /// The pins are not in their one order.
    #[error("the pins of the statement do not ascend")]
    Unordered,
    /// The pinned version is not one that the manifest allows.
    #[error("{0} is not a version that [dependencies] allows")]
    Version(ReleaseId),
    /// There is no such release.
    #[error("there is no release {0}")]
    NotFound(ReleaseId),
    /// The pin names other bytes or terms than the log does.
    #[error("the pin of {0} is not what the log has: its {1} differ")]
    Differs(ReleaseId, &'static str),
    /// The release has other terms by now.
    #[error("the pin of {0} has terms that others took the place of")]
    Superseded(ReleaseId),
    /// The release was yanked.
    #[error("{0} is yanked: {1}")]
    Yanked(ReleaseId, String),
    /// The operator stopped the release, or one that it imports.
    #[error("{0} cannot run: {1}")]
    Quarantined(ReleaseId, String),
    /// The release is held.
    #[error("{0} is held")]
    Held(ReleaseId),
    /// Its terms do not let others import it, or not run it here.
    #[error("the terms of {0} do not let other packages import it")]
    NotImportable(ReleaseId),
    /// It reads files, which only the release that is called has.
    #[error("{0} ships files, which it could not read as a dependency")]
    ShipsFiles(ReleaseId),
    /// It charges for something that is not counted through an import.
    #[error(
        "{release} charges for `{function}` by `{unit}`, and through an import only calls and fuel are charged for"
    )]
    Unit {
        /// The dependency.
        release: ReleaseId,
        /// The function that is imported.
        function: String,
        /// What it counts.
        unit: Unit,
    },
    /// It charges for calls, and nothing bounds them.
    #[error("{0} charges for each call, or imports what does, and nothing says how often it may be called")]
    Unbounded(ReleaseId),
    /// What the release absorbs may be more than it earns.
    #[error(transparent)]
    Uncovered(#[from] Uncovered),
    /// It would share in a pool by fuel that nothing bounds.
    #[error(
        "{0} has a part in the pool by its fuel, and no tests that say how much a call of it should burn"
    )]
    Untested(ReleaseId),
    /// With all that they import, there are too many.
    #[error("with what they import, dependencies are more than {max} components", max = limits::CALL_INSTANCES_MAX - 1)]
    TooMany,
    /// It imports the release itself, or something below it does.
    #[error("{0} rests on {1}, which would rest on it")]
    Cycle(ReleaseId, ReleaseId),
    /// Dependencies of dependencies go too deep.
    #[error("with {0}, the release and its dependencies are more than {max} levels", max = limits::CALL_DEPTH_MAX)]
    TooDeep(ReleaseId),
}

impl DependencyError {
    /// Returns the stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unpinned(_) => "dependency-unpinned",
            Self::Undeclared(_) => "dependency-undeclared",
            Self::Unordered => "dependencies-unordered",
            Self::Version(_) => "dependency-version",
            Self::NotFound(_) => "dependency-not-found",
            Self::Differs(..) => "dependency-differs",
            Self::Superseded(_) => "dependency-terms-superseded",
            Self::Yanked(..) => "dependency-yanked",
            Self::Quarantined(..) => "dependency-quarantined",
            Self::Held(_) => "dependency-held",
            Self::NotImportable(_) => "dependency-not-importable",
            Self::ShipsFiles(_) => "dependency-ships-files",
            Self::Unit { .. } => "dependency-unit",
            Self::Unbounded(_) => "dependency-unbounded",
            Self::Uncovered(_) => "absorb-uncovered",
            Self::Untested(_) => "dependency-untested",
            Self::TooMany => "dependencies-too-many",
            Self::Cycle(..) => "dependency-cycle",
            Self::TooDeep(_) => "dependency-too-deep",
        }
    }

    /// Returns what to do next.
    pub fn next(&self) -> &'static str {
        match self {
            Self::Unpinned(_)
            | Self::Undeclared(_)
            | Self::Unordered
            | Self::Differs(..)
            | Self::Superseded(_) => "publish with `glassbox publish`, which pins what [dependencies] names",
            Self::Version(_) | Self::NotFound(_) | Self::Yanked(..) | Self::Quarantined(..) => {
                "name another version in [dependencies]"
            }
            Self::Held(_) => "publish when it is held no more, or name an earlier version",
            Self::NotImportable(_) => "ask its publisher for `import = true` and `execute = [\"remote\"]`",
            Self::ShipsFiles(_) => "import another package, or compose it in",
            Self::Unit { .. } => {
                "import another package, or functions that are free or charged for by call or fuel"
            }
            Self::Unbounded(_) => "write calls-max = 16 for it in [dependencies]",
            Self::Uncovered(_) => {
                "raise a price per call that no free units, tiers, discount, grant, plan or monthly cap lower, lower \
                 `calls-max`, or leave `absorb` out"
            }
            Self::Untested(_) => {
                "write a fixed `share` for it in [dependencies], or name a version that has tests; where it comes with \
                 another, import less, or leave `dependencies` out of [splits]"
            }
            Self::TooMany | Self::Cycle(..) | Self::TooDeep(_) => "import less, or compose some of it in",
        }
    }
}

/// A release with everything that it imports, ready to run.
pub(crate) struct Composed {
    pub(crate) prepared: Arc<Prepared>,
    pub(crate) linked: Vec<Linked>,
}

/// What stands behind the imports of a release: for the sandbox, and for the receipt.
type Links = (Vec<Dependency>, Vec<Linked>);

impl Registry {
    /// Checks what a statement says of dependencies against the manifest and the log. Returns those whose use may cost
    /// something.
    pub(crate) async fn check_dependencies(
        &self,
        package: &Package,
        pins: &[Pinned],
    ) -> Result<Result<Imports, DependencyError>, RegistryError> {
        let named = &package.manifest.dependencies;
        if !pins.is_sorted() {
            return Ok(Err(DependencyError::Unordered));
        }
        let unpinned = named.keys().find(|name| pins.iter().all(|pin| pin.release.package != **name));
        if let Some(name) = unpinned {
            return Ok(Err(DependencyError::Unpinned(name.clone())));
        }
        for (index, pin) in pins.iter().enumerate() {
            let is_double = pins[..index].iter().any(|other| other.release.package == pin.release.package);
            let Some(named) = named.get(&pin.release.package).filter(|_| !is_double) else {
                return Ok(Err(DependencyError::Undeclared(pin.release.clone())));
            };
            if !named.version.matches(&pin.release.version) {
                return Ok(Err(DependencyError::Version(pin.release.clone())));
            }
            if let Err(refused) = self.check_pin(&package.manifest.release(), pin).await? {
                return Ok(Err(refused));
            }
        }
        // Before anything is reckoned over all ways to them.
        if self.instances(pins).await? >= limits::CALL_INSTANCES_MAX {
            return Ok(Err(DependencyError::TooMany));
        }
        if let Err(refused) = self.check_pool(&package.manifest, pins).await? {
            return Ok(Err(refused));
        }
        check_prices(package, self.pinned(pins).await?).await
    }

    /// Checks that whoever shares in the pool by fuel has tests: without a baseline to compare with, waste would earn.
    async fn check_pool(
        &self,
        manifest: &Manifest,
        pins: &[Pinned],
    ) -> Result<Result<(), DependencyError>, RegistryError> {
        let is_shared = manifest.splits.as_ref().is_some_and(|splits| splits.dependencies > 0);
        let mut missing = if is_shared { self.pinned(pins).await? } else { Vec::new() };
        while let Some((live, terms)) = missing.pop() {
            let is_priced =
                |function: &Function| terms.price.iter().any(|price| applies(price, &function.name));
            // Paid by parts of their own, in which whatever they import shares by their terms.
            if live.spec.functions().iter().all(is_priced) {
                continue;
            }
            let named = manifest.dependencies.get(&live.id.package);
            let is_fixed = named.is_some_and(|named| named.share.is_some());
            if !terms.payee.is_empty() && !is_fixed && live.fuel_baseline.is_none() {
                return Ok(Err(DependencyError::Untested(live.id.clone())));
            }
            missing.extend(self.pinned(&live.dependencies).await?);
        }
        Ok(Ok(()))
    }

    /// Counts the components behind pins, one for each way to each; no farther than to one too many.
    async fn instances(&self, pins: &[Pinned]) -> Result<usize, RegistryError> {
        let (mut count, mut missing) = (0, pins.to_vec());
        while let Some(pin) = missing.pop() {
            count += 1;
            if count >= limits::CALL_INSTANCES_MAX {
                break;
            }
            missing.extend(self.live(&exact(&pin.release)).await?.dependencies.iter().cloned());
        }
        Ok(count)
    }

    /// Checks one pin, and what it rests on.
    async fn check_pin(
        &self,
        importer: &ReleaseId,
        pin: &Pinned,
    ) -> Result<Result<(), DependencyError>, RegistryError> {
        let id = || pin.release.clone();
        let live = match self.live(&exact(&pin.release)).await {
            Ok(live) => live,
            Err(RegistryError::NoPackage(_) | RegistryError::NoRelease { .. }) => {
                return Ok(Err(DependencyError::NotFound(id())));
            }
            Err(error) => return Err(error),
        };
        let Live { terms, component, files, held, .. } = &*live;
        let yank = self.marks(&pin.release).yank;
        let refused = if *component != pin.component {
            DependencyError::Differs(id(), "bytes")
        } else if live.had(pin.terms).is_none() {
            DependencyError::Differs(id(), "terms")
        } else if !live.stands_since(pin.terms, self.env.now_ms() - limits::QUOTE_KEPT_MS) {
            DependencyError::Superseded(id())
        } else if yank.set {
            DependencyError::Yanked(id(), yank.reason)
        } else if held.as_ref().is_some_and(|held| held.is_held(self.env.now_ms())) {
            DependencyError::Held(id())
        } else if !terms.import || !terms.execute.contains(&manifest::Place::Remote) {
            DependencyError::NotImportable(id())
        } else if files.is_some() {
            DependencyError::ShipsFiles(id())
        } else {
            return self.check_below(importer, &live).await;
        };
        Ok(Err(refused))
    }

    /// Checks what a dependency imports itself. Its own publisher answered for the rest.
    async fn check_below(
        &self,
        importer: &ReleaseId,
        live: &Arc<Live>,
    ) -> Result<Result<(), DependencyError>, RegistryError> {
        let mut level = vec![live.clone()];
        for _ in 1..limits::CALL_DEPTH_MAX {
            let mut below = Vec::new();
            for one in &level {
                if one.id == *importer {
                    return Ok(Err(DependencyError::Cycle(live.id.clone(), importer.clone())));
                }
                if let Err(RegistryError::Quarantined { reason, .. }) = self.check_quarantine(one) {
                    return Ok(Err(DependencyError::Quarantined(one.id.clone(), reason)));
                }
                for pin in &one.dependencies {
                    below.push(self.live(&exact(&pin.release)).await?);
                }
            }
            if below.is_empty() {
                return Ok(Ok(()));
            }
            // One is enough: each way to it is as deep, and holds the same.
            below.sort_by(|a, b| a.id.cmp(&b.id));
            below.dedup_by(|a, b| a.id == b.id);
            level = below;
        }
        Ok(Err(DependencyError::TooDeep(live.id.clone())))
    }

    /// Returns a component of a release with everything that it imports.
    pub(crate) async fn composed(
        &self,
        live: &Live,
        component: Digest,
        grants: &Grants,
    ) -> Result<Composed, RegistryError> {
        let (dependencies, linked) = self
            .links(
                &live.dependencies,
                &live.manifest.dependencies,
                live.imports.of_component(component),
                grants,
            )
            .await?;
        Ok(Composed { prepared: self.prepared(live, component, grants, dependencies).await?, linked })
    }

    /// Returns what stands behind the imports of a release that pins `pins` and is granted `grants`, of which `imports` may
    /// cost something.
    pub(crate) fn links<'a>(
        &'a self,
        pins: &'a [Pinned],
        named: &'a BTreeMap<PackageName, manifest::Dependency>,
        imports: &'a [Import],
        grants: &'a Grants,
    ) -> Pin<Box<dyn Future<Output = Result<Links, RegistryError>> + Send + 'a>> {
        Box::pin(async move {
            let mut links = Links::default();
            for pin in pins {
                let live = self.runnable(&exact(&pin.release)).await?;
                let grants = live.grants.under(grants);
                let Composed { prepared, linked } = self.composed(&live, live.component, &grants).await?;
                let memory_bytes = live.manifest.memory_max_bytes();
                let calls_max = named.get(&pin.release.package).and_then(|named| named.calls_max);
                let charged = imports.iter().find(|import| import.terms.digest() == pin.terms);
                let name = pin.release.to_string().into();
                links.0.push(Dependency { name, prepared, memory_bytes, calls_max });
                links.1.push(Linked {
                    release: live.id.clone(),
                    component: live.component,
                    terms: pin.terms,
                    memory_bytes_max: memory_bytes as u64,
                    calls_max,
                    grants: grants.iter().map(str::to_owned).collect(),
                    functions: charged.map(|import| import.functions.clone()).unwrap_or_default(),
                    dependencies: linked,
                });
            }
            Ok(links)
        })
    }
}

/// Returns a release as something to look up.
pub(crate) fn exact(release: &ReleaseId) -> PackageRef {
    PackageRef { package: release.package.clone(), version: Some(release.version.clone()) }
}

/// Says of each entry of a call tree what it was a call of.
pub(crate) fn nodes(inner: &[InnerCalls], linked: &[Linked]) -> Option<Vec<Node>> {
    let mut of: Vec<&Linked> = Vec::with_capacity(inner.len());
    let mut nodes = Vec::with_capacity(inner.len());
    for calls in inner {
        let among = match calls.parent {
            Some(parent) => &of.get(parent as usize)?.dependencies,
            None => linked,
        };
        let linked = among.iter().find(|linked| linked.release.to_string() == calls.dependency)?;
        of.push(linked);
        nodes.push(Node {
            parent: calls.parent,
            release: linked.release.clone(),
            component: linked.component,
            terms: linked.terms,
            function: calls.function.clone(),
            calls: calls.calls,
            fuel: calls.fuel,
            fuel_baseline: None,
        });
    }
    Some(nodes)
}
