//! Passwords of wallets: from a file, from the environment, or from a person at a terminal.

use std::fs::File;
use std::io::{IsTerminal as _, Read as _};
use std::path::Path;

use glassbox_core::limits::PASSWORD_BYTES_MAX;
use zeroize::Zeroizing;

use crate::failure::Failure;

/// The variable that holds the password of the wallet.
const VARIABLE: &str = "GLASSBOX_WALLET_PASSWORD";

/// A password. It is wiped from memory when dropped.
pub(crate) type Password = Zeroizing<String>;

/// What to do where nobody can be asked.
const SOURCES: &str = "give it with --password-file FILE or in GLASSBOX_WALLET_PASSWORD";

/// Returns the password that opens what is there, such as `the wallet`.
pub(crate) fn opening(file: Option<&Path>, what: &str) -> Result<Password, Failure> {
    if let Some(password) = given(file)? {
        return Ok(password);
    }
    if !can_ask() {
        let message = format!("{what} is under a password, and nobody can be asked for it");
        return Err(Failure::no("wallet-password-needed", message, SOURCES));
    }
    ask(&format!("Password of {what}: "))
}

/// What an empty password means to whoever is asked for a new one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Empty {
    /// That the key shall lie in clear.
    Plain,
    /// Nothing; there must be one.
    Refused,
}

/// Returns the password for what is about to be written; `None` where nobody gives one.
pub(crate) fn choosing(file: Option<&Path>, empty: Empty) -> Result<Option<Password>, Failure> {
    match given(file)? {
        Some(password) if password.is_empty() => {
            let message = "the password for the wallet is empty";
            Err(Failure::no("password-invalid", message, "write one, or use --plain for play money"))
        }
        Some(password) => Ok(Some(password)),
        None => choosing_by_hand(empty),
    }
}

/// Asks a person for a new password, twice; `None` where there is nobody, or nothing is typed.
pub(crate) fn choosing_by_hand(empty: Empty) -> Result<Option<Password>, Failure> {
    if !can_ask() {
        return Ok(None);
    }
    let password = ask(match empty {
        Empty::Plain => "New password for the wallet (none: its key lies in clear, for play money): ",
        Empty::Refused => "New password for the wallet: ",
    })?;
    if password.is_empty() {
        return Ok(None);
    }
    if ask("The same again: ")? == password {
        Ok(Some(password))
    } else {
        Err(Failure::no("password-invalid", "the two passwords differ", "nothing was written; try again"))
    }
}

/// Reads a password file: the text in it, without the end of its last line.
pub(crate) fn read(path: &Path) -> Result<Password, Failure> {
    let failed = |error: std::io::Error| {
        let failure = Failure::io("read the password in", path, &error);
        Failure { hint: "name a file that holds the password and nothing else".into(), ..failure }
    };
    let mut text = Zeroizing::new(String::new());
    let file = File::open(path).map_err(failed)?;
    file.take(PASSWORD_BYTES_MAX as u64 + 3).read_to_string(&mut text).map_err(failed)?;
    let password = text.strip_suffix('\n').unwrap_or(&text);
    let password = password.strip_suffix('\r').unwrap_or(password);
    if password.len() > PASSWORD_BYTES_MAX || password.contains('\n') {
        let message = format!("`{}` holds no password of one line", path.display());
        let hint = format!("write one of at most {PASSWORD_BYTES_MAX} bytes into it");
        return Err(Failure::no("password-invalid", message, hint));
    }
    Ok(Zeroizing::new(password.to_owned()))
}

/// Returns the password of the file, or of the environment. An empty variable is as good as none.
fn given(file: Option<&Path>) -> Result<Option<Password>, Failure> {
    if let Some(file) = file {
        return read(file).map(Some);
    }
    match std::env::var_os(VARIABLE) {
        Some(password) if !password.is_empty() => {
            let refused =
                |_| Failure::no("password-invalid", format!("{VARIABLE} is no text"), "write it as UTF-8");
            password.into_string().map(|password| Some(Zeroizing::new(password))).map_err(refused)
        }
        _ => Ok(None),
    }
}

/// Whether somebody is there. Standard input may be a file that a program shall read.
fn can_ask() -> bool {
    std::io::stderr().is_terminal()
}

fn ask(prompt: &str) -> Result<Password, Failure> {
    let failed = |error| Failure::error("io", format!("cannot ask for a password: {error}"), SOURCES);
    rpassword::prompt_password(prompt).map(Zeroizing::new).map_err(failed)
}
