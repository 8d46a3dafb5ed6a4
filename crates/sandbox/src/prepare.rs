//! Compiles and links a component, once.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use glassbox_core::value::FunctionType;
use glassbox_core::{Digest, FunctionName};
use wasmtime::component::{Component, InstancePre};

use crate::artifact::Artifacts;
use crate::compose::{Part, Size};
use crate::function::Export;
use crate::isolate::{self, Compilation};
use crate::link::Linked;
use crate::meter::Guest;
use crate::unroll::unrolled;
use crate::{
    Compiler, Dependency, Failure, Grants, ImportKind, Inspection, Kind, Sandbox, SandboxError, artifact,
    compose, inspect, link,
};

/// A component that is ready to run: compiled, linked, checked.
pub struct Prepared {
    digest: Digest,
    grants: Arc<Grants>,
    pure: bool,
    /// Whether it lies where other processes can load it from.
    kept: bool,
    kind: Kind,
    /// The interfaces that the host provides to it, without their versions.
    provided: Vec<String>,
    dependencies: Vec<Dependency>,
    /// What tells it from the same component with other grants or dependencies.
    composition: Digest,
    size: Size,
    /// How many functions of dependencies it is linked to.
    slots: usize,
    start_fuel: u64,
    bytes: usize,
    pub(crate) pre: InstancePre<Guest>,
    /// Functions that were called before. There are no more of them than the component exports.
    exports: RwLock<HashMap<FunctionName, Arc<Export>>>,
}

impl Prepared {
    /// Returns the digest that the component was prepared under.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// Returns what it may do.
    pub fn grants(&self) -> &Grants {
        &self.grants
    }

    /// Tells whether it and all of its dependencies can do nothing but compute, so that a call of it can be repeated and
    /// must agree.
    pub fn is_pure(&self) -> bool {
        self.pure
    }

    /// Returns the packages that it imports.
    pub fn dependencies(&self) -> &[Dependency] {
        &self.dependencies
    }

    pub(crate) fn composition(&self) -> Digest {
        self.composition
    }

    pub(crate) fn size(&self) -> Size {
        self.size
    }

    pub(crate) fn slots(&self) -> usize {
        self.slots
    }

    /// Tells whether a component is part of it.
    fn holds(&self, digest: Digest) -> bool {
        self.digest == digest || self.dependencies.iter().any(|dependency| dependency.prepared.holds(digest))
    }

    /// Tells whether other processes can run it: those that have its code, and nothing to provide.
    pub(crate) fn runs_elsewhere(&self) -> bool {
        let own = self.kept && self.pure && self.grants.is_empty() && !self.is_linked_to_host();
        own && self.dependencies.iter().all(|dependency| dependency.prepared.runs_elsewhere())
    }

    /// Returns what making its instances costs, but for memories and tables.
    pub(crate) fn start_fuel(&self) -> u64 {
        self.start_fuel
    }

    /// Returns what the component is for.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    pub(crate) fn shared_grants(&self) -> Arc<Grants> {
        self.grants.clone()
    }

    /// Tells whether the host provides anything to the component.
    pub(crate) fn is_linked_to_host(&self) -> bool {
        !self.provided.is_empty()
    }

    /// Tells whether the host provides anything to the component, or to one of its dependencies.
    pub(crate) fn asks_host(&self) -> bool {
        let asks = |dependency: &Dependency| dependency.prepared.asks_host();
        self.is_linked_to_host() || self.dependencies.iter().any(asks)
    }

    /// Tells whether the host provides an interface of a package to the component.
    pub(crate) fn is_provided(&self, package: &str) -> bool {
        self.provided.iter().any(|interface| interface.split('/').next() == Some(package))
    }

    /// Returns an exported function of type `ty`, looked up and checked once.
    pub(crate) fn export(&self, name: &FunctionName, ty: &FunctionType) -> Result<Arc<Export>, Failure> {
        let known = self.exports.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned();
        if let Some(export) = known.filter(|export| export.ty == *ty) {
            return Ok(export);
        }
        let export = Arc::new(Export::find(self.pre.component(), name, ty)?);
        let mut exports = self.exports.write().unwrap_or_else(PoisonError::into_inner);
        exports.insert(name.clone(), export.clone());
        Ok(export)
    }
}

impl std::fmt::Debug for Prepared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Prepared")
            .field("digest", &self.digest)
            .field("pure", &self.pure)
            .finish_non_exhaustive()
    }
}

impl Sandbox {
    /// Compiles and links a component, or finds it compiled already in memory or on disk.
    ///
    /// `digest` is the SHA-256 of `component`, which the caller has already; it is checked where anything is compiled.
    /// This blocks for as long as compiling takes, up to some 20 seconds for the largest component: call it where
    /// blocking is allowed, and at publish rather than on a paying caller's request.
    pub fn prepare(
        &self,
        digest: Digest,
        component: &[u8],
        grants: &Grants,
    ) -> Result<Arc<Prepared>, SandboxError> {
        self.compose(digest, component, grants, Vec::new())
    }

    /// Prepares a component that imports other packages. Each of its imports beyond WASI must be exported by exactly one
    /// of the dependencies.
    pub fn compose(
        &self,
        digest: Digest,
        component: &[u8],
        grants: &Grants,
        dependencies: Vec<Dependency>,
    ) -> Result<Arc<Prepared>, SandboxError> {
        let key = key(digest, grants, &dependencies);
        if let Some(prepared) = self.hot().get(&key) {
            return Ok(prepared);
        }
        let prepared = Arc::new(self.make(digest, component, grants, dependencies)?);
        self.hot().insert(key, prepared.clone());
        Ok(prepared)
    }

    /// Returns a component that was prepared and not yet dropped, without its bytes.
    pub fn prepared(
        &self,
        digest: Digest,
        grants: &Grants,
        dependencies: &[Dependency],
    ) -> Option<Arc<Prepared>> {
        self.hot().get(&key(digest, grants, dependencies))
    }

    /// Drops everything that was compiled of a component, in memory and on disk. A guest that runs goes on to its end.
    pub fn forget(&self, digest: Digest) {
        self.hot().forget(digest);
        if let Some(artifacts) = &self.inner.artifacts {
            artifacts.remove(digest);
        }
    }

    fn make(
        &self,
        digest: Digest,
        bytes: &[u8],
        grants: &Grants,
        dependencies: Vec<Dependency>,
    ) -> Result<Prepared, SandboxError> {
        let (kept, (inspection, component)) = match self.load(digest) {
            Some(loaded) => (true, loaded),
            None => self.compiled(digest, bytes, grants, &dependencies)?,
        };
        check_imports(&inspection, grants, &dependencies)?;
        compose::check_grants(grants, &dependencies)?;
        let size = Size::of(&component, &inspection, &dependencies)?;
        let kind = inspection.kind();
        let Linked { pre, slots } = link::link(&component, grants, kind, &dependencies)?;
        let image = component.image_range();
        let (_, _, parts) = key(digest, grants, &dependencies);
        let is_pure = |dependency: &Dependency| dependency.prepared.is_pure();
        Ok(Prepared {
            digest,
            grants: Arc::new(grants.clone()),
            pure: inspection.computes_only(grants) && dependencies.iter().all(is_pure),
            composition: compose::composition(digest, grants, &parts),
            dependencies,
            size,
            slots,
            kept,
            kind,
            provided: inspection.provided(grants, kind),
            start_fuel: self.inner.profile.start_fuel(inspection.start),
            bytes: image.end.addr() - image.start.addr(),
            pre,
            exports: RwLock::default(),
        })
    }

    /// Finds a component among those kept on disk.
    fn load(&self, digest: Digest) -> Option<(Inspection, Component)> {
        self.inner.artifacts.as_ref()?.load(&self.inner.engines, digest)
    }

    /// Compiles a component and keeps it, and tells whether it was kept.
    fn compiled(
        &self,
        digest: Digest,
        bytes: &[u8],
        grants: &Grants,
        dependencies: &[Dependency],
    ) -> Result<(bool, (Inspection, Component)), SandboxError> {
        if Digest::of(bytes) != digest {
            return Err(SandboxError::Digest { expected: digest, found: Digest::of(bytes) });
        }
        let inspection = inspect(bytes)?;
        // What could not be linked is not worth compiling.
        check_imports(&inspection, grants, dependencies)?;
        // Only compiling waits in line: a call of what is compiled already must not wait behind a publisher's.
        let _turn = self.inner.compiling.wait(digest);
        // Another thread may have compiled it while this one waited.
        if let Some(loaded) = self.load(digest) {
            return Ok((true, loaded));
        }
        let artifact = self.artifact(bytes)?;
        let component = artifact::deserialize(self.inner.engines.of(&inspection), &artifact)
            .map_err(|error| SandboxError::Compiler(std::io::Error::other(format!("{error:#}"))))?;
        let store = |artifacts: &Artifacts| artifacts.store(digest, &inspection, &artifact);
        let kept = match self.inner.artifacts.as_ref().map(store) {
            Some(Ok(())) => true,
            None => false,
            Some(Err(error)) => {
                // The call can go on: the next start of the program only has to compile again.
                tracing::warn!(component.digest = %digest, "Cannot keep a compiled component: {error}");
                false
            }
        };
        Ok((kept, (inspection, component)))
    }

    /// Compiles, wherever that is done.
    fn artifact(&self, component: &[u8]) -> Result<Vec<u8>, SandboxError> {
        match &self.inner.compiler {
            Compiler::InProcess => {
                let compiled = self.inner.engines.compiler().precompile_component(&unrolled(component));
                compiled.map_err(|error| SandboxError::Compile { reason: format!("{error:#}") })
            }
            Compiler::Process { program, args } => {
                let compilation =
                    Compilation { codegen: self.inner.codegen, limits: self.inner.compile_limits };
                isolate::compile(program, args, component, compilation)
            }
        }
    }

    fn hot(&self) -> MutexGuard<'_, Hot> {
        lock(&self.inner.hot)
    }
}

fn check_imports(
    inspection: &Inspection,
    grants: &Grants,
    dependencies: &[Dependency],
) -> Result<(), SandboxError> {
    let mut missing = Vec::new();
    for interface in inspection.imports_of(ImportKind::Foreign, grants) {
        if compose::provider(&interface, dependencies)?.is_none() {
            missing.push(interface);
        }
    }
    if missing.is_empty() { Ok(()) } else { Err(SandboxError::NotGranted { interfaces: missing }) }
}

/// What these locks guard is whole between any two statements, so a panic elsewhere leaves nothing half done.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

type Key = (Digest, Grants, Vec<Part>);

fn key(digest: Digest, grants: &Grants, dependencies: &[Dependency]) -> Key {
    (digest, grants.clone(), dependencies.iter().map(Dependency::part).collect())
}

/// Prepared components in memory, the least recently used dropped first.
pub(crate) struct Hot {
    entries: HashMap<Key, (Arc<Prepared>, u64)>,
    bytes: usize,
    bytes_max: usize,
    clock: u64,
}

impl Hot {
    pub(crate) fn new(bytes_max: usize) -> Self {
        Self { entries: HashMap::new(), bytes: 0, bytes_max, clock: 0 }
    }

    fn get(&mut self, key: &Key) -> Option<Arc<Prepared>> {
        self.clock += 1;
        let (prepared, used) = self.entries.get_mut(key)?;
        *used = self.clock;
        Some(prepared.clone())
    }

    fn forget(&mut self, digest: Digest) {
        let bytes = &mut self.bytes;
        self.entries.retain(|_, (prepared, _)| {
            let dropped = prepared.holds(digest);
            if dropped {
                *bytes -= prepared.bytes;
            }
            !dropped
        });
    }

    fn insert(&mut self, key: Key, prepared: Arc<Prepared>) {
        self.clock += 1;
        self.bytes += prepared.bytes;
        if let Some((old, _)) = self.entries.insert(key, (prepared, self.clock)) {
            self.bytes -= old.bytes;
        }
        // The newest stays even if it alone is too large: it is about to be used.
        while self.bytes > self.bytes_max && self.entries.len() > 1 {
            let oldest = self.entries.iter().min_by_key(|(_, (_, used))| *used).map(|(key, _)| key.clone());
            let removed = oldest.and_then(|key| self.entries.remove(&key));
            self.bytes -= removed.map_or(0, |(prepared, _)| prepared.bytes);
        }
    }
}
