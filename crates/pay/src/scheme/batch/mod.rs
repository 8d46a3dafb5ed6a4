//! `batch-settlement`: many calls out of one deposit.
//!
//! A payer deposits into a channel and signs, for each call, a voucher over all that the channel may ever pay. What a
//! channel holds, and what was charged to it before, is the ledger's part and the chain's; here is checked that the
//! words are ours and the signatures good. See `specs/schemes/batch-settlement/scheme_batch_settlement_evm.md`.

mod payload;

use alloy_primitives::{Address, B256, U256, keccak256};
use glassbox_core::Atomic;
use serde_json::Value;

use super::field::{amount, bytes32, malformed, number, positive_amount, signed_by};
use super::offer::{check_accepted, refused};
use super::permit2::{self, Permit};
use super::window::Window;
use super::{Offer, PaymentKey, Scheme, TransferMethod, part};
use crate::eip712::batch::{channel_id, deposit_nonce, voucher_digest};
use crate::eip712::permit2::{PermitTransfer, Witness, permit_transfer_digest};
use crate::eip712::token::{Transfer, receive_digest};
use crate::evm::addresses::{
    BATCH_SETTLEMENT, ERC3009_DEPOSIT_COLLECTOR, PERMIT2, PERMIT2_DEPOSIT_COLLECTOR,
};
use crate::facilitator::Rejection;
use crate::network::Network;
use crate::x402::{ErrorCode, PaymentPayload, PaymentRequirements};

pub use crate::eip712::batch::{ChannelConfig, ClaimEntry};
pub use payload::{
    BatchPayload, DepositAuthorization, DepositPayload, DepositWitness, Erc3009Authorization,
    SignedPermit2Authorization, VoucherPayload,
};

/// The shortest delay of a withdrawal that the contract takes, in seconds.
pub const WITHDRAW_DELAY_MIN: u64 = 900;

/// The longest delay of a withdrawal that the contract takes, in seconds.
pub const WITHDRAW_DELAY_MAX: u64 = 2_592_000;

/// The name in the offer's `extra` of whose key signs claims and refunds.
pub const RECEIVER_AUTHORIZER: &str = "receiverAuthorizer";

/// The name in the offer's `extra` of the delay of a withdrawal, a number of seconds.
pub const WITHDRAW_DELAY: &str = "withdrawDelay";

/// The name in the offer's `extra` of the deposit that is asked for, as digits.
pub const MIN_DEPOSIT: &str = "minDeposit";

/// The name in the `extra` of an offer, or of an answer, of what is known of a channel.
pub const CHANNEL_STATE: &str = "channelState";

/// The name in the `extra` of an offer of the newest voucher that is known of a channel.
pub const VOUCHER_STATE: &str = "voucherState";

/// A payment that was checked: its channel is one of ours, and its signatures are the payer's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authorization {
    /// The network.
    pub network: Network,
    /// The channel.
    pub channel: ChannelConfig,
    /// The channel's id.
    pub channel_id: B256,
    /// The most that may be claimed over the channel's life. It must be what was charged before and the offer's amount,
    /// or for a refund what was charged before: only the ledger can check that.
    pub max_claimable: Atomic,
    /// The voucher's r, s, v.
    pub signature: [u8; 65],
    /// What comes with the voucher.
    pub action: Action,
}

/// What comes with a voucher.
#[expect(clippy::large_enum_variant, reason = "there is one at a time, and not for long")]
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Nothing: it pays a call.
    Voucher,
    /// A deposit, before it pays a call. Whether it is as large as the offer asks for is not checked: that is a wish.
    Deposit(Deposit),
    /// The payer asks for this much back, or for everything. It pays nothing.
    Refund(Option<Atomic>),
}

/// A deposit that was checked: its signature is the payer's, and it goes into the channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deposit {
    /// What makes it one deposit; its `asset` is the token, or Permit2.
    pub key: PaymentKey,
    /// How much.
    pub amount: Atomic,
    /// Who moves the token.
    pub method: DepositMethod,
}

/// Who moves the token of a deposit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DepositMethod {
    /// The token itself.
    Eip3009 {
        /// The Unix second after which it is valid.
        valid_after: U256,
        /// The Unix second before which it is valid.
        valid_before: U256,
        /// What makes, with the channel's id, the nonce.
        salt: U256,
        /// r, s, v.
        signature: [u8; 65],
    },
    /// Permit2.
    Permit2 {
        /// The last Unix second at which it is taken.
        deadline: U256,
        /// r, s, v.
        signature: [u8; 65],
        /// The payer's allowance for Permit2, if it sent one along.
        permit: Option<Permit>,
    },
}

/// Checks everything about a payment but its time, so that a payment settled long ago is still recognised.
pub fn read(payload: &PaymentPayload, offered: &PaymentRequirements) -> Result<Authorization, Rejection> {
    check_accepted(Scheme::Batch, payload, offered)?;
    let offer = Offer::read(Scheme::Batch, offered)?;
    if !matches!(payload.payload.get("type").and_then(Value::as_str), Some("deposit" | "voucher" | "refund"))
    {
        let message = "the payload's `type` is not `deposit`, `voucher` or `refund`";
        return Err(Rejection::new(ErrorCode::BatchPayloadType, message));
    }
    let batch: BatchPayload = part(payload, "one of `batch-settlement`")?;
    let (channel, voucher) = batch.channel_and_voucher();
    let channel_id = check_channel(channel, voucher, &offer, offered)?;
    let max_claimable = match batch {
        BatchPayload::Refund { .. } => amount("maxClaimableAmount", &voucher.max_claimable_amount)?,
        _ => positive_amount("maxClaimableAmount", &voucher.max_claimable_amount)?,
    };
    let digest = voucher_digest(offer.network.chain_id, channel_id, max_claimable.0);
    let signature =
        signed_by(channel.voucher_signer(), digest, &voucher.signature, ErrorCode::BatchVoucherSignature)?;
    let action = match &batch {
        BatchPayload::Voucher { .. } => Action::Voucher,
        BatchPayload::Refund { amount, .. } => {
            let read = |text: &String| {
                positive_amount("amount", text)
                    .map_err(|error| Rejection::new(ErrorCode::BatchRefundAmountInvalid, error.message))
            };
            Action::Refund(amount.as_ref().map(read).transpose()?)
        }
        BatchPayload::Deposit { deposit, .. } => {
            Action::Deposit(read_deposit(payload, &offer, channel, channel_id, deposit)?)
        }
    };
    Ok(Authorization {
        network: offer.network,
        channel: channel.clone(),
        channel_id,
        max_claimable,
        signature,
        action,
    })
}

/// Checks that the channel is one that we would take, and returns its id.
fn check_channel(
    channel: &ChannelConfig,
    voucher: &VoucherPayload,
    offer: &Offer,
    offered: &PaymentRequirements,
) -> Result<B256, Rejection> {
    let id = bytes32("channelId", &voucher.channel_id)
        .map_err(|error| Rejection::new(ErrorCode::BatchChannelIdInvalid, error.message))?;
    let differs = |code, what: &str| Err(Rejection::new(code, format!("the channel's {what}")));
    if id != channel_id(offer.network.chain_id, channel) {
        return differs(ErrorCode::BatchChannelIdMismatch, "id is not that of its configuration");
    }
    if channel.receiver != offer.pay_to {
        return differs(ErrorCode::BatchReceiverMismatch, "receiver is not the payee of the offer");
    }
    let authorizer = Offer::extra_address(offered, RECEIVER_AUTHORIZER)?;
    if authorizer == Address::ZERO {
        return Err(refused(format!("the offer's `extra.{RECEIVER_AUTHORIZER}` is zero")));
    }
    if channel.receiver_authorizer != authorizer {
        let code = ErrorCode::BatchReceiverAuthorizerMismatch;
        return differs(code, "receiverAuthorizer is not that of the offer");
    }
    if channel.token != offer.domain.verifying_contract {
        return differs(ErrorCode::BatchTokenMismatch, "token is not that of the offer");
    }
    let delay = withdraw_delay(offered)?;
    if channel.withdraw_delay != delay {
        return differs(ErrorCode::BatchWithdrawDelayMismatch, "withdrawDelay is not that of the offer");
    }
    if !(WITHDRAW_DELAY_MIN..=WITHDRAW_DELAY_MAX).contains(&delay) {
        return differs(ErrorCode::BatchWithdrawDelayOutOfRange, "withdrawDelay is out of range");
    }
    Ok(id)
}

/// Reads the delay of a withdrawal that the offer names.
pub(crate) fn withdraw_delay(offered: &PaymentRequirements) -> Result<u64, Rejection> {
    let delay = offered.extra.get(WITHDRAW_DELAY).and_then(Value::as_u64);
    delay.ok_or_else(|| refused(format!("the offer's `extra.{WITHDRAW_DELAY}` is no number")))
}

fn read_deposit(
    payload: &PaymentPayload,
    offer: &Offer,
    channel: &ChannelConfig,
    channel_id: B256,
    deposit: &DepositPayload,
) -> Result<Deposit, Rejection> {
    let amount = positive_amount("amount", &deposit.amount)?;
    let DepositAuthorization { erc3009_authorization, permit2_authorization } = &deposit.authorization;
    let by_permit2 = match offer.method {
        Some(method) => method == TransferMethod::Permit2,
        None => permit2_authorization.is_some(),
    };
    let (asset, nonce, method) = match (by_permit2, erc3009_authorization, permit2_authorization) {
        (false, Some(authorization), _) => {
            let (nonce, method) = read_eip3009(offer, channel, channel_id, amount, authorization)?;
            (channel.token, nonce, method)
        }
        (true, _, Some(authorization)) => {
            let (nonce, method) = read_permit2(payload, offer, channel, channel_id, amount, authorization)?;
            (PERMIT2, nonce, method)
        }
        (false, None, _) => {
            let message = "the deposit has no `erc3009Authorization`";
            return Err(Rejection::new(ErrorCode::BatchErc3009AuthorizationRequired, message));
        }
        (true, _, None) => {
            let message = "the deposit has no `permit2Authorization`";
            return Err(Rejection::new(ErrorCode::BatchPermit2AuthorizationRequired, message));
        }
    };
    let key = PaymentKey { network: offer.network, asset, payer: channel.payer, nonce };
    Ok(Deposit { key, amount, method })
}

fn read_eip3009(
    offer: &Offer,
    channel: &ChannelConfig,
    channel_id: B256,
    amount: Atomic,
    wire: &Erc3009Authorization,
) -> Result<(B256, DepositMethod), Rejection> {
    let salt = salt(&wire.salt)?;
    let transfer = Transfer {
        from: channel.payer,
        to: ERC3009_DEPOSIT_COLLECTOR,
        value: U256::from(amount.0),
        valid_after: number("validAfter", &wire.valid_after)?,
        valid_before: number("validBefore", &wire.valid_before)?,
        nonce: deposit_nonce(channel_id, salt),
    };
    let signature = signed_by(
        channel.payer,
        receive_digest(&offer.domain, &transfer),
        &wire.signature,
        ErrorCode::BatchReceiveAuthorizationSignature,
    )?;
    let Transfer { valid_after, valid_before, nonce, .. } = transfer;
    Ok((nonce, DepositMethod::Eip3009 { valid_after, valid_before, salt, signature }))
}

fn read_permit2(
    payload: &PaymentPayload,
    offer: &Offer,
    channel: &ChannelConfig,
    channel_id: B256,
    amount: Atomic,
    wire: &SignedPermit2Authorization,
) -> Result<(B256, DepositMethod), Rejection> {
    let differs = |code, what: &str| Err(Rejection::new(code, format!("the deposit's {what}")));
    let transfer = wire.authorization.transfer()?;
    if wire.authorization.payer()? != channel.payer {
        return differs(ErrorCode::BatchPermit2InvalidSignature, "payer is not that of the channel");
    }
    if transfer.spender != PERMIT2_DEPOSIT_COLLECTOR {
        return differs(ErrorCode::BatchPermit2InvalidSpender, "spender is not the collector of deposits");
    }
    if transfer.token != channel.token {
        return differs(ErrorCode::BatchTokenMismatch, "token is not that of the channel");
    }
    if transfer.amount != U256::from(amount.0) {
        return differs(ErrorCode::BatchPermit2AmountMismatch, "authorization is over another amount");
    }
    if bytes32("channelId", &wire.authorization.witness.channel_id)? != channel_id {
        return differs(ErrorCode::BatchChannelIdMismatch, "authorization is for another channel");
    }
    let digest = permit_transfer_digest(offer.network.chain_id, &transfer, &Witness::Deposit { channel_id });
    let signature =
        signed_by(channel.payer, digest, &wire.signature, ErrorCode::BatchPermit2InvalidSignature)?;
    let permit =
        permit2::read_permit(payload, offer, channel.payer, amount, ErrorCode::BatchEip2612AmountMismatch)?;
    let PermitTransfer { nonce, deadline, .. } = transfer;
    Ok((B256::from(nonce), DepositMethod::Permit2 { deadline, signature, permit }))
}

/// Reads a salt of at most 256 bits, in hex.
fn salt(text: &str) -> Result<U256, Rejection> {
    let digits = text.strip_prefix("0x").filter(|digits| {
        (1..=64).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
    });
    digits
        .and_then(|digits| U256::from_str_radix(digits, 16).ok())
        .ok_or_else(|| malformed("`salt` is not a number of at most 256 bits in hex".to_owned()))
}

/// Checks that a deposit, if there is one, is valid now and outlives a run of `run_ms_max` and the settlement after it.
/// Vouchers do not expire.
pub fn check_window(authorization: &Authorization, now_s: u64, run_ms_max: u64) -> Result<(), Rejection> {
    let Action::Deposit(deposit) = &authorization.action else {
        return Ok(());
    };
    let window =
        |after, before, too_late| Window { after, before, too_early: ErrorCode::BatchValidAfter, too_late };
    match &deposit.method {
        DepositMethod::Eip3009 { valid_after, valid_before, .. } => {
            window(*valid_after, *valid_before, ErrorCode::BatchValidBefore).check(now_s, run_ms_max)
        }
        DepositMethod::Permit2 { deadline, permit, .. } => {
            window(U256::ZERO, *deadline, ErrorCode::BatchPermit2DeadlineExpired).check(now_s, run_ms_max)?;
            permit2::check_permit_window(permit.as_ref(), now_s, run_ms_max)
        }
    }
}

impl ChannelConfig {
    /// Returns whose key signs the channel's vouchers.
    pub fn voucher_signer(&self) -> Address {
        if self.payer_authorizer == Address::ZERO { self.payer } else { self.payer_authorizer }
    }
}

impl Authorization {
    /// Returns how much is deposited with the voucher.
    pub fn deposited(&self) -> Atomic {
        match &self.action {
            Action::Deposit(deposit) => deposit.amount,
            Action::Voucher | Action::Refund(_) => Atomic::ZERO,
        }
    }

    /// Returns what makes the voucher one payment: the channel and what it may pay in all, in the place of a nonce. A
    /// deposit with its voucher and the voucher alone are one payment; asking for a refund is another thing.
    ///
    /// A voucher that was not charged may come again for another request.
    pub fn key(&self) -> PaymentKey {
        let kind = match self.action {
            Action::Voucher | Action::Deposit(_) => "voucher",
            Action::Refund(_) => "refund",
        };
        let cumulative = U256::from(self.max_claimable.0).to_be_bytes::<32>();
        PaymentKey {
            network: self.network,
            asset: BATCH_SETTLEMENT,
            payer: self.channel.payer,
            nonce: keccak256([kind.as_bytes(), self.channel_id.as_slice(), &cumulative].concat()),
        }
    }
}
