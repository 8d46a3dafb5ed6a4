//! Payment channels: what their vouchers let us claim, and which call each is busy with.
//!
//! A channel's calls come one after the other, because each voucher says what all of them together may cost. The newest
//! voucher is written in the same transaction as the call that it paid for: losing it would forfeit the charge.

use glassbox_core::ledger::Transfer;
use glassbox_core::{Atomic, Pico};
use rusqlite::{Connection, OptionalExtension as _, Row, Transaction, params};

use crate::error::StoreError;
use crate::ledger;
use crate::sqlite::{Store, amount_from_sql, amount_to_sql};
use crate::submissions::{self, Moved};

/// A voucher that shall pay for a call.
#[derive(Debug, Clone)]
pub struct Voucher {
    /// The channel's id, `0x` and 64 hexadecimal digits in lower case.
    pub channel: String,
    /// The channel's config as JSON, of which the id is the hash.
    pub config: String,
    /// Up to what it lets us claim, over all calls of the channel.
    pub ceiling: Atomic,
    /// What is deposited when the call is settled.
    pub deposit: Atomic,
    /// What the contract says of the channel, where it was asked just now.
    pub known: Option<ChainState>,
}

/// What the contract knows of a channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChainState {
    /// What was deposited and not given back.
    pub balance: Atomic,
    /// What was claimed.
    pub claimed: Atomic,
    /// The Unix second at which the payer asked for its money back; zero when it did not.
    pub withdraw_requested_at: u64,
    /// How often money was given back, as digits.
    pub refund_nonce: String,
}

/// A channel as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChannelRow {
    /// Its id.
    pub id: String,
    /// Its config, as JSON.
    pub config: String,
    /// Who pays.
    pub payer: String,
    /// The rail.
    pub rail: String,
    /// What the contract held when it was last asked.
    pub balance: Atomic,
    /// What its calls cost so far.
    pub charged: Atomic,
    /// Up to what the newest voucher lets us claim.
    pub ceiling: Atomic,
    /// The newest voucher's signature; empty before the first.
    pub signature: String,
    /// What was claimed so far.
    pub claimed: Atomic,
    /// What of that no chain takes back.
    pub claimed_final: Atomic,
    /// The call, or the refund, that has it for itself.
    pub call: Option<String>,
    /// The Unix second at which the payer asked for its money back; zero when it did not.
    pub withdraw_requested_at: u64,
    /// How often money was given back, as digits.
    pub refund_nonce: String,
    /// When a call last used it, in Unix milliseconds.
    pub used_at: i64,
    /// When the contract was last asked, in Unix milliseconds.
    pub asked_at: i64,
}

/// What a posted call means to its channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChannelPosting {
    /// The channel's id.
    pub id: String,
    /// What the call cost.
    pub charge: Atomic,
    /// Up to what the voucher lets us claim.
    pub ceiling: Atomic,
    /// The voucher's signature.
    pub signature: String,
    /// What the contract says, where something was deposited.
    pub known: Option<ChainState>,
}

/// What a claim took from a channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claimed {
    /// The channel's id.
    pub channel: String,
    /// What was claimed of it in all.
    pub claimed: Atomic,
    /// What went back to its payer.
    pub back: Atomic,
}

/// Why a voucher does not fit its channel.
#[derive(Debug, Clone)]
pub enum VoucherRefusal {
    /// Another call of the channel is under way.
    Busy {
        /// Its id.
        call: String,
    },
    /// It does not go from what the channel's calls cost so far to that and this call's ceiling.
    Mismatch(Box<ChannelRow>),
    /// The channel does not hold as much.
    Short(Box<ChannelRow>),
    /// The payer has asked for its money back, and no new work is taken against it.
    Closing(Box<ChannelRow>),
}

const COLUMNS: &str = "id, config, payer, rail, balance, charged, ceiling, signature, claimed, call, \
                       withdraw_requested_at, refund_nonce, used_at, asked_at, claimed_final";

fn read(row: &Row<'_>) -> rusqlite::Result<Result<ChannelRow, StoreError>> {
    let amounts: [Vec<u8>; 5] = [row.get(4)?, row.get(5)?, row.get(6)?, row.get(8)?, row.get(14)?];
    let (id, config, payer, rail) = (row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?);
    let (signature, call, refund_nonce) = (row.get(7)?, row.get(9)?, row.get(11)?);
    let withdraw_requested_at: i64 = row.get(10)?;
    let (used_at, asked_at) = (row.get(12)?, row.get(13)?);
    let parsed = || {
        let [balance, charged, ceiling, claimed, claimed_final] = &amounts;
        let amount = |bytes: &[u8]| amount_from_sql(bytes).map(Atomic);
        Ok(ChannelRow {
            id,
            config,
            payer,
            rail,
            balance: amount(balance)?,
            charged: amount(charged)?,
            ceiling: amount(ceiling)?,
            signature,
            claimed: amount(claimed)?,
            claimed_final: amount(claimed_final)?,
            call,
            withdraw_requested_at: u64::try_from(withdraw_requested_at).map_err(StoreError::corrupt)?,
            refund_nonce,
            used_at,
            asked_at,
        })
    };
    Ok(parsed())
}

fn find(connection: &Connection, id: &str) -> Result<Option<ChannelRow>, StoreError> {
    connection
        .prepare_cached(&format!("SELECT {COLUMNS} FROM channels WHERE id = ?1"))?
        .query_row([id], read)
        .optional()?
        .transpose()
}

fn write(transaction: &Transaction<'_>, channel: &ChannelRow) -> Result<(), StoreError> {
    transaction
        .prepare_cached(&format!(
            "INSERT OR REPLACE INTO channels ({COLUMNS})
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)"
        ))?
        .execute(params![
            channel.id,
            channel.config,
            channel.payer,
            channel.rail,
            amount_to_sql(channel.balance.0),
            amount_to_sql(channel.charged.0),
            amount_to_sql(channel.ceiling.0),
            channel.signature,
            amount_to_sql(channel.claimed.0),
            channel.call,
            i64::try_from(channel.withdraw_requested_at).unwrap_or(i64::MAX),
            channel.refund_nonce,
            channel.used_at,
            channel.asked_at,
            amount_to_sql(channel.claimed_final.0),
        ])?;
    Ok(())
}

/// Takes a channel for a call, whose cost is at most `held`, or says why not.
pub(crate) fn reserve(
    transaction: &Transaction<'_>,
    call: &str,
    payer: &str,
    rail: &str,
    held: Atomic,
    voucher: &Voucher,
    now_ms: i64,
) -> Result<Option<VoucherRefusal>, StoreError> {
    let mut channel = match find(transaction, &voucher.channel)? {
        Some(channel) => channel,
        None => ChannelRow {
            id: voucher.channel.clone(),
            config: voucher.config.clone(),
            payer: payer.to_owned(),
            rail: rail.to_owned(),
            balance: Atomic::ZERO,
            charged: voucher.known.as_ref().map_or(Atomic::ZERO, |known| known.claimed),
            ceiling: Atomic::ZERO,
            signature: String::new(),
            claimed: voucher.known.as_ref().map_or(Atomic::ZERO, |known| known.claimed),
            claimed_final: Atomic::ZERO,
            call: None,
            withdraw_requested_at: 0,
            refund_nonce: "0".to_owned(),
            used_at: now_ms,
            asked_at: 0,
        },
    };
    if let Some(call) = channel.call {
        return Ok(Some(VoucherRefusal::Busy { call }));
    }
    if let Some(known) = &voucher.known {
        channel.learn(known, now_ms);
    }
    if channel.withdraw_requested_at > 0 {
        return Ok(Some(VoucherRefusal::Closing(Box::new(channel))));
    }
    if channel.charged.0.checked_add(held.0) != Some(voucher.ceiling.0) {
        return Ok(Some(VoucherRefusal::Mismatch(Box::new(channel))));
    }
    if channel.balance.0.saturating_add(voucher.deposit.0) < voucher.ceiling.0 {
        return Ok(Some(VoucherRefusal::Short(Box::new(channel))));
    }
    channel.call = Some(call.to_owned());
    write(transaction, &channel)?;
    Ok(None)
}

/// Writes the voucher that paid for a call, frees the channel, and returns what all its calls cost so far.
pub(crate) fn post(
    transaction: &Transaction<'_>,
    posting: &ChannelPosting,
    now_ms: i64,
) -> Result<Atomic, StoreError> {
    let mut channel = find(transaction, &posting.id)?
        .ok_or_else(|| StoreError::corrupt(format!("channel {} is gone", posting.id)))?;
    if let Some(known) = &posting.known {
        channel.learn(known, now_ms);
    }
    channel.charged.0 += posting.charge.0;
    assert!(channel.charged <= posting.ceiling, "channel {} was charged beyond its voucher", channel.id);
    (channel.ceiling, channel.signature) = (posting.ceiling, posting.signature.clone());
    (channel.call, channel.used_at) = (None, now_ms);
    write(transaction, &channel)?;
    Ok(channel.charged)
}

/// Notes that so much of a channel was claimed for good, and with it the calls that cost no more together.
pub(crate) fn finish(
    transaction: &Transaction<'_>,
    channel: &str,
    claimed: Atomic,
) -> Result<(), StoreError> {
    let claimed = amount_to_sql(claimed.0);
    transaction.execute(
        "UPDATE channels SET claimed_final = max(claimed_final, ?2) WHERE id = ?1",
        params![channel, claimed],
    )?;
    transaction.execute(
        "UPDATE calls SET standing = 'final' WHERE channel = ?1 AND standing = 'vouched' AND cumulative <= ?2",
        params![channel, claimed],
    )?;
    Ok(())
}

/// Frees the channel that a call, or a claim, has for itself.
pub(crate) fn release(transaction: &Transaction<'_>, call: &str) -> Result<(), StoreError> {
    transaction.prepare_cached("UPDATE channels SET call = NULL WHERE call = ?1")?.execute([call])?;
    Ok(())
}

impl ChannelRow {
    /// Takes over what the contract says, but not what was claimed: that is booked with its transfers, by
    /// [`Store::post_claims`].
    pub fn learn(&mut self, known: &ChainState, now_ms: i64) {
        self.balance = known.balance;
        self.withdraw_requested_at = known.withdraw_requested_at;
        self.refund_nonce.clone_from(&known.refund_nonce);
        self.asked_at = now_ms;
    }

    /// Returns what vouchers promise beyond what was claimed.
    pub fn unclaimed(&self) -> Atomic {
        Atomic(self.charged.0.saturating_sub(self.claimed.0))
    }
}

impl Store {
    /// Returns a channel, or `None`.
    pub async fn channel(&self, id: &str) -> Result<Option<ChannelRow>, StoreError> {
        let id = id.to_owned();
        self.read(move |connection| find(connection, &id)).await
    }

    /// Returns the channels with something to claim, at most `limit`: first those whose contract was not asked of late.
    pub async fn unclaimed_channels(&self, limit: usize) -> Result<Vec<ChannelRow>, StoreError> {
        self.read(move |connection| {
            let mut statement = connection.prepare_cached(&format!(
                "SELECT {COLUMNS} FROM channels WHERE charged > claimed ORDER BY asked_at LIMIT ?1"
            ))?;
            let rows = statement.query_map([limit as i64], read)?.collect::<Result<Vec<_>, _>>()?;
            rows.into_iter().collect()
        })
        .await
    }

    /// Notes what the contract says of a channel.
    pub async fn learn_channel(&self, id: &str, known: ChainState, now_ms: i64) -> Result<(), StoreError> {
        let id = id.to_owned();
        self.write("learn_channel", move |transaction| {
            if let Some(mut channel) = find(transaction, &id)? {
                channel.learn(&known, now_ms);
                write(transaction, &channel)?;
            }
            Ok(())
        })
        .await
    }

    /// Writes down what is about to be asked of the chain, and takes the channel `alone` for it where nothing may be charged
    /// to it meanwhile. Returns `false`, and writes nothing, where a call has that channel, or it was charged something else
    /// than is said. The same id again changes
    /// nothing.
    pub async fn begin_claim(
        &self,
        id: &str,
        vouchers: String,
        alone: Option<(String, Atomic)>,
    ) -> Result<bool, StoreError> {
        let id = id.to_owned();
        self.write("begin_claim", move |transaction| {
            if let Some((channel, charged)) = alone {
                let taken = transaction.execute(
                    "UPDATE channels SET call = ?2
                     WHERE id = ?1 AND (call IS NULL OR call = ?2) AND charged = ?3",
                    params![channel, id, amount_to_sql(charged.0)],
                )?;
                if taken == 0 {
                    return Ok(false);
                }
            }
            transaction.execute(
                "INSERT OR IGNORE INTO claims (id, vouchers) VALUES (?1, ?2)",
                params![id, vouchers],
            )?;
            Ok(true)
        })
        .await
    }

    /// Returns the claims that were begun and are not booked, with their vouchers.
    pub async fn begun_claims(&self) -> Result<Vec<(String, String)>, StoreError> {
        self.read(|connection| {
            let mut statement = connection.prepare_cached("SELECT id, vouchers FROM claims ORDER BY id")?;
            let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
            Ok(rows.collect::<Result<Vec<_>, _>>()?)
        })
        .await
    }

    /// Forgets a claim that the rail refused.
    pub async fn drop_claim(&self, id: &str) -> Result<(), StoreError> {
        let id = id.to_owned();
        self.write("drop_claim", move |transaction| {
            transaction.execute("DELETE FROM claims WHERE id = ?1", [&id])?;
            release(transaction, &id)
        })
        .await
    }

    /// Books a claim: `transfer` writes what was claimed of each channel beyond what was before. Calls that are paid by it
    /// are as final as it is. Booking it again changes nothing.
    pub async fn post_claims(
        &self,
        id: &str,
        claims: Vec<Claimed>,
        transfer: impl Fn(&str, Atomic) -> Transfer + Send + 'static,
        moved: Moved,
        now_ms: i64,
    ) -> Result<Pico, StoreError> {
        let id = id.to_owned();
        self.write("post_claims", move |transaction| {
            let mut total = Pico::ZERO;
            for Claimed { channel: channel_id, claimed, back } in &claims {
                let Some(mut channel) = find(transaction, channel_id)? else { continue };
                // What went back pays no call any more, whoever asks the contract next.
                channel.balance.0 = channel.balance.0.saturating_sub(back.0);
                write(transaction, &channel)?;
                let more = Atomic(claimed.0.saturating_sub(channel.claimed.0));
                if more == Atomic::ZERO {
                    continue;
                }
                let posted = transfer(channel_id, more);
                total.0 += posted.amount.0;
                ledger::insert(transaction, &id, &[posted], "posted", Some(&moved.transaction), now_ms)?;
                channel.claimed = *claimed;
                write(transaction, &channel)?;
                if moved.request.is_none() {
                    finish(transaction, channel_id, *claimed)?;
                }
            }
            let begun = transaction.execute("DELETE FROM claims WHERE id = ?1", [&id])?;
            if begun > 0 {
                submissions::watch(transaction, &id, &moved)?;
            }
            release(transaction, &id)?;
            Ok(total)
        })
        .await
    }
}
