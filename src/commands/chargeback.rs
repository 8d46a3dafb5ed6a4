//! `glassbox chargeback`: what accounts used, for whoever bears the cost.

use glassbox_api::{ChargebackResponse, ChargebackRow};

use super::Context;
use crate::cli::ChargebackArgs;
use crate::failure::Failure;
use crate::output::{HEAD, MONEY, NAME, count, paint};
use crate::progress::during;

/// The columns of the CSV. No field needs quotes: names are plain words, and nothing in them begins a formula.
const COLUMNS: &str = "month,at,cost_center,account,token,call,release,function,usd,receipt";

pub(super) async fn run(context: &Context, args: &ChargebackArgs) -> Result<(), Failure> {
    let client = context.operating(&args.operator)?;
    let mut whole = during("asking", client.chargeback(args.month.as_ref(), 0)).await?;
    // People read the sums alone.
    while whole.more && (args.csv || context.json) {
        let after = whole.calls.last().map_or(0, |call| call.number);
        let month = whole.month.parse().ok();
        let page = during("asking", client.chargeback(month.as_ref(), after)).await?;
        whole = ChargebackResponse { calls: [whole.calls, page.calls].concat(), ..page };
    }
    match args.csv {
        true => context.output.print(&csv(&whole)),
        false => context.output.answer(&whole, || describe(&whole)),
    }
    Ok(())
}

fn csv(whole: &ChargebackResponse) -> String {
    let row = |row: &ChargebackRow| {
        let receipt = row.receipt.as_deref().unwrap_or_default();
        let ChargebackRow { at, cost_center, account, token, call, release, function, charged, .. } = row;
        let (month, usd) = (&whole.month, &charged.usd);
        format!("{month},{at},{cost_center},{account},{token},{call},{release},{function},{usd},{receipt}")
    };
    [COLUMNS.to_owned()].into_iter().chain(whole.calls.iter().map(row)).collect::<Vec<_>>().join("\n")
}

fn describe(whole: &ChargebackResponse) -> String {
    let mut lines = vec![paint(HEAD, format!("{}, ${} in all", whole.month, whole.total.usd))];
    let mut cost_center = "";
    for sum in &whole.sums {
        if sum.cost_center != cost_center {
            cost_center = &sum.cost_center;
            lines.push(paint(NAME, cost_center));
        }
        let charged = paint(MONEY, format!("${}", sum.charged.usd));
        lines.push(format!("  {}  {charged} for {}", sum.account, count(sum.calls, "call")));
    }
    if whole.sums.is_empty() {
        lines.push("Nothing was called.".into());
    }
    lines.join("\n")
}
