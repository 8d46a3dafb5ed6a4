//! `glassbox spend` and `glassbox wallet spending`: what was spent in a day, beside what may be.

use std::time::SystemTime;

use glassbox_api::Money;
use glassbox_client::policy::{self, Policy};
use glassbox_client::spending::{self, Entry, Outcome, Spending};
use glassbox_core::Atomic;
use jiff::Timestamp;
use jiff::civil::Date;
use serde::Serialize;

use super::Context;
use crate::failure::{Failure, policy_failure, spending_failure};
use crate::home::Home;
use crate::output::{DIM, HEAD, MONEY, NAME, count, paint};

/// What was spent in a day, beside what may be.
#[derive(Serialize)]
pub(super) struct Answer {
    /// The UTC day.
    day: Date,
    /// What registries say that they charged.
    charged: Money,
    /// What counts toward the day's bound: of registries that the policy does not name all that was signed, and of any
    /// what has no outcome yet.
    counted: Money,
    /// What may be spent in a day, where the policy says.
    #[serde(skip_serializing_if = "Option::is_none")]
    max: Option<Money>,
    hosts: Vec<Host>,
    payments: Vec<Entry>,
}

#[derive(Serialize)]
struct Host {
    host: String,
    counted: Money,
}

pub(super) fn run(context: &Context, home: &Home, day: Option<Date>) -> Result<(), Failure> {
    let answer = report(home, day)?;
    context.output.answer(&answer, || describe(&answer));
    Ok(())
}

/// Reads what was spent in a day; today where none is named.
pub(super) fn report(home: &Home, day: Option<Date>) -> Result<Answer, Failure> {
    let policy = Policy::load(&home.path().join(policy::FILE_NAME));
    let policy = policy.map_err(|error| policy_failure(&error))?;
    let now = Timestamp::try_from(SystemTime::now());
    let now = now.map_err(|error| Failure::error("internal", error.to_string(), "set the clock"))?;
    let day = day.unwrap_or_else(|| spending::day_of(now));
    let spending = Spending::open(&home.path().join(spending::FOLDER_NAME));
    let payments = spending.day(day).map_err(|error| spending_failure(&error))?;
    let hosts = spending::spent_by_host(&payments, &policy);
    let sum = |amounts: &mut dyn Iterator<Item = Atomic>| {
        Atomic(amounts.fold(0, |sum: u128, amount| sum.saturating_add(amount.0)))
    };
    // What was paid out of a channel was charged when it was deposited.
    let from_wallet = payments.iter().filter(|entry| entry.spend.channel.is_none());
    let charged = from_wallet.filter_map(|entry| match entry.outcome {
        Some(Outcome::Charged(amount)) => Some(amount),
        _ => None,
    });
    let charged = sum(&mut { charged });
    Ok(Answer {
        day,
        charged: charged.into(),
        counted: sum(&mut hosts.values().copied()).into(),
        max: policy.max.day.map(Money::from),
        hosts: hosts
            .into_iter()
            .map(|(host, counted)| Host { host: host.to_string(), counted: counted.into() })
            .collect(),
        payments,
    })
}

fn describe(answer: &Answer) -> String {
    let charged = paint(MONEY, format!("${}", answer.charged.usd));
    let payments = count(answer.payments.len() as u64, "payment");
    let counted = match &answer.max {
        Some(max) => format!("; ${} counted of ${}", answer.counted.usd, max.usd),
        None if answer.counted.amount == answer.charged.amount => String::new(),
        None => format!("; ${} counted", answer.counted.usd),
    };
    let day = paint(HEAD, format!("{} UTC", answer.day));
    let mut lines = vec![format!("{day}  {charged} charged by {payments}{counted}")];
    for Host { host, counted } in &answer.hosts {
        lines.push(format!("  {}  ${}", paint(NAME, host), counted.usd));
    }
    for Entry { at, spend, outcome, .. } in &answer.payments {
        let signed = spend.amount_max.to_decimal();
        let became = match outcome {
            Some(Outcome::Charged(amount)) => format!("${} charged", amount.to_decimal()),
            Some(Outcome::NotCharged) => format!("not charged, ${signed} signed"),
            Some(Outcome::NotSent) => "not sent".into(),
            None => format!("${signed} signed, outcome unknown"),
        };
        let at = Timestamp::from_second(at.as_second()).unwrap_or(*at);
        lines.push(format!("  {at}  {became}  {}", paint(DIM, &spend.call)));
    }
    lines.join("\n")
}
