//! Publishing: check everything again, run the tests, keep the bytes, write the release and its log entry.
//!
//! Slow work comes first and writes nothing but cache; the release itself is one transaction. So a publish that fails
//! anywhere leaves at most unreferenced objects, and can be repeated.

use std::collections::BTreeSet;

use glassbox_core::dsse::{Envelope, Signers, Statement};
use glassbox_core::files::Files;
use glassbox_core::key::PublicKey;
use glassbox_core::log::InclusionProof;
use glassbox_core::manifest::{Operators, Terms};
use glassbox_core::name::is_shared;
use glassbox_core::release::{Pinned, Release};
use glassbox_core::{Digest, Hashed, ReleaseId, limits};
use glassbox_sandbox::Function;
use glassbox_store::{Facts, Held, NewRelease, Published, SearchDocument, StoreError};

use crate::acts::is_loggable;
use crate::error::RegistryError;
use crate::imports::Imports;
use crate::open::Registry;
use crate::package::{Package, PackageFiles};
use crate::publish_error::PublishError;
use crate::terms::least_price;
use crate::testing::{self, TestReport};

/// What a publisher gets back.
#[derive(Debug, Clone)]
pub struct PublishReply {
    /// The release.
    pub release: ReleaseId,
    /// Whether it is new; otherwise the very same release was there already.
    pub new: bool,
    /// The component's digest.
    pub component: Digest,
    /// What the tests showed.
    pub report: TestReport,
    /// The log entry, as it was logged.
    pub entry: Vec<u8>,
    /// Proves that the log has it.
    pub proof: InclusionProof,
    /// Why it is held, where it is.
    pub held: Option<Held>,
}

impl Registry {
    /// Publishes a package under the key that signed its statement. The very same again does nothing.
    pub async fn publish(
        &self,
        files: PackageFiles,
        statement: Envelope,
    ) -> Result<PublishReply, PublishError> {
        if !is_loggable(&statement) {
            return Err(PublishError::StatementTooLong);
        }
        // Whoever signed nothing costs nothing but this.
        let (signed, signers) = statement.open::<Release>()?;
        if signers.contains(&self.operator()) {
            return Err(PublishError::Operator);
        }
        let elsewhere = signed.predicate.registry.clone().filter(|log| *log != self.log_verifier_key());
        let checking = tokio::task::spawn_blocking(move || Package::check(files));
        let package = checking.await.map_err(|_| PublishError::Worker)??;
        let (publisher, pins) = check_statement(signed, &signers, &package)?;
        if let Some(log) = elsewhere.filter(|_| package.manifest.component.operators == Operators::Registry) {
            return Err(PublishError::OtherOperator(log.chars().take(limits::QUOTED_CHARS_MAX).collect()));
        }
        let id = package.manifest.release();
        let (published, report) = match self.published(&id, publisher, &statement).await? {
            Some((index, report)) => (Published::Already(index), report),
            None => self.publish_new(&package, (publisher, signers), statement, &pins).await?,
        };
        self.publish_log().await.map_err(flatten)?;
        self.await_witnesses().await;
        let (new, index) = match published {
            Published::New(index) => (true, index),
            Published::Already(index) => (false, index),
        };
        let (entry, proof) = self.store.prove_entry(index).await?.ok_or(PublishError::Worker)?;
        let held = self.store.held(&id).await?.filter(|held| held.is_held(self.env.now_ms()));
        Ok(PublishReply {
            held,
            release: id,
            new,
            component: Digest::of(&package.files.component),
            report,
            entry,
            proof,
        })
    }

    /// Returns the log index of the very same release by the same key, and what its tests showed; `None` where it was not
    /// published. What came later of what it stands on makes no difference to it.
    async fn published(
        &self,
        id: &ReleaseId,
        publisher: PublicKey,
        statement: &Envelope,
    ) -> Result<Option<(u64, TestReport)>, PublishError> {
        let Some(row) = self.store.release(id).await? else { return Ok(None) };
        let damaged = |error: serde_json::Error| StoreError::Corrupt(error.to_string());
        let logged: Envelope = serde_json::from_str(&row.statement).map_err(damaged)?;
        if row.publisher != publisher.to_string() || logged.payload_digest() != statement.payload_digest() {
            return Ok(None);
        }
        Ok(Some((row.log_index, serde_json::from_str(&row.report).map_err(damaged)?)))
    }

    /// Checks what a release stands on, runs its tests and writes it.
    async fn publish_new(
        &self,
        package: &Package,
        (publisher, signers): (PublicKey, Signers),
        statement: Envelope,
        pins: &[Pinned],
    ) -> Result<(Published, TestReport), PublishError> {
        let editions = package.editions();
        let own = Digest::of(&package.files.component);
        let components: Vec<Digest> = [own].into_iter().chain(editions.components()).collect();
        let name = &package.manifest.package.name;
        if let Some(blocked) = self.listed_release(name, &signers, components.iter().copied()) {
            return Err(blocked.into());
        }
        let stopped = components.iter().find_map(|component| self.stopped_by(component));
        if let Some((release, reason)) = stopped {
            return Err(PublishError::Quarantined { release: release.to_string(), reason });
        }
        let imports = self.check_dependencies(package, pins).await.map_err(flatten)??;
        self.check_parents(package).await.map_err(flatten)??;
        let links = self.links(pins, &package.manifest.dependencies, &[], &package.grants).await;
        let (dependencies, linked) = links.map_err(flatten)?;
        let mut report = testing::run(&self.sandbox, package, dependencies).await?;
        if !report.holds() {
            return Err(PublishError::TestsFailed(Box::new(report)));
        }
        report.efforts = self.efforts(package, &linked, &report).await.map_err(flatten)?;
        let mut release = self.keep(package, &imports, (publisher, signers), statement, &report).await?;
        release.hold_reasons = self.widened(package).await?;
        let interfaces = release.interfaces.clone();
        let published = self.store.publish(release).await?;
        self.forget_comparisons();
        self.await_tests(interfaces);
        Ok((published, report))
    }

    /// Keeps the layers as objects and says what to write about them.
    async fn keep(
        &self,
        package: &Package,
        imports: &Imports,
        (publisher, signers): (PublicKey, Signers),
        statement: Envelope,
        report: &TestReport,
    ) -> Result<NewRelease, PublishError> {
        let files = &package.files;
        let keep = async |files: &Option<Files>| match files {
            Some(files) => self.store.put_object(files.pack()).await.map(Some),
            None => Ok(None),
        };
        let json = |value: serde_json::Result<String>| value.expect("our own documents have string keys");
        let documents = files.documents.iter().map(|(_, bytes)| bytes.to_vec());
        for object in files.editions.values().cloned().chain(documents) {
            self.store.put_object(object).await?;
        }
        Ok(NewRelease {
            id: package.manifest.release(),
            publisher,
            statement,
            signers,
            manifest: files.manifest.clone(),
            code: package.code,
            component: self.store.put_object(files.component.clone()).await?,
            wit: self.store.put_object(files.wit.pack()).await?,
            tests: self.store.put_object(files.tests.pack()).await?,
            files: keep(&files.files).await?,
            source: keep(&files.source).await?,
            listing: json(serde_json::to_string(&package.listing().priced(&package.manifest, imports))),
            report: json(serde_json::to_string(report)),
            search: search_document(package, imports),
            interfaces: interfaces(package),
            sbom: package.sbom.clone(),
            hold_reasons: Vec::new(),
            // Whoever publishes in a company's registry was let in, and releases come there by the hundred.
            newcomers_bounded: self.config.company.is_none(),
            now_ms: self.env.now_ms(),
        })
    }
}

/// Checks that what was signed speaks of exactly these layers. Returns the key that is accountable, and what stands behind
/// the imports.
fn check_statement(
    statement: Statement<Release>,
    signers: &Signers,
    package: &Package,
) -> Result<(PublicKey, Vec<Pinned>), PublishError> {
    let about = statement.subject == [statement.predicate.subject()];
    let signed = statement.predicate;
    // What the publisher says of authorship is theirs to say; every digest is ours to compare, those of dependencies with
    // the log.
    let dependencies = signed.dependencies.clone();
    let (authorship, registry) = (signed.authorship.clone(), signed.registry.clone());
    let expected = Release { authorship, dependencies, registry, ..package.statement() };
    let accountable = signed.authorship.accountable_of(signers).ok_or(PublishError::NobodyAccountable)?;
    let layers: [(&'static str, bool); 12] = [
        ("the subject", about),
        ("the release", signed.release == expected.release),
        ("the manifest", signed.manifest == expected.manifest),
        ("the terms", signed.terms == expected.terms),
        ("the WIT", signed.wit == expected.wit),
        ("the tests", signed.tests == expected.tests),
        ("the component", signed.component == expected.component),
        ("a component of an edition", signed.editions == expected.editions),
        ("the documents", signed.documents == expected.documents),
        ("the files", signed.files == expected.files),
        ("the source", signed.source == expected.source),
        ("the authorship", signed.authorship.is_bounded()),
    ];
    match layers.iter().find(|(_, same)| !same) {
        Some((layer, _)) => Err(PublishError::StatementDiffers(layer)),
        None => Ok((accountable, signed.dependencies)),
    }
}

fn search_document(package: &Package, imports: &Imports) -> SearchDocument {
    let manifest = &package.manifest.package;
    SearchDocument {
        name: manifest.name.to_string(),
        description: manifest.description.clone(),
        keywords: manifest.keywords.iter().chain(&manifest.categories).cloned().collect(),
        queries: manifest.representative_queries.clone(),
        identifiers: package.spec.identifiers(),
        docs: package.spec.docs(),
        facts: Some(facts(package, imports)),
    }
}

/// Returns the interfaces that a package exports and that others can mean the same by.
fn interfaces(package: &Package) -> BTreeSet<String> {
    let interfaces = package.spec.functions().iter().filter_map(|function| function.name.interface());
    interfaces.filter(|interface| is_shared(interface)).map(str::to_owned).collect()
}

fn facts(package: &Package, imports: &Imports) -> Facts {
    let terms = Hashed::new(Terms::of(&package.manifest));
    let callable = package.spec.functions().iter().filter(|function| function.callable.is_ok());
    let names = |function: &Function| {
        let full = function.name.interface()?.split('@').next()?.to_owned();
        let short = full.rsplit('/').next()?.to_owned();
        Some([full, short])
    };
    let interfaces: BTreeSet<String> = callable.filter_map(names).flatten().collect();
    Facts {
        interfaces: interfaces.into_iter().collect(),
        pure: package.listing().is_pure(),
        amount_min: least_price(&terms, &package.spec, imports),
    }
}

fn flatten(error: RegistryError) -> PublishError {
    match error {
        RegistryError::Store(error) => PublishError::Store(error),
        _ => PublishError::Worker,
    }
}

/// Reads a packed file set of a release.
pub(crate) fn unpack_files(id: &ReleaseId, packed: &[u8]) -> Result<Files, RegistryError> {
    Files::unpack(packed)
        .ok_or_else(|| RegistryError::Damaged(id.to_string(), "its files do not unpack".into()))
}
