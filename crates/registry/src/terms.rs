//! Terms that change: only ever cheaper, and from the moment on at which everybody can see it in the log.
//!
//! What was bought under earlier terms stays bought: a payment, a licence and a download are found under all terms that the
//! release ever had. Who was asked for a price just before a change may still pay that one, and is charged by it.

use std::sync::Arc;

use glassbox_core::acts::TermsChange;
use glassbox_core::dsse::Envelope;
use glassbox_core::manifest::{Manifest, PricedAct, Terms};
use glassbox_core::terms::{Account, quote, sale_charge};
use glassbox_core::{Atomic, Digest, Hashed, PackageRef, ReleaseId, canonical, limits};
use glassbox_sandbox::Spec;
use glassbox_store::{NewTerms, Published, SearchDocument, Signed, TermsRow};

use crate::act_error::ActError;
use crate::acts::ActReply;
use crate::error::RegistryError;
use crate::imports::{Imports, check_covered};
use crate::live::{Live, signed_release};
use crate::open::Registry;
use crate::package::{Listing, check_exports};
use crate::payment::Payment;
use crate::publish_error::PublishError;

/// Terms that a release has, or had.
#[derive(Debug, Clone)]
pub(crate) struct Stood {
    /// The terms.
    pub(crate) terms: Hashed<Terms>,
    /// The index of the log entry that set them, where that is not the release's own.
    pub(crate) index: Option<u64>,
    /// When others took their place, in Unix milliseconds; absent where they stand.
    pub(crate) until_ms: Option<i64>,
}

/// Returns all terms of a release in their order, of which the last stand. `own` are those that it was published with.
pub(crate) fn history(own: Terms, changes: &[TermsRow]) -> Vec<Stood> {
    let mut history = vec![Stood { terms: own.into(), index: None, until_ms: None }];
    for TermsRow { change, log_index, changed_at } in changes {
        if let Some(last) = history.last_mut() {
            last.until_ms = Some(*changed_at);
        }
        history.push(Stood { terms: change.terms.clone().into(), index: Some(*log_index), until_ms: None });
    }
    history
}

impl Live {
    /// Returns what `of` makes of all terms that the release ever had.
    pub(crate) fn under_all_terms<T>(&self, of: impl Fn(&Hashed<Terms>) -> T) -> Vec<T> {
        self.history.iter().map(|stood| of(&stood.terms)).collect()
    }

    /// Returns the terms with a digest, where the release has them or ever had.
    pub(crate) fn had(&self, digest: Digest) -> Option<Hashed<Terms>> {
        let stood = self.history.iter().find(|stood| stood.terms.digest() == digest)?;
        Some(stood.terms.clone())
    }

    /// Tells whether terms stand, or others took their place at `earliest_ms` or later.
    pub(crate) fn stands_since(&self, digest: Digest, earliest_ms: i64) -> bool {
        let is_recent = |stood: &Stood| stood.until_ms.is_none_or(|until| until >= earliest_ms);
        self.history.iter().any(|stood| stood.terms.digest() == digest && is_recent(stood))
    }

    /// Returns the indexes of the log entries that changed its terms, in their order.
    pub fn terms_changes(&self) -> Vec<u64> {
        self.history.iter().filter_map(|stood| stood.index).collect()
    }

    /// Returns the same release under terms that it had.
    fn under(&self, stood: &Stood) -> Self {
        Self {
            manifest: self.manifest.clone().with_terms(&stood.terms),
            download: sale_charge(&stood.terms, PricedAct::Download),
            source_price: sale_charge(&stood.terms, PricedAct::Source),
            terms: stood.terms.clone(),
            terms_index: stood.index,
            ..self.clone()
        }
    }
}

impl Registry {
    /// Makes a release cheaper.
    pub async fn change_terms(
        self: &Arc<Self>,
        release: &ReleaseId,
        statement: Envelope,
    ) -> Result<ActReply, ActError> {
        let (act, signers) = self.read::<TermsChange>(&statement, &release.to_string())?;
        check_spelling(&act, &statement)?;
        if let Some(index) = self.store.act(&statement).await? {
            return self.prove(Published::Already(index)).await;
        }
        let reference =
            PackageRef { package: release.package.clone(), version: Some(release.version.clone()) };
        let (row, live) = (self.release_row(&reference).await?, self.live(&reference).await?);
        let damaged = |reason: String| RegistryError::Damaged(release.to_string(), reason);
        let signed = signed_release(&row).map_err(damaged)?;
        // Also what no checkpoint shows yet.
        let changes = self.store.terms_changes(release).await?;
        let published = Manifest::read(&row.manifest).map_err(|error| damaged(error.to_string()))?;
        let before = match changes.last() {
            Some(newest) => newest.change.terms.clone(),
            None => Terms::of(&published),
        };
        act.check(&signed, &before)?;
        let manifest = published.with_terms(&act.terms);
        check_manifest(&manifest, &act.terms, &live).map_err(Box::new)?;
        let json = |error: serde_json::Error| damaged(error.to_string());
        let listing: Listing = serde_json::from_str(&row.listing).map_err(json)?;
        let mut search: SearchDocument = serde_json::from_str(&row.search).map_err(json)?;
        let terms = Hashed::new(act.terms.clone());
        if let Some(facts) = &mut search.facts {
            facts.amount_min = least_price(&terms, &live.spec, &live.imports);
        }
        let new = NewTerms {
            signed: Signed { act, statement, signers },
            listing: serde_json::to_string(&listing.priced(&manifest, &live.imports)).map_err(json)?,
            search,
            now_ms: self.env.now_ms(),
        };
        // On a task of its own: whoever hangs up must not leave the terms before in memory.
        let (registry, id) = (self.clone(), release.clone());
        let writing = tokio::spawn(async move {
            let logged = registry.store.change_terms(new).await;
            // Also after a failure: the write may have happened.
            registry.forget_live(&id);
            registry.prove(logged?).await
        });
        writing.await.map_err(|_| RegistryError::Worker)?
    }

    /// Returns a release under the terms before, where a payment is what was asked for under them, just before they were
    /// changed. `asked` is what is asked for now, `price` what is asked for under other terms.
    pub(crate) fn quoted_before(
        &self,
        live: &Live,
        asked: Atomic,
        payment: &Payment,
        price: impl Fn(&Arc<Live>) -> Option<Atomic>,
    ) -> Option<Arc<Live>> {
        let Payment::X402(payment) = payment else { return None };
        let offered = payment.accepted.amount().ok().filter(|offered| *offered > asked)?;
        // What costs nothing by now is nobody's to pay for.
        if asked == Atomic::ZERO {
            return None;
        }
        let earliest = self.env.now_ms() - limits::QUOTE_KEPT_MS;
        let recent =
            live.history.iter().rev().filter(|stood| stood.until_ms.is_some_and(|until| until >= earliest));
        recent.map(|stood| Arc::new(live.under(stood))).find(|live| price(live) == Some(offered))
    }
}

/// Refuses a statement that says more than is read of it, or says it otherwise than its digest is computed from.
fn check_spelling(act: &TermsChange, statement: &Envelope) -> Result<(), ActError> {
    let payload = statement.payload()?;
    let signed: serde_json::Value = serde_json::from_slice(&payload).unwrap_or_default();
    match canonical::to_bytes(&signed["predicate"]) == canonical::to_bytes(act) {
        true => Ok(()),
        false => Err(ActError::Spelling),
    }
}

/// Checks that terms are what a manifest can say, and one that could be published.
fn check_manifest(manifest: &Manifest, terms: &Terms, live: &Live) -> Result<(), PublishError> {
    if Terms::of(manifest) != *terms {
        return Err(PublishError::StatementDiffers("the terms"));
    }
    manifest.check()?;
    check_exports(manifest, &live.spec)?;
    Ok(check_covered(terms, &live.spec, &live.imports)?)
}

/// Returns the most that a call of the cheapest function costs.
pub(crate) fn least_price(terms: &Hashed<Terms>, spec: &Spec, imports: &Imports) -> Atomic {
    let callable = spec.functions().iter().filter(|function| function.callable.is_ok());
    let price = callable.map(|function| {
        quote(terms, &function.name, terms.fuel_max, Account::default(), imports.of(&function.name))
            .amount_max
    });
    price.min().unwrap_or(Atomic::ZERO)
}
