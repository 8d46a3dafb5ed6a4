//! The router: which path leads where, and what surrounds every route.

use std::ops::Deref;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use axum::Router;
use axum::extract::{MatchedPath, Request};
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::routing::{any, get, post};
use futures_util::FutureExt as _;
use glassbox_core::{Digest, limits};
use glassbox_pay::Devnet;
use glassbox_registry::{Registry, Witness};
use tokio::sync::Semaphore;
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::discovery as d;
use crate::routes as r;
use crate::{counts, mcp, pages, problem};

/// What a server is made of. One allocation, as axum clones it several times for each request.
#[derive(Clone)]
pub struct App(Arc<Parts>);

/// The parts of an [`App`].
pub struct Parts {
    /// The registry.
    pub registry: Arc<Registry>,
    /// What the operator set.
    pub options: Options,
    mcp: glassbox_mcp::Http,
    publishes: Arc<Semaphore>,
}

impl Deref for App {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}

impl App {
    /// How MCP comes in.
    pub(crate) fn mcp(&self) -> &glassbox_mcp::Http {
        &self.mcp
    }

    /// The places for publishing.
    pub(crate) fn publishes(&self) -> Arc<Semaphore> {
        self.publishes.clone()
    }
}

/// What the operator set for the server alone.
#[derive(Default)]
pub struct Options {
    /// The devnet, where payments are made on it: adds the faucet.
    pub devnet: Option<Devnet>,
    /// The token that opens the operator's routes; without one they stay closed.
    pub operator: Option<OperatorToken>,
    /// The witness that this registry is to other logs, under `/witness`.
    pub witness: Option<Arc<Witness>>,
}

/// What the operator shows to be let in. Its `Debug` shows nothing.
#[derive(Clone)]
pub struct OperatorToken(Digest);

impl OperatorToken {
    /// What the text of every such token begins with.
    pub const PREFIX: &str = "gbo_";

    /// Takes the text of a token: [`PREFIX`](Self::PREFIX) and what nobody can guess.
    pub fn new(text: &str) -> Self {
        Self(Digest::of(text))
    }

    /// Tells whether somebody has the token. By its digest: how long that takes says nothing about the token.
    pub(crate) fn is(&self, text: &str) -> bool {
        self.0 == Digest::of(text)
    }
}

impl std::fmt::Debug for OperatorToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("OperatorToken")
    }
}

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Glassbox",
        description = "Open to read, paid when used: find a capability, read it for free, pay for a call, verify the \
                       receipt. Errors are RFC 9457 problems with `code`, `retry`, `charged` and `next`.",
        license(name = "Apache-2.0")
    ),
    tags(
        (name = "find", description = "Free and public: search, interfaces, tests, terms"),
        (name = "call", description = "Run a function; pay by x402 where it has a price"),
        (name = "publish", description = "Publish a signed release"),
        (name = "names", description = "Who may do what to a name: policies, revocations, yanks, quarantines, terms"),
        (name = "log", description = "The transparency log, C2SP tlog-tiles"),
        (name = "money", description = "Earnings and play money"),
        (name = "company", description = "A company's accounts: tokens, budgets, approvals, chargeback"),
        (name = "operate", description = "Health and metrics"),
    )
)]
struct Document;

fn router() -> OpenApiRouter<App> {
    OpenApiRouter::with_openapi(Document::openapi())
        .routes(routes!(r::find::descriptor))
        .routes(routes!(r::find::search))
        .routes(routes!(r::implementations::interfaces))
        .routes(routes!(r::implementations::list))
        .routes(routes!(r::implementations::one))
        .routes(routes!(r::find::packages))
        .routes(routes!(r::find::package))
        .routes(routes!(d::listing::listing))
        .routes(routes!(r::find::release))
        .routes(routes!(d::openapi::release_openapi))
        .routes(routes!(r::find::manifest))
        .routes(routes!(r::find::wit))
        .routes(routes!(r::find::tests))
        .routes(routes!(r::find::document))
        .routes(routes!(r::source::source))
        .routes(routes!(r::supply::sbom))
        .routes(routes!(r::supply::made_of))
        .routes(routes!(r::supply::attestations, r::supply::attest))
        .routes(routes!(r::supply::confirm))
        .routes(routes!(r::advisories::advisories, r::advisories::advise))
        .routes(routes!(r::advisories::one))
        .routes(routes!(r::download::component))
        .routes(routes!(r::download::files))
        .routes(routes!(r::licenses::buy))
        .routes(routes!(r::licenses::redeem))
        .routes(routes!(r::licenses::prove))
        .routes(routes!(r::licenses::tip))
        .routes(routes!(r::licenses::spread))
        .routes(routes!(r::call::quote))
        .routes(routes!(r::call::call, r::call::ask))
        .routes(routes!(r::call::receipt))
        .routes(routes!(r::receipts::verify))
        .routes(routes!(r::receipts::proof))
        .routes(routes!(r::receipts::executor))
        .routes(routes!(r::receipts::accuse))
        .routes(routes!(r::receipts::contradiction))
        .routes(routes!(r::serve::root))
        .routes(routes!(r::serve::serve))
        .routes(routes!(r::publish::publish))
        .routes(routes!(r::names::namespace))
        .routes(routes!(r::names::policy))
        .routes(routes!(r::names::cancel))
        .routes(routes!(r::names::revoke))
        .routes(routes!(r::names::proof))
        .routes(routes!(r::names::yank))
        .routes(routes!(r::names::quarantine))
        .routes(routes!(r::names::terms))
        .routes(routes!(r::log::checkpoint))
        .routes(routes!(r::log::tile))
        .routes(routes!(r::log::proof))
        .routes(routes!(r::log::standing))
        .routes(routes!(r::money::earnings))
        .routes(routes!(r::money::balance))
        .routes(routes!(r::money::faucet))
        .routes(routes!(r::money::devnet_rpc))
        .routes(routes!(r::money::buy_credit, r::money::credit_balance))
        .routes(routes!(r::money::refund_credit))
        .routes(routes!(r::money::revoke_token))
        .routes(routes!(r::ledger::audit))
        .routes(routes!(r::ledger::statement))
        .routes(routes!(r::ledger::payouts))
        .routes(routes!(r::operator::refund))
        .routes(routes!(r::ledger::claims))
        .routes(routes!(r::ledger::grant))
        .routes(routes!(r::operator::payees, r::operator::decide_payee))
        .routes(routes!(r::operator::freeze))
        .routes(routes!(r::operator::blocklists))
        .routes(routes!(r::operator::give))
        .routes(routes!(r::operator::notice))
        .routes(routes!(r::operator::notices))
        .routes(routes!(r::operator::decide_notice))
        .routes(routes!(r::operator::actions))
        .routes(routes!(r::company::own))
        .routes(routes!(r::company::approvals))
        .routes(routes!(r::company::decide))
        .routes(routes!(r::company::open, r::company::list))
        .routes(routes!(r::company::budget))
        .routes(routes!(r::company::close))
        .routes(routes!(r::company::make_token, r::company::tokens))
        .routes(routes!(r::company::revoke))
        .routes(routes!(r::company::pay_in))
        .routes(routes!(r::company::settle))
        .routes(routes!(r::company::chargeback))
        .routes(routes!(r::operate::healthz))
        .routes(routes!(r::operate::metrics))
}

/// Returns the OpenAPI document, made from the routes.
pub fn openapi() -> utoipa::openapi::OpenApi {
    document(router().split_for_parts().1)
}

/// Writes the paths as OpenAPI does, which has no word for a parameter that spans several segments: `{*path}` of the
/// router becomes `{path}`.
fn document(mut document: utoipa::openapi::OpenApi) -> utoipa::openapi::OpenApi {
    let paths = std::mem::take(&mut document.paths.paths);
    document.paths.paths = paths.into_iter().map(|(path, item)| (path.replace("{*", "{"), item)).collect();
    document
}

/// Returns the whole service, for a listener or for a test without one.
pub fn app(registry: Arc<Registry>, options: Options) -> Router {
    counts::begin();
    let witness = options.witness.clone();
    let state = App(Arc::new(Parts {
        mcp: mcp::transport(&registry.config().public_url),
        registry,
        options,
        publishes: Arc::new(Semaphore::new(limits::PUBLISHES_IN_FLIGHT_MAX)),
    }));
    let (router, paths) = router().split_for_parts();
    let document = document(paths).to_pretty_json().expect("the document has string keys");
    let json = [("content-type", "application/json")];
    let router = match witness {
        // Its paths are those of C2SP tlog-witness, and none of ours to describe.
        Some(witness) => router.nest("/witness", r::witness::routes(witness)),
        None => router,
    };
    router
        .route("/openapi.json", get(move || async move { (json, document) }))
        // Services take every method; the document has one, because it knows operations and not proxies.
        .route("/v1/serve/{ns}/{name}/{version}/", any(r::serve::root))
        .route("/v1/serve/{ns}/{name}/{version}/{*path}", any(r::serve::serve))
        .route("/.well-known/ai-catalog.json", get(d::wellknown::ai_catalog))
        .route("/.well-known/api-catalog", get(d::wellknown::api_catalog))
        .route("/.well-known/x402", get(d::wellknown::x402))
        .route("/SKILL.md", get(d::wellknown::skill))
        .route("/robots.txt", get(d::usage::robots))
        .route("/license.xml", get(d::usage::license))
        .route("/llms.txt", get(d::text::llms))
        .route("/llms-full.txt", get(d::text::llms_full))
        .route("/problems", get(d::problems::all))
        .route("/problems/{code}", get(d::problems::one))
        .route("/interfaces", get(pages::all))
        .route("/interfaces/{ns}/{package}/{interface}", get(pages::one))
        .route("/playground/{ns}/{name}/{version}", get(pages::playground::show).post(pages::playground::run))
        .route("/search", post(d::ard::search))
        .route("/explore", post(d::ard::explore))
        .route("/agents", get(d::ard::agents))
        .route("/mcp", any(mcp::registry))
        .route("/mcp/server-card", get(mcp::card))
        .route("/mcp/c/{ns}/{release}", any(mcp::release))
        .route("/mcp/c/{ns}/{release}/server-card", get(mcp::release_card))
        .fallback(problem::no_such_route)
        .method_not_allowed_fallback(problem::no_such_method)
        .layer(middleware::from_fn(watch))
        .with_state(state)
}

/// Lets no request take for ever, says so where a mistake of ours ended it, and counts it. In one: each layer of its own would be
/// one more box for every request.
async fn watch(route: Option<MatchedPath>, request: Request, next: Next) -> Response {
    let answered = AssertUnwindSafe(problem::in_time(next.run(request))).catch_unwind().await;
    let response = answered.unwrap_or_else(problem::panicked);
    counts::request(route.as_ref().map_or("none", MatchedPath::as_str), response.status());
    response
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::{TcpListener, TcpStream};

    use super::*;

    #[tokio::test]
    async fn a_panic_is_answered_and_counted_and_the_next_request_too() {
        counts::begin();
        let panics = async || -> &'static str { panic!("on purpose") };
        let router = Router::new().route("/panics", get(panics)).layer(middleware::from_fn(watch));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
        let address = listener.local_addr().expect("it has one");
        let serving = tokio::spawn(async move { axum::serve(listener, router).await });
        for _ in 0..2 {
            let mut stream = TcpStream::connect(address).await.expect("connects");
            let request = b"GET /panics HTTP/1.1\r\nhost: here\r\nconnection: close\r\n\r\n";
            stream.write_all(request).await.expect("writes");
            let mut reply = String::new();
            stream.read_to_string(&mut reply).await.expect("reads");
            assert!(reply.starts_with("HTTP/1.1 500 "), "{reply}");
            assert!(reply.contains(r#""code":"internal""#) && !reply.contains("on purpose"), "{reply}");
        }
        serving.abort();
        let series = r#"glassbox_http_requests_total{route="/panics",status="500"} 2"#;
        assert!(counts::render().contains(series), "{}", counts::render());
    }
}
