//! The chain itself: state, blocks, receipts, and what was settled already.
//!
//! One operation at a time: it is run without effect, written to the journal, and only then takes effect. So the
//! journal never holds an operation that failed, and no effect is lost.

use std::collections::HashMap;
use std::path::Path;

use alloy_primitives::{Address, B256, Bytes, Log, U256, address, hex, keccak256};
use glassbox_core::Atomic;
use revm::context::TxEnv;
use revm::context::result::ExecutionResult;
use revm::database::{CacheDB, EmptyDB};
use revm::state::{AccountInfo, Bytecode, EvmState};
use revm::{Context, DatabaseCommit, ExecuteEvm, MainBuilder, MainContext};

use super::journal::{Entry, Journal, Operation};
use super::{ASSET, NETWORK, TransferEvent, abi, atomic};
use crate::error::PayError;
use crate::exact::{Authorization, PaymentKey};
use crate::facilitator::{Rejection, Settlement};
use crate::x402::ErrorCode;
use glassbox_core::limits::DEVNET_GAS_MAX;

/// The compiled `contracts/token.sol`.
const TOKEN_CODE: &str = include_str!("../../../../contracts/token.bin-runtime");

/// Who may mint. The chain is ours and checks no signature of a caller, so there is no key to it.
const MINTER: Address = address!("00000000000000000000000000676c6173736d31");

/// Who submits payments; anybody could.
const SETTLER: Address = address!("00000000000000000000000000676c6173737331");

/// Why an operation had no effect.
#[derive(Debug)]
pub(super) enum Refusal {
    /// The token refused; nothing was written.
    Reverted(Rejection),
    /// The journal could not be written, so whether the operation will be there after a restart is not known.
    Broken(String),
}

pub(super) struct Chain {
    state: CacheDB<EmptyDB>,
    journal: Option<Journal>,
    /// Why nothing more is accepted: after a failed write, memory and disk may disagree until the next opening.
    broken: Option<String>,
    time_s: u64,
    transfers: Vec<TransferEvent>,
    receipts: HashMap<B256, usize>,
    settled: HashMap<PaymentKey, (Terms, usize)>,
    paid_out: HashMap<String, usize>,
}

/// What one payment key stands for; a second authorization under the same key differs in one of these.
#[derive(Debug, PartialEq, Eq)]
struct Terms {
    to: Address,
    amount: Atomic,
    valid_after: U256,
    valid_before: U256,
}

impl Terms {
    fn of(authorization: &Authorization) -> Self {
        Self {
            to: authorization.to,
            amount: authorization.amount,
            valid_after: authorization.valid_after,
            valid_before: authorization.valid_before,
        }
    }
}

/// A call to the token that has been run and not taken effect.
struct Run {
    state: EvmState,
    logs: Vec<Log>,
    output: Bytes,
}

impl Chain {
    /// Places the token and replays the journal.
    pub(super) fn open(path: Option<&Path>) -> Result<Self, PayError> {
        let mut chain = Self {
            state: genesis(),
            journal: None,
            broken: None,
            time_s: 0,
            transfers: Vec::new(),
            receipts: HashMap::new(),
            settled: HashMap::new(),
            paid_out: HashMap::new(),
        };
        if let Some(path) = path {
            let (journal, entries) = Journal::open(path)?;
            for (index, entry) in entries.into_iter().enumerate() {
                // The header is line 1.
                let damaged =
                    |reason| PayError::JournalDamaged { path: path.to_owned(), line: index + 2, reason };
                chain.replay(&entry).map_err(damaged)?;
            }
            chain.journal = Some(journal);
        }
        Ok(chain)
    }

    pub(super) fn block(&self) -> u64 {
        // Each operation is its own block and makes one transfer.
        self.transfers.len() as u64
    }

    pub(super) fn transfers(&self) -> &[TransferEvent] {
        &self.transfers
    }

    pub(super) fn receipt(&self, transaction: B256) -> Option<&TransferEvent> {
        self.receipts.get(&transaction).map(|&index| &self.transfers[index])
    }

    /// Asks the token for a number.
    pub(super) fn read(&self, data: Bytes) -> Result<Atomic, PayError> {
        let run = self
            .run(SETTLER, data, self.time_s)
            .map_err(|rejection| PayError::Devnet(rejection.to_string()))?;
        let number = abi::read_number(&run.output);
        atomic(number.ok_or_else(|| PayError::Devnet("the token answered no number".to_owned()))?)
    }

    /// Runs a payment without effect.
    pub(super) fn try_settle(&self, authorization: &Authorization, now_s: u64) -> Result<(), Rejection> {
        // Nothing can be settled any more, so nothing must be run for it.
        if self.broken.is_some() {
            let message = "the devnet cannot write its journal";
            return Err(Rejection::new(ErrorCode::UnexpectedVerifyError, message));
        }
        let (caller, data) = Operation::settle(authorization).call().map_err(unexpected)?;
        self.run(caller, data, self.time_of_next(now_s)).map(|_| ()).map_err(|mut rejection| {
            rejection.code = match rejection.code {
                ErrorCode::TransactionFailed => ErrorCode::SimulationFailed,
                ErrorCode::UnexpectedSettleError => ErrorCode::UnexpectedVerifyError,
                code => code,
            };
            rejection
        })
    }

    /// Settles a payment, or tells again how it was settled.
    pub(super) fn settle(&mut self, authorization: &Authorization, now_s: u64) -> Settlement {
        match self.settled.get(&authorization.key) {
            Some((terms, index)) if *terms == Terms::of(authorization) => settled(&self.transfers[*index]),
            Some(_) => {
                let message = "the nonce was spent on another transfer";
                Settlement::rejected(ErrorCode::NonceAlreadyUsed, message)
            }
            None => outcome(self.execute(&Operation::settle(authorization), now_s)),
        }
    }

    /// Pays out, or tells again how it was paid out.
    pub(super) fn pay_out(
        &mut self,
        id: &str,
        treasury: Address,
        to: Address,
        amount: Atomic,
        now_s: u64,
    ) -> Settlement {
        if let Some(&index) = self.paid_out.get(id) {
            let transfer = &self.transfers[index];
            return if transfer.to == to && transfer.amount == amount {
                settled(transfer)
            } else {
                let message = format!("the pay-out `{id}` was {} to {}", transfer.amount, transfer.to);
                Settlement::rejected(ErrorCode::InvalidTransactionState, message)
            };
        }
        let (from, to) = (treasury.to_checksum(None), to.to_checksum(None));
        outcome(self.execute(&Operation::PayOut { id: id.to_owned(), from, to, amount }, now_s))
    }

    /// Runs an operation, writes it down, and lets it take effect.
    pub(super) fn execute(&mut self, operation: &Operation, now_s: u64) -> Result<TransferEvent, Refusal> {
        if let Some(reason) = &self.broken {
            return Err(Refusal::Broken(reason.clone()));
        }
        let time_s = self.time_of_next(now_s);
        let (caller, data) = operation.call().map_err(|reason| Refusal::Reverted(unexpected(reason)))?;
        let run = self.run(caller, data.clone(), time_s).map_err(Refusal::Reverted)?;
        let event = self
            .event(&run, caller, &data, time_s)
            .map_err(|reason| Refusal::Reverted(unexpected(reason)))?;
        if let Some(journal) = &mut self.journal {
            // Set before the write, so that a panic in between leaves the chain closed too.
            self.broken = Some("a write did not finish".to_owned());
            let entry = Entry { block: event.block, time_s, operation: operation.clone() };
            if let Err(error) = journal.append(&entry) {
                let reason = error.to_string();
                tracing::error!(error = %reason, "Closed the devnet: its journal cannot be written");
                self.broken = Some(reason.clone());
                return Err(Refusal::Broken(reason));
            }
            self.broken = None;
        }
        self.take_effect(operation, run.state, event.clone());
        Ok(event)
    }

    fn replay(&mut self, entry: &Entry) -> Result<(), String> {
        let (caller, data) = entry.operation.call()?;
        let run = self.run(caller, data.clone(), entry.time_s).map_err(|rejection| rejection.to_string())?;
        let event = self.event(&run, caller, &data, entry.time_s)?;
        if entry.block != event.block || entry.time_s < self.time_s {
            return Err(format!("block {} at {} does not follow", entry.block, entry.time_s));
        }
        self.take_effect(&entry.operation, run.state, event);
        Ok(())
    }

    fn take_effect(&mut self, operation: &Operation, state: EvmState, event: TransferEvent) {
        let index = self.transfers.len();
        match operation {
            Operation::Mint { .. } => {}
            Operation::PayOut { id, .. } => {
                self.paid_out.insert(id.clone(), index);
            }
            Operation::Settle { .. } => {
                let authorization = operation.authorization().expect("it was read when it was run");
                let terms = Terms::of(&authorization);
                self.settled.insert(authorization.key, (terms, index));
            }
        }
        self.state.commit(state);
        self.time_s = event.time_s;
        self.receipts.insert(event.transaction, index);
        self.transfers.push(event);
    }

    /// Runs a call to the token without effect.
    fn run(&self, caller: Address, data: Bytes, time_s: u64) -> Result<Run, Rejection> {
        let call = TxEnv::builder()
            .caller(caller)
            .call(ASSET)
            .data(data)
            .gas_limit(DEVNET_GAS_MAX)
            .chain_id(Some(NETWORK.chain_id))
            .build_fill();
        // The machine is built anew for each call: it holds an `Rc` and cannot wait in a shared state.
        let mut evm = Context::mainnet()
            .with_ref_db(&self.state)
            .modify_cfg_chained(|cfg| {
                cfg.chain_id = NETWORK.chain_id;
                // Idempotency is by payment key and pay-out id; nobody counts the callers' transactions.
                cfg.disable_nonce_check = true;
            })
            .modify_block_chained(|block| {
                block.number = U256::from(self.block() + 1);
                block.timestamp = U256::from(time_s);
            })
            .build_mainnet();
        let done = evm.transact(call).map_err(|error| unexpected(error.to_string()))?;
        match done.result {
            ExecutionResult::Success { logs, output, .. } => {
                Ok(Run { state: done.state, logs, output: output.into_data() })
            }
            ExecutionResult::Revert { output, .. } => Err(abi::read_revert(&output)),
            ExecutionResult::Halt { reason, .. } => {
                Err(Rejection::new(ErrorCode::TransactionFailed, format!("the token stopped: {reason:?}")))
            }
        }
    }

    fn event(&self, run: &Run, caller: Address, data: &[u8], time_s: u64) -> Result<TransferEvent, String> {
        let (from, to, value) = abi::read_transfer(&run.logs).ok_or("the token made no transfer")?;
        let block = self.block() + 1;
        Ok(TransferEvent {
            transaction: transaction_hash(block, caller, data),
            block,
            time_s,
            from,
            to,
            amount: atomic(value).map_err(|error| error.to_string())?,
        })
    }

    /// Returns the time of the next block. It never runs backwards, whatever the clock does.
    fn time_of_next(&self, now_s: u64) -> u64 {
        now_s.max(self.time_s)
    }
}

impl Operation {
    /// Returns who calls the token with what.
    fn call(&self) -> Result<(Address, Bytes), String> {
        let account = |text: &str| text.parse::<Address>().map_err(|error| format!("`{text}`: {error}"));
        Ok(match self {
            Self::Mint { to, amount } => (MINTER, abi::mint(account(to)?, U256::from(amount.0))),
            Self::PayOut { from, to, amount, .. } => {
                (account(from)?, abi::transfer(account(to)?, U256::from(amount.0)))
            }
            Self::Settle { .. } => {
                let authorization = self.authorization()?;
                (
                    SETTLER,
                    abi::transfer_with_authorization(&authorization.transfer(), &authorization.signature),
                )
            }
        })
    }
}

/// Returns the state of block 0: the token at its address, and who may mint in its slot 0.
fn genesis() -> CacheDB<EmptyDB> {
    let code = hex::decode(TOKEN_CODE.trim()).expect("the compiled token is hex");
    let mut state = CacheDB::new(EmptyDB::default());
    state.insert_account_info(ASSET, AccountInfo::from_bytecode(Bytecode::new_raw(code.into())));
    match state.insert_account_storage(ASSET, U256::ZERO, U256::from_be_bytes(MINTER.into_word().0)) {
        Ok(()) => state,
        Err(never) => match never {},
    }
}

/// Returns the hash of a transaction that has no signature: over what makes it the one it is.
fn transaction_hash(block: u64, caller: Address, data: &[u8]) -> B256 {
    let chain_id = NETWORK.chain_id.to_be_bytes();
    keccak256([&b"glassbox devnet"[..], &chain_id, &block.to_be_bytes(), caller.as_slice(), data].concat())
}

fn settled(transfer: &TransferEvent) -> Settlement {
    Settlement::Settled {
        transaction: transfer.transaction,
        payer: transfer.from,
        amount: transfer.amount,
        block: transfer.block,
    }
}

fn outcome(executed: Result<TransferEvent, Refusal>) -> Settlement {
    match executed {
        Ok(transfer) => settled(&transfer),
        Err(Refusal::Reverted(rejection)) => Settlement::Rejected(rejection),
        Err(Refusal::Broken(reason)) => Settlement::Unknown { detail: reason },
    }
}

fn unexpected(reason: String) -> Rejection {
    Rejection::new(ErrorCode::UnexpectedSettleError, reason)
}
