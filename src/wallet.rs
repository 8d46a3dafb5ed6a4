//! The wallet of a home folder: kept, opened, and what is said when that fails.

use std::fs;
use std::path::Path;

use glassbox_pay::keystore::Cost;
use glassbox_pay::wallet_file::{self, WalletFile};
use glassbox_pay::{Keystore, KeystoreError, PayError, Wallet};
use glassbox_registry::chain;

use crate::failure::Failure;
use crate::home::Home;
use crate::password::{self, Password};
use crate::progress::during;

/// What to do where there is no wallet.
const NEW: &str = "make one with `glassbox wallet new`, then `glassbox wallet fund`";

/// Makes a wallet, or fails as everything does that needs the system's randomness.
pub(crate) fn random() -> Result<Wallet, Failure> {
    Wallet::random().map_err(|error| Failure::error("wallet", chain(&error), ""))
}

/// Reads the wallet file of a home folder, or says how to get one.
pub(crate) fn read(home: &Home) -> Result<WalletFile, Failure> {
    let path = home.wallet_path();
    if !path.exists() {
        let message = format!("there is no wallet at `{}`", path.display());
        return Err(Failure::no("wallet-not-found", message, NEW));
    }
    wallet_file::read(&path).map_err(|error| failure(&path, &error))
}

/// Opens the wallet of a home folder, with a password where it needs one.
pub(crate) async fn open(home: &Home, password_file: Option<&Path>) -> Result<Opened, Failure> {
    match read(home)? {
        WalletFile::Plain(wallet) => Ok(Opened { wallet, password: None }),
        WalletFile::Keystore(keystore) => {
            let password = password::opening(password_file, "the wallet")?;
            let wallet = unseal(&home.wallet_path(), keystore, password.clone()).await?;
            Ok(Opened { wallet, password: Some(password) })
        }
    }
}

/// An open wallet.
pub(crate) struct Opened {
    pub(crate) wallet: Wallet,
    /// What opened it; `None` where its key lies in clear.
    pub(crate) password: Option<Password>,
}

/// Opens a keystore, which `path` is named for.
pub(crate) async fn unseal(path: &Path, keystore: Keystore, password: Password) -> Result<Wallet, Failure> {
    let opened = tokio::task::spawn_blocking(move || keystore.open(&password));
    let opened = during("opening the wallet", opened).await;
    let opened = opened.map_err(|error| Failure::error("internal", error.to_string(), ""))?;
    opened.map_err(|source| failure(path, &PayError::Keystore { path: path.to_owned(), source }))
}

/// Puts a wallet under a password.
pub(crate) async fn seal(wallet: &Wallet, password: &Password) -> Result<Keystore, Failure> {
    let (wallet, password) = (wallet.clone(), password.clone());
    let sealed = tokio::task::spawn_blocking(move || Keystore::seal(&wallet, &password, Cost::Standard));
    let sealed = during("closing the wallet", sealed).await;
    let sealed = sealed.map_err(|error| Failure::error("internal", error.to_string(), ""))?;
    sealed.map_err(|error| Failure::error("wallet", chain(&error), ""))
}

/// Keeps a wallet in a home folder, under a password or in clear. A wallet that is there already stays.
pub(crate) async fn keep_new(
    home: &Home,
    wallet: &Wallet,
    password: Option<&Password>,
) -> Result<(), Failure> {
    let path = home.wallet_path();
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(|error| Failure::io("make", folder, &error))?;
    }
    let kept = match password {
        Some(password) => wallet_file::save_new_keystore(&path, &seal(wallet, password).await?),
        None => wallet_file::save_new(&path, wallet),
    };
    kept.map_err(|error| match &error {
        PayError::File { source, .. } if source.kind() == std::io::ErrorKind::AlreadyExists => exists(&path),
        _ => failure(&path, &error),
    })
}

/// Fails if there is a wallet in a home folder, before anybody is asked for a password.
pub(crate) fn check_none(home: &Home) -> Result<(), Failure> {
    let path = home.wallet_path();
    if path.exists() { Err(exists(&path)) } else { Ok(()) }
}

fn exists(path: &Path) -> Failure {
    Failure::no(
        "wallet-exists",
        format!("there is a wallet at `{}` already", path.display()),
        "`glassbox wallet show` shows it; move the file away to make another",
    )
}

/// Says why the wallet at `path` cannot be used, and how to mend what can be mended.
pub(crate) fn failure(path: &Path, error: &PayError) -> Failure {
    let message = chain(error);
    match error {
        PayError::Keystore { source: KeystoreError::Password, .. } => Failure::no(
            "wallet-password-wrong",
            message,
            "try again; without its password a wallet cannot be opened by anybody",
        ),
        PayError::Keystore { source, .. } => {
            let hint = match source {
                KeystoreError::TooDear(_) => {
                    "no usual wallet asks for so much; let the program that wrote it write it at the usual cost"
                }
                KeystoreError::Unsupported { .. } => {
                    "let the program that wrote it export a keystore of version 3"
                }
                _ => "take it from a copy; move a damaged file away before you make a new wallet",
            };
            Failure::error("wallet-invalid", message, hint)
        }
        PayError::WalletFile { reason: wallet_file::OTHERS_MAY_READ, .. } => {
            Failure::error("wallet", message, format!("make it yours alone: chmod 600 '{}'", path.display()))
        }
        PayError::WalletFile { .. } => Failure::error("wallet", message, "move it away and make a new one"),
        PayError::File { action: "write", .. } => {
            let hint = "what was there before is there still: make room, or mend the folder's rights";
            Failure::error("wallet", message, hint)
        }
        _ => Failure::error("wallet", message, ""),
    }
}
