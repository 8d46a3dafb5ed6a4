//! Pages of sources: a file at a time, for whoever reads it.

use axum::http::StatusCode;
use axum::response::Response;
use glassbox_core::ReleaseId;
use glassbox_core::files::Files;
use maud::html;

use super::{foreign, page, verbatim};

/// The names of all files of a release's source, under its licence.
pub(crate) fn index(id: &ReleaseId, license: &str, files: &Files) -> Response {
    let main = html! {
        h1 { "The source of " (id) }
        p { "Under " (foreign(license)) "." }
        ul {
            @for (path, _) in files.iter() {
                li { a href=(format!("?file={}", escaped(path))) { (foreign(path)) } }
            }
        }
    };
    page(StatusCode::OK, &format!("The source of {id}"), &main)
}

/// One file of it.
pub(crate) fn file(id: &ReleaseId, license: &str, name: &str, text: &str) -> Response {
    let main = html! {
        h1 { (foreign(name)) " of " (id) }
        p { a href="?file=" { "all files" } ", under " (foreign(license)) }
        pre { (verbatim(text)) }
    };
    page(StatusCode::OK, &format!("{name} of {id}"), &main)
}

/// Percent-encodes a path for a query.
fn escaped(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._/".contains(&byte);
    let letter = |byte: u8| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    text.bytes().map(letter).collect()
}
