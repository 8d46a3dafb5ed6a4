//! `glassbox credit`.

use std::fs;
use std::time::{SystemTime, UNIX_EPOCH};

use glassbox_api::{CreditBalanceResponse, CreditRefundRequest, CreditRequest, CreditResponse, GrantRequest};
use glassbox_client::Buyer;
use glassbox_core::Atomic;
use glassbox_token::{Caps, Token};
use serde::Serialize;

use super::Context;
use crate::cli::{CreditCommand, NarrowArgs};
use crate::failure::Failure;
use crate::home::{Home, write_private};
use crate::output::{DIM, GOOD, MONEY, NAME, paint};
use crate::progress::during;
use crate::wallet;

/// The variable that holds a token, before that of the home folder.
const CREDIT: &str = "GLASSBOX_CREDIT";

#[derive(Serialize)]
struct Narrowed {
    token: String,
}

pub(super) async fn run(context: &Context, command: &CreditCommand) -> Result<(), Failure> {
    let home = context.home()?;
    match command {
        CreditCommand::Buy { usd, account, password } => {
            let amount = dollars(usd)?;
            let account = match (account, own(&home)?) {
                (Some(account), _) => Some(account.clone()),
                (None, Some(token)) => Some(account_of(&token)?),
                (None, None) => None,
            };
            let opened = wallet::open(&home, password.file.as_deref()).await?;
            let buyer = Buyer::open(home.path(), opened.wallet, amount)?;
            let request = CreditRequest { account, usd: usd.clone() };
            let bought = during("buying", context.client()?.buy_credit(&request, &buyer)).await?;
            keep(&home, &bought)?;
            context.output.answer(&bought, || describe_bought(&home, &bought));
        }
        CreditCommand::Show => {
            let client = context.client()?.with_token(&token(&home)?.to_string());
            let balance = during("asking", client.credit()).await?;
            context.output.answer(&balance, || describe(&balance));
        }
        CreditCommand::Narrow(args) => {
            let narrowed = token(&home)?.attenuate(&caps(args)?);
            let narrowed = narrowed
                .map_err(|error| Failure::no("token-invalid", error.to_string(), "narrow it less often"))?;
            let answer = Narrowed { token: narrowed.to_string() };
            context.output.answer(&answer, || answer.token.clone());
        }
        CreditCommand::Revoke { token: given } => {
            let token = match given {
                Some(text) => read(text)?,
                None => token(&home)?,
            };
            let client = context.client()?.with_token(&token.to_string());
            during("asking", client.revoke_token()).await?;
            context
                .output
                .note(&format!("{} It pays nothing more, nor does what was made from it.", paint(GOOD, "✓")));
        }
        CreditCommand::Refund { usd, to } => {
            let to = match to {
                Some(to) => to.clone(),
                None => super::wallet::address(&home).await?.0,
            };
            let id = glassbox_core::Digest::from_bytes(glassbox_registry::Env::system().random()).hex();
            let request = CreditRefundRequest { id: id[..32].to_owned(), to: to.clone(), usd: usd.clone() };
            let client = context.client()?.with_token(&token(&home)?.to_string());
            during("asking", client.refund_credit(&request)).await?;
            context.output.note(&format!("{} ${usd} go back to {to} within seconds.", paint(GOOD, "✓")));
        }
        CreditCommand::Grant { usd, label, operator } => {
            let request = GrantRequest { label: label.clone(), usd: usd.clone() };
            let granted = during("asking", context.operating(operator)?.grant_credit(&request)).await?;
            context.output.answer(&granted, || {
                let token = granted.token.as_deref().unwrap_or_default();
                format!(
                    "Opened {} with {}\n{token}",
                    granted.account,
                    paint(MONEY, format!("${}", granted.credited.usd))
                )
            });
        }
    }
    Ok(())
}

/// Returns the token that pays: that of the environment, or of the home folder.
pub(super) fn token(home: &Home) -> Result<Token, Failure> {
    if let Some(text) = std::env::var(CREDIT).ok().filter(|text| !text.is_empty()) {
        return read(&text);
    }
    own(home)?.ok_or_else(|| {
        let message = format!("there is no token at `{}`", home.credit_path().display());
        Failure::no(
            "token-not-found",
            message,
            "buy credit with `glassbox credit buy 5`, or set GLASSBOX_CREDIT",
        )
    })
}

fn own(home: &Home) -> Result<Option<Token>, Failure> {
    let path = home.credit_path();
    match fs::read_to_string(&path) {
        Ok(text) => read(text.trim()).map(Some),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Failure::io("read", &path, &error)),
    }
}

fn read(text: &str) -> Result<Token, Failure> {
    text.parse().map_err(|error: glassbox_token::TokenError| {
        Failure::error("token-invalid", error.to_string(), "tokens begin with gbt_ and are copied whole")
    })
}

fn account_of(token: &Token) -> Result<String, Failure> {
    let said = token.inspect().map_err(|error| Failure::error("token-invalid", error.to_string(), ""))?;
    Ok(said.account)
}

/// Keeps the token of a new account. It is money: where it cannot be kept, it is shown.
fn keep(home: &Home, bought: &CreditResponse) -> Result<(), Failure> {
    let Some(token) = &bought.token else { return Ok(()) };
    write_private(&home.credit_path(), token).map_err(|error| {
        let message = format!("the credit is bought, and its token is not kept: {error}");
        Failure::error("io", message, format!("keep it yourself: {token}"))
    })
}

fn caps(args: &NarrowArgs) -> Result<Caps, Failure> {
    let now_s = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_secs());
    Ok(Caps {
        amount_per_call_max: args.per_call.as_deref().map(dollars).transpose()?,
        amount_max: args.total.as_deref().map(dollars).transpose()?,
        calls_max: args.calls,
        expires_at_s: args.expires.map(|seconds| now_s.saturating_add(seconds)),
        packages: (!args.packages.is_empty()).then(|| args.packages.clone()),
        ..Caps::default()
    })
}

fn dollars(text: &str) -> Result<Atomic, Failure> {
    Atomic::from_decimal(text).map_err(|error| {
        Failure::error("amount-invalid", error.to_string(), "write dollars, such as 5 or 0.01")
    })
}

fn describe_bought(home: &Home, bought: &CreditResponse) -> String {
    let credited = paint(MONEY, format!("${}", bought.credited.usd));
    let first = format!("{} {credited} for {}", paint(GOOD, "✓"), paint(NAME, &bought.account));
    match &bought.token {
        Some(_) => {
            let note = format!(
                "its token lies in {}: whoever has it can spend; next: glassbox call … --credit",
                home.credit_path().display()
            );
            format!("{first}\n{}", paint(DIM, note))
        }
        None => first,
    }
}

fn describe(balance: &CreditBalanceResponse) -> String {
    format!(
        "{} has {}, {} set aside, {} spent",
        paint(NAME, &balance.account),
        paint(MONEY, format!("${}", balance.available_usd)),
        paint(MONEY, format!("${}", balance.held_usd)),
        paint(MONEY, format!("${}", balance.spent_usd)),
    )
}
