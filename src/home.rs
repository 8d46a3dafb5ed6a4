//! The home folder: the publisher's key, the wallet, its policy and what it spent, and receipts.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use glassbox_core::key::SecretKey;
use serde::{Deserialize, Serialize};

use crate::failure::Failure;

/// The folder that holds what is yours.
#[derive(Debug, Clone)]
pub(crate) struct Home(PathBuf);

#[derive(Serialize, Deserialize)]
struct KeyFile {
    format: String,
    public: String,
    secret: String,
}

const KEY_FORMAT: &str = "glassbox-key/1";

impl Home {
    /// `--home`, or the usual place of a user's settings.
    pub(crate) fn new(dir: Option<PathBuf>) -> Result<Self, Failure> {
        let usual = || {
            let config =
                std::env::var_os("XDG_CONFIG_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
            let config = config.or_else(|| std::env::home_dir().map(|home| home.join(".config")))?;
            Some(config.join("glassbox"))
        };
        dir.or_else(usual)
            .map(Self)
            .ok_or_else(|| Failure::error("home", "there is no home folder", "name one with --home DIR"))
    }

    pub(crate) fn key_path(&self) -> PathBuf {
        self.0.join("key.json")
    }

    /// Returns the folder itself.
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    pub(crate) fn wallet_path(&self) -> PathBuf {
        self.0.join("wallet.json")
    }

    pub(crate) fn credit_path(&self) -> PathBuf {
        self.0.join("credit.token")
    }

    pub(crate) fn receipt_path(&self, call: &str) -> PathBuf {
        self.0.join("receipts").join(format!("{call}.json"))
    }

    /// Returns the publisher's key, or `None` where there is none yet.
    pub(crate) fn key(&self) -> Result<Option<SecretKey>, Failure> {
        load_key(&self.key_path())
    }

    /// Returns the publisher's key, and makes it where there is none. Tells which of the two.
    pub(crate) fn key_or_new(&self) -> Result<(SecretKey, bool), Failure> {
        match self.key()? {
            Some(key) => Ok((key, false)),
            None => Ok((new_key(&self.key_path())?, true)),
        }
    }
}

/// Reads a key file; `None` where there is none.
pub(crate) fn load_key(path: &Path) -> Result<Option<SecretKey>, Failure> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Failure::io("read", path, &error)),
    };
    let broken = || {
        Failure::error(
            "key",
            format!("`{}` is not a key file", path.display()),
            "move it away and make a new one",
        )
    };
    let file: KeyFile = serde_json::from_str(&text).map_err(|_| broken())?;
    let key = SecretKey::from_hex(&file.secret).map_err(|_| broken())?;
    // A file put together by hand must not sign under another name than it shows.
    if file.format == KEY_FORMAT && file.public == key.public().to_string() {
        Ok(Some(key))
    } else {
        Err(broken())
    }
}

/// Writes a new file that only its owner may read. One that is there already stays, and is an error.
pub(crate) fn write_private(path: &Path, text: &str) -> std::io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    // A temporary file is its owner's alone from the start; the name appears only once it is whole.
    let mut temporary = tempfile::NamedTempFile::new_in(folder)?;
    temporary.write_all(text.as_bytes())?;
    temporary.as_file().sync_all()?;
    temporary.persist_noclobber(path).map_err(|error| error.error)?;
    Ok(())
}

/// Makes a key in a new file that only its owner may read. A key that is there already stays.
pub(crate) fn new_key(path: &Path) -> Result<SecretKey, Failure> {
    let key = SecretKey::from_seed(&glassbox_registry::Env::system().secret());
    let file = KeyFile { format: KEY_FORMAT.into(), public: key.public().to_string(), secret: key.to_hex() };
    let text = serde_json::to_string_pretty(&file).expect("a key file has string keys");
    match write_private(path, &text) {
        Ok(()) => Ok(key),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            let message = format!("there is a key at `{}` already", path.display());
            Err(Failure::no(
                "key-exists",
                message,
                "`glassbox key show` shows it; move the file away to make another",
            ))
        }
        Err(error) => Err(Failure::io("write", path, &error)),
    }
}
