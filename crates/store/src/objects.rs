//! Bytes by digest, in a folder: `objects/ab/<64 hex digits>`.
//!
//! An object is written once and never changed, so readers need no lock. It is checked against its name on every
//! read, because a damaged component must not run.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use glassbox_core::Digest;

use crate::error::StoreError;
use crate::sqlite::Store;

pub(crate) struct Objects {
    folder: PathBuf,
}

impl Objects {
    pub(crate) fn open(folder: &Path) -> Result<Self, StoreError> {
        fs::create_dir_all(folder)?;
        Ok(Self { folder: folder.to_owned() })
    }

    fn path(&self, digest: Digest) -> PathBuf {
        let hex = digest.hex();
        self.folder.join(&hex[..2]).join(hex)
    }

    fn put(&self, bytes: &[u8]) -> Result<Digest, StoreError> {
        let digest = Digest::of(bytes);
        let path = self.path(digest);
        if !path.exists() {
            write_durably(&path, bytes)?;
        }
        Ok(digest)
    }

    fn get(&self, digest: Digest) -> Result<Vec<u8>, StoreError> {
        let bytes = match fs::read(self.path(digest)) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(StoreError::NoObject(digest));
            }
            Err(error) => return Err(error.into()),
        };
        if Digest::of(&bytes) == digest {
            Ok(bytes)
        } else {
            Err(StoreError::corrupt(format!("object {digest}, whose bytes have another digest")))
        }
    }
}

/// Writes a file so that it is there whole or not at all, also after a power cut.
pub(crate) fn write_durably(path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    let folder = path.parent().ok_or_else(|| StoreError::corrupt("a path without a folder"))?;
    fs::create_dir_all(folder)?;
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    // Without this the new name itself may be lost.
    File::open(folder)?.sync_all()?;
    Ok(())
}

impl Store {
    /// Keeps `bytes` and returns their digest. They are on the disk when this returns; keeping them again is free.
    pub async fn put_object(&self, bytes: Vec<u8>) -> Result<Digest, StoreError> {
        let inner = self.inner.clone();
        tokio::task::spawn_blocking(move || inner.objects.put(&bytes))
            .await
            .map_err(|_| StoreError::Worker)?
    }

    /// Returns the bytes of `digest`, checked.
    pub async fn object(&self, digest: Digest) -> Result<Vec<u8>, StoreError> {
        let inner = self.inner.clone();
        tokio::task::spawn_blocking(move || inner.objects.get(digest))
            .await
            .map_err(|_| StoreError::Worker)?
    }
}
