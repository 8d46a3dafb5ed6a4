//! `glassbox audit ledger`.

use glassbox_api::AuditResponse;

use super::Context;
use crate::cli::Operator;
use crate::failure::Failure;
use crate::output::{BAD, GOOD, MONEY, count, paint};
use crate::progress::during;

pub(super) async fn ledger(context: &Context, operator: &Operator) -> Result<(), Failure> {
    let audit = during("replaying the ledger", context.operating(operator)?.audit_ledger()).await?;
    context.output.answer(&audit, || describe(&audit));
    match audit.findings.len() {
        0 => Ok(()),
        found => {
            let message = format!("the ledger is not right in {}", count(found as u64, "place"));
            Err(Failure::no(
                "ledger-wrong",
                message,
                "each finding above says what differs; keep the data folder as it is",
            ))
        }
    }
}

fn describe(audit: &AuditResponse) -> String {
    let mark = if audit.findings.is_empty() { paint(GOOD, "✓") } else { paint(BAD, "✗") };
    let mut lines = vec![
        format!(
            "{mark} {} in {}, {} on the chain",
            count(audit.transfers as u64, "transfer"),
            count(audit.accounts as u64, "account"),
            count(audit.transactions as u64, "transaction"),
        ),
        format!(
            "  the ledger holds {}, the treasury {}",
            paint(MONEY, format!("${}", audit.booked_usd)),
            paint(MONEY, format!("${}", audit.held_usd)),
        ),
    ];
    lines.extend(audit.findings.iter().map(|finding| format!("  {finding}")));
    lines.join("\n")
}
