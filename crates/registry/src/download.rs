//! Downloads, also of the source in bulk: free where the terms say nothing else, or sold once and open from then on to
//! whoever paid.
//!
//! One payment is for the component and the files that it reads, another for the source. What shows that it was made is the receipt of x402, which
//! says who paid for what: there was no run that a receipt of ours could speak of, and what the bytes are is said by the
//! publisher's statement.
//!
//! Who paid from an address of its own comes back without paying by signing in with its key, see
//! [`sign_in`](glassbox_pay::x402::extensions::sign_in). The nonce of a challenge is computed and not stored, so a sign-in
//! may be used again until it is too old, some minutes; it opens nothing but what was bought.

use std::collections::BTreeMap;
use std::sync::Arc;

use glassbox_core::dsse::Envelope;
use glassbox_core::escrow::accruals;
use glassbox_core::files::Files;
use glassbox_core::limits::SIGN_IN_SECONDS_MAX;
use glassbox_core::manifest::{MachineAccess, Place, PricedAct, Terms};
use glassbox_core::receipt::Payment as SettledPayment;
use glassbox_core::split::{allot_bill, shares};
use glassbox_core::terms::{Bill, Charge, Effort, sale_charge};
use glassbox_core::{Atomic, Digest, FunctionName, Hashed, PackageRef, ReleaseId, ledger};
use glassbox_pay::x402::extensions::offer_receipt::{Receipt as SignedReceipt, Signed};
use glassbox_pay::x402::extensions::sign_in::{self, Challenge, SignIn, SignInError};
use glassbox_pay::x402::{PaymentRequired, Resource, SettleResponse};
use glassbox_store::CallState;
use serde::{Deserialize, Serialize};

use crate::effort::SoldWith;
use crate::env::rfc3339;
use crate::error::{CallError, RegistryError};
use crate::hold::{Order, pin};
use crate::live::Live;
use crate::offer::attest;
use crate::open::Registry;
use crate::payment::Payment;
use crate::publish::unpack_files;
use crate::sale::Flow;
use crate::settle::{Closing, Recorded};

/// The name under which a download stands among the functions of its release, in the store and in the caps of tokens.
const DOWNLOAD: &str = "glassbox:registry/releases#download";

/// The name under which a source stands there.
const SOURCE: &str = "glassbox:registry/releases#source";

/// A request for what a release is made of.
#[derive(Debug, Clone)]
pub struct DownloadRequest {
    /// The release.
    pub release: PackageRef,
    /// The payment, where one came.
    pub payment: Option<Payment>,
    /// A payer that shows who it is, to be let in again.
    pub sign_in: Option<SignIn>,
    /// A licence that includes it.
    pub license: Option<Envelope>,
    /// The edition whose component is wanted; the release's own where none is named.
    pub edition: Option<String>,
}

/// What was asked for, and why it may leave.
#[derive(Debug, Clone)]
pub struct Download<T> {
    /// What was asked for.
    pub content: T,
    /// Why it may leave.
    pub access: Access,
}

/// Why a download may leave.
#[derive(Debug, Clone)]
pub enum Access {
    /// It costs nothing.
    Free,
    /// Whoever signed in had paid for it.
    SignedIn,
    /// Whoever asks has a licence that includes it.
    Licensed,
    /// It is paid. The reply is absent where the same payment bought it long ago.
    Paid(Option<Box<DownloadReply>>),
}

/// What shows that a download was paid.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DownloadReply {
    /// The release.
    pub download: ReleaseId,
    /// What was charged.
    pub charged: Atomic,
    /// What x402 calls the settlement; absent where credit paid.
    pub settlement: Option<SettleResponse>,
    /// The receipt of x402, which is in the settlement, too.
    pub receipt: Signed<SignedReceipt>,
}

/// A download that is bought: recorded before its payment is settled.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Purchase {
    /// What is bought: the URL of the component, or of the source.
    download: String,
    /// What it is bought for.
    #[serde(default = "download")]
    act: PricedAct,
    pub(crate) terms: Hashed<Terms>,
    /// The terms of the works that something of it is owed to.
    #[serde(default)]
    works: BTreeMap<Digest, Terms>,
    /// The dependencies that share in it.
    #[serde(default)]
    efforts: BTreeMap<Digest, Effort>,
    fee_bps: u32,
}

fn download() -> PricedAct {
    PricedAct::Download
}

impl Purchase {
    pub(crate) fn charge(&self) -> Charge {
        sale_charge(&self.terms, self.act)
    }
}

impl Registry {
    /// Returns the bytes of the component, or of that of an edition, where the terms let them be downloaded, for their price.
    pub async fn component(
        self: &Arc<Self>,
        mut request: DownloadRequest,
    ) -> Result<Download<Vec<u8>>, CallError> {
        let live = self.found(&mut request, PricedAct::Download).await?;
        let component = live.downloadable(request.edition.as_deref())?;
        let access = self.access(&live, PricedAct::Download, request).await?;
        Ok(Download { content: self.store.object(component).await?, access })
    }

    /// Returns the files that the component may read, where the terms let it be downloaded, for the price of both.
    pub async fn component_files(
        self: &Arc<Self>,
        mut request: DownloadRequest,
    ) -> Result<Download<Files>, CallError> {
        let live = self.found(&mut request, PricedAct::Download).await?;
        live.downloadable(None)?;
        let files = live.files.ok_or(RegistryError::NoFiles)?;
        let access = self.access(&live, PricedAct::Download, request).await?;
        let content = unpack_files(&live.id, &self.store.object(files.object).await?)?;
        Ok(Download { content, access })
    }

    /// Returns the source in bulk, on the terms that it has for machines.
    pub async fn source(
        self: &Arc<Self>,
        mut request: DownloadRequest,
    ) -> Result<Download<Files>, CallError> {
        let live = self.found(&mut request, PricedAct::Source).await?;
        let source = live.source.ok_or(RegistryError::NoSource)?;
        let access = self.access(&live, PricedAct::Source, request).await?;
        let content = unpack_files(&live.id, &self.store.object(source.object).await?)?;
        Ok(Download { content, access })
    }

    /// Finds the release, by what was bought where the payment bought it before.
    async fn found(&self, request: &mut DownloadRequest, act: PricedAct) -> Result<Arc<Live>, CallError> {
        let mut bought = None;
        if let Some(payment) = &request.payment
            && let Some(row) = self.presented(self.known(payment).as_ref()).await?
        {
            pin(&mut request.release, &row);
            bought = (row.state != CallState::Voided).then_some(row.request);
        }
        let live = self.live(&request.release).await?;
        // A payment that bought something else opens nothing here.
        let is_bought = bought.is_some_and(|bought| download_requests(&live, act).contains(&bought));
        // What people may read without an account, programs may, too.
        let today = self.today();
        if act == PricedAct::Download || live.machines(today) != MachineAccess::Free {
            // One payment is for every component of a release; what it fetched before was another, where an edition is named.
            if !is_bought || request.edition.is_some() {
                self.check_quarantine(&live)?;
            }
            let allowed = self.granted(&live, None)?;
            let license = match act {
                PricedAct::Source => live.source_license(today),
                _ => live.terms.license_of_edition(request.edition.as_deref(), today),
            };
            // Each of them has a licence of its own, so a company is asked about the one that is fetched.
            self.gate(&live, license, &allowed, live.price_of(act).amount, request.payment.as_ref()).await?;
        }
        Ok(live)
    }

    /// Says why a download may leave: it is free, or was paid, or is paid now.
    async fn access(
        self: &Arc<Self>,
        live: &Live,
        act: PricedAct,
        request: DownloadRequest,
    ) -> Result<Access, CallError> {
        let machines =
            if act == PricedAct::Source { live.machines(self.today()) } else { MachineAccess::Metered };
        match machines {
            MachineAccess::Free => return Ok(Access::Free),
            MachineAccess::Denied => return Err(RegistryError::SourceDenied.into()),
            MachineAccess::Metered if live.price_of(act).amount == Atomic::ZERO => return Ok(Access::Free),
            MachineAccess::Metered | MachineAccess::Licensed => {}
        }
        let order = self.download_order(live, act);
        let DownloadRequest { payment, sign_in, license, .. } = request;
        if self.is_licensed(live, act, &order.function, license.as_ref(), payment.as_ref()).await? {
            return Ok(Access::Licensed);
        }
        if machines == MachineAccess::Licensed {
            return Err(Self::source_licensed(live));
        }
        if let Some(sign_in) = sign_in {
            match self.signed_in(&sign_in, &order.required.resource.url) {
                Ok(payer) if self.store.has_paid(&payer, &order.requests).await? => {
                    return Ok(Access::SignedIn);
                }
                // A stranger, who may still pay.
                Ok(_) => {}
                Err(_) if payment.is_some() => {}
                Err(error) => {
                    let required = PaymentRequired { error: Some(error.code().into()), ..order.required };
                    return Err(CallError::SignIn { error, required: Box::new(required) });
                }
            }
        }
        let Some(payment) = payment else { return Err(order.unpaid()) };
        let SoldWith { efforts, works } = self.sold_with(live).await?;
        let purchase = Purchase {
            download: order.required.resource.url.clone(),
            act,
            terms: live.terms.clone(),
            works,
            efforts,
            fee_bps: self.config.fee_bps,
        };
        let item = move |_: &str| Recorded::Download(Box::new(purchase));
        Ok(Access::Paid(self.sell(order, payment, item).await?))
    }

    /// Signs the receipt of a download, and says who earned it.
    pub(crate) fn close_download(
        &self,
        call: &str,
        purchase: &Purchase,
        payment: &SettledPayment,
        mut settlement: Option<SettleResponse>,
    ) -> Result<Closing, CallError> {
        let Purchase { download, act: _, terms, works, efforts, fee_bps } = purchase;
        let charged = purchase.charge().amount;
        let receipt = self.sign_receipt(payment, download);
        if let Some(settlement) = &mut settlement {
            attest(settlement, &receipt);
        }
        let bill = Bill::of_sale(terms, charged, efforts.clone());
        let allotted = allot_bill(&bill, *fee_bps, works, call).map_err(|_| RegistryError::Worker)?;
        let reply = DownloadReply { download: terms.release.clone(), charged, settlement, receipt };
        let reply = serde_json::to_string(&reply).map_err(|_| RegistryError::Worker)?;
        let accruals = accruals(&allotted, terms, works);
        let charge = ledger::charge(&payment.payer, &shares(allotted));
        Ok(Closing::of_sale(charge, reply, accruals))
    }

    fn download_order(&self, live: &Live, act: PricedAct) -> Order {
        let amount = live.price_of(act).amount;
        let (what, described, mime_type, function) = match act {
            PricedAct::Source => ("source", "the source", "application/json", SOURCE),
            _ => ("component", "the component, with its files,", "application/wasm", DOWNLOAD),
        };
        let resource = Resource {
            url: self.release_url(&live.id, what),
            description: Some(format!("{described} of {}", live.id)),
            mime_type: Some(mime_type.into()),
        };
        let mut required = self.sale_requirements(resource, amount, Flow::Upfront);
        let sign_in = sign_in::declare(&self.challenge(&required.resource.url), &[self.rail.network()]);
        self.advertise(&mut required, Some((sign_in::NAME, sign_in)));
        Order {
            request: request_of(live, act, &live.terms),
            requests: download_requests(live, act),
            release: live.id.clone(),
            component: (act == PricedAct::Download).then_some(live.component),
            function: function.parse::<FunctionName>().expect("a function name"),
            amount_max: amount,
            required,
            run_ms_max: 0,
        }
    }

    fn challenge(&self, url: &str) -> Challenge {
        let now_ms = self.env.now_ms();
        let issued_at = rfc3339(now_ms);
        Challenge {
            domain: host(&self.config.public_url).to_owned(),
            uri: url.to_owned(),
            version: "1".into(),
            nonce: self.nonce(url, &issued_at),
            issued_at,
            expiration_time: Some(rfc3339(now_ms + SIGN_IN_SECONDS_MAX * 1_000)),
            not_before: None,
            statement: Some("Sign in to download again what you paid for.".into()),
            request_id: None,
            resources: None,
        }
    }

    /// Returns the nonce of a challenge, which nobody else can compute: nothing has to be stored, and a restart forgets none.
    fn nonce(&self, url: &str, issued_at: &str) -> String {
        let message = format!("glassbox-sign-in/1\0{url}\n{issued_at}");
        // The signature itself stays here, so that its digest tells nobody anything.
        Digest::of(self.keys.executor.sign(message.as_bytes())).hex()[..32].to_owned()
    }

    /// Checks who signed in for `url`. Returns the payer's name in the store.
    fn signed_in(&self, sign_in: &SignIn, url: &str) -> Result<String, SignInError> {
        let signed = sign_in.check(origin(&self.config.public_url), self.env.now_ms() / 1_000)?;
        let Challenge { uri, nonce, issued_at, .. } = &sign_in.challenge;
        if uri != url {
            return Err(SignInError::Uri);
        }
        if *nonce != self.nonce(uri, issued_at) {
            return Err(SignInError::Nonce);
        }
        Ok(signed.address.to_string())
    }
}

impl Live {
    /// Returns what one of the things costs that are sold as they are.
    fn price_of(&self, act: PricedAct) -> &Charge {
        if act == PricedAct::Source { &self.source_price } else { &self.download }
    }

    /// Returns the component that is downloaded: the release's own, or that of an edition, where their terms allow it.
    pub fn downloadable(&self, edition: Option<&str>) -> Result<Digest, RegistryError> {
        let (component, places) = match edition {
            None => (self.component, None),
            Some(name) => {
                let edition = self.terms.more.edition.get(name).ok_or(RegistryError::NotDownloadable)?;
                let own = self.editions.0.get(name).map(|edition| edition.component);
                (own.unwrap_or(self.component), edition.execute.as_ref())
            }
        };
        // Releases that are older than the rule: what one edition would give away, another one may require something for.
        let mut inside =
            self.terms.more.edition.iter().filter(|(name, _)| !self.editions.0.contains_key(*name));
        let kept = component == self.component && inside.any(|(_, edition)| edition.requires.is_some());
        match !kept && places.unwrap_or(&self.terms.execute).contains(&Place::Local) {
            true => Ok(component),
            false => Err(RegistryError::NotDownloadable),
        }
    }
}

/// Returns what a payment for a download buys, under all terms that there were.
fn download_requests(live: &Live, act: PricedAct) -> Vec<Digest> {
    live.under_all_terms(|terms| request_of(live, act, terms))
}

fn request_of(live: &Live, act: PricedAct, terms: &Hashed<Terms>) -> Digest {
    match act {
        PricedAct::Source => source_request(live, terms),
        _ => download_request(live, terms),
    }
}

/// Returns what a payment for a source buys.
fn source_request(live: &Live, terms: &Hashed<Terms>) -> Digest {
    let source = live.source.map_or([0; 32], |source| *source.digest.as_bytes());
    Digest::of_parts(&[b"glassbox-source/1\0", &source, terms.digest().as_bytes()])
}

/// Returns what a payment for a download buys.
fn download_request(live: &Live, terms: &Hashed<Terms>) -> Digest {
    let files = live.files.map_or([0; 32], |files| *files.digest.as_bytes());
    let terms = terms.digest();
    Digest::of_parts(&[b"glassbox-download/1\0", live.component.as_bytes(), &files, terms.as_bytes()])
}

/// Returns scheme, host and port of a URL.
fn origin(url: &str) -> &str {
    let host_start = url.find("://").map_or(0, |scheme_end| scheme_end + 3);
    let host_end = url[host_start..].find('/').map_or(url.len(), |length| host_start + length);
    &url[..host_end]
}

/// Returns host and port of a URL.
fn host(url: &str) -> &str {
    let origin = origin(url);
    origin.split_once("://").map_or(origin, |(_, host)| host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_and_hosts() {
        for (url, origin_of, host_of) in [
            ("http://127.0.0.1:8402", "http://127.0.0.1:8402", "127.0.0.1:8402"),
            ("https://registry.example/base", "https://registry.example", "registry.example"),
            ("registry.example/base", "registry.example", "registry.example"),
        ] {
            assert_eq!((origin(url), host(url)), (origin_of, host_of));
        }
    }
}
