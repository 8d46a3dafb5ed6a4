//! Watching a registry's log: all of it is fetched, and nothing of it believed.

use std::collections::BTreeMap;

use glassbox_core::Digest;
use glassbox_core::log::{Finding, Monitor, SignedCheckpoint, entries_of_bundle, tiles};
use serde::Serialize;

use crate::error::ClientError;
use crate::http::Client;
use crate::trust::{Believed, LogRefusal, Trust};

/// What a look at a whole log found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MonitorReport {
    /// The log's name.
    pub log: String,
    /// How many entries it has.
    pub entries: u64,
    /// How many of each kind.
    pub kinds: BTreeMap<&'static str, u64>,
    /// How many packages, namespaces and executors they are about.
    pub about: usize,
    /// The root of the tree, as computed from the entries.
    pub root: Digest,
    /// The root of the map, as computed from the entries.
    pub map: Digest,
    /// When the log said that this is the newest, in Unix seconds.
    pub time_s: Option<u64>,
    /// Everything that is wrong with it; empty when nothing is.
    pub findings: Vec<Finding>,
}

/// Reads the log of a registry from its first entry on, rebuilds its tree and its map, and follows each chain.
///
/// Its newest checkpoint is believed as [`Trust::newest`] does: signed, fresh, and no fork of what was seen before.
pub async fn check(client: &Client, trust: &Trust) -> Result<(Believed, MonitorReport), ClientError> {
    let believed = trust.newest(client).await?;
    let signed = SignedCheckpoint::open(&believed.note, &believed.log_key).map_err(LogRefusal::from)?;
    let mut monitor = Monitor::default();
    for bundle in tiles(0, signed.checkpoint.size) {
        let Some(range) = bundle.entries() else { continue };
        let bytes = client.log_file(&format!("/{bundle}")).await?;
        let entries = entries_of_bundle(&bytes).ok();
        let entries = entries.filter(|entries| entries.len() as u64 == range.end - range.start);
        let entries = entries.ok_or_else(|| LogRefusal::Unproved {
            reason: format!("`{bundle}` has not the entries that it should have"),
        })?;
        entries.iter().for_each(|entry| monitor.push(entry));
    }
    let report = MonitorReport {
        log: signed.checkpoint.origin.clone(),
        entries: signed.checkpoint.size,
        kinds: monitor.kinds().clone(),
        about: monitor.standings().len(),
        root: monitor.tree().root(),
        map: monitor.map_root(),
        time_s: signed.time_s,
        findings: monitor.findings(&signed),
    };
    Ok((believed, report))
}
