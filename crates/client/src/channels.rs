//! Payment channels: a deposit that many calls are paid out of, and what was promised of it.
//!
//! A wallet has one channel with each registry, and each is a file, held while a call is paid out of it: its vouchers say
//! what all its calls together may cost, so they come one after the other. What is about to be signed is on disk before
//! it leaves. A registry is believed about what its calls cost up to what was signed, and not beyond.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use glassbox_core::Atomic;
use glassbox_pay::eip712::batch::{channel_id, voucher_digest};
use glassbox_pay::eip712::recover;
use glassbox_pay::scheme::batch::{CHANNEL_STATE, ChannelConfig, VOUCHER_STATE};
use glassbox_pay::x402::PaymentRequirements;
use glassbox_pay::{B256, PayError, Wallet, hex};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::policy::Host;

/// The name of the folder of channels, in the home folder.
pub const FOLDER_NAME: &str = "channels";

/// A channel, as it is kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Channel {
    /// Its id, the hash of its configuration: `0x` and 64 hexadecimal digits.
    pub id: String,
    /// The registry that it pays.
    pub host: Host,
    /// What was last paid for, as a path of the registry: where the rest is asked back.
    pub path: String,
    /// The offer that it pays; who receives what is claimed, in which token on which network.
    pub offer: PaymentRequirements,
    /// What was deposited and not given back, as far as is known.
    pub balance: Atomic,
    /// What its calls cost so far, as the registry says.
    pub charged: Atomic,
    /// Up to what vouchers were signed: the registry can claim so much, whatever it says.
    pub signed: Atomic,
}

impl Channel {
    /// Returns what is left for calls.
    pub fn left(&self) -> Atomic {
        Atomic(self.balance.0.saturating_sub(self.charged.0))
    }

    /// Takes over what a registry says, where it can be true: nobody owes more than was signed.
    fn learn(&mut self, extra: &Map<String, Value>, signer: &Wallet) -> bool {
        let Some(state) = extra.get(CHANNEL_STATE) else { return false };
        let amount = |value: &Value, name: &str| value.get(name)?.as_str()?.parse::<Atomic>().ok();
        let (Some(balance), Some(charged)) =
            (amount(state, "balance"), amount(state, "chargedCumulativeAmount"))
        else {
            return false;
        };
        if state.get("channelId").and_then(Value::as_str) != Some(&self.id) {
            return false;
        }
        if charged > self.signed {
            // What is kept here may be lost; what this wallet signed still shows.
            let proved = extra.get(VOUCHER_STATE).and_then(|voucher| {
                let ceiling = amount(voucher, "signedMaxClaimable")?;
                let signature = hex::decode(voucher.get("signature")?.as_str()?).ok()?;
                let network: glassbox_pay::Network = self.offer.network.parse().ok()?;
                let digest = voucher_digest(network.chain_id, self.id.parse().ok()?, ceiling.0);
                (recover(digest, &signature).ok()? == signer.address()).then_some(ceiling)
            });
            match proved {
                Some(ceiling) if charged <= ceiling => self.signed = ceiling,
                _ => return false,
            }
        }
        (self.balance, self.charged) = (balance, charged);
        true
    }
}

/// Why a channel cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ChannelError {
    /// Its file cannot be read or written. Nothing was signed.
    #[error("cannot {action} the channel `{path}`")]
    File {
        /// What was attempted, as a verb.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The file is not as it was written.
    #[error("the channel `{path}` is damaged: {reason}")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A call is paid out of it at the moment.
    #[error("a call is paid out of the channel {0} at the moment")]
    Busy(String),
    /// This wallet has no such channel.
    #[error("there is no channel `{0}`")]
    Unknown(String),
}

/// The channels of a wallet. Clones share them.
#[derive(Debug, Clone)]
pub struct Channels(Place);

#[derive(Debug, Clone)]
enum Place {
    Folder(PathBuf),
    Memory(Arc<Mutex<Memory>>),
}

#[derive(Debug, Default)]
struct Memory {
    channels: BTreeMap<String, Channel>,
    held: BTreeSet<String>,
}

/// A channel that nobody else pays out of meanwhile.
#[derive(Debug)]
pub(crate) struct Held {
    pub(crate) channel: Channel,
    place: Place,
    /// The lock's file, where there is one: closing it lets go.
    _lock: Option<File>,
}

impl Channels {
    /// Channels in a folder, which is made when the first is opened. Other processes may use it, too.
    pub fn open(folder: &Path) -> Self {
        Self(Place::Folder(folder.to_owned()))
    }

    /// Channels that end with the process. What is left in them is found again by the registry's word alone.
    pub fn in_memory() -> Self {
        Self(Place::Memory(Arc::default()))
    }

    /// Returns all channels, by their ids.
    pub fn all(&self) -> Result<Vec<Channel>, ChannelError> {
        let folder = match &self.0 {
            Place::Memory(memory) => return Ok(lock(memory).channels.values().cloned().collect()),
            Place::Folder(folder) => folder,
        };
        let failed = |source| ChannelError::File { action: "list", path: folder.clone(), source };
        let entries = match fs::read_dir(folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(failed(error)),
        };
        let mut channels = Vec::new();
        for entry in entries {
            let path = entry.map_err(failed)?.path();
            if path.extension().is_some_and(|extension| extension == "json") {
                channels.extend(read(&path)?);
            }
        }
        channels.sort_by(|one: &Channel, other| one.id.cmp(&other.id));
        Ok(channels)
    }

    /// Takes the channel of an offer for one call; `None` where another call has it.
    pub(crate) fn take(
        &self,
        wallet: &Wallet,
        offer: &PaymentRequirements,
        host: &Host,
    ) -> Result<Option<Held>, TakeError> {
        let (id, _) = identify(wallet, offer)?;
        let id = id.to_string();
        let new = || Channel {
            id: id.clone(),
            host: host.clone(),
            path: String::new(),
            offer: offer.clone(),
            balance: Atomic::ZERO,
            charged: Atomic::ZERO,
            signed: Atomic::ZERO,
        };
        let place = self.0.clone();
        match &self.0 {
            Place::Memory(memory) => {
                let mut memory = lock(memory);
                if !memory.held.insert(id.clone()) {
                    return Ok(None);
                }
                let channel = memory.channels.get(&id).cloned().unwrap_or_else(new);
                Ok(Some(Held { channel, place, _lock: None }))
            }
            Place::Folder(folder) => {
                let path = folder.join(format!("{id}.lock"));
                let failed = |action| {
                    let path = path.clone();
                    move |source| ChannelError::File { action, path, source }
                };
                crate::spending::make_folder(folder).map_err(failed("make"))?;
                let mut options = OpenOptions::new();
                options.write(true).create(true).truncate(false);
                #[cfg(unix)]
                std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
                let file = options.open(&path).map_err(failed("open"))?;
                match file.try_lock() {
                    Ok(()) => {}
                    Err(TryLockError::WouldBlock) => return Ok(None),
                    Err(TryLockError::Error(source)) => return Err(failed("lock")(source).into()),
                }
                let channel = read(&path_of(folder, &id))?.unwrap_or_else(new);
                Ok(Some(Held { channel, place, _lock: Some(file) }))
            }
        }
    }
}

/// Why a channel cannot be taken.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TakeError {
    /// The channel.
    #[error(transparent)]
    Channel(#[from] ChannelError),
    /// The offer.
    #[error(transparent)]
    Offer(#[from] PayError),
}

impl Held {
    /// Keeps the channel as it is now. It is on disk when this returns.
    pub(crate) fn save(&self) -> Result<(), ChannelError> {
        match &self.place {
            Place::Memory(memory) => {
                lock(memory).channels.insert(self.channel.id.clone(), self.channel.clone());
                Ok(())
            }
            Place::Folder(folder) => {
                let path = path_of(folder, &self.channel.id);
                let failed = |source| ChannelError::File { action: "write", path: path.clone(), source };
                let text = serde_json::to_string_pretty(&self.channel).map_err(io::Error::other);
                text.and_then(|text| replace(folder, &path, &text)).map_err(failed)
            }
        }
    }

    /// Takes over what a registry says of the channel, and keeps it. Tells whether it can be true.
    pub(crate) fn learn(&mut self, extra: &Map<String, Value>, signer: &Wallet) -> bool {
        let learnt = self.channel.learn(extra, signer);
        if learnt && let Err(error) = self.save() {
            // What was signed is on disk since before it left; the registry will say the rest again.
            tracing::warn!(%error, "Cannot keep what a registry says of a channel");
        }
        learnt
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if let Place::Memory(memory) = &self.place {
            lock(memory).held.remove(&self.channel.id);
        }
    }
}

/// Returns the channel that a wallet pays an offer out of, and its id.
pub(crate) fn identify(
    wallet: &Wallet,
    offer: &PaymentRequirements,
) -> Result<(B256, ChannelConfig), PayError> {
    // No salt, as the stock clients have it: so the same wallet elsewhere finds the same channel.
    let config = wallet.channel(offer, B256::ZERO)?;
    let network: glassbox_pay::Network = offer.network.parse()?;
    Ok((channel_id(network.chain_id, &config), config))
}

fn path_of(folder: &Path, id: &str) -> PathBuf {
    folder.join(format!("{id}.json"))
}

fn read(path: &Path) -> Result<Option<Channel>, ChannelError> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(ChannelError::File { action: "read", path: path.to_owned(), source }),
    };
    let damaged =
        |error: serde_json::Error| ChannelError::Damaged { path: path.to_owned(), reason: error.to_string() };
    serde_json::from_str(&text).map(Some).map_err(damaged)
}

/// Puts a text in the place of a file, all of it or nothing. The channel's lock sees to it that nobody else does.
fn replace(folder: &Path, path: &Path, text: &str) -> io::Result<()> {
    let temporary = path.with_extension("tmp");
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&temporary)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&temporary, path)?;
    crate::spending::sync_folder(folder)
}

fn lock(memory: &Mutex<Memory>) -> std::sync::MutexGuard<'_, Memory> {
    memory.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// An offer of channels on the devnet.
    fn offer() -> PaymentRequirements {
        let offer = json!({
            "scheme": "batch-settlement", "network": "eip155:84532", "amount": "2000",
            "asset": "0x036CbD53842c5426634e7929541eC2318f3dCF7e",
            "payTo": "0x1111111111111111111111111111111111111111", "maxTimeoutSeconds": 300,
            "extra": {
                "name": "USDC", "version": "2", "withdrawDelay": 86_400,
                "receiverAuthorizer": "0x1111111111111111111111111111111111111111",
            },
        });
        serde_json::from_value(offer).expect("an offer")
    }

    #[test]
    fn a_registry_is_believed_up_to_what_was_signed() {
        let (wallet, thief) = ([1; 32], [2; 32]);
        let wallets = [wallet, thief].map(|key| Wallet::from_bytes(&key).expect("a key"));
        let [wallet, thief] = &wallets;
        let host = Host::of("http://127.0.0.1:8402").expect("a host");
        let channels = Channels::in_memory();
        let take = || channels.take(wallet, &offer(), &host).expect("an offer");
        let mut held = take().expect("nobody has it");
        assert!(take().is_none(), "one call at a time");
        held.channel.signed = Atomic(5_000);
        let id = held.channel.id.clone();
        let state = |charged: &str| json!({ "channelState": { "channelId": id, "balance": "9000", "chargedCumulativeAmount": charged } });
        let learn = |held: &mut Held, extra: Value| held.learn(extra.as_object().expect("a map"), wallet);
        assert!(learn(&mut held, state("5000")));
        assert_eq!((held.channel.balance, held.channel.charged), (Atomic(9_000), Atomic(5_000)));
        assert!(!learn(&mut held, state("5001")), "more than was signed");
        assert!(!learn(&mut held, json!({})) && !learn(&mut held, state("-1")));
        let mut other = state("1");
        other["channelState"]["channelId"] = json!("0x00");
        assert!(!learn(&mut held, other));

        // More is owed where this wallet signed it, and where it did, somebody can show it.
        let shown = |signer: &Wallet, ceiling: u128| {
            let (_, config) = identify(wallet, &offer()).expect("an offer");
            let signed = signer.sign_voucher(&offer(), None, &config, Atomic(ceiling)).expect("an offer");
            let mut extra = state("7000");
            extra["voucherState"] = json!({
                "signedMaxClaimable": ceiling.to_string(),
                "signature": signed.payload["voucher"]["signature"],
            });
            extra
        };
        assert!(!learn(&mut held, shown(thief, 8_000)) && !learn(&mut held, shown(wallet, 6_999)));
        assert!(learn(&mut held, shown(wallet, 8_000)));
        assert_eq!((held.channel.charged, held.channel.signed), (Atomic(7_000), Atomic(8_000)));
        drop(held);
        let kept = take().expect("it was let go").channel.clone();
        assert_eq!((kept.charged, kept.signed), (Atomic(7_000), Atomic(8_000)));
    }
}
