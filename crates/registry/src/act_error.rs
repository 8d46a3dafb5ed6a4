//! Why an act was refused, each with a stable code and what to do next.

use glassbox_core::acts::ActRefusal;
use glassbox_core::dsse::DsseError;
use glassbox_core::limits;
use glassbox_store::StoreError;

use crate::error::{LOG_BEHIND, RegistryError, Retry};
use crate::publish_error::PublishError;

/// Why an act was not done.
#[derive(Debug, thiserror::Error)]
pub enum ActError {
    /// The statement is not signed, or says something else than an act of this kind.
    #[error("the statement is not valid")]
    Statement(#[from] DsseError),
    /// The statement is too long for the log.
    #[error("the statement has more than {} bytes", limits::STATEMENT_PUBLISHED_BYTES_MAX)]
    TooLong,
    /// The statement is about something else than what the request names.
    #[error("the statement is about `{0}`, and the request about something else")]
    Differs(String),
    /// The statement has members that nobody reads, or spells what it says in another way than it is hashed.
    #[error("the statement says something that is not read, or not in the spelling that is hashed")]
    Spelling,
    /// The operator's key decides over no name.
    #[error("the operator's key decides over no name, and can be none of its keys")]
    Operator,
    /// Somebody else than the operator signed.
    #[error("only the operator's key can do this, and it alone")]
    NotOperator,
    /// Too many acts at once, by everybody.
    #[error("enough acts were logged within this minute")]
    Busy,
    /// The policy names no domain.
    #[error("the policy of this namespace names no domain")]
    NoDomain,
    /// The domain gave no answer that says yes or no.
    #[error("`{domain}` does not answer: {reason}")]
    DomainSilent {
        /// The domain.
        domain: String,
        /// What happened.
        reason: String,
    },
    /// The new terms are no terms of a manifest that could be published.
    #[error("the new terms are not valid")]
    Terms(#[from] Box<PublishError>),
    /// Reading failed.
    #[error(transparent)]
    Find(#[from] RegistryError),
    /// The store refused or failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<ActRefusal> for ActError {
    fn from(refusal: ActRefusal) -> Self {
        Self::Store(refusal.into())
    }
}

impl ActError {
    /// Returns the stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Statement(_) | Self::TooLong | Self::Spelling => "statement-invalid",
            Self::Differs(_) => "statement-differs",
            Self::Operator => "operator-key",
            Self::NotOperator => "operator-only",
            Self::Busy => "busy",
            Self::NoDomain => "domain-not-named",
            Self::DomainSilent { .. } => "domain-silent",
            Self::Terms(error) => error.code(),
            Self::Find(error) => error.code(),
            Self::Store(error) => code(error),
        }
    }

    /// Returns what to do next.
    pub fn next(&self) -> String {
        match self {
            Self::Statement(_) | Self::TooLong | Self::Spelling | Self::Differs(_) => {
                "sign it again with the command that made it: `glassbox namespace`, `yank`, `terms` or `quarantine`".into()
            }
            Self::Operator => "sign with a key of your own".into(),
            Self::NotOperator => "sign with `keys/operator.json` of the data folder".into(),
            Self::Busy => "send the same statement again in a minute".into(),
            Self::NoDomain => "name one: `glassbox namespace policy NS --domain DOMAIN`".into(),
            Self::DomainSilent { domain, .. } => {
                format!("serve https://{domain}/.well-known/glassbox.json to everybody, and ask again")
            }
            Self::Terms(error) => error.next(),
            Self::Find(error) => error.next(),
            Self::Store(error) => next(error).into(),
        }
    }

    /// Returns whether asking again can help.
    pub fn retry(&self) -> Retry {
        match self.code() {
            "internal" | "log-behind" => Retry::After(5),
            "domain-silent" | "busy" => Retry::After(60),
            _ => Retry::AfterChange,
        }
    }
}

/// Returns the stable code of what a store said to a publisher or an actor.
pub(crate) fn code(error: &StoreError) -> &'static str {
    match error {
        StoreError::ReleaseExists(_) => "release-exists",
        StoreError::NamespaceTaken { .. } | StoreError::NamespaceOfHost(_) => "namespace-taken",
        StoreError::NamespaceConfusable { .. } => "namespace-confusable",
        StoreError::PackageConfusable { .. } => "package-confusable",
        StoreError::TooManyPackages { .. } => "packages-too-many",
        StoreError::NoNamespace(_) => "namespace-not-found",
        StoreError::NoRelease(_) => "release-not-found",
        StoreError::Refused(refusal) => match refusal {
            ActRefusal::Threshold { .. } => "threshold-missed",
            ActRefusal::Policy(_) => "policy-invalid",
            ActRefusal::Sequence { .. } => "act-out-of-order",
            ActRefusal::Pending => "policy-pending",
            ActRefusal::NothingPending => "policy-not-pending",
            ActRefusal::NoKey(_) => "key-not-found",
            ActRefusal::Frozen(_) => "namespace-frozen",
            ActRefusal::NoDomain(_) => "domain-not-named",
            ActRefusal::NoChange => "act-without-effect",
            ActRefusal::Reason => "reason-invalid",
            ActRefusal::OwnNamespace(_) => "namespace-taken",
            ActRefusal::OtherRelease(_) => "statement-differs",
            ActRefusal::Superseded { .. } => "act-out-of-order",
            ActRefusal::Dearer(_) => "terms-dearer",
            ActRefusal::TooManyChanges => "terms-final",
        },
        StoreError::LogBehind { .. } => "log-behind",
        _ => "internal",
    }
}

/// Returns what to do after what a store said.
pub(crate) fn next(error: &StoreError) -> &'static str {
    match code(error) {
        "release-exists" => "releases are immutable: raise the version",
        "namespace-taken" => "publish under a namespace of your own, or with a key that controls this one",
        "namespace-confusable" | "package-confusable" => "choose a name that cannot be taken for another",
        "packages-too-many" => {
            "publish the rest tomorrow; a week from its first release on, a key begins as many as it likes"
        }
        "namespace-not-found" => "publish in it to claim it, or claim it with `glassbox namespace policy`",
        "release-not-found" => "name a release that was published",
        "threshold-missed" => {
            "have the others sign, too: write it with --out FILE, and they `glassbox sign FILE`"
        }
        "policy-invalid" => "correct the policy",
        "act-out-of-order" => "sign anew: something was done meanwhile, or this was presented before",
        "policy-pending" => "wait until it takes effect, or cancel it: `glassbox namespace cancel`",
        "policy-not-pending" => "see what waits: `glassbox namespace show`",
        "key-not-found" => "see the keys that count: `glassbox namespace show`",
        "namespace-frozen" => {
            "let the domain name a key of the namespace again, then `glassbox namespace prove`"
        }
        "domain-not-named" => "name one: `glassbox namespace policy NS --domain DOMAIN`",
        "act-without-effect" => "nothing needs to be done",
        "reason-invalid" => "say in a sentence why",
        "statement-differs" => "sign it again with `glassbox terms change`",
        "terms-dearer" => "leave that as it was; what shall cost more, or allow less, is a new version",
        "terms-final" => "publish a new version",
        "log-behind" => LOG_BEHIND,
        _ => "try again later; nothing was done",
    }
}
