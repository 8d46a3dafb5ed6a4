//! Where something that is paid for will be kept, made and tried before it is paid.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use crate::failure::Failure;

/// A folder that can be written into.
pub(crate) struct Folder(PathBuf);

impl Folder {
    /// Makes and tries the folder of `path`, which shall be a file for `what`.
    pub(crate) fn of(path: &Path, what: &str) -> Result<Self, Failure> {
        if path.is_dir() {
            let message = format!("`{}` is a folder", path.display());
            return Err(Failure::error("io", message, format!("name a file for {what}")));
        }
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        fs::create_dir_all(folder).map_err(|error| Failure::io("make", folder, &error))?;
        tempfile::NamedTempFile::new_in(folder).map_err(|error| Failure::io("write into", folder, &error))?;
        Ok(Self(folder.to_owned()))
    }

    /// Writes a file of the folder whole or not at all.
    pub(crate) fn keep(&self, path: &Path, bytes: &[u8]) -> std::io::Result<()> {
        let mut file = tempfile::NamedTempFile::new_in(&self.0)?;
        file.write_all(bytes)?;
        file.persist(path)?;
        Ok(())
    }
}
