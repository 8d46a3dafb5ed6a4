//! Compiled components on disk: private, authenticated, and never trusted beyond that.
//!
//! Loading an artefact is running code, so every file carries a MAC under a key that only this directory holds, over
//! the engine's fingerprint and the component's digest too. A file that is foreign, stale or damaged is ignored and
//! made again. Files are written under another name and renamed: a reader sees all of one or none.

use std::fs::{self, File, OpenOptions};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use glassbox_core::Digest;
use glassbox_core::profile::Profile;
use sha2::{Digest as _, Sha256};
use wasmtime::Engine;
use wasmtime::component::Component;

use crate::Codegen;

const MAC_BYTES: usize = 32;
const KEY_BYTES: usize = 32;

/// A directory of compiled components.
pub(crate) struct Artifacts {
    dir: PathBuf,
    key: [u8; KEY_BYTES],
    fingerprint: String,
}

/// Returns what the engine writes into its artefacts: its own full version, as a patch may fix its compiler, the
/// profile, as that decides what is metered, and the kind of code.
pub(crate) fn version(profile: &Profile, codegen: Codegen) -> String {
    format!("48.0.8+{}+{}", profile.digest().short(), codegen.name())
}

impl Artifacts {
    /// Opens the directory, making it and its key where they are missing.
    pub(crate) fn open(
        dir: PathBuf,
        engine: &Engine,
        profile: &Profile,
        codegen: Codegen,
    ) -> io::Result<Self> {
        fs::create_dir_all(&dir)?;
        let key = read_or_make_key(&dir)?;
        let mut hasher = DefaultHasher::new();
        engine.precompile_compatibility_hash().hash(&mut hasher);
        let text = format!("{}\n{:016x}", version(profile, codegen), hasher.finish());
        Ok(Self { dir, key, fingerprint: Digest::of(text).short() })
    }

    /// Loads the artefact of a component, or returns `None` where there is no good one.
    pub(crate) fn load(&self, engine: &Engine, digest: Digest) -> Option<Component> {
        let bytes = fs::read(self.path(digest)).ok()?;
        let (mac, compiled) = bytes.split_at_checked(MAC_BYTES)?;
        if !equal(mac, &self.mac(digest, compiled)) {
            tracing::warn!(component.digest = %digest, "Ignored a compiled component that is not ours");
            return None;
        }
        #[expect(unsafe_code, reason = "loading compiled code is the one thing that cannot be checked")]
        // SAFETY: the bytes are what `Component::serialize` returned: `store` wrote them under a MAC with a key that
        // only this program can read, and the MAC was checked above on the very bytes that are loaded.
        let loaded = unsafe { Component::deserialize(engine, compiled) };
        match loaded {
            Ok(component) => Some(component),
            Err(error) => {
                tracing::warn!(component.digest = %digest, "Ignored a stale compiled component: {error:#}");
                None
            }
        }
    }

    /// Stores the artefact of a component.
    pub(crate) fn store(&self, digest: Digest, component: &Component) -> io::Result<()> {
        static COUNTER: AtomicU64 = AtomicU64::new(0);
        let compiled = component.serialize().map_err(|error| io::Error::other(format!("{error:#}")))?;
        let count = COUNTER.fetch_add(1, Ordering::Relaxed);
        let temporary = self.dir.join(format!(".{}-{count}.tmp", std::process::id()));
        let written = (|| {
            let mut file = create_private(&temporary)?;
            file.write_all(&self.mac(digest, &compiled))?;
            file.write_all(&compiled)?;
            file.sync_all()?;
            fs::rename(&temporary, self.path(digest))
        })();
        if written.is_err() {
            // The error that matters is the first one.
            let _ = fs::remove_file(&temporary);
        }
        written
    }

    fn path(&self, digest: Digest) -> PathBuf {
        self.dir.join(format!("{}-{}.cwasm", self.fingerprint, digest.hex()))
    }

    fn mac(&self, digest: Digest, compiled: &[u8]) -> [u8; MAC_BYTES] {
        hmac(&self.key, &[self.fingerprint.as_bytes(), digest.as_bytes(), compiled])
    }
}

/// HMAC-SHA-256, RFC 2104, of the concatenation of `parts`; all but the last have a fixed length here.
fn hmac(key: &[u8; KEY_BYTES], parts: &[&[u8]]) -> [u8; MAC_BYTES] {
    const BLOCK_BYTES: usize = 64;
    let pad = |byte: u8| {
        let mut block = [byte; BLOCK_BYTES];
        block.iter_mut().zip(key).for_each(|(block, key)| *block ^= key);
        block
    };
    let mut inner = Sha256::new();
    inner.update(pad(0x36));
    parts.iter().for_each(|part| inner.update(part));
    Sha256::new().chain_update(pad(0x5c)).chain_update(inner.finalize()).finalize().into()
}

/// Compares in a time that does not depend on where the two differ.
fn equal(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.iter().zip(b).fold(0, |difference, (a, b)| difference | (a ^ b)) == 0
}

fn read_or_make_key(dir: &Path) -> io::Result<[u8; KEY_BYTES]> {
    let path = dir.join("key");
    match create_private(&path) {
        Ok(mut file) => {
            let mut key = [0; KEY_BYTES];
            getrandom::fill(&mut key).map_err(io::Error::other)?;
            file.write_all(&key)?;
            file.sync_all()?;
            Ok(key)
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            let mut key = [0; KEY_BYTES];
            File::open(&path)?.read_exact(&mut key).map_err(|error| {
                io::Error::new(error.kind(), format!("the key `{}` is damaged; delete it", path.display()))
            })?;
            Ok(key)
        }
        Err(error) => Err(error),
    }
}

/// Creates a file that only its owner may read, and fails where there is one already.
fn create_private(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hmac_of_rfc_4231() {
        // Test case 1 of RFC 4231 has a key of 20 bytes, which HMAC pads with zeros as it does ours.
        let mut key = [0; KEY_BYTES];
        key[..20].fill(0x0b);
        let mac = Digest::from_bytes(hmac(&key, &[b"Hi ", b"There"])).hex();
        assert_eq!(mac, "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
    }
}
