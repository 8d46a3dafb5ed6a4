//! What a verified token allows.

use glassbox_core::Atomic;

use crate::caps::{Request, Rule};
use crate::token::Unverified;
use crate::{BlockId, Caps};

/// A token that its issuer minted, and what its blocks allow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    account: String,
    blocks: Vec<(BlockId, Caps)>,
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
    pub(crate) fn new(Unverified { account, blocks }: Unverified) -> Self {
        Self { account, blocks }
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
        for (index, (block, caps)) in self.blocks.iter().enumerate() {
            caps.check(request).map_err(|rule| Refusal { block: *block, index, rule: Box::new(rule) })?;
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
