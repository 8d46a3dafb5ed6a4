//! Editions with a component of their own: each of them exports its part of the world, and no other component does.
//!
//! What a component exports is its holder's, whatever the terms say. So a part that requires something must not be in a
//! component that others may have, and what is in none of these components is the release's own.

use std::collections::BTreeMap;

use glassbox_core::manifest::{Edition, Manifest, ManifestError, lint};
use glassbox_core::terms::names;
use glassbox_sandbox::{Function, Grants, Inspection, Spec, inspect};

use crate::package::{PackageFiles, check_imports};
use crate::publish_error::PublishError;

/// Checks the release's own component, and those of editions, against their parts of the world.
pub(crate) fn check(
    manifest: &Manifest,
    spec: &Spec,
    main: &Inspection,
    files: &PackageFiles,
    grants: &Grants,
) -> Result<(), PublishError> {
    let apart = parts(manifest, spec)?;
    check_files(&apart, files)?;
    check_apart("the component of the package", main, apart.iter())?;
    spec.check_world_without(&files.component, &apart.values().flatten().cloned().collect::<Vec<_>>())?;
    for (name, part) in &apart {
        let component = &files.editions[*name];
        let inspection = inspect(component)?;
        check_imports(manifest, &inspection, grants)?;
        let others = apart.iter().filter(|(other, _)| *other != name);
        check_apart(&format!("the component of edition `{name}`"), &inspection, others)?;
        let rest: Vec<String> = spec.exports().into_iter().filter(|export| !part.contains(export)).collect();
        spec.check_world_without(component, &rest)?;
    }
    Ok(())
}

/// The exports of the world that belong to each edition with a component of its own.
type Parts<'a> = BTreeMap<&'a str, Vec<String>>;

fn parts<'a>(manifest: &'a Manifest, spec: &Spec) -> Result<Parts<'a>, ManifestError> {
    let own = manifest.edition.iter().filter(|(_, edition)| edition.path.is_some());
    own.map(|(name, edition)| Ok((name.as_str(), part(name, edition, spec)?))).collect()
}

fn part(name: &str, edition: &Edition, spec: &Spec) -> Result<Vec<String>, ManifestError> {
    let within = |function: &&Function| edition.exports.iter().any(|export| names(export, &function.name));
    let mut part = Vec::new();
    for export in spec.exports() {
        let of_export = |function: &&Function| {
            function.name.interface().unwrap_or_else(|| function.name.function()) == export
        };
        let functions: Vec<&Function> = spec.functions().iter().filter(of_export).collect();
        match functions.iter().copied().filter(within).count() {
            0 => {}
            count if count == functions.len() => part.push(export),
            _ => {
                let message = format!("edition `{name}` has some functions of `{export}`, and not all");
                return Err(lint::broken(lint::EDITION_WHOLE, message));
            }
        }
    }
    Ok(part)
}

/// Each edition that names a component comes with it, and no other does.
fn check_files(apart: &Parts<'_>, files: &PackageFiles) -> Result<(), ManifestError> {
    let missing = apart.keys().find(|name| !files.editions.contains_key(**name));
    let undeclared = files.editions.keys().find(|name| !apart.contains_key(name.as_str()));
    let message = match (missing, undeclared) {
        (None, None) => return Ok(()),
        (Some(name), _) => format!("the component of edition `{name}` is not there"),
        (None, Some(name)) => format!("there is a component for `{name}`, which the manifest does not say"),
    };
    Err(lint::broken(lint::EDITION_FILE, message))
}

/// Refuses a component that exports what belongs to an edition with another one.
fn check_apart<'a>(
    what: &str,
    inspection: &Inspection,
    others: impl Iterator<Item = (&'a &'a str, &'a Vec<String>)>,
) -> Result<(), ManifestError> {
    let bare = |text: &str| text.split('@').next().unwrap_or(text).to_owned();
    let exported = |export: &String| {
        let exports = inspection.exports.iter();
        let mut owners = exports.map(|text| text.rsplit_once('#').map_or(text.as_str(), |(owner, _)| owner));
        owners.any(|owner| bare(owner) == bare(export))
    };
    for (name, part) in others {
        if let Some(export) = part.iter().find(|export| exported(export)) {
            let message = format!("{what} exports `{export}`, which belongs to edition `{name}`");
            return Err(lint::broken(lint::EDITION_APART, message));
        }
    }
    Ok(())
}
