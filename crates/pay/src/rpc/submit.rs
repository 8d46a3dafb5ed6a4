//! Submissions: from a call to a transaction in a block, once for each id.
//!
//! A transaction is signed, written down, and only then broadcast, one at a time, so that nonces follow each other. From
//! then on its nonce is the submission's: it is broadcast again when the node has lost it, and replaced by the same call
//! at a higher price when it waits too long. Only one transaction of a nonce can ever be in a block, so nothing
//! happens twice. A new nonce is given when the old one is gone for good: used, in a final block, by a transaction that
//! reverted or by somebody else with the same key.
//!
//! Nobody works behind the scenes: whoever does not know what became of its submission asks again, and asking works
//! on all that wait before it.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use alloy_primitives::{B256, Bytes, U256};
use glassbox_core::limits::{RPC_CALL_BYTES_MAX, RPC_PENDING_MAX};
use tokio::time::{Instant, sleep};

use super::Inner;
use super::book::Attempt;
use super::node::{NodeError, Receipt, quantity};
use super::transaction::{Fees, Unsigned};
use crate::chain::{Call, Submission};
use crate::error::PayError;

/// Where a submission stands.
enum Step {
    Done(Submission),
    Waits(String),
}

fn last(attempts: &[Arc<Attempt>]) -> Option<B256> {
    attempts.last().map(|attempt| attempt.signed.hash)
}

fn sent_by_another() -> Step {
    Step::Waits("somebody else has just sent it".to_owned())
}

/// How long after the first look for a transaction that was broadcast the second comes.
const POLL_FIRST: Duration = Duration::from_millis(2);

impl Inner {
    /// Submits a call, or finds out what became of it, and waits for a block for as long as is allowed.
    pub(super) async fn submit(&self, id: &str, call: &Call) -> Submission {
        let deadline = Instant::now() + self.config.wait;
        // The first look may find an old refusal, after which the id is free; a later one finds our own.
        let mut sent = false;
        // At once and soon at first, because some chains have a block at once; then as seldom as is configured.
        let mut pause = Duration::ZERO;
        loop {
            let detail = match self.step(id, call, &mut sent).await {
                Ok(Step::Done(submission)) => return submission,
                Ok(Step::Waits(detail)) => detail,
                Err(error) => error.to_string(),
            };
            if Instant::now() + pause >= deadline {
                return Submission::Unknown { detail };
            }
            if !pause.is_zero() {
                sleep(pause).await;
            }
            pause = (pause * 2).max(POLL_FIRST).min(self.config.poll);
        }
    }

    async fn step(&self, id: &str, call: &Call, sent: &mut bool) -> Result<Step, PayError> {
        let attempts = self.book.attempts(id);
        if attempts.is_empty() {
            return self.send(id, call, &attempts, sent).await;
        }
        match self.receipt(&attempts).await? {
            Some(receipt) if receipt.succeeded => Ok(Step::Done(mined(receipt))),
            // In another block it may have its effect, and it is broadcast again should this one be undone.
            Some(receipt) if !self.is_final(receipt.block).await? => {
                Ok(Step::Waits("it reverted in a block that may be undone".to_owned()))
            }
            Some(receipt) if *sent => self.reverted(&attempts, receipt).await.map(Step::Done),
            Some(_) => self.send(id, call, &attempts, sent).await,
            None if *sent => Ok(Step::Waits("the transaction waits for a block".to_owned())),
            None => self.resume(id, call, &attempts, sent).await,
        }
    }

    /// Returns the hash of what was sent last for an id. It is in the book before the node has it.
    fn last_attempt(&self, id: &str) -> Option<B256> {
        last(&self.book.attempts(id))
    }

    /// Sends what has no transaction, or none that counts any more: `attempts` are those that were looked at.
    async fn send(
        &self,
        id: &str,
        call: &Call,
        attempts: &[Arc<Attempt>],
        sent: &mut bool,
    ) -> Result<Step, PayError> {
        if call.from != self.wallet.address() || call.data.len() > RPC_CALL_BYTES_MAX {
            tracing::error!(id, size_bytes = call.data.len(), "Refused a call that cannot be submitted");
            return Ok(Step::Done(Submission::Reverted { output: Bytes::new() }));
        }
        let (before, signed) = (last(attempts), self.book.signed());
        // Nothing that is asked depends on anything else, so all of it is asked at once.
        let (tried, fees, coins, place) = tokio::join!(
            self.try_unknown(call),
            self.fees(),
            self.node.coins(self.wallet.address()),
            self.place()
        );
        let (block, mined) = place?;
        let tried = match tried {
            Some(tried) => tried,
            // It was tried behind this block, or is tried again behind it.
            None => match self.tried.take(call, block) {
                Some(gas) => Ok(gas),
                None => self.node.gas(call).await,
            },
        };
        let gas = match tried {
            // What others do to the contracts in between may cost some more.
            Ok(gas) => gas.saturating_add(gas / 4),
            // What was sent for this id in the meantime may be why: then it is no refusal.
            Err(NodeError::Reverted(_)) if self.last_attempt(id) != before => return Ok(sent_by_another()),
            Err(NodeError::Reverted(output)) => return Ok(Step::Done(Submission::Reverted { output })),
            Err(error) => return Err(error.into()),
        };
        if gas > self.config.gas_max {
            let reason = format!("the call takes {gas} gas; the most is {}", self.config.gas_max);
            return Err(PayError::Unavailable(reason));
        }
        let fees = fees?;
        self.check_coins(gas, fees, coins?)?;

        let _one_at_a_time = self.sending.lock().await;
        if self.last_attempt(id) != before {
            return Ok(sent_by_another());
        }
        let (block, mined) = match self.book.signed() == signed {
            true => (block, mined),
            // Others have sent meanwhile.
            false => self.place().await?,
        };
        let nonce = self.book.next_nonce(mined);
        if nonce.saturating_sub(mined) >= RPC_PENDING_MAX {
            return Err(PayError::Unavailable(format!("{RPC_PENDING_MAX} transactions wait already")));
        }
        // A transaction behind one that the node does not have would wait for ever.
        self.tend(mined, nonce, block).await?;
        let transaction =
            Unsigned { chain_id: self.chain_id, nonce, fees, gas, to: call.to, data: call.data.clone() };
        self.sign_and_broadcast(id, transaction, block).await?;
        *sent = true;
        Ok(Step::Waits("the transaction waits for a block".to_owned()))
    }

    /// Returns the gas that a call takes, or nothing where it was tried behind some block. To estimate is to try.
    async fn try_unknown(&self, call: &Call) -> Option<Result<u64, NodeError>> {
        if self.tried.knows(call) { None } else { Some(self.node.gas(call).await) }
    }

    /// Returns the latest block, and how many of the account's transactions there are in blocks.
    async fn place(&self) -> Result<(u64, u64), NodeError> {
        tokio::try_join!(self.node.height(), self.node.count(self.wallet.address(), "latest"))
    }

    /// Goes on with a transaction that no block holds.
    async fn resume(
        &self,
        id: &str,
        call: &Call,
        attempts: &[Arc<Attempt>],
        sent: &mut bool,
    ) -> Result<Step, PayError> {
        let Some(nonce) = attempts.last().map(|attempt| attempt.nonce()) else {
            return self.send(id, call, attempts, sent).await;
        };
        let one_at_a_time = self.sending.lock().await;
        let (block, mined) = self.place().await?;
        if nonce >= mined {
            self.tend(mined, nonce.saturating_add(1), block).await?;
            *sent = true;
            return Ok(Step::Waits("the transaction waits for a block".to_owned()));
        }
        drop(one_at_a_time);
        // The nonce is used; perhaps by ours, just now.
        if self.receipt(attempts).await?.is_some() {
            return Ok(Step::Waits("the transaction is in a block".to_owned()));
        }
        let settled = match self.final_block(block).await? {
            Some(number) => self.node.count(self.wallet.address(), quantity(number)).await?,
            None => 0,
        };
        if nonce < settled {
            tracing::warn!(id, nonce, "Somebody else uses the settler's key: a nonce was taken");
            return self.send(id, call, attempts, sent).await;
        }
        Err(PayError::Unavailable(format!(
            "the nonce {nonce} was taken by another transaction, not yet finally"
        )))
    }

    /// Sees to it that the node has every transaction from the nonce `mined` on and before `end`, at a fair price.
    async fn tend(&self, mined: u64, end: u64, block: u64) -> Result<(), PayError> {
        for nonce in mined..end {
            let attempts = self.book.attempts_at(nonce);
            let (Some(newest), Some(id)) = (attempts.last(), self.book.owner(nonce)) else {
                // Somebody else's, which was in a block and is undone. It will be there again.
                continue;
            };
            let mut known = false;
            for attempt in attempts.iter().rev() {
                known = known || self.node.knows(attempt.signed.hash).await?;
            }
            let old = newest.time_s.saturating_add(self.config.replace_after.as_secs()) <= system_seconds();
            if !known {
                tracing::info!(id, nonce, "Broadcast a transaction again");
                match self.node.broadcast(&newest.signed.raw).await {
                    // It may be too cheap by now, and the node takes nothing that cannot get into a block.
                    Err(NodeError::Refused(reason)) if self.is_too_cheap(newest).await? => {
                        if !self.replace(&id, newest, block).await? {
                            return Err(NodeError::Refused(reason).into());
                        }
                    }
                    other => other?,
                }
            } else if old && block > newest.block {
                self.replace(&id, newest, block).await?;
            }
        }
        Ok(())
    }

    async fn is_too_cheap(&self, attempt: &Attempt) -> Result<bool, PayError> {
        let (offered, now) = (attempt.signed.transaction.fees, self.fees().await?);
        Ok(offered.fee < now.fee || offered.tip < now.tip)
    }

    /// Offers more for the same call at the same nonce, if that is allowed. Nodes want a tenth more of everything.
    async fn replace(&self, id: &str, attempt: &Attempt, block: u64) -> Result<bool, PayError> {
        let old = attempt.signed.transaction.fees;
        let more = |fee: u128| fee.saturating_add(fee / 8).saturating_add(1);
        let now = self.fees().await?;
        let fees = Fees { fee: now.fee.max(more(old.fee)), tip: now.tip.max(more(old.tip)) };
        if fees.fee > self.config.fee_max {
            tracing::warn!(id, fee = fees.fee, "A transaction waits, and offering more is not allowed");
            return Ok(false);
        }
        tracing::info!(id, nonce = attempt.nonce(), fee = fees.fee, "Replaced a transaction that waited");
        self.sign_and_broadcast(id, Unsigned { fees, ..attempt.signed.transaction.clone() }, block).await?;
        Ok(true)
    }

    async fn sign_and_broadcast(&self, id: &str, transaction: Unsigned, block: u64) -> Result<(), PayError> {
        let signed = transaction.sign(&self.wallet);
        let raw = signed.raw.clone();
        self.book.write(id, Attempt { signed, time_s: system_seconds(), block }).await?;
        Ok(self.node.broadcast(&raw).await?)
    }

    async fn receipt(&self, attempts: &[Arc<Attempt>]) -> Result<Option<Receipt>, NodeError> {
        for attempt in attempts.iter().rev() {
            if let Some(receipt) = self.node.receipt(attempt.signed.hash).await? {
                return Ok(Some(receipt));
            }
        }
        Ok(None)
    }

    /// A transaction that had no effect. Why, its block tells when the call is run again behind it.
    async fn reverted(&self, attempts: &[Arc<Attempt>], receipt: Receipt) -> Result<Submission, PayError> {
        let hash = receipt.transaction;
        let attempt = attempts.iter().find(|attempt| attempt.signed.hash == hash);
        let Some(attempt) = attempt else {
            return Ok(Submission::Unknown { detail: format!("{hash} is not ours") });
        };
        let call = attempt.signed.transaction.call(self.wallet.address());
        let output = match self.node.call(&call, quantity(receipt.block)).await {
            Err(NodeError::Reverted(output)) => output,
            _ => Bytes::new(),
        };
        Ok(Submission::Reverted { output })
    }

    /// Returns what gas costs now: twice the base fee, so that it may double while the transaction waits.
    pub(super) async fn fees(&self) -> Result<Fees, PayError> {
        let (block, tip) = tokio::try_join!(self.node.latest(), self.node.tip())?;
        let base = block.base_fee.ok_or_else(|| {
            PayError::Unavailable("the chain's blocks have no base fee (EIP-1559)".to_owned())
        })?;
        let fee = base.saturating_mul(2).saturating_add(tip);
        if fee > self.config.fee_max {
            // Below the ceiling it may still get into a block.
            if base.saturating_add(tip) > self.config.fee_max {
                let reason = format!("gas costs {fee} wei; the most is {}", self.config.fee_max);
                return Err(PayError::Unavailable(reason));
            }
            return Ok(Fees { fee: self.config.fee_max, tip });
        }
        Ok(Fees { fee, tip })
    }

    /// Checks that the settler, who has so much, can pay for so much gas.
    pub(super) fn check_coins(&self, gas: u64, fees: Fees, has: U256) -> Result<(), PayError> {
        let account = self.wallet.address();
        let needs = U256::from(gas).saturating_mul(U256::from(fees.fee));
        if has < needs { Err(PayError::GasLow { account, has, needs }) } else { Ok(()) }
    }

    /// Returns the latest block that will not be undone, if there is one.
    async fn final_block(&self, height: u64) -> Result<Option<u64>, PayError> {
        let by_depth = height.saturating_add(1).checked_sub(self.config.finality.max(1));
        let by_node = self.finalized().await;
        Ok(by_depth.max(by_node))
    }

    /// Returns the block that the node calls final. Not every node does.
    pub(super) async fn finalized(&self) -> Option<u64> {
        self.node.block("finalized").await.ok().flatten().map(|block| block.number)
    }

    async fn is_final(&self, block: u64) -> Result<bool, PayError> {
        let height = self.node.height().await?;
        Ok(self.final_block(height).await?.is_some_and(|last| block <= last))
    }
}

fn mined(receipt: Receipt) -> Submission {
    Submission::Mined { transaction: receipt.transaction, block: receipt.block, logs: receipt.logs }
}

pub(super) fn system_seconds() -> u64 {
    // A clock before 1970 replaces nothing.
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_secs())
}
