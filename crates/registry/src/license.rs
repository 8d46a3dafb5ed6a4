//! Licences: plans and offers that are sold, grants that publishers give.
//!
//! A licence is bought like a [download](crate::download): its price is known before, and follows from the terms and the
//! number of seats or copies. What its buyer gets is a signed statement, which anybody can check offline; this registry
//! keeps it, too, so that the buyer's next call finds it.

use std::collections::BTreeMap;
use std::sync::Arc;

use glassbox_core::dsse::Envelope;
use glassbox_core::escrow::accruals;
use glassbox_core::license::{Item, License, LicenseError, Sale};
use glassbox_core::manifest::{GrantProof, Terms};
use glassbox_core::receipt::Payment as SettledPayment;
use glassbox_core::split::{allot_bill, shares};
use glassbox_core::support::credit;
use glassbox_core::terms::{Bill, Effort};
use glassbox_core::{Atomic, Digest, FunctionName, Hashed, PackageRef, ReleaseId, ledger, limits};
use glassbox_pay::Address;
use glassbox_pay::x402::{Resource, SettleResponse};
use glassbox_sandbox::Allowed;
use glassbox_store::NewLicense;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::effort::SoldWith;
use crate::error::{CallError, RegistryError};
use crate::hold::Order;
use crate::live::Live;
use crate::offer::attest;
use crate::open::Registry;
use crate::payment::Payment;
use crate::sale::Flow;
use crate::settle::{Closing, Recorded};
use crate::support::promise;

/// The name under which a licence stands among the functions of its release, in the store and in the caps of tokens.
const LICENSE: &str = "glassbox:registry/releases#license";

/// A request for a licence.
#[derive(Debug, Clone)]
pub struct LicenseRequest {
    /// The release.
    pub release: PackageRef,
    /// A plan, or an offer.
    pub item: Item,
    /// For how many seats, or copies.
    pub units: u64,
    /// Whom it is for, by a name for people.
    pub licensee: Option<String>,
    /// The payment, where one came.
    pub payment: Option<Payment>,
}

/// What the buyer of a licence gets.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct LicenseReply {
    /// The signed licence.
    pub license: Envelope,
    /// What was charged.
    pub charged: Atomic,
    /// What x402 calls the settlement; absent where credit paid, or nothing was to be paid.
    pub settlement: Option<SettleResponse>,
}

/// A licence that is bought: recorded before its payment is settled.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LicenseSale {
    pub(crate) license_item: Item,
    pub(crate) terms: Hashed<Terms>,
    /// The terms of the works that something of it is owed to.
    #[serde(default)]
    works: BTreeMap<Digest, Terms>,
    /// The dependencies that share in it.
    #[serde(default)]
    efforts: BTreeMap<Digest, Effort>,
    pub(crate) amount: Atomic,
    component: Digest,
    units: u64,
    licensee: Option<String>,
    from: Timestamp,
    fee_bps: u32,
}

impl LicenseSale {
    /// Returns what the terms say of it.
    fn sale(&self) -> Result<Sale, CallError> {
        Ok(self.license_item.sale(&self.terms, self.units, self.from)?)
    }

    fn license(&self, id: &str, holder: &str, registry: &Registry) -> Result<License, CallError> {
        let Sale { amount, until, updates_until, grants } = self.sale()?;
        Ok(License {
            id: id.to_owned(),
            release: self.terms.release.clone(),
            terms: self.terms.digest(),
            component: self.component,
            item: self.license_item.clone(),
            grants,
            holder: holder.to_owned(),
            licensee: self.licensee.clone(),
            units: self.units,
            from: self.from,
            until,
            updates_until,
            amount,
            issuer: registry.executor(),
        })
    }
}

impl Registry {
    /// Sells a licence; gives it away where the terms say so.
    pub async fn license(self: &Arc<Self>, request: LicenseRequest) -> Result<LicenseReply, CallError> {
        let LicenseRequest { release, item, units, licensee, payment } = request;
        if licensee.as_ref().is_some_and(|name| name.is_empty() || name.len() > limits::LICENSEE_BYTES_MAX) {
            return Err(CallError::Licensee);
        }
        let live = self.runnable(&release).await?;
        let mut sale = LicenseSale {
            license_item: item,
            terms: live.terms.clone(),
            works: BTreeMap::new(),
            efforts: BTreeMap::new(),
            amount: Atomic::ZERO,
            component: live.component,
            units,
            licensee,
            from: self.now(),
            fee_bps: self.config.fee_bps,
        };
        sale.amount = sale.sale()?.amount;
        let license = live.terms.license_on(self.today());
        self.gate(&live, license, &Allowed::none(), sale.amount, payment.as_ref()).await?;
        if sale.amount == Atomic::ZERO {
            let holder = sale.licensee.clone().unwrap_or_else(|| "anybody".into());
            let license = sale.license(&self.env.id(), &holder, self)?.sign(&self.keys.executor);
            return Ok(LicenseReply { license, charged: Atomic::ZERO, settlement: None });
        }
        self.check_held(&live)?;
        let order = self.license_order(&live, &sale);
        let Some(payment) = payment else { return Err(order.unpaid()) };
        SoldWith { efforts: sale.efforts, works: sale.works } = self.sold_with(&live).await?;
        let sold = self.sell(order, payment, move |_| Recorded::License(Box::new(sale)));
        sold.await?.ok_or(CallError::ReplyForgotten)
    }

    /// Signs the licence that was bought, and says who earned it.
    pub(crate) fn close_license(
        &self,
        call: &str,
        sale: LicenseSale,
        payment: &SettledPayment,
        mut settlement: Option<SettleResponse>,
    ) -> Result<Closing, CallError> {
        let license = sale.license(call, &payment.payer, self)?;
        if let Some(settlement) = &mut settlement {
            let resource = self.release_url(&sale.terms.release, "licenses");
            attest(settlement, &self.sign_receipt(payment, &resource));
        }
        let bill = Bill::of_sale(&sale.terms, license.amount, sale.efforts.clone());
        let allotted = allot_bill(&bill, sale.fee_bps, &sale.works, call);
        let allotted = allotted.map_err(|_| RegistryError::Worker)?;
        let charged = license.amount;
        let envelope = license.clone().sign(&self.keys.executor);
        let credit_max = promise(&sale.terms, &license.item)
            .and_then(|plan| plan.sla.as_ref())
            // How long an answer takes is promised, and cannot be broken here.
            .filter(|sla| sla.uptime.is_some() || sla.fix_critical.is_some())
            .map_or(Atomic::ZERO, |sla| credit(charged, sla.credit));
        let kept = NewLicense { credit_max: Some(credit_max), ..kept(&license, &envelope)? };
        let reply = LicenseReply { license: envelope, charged, settlement };
        let reply = serde_json::to_string(&reply).map_err(|_| RegistryError::Worker)?;
        let accruals = accruals(&allotted, &sale.terms, &sale.works);
        let charge = ledger::charge(&payment.payer, &shares(allotted));
        Ok(Closing { license: Some(kept), ..Closing::of_sale(charge, reply, accruals) })
    }

    /// Takes a grant that a publisher signed, so that its holder's calls find it. Returns whether it is new.
    pub async fn redeem(&self, envelope: Envelope) -> Result<bool, CallError> {
        let license = License::open(&envelope)?;
        license.check_time(self.now())?;
        let ReleaseId { package, version } = license.release.clone();
        let reference = PackageRef { package, version: Some(version) };
        let live = self.runnable(&reference).await?;
        let grant = match &license.item {
            Item::Grant(id) => live.terms.more.grant.iter().find(|grant| grant.id == *id),
            Item::Plan(_) | Item::Offer(_) => None,
        };
        let about = live.had(license.terms).is_some() && license.component == live.component;
        let provable = grant.is_some_and(|grant| grant.proof == GrantProof::LicenseToken);
        if !about
            || !provable
            || license.holder.is_empty()
            || license.holder.len() > limits::LICENSEE_BYTES_MAX
        {
            return Err(LicenseError::NoItem(license.item).into());
        }
        let namespace = self.namespace(&reference.package.in_namespace()).await;
        let namespace = namespace.map_err(|_| RegistryError::NoPackage(reference))?;
        if !namespace.state.is_controller(&license.issuer) {
            return Err(LicenseError::Issuer(Box::new(license.issuer)).into());
        }
        // Under the digest of what was signed: whoever signs two grants with one id means two.
        let id = envelope.payload_digest().ok_or(RegistryError::Worker)?.to_string();
        let before = self.store.keep_license(NewLicense { id, ..kept(&license, &envelope)? }).await?;
        Ok(before.is_none())
    }

    fn license_order(&self, live: &Live, sale: &LicenseSale) -> Order {
        let amount = sale.amount;
        let resource = Resource {
            url: self.release_url(&live.id, "licenses"),
            description: Some(format!("{} of {}, for {}", sale.license_item, live.id, sale.units)),
            mime_type: Some("application/json".into()),
        };
        let required = self.sale_requirements(resource, amount, Flow::Upfront);
        Order {
            request: license_request(&live.terms, sale),
            requests: live.under_all_terms(|terms| license_request(terms, sale)),
            release: live.id.clone(),
            component: Some(live.component),
            function: LICENSE.parse::<FunctionName>().expect("a function name"),
            amount_max: amount,
            required,
            run_ms_max: 0,
        }
    }
}

pub(crate) fn kept(license: &License, envelope: &Envelope) -> Result<NewLicense, CallError> {
    // As payers are written: an address has many spellings, and one payer.
    let address = license.holder.parse::<Address>();
    Ok(NewLicense {
        id: license.id.clone(),
        package: license.release.package.clone(),
        holder: address.map_or_else(|_| license.holder.clone(), |address| address.to_string()),
        item: license.item.to_string(),
        units: license.units,
        from_s: license.from.as_second(),
        until_s: license.until.map(Timestamp::as_second),
        credit_max: Some(Atomic::ZERO),
        statement: serde_json::to_string(envelope).map_err(|_| RegistryError::Worker)?,
    })
}

/// Returns what a payment for a licence buys.
fn license_request(terms: &Hashed<Terms>, sale: &LicenseSale) -> Digest {
    let terms = terms.digest();
    let (item, units) = (sale.license_item.to_string(), sale.units.to_le_bytes());
    let licensee = sale.licensee.as_deref().unwrap_or_default();
    let parts: [&[u8]; 6] =
        [b"glassbox-license/1\0", terms.as_bytes(), &units, item.as_bytes(), b"\0", licensee.as_bytes()];
    Digest::of_parts(&parts)
}
