//! `glassbox wallet`.

use std::io::Read as _;
use std::path::Path;

use glassbox_client::ClientError;
use glassbox_core::limits::WALLET_FILE_BYTES_MAX;
use glassbox_pay::wallet_file::{self, WalletFile};
use glassbox_pay::{Keystore, PayError, Wallet};
use serde::Serialize;
use zeroize::Zeroizing;

use super::{Context, channels, spending};
use crate::cli::{NewWallet, WalletCommand};
use crate::failure::Failure;
use crate::home::Home;
use crate::output::{DIM, GOOD, MONEY, NAME, paint};
use crate::password::{self, Empty, Password};
use crate::progress::during;
use crate::wallet;

#[derive(Serialize)]
struct Answer {
    address: String,
    file: String,
    /// Whether a password opens it.
    encrypted: bool,
    /// What it has at the registry's token, in dollars; absent when no registry could be asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    usd: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    label: Option<String>,
}

pub(super) async fn run(context: &Context, command: &WalletCommand) -> Result<(), Failure> {
    let home = context.home()?;
    match command {
        WalletCommand::New(new) => {
            wallet::check_none(&home)?;
            let password = chosen(new, Empty::Plain)?;
            let wallet = wallet::random()?;
            wallet::keep_new(&home, &wallet, password.as_ref()).await?;
            tell_kept(context, &home, "Made", &wallet, password.is_some());
        }
        WalletCommand::Import { from, new } => {
            wallet::check_none(&home)?;
            let (wallet, password) = import(from, new).await?;
            wallet::keep_new(&home, &wallet, password.as_ref()).await?;
            tell_kept(context, &home, "Took over", &wallet, password.is_some());
        }
        WalletCommand::Export { to, password } => {
            export(context, &home, to, password.file.as_deref()).await?
        }
        WalletCommand::Passwd { password, new_password_file } => {
            passwd(context, &home, password.file.as_deref(), new_password_file.as_deref()).await?;
        }
        WalletCommand::Spending { day } => spending::run(context, &home, *day)?,
        WalletCommand::Channels => channels::list(context, &home)?,
        WalletCommand::Close { channel, password } => {
            channels::close(context, &home, channel.as_deref(), password.file.as_deref()).await?;
        }
        WalletCommand::Show => {
            let (address, encrypted) = address(&home).await?;
            let balance = match during("asking", context.client()?.balance(&address)).await {
                Ok(balance) => Some(balance),
                // The address is worth showing without a registry.
                Err(ClientError::Transport { .. }) => None,
                Err(error) => return Err(error.into()),
            };
            let (usd, label) = balance.map(|balance| (balance.balance.usd, balance.label)).unzip();
            let answer = Answer { address, file: file(&home), encrypted, usd, label };
            context.output.answer(&answer, || describe(&answer));
        }
        WalletCommand::Fund { usd } => {
            let (address, encrypted) = address(&home).await?;
            let balance = during("asking the faucet", context.client()?.faucet(&address, usd)).await?;
            let (usd, label) = (Some(balance.balance.usd), Some(balance.label));
            let answer = Answer { address, file: file(&home), encrypted, usd, label };
            context.output.answer(&answer, || format!("{} {}", paint(GOOD, "✓"), describe(&answer)));
        }
    }
    Ok(())
}

fn file(home: &Home) -> String {
    home.wallet_path().display().to_string()
}

/// Returns the address, and whether a password opens the wallet. Asks for it only where the file does not say.
pub(super) async fn address(home: &Home) -> Result<(String, bool), Failure> {
    match wallet::read(home)? {
        WalletFile::Plain(wallet) => Ok((wallet.address().to_string(), false)),
        WalletFile::Keystore(keystore) => match keystore.address() {
            Some(address) => Ok((address.to_string(), true)),
            None => Ok((wallet::open(home, None).await?.wallet.address().to_string(), true)),
        },
    }
}

fn chosen(new: &NewWallet, empty: Empty) -> Result<Option<Password>, Failure> {
    if new.plain { Ok(None) } else { password::choosing(new.password.file.as_deref(), empty) }
}

fn tell_kept(context: &Context, home: &Home, done: &str, wallet: &Wallet, encrypted: bool) {
    let address = wallet.address().to_string();
    let answer = Answer { address, file: file(home), encrypted, usd: None, label: None };
    let note = if encrypted {
        "its password opens it, and nothing else: keep a copy of both; next: glassbox wallet fund"
    } else {
        "its key lies there in clear: for play money only; next: glassbox wallet fund"
    };
    context.output.answer(&answer, || {
        format!("{done} wallet {} in {}\n{}", paint(NAME, &answer.address), answer.file, paint(DIM, note))
    });
}

/// Reads a key, and returns the password that it shall be kept under.
async fn import(from: &Path, new: &NewWallet) -> Result<(Wallet, Option<Password>), Failure> {
    let text = read(from)?;
    if Keystore::is_meant(&text) {
        if new.plain {
            let message = "a keystore stays under its password";
            return Err(Failure::error("usage", message, "leave --plain out"));
        }
        let keystore = Keystore::parse(&text)
            .map_err(|source| wallet::failure(from, &PayError::Keystore { path: from.to_owned(), source }))?;
        let password = password::opening(new.password.file.as_deref(), "the keystore")?;
        let wallet = wallet::unseal(from, keystore, password.clone()).await?;
        return Ok((wallet, Some(password)));
    }
    // A wallet of ours in clear has the key among other things.
    let json: Option<serde_json::Value> = serde_json::from_str(&text).ok();
    let key = json.as_ref().and_then(|json| json["private_key"].as_str()).unwrap_or(&text);
    let wallet = Wallet::from_hex(key).map_err(|_| {
        let message = format!("`{}` holds neither a keystore nor a private key", from.display());
        Failure::no("wallet-invalid", message, "give a keystore of version 3, or 64 hexadecimal digits")
    })?;
    match chosen(new, Empty::Refused)? {
        // Unlike a new key, this one may hold something already.
        None if !new.plain => Err(Failure::no(
            "wallet-password-needed",
            "a key that is taken over needs a password",
            "give one with --password-file FILE, or use --plain for play money",
        )),
        password => Ok((wallet, password)),
    }
}

fn read(from: &Path) -> Result<Zeroizing<String>, Failure> {
    let failed = |error: std::io::Error| {
        let failure = Failure::io("read", from, &error);
        Failure { hint: "name a file with a keystore or a private key".into(), ..failure }
    };
    let mut text = Zeroizing::new(String::new());
    let source: Box<dyn std::io::Read> = match from.to_str() {
        Some("-") => Box::new(std::io::stdin().lock()),
        _ => Box::new(std::fs::File::open(from).map_err(failed)?),
    };
    source.take(WALLET_FILE_BYTES_MAX).read_to_string(&mut text).map_err(failed)?;
    Ok(text)
}

#[derive(Serialize)]
struct Exported {
    address: String,
    file: String,
}

async fn export(
    context: &Context,
    home: &Home,
    to: &Path,
    password_file: Option<&Path>,
) -> Result<(), Failure> {
    let keystore = match wallet::read(home)? {
        WalletFile::Keystore(keystore) => keystore,
        WalletFile::Plain(wallet) => {
            let password = password::choosing(password_file, Empty::Refused)?.ok_or_else(|| {
                let message = "a keystore needs a password";
                Failure::no("wallet-password-needed", message, "give one with --password-file FILE")
            })?;
            wallet::seal(&wallet, &password).await?
        }
    };
    if to.to_str() == Some("-") {
        context.output.print(&keystore.to_json());
        return Ok(());
    }
    wallet_file::save_new_keystore(to, &keystore).map_err(|error| match &error {
        PayError::File { source, .. } if source.kind() == std::io::ErrorKind::AlreadyExists => {
            let message = format!("`{}` is there already", to.display());
            Failure::no("file-exists", message, "name another file")
        }
        _ => wallet::failure(to, &error),
    })?;
    let address = keystore.address().map(|address| address.to_string()).unwrap_or_default();
    let answer = Exported { address, file: to.display().to_string() };
    context.output.answer(&answer, || {
        format!("Wrote wallet {} to {}, under its password", paint(NAME, &answer.address), answer.file)
    });
    Ok(())
}

async fn passwd(
    context: &Context,
    home: &Home,
    password_file: Option<&Path>,
    new_password_file: Option<&Path>,
) -> Result<(), Failure> {
    let was_plain = matches!(wallet::read(home)?, WalletFile::Plain(_));
    let opened = wallet::open(home, password_file).await?;
    let password = match new_password_file {
        Some(file) => Some(password::read(file)?),
        // There is no old password, so one that is given is the new one.
        None if was_plain => password::choosing(password_file, Empty::Refused)?,
        None => password::choosing_by_hand(Empty::Refused)?,
    };
    let password = password.filter(|password| !password.is_empty()).ok_or_else(|| {
        let message = "there is no new password";
        Failure::no("wallet-password-needed", message, "give it with --new-password-file FILE")
    })?;
    let keystore = wallet::seal(&opened.wallet, &password).await?;
    let path = home.wallet_path();
    // It replaces the only copy of the key: what cannot be opened again must not.
    wallet::unseal(&path, keystore.clone(), password).await?;
    wallet_file::replace(&path, &keystore).map_err(|error| wallet::failure(&path, &error))?;
    let address = opened.wallet.address().to_string();
    let answer = Answer { address, file: file(home), encrypted: true, usd: None, label: None };
    context.output.answer(&answer, || {
        format!("{} {} is under its new password", paint(GOOD, "✓"), paint(NAME, &answer.address))
    });
    Ok(())
}

fn describe(answer: &Answer) -> String {
    let has = match (&answer.usd, &answer.label) {
        (Some(usd), Some(label)) => format!("has {} ({label})", paint(MONEY, format!("${usd}"))),
        _ => "(no registry to ask for its balance)".into(),
    };
    format!("{} {has}", paint(NAME, &answer.address))
}
