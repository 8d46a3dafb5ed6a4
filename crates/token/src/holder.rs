//! Who holds a token: the key that a request must be signed with, and how it passes on.
//!
//! A Biscuit is a bearer token. A block that names a holder makes it one's own: a request then takes a signature of that
//! key. The holder can pass it on without asking anybody, by signing the block that names the next one. Whoever finds the
//! text can append a block, too, and can neither sign for its holder nor name another.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use glassbox_core::canonical;
use glassbox_core::key::{PublicKey, SecretKey};
use serde::{Deserialize, Serialize};

use crate::error::clip;
use crate::token::kind;
use crate::{BlockId, Caps, TokenError};

/// What the signature is over begins with this, so that it cannot be taken for one of another protocol.
const CONTEXT: &[u8] = b"glassbox-hand-on/1\0";

/// A holder's signature over the block that names the next one. Prints and parses as URL-safe base64 without padding.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct HandedOn([u8; 64]);

impl HandedOn {
    /// Signs a block that follows `before`, with the key of whoever holds the token until then.
    pub(crate) fn sign(before: BlockId, caps: &Caps, holder: &SecretKey) -> Self {
        Self(holder.sign(&message(before, caps)))
    }

    fn is_by(&self, before: BlockId, caps: &Caps, holder: &PublicKey) -> bool {
        holder.verifies(&message(before, caps), &self.0)
    }
}

/// Everything that the block says is signed with it: it must not be taken over into a block that allows more.
fn message(before: BlockId, caps: &Caps) -> Vec<u8> {
    let caps = canonical::to_bytes(&Caps { handed_on: None, ..caps.clone() });
    [CONTEXT, before.as_bytes(), &caps].concat()
}

/// Returns who holds a token of these blocks, and the index of the block that says so; nothing where it is anybody's.
///
/// # Errors
///
/// When a block names a holder to whom the one before did not hand on.
pub(crate) fn holder_of(blocks: &[(BlockId, Caps)]) -> Result<Option<(PublicKey, usize)>, TokenError> {
    let mut current: Option<(PublicKey, usize)> = None;
    for (index, (_, caps)) in blocks.iter().enumerate() {
        current = match (current, caps.holder, &caps.handed_on) {
            (current, None, None) => current,
            (None, Some(holder), None) => Some((holder, index)),
            (Some((current, _)), Some(holder), Some(handed_on))
                // A holder is named by a block before this one, so this one is not the first.
                if handed_on.is_by(blocks[index - 1].0, caps, &current) =>
            {
                Some((holder, index))
            }
            (Some(_), Some(_), _) => {
                return Err(kind(index, "names a holder to whom the one before did not hand on"));
            }
            (_, _, Some(_)) => return Err(kind(index, "hands on what nobody holds")),
        };
    }
    Ok(current)
}

impl fmt::Display for HandedOn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&URL_SAFE_NO_PAD.encode(self.0))
    }
}

impl fmt::Debug for HandedOn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for HandedOn {
    type Err = TokenError;

    fn from_str(text: &str) -> Result<Self, TokenError> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok().and_then(|bytes| bytes.try_into().ok());
        bytes.map(Self).ok_or_else(|| TokenError::HandedOn(clip(text)))
    }
}

impl From<HandedOn> for String {
    fn from(handed_on: HandedOn) -> Self {
        handed_on.to_string()
    }
}

impl TryFrom<String> for HandedOn {
    type Error = TokenError;

    fn try_from(text: String) -> Result<Self, TokenError> {
        text.parse()
    }
}
