//! The server card: where a server is and how it is spoken to, for catalogues. It lists no tools. See SEP-2127.

use serde_json::{Value, json};

/// The media type of server cards.
pub const CARD_MEDIA_TYPE: &str = "application/mcp-server-card+json";

/// Returns the card of the server at `url`.
pub fn card(name: &str, title: &str, description: &str, url: &str) -> Value {
    json!({
        "$schema": "https://static.modelcontextprotocol.io/schemas/v1/server-card.schema.json",
        "name": name,
        "version": env!("CARGO_PKG_VERSION"),
        "title": title,
        "description": description,
        "remotes": [{
            "type": "streamable-http",
            "url": url,
            "supportedProtocolVersions": rmcp::model::ProtocolVersion::KNOWN_VERSIONS,
        }],
    })
}
