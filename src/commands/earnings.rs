//! `glassbox earnings`.

use glassbox_api::EarningsResponse;

use super::Context;
use crate::cli::EarningsArgs;
use crate::failure::Failure;
use crate::output::{DIM, HEAD, MONEY, NAME, count, paint};
use crate::progress::during;

pub(super) async fn run(context: &Context, args: &EarningsArgs) -> Result<(), Failure> {
    let response = during("asking", context.client()?.earnings(args.package.as_ref())).await?;
    context.output.answer(&response, || describe(&response));
    Ok(())
}

pub(super) fn describe(response: &EarningsResponse) -> String {
    if response.earnings.is_empty() {
        return "Nobody has earned anything yet.".into();
    }
    let width = |text: fn(&glassbox_api::EarningRow) -> &str| {
        response.earnings.iter().map(|row| text(row).len()).max().unwrap_or(0)
    };
    let (releases, receivers) = (width(|row| &row.release), width(|row| &row.receiver));
    let mut lines = Vec::new();
    for row in &response.earnings {
        lines.push(format!(
            "{}  {:<receivers$}  {}  {}",
            paint(NAME, format!("{:<releases$}", row.release)),
            row.receiver,
            paint(MONEY, format!("${:<14}", row.usd)),
            count(row.calls, "call"),
        ));
    }
    lines.push(paint(HEAD, format!("${} in all", response.total_usd)));
    if response.play_money {
        lines.push(paint(DIM, "devnet, play money"));
    }
    lines.join("\n")
}
