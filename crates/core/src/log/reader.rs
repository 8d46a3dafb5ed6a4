//! Reading somebody else's log: which tiles are needed, and whether they are of the tree that its checkpoint signs.
//!
//! Whoever hands out tiles need not be trusted: each is checked against the checkpoint's root before a hash of it is used.
//! Fetching is the caller's part. It calls with the files that it has and is told which are missing, until none is.

use std::cell::RefCell;
use std::collections::BTreeMap;

use tlog_tiles::{Hash, HashReader, TileHashReader, TileReader, prove_record, tree_hash};

use super::tile::TILE_HEIGHT;
use super::{Checkpoint, LogError, Tile, TreeError};
use crate::{Digest, limits};

/// Files of a log, by path.
pub type LogFiles = BTreeMap<String, Vec<u8>>;

/// Why a question about a log has no answer.
#[derive(Debug)]
pub enum ReadError {
    /// These files are needed, too.
    Missing(Vec<String>),
    /// What is there is not of this tree.
    Refused(LogError),
}

/// Returns the root that the log of `checkpoint` had at `size`. An earlier checkpoint is of the same log exactly if it
/// has this root.
pub fn root_at(size: u64, checkpoint: &Checkpoint, files: &LogFiles) -> Result<Digest, ReadError> {
    if size == 0 {
        return Ok(Digest::of(""));
    }
    if size == checkpoint.size {
        return Ok(checkpoint.root);
    }
    let root = read(checkpoint, files, |hashes| tree_hash(size, hashes))?;
    Ok(Digest::from_bytes(root.0))
}

/// Proves that entry `index` is in the tree of `checkpoint`.
pub fn prove_inclusion(
    index: u64,
    checkpoint: &Checkpoint,
    files: &LogFiles,
) -> Result<Vec<Digest>, ReadError> {
    let hashes = read(checkpoint, files, |hashes| prove_record(checkpoint.size, index, hashes))?;
    Ok(hashes.into_iter().map(|hash| Digest::from_bytes(hash.0)).collect())
}

fn read<T>(
    checkpoint: &Checkpoint,
    files: &LogFiles,
    ask: impl FnOnce(&TileHashReader<'_>) -> Result<T, TreeError>,
) -> Result<T, ReadError> {
    if checkpoint.size == 0 || checkpoint.size > limits::LOG_ENTRIES_MAX {
        return Err(ReadError::Refused(LogError::Proof(TreeError::IndexesNotInTree)));
    }
    let tiles = Tiles { files, missing: RefCell::default() };
    let hashes = TileHashReader::new(checkpoint.size, Hash(*checkpoint.root.as_bytes()), &tiles);
    let answer = ask(&hashes);
    let missing = tiles.missing.take();
    match answer {
        Ok(answer) => Ok(answer),
        Err(_) if !missing.is_empty() => Err(ReadError::Missing(missing)),
        Err(error) => Err(ReadError::Refused(LogError::Proof(error))),
    }
}

struct Tiles<'a> {
    files: &'a LogFiles,
    missing: RefCell<Vec<String>>,
}

impl TileReader for Tiles<'_> {
    fn height(&self) -> u8 {
        TILE_HEIGHT
    }

    fn read_tiles(&self, tiles: &[tlog_tiles::Tile]) -> Result<Vec<Vec<u8>>, TreeError> {
        let mut found = Vec::new();
        for tile in tiles {
            let path = Tile::of_hashes(tile).to_string();
            match self.files.get(&path) {
                Some(bytes) => found.push(bytes.clone()),
                None => self.missing.borrow_mut().push(path),
            }
        }
        if found.len() == tiles.len() { Ok(found) } else { Err(TreeError::InvalidTile) }
    }

    fn save_tiles(&self, _: &[tlog_tiles::Tile], _: &[Vec<u8>]) {}
}

/// All hashes of a log, made from its entries.
#[derive(Debug, Default, Clone)]
pub struct Tree {
    hashes: Vec<Hash>,
    size: u64,
}

impl Tree {
    /// Appends an entry.
    pub fn push(&mut self, entry: &[u8]) {
        let hashes = super::hashes_of_new_entry(self.size, entry, self).expect("all earlier hashes are here");
        self.hashes.extend(hashes);
        self.size += 1;
    }

    /// Returns how many entries it has.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Returns the root that it had at an earlier size.
    pub fn root_at(&self, size: u64) -> Result<Digest, LogError> {
        super::root(size, self)
    }

    /// Returns the root.
    pub fn root(&self) -> Digest {
        super::root(self.size, self).expect("all hashes are here")
    }
}

impl HashReader for Tree {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<Hash>, TreeError> {
        let read = |index: &u64| self.hashes.get(usize::try_from(*index).ok()?).copied();
        indexes.iter().map(|index| read(index).ok_or(TreeError::IndexesNotInTree)).collect()
    }
}
