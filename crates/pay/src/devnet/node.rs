//! The node: blocks on top of the machine, one transaction in each, and what was submitted already.
//!
//! One operation at a time: it is run without effect, written to the journal, and only then takes effect. So the
//! journal never holds an operation that failed, and no effect is lost.

use std::collections::{HashMap, VecDeque};
use std::path::Path;
use std::time::Duration;

use alloy_primitives::{B256, Bytes, Log, keccak256};
use glassbox_core::limits::{DEVNET_CALL_BYTES_MAX, DEVNET_MEMPOOL_MAX, DEVNET_UNDO_BLOCKS_MAX};

use super::machine::{self, Machine, Run, Stopped, Undo};
use super::operation::{Entry, Operation, header};
use super::transaction::Transaction;
use super::weather::{Fault, Sky};
use super::{ASSET, atomic};
use crate::chain::{Call, Standing, Submission, TransferEvent};
use crate::error::PayError;
use crate::evm::calls;
use crate::evm::reverts::{Moment, Purpose, read_revert};
use crate::journal::Journal;

/// Why an operation had no effect.
#[derive(Debug)]
pub(super) enum Refusal {
    /// The contract refused; nothing was written.
    Reverted(Bytes),
    /// No chain would take it; nothing was written.
    Invalid(String),
    /// The journal could not be written, so whether the operation will be there after a restart is not known.
    Broken(String),
}

pub(super) struct Node {
    machine: Machine,
    journal: Option<Journal>,
    /// Why nothing more is accepted: after a failed write, memory and disk may disagree until the next opening.
    broken: Option<String>,
    /// The blocks from number 1 on.
    blocks: Vec<MinedBlock>,
    /// The token's transfers, in order.
    transfers: Vec<TransferEvent>,
    /// The block of each transaction.
    transactions: HashMap<B256, u64>,
    /// The block of each submission.
    submitted: HashMap<String, u64>,
    /// What undoes the latest blocks, the latest last.
    undo: VecDeque<Option<Undo>>,
    pub(super) sky: Sky,
    /// What waits while the sky is stalled, in order.
    mempool: Vec<(String, Call)>,
}

/// A block: its time and the transaction in it, if there is one.
#[derive(Debug, Clone)]
pub(super) struct MinedBlock {
    pub(super) time_s: u64,
    pub(super) hash: B256,
    pub(super) mined: Option<Mined>,
}

/// A transaction in its block.
#[derive(Debug, Clone)]
pub(super) struct Mined {
    pub(super) transaction: Transaction,
    pub(super) logs: Vec<Log>,
    pub(super) gas_used: u64,
}

impl Node {
    /// Places the contracts and replays the journal.
    pub(super) fn open(path: Option<&Path>) -> Result<Self, PayError> {
        let mut node = Self {
            machine: Machine::genesis(),
            journal: None,
            broken: None,
            blocks: Vec::new(),
            transfers: Vec::new(),
            transactions: HashMap::new(),
            submitted: HashMap::new(),
            undo: VecDeque::new(),
            sky: Sky::default(),
            mempool: Vec::new(),
        };
        if let Some(path) = path {
            let (journal, entries) = Journal::open(path, &header())?;
            for (index, entry) in entries.into_iter().enumerate() {
                // The header is line 1.
                let damaged =
                    |reason| PayError::JournalDamaged { path: path.to_owned(), line: index + 2, reason };
                node.replay(entry).map_err(damaged)?;
            }
            node.journal = Some(journal);
        }
        Ok(node)
    }

    /// Returns the number of the latest block; there is none at first, and its number is 0.
    pub(super) fn height(&self) -> u64 {
        self.blocks.len() as u64
    }

    pub(super) fn machine(&self) -> &Machine {
        &self.machine
    }

    /// Returns a block by its number, from 1 on.
    pub(super) fn block(&self, number: u64) -> Option<&MinedBlock> {
        self.blocks.get(usize::try_from(number.checked_sub(1)?).ok()?)
    }

    /// Returns the hash of a block. Block 0 is the one in which the contracts were placed.
    pub(super) fn hash_of(&self, number: u64) -> B256 {
        self.block(number).map_or_else(|| keccak256("glassbox devnet"), |block| block.hash)
    }

    /// Returns the number of the block that holds a transaction.
    pub(super) fn block_of(&self, transaction: B256) -> Option<u64> {
        self.transactions.get(&transaction).copied()
    }

    /// Returns the events of a transaction, if a block holds it.
    pub(super) fn logs(&self, transaction: B256) -> Option<&[Log]> {
        let block = self.block(self.block_of(transaction)?)?;
        block.mined.as_ref().map(|mined| mined.logs.as_slice())
    }

    /// Returns the data of a transaction, if a block holds it.
    pub(super) fn input(&self, transaction: B256) -> Option<&Bytes> {
        let block = self.block(self.block_of(transaction)?)?;
        block.mined.as_ref().map(|mined| &mined.transaction.call.data)
    }

    pub(super) fn transfers(&self) -> &[TransferEvent] {
        &self.transfers
    }

    /// Returns the block that the next call sees.
    pub(super) fn next(&self, now_s: u64) -> machine::Block {
        machine::Block { number: self.height() + 1, time_s: self.time_of_next(now_s) }
    }

    /// Returns the time of the next block. It never runs backwards, whatever the clock does.
    pub(super) fn time_of_next(&self, now_s: u64) -> u64 {
        self.blocks.last().map_or(now_s, |latest| latest.time_s.max(now_s))
    }

    /// Returns why no further block can come.
    pub(super) fn broken(&self) -> Option<&str> {
        self.broken.as_deref()
    }

    pub(super) fn standing(&self, transaction: B256) -> Standing {
        match self.block_of(transaction) {
            None => Standing::Missing,
            Some(block) => {
                let confirmations = (self.height() + 1).saturating_sub(block);
                if confirmations >= self.sky.finality {
                    Standing::Final
                } else {
                    Standing::Mined { block, confirmations }
                }
            }
        }
    }

    /// Submits a call, or tells again what became of it. The second answer is how late the first is to arrive.
    pub(super) fn submit(&mut self, id: &str, call: &Call, now_s: u64) -> (Submission, Option<Duration>) {
        if let Some(&block) = self.submitted.get(id) {
            return (self.mined(block), None);
        }
        let fault = self.sky.faults.pop_front();
        let submission = match fault {
            Some(Fault::Drop) => unknown("the transaction was dropped"),
            _ if self.sky.stalled => self.wait(id, call, now_s),
            _ => self.mine(id, call, now_s),
        };
        (submission, fault.and_then(Fault::delay))
    }

    fn mine(&mut self, id: &str, call: &Call, now_s: u64) -> Submission {
        match self.execute(Operation::call(id, call), now_s) {
            Ok(block) => self.mined(block),
            Err(Refusal::Reverted(output)) => Submission::Reverted { output },
            Err(Refusal::Invalid(reason)) => {
                tracing::warn!(%reason, "The devnet does not take such a call");
                Submission::Reverted { output: Bytes::new() }
            }
            Err(Refusal::Broken(reason)) => unknown(reason),
        }
    }

    /// Keeps a call that would take effect until the mempool is released.
    fn wait(&mut self, id: &str, call: &Call, now_s: u64) -> Submission {
        if let Err(Stopped::Reverted(output)) = self.machine.run(call, self.next(now_s)) {
            return Submission::Reverted { output };
        }
        if self.mempool.len() < DEVNET_MEMPOOL_MAX && self.mempool.iter().all(|(waiting, _)| waiting != id) {
            self.mempool.push((id.to_owned(), call.clone()));
        }
        unknown("the transaction waits in the mempool")
    }

    /// Mines what waits, in order. What reverts by now is forgotten.
    pub(super) fn release(&mut self, now_s: u64) {
        self.sky.stalled = false;
        for (id, call) in std::mem::take(&mut self.mempool) {
            let _forgotten = self.mine(&id, &call, now_s);
        }
    }

    fn mined(&self, number: u64) -> Submission {
        match self.block(number).and_then(|block| block.mined.as_ref()) {
            Some(mined) => Submission::Mined {
                transaction: mined.transaction.hash,
                block: number,
                logs: mined.logs.clone(),
            },
            None => unknown("its block is gone"),
        }
    }

    /// Runs an operation, writes it down, and lets it take effect. Returns the number of its block, the latest.
    pub(super) fn execute(&mut self, operation: Operation, now_s: u64) -> Result<u64, Refusal> {
        if let Some(reason) = &self.broken {
            return Err(Refusal::Broken(reason.clone()));
        }
        let block = self.next(now_s);
        let effect = self.run(&operation, block)?;
        self.write(&Entry { block: block.number, time_s: block.time_s, operation })?;
        self.take_effect(effect, block);
        Ok(self.height())
    }

    fn replay(&mut self, entry: Entry) -> Result<(), String> {
        let block = machine::Block { number: entry.block, time_s: entry.time_s };
        if block.number != self.height() + 1 || self.time_of_next(block.time_s) != block.time_s {
            return Err(format!("block {} at {} does not follow", block.number, block.time_s));
        }
        let effect = self.run(&entry.operation, block).map_err(|refusal| match refusal {
            Refusal::Reverted(output) => {
                read_revert(Purpose::Transfer, Moment::Submitted, &output).to_string()
            }
            Refusal::Invalid(reason) | Refusal::Broken(reason) => reason,
        })?;
        self.take_effect(effect, block);
        Ok(())
    }

    fn run(&self, operation: &Operation, block: machine::Block) -> Result<Effect, Refusal> {
        let transaction = match operation {
            Operation::Idle { blocks } if *blocks <= DEVNET_UNDO_BLOCKS_MAX as u64 => {
                return Ok(Effect::Idle(*blocks));
            }
            Operation::Undo { blocks } if *blocks <= self.undo.len() as u64 => {
                return Ok(Effect::Undo(*blocks));
            }
            Operation::Idle { .. } | Operation::Undo { .. } => {
                return Err(Refusal::Invalid("so many blocks are too many at once".to_owned()));
            }
            _ => Transaction::of(operation, block.number).map_err(Refusal::Invalid)?,
        };
        if transaction.call.data.len() > DEVNET_CALL_BYTES_MAX {
            return Err(Refusal::Invalid(format!("a call has at most {DEVNET_CALL_BYTES_MAX} bytes")));
        }
        if let Some(nonce) = transaction.nonce {
            let next = self.machine.account(transaction.call.from).nonce;
            let low_or_high = if nonce < next { "low" } else { "high" };
            if nonce != next {
                return Err(Refusal::Invalid(format!(
                    "nonce too {low_or_high}: it is {nonce}, and the next is {next}"
                )));
            }
        }
        let run = self.machine.run(&transaction.call, block).map_err(|stopped| match stopped {
            Stopped::Reverted(output) => Refusal::Reverted(output),
            Stopped::Invalid(reason) => Refusal::Invalid(reason),
        })?;
        let transfers = self.transfers_of(&transaction, &run.logs, block)?;
        Ok(Effect::Mine { transaction: Box::new(transaction), run, transfers })
    }

    fn write(&mut self, entry: &Entry) -> Result<(), Refusal> {
        let Some(journal) = &mut self.journal else { return Ok(()) };
        // Set before the write, so that a panic in between leaves the chain closed too.
        self.broken = Some("a write did not finish".to_owned());
        if let Err(error) = journal.append(entry) {
            let reason = error.to_string();
            tracing::error!(error = %reason, "Closed the devnet: its journal cannot be written");
            self.broken = Some(reason.clone());
            return Err(Refusal::Broken(reason));
        }
        self.broken = None;
        Ok(())
    }

    fn take_effect(&mut self, effect: Effect, block: machine::Block) {
        match effect {
            Effect::Idle(blocks) => (0..blocks).for_each(|_| self.append(block.time_s, None, None)),
            Effect::Undo(blocks) => (0..blocks).for_each(|_| self.undo_block()),
            Effect::Mine { transaction, run, transfers } => {
                self.transactions.insert(transaction.hash, block.number);
                if let Some(id) = &transaction.id {
                    self.submitted.insert(id.clone(), block.number);
                }
                self.transfers.extend(transfers);
                let (state, logs, gas_used) = run.into_parts();
                let undo = self.machine.commit(state);
                let mined = Mined { transaction: *transaction, logs, gas_used };
                self.append(block.time_s, Some(mined), Some(undo));
            }
        }
    }

    fn append(&mut self, time_s: u64, mined: Option<Mined>, undo: Option<Undo>) {
        let parent = self.hash_of(self.height());
        let transaction = mined.as_ref().map_or(B256::ZERO, |mined| mined.transaction.hash);
        let number = self.height() + 1;
        let hash = keccak256(
            [&parent[..], &number.to_be_bytes(), &time_s.to_be_bytes(), transaction.as_slice()].concat(),
        );
        self.blocks.push(MinedBlock { time_s, hash, mined });
        self.undo.push_back(undo);
        if self.undo.len() > DEVNET_UNDO_BLOCKS_MAX {
            self.undo.pop_front();
        }
    }

    fn undo_block(&mut self) {
        let Some(block) = self.blocks.pop() else { return };
        if let Some(undo) = self.undo.pop_back().flatten() {
            self.machine.undo(undo);
        }
        if let Some(mined) = block.mined {
            self.transactions.remove(&mined.transaction.hash);
            if let Some(id) = &mined.transaction.id {
                self.submitted.remove(id);
            }
        }
        let kept = self.transfers.partition_point(|transfer| transfer.block <= self.blocks.len() as u64);
        self.transfers.truncate(kept);
    }

    fn transfers_of(
        &self,
        transaction: &Transaction,
        logs: &[Log],
        block: machine::Block,
    ) -> Result<Vec<TransferEvent>, Refusal> {
        calls::read_transfers(ASSET, logs)
            .map(|transfer| {
                Ok(TransferEvent {
                    transaction: transaction.hash,
                    block: block.number,
                    time_s: block.time_s,
                    from: transfer.from,
                    to: transfer.to,
                    amount: atomic(transfer.value)?,
                })
            })
            .collect::<Result<_, PayError>>()
            .map_err(|error| Refusal::Invalid(error.to_string()))
    }
}

/// What an operation does once it is written down.
enum Effect {
    Mine { transaction: Box<Transaction>, run: Run, transfers: Vec<TransferEvent> },
    Idle(u64),
    Undo(u64),
}

fn unknown(detail: impl Into<String>) -> Submission {
    Submission::Unknown { detail: detail.into() }
}
