//! `glassbox publish`: check, test, sign, upload, and verify that the log has it.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use glassbox_api::{File, PublishRequest, PublishResponse};
use glassbox_client::Client;
use glassbox_core::dsse::Envelope;
use glassbox_core::files::Files;
use glassbox_core::key::SecretKey;
use glassbox_core::manifest::{Manifest, Operators, RoyaltyMode};
use glassbox_core::release::{Pinned, Release};
use glassbox_core::{PackageRef, ReleaseId};
use glassbox_registry::Package;
use serde::Serialize;

use super::package::run_tests;
use super::{Context, depend, sign};
use crate::authorship;
use crate::cli::PublishArgs;
use crate::failure::Failure;
use crate::folder;
use crate::output::{DIM, GOOD, NAME, paint};
use crate::progress::during;
use crate::remote::Remote;

#[derive(Serialize)]
struct DryRun {
    release: String,
    publisher: String,
    passed: usize,
    would_upload_to: String,
}

pub(super) async fn run(context: &Context, args: &PublishArgs) -> Result<(), Failure> {
    let package = during("checking", folder::check(&args.dir)).await?;
    let (key, new) = context.home()?.key_or_new()?;
    if new {
        context.output.note(&format!("Made a key to publish with: {}", key.public()));
    }
    let remote = context.remote(None)?;
    let client = &remote.client;
    if args.dry_run {
        let report = run_tests(context, &package).await?;
        if !report.holds() {
            context.output.note(&super::package::describe_report(&report));
            return Err(glassbox_registry::PublishError::TestsFailed(Box::new(report)).into());
        }
        let answer = DryRun {
            release: package.manifest.release().to_string(),
            publisher: key.public().to_string(),
            passed: report.passed,
            would_upload_to: client.url().to_owned(),
        };
        context.output.answer(&answer, || {
            format!(
                "{} {} passes {} tests and would be published as {}",
                paint(GOOD, "✓"),
                paint(NAME, &answer.release),
                answer.passed,
                answer.publisher
            )
        });
        return Ok(());
    }
    warn_of_lost_royalties(context, client, &package).await;
    let statement = match &args.statement {
        Some(file) => sign::read(file)?,
        None => {
            let log = client.descriptor().await?.log_key;
            statement(&args.dir, &package, depend::pins(&remote, &package).await?, log, &key)
        }
    };
    if let Some(file) = &args.out {
        sign::write(file, &statement)?;
        sign::describe(context, file, &statement);
        return Ok(());
    }
    let response = during("publishing", upload(&remote, &package, statement)).await?;
    context.output.answer(&response, || describe(&response, client.url()));
    Ok(())
}

/// Says where a royalty that must be paid would reach nobody: of this package, and of those that it derives from.
async fn warn_of_lost_royalties(context: &Context, client: &Client, package: &Package) {
    let requires = |manifest: &Manifest| {
        let royalty = manifest.upstream.as_ref().and_then(|upstream| upstream.royalty.as_ref());
        let is_required = royalty.is_some_and(|royalty| royalty.mode == RoyaltyMode::Required);
        is_required && manifest.payee.is_empty()
    };
    if requires(&package.manifest) {
        context.output.note("forks must pay a royalty, and no [[payee]] gets it: name one");
    }
    for parent in &package.manifest.derived_from {
        let ReleaseId { package, version } = parent.release.clone();
        let reference = PackageRef { package, version: Some(version) };
        // What cannot be read here is refused there.
        let manifest = client.manifest(&reference).await.ok().and_then(|text| Manifest::read(&text).ok());
        if manifest.is_some_and(|manifest| requires(&manifest)) {
            let name = &parent.release;
            context
                .output
                .note(&format!("{name} requires a royalty and names no payee: none of its makers gets it"));
        }
    }
}

/// Signs what a package is made of, what it imports, and who made it: as the manifest says, or else the commits of its
/// folder.
///
/// Where the terms let no other registry run it for others, the statement names the one that it is for, by the key of its
/// `log`.
pub(super) fn statement(
    dir: &Path,
    package: &Package,
    pins: Vec<Pinned>,
    log: String,
    key: &SecretKey,
) -> Envelope {
    let mut release = package.statement();
    release.dependencies = pins;
    release.registry = Some(log).filter(|_| package.manifest.component.operators == Operators::Registry);
    if release.authorship.basis.is_none() {
        release.authorship = authorship::of_commits(dir);
    }
    release.authorship.accountable = Some(key.public());
    release.sign(key)
}

/// Uploads a package and checks the proof that the log has it.
pub(super) async fn upload(
    remote: &Remote,
    package: &Package,
    statement: Envelope,
) -> Result<PublishResponse, Failure> {
    let files = &package.files;
    let signed = statement.claimed_key().and_then(|key| statement.verify::<Release>(&key).ok());
    let request = PublishRequest {
        manifest: files.manifest.clone(),
        wit: wire(&files.wit),
        tests: wire(&files.tests),
        component: STANDARD.encode(&files.component),
        editions: files.editions.iter().map(|(name, bytes)| (name.clone(), STANDARD.encode(bytes))).collect(),
        documents: wire(&files.documents),
        files: files.files.as_ref().map(wire_bytes),
        source: files.source.as_ref().map(wire),
        statement,
    };
    let response = remote.client.publish(&request).await?;
    let id = package.manifest.release();
    let logged = remote.trust.release(&remote.client, &id, response.proof.index).await?;
    remote.tell(&logged.believed);
    // In our words, and not another release of the same name.
    if signed.is_none_or(|signed| signed.predicate != logged.release) {
        let message = "the log entry of the release is not what was signed here";
        return Err(Failure::no(
            "log-unproved",
            message,
            "rely on nothing of this registry; tell its operator",
        ));
    }
    Ok(response)
}

/// Writes files that nobody reads as text: in base64 their size is known beforehand, whatever is in them.
fn wire_bytes(files: &Files) -> Vec<File> {
    let file = |(path, bytes): (&str, &[u8])| File {
        path: path.to_owned(),
        text: None,
        base64: Some(STANDARD.encode(bytes)),
    };
    files.iter().map(file).collect()
}

fn wire(files: &Files) -> Vec<File> {
    let file = |(path, bytes): (&str, &[u8])| {
        let text = std::str::from_utf8(bytes).ok().map(str::to_owned);
        let base64 = text.is_none().then(|| STANDARD.encode(bytes));
        File { path: path.to_owned(), text, base64 }
    };
    files.iter().map(file).collect()
}

fn describe(response: &PublishResponse, url: &str) -> String {
    let what = if response.new { "Published" } else { "Already published:" };
    let index = response.proof.index;
    let mut text = format!(
        "{} {what} {} ({} tests passed), log entry {index}, proved\n{}",
        paint(GOOD, "✓"),
        paint(NAME, &response.release),
        response.tests.passed,
        paint(DIM, format!("{url}/v1/packages/{}", response.release.replace([':', '@'], "/"))),
    );
    if let Some(held) = &response.held {
        text.push_str(&format!("\nheld until {}: {}\n{}", held.until, held.reasons.join("; "), held.next));
    }
    text
}
