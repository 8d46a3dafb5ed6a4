//! `glassbox republish`: releases of another registry, as their publishers signed them, for the registry that is asked.
//!
//! Everything is checked on the way: the other registry's log has the release, each layer is what its publisher signed, and
//! the tests pass here. Name, terms and payees stay, and so does who answers for it.

use std::collections::BTreeMap;

use glassbox_api::PublishResponse;
use glassbox_client::Buyer;
use glassbox_core::dsse::Envelope;
use glassbox_core::name::RemoteRef;
use glassbox_core::release::Release;
use glassbox_core::{Digest, PackageRef};
use glassbox_registry::{Package, PackageFiles};
use serde::{Deserialize as _, Serialize};

use super::Context;
use super::publish::upload;
use super::purse::Purse;
use crate::cli::RepublishArgs;
use crate::failure::Failure;
use crate::output::{DIM, GOOD, NAME, count, paint};
use crate::progress::during;
use crate::remote::Remote;

#[derive(Serialize)]
struct Answer {
    releases: Vec<PublishResponse>,
}

pub(super) async fn run(context: &Context, args: &RepublishArgs) -> Result<(), Failure> {
    let to = context.remote(None)?;
    let mut releases = Vec::new();
    for package in &args.packages {
        let response = republish(context, args, package, &to).await?;
        context.output.note(&describe(&response));
        releases.push(response);
    }
    let answer = Answer { releases };
    context.output.answer(&answer, || {
        let count = count(answer.releases.len() as u64, "release");
        format!("{} {count} at {}", paint(GOOD, "✓"), to.client.url())
    });
    Ok(())
}

async fn republish(
    context: &Context,
    args: &RepublishArgs,
    package: &RemoteRef,
    to: &Remote,
) -> Result<PublishResponse, Failure> {
    let Some(from) = package.registry.as_deref() else {
        let message = format!("`{package}` does not say which registry it is from");
        let hint = "write it like registry.example.org/docs:markdown";
        return Err(Failure::error("usage", message, hint));
    };
    let purse = Purse::new(context, &args.purse, Some(from))?;
    let buyer = purse.buyer().await?;
    let log = to.client.descriptor().await?.log_key;
    let fetching = fetch(&purse.remote, &package.reference, &log, buyer.as_ref());
    let (files, statement) = during("fetching", fetching).await?;
    let checking = tokio::task::spawn_blocking(move || Package::check_signed(files));
    let package = checking.await.map_err(|error| Failure::error("internal", error.to_string(), ""))??;
    during("publishing", upload(to, &package, statement)).await
}

/// Fetches all layers of a release that the log has, each as its publisher signed it, for the registry with another log.
async fn fetch(
    remote: &Remote,
    reference: &PackageRef,
    to_log: &str,
    buyer: Option<&Buyer>,
) -> Result<(PackageFiles, Envelope), Failure> {
    let (page, logged, _) = remote.resolve(reference).await?;
    let (client, signed) = (&remote.client, logged.release);
    let id = signed.release.clone();
    let exact = PackageRef { package: id.package.clone(), version: Some(id.version.clone()) };
    let manifest = client.manifest(&exact).await?;
    let statement = Envelope::deserialize(&page.statement).ok().filter(|statement| {
        let release = statement.claimed_key().and_then(|key| statement.verify::<Release>(&key).ok());
        release.is_some_and(|release| release.predicate == signed)
    });
    let Some(statement) = statement.filter(|_| Digest::of(&manifest) == signed.manifest) else {
        let message = format!("what the registry hands out of {id} is not what the log has");
        return Err(Failure::no("release-differs", message, "do not rely on it; tell the operator"));
    };
    let wit = client.signed_files(&exact, "wit", signed.wit).await?;
    let tests = client.signed_files(&exact, "tests", signed.tests).await?;
    let source = match signed.source {
        Some(digest) => Some(client.signed_files(&exact, "source", digest).await?),
        None => None,
    };
    let documents = client.signed_documents(&exact, &signed.documents).await?;
    if let Some(log) = signed.registry.filter(|log| log != to_log) {
        let message =
            format!("the terms of {id} let no registry run it for others but that of the log {log}");
        return Err(Failure::no(
            "operator-not-allowed",
            message,
            "call it there, or ask for operators = \"any\"",
        ));
    }
    let kept = page
        .editions
        .iter()
        .find(|edition| signed.editions.0.contains_key(&edition.name) && !edition.download);
    if let Some(edition) = kept {
        let name = &edition.name;
        let message = format!("the edition `{name}` of {id} runs where it was published, and nowhere else");
        return Err(Failure::no("download-not-allowed", message, "call it there"));
    }
    // Last, for they may have a price, which is one for all of them. A wallet signs in for the second; credit has no key to
    // do so with, and is told by the name of the request that it paid before: also where this is done again.
    let sold = client.clone().with_request_name(&Digest::of(format!("republish {id}")).hex());
    let component = sold.download_signed(&page, id.clone(), None, signed.component, buyer).await?.bytes;
    let files = match signed.files {
        Some(digest) => Some(sold.signed_files(&exact, "files", digest).await?),
        None => None,
    };
    let mut editions = BTreeMap::new();
    for (name, edition) in signed.editions.0 {
        let own = sold.download_signed(&page, id.clone(), Some(&name), edition.component, buyer).await?;
        editions.insert(name, own.bytes);
    }
    Ok((PackageFiles { manifest, wit, tests, component, editions, documents, files, source }, statement))
}

fn describe(response: &PublishResponse) -> String {
    let what = if response.new { "" } else { ", which was there already" };
    let tests = paint(DIM, format!("{} tests passed", response.tests.passed));
    format!("{} {}{what}  {tests}", paint(GOOD, "✓"), paint(NAME, &response.release))
}
