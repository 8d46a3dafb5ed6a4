//! Why a token cannot be made, read or trusted.

use glassbox_core::key::PublicKey;
use glassbox_core::limits;

/// Says why a token cannot be made, read or trusted. That a sound token does not allow a call is a
/// [`Refusal`](crate::Refusal) instead.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// The text is not that of a token.
    #[error("not a token; a token is `{prefix}` and URL-safe base64 without padding", prefix = crate::PREFIX)]
    Text,
    /// The text is longer than any token may be.
    #[error(
        "the token has {0} bytes, at most {max} are read; ask for one with fewer names or blocks",
        max = limits::TOKEN_BYTES_MAX
    )]
    TooLong(usize),
    /// There are more blocks than are read.
    #[error(
        "the token has {0} blocks, at most {max} are read; ask for one that was handed on less often",
        max = limits::TOKEN_BLOCKS_MAX
    )]
    TooManyBlocks(usize),
    /// The bytes are no Biscuit.
    #[error("the token is damaged: {0}; copy it again from where you got it")]
    Malformed(String),
    /// A block is of a kind that is not read.
    #[error("block {block} of the token {reason}; ask whoever appended it for one in the documented form")]
    Block {
        /// Which one, 0 for the issuer's.
        block: usize,
        /// What it does.
        reason: &'static str,
    },
    /// A block says something that is not understood, and therefore could not be kept.
    #[error(
        "block {block} of the token says `{statement}`, which is no cap that is known here; ask whoever appended it \
         for one in the documented form"
    )]
    Statement {
        /// Which one, 0 for the issuer's.
        block: usize,
        /// What it says, clipped.
        statement: String,
    },
    /// The token names no account.
    #[error("the token names no account; ask for one that this registry issued")]
    NoAccount,
    /// The signatures are not those of the issuer and its successors.
    #[error("the token was not issued by `{issuer}`, or was changed since; ask that issuer for one")]
    Issuer {
        /// The key that was expected, as a `did:key`.
        issuer: String,
    },
    /// The token was sealed, so nothing can be appended.
    #[error("the token is sealed and cannot be narrowed; ask for one that is not")]
    Sealed,
    /// An account or a cap cannot be written into a token.
    #[error("`{field}` cannot be `{text}`; {hint}")]
    Cap {
        /// The field of [`Caps`](crate::Caps), or `account`.
        field: &'static str,
        /// What it was, clipped.
        text: String,
        /// What to write instead.
        hint: &'static str,
    },
    /// A block id is not 128 hexadecimal digits.
    #[error("`{0}` is not the id of a block; write its 128 hexadecimal digits")]
    BlockId(String),
    /// A signature is not 64 bytes in base64.
    #[error("`{0}` is not the signature of a holder; write URL-safe base64 of its 64 bytes")]
    HandedOn(String),
    /// A token is handed on by somebody else than its holder.
    #[error("the token is held by {holder}, who alone can hand it on; sign with that key")]
    NotHolder {
        /// Who holds it.
        holder: Box<PublicKey>,
    },
    /// A token is handed on to nobody, or by whom nobody knows as its holder.
    #[error("{0}; name a holder, and narrow a token that has none yet without a key")]
    NothingToHandOn(&'static str),
}

/// Returns the first characters of a text from others, fit for a message.
pub(crate) fn clip(text: &str) -> String {
    text.chars().take(limits::QUOTED_CHARS_MAX).flat_map(char::escape_default).collect()
}
