//! Everything that Glassbox keeps: releases, the log, calls and money in SQLite, bytes in a folder, and a search index
//! that is derived from them.
//!
//! [`Store`] is verb-shaped: each method is one transaction, and says what holds when it returns. Every write has
//! reached the disk by then, but for those that say what a power cut may undo. This is the only crate that knows SQL.
//!
//! Losing the database loses the registry; losing `objects/` loses components that the publishers still have; losing
//! the search index loses nothing, because it lives in memory and is rebuilt at start-up. `signed-checkpoint` must
//! never come back from a backup: it is what a restored database is held against.

mod acts;
mod advisories;
mod attestations;
mod binding;
mod blocklists;
mod calls;
mod channels;
mod codes;
mod company;
mod cosigned;
mod credit;
mod earnings;
mod error;
mod exports;
mod fault;
mod holds;
mod ledger;
mod licenses;
mod log;
mod newcomers;
mod notices;
mod objects;
mod payees;
mod payers;
mod payouts;
mod power;
mod receipts;
mod releases;
mod reversals;
mod sboms;
mod search;
mod sheet;
mod skeletons;
mod spec_runs;
mod sqlite;
mod submissions;
mod support;
mod terms;
mod unclaimed;
mod usage;
mod witness;

pub use acts::{NamespaceRow, NewNamespaceAct, ReleaseAct, Signed};
pub use advisories::{Advised, AdvisoryRow, NewAdvisory};
pub use attestations::{AttestationRow, Attested};
pub use binding::{Backing, Hold, NewCall};
pub use calls::{CallRow, CallState, Outcome, Posting, Standing};
pub use channels::{ChainState, ChannelPosting, ChannelRow, Claimed, Voucher, VoucherRefusal};
pub use codes::FirstRelease;
pub use company::{
    AccountRefusal, AccountStanding, AccountToken, Approval, ApprovalState, CompanyAccount, NoToken, Spender,
    TipPart, TipPlan, Use, UseRow, UseSum, month_block, token_id,
};
pub use credit::{Budget, CreditAccount, CreditRefusal};
pub use earnings::{EarnedBy, Earning, EarningKey, EarningsQuery, PayerClass};
pub use error::StoreError;
pub use exports::ImplementationRow;
pub use fault::{Fault, Moment};
pub use holds::Held;
pub use ledger::{Balance, OwedTransfer, TransferRow};
pub use licenses::NewLicense;
pub use log::{LogState, NewEntry};
pub use notices::{Action, Notice, NoticeState};
pub use payees::{Freeze, PayeeRow, PayeeState};
pub use payers::PayerSum;
pub use payouts::Owing;
pub use power::PowerCut;
pub use receipts::{NewReceipt, ReceiptProof, WaitingReceipts};
pub use releases::{NewRelease, PackageRow, Published, ReleaseRow};
pub use reversals::Refund;
pub use sboms::Within;
pub use search::{Facts, Filter, Hit, SearchDocument};
pub use sqlite::Store;
pub use submissions::{Moved, SubmissionRow};
pub use support::{Answer, CreditDue, Judged, PayerAnswers};
pub use terms::{NewTerms, TermsRow};
pub use unclaimed::UnclaimedRow;
pub use usage::Consumed;
pub use witness::{WitnessStore, Witnessed};
