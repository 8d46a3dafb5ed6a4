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
            $(
                $(#[$doc])*
                #[doc = concat!("`", $text, "`")]
                $name,
            )*
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

    // `upto`, and what all schemes by Permit2 share.
    UptoScheme = "invalid_upto_evm_scheme",
    UptoNetworkMismatch = "invalid_upto_evm_network_mismatch",
    UptoTransactionFailed = "invalid_upto_evm_transaction_failed",
    UptoAmountExceedsPermitted = "upto_amount_exceeds_permitted",
    UptoUnauthorizedFacilitator = "upto_unauthorized_facilitator",
    UptoFacilitatorMismatch = "upto_facilitator_mismatch",
    Permit2Spender = "invalid_permit2_spender",
    Permit2RecipientMismatch = "invalid_permit2_recipient_mismatch",
    Permit2Signature = "invalid_permit2_signature",
    Permit2DeadlineExpired = "permit2_deadline_expired",
    Permit2NotYetValid = "permit2_not_yet_valid",
    Permit2AmountMismatch = "permit2_amount_mismatch",
    Permit2TokenMismatch = "permit2_token_mismatch",
    Permit2SimulationFailed = "permit2_simulation_failed",
    Permit2InsufficientBalance = "permit2_insufficient_balance",
    Permit2ProxyNotDeployed = "permit2_proxy_not_deployed",
    Permit2InvalidAmount = "permit2_invalid_amount",
    Permit2InvalidDestination = "permit2_invalid_destination",
    Permit2InvalidOwner = "permit2_invalid_owner",
    Permit2PaymentTooEarly = "permit2_payment_too_early",
    Permit2InvalidNonce = "permit2_invalid_nonce",
    Permit2612AmountMismatch = "permit2_2612_amount_mismatch",
    Eip2612Format = "invalid_eip2612_extension_format",
    Eip2612FromMismatch = "eip2612_from_mismatch",
    Eip2612AssetMismatch = "eip2612_asset_mismatch",
    Eip2612SpenderNotPermit2 = "eip2612_spender_not_permit2",
    Eip2612DeadlineExpired = "eip2612_deadline_expired",
    UnsupportedPayloadType = "unsupported_payload_type",
    AssetNotDeployedContract = "asset_not_deployed_contract",
    SettlementPending = "settlement_pending",

    // `batch-settlement`.
    BatchChannelNotFound = "invalid_batch_settlement_evm_channel_not_found",
    BatchTokenMismatch = "invalid_batch_settlement_evm_token_mismatch",
    BatchVoucherSignature = "invalid_batch_settlement_evm_voucher_signature",
    BatchCumulativeExceedsBalance = "invalid_batch_settlement_evm_cumulative_exceeds_balance",
    BatchCumulativeBelowClaimed = "invalid_batch_settlement_evm_cumulative_below_claimed",
    BatchInsufficientBalance = "invalid_batch_settlement_evm_insufficient_balance",
    BatchDepositTransactionFailed = "invalid_batch_settlement_evm_deposit_transaction_failed",
    BatchClaimTransactionFailed = "invalid_batch_settlement_evm_claim_transaction_failed",
    BatchSettleTransactionFailed = "invalid_batch_settlement_evm_settle_transaction_failed",
    BatchScheme = "invalid_batch_settlement_evm_scheme",
    BatchNetworkMismatch = "invalid_batch_settlement_evm_network_mismatch",
    BatchMissingEip712Domain = "invalid_batch_settlement_evm_missing_eip712_domain",
    BatchValidBefore = "invalid_batch_settlement_evm_payload_authorization_valid_before",
    BatchValidAfter = "invalid_batch_settlement_evm_payload_authorization_valid_after",
    BatchReceiveAuthorizationSignature = "invalid_batch_settlement_evm_receive_authorization_signature",
    BatchErc3009AuthorizationRequired = "invalid_batch_settlement_evm_erc3009_authorization_required",
    BatchRefundTransactionFailed = "invalid_batch_settlement_evm_refund_transaction_failed",
    BatchPayloadType = "invalid_batch_settlement_evm_payload_type",
    BatchWithdrawDelayOutOfRange = "invalid_batch_settlement_evm_withdraw_delay_out_of_range",
    BatchChannelIdMismatch = "invalid_batch_settlement_evm_channel_id_mismatch",
    BatchChannelIdInvalid = "invalid_batch_settlement_evm_channel_id_invalid",
    BatchReceiverMismatch = "invalid_batch_settlement_evm_receiver_mismatch",
    BatchReceiverAuthorizerMismatch = "invalid_batch_settlement_evm_receiver_authorizer_mismatch",
    BatchWithdrawDelayMismatch = "invalid_batch_settlement_evm_withdraw_delay_mismatch",
    BatchAuthorizerAddressMismatch = "invalid_batch_settlement_evm_authorizer_address_mismatch",
    BatchAuthorizerNotConfigured = "invalid_batch_settlement_evm_authorizer_not_configured",
    BatchDepositSimulationFailed = "invalid_batch_settlement_evm_deposit_simulation_failed",
    BatchDepositBelowMinDeposit = "invalid_batch_settlement_evm_deposit_below_min_deposit",
    BatchFactoryNotAllowed = "invalid_batch_settlement_evm_eip6492_factory_not_allowed",
    BatchSmartWalletDeploymentFailed = "invalid_batch_settlement_evm_smart_wallet_deployment_failed",
    BatchClaimSimulationFailed = "invalid_batch_settlement_evm_claim_simulation_failed",
    BatchSettleSimulationFailed = "invalid_batch_settlement_evm_settle_simulation_failed",
    BatchNothingToSettle = "invalid_batch_settlement_evm_nothing_to_settle",
    BatchRefundPayload = "invalid_batch_settlement_evm_refund_payload",
    BatchRefundSimulationFailed = "invalid_batch_settlement_evm_refund_simulation_failed",
    BatchRpcReadFailed = "invalid_batch_settlement_evm_rpc_read_failed",
    BatchPermit2AuthorizationRequired = "invalid_batch_settlement_evm_permit2_authorization_required",
    BatchPermit2InvalidSpender = "invalid_batch_settlement_evm_permit2_invalid_spender",
    BatchPermit2AmountMismatch = "invalid_batch_settlement_evm_permit2_amount_mismatch",
    BatchPermit2DeadlineExpired = "invalid_batch_settlement_evm_permit2_deadline_expired",
    BatchPermit2InvalidSignature = "invalid_batch_settlement_evm_permit2_invalid_signature",
    BatchPermit2AllowanceRequired = "invalid_batch_settlement_evm_permit2_allowance_required",
    BatchEip2612AmountMismatch = "invalid_batch_settlement_evm_eip2612_amount_mismatch",
    BatchErc20ApprovalUnavailable = "invalid_batch_settlement_evm_erc20_approval_unavailable",
    BatchCumulativeAmountMismatch = "invalid_batch_settlement_evm_cumulative_amount_mismatch",
    BatchChannelBusy = "invalid_batch_settlement_evm_channel_busy",
    BatchVerificationStateUnavailable = "invalid_batch_settlement_evm_verification_state_unavailable",
    BatchChargeExceedsSignedCumulative = "invalid_batch_settlement_evm_charge_exceeds_signed_cumulative",
    BatchMissingChannel = "invalid_batch_settlement_evm_missing_channel",
    BatchRefundNoBalance = "invalid_batch_settlement_evm_refund_no_balance",
    BatchRefundAmountInvalid = "invalid_batch_settlement_evm_refund_amount_invalid",
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
