//! `glassbox statement`.

use glassbox_api::{StatementResponse, StatementRow};

use super::Context;
use super::csv::quoted;
use crate::cli::StatementArgs;
use crate::failure::Failure;
use crate::output::{DIM, HEAD, MONEY, paint};
use crate::progress::during;

pub(super) async fn run(context: &Context, args: &StatementArgs) -> Result<(), Failure> {
    let client = context.operating(&args.operator)?;
    let account = args.account.as_deref();
    let mut statement = during("reading", client.statement(account, 0)).await?;
    while statement.more {
        let after = statement.transfers.last().map_or(0, |row| row.id);
        let page = during("reading", client.statement(account, after)).await?;
        statement.more = page.more;
        statement.transfers.extend(page.transfers);
    }
    match args.csv {
        true => context.output.print(&csv(&statement)),
        false => context.output.answer(&statement, || describe(&statement)),
    }
    Ok(())
}

/// The columns of the CSV.
const COLUMNS: &str = "number,at,kind,debit,credit,usd,pico,subject,transaction";

fn csv(statement: &StatementResponse) -> String {
    let row = |row: &StatementRow| {
        let StatementRow { id, at, kind, debit, credit, usd, pico, subject, transaction } = row;
        let [debit, credit, subject] = [debit, credit, subject].map(|text| quoted(text));
        let transaction = quoted(transaction.as_deref().unwrap_or_default());
        format!("{id},{at},{kind},{debit},{credit},{usd},{pico},{subject},{transaction}")
    };
    [COLUMNS.to_owned()].into_iter().chain(statement.transfers.iter().map(row)).collect::<Vec<_>>().join("\n")
}

fn describe(statement: &StatementResponse) -> String {
    if statement.transfers.is_empty() {
        return "Nothing has moved yet.".into();
    }
    let width = |text: fn(&StatementRow) -> &str| {
        statement.transfers.iter().map(|row| text(row).len()).max().unwrap_or(0)
    };
    let (usd, kind, debit) = (width(|row| &row.usd), width(|row| &row.kind), width(|row| &row.debit));
    let mut lines: Vec<String> = statement
        .transfers
        .iter()
        .map(|row| {
            let amount = paint(MONEY, format!("${:<usd$}", row.usd));
            let at = paint(DIM, &row.at);
            format!("{at}  {:<kind$}  {amount}  {:<debit$} → {}", row.kind, row.debit, row.credit)
        })
        .collect();
    if let (Some(credits), Some(debits)) = (&statement.credits_usd, &statement.debits_usd) {
        lines.push(paint(HEAD, format!("${credits} in, ${debits} out")).to_string());
    }
    lines.join("\n")
}
