//! What the registry refuses, each with a stable code, whether a retry helps, what was charged, and what to do next.

use glassbox_core::account::Month;
use glassbox_core::license::{Item, LicenseError};
use glassbox_core::name::NameError;
use glassbox_core::value::ValueError;
use glassbox_core::{Atomic, PackageName, PackageRef, Pico, ReleaseId, limits};
use glassbox_pay::x402::extensions::sign_in::SignInError;
use glassbox_pay::x402::{PaymentRequired, SettleResponse};
use glassbox_sandbox::{AllowedError, SandboxError};
use glassbox_store::{CreditRefusal, StoreError};

use crate::call::CallFailure;
use crate::choose::LeftOut;
use crate::company::PolicyRefusal;

/// Writes an error with all its causes, outermost first: for whoever prints it, once, at the edge.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

/// Returns the stable error code of a failed run, by the name of its failure.
pub fn failure_code(failure: &str) -> &'static str {
    match failure {
        "out-of-fuel" => "guest-out-of-fuel",
        "output-refused" => "guest-output-refused",
        "not-granted" => "guest-import-not-granted",
        "too-many-calls" => "guest-too-many-calls",
        "timed-out" => "call-timed-out",
        "internal" => "internal",
        _ => "guest-failed",
    }
}

/// Whether asking again can help.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// The same request will fail the same way.
    Never,
    /// After the stated change.
    AfterChange,
    /// The very same request, with the very same payment, after this many seconds.
    After(u64),
    /// With a payment that answers the requirements.
    WithPayment,
}

/// Why a reading verb failed.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// Nothing of that name was published.
    #[error("there is no package `{0}`")]
    NoPackage(PackageRef),
    /// The package has no such version.
    #[error("there is no release `{reference}`; there are {available}")]
    NoRelease {
        /// What was asked for.
        reference: PackageRef,
        /// The versions that there are.
        available: String,
    },
    /// Every release of the package is yanked or quarantined.
    #[error("every release of `{package}` is yanked or quarantined; there are {available}")]
    AllYanked {
        /// The package.
        package: PackageName,
        /// The versions that there are.
        available: String,
    },
    /// The operator stopped the release.
    #[error("{release} is quarantined: {reason}")]
    Quarantined {
        /// The release.
        release: Box<ReleaseId>,
        /// Why, in the operator's words.
        reason: String,
    },
    /// The terms do not allow what was asked for.
    #[error("the terms of this release do not let its component be downloaded")]
    NotDownloadable,
    /// The release ships no files.
    #[error("this release ships no files")]
    NoFiles,
    /// Machines have the source not in bulk.
    #[error("the terms of this release do not let machines have its source in bulk")]
    SourceDenied,
    /// Machines have the source in bulk for a price, or with a licence.
    #[error("the source of this release is not free for machines")]
    SourceNotFree,
    /// The release has no such document.
    #[error("this release has no such document")]
    NoDocument,
    /// The release has no published source.
    #[error("this release has no published source")]
    NoSource,
    /// More charges would have to be added up than one answer may take.
    #[error("more than {} charges would have to be added up", limits::EARNINGS_CHARGES_MAX)]
    TooManyCharges,
    /// No such receipt, or it was of a free call.
    #[error("there is no receipt `{0}`")]
    NoReceipt(String),
    /// A name is not well formed.
    #[error(transparent)]
    Name(#[from] NameError),
    /// The store failed.
    #[error("the store failed")]
    Store(#[from] StoreError),
    /// The payment rail failed.
    #[error("the payment rail failed")]
    Pay(#[from] glassbox_pay::PayError),
    /// Something stored cannot be read.
    #[error("release {0} is damaged: {1}")]
    Damaged(String, String),
    /// A worker thread failed.
    #[error("an internal worker failed")]
    Worker,
}

/// Why a call gave no output.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// The release could not be found.
    #[error(transparent)]
    Find(#[from] RegistryError),
    /// There is no such function.
    #[error("there is no function `{function}`; there are {available}")]
    NoFunction {
        /// What was asked for.
        function: String,
        /// What there is.
        available: String,
    },
    /// The function cannot be called by value.
    #[error("`{function}` cannot be called by value: {reason}")]
    NotCallable {
        /// The function.
        function: String,
        /// Why.
        reason: String,
    },
    /// This executor was found out to have signed what cannot be true.
    #[error("this executor signed what cannot be true, and runs nothing any more")]
    ExecutorQuarantined,
    /// The release may not run here.
    #[error("the terms of this release do not let it run on this registry")]
    NotRemote,
    /// The arguments do not fit the function's type.
    #[error("{error}")]
    Arguments {
        /// Why.
        error: ValueError,
        /// The function's signature.
        signature: String,
    },
    /// The fuel ceiling is out of range.
    #[error("a fuel ceiling of {asked} is not between 1 and {max}")]
    FuelCeiling {
        /// What was asked for.
        asked: u64,
        /// The release's own maximum.
        max: u64,
    },
    /// The nonce is too long.
    #[error("the nonce is longer than {} bytes", limits::NONCE_BYTES_MAX)]
    NonceTooLong,
    /// The release is held.
    #[error("{release} is held until {until}: {reasons}")]
    Held {
        /// The release.
        release: String,
        /// Why.
        reasons: String,
        /// Until when, as RFC 3339.
        until: String,
    },
    /// What the caller allows is nothing that can be granted.
    #[error(transparent)]
    Allowed(#[from] AllowedError),
    /// A payment is needed, or another than the one that came.
    #[error("{}this costs ${}", refusal(required), amount.to_decimal())]
    PaymentRequired {
        /// The amount.
        amount: Atomic,
        /// The requirements, as x402 sends them. `error` says what was wrong with the payment, where one came.
        required: Box<PaymentRequired>,
    },
    /// The payment was first presented with another request, which it buys and nothing else.
    #[error("this payment belongs to another request")]
    PaymentBound,
    /// Too much at once, by everybody or by this payer.
    #[error("too many calls at once")]
    Busy,
    /// This payer's calls failed too often.
    #[error("too many of your calls failed within a minute")]
    TooManyFailures,
    /// It is not known yet whether the payment was settled.
    #[error("the payment of call {call} is not decided yet")]
    Pending {
        /// The call's id.
        call: String,
    },
    /// The reply was handed over long ago, and is kept no more.
    #[error("the reply was handed over, and is kept no more")]
    ReplyForgotten,
    /// The credit, or a budget of the token, does not suffice.
    #[error("{}", shortage(refusal))]
    CreditSpent {
        /// What does not suffice.
        refusal: CreditRefusal,
        /// The requirements, for who would rather pay.
        required: Box<PaymentRequired>,
    },
    /// Who signed in did not show who it is.
    #[error("{error}")]
    SignIn {
        /// Why.
        error: SignInError,
        /// The requirements, with a new challenge.
        required: Box<PaymentRequired>,
    },
    /// The token is not one of ours, or does not allow this.
    #[error("the token does not pay for this: {0}")]
    Token(String),
    /// The token is held by somebody who did not sign the request.
    #[error("{0}")]
    Proof(String),
    /// The function belongs to an edition that needs a licence.
    #[error("this function belongs to the edition `{edition}`, which requires `{item}`")]
    NotEntitled {
        /// The edition.
        edition: String,
        /// What it requires.
        item: Item,
    },
    /// An identity token proves nothing.
    #[error("the identity token proves nothing: {0}")]
    Oidc(String),
    /// The keys of an issuer cannot be had.
    #[error("the keys of `{issuer}` cannot be had: {reason}")]
    OidcSilent {
        /// The issuer.
        issuer: String,
        /// Why.
        reason: String,
    },
    /// The source takes a licence, and none came.
    #[error("machines have the source in bulk with a licence: `{0}`")]
    SourceLicensed(Item),
    /// The package takes no tips.
    #[error("this package takes no tips here")]
    NoTips,
    /// Tips are spread over a month that is not over.
    #[error("{0} is not over: more may be used in it")]
    MonthOpen(Month),
    /// A licence cannot be sold, or does not hold.
    #[error(transparent)]
    License(#[from] LicenseError),
    /// The name of whom a licence is for is empty or too long.
    #[error("the licensee's name is not between 1 and {} bytes", limits::LICENSEE_BYTES_MAX)]
    Licensee,
    /// Credit could not be bought or given back.
    #[error(transparent)]
    Credit(#[from] CreditError),
    /// The registry is a company's, and no account asks.
    #[error("this registry is a company's, and accounts alone call here")]
    AccountRequired,
    /// The token opens no account.
    #[error("{0}")]
    Account(&'static str),
    /// The company does not allow it.
    #[error("{0}")]
    Policy(Box<PolicyRefusal>),
    /// Nothing of what was left open can be called.
    #[error("none of the packages with this function can be chosen: {}", rules(left_out))]
    NoneToChoose {
        /// Those that there are, the best first.
        left_out: Vec<LeftOut>,
    },
    /// A call leaves open whom it calls, and could not be told from another when it is sent again.
    #[error(
        "a call that leaves open whom it calls needs a name: sent again, it could be paid to another package"
    )]
    ChoiceUnnamed,
    /// The run failed. `charged` in it says what it cost.
    #[error("{}: {}", .0.failure, .0.message)]
    Failed(Box<CallFailure>),
    /// The payment was refused when it was settled, after the run. The output is withheld.
    #[error("the payment could not be settled")]
    NotSettled {
        /// The rail's answer.
        response: Box<SettleResponse>,
        /// The requirements for another try.
        required: Box<PaymentRequired>,
    },
}

/// Why credit was not bought or given back.
#[derive(Debug, thiserror::Error)]
pub enum CreditError {
    /// The amount is nothing, or too much.
    #[error("{} dollars of credit are not between 0.000001 and {}", .0.to_decimal(), limits::CREDIT_AMOUNT_MAX / 1_000_000)]
    Amount(Atomic),
    /// There is no such account.
    #[error("there is no credit account `{0}`")]
    NoAccount(String),
    /// The account has less.
    #[error("the account has {} dollars", .0.to_decimal())]
    Short(Pico),
}

fn shortage(refusal: &CreditRefusal) -> String {
    match refusal {
        CreditRefusal::Short { available } => {
            format!("the credit account has {} dollars left", available.to_decimal())
        }
        CreditRefusal::BudgetSpent { left, .. } => {
            format!("the token may spend {} dollars more", left.to_decimal())
        }
        CreditRefusal::CallsSpent { .. } => "the token has made all its calls".into(),
        CreditRefusal::Revoked { .. } => "the token was taken back".into(),
    }
}

impl From<StoreError> for CallError {
    fn from(error: StoreError) -> Self {
        Self::Find(error.into())
    }
}

impl From<SandboxError> for CallError {
    fn from(error: SandboxError) -> Self {
        Self::Find(RegistryError::Damaged("component".into(), error.to_string()))
    }
}

/// What to do about a log that must not go on.
pub(crate) const LOG_BEHIND: &str =
    "the operator restores a newer copy of the database; reading and calling go on meanwhile";

impl RegistryError {
    /// Returns the stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NoPackage(_) => "package-not-found",
            Self::NoRelease { .. } => "release-not-found",
            Self::AllYanked { .. } => "release-yanked",
            Self::Quarantined { .. } => "release-quarantined",
            Self::NotDownloadable => "component-not-downloadable",
            Self::NoFiles => "files-not-published",
            Self::SourceDenied => "source-denied",
            Self::SourceNotFree => "source-not-free",
            Self::NoDocument => "document-not-found",
            Self::NoSource => "source-not-published",
            Self::NoReceipt(_) => "receipt-not-found",
            Self::TooManyCharges => "earnings-too-many",
            Self::Name(_) => "name-invalid",
            Self::Store(StoreError::LogBehind { .. }) => "log-behind",
            Self::Store(_) | Self::Pay(_) | Self::Damaged(..) | Self::Worker => "internal",
        }
    }

    /// Returns what to do next.
    pub fn next(&self) -> String {
        match self {
            Self::NoPackage(reference) => {
                format!("search for it: GET /v1/search?q={}", reference.package.name())
            }
            Self::NoRelease { .. } => "name one of them, or `latest`".into(),
            Self::AllYanked { .. } => "name one of them exactly: one that is yanked still runs".into(),
            Self::Quarantined { .. } => {
                "use another version; who stopped this one, and when, is in the log".into()
            }
            Self::NotDownloadable => {
                "call it here: POST /v1/call/{namespace}/{name}/{version}/{function}".into()
            }
            Self::NoFiles => "its component reads none; there is nothing to download".into(),
            Self::SourceDenied => {
                "people read it a file at a time: add ?file=; for more, ask its publisher".into()
            }
            Self::SourceNotFree => {
                "GET /v1/packages/{namespace}/{name}/{version}/source says what it takes".into()
            }
            Self::NoDocument => "its page lists those that it has, as `about.documents`".into(),
            Self::NoSource => "read its interface and tests instead; they are always public".into(),
            Self::NoReceipt(_) => {
                "receipts of paid calls are kept; that of a free call came with its reply".into()
            }
            Self::TooManyCharges => "name a package, a receiver or a shorter time".into(),
            Self::Name(_) => "correct the name".into(),
            Self::Store(StoreError::LogBehind { .. }) => LOG_BEHIND.into(),
            _ => "try again later; the operator's log has the cause".into(),
        }
    }

    /// Returns whether asking again can help.
    pub fn retry(&self) -> Retry {
        if self.code() == "internal" { Retry::After(5) } else { Retry::AfterChange }
    }
}

impl CallError {
    /// Returns the stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Find(error) => error.code(),
            Self::NoFunction { .. } => "function-not-found",
            Self::NotCallable { .. } => "function-not-callable",
            Self::ExecutorQuarantined => "executor-quarantined",
            Self::NotRemote => "release-not-remote",
            Self::Arguments { .. } => "arguments-invalid",
            Self::FuelCeiling { .. } => "fuel-ceiling-invalid",
            Self::NonceTooLong => "nonce-too-long",
            Self::Held { .. } => "release-held",
            Self::Allowed(_) => "grants-invalid",
            Self::PaymentRequired { required, .. } if required.error.is_some() => "payment-invalid",
            Self::PaymentRequired { .. } => "payment-required",
            Self::PaymentBound => "payment-bound",
            Self::Busy => "busy",
            Self::TooManyFailures => "too-many-failures",
            Self::Pending { .. } => "settlement-pending",
            Self::ReplyForgotten => "reply-forgotten",
            Self::CreditSpent { refusal: CreditRefusal::Short { .. }, .. } => "credit-short",
            Self::CreditSpent { .. } => "token-spent",
            Self::SignIn { .. } => "sign-in-refused",
            Self::Token(_) => "token-refused",
            Self::Proof(_) => "proof-refused",
            Self::AccountRequired => "account-required",
            Self::Account(_) => "account-refused",
            Self::Policy(_) => "company-refused",
            Self::NotEntitled { .. } | Self::SourceLicensed(_) => "license-required",
            Self::Oidc(_) => "oidc-refused",
            Self::OidcSilent { .. } => "oidc-silent",
            Self::NoTips => "tips-not-accepted",
            Self::MonthOpen(_) => "month-open",
            Self::License(LicenseError::NoItem(_) | LicenseError::NotForSale(_)) => "license-not-sold",
            Self::License(LicenseError::Units { .. }) | Self::Licensee => "license-invalid",
            Self::License(_) => "license-refused",
            Self::Credit(CreditError::Amount(_)) => "amount-invalid",
            Self::Credit(CreditError::NoAccount(_)) => "account-not-found",
            Self::Credit(CreditError::Short(_)) => "credit-short",
            Self::NoneToChoose { .. } => "none-to-choose",
            Self::ChoiceUnnamed => "idempotency-key-required",
            Self::Failed(failure) => failure.code(),
            Self::NotSettled { .. } => "payment-not-settled",
        }
    }

    /// Returns what to do next.
    pub fn next(&self) -> String {
        match self {
            Self::Find(error) => error.next(),
            Self::NoFunction { .. } => "name one of them".into(),
            Self::NotCallable { .. } => "download the component and use it in your program".into(),
            Self::ExecutorQuarantined => {
                "call it elsewhere; GET /v1/executors/{did} names the certificate that proves it".into()
            }
            Self::NotRemote => "download the component and run it yourself".into(),
            Self::Arguments { signature, .. } => format!("send {{\"args\": …}} for {signature}"),
            Self::FuelCeiling { .. } => "leave `fuel` out to use the release's own ceiling".into(),
            Self::Held { .. } => {
                "call the version before it; `latest` is that, until a second key of the namespace \
                                  confirms this one or its time is over"
                    .into()
            }
            Self::Allowed(_) => {
                "leave `grants` out to allow what the release declares, or name interfaces such as \
                                 `wasi:clocks/wall-clock` and URLs such as `https://api.example.com/v1/`"
                    .into()
            }
            Self::NonceTooLong => "send a shorter one; a random 32-digit text will do".into(),
            Self::PaymentRequired { .. } => {
                "sign one of `accepts` and send it in the PAYMENT-SIGNATURE header; `glassbox call` does it"
                    .into()
            }
            Self::PaymentBound => "sign a new payment for this request".into(),
            Self::Busy | Self::TooManyFailures => "send the same request again later".into(),
            Self::Pending { .. } => {
                "send the same request with the same payment again; do not pay anew".into()
            }
            Self::ReplyForgotten => "call again with a new payment".into(),
            Self::CreditSpent { refusal: CreditRefusal::Short { .. }, .. } => {
                "buy credit: POST /v1/credit; or pay one of `accepts`".into()
            }
            Self::SignIn { .. } => {
                "sign the challenge in `required` with the key that paid, or pay one of `accepts`".into()
            }
            Self::Proof(_) => "sign the request anew with the holder's key, as docs/protocol.md says; \
                               `glassbox call --credit` does it"
                .into(),
            Self::CreditSpent { .. } | Self::Token(_) => "ask whoever gave you the token for another".into(),
            Self::AccountRequired => {
                "send `Authorization: Bearer gba_…` with a token of your account; whoever operates this registry makes them"
                    .into()
            }
            Self::Account(_) => "ask whoever operates this registry for a token".into(),
            Self::Policy(refusal) => refusal.next.clone(),
            Self::NotEntitled { item, .. } => {
                format!(
                    "buy it: `glassbox license buy` with {item}; or pay with the account that has it. What costs nothing is \
                     called with a token of that account"
                )
            }
            Self::Oidc(_) => {
                "ask the forge for a token with the audience REGISTRY#HOLDER, in a workflow of a public repository".into()
            }
            Self::OidcSilent { .. } => "try again later, or tell the operator".into(),
            Self::SourceLicensed(item) => {
                format!(
                    "buy it: `glassbox license buy` with {item}; then send `Authorization: License` with it in base64"
                )
            }
            Self::MonthOpen(_) => "ask when it is over by UTC".into(),
            Self::NoTips => "see `funding` of [tips] in its manifest, where there is one".into(),
            Self::License(LicenseError::NoItem(_)) => "see [[plan]] and [[offer]] of its manifest".into(),
            Self::License(LicenseError::NotForSale(_)) => "ask its publisher to sign it for you".into(),
            Self::License(LicenseError::Units { .. }) => {
                "write 1 where no seats or copies are counted".into()
            }
            Self::License(_) => "ask whoever gave it to you for another".into(),
            Self::Licensee => "write a shorter one, or leave it out".into(),
            Self::Credit(CreditError::Amount(_)) => "write dollars, such as \"5\"".into(),
            Self::Credit(CreditError::NoAccount(_)) => "leave `account` out to open one".into(),
            Self::Credit(CreditError::Short(_)) => "ask for less".into(),
            Self::NoneToChoose { .. } => {
                "name one of them and leave `choose` out, or send `untested` to take one that does not pass the interface's tests"
                    .into()
            }
            Self::ChoiceUnnamed => {
                "send an `Idempotency-Key`, over MCP `idempotency_key`, with a voucher of x402 `payment-identifier`; or name \
                 the package and leave `choose` out"
                    .into()
            }
            Self::Failed(failure) => failure.next(),
            Self::NotSettled { .. } => "check the wallet's balance, and sign a new payment".into(),
        }
    }

    /// Returns whether asking again can help.
    pub fn retry(&self) -> Retry {
        match self {
            Self::Find(error) => error.retry(),
            Self::PaymentRequired { .. }
            | Self::NotSettled { .. }
            | Self::PaymentBound
            | Self::CreditSpent { .. }
            | Self::SignIn { .. }
            | Self::ReplyForgotten => Retry::WithPayment,
            Self::ExecutorQuarantined => Retry::Never,
            Self::Busy => Retry::After(1),
            Self::TooManyFailures => Retry::After(limits::FREE_WORK_WINDOW_MS as u64 / 1_000),
            Self::Pending { .. } => Retry::After(2),
            Self::Failed(failure) if failure.is_deterministic() => Retry::Never,
            Self::Failed(_) => Retry::After(1),
            _ => Retry::AfterChange,
        }
    }

    /// Returns what the caller was charged: `None` when that is not known here, because something failed inside.
    pub fn charged(&self) -> Option<Atomic> {
        match self {
            Self::Pending { .. } => None,
            Self::Find(error) if error.code() == "internal" => None,
            Self::Failed(failure) => Some(failure.charged),
            _ => Some(Atomic::ZERO),
        }
    }
}

/// Says why releases were left out.
fn rules(left_out: &[LeftOut]) -> String {
    let each: Vec<String> =
        left_out.iter().map(|LeftOut { release, rule }| format!("{release} ({rule})")).collect();
    each.join(", ")
}

/// Says why an earlier payment was refused, where one was.
fn refusal(required: &PaymentRequired) -> String {
    required.error.as_ref().map(|code| format!("the payment was refused: {code}; ")).unwrap_or_default()
}
