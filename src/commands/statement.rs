//! `glassbox statement`.

use glassbox_api::{StatementResponse, StatementRow};

use super::Context;
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

/// Writes a field as RFC 4180 says. What a spreadsheet would take for a formula is made a text.
fn quoted(text: &str) -> String {
    let text = match text.starts_with(['=', '+', '-', '@']) {
        true => format!("'{text}"),
        false => text.to_owned(),
    };
    match text.contains([',', '"', '\n', '\r']) {
        true => format!("\"{}\"", text.replace('"', "\"\"")),
        false => text,
    }
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

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn fields_are_one_field_and_no_formula() {
        for (text, field) in [
            ("payee:acct:ana@example.org", "payee:acct:ana@example.org"),
            ("journal 88, page 2", "\"journal 88, page 2\""),
            ("the \"first\"", "\"the \"\"first\"\"\""),
            ("=1+1", "'=1+1"),
            ("", ""),
        ] {
            assert_eq!(quoted(text), field);
        }
    }
}
