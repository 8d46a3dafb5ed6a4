//! Why contracts refuse, in the words of x402.

use super::abi::{read_one_bytes, selector};
use crate::facilitator::Rejection;
use crate::x402::{ErrorCode, clip};

/// What a call is for: the same refusal has another code in each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// A transfer of the token, by EIP-3009 or the operator's own.
    Transfer,
    /// `exact` by Permit2.
    Permit2,
    /// `upto`.
    Upto,
    /// A deposit into a channel.
    Deposit,
    /// Claiming vouchers.
    Claim,
    /// Giving back out of a channel.
    Refund,
}

/// Whether a call was only tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Moment {
    /// Run without effect.
    Tried,
    /// Submitted.
    Submitted,
}

/// A refusal: a contract's error with its types, or a part of the text that some give instead; the code, and the
/// sentence.
type Refusal = (&'static str, ErrorCode, &'static str);

/// What the token says of a transfer. The texts are those of the deployed dollar.
const TRANSFER: &[Refusal] = &[
    ("ERC20InsufficientBalance(address,uint256,uint256)", ErrorCode::InsufficientFunds, TOO_LITTLE),
    ("transfer amount exceeds balance", ErrorCode::InsufficientFunds, TOO_LITTLE),
    ("AuthorizationNotYetValid(uint256)", ErrorCode::ValidAfter, TOO_EARLY),
    ("authorization is not yet valid", ErrorCode::ValidAfter, TOO_EARLY),
    ("AuthorizationExpired(uint256)", ErrorCode::ValidBefore, EXPIRED),
    ("authorization is expired", ErrorCode::ValidBefore, EXPIRED),
    ("AuthorizationUsedOrCanceled(address,bytes32)", ErrorCode::NonceAlreadyUsed, SPENT),
    ("authorization is used or canceled", ErrorCode::NonceAlreadyUsed, SPENT),
    ("InvalidSignature()", ErrorCode::Signature, NOT_SIGNED),
    ("invalid signature", ErrorCode::Signature, NOT_SIGNED),
    (
        "ERC20InvalidReceiver(address)",
        ErrorCode::InvalidPaymentRequirements,
        "the zero address cannot be paid",
    ),
    (
        "transfer to the zero address",
        ErrorCode::InvalidPaymentRequirements,
        "the zero address cannot be paid",
    ),
];

/// What Permit2 and its proxies say.
const PERMIT2: &[Refusal] = &[
    ("InvalidNonce()", ErrorCode::Permit2InvalidNonce, SPENT),
    ("SignatureExpired(uint256)", ErrorCode::Permit2DeadlineExpired, EXPIRED),
    ("InvalidSigner()", ErrorCode::Permit2Signature, NOT_SIGNED),
    ("InvalidSignature()", ErrorCode::Permit2Signature, NOT_SIGNED),
    ("InvalidSignatureLength()", ErrorCode::Permit2Signature, NOT_SIGNED),
    ("InvalidAmount(uint256)", ErrorCode::Permit2InvalidAmount, "the amount is more than was signed"),
    ("InvalidAmount()", ErrorCode::Permit2InvalidAmount, "the amount is zero"),
    ("AmountExceedsPermitted()", ErrorCode::UptoAmountExceedsPermitted, "the amount is more than was signed"),
    (
        "UnauthorizedFacilitator()",
        ErrorCode::UptoUnauthorizedFacilitator,
        "the payer named another facilitator",
    ),
    ("PaymentTooEarly()", ErrorCode::Permit2PaymentTooEarly, TOO_EARLY),
    ("InvalidDestination()", ErrorCode::Permit2InvalidDestination, "the zero address cannot be paid"),
    ("InvalidOwner()", ErrorCode::Permit2InvalidOwner, "the zero address cannot pay"),
    ("Permit2612AmountMismatch()", ErrorCode::Permit2612AmountMismatch, "the permit is over another amount"),
    ("TRANSFER_FROM_FAILED", ErrorCode::Permit2AllowanceRequired, NOT_ALLOWED),
];

/// What token, Permit2 and contract say of a deposit.
const DEPOSIT: &[Refusal] = &[
    ("ERC20InsufficientBalance(address,uint256,uint256)", ErrorCode::BatchInsufficientBalance, TOO_LITTLE),
    ("transfer amount exceeds balance", ErrorCode::BatchInsufficientBalance, TOO_LITTLE),
    ("AuthorizationNotYetValid(uint256)", ErrorCode::BatchValidAfter, TOO_EARLY),
    ("authorization is not yet valid", ErrorCode::BatchValidAfter, TOO_EARLY),
    ("AuthorizationExpired(uint256)", ErrorCode::BatchValidBefore, EXPIRED),
    ("authorization is expired", ErrorCode::BatchValidBefore, EXPIRED),
    ("AuthorizationUsedOrCanceled(address,bytes32)", ErrorCode::NonceAlreadyUsed, SPENT),
    ("authorization is used or canceled", ErrorCode::NonceAlreadyUsed, SPENT),
    ("InvalidSignature()", ErrorCode::BatchReceiveAuthorizationSignature, NOT_SIGNED),
    ("invalid signature", ErrorCode::BatchReceiveAuthorizationSignature, NOT_SIGNED),
    ("InvalidNonce()", ErrorCode::NonceAlreadyUsed, SPENT),
    ("SignatureExpired(uint256)", ErrorCode::BatchPermit2DeadlineExpired, EXPIRED),
    ("InvalidSigner()", ErrorCode::BatchPermit2InvalidSignature, NOT_SIGNED),
    ("TRANSFER_FROM_FAILED", ErrorCode::BatchPermit2AllowanceRequired, NOT_ALLOWED),
    (
        "WithdrawDelayOutOfRange()",
        ErrorCode::BatchWithdrawDelayOutOfRange,
        "the delay of a withdrawal is out of range",
    ),
];

/// What the contract says of claims and refunds.
const CHANNEL: &[Refusal] = &[
    ("InvalidSignature()", ErrorCode::BatchVoucherSignature, "a signature is not its signer's"),
    (
        "ClaimExceedsCeiling()",
        ErrorCode::BatchChargeExceedsSignedCumulative,
        "more is claimed than the voucher says",
    ),
    (
        "ClaimExceedsBalance()",
        ErrorCode::BatchCumulativeExceedsBalance,
        "more is claimed than the channel holds",
    ),
    (
        "NotReceiverAuthorizer()",
        ErrorCode::BatchReceiverAuthorizerMismatch,
        "the channels have different authorizers",
    ),
    ("InvalidRefundNonce()", ErrorCode::BatchRefundSimulationFailed, "another refund came in between"),
    ("ZeroRefund()", ErrorCode::BatchRefundAmountInvalid, "a refund of nothing"),
];

const TOO_LITTLE: &str = "the balance is too small";
const TOO_EARLY: &str = "the authorization is not valid yet";
const EXPIRED: &str = "the authorization has expired";
const SPENT: &str = "the nonce was spent or cancelled";
const NOT_SIGNED: &str = "the signature is not the payer's";
const NOT_ALLOWED: &str = "Permit2 is not allowed to move so much of the payer's tokens";

impl Purpose {
    fn refusals(self) -> &'static [Refusal] {
        match self {
            Self::Transfer => TRANSFER,
            Self::Permit2 | Self::Upto => PERMIT2,
            Self::Deposit => DEPOSIT,
            Self::Claim | Self::Refund => CHANNEL,
        }
    }

    /// Returns the code of a refusal that has none of its own.
    fn failed(self, moment: Moment) -> ErrorCode {
        let (tried, submitted) = match self {
            Self::Transfer => (ErrorCode::SimulationFailed, ErrorCode::TransactionFailed),
            Self::Permit2 => (ErrorCode::Permit2SimulationFailed, ErrorCode::TransactionFailed),
            Self::Upto => (ErrorCode::Permit2SimulationFailed, ErrorCode::UptoTransactionFailed),
            Self::Deposit => {
                (ErrorCode::BatchDepositSimulationFailed, ErrorCode::BatchDepositTransactionFailed)
            }
            Self::Claim => (ErrorCode::BatchClaimSimulationFailed, ErrorCode::BatchClaimTransactionFailed),
            Self::Refund => (ErrorCode::BatchRefundSimulationFailed, ErrorCode::BatchRefundTransactionFailed),
        };
        if moment == Moment::Tried { tried } else { submitted }
    }
}

/// Says in the words of x402 why a contract refused.
pub(crate) fn read_revert(purpose: Purpose, moment: Moment, output: &[u8]) -> Rejection {
    let text = text_of(output);
    let is = |refusal: &&Refusal| match &text {
        Some(text) => !refusal.0.ends_with(')') && text.contains(refusal.0),
        None => refusal.0.ends_with(')') && output.starts_with(&selector(refusal.0)),
    };
    match (purpose.refusals().iter().find(is), text) {
        (Some((_, code, sentence)), _) => Rejection::new(code.clone(), *sentence),
        (None, Some(text)) => {
            Rejection::new(purpose.failed(moment), format!("the contract refused: {}", clip(&text)))
        }
        (None, None) => Rejection::new(purpose.failed(moment), "the contract refused"),
    }
}

/// Reads the text of the error that has nothing else.
fn text_of(output: &[u8]) -> Option<String> {
    let rest = output.strip_prefix(&selector("Error(string)")[..])?;
    Some(String::from_utf8_lossy(read_one_bytes(rest)?).into_owned())
}
