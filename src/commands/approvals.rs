//! `glassbox approvals`.

use glassbox_api::{ApprovalResponse, ApprovalsResponse};

use super::Context;
use crate::cli::{ApprovalsCommand, DecideArgs};
use crate::failure::Failure;
use crate::output::{DIM, GOOD, MONEY, NAME, paint};
use crate::progress::during;

pub(super) async fn run(context: &Context, command: &ApprovalsCommand) -> Result<(), Failure> {
    match command {
        ApprovalsCommand::List { all, operator } => {
            let client = context.deciding(operator)?;
            let approvals = during("asking", client.approvals(!all)).await?;
            context.output.answer(&approvals, || describe_all(&approvals));
            Ok(())
        }
        ApprovalsCommand::Approve(args) => decide(context, args, true).await,
        ApprovalsCommand::Deny(args) => decide(context, args, false).await,
    }
}

async fn decide(context: &Context, args: &DecideArgs, approve: bool) -> Result<(), Failure> {
    let client = context.deciding(&args.operator)?;
    let decided = during("asking", client.decide_approval(&args.id, approve)).await?;
    context.output.answer(&decided, || format!("{} {}", paint(GOOD, "✓"), describe(&decided)));
    Ok(())
}

fn describe_all(response: &ApprovalsResponse) -> String {
    match response.approvals.is_empty() {
        true => "Nothing waits for a person.".into(),
        false => response.approvals.iter().map(describe).collect::<Vec<_>>().join("\n"),
    }
}

fn describe(approval: &ApprovalResponse) -> String {
    let ApprovalResponse { id, account, release, function, max, state, asked_at, .. } = approval;
    let by = approval.decided_by.as_ref().map(|by| format!(" by {by}")).unwrap_or_default();
    format!(
        "{}  {account}: {function} of {release}, up to {}  {state}{by}  {}",
        paint(NAME, id),
        paint(MONEY, format!("${}", max.usd)),
        paint(DIM, asked_at),
    )
}
