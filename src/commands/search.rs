//! `glassbox search`.

use glassbox_api::{SearchQuery, SearchResult};

use super::Context;
use crate::cli::SearchArgs;
use crate::failure::Failure;
use crate::output::{DIM, GOOD, MONEY, NAME, paint};
use crate::progress::during;

pub(super) async fn run(context: &Context, args: &SearchArgs) -> Result<(), Failure> {
    let query = SearchQuery {
        q: args.words.join(" "),
        limit: Some(args.limit),
        interface: args.interface.clone(),
        pure: args.pure,
        max_price: args.max_price.clone(),
    };
    let response = during("searching", context.client()?.search(&query)).await?;
    if response.results.is_empty() {
        let is_filtered = query.interface.is_some() || query.pure || query.max_price.is_some();
        let hint = match is_filtered {
            true => "try without --interface, --pure or --max-price",
            false => "try other words: search looks at names, descriptions, functions and docs",
        };
        return Err(Failure::no("nothing-found", format!("nothing fits `{}`", query.q), hint));
    }
    context
        .output
        .answer(&response, || response.results.iter().map(describe).collect::<Vec<_>>().join("\n\n"));
    Ok(())
}

pub(super) fn describe(result: &SearchResult) -> String {
    let pure = if result.pure { paint(GOOD, "pure") } else { "uses the host".into() };
    let mut lines = vec![
        format!(
            "{} {}  {pure}, {} tests passed",
            paint(NAME, &result.package),
            result.version,
            result.tests_passed
        ),
        format!("  {}", result.description),
    ];
    for function in &result.functions {
        lines.push(format!("  {}  {}", function.signature, paint(MONEY, &function.price)));
    }
    if !result.matched.is_empty() {
        lines.push(paint(DIM, format!("  matched in {}", result.matched.join(", "))));
    }
    lines.join("\n")
}
