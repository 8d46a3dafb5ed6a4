//! The connection: opening, migrating, reading, and the one door through which every write goes.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, Transaction, TransactionBehavior};

use crate::error::StoreError;
use crate::fault::{Fault, Faults, Moment};
use crate::ledger;
use crate::log::{Behind, Guard};
use crate::objects::Objects;
use crate::payers;
use crate::power::Drill;
use crate::search::SearchIndex;

/// Migrations in order; the schema version is how many have run. Never edit one that was released: add another.
const MIGRATIONS: &[&str] = &[
    include_str!("schema.sql"),
    include_str!("files.sql"),
    include_str!("money.sql"),
    include_str!("stand_ins.sql"),
    include_str!("log.sql"),
    include_str!("submissions.sql"),
    include_str!("map.sql"),
    include_str!("acts.sql"),
    include_str!("receipts.sql"),
    include_str!("revocations.sql"),
    include_str!("sboms.sql"),
    include_str!("attestations.sql"),
    include_str!("advisories.sql"),
    include_str!("holds.sql"),
    include_str!("usage.sql"),
    include_str!("terms.sql"),
    include_str!("company.sql"),
    include_str!("payers.sql"),
    include_str!("payees.sql"),
    include_str!("codes.sql"),
    include_str!("earnings.sql"),
    include_str!("strength.sql"),
    include_str!("unclaimed.sql"),
    include_str!("support.sql"),
    include_str!("blocklists.sql"),
    include_str!("payer_days.sql"),
    include_str!("exports.sql"),
    include_str!("spec_runs.sql"),
    include_str!("skeletons.sql"),
    include_str!("unanswered.sql"),
    include_str!("reversals.sql"),
    include_str!("company/tips.sql"),
    include_str!("shared_interfaces.sql"),
    include_str!("spec_runs_again.sql"),
    include_str!("promises.sql"),
    include_str!("uptime.sql"),
    include_str!("budgets.sql"),
    include_str!("works.sql"),
    include_str!("unclaimed_charges.sql"),
    include_str!("company/tip_percents.sql"),
];

/// The migration after which accounts carry the sums of their transfers.
const WITH_ACCOUNTS: i64 = 3;

/// The migration after which paid calls are counted by day.
const PAYER_DAYS: &str = include_str!("payer_days.sql");

/// A store in one folder. Cheap to clone; all clones are one store.
#[derive(Clone)]
pub struct Store {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) objects: Objects,
    pub(crate) log_dir: PathBuf,
    /// Held while new log entries are shown. Whether all tiles were seen to be there.
    pub(crate) showing: Mutex<bool>,
    pub(crate) guard: Guard,
    /// Set where the log must not go on.
    pub(crate) behind: Option<Behind>,
    pub(crate) search: SearchIndex,
    /// SQLite allows one writer at a time; waiting here is fair and cannot time out.
    writer: Mutex<Writer>,
    /// Connections that no reader holds at the moment.
    readers: Mutex<Vec<Connection>>,
    database: PathBuf,
    faults: Faults,
    /// The last to go: by then all connections are closed.
    pub(crate) drill: Arc<Drill>,
}

/// The one connection that writes, and how far its commits go.
struct Writer {
    connection: Connection,
    sync: Sync,
}

impl Store {
    /// Opens the store in `folder`, and makes it where there is none.
    ///
    /// Migrates an older schema, refuses a newer one, and rebuilds the search index.
    pub fn open(folder: &Path) -> Result<Self, StoreError> {
        std::fs::create_dir_all(folder)?;
        let database = folder.join("glassbox.sqlite");
        let mut writer = connect(&database)?;
        migrate(&mut writer)?;
        let log_dir = folder.join("log");
        std::fs::create_dir_all(&log_dir)?;
        let guard = Guard::new(folder, &log_dir);
        let store = Self {
            inner: Arc::new(Inner {
                objects: Objects::open(&folder.join("objects"))?,
                log_dir,
                showing: Mutex::new(false),
                behind: guard.stop_if_behind(&writer)?,
                guard,
                search: SearchIndex::new()?,
                writer: Mutex::new(Writer { connection: writer, sync: Sync::Disk }),
                readers: Mutex::new(Vec::new()),
                database,
                faults: Faults::default(),
                drill: Arc::default(),
            }),
        };
        store.rebuild_search()?;
        Ok(store)
    }

    /// Makes the next write of a verb fail. For tests and drills.
    pub fn inject(&self, fault: Fault) {
        self.inner.faults.add(fault);
    }

    /// Returns how many faults have not struck yet: none, where a test struck what it meant to.
    pub fn faults_waiting(&self) -> usize {
        self.inner.faults.waiting()
    }

    /// Reads on a thread that may block.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        query: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let inner = self.inner.clone();
        tokio::task::spawn_blocking(move || inner.read(query)).await.map_err(|_| StoreError::Worker)?
    }

    /// Runs one write transaction named `verb` on a thread that may block. It has reached the disk when this returns.
    pub(crate) async fn write<T: Send + 'static>(
        &self,
        verb: &'static str,
        change: impl FnOnce(&Transaction<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.write_to(Sync::Disk, verb, change).await
    }

    /// The same for what a power cut may undo. A crash of the process undoes nothing.
    ///
    /// What a power cut leaves is a beginning of all writes, none left out: they are appended to one log, and each commit of
    /// [`write`](Self::write) that changes anything waits until the log is on the disk as far as itself. So such a write is lost
    /// only together with all that came after it, and a verb may be one if
    ///
    /// - its loss is like something that may happen anyway; and
    /// - whatever is asked of a chain or told to anybody because of it comes after another write that changes something and
    ///   waits. That binds also those who saw it in the meantime, because it is visible at once.
    ///
    /// Each such verb says why it may.
    pub(crate) async fn write_soon<T: Send + 'static>(
        &self,
        verb: &'static str,
        change: impl FnOnce(&Transaction<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.write_to(Sync::Soon, verb, change).await
    }

    async fn write_to<T: Send + 'static>(
        &self,
        sync: Sync,
        verb: &'static str,
        change: impl FnOnce(&Transaction<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let inner = self.inner.clone();
        tokio::task::spawn_blocking(move || inner.write_to(sync, verb, change))
            .await
            .map_err(|_| StoreError::Worker)?
    }
}

/// How far a commit has come when it returns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sync {
    /// It is on the disk.
    Disk,
    /// The system has it, and brings it to the disk with the next that must be there.
    Soon,
}

impl Sync {
    /// `FULL` waits for the disk at each commit, `NORMAL` at checkpoints alone; both leave a sound database.
    fn pragma(self) -> &'static str {
        match self {
            Self::Disk => "PRAGMA synchronous = FULL",
            Self::Soon => "PRAGMA synchronous = NORMAL",
        }
    }
}

impl Inner {
    pub(crate) fn read<T>(
        &self,
        query: impl FnOnce(&Connection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let idle = self.readers.lock().expect("no holder of this lock panics").pop();
        let connection = match idle {
            Some(connection) => connection,
            None => connect(&self.database)?,
        };
        let result = query(&connection);
        self.readers.lock().expect("no holder of this lock panics").push(connection);
        result
    }

    /// Runs one write transaction, which has reached the disk when this returns.
    pub(crate) fn write<T>(
        &self,
        verb: &'static str,
        change: impl FnOnce(&Transaction<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.write_to(Sync::Disk, verb, change)
    }

    fn write_to<T>(
        &self,
        sync: Sync,
        verb: &'static str,
        change: impl FnOnce(&Transaction<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        // A panic in an earlier write rolled its transaction back when it unwound, so the connection is sound.
        let mut writer = self.writer.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if writer.sync != sync {
            writer.connection.execute_batch(sync.pragma())?;
            writer.sync = sync;
        }
        if sync == Sync::Soon {
            self.drill.keep(&self.database)?;
        }
        let changes = writer.connection.total_changes();
        let transaction = writer.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let result = change(&transaction);
        let result = result.map_err(|error| match self.behind {
            Some(behind) => behind.explain(error),
            None => error,
        })?;
        self.strike(verb, Moment::Before)?;
        transaction.commit()?;
        // A commit that changes nothing writes nothing, and waits for nothing.
        if sync == Sync::Disk && writer.connection.total_changes() > changes {
            self.drill.flushed();
        }
        self.strike(verb, Moment::After)?;
        Ok(result)
    }

    /// Fails where a test or a drill asked for it.
    pub(crate) fn strike(&self, verb: &str, moment: Moment) -> Result<(), StoreError> {
        if self.faults.strike(verb, moment) { Err(StoreError::Injected) } else { Ok(()) }
    }
}

pub(crate) fn connect(database: &Path) -> Result<Connection, StoreError> {
    let connection = Connection::open(database)?;
    // FULL: a commit that returned survives a power cut. NORMAL would survive only a crash of this process.
    connection.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA busy_timeout = 10000;",
    )?;
    // A statement that is asked for with other values is not planned anew: no plan here follows from values.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.set_prepared_statement_cache_capacity(128);
    Ok(connection)
}

fn migrate(connection: &mut Connection) -> Result<(), StoreError> {
    let known = MIGRATIONS.len() as i64;
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let found: i64 = transaction.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    if found > known {
        return Err(StoreError::TooNew { found, known });
    }
    for migration in &MIGRATIONS[found as usize..] {
        transaction.execute_batch(migration)?;
        if *migration == PAYER_DAYS {
            payers::count_all(&transaction)?;
        }
    }
    if found < WITH_ACCOUNTS {
        ledger::fill_accounts(&transaction)?;
    }
    transaction.pragma_update(None, "user_version", known)?;
    transaction.commit()?;
    Ok(())
}

/// Amounts are stored as 16 big-endian bytes.
pub(crate) fn amount_to_sql(amount: u128) -> [u8; 16] {
    amount.to_be_bytes()
}

pub(crate) fn amount_from_sql(bytes: &[u8]) -> Result<u128, StoreError> {
    let bytes = bytes.try_into().map_err(|_| StoreError::corrupt("an amount that is not 16 bytes"))?;
    Ok(u128::from_be_bytes(bytes))
}

/// Reads a stored text into the type that wrote it.
pub(crate) fn parse<T: std::str::FromStr>(text: &str) -> Result<T, StoreError>
where
    T::Err: std::fmt::Display,
{
    text.parse().map_err(StoreError::corrupt)
}

#[cfg(test)]
mod tests {
    use rusqlite::{StatementStatus, ToSql};

    use super::*;

    fn level(connection: &Connection) -> Result<i64, StoreError> {
        Ok(connection.query_row("PRAGMA synchronous", [], |row| row.get(0))?)
    }

    /// SQLite would otherwise plan anew whatever has a value as its limit, or compares with a value what an index has a literal
    /// for.
    #[test]
    fn a_statement_is_planned_once_whatever_its_values_are() {
        let planned_anew = |connection: &Connection, select: &str, values: [&dyn ToSql; 2]| {
            let mut statement = connection.prepare(select).unwrap();
            for value in values {
                statement.query([value]).unwrap().next().unwrap();
            }
            statement.get_status(StatementStatus::RePrepare)
        };
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("glassbox.sqlite");
        let mut ours = connect(&database).unwrap();
        migrate(&mut ours).unwrap();
        let usual = Connection::open(&database).unwrap();
        let limited = "SELECT id FROM calls WHERE state IN ('held', 'executed') ORDER BY updated_at LIMIT ?1";
        let compared = "SELECT id FROM transfers WHERE state = ?1";
        for (select, values) in
            [(limited, [&9 as &dyn ToSql, &100]), (compared, [&"pending" as &dyn ToSql, &"posted"])]
        {
            assert_eq!(planned_anew(&ours, select, values), 0, "{select}");
            assert!(planned_anew(&usual, select, values) > 0, "{select}: it need not be asked for any more");
        }
    }

    #[test]
    fn what_was_counted_before_counts_on() {
        let folder = tempfile::tempdir().unwrap();
        let mut connection = connect(&folder.path().join("glassbox.sqlite")).unwrap();
        let before =
            MIGRATIONS.iter().position(|migration| *migration == include_str!("promises.sql")).unwrap();
        for migration in &MIGRATIONS[..before] {
            connection.execute_batch(migration).unwrap();
        }
        connection.pragma_update(None, "user_version", before as i64).unwrap();
        connection
            .execute_batch(
                "INSERT INTO answers VALUES ('a:b', 7, 3, 1), ('a:b', 8, 1, 1), ('a:b', 9, 2, 0);
                 INSERT INTO unanswered VALUES ('a:b', 'ana', 9);
                 INSERT INTO unclaimed VALUES ('cy', '\"commons\"', 3, 'l', x'00000000000000000000000000000005', 4);",
            )
            .unwrap();
        migrate(&mut connection).unwrap();
        let texts = |sql: &str| {
            let mut statement = connection.prepare(sql).unwrap();
            let rows = statement.query_map([], |row| row.get::<_, String>(0)).unwrap();
            rows.collect::<Result<Vec<_>, _>>().unwrap()
        };
        assert_eq!(
            texts("SELECT hour || ' ' || payer || ' ' || answer FROM answer_hours ORDER BY 1"),
            ["7  failed", "7  given", "8  failed", "9  given", "9 ana missing"]
        );
        assert_eq!(
            texts("SELECT payee || day || license || package || hex(amount) || tried_at FROM unclaimed"),
            ["cy3l000000000000000000000000000000054"]
        );
    }

    #[tokio::test]
    async fn each_write_waits_for_the_disk_or_does_not() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let (normal, full) = (1, 2);
        for _ in 0..2 {
            assert_eq!(store.write("one", |transaction| level(transaction)).await.unwrap(), full);
            for _ in 0..2 {
                assert_eq!(store.write_soon("two", |transaction| level(transaction)).await.unwrap(), normal);
            }
            // A write that fails leaves the next one as it should be.
            let failed = store.write("three", |_| Err::<(), _>(StoreError::Worker)).await;
            assert!(failed.is_err());
        }
        assert_eq!(store.inner.write("four", |transaction| level(transaction)).unwrap(), full);
    }
}
