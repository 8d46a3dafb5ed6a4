//! Publish, find, call: the one place where sandbox, store and payments meet.
//!
//! [`Registry`] decides; the floor below does. Nothing here knows HTTP: `server` turns these verbs into routes, and the
//! command line uses [`package`] and [`testing`] without any registry at all.

mod account;
mod act_error;
mod acts;
mod advisory;
mod assess;
mod audit;
mod blocklists;
mod call;
mod channels;
mod choose;
mod company;
mod component_error;
mod credit;
mod depend;
mod derive;
mod domain;
mod download;
mod earnings;
mod editions;
mod effort;
mod entitled;
mod env;
mod error;
mod escrow;
mod executor;
mod find;
mod held;
mod hold;
mod host;
mod implementations;
mod imports;
mod known;
mod license;
mod live;
mod meter;
mod offer;
mod oidc;
mod open;
mod operator;
mod organic;
mod pace;
pub mod package;
mod payment;
mod payout;
mod publish;
mod publish_error;
mod readers;
mod receipts;
mod recover;
mod replay;
mod round;
mod sale;
mod settle;
mod shelf;
mod shortly;
mod spec_tests;
pub mod strength;
mod submissions;
mod supply;
mod support;
mod terms;
pub mod testing;
mod tip;
mod tries;
mod wait;
mod witness;
mod witnessing;

pub use act_error::ActError;
pub use acts::{ActReply, NamespaceView};
pub use advisory::{AdviseError, AdvisoryView, Affecting};
pub use audit::{Finding, LedgerAudit};
pub use blocklists::{Blocked, FeedView};
pub use call::{CallFailure, CallReply, CallRequest, PaidResource};
pub use call::{StoredFailure, StoredReply};
pub use channels::Asked;
pub use choose::{Choice, Choosing, Chosen, LeftOut, UnknownChoice};
pub use company::{
    ACCOUNT_TOKEN_PREFIX, AccountError, Caller, Chargeback, CompanyPolicy, NewAccount, NewToken,
    PolicyRefusal, SpreadAmount, SpreadTip,
};
pub use credit::{Credit, CreditBalance, TopUpReply};
pub use domain::DomainConfig;
pub use download::{Access, Download, DownloadReply, DownloadRequest};
pub use earnings::{day_starts_ms, day_text};
pub use env::{Env, rfc3339};
pub use error::{CallError, CreditError, RegistryError, Retry, chain, failure_code};
pub use executor::{AccusationError, Accused, ExecutorStanding};
pub use find::{Found, ReleaseFile, ReleaseView, SameCode, Sources};
pub use held::ConfirmError;
pub use host::HostConfig;
pub use implementations::{Comparison, Implementation, Interface, Offered, Ranking, UnknownRanking};
pub use license::{LicenseReply, LicenseRequest};
pub use live::Live;
pub use oidc::{OidcIssuer, OidcKeys, OidcRequest};
pub use open::{Keys, Registry, RegistryConfig};
pub use operator::{NOTICE_GROUNDS, OperatorError, Refunded};
pub use organic::Usage;
pub use package::{FilesListing, FunctionListing, Listing, Package, PackageFiles};
pub use payment::Payment;
pub use payout::{PayoutLine, PayoutPlan, PayoutTerms};
pub use publish::PublishReply;
pub use publish_error::PublishError;
pub use replay::{Code, Rerun, replay, rerun};
pub use spec_tests::{SpecSource, SpecTests};
pub use strength::Strength;
pub use supply::{AttestError, AttestationView};
pub use testing::TestReport;
pub use tip::TipReply;
pub use witness::{WatchError, Witness, WitnessError};

pub use glassbox_core::acts::Marks;
pub use glassbox_store::{
    AccountStanding, AccountToken, Action, Approval, ApprovalState, CompanyAccount, CreditDue, EarnedBy,
    Earning, EarningKey, EarningsQuery, Filter, Freeze, Held, Notice, NoticeState, PayeeRow, PayeeState,
    ReceiptProof, TransferRow, UnclaimedRow, UseRow, UseSum,
};
pub use glassbox_token::TokenError;
