//! The newest list of each feed that the operator follows.

use rusqlite::{OptionalExtension as _, params};

use crate::error::StoreError;
use crate::sqlite::Store;

impl Store {
    /// Keeps a list in place of the one before. Returns whether it did: not where one of as high a number is there.
    pub async fn keep_blocklist(
        &self,
        key: &str,
        sequence: u64,
        statement: String,
    ) -> Result<bool, StoreError> {
        let (key, sequence) = (key.to_owned(), i64::try_from(sequence).unwrap_or(i64::MAX));
        self.write("keep_blocklist", move |transaction| {
            let known: Option<i64> = transaction
                .query_row("SELECT sequence FROM blocklists WHERE key = ?1", [&key], |row| row.get(0))
                .optional()?;
            if known.is_some_and(|known| known >= sequence) {
                return Ok(false);
            }
            transaction.execute(
                "INSERT OR REPLACE INTO blocklists (key, sequence, statement) VALUES (?1, ?2, ?3)",
                params![key, sequence, statement],
            )?;
            Ok(true)
        })
        .await
    }

    /// Returns the statements of all lists that are kept, by whose they are.
    pub async fn blocklists(&self) -> Result<Vec<(String, String)>, StoreError> {
        self.read(|connection| {
            let mut statement = connection.prepare("SELECT key, statement FROM blocklists ORDER BY key")?;
            let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
            Ok(rows.collect::<Result<Vec<_>, _>>()?)
        })
        .await
    }
}
