//! What Permit2 checks: a transfer by its spender, bound to what the spender's contract will do with it.
//!
//! See Uniswap's `SignatureTransfer`, `permitWitnessTransferFrom`.

use alloy_primitives::{Address, B256, U256, keccak256};

use super::{Words, digest};
use crate::evm::addresses::PERMIT2;

/// The type of Permit2's domain, which has no version.
const DOMAIN_TYPE: &str = "EIP712Domain(string name,uint256 chainId,address verifyingContract)";

const TOKEN_TYPE: &str = "TokenPermissions(address token,uint256 amount)";

/// A transfer as Permit2 signs it, beside its witness.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PermitTransfer {
    /// The token.
    pub token: Address,
    /// The most that may be moved, in atomic units.
    pub amount: U256,
    /// The contract that may move it.
    pub spender: Address,
    /// A number that no other transfer of this payer has.
    pub nonce: U256,
    /// The last Unix second at which it is taken.
    pub deadline: U256,
}

/// What the spender's contract is bound to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Witness {
    /// `exact`: it pays `to`, not before `valid_after`.
    Exact {
        /// The payee.
        to: Address,
        /// The first Unix second at which it is taken.
        valid_after: U256,
    },
    /// `upto`: it pays `to` what `facilitator` says, not before `valid_after`.
    Upto {
        /// The payee.
        to: Address,
        /// Who alone may submit it.
        facilitator: Address,
        /// The first Unix second at which it is taken.
        valid_after: U256,
    },
    /// `batch-settlement`: it goes into the channel.
    Deposit {
        /// The channel's id.
        channel_id: B256,
    },
}

/// Returns the hash that the payer signs.
pub fn permit_transfer_digest(chain_id: u64, transfer: &PermitTransfer, witness: &Witness) -> B256 {
    let mut token = Words::of(keccak256(TOKEN_TYPE));
    token.push(transfer.token.into_word());
    token.push(transfer.amount.into());

    let (witness_name, witness_type) = witness.type_texts();
    // Referenced types follow in alphabetical order; `DepositWitness` comes before `TokenPermissions`.
    let (first, second) = if witness_name < "TokenPermissions" {
        (witness_type, TOKEN_TYPE)
    } else {
        (TOKEN_TYPE, witness_type)
    };
    let type_text = format!(
        "PermitWitnessTransferFrom(TokenPermissions permitted,address spender,uint256 nonce,uint256 deadline,\
         {witness_name} witness){first}{second}"
    );
    let mut words = Words::of(keccak256(type_text));
    words.push(token.hash());
    words.push(transfer.spender.into_word());
    words.push(transfer.nonce.into());
    words.push(transfer.deadline.into());
    words.push(witness.hash());
    digest(domain_separator(chain_id), words.hash())
}

fn domain_separator(chain_id: u64) -> B256 {
    let mut words = Words::of(keccak256(DOMAIN_TYPE));
    words.push(keccak256("Permit2"));
    words.push(U256::from(chain_id).into());
    words.push(PERMIT2.into_word());
    words.hash()
}

impl Witness {
    fn type_texts(&self) -> (&'static str, &'static str) {
        match self {
            Self::Exact { .. } => ("Witness", "Witness(address to,uint256 validAfter)"),
            Self::Upto { .. } => ("Witness", "Witness(address to,address facilitator,uint256 validAfter)"),
            Self::Deposit { .. } => ("DepositWitness", "DepositWitness(bytes32 channelId)"),
        }
    }

    fn hash(&self) -> B256 {
        let mut words = Words::of(keccak256(self.type_texts().1));
        match self {
            Self::Exact { to, valid_after } => {
                words.push(to.into_word());
                words.push((*valid_after).into());
            }
            Self::Upto { to, facilitator, valid_after } => {
                words.push(to.into_word());
                words.push(facilitator.into_word());
                words.push((*valid_after).into());
            }
            Self::Deposit { channel_id } => words.push(*channel_id),
        }
        words.hash()
    }
}
