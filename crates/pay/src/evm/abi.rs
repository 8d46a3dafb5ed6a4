//! Calls to the token and what it answers, by the contract ABI. Every argument used is one word, so encoding is
//! putting words in a row.

use alloy_primitives::{Address, B256, Bytes, Log, U256, keccak256};

use crate::eip712::Transfer;
use crate::facilitator::Rejection;
use crate::x402::ErrorCode;

pub(crate) fn transfer(to: Address, amount: U256) -> Bytes {
    call("transfer(address,uint256)", &[to.into_word(), amount.into()])
}

pub(crate) fn mint(to: Address, amount: U256) -> Bytes {
    call("mint(address,uint256)", &[to.into_word(), amount.into()])
}

pub(crate) fn balance_of(account: Address) -> Bytes {
    call("balanceOf(address)", &[account.into_word()])
}

pub(crate) fn total_supply() -> Bytes {
    call("totalSupply()", &[])
}

/// Writes the call of EIP-3009, the signature as v, r, s.
pub(crate) fn transfer_with_authorization(transfer: &Transfer, signature: &[u8; 65]) -> Bytes {
    let words = [
        transfer.from.into_word(),
        transfer.to.into_word(),
        transfer.value.into(),
        transfer.valid_after.into(),
        transfer.valid_before.into(),
        transfer.nonce,
        U256::from(signature[64]).into(),
        B256::from_slice(&signature[..32]),
        B256::from_slice(&signature[32..64]),
    ];
    call(
        "transferWithAuthorization(address,address,uint256,uint256,uint256,bytes32,uint8,bytes32,bytes32)",
        &words,
    )
}

/// Reads an answer of one number.
pub(crate) fn read_number(output: &[u8]) -> Option<U256> {
    (output.len() == 32).then(|| U256::from_be_slice(output))
}

/// A token's `Transfer` among the events of a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Transferred {
    pub(crate) from: Address,
    pub(crate) to: Address,
    pub(crate) value: U256,
}

/// Reads the transfers of one token among the events of a transaction, in order.
pub(crate) fn read_transfers(token: Address, logs: &[Log]) -> impl Iterator<Item = Transferred> {
    let name = keccak256("Transfer(address,address,uint256)");
    logs.iter().filter(move |log| log.address == token).filter_map(move |log| match log.topics() {
        [event, from, to] if *event == name => Some(Transferred {
            from: Address::from_word(*from),
            to: Address::from_word(*to),
            value: read_number(&log.data.data)?,
        }),
        _ => None,
    })
}

/// Says in the words of x402 why the token refused.
pub(crate) fn read_revert(output: &[u8]) -> Rejection {
    let refusals = [
        (
            "ERC20InsufficientBalance(address,uint256,uint256)",
            ErrorCode::InsufficientFunds,
            "the balance is too small",
        ),
        ("AuthorizationNotYetValid(uint256)", ErrorCode::ValidAfter, "the authorization is not valid yet"),
        ("AuthorizationExpired(uint256)", ErrorCode::ValidBefore, "the authorization has expired"),
        (
            "AuthorizationUsedOrCanceled(address,bytes32)",
            ErrorCode::NonceAlreadyUsed,
            "the nonce was spent or cancelled",
        ),
        ("InvalidSignature()", ErrorCode::Signature, "the signature is not the payer's"),
        (
            "ERC20InvalidReceiver(address)",
            ErrorCode::InvalidPaymentRequirements,
            "the zero address cannot be paid",
        ),
    ];
    let known = refusals.into_iter().find(|(error, ..)| output.starts_with(&selector(error)));
    match known {
        Some((_, code, message)) => Rejection::new(code, message),
        None => Rejection::new(ErrorCode::TransactionFailed, "the token refused the transfer"),
    }
}

fn call(function: &str, words: &[B256]) -> Bytes {
    let mut data = selector(function).to_vec();
    for word in words {
        data.extend_from_slice(word.as_slice());
    }
    data.into()
}

fn selector(signature: &str) -> [u8; 4] {
    let hash = keccak256(signature);
    [hash[0], hash[1], hash[2], hash[3]]
}
