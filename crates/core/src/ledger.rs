//! Double entry: every movement of money is a balanced transfer between two accounts, in pico.
//!
//! This module says which transfers a call makes; `store` writes them in the same transaction as the call's state.
//! A transfer is *pending* while it is undecided, then *posted* or *voided*, never both. Only posted transfers count
//! in a balance.
//!
//! Money comes in by four roads, and a paid call takes one of them:
//!
//! ```text
//! by a payment    rail ──deposit──▶ payer ──charge──▶ operator, payees      what the ceiling exceeded the charge by:
//!                                                                           payer ──refund──▶ rail
//! by a voucher    escrow ──voucher─▶ payer ──charge──▶ operator, payees     later: rail ──claim──▶ escrow
//! by credit       payer ──charge──▶ operator, payees                        before: rail ──deposit──▶ payer ──top-up──▶
//!                                                                           payer, or operator ──grant──▶ payer
//! by an invoice   invoice ─invoice─▶ payer ──charge──▶ operator, payees     later: bank ──deposit──▶ invoice
//! ```
//!
//! An account of a company that pays beforehand spends credit, which came by its bank.
//!
//! What nobody claims of earnings becomes somebody else's by a *lapse*, see [`escrow`](crate::escrow), and comes back by another
//! where the charge goes back.
//! What goes back of a charge is a *reversal* of it, see [`reversal`](crate::reversal), and leaves over the rail, or off the
//! invoice, as a *refund*.
//! Earnings leave by a *payout*. A deposit that a chain took back for good is a *loss* of the operator's, and nobody
//! else's.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::money::{Atomic, Pico};
use crate::name::PackageName;
use crate::split::{Receiver, Share};

/// A day, in milliseconds. Days are counted from 1970, in UTC.
pub const DAY_MS: i64 = 24 * 60 * 60 * 1_000;

/// A ledger account. Prints and parses as `kind:id`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum Account {
    /// The outside world behind a payment rail, such as `x402:eip155:84532`. Its balance is the negative of what the
    /// operator holds there.
    Rail(String),
    /// What the vouchers of a channel promise, by the channel's id. Its balance is the negative of what they are worth
    /// beyond what was claimed.
    Escrow(String),
    /// What an account of a company owes for what it used, by the name of its payer. Its balance is the negative of what is
    /// not settled yet.
    Invoice(String),
    /// What is owed to a payer: nothing between two calls, or prepaid credit.
    Payer(String),
    /// What is owed to a payee.
    Payee(String),
    /// What the operator earned.
    Operator,
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rail(id) => write!(f, "rail:{id}"),
            Self::Escrow(id) => write!(f, "escrow:{id}"),
            Self::Invoice(id) => write!(f, "invoice:{id}"),
            Self::Payer(id) => write!(f, "payer:{id}"),
            Self::Payee(id) => write!(f, "payee:{id}"),
            Self::Operator => f.write_str("operator"),
        }
    }
}

/// Says that a text is no word of the ledger's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no account and no kind of transfer")]
pub struct AccountError(String);

impl FromStr for Account {
    type Err = AccountError;

    fn from_str(text: &str) -> Result<Self, AccountError> {
        match text.split_once(':') {
            None if text == "operator" => Ok(Self::Operator),
            Some(("rail", id)) => Ok(Self::Rail(id.into())),
            Some(("escrow", id)) => Ok(Self::Escrow(id.into())),
            Some(("invoice", id)) => Ok(Self::Invoice(id.into())),
            Some(("payer", id)) => Ok(Self::Payer(id.into())),
            Some(("payee", id)) => Ok(Self::Payee(id.into())),
            _ => Err(AccountError(text.chars().take(80).collect())),
        }
    }
}

impl From<Account> for String {
    fn from(account: Account) -> Self {
        account.to_string()
    }
}

impl TryFrom<String> for Account {
    type Error = AccountError;

    fn try_from(text: String) -> Result<Self, AccountError> {
        text.parse()
    }
}

impl From<&Receiver> for Account {
    fn from(receiver: &Receiver) -> Self {
        match receiver {
            Receiver::Operator => Self::Operator,
            Receiver::Payee(id) => Self::Payee(id.clone()),
        }
    }
}

/// One balanced movement: `amount` leaves `debit` and arrives at `credit`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transfer {
    /// The account that gives.
    pub debit: Account,
    /// The account that receives.
    pub credit: Account,
    /// How much, never zero.
    pub amount: Pico,
    /// What for.
    pub kind: Kind,
    /// The package that it is for, of charges and of what goes back of them, where that is not the one that was paid for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub through: Option<PackageName>,
}

/// What a transfer is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A settled payment arriving.
    Deposit,
    /// What a voucher promises for a call.
    Voucher,
    /// What a call adds to the invoice of an account.
    Invoice,
    /// Credit set aside for a call. Never posted: the charge takes its place.
    Hold,
    /// A charge, one transfer for each receiver.
    Charge,
    /// What a payer gets back: the unused part of a ceiling, or credit.
    Refund,
    /// What vouchers promised, arriving.
    Claim,
    /// A deposit becoming the credit of an account.
    TopUp,
    /// Credit that the operator gives.
    Grant,
    /// Earnings going out.
    Payout,
    /// A deposit that the chain took back.
    Loss,
    /// A share that nobody claimed, becoming somebody else's; or coming back from there, because the charge goes back.
    Lapse,
    /// A charge going back, or a part of it: because a promise was broken, or because the operator says so.
    Reversal,
}

impl Kind {
    const ALL: [(Self, &'static str); 13] = [
        (Self::Deposit, "deposit"),
        (Self::Voucher, "voucher"),
        (Self::Invoice, "invoice"),
        (Self::Hold, "hold"),
        (Self::Charge, "charge"),
        (Self::Refund, "refund"),
        (Self::Claim, "claim"),
        (Self::TopUp, "top-up"),
        (Self::Grant, "grant"),
        (Self::Payout, "payout"),
        (Self::Loss, "loss"),
        (Self::Lapse, "lapse"),
        (Self::Reversal, "reversal"),
    ];

    /// Returns the word that the database stores.
    pub fn as_str(self) -> &'static str {
        Self::ALL.iter().find(|(kind, _)| *kind == self).expect("all kinds are listed").1
    }
}

impl FromStr for Kind {
    type Err = AccountError;

    fn from_str(text: &str) -> Result<Self, AccountError> {
        let known = Self::ALL.iter().find(|(_, word)| *word == text);
        known.map(|(kind, _)| *kind).ok_or_else(|| AccountError(text.chars().take(80).collect()))
    }
}

impl Transfer {
    fn new(kind: Kind, debit: Account, credit: Account, amount: Pico) -> Self {
        Self { debit, credit, amount, kind, through: None }
    }
}

/// Returns the deposit that mirrors a payment of `amount` by `payer` over `rail`. Pending until it is settled.
pub fn deposit(rail: &str, payer: &str, amount: Atomic) -> Transfer {
    Transfer::new(Kind::Deposit, Account::Rail(rail.into()), Account::Payer(payer.into()), amount.to_pico())
}

/// Returns what a voucher of `channel` promises for a call. Pending at the ceiling, posted at the charge.
pub fn voucher(channel: &str, payer: &str, amount: Atomic) -> Transfer {
    Transfer::new(
        Kind::Voucher,
        Account::Escrow(channel.into()),
        Account::Payer(payer.into()),
        amount.to_pico(),
    )
}

/// The rail of what a company pays in by its bank: the operator books it, and no chain knows of it.
pub const BANK: &str = "bank";

/// Returns what a call adds to the invoice of `payer`. Pending at the ceiling, posted at the charge.
pub fn invoice(payer: &str, amount: Atomic) -> Transfer {
    Transfer::new(
        Kind::Invoice,
        Account::Invoice(payer.into()),
        Account::Payer(payer.into()),
        amount.to_pico(),
    )
}

/// Returns the settling of what `payer` owes by invoice.
pub fn settlement(payer: &str, amount: Atomic) -> Transfer {
    Transfer::new(Kind::Deposit, Account::Rail(BANK.into()), Account::Invoice(payer.into()), amount.to_pico())
}

/// Returns what is set aside of a payer's credit while a call runs. Voided when the call is decided.
pub fn hold(payer: &str, amount: Atomic) -> Transfer {
    Transfer::new(Kind::Hold, Account::Payer(payer.into()), Account::Operator, amount.to_pico())
}

/// Returns the arrival of what the vouchers of `channel` promised.
pub fn claim(rail: &str, channel: &str, amount: Atomic) -> Transfer {
    Transfer::new(Kind::Claim, Account::Rail(rail.into()), Account::Escrow(channel.into()), amount.to_pico())
}

/// Returns credit that the operator gives to `payer`, at the operator's own expense.
pub fn grant(payer: &str, amount: Atomic) -> Transfer {
    Transfer::new(Kind::Grant, Account::Operator, Account::Payer(payer.into()), amount.to_pico())
}

/// Returns the paying out of what `account` earned. Pending until the rail has paid it out.
pub fn payout(rail: &str, account: Account, amount: Atomic) -> Transfer {
    Transfer::new(Kind::Payout, account, Account::Rail(rail.into()), amount.to_pico())
}

/// Returns the loss of a deposit that the chain took back for good: it is the operator's.
pub fn loss(rail: &str, amount: Atomic) -> Transfer {
    Transfer::new(Kind::Loss, Account::Operator, Account::Rail(rail.into()), amount.to_pico())
}

/// Returns the transfers of a charge, one for each share.
pub fn charge(payer: &str, shares: &[Share]) -> Vec<Transfer> {
    shares
        .iter()
        .map(|share| Transfer {
            debit: Account::Payer(payer.into()),
            credit: Account::from(&share.to),
            amount: share.amount,
            kind: Kind::Charge,
            through: share.through.clone(),
        })
        .collect()
}

/// Returns the refund of `amount` to `payer` over `rail`. Pending until the rail has paid it out.
pub fn refund(rail: &str, payer: &str, amount: Atomic) -> Transfer {
    Transfer::new(Kind::Refund, Account::Payer(payer.into()), Account::Rail(rail.into()), amount.to_pico())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::manifest::Payee;
    use crate::split::split;

    #[test]
    fn a_call_leaves_its_payer_at_zero() {
        let payees = [Payee { id: "ana".into(), share: 10_000, role: None }];
        let mut transfers = vec![deposit("x402", "0xp", Atomic(2_000))];
        transfers.extend(charge("0xp", &split(Atomic(494), 500, &payees, "call")));
        transfers.push(refund("x402", "0xp", Atomic(2_000 - 494)));

        let mut balances: BTreeMap<String, i128> = BTreeMap::new();
        for transfer in &transfers {
            *balances.entry(transfer.debit.to_string()).or_default() -= transfer.amount.0 as i128;
            *balances.entry(transfer.credit.to_string()).or_default() += transfer.amount.0 as i128;
        }
        assert_eq!(balances["payer:0xp"], 0);
        assert_eq!(balances["payee:ana"], 469_300_000);
        assert_eq!(balances["rail:x402"], -494_000_000);
        assert_eq!(balances.values().sum::<i128>(), 0);
    }

    #[test]
    fn accounts_print_and_parse() {
        for text in ["operator", "payer:0xab", "payee:did:key:z6Mk", "rail:x402:eip155:84532", "escrow:0x01"]
        {
            assert_eq!(text.parse::<Account>().expect("valid").to_string(), text);
        }
        assert!("bank:x".parse::<Account>().is_err() && "".parse::<Account>().is_err());
    }
}
