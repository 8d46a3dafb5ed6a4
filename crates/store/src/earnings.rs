//! Who earned what. Added up from the posted charges themselves, and from what went back of them, whenever it is asked, so it
//! is what the ledger says.
//!
//! Every way leads over an index, and at most so many charges are looked at: whoever asks for more is told so, and no sum is
//! ever one of a part.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use glassbox_core::ledger::{Account, DAY_MS, Kind};
use glassbox_core::{PackageName, Pico, ReleaseId};
use rusqlite::ToSql;

use crate::error::StoreError;
use crate::sqlite::{Store, amount_from_sql, parse};

/// What earnings are told apart by, beside who earned them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum EarnedBy {
    /// The package that was paid for.
    Package,
    /// The release.
    Release,
    /// The function; `download`, `license` and `tip` for what was sold otherwise.
    Export,
    /// The day on which it was posted, in UTC.
    Day,
    /// What kind of payer paid.
    Payer,
}

impl EarnedBy {
    /// All there are, with their words.
    pub const ALL: [(Self, &'static str); 5] = [
        (Self::Package, "package"),
        (Self::Release, "release"),
        (Self::Export, "export"),
        (Self::Day, "day"),
        (Self::Payer, "payer"),
    ];
}

impl FromStr for EarnedBy {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = Self::ALL.iter().find(|(_, word)| *word == text);
        known
            .map(|(by, _)| *by)
            .ok_or_else(|| "earnings are told apart by package, release, export, day and payer".to_owned())
    }
}

/// What kind of payer paid: who stands behind it stays unsaid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum PayerClass {
    /// A wallet, by a payment or a voucher.
    Wallet,
    /// Prepaid credit.
    Credit,
    /// An account of a company.
    Account,
    /// Whoever had a licence of the package, such as a plan, whatever paid.
    Licensed,
}

impl PayerClass {
    /// Returns the word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Wallet => "wallet",
            Self::Credit => "credit",
            Self::Account => "account",
            Self::Licensed => "licensed",
        }
    }

    fn of(rail: &str, licensed: bool) -> Self {
        match rail {
            _ if licensed => Self::Licensed,
            "credit" => Self::Credit,
            "account" => Self::Account,
            _ => Self::Wallet,
        }
    }
}

impl fmt::Display for PayerClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Which earnings, and by what they are told apart.
#[derive(Debug, Clone, Default)]
pub struct EarningsQuery {
    /// With one package only.
    pub package: Option<PackageName>,
    /// Those of one receiver only.
    pub receiver: Option<Account>,
    /// Posted from this time on, in Unix milliseconds.
    pub from_ms: Option<i64>,
    /// Posted before this time.
    pub until_ms: Option<i64>,
    /// What they are told apart by.
    pub by: Vec<EarnedBy>,
}

/// What one receiver earned. What earnings are not told apart by is absent.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct EarningKey {
    /// The package.
    pub package: Option<PackageName>,
    /// The release.
    pub release: Option<ReleaseId>,
    /// The function.
    pub export: Option<String>,
    /// The day, in days since 1970.
    pub day: Option<i64>,
    /// What kind of payer paid.
    pub payer: Option<PayerClass>,
    /// The receiver: a payee or the operator.
    pub account: Account,
}

/// What one receiver earned with one thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Earning {
    /// Who, and with what.
    pub key: EarningKey,
    /// In how many calls, or sales.
    pub calls: u64,
    /// Their sum.
    pub amount: Pico,
    /// What went back of it, or of what was earned before.
    pub reversed: Pico,
}

/// What one receiver earned with one thing, while it is added up.
#[derive(Default)]
struct Sum {
    calls: u64,
    amount: u128,
    reversed: u128,
    /// The subject that was looked at last.
    last: String,
}

/// Whether the payer had a licence of the package when it called.
const LICENSED: &str = "EXISTS (SELECT 1 FROM licenses
    WHERE holder = calls.payer AND package = substr(calls.release, 1, instr(calls.release, '@') - 1)
      AND from_s <= calls.created_at / 1000 AND (until_s IS NULL OR until_s > calls.created_at / 1000))";

/// A value that a query names.
type Named = (&'static str, Box<dyn ToSql>);

impl EarningsQuery {
    /// Returns the ways to the charges, and to what went back, and what they need to know. Each step goes along an index, or
    /// the database refuses it.
    fn ways(&self) -> ([(Kind, &'static str); 2], Vec<Named>) {
        let is_limited = self.from_ms.is_some() || self.until_ms.is_some();
        let text = |name: &'static str, value: String| -> Named { (name, Box::new(value)) };
        let time = |name: &'static str, ms: i64| -> Named { (name, Box::new(ms)) };
        let (charges, reversals, known) = match (is_limited, &self.package, &self.receiver) {
            (false, Some(package), _) => (
                "calls INDEXED BY calls_by_release
                 CROSS JOIN transfers INDEXED BY transfers_by_subject ON transfers.subject = calls.id
                 WHERE release >= :first AND release < :end AND kind = 'charge'",
                "reversals INDEXED BY reversals_by_release
                 CROSS JOIN transfers INDEXED BY transfers_by_subject ON transfers.subject = reversals.subject
                 CROSS JOIN calls ON calls.id = reversals.call
                 WHERE reversals.release >= :first AND reversals.release < :end AND kind = 'reversal'",
                // All releases of it: `A` is the byte after `@`.
                vec![text(":first", format!("{package}@")), text(":end", format!("{package}A"))],
            ),
            (false, None, Some(receiver)) => (
                "transfers INDEXED BY transfers_by_credit CROSS JOIN calls ON calls.id = transfers.subject
                 WHERE credit = :receiver AND kind = 'charge'",
                "transfers INDEXED BY transfers_by_debit
                 CROSS JOIN reversals ON reversals.subject = transfers.subject
                 CROSS JOIN calls ON calls.id = reversals.call
                 WHERE debit = :receiver AND kind = 'reversal'",
                vec![text(":receiver", receiver.to_string())],
            ),
            _ => (
                "transfers INDEXED BY transfers_charged CROSS JOIN calls ON calls.id = transfers.subject
                 WHERE kind = 'charge' AND transfers.created_at >= :from AND transfers.created_at < :until",
                "transfers INDEXED BY transfers_reversed
                 CROSS JOIN reversals ON reversals.subject = transfers.subject
                 CROSS JOIN calls ON calls.id = reversals.call
                 WHERE kind = 'reversal' AND transfers.created_at >= :from AND transfers.created_at < :until",
                vec![
                    time(":from", self.from_ms.unwrap_or(i64::MIN)),
                    time(":until", self.until_ms.unwrap_or(i64::MAX)),
                ],
            ),
        };
        ([(Kind::Charge, charges), (Kind::Reversal, reversals)], known)
    }

    /// Tells whether a charge is one of those that are asked for, or what went back. The way led to no fewer.
    fn wants(&self, receiver: &Account, release: &ReleaseId, at: i64) -> bool {
        self.receiver.as_ref().is_none_or(|wanted| wanted == receiver)
            && self.package.as_ref().is_none_or(|wanted| *wanted == release.package)
            && self.from_ms.is_none_or(|from| from <= at)
            && self.until_ms.is_none_or(|until| at < until)
    }

    fn key(
        &self,
        release: ReleaseId,
        function: String,
        day: i64,
        payer: PayerClass,
        account: Account,
    ) -> EarningKey {
        let by = |what: EarnedBy| self.by.contains(&what);
        EarningKey {
            package: by(EarnedBy::Package).then(|| release.package.clone()),
            release: by(EarnedBy::Release).then_some(release),
            export: by(EarnedBy::Export).then_some(function),
            day: by(EarnedBy::Day).then_some(day),
            payer: by(EarnedBy::Payer).then_some(payer),
            account,
        }
    }
}

impl Store {
    /// Returns who earned what, in the order of what it was earned with; `None` where more than `charges_max` charges would
    /// have to be looked at.
    pub async fn earnings(
        &self,
        query: EarningsQuery,
        charges_max: usize,
    ) -> Result<Option<Vec<Earning>>, StoreError> {
        self.read(move |connection| {
            let licensed = if query.by.contains(&EarnedBy::Payer) { LICENSED } else { "0" };
            let mut sums: BTreeMap<EarningKey, Sum> = BTreeMap::new();
            let mut looked_at = 0;
            let (ways, known) = query.ways();
            for (kind, way) in ways {
                let receiver = if kind == Kind::Charge { "credit" } else { "debit" };
                let mut statement = connection.prepare_cached(&format!(
                    "SELECT {receiver}, calls.release, function, transfers.created_at, calls.rail, {licensed}, amount,
                        transfers.subject
                     FROM {way} AND transfers.state = 'posted' LIMIT :max"
                ))?;
                let max = (charges_max - looked_at) as i64 + 1;
                let mut known: Vec<(&str, &dyn ToSql)> =
                    known.iter().map(|(name, value)| (*name, value.as_ref())).collect();
                known.push((":max", &max));
                let mut rows = statement.query(known.as_slice())?;
                while let Some(row) = rows.next()? {
                    looked_at += 1;
                    if looked_at > charges_max {
                        return Ok(None);
                    }
                    let account: Account = parse(&row.get::<_, String>(0)?)?;
                    let release: ReleaseId = parse(&row.get::<_, String>(1)?)?;
                    let at = row.get(3)?;
                    if !query.wants(&account, &release, at) {
                        continue;
                    }
                    let payer = PayerClass::of(&row.get::<_, String>(4)?, row.get(5)?);
                    let key = query.key(release, row.get(2)?, at.div_euclid(DAY_MS), payer, account);
                    let sum = sums.entry(key).or_default();
                    sum.add(kind, amount_from_sql(&row.get::<_, Vec<u8>>(6)?)?, row.get(7)?)?;
                }
            }
            let earning = |(key, Sum { calls, amount, reversed, .. })| Earning {
                key,
                calls,
                amount: Pico(amount),
                reversed: Pico(reversed),
            };
            Ok(Some(sums.into_iter().map(earning).collect()))
        })
        .await
    }
}

impl Sum {
    fn add(&mut self, kind: Kind, amount: u128, subject: String) -> Result<(), StoreError> {
        let sum = if kind == Kind::Charge { &mut self.amount } else { &mut self.reversed };
        *sum = sum
            .checked_add(amount)
            .ok_or_else(|| StoreError::corrupt("a sum of earnings is out of range"))?;
        // The charges of one call stand together, and one receiver may have several of them.
        if kind == Kind::Charge && self.last != subject {
            self.calls += 1;
            self.last = subject;
        }
        Ok(())
    }
}
