//! The end of a paid call: collect what it owes, post it, answer.
//!
//! A call, credit and a download end alike; what differs is who gets the money and what the buyer gets, which each says
//! by its [`Closing`]. Everything here may run twice. Settling one authorization again gives the first answer, and posting a posted call is
//! refused by its state.

use std::collections::BTreeMap;

use glassbox_core::escrow::{Accrual, accruals};
use glassbox_core::ledger::{Transfer, charge, refund};
use glassbox_core::log::Checkpoint;
use glassbox_core::manifest::Terms;
use glassbox_core::profile::Profile;
use glassbox_core::receipt::{Bundle, Observed, Opening, Outcome, Payment, Receipt};
use glassbox_core::split::{Allotted, allot_bill, shares};
use glassbox_core::terms::{Account, Bill, Charge, Counter};
use glassbox_core::tree::{Linked, Node};
use glassbox_core::{Atomic, Digest, FunctionName, ReleaseId, canonical, limits};
use glassbox_pay::chain::Standing as OnChain;
use glassbox_pay::payment::Authorization;
use glassbox_pay::scheme::batch;
use glassbox_pay::x402::{PaymentRequired, PaymentRequirements, Resource, SettleResponse};
use glassbox_pay::{Address, B256, Settlement, hex};
use glassbox_store::{
    CallState, ChannelPosting, Consumed, NewLicense, NewReceipt, Outcome as StoredOutcome, OwedTransfer,
    Posting, Standing,
};
use serde::{Deserialize, Serialize};
use tokio::time::Duration;
use tracing::{debug, info, warn};

use crate::call::{CallReply, StoredFailure, StoredReply, logged};
use crate::credit::TopUp;
use crate::download::Purchase;
use crate::env::rfc3339;
use crate::error::{CallError, RegistryError};
use crate::license::LicenseSale;
use crate::offer::{attest, channel_state};
use crate::open::Registry;
use crate::payment::{Means, Tender, channel_text};
use crate::tip::Tip;

/// Everything that is known once a call ran: enough to settle it and to write its receipt, also after a restart.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Executed {
    pub(crate) call: String,
    pub(crate) release: ReleaseId,
    #[serde(default)]
    pub(crate) manifest: Option<Digest>,
    pub(crate) component: Digest,
    #[serde(default)]
    pub(crate) world: Option<String>,
    #[serde(default)]
    pub(crate) files: Option<Digest>,
    pub(crate) function: FunctionName,
    /// What was paid for, where that is not the function's URL.
    #[serde(default)]
    pub(crate) resource: Option<String>,
    pub(crate) input: Digest,
    pub(crate) opening: Opening,
    #[serde(default)]
    pub(crate) dependencies: Vec<Linked>,
    #[serde(default)]
    pub(crate) inner: Vec<Node>,
    pub(crate) outcome: Outcome,
    pub(crate) failure: Option<StoredFailure>,
    pub(crate) fuel_used: u64,
    pub(crate) fuel_max: u64,
    pub(crate) memory_bytes_max: u64,
    pub(crate) pure: bool,
    pub(crate) grants: Vec<String>,
    /// What of the payer the charge follows from.
    #[serde(default)]
    pub(crate) account: Account,
    #[serde(default)]
    pub(crate) events: BTreeMap<String, u64>,
    #[serde(default)]
    pub(crate) wait_ms: u64,
    /// What it adds to the counters of its payer.
    #[serde(default)]
    pub(crate) consumed: Vec<(Counter, u64)>,
    pub(crate) charge: Charge,
    pub(crate) fee_bps: u32,
    /// What the payment is bound to; salted on the receipt.
    pub(crate) request: Digest,
    /// The index of the log entry that set its terms, where that is not the release's own.
    #[serde(default)]
    pub(crate) terms_index: Option<u64>,
    #[serde(default)]
    pub(crate) nonce: Option<String>,
    pub(crate) checkpoint: Checkpoint,
    pub(crate) started_at_ms: i64,
    pub(crate) finished_at_ms: i64,
}

impl Executed {
    fn allotted(&self) -> Vec<Allotted> {
        if self.charge.amount == Atomic::ZERO {
            return Vec::new();
        }
        let Opening { terms, works, .. } = &self.opening;
        let (own, ending) = (self.charge.own().cloned().collect(), self.outcome.ending());
        let bill = Bill::new(terms, own, &self.inner, works, ending, self.fuel_max)
            .expect("the terms of what ran were found when it did");
        allot_bill(&bill, self.fee_bps, works, &self.call).expect(
            "the terms of every work were found, and what is absorbed is covered since it was published",
        )
    }

    fn salted_request(&self) -> Digest {
        let salt = self.opening.salt_bytes().expect("the salt was written when the call ran");
        Opening::request_digest(&salt, self.request)
    }
}

/// What is recorded before a payment is settled, so that it can be answered after a crash.
#[derive(Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum Recorded {
    /// A run.
    Run(Box<Executed>),
    /// Credit that is bought.
    TopUp(TopUp),
    /// A download.
    Download(Box<Purchase>),
    /// A plan, or an offer.
    License(Box<LicenseSale>),
    /// A gift.
    Tip(Box<Tip>),
}

impl Recorded {
    fn owed(&self) -> Atomic {
        match self {
            Self::Run(executed) => executed.charge.amount,
            Self::TopUp(top_up) => top_up.amount,
            Self::Download(purchase) => purchase.charge().amount,
            Self::License(sale) => sale.amount,
            Self::Tip(tip) => tip.tip,
        }
    }

    /// Returns whose terms it is sold by; credit is sold by nobody's.
    fn terms(&self) -> Option<&Terms> {
        match self {
            Self::Run(executed) => Some(&executed.opening.terms),
            Self::TopUp(_) => None,
            Self::Download(purchase) => Some(&purchase.terms),
            Self::License(sale) => Some(&sale.terms),
            Self::Tip(tip) => Some(&tip.terms),
        }
    }

    pub(crate) fn to_outcome(&self) -> Result<StoredOutcome, CallError> {
        let outcome = serde_json::to_string(self).map_err(|_| RegistryError::Worker)?;
        // Read back before anything is settled: a reply that cannot be read later would be paid for and lost.
        let read: Result<Self, _> = serde_json::from_str(&outcome);
        read.map_err(|error| RegistryError::Damaged("outcome".into(), error.to_string()))?;
        Ok(StoredOutcome { outcome, charge: self.owed() })
    }
}

/// What was posted.
pub(crate) enum Posted {
    /// A run, as its caller gets it.
    Run(Box<CallReply>),
    /// What was sold otherwise; the row has the reply.
    Sale,
}

/// What posting means for one kind of thing that is bought.
pub(crate) struct Closing {
    /// Who gets the money.
    pub(crate) charge: Vec<Transfer>,
    /// What the buyer gets, as JSON.
    pub(crate) reply: String,
    /// The receipt, where something ran.
    pub(crate) receipt: Option<NewReceipt>,
    pub(crate) posted: Posted,
    /// What it adds to the counters of its payer.
    pub(crate) consumed: Option<Consumed>,
    /// The licence, where one was bought.
    pub(crate) license: Option<NewLicense>,
    /// What payees have of the charge, and whose it would become.
    pub(crate) accruals: Vec<Accrual>,
}

impl Closing {
    /// What closes something that was sold and did not run.
    pub(crate) fn of_sale(charge: Vec<Transfer>, reply: String, accruals: Vec<Accrual>) -> Self {
        let (receipt, consumed, license) = (None, None, None);
        Self { charge, reply, receipt, posted: Posted::Sale, consumed, license, accruals }
    }
}

/// What came in for a call, and how sure it is.
pub(crate) struct Collected {
    pub(crate) payment: Payment,
    pub(crate) response: Option<SettleResponse>,
    pub(crate) transaction: Option<String>,
    pub(crate) standing: Standing,
    pub(crate) channel: Option<ChannelPosting>,
}

impl Registry {
    /// Collects what is owed for what `call` bought, and posts it. What was bought leaves only through here, or is taken up
    /// by [`settle`](Self::settle) after a crash.
    pub(crate) async fn finish(
        &self,
        call: &str,
        recorded: Recorded,
        tender: &Tender,
    ) -> Result<Posted, CallError> {
        if !tender.needs_rail() {
            let collected = self.collect_at_once(&recorded, tender).await?;
            return self.post(call, CallState::Held, recorded, collected).await;
        }
        self.store.record_outcome(call, recorded.to_outcome()?, self.env.now_ms()).await?;
        debug!(call.id = logged(call), "Recorded a call");
        self.settle(call, recorded, &tender.means).await
    }

    /// Settles what was recorded and posts it.
    pub(crate) async fn settle(
        &self,
        call: &str,
        recorded: Recorded,
        means: &Means,
    ) -> Result<Posted, CallError> {
        let collected = self.collect(call, recorded.owed(), means).await?;
        self.post(call, CallState::Executed, recorded, collected).await
    }

    /// Has the rail settle what was signed for a call. A refusal ends the call; not knowing leaves it as it is.
    async fn collect(&self, call: &str, owed: Atomic, means: &Means) -> Result<Collected, CallError> {
        let Means::Signed { payment, offer, authorization } = means else {
            return Err(RegistryError::Worker.into());
        };
        let amount = match &**authorization {
            Authorization::Exact(exact) => exact.amount,
            Authorization::Upto(_) => owed,
            Authorization::Batch(batch) => batch.deposited(),
        };
        let settlement = within(self.rail.settle(payment, offer, amount)).await;
        let response = settlement.response(self.rail.network());
        match settlement {
            Settlement::Settled { transaction, payer, amount, .. } => match &**authorization {
                Authorization::Batch(batch) => {
                    self.collect_voucher(batch, offer, owed, Some(transaction)).await
                }
                Authorization::Exact(_) | Authorization::Upto(_) => Ok(Collected {
                    payment: Payment {
                        id: Some(Digest::of(authorization.key().to_string())),
                        scheme: offer.scheme.clone(),
                        network: offer.network.clone(),
                        asset: offer.asset.clone(),
                        payer: payer.to_string(),
                        amount,
                        transaction: transaction.to_string(),
                        refund: Atomic(amount.0.saturating_sub(owed.0)),
                        channel: None,
                        cumulative: None,
                        offer: Some(canonical::digest(&**offer)),
                        x402_receipt: None,
                    },
                    response,
                    transaction: Some(transaction.to_string()),
                    standing: self.standing_of(transaction).await,
                    channel: None,
                }),
            },
            Settlement::Rejected(rejection) => {
                warn!(call.id = logged(call), code = %rejection.code, "A payment was refused after its run");
                let required = PaymentRequired {
                    x402_version: glassbox_pay::x402::VERSION,
                    error: Some(rejection.code.to_string()),
                    resource: payment.resource.clone().unwrap_or_else(|| Resource {
                        url: self.config.public_url.clone(),
                        description: None,
                        mime_type: None,
                    }),
                    accepts: vec![(**offer).clone()],
                    extensions: None,
                };
                // The output was computed and is withheld: the work is our loss, and it is not the payer's to have.
                let reply = serde_json::to_string(&NotSettled { code: rejection.code.to_string() });
                let reply = reply.map_err(|_| RegistryError::Worker)?;
                self.store.void_call(call, CallState::Executed, reply, None, self.env.now_ms()).await?;
                let response = Box::new(response.expect("a refusal is decided"));
                Err(CallError::NotSettled { response, required: Box::new(required) })
            }
            Settlement::Unknown { detail } => {
                warn!(call.id = logged(call), detail, "A settlement is unknown; its call stays undecided");
                Err(CallError::Pending { call: call.to_owned() })
            }
        }
    }

    /// Collects what no rail has to settle: a voucher, credit or an account is collected by being written down.
    async fn collect_at_once(&self, recorded: &Recorded, tender: &Tender) -> Result<Collected, CallError> {
        let owed = recorded.owed();
        let (scheme, standing) = tender.written();
        match (&tender.means, tender.channel()) {
            (Means::Signed { offer, .. }, Some(batch)) => {
                self.collect_voucher(batch, offer, owed, None).await
            }
            _ => Ok(Collected {
                payment: Payment {
                    id: Some(Digest::of(&tender.key)),
                    scheme: scheme.into(),
                    network: "glassbox".into(),
                    asset: recorded.terms().map(|terms| terms.currency.clone()).unwrap_or_default(),
                    payer: tender.payer.clone(),
                    amount: owed,
                    transaction: String::new(),
                    refund: Atomic::ZERO,
                    channel: None,
                    cumulative: None,
                    offer: None,
                    x402_receipt: None,
                },
                response: None,
                transaction: None,
                standing,
                channel: None,
            }),
        }
    }

    /// Takes the charge from what a voucher allows. `deposited` is the transaction that filled the channel before it.
    async fn collect_voucher(
        &self,
        batch: &batch::Authorization,
        offer: &PaymentRequirements,
        owed: Atomic,
        deposited: Option<B256>,
    ) -> Result<Collected, CallError> {
        let id = channel_text(batch.channel_id);
        let mut channel = self.store.channel(&id).await?.ok_or(RegistryError::Worker)?;
        let known = match deposited {
            Some(_) => self.ask_contract(batch.channel_id).await.ok(),
            None => None,
        };
        if let Some(known) = &known {
            channel.learn(known, self.env.now_ms());
        }
        channel.charged.0 += owed.0;
        let standing = match deposited {
            Some(transaction) => match self.standing_of(transaction).await {
                Standing::Final => Standing::Vouched,
                not_yet => not_yet,
            },
            None => Standing::Vouched,
        };
        let transaction = deposited.map(|transaction| transaction.to_string());
        let extra = serde_json::json!({ "chargedAmount": owed, "channelState": channel_state(&channel) });
        Ok(Collected {
            payment: Payment {
                // Without the request digest, which would give the arguments away: the cumulative tells its calls apart.
                id: Some(Digest::of(batch.key().to_string())),
                scheme: offer.scheme.clone(),
                network: offer.network.clone(),
                asset: offer.asset.clone(),
                payer: batch.channel.voucher_signer().to_string(),
                amount: owed,
                transaction: transaction.clone().unwrap_or_default(),
                refund: Atomic::ZERO,
                channel: Some(id.clone()),
                cumulative: Some(channel.charged),
                offer: Some(canonical::digest(offer)),
                x402_receipt: None,
            },
            response: Some(SettleResponse {
                success: true,
                error_reason: None,
                error_message: None,
                payer: Some(batch.channel.payer.to_string()),
                transaction: transaction.clone().unwrap_or_default(),
                network: offer.network.clone(),
                amount: Some(owed.to_string()),
                extra: extra.as_object().cloned(),
                extensions: None,
            }),
            transaction,
            standing,
            channel: Some(ChannelPosting {
                id,
                charge: owed,
                ceiling: batch.max_claimable,
                signature: hex::encode_prefixed(batch.signature),
                known,
            }),
        })
    }

    /// Asks how sure a transaction is that was settled just now. Who does not know asks again later.
    async fn standing_of(&self, transaction: B256) -> Standing {
        match self.rail.standing(transaction).await {
            Ok(OnChain::Final) => Standing::Final,
            _ => Standing::Mined,
        }
    }

    /// Posts a call: charge, split, refund and reply in one transaction. Then what was bought may leave.
    async fn post(
        &self,
        call: &str,
        from: CallState,
        recorded: Recorded,
        collected: Collected,
    ) -> Result<Posted, CallError> {
        let Collected { payment, response, transaction, standing, channel } = collected;
        let owed = recorded.owed();
        let release = recorded.terms().map(|terms| terms.release.to_string());
        let Closing { charge, reply, receipt, posted, consumed, license, mut accruals } = match recorded {
            Recorded::Run(executed) => self.close_run(*executed, payment.clone(), response)?,
            Recorded::TopUp(top_up) => self.close_top_up(top_up, &payment, response).await?,
            Recorded::Download(purchase) => self.close_download(call, &purchase, &payment, response)?,
            Recorded::License(sale) => self.close_license(call, *sale, &payment, response)?,
            Recorded::Tip(tip) => self.close_tip(call, *tip, &payment, response)?,
        };
        let rail = format!("x402:{}", payment.network);
        let refund = (payment.refund > Atomic::ZERO).then(|| refund(&rail, &payment.payer, payment.refund));
        let amount = payment.amount;
        // An address is its own proof.
        accruals.retain(|accrual| accrual.payee.parse::<Address>().is_err());
        let posting = Posting {
            amount,
            transaction,
            standing,
            channel,
            charge,
            refund,
            reply,
            receipt,
            consumed,
            license,
            accruals,
        };
        let now_ms = self.env.now_ms();
        match from {
            CallState::Held => self.store.post_held_call(call, owed, posting, now_ms).await?,
            _ => self.store.post_call(call, posting, now_ms).await?,
        }
        info!(call.id = logged(call), release, charge.atomic = owed.0, "Posted a call");
        if payment.refund > Atomic::ZERO && standing == Standing::Final {
            let owed = OwedTransfer::refund(call, &payment.payer, payment.refund);
            // The reply is the payer's and does not wait long for the change; the next sweep pays what is left.
            let patience = Duration::from_millis(limits::REFUND_WAIT_MS_MAX);
            let _ = tokio::time::timeout(patience, self.pay_refund(&owed)).await;
        }
        Ok(posted)
    }

    /// Signs the receipt of a run, and says who earned it.
    fn close_run(
        &self,
        executed: Executed,
        mut payment: Payment,
        mut response: Option<SettleResponse>,
    ) -> Result<Closing, CallError> {
        if let Some(response) = &mut response {
            let function_url = || self.call_url(&executed.release, &executed.function);
            let receipt =
                self.sign_receipt(&payment, &executed.resource.clone().unwrap_or_else(function_url));
            payment.x402_receipt = Some(receipt.digest());
            attest(response, &receipt);
        }
        let allotted = executed.allotted();
        let accruals = accruals(&allotted, &executed.opening.terms, &executed.opening.works);
        let charge = charge(&payment.payer, &shares(allotted));
        let consumed = executed.consumed_by(&payment.payer);
        let terms_index = executed.terms_index;
        let stored = StoredReply { settlement: response, ..self.reply(executed, Some(payment)) };
        let reply = serde_json::to_string(&stored).map_err(|_| RegistryError::Worker)?;
        let digest = stored.bundle.receipt.payload_digest().ok_or(RegistryError::Worker)?;
        let receipt = Some(NewReceipt { executor: self.executor(), digest, terms_index });
        Ok(Closing {
            charge,
            reply,
            receipt,
            posted: Posted::Run(Box::new(CallReply { stored, replayed: false })),
            consumed,
            license: None,
            accruals,
        })
    }

    /// Ends a call that owes nothing. The reply stays bound to the payment, so a replay gets the same; unless the host
    /// ended the run, for then another try may succeed, and the payment is let go for it.
    pub(crate) async fn end_unpaid(
        &self,
        call: &str,
        executed: Executed,
        payer: &str,
    ) -> Result<CallReply, CallError> {
        let consumed = executed.consumed_by(payer);
        let try_again = executed.failure.as_ref().is_some_and(|failure| !failure.deterministic);
        let stored = self.reply_unpaid(executed);
        if try_again {
            self.store.release_call(call, self.env.now_ms()).await?;
        } else {
            let reply = serde_json::to_string(&stored).map_err(|_| RegistryError::Worker)?;
            self.store.void_call(call, CallState::Held, reply, consumed, self.env.now_ms()).await?;
        }
        Ok(CallReply { stored, replayed: false })
    }

    /// Signs the receipt of a call that owes nothing.
    pub(crate) fn reply_unpaid(&self, executed: Executed) -> StoredReply {
        self.reply(executed, None)
    }

    fn reply(&self, mut executed: Executed, payment: Option<Payment>) -> StoredReply {
        let receipt = Receipt {
            call: executed.call.clone(),
            level: "L0".into(),
            release: executed.release.clone(),
            manifest: executed.manifest,
            component: executed.component,
            world: executed.world.clone(),
            files: executed.files,
            function: executed.function.clone(),
            function_type: executed.opening.function_type.digest(),
            profile: Profile::current().digest(),
            engine: Profile::current().engine_text(),
            input: executed.input,
            outcome: executed.outcome.clone(),
            fuel_used: executed.fuel_used,
            fuel_max: executed.fuel_max,
            events: executed.events.clone(),
            wait_ms: executed.wait_ms,
            account: executed.account.clone(),
            memory_bytes_max: executed.memory_bytes_max,
            pure: executed.pure,
            grants: executed.grants.clone(),
            transcript: executed.opening.transcript.as_ref().map(Observed::of),
            dependencies: executed.dependencies.clone(),
            inner: executed.inner.clone(),
            terms: executed.opening.terms.digest(),
            charge: executed.charge.clone(),
            fee_bps: executed.fee_bps,
            split: shares(executed.allotted()),
            payment,
            request: executed.salted_request(),
            // What an older version recorded has it in the opening.
            nonce: executed.nonce.take().or_else(|| executed.opening.nonce.take()),
            checkpoint: executed.checkpoint.clone(),
            executor: self.keys.executor.public(),
            executor_record: Some(self.record_digest),
            started_at: rfc3339(executed.started_at_ms),
            finished_at: rfc3339(executed.finished_at_ms),
            attestation: None,
            critical: Vec::new(),
        };
        StoredReply {
            call: executed.call,
            output: executed.opening.output.clone(),
            failure: executed.failure,
            fuel_used: executed.fuel_used,
            fuel_max: executed.fuel_max,
            charged: executed.charge.amount,
            settlement: None,
            bundle: Bundle::new(receipt, executed.opening, &self.keys.executor),
        }
    }
}

/// Bounds how long a rail may take to move money. After that, what became of it is unknown.
pub(crate) async fn within(moving: impl Future<Output = Settlement>) -> Settlement {
    let patience = Duration::from_millis(limits::RAIL_WAIT_MS_MAX);
    tokio::time::timeout(patience, moving)
        .await
        .unwrap_or_else(|_| Settlement::Unknown { detail: "the rail did not answer in time".into() })
}

/// What is kept of a call whose payment was refused after the run: not the output.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NotSettled {
    pub(crate) code: String,
}
