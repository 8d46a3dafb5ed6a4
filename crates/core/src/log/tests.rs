use super::tile::tile_path;
use super::*;
use crate::Digest;
use crate::key::SecretKey;

struct Stored(Vec<Hash>);

impl HashReader for Stored {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<Hash>, TreeError> {
        indexes.iter().map(|i| self.0.get(*i as usize).copied().ok_or(TreeError::IndexesNotInTree)).collect()
    }
}

fn log_of(size: u64) -> Stored {
    let mut stored = Stored(Vec::new());
    for index in 0..size {
        let hashes =
            hashes_of_new_entry(index, format!("entry {index}").as_bytes(), &stored).expect("stored");
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
    assert_eq!(tile_path("0", 0, 256), "tile/0/000");
    assert_eq!(tile_path("1", 1_234_067, 256), "tile/1/x001/x234/067");
    assert_eq!(tile_path("entries", 273, 67), "tile/entries/273.p/67");
    let stored = log_of(300);
    let paths: Vec<String> =
        hash_tiles(0, 300, &stored).expect("stored").into_iter().map(|tile| tile.path).collect();
    assert_eq!(paths, ["tile/0/000", "tile/0/001.p/44", "tile/1/000.p/1"]);
    assert_eq!(bundle_ranges(250, 300), [0..256, 256..300]);
    assert_eq!(bundle(256, &[b"ab".to_vec()]).bytes, [0, 2, b'a', b'b']);
}
