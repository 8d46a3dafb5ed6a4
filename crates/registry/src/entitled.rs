//! Who has a component, or a source in bulk, without paying for it again: by a plan that includes downloads, or an offer that
//! is sold with it.
//!
//! A licence that comes with the request is for whoever has it, as a key is: it was signed here, its id cannot be guessed, and
//! nobody has to sign in. Without one, the holder is whoever the request's token belongs to.

use glassbox_core::dsse::Envelope;
use glassbox_core::license::{Item, License, LicenseError};
use glassbox_core::manifest::{Inclusion, OfferAct, PricedAct};
use glassbox_core::{Atomic, FunctionName};
use glassbox_store::NewLicense;

use crate::error::{CallError, RegistryError};
use crate::live::Live;
use crate::open::Registry;
use crate::payment::Payment;

impl Registry {
    /// Tells whether a request is by somebody who has a licence for `act` on a release.
    pub(crate) async fn is_licensed(
        &self,
        live: &Live,
        act: PricedAct,
        function: &FunctionName,
        shown: Option<&Envelope>,
        payment: Option<&Payment>,
    ) -> Result<bool, CallError> {
        if let Some(envelope) = shown {
            let license = License::open(envelope)?;
            license.check_time(self.now())?;
            if license.issuer != self.executor() {
                return Err(LicenseError::Issuer(Box::new(license.issuer)).into());
            }
            // What was signed cannot be called back; what it cost can be given back, and then it opens nothing here.
            return Ok(license.release.package == live.id.package
                && entitles(live, act, &license)
                && !self.store.is_given_back(&license.id).await?);
        }
        let holder = match payment {
            Some(Payment::Account(caller)) => caller.payer(),
            Some(Payment::Credit(credit)) => {
                // What is wrong with a token is said where it pays.
                match self.shown_by_credit(credit, &live.id, None, (function, Atomic::ZERO)).await {
                    Ok(holder) => holder,
                    Err(_) => return Ok(false),
                }
            }
            // A chain shows to everybody what was signed, so that it says nothing of who presents it.
            Some(Payment::X402(_) | Payment::X402V1(_)) | None => return Ok(false),
        };
        let held = self.store.licenses(&live.id.package, &holder, self.now().as_second()).await?;
        let read = |row: &NewLicense| {
            let envelope = serde_json::from_str(&row.statement).ok()?;
            License::open(&envelope).ok()
        };
        Ok(held.iter().filter_map(read).any(|license| entitles(live, act, &license)))
    }

    /// Says which licence a source takes.
    pub(crate) fn source_licensed(live: &Live) -> CallError {
        let offer = live.terms.more.offer.iter().find(|offer| offer.on == Some(OfferAct::Source));
        match offer {
            Some(offer) => CallError::SourceLicensed(Item::Offer(offer.id.clone())),
            // Lint has it that there is one.
            None => RegistryError::SourceDenied.into(),
        }
    }
}

/// Tells whether a licence for the package is good for `act` on this release of it.
fn entitles(live: &Live, act: PricedAct, license: &License) -> bool {
    let more = &live.terms.more;
    match &license.item {
        Item::Plan(id) => {
            let includes =
                |plan: &glassbox_core::manifest::Plan| plan.includes.contains(&Inclusion::Download);
            act == PricedAct::Download && more.plan.iter().any(|plan| plan.id == *id && includes(plan))
        }
        Item::Offer(id) => {
            let sold_with = match act {
                PricedAct::Download => OfferAct::Download,
                PricedAct::Source => OfferAct::Source,
                PricedAct::Execute => return false,
            };
            license.covers(&live.id, live.published_at)
                && more.offer.iter().any(|offer| offer.id == *id && offer.on == Some(sold_with))
        }
        Item::Grant(_) => false,
    }
}
