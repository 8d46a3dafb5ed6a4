//! What can go wrong when a registry is asked.

use glassbox_api::Problem;
use glassbox_core::Atomic;

use crate::channels::ChannelError;
use crate::mirror::MirrorError;
use crate::policy::{PolicyError, Refusal};
use crate::spending::SpendingError;
use crate::trust::LogRefusal;

/// Why a request to a registry gave no answer, or not the one hoped for.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The address of the registry is none.
    #[error("`{0}` is not the address of a registry")]
    Url(String),
    /// The registry could not be reached, or the connection broke.
    #[error("cannot reach the registry at {url}")]
    Transport {
        /// Where it was looked for.
        url: String,
        /// Why.
        #[source]
        source: reqwest::Error,
    },
    /// The registry answered with an error.
    #[error("{}", .0.detail)]
    Problem(Box<Problem>),
    /// What answered is no registry, or a newer one.
    #[error("the answer of {url} is not a registry's: {reason}")]
    Answer {
        /// Who answered.
        url: String,
        /// What was odd about it.
        reason: String,
    },
    /// The call has a price, and nobody said that it may be paid.
    #[error("this costs {} dollars, and no payment was allowed", amount.to_decimal())]
    PaymentNotAllowed {
        /// The price.
        amount: Atomic,
    },
    /// The price is above what may be paid.
    #[error("this costs {} dollars, more than the {} allowed", amount.to_decimal(), amount_max.to_decimal())]
    PriceAboveMax {
        /// The price.
        amount: Atomic,
        /// What may be paid.
        amount_max: Atomic,
    },
    /// The policy does not allow the payment. Nothing was signed.
    #[error(transparent)]
    PolicyRefused(#[from] Refusal),
    /// The policy cannot be read.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// The payment could not be written down, so it was not sent.
    #[error(transparent)]
    Spending(SpendingError),
    /// The channel that shall pay cannot be used. Nothing was signed.
    #[error(transparent)]
    Channel(#[from] ChannelError),
    /// There is no randomness, so nothing can be signed.
    #[error("the system gives no random bytes: {0}")]
    Random(String),
    /// None of the ways to pay is one that this wallet can or may take.
    #[error("the registry asks for a payment that this wallet does not make: {0}")]
    NoWayToPay(String),
    /// The wallet.
    #[error("the wallet failed")]
    Wallet(#[from] glassbox_pay::PayError),
    /// The receipt does not prove this answer to this request.
    #[error("the receipt does not prove this answer: {0}")]
    Receipt(String),
    /// The component is not what the release's publisher signed.
    #[error("the component is not what its publisher signed: {0}")]
    Component(String),
    /// The files of a layer are not what the release's publisher signed.
    #[error("the {0} files are not what the release's publisher signed")]
    Layer(String),
    /// The folder of a mirror.
    #[error(transparent)]
    Mirror(#[from] MirrorError),
    /// The registry's log is not believed.
    #[error(transparent)]
    Log(Box<LogRefusal>),
    /// The payment was sent, and it is not known what became of it. Send the same again; never pay anew.
    #[error("the payment was sent, and the answer is still missing")]
    Undecided,
}

impl From<SpendingError> for ClientError {
    fn from(error: SpendingError) -> Self {
        match error {
            SpendingError::Refused(refusal) => Self::PolicyRefused(refusal),
            error => Self::Spending(error),
        }
    }
}

impl From<LogRefusal> for ClientError {
    fn from(refusal: LogRefusal) -> Self {
        Self::Log(Box::new(refusal))
    }
}

impl ClientError {
    /// Returns the problem, where the registry answered with one.
    pub fn problem(&self) -> Option<&Problem> {
        match self {
            Self::Problem(problem) => Some(problem),
            _ => None,
        }
    }
}
