//! Reading a package from its folder.

use std::fs;
use std::path::{Component, Path};

use glassbox_core::files::Files;
use glassbox_core::limits;
use glassbox_core::manifest::{FILE_NAME, Manifest};
use glassbox_registry::{Package, PackageFiles, PublishError};

use crate::failure::Failure;
use crate::files;

/// Folders that tools leave behind, which are nobody's source.
const LEFT_OUT: [&str; 3] = ["node_modules", "target", "__pycache__"];

/// Reads and checks the package in `folder`.
pub(crate) async fn check(folder: &Path) -> Result<Package, Failure> {
    let files = read(folder)?;
    let checked = tokio::task::spawn_blocking(move || Package::check(files));
    Ok(checked.await.map_err(|_| PublishError::Worker)??)
}

/// Reads the files that the manifest in `folder` names.
fn read(folder: &Path) -> Result<PackageFiles, Failure> {
    let path = folder.join(FILE_NAME);
    let text = fs::read_to_string(&path).map_err(|error| {
        let mut failure = Failure::io("read", &path, &error);
        failure.hint = "name the folder of a package, or make one with `glassbox new DIR`".into();
        failure
    })?;
    let manifest = Manifest::parse(&text).map_err(PublishError::from)?;
    let (tests, pattern) = split_pattern(&manifest.tests.public);
    let component = component(folder, &manifest.component.path)?;
    let own = manifest.edition.iter().filter_map(|(name, edition)| Some((name, edition.path.as_deref()?)));
    let editions = own.map(|(name, path)| Ok((name.clone(), self::component(folder, path)?)));
    let editions = editions.collect::<Result<_, Failure>>()?;
    let source = match &manifest.source {
        Some(source) => Some(collect(&inside(folder, &source.path)?, |_| true)?),
        None => None,
    };
    let files = match &manifest.component.files {
        Some(files) => Some(shipped(folder, files)?),
        None => None,
    };
    Ok(PackageFiles {
        documents: documents(folder, &manifest)?,
        files,
        wit: collect(&inside(folder, &manifest.spec.wit)?, |name| name.ends_with(".wit"))?,
        tests: collect(&inside(folder, tests)?, |name| name.ends_with(pattern))?,
        manifest: text,
        component,
        editions,
        source,
    })
}

/// Reads the documents that a manifest names. What is not there, the check of the package says.
fn documents(folder: &Path, manifest: &Manifest) -> Result<Files, Failure> {
    let mut found = std::collections::BTreeMap::new();
    for (_, name) in manifest.documents() {
        let path = inside(folder, name)?;
        match fs::read(&path) {
            Ok(bytes) => drop(found.insert(name.to_owned(), bytes)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(Failure::io("read", &path, &error)),
        }
    }
    Ok(Files::within(limits::DOCUMENTS_BYTES_MAX, found).map_err(PublishError::from)?)
}

fn component(folder: &Path, path: &str) -> Result<Vec<u8>, Failure> {
    let path = inside(folder, path)?;
    fs::read(&path).map_err(|error| {
        let mut failure = Failure::io("read", &path, &error);
        failure.hint = "build the component; the package's README says how".into();
        failure
    })
}

/// Splits `tests/*.toml` into the folder and the ending.
fn split_pattern(pattern: &str) -> (&str, &str) {
    match pattern.split_once('*') {
        Some((folder, ending)) => (folder, ending),
        None => (pattern, ".toml"),
    }
}

/// Joins a path of the manifest, which must stay in the folder.
fn inside(folder: &Path, path: &str) -> Result<std::path::PathBuf, Failure> {
    let relative = Path::new(path);
    if relative.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir)) {
        Ok(folder.join(relative))
    } else {
        Err(Failure::no(
            "files-invalid",
            format!("`{path}` leads out of the package"),
            "use a path inside the folder",
        ))
    }
}

/// Reads the files that a release ships from the folder that its manifest names.
fn shipped(folder: &Path, path: &str) -> Result<Files, Failure> {
    let mut root = inside(folder, "")?;
    for part in inside(Path::new(""), path)?.components() {
        root.push(part);
        match fs::symlink_metadata(&root) {
            Ok(found) if found.is_dir() => {}
            Ok(found) if found.is_symlink() => return Err(files::refuse(&root, "is a link")),
            _ => return Err(PublishError::NoFiles(path.to_owned()).into()),
        }
    }
    read_files(&root)
}

/// Reads a folder of files as a release ships them.
pub(crate) fn read_files(root: &Path) -> Result<Files, Failure> {
    let max_bytes = limits::RELEASE_FILES_BYTES_MAX;
    let found = files::below(root, max_bytes)?;
    Ok(Files::within(max_bytes, found).map_err(PublishError::from)?)
}

/// Collects the files below `root` that `wanted` says. A folder that is not there holds none.
fn collect(root: &Path, wanted: impl Fn(&str) -> bool) -> Result<Files, Failure> {
    let mut found = Vec::new();
    let mut folders = vec![root.to_owned()];
    let mut bytes_left = limits::SOURCE_BYTES_MAX;
    while let Some(folder) = folders.pop() {
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && folder == root => break,
            Err(error) => return Err(Failure::io("read", &folder, &error)),
        };
        for entry in entries {
            let entry = entry.map_err(|error| Failure::io("read", &folder, &error))?;
            let kind = entry.file_type().map_err(|error| Failure::io("read", &entry.path(), &error))?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if kind.is_dir() {
                if !LEFT_OUT.contains(&name.as_str()) {
                    folders.push(entry.path());
                }
            } else if kind.is_file() && wanted(&name) {
                let bytes =
                    fs::read(entry.path()).map_err(|error| Failure::io("read", &entry.path(), &error))?;
                bytes_left = bytes_left.checked_sub(bytes.len()).ok_or_else(|| {
                    let message =
                        format!("`{}` holds more than {} bytes", root.display(), limits::SOURCE_BYTES_MAX);
                    Failure::no("files-invalid", message, "leave generated files out")
                })?;
                let path = entry.path();
                let relative = path.strip_prefix(root).unwrap_or(&path);
                found.push((relative.to_string_lossy().replace('\\', "/"), bytes));
            }
        }
    }
    Ok(Files::new(found).map_err(PublishError::from)?)
}
