//! The devnet's journal: one line for each operation that took effect, on disk before the caller hears of it.
//!
//! A line is 16 hex digits of checksum, a space, JSON, a newline. Each checksum covers the one before it, so a line
//! that was changed, moved or taken out shows. A crash can tear only the last line: it is cut off at opening, for
//! nobody was told of it. The journal is locked while it is open, because two writers would fork the chain.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::Path;

use alloy_primitives::{B256, hex, keccak256};
use glassbox_core::Atomic;
use serde::{Deserialize, Serialize};

use super::NETWORK;
use crate::chain::Call;
use crate::error::PayError;
use crate::wallet_file::sync_directory_of;
use crate::x402::ExactPayload;
use glassbox_core::limits::JOURNAL_LINE_BYTES_MAX;

const FORMAT: &str = "glassbox-devnet/1";

/// The hex digits of a checksum.
const CHECKSUM_DIGITS: usize = 16;

/// The first line.
#[derive(Serialize, Deserialize)]
struct Header {
    journal: String,
    chain_id: u64,
}

/// One operation with its block.
#[derive(Serialize, Deserialize)]
pub(super) struct Entry {
    pub(super) block: u64,
    pub(super) time_s: u64,
    pub(super) operation: Operation,
}

/// What changes the chain.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Operation {
    /// The faucet makes money.
    Mint { to: String, amount: Atomic },
    /// A call is submitted. The id is whole words, the rest hex.
    Call { id: String, from: String, to: String, data: String },
    /// A transaction is taken that its sender has signed; RLP in hex.
    Raw { transaction: String },
    /// Blocks come in which nothing happens.
    Idle { blocks: u64 },
    /// The latest blocks are undone.
    Undo { blocks: u64 },
    /// A payment is settled; as it came over the wire. Read, and no longer written: it is a call.
    Settle(ExactPayload),
    /// The treasury pays. Read, and no longer written: it is a call.
    PayOut { id: String, from: String, to: String, amount: Atomic },
}

/// An open journal, at its end.
pub(super) struct Journal {
    file: File,
    checksum: [u8; 8],
}

impl Operation {
    /// Writes a signed transaction down.
    pub(super) fn raw(transaction: &[u8]) -> Self {
        Self::Raw { transaction: hex::encode_prefixed(transaction) }
    }

    /// Writes a submitted call down.
    pub(super) fn call(id: &str, call: &Call) -> Self {
        Self::Call {
            id: id.to_owned(),
            from: call.from.to_checksum(None),
            to: call.to.to_checksum(None),
            data: hex::encode_prefixed(&call.data),
        }
    }
}

impl Journal {
    /// Opens a journal, or starts one, and reads what is in it.
    pub(super) fn open(path: &Path) -> Result<(Self, Vec<Entry>), PayError> {
        let failed = |action| move |source| PayError::File { action, path: path.to_owned(), source };
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)
            .map_err(failed("open"))?;
        file.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => PayError::JournalInUse(path.to_owned()),
            TryLockError::Error(source) => failed("lock")(source),
        })?;
        let read = read_lines(&file).map_err(failed("read"))?;
        let damaged = |line, reason| PayError::JournalDamaged { path: path.to_owned(), line, reason };
        if let Some(line) = read.damaged_line {
            return Err(damaged(line, "its checksum is wrong".to_owned()));
        }
        if read.torn_bytes > 0 {
            if read.lines.is_empty() && !is_torn_header(&mut file).map_err(failed("read"))? {
                return Err(damaged(1, "it is not a journal of the devnet".to_owned()));
            }
            tracing::warn!(size_bytes = read.torn_bytes, "Cut a torn last line off the devnet's journal");
            file.set_len(read.good_bytes).and_then(|()| file.sync_all()).map_err(failed("repair"))?;
        }
        file.seek(SeekFrom::Start(read.good_bytes)).map_err(failed("read"))?;
        let mut journal = Self { file, checksum: read.checksum };
        let mut lines = read.lines.into_iter();
        match lines.next() {
            Some(line) => check_header(&line).map_err(|reason| damaged(1, reason))?,
            None => journal.start(path).map_err(failed("start"))?,
        }
        let mut entries = Vec::with_capacity(lines.len());
        for (index, line) in lines.enumerate() {
            // The checksum is right, so this is no accident of the disk, and nothing is cut off.
            let entry = serde_json::from_str(&line).map_err(|error| damaged(index + 2, error.to_string()))?;
            entries.push(entry);
        }
        Ok((journal, entries))
    }

    /// Appends an entry. It is on disk when this returns; after an error, nobody knows.
    pub(super) fn append(&mut self, entry: &Entry) -> io::Result<()> {
        self.append_json(&serde_json::to_string(entry)?)
    }

    fn start(&mut self, path: &Path) -> io::Result<()> {
        self.append_json(&header_json()?)?;
        sync_directory_of(path)
    }

    fn append_json(&mut self, json: &str) -> io::Result<()> {
        let checksum = checksum(&self.checksum, json.as_bytes());
        let line = line(checksum, json);
        if line.len() > JOURNAL_LINE_BYTES_MAX {
            return Err(io::Error::other(format!("a line of {} bytes is too long", line.len())));
        }
        self.file.write_all(line.as_bytes())?;
        self.file.sync_data()?;
        self.checksum = checksum;
        Ok(())
    }
}

/// What a journal holds.
#[derive(Default)]
struct Lines {
    /// The JSON of each good line.
    lines: Vec<String>,
    /// The checksum of the last good line.
    checksum: [u8; 8],
    /// Where the good lines end.
    good_bytes: u64,
    /// How many bytes follow them as a torn last line.
    torn_bytes: u64,
    /// The bad line, if good or bad ones follow it.
    damaged_line: Option<usize>,
}

fn read_lines(file: &File) -> io::Result<Lines> {
    let mut reader = BufReader::new(file);
    let mut read = Lines::default();
    let mut line = Vec::new();
    loop {
        line.clear();
        let length = reader.by_ref().take(JOURNAL_LINE_BYTES_MAX as u64).read_until(b'\n', &mut line)?;
        if length == 0 {
            return Ok(read);
        }
        if read.torn_bytes > 0 {
            read.damaged_line = Some(read.lines.len() + 1);
            return Ok(read);
        }
        match good_line(&read.checksum, &line) {
            Some((json, checksum)) => {
                read.lines.push(json.to_owned());
                read.checksum = checksum;
                read.good_bytes += length as u64;
            }
            None => read.torn_bytes = length as u64,
        }
    }
}

/// Returns the JSON of a line that is whole and follows the one with the checksum `before`.
fn good_line<'a>(before: &[u8; 8], line: &'a [u8]) -> Option<(&'a str, [u8; 8])> {
    let line = std::str::from_utf8(line).ok()?.strip_suffix('\n')?;
    let (digits, json) = line.split_once(' ')?;
    let checksum = checksum(before, json.as_bytes());
    (digits.len() == CHECKSUM_DIGITS && digits == hex::encode(checksum)).then_some((json, checksum))
}

/// Says whether a file without a good line is a journal that broke off while it was started. Anything else belongs
/// to somebody, and is not cut.
fn is_torn_header(file: &mut File) -> io::Result<bool> {
    let json = header_json()?;
    let header = line(checksum(&[0; 8], json.as_bytes()), &json);
    let mut start = Vec::new();
    file.seek(SeekFrom::Start(0))?;
    file.take(JOURNAL_LINE_BYTES_MAX as u64).read_to_end(&mut start)?;
    Ok(header.as_bytes().starts_with(&start))
}

fn header_json() -> io::Result<String> {
    Ok(serde_json::to_string(&Header { journal: FORMAT.to_owned(), chain_id: NETWORK.chain_id })?)
}

fn line(checksum: [u8; 8], json: &str) -> String {
    format!("{} {json}\n", hex::encode(checksum))
}

fn check_header(line: &str) -> Result<(), String> {
    let header: Header = serde_json::from_str(line).map_err(|error| error.to_string())?;
    if header.journal == FORMAT && header.chain_id == NETWORK.chain_id {
        Ok(())
    } else {
        Err(format!("`{}` for chain {} is not ours", header.journal, header.chain_id))
    }
}

fn checksum(before: &[u8; 8], json: &[u8]) -> [u8; 8] {
    let hash: B256 = keccak256([before, json].concat());
    hash[..8].try_into().expect("a hash has 32 bytes")
}
