//! What the schemes share that move tokens by Permit2.

use alloy_primitives::Address;

use crate::eip712::permit2::PermitTransfer;
use crate::evm::calls::{Permit2Payment, Permit2612};
use crate::scheme::permit2::Permit;

/// Puts together what a proxy of Permit2 is told.
pub(super) fn payment<'a>(
    transfer: &'a PermitTransfer,
    owner: Address,
    signature: &'a [u8; 65],
    permit: Option<&Permit>,
) -> Permit2Payment<'a> {
    // An allowance that came along is over the payment's own amount.
    let permit = permit.map(|permit| Permit2612 {
        value: transfer.amount,
        deadline: permit.deadline,
        signature: permit.signature,
    });
    Permit2Payment { transfer, owner, signature, permit }
}
