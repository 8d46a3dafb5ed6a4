//! `glassbox payee`.

use glassbox_api::{FreezeRequest, PayeeRequest, PayeesResponse};

use super::Context;
use crate::cli::{FreezeArgs, PayeeCommand, PayeeDecision};
use crate::failure::Failure;
use crate::output::{DIM, NAME, paint};
use crate::progress::during;

pub(super) async fn run(context: &Context, command: &PayeeCommand) -> Result<(), Failure> {
    let payees = match command {
        PayeeCommand::List(operator) => during("asking", context.operating(operator)?.payees()).await?,
        PayeeCommand::Verify { decision, address } => decide(context, decision, "verified", address).await?,
        PayeeCommand::Suspend(decision) => decide(context, decision, "suspended", &None).await?,
        PayeeCommand::Reset(decision) => decide(context, decision, "unverified", &None).await?,
        PayeeCommand::Freeze(args) => freeze(context, args, true).await?,
        PayeeCommand::Thaw(args) => freeze(context, args, false).await?,
    };
    context.output.answer(&payees, || describe(&payees));
    Ok(())
}

async fn decide(
    context: &Context,
    decision: &PayeeDecision,
    state: &str,
    address: &Option<String>,
) -> Result<PayeesResponse, Failure> {
    let client = context.operating(&decision.operator)?;
    let request = PayeeRequest {
        payee: decision.payee.clone(),
        state: state.to_owned(),
        address: address.clone(),
        reason: decision.reason.clone(),
    };
    Ok(during("deciding", client.decide_payee(&request)).await?)
}

async fn freeze(context: &Context, args: &FreezeArgs, frozen: bool) -> Result<PayeesResponse, Failure> {
    let client = context.operating(&args.operator)?;
    let (package, reason) = (args.package.to_string(), args.reason.clone());
    let request = FreezeRequest { package, frozen, reason };
    Ok(during("deciding", client.freeze(&request)).await?)
}

fn describe(response: &PayeesResponse) -> String {
    let payees = response.payees.iter().map(|payee| {
        let to = payee.address.as_ref().map(|address| format!(", paid to {address}")).unwrap_or_default();
        let name = paint(NAME, &payee.payee);
        format!("{name}  {}{to}  {}", payee.state, paint(DIM, format!("{}: {}", payee.at, payee.reason)))
    });
    let frozen = response.frozen.iter().map(|freeze| {
        let why = paint(DIM, format!("{}: {}", freeze.at, freeze.reason));
        format!("{}  what it earned waits  {why}", paint(NAME, &freeze.package))
    });
    let due = response.credits_due.iter().map(|credit| {
        let (package, usd) = (paint(NAME, &credit.package), &credit.due.usd);
        let call = paint(DIM, format!("the sale {}", credit.call));
        format!("{package}  ${usd} goes back for a broken promise once its payees have as much  {call}")
    });
    let lines: Vec<String> = payees.chain(frozen).chain(due).collect();
    match lines.is_empty() {
        true => "Nothing was decided: every payee is unverified, and nothing waits.".into(),
        false => lines.join("\n"),
    }
}
