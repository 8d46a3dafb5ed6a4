//! How an account spreads tips over what was used in a month: decided once, so that what failed half way goes on as it began.

use glassbox_core::account::{AccountName, Month, Percent};
use glassbox_core::{Atomic, ReleaseId};
use rusqlite::{Connection, params};

use crate::error::StoreError;
use crate::sqlite::{Store, amount_from_sql, amount_to_sql, parse};

/// What a package has of tips that are spread.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TipPart {
    /// The release whose payees have it.
    pub release: ReleaseId,
    /// How many calls of the package there were.
    pub calls: u64,
    /// How much.
    pub part: Atomic,
}

/// How an account spreads its tips of a month.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TipPlan {
    /// What they are of what the account spent on calls, where that was asked for, and no sum.
    pub percent: Option<Percent>,
    /// Who has how much, by release; nobody where it was not decided.
    pub parts: Vec<TipPart>,
}

impl TipPlan {
    /// Returns how much they are in all.
    pub fn sum(&self) -> Atomic {
        Atomic(self.parts.iter().map(|part| part.part.0).sum())
    }
}

fn planned(connection: &Connection, account: &AccountName, month: &Month) -> Result<TipPlan, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT release, calls, part, percent FROM tip_parts WHERE account = ?1 AND month = ?2 ORDER BY release",
    )?;
    let mut rows = statement.query([account.as_str(), month.as_str()])?;
    let mut plan = TipPlan::default();
    while let Some(row) = rows.next()? {
        let percent: Option<u32> = row.get(3)?;
        plan.percent = percent.map(Percent::try_from).transpose().map_err(StoreError::corrupt)?;
        plan.parts.push(TipPart {
            release: parse(&row.get::<_, String>(0)?)?,
            calls: u64::try_from(row.get::<_, i64>(1)?).map_err(StoreError::corrupt)?,
            part: Atomic(amount_from_sql(&row.get::<_, Vec<u8>>(2)?)?),
        });
    }
    Ok(plan)
}

impl Store {
    /// Returns how an account spreads its tips of a month; over nobody where it was not decided.
    pub async fn tip_plan(&self, account: &AccountName, month: &Month) -> Result<TipPlan, StoreError> {
        let (account, month) = (account.clone(), month.clone());
        self.read(move |connection| planned(connection, &account, &month)).await
    }

    /// Decides how an account spreads its tips of a month, and returns what was decided first.
    pub async fn plan_tips(
        &self,
        account: &AccountName,
        month: &Month,
        plan: TipPlan,
    ) -> Result<TipPlan, StoreError> {
        let (account, month) = (account.clone(), month.clone());
        self.write("plan_tips", move |transaction| {
            let before = planned(transaction, &account, &month)?;
            if !before.parts.is_empty() {
                return Ok(before);
            }
            for TipPart { release, calls, part } in &plan.parts {
                let calls = i64::try_from(*calls).map_err(StoreError::corrupt)?;
                transaction.execute(
                    "INSERT INTO tip_parts (account, month, release, calls, part, percent)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                    params![
                        account.as_str(),
                        month.as_str(),
                        release.to_string(),
                        calls,
                        amount_to_sql(part.0),
                        plan.percent.map(Percent::get),
                    ],
                )?;
            }
            planned(transaction, &account, &month)
        })
        .await
    }
}
