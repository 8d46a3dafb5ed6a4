//! The files that releases ship, in memory: read and decoded once, and then given to every call as they are.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use glassbox_core::{Digest, limits};
use glassbox_sandbox::FileSet;

use crate::error::{CallError, RegistryError};
use crate::live::Live;
use crate::open::Registry;
use crate::package::file_set;
use crate::publish::unpack_files;

/// File sets by their digests, of bounded size: the least recently used is dropped first.
#[derive(Default)]
pub(crate) struct Shelf(Mutex<Sets>);

#[derive(Default)]
struct Sets {
    sets: HashMap<Digest, (Arc<FileSet>, u64)>,
    bytes: usize,
    clock: u64,
}

impl Shelf {
    fn get(&self, digest: Digest) -> Option<Arc<FileSet>> {
        let sets = &mut *self.lock();
        sets.clock += 1;
        let (files, used) = sets.sets.get_mut(&digest)?;
        *used = sets.clock;
        Some(files.clone())
    }

    fn insert(&self, digest: Digest, files: Arc<FileSet>, bytes_max: usize) {
        let sets = &mut *self.lock();
        sets.clock += 1;
        sets.bytes += size_bytes(&files);
        if let Some((old, _)) = sets.sets.insert(digest, (files, sets.clock)) {
            sets.bytes -= size_bytes(&old);
        }
        // The newest stays, however large: it is about to be used.
        while sets.bytes > bytes_max && sets.sets.len() > 1 {
            let oldest = sets.sets.iter().min_by_key(|(_, (_, used))| *used).map(|(digest, _)| *digest);
            let dropped = oldest.and_then(|digest| sets.sets.remove(&digest));
            sets.bytes -= dropped.map_or(0, |(files, _)| size_bytes(&files));
        }
    }

    /// Drops all: what is still used is read again.
    pub(crate) fn clear(&self) {
        let sets = &mut *self.lock();
        sets.sets.clear();
        sets.bytes = 0;
    }

    /// What the lock guards is whole between any two statements.
    fn lock(&self) -> MutexGuard<'_, Sets> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn size_bytes(files: &FileSet) -> usize {
    files.iter().map(|(path, bytes)| path.len() + bytes.len()).sum()
}

impl Registry {
    /// Returns the files that a release ships, as a guest is shown them.
    pub(crate) async fn files_of(&self, live: &Live) -> Result<Option<Arc<FileSet>>, CallError> {
        let Some(files) = live.files else { return Ok(None) };
        if let Some(found) = self.files.get(files.digest) {
            return Ok(Some(found));
        }
        let (id, packed) = (live.id.clone(), self.store.object(files.object).await?);
        // Megabytes of base64: work for a thread that may block.
        let reading = tokio::task::spawn_blocking(move || {
            let unpacked = unpack_files(&id, &packed)?;
            match unpacked.digest() == files.digest {
                true => Ok(Arc::new(file_set(&unpacked))),
                false => Err(RegistryError::Damaged(id.to_string(), "its files are not those signed".into())),
            }
        });
        let read = reading.await.map_err(|_| RegistryError::Worker)??;
        self.files.insert(files.digest, read.clone(), limits::RELEASE_FILES_HELD_BYTES_MAX);
        Ok(Some(read))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_used_least_recently_makes_room() {
        let shelf = Shelf::default();
        let files = |bytes: usize| Arc::new(FileSet::from([("a".to_owned(), vec![0; bytes].into())]));
        let digests = ["one", "two", "three"].map(Digest::of);
        let there = |shelf: &Shelf| digests.map(|digest| shelf.lock().sets.contains_key(&digest));
        shelf.insert(digests[0], files(9), 25);
        shelf.insert(digests[1], files(9), 25);
        shelf.insert(digests[1], files(9), 25);
        assert!(shelf.get(digests[0]).is_some() && shelf.get(digests[2]).is_none());
        shelf.insert(digests[2], files(9), 25);
        assert_eq!(there(&shelf), [true, false, true]);
        // Larger than all there is room for, and needed all the same.
        shelf.insert(digests[1], files(99), 25);
        assert_eq!((there(&shelf), shelf.lock().bytes), ([false, true, false], 100));
    }
}
