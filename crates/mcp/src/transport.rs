//! How the protocol travels: over HTTP without sessions, and over standard input and output.

use std::sync::Arc;

use axum::body::Body;
use axum::http::{Request, Response};
use rmcp::ServiceExt as _;
use rmcp::transport::streamable_http_server::session::never::NeverSessionManager;
use rmcp::transport::{StreamableHttpServerConfig, StreamableHttpService, stdio};

use crate::server::Server;

/// The transport over HTTP, as a whole service is set up.
#[derive(Clone)]
pub struct Http(StreamableHttpServerConfig);

impl Http {
    /// Sets up the transport for requests to one of `hosts` and to this machine, with bodies of at most `body_bytes_max`.
    ///
    /// There are no sessions in either era: a request needs no other, and a restart forgets none.
    pub fn new(hosts: impl IntoIterator<Item = String>, body_bytes_max: usize) -> Self {
        let here = ["localhost", "127.0.0.1", "::1"].map(str::to_owned);
        let config = StreamableHttpServerConfig::default()
            .with_allowed_hosts(hosts.into_iter().chain(here))
            .with_legacy_session_mode(false)
            .with_json_response(true)
            .with_max_request_body_bytes(body_bytes_max);
        Self(config)
    }

    /// Answers one request.
    pub async fn answer(&self, server: Server, request: Request<Body>) -> Response<Body> {
        let sessions = Arc::new(NeverSessionManager::default());
        let service = StreamableHttpService::new(move || Ok(server.clone()), sessions, self.0.clone());
        service.handle(request).await.map(Body::new)
    }
}

/// Serves over standard input and output until the client closes them.
///
/// # Errors
///
/// If the client does not begin as MCP does.
pub async fn serve_stdio(server: Server) -> std::io::Result<()> {
    let running = server.serve(stdio()).await.map_err(std::io::Error::other)?;
    running.waiting().await.map(|_| ()).map_err(std::io::Error::other)
}
