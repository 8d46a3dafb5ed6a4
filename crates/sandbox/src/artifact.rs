//! Compiled components on disk: private, authenticated, and never trusted beyond that.
//!
//! Loading an artefact is running code, so every file carries a MAC under a key that only this directory holds, over
//! the engine's fingerprint and the component's digest too. A file that is foreign, stale or damaged is ignored and
//! made again. Files are written under another name and renamed: a reader sees all of one or none.
//!
//! A file is the MAC, the length of the inspection, the inspection in JSON, and the compiled code. With the inspection
//! a component is linked again without its own bytes, which would take longer to validate than the code to load.

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

use crate::pool::Engines;
use crate::{Codegen, Inspection};

const MAC_BYTES: usize = 32;
pub(crate) const KEY_BYTES: usize = 32;
const LENGTH_BYTES: usize = size_of::<u32>();

/// Changes with the layout of a file, and with what `inspect` finds or refuses.
const FORMAT: u32 = 5;

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
        let text = format!("{FORMAT}\n{}\n{:016x}", version(profile, codegen), hasher.finish());
        Ok(Self { dir, key, fingerprint: Digest::of(text).short() })
    }

    /// Opens a directory whose key and fingerprint are known.
    pub(crate) fn with_key(dir: PathBuf, key: [u8; KEY_BYTES], fingerprint: String) -> Self {
        Self { dir, key, fingerprint }
    }

    /// Returns what [`with_key`](Self::with_key) needs.
    pub(crate) fn parts(&self) -> (&Path, &[u8; KEY_BYTES], &str) {
        (&self.dir, &self.key, &self.fingerprint)
    }

    /// Loads the artefact of a component, or returns `None` where there is no good one.
    pub(crate) fn load(&self, engines: &Engines, digest: Digest) -> Option<(Inspection, Component)> {
        let bytes = fs::read(self.path(digest)).ok()?;
        let (mac, content) = bytes.split_at_checked(MAC_BYTES)?;
        if !equal(mac, &self.mac(digest, content)) {
            tracing::warn!(component.digest = %digest, "Ignored a compiled component that is not ours");
            return None;
        }
        // Written by `store`, so whatever does not fit is a mistake of ours; making it anew mends it.
        let (length, content) = content.split_first_chunk::<LENGTH_BYTES>()?;
        let (inspection, compiled) = content.split_at_checked(u32::from_le_bytes(*length) as usize)?;
        let inspection = serde_json::from_slice(inspection).ok()?;
        match deserialize(engines.of(&inspection), compiled) {
            Ok(component) => Some((inspection, component)),
            Err(error) => {
                tracing::warn!(component.digest = %digest, "Ignored a stale compiled component: {error:#}");
                None
            }
        }
    }

    /// Stores the artefact of a component.
    pub(crate) fn store(&self, digest: Digest, inspection: &Inspection, compiled: &[u8]) -> io::Result<()> {
        let inspection = serde_json::to_vec(inspection)?;
        let length = u32::try_from(inspection.len()).map_err(io::Error::other)?;
        let content = [&length.to_le_bytes(), inspection.as_slice(), compiled].concat();
        let temporary = temporary(&self.dir);
        let written = (|| {
            let mut file = create_private(&temporary)?;
            file.write_all(&self.mac(digest, &content))?;
            file.write_all(&content)?;
            file.sync_all()?;
            fs::rename(&temporary, self.path(digest))
        })();
        if written.is_err() {
            // The error that matters is the first one.
            let _ = fs::remove_file(&temporary);
        }
        written
    }

    /// Removes the artefact of a component. One that cannot be removed is not run: whoever asked for this does not load it.
    pub(crate) fn remove(&self, digest: Digest) {
        match fs::remove_file(self.path(digest)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                tracing::warn!(component.digest = %digest, "Cannot remove a compiled component: {error}");
            }
            _ => {}
        }
    }

    fn path(&self, digest: Digest) -> PathBuf {
        self.dir.join(format!("{}-{}.cwasm", self.fingerprint, digest.hex()))
    }

    fn mac(&self, digest: Digest, content: &[u8]) -> [u8; MAC_BYTES] {
        hmac(&self.key, &[self.fingerprint.as_bytes(), digest.as_bytes(), content])
    }
}

/// Loads compiled code: from here on it can be run.
pub(crate) fn deserialize(engine: &Engine, compiled: &[u8]) -> wasmtime::Result<Component> {
    #[expect(unsafe_code, reason = "loading compiled code is the one thing that cannot be checked")]
    // SAFETY: the bytes are what our compiler returned. They come straight from it, or from a file that `store` wrote
    // under a MAC with a key that only this program can read; the MAC was checked on the very bytes that are loaded.
    unsafe {
        Component::deserialize(engine, compiled)
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

/// Reads the key, or makes it. Of several who come first at once, one makes it and all read that.
fn read_or_make_key(dir: &Path) -> io::Result<[u8; KEY_BYTES]> {
    let path = dir.join("key");
    if !path.try_exists()? {
        make_key(dir, &path)?;
    }
    let mut key = [0; KEY_BYTES];
    File::open(&path)?.read_exact(&mut key).map_err(|error| {
        io::Error::new(error.kind(), format!("the key `{}` is damaged; delete it", path.display()))
    })?;
    Ok(key)
}

fn make_key(dir: &Path, path: &Path) -> io::Result<()> {
    let mut key = [0; KEY_BYTES];
    getrandom::fill(&mut key).map_err(io::Error::other)?;
    let temporary = temporary(dir);
    let made = (|| {
        let mut file = create_private(&temporary)?;
        file.write_all(&key)?;
        file.sync_all()?;
        // A rename would put it in the place of another's, which may have been read.
        fs::hard_link(&temporary, path)
    })();
    let removed = fs::remove_file(&temporary);
    match made {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => removed,
        made => made.and(removed),
    }
}

/// Returns a name that nobody else writes to.
fn temporary(dir: &Path) -> PathBuf {
    static COUNTER: AtomicU64 = AtomicU64::new(0);
    let count = COUNTER.fetch_add(1, Ordering::Relaxed);
    dir.join(format!(".{}-{count}.tmp", std::process::id()))
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

    #[test]
    fn an_artefact_of_another_engine_or_profile_is_foreign() {
        let component = wat::parse_str("(component)").expect("valid");
        let (digest, profile) = (Digest::of(&component), Profile::current());
        let inspection = crate::inspect(&component).expect("valid");
        let engine = crate::engine::on_demand(profile, Codegen::default()).expect("starts");
        let compiled = engine.precompile_component(&component).expect("compiles");
        let dir = tempfile::tempdir().expect("a directory");
        let open =
            || Artifacts::open(dir.path().to_owned(), &engine, profile, Codegen::default()).expect("opens");
        let (current, mut older) = (open(), open());
        older.fingerprint = "0000000000000000".into();
        older.store(digest, &inspection, &compiled).expect("kept");
        let engines = Engines::alone(engine.clone());
        assert!(older.load(&engines, digest).is_some() && current.load(&engines, digest).is_none());
        fs::rename(older.path(digest), current.path(digest)).expect("renamed");
        assert!(current.load(&engines, digest).is_none());
        // What the engine itself can tell is refused even where the MAC is right.
        let mut other = wasmtime::Config::new();
        other.consume_fuel(false);
        let other = Engines::alone(Engine::new(&other).expect("starts"));
        current.store(digest, &inspection, &compiled).expect("kept");
        assert!(current.load(&engines, digest).is_some() && current.load(&other, digest).is_none());
    }
}
