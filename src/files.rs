//! Files that pass through a component: read from this machine, and written back to it.
//!
//! What a program names is a stranger's word, so nothing is written outside of the folder that was meant for it.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Read as _, Write as _};
use std::path::{Component, Path, PathBuf};

use glassbox_core::limits;

use crate::failure::Failure;

/// Files by their paths: relative, with `/` between the names.
pub(crate) type Entries = Vec<(String, Vec<u8>)>;

/// Says why a file on this machine cannot be taken or written.
pub(crate) fn refuse(path: &Path, why: &str) -> Failure {
    Failure::no("files-invalid", format!("`{}` {why}", path.display()), "use plain files in plain folders")
}

/// Reads every file below `root`, hidden ones too, which have `bytes_max` bytes together at most.
///
/// Links are refused: whoever gives a folder away gives what is in it, and nothing else of the machine.
pub(crate) fn below(root: &Path, bytes_max: usize) -> Result<Entries, Failure> {
    let mut found = Vec::new();
    let mut folders = vec![(root.to_owned(), String::new())];
    let (mut bytes_left, mut nodes_left) = (bytes_max, limits::TREE_NODES_MAX);
    while let Some((folder, prefix)) = folders.pop() {
        let unreadable = |error: std::io::Error| Failure::io("read", &folder, &error);
        for entry in fs::read_dir(&folder).map_err(unreadable)? {
            let entry = entry.map_err(unreadable)?;
            let path = entry.path();
            nodes_left = nodes_left.checked_sub(1).ok_or_else(|| {
                refuse(root, &format!("holds more than {} files and folders", limits::TREE_NODES_MAX))
            })?;
            let name =
                entry.file_name().into_string().map_err(|_| refuse(&path, "has a name that is no text"))?;
            let kind = entry.file_type().map_err(|error| Failure::io("read", &path, &error))?;
            if kind.is_dir() {
                folders.push((path, format!("{prefix}{name}/")));
            } else if kind.is_file() {
                found.push((format!("{prefix}{name}"), read(&path, &mut bytes_left)?));
            } else {
                return Err(refuse(&path, if kind.is_symlink() { "is a link" } else { "is no file" }));
            }
        }
    }
    Ok(found)
}

/// Reads a file within the bytes that are left.
pub(crate) fn read(path: &Path, bytes_left: &mut usize) -> Result<Vec<u8>, Failure> {
    let unreadable = |error: std::io::Error| Failure::io("read", path, &error);
    let mut bytes = Vec::new();
    let file = fs::File::open(path).map_err(unreadable)?;
    file.take(*bytes_left as u64 + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    *bytes_left =
        bytes_left.checked_sub(bytes.len()).ok_or_else(|| refuse(path, "is more than there is room for"))?;
    Ok(bytes)
}

/// Whether files that are there already may be replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Existing {
    Keep,
    Replace,
}

/// A folder that files are written back to.
#[derive(Debug)]
pub(crate) struct Out {
    root: PathBuf,
    existing: Existing,
}

impl Out {
    /// Makes the folder where it is missing, and tries whether it can be written to.
    pub(crate) fn open(root: &Path, existing: Existing) -> Result<Self, Failure> {
        fs::create_dir_all(root).map_err(|error| Failure::io("make", root, &error))?;
        tempfile::NamedTempFile::new_in(root).map_err(|error| Failure::io("write into", root, &error))?;
        Ok(Self { root: root.to_owned(), existing })
    }

    /// Writes `files`, or none of them where one would leave the folder or replace what must stay.
    pub(crate) fn write(&self, files: &Entries) -> Result<(), Failure> {
        for (path, _) in files {
            self.check(path)?;
        }
        for (path, bytes) in files {
            let target = self.root.join(path);
            let write = || -> std::io::Result<()> {
                fs::create_dir_all(target.parent().unwrap_or(&self.root))?;
                if self.existing == Existing::Replace && target.exists() {
                    fs::remove_file(&target)?;
                }
                // A new file and no other: what came in between is neither followed nor replaced.
                OpenOptions::new().write(true).create_new(true).open(&target)?.write_all(bytes)
            };
            write().map_err(|error| Failure::io("write", &target, &error))?;
        }
        Ok(())
    }

    fn check(&self, path: &str) -> Result<(), Failure> {
        let parts: Vec<&str> = path.split('/').collect();
        let is_name = |part: &&str| {
            let mut components = Path::new(part).components();
            let first = components.next();
            matches!(first, Some(Component::Normal(name)) if name == *part) && components.next().is_none()
        };
        if !parts.iter().all(is_name) || path.contains('\0') {
            let named: String = path.chars().take(limits::QUOTED_CHARS_MAX).collect();
            let message =
                format!("the program wrote `{}`, which leads out of the folder", named.escape_debug());
            return Err(Failure::no(
                "out-refused",
                message,
                "nothing was written; do not trust this program",
            ));
        }
        let mut here = self.root.clone();
        for (index, part) in parts.iter().enumerate() {
            here.push(part);
            let is_last = index + 1 == parts.len();
            match fs::symlink_metadata(&here) {
                Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
                Err(error) => return Err(Failure::io("look at", &here, &error)),
                Ok(found) if found.is_dir() && !is_last => {}
                Ok(found) if found.is_file() && is_last && self.existing == Existing::Replace => {}
                Ok(found) if found.is_file() && is_last => {
                    let message = format!("`{}` is there already", here.display());
                    return Err(Failure::no(
                        "file-exists",
                        message,
                        "replace it with --force, or name another --out",
                    ));
                }
                Ok(_) => {
                    let message = format!("`{}` is in the way of `{path}`", here.display());
                    return Err(Failure::no(
                        "out-refused",
                        message,
                        "nothing was written; name another --out",
                    ));
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(files: &[(&str, &str)]) -> Entries {
        files.iter().map(|(path, text)| ((*path).to_owned(), text.as_bytes().to_vec())).collect()
    }

    fn code(result: Result<impl std::fmt::Debug, Failure>) -> String {
        result.expect_err("refused").code
    }

    #[test]
    fn what_is_written_is_read_again() {
        let folder = tempfile::tempdir().expect("a folder");
        let root = folder.path().join("new");
        let out = Out::open(&root, Existing::Keep).expect("made");
        let files = entries(&[(".hidden", "H"), ("a.txt", "A"), ("b/c/d.txt", "D"), ("b/é", "")]);
        out.write(&files).expect("written");
        let mut found = below(&root, 3).expect("read");
        found.sort();
        assert_eq!(found, files);
        assert_eq!(code(below(&root, 2)), "files-invalid");
        assert_eq!(code(out.write(&entries(&[("new.txt", ""), ("a.txt", "other")]))), "file-exists");
        assert!(!root.join("new.txt").exists(), "all or nothing");
        Out::open(&root, Existing::Replace)
            .expect("there")
            .write(&entries(&[("a.txt", "B")]))
            .expect("replaced");
        assert_eq!(fs::read_to_string(root.join("a.txt")).expect("there"), "B");
        assert_eq!(code(Out::open(&root.join("a.txt"), Existing::Keep)), "io");
        assert_eq!(code(below(&root.join("none"), 9)), "io");
    }

    #[test]
    fn no_path_leads_out_of_the_folder() {
        let folder = tempfile::tempdir().expect("a folder");
        let out = Out::open(folder.path(), Existing::Replace).expect("there");
        fs::create_dir(folder.path().join("dir")).expect("made");
        fs::write(folder.path().join("file"), "F").expect("written");
        for path in [
            "",
            "/",
            "/etc/x",
            "..",
            "../x",
            "a/../../x",
            "a/..",
            "./a",
            "a/.",
            "a//b",
            "a/",
            "a\0b",
            "dir",
            "file/x",
        ] {
            assert_eq!(code(out.write(&entries(&[("good", ""), (path, "x")]))), "out-refused", "{path:?}");
        }
        assert!(!folder.path().join("good").exists());
    }

    #[cfg(unix)]
    #[test]
    fn links_are_neither_read_nor_followed() {
        let folder = tempfile::tempdir().expect("a folder");
        let (root, other) = (folder.path().join("root"), folder.path().join("other"));
        fs::create_dir_all(&other).expect("made");
        fs::write(other.join("x"), "X").expect("written");
        let out = Out::open(&root, Existing::Replace).expect("made");
        std::os::unix::fs::symlink(&other, root.join("folder")).expect("linked");
        assert_eq!(code(out.write(&entries(&[("folder/x", "Y")]))), "out-refused");
        assert_eq!(code(below(&root, 9)), "files-invalid");
        fs::remove_file(root.join("folder")).expect("removed");
        std::os::unix::fs::symlink(other.join("x"), root.join("file")).expect("linked");
        assert_eq!(code(out.write(&entries(&[("file", "Y")]))), "out-refused");
        assert_eq!(code(below(&root, 9)), "files-invalid");
        assert_eq!(fs::read_to_string(other.join("x")).expect("there"), "X");
    }
}
