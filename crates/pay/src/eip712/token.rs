//! What a token checks itself: the transfers of EIP-3009 and the allowance of EIP-2612.

use alloy_primitives::{Address, B256, U256, keccak256};

use super::{Domain, Words, digest, domain_separator};

/// The type of a transfer that anybody may submit.
const TRANSFER_TYPE: &str = "TransferWithAuthorization(address from,address to,uint256 value,uint256 validAfter,\
                             uint256 validBefore,bytes32 nonce)";

/// The type of a transfer that only its payee may submit.
const RECEIVE_TYPE: &str = "ReceiveWithAuthorization(address from,address to,uint256 value,uint256 validAfter,\
                            uint256 validBefore,bytes32 nonce)";

const PERMIT_TYPE: &str =
    "Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)";

/// A transfer as EIP-3009 signs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transfer {
    /// The payer.
    pub from: Address,
    /// The payee.
    pub to: Address,
    /// The amount in atomic units.
    pub value: U256,
    /// The Unix second after which it is valid.
    pub valid_after: U256,
    /// The Unix second before which it is valid.
    pub valid_before: U256,
    /// 32 bytes that no other authorization of this payer has.
    pub nonce: B256,
}

/// An allowance as EIP-2612 signs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Permit {
    /// Whose tokens.
    pub owner: Address,
    /// Who may move them.
    pub spender: Address,
    /// How many, in atomic units.
    pub value: U256,
    /// How many permits the owner has used up before.
    pub nonce: U256,
    /// The last Unix second at which it is taken.
    pub deadline: U256,
}

/// Returns the hash that the payer signs so that anybody may submit the transfer.
pub fn transfer_digest(domain: &Domain, transfer: &Transfer) -> B256 {
    digest(domain_separator(domain), transfer_hash(TRANSFER_TYPE, transfer))
}

/// Returns the hash that the payer signs so that only the payee may submit the transfer.
pub fn receive_digest(domain: &Domain, transfer: &Transfer) -> B256 {
    digest(domain_separator(domain), transfer_hash(RECEIVE_TYPE, transfer))
}

/// Returns the hash that the owner signs.
pub fn permit_digest(domain: &Domain, permit: &Permit) -> B256 {
    let mut words = Words::of(keccak256(PERMIT_TYPE));
    words.push(permit.owner.into_word());
    words.push(permit.spender.into_word());
    words.push(permit.value.into());
    words.push(permit.nonce.into());
    words.push(permit.deadline.into());
    digest(domain_separator(domain), words.hash())
}

fn transfer_hash(type_text: &str, transfer: &Transfer) -> B256 {
    let mut words = Words::of(keccak256(type_text));
    words.push(transfer.from.into_word());
    words.push(transfer.to.into_word());
    words.push(transfer.value.into());
    words.push(transfer.valid_after.into());
    words.push(transfer.valid_before.into());
    words.push(transfer.nonce);
    words.hash()
}
