//! `glassbox account`.

use glassbox_api::{
    AccountRequest, AccountResponse, AccountTokenRequest, AccountTokenResponse, AccountTokensResponse,
    AccountsResponse, BudgetRequest, PayInRequest, SettleRequest, SettleResponse,
};
use glassbox_core::Digest;
use glassbox_core::account::{AccountKind, AccountName, Paying};
use glassbox_registry::Env;

use super::Context;
use crate::cli::{AccountCommand, AddAccountArgs};
use crate::failure::Failure;
use crate::output::{DIM, GOOD, HEAD, MONEY, NAME, count, paint};
use crate::progress::during;

/// What takes the budget of an account away, so that the policy's holds.
const POLICY: &str = "policy";

pub(super) async fn run(context: &Context, command: &AccountCommand) -> Result<(), Failure> {
    match command {
        AccountCommand::Add(args) => {
            let request = request(args);
            let client = context.operating(&args.operator)?;
            let opened = during("opening", client.open_account(&request)).await?;
            context.output.answer(&opened, || describe_opened(&opened));
        }
        AccountCommand::List(operator) => {
            let accounts = during("asking", context.operating(operator)?.accounts()).await?;
            context.output.answer(&accounts, || describe_all(&accounts));
        }
        AccountCommand::Show => {
            let account = during("asking", context.own_account()?.own_account()).await?;
            context.output.answer(&account, || describe(&account));
        }
        AccountCommand::Budget { name, month, operator } => {
            let request = BudgetRequest { month_usd: (month != POLICY).then(|| month.clone()) };
            let client = context.operating(operator)?;
            let account = during("asking", client.set_budget(name, &request)).await?;
            context.output.answer(&account, || describe(&account));
        }
        AccountCommand::Token { name, label, expires, operator } => {
            let request = AccountTokenRequest { label: label.clone(), seconds: *expires };
            let client = context.operating(operator)?;
            let made = during("asking", client.make_account_token(name, &request)).await?;
            context.output.answer(&made, || made.token.clone().unwrap_or_default());
            context.output.note(&describe_made(name, &made));
        }
        AccountCommand::Tokens { name, operator } => {
            let tokens = during("asking", context.operating(operator)?.account_tokens(name)).await?;
            context.output.answer(&tokens, || describe_tokens(name, &tokens));
        }
        AccountCommand::Revoke { name, id, operator } => {
            let client = context.operating(operator)?;
            during("asking", client.revoke_account_token(name, id)).await?;
            context.output.note(&format!("{} {id} opens {name} no more.", paint(GOOD, "✓")));
        }
        AccountCommand::Close { name, operator } => {
            let account = during("asking", context.operating(operator)?.close_account(name)).await?;
            context.output.answer(&account, || describe(&account));
        }
        AccountCommand::Credit { name, usd, reference, id, operator } => {
            let id = id.clone().unwrap_or_else(|| Digest::from_bytes(Env::system().random()).hex());
            let request = PayInRequest { id, usd: usd.clone(), reference: reference.clone() };
            let account = during("asking", context.operating(operator)?.pay_in(name, &request)).await?;
            context.output.answer(&account, || describe(&account));
        }
        AccountCommand::Settle { name, month, reference, operator } => {
            let request = SettleRequest { month: month.to_string(), reference: reference.clone() };
            let client = context.operating(operator)?;
            let settled = during("asking", client.settle_account(name, &request)).await?;
            context.output.answer(&settled, || describe_settled(name, &settled));
        }
    }
    Ok(())
}

fn request(args: &AddAccountArgs) -> AccountRequest {
    let kind = if args.person { AccountKind::Person } else { AccountKind::Agent };
    let paying = if args.prepaid { Paying::Prepaid } else { Paying::Invoice };
    AccountRequest {
        name: args.name.to_string(),
        kind: kind.as_str().into(),
        cost_center: args.cost_center.to_string(),
        paying: paying.as_str().into(),
        approves: args.approves,
        month_usd: args.month.clone(),
    }
}

fn describe_opened(account: &AccountResponse) -> String {
    let next = format!("its first token: glassbox account token {}", account.name);
    format!("{} {}\n{}", paint(GOOD, "✓"), describe(account), paint(DIM, next))
}

fn describe(account: &AccountResponse) -> String {
    let AccountResponse { name, kind, cost_center, .. } = account;
    let spent = paint(MONEY, format!("${}", account.spent_usd));
    let budget = match &account.month_usd {
        Some(month) => format!("{spent} of ${month} spent in this month"),
        None => format!("{spent} spent in this month"),
    };
    let pays = match account.paying == Paying::Prepaid.as_str() {
        true => format!("${} left of what was paid in", account.available_usd),
        false => format!("${} owed", account.owed_usd),
    };
    let mut words = vec![budget, pays];
    words.extend(account.approves.then(|| "may approve".to_owned()));
    words.extend(account.closed_at.as_ref().map(|at| format!("closed {at}")));
    format!("{} ({kind}, {cost_center})  {}", paint(NAME, name), words.join(", "))
}

fn describe_all(response: &AccountsResponse) -> String {
    match response.accounts.is_empty() {
        true => "There are no accounts yet.".into(),
        false => response.accounts.iter().map(describe).collect::<Vec<_>>().join("\n"),
    }
}

fn describe_made(name: &AccountName, made: &AccountTokenResponse) -> String {
    let ends = made.expires_at.as_ref().map(|at| format!(", until {at}")).unwrap_or_default();
    let words =
        format!("opens {name}{ends}; keep it now, for it is shown to nobody again. Its id is {}", made.id);
    paint(DIM, words)
}

fn describe_tokens(name: &AccountName, response: &AccountTokensResponse) -> String {
    let mut lines = vec![paint(HEAD, format!("{name} has {}", count(response.tokens.len() as u64, "token")))];
    for token in &response.tokens {
        let state = match (&token.revoked_at, &token.expires_at) {
            (Some(at), _) => format!("taken back {at}"),
            (None, Some(at)) => format!("until {at}"),
            (None, None) => "in force".into(),
        };
        lines.push(format!("  {}  {state}  {}", paint(NAME, &token.id), paint(DIM, &token.label)));
    }
    lines.join("\n")
}

fn describe_settled(name: &AccountName, settled: &SettleResponse) -> String {
    match settled.calls {
        0 => format!("{name} owed nothing for it."),
        calls => format!(
            "{} {name} paid {} for {}",
            paint(GOOD, "✓"),
            paint(MONEY, format!("${}", settled.settled.usd)),
            count(calls, "call")
        ),
    }
}
