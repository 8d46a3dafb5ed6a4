//! Payment as the rest of the product sees it: who verifies a payment, settles it, and pays out.
//!
//! Implementors: [`Settler`](crate::Settler) over any chain and [`Faulty`](crate::Faulty), which makes another one
//! fail on demand. Everything that moves money is idempotent, so a caller that does not know what happened
//! asks again with the same words.

use std::fmt;

use alloy_primitives::{Address, B256, U256};
use async_trait::async_trait;
use glassbox_core::Atomic;

use crate::chain::{Fee, Standing, TransferEvent};
use crate::error::PayError;
use crate::exact::PaymentKey;
use crate::network::Network;
use crate::scheme::batch::ChannelConfig;
use crate::x402::{ErrorCode, PaymentPayload, PaymentRequirements, SettleResponse};

/// Why a payment was refused. Nothing has moved.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct Rejection {
    /// The code for the payer's program.
    pub code: ErrorCode,
    /// The sentence for the payer's person.
    pub message: String,
}

impl Rejection {
    /// Makes a refusal.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }
}

/// A payment that could be settled at the moment it was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// Who signed it.
    pub payer: Address,
    /// What makes it one payment and no other.
    pub key: PaymentKey,
}

/// What became of moving money. There are three outcomes, and a caller must say what each means to it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum Settlement {
    /// The money moved.
    Settled {
        /// The transaction's hash.
        transaction: B256,
        /// Who paid: the payer of a payment, the treasury of a pay-out.
        payer: Address,
        /// How much.
        amount: Atomic,
        /// The number of the block that holds the transaction.
        block: u64,
    },
    /// The money did not move, and this request will never make it move.
    Rejected(Rejection),
    /// Nobody knows yet. It may have moved: never ask for another payment; ask again with this one.
    Unknown {
        /// What happened, for the log.
        detail: String,
    },
}

impl Settlement {
    /// Makes a refusal.
    pub fn rejected(code: ErrorCode, message: impl Into<String>) -> Self {
        Self::Rejected(Rejection::new(code, message))
    }

    /// Returns what the `PAYMENT-RESPONSE` header says about a decided payment; nothing while it is unknown,
    /// because the wire has no word for that and "not successful" would make a client pay again.
    pub fn response(&self, network: Network) -> Option<SettleResponse> {
        match self {
            Self::Settled { transaction, payer, amount, .. } => Some(SettleResponse {
                success: true,
                error_reason: None,
                error_message: None,
                payer: Some(payer.to_checksum(None)),
                transaction: transaction.to_string(),
                network: network.to_string(),
                amount: Some(amount.to_string()),
                extra: None,
                extensions: None,
            }),
            Self::Rejected(rejection) => Some(SettleResponse {
                success: false,
                error_reason: Some(rejection.code.clone()),
                error_message: Some(rejection.message.clone()),
                payer: None,
                transaction: String::new(),
                network: network.to_string(),
                amount: None,
                extra: None,
                extensions: None,
            }),
            Self::Unknown { .. } => None,
        }
    }
}

/// How a payer's signature limits what moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Scheme {
    /// Exactly the signed amount.
    Exact,
    /// At most the signed amount, once.
    Upto,
    /// Out of a deposit, by cumulative vouchers.
    Batch,
}

impl Scheme {
    /// Returns the scheme as it is written on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Exact => "exact",
            Self::Upto => "upto",
            Self::Batch => "batch-settlement",
        }
    }
}

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What the contract knows of a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ChannelState {
    /// How much is in it, what was claimed included.
    pub balance: Atomic,
    /// How much was claimed of it.
    pub total_claimed: Atomic,
    /// The Unix second at which the payer asked for its money back; zero if it did not.
    pub withdraw_requested_at: u64,
    /// The number that the next refund must carry.
    pub refund_nonce: U256,
}

/// A voucher to be claimed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// The channel.
    pub channel: ChannelConfig,
    /// The total that the voucher allows to be claimed.
    pub max_claimable: Atomic,
    /// The voucher's signature.
    pub signature: Vec<u8>,
    /// The total that is to be claimed after this, at most `max_claimable`.
    pub total_claimed: Atomic,
}

/// One of several payments from the treasury.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PayOut {
    /// Its number in the run.
    pub number: u32,
    /// Who gets it.
    pub to: Address,
    /// How much, more than nothing.
    pub amount: Atomic,
}

/// Verifies and settles payments in one asset on one network, and pays out from the operator's treasury.
///
/// Everything that moves money is idempotent by its id or by the payment itself.
#[async_trait]
pub trait Facilitator: Send + Sync {
    /// Returns the name to show to people, such as `devnet, play money`.
    fn label(&self) -> &str;

    /// Returns the network that the asset lives on.
    fn network(&self) -> Network;

    /// Returns the address of the token.
    fn asset(&self) -> Address;

    /// Returns the operator's own address, from which pay-outs are made.
    fn treasury(&self) -> Address;

    /// Returns the schemes that it settles, in the order in which they are offered.
    fn schemes(&self) -> &[Scheme];

    /// Writes an offer to be paid `amount`: the price of `exact`, the ceiling of `upto`, the most of one call of
    /// `batch-settlement`. `timeout_s` is how long the payer's authorization shall live: it must cover the longest run
    /// and [`SETTLE_SECONDS_MAX`](glassbox_core::limits::SETTLE_SECONDS_MAX).
    fn offer(&self, scheme: Scheme, amount: Atomic, pay_to: Address, timeout_s: u64) -> PaymentRequirements;

    /// Says whether the payment could be settled now. Moves nothing and reserves nothing.
    async fn verify(
        &self,
        payload: &PaymentPayload,
        offered: &PaymentRequirements,
    ) -> Result<Verified, Rejection>;

    /// Settles `amount` of the payment: under `exact` the offer's amount, under `upto` anything above zero up to it; a
    /// deposit of `batch-settlement` is deposited, and `amount` is the deposit's.
    ///
    /// Settling one authorization again returns the first answer, even after it expired; a nonce that was spent on
    /// another transfer is rejected with [`ErrorCode::NonceAlreadyUsed`]. `offered` is the offer under which the
    /// payment was taken, so keep it with the call: a price may have changed since.
    async fn settle(
        &self,
        payload: &PaymentPayload,
        offered: &PaymentRequirements,
        amount: Atomic,
    ) -> Settlement;

    /// Pays `amount` from the treasury, for refunds and earnings. `id` makes it happen once: the same words again
    /// return the first answer, the same `id` with another payee or amount is rejected.
    async fn pay_out(&self, id: &str, to: Address, amount: Atomic) -> Settlement;

    /// Pays several of a run at once from the treasury, in one transaction, all or none.
    ///
    /// The run's `id` and its number make each payment happen once, together with whichever others it is asked for. So what
    /// is not paid together may be asked for one by one; it must be the same payee and amount for ever. What is signed to
    /// pay never expires: a payment that is refused now may still be made later, by anybody who saw it, so it is owed
    /// until it is settled. One that is asked for alone is settled also where somebody else had it made.
    async fn pay_out_all(&self, id: &str, payments: &[PayOut]) -> Settlement;

    /// Says what [`pay_out_all`](Self::pay_out_all) would cost the operator now.
    async fn pay_out_fee(&self, id: &str, payments: &[PayOut]) -> Result<Fee, PayError>;

    /// Returns what the contract knows of a channel. One that was never deposited into is empty.
    async fn channel(&self, id: B256) -> Result<ChannelState, PayError>;

    /// Claims vouchers of channels whose receiver is the treasury, and moves what was claimed there. The amount
    /// settled is what arrived.
    async fn claim(&self, id: &str, claims: &[Claim]) -> Settlement;

    /// Claims what is owed of one channel, moves it to the treasury, and gives `amount` of the rest back to the payer, or
    /// as much as there is. The amount settled is what went back.
    async fn refund_channel(&self, id: &str, claim: &Claim, amount: Atomic) -> Settlement;

    /// Says whether it can move money out of the treasury: [`pay_out`](Self::pay_out), [`claim`](Self::claim) and
    /// [`refund_channel`](Self::refund_channel). Without that, offer nothing that may need a refund.
    fn can_pay_out(&self) -> bool {
        true
    }

    /// Returns how much of the asset an address has.
    async fn balance(&self, address: Address) -> Result<Atomic, PayError>;

    /// Returns how sure it is that a transaction stays.
    async fn standing(&self, transaction: B256) -> Result<Standing, PayError>;

    /// Returns the transfers from or to the treasury since the block `from_block`, that one included, in order.
    async fn transfers(&self, from_block: u64) -> Result<Vec<TransferEvent>, PayError>;
}
