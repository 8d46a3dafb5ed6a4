//! What was spent: a journal with a line for each payment before it is sent, and one for what became of it.
//!
//! A folder has a file for each UTC day, `2026-11-21.journal`. A line is 16 hexadecimal digits of checksum, a space, JSON
//! and a newline; each checksum covers the one before it, so a line that was changed, moved or taken out shows. A
//! payment is written down, on disk, under the file's lock and after the sums of the day were checked: however many
//! processes pay at once, together they stay within the day's budget.
//!
//! A payment whose outcome nobody wrote down counts with all that it could take. A crash can tear the last line alone,
//! and a payment of a torn line was never sent: the line is cut off. Anything else that does not fit is damage, and
//! nothing is paid until somebody has looked.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use glassbox_core::limits::{SPENDING_DAY_BYTES_MAX, SPENDING_LINE_BYTES_MAX, SPENDING_WAIT_MS_MAX};
use glassbox_core::{Atomic, Digest};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};
use serde::{Deserialize, Serialize};

use crate::policy::{Host, Policy, Refusal, Spend, Spent};

/// The name of the folder of journals, in the home folder.
pub const FOLDER_NAME: &str = "spending";

const FORMAT: &str = "glassbox-spending/1";

/// The hexadecimal digits of a checksum.
const CHECKSUM_DIGITS: usize = 16;

/// The checksum before the first line.
const START: &str = "0000000000000000";

/// Where payments are written down.
#[derive(Debug, Clone)]
pub struct Spending(Place);

#[derive(Debug, Clone)]
enum Place {
    Folder(PathBuf),
    Memory(Arc<Mutex<BTreeMap<Date, Vec<Entry>>>>),
}

/// A payment that was written down.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// Its id, 32 hexadecimal digits.
    pub id: String,
    /// When it was signed.
    pub at: Timestamp,
    /// What it could take, and from whom for what.
    #[serde(flatten)]
    pub spend: Spend,
    /// What became of it; `None` while nobody knows.
    pub outcome: Option<Outcome>,
}

/// What became of a payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// The registry says that this was charged.
    Charged(Atomic),
    /// The registry says that nothing was charged.
    NotCharged,
    /// It never left this machine.
    NotSent,
}

/// A payment that was written down and may now be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "what becomes of the payment should be written down, too"]
pub struct Reservation {
    id: String,
    day: Date,
}

/// Why nothing could be written down. The payment must not be sent.
#[derive(Debug, thiserror::Error)]
pub enum SpendingError {
    /// The journal cannot be read or written.
    #[error("cannot {action} the spending journal `{path}`")]
    File {
        /// What was attempted, as a verb.
        action: &'static str,
        /// The journal.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The journal is not as it was written.
    #[error("the spending journal `{path}` is damaged at line {line}: {reason}")]
    Damaged {
        /// The journal.
        path: PathBuf,
        /// The line, counted from 1.
        line: usize,
        /// What is wrong with it.
        reason: String,
    },
    /// The journal of the day has no room for more.
    #[error("the spending journal `{0}` has no room for more payments of this day")]
    Full(PathBuf),
    /// Somebody else has the journal, for longer than writing a payment down takes.
    #[error("another process holds the spending journal `{0}`")]
    Busy(PathBuf),
    /// The operating system gave no random bytes.
    #[error("no random bytes from the operating system")]
    Random,
    /// The policy does not allow what the day adds up to.
    #[error(transparent)]
    Refused(#[from] Refusal),
}

/// A line of a journal.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Line {
    Journal {
        format: String,
        day: Date,
    },
    Signed {
        id: String,
        at: Timestamp,
        #[serde(flatten)]
        spend: Spend,
    },
    Outcome {
        id: String,
        outcome: Outcome,
    },
}

impl Spending {
    /// A journal in a folder, which is made when something is written down. Other processes may have it open, too.
    pub fn open(folder: &Path) -> Self {
        Self(Place::Folder(folder.to_owned()))
    }

    /// A journal that ends with the process, for programs that bound what they spend themselves.
    pub fn in_memory() -> Self {
        Self(Place::Memory(Arc::default()))
    }

    /// Writes a payment down before it is sent, if `policy` allows what the day of `now` then adds up to.
    ///
    /// When this returns, the line is on disk.
    pub fn reserve(
        &self,
        spend: &Spend,
        policy: &Policy,
        now: Timestamp,
    ) -> Result<Reservation, SpendingError> {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes).map_err(|_| SpendingError::Random)?;
        let entry = Entry { id: hex::encode(bytes), at: now, spend: spend.clone(), outcome: None };
        let day = day_of(now);
        let check = |entries: &[Entry]| match spend.channel {
            Some(_) => Ok(()),
            None => policy.check_day(spend, spent(entries, spend, policy)),
        };
        match &self.0 {
            Place::Folder(folder) => {
                let mut journal = Journal::open(folder, day)?;
                check(&journal.entries)?;
                let Entry { id, at, spend, .. } = entry.clone();
                journal.append(&Line::Signed { id, at, spend })?;
            }
            Place::Memory(days) => {
                let mut days = days.lock().unwrap_or_else(PoisonError::into_inner);
                let entries = days.entry(day).or_default();
                check(entries)?;
                entries.push(entry.clone());
            }
        }
        Ok(Reservation { id: entry.id, day })
    }

    /// Writes down what became of a payment. Until then, and if this fails, it counts with all that it could take.
    pub fn record(&self, reservation: &Reservation, outcome: Outcome) -> Result<(), SpendingError> {
        let Reservation { id, day } = reservation;
        match &self.0 {
            Place::Folder(folder) => {
                let mut journal = Journal::open(folder, *day)?;
                // Somebody who removed the journal meanwhile wants to know nothing of this payment.
                if journal.entries.iter().any(|entry| entry.id == *id && entry.outcome.is_none()) {
                    journal.append(&Line::Outcome { id: id.clone(), outcome })?;
                }
            }
            Place::Memory(days) => {
                let mut days = days.lock().unwrap_or_else(PoisonError::into_inner);
                set(days.entry(*day).or_default(), id, outcome);
            }
        }
        Ok(())
    }

    /// Returns the payments of a UTC day, in the order in which they were signed.
    pub fn day(&self, day: Date) -> Result<Vec<Entry>, SpendingError> {
        match &self.0 {
            Place::Folder(folder) => {
                let path = path_of(folder, day);
                match File::open(&path) {
                    Ok(_) => Ok(Journal::open(folder, day)?.entries),
                    Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
                    Err(source) => Err(SpendingError::File { action: "open", path, source }),
                }
            }
            Place::Memory(days) => {
                let days = days.lock().unwrap_or_else(PoisonError::into_inner);
                Ok(days.get(&day).cloned().unwrap_or_default())
            }
        }
    }
}

impl Entry {
    /// Returns what the payment counts with: what was charged where that is known and the registry is taken at its
    /// word, or all that was signed.
    ///
    /// What is paid out of a channel counted when it was deposited.
    pub fn counted(&self, trusted: bool) -> Atomic {
        if self.spend.channel.is_some() {
            return Atomic::ZERO;
        }
        match self.outcome {
            Some(Outcome::NotSent) => Atomic::ZERO,
            Some(Outcome::NotCharged) if trusted => Atomic::ZERO,
            Some(Outcome::Charged(amount)) if trusted => amount.min(self.spend.amount_max),
            _ => self.spend.amount_max,
        }
    }
}

/// Returns the UTC day of a moment.
pub fn day_of(now: Timestamp) -> Date {
    now.to_zoned(TimeZone::UTC).date()
}

/// Returns when the budget of the day of `now` is made anew.
pub fn next_day(now: Timestamp) -> Option<Timestamp> {
    let tomorrow = day_of(now).checked_add(1.day()).ok()?;
    Some(tomorrow.to_zoned(TimeZone::UTC).ok()?.timestamp())
}

/// Adds up what counts of `entries` for a payment like `spend`.
pub fn spent(entries: &[Entry], spend: &Spend, policy: &Policy) -> Spent {
    let sum = |counts: &dyn Fn(&Spend) -> bool| {
        let amounts = entries.iter().filter(|entry| counts(&entry.spend));
        let amounts = amounts.map(|entry| entry.counted(policy.trusts(&entry.spend.host)).0);
        Atomic(amounts.fold(0, u128::saturating_add))
    };
    Spent {
        all: sum(&|_| true),
        host: sum(&|other| other.host == spend.host),
        payee: sum(&|other| other.payee == spend.payee),
    }
}

/// Returns the registries of `entries` with what counts for each.
pub fn spent_by_host(entries: &[Entry], policy: &Policy) -> BTreeMap<Host, Atomic> {
    let mut hosts = BTreeMap::new();
    for entry in entries {
        let sum: &mut Atomic = hosts.entry(entry.spend.host.clone()).or_default();
        sum.0 = sum.0.saturating_add(entry.counted(policy.trusts(&entry.spend.host)).0);
    }
    hosts
}

fn path_of(folder: &Path, day: Date) -> PathBuf {
    folder.join(format!("{day}.journal"))
}

fn set(entries: &mut [Entry], id: &str, outcome: Outcome) -> bool {
    let entry = entries.iter_mut().find(|entry| entry.id == id && entry.outcome.is_none());
    entry.map(|entry| entry.outcome = Some(outcome)).is_some()
}

/// The journal of a day, locked while it is open, at its end.
struct Journal {
    path: PathBuf,
    file: File,
    entries: Vec<Entry>,
    checksum: String,
    length: u64,
}

impl Journal {
    /// Opens the journal of a day, or starts it, and reads what is in it. Waits for whoever has it.
    fn open(folder: &Path, day: Date) -> Result<Self, SpendingError> {
        let path = path_of(folder, day);
        let failed = |action| {
            let path = path.clone();
            move |source| SpendingError::File { action, path, source }
        };
        make_folder(folder).map_err(failed("make"))?;
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(&path).map_err(failed("open"))?;
        lock(&file, &path)?;
        let mut bytes = Vec::new();
        let mut limited = (&mut file).take(SPENDING_DAY_BYTES_MAX + 1);
        limited.read_to_end(&mut bytes).map_err(failed("read"))?;
        if bytes.len() as u64 > SPENDING_DAY_BYTES_MAX {
            return Err(SpendingError::Full(path));
        }
        let mut journal = Self { path, file, entries: Vec::new(), checksum: START.into(), length: 0 };
        journal.read(&bytes, day)?;
        if journal.length < bytes.len() as u64 {
            tracing::warn!(
                size_bytes = bytes.len() as u64 - journal.length,
                "Cut a torn last line off the spending journal"
            );
            journal.cut().map_err(|source| journal.failed("repair", source))?;
        }
        if journal.length == 0 {
            journal.append(&header(day))?;
            sync_folder(folder).map_err(|source| journal.failed("start", source))?;
        }
        Ok(journal)
    }

    /// Takes up the good lines. A last line without an end is left out.
    fn read(&mut self, bytes: &[u8], day: Date) -> Result<(), SpendingError> {
        let mut number = 0;
        for line in bytes.split_inclusive(|byte| *byte == b'\n') {
            number += 1;
            let damaged = |path: &Path, reason: String| SpendingError::Damaged {
                path: path.to_owned(),
                line: number,
                reason,
            };
            let Some(text) = line.strip_suffix(b"\n") else {
                // What broke off while the journal was started is ours; anything else belongs to somebody.
                let starts = || encode(START, &header(day)).0.as_bytes().starts_with(line);
                if number > 1 || starts() {
                    return Ok(());
                }
                return Err(damaged(&self.path, "it is no spending journal".into()));
            };
            let (json, checksum) = decode(&self.checksum, text)
                .ok_or_else(|| damaged(&self.path, "its checksum is wrong".into()))?;
            // The checksum is right, so this is no accident of the disk.
            let read: Line =
                serde_json::from_str(json).map_err(|error| damaged(&self.path, error.to_string()))?;
            let fits = match read {
                Line::Journal { format, day: of } => number == 1 && format == FORMAT && of == day,
                _ if number == 1 => false,
                Line::Signed { id, at, spend } => {
                    self.entries.push(Entry { id, at, spend, outcome: None });
                    true
                }
                Line::Outcome { id, outcome } => set(&mut self.entries, &id, outcome),
            };
            if !fits {
                return Err(damaged(&self.path, "it does not belong there".into()));
            }
            self.checksum = checksum;
            self.length += line.len() as u64;
        }
        Ok(())
    }

    /// Appends a line; it is on disk when this returns. After an error it is not in the journal, or counts.
    fn append(&mut self, line: &Line) -> Result<(), SpendingError> {
        let (text, checksum) = encode(&self.checksum, line);
        if text.len() > SPENDING_LINE_BYTES_MAX {
            return Err(
                self.failed("write", io::Error::other(format!("a line of {} bytes is too long", text.len())))
            );
        }
        let length = self.length + text.len() as u64;
        if length > SPENDING_DAY_BYTES_MAX {
            return Err(SpendingError::Full(self.path.clone()));
        }
        let written = self
            .file
            .seek(SeekFrom::Start(self.length))
            .and_then(|_| self.file.write_all(text.as_bytes()))
            .and_then(|()| self.file.sync_data());
        if let Err(source) = written {
            // What cannot be cut off now is torn, and cut off by the next; or whole, and counts.
            let _ = self.cut();
            return Err(self.failed("write", source));
        }
        (self.checksum, self.length) = (checksum, length);
        Ok(())
    }

    /// Cuts off what follows the good lines.
    fn cut(&self) -> io::Result<()> {
        self.file.set_len(self.length)?;
        self.file.sync_all()
    }

    fn failed(&self, action: &'static str, source: io::Error) -> SpendingError {
        SpendingError::File { action, path: self.path.clone(), source }
    }
}

fn header(day: Date) -> Line {
    Line::Journal { format: FORMAT.into(), day }
}

/// Writes a line that follows one with the checksum `before`. Returns its own checksum, too.
fn encode(before: &str, line: &Line) -> (String, String) {
    let json = serde_json::to_string(line).expect("texts and numbers serialize");
    let checksum = checksum(before, &json);
    (format!("{checksum} {json}\n"), checksum)
}

/// Returns the JSON and the checksum of a line, if it is whole and follows the one with the checksum `before`.
fn decode<'a>(before: &str, line: &'a [u8]) -> Option<(&'a str, String)> {
    let (digits, json) = std::str::from_utf8(line).ok()?.split_once(' ')?;
    let checksum = checksum(before, json);
    (digits == checksum).then_some((json, checksum))
}

fn checksum(before: &str, json: &str) -> String {
    let mut digits = Digest::of(format!("{before}{json}")).hex();
    digits.truncate(CHECKSUM_DIGITS);
    digits
}

/// Takes the journal for this process alone. Waits for whoever has it, but not for one that hangs.
#[expect(
    clippy::disallowed_methods,
    reason = "a file's lock tells nobody when it is free, so it is asked again"
)]
fn lock(file: &File, path: &Path) -> Result<(), SpendingError> {
    let deadline = Instant::now() + Duration::from_millis(SPENDING_WAIT_MS_MAX);
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(()),
            Err(TryLockError::WouldBlock) if Instant::now() < deadline => {
                std::thread::sleep(Duration::from_millis(2));
            }
            Err(TryLockError::WouldBlock) => return Err(SpendingError::Busy(path.to_owned())),
            Err(TryLockError::Error(source)) => {
                return Err(SpendingError::File { action: "lock", path: path.to_owned(), source });
            }
        }
    }
}

/// Makes a folder that is its owner's alone, and those above it.
pub(crate) fn make_folder(folder: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

/// Makes the name of a new file durable.
pub(crate) fn sync_folder(folder: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}
