//! Tiles and entry bundles: the files that a log is published as.

use tlog_tiles::{HashReader, Tile};

use super::LogError;

/// The height of a tile: 256 hashes. Fixed by C2SP tlog-tiles.
pub(super) const TILE_HEIGHT: u8 = 8;

/// The width of a full tile.
const TILE_WIDTH: u64 = 1 << TILE_HEIGHT;

/// A file of the published log: its path under the log's root, and its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TileFile {
    /// Such as `tile/0/x001/234` or `tile/entries/000.p/5`. See C2SP tlog-tiles, "Merkle Tree" and "Log entries".
    pub path: String,
    /// The bytes.
    pub bytes: Vec<u8>,
}

/// Returns the hash tiles to write when the log grows from `old_size` to `new_size`.
pub fn hash_tiles(old_size: u64, new_size: u64, stored: &impl HashReader) -> Result<Vec<TileFile>, LogError> {
    Tile::new_tiles(TILE_HEIGHT, old_size, new_size)
        .into_iter()
        .map(|tile| {
            let path = tile_path(&tile.level().to_string(), tile.level_index(), u64::from(tile.width()));
            Ok(TileFile { path, bytes: tile.read_data(stored).map_err(LogError::Proof)? })
        })
        .collect()
}

/// Returns the ranges of entries whose bundles change when the log grows from `old_size` to `new_size`.
pub fn bundle_ranges(old_size: u64, new_size: u64) -> Vec<std::ops::Range<u64>> {
    let first = old_size / TILE_WIDTH;
    let last = new_size.div_ceil(TILE_WIDTH);
    (first..last).map(|n| n * TILE_WIDTH..((n + 1) * TILE_WIDTH).min(new_size)).collect()
}

/// Returns the entry bundle that holds `entries`, the first of which has index `start`.
///
/// # Panics
///
/// When an entry is longer than `limits::LOG_ENTRY_BYTES_MAX`, which is checked before it is appended.
pub fn bundle(start: u64, entries: &[Vec<u8>]) -> TileFile {
    let mut bytes = Vec::new();
    for entry in entries {
        let length = u16::try_from(entry.len()).expect("entries are bounded when they are appended");
        bytes.extend_from_slice(&length.to_be_bytes());
        bytes.extend_from_slice(entry);
    }
    TileFile { path: tile_path("entries", start / TILE_WIDTH, entries.len() as u64), bytes }
}

/// The C2SP path of a tile: the number in groups of three digits, all but the last with an `x`, and `.p/W` when it
/// is partial. The library's own path is the Go one, with a height in it.
pub(super) fn tile_path(level: &str, number: u64, width: u64) -> String {
    let mut path = format!("{:03}", number % 1_000);
    let mut rest = number / 1_000;
    while rest > 0 {
        path = format!("x{:03}/{path}", rest % 1_000);
        rest /= 1_000;
    }
    let partial = if width == TILE_WIDTH { String::new() } else { format!(".p/{width}") };
    format!("tile/{level}/{path}{partial}")
}
