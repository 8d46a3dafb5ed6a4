//! Bearer tokens that spend an account's credit, and can be narrowed by whoever holds them.
//!
//! This is the one crate that knows Biscuit. It mints, narrows, reads and compares; which account has credit, what was
//! spent in a budget and which block was revoked are the store's to know, and the registry's to ask.
//!
//! # The format
//!
//! A token is `gbt_` and a [Biscuit](https://www.biscuitsec.org) of format 3 in URL-safe base64 without padding, at most
//! 6 KiB of text and 16 blocks. Block 0 is signed by the issuer's Ed25519 key, each further block by the key that the one
//! before hands on, which is Ed25519, too. The last key comes with the token, so its holder can append, or seal it.
//! Every key that is handed on is random and new: whoever knows it can append in place of those who come after.
//! There is no root key id and there are no blocks of third parties; a block's `context` has no meaning. The protobuf
//! around the blocks has its fields in order, none that is unknown, and none that says what is the case without it.
//!
//! A block is datalog version 3, and says each of these sentences at most once, in any order, in exactly this form:
//!
//! | sentence | where | means |
//! | --- | --- | --- |
//! | `account("…")` | block 0, required | the account whose credit is spent |
//! | `check if amount($amount), $amount <= N` | any | [`Caps::amount_per_call_max`] |
//! | `check if time($time), $time < 2027-01-01T00:00:00Z` | any | [`Caps::expires_at_s`] |
//! | `check if package($package), {"ns:name", …}.contains($package)` | any | [`Caps::packages`] |
//! | `check if release($release), {"ns:name@1.0.0", …}.contains($release)` | any | [`Caps::releases`] |
//! | `check if component($component), {"sha256:…", …}.contains($component)` | any | [`Caps::components`] |
//! | `check if function($function), {"name", …}.contains($function)` | any | [`Caps::functions`] |
//! | `check if audience("https://…")` | any | [`Caps::audience`] |
//! | `check if holder("did:key:z6Mk…")` | any | [`Caps::holder`] |
//! | `handed_on("…")` | a block that names a holder after another did | [`Caps::handed_on`] |
//! | `amount_max(N)` | any | [`Caps::amount_max`], a total |
//! | `calls_max(N)` | any | [`Caps::calls_max`], a total |
//!
//! `N` is an integer from 0: an amount is in atomic units and at most 10^18, a number of calls below 2^63. Names are up
//! to 385 printable ASCII characters other than space, `"` and `\`. A list has at least one name; its order says nothing.
//! The names of variables are part of the form.
//!
//! What the checks ask for is given by the authorizer: `audience` the origin of the registry, `time` the time, `package`,
//! `release` and `component` what is called, `amount` the most that the call may cost, `holder` as below, and `function`
//! three times, in each form that names it (`ns:pkg/interface@1.0.0#name`, `interface.name`, `name`). With these facts and the policy `allow if true`, every
//! Biscuit authorizer comes to the answer of [`Verified::authorize`]. A check sees the facts of its own block, of block
//! 0 and of the authorizer, so no block can answer for another.
//!
//! Totals are facts, because one call cannot show what others spent. A total belongs to its block's id, the Biscuit
//! revocation identifier, and counts every call made with the block or one below it. A call is reserved in the totals
//! of all its blocks, or in none.
//!
//! # Holders
//!
//! A block that names a holder makes the token one's own: a request must be signed with the key of the last holder that is
//! named. That key the authorizer gives as `holder`, where the request is signed with it, and with it those that handed the
//! token on. A holder that is named after another was handed the token by it: the block has, as `handed_on`, the base64
//! (URL-safe, unpadded) of the Ed25519 signature by the holder before over
//!
//! ```text
//! "glassbox-hand-on/1" || 00 || id of the block before (64 bytes) || the caps of this block but `handed_on`
//! ```
//!
//! where the caps are the fields of [`Caps`] as canonical JSON, names sorted and each once, amounts as strings. So whoever
//! finds the text of a token can append a block, but can neither use the token nor name another holder.
//!
//! # Other sentences
//!
//! A block with anything else is refused whole, and the token with it: a rule, another check or fact, another form, a cap
//! that stands twice. So a cap of a later version is refused where it is not known, in place of being ignored, and
//! nobody's datalog is run.
//!
//! `conformance/token` holds a token with its keys, what it says, and what it allows.

mod block;
mod caps;
mod error;
mod holder;
mod issuer;
mod token;
mod verified;

pub use caps::{Caps, Request, Rule};
pub use error::TokenError;
pub use holder::HandedOn;
pub use issuer::{Issuer, Verifier};
pub use token::{BlockId, PREFIX, Token, Unverified};
pub use verified::{Budget, Refusal, Verified};
