//! The machine: contracts, what they have stored, and how calls to them run.
//!
//! It knows no blocks and no journal. A run has no effect until it is committed, and what is committed can be undone.

use alloy_primitives::{Address, Bytes, Log, U256, address, hex};
use glassbox_core::limits::DEVNET_GAS_MAX;
use revm::context::TxEnv;
use revm::context::result::ExecutionResult;
use revm::database::{CacheDB, EmptyDB};
use revm::state::{AccountInfo, Bytecode, EvmState};
use revm::{Context, DatabaseCommit, DatabaseRef, ExecuteEvm, MainBuilder, MainContext};

use super::{ASSET, NETWORK};
use crate::chain::Call;
use crate::evm::addresses;

/// The compiled contract of that name in `contracts/`.
macro_rules! compiled {
    ($name:literal) => {
        include_str!(concat!("../../../../contracts/", $name, ".bin-runtime"))
    };
}

/// What stands at which address from the beginning. The addresses are those that every SDK has written into it.
const CONTRACTS: [(Address, &str); 8] = [
    (ASSET, compiled!("token")),
    (addresses::PERMIT2, compiled!("permit2")),
    (addresses::EXACT_PERMIT2_PROXY, compiled!("exact_proxy")),
    (addresses::UPTO_PERMIT2_PROXY, compiled!("upto_proxy")),
    (addresses::BATCH_SETTLEMENT, compiled!("batch")),
    (addresses::ERC3009_DEPOSIT_COLLECTOR, compiled!("erc3009_collector")),
    (addresses::PERMIT2_DEPOSIT_COLLECTOR, compiled!("permit2_collector")),
    (addresses::MULTICALL3, compiled!("multicall3")),
];

/// Who may mint. The chain is ours and checks no signature of a caller, so there is no key to it.
pub(super) const MINTER: Address = address!("00000000000000000000000000676c6173736d31");

pub(super) struct Machine {
    state: CacheDB<EmptyDB>,
}

/// The block that a call sees.
#[derive(Debug, Clone, Copy)]
pub(super) struct Block {
    pub(super) number: u64,
    pub(super) time_s: u64,
}

/// A call that has been run and has not taken effect.
pub(super) struct Run {
    state: EvmState,
    pub(super) logs: Vec<Log>,
    pub(super) output: Bytes,
    pub(super) gas_used: u64,
}

/// Why a call came to nothing.
#[derive(Debug)]
pub(super) enum Stopped {
    /// The contract refused, or ran into an error, which has no words.
    Reverted(Bytes),
    /// No chain would take such a call.
    Invalid(String),
}

/// What there was before a run took effect.
pub(super) struct Undo(Vec<Before>);

struct Before {
    address: Address,
    account: AccountInfo,
    slots: Vec<(U256, U256)>,
}

impl Machine {
    /// Makes the state of block 0: the contracts, and who may mint in the token's slot 0.
    pub(super) fn genesis() -> Self {
        let mut machine = Self { state: CacheDB::new(EmptyDB::default()) };
        for (address, code) in CONTRACTS {
            machine.place(address, code);
        }
        machine.store(ASSET, U256::ZERO, U256::from_be_bytes(MINTER.into_word().0));
        machine
    }

    /// Places a contract. Its code is part of the binary.
    fn place(&mut self, address: Address, code: &str) {
        let code = hex::decode(code.trim()).expect("compiled contracts are hex");
        self.state.insert_account_info(address, AccountInfo::from_bytecode(Bytecode::new_raw(code.into())));
    }

    fn store(&mut self, address: Address, slot: U256, value: U256) {
        match self.state.insert_account_storage(address, slot, value) {
            Ok(()) => {}
            Err(never) => match never {},
        }
    }

    /// Runs a call without effect.
    pub(super) fn run(&self, call: &Call, block: Block) -> Result<Run, Stopped> {
        let call = TxEnv::builder()
            .caller(call.from)
            .call(call.to)
            .data(call.data.clone())
            .gas_limit(DEVNET_GAS_MAX)
            .chain_id(Some(NETWORK.chain_id))
            .build_fill();
        // Built anew for each call: it holds an `Rc` and cannot wait in a shared state.
        let mut evm = Context::mainnet()
            .with_ref_db(&self.state)
            .modify_cfg_chained(|cfg| {
                cfg.chain_id = NETWORK.chain_id;
                // The node counts the transactions of those who sign; submissions are told apart by their ids.
                cfg.disable_nonce_check = true;
            })
            .modify_block_chained(|env| {
                env.number = U256::from(block.number);
                env.timestamp = U256::from(block.time_s);
            })
            .build_mainnet();
        let done = evm.transact(call).map_err(|error| Stopped::Invalid(error.to_string()))?;
        match done.result {
            ExecutionResult::Success { logs, output, gas, .. } => {
                Ok(Run { state: done.state, logs, output: output.into_data(), gas_used: gas.tx_gas_used() })
            }
            ExecutionResult::Revert { output, .. } => Err(Stopped::Reverted(output)),
            ExecutionResult::Halt { .. } => Err(Stopped::Reverted(Bytes::new())),
        }
    }

    /// Lets a run take effect, and returns what undoes it.
    pub(super) fn commit(&mut self, run: EvmState) -> Undo {
        let before =
            run.iter().filter(|(_, account)| account.is_touched()).map(|(&address, account)| Before {
                address,
                account: self.account(address),
                slots: account.storage.keys().map(|&slot| (slot, self.slot(address, slot))).collect(),
            });
        let undo = Undo(before.collect());
        self.state.commit(run);
        undo
    }

    /// Takes back what was committed last.
    pub(super) fn undo(&mut self, undo: Undo) {
        for Before { address, account, slots } in undo.0 {
            self.state.insert_account_info(address, account);
            for (slot, value) in slots {
                self.store(address, slot, value);
            }
        }
    }

    /// Returns an account's balance, nonce and code; an empty one if there is none.
    pub(super) fn account(&self, address: Address) -> AccountInfo {
        match self.state.basic_ref(address) {
            Ok(account) => account.unwrap_or_default(),
            Err(never) => match never {},
        }
    }

    /// Returns an account's code; nothing where there is no contract.
    pub(super) fn code(&self, address: Address) -> Bytes {
        match self.state.code_by_hash_ref(self.account(address).code_hash) {
            Ok(code) => code.original_bytes(),
            Err(never) => match never {},
        }
    }

    /// Returns what a contract has stored in a slot.
    pub(super) fn slot(&self, address: Address, slot: U256) -> U256 {
        match self.state.storage_ref(address, slot) {
            Ok(value) => value,
            Err(never) => match never {},
        }
    }
}

impl Run {
    /// Takes the run apart: what it changes, and what it told.
    pub(super) fn into_parts(self) -> (EvmState, Vec<Log>, u64) {
        (self.state, self.logs, self.gas_used)
    }
}
