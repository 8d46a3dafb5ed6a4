//! One call, from request to reply. Read this file first: the rest of the project exists to keep its promises.
//!
//! ```text
//! find ─▶ quote ─▶ hold ─▶ verify ─▶ run ─▶ charge ─▶ record ─▶ settle ─▶ post ─▶ reply
//! ```
//!
//! * Nothing runs before its payment is held, and one payment is held by one call: replays find that call.
//! * What a run gave is recorded before it is settled, and settled before it leaves.
//! * A payer who hangs up stops nothing: the call goes on to its end, and the reply waits for the retry.
//! * Each step is one transaction or none, and none is open while a guest runs or a chain is asked. A crash between
//!   two steps is found by [`reconcile`](Registry::reconcile), in [`settle`](crate::settle).

use std::sync::Arc;

use glassbox_core::manifest::{ChargeOn, Place};
use glassbox_core::receipt::{Bundle, Request};
use glassbox_core::terms::{Account, Quote, edition_of};
use glassbox_core::value::{Value, json};
use glassbox_core::{Atomic, Digest, FunctionName, PackageRef, limits};
use glassbox_pay::x402::SettleResponse;
use glassbox_sandbox::{Allowed, FailureKind, Flow, Function, Invocation, Outcome as RunOutcome, RunLimits};
use glassbox_store::CallRow;
use serde::{Deserialize, Serialize};
use tracing::{info, warn};

use crate::account::requirement;
use crate::assess::Ran;
use crate::company::Caller;
use crate::depend::{Composed, nodes};
use crate::error::{CallError, RegistryError, failure_code};
use crate::hold::{Order, pin};
use crate::live::Live;
use crate::open::Registry;
use crate::payment::Payment;
use crate::recover::replay;
use crate::settle::{Executed, Posted, Recorded};
use crate::support::promises_uptime;

/// A request to run a function once.
#[derive(Debug, Clone)]
pub struct CallRequest {
    /// The release.
    pub release: PackageRef,
    /// The function, by any of its names.
    pub function: String,
    /// The arguments: an array by position or an object by name.
    pub args: serde_json::Value,
    /// The fuel ceiling; the release's own when absent.
    pub fuel_max: Option<u64>,
    /// Anything, to tell this request from another with the same arguments. Without one, the same request by the same
    /// payer is answered from the first until its reply was delivered.
    pub nonce: Option<String>,
    /// What of the declared grants the component may use, by the names of interfaces, and by URLs for HTTP requests; all
    /// of them when absent.
    pub grants: Option<Vec<String>>,
    /// What a payment is for, where that is not the function's URL.
    pub resource: Option<PaidResource>,
    /// The payment, where one came.
    pub payment: Option<Payment>,
}

/// What a payer knows a function as, where that is not its URL: a tool of MCP.
#[derive(Debug, Clone)]
pub struct PaidResource {
    /// Its name, as a URL.
    pub url: String,
    /// What it takes and gives, as the x402 extension `bazaar` says it.
    pub discovery: serde_json::Value,
}

/// What a caller gets.
#[derive(Debug, Clone)]
pub struct CallReply {
    /// What is also kept, for a paid call.
    pub stored: StoredReply,
    /// Whether this is the stored reply of an earlier presentation of the payment.
    pub replayed: bool,
}

/// The reply of a call, as it is kept until long after it was delivered.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct StoredReply {
    /// The call's id.
    pub call: String,
    /// What the function returned; absent when it failed or returns nothing.
    pub output: Option<serde_json::Value>,
    /// How the run failed, where it did.
    pub failure: Option<StoredFailure>,
    /// The fuel burnt.
    pub fuel_used: u64,
    /// The ceiling.
    pub fuel_max: u64,
    /// What was charged.
    pub charged: Atomic,
    /// What x402 calls the settlement; absent when nothing was settled.
    pub settlement: Option<SettleResponse>,
    /// The receipt with what opens it.
    pub bundle: Bundle,
}

/// How a run failed, as it is kept.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct StoredFailure {
    /// The stable name of the failure, such as `trap`.
    pub kind: String,
    /// What happened, for the caller.
    pub message: String,
    /// Whether the same call would fail the same way again.
    pub deterministic: bool,
}

/// A failed run, for the caller.
#[derive(Debug, Clone)]
pub struct CallFailure {
    /// The stable name of the failure.
    pub failure: String,
    /// What happened.
    pub message: String,
    /// Whether the same call would fail the same way again.
    pub deterministic: bool,
    /// What it cost.
    pub charged: Atomic,
    /// The whole reply, with the receipt.
    pub reply: StoredReply,
}

impl CallFailure {
    /// Returns the stable error code.
    pub fn code(&self) -> &'static str {
        failure_code(&self.failure)
    }

    /// Returns what to do next.
    pub fn next(&self) -> String {
        match self.failure.as_str() {
            "out-of-fuel" => "call again with a higher `fuel`, up to the release's own ceiling".into(),
            "not-granted" => {
                "allow it where you or the operator did not, or tell the publisher: the component uses what its \
                 manifest does not declare"
                    .into()
            }
            "too-many-calls" => "change the arguments: with these it calls a dependency too often".into(),
            _ if self.deterministic => "change the arguments; these will fail again".into(),
            _ => "call again".into(),
        }
    }

    /// Tells whether the same call would fail the same way again.
    pub fn is_deterministic(&self) -> bool {
        self.deterministic
    }
}

/// A request that was understood: what to run, within what, for how much at most.
pub(crate) struct Plan {
    pub(crate) live: Arc<Live>,
    pub(crate) function: Function,
    /// The component that runs: that of the function's edition, or the release's own.
    pub(crate) component: Digest,
    pub(crate) args: Arc<[Value]>,
    pub(crate) quote: Quote,
    pub(crate) request: Digest,
    /// The same under all terms that the release ever had.
    pub(crate) requests: Vec<Digest>,
    pub(crate) nonce: Option<String>,
    pub(crate) resource: Option<PaidResource>,
    /// What the caller allows, as it said it.
    pub(crate) allowed: Option<Vec<String>>,
    /// What the component is granted: what it declares, as far as caller and operator allow it. Its requests are those that
    /// the caller allows.
    pub(crate) allows: Allowed,
}

/// The payer of all calls that cost nothing and are no account's, in whose turn they run.
const NOBODY: &str = "";

impl Registry {
    /// Runs a function once: free when its quote is nothing, else for a payment.
    pub async fn call(self: &Arc<Self>, mut request: CallRequest) -> Result<CallReply, CallError> {
        let Some(payment) = request.payment.take() else {
            let mut plan = self.plan_to_run(&request, None).await?;
            return match self.price(&plan.live, &plan.quote, plan.resource.as_ref()) {
                None => self.call_free(plan, None, None).await.and_then(deliver),
                Some(required) => {
                    if let Some(free) = self.take_free(&plan.live, &plan.quote).await? {
                        plan.quote = free;
                        return Box::pin(self.call_taken(plan)).await.and_then(deliver);
                    }
                    let amount = plan.quote.amount_max;
                    Err(CallError::PaymentRequired { amount, required: Box::new(required) })
                }
            };
        };
        // On a task of its own: the caller's connection may end at any point, a paid call may not.
        let registry = self.clone();
        let paid = tokio::spawn(async move { registry.call_paid(request, payment).await });
        let reply = paid.await.map_err(|_| RegistryError::Worker)??;
        // Still here, so the caller is too. Until this is noted, the same request is answered from this reply.
        if reply.stored.charged > Atomic::ZERO {
            self.note_delivered(&reply.stored.call).await;
        }
        deliver(reply)
    }

    /// Notes that the reply of a call is in its caller's hands.
    pub(crate) async fn note_delivered(&self, call: &str) {
        if let Err(error) = self.store.mark_delivered(call, self.env.now_ms()).await {
            warn!(call.id = logged(call), %error, "Could not note that a reply was delivered");
        }
    }

    /// Plans what may run now, as far as its release and the company go; for an account, for the price that is its own. What
    /// was bought before is answered from [`plan`](Self::plan) alone.
    async fn plan_to_run(&self, request: &CallRequest, payment: Option<&Payment>) -> Result<Plan, CallError> {
        let mut plan = self.plan(request).await?;
        self.check_quarantine(&plan.live)?;
        self.check_held(&plan.live)?;
        self.gate_call(&mut plan, payment).await?;
        Ok(plan)
    }

    /// Finds the release, reads the arguments and quotes. Costs nobody anything.
    async fn plan(&self, request: &CallRequest) -> Result<Plan, CallError> {
        self.plan_on(self.live(&request.release).await?, request)
    }

    /// The same on a release that was found.
    fn plan_on(&self, live: Arc<Live>, request: &CallRequest) -> Result<Plan, CallError> {
        let function = live.function(&request.function)?.clone();
        if !live.runs_here(&function.name) {
            return Err(CallError::NotRemote);
        }
        let component = live.component_of(&function.name);
        let invalid = |error| CallError::Arguments { error, signature: function.signature.clone() };
        let args = json::args_from_json(&function.ty, &request.args).map_err(invalid)?;
        let fuel_max = live.fuel_ceiling(request.fuel_max)?;
        let (nonce, resource) = (request.nonce.clone(), request.resource.clone());
        if nonce.as_ref().is_some_and(|nonce| nonce.len() > limits::NONCE_BYTES_MAX) {
            return Err(CallError::NonceTooLong);
        }
        let allowed = request.grants.clone();
        let allows = self.granted(&live, allowed.as_deref())?;
        let bound = |terms: Digest| {
            let bound = Request {
                component,
                files: live.files.map(|files| files.digest),
                terms,
                function: &function.name,
                fuel_max,
                function_type: &function.ty,
                args: &args,
                nonce: nonce.as_deref(),
                grants: allowed.as_deref(),
            };
            bound.digest()
        };
        let quote = live.quote(&function.name, fuel_max, Account::default());
        let request = bound(quote.terms).map_err(invalid)?;
        let requests = match &*live.history {
            [_] => vec![request],
            _ => {
                let requests = live.under_all_terms(|terms| bound(terms.digest()));
                requests.into_iter().collect::<Result<_, _>>().map_err(invalid)?
            }
        };
        Ok(Plan {
            live,
            function,
            component,
            args: args.into(),
            quote,
            request,
            requests,
            nonce,
            resource,
            allowed,
            allows,
        })
    }

    /// A call that costs nothing needs no hold, and nothing of it is kept but what a company's account used: the receipt is
    /// the caller's. `payer` is who the caller has shown to be: whoever has not shown it has no licence.
    async fn call_free(
        &self,
        plan: Plan,
        caller: Option<&Caller>,
        payer: Option<String>,
    ) -> Result<CallReply, CallError> {
        self.check_entitled(&plan.live, &plan.function.name, payer.as_deref()).await?;
        let _place = self.free_in_flight.try_acquire().map_err(|_| CallError::Busy)?;
        let call = self.env.id();
        let ran = self.run(&plan, &call, payer.as_deref().unwrap_or(NOBODY)).await;
        self.note_answer(&plan.live, &ran, payer.as_deref()).await;
        let executed = ran?;
        let fuel_used = executed.fuel_used;
        let stored = match caller {
            Some(caller) => Box::pin(self.end_used(executed, caller)).await?,
            None => self.reply_unpaid(executed),
        };
        info!(call.id = logged(&call), release = %plan.live.id, fuel_used, "Ran a free call");
        Ok(CallReply { stored, replayed: false })
    }

    /// A call for which a free unit was taken. It is given back where nothing would have been charged.
    async fn call_taken(&self, plan: Plan) -> Result<CallReply, CallError> {
        let (live, taken) = (plan.live.clone(), plan.quote.clone());
        let reply = self.call_free(plan, None, None).await;
        let used = reply.as_ref().is_ok_and(|reply| {
            reply.stored.failure.is_none()
                || live.terms.price.iter().any(|price| price.charge_on == ChargeOn::Attempt)
        });
        if !used {
            self.give_back_free(&live, &taken).await?;
        }
        reply
    }

    /// The paid road. Every early return before `record` leaves the payment unspent.
    async fn call_paid(&self, request: CallRequest, payment: Payment) -> Result<CallReply, CallError> {
        // It is never too late, nor too dear, nor too crowded, to fetch what a payment bought.
        let known = self.known(&payment);
        if let Some(row) = self.presented(known.as_ref()).await? {
            return self.answer_from(&row, request).await;
        }
        let mut plan = self.plan_to_run(&request, Some(&payment)).await?;
        let price = |live: &Arc<Live>| Some(self.plan_on(live.clone(), &request).ok()?.quote.amount_max);
        if let Some(live) = self.quoted_before(&plan.live, plan.quote.amount_max, &payment, price) {
            plan = self.plan_on(live, &request)?;
        }
        let Some(mut order) = self.order(&plan.live, &plan.quote, plan.request, plan.resource.as_ref())
        else {
            let payer = match &payment {
                Payment::Account(caller) => Some(caller.payer()),
                Payment::Credit(credit) if requirement(&plan.live.terms, &plan.function.name).is_some() => {
                    let asked = (&plan.function.name, Atomic::ZERO);
                    Some(self.shown_by_credit(credit, &plan.live.id, Some(plan.component), asked).await?)
                }
                // Who shows it is counted, and nobody refused for what costs nothing.
                Payment::Credit(credit) if promises_uptime(&plan.live) => {
                    let asked = (&plan.function.name, Atomic::ZERO);
                    self.shown_by_credit(credit, &plan.live.id, Some(plan.component), asked).await.ok()
                }
                // A chain shows to everybody what was signed, so that it says nothing of who presents it.
                Payment::Credit(_) | Payment::X402(_) | Payment::X402V1(_) => None,
            };
            return self.call_free(plan, payment.caller(), payer).await;
        };
        order.requests.clone_from(&plan.requests);

        // Signature, offer and time first: nobody can bind a payment that is not theirs.
        let tender = self.check(payment, known, &order).await?;
        self.check_entitled(&plan.live, &plan.function.name, Some(&tender.payer)).await?;
        let admitted = self.admit(&tender.payer)?;

        let call = self.env.id();
        let work = self.running.claim(&call).expect("a fresh id is nobody's");
        if let Some(other) = self.hold(&call, &order, &tender).await? {
            drop((work, admitted));
            return replay(&self.await_decision(&other).await?);
        }
        if let Err(refused) = self.verify(&call, &tender, &order).await {
            admitted.failed();
            return Err(refused);
        }
        let executed = match self.run_for(&mut plan, &call, &tender.payer).await {
            Ok(executed) => executed,
            Err(error) => {
                self.store.release_call(&call, self.env.now_ms()).await?;
                return Err(error);
            }
        };
        if executed.charge.amount == Atomic::ZERO {
            if executed.failure.is_some() {
                admitted.failed();
            }
            return self.end_unpaid(&call, executed, &tender.payer).await;
        }
        let recorded = Recorded::Run(Box::new(executed));
        match self.finish(&call, recorded, &tender).await {
            Ok(Posted::Run(reply)) => Ok(*reply),
            Ok(Posted::Sale) => Err(RegistryError::Worker.into()),
            Err(error) => {
                if matches!(error, CallError::NotSettled { .. }) {
                    // The run was for nothing. A payer who spends the money meanwhile must not have that without end.
                    admitted.failed();
                }
                Err(error)
            }
        }
    }

    /// Returns what is to be paid for a call; nothing where it costs nothing.
    pub(crate) fn order(
        &self,
        live: &Live,
        quote: &Quote,
        request: Digest,
        resource: Option<&PaidResource>,
    ) -> Option<Order> {
        Some(Order {
            required: self.requirements(live, quote, resource)?,
            request,
            requests: vec![request],
            release: live.id.clone(),
            component: Some(live.component_of(&quote.function)),
            function: quote.function.clone(),
            amount_max: quote.amount_max,
            run_ms_max: limits::QUEUE_WAIT_MS_MAX + limits::CALL_WALL_MS_MAX,
        })
    }

    /// Answers from the call that a payment is bound to: the same request gets its reply, another one nothing.
    async fn answer_from(&self, row: &CallRow, mut request: CallRequest) -> Result<CallReply, CallError> {
        pin(&mut request.release, row);
        let plan = self.plan(&request).await?;
        if plan.requests.contains(&row.request) {
            replay(&self.await_decision(&row.id).await?)
        } else {
            Err(CallError::PaymentBound)
        }
    }

    /// Runs the function for whoever pays, which may make it cheaper than it was offered.
    async fn run_for(&self, plan: &mut Plan, call: &str, payer: &str) -> Result<Executed, CallError> {
        self.personalise(plan, payer).await?;
        let ran = self.run(plan, call, payer).await;
        self.note_answer(&plan.live, &ran, Some(payer)).await;
        ran
    }

    /// Runs the function within the quote's ceiling and says what it owes.
    async fn run(&self, plan: &Plan, call: &str, payer: &str) -> Result<Executed, CallError> {
        // Here, and not where a call comes in: what was bought before is still handed out.
        if self.is_quarantined() {
            return Err(CallError::ExecutorQuarantined);
        }
        // It may have waited for its payment, and it may be stopped while it is loaded.
        self.check_quarantine(&plan.live)?;
        let Composed { prepared, linked } =
            self.composed(&plan.live, plan.component, &plan.allows.grants).await?;
        let files = self.files_of(&plan.live).await?;
        self.check_quarantine(&plan.live)?;
        let started_at_ms = self.env.now_ms();
        let limits = RunLimits {
            fuel: plan.quote.fuel_max,
            memory_bytes: plan.live.manifest.memory_max_bytes(),
            ..RunLimits::default()
        };
        let Function { name, ty, .. } = &plan.function;
        let invocation = Invocation {
            effects: self.config.host.effects(&plan.allows.egress),
            files: files.as_ref(),
            events: Some(&plan.live.events),
            ..Invocation::new(name, ty, plan.args.clone(), limits)
        };
        let flow = Flow::new(payer, plan.live.package.clone());
        let run = self.sandbox.run(&prepared, invocation, flow).await;
        if matches!(&run.outcome, RunOutcome::Failed(failure) if failure.kind == FailureKind::Busy) {
            return Err(CallError::Busy);
        }
        if matches!(run.outcome, RunOutcome::Returned(_)) {
            self.run_times.note(&plan.live.id, run.elapsed);
        }
        let mut inner = nodes(&run.inner, &linked).ok_or(RegistryError::Worker)?;
        self.note_baselines(&mut inner).await?;
        let ran = inner.iter().map(|node| (node.release.clone(), node.terms)).collect();
        let works = self.works(&plan.live.terms, ran, plan.live.imports.of(&plan.function.name)).await?;
        self.assess(plan, call, Ran { run, linked, inner, works }, started_at_ms)
    }
}

impl Live {
    /// Returns the fuel ceiling of a call: the caller's where it fits, else the release's own.
    pub(crate) fn fuel_ceiling(&self, asked: Option<u64>) -> Result<u64, CallError> {
        let max = self.terms.fuel_max.min(limits::FUEL_MAX);
        match asked {
            None => Ok(max),
            Some(asked) if (1..=max).contains(&asked) => Ok(asked),
            Some(asked) => Err(CallError::FuelCeiling { asked, max }),
        }
    }

    /// Tells whether a registry may run a function.
    pub(crate) fn runs_here(&self, function: &FunctionName) -> bool {
        let edition = edition_of(&self.terms.more.edition, function);
        let own = edition.and_then(|(_, edition)| edition.execute.as_ref());
        own.unwrap_or(&self.terms.execute).contains(&Place::Remote)
    }
}

/// The part of a call's id that may stand in a log. Whoever knows the whole may fetch the reply.
pub(crate) fn logged(call: &str) -> &str {
    call.get(..8).unwrap_or(call)
}

/// Turns a reply of a failed run into an error, which still carries the reply and its receipt.
fn deliver(reply: CallReply) -> Result<CallReply, CallError> {
    match reply.stored.failure.clone() {
        None => Ok(reply),
        Some(failure) => Err(CallError::Failed(Box::new(CallFailure {
            failure: failure.kind,
            message: failure.message,
            deterministic: failure.deterministic,
            charged: reply.stored.charged,
            reply: reply.stored,
        }))),
    }
}
