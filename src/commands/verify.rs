//! `glassbox verify`.

use std::fs;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use glassbox_api::{File, VerifyResponse};
use glassbox_client::ClientError;
use glassbox_core::dsse::Envelope;
use glassbox_core::files::Files;
use glassbox_core::log::{KnownLog, LogPolicy};
use glassbox_core::receipt::{Bundle, Certificate, Receipt, Report, Trust};
use glassbox_core::release::Release;
use glassbox_core::{Digest, PackageRef, limits};
use glassbox_registry::{Code, Rerun};
use serde::{Deserialize as _, Serialize};

use super::Context;
use crate::cli::VerifyArgs;
use crate::failure::Failure;
use crate::output::{BAD, DIM, GOOD, NAME, paint};
use crate::progress::during;
use crate::receipts::{self, Document};
use crate::remote::{self, Remote};
use crate::{folder, sandbox};

#[derive(Serialize)]
struct Answer {
    replayed: bool,
    #[serde(flatten)]
    found: VerifyResponse,
}

pub(super) async fn run(context: &Context, args: &VerifyArgs) -> Result<(), Failure> {
    match receipts::read(&receipts::find(context, &args.receipt)?)? {
        Document::Bundle(bundle) => verify_receipt(context, args, &bundle).await,
        Document::Certificate(certificate) => verify_certificate(context, args, &certificate).await,
    }
}

async fn verify_receipt(context: &Context, args: &VerifyArgs, bundle: &Bundle) -> Result<(), Failure> {
    let trust = Trust { executor: args.executor, policy: policy(context, args)? };
    let (mut report, receipt) = bundle.verify_by(&trust);
    if let Some(receipt) = receipt.as_ref().filter(|_| args.replay) {
        run_again(context, args, bundle, receipt, &mut report).await?;
    }
    if let Some(receipt) = receipt.as_ref().filter(|_| args.online) {
        let Remote { client, trust, .. } = context.remote(None)?;
        during("checking the log", trust.seen_by_executor(&client, &receipt.checkpoint)).await?;
    }
    let answer = Answer { replayed: args.replay, found: VerifyResponse::of(report, receipt) };
    context.output.answer(&answer, || describe(&answer));
    if answer.found.holds {
        return Ok(());
    }
    Err(Failure::no("not-verified", "the receipt does not hold", "do not rely on it"))
}

/// Checks that an executor signed what cannot be true.
async fn verify_certificate(
    context: &Context,
    args: &VerifyArgs,
    certificate: &Certificate,
) -> Result<(), Failure> {
    let (mut report, accusation) = certificate.verify();
    let mut proved = accusation.is_some();
    let rerun = accusation.as_ref().and_then(|accusation| accusation.rerun.as_deref());
    if let (Some(receipt), [bundle]) = (rerun, certificate.receipts.as_slice()) {
        proved = run_again(context, args, bundle, receipt, &mut report).await? == Rerun::Different;
    }
    #[derive(Serialize)]
    struct Certified {
        contradiction: bool,
        executor: Option<String>,
        #[serde(flatten)]
        report: Report,
    }
    let executor = accusation.map(|accusation| accusation.executor.to_string());
    let answer = Certified { contradiction: proved, executor, report };
    context.output.answer(&answer, || {
        let mut lines = checks(&answer.report);
        lines.push(match (&answer.executor, proved) {
            (Some(executor), true) => format!("{}: {executor} signed what is not true", paint(BAD, "proved")),
            _ => paint(GOOD, "nothing is proved against the executor"),
        });
        lines.join("\n")
    });
    match proved {
        true => Ok(()),
        false => Err(Failure::no("not-verified", "the certificate does not hold", "do not rely on it")),
    }
}

/// Reads whom the reader believes about logs: the log that is named, or the policy that is. What the home folder says of
/// logs is for registries that are asked; a receipt may be of another.
fn policy(context: &Context, args: &VerifyArgs) -> Result<Option<LogPolicy>, Failure> {
    match (&args.log, &context.trust_args().log_policy) {
        (Some(key), _) => {
            let log = KnownLog::new(key, None).map_err(|error| {
                Failure::error("usage", error.to_string(), "`GET /v1/registry` shows the key of its log")
            })?;
            Ok(Some(LogPolicy::of_log(log)))
        }
        (None, Some(path)) if !path.as_os_str().is_empty() => remote::read_policy(path).map(Some),
        (None, _) => Ok(None),
    }
}

async fn run_again(
    context: &Context,
    args: &VerifyArgs,
    bundle: &Bundle,
    receipt: &Receipt,
    report: &mut Report,
) -> Result<Rerun, Failure> {
    let component = component(context, args.component.as_deref(), receipt).await?;
    let files = files(context, args.files.as_deref(), receipt).await?;
    let dependencies = dependencies(context, receipt).await?;
    let code = Code { component: &component, files: files.as_ref(), dependencies: &dependencies };
    let sandbox = sandbox::temporary()?;
    let rerun = glassbox_registry::rerun(&sandbox, bundle, receipt, code, report);
    Ok(during("running the call again", rerun).await)
}

/// Returns the component that ran: the file that is named, or the registry's where the terms allow.
pub(super) async fn component(
    context: &Context,
    named: Option<&Path>,
    receipt: &Receipt,
) -> Result<Vec<u8>, Failure> {
    if let Some(path) = named {
        return fs::read(path).map_err(|error| Failure::io("read", path, &error));
    }
    let (client, release) = (context.client()?, release(receipt));
    let component = during("downloading the component", client.component(&release)).await;
    let component = component.map_err(not_free)?;
    if Digest::of(&component) == receipt.component {
        return Ok(component);
    }
    // The function may be an edition's; the digest says whether what comes is what ran.
    let page = client.release(&release).await?;
    let signed = Envelope::deserialize(&page.statement).ok().and_then(|statement| {
        let statement = statement.read_unchecked::<Release>().ok()?;
        Some(statement.predicate.editions)
    });
    let editions = signed.unwrap_or_default().0;
    let own = editions.into_iter().find(|(_, edition)| edition.component == receipt.component);
    match own {
        Some((name, _)) => {
            let component = client.edition_component(&release, &name);
            during("downloading the component", component).await.map_err(not_free)
        }
        None => Ok(component),
    }
}

/// Returns the components of all dependencies, from the registry.
pub(super) async fn dependencies(context: &Context, receipt: &Receipt) -> Result<Vec<Vec<u8>>, Failure> {
    let mut components = Vec::new();
    for (release, _) in receipt.linked_components() {
        let release = PackageRef { package: release.package, version: Some(release.version) };
        let client = context.client()?;
        let component = during("downloading what it imports", client.component(&release)).await;
        components.push(component.map_err(not_free)?);
    }
    Ok(components)
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
pub(super) async fn files(
    context: &Context,
    named: Option<&Path>,
    receipt: &Receipt,
) -> Result<Option<Files>, Failure> {
    match (named, receipt.files) {
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

/// Describes each check in a line.
pub(super) fn checks(report: &Report) -> Vec<String> {
    let line = |check: &glassbox_core::receipt::Check| {
        let mark = if check.holds { paint(GOOD, "✓") } else { paint(BAD, "✗") };
        format!("{mark} {:<14} {}", check.name, paint(DIM, &check.detail))
    };
    report.checks.iter().map(line).collect()
}

fn describe(answer: &Answer) -> String {
    let found = &answer.found;
    let mut lines = checks(&Report { checks: found.checks.clone() });
    if let Some(receipt) = &found.receipt {
        lines.push(format!("  {} of {}", paint(NAME, receipt.function.short()), receipt.release));
    }
    let logged = found.checks.iter().any(|check| check.name == "inclusion");
    lines.push(match (found.level, answer.replayed, logged) {
        (None, ..) => paint(BAD, "not verified"),
        (Some(_), true, _) => paint(GOOD, "verified by re-execution"),
        (Some(_), false, true) => {
            format!("{}: signed, logged, and the bill follows from it", paint(GOOD, "verified"))
        }
        (Some(_), false, false) => {
            format!("{}: signed, and the bill follows from it", paint(GOOD, "verified"))
        }
    });
    lines.join("\n")
}
