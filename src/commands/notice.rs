//! `glassbox notice`.

use glassbox_api::{ActionsResponse, NoticeDecision, NoticeRequest, NoticeResponse};

use super::Context;
use crate::cli::{NoticeCommand, NoticeDecisionArgs, Operator};
use crate::failure::Failure;
use crate::output::{DIM, NAME, paint};
use crate::progress::during;

pub(super) async fn run(context: &Context, command: &NoticeCommand) -> Result<(), Failure> {
    match command {
        NoticeCommand::Give { about, ground, text, contact } => {
            let request = NoticeRequest {
                about: about.to_string(),
                ground: ground.clone(),
                text: text.clone(),
                contact: contact.clone(),
            };
            let given = during("sending", context.client()?.give_notice(&request)).await?;
            context.output.answer(&given, || given.id.clone());
            context.output.note("A person decides. `glassbox notice show` with this id says what.");
        }
        NoticeCommand::Show { id } => {
            let notice = during("asking", context.client()?.notice(id)).await?;
            context.output.answer(&notice, || describe(&notice));
        }
        NoticeCommand::List { all, operator } => {
            let notices = during("asking", context.operating(operator)?.notices(*all)).await?;
            context.output.answer(&notices, || match notices.notices.is_empty() {
                true => "No notice waits.".into(),
                false => notices.notices.iter().map(describe).collect::<Vec<_>>().join("\n"),
            });
        }
        NoticeCommand::Act(args) => decide(context, args, "acted").await?,
        NoticeCommand::Dismiss(args) => decide(context, args, "dismissed").await?,
        NoticeCommand::Log(operator) => log(context, operator).await?,
    }
    Ok(())
}

async fn decide(context: &Context, args: &NoticeDecisionArgs, state: &str) -> Result<(), Failure> {
    let client = context.operating(&args.operator)?;
    let decision = NoticeDecision { state: state.to_owned(), reason: args.reason.clone() };
    let decided = during("deciding", client.decide_notice(&args.id, &decision)).await?;
    context.output.answer(&decided, || describe(&decided));
    Ok(())
}

async fn log(context: &Context, operator: &Operator) -> Result<(), Failure> {
    let client = context.operating(operator)?;
    let mut whole = during("reading", client.actions(0)).await?;
    while whole.more {
        let after = whole.actions.last().map_or(0, |action| action.number);
        let page = during("reading", client.actions(after)).await?;
        whole = ActionsResponse { actions: [whole.actions, page.actions].concat(), more: page.more };
    }
    context.output.answer(&whole, || match whole.actions.is_empty() {
        true => "Nothing was decided yet.".into(),
        false => {
            let line = |action: &glassbox_api::ActionRow| {
                let about = paint(NAME, &action.about);
                format!("{}  {about}  {}: {}", paint(DIM, &action.at), action.action, action.reason)
            };
            whole.actions.iter().map(line).collect::<Vec<_>>().join("\n")
        }
    });
    Ok(())
}

fn describe(notice: &NoticeResponse) -> String {
    let NoticeResponse { id, about, ground, at, state, .. } = notice;
    let mut lines = vec![format!("{}  {about}: {ground}  {state}  {}", paint(NAME, id), paint(DIM, at))];
    lines.extend(notice.text.iter().map(|text| format!("  {text}")));
    lines.extend(notice.contact.iter().map(|contact| format!("  from {contact}")));
    lines.extend(notice.reason.iter().map(|reason| format!("  decided: {reason}")));
    lines.join("\n")
}
