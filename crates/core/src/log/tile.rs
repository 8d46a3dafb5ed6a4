//! Tiles and entry bundles: the files that a log is published as. See C2SP tlog-tiles.

use std::fmt;
use std::str::FromStr;

use tlog_tiles::{Hash, HashReader, TileHashReader, TileReader, tree_hash};

use super::{LogError, TreeError};
use crate::Digest;

/// The height of a tile: 256 hashes. Fixed by C2SP tlog-tiles.
pub(super) const TILE_HEIGHT: u8 = 8;

/// The width of a full tile.
const TILE_WIDTH: u64 = 1 << TILE_HEIGHT;

/// The highest level that a path may name. See C2SP tlog-tiles, "Merkle Tree".
const LEVEL_MAX: u8 = 63;

/// The longest path of a tile, in bytes: seven groups of digits, and the width of a partial one.
const PATH_BYTES_MAX: usize = 64;

/// One file of a published log. Prints and parses as its path, such as `tile/0/x001/234` or `tile/entries/000.p/5`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Tile {
    /// The level of the tree whose hashes it holds; `None` for a bundle of entries.
    level: Option<u8>,
    number: u64,
    width: u64,
}

/// Says that a path is not that of a tile, or not in the one spelling that it has.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not the path of a tile")]
pub struct TilePathError;

/// Returns the files to write when the log grows from `old_size` to `new_size`: from 0, all that it consists of.
pub fn tiles(old_size: u64, new_size: u64) -> Vec<Tile> {
    let hashes = tlog_tiles::Tile::new_tiles(TILE_HEIGHT, old_size, new_size);
    let hashes = hashes.iter().map(Tile::of_hashes);
    let bundles = old_size / TILE_WIDTH..new_size.div_ceil(TILE_WIDTH);
    let bundles = bundles.filter(|_| old_size < new_size).map(|number| {
        let width = TILE_WIDTH.min(new_size - number * TILE_WIDTH);
        Tile { level: None, number, width }
    });
    hashes.chain(bundles).collect()
}

impl Tile {
    pub(super) fn of_hashes(tile: &tlog_tiles::Tile) -> Self {
        Self { level: Some(tile.level()), number: tile.level_index(), width: u64::from(tile.width()) }
    }

    /// Returns the indexes of the entries that it holds, where it is a bundle.
    pub fn entries(&self) -> Option<std::ops::Range<u64>> {
        let start = self.number.checked_mul(TILE_WIDTH)?;
        (self.level.is_none()).then_some(start..start.checked_add(self.width)?)
    }

    /// Returns how many bytes it has, where it holds hashes: bundles have entries of any length.
    pub fn hash_bytes(&self) -> Option<u64> {
        self.level.map(|_| self.width * tlog_tiles::HASH_SIZE as u64)
    }

    /// Returns the hashes that it holds. Of a bundle there are none.
    pub fn hashes(&self, stored: &impl HashReader) -> Result<Vec<u8>, LogError> {
        let Some(level) = self.level else { return Ok(Vec::new()) };
        let width = u32::try_from(self.width).map_err(|_| LogError::Proof(TreeError::InvalidTile))?;
        let tile = tlog_tiles::Tile::new(TILE_HEIGHT, level, self.number, width, false);
        tile.read_data(stored).map_err(LogError::Proof)
    }
}

/// Packs the entries of a bundle, each behind its length in two bytes.
///
/// # Panics
///
/// When an entry is longer than `limits::LOG_ENTRY_BYTES_MAX`, which is checked before it is appended.
pub fn bundle(entries: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for entry in entries {
        let length = u16::try_from(entry.len()).expect("entries are bounded when they are appended");
        bytes.extend_from_slice(&length.to_be_bytes());
        bytes.extend_from_slice(entry);
    }
    bytes
}

/// Splits an entry bundle. See C2SP tlog-tiles, "Log entries".
pub fn entries_of_bundle(mut bundle: &[u8]) -> Result<Vec<Vec<u8>>, LogError> {
    let mut entries = Vec::new();
    while !bundle.is_empty() {
        let (length, rest) = bundle.split_first_chunk::<2>().ok_or(LogError::Malformed)?;
        let length = usize::from(u16::from_be_bytes(*length));
        let (entry, rest) = rest.split_at_checked(length).ok_or(LogError::Malformed)?;
        entries.push(entry.to_vec());
        bundle = rest;
    }
    Ok(entries)
}

/// Checks that the tiles along the edge of the tree, read by their paths, give this root.
///
/// They are those that the next entries are built on; every other tile is committed to by one of them.
pub fn check_tiles(size: u64, root: Digest, read: impl Fn(&Tile) -> Option<Vec<u8>>) -> Result<(), LogError> {
    if size == 0 {
        return Ok(());
    }
    let files = Files(read);
    let reader = TileHashReader::new(size, Hash(*root.as_bytes()), &files);
    // The reader compares what it reads with the root that it was given.
    tree_hash(size, &reader).map(|_| ()).map_err(LogError::Proof)
}

struct Files<F>(F);

impl<F: Fn(&Tile) -> Option<Vec<u8>>> TileReader for Files<F> {
    fn height(&self) -> u8 {
        TILE_HEIGHT
    }

    fn read_tiles(&self, tiles: &[tlog_tiles::Tile]) -> Result<Vec<Vec<u8>>, TreeError> {
        tiles.iter().map(|tile| (self.0)(&Tile::of_hashes(tile)).ok_or(TreeError::InvalidTile)).collect()
    }

    fn save_tiles(&self, _: &[tlog_tiles::Tile], _: &[Vec<u8>]) {}
}

impl fmt::Display for Tile {
    /// The number is in groups of three digits, all but the last with an `x`, and `.p/W` follows where the tile is
    /// partial. The library's own path is the Go one, with a height in it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.level {
            Some(level) => write!(f, "tile/{level}/")?,
            None => write!(f, "tile/entries/")?,
        }
        let groups = (1..7).take_while(|group| self.number >= 1_000_u64.pow(*group)).count() as u32;
        for group in (1..=groups).rev() {
            write!(f, "x{:03}/", self.number / 1_000_u64.pow(group) % 1_000)?;
        }
        write!(f, "{:03}", self.number % 1_000)?;
        if self.width == TILE_WIDTH { Ok(()) } else { write!(f, ".p/{}", self.width) }
    }
}

impl FromStr for Tile {
    type Err = TilePathError;

    fn from_str(path: &str) -> Result<Self, TilePathError> {
        Self::read(path).filter(|tile| path == tile.to_string()).ok_or(TilePathError)
    }
}

impl Tile {
    /// Reads a path in some spelling.
    fn read(path: &str) -> Option<Self> {
        let (level, rest) =
            path.strip_prefix("tile/")?.split_once('/').filter(|_| path.len() <= PATH_BYTES_MAX)?;
        let level = match level {
            "entries" => None,
            level => Some(level.parse().ok().filter(|level| *level <= LEVEL_MAX)?),
        };
        let (number, width) = match rest.split_once(".p/") {
            Some((number, width)) => {
                (number, width.parse().ok().filter(|width| (1..TILE_WIDTH).contains(width))?)
            }
            None => (rest, TILE_WIDTH),
        };
        let number = number.split('/').try_fold(0_u64, |number, group| {
            let group: u64 =
                group.strip_prefix('x').unwrap_or(group).parse().ok().filter(|group| *group < 1_000)?;
            number.checked_mul(1_000)?.checked_add(group)
        })?;
        Some(Self { level, number, width })
    }
}
