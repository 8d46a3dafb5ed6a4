//! The registry behind MCP: the same verbs as over HTTP, and the same refusals.

use std::sync::Arc;

use async_trait::async_trait;
use axum::Json;
use axum::extract::{Request, State};
use axum::http::{Uri, header};
use axum::response::{IntoResponse, Response};
use glassbox_api::{
    File, FilesResponse, Problem, QuoteResponse, ReleaseResponse, SearchQuery, SearchResponse,
};
use glassbox_core::{PackageRef, limits};
use glassbox_mcp::{Asked, CARD_MEDIA_TYPE, Called, Http, Layer, PaidTool, Payment, Provider, Server};
use glassbox_pay::PaymentPayload;
use glassbox_pay::x402::extensions::bazaar;
use glassbox_registry::{
    ACCOUNT_TOKEN_PREFIX, CallError, CallRequest, Credit, PaidResource, Payment as Paid, Registry,
    ReleaseFile,
};
use serde::Deserialize;
use serde_json::json;

use crate::app::App;
use crate::extract::{Path, Query, reference};
use crate::problem::Refusal;
use crate::routes::call::affecting;
use crate::routes::find::find;
use crate::routes::implementations::{choose, chosen as chosen_response};
use crate::{convert, counts};

/// The room that a request of MCP has beyond its arguments.
const ENVELOPE_BYTES_MAX: usize = 64 << 10;

/// Sets up the transport for a registry at `public_url`.
pub(crate) fn transport(public_url: &str) -> Http {
    let host = public_url.parse::<Uri>().ok().and_then(|url| url.host().map(str::to_owned));
    Http::new(host, limits::CALL_BODY_BYTES_MAX + ENVELOPE_BYTES_MAX)
}

/// Which tools to show.
#[derive(Deserialize)]
pub(crate) struct Pinned {
    tools: Option<String>,
}

/// The six tools.
pub(crate) async fn registry(State(app): State<App>, pinned: Query<Pinned>, request: Request) -> Response {
    let server = Server::new(Arc::new(Desk(app.registry.clone())));
    answer(&app, server, pinned, request).await
}

/// The functions of one release as tools.
pub(crate) async fn release(
    State(app): State<App>,
    Path((ns, release)): Path<(String, String)>,
    pinned: Query<Pinned>,
    request: Request,
) -> Result<Response, Refusal> {
    let desk = Desk(app.registry.clone());
    let id = app.registry.live(&named(&ns, &release)?).await?.id.clone();
    let id = PackageRef { package: id.package, version: Some(id.version) };
    let release = read_release(&app.registry, &id).await?;
    Ok(answer(&app, Server::of_release(Arc::new(desk), id, release), pinned, request).await)
}

async fn answer(app: &App, server: Server, Query(pinned): Query<Pinned>, request: Request) -> Response {
    let server = match pinned.tools {
        Some(names) => server.pinned(names.split(',').map(|name| name.trim().to_owned()).collect()),
        None => server,
    };
    app.mcp().answer(server, request).await
}

/// Returns the card of the registry's server.
pub(crate) async fn card(State(app): State<App>) -> impl IntoResponse {
    let base = &app.registry.config().public_url;
    let words = "Find, read, pay for and call verified capabilities, with receipts.";
    let card = glassbox_mcp::card("dev.glassbox/registry", "Glassbox", words, &format!("{base}/mcp"));
    ([(header::CONTENT_TYPE, CARD_MEDIA_TYPE)], Json(card))
}

/// Returns the card of the server of one release.
pub(crate) async fn release_card(
    State(app): State<App>,
    Path((ns, release)): Path<(String, String)>,
) -> Result<impl IntoResponse, Refusal> {
    let live = app.registry.live(&named(&ns, &release)?).await?;
    let (id, base) = (&live.id, &app.registry.config().public_url);
    let (ns, name) = (id.package.namespace(), id.package.name());
    let url = format!("{base}/mcp/c/{ns}/{name}@{}", id.version);
    let words = format!("The functions of {id} as tools.");
    let card = glassbox_mcp::card(&format!("dev.glassbox.{ns}/{name}"), &id.to_string(), &words, &url);
    Ok(([(header::CONTENT_TYPE, CARD_MEDIA_TYPE)], Json(card)))
}

/// Reads `{name}@{version}` of a path; without a version it is the newest.
fn named(namespace: &str, release: &str) -> Result<PackageRef, Refusal> {
    let (name, version) = release.split_once('@').unwrap_or((release, "latest"));
    reference(namespace, name, version)
}

/// Returns everything public of a release, but its files.
pub(crate) async fn read_release(registry: &Registry, id: &PackageRef) -> Result<ReleaseResponse, Refusal> {
    let view = registry.release(id).await?;
    let live = registry.live(id).await?;
    let known = convert::Known {
        marks: registry.marks(&live.id),
        affecting: &registry.affecting(&live.id).await?,
        same_code: registry.same_code(&live).await?,
        now_ms: registry.now_ms(),
        today: registry.today(),
    };
    Ok(convert::release(view, &live, known))
}

/// What the tools ask.
struct Desk(Arc<Registry>);

fn problem(refusal: impl Into<Refusal>) -> Problem {
    refusal.into().into_problem()
}

#[async_trait]
impl Provider for Desk {
    async fn search(&self, query: SearchQuery) -> Result<SearchResponse, Problem> {
        find(&self.0, query).await.map_err(problem)
    }

    async fn release(&self, release: &PackageRef) -> Result<ReleaseResponse, Problem> {
        read_release(&self.0, release).await.map_err(problem)
    }

    async fn files(&self, release: &PackageRef, layer: Layer) -> Result<FilesResponse, Problem> {
        let file = match layer {
            Layer::Wit => ReleaseFile::Wit,
            Layer::Tests => ReleaseFile::Tests,
            Layer::Source => ReleaseFile::Source,
            Layer::Manifest => {
                let row = self.0.release(release).await.map_err(problem)?.row;
                let digest = glassbox_core::Digest::of(&row.manifest).to_string();
                let file = File { path: "glassbox.toml".into(), text: Some(row.manifest), base64: None };
                return Ok(FilesResponse { digest, files: vec![file] });
            }
        };
        Ok(convert::files(&self.0.files(release, file).await.map_err(problem)?))
    }

    async fn quote(&self, asked: &Asked, tool: &PaidTool) -> Result<QuoteResponse, Problem> {
        let resource = resource(tool);
        let live = self.0.live(&asked.release).await.map_err(problem)?;
        let quoted = self.0.quote(&asked.release, &asked.function, asked.body.fuel, Some(&resource));
        let (quote, required) = quoted.await.map_err(problem)?;
        Ok(convert::quote(&self.0, live.id.to_string(), quote, required, self.0.notice(&asked.release)))
    }

    async fn call(
        &self,
        asked: &Asked,
        tool: &PaidTool,
        payment: Option<Payment>,
    ) -> Result<Called, Problem> {
        let payment = match payment {
            Some(payment) => self.read_payment(payment, asked.key.clone()).await?,
            None => None,
        };
        let chosen = choose(&self.0, &asked.release, &asked.function, &asked.body, payment.as_ref());
        let chosen = chosen.await.map_err(problem)?;
        let (release, function) = match &chosen {
            Some(chosen) => (chosen.reference(), chosen.function.to_string()),
            None => (asked.release.clone(), asked.function.clone()),
        };
        let request = CallRequest {
            release,
            function,
            args: if asked.body.args.is_null() { json!([]) } else { asked.body.args.clone() },
            fuel_max: asked.body.fuel,
            nonce: asked.key.clone(),
            grants: asked.body.grants.clone(),
            resource: Some(resource(tool)),
            payment,
        };
        let notice = self.0.notice(&asked.release);
        let result = self.0.call(request).await;
        counts::call(&result);
        let reply = result.map_err(|error| {
            let settlement = match &error {
                CallError::Failed(failure) => failure.reply.settlement.as_ref().map(|it| json!(it)),
                CallError::NotSettled { response, .. } => Some(json!(response)),
                _ => None,
            };
            let mut problem = problem(error);
            problem.extra.extend(settlement.map(|settlement| ("settlement".to_owned(), settlement)));
            problem
        })?;
        let settlement = reply.stored.settlement.as_ref().map(|settlement| json!(settlement));
        let affecting = affecting(&self.0, &reply).await;
        let mut called = Called::from(convert::reply(&self.0, reply, notice, &affecting).await);
        called.notes.extend(chosen.map(|chosen| ("chosen", json!(chosen_response(chosen)))));
        Ok(Called { settlement, ..called })
    }
}

impl Desk {
    /// Reads what a call is paid with. A token that is not one of a registry's is somebody else's way in, and pays nothing.
    async fn read_payment(&self, payment: Payment, key: Option<String>) -> Result<Option<Paid>, Problem> {
        match payment {
            Payment::X402(payment) => match serde_json::from_value::<PaymentPayload>(payment) {
                Ok(payment) => Ok(Some(Paid::X402(Box::new(payment)))),
                Err(error) => {
                    let detail = format!("`_meta[\"x402/payment\"]`: {error}");
                    let next = "send an x402 payment as an object, or leave it out to get the requirements";
                    Err(Problem::new(400, "payment-malformed", detail, next))
                }
            },
            Payment::Bearer(token) if token.starts_with(ACCOUNT_TOKEN_PREFIX) => {
                let caller = self.0.authenticate(&token, key).await.map_err(problem)?;
                Ok(Some(Paid::Account(Box::new(caller))))
            }
            Payment::Bearer(token) if token.starts_with(Credit::PREFIX) => {
                let credit = Credit::new(&token, None, key).map_err(problem)?;
                Ok(Some(Paid::Credit(Box::new(credit))))
            }
            Payment::Bearer(_) => Ok(None),
        }
    }
}

/// Returns a tool as x402 and its `bazaar` name it.
fn resource(tool: &PaidTool) -> PaidResource {
    let input = bazaar::Input::Tool {
        name: tool.name.clone(),
        description: tool.description.clone(),
        example: tool.example.clone(),
        schema: tool.schema.clone(),
    };
    PaidResource { url: tool.url(), discovery: bazaar::declare(&input, None) }
}
