//! Power cuts on demand: what is left of the database when everything is lost that need not be on the disk.
//!
//! Ending the process does not show that, because the system still brings to the disk what the process has written. So the
//! files are kept as they were on the disk for certain, and put back.
//!
//! For tests and drills: the database is copied before each write that may be lost and follows one that may not. To read
//! its file takes SQLite's locks off it, so no other process may use it meanwhile.

use std::io::{Error, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::{fs, io};

use crate::sqlite::Store;

/// A power cut that was foreseen. It strikes when the store is closed.
#[derive(Debug)]
pub struct PowerCut(Arc<Drill>);

/// What is kept for one.
#[derive(Debug, Default)]
pub(crate) struct Drill(Mutex<Kept>);

#[derive(Debug, Default)]
enum Kept {
    /// No power cut is foreseen.
    #[default]
    Nothing,
    /// All that was written is on the disk.
    All,
    /// The files as they are on the disk for certain; `None` for one that is not there.
    Files(Vec<(PathBuf, Option<Vec<u8>>)>),
}

impl Store {
    /// Keeps from now on what a power cut would leave. What was written before is taken for being on the disk.
    pub fn foresee_power_cut(&self) -> PowerCut {
        self.inner.drill.set(Kept::All);
        PowerCut(self.inner.drill.clone())
    }
}

impl PowerCut {
    /// Cuts the power: leaves in the folder what would be there.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::WouldBlock`] while the store is open; others when its files cannot be written.
    pub fn strike(&self) -> io::Result<()> {
        // The store lets go of its share last of all.
        if Arc::strong_count(&self.0) > 1 {
            return Err(Error::new(ErrorKind::WouldBlock, "the store is open"));
        }
        let Kept::Files(files) = self.0.set(Kept::Nothing) else { return Ok(()) };
        for (path, bytes) in files {
            match bytes {
                Some(bytes) => fs::write(path, bytes)?,
                None => absent(fs::remove_file(path))?.unwrap_or_default(),
            }
        }
        Ok(())
    }
}

impl Drill {
    /// Notes that a write comes which may be lost.
    pub(crate) fn keep(&self, database: &Path) -> io::Result<()> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if matches!(*kept, Kept::All) {
            // The index of the log of writes is made anew where it is missing.
            let files = ["", "-wal", "-shm"].map(|suffix| {
                let mut path = database.as_os_str().to_owned();
                path.push(suffix);
                PathBuf::from(path)
            });
            let [base, log, index] = files;
            let read = |path: PathBuf| Ok::<_, Error>((path.clone(), absent(fs::read(path))?));
            *kept = Kept::Files(vec![read(base)?, read(log)?, (index, None)]);
        }
        Ok(())
    }

    /// Notes that a write is on the disk, and with it all before it.
    pub(crate) fn flushed(&self) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if matches!(*kept, Kept::Files(_)) {
            *kept = Kept::All;
        }
    }

    fn set(&self, next: Kept) -> Kept {
        std::mem::replace(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner), next)
    }
}

/// Returns nothing where there is no such file.
fn absent<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}
