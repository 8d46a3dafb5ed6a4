//! What a run observed of the world outside, in order: enough to run it again without that world.
//!
//! A pure run observes nothing and has no transcript. Each answer that came from outside is an [`Entry`]; a replay asks
//! the same questions in the same order and is given the same answers. The entries form a hash chain, so that its
//! [head](Transcript::head) stands for all of them and a prefix can be proved without the rest.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{Digest, limits};

/// Where the hash chain starts, so that no other hash of the project can be taken for a head.
const START: &[u8] = b"glassbox transcript v1\n";

/// The observations of one run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Unchecked")]
pub struct Transcript {
    entries: Vec<Entry>,
    #[serde(skip)]
    bytes: usize,
}

/// One observation: a question that a guest asked, and the answer from outside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// The function that was called, such as `wasi:clocks/wall-clock#now`, without a version.
    pub import: String,
    /// Its arguments, in the canonical value encoding.
    #[serde(serialize_with = "to_base64", deserialize_with = "from_base64")]
    pub args: Vec<u8>,
    /// What it answered, in the canonical value encoding.
    #[serde(serialize_with = "to_base64", deserialize_with = "from_base64")]
    pub result: Vec<u8>,
}

/// Says why a transcript was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TranscriptError {
    /// There are too many entries.
    #[error("the transcript has more than {max} entries")]
    Entries {
        /// How many there may be.
        max: usize,
    },
    /// One entry, or all of them together, has too many bytes.
    #[error("{what} of the transcript has more than {max} bytes")]
    Bytes {
        /// Of what.
        what: &'static str,
        /// How many it may have.
        max: usize,
    },
    /// The bytes are not those that [`Transcript::to_bytes`] writes.
    #[error("the transcript is damaged at byte {offset}")]
    Damaged {
        /// Where.
        offset: usize,
    },
}

impl Entry {
    /// Returns the bytes that count towards the limits.
    fn size_bytes(&self) -> usize {
        self.import.len().saturating_add(self.args.len()).saturating_add(self.result.len())
    }

    /// Returns the entry in its byte form: import, arguments and result, each behind its length in 4 bytes, big endian.
    fn write(&self, bytes: &mut Vec<u8>) {
        for part in [self.import.as_bytes(), &self.args, &self.result] {
            // Every part is below the limit for one entry.
            bytes.extend_from_slice(&(part.len() as u32).to_be_bytes());
            bytes.extend_from_slice(part);
        }
    }
}

impl Transcript {
    /// Returns a transcript without entries.
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns the entries, in the order of the run.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Tells whether nothing was observed.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Returns how many bytes the entries have together, without their lengths.
    pub fn size_bytes(&self) -> usize {
        self.bytes
    }

    /// Tells whether an entry of any allowed size still fits.
    ///
    /// A recorder asks before it observes, so that a replay, which does not know the answer's size, stops at the same
    /// place.
    pub fn has_room(&self) -> bool {
        self.entries.len() < limits::TRANSCRIPT_ENTRIES_MAX
            && self.bytes.saturating_add(limits::TRANSCRIPT_ENTRY_BYTES_MAX) <= limits::TRANSCRIPT_BYTES_MAX
    }

    /// Appends an entry.
    pub fn push(&mut self, entry: Entry) -> Result<(), TranscriptError> {
        let too_large = |what, max| Err(TranscriptError::Bytes { what, max });
        if self.entries.len() >= limits::TRANSCRIPT_ENTRIES_MAX {
            return Err(TranscriptError::Entries { max: limits::TRANSCRIPT_ENTRIES_MAX });
        }
        let size_bytes = entry.size_bytes();
        if size_bytes > limits::TRANSCRIPT_ENTRY_BYTES_MAX {
            return too_large("an entry", limits::TRANSCRIPT_ENTRY_BYTES_MAX);
        }
        if self.bytes.saturating_add(size_bytes) > limits::TRANSCRIPT_BYTES_MAX {
            return too_large("all", limits::TRANSCRIPT_BYTES_MAX);
        }
        self.bytes += size_bytes;
        self.entries.push(entry);
        Ok(())
    }

    /// Returns the head of the hash chain: `h(0)` is the SHA-256 of `glassbox transcript v1\n`, and `h(i)` that of
    /// `h(i-1)` followed by the byte form of entry `i`.
    pub fn head(&self) -> Digest {
        let mut form = Vec::new();
        self.entries.iter().fold(Digest::of(START), |head, entry| {
            form.clear();
            entry.write(&mut form);
            Digest::of_parts(&[head.as_bytes(), &form])
        })
    }

    /// Returns the one byte form: the entries one after the other, each as import, arguments and result, and each of
    /// these behind its length in 4 bytes, big endian.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.bytes + 12 * self.entries.len());
        self.entries.iter().for_each(|entry| entry.write(&mut bytes));
        bytes
    }

    /// Reads what [`Transcript::to_bytes`] wrote, and nothing else.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, TranscriptError> {
        let mut transcript = Self::new();
        let mut rest = bytes;
        while !rest.is_empty() {
            let damaged = TranscriptError::Damaged { offset: bytes.len() - rest.len() };
            let (entry, after) = read_entry(rest).ok_or(damaged)?;
            transcript.push(entry)?;
            rest = after;
        }
        Ok(transcript)
    }
}

fn read_entry(bytes: &[u8]) -> Option<(Entry, &[u8])> {
    let (import, rest) = read_part(bytes)?;
    let (args, rest) = read_part(rest)?;
    let (result, rest) = read_part(rest)?;
    let import = std::str::from_utf8(import).ok()?.to_owned();
    Some((Entry { import, args: args.to_vec(), result: result.to_vec() }, rest))
}

fn read_part(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (len, rest) = bytes.split_first_chunk()?;
    rest.split_at_checked(usize::try_from(u32::from_be_bytes(*len)).ok()?)
}

/// A transcript as it came, before its limits were checked.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Unchecked {
    entries: Vec<Entry>,
}

impl TryFrom<Unchecked> for Transcript {
    type Error = TranscriptError;

    fn try_from(unchecked: Unchecked) -> Result<Self, TranscriptError> {
        let mut transcript = Self::new();
        unchecked.entries.into_iter().try_for_each(|entry| transcript.push(entry))?;
        Ok(transcript)
    }
}

fn to_base64<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&STANDARD.encode(bytes))
}

fn from_base64<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
    let text = String::deserialize(deserializer)?;
    STANDARD.decode(text).map_err(serde::de::Error::custom)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(import: &str, args: &[u8], result: &[u8]) -> Entry {
        Entry { import: import.into(), args: args.into(), result: result.into() }
    }

    fn of(entries: &[Entry]) -> Transcript {
        let mut transcript = Transcript::new();
        entries.iter().for_each(|entry| transcript.push(entry.clone()).expect("it fits"));
        transcript
    }

    /// Made with another implementation of SHA-256: other programs must agree.
    #[test]
    fn vectors() {
        let two = [entry("wasi:clocks/wall-clock#now", b"", &[1, 2]), entry("a", &[0xff], b"")];
        let heads = [0, 1, 2].map(|count| of(&two[..count]).head().hex());
        assert_eq!(
            heads,
            [
                "e55ebcab382b0ee6027b4f88e8558daa001ad17754f7bcb8a9aa6346b8f06cc4",
                "a18d2a001e3ac6f2172cf60da40cbd56c5429db206b5fa87f068f89c787b2cac",
                "ee0a39ea45896b34f605a7910db786f80d32bfa6cf40df0097c20b9f5c78c091",
            ]
        );
        let json = r#"{"entries":[{"import":"wasi:clocks/wall-clock#now","args":"","result":"AQI="},{"import":"a","args":"/w==","result":""}]}"#;
        assert_eq!(serde_json::to_string(&of(&two)).expect("plain JSON"), json);
        assert_eq!(serde_json::from_str::<Transcript>(json).expect("valid"), of(&two));
        assert_eq!(hex::encode(of(&two[1..]).to_bytes()), "000000016100000001ff00000000");
        assert_eq!(Transcript::from_bytes(&of(&two).to_bytes()), Ok(of(&two)));
    }

    #[test]
    fn no_two_transcripts_share_a_head() {
        let all = [
            of(&[]),
            of(&[entry("", b"", b"")]),
            of(&[entry("a", b"b", b"c")]),
            of(&[entry("ab", b"", b"c")]),
            of(&[entry("a", b"", b"bc")]),
            of(&[entry("a", b"b", b"c"), entry("", b"", b"")]),
            of(&[entry("", b"", b""), entry("a", b"b", b"c")]),
        ];
        let heads: std::collections::BTreeSet<_> = all.iter().map(|one| one.head().hex()).collect();
        assert_eq!(heads.len(), all.len());
    }

    #[test]
    fn refuses_other_spellings() {
        for text in [
            "{}",
            r#"{"entries":[],"more":1}"#,
            r#"{"entries":[{"import":"a","args":""}]}"#,
            r#"{"entries":[{"import":"a","args":"","result":"","more":1}]}"#,
            r#"{"entries":[{"import":"a","args":"/x==","result":""}]}"#,
            r#"{"entries":[{"import":"a","args":"AA","result":""}]}"#,
        ] {
            assert!(serde_json::from_str::<Transcript>(text).is_err(), "{text}");
        }
        let good = of(&[entry("a", &[0xff], b"")]).to_bytes();
        for bytes in [&good[..good.len() - 1], &[good.as_slice(), &[0]].concat(), &[0xff; 12]] {
            assert!(Transcript::from_bytes(bytes).is_err(), "{bytes:?}");
        }
    }

    #[test]
    fn limits_hold() {
        let mut transcript = Transcript::new();
        let large = entry("", &vec![0; limits::TRANSCRIPT_ENTRY_BYTES_MAX], b"");
        while transcript.has_room() {
            transcript.push(large.clone()).expect("there is room");
        }
        assert!(transcript.size_bytes() <= limits::TRANSCRIPT_BYTES_MAX);
        let larger = entry("a", &large.args, b"");
        assert!(matches!(Transcript::new().push(larger), Err(TranscriptError::Bytes { .. })));
        let mut many = Transcript::new();
        for _ in 0..limits::TRANSCRIPT_ENTRIES_MAX {
            many.push(entry("a", b"", b"")).expect("there is room");
        }
        assert!(!many.has_room());
        assert!(matches!(many.push(entry("a", b"", b"")), Err(TranscriptError::Entries { .. })));
    }
}
