//! What can go wrong on our own side of a payment. What is wrong with a payment itself is a
//! [`Rejection`](crate::Rejection).

use std::io;
use std::path::PathBuf;

use alloy_primitives::{Address, U256};
use glassbox_core::Atomic;

use crate::keystore::KeystoreError;

/// Says why something of ours (a key, a file, the devnet) could not be used.
#[derive(Debug, thiserror::Error)]
pub enum PayError {
    /// The text is not a CAIP-2 id of an EVM network.
    #[error("`{0}` is not an EVM network; write `eip155:` and the chain id")]
    Network(String),
    /// The text is not a payment key.
    #[error("`{0}` is not a payment key")]
    PaymentKey(String),
    /// The text is not a secp256k1 private key. The text itself is never shown.
    #[error("the private key is not 32 bytes of hex within the range of secp256k1")]
    PrivateKey,
    /// The operating system gave no random bytes.
    #[error("no random bytes from the operating system")]
    Random,
    /// The wallet cannot pay what is asked.
    #[error("cannot sign a payment: {0}")]
    Unpayable(String),
    /// A file could not be read or written.
    #[error("cannot {action} `{path}`")]
    File {
        /// What was attempted, as a verb.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// The file is not a wallet of ours.
    #[error("cannot use the wallet file `{path}`: {reason}")]
    WalletFile {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The file is a keystore that cannot be read or opened.
    #[error("cannot use the wallet file `{path}`")]
    Keystore {
        /// The file.
        path: PathBuf,
        /// What is wrong with it, or with the password.
        #[source]
        source: KeystoreError,
    },
    /// Somebody else holds the journal open.
    #[error("the journal `{0}` is in use by another process")]
    JournalInUse(PathBuf),
    /// The journal is damaged before its last line, so it cannot be trusted.
    #[error("the journal `{path}` is damaged at line {line}: {reason}")]
    JournalDamaged {
        /// The journal.
        path: PathBuf,
        /// The line, counted from 1.
        line: usize,
        /// What is wrong with it.
        reason: String,
    },
    /// A write to the journal failed earlier, so nothing more is accepted until it is opened again.
    #[error("the journal could not be written earlier: {0}; hint: make room for it and start again")]
    JournalBroken(String),
    /// The faucet gives something, and less at a time.
    #[error("the faucet gives at most ${} at a time", Atomic(*amount_max).to_decimal())]
    FaucetAmount {
        /// The most it gives.
        amount_max: u128,
    },
    /// The chain refused a call that we made ourselves.
    #[error("the devnet refused the call: {0}")]
    Devnet(String),
    /// Who submits cannot pay for gas.
    #[error("{account} has {has} wei for gas and needs {needs}; hint: send it some of the chain's coin")]
    GasLow {
        /// Who submits.
        account: Address,
        /// What it has.
        has: U256,
        /// What is needed before new work is begun.
        needs: U256,
    },
    /// The node is one of another chain.
    #[error("the node is on chain {chain_id}, and the configuration says {named}")]
    WrongChain {
        /// The node's chain.
        chain_id: u64,
        /// The chain that was expected.
        named: u64,
    },
    /// The chain may be one on which money is real, and nobody said that this is meant.
    #[error(
        "chain {chain_id} is no known test network; hint: name its chain id in the configuration to use it"
    )]
    RealMoney {
        /// The node's chain.
        chain_id: u64,
    },
    /// A facilitator or a chain could not be asked.
    #[error("it could not be asked: {0}")]
    Unavailable(String),
}
