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
