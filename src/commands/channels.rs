//! `glassbox wallet channels` and `glassbox wallet close`.

use std::path::Path;

use glassbox_api::Money;
use glassbox_client::channels::{self, Channel, ChannelError, Channels};
use glassbox_client::{Buyer, Client};
use glassbox_core::Atomic;
use serde::Serialize;

use super::Context;
use crate::failure::{Failure, channel_failure};
use crate::home::Home;
use crate::output::{GOOD, MONEY, NAME, paint};
use crate::progress::during;
use crate::wallet;

#[derive(Serialize)]
struct Row {
    channel: String,
    registry: String,
    /// What is left for calls.
    left: Money,
    /// What its calls cost so far.
    charged: Money,
    /// What came back just now.
    #[serde(skip_serializing_if = "Option::is_none")]
    returned: Option<Money>,
}

impl Row {
    fn of(channel: &Channel, returned: Option<Atomic>) -> Self {
        Self {
            channel: channel.id.clone(),
            registry: channel.host.to_string(),
            left: channel.left().into(),
            charged: channel.charged.into(),
            returned: returned.map(Money::from),
        }
    }
}

fn all(home: &Home) -> Result<Vec<Channel>, Failure> {
    let channels = Channels::open(&home.path().join(channels::FOLDER_NAME));
    channels.all().map_err(|error| channel_failure(&error))
}

pub(super) fn list(context: &Context, home: &Home) -> Result<(), Failure> {
    let rows: Vec<Row> = all(home)?.iter().map(|channel| Row::of(channel, None)).collect();
    context.output.answer(&rows, || match rows.is_empty() {
        true => "no channels: the policy allows them with `deposit` under [max]".to_owned(),
        false => rows.iter().map(describe).collect::<Vec<_>>().join("\n"),
    });
    Ok(())
}

fn describe(row: &Row) -> String {
    let left = paint(MONEY, format!("${} left", row.left.usd));
    format!("{}  {left}, ${} charged  {}", paint(NAME, &row.registry), row.charged.usd, row.channel)
}

pub(super) async fn close(
    context: &Context,
    home: &Home,
    id: Option<&str>,
    password_file: Option<&Path>,
) -> Result<(), Failure> {
    let mut chosen = all(home)?;
    match id {
        Some(id) => {
            chosen.retain(|channel| channel.id == id);
            if chosen.is_empty() {
                return Err(channel_failure(&ChannelError::Unknown(id.to_owned())));
            }
        }
        None => chosen.retain(|channel| channel.left() > Atomic::ZERO),
    }
    let wallet = wallet::open(home, password_file).await?.wallet;
    let buyer = Buyer::open(home.path(), wallet, Atomic::ZERO)?;
    let mut rows = Vec::new();
    for channel in &chosen {
        let client = Client::new(channel.host.as_str())?;
        let returned = during("asking", client.close_channel(channel, &buyer)).await?;
        let left =
            Channel { balance: Atomic(channel.balance.0.saturating_sub(returned.0)), ..channel.clone() };
        rows.push(Row::of(&left, Some(returned)));
    }
    context.output.answer(&rows, || match rows.is_empty() {
        true => "nothing is left in any channel".to_owned(),
        false => {
            let line = |row: &Row| {
                let returned = row.returned.as_ref().map_or("", |returned| returned.usd.as_str());
                let back = paint(MONEY, format!("${returned}"));
                format!("{} {back} back from {}", paint(GOOD, "✓"), paint(NAME, &row.registry))
            };
            rows.iter().map(line).collect::<Vec<_>>().join("\n")
        }
    });
    Ok(())
}
