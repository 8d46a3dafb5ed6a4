//! `glassbox wallet`.

use glassbox_client::ClientError;
use serde::Serialize;

use super::Context;
use crate::cli::WalletCommand;
use crate::failure::Failure;
use crate::output::{DIM, GOOD, MONEY, NAME, paint};
use crate::progress::during;

#[derive(Serialize)]
struct Answer {
    address: String,
    file: String,
    /// What it has at the registry's token, in dollars; absent when no registry could be asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    usd: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    label: Option<String>,
}

pub(super) async fn run(context: &Context, command: &WalletCommand) -> Result<(), Failure> {
    let home = context.home()?;
    let file = home.wallet_path().display().to_string();
    match command {
        WalletCommand::New => {
            let address = home.new_wallet()?.address().to_string();
            let answer = Answer { address, file, usd: None, label: None };
            context.output.answer(&answer, || {
                let note = paint(
                    DIM,
                    "its key lies there in clear: for play money only; next: glassbox wallet fund",
                );
                format!("Made wallet {} in {}\n{note}", paint(NAME, &answer.address), answer.file)
            });
        }
        WalletCommand::Show => {
            let address = home.wallet()?.address().to_string();
            let balance = match during("asking", context.client()?.balance(&address)).await {
                Ok(balance) => Some(balance),
                // The address is worth showing without a registry.
                Err(ClientError::Transport { .. }) => None,
                Err(error) => return Err(error.into()),
            };
            let (usd, label) = balance.map(|balance| (balance.balance.usd, balance.label)).unzip();
            let answer = Answer { address, file, usd, label };
            context.output.answer(&answer, || describe(&answer));
        }
        WalletCommand::Fund { usd } => {
            let address = home.wallet()?.address().to_string();
            let balance = during("asking the faucet", context.client()?.faucet(&address, usd)).await?;
            let answer = Answer { address, file, usd: Some(balance.balance.usd), label: Some(balance.label) };
            context.output.answer(&answer, || format!("{} {}", paint(GOOD, "✓"), describe(&answer)));
        }
    }
    Ok(())
}

fn describe(answer: &Answer) -> String {
    let has = match (&answer.usd, &answer.label) {
        (Some(usd), Some(label)) => format!("has {} ({label})", paint(MONEY, format!("${usd}"))),
        _ => "(no registry to ask for its balance)".into(),
    };
    format!("{} {has}", paint(NAME, &answer.address))
}
