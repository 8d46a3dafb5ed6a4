use super::*;
use crate::Digest;
use crate::key::SecretKey;

/// The stored hashes of a log.
pub(super) struct Stored(Vec<Hash>);

impl HashReader for Stored {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<Hash>, TreeError> {
        indexes.iter().map(|i| self.0.get(*i as usize).copied().ok_or(TreeError::IndexesNotInTree)).collect()
    }
}

/// A log of the entries `entry 0`, `entry 1` and so on.
pub(super) fn log_of(size: u64) -> Stored {
    with_entries(size, |index| format!("entry {index}"))
}

pub(super) fn with_entries(size: u64, entry: impl Fn(u64) -> String) -> Stored {
    let mut stored = Stored(Vec::new());
    for index in 0..size {
        let hashes = hashes_of_new_entry(index, entry(index).as_bytes(), &stored).expect("stored");
        stored.0.extend(hashes);
        assert_eq!(stored.0.len() as u64, stored_hash_count(index + 1));
    }
    stored
}

#[test]
fn every_entry_is_provable_and_no_other() {
    let key = LogKey::new("example.org/log", SecretKey::from_seed(&[3; 32])).expect("valid name");
    for size in [1, 2, 3, 7, 256, 257, 600] {
        let stored = log_of(size);
        let checkpoint = key.sign(size, root(size, &stored).expect("stored"), map::EMPTY, 0);
        for index in [0, size / 2, size - 1] {
            let hashes = prove(index, size, &stored).expect("stored");
            let proof = InclusionProof { index, hashes, checkpoint: checkpoint.clone() };
            let entry = format!("entry {index}");
            let seen = proof.verify(entry.as_bytes(), &key.verifier_key()).expect("included");
            assert_eq!((seen.size, seen.origin.as_str()), (size, "example.org/log"));
            assert!(proof.verify(b"entry x", &key.verifier_key()).is_err());
            let elsewhere = InclusionProof { index: index + 1, ..proof };
            assert!(elsewhere.verify(entry.as_bytes(), &key.verifier_key()).is_err());
        }
    }
}

#[test]
fn another_key_is_refused() {
    let key = LogKey::new("example.org/log", SecretKey::from_seed(&[3; 32])).expect("valid name");
    let other = LogKey::new("example.org/log", SecretKey::from_seed(&[4; 32])).expect("valid name");
    let note = key.sign(0, Digest::of(""), map::EMPTY, 0);
    assert!(open_checkpoint(&note, &key.verifier_key()).is_ok());
    assert!(open_checkpoint(&note, &other.verifier_key()).is_err());
    assert!(open_checkpoint(&note.replace("\n0\n", "\n1\n"), &key.verifier_key()).is_err());
    assert!(open_checkpoint("garbage", &key.verifier_key()).is_err());
    assert!(LogKey::new("with space", SecretKey::from_seed(&[3; 32])).is_none());
}

#[test]
fn tile_paths_are_those_of_c2sp() {
    let stored = log_of(300);
    let files = tiles(0, 300);
    let paths: Vec<String> = files.iter().map(Tile::to_string).collect();
    let bundles = ["tile/entries/000", "tile/entries/001.p/44"];
    assert_eq!(paths, [["tile/0/000", "tile/0/001.p/44", "tile/1/000.p/1"].as_slice(), &bundles].concat());
    for tile in &files {
        assert_eq!(tile.hashes(&stored).expect("stored").len() as u64, tile.hash_bytes().unwrap_or(0));
    }
    let grown: Vec<_> = tiles(250, 300).iter().filter_map(Tile::entries).collect();
    assert_eq!(grown, [0..256, 256..300]);
    assert!(tiles(300, 300).is_empty() && tiles(0, 0).is_empty() && tiles(256, 256).is_empty());
    for path in ["tile/1/x001/x234/067", "tile/entries/273.p/67", "tile/0/x018/x446/x744/x073/x709/x551/615"]
    {
        assert_eq!(path.parse::<Tile>().expect("a path").to_string(), path);
    }
    for bad in [
        "",
        "tile",
        "tile/",
        "tile/0",
        "tile/0/",
        "tile/0/0",
        "tile/0/00",
        "tile/0/0000",
        "tile/00/000",
        "tile/+0/000",
        "tile/64/000",
        "tile/-1/000",
        "tile/x/000",
        "tile/0/x000/000",
        "tile/0/001/000",
        "tile/0/x01/000",
        "tile/0/x001/x000",
        "tile/0/000.p",
        "tile/0/000.p/",
        "tile/0/000.p/0",
        "tile/0/000.p/256",
        "tile/0/000.p/01",
        "tile/0/000.p/1/1",
        "tile/0/000/",
        "/tile/0/000",
        "tile//000",
        "tile/0/1000",
        "tile/0/+01",
        "tile/0/../0/000",
        "tile/entries/",
        "tile/data/000",
        "tile/0/x018/x446/x744/x073/x709/x551/616",
        "tile/8/0/000",
        "tile/0/000 ",
    ] {
        assert!(bad.parse::<Tile>().is_err(), "{bad}");
    }
}

#[test]
fn a_bundle_comes_apart_as_it_was_packed_and_not_when_it_is_cut() {
    let entries = [b"ab".to_vec(), Vec::new(), vec![7; 300]];
    let packed = bundle(&entries);
    assert_eq!(packed[..5], [0, 2, b'a', b'b', 0]);
    assert_eq!(entries_of_bundle(&packed).expect("whole"), entries);
    for length in 0..packed.len() {
        let ends_between = [0, 4, 6].contains(&length);
        assert_eq!(entries_of_bundle(&packed[..length]).is_ok(), ends_between, "{length}");
    }
}

#[test]
fn tiles_that_are_missing_cut_or_changed_do_not_give_the_root() {
    for size in [1, 5, 256, 300, 600] {
        let stored = log_of(size);
        let tree = root(size, &stored).expect("stored");
        let read = |tile: &Tile| tile.hashes(&stored).ok();
        check_tiles(size, tree, read).expect("as they were written");
        assert!(check_tiles(size, Digest::of("another"), read).is_err());
        assert!(check_tiles(size, tree, |_| None).is_err());
        assert!(check_tiles(size, tree, |tile| read(tile).map(|bytes| bytes[1..].to_vec())).is_err());
        let flipped = |tile: &Tile| {
            let mut bytes = read(tile)?;
            *bytes.last_mut()? ^= 1;
            Some(bytes)
        };
        assert!(check_tiles(size, tree, flipped).is_err());
    }
}
