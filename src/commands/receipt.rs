//! `glassbox receipt`.

use glassbox_core::Digest;
use serde::Serialize;

use super::Context;
use crate::cli::{FetchArgs, ReceiptCommand};
use crate::failure::Failure;
use crate::keep::Folder;
use crate::output::{DIM, GOOD, paint};
use crate::progress::during;
use crate::receipts;

#[derive(Serialize)]
struct Answer {
    receipt: Digest,
    level: Option<glassbox_core::receipt::Level>,
    file: String,
}

pub(super) async fn run(context: &Context, command: &ReceiptCommand) -> Result<(), Failure> {
    match command {
        ReceiptCommand::Fetch(args) => fetch(context, args).await,
    }
}

async fn fetch(context: &Context, args: &FetchArgs) -> Result<(), Failure> {
    let path = receipts::find(context, &args.receipt)?;
    let mut bundle = receipts::read_bundle(&path)?;
    let digest = bundle.receipt.payload_digest().ok_or_else(|| {
        let message = format!("`{}` is not a receipt: its payload is not base64", path.display());
        Failure::error("receipt-invalid", message, "`glassbox call` writes one")
    })?;
    let out = args.out.as_ref().unwrap_or(&path);
    let folder = Folder::of(out, "the receipt")?;
    let client = context.client()?;
    let proof = during("fetching the proof", client.proof(digest)).await?;
    bundle.proof = Some(proof.ok_or_else(|| {
        let message = "the receipt is not in the log yet";
        Failure::no("receipt-waits", message, "try again in some seconds: receipts are logged in batches")
    })?);
    // A proof that does not hold must not take the place of a receipt that does.
    let (report, _) = bundle.verify(None);
    if let Some(check) = report.checks.iter().find(|check| !check.holds) {
        let message = format!("the proof does not hold: {}: {}", check.name, check.detail);
        return Err(Failure::no("not-verified", message, "the file is as it was"));
    }
    let text = receipts::to_text(&bundle);
    folder.keep(out, text.as_bytes()).map_err(|error| Failure::io("write", out, &error))?;
    let answer = Answer { receipt: digest, level: report.level(), file: out.display().to_string() };
    context.output.answer(&answer, || {
        let logged = report.checks.iter().find(|check| check.name == "inclusion");
        let detail = logged.map(|check| check.detail.as_str()).unwrap_or_default();
        format!("{} {detail}\n{}", paint(GOOD, "✓"), paint(DIM, &answer.file))
    });
    Ok(())
}
