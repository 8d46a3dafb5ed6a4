//! `glassbox fork`: a package that derives from another, ready to be changed.
//!
//! Interface and tests are everybody's, and so a fork can always begin with them. Source and component come along where
//! the parent's terms give them away; otherwise the new component must be built, or is a wrapper, which needs neither.

mod draft;

use std::path::Path;

use glassbox_core::files::Files;
use glassbox_core::hashed::Document as _;
use glassbox_core::manifest::{
    Date, FILE_NAME, MachineAccess, Manifest, Place, Price, PricedAct, Terms, Unit,
};
use glassbox_core::release::Release;
use glassbox_core::{Digest, PackageName, PackageRef};
use glassbox_registry::PublishError;
use glassbox_registry::package::texts;
use glassbox_sandbox::Spec;
use serde::Serialize;

use super::{Context, new};
use crate::cli::ForkArgs;
use crate::failure::Failure;
use crate::files::{Entries, Existing, Out};
use crate::output::{DIM, MONEY, NAME, paint, percent};
use crate::progress::during;
use crate::remote::Remote;

/// What a fork is made from.
struct Parent {
    release: Release,
    manifest: Manifest,
    /// The same as it is written, for what is taken over as it is.
    table: toml::Table,
    terms: Terms,
    wit: Files,
    spec: Spec,
    tests: Files,
}

/// What shall be made.
struct Fork<'a> {
    parent: &'a Parent,
    name: &'a PackageName,
    share: u32,
    wrapper: bool,
}

/// What of the parent may be had.
#[derive(Default)]
struct Taken {
    component: Option<Vec<u8>>,
    source: Option<Files>,
    files: Option<Files>,
}

/// What was made.
#[derive(Serialize)]
pub(super) struct Made {
    package: String,
    parent: String,
    terms: Digest,
    pub(super) share: u32,
    wrapper: bool,
    folder: String,
    files: Vec<String>,
    component: bool,
}

pub(super) async fn run(context: &Context, args: &ForkArgs) -> Result<(), Failure> {
    new::check_name(&args.name)?;
    let folder = args.dir.clone().unwrap_or_else(|| args.name.name().into());
    let remote = context.remote(args.package.registry.as_deref())?;
    let made = make(&remote, args, &folder).await?;
    context.output.answer(&made, || describe(&made));
    Ok(())
}

/// Makes the folder of a fork.
pub(super) async fn make(remote: &Remote, args: &ForkArgs, folder: &Path) -> Result<Made, Failure> {
    if folder.exists() {
        let message = format!("`{}` exists already", folder.display());
        return Err(Failure::no("folder-exists", message, "name a folder that does not, after the new name"));
    }
    if args.name == args.package.reference.package {
        let message = format!("`{}` is the parent itself", args.name);
        return Err(Failure::no("name-invalid", message, "choose another NS:NAME"));
    }
    let parent = during("reading", parent(remote, &args.package.reference)).await?;
    let asked = parent.terms.more.upstream.as_ref().and_then(|upstream| upstream.royalty.as_ref());
    let share = args.share.unwrap_or_else(|| asked.map_or(0, |royalty| royalty.share));
    let fork = Fork { parent: &parent, name: &args.name, share, wrapper: args.wrapper };
    let taken = match args.wrapper {
        true => Taken {
            component: Some(wrapper(&fork)?),
            source: Some(draft::wrapper_source(&parent.release.release)?),
            files: None,
        },
        false => during("downloading what is free", take(remote, &parent)).await?,
    };
    let files = entries(&fork, taken);
    Out::open(folder, Existing::Keep)?.write(&files)?;
    Ok(Made {
        package: args.name.to_string(),
        parent: parent.release.release.to_string(),
        terms: parent.release.terms,
        share,
        wrapper: args.wrapper,
        folder: folder.display().to_string(),
        component: files.iter().any(|(path, _)| path == draft::COMPONENT),
        files: files.into_iter().map(|(path, _)| path).collect(),
    })
}

/// Reads what everybody may read of a release, as the log has it.
async fn parent(remote: &Remote, reference: &PackageRef) -> Result<Parent, Failure> {
    let (page, logged, standing) = remote.resolve(reference).await?;
    let release = logged.release;
    let id = &release.release;
    if standing.yanked.contains(&id.version) {
        let reason = page.yanked.as_ref().map_or("the log has the reason", |mark| &mark.reason);
        let message = format!("{id} is yanked: {reason}");
        return Err(Failure::no("parent-yanked", message, "derive from another version"));
    }
    let exact = exact(&release);
    let client = &remote.client;
    let text = client.manifest(&exact).await?;
    let manifest = Manifest::read(&text).map_err(PublishError::from)?;
    let terms = Terms::of(&manifest);
    if Digest::of(&text) != release.manifest || terms.compute_digest() != release.terms {
        let message = format!("the manifest of {id} is not what the log has");
        return Err(Failure::error("registry-invalid", message, "tell its operator"));
    }
    let today = Date::of(jiff::Timestamp::now());
    if terms.upstream_on(today).is_some_and(|upstream| !upstream.allow_forks) {
        let message = format!("the terms of {id} do not let others fork it");
        return Err(Failure::no(
            "fork-denied",
            message,
            "ask its publisher, or build what its tests say anew",
        ));
    }
    let wit = client.signed_files(&exact, "wit", release.wit).await?;
    Ok(Parent {
        spec: Spec::parse(&texts(&wit)?, Some(&manifest.spec.world)).map_err(PublishError::from)?,
        tests: client.signed_files(&exact, "tests", release.tests).await?,
        table: text
            .parse()
            .map_err(|_| Failure::error("registry-invalid", "a manifest without tables", ""))?,
        wit,
        terms,
        manifest,
        release,
    })
}

/// Fetches what the parent's terms give away.
async fn take(remote: &Remote, parent: &Parent) -> Result<Taken, Failure> {
    let Parent { release, manifest, .. } = parent;
    let (exact, client) = (exact(release), &remote.client);
    let mut taken = Taken::default();
    let open = manifest.source.as_ref().is_some_and(|source| source.machines == MachineAccess::Free);
    if let Some(digest) = release.source.filter(|_| open) {
        taken.source = Some(client.signed_files(&exact, "source", digest).await?);
    }
    let sold = manifest.price.iter().any(|price| price.on == PricedAct::Download);
    if manifest.component_is_public() && !sold {
        let component = client.component(&exact).await?;
        if Digest::of(&component) != release.component {
            let message = format!("the component of {} is not what the log has", release.release);
            return Err(Failure::error("registry-invalid", message, "tell its operator"));
        }
        taken.component = Some(component);
        if let Some(digest) = release.files {
            taken.files = Some(client.signed_files(&exact, "files", digest).await?);
        }
    }
    Ok(taken)
}

/// Builds the component of a wrapper, which imports the parent and exports the same.
fn wrapper(fork: &Fork<'_>) -> Result<Vec<u8>, Failure> {
    let parent = fork.parent;
    let id = &parent.release.release;
    let Manifest { component, price, .. } = &parent.manifest;
    let refused = if !component.import || !component.execute.contains(&Place::Remote) {
        Some(("dependency-not-importable", "its terms do not let other packages import it"))
    } else if price.iter().any(is_uncountable) {
        Some(("dependency-unit", "through an import only calls and fuel are charged for"))
    } else if component.files.is_some() {
        Some(("dependency-ships-files", "it ships files, which it could not read as a dependency"))
    } else {
        None
    };
    if let Some((code, reason)) = refused {
        let hint = "fork it without --wrapper";
        return Err(Failure::no(code, format!("{id} cannot be wrapped: {reason}"), hint));
    }
    let unwrappable = |reason: String| {
        Failure::no("not-wrappable", format!("{id} cannot be wrapped: {reason}"), "fork it without --wrapper")
    };
    parent.spec.check_wrappable().map_err(|error| unwrappable(error.to_string()))?;
    let wit = Files::new(draft::wit(fork)).map_err(PublishError::from)?;
    let spec = Spec::parse(&texts(&wit)?, Some(fork.name.name())).map_err(PublishError::from)?;
    spec.wrapper().map_err(|error| unwrappable(error.to_string()))
}

/// Tells whether a price is for something of a call that is not counted where the call is another's.
fn is_uncountable(price: &Price) -> bool {
    price.on == PricedAct::Execute && !matches!(price.unit, Unit::Call | Unit::Fuel)
}

/// Puts the folder together.
fn entries(fork: &Fork<'_>, taken: Taken) -> Entries {
    let below = |folder: &'static str, files: Files| -> Entries {
        files.iter().map(|(path, bytes)| (format!("{folder}/{path}"), bytes.to_vec())).collect()
    };
    let manifest = draft::manifest(fork, &taken);
    let readme = draft::readme(fork, &taken);
    let mut entries =
        vec![(FILE_NAME.to_owned(), manifest.into_bytes()), ("README.md".to_owned(), readme.into_bytes())];
    entries.extend(draft::wit(fork).into_iter().map(|(path, bytes)| (format!("wit/{path}"), bytes)));
    entries.extend(draft::tests(fork));
    entries.extend(taken.source.into_iter().flat_map(|files| below("src", files)));
    entries.extend(taken.files.into_iter().flat_map(|files| below("data", files)));
    entries.extend(taken.component.map(|bytes| (draft::COMPONENT.to_owned(), bytes)));
    entries
}

fn exact(release: &Release) -> PackageRef {
    let id = release.release.clone();
    PackageRef { package: id.package, version: Some(id.version) }
}

fn describe(made: &Made) -> String {
    let Made { package, parent, share, folder, .. } = made;
    let kind = if made.wrapper { "a wrapper" } else { "a fork" };
    let share = match share {
        0 => "which gets nothing of what it earns".to_owned(),
        share => format!("which gets {} of what it earns", paint(MONEY, percent(*share))),
    };
    let next = match made.component {
        true => format!("next: glassbox test {folder}, then glassbox publish {folder}"),
        false => format!("next: build {folder}/{}, then glassbox test {folder}", draft::COMPONENT),
    };
    let name = paint(NAME, package);
    format!("Made {name} in {folder}, {kind} of {parent}, {share}\n{}", paint(DIM, next))
}
