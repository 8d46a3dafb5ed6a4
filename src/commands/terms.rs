//! `glassbox terms`.

use std::fs;
use std::path::Path;

use glassbox_client::ActPath;
use glassbox_core::PackageRef;
use glassbox_core::acts::{Act as _, TermsChange};
use glassbox_core::manifest::{FILE_NAME, Manifest, Terms};
use glassbox_registry::{ActError, PublishError};

use super::Context;
use super::sign::{key, submit};
use crate::cli::{ChangeTermsArgs, TermsCommand};
use crate::failure::Failure;
use crate::progress::during;

pub(super) async fn run(context: &Context, command: &TermsCommand) -> Result<(), Failure> {
    match command {
        TermsCommand::Change(args) => change(context, args).await,
    }
}

async fn change(context: &Context, args: &ChangeTermsArgs) -> Result<(), Failure> {
    let ChangeTermsArgs { release: id, path, signing } = args;
    let manifest = read(path)?;
    if manifest.release() != *id {
        let message = format!("`{}` is of {}, and not of {id}", path.display(), manifest.release());
        return Err(Failure::no("manifest-differs", message, "name the manifest of that version"));
    }
    let secret = key(context, signing.key.as_deref())?;
    let remote = context.remote(None)?;
    let exact = PackageRef { package: id.package.clone(), version: Some(id.version.clone()) };
    let (page, logged, _) = during("reading", remote.resolve(&exact)).await?;
    let following = remote.trust.terms(&remote.client, &logged.release, &page.terms_changes);
    let before = during("reading", following).await?;
    let act = TermsChange::new(&logged.release, logged.terms, Terms::of(&manifest));
    // Before anybody signs what would be refused.
    act.check(&logged.release, &before).map_err(ActError::from)?;
    submit(context, ActPath::Terms(id.clone()), act.sign(&secret), signing).await
}

/// Reads the manifest at `path`, or in the folder that is there.
fn read(path: &Path) -> Result<Manifest, Failure> {
    let file = if path.is_dir() { path.join(FILE_NAME) } else { path.to_owned() };
    let text = fs::read_to_string(&file).map_err(|error| Failure::io("read", &file, &error))?;
    Ok(Manifest::parse(&text).map_err(PublishError::from)?)
}
