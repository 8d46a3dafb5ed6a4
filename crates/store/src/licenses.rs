//! Licences: plans and offers that were bought, grants that were proved.

use glassbox_core::{Atomic, PackageName};
use rusqlite::{Connection, Row, params};

use crate::error::StoreError;
use crate::reversals::NOT_YET_PAID;
use crate::sqlite::{Store, amount_from_sql, amount_to_sql};

/// A licence to be kept.
#[derive(Debug, Clone)]
pub struct NewLicense {
    /// Its id.
    pub id: String,
    /// The package.
    pub package: PackageName,
    /// Who has it.
    pub holder: String,
    /// What it is for: `plan:ID`, `offer:ID` or `grant:ID`.
    pub item: String,
    /// For how many.
    pub units: u64,
    /// When it begins, in Unix seconds.
    pub from_s: i64,
    /// When it ends, in Unix seconds; never when absent.
    pub until_s: Option<i64>,
    /// What of its price goes back at most, where a promise is broken. Absent where that was not written down: it may be all.
    pub credit_max: Option<Atomic>,
    /// The signed statement, as JSON.
    pub statement: String,
}

const COLUMNS: &str = "id, package, holder, item, units, from_s, until_s, credit_max, statement";

fn read(row: &Row<'_>) -> rusqlite::Result<Result<NewLicense, StoreError>> {
    let package: String = row.get(1)?;
    let units: i64 = row.get(4)?;
    let (id, holder, item) = (row.get(0)?, row.get(2)?, row.get(3)?);
    let (from_s, until_s, statement) = (row.get(5)?, row.get(6)?, row.get(8)?);
    let credit_max: Option<Vec<u8>> = row.get(7)?;
    let parsed = || {
        Ok(NewLicense {
            id,
            package: crate::sqlite::parse(&package)?,
            holder,
            item,
            units: u64::try_from(units).unwrap_or_default(),
            from_s,
            until_s,
            credit_max: credit_max.as_deref().map(amount_from_sql).transpose()?.map(Atomic),
            statement,
        })
    };
    Ok(parsed())
}

/// Writes a licence. The same again changes nothing.
pub(crate) fn insert(connection: &Connection, license: &NewLicense) -> Result<bool, StoreError> {
    let units = i64::try_from(license.units).unwrap_or(i64::MAX);
    let package = license.package.to_string();
    let written = connection
        .prepare_cached(&format!(
            "INSERT OR IGNORE INTO licenses ({COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)"
        ))?
        .execute(params![
            license.id,
            package,
            license.holder,
            license.item,
            units,
            license.from_s,
            license.until_s,
            license.credit_max.map(|max| amount_to_sql(max.0)),
            license.statement
        ])?;
    Ok(written == 1)
}

/// Ends the licence that a sale bought, where it bought one. Nothing of its price is left that a promise could give back.
pub(crate) fn end(connection: &Connection, sale: &str, now_ms: i64) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "UPDATE licenses SET until_s = MIN(IFNULL(until_s, ?2), ?2), judged_at = IFNULL(judged_at, ?3) WHERE id = ?1",
        )?
        .execute(params![sale, now_ms.div_euclid(1_000), now_ms])?;
    Ok(())
}

/// Returns plans whose period is over and that nobody looked at yet, but for those whose payment may still come to nothing.
pub(crate) fn to_judge(
    connection: &Connection,
    now_s: i64,
    limit: usize,
) -> Result<Vec<NewLicense>, StoreError> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM licenses WHERE judged_at IS NULL AND item GLOB 'plan:*' AND until_s <= ?1
            AND credit_due IS NULL AND NOT EXISTS (SELECT 1 FROM calls WHERE calls.id = licenses.id AND {NOT_YET_PAID})
         ORDER BY until_s LIMIT ?2"
    ))?;
    let rows = statement.query_map(params![now_s, limit as i64], read)?;
    rows.collect::<Result<Vec<_>, _>>()?.into_iter().collect()
}

impl Store {
    /// Keeps a licence that was not sold here. Returns the statement that is kept under its id before, where there is one: it
    /// stays.
    pub async fn keep_license(&self, license: NewLicense) -> Result<Option<String>, StoreError> {
        self.write("keep_license", move |transaction| {
            if insert(transaction, &license)? {
                return Ok(None);
            }
            let sql = "SELECT statement FROM licenses WHERE id = ?1";
            Ok(Some(transaction.query_row(sql, [&license.id], |row| row.get(0))?))
        })
        .await
    }

    /// Returns the licences of a holder for a package that are good at a time, in Unix seconds: those that begin last first.
    pub async fn licenses(
        &self,
        package: &PackageName,
        holder: &str,
        at_s: i64,
    ) -> Result<Vec<NewLicense>, StoreError> {
        let (package, holder) = (package.to_string(), holder.to_owned());
        self.read(move |connection| {
            let mut statement = connection.prepare_cached(&format!(
                "SELECT {COLUMNS} FROM licenses WHERE holder = ?1 AND package = ?2 AND from_s <= ?3
                    AND (until_s IS NULL OR until_s > ?3) ORDER BY from_s DESC, id"
            ))?;
            let rows = statement.query_map(params![holder, package, at_s], read)?;
            rows.collect::<Result<Vec<_>, _>>()?.into_iter().collect()
        })
        .await
    }
}
