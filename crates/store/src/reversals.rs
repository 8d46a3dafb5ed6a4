//! What goes back of what was charged: because a promise was broken, or because the operator says so.
//!
//! Each time has a subject of its own among the transfers, and `reversals` says to which call, or sale, it belongs. So what
//! went back before is what the ledger says, and never more goes back than was charged.

use std::collections::BTreeMap;

use glassbox_core::ledger::{Account, Kind, Transfer};
use glassbox_core::money::PICO_PER_ATOMIC;
use glassbox_core::reversal::{onward, reverse};
use glassbox_core::{Atomic, PackageName, Pico};
use rusqlite::{Connection, OptionalExtension as _, Transaction, params};

use crate::credit;
use crate::error::StoreError;
use crate::ledger::{self, transfers_of};
use crate::licenses;
use crate::notices::{Action, record};
use crate::sheet::Sheet;
use crate::sqlite::{Store, amount_from_sql, parse};
use crate::support;
use crate::unclaimed::{self, Going};

/// What came of giving back what was charged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refund {
    /// It went back.
    Given {
        /// How much just now; nothing where as much went back before.
        now: Atomic,
        /// How much in all, with what a broken promise gave back.
        total: Atomic,
        /// What was charged.
        charged: Atomic,
    },
    /// More was asked for than was charged.
    TooMuch {
        /// What was charged.
        charged: Atomic,
    },
    /// The payment may still come to nothing: the chain may take it back, or its voucher is not claimed.
    Waits,
    /// The chain took the payment back for good: nobody paid.
    Lost,
    /// Nothing was charged under this id.
    NotCharged,
}

/// How sure it is that a charge stays paid.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Paid {
    /// It is, or is owed by an invoice.
    Surely,
    /// The chain may take it back, or a voucher for it is not claimed.
    NotYet,
    /// The chain took it back for good.
    Lost,
}

/// The condition under which a call is [`Paid::NotYet`].
pub(crate) const NOT_YET_PAID: &str =
    "(standing = 'mined' OR (standing = 'vouched' AND channel IS NOT NULL))";

/// Calls that may have been paid out of credit whose own payment is not final, where [`ON_LOOSE_CREDIT`] holds: those of payers
/// who have such credit, from the first that came. There are few such payments, so they come first.
pub(crate) const LOOSE: &str = "(SELECT substr(bought.credit, length('payer:') + 1) AS who, MIN(bought.id) AS first
        FROM calls AS paid CROSS JOIN transfers AS bought ON bought.subject = paid.id AND bought.kind = 'top-up'
        WHERE paid.standing IN ('mined', 'vouched') AND paid.standing = 'mined' GROUP BY who) AS loose
    CROSS JOIN calls ON calls.payer = loose.who";

/// The condition under which one of [`LOOSE`] is final and was charged after such credit came.
pub(crate) const ON_LOOSE_CREDIT: &str = "standing = 'final' AND loose.first < (SELECT MAX(charged.id)
        FROM transfers AS charged WHERE charged.subject = calls.id AND charged.kind = 'charge')";

/// Returns how sure it is that what a call cost stays paid. What is no call was not bought here.
pub(crate) fn paid(connection: &Connection, call: &str) -> Result<Paid, StoreError> {
    let found: Option<(Option<String>, bool)> = connection
        .prepare_cached(&format!("SELECT standing, {NOT_YET_PAID} FROM calls WHERE id = ?1"))?
        .query_row([call], |row| Ok((row.get(0)?, row.get::<_, Option<bool>>(1)?.unwrap_or_default())))
        .optional()?;
    Ok(match found {
        Some((_, true)) => Paid::NotYet,
        Some((Some(standing), _)) if standing == "lost" => Paid::Lost,
        _ => Paid::Surely,
    })
}

/// Who has how much of a charge.
pub(crate) struct Charged {
    /// What each receiver got, and still has of it, by the package that it is for.
    receivers: BTreeMap<(Account, Option<PackageName>), (u128, u128)>,
    payer: Account,
    /// Where the money came from, where it was not credit.
    funding: Option<Account>,
    /// How often something went back.
    times: usize,
}

impl Charged {
    pub(crate) fn read(connection: &Connection, call: &str) -> Result<Option<Self>, StoreError> {
        let transfers = transfers_of(connection, call)?;
        let charge = || transfers.iter().filter(|transfer| transfer.kind == Kind::Charge);
        let Some(first) = charge().next() else { return Ok(None) };
        let is_funding =
            |transfer: &&Transfer| matches!(transfer.kind, Kind::Deposit | Kind::Invoice | Kind::Voucher);
        let mut charged = Self {
            receivers: BTreeMap::new(),
            payer: first.debit.clone(),
            funding: transfers.iter().find(is_funding).map(|transfer| transfer.debit.clone()),
            times: 0,
        };
        for Transfer { credit, amount, through, .. } in charge() {
            let key = (credit.clone(), through.clone());
            let (got, left) = charged.receivers.entry(key).or_default();
            (*got, *left) = (*got + amount.0, *left + amount.0);
        }
        let mut statement = connection.prepare_cached("SELECT subject FROM reversals WHERE call = ?1")?;
        for subject in statement.query_map([call], |row| row.get::<_, String>(0))? {
            charged.times += 1;
            let back = transfers_of(connection, &subject?)?.into_iter();
            let back = back.filter(|transfer| transfer.kind == Kind::Reversal);
            for Transfer { debit, amount, through, .. } in back {
                let key = (debit, through);
                let has = charged.receivers.get_mut(&key);
                let left = has.and_then(|(_, left)| Some((left.checked_sub(amount.0)?, left)));
                let (rest, left) = left
                    .ok_or_else(|| StoreError::corrupt(format!("`{}` gave back more than it got", key.0)))?;
                *left = rest;
            }
        }
        Ok(Some(charged))
    }

    fn sum(&self, of: impl Fn(&(u128, u128)) -> u128) -> Atomic {
        Atomic(self.receivers.values().map(of).sum::<u128>() / PICO_PER_ATOMIC)
    }

    pub(crate) fn amount(&self) -> Atomic {
        self.sum(|(got, _)| *got)
    }

    fn left(&self) -> Atomic {
        self.sum(|(_, left)| *left)
    }

    /// Returns what gives `amount` of it back, or what is left of it.
    pub(crate) fn back(&self, amount: Atomic, subject: &str) -> Vec<Transfer> {
        let has = self.receivers.iter().filter(|(_, (_, left))| *left > 0);
        let left = has.map(|((receiver, through), (_, left))| Transfer {
            debit: self.payer.clone(),
            credit: receiver.clone(),
            amount: Pico(*left),
            kind: Kind::Charge,
            through: through.clone(),
        });
        reverse(&left.collect::<Vec<_>>(), amount.min(self.left()), subject)
    }
}

/// Tells whether the payees who give something back have as much. What the operator gives back is its own affair.
pub(crate) fn is_covered(connection: &Connection, back: &[Transfer]) -> Result<bool, StoreError> {
    let mut wanted: BTreeMap<&Account, u128> = BTreeMap::new();
    for Transfer { debit, amount, .. } in back.iter().filter(|back| matches!(back.debit, Account::Payee(_))) {
        *wanted.entry(debit).or_default() += amount.0;
    }
    for (payee, amount) in wanted {
        if ledger::available(connection, payee)?.0 < amount {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Tells whether all that was charged for a call or a sale went back. What cost nothing never does.
pub(crate) fn is_given_back(connection: &Connection, call: &str) -> Result<bool, StoreError> {
    let charged = Charged::read(connection, call)?;
    Ok(charged.is_some_and(|charged| charged.left() == Atomic::ZERO))
}

/// Gives `amount` of a charge back, or what is left of it, and returns how much that was. Where nothing is left, the licence
/// that it bought ends.
pub(crate) fn give_back(
    transaction: &Transaction<'_>,
    call: &str,
    subject: &str,
    amount: Atomic,
    now_ms: i64,
) -> Result<Atomic, StoreError> {
    match Charged::read(transaction, call)? {
        Some(charged) => give_back_of(transaction, &charged, call, subject, amount, now_ms),
        None => Ok(Atomic::ZERO),
    }
}

fn give_back_of(
    transaction: &Transaction<'_>,
    charged: &Charged,
    call: &str,
    subject: &str,
    amount: Atomic,
    now_ms: i64,
) -> Result<Atomic, StoreError> {
    let amount = amount.min(charged.left());
    let back = charged.back(amount, subject);
    if back.is_empty() {
        return Ok(Atomic::ZERO);
    }
    transaction.execute(
        "INSERT INTO reversals (subject, call, release) SELECT ?1, id, release FROM calls WHERE id = ?2",
        params![subject, call],
    )?;
    let Account::Payer(payer) = &charged.payer else {
        return Err(StoreError::corrupt(format!("`{}` was charged for {call}", charged.payer)));
    };
    let mut sheet = Sheet::new(transaction);
    sheet.insert(subject, &back, "posted", None, now_ms)?;
    if let Some(funding) = &charged.funding {
        let (rail, payee) = paid_from(transaction, call)?;
        if let Some(onward) = onward(funding, &rail, payer, amount) {
            // A rail has to pay it out first; what stands on an invoice is written down alone.
            let state = if matches!(onward.credit, Account::Rail(_)) { "pending" } else { "posted" };
            sheet.insert(subject, &[onward], state, payee.as_deref(), now_ms)?;
        }
    }
    sheet.close()?;
    for Transfer { debit, amount, through, .. } in &back {
        let has = charged.receivers.get(&(debit.clone(), through.clone()));
        if let (Account::Payee(payee), Some((_, left))) = (debit, has) {
            let going = Going { call, payee, through: through.as_ref(), amount: *amount, left: Pico(*left) };
            unclaimed::take_back(transaction, &going, now_ms)?;
        }
    }
    credit::give_back(transaction, call, amount)?;
    if amount == charged.left() {
        licenses::end(transaction, call, now_ms)?;
    }
    Ok(amount)
}

/// Adds up what receivers have of the calls that `from` and `condition` select: what they were charged for, less what went back.
pub(crate) fn earned_by(
    connection: &Connection,
    from: &str,
    condition: &str,
) -> Result<BTreeMap<Account, Pico>, StoreError> {
    let mut earned: BTreeMap<Account, Pico> = BTreeMap::new();
    for (receiver, transfers, kind) in [
        ("credit", "JOIN transfers ON transfers.subject = calls.id", Kind::Charge),
        (
            "debit",
            "JOIN reversals ON reversals.call = calls.id JOIN transfers ON transfers.subject = reversals.subject",
            Kind::Reversal,
        ),
    ] {
        let mut statement = connection.prepare(&format!(
            "SELECT {receiver}, amount FROM {from} {transfers}
             WHERE {condition} AND kind = ?1 AND transfers.state = 'posted'"
        ))?;
        let mut rows = statement.query([kind.as_str()])?;
        while let Some(row) = rows.next()? {
            let sum = earned.entry(parse(&row.get::<_, String>(0)?)?).or_default();
            let amount = amount_from_sql(&row.get::<_, Vec<u8>>(1)?)?;
            sum.0 = if kind == Kind::Charge { sum.0 + amount } else { sum.0.saturating_sub(amount) };
        }
    }
    Ok(earned)
}

/// Returns the rail that a call was paid over, and whom that pays back where it is not the payer: a channel may be signed for by
/// another key than the one that filled it.
fn paid_from(connection: &Connection, call: &str) -> Result<(String, Option<String>), StoreError> {
    let found = connection
        .prepare_cached(
            "SELECT calls.rail, json_extract(channels.config, '$.payer') FROM calls
             LEFT JOIN channels ON channels.id = calls.channel WHERE calls.id = ?1",
        )?
        .query_row([call], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(found)
}

impl Store {
    /// Tells whether all that was charged for a call or a sale went back: then it bought nothing.
    pub async fn is_given_back(&self, call: &str) -> Result<bool, StoreError> {
        let call = call.to_owned();
        self.read(move |connection| is_given_back(connection, &call)).await
    }

    /// Gives back what was charged for a call or a sale, until `total` of it went back in all, or the whole. The same again
    /// gives nothing more.
    pub async fn refund(
        &self,
        call: &str,
        total: Option<Atomic>,
        reason: &str,
        now_ms: i64,
    ) -> Result<Refund, StoreError> {
        let (call, reason) = (call.to_owned(), reason.to_owned());
        self.write("refund", move |transaction| {
            let Some(charged) = Charged::read(transaction, &call)? else { return Ok(Refund::NotCharged) };
            let amount = charged.amount();
            let total = total.unwrap_or(amount);
            if total > amount {
                return Ok(Refund::TooMuch { charged: amount });
            }
            match paid(transaction, &call)? {
                Paid::Surely => {}
                Paid::NotYet => return Ok(Refund::Waits),
                Paid::Lost => return Ok(Refund::Lost),
            }
            let before = Atomic(amount.0 - charged.left().0);
            let asked = Atomic(total.0.saturating_sub(before.0));
            let subject = format!("refund:{call}:{}", charged.times + 1);
            let now = give_back_of(transaction, &charged, &call, &subject, asked, now_ms)?;
            if now > Atomic::ZERO {
                support::given(transaction, &call, now, now_ms)?;
                let about = format!("call:{call}");
                let action = format!("refunded {}", now.to_decimal());
                record(transaction, &Action { number: 0, at: now_ms, about, action, reason })?;
            }
            Ok(Refund::Given { now, total: Atomic(before.0 + now.0), charged: amount })
        })
        .await
    }
}
