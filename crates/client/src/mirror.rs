//! A copy of a registry in a folder: its log, and what the log names, each checked before it is kept.
//!
//! ```text
//! mirror.json          whose copy it is
//! registry.json        the descriptor, as the registry gave it
//! checkpoint           written last: what it speaks of is there
//! tile/…               as C2SP tlog-tiles names them
//! pages/<index>.json   the page of a release: labels, which nothing proves
//! objects/<digest>     manifests and components, by the SHA-256 of their bytes
//! files/<digest>.json  file sets, by their digest
//! ```
//!
//! A copy is brought up to date by doing all of it again: what is there already is checked like what comes, and fetched
//! only where it is missing or damaged. So it may be interrupted anywhere.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use glassbox_api::{Descriptor, File, FilesResponse, ReleaseResponse};
use glassbox_core::files::Files;
use glassbox_core::log::{Checkpoint, Entry, Tree, entries_of_bundle, open_checkpoint, tiles};
use glassbox_core::release::Release;
use glassbox_core::{Digest, PackageRef, ReleaseId, limits};
use serde::{Deserialize, Serialize};

use crate::error::ClientError;
use crate::http::{Client, document_path};
use crate::trust::{Believed, LogRefusal, Trust};
use crate::whole;

/// What `mirror.json` says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MirrorOf {
    /// [`FORMAT`].
    pub format: String,
    /// The registry that was copied.
    pub url: String,
    /// The verifier key of its log.
    pub log_key: String,
}

/// The format of a mirror's folder.
pub const FORMAT: &str = "glassbox-mirror/1";

/// What bringing a mirror up to date came to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct MirrorReport {
    /// Entries of the log.
    pub entries: u64,
    /// Releases among them.
    pub releases: usize,
    /// Components that are not copied, because their terms do not let anybody download them for nothing.
    pub not_free: usize,
    /// Files that were fetched.
    pub fetched: usize,
    /// Files that were there already, and are right.
    pub kept: usize,
}

/// Why a mirror's folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum MirrorError {
    /// It cannot be read or written.
    #[error("cannot {action} `{path}`")]
    File {
        /// What was attempted, as a verb.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It holds the copy of another log.
    #[error("the folder holds a copy of {url}, whose log is another")]
    Other {
        /// The registry whose copy it is.
        url: String,
    },
    /// The registry handed out something else than its log names.
    #[error("what the registry hands out as {what} is not what the log names")]
    Differs {
        /// What it is.
        what: String,
    },
}

/// Makes a folder a copy of a registry, or brings the copy that it is up to date.
pub async fn sync(
    client: &Client,
    trust: &Trust,
    folder: &Path,
) -> Result<(Believed, MirrorReport), ClientError> {
    let believed = trust.newest(client).await?;
    let mut descriptor = client.descriptor().await?;
    let mirror_of = MirrorOf {
        format: FORMAT.into(),
        // The copy of a copy is one of the registry.
        url: descriptor.mirror_of.take().unwrap_or_else(|| client.url().into()),
        log_key: believed.log_key.clone(),
    };
    let mut sync = Sync { client, folder, report: MirrorReport::default() };
    sync.claim(&mirror_of)?;
    let Copied { releases, terms, .. } = sync.log(trust, &believed).await?;
    for (index, release) in &releases {
        let terms = terms.get(&release.release).unwrap_or(&release.terms);
        sync.release(*index, release, *terms).await?;
    }
    sync.report.releases = releases.len();
    let descriptor = Descriptor { mirror_of: Some(mirror_of.url), witness_key: None, ..descriptor };
    sync.write(&folder.join("registry.json"), &json(&descriptor))?;
    sync.write(&folder.join("checkpoint"), believed.note.as_bytes())?;
    Ok((believed, sync.report))
}

/// The log, as it was copied.
#[derive(Default)]
struct Copied {
    tree: Tree,
    /// Its releases by their entries.
    releases: Vec<(u64, Release)>,
    /// The terms of those whose terms were changed.
    terms: BTreeMap<ReleaseId, Digest>,
}

struct Sync<'a> {
    client: &'a Client,
    folder: &'a Path,
    report: MirrorReport,
}

impl Sync<'_> {
    /// Takes the folder for this log.
    fn claim(&self, mirror_of: &MirrorOf) -> Result<(), ClientError> {
        let path = self.folder.join("mirror.json");
        match self.read(&path)?.map(|bytes| serde_json::from_slice::<MirrorOf>(&bytes)) {
            Some(Ok(found)) if found.log_key != mirror_of.log_key => {
                Err(MirrorError::Other { url: found.url }.into())
            }
            Some(Ok(_)) => Ok(()),
            _ => self.write(&path, &json(mirror_of)),
        }
    }

    /// Copies the log.
    async fn log(&mut self, trust: &Trust, believed: &Believed) -> Result<Copied, ClientError> {
        let checkpoint = &believed.trusted.checkpoint;
        let copied = match self.entries(checkpoint, Source::Folder).await? {
            copied if copied.tree.root() == checkpoint.root => copied,
            // Something here is damaged, or the log is another one than it was: what the registry has now decides.
            _ => self.entries(checkpoint, Source::Registry).await?,
        };
        let tree = &copied.tree;
        if tree.root() != checkpoint.root {
            let reason = "its entries are not those that its checkpoint signs".into();
            return Err(LogRefusal::Unproved { reason }.into());
        }
        if let Some(seen) = self.read(&self.folder.join("checkpoint"))?
            && let Ok(seen) = String::from_utf8(seen)
            && let Ok(old) = open_checkpoint(&seen, &believed.log_key)
        {
            // Also where this home folder never saw the log: the copy itself remembers.
            let is_part =
                old.size <= checkpoint.size && tree.root_at(old.size).is_ok_and(|root| root == old.root);
            if !is_part {
                return Err(trust.contradiction(&believed.log_key, &seen, &believed.note, &old, checkpoint));
            }
        }
        for tile in tiles(0, checkpoint.size).iter().filter(|tile| tile.entries().is_none()) {
            let (path, bytes) =
                (self.folder.join(tile.to_string()), tile.hashes(tree).map_err(LogRefusal::from)?);
            if self.read(&path)?.as_deref() != Some(&bytes) {
                self.write(&path, &bytes)?;
            }
        }
        self.report.entries = checkpoint.size;
        Ok(copied)
    }

    /// Reads all entries, from the folder where they are there, and makes the tree of them.
    async fn entries(&mut self, checkpoint: &Checkpoint, source: Source) -> Result<Copied, ClientError> {
        let mut copied = Copied::default();
        for tile in tiles(0, checkpoint.size) {
            let Some(range) = tile.entries() else { continue };
            let (name, width) = (tile.to_string(), (range.end - range.start) as usize);
            let path = self.folder.join(&name);
            let whole = |bytes: &[u8]| entries_of_bundle(bytes).ok().filter(|entries| entries.len() == width);
            let here = if source == Source::Folder { self.read(&path)? } else { None };
            let entries = match here.as_deref().and_then(whole) {
                Some(entries) => {
                    self.report.kept += 1;
                    entries
                }
                None => {
                    let bytes = self.client.log_file(&format!("/{name}")).await?;
                    let entries = whole(&bytes).ok_or_else(|| {
                        let reason = format!("`{name}` has not the entries that it should have");
                        LogRefusal::Unproved { reason }
                    })?;
                    self.report.fetched += 1;
                    // Believed only once the root is right; until then no checkpoint speaks of it.
                    self.write(&path, &bytes)?;
                    entries
                }
            };
            for entry in entries {
                if let Some((release, _)) = Entry::release(&entry) {
                    copied.releases.push((copied.tree.size(), release));
                } else if let Some(change) = Entry::terms_change(&entry) {
                    copied.terms.insert(change.release.clone(), change.digest());
                }
                copied.tree.push(&entry);
            }
        }
        Ok(copied)
    }

    /// Copies what a release is made of.
    async fn release(&mut self, index: u64, release: &Release, terms: Digest) -> Result<(), ClientError> {
        let id = &release.release;
        let exact = PackageRef { package: id.package.clone(), version: Some(id.version.clone()) };
        let base = format!("/v1/packages/{}/{}/{}", id.package.namespace(), id.package.name(), id.version);
        let page = self.page(index, &exact, terms).await?;
        self.object(&format!("{base}/manifest"), release.manifest, limits::MANIFEST_BYTES_MAX).await?;
        self.set(&exact, "wit", release.wit).await?;
        self.set(&exact, "tests", release.tests).await?;
        for (name, digest) in &release.documents {
            self.object(&document_path(&exact, name), *digest, limits::DOCUMENTS_BYTES_MAX).await?;
        }
        if let Some(source) = release.source {
            match self.set(&exact, "source", source).await {
                Err(ClientError::Problem(refused)) if matches!(refused.status, 402 | 403) => {
                    self.report.not_free += 1;
                }
                copied => copied?,
            }
        }
        // The page is not proved, but a wrong one could only make us ask in vain.
        let is_free = page.download_price.is_none();
        for (name, edition) in &release.editions.0 {
            let leaves = page.editions.iter().any(|shown| shown.name == *name && shown.download);
            match is_free && leaves {
                true => {
                    let path = format!("{base}/component?edition={name}");
                    self.object(&path, edition.component, limits::COMPONENT_BYTES_MAX).await?;
                }
                false => self.report.not_free += 1,
            }
        }
        if !page.download || !is_free {
            self.report.not_free += 1;
            return Ok(());
        }
        self.object(&format!("{base}/component"), release.component, limits::COMPONENT_BYTES_MAX).await?;
        if let Some(files) = release.files {
            self.set(&exact, "files", files).await?;
        }
        Ok(())
    }

    async fn page(
        &mut self,
        index: u64,
        exact: &PackageRef,
        terms: Digest,
    ) -> Result<ReleaseResponse, ClientError> {
        let path = self.folder.join("pages").join(format!("{index}.json"));
        let is_it = |page: &ReleaseResponse| page.log_index == index && page.release == exact.to_string();
        // It shows prices, and they change.
        let is_newest = |page: &ReleaseResponse| is_it(page) && page.terms == terms.to_string();
        let here = self.read(&path)?.and_then(|bytes| serde_json::from_slice(&bytes).ok()).filter(is_newest);
        if let Some(page) = here {
            self.report.kept += 1;
            return Ok(page);
        }
        let page = self.client.release(exact).await?;
        if !is_it(&page) {
            return Err(MirrorError::Differs { what: format!("the page of {exact}") }.into());
        }
        self.report.fetched += 1;
        self.write(&path, &json(&page))?;
        Ok(page)
    }

    /// Copies bytes whose digest the log names.
    async fn object(&mut self, path: &str, digest: Digest, max: usize) -> Result<(), ClientError> {
        let file = self.folder.join("objects").join(digest.hex());
        if self.read(&file)?.is_some_and(|bytes| Digest::of(bytes) == digest) {
            self.report.kept += 1;
            return Ok(());
        }
        let bytes = self.client.bytes_of(path, max).await?;
        if Digest::of(&bytes) != digest {
            return Err(MirrorError::Differs { what: format!("`{path}`") }.into());
        }
        self.report.fetched += 1;
        self.write(&file, &bytes)
    }

    /// Copies a file set whose digest the log names.
    async fn set(&mut self, exact: &PackageRef, layer: &str, digest: Digest) -> Result<(), ClientError> {
        let path = self.folder.join("files").join(format!("{}.json", digest.hex()));
        let here = self.read(&path)?.and_then(|bytes| serde_json::from_slice::<FilesResponse>(&bytes).ok());
        if here.and_then(|files| unpack(files.files)).is_some_and(|files| files.digest() == digest) {
            self.report.kept += 1;
            return Ok(());
        }
        let response = self.client.files(exact, layer).await?;
        let files = unpack(response.files.clone()).filter(|files| files.digest() == digest);
        if files.is_none() {
            return Err(MirrorError::Differs { what: format!("the {layer} files of {exact}") }.into());
        }
        self.report.fetched += 1;
        self.write(&path, &json(&response))
    }

    fn read(&self, path: &Path) -> Result<Option<Vec<u8>>, ClientError> {
        match fs::read(path) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(MirrorError::File { action: "read", path: path.to_owned(), source }.into()),
        }
    }

    fn write(&self, path: &Path, bytes: &[u8]) -> Result<(), ClientError> {
        let written = whole::write(path, bytes);
        let failed = |source| MirrorError::File { action: "write", path: path.to_owned(), source };
        Ok(written.map_err(failed)?)
    }
}

/// Where entries are taken from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Source {
    /// From the folder, as far as it has them.
    Folder,
    /// From the registry, whatever the folder has.
    Registry,
}

/// Reads files as the API writes them.
pub(crate) fn unpack(files: Vec<File>) -> Option<Files> {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    let file = |file: File| match (file.text, file.base64) {
        (Some(text), None) => Some((file.path, text.into_bytes())),
        (None, Some(base64)) => Some((file.path, STANDARD.decode(base64).ok()?)),
        _ => None,
    };
    let files: Option<Vec<_>> = files.into_iter().map(file).collect();
    Files::within(limits::RELEASE_FILES_BYTES_MAX, files?).ok()
}

fn json(document: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec_pretty(document).expect("our own documents have string keys")
}
