//! The map's rows: standings by name, and nodes by position.

use std::collections::BTreeMap;
use std::ops::Range;

use glassbox_core::Digest;
use glassbox_core::log::map::{self, Node, Nodes, Position, Update};
use glassbox_core::log::{Change, MapProof, Standing};
use rusqlite::{Connection, OptionalExtension as _, Transaction, params};

use crate::error::StoreError;

/// The nodes in the database.
struct Rows<'a>(&'a Connection);

impl Nodes for Rows<'_> {
    type Error = StoreError;

    fn node(&self, position: Position) -> Result<Option<Node>, StoreError> {
        let node: Option<Vec<u8>> = self
            .0
            .prepare_cached("SELECT node FROM map_nodes WHERE position = ?1")?
            .query_row([position.to_bytes()], |row| row.get(0))
            .optional()?;
        let read =
            |node: Vec<u8>| Node::from_bytes(&node).ok_or_else(|| StoreError::corrupt("a node of the map"));
        node.map(read).transpose()
    }
}

/// What some entries make of the map, not written yet.
pub(super) struct Folded {
    standings: BTreeMap<String, Standing>,
    update: Update,
}

/// Folds entries into the map, which holds what came before them.
pub(super) fn fold(connection: &Connection, entries: Range<u64>) -> Result<Folded, StoreError> {
    let mut standings = BTreeMap::<String, Standing>::new();
    let mut statement = connection
        .prepare_cached("SELECT entry FROM log_entries WHERE idx >= ?1 AND idx < ?2 ORDER BY idx")?;
    let mut rows = statement.query(params![entries.start as i64, entries.end as i64])?;
    while let Some(row) = rows.next()? {
        let Some(change) = Change::of(row.get_ref(0)?.as_blob().map_err(StoreError::corrupt)?) else {
            continue;
        };
        let before = match standings.remove(&change.about) {
            Some(standing) => Some(standing),
            None => standing(connection, &change.about)?,
        };
        let after = Standing::after(before, &change);
        standings.insert(change.about, after);
    }
    let changes = standings.iter().map(|(about, standing)| (Digest::of(about), standing.digest())).collect();
    let update = map::update(&Rows(connection), &changes)?;
    Ok(Folded { standings, update })
}

impl Folded {
    pub(super) fn root(&self) -> Digest {
        self.update.root
    }

    pub(super) fn write(&self, transaction: &Transaction<'_>) -> Result<(), StoreError> {
        let mut write = transaction
            .prepare_cached("INSERT OR REPLACE INTO standings (about, standing) VALUES (?1, ?2)")?;
        for (about, standing) in &self.standings {
            write.execute(params![about, serde_json::to_string(standing).map_err(StoreError::corrupt)?])?;
        }
        let mut write = transaction
            .prepare_cached("INSERT OR REPLACE INTO map_nodes (position, node) VALUES (?1, ?2)")?;
        for (position, node) in &self.update.nodes {
            write.execute(params![position.to_bytes(), node.to_bytes()])?;
        }
        Ok(())
    }
}

pub(super) fn standing(connection: &Connection, about: &str) -> Result<Option<Standing>, StoreError> {
    let json: Option<String> = connection
        .prepare_cached("SELECT standing FROM standings WHERE about = ?1")?
        .query_row([about], |row| row.get(0))
        .optional()?;
    json.map(|json| serde_json::from_str(&json).map_err(StoreError::corrupt)).transpose()
}

pub(super) fn prove(connection: &Connection, about: &str) -> Result<MapProof, StoreError> {
    map::prove(&Rows(connection), Digest::of(about))
}
