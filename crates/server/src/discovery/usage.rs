//! What publishers say of training on their texts and of searching them, where machines look for it.
//!
//! Said, and not enforced: a preference keeps nobody out. What shall be paid for is priced.

use std::fmt::Write as _;

use axum::extract::State;
use axum::response::IntoResponse;
use glassbox_core::manifest::{Consent, ContentUsage, is_https};
use glassbox_registry::{Registry, RegistryError};

use super::{LISTED_MAX, document};
use crate::app::App;
use crate::problem::Refusal;

/// What the newest release of a package says, and where its texts are.
struct Said {
    path: String,
    usage: ContentUsage,
}

/// Returns what packages say, by name, up to a bound.
async fn said(registry: &Registry) -> Result<Vec<Said>, RegistryError> {
    let mut said = Vec::new();
    for view in registry.packages().await? {
        let Some(usage) = view.listing.usage.filter(|usage| !usage.to_header().is_empty()) else { continue };
        if said.len() == LISTED_MAX {
            break;
        }
        let package = view.row.id.package;
        let path = format!("/v1/packages/{}/{}/", package.namespace(), package.name());
        said.push(Said { path, usage });
    }
    Ok(said)
}

/// Says it to crawlers: see RFC 9309 and the draft `ietf-aipref-attach`; RSL 1.0 has `License`.
pub(crate) async fn robots(State(app): State<App>) -> Result<impl IntoResponse, Refusal> {
    let mut text = "User-agent: *\nAllow: /\n".to_owned();
    let said = said(&app.registry).await?;
    for Said { path, usage } in &said {
        let _ = writeln!(text, "Content-Usage: {path} {}", usage.to_header());
    }
    if !said.is_empty() {
        let _ = write!(text, "\nLicense: {}/license.xml\n", app.registry.config().public_url);
    }
    Ok(document("text/plain; charset=utf-8", text))
}

/// Says the same in RSL 1.0. Paths are of names, which need no escaping, and of what XML escapes a URL has `&` alone.
pub(crate) async fn license(State(app): State<App>) -> Result<impl IntoResponse, Refusal> {
    let mut text = "<rsl xmlns=\"https://rslstandard.org/rsl\">\n".to_owned();
    for Said { path, usage } in said(&app.registry).await? {
        let _ = writeln!(text, "  <content url=\"{path}\">\n    <license>");
        for (word, consent) in [("ai-train", usage.train_ai), ("search", usage.search)] {
            let element = match consent {
                Some(Consent::Y) => "permits",
                Some(Consent::N) => "prohibits",
                None => continue,
            };
            let _ = writeln!(text, "      <{element} type=\"usage\">{word}</{element}>");
        }
        text.push_str("    </license>\n");
        if let Some(terms) = usage.rsl.as_ref().filter(|url| is_https(url)) {
            let _ = writeln!(text, "    <terms>{}</terms>", terms.replace('&', "&amp;"));
        }
        text.push_str("  </content>\n");
    }
    text.push_str("</rsl>\n");
    Ok(document("application/rsl+xml; charset=utf-8", text))
}
