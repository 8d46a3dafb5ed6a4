//! `glassbox payout`.

use glassbox_api::{PayoutRequest, PayoutResponse};

use super::Context;
use crate::cli::PayoutArgs;
use crate::failure::Failure;
use crate::output::{DIM, GOOD, HEAD, MONEY, paint};
use crate::progress::during;

pub(super) async fn run(context: &Context, args: &PayoutArgs) -> Result<(), Failure> {
    let client = context.operating(&args.operator)?;
    let request = PayoutRequest {
        addresses: args.to.iter().cloned().collect(),
        threshold_usd: args.threshold.clone(),
        verified_only: args.verified,
        dry_run: args.dry_run,
    };
    let paid = during("paying out", client.payouts(&request)).await?;
    context.output.answer(&paid, || describe(&paid, args.dry_run));
    Ok(())
}

fn describe(paid: &PayoutResponse, dry_run: bool) -> String {
    if paid.payouts.is_empty() {
        return "Nobody has earned anything that is final and not paid yet.".into();
    }
    let width = paid.payouts.iter().map(|row| row.account.len()).max().unwrap_or(0);
    let mut lines: Vec<String> = paid
        .payouts
        .iter()
        .map(|row| {
            let account = format!("{:<width$}", row.account);
            match (&row.waits, &row.to) {
                (None, Some(to)) => {
                    let frozen = row.frozen_usd.as_ref().map(|usd| format!("; ${usd} is frozen"));
                    let frozen = paint(DIM, frozen.unwrap_or_default());
                    format!("{account}  {}  to {to}{frozen}", paint(MONEY, format!("${}", row.amount.usd)))
                }
                (waits, _) => {
                    let why = waits.as_deref().unwrap_or("it waits");
                    format!("{account}  {}", paint(DIM, format!("${}: {why}", row.payable_usd)))
                }
            }
        })
        .collect();
    let fee = match (paid.gas, &paid.gas_price) {
        (Some(gas), Some(price)) if gas > 0 => format!(", for {gas} gas at {price}"),
        (Some(_), _) => ", without a fee".into(),
        _ => String::new(),
    };
    let total = format!("${} in all{fee}", paid.total.usd);
    lines.push(match (&paid.transaction, dry_run) {
        (Some(transaction), _) => format!("{} {total}, in {transaction}", paint(GOOD, "✓")),
        (None, true) => paint(HEAD, format!("{total}; nothing was paid")).to_string(),
        (None, false) if paid.total.amount == "0" => paint(HEAD, "nothing was due").to_string(),
        (None, false) => format!("{total}: the chain has not confirmed it yet, and is asked again"),
    });
    lines.join("\n")
}
