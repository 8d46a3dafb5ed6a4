//! A wallet in a file that only its owner may read: its key under a password, or in clear.
//!
//! A key in clear is for play money, as in every throw-away wallet of a development chain.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, Zeroizing};

use crate::error::PayError;
use crate::keystore::Keystore;
use crate::wallet::Wallet;
use glassbox_core::limits::WALLET_FILE_BYTES_MAX;

const FORMAT: &str = "glassbox-wallet/1";

/// The reason for refusing a file that others than its owner may read.
pub const OTHERS_MAY_READ: &str = "others may read it";

/// The reason for refusing a file that a password would open, where nobody can be asked for one.
pub const ENCRYPTED: &str = "a password is needed to open it";

/// What a wallet file holds.
#[derive(Debug, Clone)]
pub enum WalletFile {
    /// A key in clear.
    Plain(Wallet),
    /// A key that a password opens.
    Keystore(Keystore),
}

#[derive(Serialize, Deserialize)]
struct WalletJson {
    format: String,
    address: String,
    private_key: String,
}

impl Drop for WalletJson {
    fn drop(&mut self) {
        self.private_key.zeroize();
    }
}

/// Reads a wallet file. Refuses one that others may read, one in clear whose address is not that of its key, and a
/// keystore that would be too dear to open.
pub fn read(path: &Path) -> Result<WalletFile, PayError> {
    let refused = |reason| PayError::WalletFile { path: path.to_owned(), reason };
    let file = File::open(path).map_err(|source| failed("open", path, source))?;
    if others_may_read(&file).map_err(|source| failed("inspect", path, source))? {
        return Err(refused(OTHERS_MAY_READ));
    }
    let mut text = Zeroizing::new(String::new());
    file.take(WALLET_FILE_BYTES_MAX)
        .read_to_string(&mut text)
        .map_err(|source| failed("read", path, source))?;
    if Keystore::is_meant(&text) {
        let keystore = Keystore::parse(&text);
        return keystore
            .map(WalletFile::Keystore)
            .map_err(|source| PayError::Keystore { path: path.to_owned(), source });
    }
    let json: WalletJson =
        serde_json::from_str(&text).map_err(|_| refused("it is not the JSON of a wallet"))?;
    if json.format != FORMAT {
        return Err(refused("its format is not glassbox-wallet/1"));
    }
    let wallet = Wallet::from_hex(&json.private_key)?;
    if json.address == wallet.address().to_checksum(None) {
        Ok(WalletFile::Plain(wallet))
    } else {
        Err(refused("its address is not that of its key"))
    }
}

/// Reads a wallet in clear; a keystore is refused.
pub fn load(path: &Path) -> Result<Wallet, PayError> {
    match read(path)? {
        WalletFile::Plain(wallet) => Ok(wallet),
        WalletFile::Keystore(_) => Err(PayError::WalletFile { path: path.to_owned(), reason: ENCRYPTED }),
    }
}

/// Writes a wallet in clear into a new file, whole or not at all. A file that is there already stays and is an error:
/// overwriting a key loses what it owns.
pub fn save_new(path: &Path, wallet: &Wallet) -> Result<(), PayError> {
    let json = WalletJson {
        format: FORMAT.to_owned(),
        address: wallet.address().to_checksum(None),
        private_key: wallet.to_hex().to_string(),
    };
    let text = Zeroizing::new(serde_json::to_vec_pretty(&json).expect("three texts serialize"));
    put(path, &text, Place::New)
}

/// Writes a keystore into a new file, whole or not at all. A file that is there already stays and is an error.
pub fn save_new_keystore(path: &Path, keystore: &Keystore) -> Result<(), PayError> {
    put(path, keystore.to_json().as_bytes(), Place::New)
}

/// Puts `keystore` in the place of a wallet file that holds the same key: after a crash there is one or the other.
///
/// Only for a keystore that was opened again after it was sealed: there is no other copy of the key.
pub fn replace(path: &Path, keystore: &Keystore) -> Result<(), PayError> {
    put(path, keystore.to_json().as_bytes(), Place::Taken)
}

/// Whether there is a file in a place already.
#[derive(Clone, Copy)]
enum Place {
    New,
    Taken,
}

fn put(path: &Path, text: &[u8], place: Place) -> Result<(), PayError> {
    let draft = draft_path(path)?;
    let written = write_draft(&draft, text).and_then(|()| match place {
        // A link never replaces what is there; renaming does, at once.
        Place::New => fs::hard_link(&draft, path),
        Place::Taken => fs::rename(&draft, path),
    });
    // The draft is removed on every road but the one where it became the file; what it held is in place, or in the
    // caller's memory.
    let removed = match (place, &written) {
        (Place::Taken, Ok(())) => Ok(()),
        _ => fs::remove_file(&draft),
    };
    written.map_err(|source| failed("write", path, source))?;
    removed.and_then(|()| sync_directory_of(path)).map_err(|source| failed("write", path, source))
}

fn draft_path(path: &Path) -> Result<PathBuf, PayError> {
    let mut salt = [0; 8];
    getrandom::fill(&mut salt).map_err(|_| PayError::Random)?;
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.draft", alloy_primitives::hex::encode(salt)));
    Ok(path.with_file_name(name))
}

fn write_draft(draft: &Path, text: &[u8]) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(draft)?;
    file.write_all(text)?;
    file.write_all(b"\n")?;
    file.sync_all()
}

/// Makes a new directory entry durable.
pub(crate) fn sync_directory_of(path: &Path) -> io::Result<()> {
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    if cfg!(unix) { File::open(directory)?.sync_all() } else { Ok(()) }
}

#[cfg(unix)]
fn others_may_read(file: &File) -> io::Result<bool> {
    use std::os::unix::fs::PermissionsExt;
    Ok(file.metadata()?.permissions().mode() & 0o077 != 0)
}

#[cfg(not(unix))]
fn others_may_read(_file: &File) -> io::Result<bool> {
    Ok(false)
}

fn failed(action: &'static str, path: &Path, source: io::Error) -> PayError {
    PayError::File { action, path: path.to_owned(), source }
}
