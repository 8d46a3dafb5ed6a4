//! A set of files under safe relative paths, and its digest.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::{Digest, canonical, limits};

/// Says why a file set was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FilesError {
    /// A path could leave the folder, or differs from machine to machine.
    #[error("`{0}` is not a safe relative path; use lower layers like `wit/world.wit` with `/` between them")]
    Path(String),
    /// There are too many files.
    #[error("{count} files are more than the {max} allowed")]
    Count {
        /// How many there are.
        count: usize,
        /// How many are allowed.
        max: usize,
    },
    /// Two entries have one path.
    #[error("`{0}` stands twice")]
    Duplicate(String),
    /// A file is too large.
    #[error("`{path}` has {size_bytes} bytes, more than the {max_bytes} allowed")]
    Size {
        /// Which file.
        path: String,
        /// How large it is.
        size_bytes: usize,
        /// How large it may be.
        max_bytes: usize,
    },
}

/// Files by path, in the order of their paths.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Files(BTreeMap<String, Vec<u8>>);

impl Files {
    /// Checks the paths, the count and the sizes of files that people read: WIT, tests and source.
    pub fn new(entries: impl IntoIterator<Item = (String, Vec<u8>)>) -> Result<Self, FilesError> {
        Self::within(limits::TEXT_FILE_BYTES_MAX, entries)
    }

    /// Checks the paths, the count and the sizes of files of at most `max_bytes` bytes each.
    pub fn within(
        max_bytes: usize,
        entries: impl IntoIterator<Item = (String, Vec<u8>)>,
    ) -> Result<Self, FilesError> {
        let mut files = BTreeMap::new();
        for (path, bytes) in entries {
            if !is_safe(&path) {
                return Err(FilesError::Path(path.chars().take(120).collect()));
            }
            if bytes.len() > max_bytes {
                return Err(FilesError::Size { path, size_bytes: bytes.len(), max_bytes });
            }
            if files.len() >= limits::FILES_MAX {
                return Err(FilesError::Count { count: files.len() + 1, max: limits::FILES_MAX });
            }
            if files.insert(path.clone(), bytes).is_some() {
                return Err(FilesError::Duplicate(path));
            }
        }
        Ok(Self(files))
    }

    /// Goes through the files in the order of their paths.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.0.iter().map(|(path, bytes)| (path.as_str(), bytes.as_slice()))
    }

    /// Returns how many files there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns how many bytes they have together.
    pub fn size_bytes(&self) -> usize {
        self.0.values().map(Vec::len).sum()
    }

    /// Tells whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Writes the set as one object: canonical JSON of paths and base64.
    pub fn pack(&self) -> Vec<u8> {
        let texts: BTreeMap<&str, String> =
            self.iter().map(|(path, bytes)| (path, STANDARD.encode(bytes))).collect();
        canonical::to_bytes(&texts)
    }

    /// Reads what [`Files::pack`] wrote; `None` for anything else. Sizes were checked before it was packed.
    pub fn unpack(packed: &[u8]) -> Option<Self> {
        let texts: BTreeMap<String, String> = serde_json::from_slice(packed).ok()?;
        let decode = |(path, text): (String, String)| Some((path, STANDARD.decode(text).ok()?));
        Self::within(usize::MAX, texts.into_iter().map(decode).collect::<Option<Vec<_>>>()?).ok()
    }

    /// Returns the digest of the set: SHA-256 over a line `<file digest>  <path>\n` for each file in order, which is
    /// what `sha256sum` prints for the sorted paths, without the `sha256:` prefix.
    pub fn digest(&self) -> Digest {
        let mut listing = String::new();
        for (path, bytes) in self.iter() {
            listing.push_str(&format!("{}  {path}\n", Digest::of(bytes).hex()));
        }
        Digest::of(listing)
    }
}

/// Relative, `/`-separated, no empty, `.` or `..` parts, printable ASCII without a backslash or a colon.
fn is_safe(path: &str) -> bool {
    !path.is_empty()
        && path.len() <= 256
        && path.bytes().all(|b| (b.is_ascii_graphic() || b == b' ') && b != b'\\' && b != b':')
        && path.split('/').all(|part| !part.is_empty() && part != "." && part != "..")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(path: &str) -> Result<Files, FilesError> {
        Files::new([(path.to_owned(), b"x".to_vec())])
    }

    #[test]
    fn refuses_paths_that_leave_the_folder() {
        for path in ["", "/etc/passwd", "../x", "a/../b", "a//b", "a/.", "c:x", "a\\b", "a\0b", "ä"] {
            assert!(of(path).is_err(), "{path:?}");
        }
        assert!(of("wit/deps/a b/world.wit").is_ok());
    }

    #[test]
    fn digest_does_not_depend_on_the_order_given() {
        let ab = Files::new([("a".into(), vec![1]), ("b".into(), vec![2])]).expect("safe");
        let ba = Files::new([("b".into(), vec![2]), ("a".into(), vec![1])]).expect("safe");
        assert_eq!(ab.digest(), ba.digest());
        assert_ne!(ab.digest(), of("a").expect("safe").digest());
        assert_eq!(Files::unpack(&ab.pack()), Some(ab));
        assert_eq!(Files::unpack(br#"{"../x":""}"#), None);
    }

    #[test]
    fn sizes_are_those_of_the_layer() {
        let large = || [("a".to_owned(), vec![0; limits::TEXT_FILE_BYTES_MAX + 1])];
        assert!(matches!(Files::new(large()), Err(FilesError::Size { .. })));
        let files = Files::within(limits::RELEASE_FILES_BYTES_MAX, large()).expect("it fits");
        assert_eq!(Files::unpack(&files.pack()), Some(files));
    }
}
