//! A token as its holder has it: text, what it says, and the appending of a block.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use biscuit_auth::UnverifiedBiscuit;
use biscuit_auth::error::Token as BiscuitError;
use glassbox_core::key::{PublicKey, SecretKey};
use glassbox_core::limits;
use serde::{Deserialize, Serialize};

use crate::error::clip;
use crate::holder::{HandedOn, holder_of};
use crate::{Caps, TokenError, block};

/// What the text of every token begins with.
pub const PREFIX: &str = "gbt_";

/// A token, which is as good as the money that it may spend: whoever has its text can use it, unless it names a holder. Prints and parses as
/// `gbt_…`; its `Debug` shows the id of its last block alone.
#[derive(Clone)]
pub struct Token {
    pub(crate) biscuit: UnverifiedBiscuit,
    text: String,
}

/// The id of a block: its signature, which Biscuit calls the revocation identifier. Prints and parses as 128
/// hexadecimal digits.
///
/// It names the block and all that was appended to it, and nobody can change it without the key that signed it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct BlockId([u8; 64]);

/// What a token says. Nothing of it is verified: anybody can write a token that says anything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unverified {
    /// The account whose credit it says to spend.
    pub account: String,
    /// Its blocks, the issuer's first.
    pub blocks: Vec<(BlockId, Caps)>,
}

impl Unverified {
    /// Returns whose key a request must be signed with; nothing where whoever has the text may use it.
    ///
    /// # Errors
    ///
    /// When a block names a holder to whom the one before did not hand on.
    pub fn holder(&self) -> Result<Option<PublicKey>, TokenError> {
        Ok(holder_of(&self.blocks)?.map(|(holder, _)| holder))
    }
}

impl BlockId {
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl Token {
    /// Takes a Biscuit that was made or read, if it is within the limits.
    pub(crate) fn new(biscuit: UnverifiedBiscuit) -> Result<Self, TokenError> {
        let bytes = biscuit.to_vec().map_err(|error| malformed(&error))?;
        let text = format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes));
        if text.len() > limits::TOKEN_BYTES_MAX {
            return Err(TokenError::TooLong(text.len()));
        }
        Self::bounded(biscuit, text)
    }

    fn bounded(biscuit: UnverifiedBiscuit, text: String) -> Result<Self, TokenError> {
        match biscuit.block_count() {
            count if count > limits::TOKEN_BLOCKS_MAX => Err(TokenError::TooManyBlocks(count)),
            _ => Ok(Self { biscuit, text }),
        }
    }

    /// Returns a token that is narrowed by one more block. It needs no key: a token carries that of its next block.
    ///
    /// # Errors
    ///
    /// When a cap cannot be written, when the token is sealed, and when it would have too many blocks or bytes.
    pub fn attenuate(&self, caps: &Caps) -> Result<Self, TokenError> {
        let appended = self.biscuit.append(block::write_block(caps)?);
        let narrowed = Self::new(appended.map_err(|error| match error {
            BiscuitError::AppendOnSealed | BiscuitError::AlreadySealed => TokenError::Sealed,
            other => malformed(&other),
        })?)?;
        // A holder named where another has the token would make it of use to nobody.
        narrowed.inspect()?.holder()?;
        Ok(narrowed)
    }

    /// Returns a token that is narrowed by one more block, which names another holder: `caps.holder`. `key` is that of
    /// whoever holds it now.
    ///
    /// # Errors
    ///
    /// As [`attenuate`](Self::attenuate), and when `key` is not the holder's.
    pub fn hand_on(&self, caps: &Caps, key: &SecretKey) -> Result<Self, TokenError> {
        let said = self.inspect()?;
        match said.holder()? {
            Some(holder) if holder == key.public() => {}
            Some(holder) => return Err(TokenError::NotHolder { holder: Box::new(holder) }),
            None => return Err(TokenError::NothingToHandOn("nobody holds the token")),
        }
        if caps.holder.is_none() {
            return Err(TokenError::NothingToHandOn("no next holder is named"));
        }
        let before = said.blocks.last().ok_or(TokenError::NoAccount)?.0;
        let caps = block::normal(&Caps { handed_on: None, ..caps.clone() })?;
        self.attenuate(&Caps { handed_on: Some(HandedOn::sign(before, &caps, key)), ..caps })
    }

    /// Returns what the token says, unverified.
    ///
    /// # Errors
    ///
    /// When a block says what is no known cap.
    pub fn inspect(&self) -> Result<Unverified, TokenError> {
        let ids = self.biscuit.revocation_identifiers();
        let mut account = None;
        let mut blocks = Vec::with_capacity(ids.len());
        for (index, id) in ids.into_iter().enumerate() {
            let id = id.try_into().map_err(|_| kind(index, "is not signed with an Ed25519 key"))?;
            let (stated, caps) = self.read_block(index)?;
            match stated {
                // Who pays is the issuer's to say, in the block that it signed.
                Some(stated) if index > 0 => {
                    let statement = format!("account(\"{}\")", clip(&stated));
                    return Err(TokenError::Statement { block: index, statement });
                }
                Some(stated) => account = Some(stated),
                None => {}
            }
            blocks.push((BlockId(id), caps));
        }
        Ok(Unverified { account: account.ok_or(TokenError::NoAccount)?, blocks })
    }

    fn read_block(&self, index: usize) -> Result<(Option<String>, Caps), TokenError> {
        if self.biscuit.external_public_keys().get(index).is_none_or(Option::is_some) {
            return Err(kind(index, "is signed by a third party"));
        }
        // Block scopes are not printed, and first came with the next version.
        let version = self.biscuit.block_version(index).map_err(|error| malformed(&error))?;
        if version != block::DATALOG_VERSION {
            return Err(kind(index, "is not of datalog version 3"));
        }
        let source = self.biscuit.print_block_source(index).map_err(|error| malformed(&error))?;
        block::read(&source).map_err(|statement| TokenError::Statement { block: index, statement })
    }
}

pub(crate) fn malformed(error: &BiscuitError) -> TokenError {
    // What is said of the format as a whole says nothing; its cause does.
    TokenError::Malformed(clip(&match error {
        BiscuitError::Format(cause) => cause.to_string(),
        other => other.to_string(),
    }))
}

pub(crate) fn kind(block: usize, reason: &'static str) -> TokenError {
    TokenError::Block { block, reason }
}

impl FromStr for Token {
    type Err = TokenError;

    fn from_str(text: &str) -> Result<Self, TokenError> {
        if text.len() > limits::TOKEN_BYTES_MAX {
            return Err(TokenError::TooLong(text.len()));
        }
        let encoded = text.strip_prefix(PREFIX).ok_or(TokenError::Text)?;
        let bytes = URL_SAFE_NO_PAD.decode(encoded).map_err(|_| TokenError::Text)?;
        let biscuit = UnverifiedBiscuit::from(&bytes).map_err(|error| malformed(&error))?;
        // Protobuf readers skip fields that they do not know and fill in those that are missing. One token has one text.
        let written = biscuit.to_vec().map_err(|error| malformed(&error))?;
        if written != bytes || biscuit.root_key_id().is_some() {
            return Err(TokenError::Malformed("its encoding is not the shortest".into()));
        }
        Self::bounded(biscuit, text.to_owned())
    }
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let id = self.biscuit.revocation_identifiers().last().map(hex::encode).unwrap_or_default();
        f.debug_tuple("Token").field(&id).finish()
    }
}

impl fmt::Display for BlockId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for BlockId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for BlockId {
    type Err = TokenError;

    fn from_str(text: &str) -> Result<Self, TokenError> {
        let mut id = [0; 64];
        hex::decode_to_slice(text, &mut id).map_err(|_| TokenError::BlockId(clip(text)))?;
        Ok(Self(id))
    }
}

impl From<BlockId> for String {
    fn from(id: BlockId) -> Self {
        id.to_string()
    }
}

impl TryFrom<String> for BlockId {
    type Error = TokenError;

    fn try_from(text: String) -> Result<Self, TokenError> {
        text.parse()
    }
}
