//! What calls took when they were tried, for as long as the block is the one that they were tried behind.
//!
//! A payment is tried before its work and submitted after it, which is mostly in the same block: what has not changed
//! need not be tried twice. What others submit for the next block can make a call revert there in any case.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use alloy_primitives::{B256, keccak256};
use glassbox_core::limits::RPC_TRIED_MAX;

use crate::chain::Call;

#[derive(Default)]
pub(super) struct Tried(Mutex<Behind>);

/// The calls that were tried behind a block.
#[derive(Default)]
struct Behind {
    block: u64,
    gas: HashMap<B256, u64>,
}

impl Tried {
    /// Remembers that a call took so much gas behind a block.
    pub(super) fn remember(&self, call: &Call, gas: u64, block: u64) {
        let mut behind = self.behind();
        if behind.block != block || behind.gas.len() >= RPC_TRIED_MAX {
            *behind = Behind { block, gas: HashMap::new() };
        }
        behind.gas.insert(key(call), gas);
    }

    /// Returns what a call took behind this block.
    pub(super) fn take(&self, call: &Call, block: u64) -> Option<u64> {
        let mut behind = self.behind();
        if behind.block == block { behind.gas.remove(&key(call)) } else { None }
    }

    /// Tells whether a call was tried behind some block, which may be the latest.
    pub(super) fn knows(&self, call: &Call) -> bool {
        self.behind().gas.contains_key(&key(call))
    }

    fn behind(&self) -> MutexGuard<'_, Behind> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn key(call: &Call) -> B256 {
    keccak256([call.from.as_slice(), call.to.as_slice(), &call.data].concat())
}

#[cfg(test)]
mod tests {
    use alloy_primitives::Address;

    use super::*;

    fn call(number: usize) -> Call {
        Call { from: Address::ZERO, to: Address::ZERO, data: number.to_be_bytes().to_vec().into() }
    }

    #[test]
    fn a_call_is_remembered_once_and_behind_its_block_alone() {
        let tried = Tried::default();
        assert_eq!((tried.knows(&call(0)), tried.take(&call(0), 7)), (false, None));
        tried.remember(&call(0), 21_000, 7);
        assert_eq!(tried.take(&call(1), 7), None);
        for block in [6, 8] {
            assert_eq!(tried.take(&call(0), block), None, "{block}");
        }
        assert!(tried.knows(&call(0)));
        assert_eq!(tried.take(&call(0), 7), Some(21_000));
        assert_eq!(tried.take(&call(0), 7), None, "what is submitted has changed the next block");
        // What was tried behind another block is forgotten with the first that is tried behind a new one.
        tried.remember(&call(0), 21_000, 7);
        tried.remember(&call(1), 42_000, 8);
        assert_eq!((tried.knows(&call(0)), tried.take(&call(1), 8)), (false, Some(42_000)));
    }

    #[test]
    fn so_many_are_remembered_and_no_more() {
        let tried = Tried::default();
        for number in 0..=RPC_TRIED_MAX {
            tried.remember(&call(number), 21_000, 7);
            assert!(tried.behind().gas.len() <= RPC_TRIED_MAX, "{number}");
        }
        assert!(tried.knows(&call(RPC_TRIED_MAX)), "the newest is");
    }
}
