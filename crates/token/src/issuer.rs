//! The two sides of the issuer's key: minting and verifying.

use std::fmt;

use biscuit_auth::format::schema;
use biscuit_auth::{Algorithm, BiscuitBuilder, KeyPair, PrivateKey};
use glassbox_core::key::{PublicKey, SecretKey};
use zeroize::Zeroizing;

use crate::token::{kind, malformed};
use crate::{Caps, Token, TokenError, Verified, block};

/// Who issues tokens: an Ed25519 key, which should sign nothing else.
pub struct Issuer {
    keys: KeyPair,
    public: PublicKey,
}

/// Who can tell what an issuer issued: its public key.
#[derive(Debug, Clone, Copy)]
pub struct Verifier {
    key: biscuit_auth::PublicKey,
    public: PublicKey,
}

impl Issuer {
    /// Makes an issuer from 32 random bytes.
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        Self::from(&SecretKey::from_seed(seed))
    }

    /// Returns the public key, which prints as `did:key:z6Mk…`.
    pub fn public(&self) -> PublicKey {
        self.public
    }

    /// Returns who can verify the tokens that are minted here.
    pub fn verifier(&self) -> Verifier {
        Verifier::from(self.public)
    }

    /// Mints a token that spends the credit of `account` within `caps`. Two tokens are never the same.
    ///
    /// # Errors
    ///
    /// When the account or a cap cannot be written, or the token would be too long.
    pub fn mint(&self, account: &str, caps: &Caps) -> Result<Token, TokenError> {
        let block = block::write_authority(account, caps)?;
        let biscuit =
            BiscuitBuilder::new().merge(block).build(&self.keys).map_err(|error| malformed(&error))?;
        let bytes = biscuit.to_vec().map_err(|error| malformed(&error))?;
        Token::new(biscuit_auth::UnverifiedBiscuit::from(bytes).map_err(|error| malformed(&error))?)
    }
}

impl From<&SecretKey> for Issuer {
    fn from(key: &SecretKey) -> Self {
        let seed = Zeroizing::new(key.to_hex());
        let private = PrivateKey::from_bytes_hex(&seed, Algorithm::Ed25519).expect("a seed has 32 bytes");
        Self { keys: KeyPair::from(&private), public: key.public() }
    }
}

impl fmt::Debug for Issuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Issuer({})", self.public)
    }
}

impl Verifier {
    /// Checks that the token was minted by the issuer and narrowed by its holders, and reads it.
    ///
    /// Whether a block was revoked is for the caller to ask, by [`Verified::blocks`].
    ///
    /// # Errors
    ///
    /// When a signature is wrong, and when any block says something else than the sentences that are documented.
    pub fn verify(&self, token: &Token) -> Result<Verified, TokenError> {
        let issuer = || TokenError::Issuer { issuer: self.public.to_string() };
        let biscuit = token.biscuit.clone().verify(self.key).map_err(|_| issuer())?;
        let signed = biscuit.container().to_proto();
        for (index, block) in std::iter::once(&signed.authority).chain(&signed.blocks).enumerate() {
            // Whoever sees an ECDSA signature can write it a second way, and the block would have a second id.
            if block.next_key.algorithm != schema::public_key::Algorithm::Ed25519 as i32 {
                return Err(kind(index, "hands on to a key that is not Ed25519"));
            }
            let symbols = biscuit.block_symbols(index).map_err(|error| malformed(&error))?;
            if !symbols.iter().all(|symbol| block::is_plain(symbol)) {
                return Err(kind(index, "has names with spaces, quotes or characters beyond ASCII"));
            }
        }
        Verified::new(token.inspect()?)
    }

    /// Returns the issuer's key.
    pub fn public(&self) -> PublicKey {
        self.public
    }
}

impl From<PublicKey> for Verifier {
    fn from(public: PublicKey) -> Self {
        let key = biscuit_auth::PublicKey::from_bytes(public.as_bytes(), Algorithm::Ed25519);
        Self { key: key.expect("a public key is one for Biscuit, too"), public }
    }
}
