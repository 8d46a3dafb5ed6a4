//! What an operator decides beside the acts that the log has: how far payees are known, whose earnings wait while there is a
//! dispute, what goes back to payers, and what comes of notices from others.
//!
//! None of it touches what runs. A release that must not run is
//! [quarantined](crate::Registry), by an act that everybody can read in the log.

use glassbox_core::{Atomic, PackageName, PackageRef, limits};
use glassbox_pay::Address;
use glassbox_store::{Action, Freeze, Notice, NoticeState, PayeeRow, PayeeState, Refund, StoreError};

use crate::error::RegistryError;
use crate::open::Registry;

/// On what grounds a notice may be given.
pub const NOTICE_GROUNDS: [&str; 7] =
    ["malware", "fraud", "license", "copyright", "personal-data", "unlawful", "other"];

/// What went back of a charge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refunded {
    /// How much just now; nothing where as much went back before.
    pub now: Atomic,
    /// How much in all, with what a broken promise gave back.
    pub total: Atomic,
    /// What was charged.
    pub charged: Atomic,
}

/// Why something was not decided, or a notice not taken.
#[derive(Debug, thiserror::Error)]
pub enum OperatorError {
    /// The id of a payee is none that a manifest could name.
    #[error(
        "a payee's id is printable ASCII without spaces, of at most {} bytes",
        limits::PAYEE_ID_BYTES_MAX
    )]
    Payee,
    /// A decision has no reason, or one that is too long.
    #[error("a decision has a reason, of at most {} bytes", limits::REASON_BYTES_MAX)]
    Reason,
    /// A notice is on no ground that is known.
    #[error("the ground of a notice is one of {}", NOTICE_GROUNDS.join(", "))]
    Ground,
    /// A notice says nothing, or too much.
    #[error(
        "a notice has at most {} bytes of text and {} of contact",
        limits::NOTICE_BYTES_MAX,
        limits::NOTICE_CONTACT_BYTES_MAX
    )]
    Notice,
    /// Too many notices wait.
    #[error("too many notices wait for a decision")]
    Full,
    /// There is no such notice.
    #[error("there is no notice `{0}`")]
    NoNotice(String),
    /// It was decided otherwise.
    #[error("the notice `{id}` is {state} already")]
    Decided {
        /// The notice.
        id: String,
        /// What became of it.
        state: &'static str,
    },
    /// Nothing was charged under this id.
    #[error("nothing was charged under `{0}`")]
    NotCharged(String),
    /// More is to go back than was charged.
    #[error("{} dollars were charged, and no more go back", .0.to_decimal())]
    RefundTooMuch(Atomic),
    /// What is to go back is not paid for sure.
    #[error("the payment of `{0}` may still come to nothing")]
    RefundWaits(String),
    /// The chain took the payment back.
    #[error("the chain took the payment of `{0}` back for good")]
    PaymentLost(String),
    /// The registry.
    #[error(transparent)]
    Registry(#[from] RegistryError),
}

impl From<StoreError> for OperatorError {
    fn from(error: StoreError) -> Self {
        Self::Registry(error.into())
    }
}

impl OperatorError {
    /// Returns the stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Payee => "payee-invalid",
            Self::Reason => "reason-invalid",
            Self::Ground | Self::Notice => "notice-invalid",
            Self::Full => "notices-full",
            Self::NoNotice(_) => "notice-not-found",
            Self::Decided { .. } => "notice-decided",
            Self::NotCharged(_) => "call-not-charged",
            Self::RefundTooMuch(_) => "refund-too-much",
            Self::RefundWaits(_) => "refund-waits",
            Self::PaymentLost(_) => "payment-lost",
            Self::Registry(error) => error.code(),
        }
    }

    /// Returns what to do next.
    pub fn next(&self) -> String {
        match self {
            Self::Payee => "name it as the manifest does".into(),
            Self::Reason => "say why in a few sentences".into(),
            Self::Ground => "take the nearest; `other` where none is".into(),
            Self::Notice => "say in short what is wrong, and where it can be seen".into(),
            Self::Full => "write to the contact that [security] of the manifest names".into(),
            Self::NoNotice(_) => "ask by the id that came with it".into(),
            Self::Decided { .. } => "have a new notice given, if something else is wrong".into(),
            Self::NotCharged(_) => "name it by its id: `glassbox statement` shows it as the subject".into(),
            Self::RefundTooMuch(_) => "ask for less, or leave the amount out".into(),
            Self::RefundWaits(_) => {
                "ask again once the chain made it final, or its voucher was claimed".into()
            }
            Self::PaymentLost(_) => "there is nothing to give back".into(),
            Self::Registry(error) => error.next(),
        }
    }
}

impl Registry {
    /// Writes down how far a payee is known, and where it is paid; without an address it keeps the one it has.
    pub async fn decide_payee(
        &self,
        id: &str,
        state: PayeeState,
        address: Option<Address>,
        reason: &str,
    ) -> Result<(), OperatorError> {
        if !(1..=limits::PAYEE_ID_BYTES_MAX).contains(&id.len()) || !id.chars().all(|c| c.is_ascii_graphic())
        {
            return Err(OperatorError::Payee);
        }
        let payee = PayeeRow {
            id: id.to_owned(),
            state,
            address: address.map(|address| address.to_string()),
            reason: checked(reason)?,
            at: self.env.now_ms(),
        };
        Ok(self.store.set_payee(payee).await?)
    }

    /// Returns the payees that something was decided about.
    pub async fn payees(&self) -> Result<Vec<PayeeRow>, OperatorError> {
        Ok(self.store.payees().await?)
    }

    /// Has what a package earned wait, or lets it go. Its calls go on.
    pub async fn freeze(
        &self,
        package: &PackageName,
        frozen: bool,
        reason: &str,
    ) -> Result<(), OperatorError> {
        self.live(&PackageRef { package: package.clone(), version: None }).await?;
        Ok(self.store.set_freeze(package, frozen, &checked(reason)?, self.env.now_ms()).await?)
    }

    /// Returns the packages whose earnings wait.
    pub async fn freezes(&self) -> Result<Vec<Freeze>, OperatorError> {
        Ok(self.store.freezes().await?)
    }

    /// Takes a notice that something is wrong with a package, from anybody.
    pub async fn give_notice(
        &self,
        about: &PackageRef,
        ground: &str,
        text: String,
        contact: String,
    ) -> Result<Notice, OperatorError> {
        if !NOTICE_GROUNDS.contains(&ground) {
            return Err(OperatorError::Ground);
        }
        let is_long =
            text.len() > limits::NOTICE_BYTES_MAX || contact.len() > limits::NOTICE_CONTACT_BYTES_MAX;
        if text.trim().is_empty() || is_long {
            return Err(OperatorError::Notice);
        }
        self.live(about).await?;
        let notice = Notice {
            id: self.env.id(),
            about: about.to_string(),
            ground: ground.to_owned(),
            text,
            contact,
            at: self.env.now_ms(),
            state: NoticeState::Open,
            reason: String::new(),
            decided_at: None,
        };
        let (about_max, all_max) = (limits::NOTICES_PER_RELEASE_MAX, limits::NOTICES_OPEN_MAX);
        match self.store.add_notice(notice.clone(), about_max, all_max).await? {
            true => Ok(notice),
            false => Err(OperatorError::Full),
        }
    }

    /// Returns a notice. Whoever gave it knows its id.
    pub async fn given_notice(&self, id: &str) -> Result<Notice, OperatorError> {
        self.store.notice(id).await?.ok_or_else(|| no_notice(id))
    }

    /// Returns notices, the oldest first: those that are open, or all.
    pub async fn notices(&self, open: bool) -> Result<Vec<Notice>, OperatorError> {
        Ok(self.store.notices(open, limits::NOTICES_OPEN_MAX).await?)
    }

    /// Decides a notice. The same decision again changes nothing.
    pub async fn decide_notice(
        &self,
        id: &str,
        state: NoticeState,
        reason: &str,
    ) -> Result<Notice, OperatorError> {
        let decided = self.store.decide_notice(id, state, &checked(reason)?, self.env.now_ms()).await?;
        let decided = decided.ok_or_else(|| no_notice(id))?;
        match decided.state == state {
            true => Ok(decided),
            false => Err(OperatorError::Decided { id: decided.id, state: decided.state.as_str() }),
        }
    }

    /// Gives back what was charged for a call, download, licence or tip: until `total` of it went back in all, or the whole.
    /// The same again gives nothing more.
    pub async fn refund(
        &self,
        call: &str,
        total: Option<Atomic>,
        reason: &str,
    ) -> Result<Refunded, OperatorError> {
        let clipped = || call.chars().take(limits::QUOTED_CHARS_MAX).collect::<String>();
        match self.store.refund(call, total, &checked(reason)?, self.env.now_ms()).await? {
            Refund::Given { now, total, charged } => Ok(Refunded { now, total, charged }),
            Refund::TooMuch { charged } => Err(OperatorError::RefundTooMuch(charged)),
            Refund::Waits => Err(OperatorError::RefundWaits(clipped())),
            Refund::Lost => Err(OperatorError::PaymentLost(clipped())),
            Refund::NotCharged => Err(OperatorError::NotCharged(clipped())),
        }
    }

    /// Returns what the operator decided, after the number `after`, in order.
    pub async fn actions(&self, after: i64) -> Result<Vec<Action>, OperatorError> {
        Ok(self.store.actions(after, limits::STATEMENT_ROWS_MAX).await?)
    }
}

fn checked(reason: &str) -> Result<String, OperatorError> {
    match (1..=limits::REASON_BYTES_MAX).contains(&reason.trim().len()) {
        true => Ok(reason.trim().to_owned()),
        false => Err(OperatorError::Reason),
    }
}

fn no_notice(id: &str) -> OperatorError {
    OperatorError::NoNotice(id.chars().take(limits::QUOTED_CHARS_MAX).collect())
}
