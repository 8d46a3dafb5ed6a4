//! Double entry: every movement of money is a balanced transfer between two accounts, in pico.
//!
//! This module says which transfers a call makes; `store` writes them in the same transaction as the call's state.
//! A transfer is *pending* while its call is undecided, then *posted* or *voided*, never both. Only posted transfers
//! count in a balance.
//!
//! A paid call moves money in at most three steps: the *deposit* (rail → payer), which mirrors the settled payment;
//! the *charge* (payer → operator and payees); and the *refund* (payer → rail) of what the ceiling exceeded the
//! charge by. After all three the payer's account is back where it was.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::money::{Atomic, Pico};
use crate::split::{Receiver, Share};

/// A ledger account. Prints and parses as `kind:id`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum Account {
    /// The outside world behind a payment rail, such as `x402:eip155:84532`. Its balance is the negative of what the
    /// operator holds there.
    Rail(String),
    /// What is owed to a payer.
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
            Self::Payer(id) => write!(f, "payer:{id}"),
            Self::Payee(id) => write!(f, "payee:{id}"),
            Self::Operator => f.write_str("operator"),
        }
    }
}

/// Says that a text names no account.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a ledger account")]
pub struct AccountError(String);

impl FromStr for Account {
    type Err = AccountError;

    fn from_str(text: &str) -> Result<Self, AccountError> {
        match text.split_once(':') {
            None if text == "operator" => Ok(Self::Operator),
            Some(("rail", id)) => Ok(Self::Rail(id.into())),
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
}

/// What a transfer is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A settled payment arriving.
    Deposit,
    /// A charge, one transfer for each receiver.
    Charge,
    /// The unused part of a ceiling going back.
    Refund,
}

impl Kind {
    /// Returns the word that the database stores.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Deposit => "deposit",
            Self::Charge => "charge",
            Self::Refund => "refund",
        }
    }
}

/// Returns the deposit that mirrors a payment of `amount` by `payer` over `rail`. Pending until it is settled.
pub fn deposit(rail: &str, payer: &str, amount: Atomic) -> Transfer {
    Transfer {
        debit: Account::Rail(rail.into()),
        credit: Account::Payer(payer.into()),
        amount: amount.to_pico(),
        kind: Kind::Deposit,
    }
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
        })
        .collect()
}

/// Returns the refund of `amount` to `payer` over `rail`. Pending until the rail has paid it out.
pub fn refund(rail: &str, payer: &str, amount: Atomic) -> Transfer {
    Transfer {
        debit: Account::Payer(payer.into()),
        credit: Account::Rail(rail.into()),
        amount: amount.to_pico(),
        kind: Kind::Refund,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::manifest::Payee;
    use crate::split::split;

    #[test]
    fn a_call_leaves_its_payer_at_zero() {
        let payees = [Payee { id: "ana".into(), share: 10_000 }];
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
        for text in ["operator", "payer:0xab", "payee:did:key:z6Mk", "rail:x402:eip155:84532"] {
            assert_eq!(text.parse::<Account>().expect("valid").to_string(), text);
        }
        assert!("bank:x".parse::<Account>().is_err() && "".parse::<Account>().is_err());
    }
}
