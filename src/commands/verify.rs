//! `glassbox verify`: check a receipt offline, and with `--replay` run the call again.

use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use glassbox_api::File;
use glassbox_client::ClientError;
use glassbox_core::files::Files;
use glassbox_core::receipt::{Bundle, Level, Receipt, Report};
use glassbox_core::{PackageRef, limits};
use glassbox_registry::Code;
use serde::Serialize;

use super::Context;
use crate::cli::VerifyArgs;
use crate::failure::Failure;
use crate::folder;
use crate::output::{BAD, DIM, GOOD, NAME, paint};
use crate::progress::during;
use crate::sandbox;

#[derive(Serialize)]
struct Answer {
    holds: bool,
    level: Option<Level>,
    replayed: bool,
    #[serde(flatten)]
    report: Report,
    #[serde(skip_serializing_if = "Option::is_none")]
    receipt: Option<Receipt>,
}

pub(super) async fn run(context: &Context, args: &VerifyArgs) -> Result<(), Failure> {
    let bundle = read(context, args)?;
    let (mut report, receipt) = bundle.verify(args.executor.as_ref());
    if let Some(receipt) = receipt.as_ref().filter(|_| args.replay) {
        let component = component(context, args, receipt).await?;
        let files = files(context, args, receipt).await?;
        let code = Code { component: &component, files: files.as_ref() };
        let sandbox = sandbox::temporary()?;
        let replay = glassbox_registry::replay(&sandbox, &bundle, receipt, code, &mut report);
        during("running the call again", replay).await;
    }
    let level = report.level();
    let answer = Answer { holds: report.holds(), level, replayed: args.replay, report, receipt };
    context.output.answer(&answer, || describe(&answer));
    if answer.holds {
        return Ok(());
    }
    Err(Failure::no("not-verified", "the receipt does not hold", "do not rely on it"))
}

/// Reads a bundle, or the answer of a call that holds one, from a file or from the receipts of the home folder.
fn read(context: &Context, args: &VerifyArgs) -> Result<Bundle, Failure> {
    let path = find(context, &args.receipt)?;
    let size_bytes = fs::metadata(&path).map_err(|error| Failure::io("read", &path, &error))?.len();
    let not_a_receipt = |detail: String| {
        let message = format!("`{}` is not a receipt: {detail}", path.display());
        Failure::error(
            "receipt-invalid",
            message,
            "`glassbox call` writes one; so does the `receipt` of an answer",
        )
    };
    if size_bytes > limits::PUBLISH_BODY_BYTES_MAX as u64 {
        return Err(not_a_receipt(format!("it has {size_bytes} bytes")));
    }
    let text = fs::read_to_string(&path).map_err(|error| Failure::io("read", &path, &error))?;
    let json: serde_json::Value =
        serde_json::from_str(&text).map_err(|error| not_a_receipt(error.to_string()))?;
    let bundle = match json.get("format") {
        Some(_) => json,
        None => json.get("receipt").cloned().unwrap_or(json),
    };
    serde_json::from_value(bundle).map_err(|error| not_a_receipt(error.to_string()))
}

fn find(context: &Context, receipt: &Path) -> Result<PathBuf, Failure> {
    if receipt.exists() {
        return Ok(receipt.to_owned());
    }
    let kept = receipt.to_str().map(|call| context.home().map(|home| home.receipt_path(call))).transpose()?;
    match kept {
        Some(kept) if kept.exists() => Ok(kept),
        _ => {
            let message = format!("there is no receipt `{}`", receipt.display());
            Err(Failure::no("receipt-not-found", message, "name a file, or the id of a call that you made"))
        }
    }
}

async fn component(context: &Context, args: &VerifyArgs, receipt: &Receipt) -> Result<Vec<u8>, Failure> {
    if let Some(path) = &args.component {
        return fs::read(path).map_err(|error| Failure::io("read", path, &error));
    }
    let (client, release) = (context.client()?, release(receipt));
    during("downloading the component", client.component(&release)).await.map_err(not_free)
}

/// Says where to get what is not free. Checking pays for nothing.
fn not_free(error: ClientError) -> Failure {
    let mut failure = Failure::from(error);
    if failure.code == "payment-required" {
        failure.hint = "buy it with `glassbox download`, and name the file with --component".into();
    }
    failure
}

/// Returns the files that the release shipped: those that are named, or the registry's where the receipt has any.
async fn files(context: &Context, args: &VerifyArgs, receipt: &Receipt) -> Result<Option<Files>, Failure> {
    match (&args.files, receipt.files) {
        (Some(folder), _) => folder::read_files(folder).map(Some),
        (None, None) => Ok(None),
        (None, Some(_)) => {
            let client = context.client()?;
            let response = during("downloading its files", client.files(&release(receipt), "files")).await;
            let response = response.map_err(not_free)?;
            let file = |file: File| match (file.text, file.base64) {
                (Some(text), None) => Some((file.path, text.into_bytes())),
                (None, Some(base64)) => Some((file.path, STANDARD.decode(base64).ok()?)),
                _ => None,
            };
            let files: Option<Vec<_>> = response.files.into_iter().map(file).collect();
            let files = files.and_then(|files| Files::within(limits::RELEASE_FILES_BYTES_MAX, files).ok());
            files.map(Some).ok_or_else(|| {
                Failure::error(
                    "registry-invalid",
                    "the registry's files cannot be read",
                    "name a folder with --files",
                )
            })
        }
    }
}

fn release(receipt: &Receipt) -> PackageRef {
    PackageRef { package: receipt.release.package.clone(), version: Some(receipt.release.version.clone()) }
}

fn describe(answer: &Answer) -> String {
    let mut lines = Vec::new();
    for check in &answer.report.checks {
        let mark = if check.holds { paint(GOOD, "✓") } else { paint(BAD, "✗") };
        lines.push(format!("{mark} {:<14} {}", check.name, paint(DIM, &check.detail)));
    }
    if let Some(receipt) = &answer.receipt {
        lines.push(format!("  {} of {}", paint(NAME, receipt.function.short()), receipt.release));
    }
    lines.push(match (answer.holds, answer.replayed) {
        (true, true) => paint(GOOD, "verified by re-execution"),
        (true, false) => format!("{}: signed, and the bill follows from it", paint(GOOD, "verified")),
        (false, _) => paint(BAD, "not verified"),
    });
    lines.join("\n")
}
