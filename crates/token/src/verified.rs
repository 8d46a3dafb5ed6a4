//! What a verified token allows.

use glassbox_core::Atomic;
use glassbox_core::key::PublicKey;

use crate::caps::{Request, Rule};
use crate::holder::holder_of;
use crate::token::Unverified;
use crate::{BlockId, Caps, TokenError};

/// A token that its issuer minted, and what its blocks allow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    account: String,
    blocks: Vec<(BlockId, Caps)>,
    /// Who holds it, and the index of the block that says so.
    holder: Option<(PublicKey, usize)>,
}

/// What may be spent with one block and all below it. The ledger keeps count by the id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Budget {
    /// The block.
    pub block: BlockId,
    /// The most that all calls together may cost, in atomic units.
    pub amount_max: Option<Atomic>,
    /// The most calls.
    pub calls_max: Option<u64>,
}

/// Says which block does not allow a call, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("block {index} of the token {rule}")]
pub struct Refusal {
    /// The block.
    pub block: BlockId,
    /// Which one it is, 0 for the issuer's.
    pub index: usize,
    /// The cap that said no.
    pub rule: Box<Rule>,
}

impl Verified {
    pub(crate) fn new(Unverified { account, blocks }: Unverified) -> Result<Self, TokenError> {
        Ok(Self { holder: holder_of(&blocks)?, account, blocks })
    }

    /// Returns whose key a request must be signed with; nothing where whoever has the text may use it.
    pub fn holder(&self) -> Option<&PublicKey> {
        self.holder.as_ref().map(|(holder, _)| holder)
    }

    /// Returns the account whose credit the token spends.
    pub fn account(&self) -> &str {
        &self.account
    }

    /// Returns the blocks, the issuer's first. A token is revoked when any of its ids is.
    pub fn blocks(&self) -> &[(BlockId, Caps)] {
        &self.blocks
    }

    /// Checks a call against every block, and returns the budgets that it must fit all of, the issuer's first.
    ///
    /// The ledger reserves the call in all of them in one transaction, or in none.
    ///
    /// # Errors
    ///
    /// With the first block that does not allow the call.
    pub fn authorize(&self, request: &Request<'_>) -> Result<Vec<Budget>, Refusal> {
        let refuse =
            |index: usize, rule: Rule| Refusal { block: self.blocks[index].0, index, rule: Box::new(rule) };
        if let Some((holder, index)) = self.holder
            && request.holder != Some(holder)
        {
            return Err(refuse(index, Rule::Holder { holder: Box::new(holder) }));
        }
        for (index, (_, caps)) in self.blocks.iter().enumerate() {
            caps.check(request).map_err(|rule| refuse(index, rule))?;
        }
        let budget = |(block, caps): &(BlockId, Caps)| {
            (caps.amount_max.is_some() || caps.calls_max.is_some()).then_some(Budget {
                block: *block,
                amount_max: caps.amount_max,
                calls_max: caps.calls_max,
            })
        };
        Ok(self.blocks.iter().filter_map(budget).collect())
    }
}
