//! What each error code means, at an address of its own: the rows of the reference page.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use super::document;
use crate::extract::Path;
use crate::problem::Refusal;

const PAGE: &str = include_str!("../../../../docs/reference/errors.md");

/// Returns the whole page.
pub(crate) async fn all() -> impl IntoResponse {
    document("text/markdown; charset=utf-8", PAGE)
}

/// Returns what is said of one code.
pub(crate) async fn one(Path(code): Path<String>) -> Result<Response, Refusal> {
    let said = explain(&code).ok_or_else(|| {
        let code: String = code.chars().take(60).collect();
        Refusal::new(
            StatusCode::NOT_FOUND,
            "problem-not-found",
            format!("there is no code `{code}`"),
            "see /problems",
        )
    })?;
    Ok(document("text/markdown; charset=utf-8", said).into_response())
}

/// Finds the row of a code, and writes it out under the names of its columns.
fn explain(code: &str) -> Option<String> {
    let row = format!("| `{code}` |");
    let mut names: Vec<&str> = Vec::new();
    for line in PAGE.lines() {
        if line.starts_with("| code |") {
            names = cells(line);
        }
        if line.starts_with(&row) {
            let said = names.iter().zip(cells(line)).skip(1);
            let lines: Vec<String> = said.map(|(name, cell)| format!("- {name}: {cell}")).collect();
            return Some(format!("# {code}\n\n{}\n", lines.join("\n")));
        }
    }
    None
}

fn cells(row: &str) -> Vec<&str> {
    row.trim_matches('|').split(" | ").map(str::trim).collect()
}

#[cfg(test)]
mod tests {
    use super::explain;

    #[test]
    fn a_code_is_explained_by_its_row() {
        let said = explain("payment-bound").expect("explained");
        assert!(said.starts_with("# payment-bound\n\n- status: 409\n- retry: "), "{said}");
        assert!(said.contains("- what to do: "), "{said}");
        assert!(explain("no-such-code").is_none());
        assert!(explain("").is_none());
    }
}
