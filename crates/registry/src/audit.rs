//! The ledger against itself, and against the chain, to the last unit.
//!
//! Three things are compared. The accounts with the sums of their transfers, because both are kept. Every charge with
//! the bill of its call. And for each transaction on the rail, what the ledger says it moved with what the chain says:
//! a ledger can be wrong in itself only by mistake, and against the chain also by loss.

use std::collections::BTreeMap;

use glassbox_core::Pico;
use glassbox_core::ledger::{Account, BANK, Kind};
use glassbox_core::limits::AUDIT_PAGE;
use glassbox_pay::evm::addresses::BATCH_SETTLEMENT;
use serde::Serialize;

use crate::error::RegistryError;
use crate::open::Registry;

/// What an audit found.
#[derive(Debug, Clone, Serialize)]
pub struct LedgerAudit {
    /// How many accounts there are.
    pub accounts: usize,
    /// How many posted transfers.
    pub transfers: usize,
    /// How many transactions on the rail.
    pub transactions: usize,
    /// What the ledger says the treasury holds, in pico.
    pub booked: Pico,
    /// What the chain says, in pico.
    pub held: Pico,
    /// Everything that does not agree; empty when the ledger is right.
    pub findings: Vec<Finding>,
}

/// Something that does not agree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Finding {
    /// An account does not have what its transfers add up to.
    Account {
        /// The account.
        account: String,
        /// What it has: debits and credits, posted and pending, in pico.
        found: [Pico; 4],
        /// What its transfers add up to.
        expected: [Pico; 4],
    },
    /// More left the accounts than arrived in them, or less.
    Unbalanced {
        /// All that left, in pico.
        debits: Pico,
        /// All that arrived.
        credits: Pico,
    },
    /// A call's charge is not what its receivers got.
    Call {
        /// The call's id.
        call: String,
        /// Its bill, in pico.
        charge: Pico,
        /// What its receivers got.
        shared: Pico,
    },
    /// A transaction moved something else than the ledger says.
    Transaction {
        /// Its hash, or `claims` for all that came from channels.
        transaction: String,
        /// What the ledger says the treasury got by it, in pico; negative when it gave.
        booked: i128,
        /// What the chain says.
        moved: i128,
    },
}

/// All claims together, in the place of a transaction. What the contract of the channels pays holds what was claimed
/// before, by whomever, so that only the sum can be compared.
const CLAIMS: &str = "claims";

impl Registry {
    /// Replays the ledger and compares it with the chain.
    pub async fn audit_ledger(&self) -> Result<LedgerAudit, RegistryError> {
        let mut findings = Vec::new();
        for (found, expected) in self.store.check_ledger().await? {
            let sums = |balance: &glassbox_store::Balance| {
                [balance.debits, balance.credits, balance.debits_pending, balance.credits_pending]
            };
            findings.push(Finding::Account {
                account: found.account.to_string(),
                found: sums(&found),
                expected: sums(&expected),
            });
        }
        let balances = self.store.balances().await?;
        let (debits, credits): (u128, u128) =
            balances.iter().fold((0, 0), |(d, c), balance| (d + balance.debits.0, c + balance.credits.0));
        if debits != credits {
            findings.push(Finding::Unbalanced { debits: Pico(debits), credits: Pico(credits) });
        }
        for (call, charge, shared) in self.store.check_charges().await? {
            findings.push(Finding::Call { call, charge: charge.to_pico(), shared });
        }
        let (transfers, booked) = self.booked().await?;
        let moved = self.moved().await?;
        let sum = |by_transaction: &BTreeMap<String, i128>| by_transaction.values().sum::<i128>();
        let held = Pico(sum(&moved).max(0) as u128);
        let in_ledger = Pico(sum(&booked).max(0) as u128);
        let mut transactions: Vec<&String> = booked.keys().chain(moved.keys()).collect();
        transactions.sort();
        transactions.dedup();
        for transaction in &transactions {
            let of = |by: &BTreeMap<String, i128>| by.get(*transaction).copied().unwrap_or_default();
            let (booked, moved) = (of(&booked), of(&moved));
            if booked != moved {
                findings.push(Finding::Transaction { transaction: (*transaction).clone(), booked, moved });
            }
        }
        Ok(LedgerAudit {
            accounts: balances.len(),
            transfers,
            transactions: transactions.len(),
            booked: in_ledger,
            held,
            findings,
        })
    }

    /// Adds up, for each transaction on the rail, what the ledger says the treasury got by it. Returns also how many posted
    /// transfers there are.
    async fn booked(&self) -> Result<(usize, BTreeMap<String, i128>), RegistryError> {
        let (mut count, mut after) = (0, 0);
        let mut booked: BTreeMap<String, i128> = BTreeMap::new();
        loop {
            let page = self.store.transfers(None, after, AUDIT_PAGE).await?;
            let Some(last) = page.last() else { return Ok((count, booked)) };
            after = last.id;
            count += page.len();
            for row in &page {
                let amount = row.transfer.amount.0 as i128;
                let signed = match (&row.transfer.debit, &row.transfer.credit) {
                    // No chain knows of what a company's bank moved.
                    (Account::Rail(rail), _) if rail == BANK => continue,
                    (Account::Rail(_), _) => amount,
                    (_, Account::Rail(_)) => -amount,
                    _ => continue,
                };
                // A deposit that the chain took back is on no transaction any more, and neither is its loss.
                let transaction = match row.transfer.kind {
                    Kind::Loss => self.store.transaction_of(&row.subject).await?,
                    Kind::Claim => Some(CLAIMS.to_owned()),
                    _ => row.reference.clone(),
                };
                *booked.entry(transaction.unwrap_or_else(|| row.subject.clone())).or_default() += signed;
            }
        }
    }

    /// Adds up, for each transaction, what the chain says the treasury got by it.
    async fn moved(&self) -> Result<BTreeMap<String, i128>, RegistryError> {
        let treasury = self.rail.treasury();
        let mut moved: BTreeMap<String, i128> = BTreeMap::new();
        for event in self.rail.transfers(0).await? {
            let amount = event.amount.to_pico().0 as i128;
            let claimed = event.from == BATCH_SETTLEMENT;
            let transaction = if claimed { CLAIMS.to_owned() } else { event.transaction.to_string() };
            let entry = moved.entry(transaction).or_default();
            if event.to == treasury {
                *entry += amount;
            }
            if event.from == treasury {
                *entry -= amount;
            }
        }
        Ok(moved)
    }
}
