//! `glassbox mcp`: a local MCP server for an agent, which has the wallet and its bounds.
//!
//! It speaks to its agent over standard input and output, and to the registry over HTTP. What it may spend and call, the
//! policy of the home folder says; beyond that it refuses, and names the setting.

mod here;
mod replies;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use glassbox_api::{
    CallBody, CallResponse, File, FilesResponse, Money, Problem, QuoteResponse, ReleaseResponse, SearchQuery,
    SearchResponse,
};
use glassbox_client::policy::{self, Policy, Proof, is_free_to_download};
use glassbox_client::trust::LoggedRelease;
use glassbox_client::{Buyer, Call, ClientError};
use glassbox_core::key::PublicKey;
use glassbox_core::name::NameError;
use glassbox_core::{Atomic, Digest, PackageRef};
use glassbox_mcp::{Asked, Called, Layer, PaidTool, Payment, Provider, Question, Server};
use glassbox_sandbox::{Function, Spec};
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use self::here::Here;
use self::replies::Replies;
use super::purse::Purse;
use super::{Context, call, spending};
use crate::cli::McpArgs;
use crate::failure::{Failure, policy_failure};
use crate::home::Home;
use crate::keep::Folder;
use crate::receipts;
use crate::remote::Remote;

/// How many releases are remembered.
const RELEASES_MAX: usize = 256;

pub(super) async fn run(context: &Context, args: &McpArgs) -> Result<(), Failure> {
    let purse = Purse::new(context, &args.purse, None)?;
    let home = context.home()?;
    let policy =
        Policy::load(&home.path().join(policy::FILE_NAME)).map_err(|error| policy_failure(&error))?;
    // The flag, else the policy's bound of a call; without either nothing is paid, and no wallet is opened.
    let purse = purse.or_at_most(policy.max.call);
    let buyer = purse.buyer().await?;
    let Purse { remote, .. } = purse;
    // Before the first answer: what is bought must be kept.
    let folder = Folder::of(&home.receipt_path("call"), "the receipt")?;
    let proxy = Proxy {
        remote,
        buyer,
        policy,
        home,
        folder,
        executor: OnceCell::new(),
        releases: Mutex::default(),
        replies: Replies::default(),
        here: Here::default(),
    };
    let server = Server::new(Arc::new(proxy));
    glassbox_mcp::serve_stdio(server)
        .await
        .map_err(|error| Failure::error("io", format!("the client did not begin as MCP does: {error}"), ""))
}

struct Proxy {
    remote: Remote,
    buyer: Option<Buyer>,
    policy: Policy,
    home: Home,
    folder: Folder,
    /// The key that signs the registry's receipts, as it was at the first call.
    executor: OnceCell<PublicKey>,
    releases: Mutex<HashMap<PackageRef, Arc<Release>>>,
    replies: Replies,
    here: Here,
}

/// A release, as the registry publishes it.
struct Release {
    id: PackageRef,
    response: ReleaseResponse,
    spec: Spec,
    /// What the release's publisher signed, as the log has it.
    logged: LoggedRelease,
}

impl Proxy {
    /// Returns a release; one of a fixed version is asked for once.
    async fn read(&self, reference: &PackageRef) -> Result<Arc<Release>, Problem> {
        let known =
            |id: &PackageRef| self.releases.lock().unwrap_or_else(PoisonError::into_inner).get(id).cloned();
        if let Some(release) = known(reference).filter(|_| reference.version.is_some()) {
            return Ok(release);
        }
        let (id, spec, logged) = call::interface(&self.remote, reference).await.map_err(problem)?;
        let response = self.remote.client.release(&id).await.map_err(theirs)?;
        let release = Arc::new(Release { id: id.clone(), response, spec, logged });
        let mut releases = self.releases.lock().unwrap_or_else(PoisonError::into_inner);
        if releases.len() >= RELEASES_MAX {
            // Whichever: each comes back with two requests.
            releases.clear();
        }
        releases.insert(id, release.clone());
        Ok(release)
    }

    /// Makes a call, within the policy; here where that costs nothing and there it would.
    async fn make(&self, asked: &Asked) -> Result<Called, Problem> {
        if asked.body.choose.is_none() {
            return self.make_named(asked).await;
        }
        let choosing = self.remote.client.choose(&asked.release, &asked.function, &asked.body);
        let chosen = choosing.await.map_err(theirs)?;
        let unread = |error: NameError| Problem::new(502, "registry-invalid", error.to_string(), "try again");
        let body = CallBody { choose: None, ..asked.body.clone() };
        let (release, function) = (chosen.release.parse().map_err(unread)?, chosen.function.clone());
        let named = Asked { release, function, body, ..asked.clone() };
        let mut called = self.make_named(&named).await?;
        called.notes.push(("chosen", json!(chosen)));
        Ok(called)
    }

    async fn make_named(&self, asked: &Asked) -> Result<Called, Problem> {
        let release = self.read(&asked.release).await?;
        let function = release.spec.function(&asked.function).ok_or_else(|| {
            let names: Vec<String> = release.spec.functions().iter().map(|it| it.name.short()).collect();
            let detail = format!("there is no such function; there are {}", names.join(", "));
            Problem::new(404, "function-not-found", detail, "name one of them")
        })?;
        let grants = self.policy.agent.check(&release.response, asked.body.grants.as_deref());
        let grants = grants.map_err(|refusal| theirs(refusal.into()))?;
        if self.policy.agent.local && self.is_cheaper_here(&release, function) {
            return self.here.run(&self.remote.client, &release, function, asked).await.map_err(problem);
        }
        self.make_there(asked, &release, function, grants).await
    }

    fn is_cheaper_here(&self, release: &Release, function: &Function) -> bool {
        let name = function.name.short();
        let priced = release.response.functions.iter().any(|it| it.name == name && it.price != "free");
        let alone = release.response.grants.is_empty()
            && release.response.files.is_none()
            && release.logged.release.dependencies.is_empty()
            && release.logged.release.editions.is_empty();
        priced && alone && function.callable.is_ok() && is_free_to_download(&release.response)
    }

    async fn make_there(
        &self,
        asked: &Asked,
        release: &Release,
        function: &Function,
        grants: Option<Vec<String>>,
    ) -> Result<Called, Problem> {
        let executor = self.executor.get_or_try_init(|| call::executor(&self.remote.client));
        let executor = executor.await.map_err(problem)?;
        let buyer = self.buyer.clone().map(|buyer| match asked.allowed {
            Some(amount) => buyer.allowing(amount),
            None => buyer,
        });
        let buyer = buyer.map(|buyer| match asked.amount_max {
            Some(max) => buyer.at_most(max),
            None => buyer,
        });
        let mut body = asked.body.clone();
        body.grants = grants;
        body.nonce = asked.key.as_ref().map(|key| Digest::of(key).hex()[..32].to_owned());
        let name = call::called(&release.spec, function);
        let made = Call { release: &release.id, function: &name, body };
        let response = self.remote.client.call_with(&made, buyer.as_ref()).await;
        let response = response.map_err(|error| self.beyond(asked, &made, error))?;
        // From here on it is paid, whatever else is wrong with the answer.
        let charged = response.charged.amount.clone();
        let proved = self.prove(&made, release, function, &response, executor).await;
        let notes = proved.map_err(|problem| Problem { charged, ..problem })?;
        let mut called = Called::from(response);
        called.notes.extend(notes);
        Ok(called)
    }

    /// Says which setting allows what was refused, and asks its owner where the policy lets it.
    fn beyond(&self, asked: &Asked, made: &Call<'_>, error: ClientError) -> Problem {
        let amount = match &error {
            // What the agent itself set is not its owner's to change.
            ClientError::PriceAboveMax { amount, .. }
                if asked.amount_max.is_none_or(|max| *amount <= max) =>
            {
                Some(*amount)
            }
            _ => None,
        };
        let problem = beyond(error);
        let Some(amount) = amount.filter(|_| self.policy.agent.ask && asked.allowed.is_none()) else {
            return problem;
        };
        let (release, usd) = (made.release, amount.to_decimal());
        let message = format!(
            "An agent wants to call `{}` of {release} for up to ${usd}, which is more than you allow for one call. Pay it \
             this once?",
            made.function
        );
        Question { message, amount }.within(problem)
    }

    /// Checks the receipt of an answer as far as the policy asks, and keeps it. Returns what the agent is told of it.
    async fn prove(
        &self,
        made: &Call<'_>,
        release: &Release,
        function: &Function,
        response: &CallResponse,
        executor: &PublicKey,
    ) -> Result<[(&'static str, Value); 2], Problem> {
        let Remote { client, trust, .. } = &self.remote;
        let receipt = glassbox_client::check_reply(made, &function.ty, response, executor);
        let receipt = receipt.map_err(theirs)?;
        call::check_release(&self.remote, &release.logged, &receipt).await.map_err(problem)?;
        let path = self.home.receipt_path(&receipt.call);
        let kept = match self.folder.keep(&path, receipts::to_text(&response.receipt).as_bytes()) {
            Ok(()) => path.display().to_string(),
            Err(error) => format!("not kept: {error}"),
        };
        trust.seen_by_executor(client, &receipt.checkpoint).await.map_err(theirs)?;
        let verified = match self.policy.agent.proof {
            Proof::Receipt => "receipt",
            Proof::Replay => {
                let replayed = self.here.replay(client, release, &response.receipt, &receipt).await;
                replayed.map_err(problem)?;
                "replay"
            }
        };
        Ok([("verified", json!(verified)), ("receipt_file", json!(kept))])
    }
}

/// Says which setting allows what was refused, in words of this command.
fn beyond(error: ClientError) -> Problem {
    let setting = |amount: &Atomic| {
        let (usd, file) = (amount.to_decimal(), policy::FILE_NAME);
        format!(
            "its owner sets `call = \"{usd}\"` or more under [max] in {file}, or starts `glassbox mcp --max-price {usd}`"
        )
    };
    let next = match &error {
        ClientError::PaymentNotAllowed { amount } => Some(setting(amount)),
        ClientError::PriceAboveMax { amount, .. } => {
            Some(format!("raise `max_price`, or {}", setting(amount)))
        }
        _ => None,
    };
    let problem = theirs(error);
    Problem { next: next.unwrap_or(problem.next), ..problem }
}

/// Writes a failure of the command line as the problem that it is.
fn problem(failure: Failure) -> Problem {
    let status = match failure.exit {
        3 => 402,
        1 => 422,
        _ => 500,
    };
    let mut problem = Problem::new(status, &failure.code, failure.message, failure.hint);
    problem.charged = failure.charged.unwrap_or_else(|| "0".into());
    problem.extra.extend(failure.rule.map(|rule| ("rule".to_owned(), json!(rule))));
    problem
}

/// Returns the registry's own problem, where it has one. What it asks to be paid is the wallet's business.
fn theirs(error: ClientError) -> Problem {
    match error {
        ClientError::Problem(mut problem) => {
            problem.extra.remove("required");
            *problem
        }
        error => problem(error.into()),
    }
}

#[async_trait]
impl Provider for Proxy {
    async fn search(&self, query: SearchQuery) -> Result<SearchResponse, Problem> {
        self.remote.client.search(&query).await.map_err(theirs)
    }

    async fn release(&self, release: &PackageRef) -> Result<ReleaseResponse, Problem> {
        self.remote.client.release(release).await.map_err(theirs)
    }

    async fn files(&self, release: &PackageRef, layer: Layer) -> Result<FilesResponse, Problem> {
        if layer != Layer::Manifest {
            return self.remote.client.files(release, layer.as_str()).await.map_err(theirs);
        }
        let text = self.remote.client.manifest(release).await.map_err(theirs)?;
        let digest = Digest::of(&text).to_string();
        Ok(FilesResponse {
            digest,
            files: vec![File { path: "glassbox.toml".into(), text: Some(text), base64: None }],
        })
    }

    async fn quote(&self, asked: &Asked, _: &PaidTool) -> Result<QuoteResponse, Problem> {
        let quote = self
            .remote
            .client
            .quote(&asked.release, &asked.function, asked.body.fuel)
            .await
            .map_err(theirs)?;
        // The wallet answers what is asked to be paid, so nobody else needs to read it.
        Ok(QuoteResponse { payment_required: None, ..quote })
    }

    async fn call(&self, asked: &Asked, _: &PaidTool, _: Option<Payment>) -> Result<Called, Problem> {
        match &asked.key {
            None => self.make(asked).await,
            Some(key) => self.replies.of(key, asked, || self.make(asked)).await,
        }
    }

    fn has_wallet(&self) -> bool {
        true
    }

    async fn spending(&self) -> Option<Result<Value, Problem>> {
        let report = spending::report(&self.home, None);
        Some(report.map(|report| json!(report)).map_err(problem))
    }
}

/// What a run on this machine costs.
fn nothing() -> Money {
    Atomic::ZERO.into()
}
