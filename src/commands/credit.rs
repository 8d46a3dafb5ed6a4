//! `glassbox credit`.

use glassbox_api::{CreditBalanceResponse, CreditRefundRequest, CreditRequest, CreditResponse, GrantRequest};
use glassbox_client::Buyer;
use glassbox_core::Atomic;

use super::{Context, token};
use crate::cli::CreditCommand;
use crate::failure::Failure;
use crate::home::{Home, write_private};
use crate::output::{DIM, GOOD, MONEY, NAME, paint};
use crate::progress::during;
use crate::wallet;

pub(super) async fn run(context: &Context, command: &CreditCommand) -> Result<(), Failure> {
    let home = context.home()?;
    match command {
        CreditCommand::Buy { usd, account, password } => {
            let amount = dollars(usd)?;
            let account = match (account, token::own(&home)?) {
                (Some(account), _) => Some(account.clone()),
                (None, Some(token)) => Some(token::said(&token)?.account),
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
            let client = token::client(context)?;
            let balance = during("asking", client.credit()).await?;
            context.output.answer(&balance, || describe(&balance));
        }
        CreditCommand::Refund { usd, to } => {
            let to = match to {
                Some(to) => to.clone(),
                None => super::wallet::address(&home).await?.0,
            };
            let id = glassbox_core::Digest::from_bytes(glassbox_registry::Env::system().random()).hex();
            let request = CreditRefundRequest { id: id[..32].to_owned(), to: to.clone(), usd: usd.clone() };
            let client = token::client(context)?;
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

/// Keeps the token of a new account. It is money: where it cannot be kept, it is shown.
fn keep(home: &Home, bought: &CreditResponse) -> Result<(), Failure> {
    let Some(token) = &bought.token else { return Ok(()) };
    write_private(&home.credit_path(), token).map_err(|error| {
        let message = format!("the credit is bought, and its token is not kept: {error}");
        Failure::error("io", message, format!("keep it yourself: {token}"))
    })
}

/// Reads dollars.
pub(super) fn dollars(text: &str) -> Result<Atomic, Failure> {
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
