//! `glassbox earnings`.

use glassbox_api::{EarningRow, EarningsQuery, EarningsResponse};

use super::Context;
use super::csv::quoted;
use crate::cli::EarningsArgs;
use crate::failure::Failure;
use crate::output::{DIM, HEAD, MONEY, NAME, count, paint};
use crate::progress::during;

pub(super) async fn run(context: &Context, args: &EarningsArgs) -> Result<(), Failure> {
    let mut query = EarningsQuery {
        package: args.package.as_ref().map(ToString::to_string),
        receiver: args.receiver.clone(),
        by: (!args.by.is_empty()).then(|| args.by.iter().map(|by| by.word()).collect::<Vec<_>>().join(",")),
        from: args.from.clone(),
        until: args.until.clone(),
    };
    if let Some(month) = &args.month {
        (query.from, query.until) = (Some(format!("{month}-01")), Some(format!("{}-01", month.next())));
    }
    let response = during("asking", context.client()?.earnings(&query)).await?;
    match args.csv {
        true => context.output.print(&csv(&response)),
        false => context.output.answer(&response, || describe(&response)),
    }
    Ok(())
}

/// What of a row is told apart, in the order of the columns.
fn parts(row: &EarningRow) -> [Option<&String>; 5] {
    [&row.day, &row.package, &row.release, &row.export, &row.payer].map(Option::as_ref)
}

/// The columns of the CSV.
const COLUMNS: &str = "day,package,release,export,payer,receiver,calls,usd,pico,reversed_usd,reversed_pico";

fn csv(response: &EarningsResponse) -> String {
    let row = |row: &EarningRow| {
        let parts = parts(row).map(|part| quoted(part.map_or("", String::as_str)));
        let EarningRow { receiver, calls, usd, pico, .. } = row;
        let back = [&row.reversed_usd, &row.reversed_pico].map(|text| text.as_deref().unwrap_or("0"));
        format!("{},{},{calls},{usd},{pico},{}", parts.join(","), quoted(receiver), back.join(","))
    };
    [COLUMNS.to_owned()].into_iter().chain(response.earnings.iter().map(row)).collect::<Vec<_>>().join("\n")
}

pub(super) fn describe(response: &EarningsResponse) -> String {
    if response.earnings.is_empty() {
        return "Nobody has earned anything yet.".into();
    }
    let mut widths = [0; 6];
    for row in &response.earnings {
        let lengths = parts(row).map(|part| part.map_or(0, String::len));
        for (width, length) in widths.iter_mut().zip(lengths.into_iter().chain([row.receiver.len()])) {
            *width = length.max(*width);
        }
    }
    let [.., receivers] = widths;
    let mut lines = Vec::new();
    for row in &response.earnings {
        let parts = parts(row).into_iter().zip(widths);
        let parts = parts.filter_map(|(part, width)| Some(format!("{:<width$}", part?)));
        lines.push(format!(
            "{}{:<receivers$}  {}  {}{}",
            parts.map(|part| format!("{}  ", paint(NAME, part))).collect::<String>(),
            row.receiver,
            paint(MONEY, format!("${:<14}", row.usd)),
            count(row.calls, "call"),
            row.reversed_usd.as_ref().map(|usd| format!(", ${usd} went back")).unwrap_or_default(),
        ));
    }
    lines.push(paint(HEAD, format!("${} in all", response.total_usd)));
    if response.play_money {
        lines.push(paint(DIM, "devnet, play money"));
    }
    lines.join("\n")
}
