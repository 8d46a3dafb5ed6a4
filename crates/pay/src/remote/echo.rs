//! Whether a no may be the echo of a yes.

use crate::x402::ErrorCode;

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
