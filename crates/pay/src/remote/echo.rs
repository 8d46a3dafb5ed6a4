//! Whether a no may be the echo of a yes, and what the chain knows about that.

use alloy_primitives::{Address, B256, Log, U256, keccak256};
use glassbox_core::Atomic;
use glassbox_core::limits::ECHO_BLOCKS_MAX;

use crate::chain::{Call, Chain};
use crate::error::PayError;
use crate::evm::abi::read_number;
use crate::evm::addresses::{ERC3009_DEPOSIT_COLLECTOR, PERMIT2_DEPOSIT_COLLECTOR};
use crate::evm::calls;
use crate::payment::Authorization;
use crate::scheme::PaymentKey;
use crate::x402::ErrorCode;

/// What the chain knows of a payment.
pub(super) enum Found {
    /// It was settled.
    Transfer { transaction: B256, block: u64 },
    /// Its nonce is unused.
    Unused,
    /// Its nonce is used, and by what is not seen.
    UsedOtherwise,
}

/// Says whether this no is about the payment's words alone, so that it would have been said before any yes.
pub(super) fn never(code: &ErrorCode) -> bool {
    matches!(
        code,
        ErrorCode::Signature
            | ErrorCode::RecipientMismatch
            | ErrorCode::ValueMismatch
            | ErrorCode::InvalidNetwork
            | ErrorCode::InvalidPayload
            | ErrorCode::InvalidPaymentRequirements
            | ErrorCode::InvalidScheme
            | ErrorCode::InvalidX402Version
            | ErrorCode::UnsupportedScheme
            | ErrorCode::SettlementExceedsAmount
            | ErrorCode::UptoUnauthorizedFacilitator
            | ErrorCode::Permit2Signature
            | ErrorCode::BatchVoucherSignature
            | ErrorCode::BatchPayloadType
    )
}

/// Says whether this no may be an echo though this is the first that we ask: of a question before a restart, or of the
/// facilitator's own. Stock facilitators also say of a transaction that it failed when they gave up waiting for it.
pub(super) fn likely(code: &ErrorCode) -> bool {
    !matches!(
        code,
        ErrorCode::InsufficientFunds
            | ErrorCode::ValidAfter
            | ErrorCode::Permit2AllowanceRequired
            | ErrorCode::Permit2InsufficientBalance
            | ErrorCode::Permit2NotYetValid
            | ErrorCode::BatchInsufficientBalance
            | ErrorCode::BatchPermit2AllowanceRequired
    )
}

/// Looks for a payment on the chain.
pub(super) async fn find(
    chain: &dyn Chain,
    token: Address,
    authorization: &Authorization,
    amount: Atomic,
) -> Result<Found, PayError> {
    let (key, payer) = (authorization.key(), authorization.payer());
    let by_token = key.asset == token;
    let to = match authorization {
        Authorization::Exact(exact) => exact.to,
        Authorization::Upto(upto) => upto.to,
        Authorization::Batch(_) if by_token => ERC3009_DEPOSIT_COLLECTOR,
        Authorization::Batch(_) => PERMIT2_DEPOSIT_COLLECTOR,
    };
    if !is_used(chain, token, &key).await? {
        return Ok(Found::Unused);
    }
    let from_block = chain.block().await?.saturating_sub(ECHO_BLOCKS_MAX);
    let mut alike = chain.transfers(to, from_block).await?;
    alike.retain(|transfer| (transfer.from, transfer.to, transfer.amount) == (payer, to, amount));
    if by_token {
        for transfer in alike.iter().rev() {
            let logs = chain.logs(transfer.transaction).await?.unwrap_or_default();
            if logs.iter().any(|log| uses(log, token, payer, key.nonce)) {
                return Ok(Found::Transfer { transaction: transfer.transaction, block: transfer.block });
            }
        }
        return Ok(Found::UsedOtherwise);
    }
    // Permit2 does not tell which nonce it used, so of several transfers alike nobody can say which one it was.
    match &alike[..] {
        [one] => Ok(Found::Transfer { transaction: one.transaction, block: one.block }),
        [] => Ok(Found::UsedOtherwise),
        several => {
            let reason = format!("{} transfers may be this payment", several.len());
            Err(PayError::Unavailable(reason))
        }
    }
}

/// Says whether the payer's nonce is used up.
async fn is_used(chain: &dyn Chain, token: Address, key: &PaymentKey) -> Result<bool, PayError> {
    let data = if key.asset == token {
        calls::authorization_state(key.payer, key.nonce)
    } else {
        calls::nonce_bitmap(key.payer, key.nonce)
    };
    let call = Call { from: chain.submitter(), to: key.asset, data };
    let output = chain.call(&call).await.map_err(|error| PayError::Unavailable(error.to_string()))?;
    let word = read_number(&output)
        .ok_or_else(|| PayError::Unavailable(format!("{} answered no number", key.asset)))?;
    Ok(if key.asset == token {
        word != U256::ZERO
    } else {
        // The last byte of a nonce is its place in the word.
        word.bit(usize::from(key.nonce[31]))
    })
}

/// Says whether an event tells that the token took the nonce.
fn uses(log: &Log, token: Address, payer: Address, nonce: B256) -> bool {
    let name = keccak256("AuthorizationUsed(address,bytes32)");
    log.address == token && log.topics() == [name, payer.into_word(), nonce]
}
