//! What is charged back to cost centres, call by call, with the receipts that prove it.

use glassbox_core::account::Month;
use glassbox_core::limits;
use glassbox_store::{UseRow, UseSum};

use super::AccountError;
use crate::open::Registry;

/// What the accounts used in a month.
#[derive(Debug, Clone)]
pub struct Chargeback {
    /// The month.
    pub month: Month,
    /// The sums of all its calls so far, by cost centre and account.
    pub sums: Vec<UseSum>,
    /// A page of its calls, in their order.
    pub calls: Vec<UseRow>,
    /// Whether there are more.
    pub more: bool,
}

impl Registry {
    /// Returns what the accounts used in a month, this one where none is named: the sums, and the calls after the number
    /// `after`.
    pub async fn chargeback(&self, month: Option<Month>, after: i64) -> Result<Chargeback, AccountError> {
        self.check_company()?;
        let month = month.unwrap_or_else(|| self.month());
        let calls = self.store.uses(&month, after, limits::CHARGEBACK_ROWS_MAX).await?;
        Ok(Chargeback {
            sums: self.store.use_sums(&month).await?,
            more: calls.len() == limits::CHARGEBACK_ROWS_MAX,
            calls,
            month,
        })
    }
}
