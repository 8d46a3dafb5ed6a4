//! `glassbox add`, `glassbox lock` and `glassbox audit licenses`.

use std::path::Path;

use glassbox_api::ReleaseResponse;
use glassbox_client::Client;
use glassbox_client::trust::LoggedRelease;
use glassbox_core::hashed::Document as _;
use glassbox_core::license::License;
use glassbox_core::manifest::{Date, Terms, is_grant_satisfied, is_satisfied};
use glassbox_core::{Digest, PackageRef};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::{Context, license};
use crate::cli::{AddArgs, AuditLicensesArgs, LockArgs};
use crate::failure::Failure;
use crate::lockfile::{Held, Locked, Lockfile};
use crate::output::{BAD, GOOD, NAME, count, paint};
use crate::progress::during;
use crate::remote::Remote;

pub(super) async fn add(context: &Context, args: &AddArgs) -> Result<(), Failure> {
    let mut lock = Lockfile::begun(&args.lock)?;
    let remote = context.remote(args.package.registry.as_deref())?;
    let (page, logged, _) = during("reading", remote.resolve(&args.package.reference)).await?;
    let mut locked = pin(&remote, &logged);
    locked.license = match &args.license {
        Some(file) => {
            let taken = license::open(&beside(&args.lock, file))?;
            check_license(&remote.client, &locked, &page, &taken).await.map_err(|reason| {
                Failure::no("license-refused", reason, "take one with `glassbox license buy`")
            })?;
            Some(Held { id: taken.id, file: file.clone() })
        }
        None => lock.of(&locked.release.package).and_then(|before| before.license.clone()),
    };
    lock.put(locked.clone());
    lock.write(&args.lock)?;
    context.output.answer(&locked, || describe(&locked, &args.lock));
    Ok(())
}

pub(super) async fn lock(context: &Context, args: &LockArgs) -> Result<(), Failure> {
    let mut lock = Lockfile::read(&args.lock)?;
    for before in lock.packages.clone() {
        let remote = remote(context, &before)?;
        let (_, logged, _) = during("reading", remote.resolve(&exact(&before))).await?;
        check_same(&before, &logged)?;
        lock.put(Locked { license: before.license, ..pin(&remote, &logged) });
    }
    lock.write(&args.lock)?;
    context.output.answer(&lock, || {
        let count = count(lock.packages.len() as u64, "release");
        format!("{} {count} in {}", paint(GOOD, "✓"), args.lock.display())
    });
    Ok(())
}

/// What an audit came to.
#[derive(Serialize)]
struct Audit {
    releases: usize,
    findings: Vec<Finding>,
}

/// Something that is not as it should be.
#[derive(Serialize)]
struct Finding {
    release: String,
    code: &'static str,
    /// Whether the audit holds all the same.
    warning: bool,
    detail: String,
}

pub(super) async fn audit(context: &Context, args: &AuditLicensesArgs) -> Result<(), Failure> {
    let lock = Lockfile::read(&args.lock)?;
    let mut audit = Audit { releases: lock.packages.len(), findings: Vec::new() };
    for locked in &lock.packages {
        look_at(context, args, locked, &mut audit.findings).await?;
    }
    let broken = audit.findings.iter().filter(|finding| !finding.warning).count();
    context.output.answer(&audit, || describe_audit(&audit));
    match broken {
        0 => Ok(()),
        broken => {
            let message = format!("{} must not be used as locked", count(broken as u64, "finding"));
            Err(Failure::no(
                "lock-refused",
                message,
                "take a licence with `glassbox license buy`, allow theirs, or use another",
            ))
        }
    }
}

/// Holds what is locked against the log. What decides is what that proves; of the page there are only reasons, for people.
async fn look_at(
    context: &Context,
    args: &AuditLicensesArgs,
    locked: &Locked,
    findings: &mut Vec<Finding>,
) -> Result<(), Failure> {
    let mut find = |code, warning, detail| {
        findings.push(Finding { release: locked.release.to_string(), code, warning, detail });
    };
    let remote = remote(context, locked)?;
    let (page, logged, standing) = match during("reading", remote.resolve(&exact(locked))).await {
        Ok(found) => found,
        Err(failure) if failure.code == "release-quarantined" => {
            find("release-quarantined", false, failure.message);
            return Ok(());
        }
        // Terms that are dearer than before are followed by nobody.
        Err(failure) if failure.code == "log-dearer" => {
            find("terms-dearer", false, failure.message);
            return Ok(());
        }
        Err(failure) => return Err(failure),
    };
    if standing.yanked.contains(&locked.release.version) {
        let reason = page.yanked.as_ref().map_or("the log has the reason", |mark| &mark.reason);
        find("release-yanked", true, reason.to_owned());
    }
    if let Err(failure) = check_same(locked, &logged) {
        find("component-differs", false, failure.message);
    }
    if !had(&remote, &page, &logged, locked.terms).await? {
        let detail =
            format!("{} is locked, and {} stands, which does not follow from it", locked.terms, logged.terms);
        find("terms-dearer", false, detail);
    }
    let terms = during("reading", remote.terms(&page, &logged)).await?;
    let mut refused = licenses(&terms, Date::of(Timestamp::now()));
    refused.retain(|(_, license)| !is_satisfied(license, &args.allow));
    if refused.is_empty() {
        return Ok(());
    }
    match &locked.license {
        None => {
            for (what, license) in refused {
                let detail = format!("{what} is under `{license}`, and no licence is held");
                find("license-not-allowed", false, detail);
            }
        }
        Some(held) => match held_license(&remote.client, locked, &page, held, &args.lock).await {
            Ok(license) => {
                // One that everybody may take is no more than what it says.
                let grants = license.grants.as_deref().unwrap_or_default();
                if !is_grant_satisfied(grants, &args.allow) {
                    let detail = format!("the licence that is held grants `{grants}`");
                    find("license-not-allowed", false, detail);
                }
                if let Some((warning, detail)) = expiry(&license, args.grace) {
                    find("license-expired", warning, detail);
                }
            }
            Err(reason) => find("license-refused", false, reason),
        },
    }
    Ok(())
}

/// Returns the licences of a release and of its editions on a day, each with what is under it. Which of its functions a
/// project calls the lock does not say, so that it is all of them that may be used.
fn licenses(terms: &Terms, day: Date) -> Vec<(String, &str)> {
    let editions = terms.more.edition.iter();
    let editions = editions
        .filter_map(|(name, edition)| Some((format!("edition `{name}`"), edition.license.as_deref()?)));
    [("it".to_owned(), terms.license_on(day))].into_iter().chain(editions).collect()
}

fn pin(remote: &Remote, logged: &LoggedRelease) -> Locked {
    Locked {
        release: logged.release.release.clone(),
        registry: remote.client.url().to_owned(),
        component: logged.release.component,
        terms: logged.terms,
        license: None,
    }
}

/// Returns the registry that something was locked from.
fn remote(context: &Context, locked: &Locked) -> Result<Remote, Failure> {
    let mut remote = context.remote(None)?;
    if remote.client.url() != locked.registry {
        remote.client = Client::new(&locked.registry)?;
    }
    Ok(remote)
}

fn exact(locked: &Locked) -> PackageRef {
    PackageRef { package: locked.release.package.clone(), version: Some(locked.release.version.clone()) }
}

fn check_same(locked: &Locked, logged: &LoggedRelease) -> Result<(), Failure> {
    if logged.release.component == locked.component {
        return Ok(());
    }
    let message = format!(
        "{} is locked as {}, and the log has {}",
        locked.release, locked.component, logged.release.component
    );
    Err(Failure::no("component-differs", message, "do not rely on it; tell the operator of the registry"))
}

/// Tells whether a release has terms, or had them before it became cheaper.
async fn had(
    remote: &Remote,
    page: &ReleaseResponse,
    logged: &LoggedRelease,
    terms: Digest,
) -> Result<bool, Failure> {
    if logged.terms == terms || logged.release.terms == terms {
        return Ok(true);
    }
    for count in 1..page.terms_changes.len() {
        let some = &page.terms_changes[..count];
        let followed = remote.trust.terms(&remote.client, &logged.release, some).await?;
        if followed.compute_digest() == terms {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Opens the licence that is held, and checks that it is for what is locked.
async fn held_license(
    client: &Client,
    locked: &Locked,
    page: &ReleaseResponse,
    held: &Held,
    lock: &Path,
) -> Result<License, String> {
    let license = license::open(&beside(lock, &held.file)).map_err(|failure| failure.message)?;
    if license.id != held.id {
        return Err(format!("`{}` is another licence than was locked", held.file));
    }
    check_license(client, locked, page, &license).await?;
    Ok(license)
}

/// Checks that a licence was sold by the registry, for this release.
async fn check_license(
    client: &Client,
    locked: &Locked,
    page: &ReleaseResponse,
    license: &License,
) -> Result<(), String> {
    let descriptor = client.descriptor().await.map_err(|error| error.to_string())?;
    if license.issuer.to_string() != descriptor.executor {
        return Err(format!("it is signed by {}, and not by the registry", license.issuer));
    }
    if license.grants.is_none() {
        return Err(format!("`{}` grants no licence", license.item));
    }
    // No entry of the log has a time. That of the release is the word of whoever sold the licence, which is the one who loses
    // by a wrong one.
    let published_at = page.published_at.parse::<Timestamp>().map_err(|error| error.to_string())?;
    match license.covers(&locked.release, published_at) {
        true => Ok(()),
        false => Err(format!("it is for {}, and does not cover {}", license.release, locked.release)),
    }
}

/// Says where a licence is over, and whether only just.
fn expiry(license: &License, grace_days: u32) -> Option<(bool, String)> {
    let (until, now) = (license.until?, Timestamp::now());
    let grace = SignedDuration::from_hours(24 * i64::from(grace_days));
    // By how long it is over, for a day so far off may be none that there is.
    (until <= now).then(|| (now.duration_since(until) < grace, format!("its licence ended {until}")))
}

/// Returns a path that is relative to the folder of a lock.
fn beside(lock: &Path, file: &str) -> std::path::PathBuf {
    lock.parent().map_or_else(|| file.into(), |folder| folder.join(file))
}

fn describe(locked: &Locked, path: &Path) -> String {
    format!("{} {} in {}", paint(GOOD, "✓"), paint(NAME, &locked.release), path.display())
}

fn describe_audit(audit: &Audit) -> String {
    let mut lines: Vec<String> = audit
        .findings
        .iter()
        .map(|finding| {
            let Finding { release, code, warning, detail } = finding;
            let mark = if *warning { "warning".to_owned() } else { paint(BAD, "error") };
            format!("{mark}  {}  {code}: {detail}", paint(NAME, release))
        })
        .collect();
    if audit.findings.iter().all(|finding| finding.warning) {
        lines.push(format!(
            "{} {} may be used as locked",
            paint(GOOD, "✓"),
            count(audit.releases as u64, "release")
        ));
    }
    lines.join("\n")
}
