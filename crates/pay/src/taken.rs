//! Which transaction took what somebody signed. Anybody may submit most of it, so it need not be one of ours.

use alloy_primitives::{Address, B256, Bytes, Log, U256, keccak256};
use glassbox_core::Atomic;
use glassbox_core::limits::ECHO_BLOCKS_MAX;

use crate::chain::{Call, Chain, TransferEvent};
use crate::error::PayError;
use crate::evm::abi::read_number;
use crate::evm::addresses::{ERC3009_DEPOSIT_COLLECTOR, PERMIT2_DEPOSIT_COLLECTOR};
use crate::evm::calls;
use crate::payment::Authorization;

/// A transfer that was signed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Authorized {
    pub(crate) from: Address,
    pub(crate) to: Address,
    pub(crate) amount: Atomic,
    pub(crate) nonce: B256,
}

/// What the chain knows of what was signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Taken {
    /// This transaction made the transfer.
    By { transaction: B256, block: u64 },
    /// It is unused.
    Not,
    /// It is used or cancelled, and by what is not seen.
    Otherwise,
}

/// Looks for the transfer of a payment on the chain.
pub(crate) async fn find_payment(
    chain: &dyn Chain,
    token: Address,
    authorization: &Authorization,
    amount: Atomic,
) -> Result<Taken, PayError> {
    let key = authorization.key();
    let by_token = key.asset == token;
    let to = match authorization {
        Authorization::Exact(exact) => exact.to,
        Authorization::Upto(upto) => upto.to,
        Authorization::Batch(_) if by_token => ERC3009_DEPOSIT_COLLECTOR,
        Authorization::Batch(_) => PERMIT2_DEPOSIT_COLLECTOR,
    };
    let authorized = Authorized { from: authorization.payer(), to, amount, nonce: key.nonce };
    if by_token {
        return find(chain, token, &authorized).await;
    }
    let bits = ask(chain, key.asset, calls::nonce_bitmap(key.payer, key.nonce)).await?;
    // The last byte of a nonce is its place in the word.
    if !bits.bit(usize::from(key.nonce[31])) {
        return Ok(Taken::Not);
    }
    // Permit2 does not tell which nonce it used. But who had it use one had to say which.
    for transfer in alike(chain, &authorized).await?.iter().rev() {
        let input = chain.input(transfer.transaction).await?.unwrap_or_default();
        if input.windows(key.nonce.len()).any(|word| word == key.nonce.as_slice()) {
            return Ok(Taken::By { transaction: transfer.transaction, block: transfer.block });
        }
    }
    Ok(Taken::Otherwise)
}

/// Looks for the transfer of an authorization of the token (EIP-3009) on the chain.
pub(crate) async fn find(
    chain: &dyn Chain,
    token: Address,
    authorized: &Authorized,
) -> Result<Taken, PayError> {
    let Authorized { from, nonce, .. } = *authorized;
    if ask(chain, token, calls::authorization_state(from, nonce)).await? == U256::ZERO {
        return Ok(Taken::Not);
    }
    for transfer in alike(chain, authorized).await?.iter().rev() {
        let logs = chain.logs(transfer.transaction).await?.unwrap_or_default();
        if logs.iter().any(|log| tells(log, token, from, nonce)) {
            return Ok(Taken::By { transaction: transfer.transaction, block: transfer.block });
        }
    }
    Ok(Taken::Otherwise)
}

/// Returns the latest transfers that may be this one, in order.
async fn alike(chain: &dyn Chain, authorized: &Authorized) -> Result<Vec<TransferEvent>, PayError> {
    let Authorized { from, to, amount, .. } = *authorized;
    let from_block = chain.block().await?.saturating_sub(ECHO_BLOCKS_MAX);
    let mut alike = chain.transfers(to, from_block).await?;
    alike.retain(|transfer| (transfer.from, transfer.to, transfer.amount) == (from, to, amount));
    Ok(alike)
}

/// Asks a contract for a number.
async fn ask(chain: &dyn Chain, contract: Address, data: Bytes) -> Result<U256, PayError> {
    let call = Call { from: chain.submitter(), to: contract, data };
    let output = chain.call(&call).await.map_err(|error| PayError::Unavailable(error.to_string()))?;
    read_number(&output).ok_or_else(|| PayError::Unavailable(format!("{contract} answered no number")))
}

/// Says whether an event tells that the token took an authorization.
pub(crate) fn tells(log: &Log, token: Address, from: Address, nonce: B256) -> bool {
    let name = keccak256("AuthorizationUsed(address,bytes32)");
    log.address == token && log.topics() == [name, from.into_word(), nonce]
}
