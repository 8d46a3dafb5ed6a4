//! Acts over names and releases: who signed is checked here, what they may do is decided in the store's transaction.
//!
//! The operator's key decides over no name. It can quarantine a release, lift that again, and say what a domain said;
//! every other act that it signed is refused, and so is a policy that names it.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError};

use glassbox_core::acts::{
    Act, DomainProof, KeyRevocation, Marks, NamespaceAct, NamespacePolicy, NamespaceState,
    PolicyCancellation, ProofMethod, Quarantine, Yank,
};
use glassbox_core::dsse::{DsseError, Envelope, Signers};
use glassbox_core::log::InclusionProof;
use glassbox_core::{Namespace, PackageRef, ReleaseId, limits};
use glassbox_store::{NamespaceRow, NewNamespaceAct, Published, ReleaseAct, Signed, StoreError};
use tracing::{error, info, warn};

use crate::act_error::ActError;
use crate::env::rfc3339;
use crate::error::{RegistryError, chain};
use crate::open::Registry;

/// What an actor gets back.
#[derive(Debug, Clone)]
pub struct ActReply {
    /// Whether it is new; otherwise the very same statement was logged already.
    pub new: bool,
    /// The log entry, as it was logged.
    pub entry: Vec<u8>,
    /// Proves that the log has it.
    pub proof: InclusionProof,
}

/// What holds of a namespace now.
#[derive(Debug, Clone)]
pub struct NamespaceView {
    /// The namespace.
    pub namespace: Namespace,
    /// What holds.
    pub state: NamespaceState,
}

impl Registry {
    /// Returns what holds of a namespace now.
    pub async fn namespace(&self, name: &Namespace) -> Result<NamespaceView, ActError> {
        Ok(self.view_of(name, self.namespace_row(name).await?))
    }

    /// Changes the policy of a namespace, or claims one that nobody has.
    pub async fn change_policy(&self, name: &Namespace, statement: Envelope) -> Result<ActReply, ActError> {
        let (policy, signers) = self.read::<NamespacePolicy>(&statement, name.as_str())?;
        if policy.keys().any(|key| *key == self.operator()) {
            return Err(ActError::Operator);
        }
        let change = statement.payload_digest().ok_or(DsseError::Malformed)?;
        self.change_namespace(NamespaceAct::Policy(policy, change), statement, signers).await
    }

    /// Takes back a change of the policy that waits.
    pub async fn cancel_change(&self, name: &Namespace, statement: Envelope) -> Result<ActReply, ActError> {
        let (act, signers) = self.read::<PolicyCancellation>(&statement, name.as_str())?;
        self.change_namespace(NamespaceAct::Cancel(act), statement, signers).await
    }

    /// Revokes a key of a namespace, at once.
    pub async fn revoke_key(&self, name: &Namespace, statement: Envelope) -> Result<ActReply, ActError> {
        let (act, signers) = self.read::<KeyRevocation>(&statement, name.as_str())?;
        self.change_namespace(NamespaceAct::Revoke(act), statement, signers).await
    }

    /// Yanks a release, or puts it back.
    pub async fn yank(
        self: &Arc<Self>,
        release: &ReleaseId,
        statement: Envelope,
    ) -> Result<ActReply, ActError> {
        let (act, signers) = self.read::<Yank>(&statement, &release.to_string())?;
        self.mark(ReleaseAct::Yank(act), statement, signers).await
    }

    /// Stops a release from running, or lets it run again: by the operator's key alone.
    pub async fn quarantine(
        self: &Arc<Self>,
        release: &ReleaseId,
        statement: Envelope,
    ) -> Result<ActReply, ActError> {
        check_length(&statement)?;
        let (statement_read, signers) = statement.open::<Quarantine>()?;
        if signers.keys() != [self.operator()] {
            return Err(ActError::NotOperator);
        }
        let act = about(statement_read.predicate, &release.to_string())?;
        self.mark(ReleaseAct::Quarantine(act), statement, signers).await
    }

    /// Asks the domain of a namespace which keys it vouches for, and logs where the answer is another than before.
    ///
    /// A domain that was asked just now is not asked again.
    pub async fn prove_domain(&self, name: &Namespace) -> Result<NamespaceView, ActError> {
        let row = self.namespace_row(name).await?;
        let now_ms = self.env.now_ms();
        let state = row.state.clone().at(now_ms);
        let domain = state.policy.domain.clone().ok_or(ActError::NoDomain)?;
        if now_ms.saturating_sub(row.asked_at) < limits::DOMAIN_PAUSE_MS {
            return Ok(self.view_of(name, row));
        }
        // Before it is asked: what cannot be asked is not asked again at once either.
        self.store.note_domain_asked(name, now_ms).await?;
        let keys = self.config.domains.ask(&domain, name).await?;
        let holds = keys.iter().any(|key| state.is_controller(key));
        if state.proof.as_ref().is_some_and(|proof| proof.holds) != holds {
            let proof = DomainProof {
                namespace: name.clone(),
                domain: domain.clone(),
                method: ProofMethod::WellKnown,
                keys,
                holds,
                asked_at: rfc3339(now_ms),
            };
            let statement = proof.clone().sign(&self.keys.operator);
            let signers = Signers::one(self.operator());
            info!(namespace = name.as_str(), domain, holds, "A domain says another thing than before");
            self.change_namespace(NamespaceAct::Proof(proof), statement, signers).await?;
        }
        self.namespace(name).await
    }

    /// Asks the domains that were not asked for a day.
    pub async fn prove_domains(&self) {
        let before = self.env.now_ms() - limits::DOMAIN_SWEEP_MS;
        let names = match self.store.domains_to_ask(before, limits::DOMAIN_BATCH).await {
            Ok(names) => names,
            Err(error) => return error!(%error, "Could not list the domains to ask"),
        };
        for name in names {
            match self.prove_domain(&name).await {
                Ok(_) => {}
                // What says neither yes nor no changes nothing.
                Err(error @ (ActError::DomainSilent { .. } | ActError::NoDomain)) => {
                    warn!(namespace = name.as_str(), error = chain(&error), "A domain does not answer");
                }
                Err(error) => {
                    error!(namespace = name.as_str(), error = chain(&error), "Could not ask a domain");
                }
            }
        }
    }

    /// Returns what yanks and quarantines made of a release.
    pub fn marks(&self, release: &ReleaseId) -> Marks {
        let marks = self.marks.read().unwrap_or_else(PoisonError::into_inner);
        marks.get(release).cloned().unwrap_or_default()
    }

    /// Returns what whoever names a release exactly should know of it.
    pub fn notice(&self, reference: &PackageRef) -> Option<String> {
        let release = reference.package.at(reference.version.clone()?);
        let yank = self.marks(&release).yank;
        yank.set.then(|| format!("{release} is yanked: {}", yank.reason))
    }

    async fn namespace_row(&self, name: &Namespace) -> Result<NamespaceRow, ActError> {
        let row = self.store.namespace(name).await?;
        Ok(row.ok_or_else(|| StoreError::NoNamespace(name.clone()))?)
    }

    fn view_of(&self, name: &Namespace, row: NamespaceRow) -> NamespaceView {
        NamespaceView { namespace: name.clone(), state: row.state.at(self.env.now_ms()) }
    }

    /// Reads an act that is none of the operator's, where there is room for another.
    pub(crate) fn read<A: Act>(&self, statement: &Envelope, subject: &str) -> Result<(A, Signers), ActError> {
        check_length(statement)?;
        let (statement, signers) = statement.open::<A>()?;
        if signers.contains(&self.operator()) {
            return Err(ActError::Operator);
        }
        let act = about(statement.predicate, subject)?;
        self.count_act()?;
        Ok((act, signers))
    }

    /// Counts an act, unless there were too many within this minute.
    fn count_act(&self) -> Result<(), ActError> {
        let minute = self.env.now_ms() / 60_000;
        let mut acts = self.acts.lock().unwrap_or_else(PoisonError::into_inner);
        if acts.0 != minute {
            *acts = (minute, 0);
        }
        if acts.1 >= limits::ACTS_PER_MINUTE_MAX {
            return Err(ActError::Busy);
        }
        acts.1 += 1;
        Ok(())
    }

    async fn change_namespace(
        &self,
        act: NamespaceAct,
        statement: Envelope,
        signers: Signers,
    ) -> Result<ActReply, ActError> {
        let new = NewNamespaceAct {
            signed: Signed { act, statement, signers },
            newcomers_bounded: self.config.company.is_none(),
            now_ms: self.env.now_ms(),
        };
        let logged = self.store.change_namespace(new).await?;
        self.prove(logged).await
    }

    async fn mark(
        self: &Arc<Self>,
        act: ReleaseAct,
        statement: Envelope,
        signers: Signers,
    ) -> Result<ActReply, ActError> {
        // On a task of its own: whoever hangs up must not leave what held before in memory.
        let registry = self.clone();
        let marking = tokio::spawn(async move {
            let signed = Signed { act, statement, signers };
            let logged = registry.store.mark_release(signed, registry.env.now_ms()).await;
            // Also after a failure: the write may have happened, and a quarantine counts from then on.
            registry.read_marks().await?;
            registry.prove(logged?).await
        });
        marking.await.map_err(|_| RegistryError::Worker)?
    }

    /// Reads which releases are marked, and drops everything that was kept of the components that may not run.
    pub(crate) async fn read_marks(&self) -> Result<(), RegistryError> {
        let marked = self.store.marked_releases().await?;
        let stopped: HashMap<_, _> = self.store.quarantined_components().await?.into_iter().collect();
        let components: Vec<_> = stopped.keys().copied().collect();
        *self.marks.write().unwrap_or_else(PoisonError::into_inner) = marked.into_iter().collect();
        *self.stopped.write().unwrap_or_else(PoisonError::into_inner) = stopped;
        // Whoever asks from here on is refused; what was compiled before goes now.
        self.forget_all_live();
        self.files.clear();
        for component in components {
            self.sandbox.forget(component);
        }
        Ok(())
    }

    pub(crate) async fn prove(&self, logged: Published) -> Result<ActReply, ActError> {
        self.publish_log().await?;
        let (new, index) = match logged {
            Published::New(index) => (true, index),
            Published::Already(index) => (false, index),
        };
        let (entry, proof) = self.store.prove_entry(index).await?.ok_or(RegistryError::Worker)?;
        Ok(ActReply { new, entry, proof })
    }
}

/// Refuses a statement that is too long for the log.
fn check_length(statement: &Envelope) -> Result<(), ActError> {
    if is_loggable(statement) { Ok(()) } else { Err(ActError::TooLong) }
}

/// Tells whether a statement is short enough for the log.
pub(crate) fn is_loggable(statement: &Envelope) -> bool {
    serde_json::to_vec(statement).is_ok_and(|json| json.len() <= limits::STATEMENT_PUBLISHED_BYTES_MAX)
}

fn about<A: Act>(act: A, subject: &str) -> Result<A, ActError> {
    let found = act.about();
    if found == subject { Ok(act) } else { Err(ActError::Differs(found)) }
}
