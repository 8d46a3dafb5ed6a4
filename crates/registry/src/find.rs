//! Finding and reading: everything that is free and public.

use std::cmp::Reverse;

use glassbox_core::dsse::{DsseError, Envelope, Statement};
use glassbox_core::files::Files;
use glassbox_core::key::PublicKey;
use glassbox_core::log::StandingProof;
use glassbox_core::manifest::{MachineAccess, Manifest, Terms, is_agpl};
use glassbox_core::name::Namespace;
use glassbox_core::release::{Authorship, Release};
use glassbox_core::terms::{Account, Quote};
use glassbox_core::{PackageName, PackageRef, ReleaseId, Version, limits};
use glassbox_pay::x402::PaymentRequired;
use glassbox_store::{Filter, FirstRelease, PackageRow, ReceiptProof, ReleaseRow};
use serde::de::DeserializeOwned;
use tracing::warn;

use crate::call::{PaidResource, StoredReply};
use crate::depend::exact;
use crate::error::{CallError, RegistryError, chain};
use crate::live::Live;
use crate::open::Registry;
use crate::package::Listing;
use crate::publish::unpack_files;
use crate::strength::Strength;
use crate::testing::TestReport;

/// One search result.
#[derive(Debug, Clone)]
pub struct Found {
    /// The package.
    pub package: PackageName,
    /// Its newest version.
    pub version: Version,
    /// The fields that matched: why it is here.
    pub matched: Vec<String>,
    /// The relevance: comparable within one answer only.
    pub score: f32,
    /// What pages show.
    pub listing: Listing,
    /// How many of its tests passed when it was published.
    pub tests_passed: usize,
    /// How many payers used it of late who have nothing to do with it nor with one another.
    pub payers_organic: usize,
}

/// Returns how relevant something is, in steps of what the best is.
fn relevance(score: f32, best: f32) -> u32 {
    let steps = limits::SEARCH_RELEVANCE_STEPS as f32;
    // Never negative, and never more than the steps: a cast of what is no number gives nothing.
    (score / best * steps).floor().clamp(0.0, steps) as u32
}

/// Everything public of a release.
#[derive(Debug, Clone)]
pub struct ReleaseView {
    /// The stored row.
    pub row: ReleaseRow,
    /// What pages show.
    pub listing: Listing,
    /// What the tests showed at publish.
    pub report: TestReport,
    /// What trying the tests on mutants showed, once they were.
    pub strength: Option<Strength>,
    /// What the publisher says of who made it.
    pub authorship: Authorship,
}

/// A public layer of a release.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReleaseFile {
    /// The WIT files.
    Wit,
    /// The test files.
    Tests,
    /// The source files, where they are free for machines.
    Source,
}

/// The release that first had the code of another, by somebody else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SameCode {
    /// The release.
    pub release: ReleaseId,
    /// The key that signed it, as a `did:key`.
    pub publisher: String,
    /// Whether the other says that it derives from that package, or from another that has the code; directly, or through
    /// others.
    pub declared: bool,
}

/// Where the sources are that licences give to whoever calls.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sources {
    /// That of the release that is called.
    pub own: Option<String>,
    /// Those of what it imports, directly or through others.
    pub dependencies: Vec<String>,
}

impl Registry {
    /// Finds the packages that fit `words` best, of those that `filter` lets pass. What is as relevant goes by how many use it:
    /// payers who have nothing to do with it nor with one another.
    pub async fn search(
        &self,
        words: &str,
        filter: Filter,
        limit: usize,
    ) -> Result<Vec<Found>, RegistryError> {
        let hits = self.store.search(words, filter, limits::SEARCH_RESULTS_MAX).await?;
        let best = hits.first().map_or(1.0, |hit| hit.score);
        let limit = limit.clamp(1, limits::SEARCH_RESULTS_MAX);
        // What is as relevant as the last that is shown may be shown in its place.
        let least = hits.get(limit - 1).map_or(0, |hit| relevance(hit.score, best));
        let mut found = Vec::new();
        for hit in hits.into_iter().filter(|hit| relevance(hit.score, best) >= least) {
            let Some(row) = self.store.newest_release(&hit.package, self.env.now_ms()).await? else {
                continue;
            };
            let view = self.view(row).await?;
            let payers_organic = self.usage(&view.row.id).await?.payers_organic;
            found.push(Found {
                package: hit.package,
                version: view.row.id.version,
                matched: hit.matched,
                score: hit.score,
                listing: view.listing,
                tests_passed: view.report.passed,
                payers_organic,
            });
        }
        // What is equal in both stays in the order of its score.
        found.sort_by_key(|found: &Found| {
            (Reverse(relevance(found.score, best)), Reverse(found.payers_organic))
        });
        found.truncate(limit);
        Ok(found)
    }

    /// Returns the packages that there are, by name.
    pub async fn packages(&self) -> Result<Vec<ReleaseView>, RegistryError> {
        let mut views = Vec::new();
        for row in self.store.newest_releases(self.env.now_ms()).await? {
            views.push(self.view(row).await?);
        }
        Ok(views)
    }

    /// Returns a package with its versions.
    pub async fn package(&self, name: &PackageName) -> Result<PackageRow, RegistryError> {
        let reference = PackageRef { package: name.clone(), version: None };
        self.store.package(name).await?.ok_or(RegistryError::NoPackage(reference))
    }

    /// Returns everything public of a release.
    pub async fn release(&self, reference: &PackageRef) -> Result<ReleaseView, RegistryError> {
        self.view(self.release_row(reference).await?).await
    }

    /// Returns what stands about a package, a namespace or an executor at the newest checkpoint, with the proof of it.
    pub async fn standing(&self, about: &str) -> Result<StandingProof, RegistryError> {
        let name = about.parse::<PackageName>().map(drop).or_else(|_| about.parse::<Namespace>().map(drop));
        if about.parse::<PublicKey>().is_err() {
            name?;
        }
        let proof = self.store.prove_standing(about).await?;
        proof.ok_or_else(|| RegistryError::Damaged("the log".into(), "it has no checkpoint".into()))
    }

    /// Returns the files of a public layer.
    pub async fn files(&self, reference: &PackageRef, file: ReleaseFile) -> Result<Files, RegistryError> {
        let row = self.release_row(reference).await?;
        let object = match file {
            ReleaseFile::Wit => row.wit,
            ReleaseFile::Tests => row.tests,
            ReleaseFile::Source => {
                let source = row.source.ok_or(RegistryError::NoSource)?;
                match self.live(&exact(&row.id)).await?.machines(self.today()) {
                    MachineAccess::Free => source,
                    MachineAccess::Denied => return Err(RegistryError::SourceDenied),
                    MachineAccess::Metered | MachineAccess::Licensed => {
                        return Err(RegistryError::SourceNotFree);
                    }
                }
            }
        };
        unpack_files(&row.id, &self.store.object(object).await?)
    }

    /// Returns the source for somebody who reads it, whatever machines may do with it in bulk.
    ///
    /// # Errors
    ///
    /// Also when all readers together read faster than people do.
    pub async fn source_to_read(&self, reference: &PackageRef) -> Result<(ReleaseId, Files), CallError> {
        let row = self.release_row(reference).await?;
        let source = row.source.ok_or(RegistryError::NoSource)?;
        if !self.readers.enter(&row.id, self.env.now_ms()) {
            return Err(CallError::Busy);
        }
        let files = unpack_files(&row.id, &self.store.object(source).await?)?;
        Ok((row.id, files))
    }

    /// Returns a document that the manifest of a release names, with the release.
    pub async fn document(
        &self,
        reference: &PackageRef,
        path: &str,
    ) -> Result<(ReleaseId, Vec<u8>), RegistryError> {
        let live = self.live(reference).await?;
        let document = live.documents.get(path).ok_or(RegistryError::NoDocument)?;
        Ok((live.id.clone(), self.store.object(*document).await?))
    }

    /// Returns the most that a call can cost, and the requirements that a payment must answer; none when it is free.
    pub async fn quote(
        &self,
        reference: &PackageRef,
        function: &str,
        fuel_max: Option<u64>,
        resource: Option<&PaidResource>,
    ) -> Result<(Quote, Option<PaymentRequired>), CallError> {
        let live = self.runnable(reference).await?;
        let function = live.function(function)?;
        let quote = live.quote(&function.name, live.fuel_ceiling(fuel_max)?, Account::default());
        let required = self.price(&live, &quote, resource);
        Ok((quote, required))
    }

    /// Returns the stored reply of a paid call, with the proof that its receipt is logged once it is.
    ///
    /// There is none of a call whose payment was refused after the run, and none of what was sold and not run.
    pub async fn receipt(&self, call: &str) -> Result<StoredReply, RegistryError> {
        let missing = || RegistryError::NoReceipt(call.chars().take(64).collect());
        let row = self.store.call(call).await?.ok_or_else(missing)?;
        // Refused payments and sales have replies that are none of a call's.
        let reply = serde_json::from_str(&row.reply.ok_or_else(missing)?).map_err(|_| missing());
        let mut stored: StoredReply = reply?;
        if let Some(digest) = stored.bundle.receipt.payload_digest()
            && let ReceiptProof::Logged(proof) = self.prove_receipt(digest).await?
        {
            stored.bundle.proof = Some(proof);
        }
        Ok(stored)
    }

    /// Returns the release of another publisher that first had the code of this one, where there is one. All keys of a namespace
    /// are one publisher. Nothing follows from it here: who copied, and whether that was allowed, is for people to say.
    pub async fn same_code(&self, live: &Live) -> Result<Option<SameCode>, RegistryError> {
        let Some(first) = self.store.first_with_code_of(&live.id).await? else { return Ok(None) };
        let FirstRelease { release, publisher } = first;
        if release.package.namespace() == live.id.package.namespace()
            || publisher == live.publisher.to_string()
            || self.is_controller(&release.package, &live.publisher).await?
        {
            return Ok(None);
        }
        let ancestors = self.ancestors(live).await?;
        let declared = ancestors.iter().any(|ancestor| ancestor.package == release.package)
            || self.store.have_code_of(ancestors, &live.id).await?;
        Ok(Some(SameCode { release, publisher, declared }))
    }

    /// Returns the releases that a release says it derives from, and those that they do; of many, some.
    async fn ancestors(&self, live: &Live) -> Result<Vec<ReleaseId>, RegistryError> {
        let parents = |live: &Live| -> Vec<ReleaseId> {
            live.terms.more.derived_from.iter().map(|parent| parent.release.clone()).collect()
        };
        let (mut ancestors, mut next) = (parents(live), 0);
        while let Some(ancestor) = ancestors.get(next).cloned() {
            next += 1;
            for parent in parents(&*self.live(&exact(&ancestor)).await?) {
                if ancestors.len() < limits::RELATED_RELEASES_MAX && !ancestors.contains(&parent) {
                    ancestors.push(parent);
                }
            }
        }
        Ok(ancestors)
    }

    /// Tells whether a key decides over the names of a package's namespace.
    pub(crate) async fn is_controller(
        &self,
        name: &PackageName,
        key: &PublicKey,
    ) -> Result<bool, RegistryError> {
        let namespace = self.store.namespace(&name.in_namespace()).await?;
        Ok(namespace.is_some_and(|row| row.state.at(self.env.now_ms()).is_controller(key)))
    }

    /// Returns where the sources are that the licences of a call give to whoever calls: the AGPL asks for it in every response,
    /// of what is called under these terms, and of everything that is linked to it.
    pub async fn sources_offered(&self, terms: &Terms) -> Sources {
        let mut sources = Sources { own: self.source_offered(terms), dependencies: Vec::new() };
        // Most releases import nothing, and need no look.
        if terms.more.dependencies.is_empty() {
            return sources;
        }
        let (mut linked, mut next) = (vec![terms.release.clone()], 0);
        while let Some(release) = linked.get(next).cloned() {
            next += 1;
            let live = match self.live(&exact(&release)).await {
                Ok(live) => live,
                // An answer that is paid for is not withheld because of it.
                Err(error) => {
                    warn!(error = %chain(&error), "Could not look for the source of {release}");
                    continue;
                }
            };
            if release != terms.release {
                sources.dependencies.extend(self.source_offered(&live.terms));
            }
            for pin in &live.dependencies {
                if !linked.contains(&pin.release) {
                    linked.push(pin.release.clone());
                }
            }
        }
        sources
    }

    fn source_offered(&self, terms: &Terms) -> Option<String> {
        let offered = terms.licenses_on(self.today()).any(is_agpl);
        offered.then(|| format!("{}?file=", self.release_url(&terms.release, "source")))
    }

    pub(crate) async fn view(&self, row: ReleaseRow) -> Result<ReleaseView, RegistryError> {
        let id = row.id.to_string();
        let damaged = |error: DsseError| RegistryError::Damaged(id.clone(), error.to_string());
        let mut listing: Listing = parse(&id, &row.listing)?;
        if !listing.has_rights {
            listing = listing.with_rights(&self.terms_that_stand(&row).await?);
        }
        // It was checked when it was published.
        let statement: Statement<Release> =
            parse::<Envelope>(&id, &row.statement)?.read_unchecked().map_err(damaged)?;
        Ok(ReleaseView {
            listing: listing.on(self.today()),
            report: parse(&id, &row.report)?,
            strength: row.strength.as_deref().map(|text| parse(&id, text)).transpose()?,
            authorship: statement.predicate.authorship,
            row,
        })
    }

    /// Reads the terms of a release out of what its publisher signed.
    async fn terms_that_stand(&self, row: &ReleaseRow) -> Result<Terms, RegistryError> {
        if let Some(newest) = self.store.terms_changes(&row.id).await?.pop() {
            return Ok(newest.change.terms);
        }
        let manifest = Manifest::read(&row.manifest)
            .map_err(|error| RegistryError::Damaged(row.id.to_string(), error.to_string()))?;
        Ok(Terms::of(&manifest))
    }

    pub(crate) async fn release_row(&self, reference: &PackageRef) -> Result<ReleaseRow, RegistryError> {
        let row = match &reference.version {
            Some(version) => self.store.release(&reference.package.at(version.clone())).await?,
            None => self.store.newest_release(&reference.package, self.env.now_ms()).await?,
        };
        if let Some(row) = row {
            return Ok(row);
        }
        let package = self.store.package(&reference.package).await?;
        let package = package.ok_or_else(|| RegistryError::NoPackage(reference.clone()))?;
        let available =
            package.versions.iter().take(10).map(Version::to_string).collect::<Vec<_>>().join(", ");
        Err(match reference.version {
            Some(_) => RegistryError::NoRelease { reference: reference.clone(), available },
            None => RegistryError::AllYanked { package: package.name, available },
        })
    }
}

pub(crate) fn parse<T: DeserializeOwned>(of: &str, text: &str) -> Result<T, RegistryError> {
    serde_json::from_str(text).map_err(|error| RegistryError::Damaged(of.to_owned(), error.to_string()))
}
