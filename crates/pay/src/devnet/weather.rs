//! What a chain does to those who use it, on demand: for tests, and for drills of an operator.

use std::collections::VecDeque;
use std::time::Duration;

use super::Devnet;
use super::node::{Node, Refusal};
use super::operation::Operation;
use crate::error::PayError;

/// The weather over a devnet. Whoever holds the devnet makes it; it is fair at first.
#[derive(Debug, Clone, Copy)]
pub struct Weather<'a> {
    devnet: &'a Devnet,
}

/// What befalls the next submission.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    Drop,
    Delay(Duration),
}

/// The state of the weather.
#[derive(Debug, Default)]
pub(super) struct Sky {
    pub(super) faults: VecDeque<Fault>,
    pub(super) stalled: bool,
    /// How many confirmations make a transaction final; none are needed at first.
    pub(super) finality: u64,
}

impl Fault {
    pub(super) fn delay(self) -> Option<Duration> {
        match self {
            Self::Drop => None,
            Self::Delay(delay) => Some(delay),
        }
    }
}

impl<'a> Weather<'a> {
    pub(super) fn over(devnet: &'a Devnet) -> Self {
        Self { devnet }
    }

    /// Loses the next submission that has no fault yet: no block will hold it, and who submitted it cannot know.
    pub async fn drop_next(&self) -> Result<(), PayError> {
        self.change(|node| node.sky.faults.push_back(Fault::Drop)).await
    }

    /// Mines the next submission that has no fault yet at once, and answers late.
    pub async fn delay_next(&self, delay: Duration) -> Result<(), PayError> {
        self.change(move |node| node.sky.faults.push_back(Fault::Delay(delay))).await
    }

    /// Lets every submission wait in the mempool until it is released. A restart forgets what waits.
    pub async fn stall(&self) -> Result<(), PayError> {
        self.change(|node| node.sky.stalled = true).await
    }

    /// Mines what waits, in order, and everything after it at once.
    pub async fn release(&self) -> Result<(), PayError> {
        let now_s = self.devnet.clock_s();
        self.change(move |node| node.release(now_s)).await
    }

    /// Undoes the latest blocks. Their transactions are missing until they are submitted again; what waits in the
    /// mempool waits on.
    pub async fn reorg(&self, blocks: u64) -> Result<(), PayError> {
        self.operate(Operation::Undo { blocks }).await
    }

    /// Adds blocks without a transaction.
    pub async fn mine(&self, blocks: u64) -> Result<(), PayError> {
        self.operate(Operation::Idle { blocks }).await
    }

    /// Says how many confirmations make a transaction final. At first, none are needed.
    pub async fn finality(&self, confirmations: u64) -> Result<(), PayError> {
        self.change(move |node| node.sky.finality = confirmations).await
    }

    async fn operate(&self, operation: Operation) -> Result<(), PayError> {
        let now_s = self.devnet.clock_s();
        let done = self.devnet.on_node(move |node| node.execute(operation, now_s)).await?;
        done.map(|_| ()).map_err(|refusal| match refusal {
            Refusal::Broken(reason) => PayError::JournalBroken(reason),
            Refusal::Invalid(reason) => PayError::Devnet(reason),
            Refusal::Reverted(_) => PayError::Devnet("it reverted".to_owned()),
        })
    }

    async fn change(&self, change: impl FnOnce(&mut Node) + Send + 'static) -> Result<(), PayError> {
        self.devnet.on_node(change).await
    }
}
