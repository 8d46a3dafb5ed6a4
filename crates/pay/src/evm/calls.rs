//! The calls that are made, and the events that are read.

use alloy_primitives::{Address, B256, Bytes, Log, U256, keccak256};

use super::abi::{Tuple, read_list_of_bytes, read_number, read_word};
use crate::eip712::Transfer;
use crate::eip712::permit2::PermitTransfer;
use crate::facilitator::ChannelState;
use crate::scheme::batch::ChannelConfig;
use glassbox_core::Atomic;

/// The fields of a channel's configuration.
const CHANNEL: &str = "(address,address,address,address,address,uint40,bytes32)";

// --- The token ---

pub(crate) fn transfer(to: Address, amount: U256) -> Bytes {
    Tuple::new().address(to).number(amount).call("transfer(address,uint256)")
}

pub(crate) fn mint(to: Address, amount: U256) -> Bytes {
    Tuple::new().address(to).number(amount).call("mint(address,uint256)")
}

pub(crate) fn balance_of(account: Address) -> Bytes {
    Tuple::new().address(account).call("balanceOf(address)")
}

/// Asks how much of an account's tokens somebody else may move (ERC-20).
pub fn allowance(owner: Address, spender: Address) -> Bytes {
    Tuple::new().address(owner).address(spender).call("allowance(address,address)")
}

/// Asks how many permits of an account the token has taken (EIP-2612).
pub fn permits_used(owner: Address) -> Bytes {
    Tuple::new().address(owner).call("nonces(address)")
}

pub(crate) fn total_supply() -> Bytes {
    Tuple::new().call("totalSupply()")
}

/// Writes the call of EIP-3009, the signature as v, r, s.
pub(crate) fn transfer_with_authorization(transfer: &Transfer, signature: &[u8; 65]) -> Bytes {
    let [v, r, s] = vrs(signature);
    Tuple::new()
        .address(transfer.from)
        .address(transfer.to)
        .number(transfer.value)
        .number(transfer.valid_after)
        .number(transfer.valid_before)
        .word(transfer.nonce)
        .word(v)
        .word(r)
        .word(s)
        .call("transferWithAuthorization(address,address,uint256,uint256,uint256,bytes32,uint8,bytes32,bytes32)")
}

/// Asks whether the token has taken an authorization's nonce.
pub(crate) fn authorization_state(payer: Address, nonce: B256) -> Bytes {
    Tuple::new().address(payer).word(nonce).call("authorizationState(address,bytes32)")
}

/// Asks Permit2 for the 256 nonces of which this is one; its last byte says which.
pub(crate) fn nonce_bitmap(owner: Address, nonce: B256) -> Bytes {
    let word: U256 = U256::from_be_bytes(nonce.0) >> 8;
    Tuple::new().address(owner).number(word).call("nonceBitmap(address,uint256)")
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

// --- The proxies of Permit2 ---

/// An allowance for Permit2 as the proxies take it.
pub(crate) struct Permit2612 {
    pub(crate) value: U256,
    pub(crate) deadline: U256,
    pub(crate) signature: [u8; 65],
}

/// What the proxies are told of a payment by Permit2.
pub(crate) struct Permit2Payment<'a> {
    pub(crate) transfer: &'a PermitTransfer,
    pub(crate) owner: Address,
    pub(crate) signature: &'a [u8; 65],
    pub(crate) permit: Option<Permit2612>,
}

/// Writes the settlement of `exact` by Permit2.
pub(crate) fn settle_exact(payment: &Permit2Payment<'_>, to: Address, valid_after: U256) -> Bytes {
    let witness = Tuple::new().address(to).number(valid_after);
    settle(payment, Tuple::new(), "address,(address,uint256)", witness)
}

/// Writes the settlement of `amount` of an `upto` payment.
pub(crate) fn settle_upto(
    payment: &Permit2Payment<'_>,
    amount: U256,
    to: Address,
    facilitator: Address,
    valid_after: U256,
) -> Bytes {
    let witness = Tuple::new().address(to).address(facilitator).number(valid_after);
    let types = "uint256,address,(address,address,uint256)";
    settle(payment, Tuple::new().number(amount), types, witness)
}

fn settle(payment: &Permit2Payment<'_>, amount: Tuple, types: &str, witness: Tuple) -> Bytes {
    let permit = Tuple::new()
        .address(payment.transfer.token)
        .number(payment.transfer.amount)
        .number(payment.transfer.nonce)
        .number(payment.transfer.deadline);
    let (name, first) = match &payment.permit {
        None => ("settle(", Tuple::new()),
        Some(permit) => {
            let [v, r, s] = vrs(&permit.signature);
            let permit = Tuple::new().number(permit.value).number(permit.deadline).word(r).word(s).word(v);
            ("settleWithPermit((uint256,uint256,bytes32,bytes32,uint8),", permit)
        }
    };
    first
        .inline(permit)
        .inline(amount)
        .address(payment.owner)
        .inline(witness)
        .bytes(payment.signature)
        .call(&format!("{name}((address,uint256),uint256,uint256),{types},bytes)"))
}

// --- The channels ---

/// What the collector of deposits by EIP-3009 is told.
pub(crate) fn eip3009_deposit(
    valid_after: U256,
    valid_before: U256,
    salt: U256,
    signature: &[u8],
) -> Vec<u8> {
    Tuple::new().number(valid_after).number(valid_before).number(salt).bytes(signature).encode()
}

/// What the collector of deposits by Permit2 is told.
pub(crate) fn permit2_deposit(
    nonce: U256,
    deadline: U256,
    signature: &[u8],
    permit: Option<Permit2612>,
) -> Vec<u8> {
    let permit = permit.map(|permit| {
        let [v, r, s] = vrs(&permit.signature);
        Tuple::new().number(permit.value).number(permit.deadline).word(v).word(r).word(s).encode()
    });
    Tuple::new().number(nonce).number(deadline).bytes(signature).bytes(&permit.unwrap_or_default()).encode()
}

pub(crate) fn deposit(channel: &ChannelConfig, amount: Atomic, collector: Address, data: &[u8]) -> Bytes {
    channel_fields(channel)
        .number(U256::from(amount.0))
        .address(collector)
        .bytes(data)
        .call(&format!("deposit({CHANNEL},uint128,address,bytes)"))
}

/// A voucher as the contract takes it, and how much of it is claimed.
pub(crate) struct VoucherClaim<'a> {
    pub(crate) channel: &'a ChannelConfig,
    pub(crate) max_claimable: Atomic,
    pub(crate) signature: &'a [u8],
    pub(crate) total_claimed: Atomic,
}

pub(crate) fn claim_with_signature<'a>(
    claims: impl IntoIterator<Item = VoucherClaim<'a>>,
    signature: &[u8],
) -> Bytes {
    let claims = claims.into_iter().map(|claim| {
        channel_fields(claim.channel)
            .number(U256::from(claim.max_claimable.0))
            .bytes(claim.signature)
            .number(U256::from(claim.total_claimed.0))
    });
    Tuple::new()
        .list(claims)
        .bytes(signature)
        .call(&format!("claimWithSignature((({CHANNEL},uint128),bytes,uint128)[],bytes)"))
}

/// Moves what was claimed to its receiver.
pub(crate) fn settle_claimed(receiver: Address, token: Address) -> Bytes {
    Tuple::new().address(receiver).address(token).call("settle(address,address)")
}

pub(crate) fn refund_with_signature(
    channel: &ChannelConfig,
    amount: Atomic,
    nonce: U256,
    signature: &[u8],
) -> Bytes {
    channel_fields(channel)
        .number(U256::from(amount.0))
        .number(nonce)
        .bytes(signature)
        .call(&format!("refundWithSignature({CHANNEL},uint128,uint256,bytes)"))
}

/// Calls several contracts at once, all or none.
pub(crate) fn aggregate(calls: &[(Address, Bytes)]) -> Bytes {
    let call =
        |(target, data): &(Address, Bytes)| Tuple::new().address(*target).number(U256::ZERO).bytes(data);
    Tuple::new().list(calls.iter().map(call)).call("aggregate3((address,bool,bytes)[])")
}

/// Writes what a payer says to the contract of channels when it wants `amount` of its money back: after the channel's
/// delay, which leaves the receiver time to claim, [`finalize_withdraw`] moves it.
pub fn initiate_withdraw(channel: &ChannelConfig, amount: Atomic) -> Bytes {
    channel_fields(channel).number(U256::from(amount.0)).call(&format!("initiateWithdraw({CHANNEL},uint128)"))
}

/// Writes what moves a withdrawal whose delay is over.
pub fn finalize_withdraw(channel: &ChannelConfig) -> Bytes {
    channel_fields(channel).call(&format!("finalizeWithdraw({CHANNEL})"))
}

/// Calls several functions of one contract at once.
pub(crate) fn multicall(calls: &[Bytes]) -> Bytes {
    Tuple::new().list_of_bytes(calls).call("multicall(bytes[])")
}

/// Asks for all that the contract knows of a channel, in one call, so that it is of one block.
pub(crate) fn channel_state(id: B256) -> Bytes {
    let asked = ["channels(bytes32)", "pendingWithdrawals(bytes32)", "refundNonce(bytes32)"];
    multicall(&asked.map(|function| Tuple::new().word(id).call(function)))
}

/// Reads the answer to [`channel_state`].
pub(crate) fn read_channel_state(output: &[u8]) -> Option<ChannelState> {
    let [channel, withdrawal, refund_nonce] = read_list_of_bytes(output)?;
    let amount = |index| read_word(channel, index)?.try_into().ok().map(Atomic);
    Some(ChannelState {
        balance: amount(0)?,
        total_claimed: amount(1)?,
        withdraw_requested_at: read_word(withdrawal, 1)?.try_into().ok()?,
        refund_nonce: read_number(refund_nonce)?,
    })
}

fn channel_fields(channel: &ChannelConfig) -> Tuple {
    Tuple::new()
        .address(channel.payer)
        .address(channel.payer_authorizer)
        .address(channel.receiver)
        .address(channel.receiver_authorizer)
        .address(channel.token)
        .number(U256::from(channel.withdraw_delay))
        .word(channel.salt)
}

/// Takes a signature apart.
fn vrs(signature: &[u8; 65]) -> [B256; 3] {
    let v = U256::from(signature[64]).into();
    [v, B256::from_slice(&signature[..32]), B256::from_slice(&signature[32..64])]
}
