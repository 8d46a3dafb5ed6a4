//! `glassbox refund`.

use glassbox_api::{RefundRequest, RefundResponse};

use super::Context;
use crate::cli::RefundArgs;
use crate::failure::Failure;
use crate::output::{GOOD, HEAD, MONEY, paint};
use crate::progress::during;

pub(super) async fn run(context: &Context, args: &RefundArgs) -> Result<(), Failure> {
    let client = context.operating(&args.operator)?;
    let request =
        RefundRequest { call: args.call.clone(), total_usd: args.total.clone(), reason: args.reason.clone() };
    let refunded = during("giving back", client.refund(&request)).await?;
    context.output.answer(&refunded, || describe(&refunded));
    Ok(())
}

fn describe(response: &RefundResponse) -> String {
    let RefundResponse { refunded, total, charged, .. } = response;
    let sums = format!("${} of ${} in all", total.usd, charged.usd);
    match refunded.amount.as_str() {
        "0" => paint(HEAD, format!("nothing more goes back: it was {sums}")).to_string(),
        _ => format!(
            "{} {} goes back to whoever paid, {sums}",
            paint(GOOD, "✓"),
            paint(MONEY, format!("${}", refunded.usd))
        ),
    }
}
