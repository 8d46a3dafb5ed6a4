//! Words, rules and proofs of Glassbox: everything that two machines must agree on to the bit.
//!
//! Nothing here performs IO, reads a clock or draws a random number, so a third party can build a
//! verifier on this crate alone, without an engine, a database or TLS. Same input, same bytes out.
//!
//! # The words
//!
//! A *package* `ns:name` is a named line of *releases*; a release is one immutable version. Its *component* is
//! Wasm, its *interface* is WIT, and a *function* is what a *call* runs once. *Fuel* is metered work, *usage* is
//! what the meter read. A *transcript* is what a call *observed* of the world outside. *Terms* are everything in the
//! manifest that touches money or rights; a *quote* is the upper bound for one call and a *charge* is what is owed. The
//! *bill* behind a charge has a *part* for each release that has a price: that of the function, and dependencies, which an
//! importer may *absorb*. A *hold* is posted or voided. A *receipt* is the signed statement of a call, and the *executor* is who ran it. In a
//! company's registry an *account* is a person or an agent in whose name calls are made, and a *cost centre* bears their
//! cost.

pub mod account;
pub mod acts;
pub mod attestation;
pub mod blocklist;
pub mod canonical;
pub mod case;
pub mod digest;
pub mod dsse;
pub mod egress;
pub mod escrow;
pub mod files;
pub mod hashed;
pub mod key;
pub mod ledger;
pub mod license;
pub mod limits;
pub mod log;
pub mod manifest;
pub mod money;
pub mod name;
pub mod possession;
pub mod profile;
pub mod receipt;
pub mod release;
pub mod reversal;
pub mod sbom;
pub mod split;
pub mod support;
pub mod terms;
pub mod transcript;
pub mod tree;
pub mod value;

pub use digest::Digest;
pub use hashed::Hashed;
pub use money::{Atomic, Pico};
pub use name::{FunctionName, Namespace, PackageName, PackageRef, ReleaseId, Version};
