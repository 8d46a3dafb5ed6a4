//! What others say of releases, in signed statements.

use glassbox_core::dsse::Envelope;
use glassbox_core::{Digest, ReleaseId, limits};
use rusqlite::{Row, params};

use crate::error::StoreError;
use crate::sqlite::{Store, parse};

/// A statement about a release, which was checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttestationRow {
    /// The digest of its payload.
    pub id: Digest,
    /// Who signed it, as a `did:key`.
    pub signer: String,
    /// What kind it is, in one word.
    pub kind: String,
    /// The statement.
    pub envelope: Envelope,
    /// When it came, in Unix milliseconds.
    pub created_at: i64,
}

/// What came of keeping a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attested {
    /// It is kept now.
    New,
    /// It was kept already.
    Already,
    /// There are enough of its kind for this release, from its signer or from all.
    TooMany,
}

impl Store {
    /// Keeps a statement about a release, once. One signer has at most [`limits::ATTESTATIONS_PER_SIGNER_MAX`] of a kind, and
    /// all together [`limits::ATTESTATIONS_MAX`].
    pub async fn attest(&self, id: &ReleaseId, row: AttestationRow) -> Result<Attested, StoreError> {
        let (package, version) = (id.package.to_string(), id.version.to_string());
        self.write("attest", move |transaction| {
            let count = |extra: &str, values: &[&dyn rusqlite::ToSql]| -> Result<usize, StoreError> {
                let sql = format!(
                    "SELECT COUNT(*) FROM attestations WHERE package = ?1 AND version = ?2 AND kind = ?3{extra}"
                );
                Ok(transaction.query_row(&sql, values, |row| row.get::<_, i64>(0))? as usize)
            };
            let of_signer = count(
                " AND signer = ?4 AND id = ?5",
                &[&package, &version, &row.kind, &row.signer, &row.id.to_string()],
            )?;
            if of_signer > 0 {
                return Ok(Attested::Already);
            }
            let of_signer = count(" AND signer = ?4", &[&package, &version, &row.kind, &row.signer])?;
            let of_all = count("", &[&package, &version, &row.kind])?;
            if of_signer >= limits::ATTESTATIONS_PER_SIGNER_MAX || of_all >= limits::ATTESTATIONS_MAX {
                return Ok(Attested::TooMany);
            }
            transaction.execute(
                "INSERT INTO attestations (id, signer, package, version, kind, envelope, created_at)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                params![
                    row.id.to_string(),
                    row.signer,
                    package,
                    version,
                    row.kind,
                    serde_json::to_string(&row.envelope).expect("an envelope is plain JSON"),
                    row.created_at,
                ],
            )?;
            Ok(Attested::New)
        })
        .await
    }

    /// Returns the statements about a release, oldest first.
    pub async fn attestations(&self, id: &ReleaseId) -> Result<Vec<AttestationRow>, StoreError> {
        let (package, version) = (id.package.to_string(), id.version.to_string());
        self.read(move |connection| {
            let mut statement = connection.prepare_cached(
                "SELECT id, signer, kind, envelope, created_at FROM attestations
                 WHERE package = ?1 AND version = ?2 ORDER BY created_at, id, signer",
            )?;
            let read = |row: &Row<'_>| -> rusqlite::Result<([String; 4], i64)> {
                Ok(([row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?], row.get(4)?))
            };
            let rows = statement.query_map([package, version], read)?;
            rows.map(|row| {
                let ([id, signer, kind, envelope], created_at) = row?;
                let envelope = serde_json::from_str(&envelope).map_err(StoreError::corrupt)?;
                Ok(AttestationRow { id: parse(&id)?, signer, kind, envelope, created_at })
            })
            .collect()
        })
        .await
    }
}
