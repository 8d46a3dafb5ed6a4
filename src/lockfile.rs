//! `glassbox.lock`: the releases that a project uses, by the digests of what runs and of what it costs.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use glassbox_core::{Digest, PackageName, ReleaseId};
use serde::{Deserialize, Serialize};

use crate::failure::Failure;

/// The format of the file.
const VERSION: u32 = 1;

/// The file.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Lockfile {
    version: u32,
    /// The releases, by name; one of each package.
    #[serde(default, rename = "package")]
    pub(crate) packages: Vec<Locked>,
}

/// A release that is used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Locked {
    /// The release.
    pub(crate) release: ReleaseId,
    /// The registry that it is from, by its URL.
    pub(crate) registry: String,
    /// Its component's bytes.
    pub(crate) component: Digest,
    /// Its terms.
    pub(crate) terms: Digest,
    /// The licence that was taken for it, where one was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) license: Option<Held>,
}

/// A licence that was taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Held {
    /// Its id.
    pub(crate) id: String,
    /// The file that has it, beside the lock.
    pub(crate) file: String,
}

impl Lockfile {
    /// Reads a lock that something shall be added to; one that is not there is begun.
    pub(crate) fn begun(path: &Path) -> Result<Self, Failure> {
        Ok(Self::found(path)?.unwrap_or(Self { version: VERSION, packages: Vec::new() }))
    }

    /// Reads a lock, which must be there: whoever stands in another folder would hear that all is well.
    pub(crate) fn read(path: &Path) -> Result<Self, Failure> {
        Self::found(path)?.ok_or_else(|| {
            let message = format!("there is no `{}`", path.display());
            let next =
                "go to the folder of your project, name it with --lock, or begin one with `glassbox add`";
            Failure::no("lock-not-found", message, next)
        })
    }

    fn found(path: &Path) -> Result<Option<Self>, Failure> {
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Failure::io("read", path, &error)),
        };
        let invalid = |reason: String| {
            let message = format!("`{}` cannot be read: {reason}", path.display());
            Failure::error(
                "lock-invalid",
                message,
                "take it from your version control, or make it anew with `glassbox add`",
            )
        };
        let lock: Self = toml::from_str(&text).map_err(|error| invalid(error.message().to_owned()))?;
        match lock.version {
            VERSION => Ok(Some(lock)),
            other => Err(invalid(format!("it is of version {other}, and {VERSION} is known"))),
        }
    }

    /// Writes it.
    pub(crate) fn write(&self, path: &Path) -> Result<(), Failure> {
        let toml =
            toml::to_string(self).map_err(|error| Failure::error("internal", error.to_string(), ""))?;
        let text =
            format!("# Written by `glassbox add` and `glassbox lock`; keep it with the sources.\n{toml}");
        fs::write(path, text).map_err(|error| Failure::io("write", path, &error))
    }

    /// Returns what is locked of a package.
    pub(crate) fn of(&self, package: &PackageName) -> Option<&Locked> {
        self.packages.iter().find(|locked| locked.release.package == *package)
    }

    /// Puts a release in the place of what was locked of its package.
    pub(crate) fn put(&mut self, locked: Locked) {
        self.packages.retain(|other| other.release.package != locked.release.package);
        self.packages.push(locked);
        self.packages.sort_by(|one, other| one.release.package.cmp(&other.release.package));
    }
}
