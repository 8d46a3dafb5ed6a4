//! Packages whose names could be taken for one another.

use glassbox_core::PackageName;
use glassbox_core::name::Namespace;
use rusqlite::{Transaction, params};

use crate::acts;
use crate::error::StoreError;
use crate::releases::NewRelease;
use crate::sqlite::parse;

/// Refuses a new package whose name looks like that of somebody else's, and writes down what it looks like.
///
/// The younger of two namespaces gives way: whoever came later must not take names from those who were there.
pub(crate) fn write(transaction: &Transaction<'_>, release: &NewRelease) -> Result<(), StoreError> {
    let (package, skeleton) = (&release.id.package, release.id.package.skeleton());
    let is_known = transaction
        .prepare_cached("SELECT 1 FROM package_skeletons WHERE package = ?1")?
        .exists([package.to_string()])?;
    if is_known {
        return Ok(());
    }
    if release.newcomers_bounded {
        let mut alike =
            transaction.prepare_cached("SELECT package FROM package_skeletons WHERE skeleton = ?1")?;
        for other in alike.query_map([&skeleton], |row| row.get::<_, String>(0))? {
            let other: PackageName = parse(&other?)?;
            if package.looks_like(&other) && gives_way(transaction, release, &other)? {
                return Err(StoreError::PackageConfusable { package: package.clone(), other });
            }
        }
    }
    transaction.execute(
        "INSERT INTO package_skeletons (package, skeleton) VALUES (?1, ?2)",
        params![package.to_string(), skeleton],
    )?;
    Ok(())
}

/// Tells whether a new package must not have a name like that of another one: the other's namespace is somebody else's, and was
/// there first.
fn gives_way(
    transaction: &Transaction<'_>,
    release: &NewRelease,
    other: &PackageName,
) -> Result<bool, StoreError> {
    let (own, theirs) = (release.id.package.in_namespace(), other.in_namespace());
    if own == theirs {
        return Ok(false);
    }
    let Some(row) = acts::read(transaction, &theirs)? else { return Ok(false) };
    if row.state.at(release.now_ms).is_controller(&release.publisher) {
        return Ok(false);
    }
    // Namespaces are never deleted, so their rows are numbered in the order of their claims.
    let claimed = |namespace: &Namespace| -> Result<i64, StoreError> {
        let mut statement = transaction.prepare_cached("SELECT rowid FROM namespaces WHERE name = ?1")?;
        Ok(statement.query_row([namespace.as_str()], |row| row.get(0))?)
    };
    Ok(claimed(&theirs)? < claimed(&own)?)
}
