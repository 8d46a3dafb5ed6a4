//! Which logs and witnesses a reader trusts, and when a checkpoint is good enough. See C2SP tlog-policy.
//!
//! A policy says who must have signed. How old the signatures may be is said beside it, by [`Freshness`]: a log that shows
//! everybody the same old state hides what came after.

use std::collections::BTreeMap;

use super::note::{self, Algorithm};
use super::{Checkpoint, CosignerKey, LogError, SignedCheckpoint};
use crate::key::PublicKey;
use crate::limits;

/// A policy, as its file says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogPolicy {
    logs: Vec<KnownLog>,
    witnesses: Vec<KnownWitness>,
    groups: Vec<Group>,
    /// `None` for `quorum none`.
    quorum: Option<Member>,
}

/// A log whose key is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownLog {
    /// Its verifier key.
    pub(super) key: String,
    origin: String,
    public: PublicKey,
    url: Option<String>,
}

/// A witness that is trusted to have looked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownWitness {
    /// What the policy calls it.
    pub name: String,
    /// Its verifier key.
    pub key: CosignerKey,
    /// Where checkpoints are submitted to it.
    pub url: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Group {
    threshold: usize,
    members: Vec<Member>,
}

/// A witness or a group, by its place in the policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Member {
    Witness(usize),
    Group(usize),
}

/// How old signatures may be, and what time it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Freshness {
    /// Now, in seconds since 1970.
    pub now_s: u64,
    /// The greatest age.
    pub age_seconds_max: u64,
}

/// A checkpoint that satisfies a policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trusted {
    /// What the log says.
    pub checkpoint: Checkpoint,
    /// The witnesses of the policy that cosigned it.
    pub witnesses: Vec<String>,
    /// When the newest of the signatures with a time was made, in seconds since 1970.
    pub newest_s: Option<u64>,
}

/// Why a policy file is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {reason}")]
pub struct LogPolicyError {
    /// The line, from 1; the one after the last where something is missing.
    pub line: usize,
    /// What is wrong with it.
    pub reason: String,
}

/// Why a checkpoint does not satisfy a policy.
#[derive(Debug, thiserror::Error)]
pub enum Distrust {
    /// No log of the policy signed it.
    #[error("the checkpoint of `{origin}` is not signed by a log that the policy knows")]
    UnknownLog {
        /// The log that it claims to be of.
        origin: String,
    },
    /// Too few witnesses cosigned it.
    #[error("{}", too_few(.witnesses))]
    TooFewWitnesses {
        /// Those that did.
        witnesses: Vec<String>,
    },
    /// Its signatures are too old, or from the future.
    #[error("{}", frozen(*.newest_s, *.freshness))]
    Frozen {
        /// When the newest was made, in seconds since 1970.
        newest_s: Option<u64>,
        /// What was asked for.
        freshness: Freshness,
    },
}

fn too_few(witnesses: &[String]) -> String {
    match witnesses {
        [] => "no witness of the policy cosigned the checkpoint".into(),
        _ => format!("only {} cosigned the checkpoint, and the policy asks for more", witnesses.join(", ")),
    }
}

fn frozen(newest_s: Option<u64>, freshness: Freshness) -> String {
    match newest_s {
        None => "nothing says when the checkpoint was made".into(),
        Some(newest_s) if newest_s > freshness.now_s => "the checkpoint is from the future".into(),
        Some(newest_s) => format!(
            "the checkpoint was last confirmed {} seconds ago, and {} are allowed",
            freshness.now_s - newest_s,
            freshness.age_seconds_max
        ),
    }
}

impl Freshness {
    /// Tells whether a signature of this time is neither too old nor from the future, where clocks may differ a little.
    fn allows(&self, time_s: u64) -> bool {
        time_s.saturating_add(self.age_seconds_max) >= self.now_s
            && time_s <= self.now_s.saturating_add(limits::CLOCK_DIFFERENCE_SECONDS_MAX)
    }
}

impl KnownLog {
    /// Reads a log's verifier key. `url` says where the log is.
    pub fn new(key: &str, url: Option<&str>) -> Result<Self, LogError> {
        let not_a_key = || LogError::NotAKey(key.chars().take(120).collect());
        let (origin, public) = note::decode_key(key, Algorithm::Ed25519).ok_or_else(not_a_key)?;
        Ok(Self { key: key.into(), origin, public, url: url.map(str::to_owned) })
    }

    /// Returns its verifier key.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// Returns its name.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// Returns where it is, where that is known.
    pub fn url(&self) -> Option<&str> {
        self.url.as_deref()
    }

    pub(super) fn key_id(&self) -> u32 {
        note::key_id(&self.origin, Algorithm::Ed25519, &self.public)
    }
}

impl LogPolicy {
    /// The policy of a reader who has none: this log, and no witness.
    pub fn of_log(log: KnownLog) -> Self {
        Self { logs: vec![log], witnesses: Vec::new(), groups: Vec::new(), quorum: None }
    }

    /// Reads a policy file.
    pub fn parse(text: &str) -> Result<Self, LogPolicyError> {
        let mut reading = Reading::default();
        let mut count = 0;
        for (index, line) in text.split('\n').enumerate() {
            count = index + 1;
            if let Err(reason) = reading.line(line) {
                return Err(LogPolicyError { line: count, reason });
            }
        }
        match reading.quorum {
            Some(quorum) => {
                Ok(Self { logs: reading.logs, witnesses: reading.witnesses, groups: reading.groups, quorum })
            }
            None => Err(LogPolicyError { line: count, reason: "there is no `quorum` line".into() }),
        }
    }

    /// Returns the logs.
    pub fn logs(&self) -> &[KnownLog] {
        &self.logs
    }

    /// Returns the witnesses.
    pub fn witnesses(&self) -> &[KnownWitness] {
        &self.witnesses
    }

    /// Judges a signed note. Without `freshness` its age does not matter, as for a proof that was kept.
    pub fn judge(&self, note: &str, freshness: Option<Freshness>) -> Result<Trusted, Distrust> {
        let origin: String = note.split('\n').next().unwrap_or_default().chars().take(120).collect();
        let opened = self.logs.iter().find_map(|log| SignedCheckpoint::open(note, &log.key).ok());
        let SignedCheckpoint { checkpoint, time_s: own, .. } =
            opened.ok_or(Distrust::UnknownLog { origin })?;
        // A line in a witness's name that does not verify counts as none.
        let time = |witness: &KnownWitness| witness.key.verify(note).ok().flatten();
        let times: Vec<Option<u64>> = self.witnesses.iter().map(time).collect();
        let named = self.witnesses.iter().zip(&times).filter(|(_, time)| time.is_some());
        let witnesses: Vec<String> = named.map(|(witness, _)| witness.name.clone()).collect();
        let newest_s = times.iter().flatten().copied().chain(own).max();
        let trusted = Trusted { checkpoint, witnesses, newest_s };
        let satisfied = |counts: &dyn Fn(u64) -> bool| match self.quorum {
            Some(quorum) => self.holds(quorum, &|witness| times[witness].is_some_and(counts)),
            None => own.is_some_and(counts),
        };
        if self.quorum.is_some() && !satisfied(&|_| true) {
            return Err(Distrust::TooFewWitnesses { witnesses: trusted.witnesses });
        }
        match freshness {
            Some(freshness) if !satisfied(&|time| freshness.allows(time)) => {
                Err(Distrust::Frozen { newest_s, freshness })
            }
            _ => Ok(trusted),
        }
    }

    fn holds(&self, member: Member, cosigned: &dyn Fn(usize) -> bool) -> bool {
        match member {
            Member::Witness(index) => cosigned(index),
            // A group knows only what was defined before it, so this ends.
            Member::Group(index) => {
                let Group { threshold, members } = &self.groups[index];
                members.iter().filter(|member| self.holds(**member, cosigned)).count() >= *threshold
            }
        }
    }
}

#[derive(Default)]
struct Reading {
    logs: Vec<KnownLog>,
    witnesses: Vec<KnownWitness>,
    groups: Vec<Group>,
    quorum: Option<Option<Member>>,
    /// Witnesses and groups by name, and whether a group has it already.
    names: BTreeMap<String, (Member, bool)>,
    log_keys: Vec<PublicKey>,
    witness_keys: Vec<PublicKey>,
}

impl Reading {
    fn line(&mut self, line: &str) -> Result<(), String> {
        if line.chars().any(|c| c.is_ascii_control() && c != '\t') {
            return Err("a control character".into());
        }
        let words: Vec<&str> = line.split([' ', '\t']).filter(|word| !word.is_empty()).collect();
        match words.as_slice() {
            [] => Ok(()),
            [first, ..] if first.starts_with('#') => Ok(()),
            ["log", key] => self.log(key, None),
            ["log", key, url] => self.log(key, Some(url)),
            ["witness", name, key] => self.witness(name, key, None),
            ["witness", name, key, url] => self.witness(name, key, Some(url)),
            ["group", name, threshold, members @ ..] => self.group(name, threshold, members),
            ["quorum", name] => self.quorum(name),
            [first, ..] => {
                Err(format!("`{}` is not such a line", first.chars().take(40).collect::<String>()))
            }
        }
    }

    fn log(&mut self, key: &str, url: Option<&str>) -> Result<(), String> {
        let log = KnownLog::new(key, url).map_err(|error| error.to_string())?;
        new_key(&mut self.log_keys, &log.public)?;
        room(self.logs.len())?;
        self.logs.push(log);
        Ok(())
    }

    fn witness(&mut self, name: &str, key: &str, url: Option<&str>) -> Result<(), String> {
        let key: CosignerKey =
            key.parse().map_err(|error: super::cosignature::CosignerKeyError| error.to_string())?;
        new_key(&mut self.witness_keys, key.public())?;
        room(self.witnesses.len())?;
        self.define(name, Member::Witness(self.witnesses.len()))?;
        self.witnesses.push(KnownWitness { name: name.into(), key, url: url.map(str::to_owned) });
        Ok(())
    }

    fn group(&mut self, name: &str, threshold: &str, names: &[&str]) -> Result<(), String> {
        let mut members = Vec::new();
        for member in names {
            let (found, taken) = self.names.get_mut(*member).ok_or_else(|| not_defined(member))?;
            if std::mem::replace(taken, true) {
                return Err(format!("`{member}` is in a group already"));
            }
            members.push(*found);
        }
        let threshold = match threshold {
            "any" => 1,
            "all" => members.len(),
            number => number.parse().map_err(|_| "a group says `all`, `any` or how many".to_owned())?,
        };
        if !(1..=members.len()).contains(&threshold) {
            return Err("a group cannot ask for none, or for more than it has".into());
        }
        room(self.groups.len())?;
        self.define(name, Member::Group(self.groups.len()))?;
        self.groups.push(Group { threshold, members });
        Ok(())
    }

    fn quorum(&mut self, name: &str) -> Result<(), String> {
        if self.quorum.is_some() {
            return Err("there is a second `quorum` line".into());
        }
        self.quorum = Some(match name {
            "none" => None,
            name => Some(self.names.get(name).ok_or_else(|| not_defined(name))?.0),
        });
        Ok(())
    }

    fn define(&mut self, name: &str, member: Member) -> Result<(), String> {
        if name == "none" || self.names.insert(name.into(), (member, false)).is_some() {
            return Err(format!("the name `{name}` is taken"));
        }
        Ok(())
    }
}

/// Keys are the same if they wrap the same public key, whatever they are called.
fn new_key(known: &mut Vec<PublicKey>, key: &PublicKey) -> Result<(), String> {
    if known.contains(key) {
        return Err("the key is there already".into());
    }
    known.push(*key);
    Ok(())
}

fn room(length: usize) -> Result<(), String> {
    let max = limits::LOG_POLICY_LINES_MAX;
    if length < max { Ok(()) } else { Err(format!("there are more than {max} such lines")) }
}

fn not_defined(name: &str) -> String {
    format!("`{}` is not defined above", name.chars().take(120).collect::<String>())
}
