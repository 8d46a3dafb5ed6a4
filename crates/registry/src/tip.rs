//! Tips: gifts to the payees of a package that accepts them. The operator takes no part of them.

use std::collections::BTreeMap;
use std::sync::Arc;

use glassbox_core::escrow::accruals;
use glassbox_core::manifest::Terms;
use glassbox_core::receipt::Payment as SettledPayment;
use glassbox_core::split::{Allotted, split};
use glassbox_core::{Atomic, Digest, FunctionName, Hashed, PackageRef, ReleaseId, ledger, limits};
use glassbox_pay::x402::{Resource, SettleResponse};
use glassbox_sandbox::Allowed;
use serde::{Deserialize, Serialize};

use crate::error::{CallError, CreditError, RegistryError};
use crate::hold::Order;
use crate::live::Live;
use crate::open::Registry;
use crate::payment::Payment;
use crate::sale::Flow;
use crate::settle::{Closing, Recorded};

/// The name under which a tip stands among the functions of its release, in the store and in the caps of tokens.
const TIP: &str = "glassbox:registry/releases#tip";

/// What whoever gave a tip gets.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct TipReply {
    /// The release whose payees have it.
    pub release: ReleaseId,
    /// How much it was.
    pub amount: Atomic,
    /// What x402 calls the settlement; absent where credit paid.
    pub settlement: Option<SettleResponse>,
}

/// A tip that is given: recorded before its payment is settled.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Tip {
    pub(crate) tip: Atomic,
    pub(crate) terms: Hashed<Terms>,
}

impl Live {
    /// Tells whether there is anybody here who would have a gift.
    pub(crate) fn accepts_tips(&self) -> bool {
        self.manifest.tips.as_ref().is_some_and(|tips| tips.accept) && !self.terms.payee.is_empty()
    }
}

impl Registry {
    /// Gives a tip to the payees of a release.
    pub async fn tip(
        self: &Arc<Self>,
        release: &PackageRef,
        amount: Atomic,
        payment: Option<Payment>,
    ) -> Result<TipReply, CallError> {
        let live = self.runnable(release).await?;
        if !live.accepts_tips() {
            return Err(CallError::NoTips);
        }
        if !(1..=limits::CREDIT_AMOUNT_MAX).contains(&amount.0) {
            return Err(CreditError::Amount(amount).into());
        }
        let license = live.terms.license_on(self.today());
        self.gate(&live, license, &Allowed::none(), amount, payment.as_ref()).await?;
        let resource = Resource {
            url: self.release_url(&live.id, "tips"),
            description: Some(format!("a tip for {}", live.id)),
            mime_type: Some("application/json".into()),
        };
        let required = self.sale_requirements(resource, amount, Flow::Usual);
        let request = |terms: &Hashed<Terms>| {
            let amount_bytes = amount.0.to_le_bytes();
            Digest::of_parts(&[b"glassbox-tip/1\0", terms.digest().as_bytes(), &amount_bytes])
        };
        let order = Order {
            request: request(&live.terms),
            requests: live.under_all_terms(request),
            release: live.id.clone(),
            component: Some(live.component),
            function: TIP.parse::<FunctionName>().expect("a function name"),
            amount_max: amount,
            required,
            run_ms_max: 0,
        };
        let Some(payment) = payment else { return Err(order.unpaid()) };
        let tip = Tip { tip: amount, terms: live.terms.clone() };
        let given = self.sell(order, payment, move |_| Recorded::Tip(Box::new(tip)));
        given.await?.ok_or(CallError::ReplyForgotten)
    }

    /// Says who has a tip.
    pub(crate) fn close_tip(
        &self,
        call: &str,
        tip: Tip,
        payment: &SettledPayment,
        settlement: Option<SettleResponse>,
    ) -> Result<Closing, CallError> {
        let shares = split(tip.tip, 0, &tip.terms.payee, call);
        let reply = TipReply { release: tip.terms.release.clone(), amount: tip.tip, settlement };
        let reply = serde_json::to_string(&reply).map_err(|_| RegistryError::Worker)?;
        let charge = ledger::charge(&payment.payer, &shares);
        let allotted: Vec<Allotted> = shares.into_iter().map(Allotted::from).collect();
        let accruals = accruals(&allotted, &tip.terms, &BTreeMap::new());
        Ok(Closing::of_sale(charge, reply, accruals))
    }
}
