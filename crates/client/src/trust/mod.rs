//! Believing a registry's log: within a policy, and never against what was seen before.
//!
//! A checkpoint is believed if the policy's log signed it and enough witnesses cosigned it, lately. It must continue the
//! newest one that was seen of its log, or be a part of it: what contradicts that is a fork, and both sides of it are
//! kept. Where there is no policy, the log that is met first at an address is the one that is trusted from then on.

mod sightings;

use std::path::{Path, PathBuf};
use std::time::Duration;

use glassbox_api::ReleaseResponse;
use glassbox_core::acts::{ActRefusal, terms_after};
use glassbox_core::hashed::Document as _;
use glassbox_core::key::PublicKey;
use glassbox_core::log::{
    Checkpoint, Distrust, Entry, Freshness, KnownLog, LogError, LogFiles, LogPolicy, ReadError, Standing,
    StandingProof, TlogProof, Trusted, open_checkpoint, root_at,
};
use glassbox_core::manifest::{Manifest, Terms};
use glassbox_core::release::Release;
use glassbox_core::{Digest, PackageRef, ReleaseId, Version, limits};

pub use self::sightings::{FOLDER_NAME, Met, Sightings, SightingsError};
use crate::error::ClientError;
use crate::http::Client;

/// How often the newest checkpoint is asked for anew while another process sees newer ones, or witnesses are at work.
const TRIES_MAX: u32 = 6;

/// Whom to believe about logs, and what was seen of them.
#[derive(Debug, Clone)]
pub struct Trust {
    policy: Option<LogPolicy>,
    age_seconds_max: u64,
    sightings: Sightings,
}

/// A checkpoint that is believed.
#[derive(Debug, Clone)]
pub struct Believed {
    /// What it says, and who vouches for it.
    pub trusted: Trusted,
    /// The signed note.
    pub note: String,
    /// The log's verifier key.
    pub log_key: String,
    /// Whether the log was met for the first time, and is believed for that reason alone.
    pub first_met: bool,
}

/// A release that is in a log that is believed.
#[derive(Debug, Clone)]
pub struct LoggedRelease {
    /// What its publisher signed.
    pub release: Release,
    /// Who signed it.
    pub publisher: PublicKey,
    /// The digest of its terms: of those that stand, where it was asked what does.
    pub terms: Digest,
    /// The index of its entry.
    pub index: u64,
    /// The proof, with the entry in it.
    pub proof: TlogProof,
    /// The log.
    pub believed: Believed,
}

/// Why a log is not believed.
#[derive(Debug, thiserror::Error)]
pub enum LogRefusal {
    /// The policy asks for more than the checkpoint has.
    #[error(transparent)]
    Distrusted(#[from] Distrust),
    /// Another log than the one that was met at this address.
    #[error("the log at {url} is `{shown}`, and was `{known}`")]
    OtherLog {
        /// The address.
        url: String,
        /// The verifier key that was remembered.
        known: String,
        /// The one that is shown now.
        shown: String,
        /// Where it was remembered.
        path: PathBuf,
    },
    /// The log contradicts what was seen of it.
    #[error("the log `{origin}` has forked: two of its checkpoints contradict each other")]
    Forked {
        /// The log.
        origin: String,
        /// Where both are kept.
        evidence: PathBuf,
    },
    /// The log shows less than was seen of it.
    #[error("the log `{origin}` shows {shown} entries, and {seen} were seen before")]
    RolledBack {
        /// The log.
        origin: String,
        /// How many it shows.
        shown: u64,
        /// How many were seen.
        seen: u64,
    },
    /// What was said to be in the log is not, or its tiles are not of its tree.
    #[error("the log does not prove it: {reason}")]
    Unproved {
        /// What is missing.
        reason: String,
    },
    /// The log has a change of terms that may not be.
    #[error("the terms of {release} are not what they may be")]
    Terms {
        /// The release.
        release: ReleaseId,
        /// Why not.
        #[source]
        refusal: ActRefusal,
    },
    /// What was seen could not be read or written.
    #[error(transparent)]
    Sightings(#[from] SightingsError),
}

impl From<LogError> for LogRefusal {
    fn from(error: LogError) -> Self {
        let reason = match std::error::Error::source(&error) {
            Some(source) => format!("{error}: {source}"),
            None => error.to_string(),
        };
        Self::Unproved { reason }
    }
}

/// Where a checkpoint comes from, which decides what it means that more was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shown {
    /// It is said to be the newest.
    Newest,
    /// It came with a proof, and may be a part of what was seen.
    InProof,
}

impl Trust {
    /// Trust that is kept in a home folder. Without a policy, whoever is met first is trusted.
    pub fn in_home(home: &Path, policy: Option<LogPolicy>) -> Self {
        let age_seconds_max = limits::LOG_AGE_SECONDS_DEFAULT;
        Self { policy, age_seconds_max, sightings: Sightings::in_home(home) }
    }

    /// Returns the same with another greatest age of signatures.
    #[must_use]
    pub fn with_age_max(self, age_seconds_max: u64) -> Self {
        Self { age_seconds_max, ..self }
    }

    /// Tells whether there is a policy, or only what was met first.
    pub fn has_policy(&self) -> bool {
        self.policy.is_some()
    }

    /// Believes the newest checkpoint that a registry shows, or says why not.
    pub async fn newest(&self, client: &Client) -> Result<Believed, ClientError> {
        self.insisting(|| async {
            let note = client.log_text("/checkpoint").await?;
            self.believe(client, note, Shown::Newest).await
        })
        .await
    }

    /// Finds a release, and believes that it is in the registry's log as its publisher signed it, or says why not. Returns
    /// also what stands about its package, which may be that the release is quarantined. Where its terms were changed,
    /// each change is followed: none may be dearer than the one before, whoever logged it.
    ///
    /// What the page says beyond the statement are labels: nothing proves them.
    pub async fn resolve(
        &self,
        client: &Client,
        reference: &PackageRef,
    ) -> Result<(ReleaseResponse, LoggedRelease, Standing), ClientError> {
        let (mut tried, mut met) = (0, false);
        loop {
            let page = client.release(reference).await?;
            let id: ReleaseId =
                page.release.parse().map_err(|_| client.odd("a release without a name".into()))?;
            let asked = id.package == reference.package
                && reference.version.as_ref().is_none_or(|version| *version == id.version);
            if !asked {
                return Err(client.odd(format!("{id} in place of {reference}")));
            }
            let (standing, believed) = self.standing(client, &id.package.to_string()).await?;
            met |= believed.first_met;
            let standing = standing.ok_or_else(|| LogRefusal::Unproved {
                reason: format!("nothing stands about `{}`", id.package),
            })?;
            let newer = match &standing.latest {
                Some(latest) if reference.version.is_none() && *latest != id.version => {
                    let held = is_held_above(client, &id, &standing).await?;
                    (!held).then(|| latest.clone())
                }
                _ => None,
            };
            let Some(newer) = newer else {
                let mut logged = self.release(client, &id, page.log_index).await?;
                logged.believed.first_met |= met;
                logged.terms = standing.terms.get(&id.version).copied().unwrap_or(logged.terms);
                if logged.terms == logged.release.terms
                    || self.terms(client, &logged.release, &page.terms_changes).await?.compute_digest()
                        == logged.terms
                {
                    return Ok((page, logged, standing));
                }
                if tried >= 2 {
                    let reason = format!("no changes lead to the terms of {id}, {}", logged.terms);
                    return Err(LogRefusal::Unproved { reason }.into());
                }
                tried += 1;
                continue;
            };
            // A newer one may have come between the two answers.
            if tried >= 2 {
                let reason = format!("{newer} is the newest release, and {id} was offered");
                return Err(LogRefusal::Unproved { reason }.into());
            }
            tried += 1;
        }
    }

    /// Finds out what stands about a package, a namespace or an executor, or says why the answer is not believed.
    ///
    /// It is of the newest checkpoint, where nobody can leave out what is newer: `None` means that the log has no entry
    /// about it.
    pub async fn standing(
        &self,
        client: &Client,
        about: &str,
    ) -> Result<(Option<Standing>, Believed), ClientError> {
        let (proof, believed) = self
            .insisting(|| async {
                let proof: StandingProof = client.standing(about).await?;
                let believed = self.believe(client, proof.checkpoint.clone(), Shown::Newest).await?;
                proof.verify(&believed.log_key).map_err(LogRefusal::from)?;
                Ok((proof, believed))
            })
            .await?;
        if proof.about != about {
            let reason = format!("it says what stands about `{}`", proof.about);
            return Err(LogRefusal::Unproved { reason }.into());
        }
        Ok((proof.standing, believed))
    }

    /// Does something again a few times while it fails for what may be over in a moment: another process may have seen a
    /// newer checkpoint between our asking and looking, and witnesses take a while.
    async fn insisting<T, F>(&self, ask: impl Fn() -> F) -> Result<T, ClientError>
    where
        F: Future<Output = Result<T, ClientError>>,
    {
        let mut tried = 0;
        loop {
            match ask().await {
                Err(ClientError::Log(refusal)) if tried < TRIES_MAX && may_pass(&refusal) => {
                    tried += 1;
                    tokio::time::sleep(Duration::from_millis(50 << tried)).await;
                }
                answered => return answered,
            }
        }
    }

    /// Believes that a release is in a registry's log, as its publisher signed it, or says why not.
    pub async fn release(
        &self,
        client: &Client,
        id: &ReleaseId,
        index: u64,
    ) -> Result<LoggedRelease, ClientError> {
        let (proof, believed) = self.entry(client, index).await?;
        let (release, publisher) = read_release(&proof, &believed.trusted.checkpoint)?;
        if release.release != *id {
            let reason = format!("entry {index} is of {}", release.release);
            return Err(LogRefusal::Unproved { reason }.into());
        }
        let terms = release.terms;
        Ok(LoggedRelease { release, publisher, terms, index, proof, believed })
    }

    /// Follows the changes of a release's terms, which are the log entries of these indexes, from the terms that it was
    /// published with on. Returns what they lead to, or says which of them may not be.
    pub async fn terms(
        &self,
        client: &Client,
        release: &Release,
        changes: &[u64],
    ) -> Result<Terms, ClientError> {
        let id = &release.release;
        let refused = |refusal| LogRefusal::Terms { release: id.clone(), refusal };
        if changes.len() > limits::TERMS_CHANGES_MAX {
            return Err(refused(ActRefusal::TooManyChanges).into());
        }
        let exact = PackageRef { package: id.package.clone(), version: Some(id.version.clone()) };
        let text = client.manifest(&exact).await?;
        if Digest::of(&text) != release.manifest {
            return Err(ClientError::Layer("manifest".into()));
        }
        let manifest = Manifest::read(&text).map_err(|error| client.odd(error.to_string()))?;
        let mut followed = Vec::new();
        for index in changes {
            let (proof, believed) = self.entry(client, *index).await?;
            let entry = logged_entry(&proof, &believed.trusted.checkpoint)?;
            let change = Entry::terms_change(entry).ok_or_else(|| LogRefusal::Unproved {
                reason: format!("entry {index} is no change of terms that is signed"),
            })?;
            followed.push(change);
        }
        Ok(terms_after(release, Terms::of(&manifest), &followed).map_err(refused)?)
    }

    /// Fetches the proof of a log entry, with the checkpoint that it is held against. What the entry says is not read.
    async fn entry(&self, client: &Client, index: u64) -> Result<(TlogProof, Believed), ClientError> {
        let (proof, believed) = self
            .insisting(|| async {
                let text = client.log_text(&format!("/v1/log/proof/{index}")).await?;
                let proof = TlogProof::parse(&text).map_err(LogRefusal::from)?;
                let note = proof.proof.checkpoint.clone();
                Ok((proof, self.believe(client, note, Shown::InProof).await?))
            })
            .await?;
        if proof.proof.index != index {
            let reason = format!("the proof of entry {index} is of entry {}", proof.proof.index);
            return Err(LogRefusal::Unproved { reason }.into());
        }
        Ok((proof, believed))
    }

    /// Believes a checkpoint that an executor says it saw, as far as it can be held against what was seen of its log.
    pub async fn seen_by_executor(&self, client: &Client, seen: &Checkpoint) -> Result<(), ClientError> {
        let (policy, _) = self.policy_for(client).await?;
        let newest = |log: &KnownLog| {
            let note = self.sightings.newest(log.key()).ok()??;
            open_checkpoint(&note, log.key()).ok()
        };
        if policy.logs().iter().filter_map(newest).any(|newest| newest == *seen) {
            return Ok(());
        }
        let believed = self.newest(client).await?;
        let checkpoint = &believed.trusted.checkpoint;
        if seen.origin != checkpoint.origin {
            let reason =
                format!("the receipt is of the log `{}`", seen.origin.chars().take(120).collect::<String>());
            return Err(LogRefusal::Unproved { reason }.into());
        }
        if seen.size > checkpoint.size {
            let (origin, shown) = (checkpoint.origin.clone(), checkpoint.size);
            return Err(LogRefusal::RolledBack { origin, shown, seen: seen.size }.into());
        }
        if self.root_at(client, seen.size, checkpoint).await? != seen.root {
            let shown = format!("{}\n{}\n{}\n", seen.origin, seen.size, seen.root);
            return Err(self.forked(&believed.log_key, &believed.note, &shown, checkpoint));
        }
        Ok(())
    }

    /// Verifies a proof offline: by the policy, or by a log's key that the caller trusts.
    pub fn verify_proof(
        &self,
        proof: &TlogProof,
        log_key: Option<&str>,
    ) -> Result<(Release, PublicKey, Trusted), LogRefusal> {
        let policy = match (log_key, &self.policy) {
            (Some(key), _) => LogPolicy::of_log(KnownLog::new(key, None)?),
            (None, Some(policy)) => policy.clone(),
            (None, None) => {
                let reason = "there is neither a policy nor a log's key to hold it against".into();
                return Err(LogRefusal::Unproved { reason });
            }
        };
        let trusted = policy.judge(&proof.proof.checkpoint, None)?;
        let (release, publisher) = read_release(proof, &trusted.checkpoint)?;
        Ok((release, publisher, trusted))
    }

    async fn believe(&self, client: &Client, note: String, shown: Shown) -> Result<Believed, ClientError> {
        let (policy, first_met) = self.policy_for(client).await?;
        let now_s = u64::try_from(jiff::Timestamp::now().as_second()).unwrap_or_default();
        let freshness = Freshness { now_s, age_seconds_max: self.age_seconds_max };
        let trusted = match policy.judge(&note, Some(freshness)) {
            Ok(trusted) => trusted,
            Err(distrust) => return Err(self.explain(client, distrust).await),
        };
        let signed = policy.logs().iter().find(|log| open_checkpoint(&note, log.key()).is_ok());
        let log_key = signed.expect("the policy's judgement opened it").key().to_owned();
        self.compare(client, &log_key, &note, &trusted.checkpoint, shown).await?;
        if first_met {
            let met = Met { url: client.url().into(), log_key: log_key.clone() };
            self.sightings.meet(&met).map_err(LogRefusal::from)?;
        }
        Ok(Believed { trusted, note, log_key, first_met })
    }

    /// Returns the policy, and whether it is only that of a log which is met for the first time.
    async fn policy_for(&self, client: &Client) -> Result<(LogPolicy, bool), ClientError> {
        if let Some(policy) = &self.policy {
            return Ok((policy.clone(), false));
        }
        let known = self.sightings.met(client.url()).map_err(LogRefusal::from)?;
        let (key, first_met) = match known {
            Some(known) => (known.log_key, false),
            None => (client.descriptor().await?.log_key, true),
        };
        let log = KnownLog::new(&key, Some(client.url())).map_err(LogRefusal::from)?;
        Ok((LogPolicy::of_log(log), first_met))
    }

    /// Says why a checkpoint is not believed: where that is because of another log at a known address, so.
    async fn explain(&self, client: &Client, distrust: Distrust) -> ClientError {
        if self.policy.is_none()
            && matches!(distrust, Distrust::UnknownLog { .. })
            && let Ok(Some(known)) = self.sightings.met(client.url())
            && let Ok(shown) = client.descriptor().await
            && shown.log_key != known.log_key
        {
            return LogRefusal::OtherLog {
                url: client.url().into(),
                known: known.log_key,
                shown: shown.log_key.chars().take(200).collect(),
                path: self.sightings.met_path(client.url()),
            }
            .into();
        }
        LogRefusal::from(distrust).into()
    }

    /// Holds a checkpoint against the newest one that was seen of its log, and remembers it where it is newer.
    async fn compare(
        &self,
        client: &Client,
        log_key: &str,
        note: &str,
        checkpoint: &Checkpoint,
        shown: Shown,
    ) -> Result<(), ClientError> {
        for _ in 0..TRIES_MAX {
            let seen_note = self.sightings.newest(log_key).map_err(LogRefusal::from)?;
            let seen = seen_note.as_deref().map(|note| open_checkpoint(note, log_key)).transpose();
            let seen = seen.map_err(LogRefusal::from)?;
            if let (Some(seen), Some(seen_note)) = (&seen, &seen_note) {
                let rolled_back = || {
                    let (origin, shown) = (checkpoint.origin.clone(), checkpoint.size);
                    LogRefusal::RolledBack { origin, shown, seen: seen.size }
                };
                if seen.size > checkpoint.size && shown == Shown::Newest {
                    return Err(rolled_back().into());
                }
                let (older, newer) =
                    if seen.size <= checkpoint.size { (seen, checkpoint) } else { (checkpoint, seen) };
                let root = match self.root_at(client, older.size, newer).await {
                    // Who shows less has not the tiles either that would prove it to be a part of what was seen.
                    Err(ClientError::Problem(_)) if seen.size > checkpoint.size => {
                        return Err(rolled_back().into());
                    }
                    root => root?,
                };
                if root != older.root {
                    return Err(self.forked(log_key, seen_note, note, checkpoint));
                }
                if seen.size >= checkpoint.size {
                    return Ok(());
                }
            }
            if self.sightings.advance(log_key, seen_note.as_deref(), note).map_err(LogRefusal::from)? {
                return Ok(());
            }
        }
        let reason = "other processes see newer checkpoints faster than this one can follow".into();
        Err(LogRefusal::Unproved { reason }.into())
    }

    /// Returns the root that a log had at a size, from tiles that are checked against a checkpoint.
    async fn root_at(
        &self,
        client: &Client,
        size: u64,
        checkpoint: &Checkpoint,
    ) -> Result<Digest, ClientError> {
        let mut files = LogFiles::new();
        // One round for the tiles that the root is made of; another where a tile turns out to be needed only then.
        for _ in 0..4 {
            match root_at(size, checkpoint, &files) {
                Ok(root) => return Ok(root),
                Err(ReadError::Refused(error)) => return Err(LogRefusal::from(error).into()),
                Err(ReadError::Missing(paths)) => {
                    for path in paths {
                        let bytes = client.log_file(&format!("/{path}")).await?;
                        files.insert(path, bytes);
                    }
                }
            }
        }
        Err(LogRefusal::Unproved { reason: "its tiles do not come to an end".into() }.into())
    }

    /// Says how two checkpoints of one log contradict each other: the one that was `seen`, and the one that is `shown`.
    pub(crate) fn contradiction(
        &self,
        log_key: &str,
        seen_note: &str,
        shown_note: &str,
        seen: &Checkpoint,
        shown: &Checkpoint,
    ) -> ClientError {
        if seen.size > shown.size {
            let origin = shown.origin.clone();
            return LogRefusal::RolledBack { origin, shown: shown.size, seen: seen.size }.into();
        }
        self.forked(log_key, seen_note, shown_note, shown)
    }

    fn forked(&self, log_key: &str, seen: &str, shown: &str, checkpoint: &Checkpoint) -> ClientError {
        let origin = checkpoint.origin.clone();
        match self.sightings.keep_fork(log_key, seen, shown) {
            Ok(evidence) => LogRefusal::Forked { origin, evidence }.into(),
            Err(error) => LogRefusal::from(error).into(),
        }
    }
}

/// Tells whether a refusal may be over in a moment.
fn may_pass(refusal: &LogRefusal) -> bool {
    matches!(
        refusal,
        LogRefusal::RolledBack { .. } | LogRefusal::Distrusted(Distrust::TooFewWitnesses { .. })
    )
}

/// Reads the release statement out of a proof whose checkpoint is trusted.
fn read_release(proof: &TlogProof, checkpoint: &Checkpoint) -> Result<(Release, PublicKey), LogRefusal> {
    let entry = logged_entry(proof, checkpoint)?;
    Entry::release(entry).ok_or_else(|| LogRefusal::Unproved {
        reason: "the entry is not of a release that its publisher signed".into(),
    })
}

/// Returns the entry of a proof whose checkpoint is trusted, once it is in the log.
fn logged_entry<'a>(proof: &'a TlogProof, checkpoint: &Checkpoint) -> Result<&'a [u8], LogRefusal> {
    let missing = || LogRefusal::Unproved { reason: "the proof has no entry in it".into() };
    let entry = proof.extra.as_deref().ok_or_else(missing)?;
    proof.proof.includes(entry, checkpoint)?;
    Ok(entry)
}

/// Tells whether every release that a bare name could mean in place of `id`, by what stands in the log, is held by the
/// registry. The log knows no holds: that they end within days is the registry's word.
async fn is_held_above(client: &Client, id: &ReleaseId, standing: &Standing) -> Result<bool, ClientError> {
    let stands = |version: &&Version| {
        !standing.yanked.contains(version)
            && !standing.quarantined.contains(version)
            && (version.pre.is_empty() || !id.version.pre.is_empty())
    };
    let above = standing.terms.keys().rev().take_while(|version| **version > id.version).filter(stands);
    for version in above {
        let reference = PackageRef { package: id.package.clone(), version: Some(version.clone()) };
        if client.release(&reference).await?.held.is_none() {
            return Ok(false);
        }
    }
    Ok(true)
}
