//! A payment of any scheme: which offer it takes, and its check by that offer's scheme.

use alloy_primitives::{Address, U256};

use crate::facilitator::Rejection;
use crate::scheme::batch::{Action, DepositMethod};
use crate::scheme::{PaymentKey, Scheme, batch, exact, upto};
use crate::x402::{ErrorCode, PaymentPayload, PaymentRequirements, clip};

/// A payment that was checked, by its scheme.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Authorization {
    /// A fixed amount.
    Exact(exact::Authorization),
    /// What was used, up to a ceiling.
    Upto(upto::Authorization),
    /// Out of a deposit.
    Batch(batch::Authorization),
}

impl Authorization {
    /// Returns its scheme.
    pub fn scheme(&self) -> Scheme {
        match self {
            Self::Exact(_) => Scheme::Exact,
            Self::Upto(_) => Scheme::Upto,
            Self::Batch(_) => Scheme::Batch,
        }
    }

    /// Returns who pays.
    pub fn payer(&self) -> Address {
        match self {
            Self::Exact(exact) => exact.key.payer,
            Self::Upto(upto) => upto.payer,
            Self::Batch(batch) => batch.channel.payer,
        }
    }

    /// Returns the last Unix second of which a contract might still take it; nothing if time does not end it.
    pub fn expires_s(&self) -> Option<U256> {
        match self {
            Self::Exact(exact) => Some(exact.valid_before),
            Self::Upto(upto) => Some(upto.deadline),
            Self::Batch(batch) => match &batch.action {
                Action::Deposit(deposit) => Some(match &deposit.method {
                    DepositMethod::Eip3009 { valid_before, .. } => *valid_before,
                    DepositMethod::Permit2 { deadline, .. } => *deadline,
                }),
                Action::Voucher | Action::Refund(_) => None,
            },
        }
    }

    /// Returns who signed it. A channel may name anybody as its payer, and somebody else as the signer of its vouchers: what
    /// is a payer's own is for the signer.
    pub fn signer(&self) -> Address {
        match self {
            Self::Batch(batch) => batch.channel.voucher_signer(),
            Self::Exact(_) | Self::Upto(_) => self.payer(),
        }
    }

    /// Returns what makes it one payment and no other.
    pub fn key(&self) -> PaymentKey {
        match self {
            Self::Exact(exact) => exact.key.clone(),
            Self::Upto(upto) => upto.key.clone(),
            Self::Batch(batch) => batch.key(),
        }
    }
}

/// Returns the one of our offers that the client took. The first of its scheme, network and token is meant; whether the
/// rest is as we offer it is checked with the payment.
pub fn taken<'a>(
    payload: &PaymentPayload,
    offers: &'a [PaymentRequirements],
) -> Result<&'a PaymentRequirements, Rejection> {
    let accepted = &payload.accepted;
    let of_scheme = offers.iter().filter(|offer| offer.scheme == accepted.scheme);
    if of_scheme.clone().next().is_none() {
        let message = format!("the scheme `{}` is not on offer", clip(&accepted.scheme));
        return Err(Rejection::new(ErrorCode::UnsupportedScheme, message));
    }
    let of_network = of_scheme.filter(|offer| offer.network == accepted.network);
    if of_network.clone().next().is_none() {
        let message = format!("the network `{}` is not on offer", clip(&accepted.network));
        return Err(Rejection::new(ErrorCode::InvalidNetwork, message));
    }
    of_network.clone().find(|offer| offer.asset.eq_ignore_ascii_case(&accepted.asset)).ok_or_else(|| {
        let message = format!("the asset `{}` is not on offer", clip(&accepted.asset));
        Rejection::new(ErrorCode::InvalidPaymentRequirements, message)
    })
}

/// Checks a payment against the offer that we make now, at the Unix second `now_s`, for a run of at most `run_ms_max`.
///
/// The authorization must be valid already (the stock clients let it be so from second 0 on) and must outlive the run
/// and the settlement after it.
pub fn check(
    payload: &PaymentPayload,
    offered: &PaymentRequirements,
    now_s: u64,
    run_ms_max: u64,
) -> Result<Authorization, Rejection> {
    let authorization = read(payload, offered)?;
    check_window(&authorization, now_s, run_ms_max)?;
    Ok(authorization)
}

/// Checks everything about a payment but its time, so that a payment settled long ago is still recognised.
pub fn read(payload: &PaymentPayload, offered: &PaymentRequirements) -> Result<Authorization, Rejection> {
    Ok(match offered.scheme.parse()? {
        Scheme::Exact => Authorization::Exact(exact::read(payload, offered)?),
        Scheme::Upto => Authorization::Upto(upto::read(payload, offered)?),
        Scheme::Batch => Authorization::Batch(batch::read(payload, offered)?),
    })
}

/// Checks that the authorization is valid now and outlives a run of `run_ms_max` and the settlement after it.
pub fn check_window(authorization: &Authorization, now_s: u64, run_ms_max: u64) -> Result<(), Rejection> {
    match authorization {
        Authorization::Exact(exact) => exact::check_window(exact, now_s, run_ms_max),
        Authorization::Upto(upto) => upto::check_window(upto, now_s, run_ms_max),
        Authorization::Batch(batch) => batch::check_window(batch, now_s, run_ms_max),
    }
}
