//! A release as calls need it: terms, interface and component, read once.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, MutexGuard, PoisonError};

use glassbox_core::dsse::{Envelope, Signers};
use glassbox_core::files::Files;
use glassbox_core::key::PublicKey;
use glassbox_core::manifest::{Date, MachineAccess, Manifest, PricedAct, Terms};
use glassbox_core::release::{Editions, Pinned, Release};
use glassbox_core::terms::{Account, Charge, Effort, Quote, quote, sale_charge};
use glassbox_core::{Digest, FunctionName, Hashed, PackageRef, ReleaseId};
use glassbox_sandbox::{Dependency, Function, Grants, Prepared, Spec};
use glassbox_store::{Held, ReleaseRow, TermsRow};
use jiff::Timestamp;

use crate::error::{CallError, RegistryError};
use crate::imports::Imports;
use crate::known::Known;
use crate::open::Registry;
use crate::package::{grants, texts};
use crate::publish::unpack_files;
use crate::terms::{Stood, history};
use crate::testing::TestReport;

/// What a call needs to know of a release.
#[derive(Clone)]
pub struct Live {
    /// The release.
    pub id: ReleaseId,
    /// Its package, as those who wait for a thread name it.
    pub(crate) package: Arc<str>,
    /// The manifest, with the terms that stand.
    pub manifest: Manifest,
    /// The digest of its bytes, as the publisher signed it.
    pub manifest_digest: Digest,
    /// The terms that stand.
    pub terms: Hashed<Terms>,
    /// The index of the log entry that set them, where that is not the release's own.
    pub terms_index: Option<u64>,
    /// All terms that it ever had, in their order.
    pub(crate) history: Arc<[Stood]>,
    /// What a download costs; nothing where it is free.
    pub download: Charge,
    /// What the source costs in bulk, where it is sold.
    pub source_price: Charge,
    /// The interface.
    pub spec: Spec,
    /// The component's digest.
    pub component: Digest,
    /// The components of editions that have one of their own.
    pub editions: Editions,
    /// The documents that the manifest names, by their paths.
    pub documents: BTreeMap<String, Digest>,
    /// The files that it ships for the component to read.
    pub files: Option<ReleaseFiles>,
    /// The source, where it is published.
    pub source: Option<ReleaseFiles>,
    /// The releases that stand behind its imports.
    pub dependencies: Vec<Pinned>,
    /// What of them may cost something in a call.
    pub(crate) imports: Imports,
    /// What a call burns itself in its own tests, in the median, where it has any.
    pub(crate) fuel_baseline: Option<u64>,
    /// What its dependencies without a price did in its tests.
    pub(crate) efforts: BTreeMap<Digest, Effort>,
    /// What it may use of the host.
    pub grants: Grants,
    /// The events that it may report, by name.
    pub events: BTreeSet<String>,
    /// Who published it.
    pub publisher: PublicKey,
    /// All who signed it.
    pub(crate) signers: Signers,
    /// Why it is or was held.
    pub held: Option<Held>,
    /// When it was published.
    pub published_at: Timestamp,
}

/// The files of a release, by digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReleaseFiles {
    /// The object that holds them.
    pub object: Digest,
    /// The set, as its publisher signed it.
    pub digest: Digest,
}

impl ReleaseFiles {
    /// Pairs an object with what was signed of it; nothing where there is an object of which nothing was.
    fn of(object: Option<Digest>, signed: Option<Digest>) -> Option<Option<Self>> {
        match (object, signed) {
            (Some(object), Some(digest)) => Some(Some(Self { object, digest })),
            (Some(_), None) => None,
            (None, _) => Some(None),
        }
    }
}

impl Live {
    fn of(
        row: &ReleaseRow,
        changes: &[TermsRow],
        wit: &Files,
        held: Option<Held>,
    ) -> Result<Self, RegistryError> {
        let damaged = |reason: String| RegistryError::Damaged(row.id.to_string(), reason);
        let manifest = Manifest::read(&row.manifest).map_err(|error| damaged(error.to_string()))?;
        let publisher = row.publisher.parse().map_err(|_| damaged("its publisher is no key".into()))?;
        let texts = texts(wit).map_err(|error| damaged(error.to_string()))?;
        let signed = signed_release(row).map_err(damaged)?;
        let signers = statement(row).map_err(damaged)?.signers();
        let signers = signers.map_err(|error| damaged(error.to_string()))?;
        let report: TestReport =
            serde_json::from_str(&row.report).map_err(|error| damaged(error.to_string()))?;
        let (own, events) = (Terms::of(&manifest), manifest.events().map(str::to_owned).collect());
        let history = history(own, changes);
        let Stood { terms, index, .. } = history.last().expect("it has its own").clone();
        let manifest = manifest.with_terms(&terms);
        Ok(Self {
            id: row.id.clone(),
            package: row.id.package.to_string().into(),
            download: sale_charge(&terms, PricedAct::Download),
            source_price: sale_charge(&terms, PricedAct::Source),
            terms,
            terms_index: index,
            history: history.into(),
            spec: Spec::parse(&texts, Some(&manifest.spec.world))
                .map_err(|error| damaged(error.to_string()))?,
            component: row.component,
            editions: signed.editions,
            documents: signed.documents,
            files: ReleaseFiles::of(row.files, signed.files).ok_or_else(|| damaged("its files".into()))?,
            source: ReleaseFiles::of(row.source, signed.source)
                .ok_or_else(|| damaged("its source".into()))?,
            dependencies: signed.dependencies,
            imports: Imports::default(),
            fuel_baseline: report.fuel_baseline,
            efforts: report.efforts,
            grants: grants(&manifest).map_err(|error| damaged(error.to_string()))?,
            // A component that loses the price of an event goes on reporting it.
            events,
            publisher,
            signers,
            held,
            published_at: Timestamp::from_millisecond(row.published_at).unwrap_or(Timestamp::MAX),
            manifest_digest: Digest::of(&row.manifest),
            manifest,
        })
    }

    /// Returns the most that a call of `function` within `fuel_max` can cost `account`.
    pub(crate) fn quote(&self, function: &FunctionName, fuel_max: u64, account: Account) -> Quote {
        quote(&self.terms, function, fuel_max, account, self.imports.of(function))
    }

    /// Returns the component that a call of `function` runs.
    pub(crate) fn component_of(&self, function: &FunctionName) -> Digest {
        self.editions.component_of(function).unwrap_or(self.component)
    }

    /// Returns all of its components.
    pub(crate) fn components(&self) -> impl Iterator<Item = Digest> {
        [self.component].into_iter().chain(self.editions.components())
    }

    /// Returns on which terms machines have the source in bulk on a day: under a copyleft licence it is free.
    pub fn machines(&self, day: Date) -> MachineAccess {
        match &self.manifest.source {
            Some(_) if self.terms.has_become_copyleft(day) => MachineAccess::Free,
            Some(source) => source.machines,
            None => MachineAccess::Denied,
        }
    }

    /// Returns the licence of the source on a day.
    pub fn source_license(&self, day: Date) -> &str {
        let own = self.manifest.source.as_ref().and_then(|source| source.license.as_deref());
        own.unwrap_or_else(|| self.terms.license_on(day))
    }

    /// Finds a function by any of its names.
    pub fn function(&self, name: &str) -> Result<&Function, CallError> {
        let function = self.spec.function(name).ok_or_else(|| CallError::NoFunction {
            function: name.chars().take(120).collect(),
            available: self.spec.functions().iter().map(|f| f.name.short()).collect::<Vec<_>>().join(", "),
        })?;
        match &function.callable {
            Ok(()) => Ok(function),
            Err(reason) => {
                Err(CallError::NotCallable { function: function.name.short(), reason: reason.clone() })
            }
        }
    }
}

/// Reads what the publisher signed of a release.
pub(crate) fn signed_release(row: &ReleaseRow) -> Result<Release, String> {
    let publisher = row.publisher.parse().map_err(|_| "its publisher is no key")?;
    let signed = statement(row)?.verify::<Release>(&publisher).map_err(|error| error.to_string())?;
    Ok(signed.predicate)
}

fn statement(row: &ReleaseRow) -> Result<Envelope, String> {
    serde_json::from_str(&row.statement).map_err(|error| error.to_string())
}

impl Registry {
    /// Returns the release that a reference means, from memory where it was used before.
    pub async fn live(&self, reference: &PackageRef) -> Result<Arc<Live>, RegistryError> {
        if let Some(version) = &reference.version {
            let id = reference.package.at(version.clone());
            if let Some(live) = self.known_live().get(&id) {
                return Ok(live);
            }
        }
        // Apart: what is seldom done would be room that every call is carried around with.
        Box::pin(self.read_live(reference)).await
    }

    async fn read_live(&self, reference: &PackageRef) -> Result<Arc<Live>, RegistryError> {
        let (generation, shown) = (self.known_live().generation(), self.checkpoint().size);
        let row = self.release_row(reference).await?;
        let wit = unpack_files(&row.id, &self.store.object(row.wit).await?)?;
        let held = self.store.held(&row.id).await?;
        let mut changes = self.store.terms_changes(&row.id).await?;
        let known = changes.len();
        // What no checkpoint shows yet does not hold yet: a receipt could not prove its price.
        changes.retain(|change| change.log_index < shown);
        let is_newest = changes.len() == known;
        // Parsing WIT is work for a thread that may block: it is a stranger's text, within its limits.
        let parsing = tokio::task::spawn_blocking(move || Live::of(&row, &changes, &wit, held));
        let mut live = parsing.await.map_err(|_| RegistryError::Worker)??;
        live.imports = self.imports(&live).await?;
        let live = Arc::new(live);
        if is_newest {
            self.known_live().insert(generation, &live.id, live.clone());
        }
        Ok(live)
    }

    /// Forgets what was read of a release, because something about it changed.
    pub(crate) fn forget_live(&self, id: &ReleaseId) {
        self.known_live().forget(id);
        self.forget_comparisons();
    }

    /// Forgets what was read of all releases.
    pub(crate) fn forget_all_live(&self) {
        self.known_live().clear();
        self.forget_comparisons();
    }

    fn known_live(&self) -> MutexGuard<'_, Known<Live>> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The same, unless the operator stopped it.
    pub async fn runnable(&self, reference: &PackageRef) -> Result<Arc<Live>, RegistryError> {
        let live = self.live(reference).await?;
        self.check_quarantine(&live)?;
        Ok(live)
    }

    /// Refuses a release that the operator stopped, one that has the component of such a release under another name, and one
    /// that a blocklist has.
    pub(crate) fn check_quarantine(&self, live: &Live) -> Result<(), RegistryError> {
        if let Some(blocked) = self.listed_release(&live.id.package, &live.signers, live.components()) {
            let (release, reason) = (live.id.clone().into(), blocked.to_string());
            return Err(RegistryError::Quarantined { release, reason });
        }
        let stopped = live.components().find_map(|component| self.stopped_by(&component));
        let Some((stopped, reason)) = stopped else {
            return Ok(());
        };
        let own = self.marks(&live.id).quarantine;
        let reason = match own.set {
            true => own.reason,
            false => format!("its component is that of {stopped}: {reason}"),
        };
        Err(RegistryError::Quarantined { release: live.id.clone().into(), reason })
    }

    /// Returns the quarantined release that has a component, and why it is quarantined.
    pub(crate) fn stopped_by(&self, component: &Digest) -> Option<(ReleaseId, String)> {
        let stopped = self.stopped.read().unwrap_or_else(PoisonError::into_inner).get(component).cloned()?;
        let reason = self.marks(&stopped).quarantine.reason;
        Some((stopped, reason))
    }

    /// Returns a component of a release, compiled. Compiled at publish, so this loads it, from memory or from disk.
    pub(crate) async fn prepared(
        &self,
        live: &Live,
        component: Digest,
        grants: &Grants,
        dependencies: Vec<Dependency>,
    ) -> Result<Arc<Prepared>, RegistryError> {
        if let Some(prepared) = self.sandbox.prepared(component, grants, &dependencies) {
            return Ok(prepared);
        }
        let bytes = self.store.object(component).await?;
        let (sandbox, grants) = (self.sandbox.clone(), grants.clone());
        let work = move || sandbox.compose(component, &bytes, &grants, dependencies);
        let composed = tokio::task::spawn_blocking(work).await.map_err(|_| RegistryError::Worker)?;
        composed.map_err(|error| RegistryError::Damaged(live.id.to_string(), error.to_string()))
    }
}
