//! `glassbox tip`.

use glassbox_api::{SpreadBody, TipBody};

use super::Context;
use super::purse::Purse;
use crate::cli::{TipArgs, TipCommand};
use crate::failure::Failure;
use crate::output::{BAD, GOOD, MONEY, NAME, count, paint};
use crate::progress::during;

pub(super) async fn run(context: &Context, command: &TipCommand) -> Result<(), Failure> {
    match command {
        TipCommand::Give(args) => give(context, args).await,
        TipCommand::Spread { month, usd, percent } => {
            let body = SpreadBody { month: month.clone(), usd: usd.clone(), percent: *percent };
            let given = during("giving", context.own_account()?.spread_tips(&body)).await?;
            context.output.answer(&given, || {
                let line = |tip: &glassbox_api::SpreadTipResponse| {
                    let (package, calls) = (paint(NAME, &tip.package), count(tip.calls, "call"));
                    match &tip.refused {
                        None => {
                            let amount = paint(MONEY, format!("${}", tip.charged.usd));
                            format!("{} {amount} for {package}, for {calls}", paint(GOOD, "✓"))
                        }
                        Some(code) => format!("{} nothing yet for {package}: {code}", paint(BAD, "✗")),
                    }
                };
                given.tips.iter().map(line).collect::<Vec<_>>().join("\n")
            });
            match given.tips.iter().filter(|tip| tip.refused.is_some()).count() {
                0 => Ok(()),
                refused => Err(not_all(refused)),
            }
        }
    }
}

/// Says that some got nothing: a script must not take the month for done.
fn not_all(refused: usize) -> Failure {
    let message = format!("{} not given", count(refused as u64, "tip"));
    let next = "mend what refuses them, and run the same again: what was given is given once";
    Failure::no("tips-refused", message, next)
}

async fn give(context: &Context, args: &TipArgs) -> Result<(), Failure> {
    let purse = Purse::new(context, &args.purse, args.package.registry.as_deref())?;
    let buyer = purse.buyer().await?;
    let (reference, body) = (&args.package.reference, TipBody { usd: args.usd.clone() });
    let given = during("giving", purse.remote.client.tip(reference, &body, buyer.as_ref())).await?;
    context.output.answer(&given, || {
        let amount = paint(MONEY, format!("${}", given.charged.usd));
        format!("{} {amount} for the payees of {}", paint(GOOD, "✓"), paint(NAME, &given.release))
    });
    Ok(())
}
