//! The error codes of x402, verbatim, so that stock clients recognise them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::clip;

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)*) => {
        /// Why a payment was refused, in the words of the x402 specification and the stock packages.
        #[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[serde(into = "String", from = "String")]
        #[non_exhaustive]
        pub enum ErrorCode {
            $($(#[$doc])* $name,)*
            /// A code that we do not know, as another party sent it (cut short).
            Other(String),
        }

        impl ErrorCode {
            /// Every code with a name of ours.
            pub const ALL: &'static [ErrorCode] = &[$(ErrorCode::$name),*];

            /// Returns the code as it is written on the wire.
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$name => $text,)*
                    Self::Other(text) => text,
                }
            }
        }

        impl From<String> for ErrorCode {
            fn from(text: String) -> Self {
                match text.as_str() {
                    $($text => Self::$name,)*
                    other => Self::Other(clip(other)),
                }
            }
        }
    };
}

codes! {
    /// The payer's balance is too small.
    InsufficientFunds = "insufficient_funds",
    /// The authorization is not valid yet.
    ValidAfter = "invalid_exact_evm_payload_authorization_valid_after",
    /// The authorization expires before the payment could be settled, or has expired.
    ValidBefore = "invalid_exact_evm_payload_authorization_valid_before",
    /// The authorization is over another amount.
    ValueMismatch = "invalid_exact_evm_payload_authorization_value_mismatch",
    /// The signature is not the payer's, or not in canonical form.
    Signature = "invalid_exact_evm_payload_signature",
    /// The authorization pays somebody else.
    RecipientMismatch = "invalid_exact_evm_payload_recipient_mismatch",
    /// The payment is for another network.
    InvalidNetwork = "invalid_network",
    /// The payment is malformed.
    InvalidPayload = "invalid_payload",
    /// The payment took an offer that is not the current one.
    InvalidPaymentRequirements = "invalid_payment_requirements",
    /// The payment names a scheme that does not exist.
    InvalidScheme = "invalid_scheme",
    /// The payment speaks another version of the protocol.
    InvalidX402Version = "invalid_x402_version",
    /// The chain is in a state in which the transfer cannot be made.
    InvalidTransactionState = "invalid_transaction_state",
    /// The payment names a scheme that is not on offer here.
    UnsupportedScheme = "unsupported_scheme",
    /// Verification failed for a reason that is not the payer's.
    UnexpectedVerifyError = "unexpected_verify_error",
    /// Settlement failed for a reason that is not the payer's.
    UnexpectedSettleError = "unexpected_settle_error",
    /// The nonce was spent or cancelled.
    NonceAlreadyUsed = "invalid_exact_evm_nonce_already_used",
    /// The transfer failed when it was tried without effect.
    SimulationFailed = "invalid_exact_evm_transaction_simulation_failed",
    /// The transfer failed on the chain.
    TransactionFailed = "invalid_exact_evm_transaction_failed",
    /// The payer has not allowed Permit2 to move the token.
    Permit2AllowanceRequired = "permit2_allowance_required",
    /// More than the signed ceiling was to be settled.
    SettlementExceedsAmount = "invalid_upto_evm_payload_settlement_exceeds_amount",
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl From<ErrorCode> for String {
    fn from(code: ErrorCode) -> Self {
        code.as_str().to_owned()
    }
}

impl FromStr for ErrorCode {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self::from(text.to_owned()))
    }
}
