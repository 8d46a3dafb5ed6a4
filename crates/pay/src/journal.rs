//! Journals: one line for each thing that happened, on disk before anybody hears of it.
//!
//! The devnet keeps its operations in one, a chain over JSON-RPC the transactions that it has signed. A line is 16 hex digits of checksum, a space, JSON, a newline. Each checksum covers the one before it, so a line
//! that was changed, moved or taken out shows. A crash can tear only the last line: it is cut off at opening, for
//! nobody was told of it. The journal is locked while it is open, because two writers would fork the chain.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::Path;

use alloy_primitives::{B256, hex, keccak256};
use glassbox_core::limits::JOURNAL_LINE_BYTES_MAX;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::error::PayError;
use crate::wallet_file::sync_directory_of;

/// The hex digits of a checksum.
const CHECKSUM_DIGITS: usize = 16;

/// The first line: what the journal is, and for which chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Header {
    /// Its kind and version, such as `glassbox-devnet/1`.
    pub(crate) journal: String,
    pub(crate) chain_id: u64,
    /// The hash of the chain's first block, where several chains may have one id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) genesis: Option<String>,
}

/// An open journal, at its end.
pub(crate) struct Journal {
    file: File,
    checksum: [u8; 8],
}

impl Journal {
    /// Opens a journal, or starts one, and reads what is in it.
    pub(crate) fn open<E: DeserializeOwned>(
        path: &Path,
        header: &Header,
    ) -> Result<(Self, Vec<E>), PayError> {
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
            if read.lines.is_empty() && !is_torn_header(&mut file, header).map_err(failed("read"))? {
                return Err(damaged(1, format!("it is not a journal `{}`", header.journal)));
            }
            tracing::warn!(size_bytes = read.torn_bytes, "Cut a torn last line off `{}`", path.display());
            file.set_len(read.good_bytes).and_then(|()| file.sync_all()).map_err(failed("repair"))?;
        }
        file.seek(SeekFrom::Start(read.good_bytes)).map_err(failed("read"))?;
        let mut journal = Self { file, checksum: read.checksum };
        let mut lines = read.lines.into_iter();
        match lines.next() {
            Some(line) => check_header(&line, header).map_err(|reason| damaged(1, reason))?,
            None => journal.start(path, header).map_err(failed("start"))?,
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
    pub(crate) fn append(&mut self, entry: &impl Serialize) -> io::Result<()> {
        self.append_json(&serde_json::to_string(entry)?)
    }

    fn start(&mut self, path: &Path, header: &Header) -> io::Result<()> {
        self.append(header)?;
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
fn is_torn_header(file: &mut File, header: &Header) -> io::Result<bool> {
    let json = serde_json::to_string(header)?;
    let header = line(checksum(&[0; 8], json.as_bytes()), &json);
    let mut start = Vec::new();
    file.seek(SeekFrom::Start(0))?;
    file.take(JOURNAL_LINE_BYTES_MAX as u64).read_to_end(&mut start)?;
    Ok(header.as_bytes().starts_with(&start))
}

fn line(checksum: [u8; 8], json: &str) -> String {
    format!("{} {json}\n", hex::encode(checksum))
}

fn check_header(line: &str, expected: &Header) -> Result<(), String> {
    let header: Header = serde_json::from_str(line).map_err(|error| error.to_string())?;
    if header == *expected {
        Ok(())
    } else {
        Err(format!(
            "it is `{}` of chain {}, and not `{}` of this chain {}",
            header.journal, header.chain_id, expected.journal, expected.chain_id
        ))
    }
}

fn checksum(before: &[u8; 8], json: &[u8]) -> [u8; 8] {
    let hash: B256 = keccak256([before, json].concat());
    hash[..8].try_into().expect("a hash has 32 bytes")
}
