//! `glassbox log`: what a registry's log says, and proofs that travel.

use std::fs;
use std::path::{Path, PathBuf};

use glassbox_client::monitor;
use glassbox_core::log::{Standing, TlogProof, Trusted};
use glassbox_core::name::RemoteRef;
use glassbox_core::{Digest, limits};
use serde::Serialize;

use super::Context;
use crate::cli::LogCommand;
use crate::failure::Failure;
use crate::keep::Folder;
use crate::output::{BAD, DIM, GOOD, NAME, count, paint};
use crate::progress::during;
use crate::remote::{self, Remote};

#[derive(Serialize)]
struct Shown {
    log: String,
    log_key: String,
    size: u64,
    root: Digest,
    #[serde(flatten)]
    vouched: Vouched,
    policy: bool,
}

/// Who vouches for a checkpoint.
#[derive(Serialize)]
struct Vouched {
    witnesses: Vec<String>,
    confirmed_at: Option<String>,
}

#[derive(Serialize)]
struct Kept {
    release: String,
    index: u64,
    file: PathBuf,
}

#[derive(Serialize)]
struct Verified {
    release: String,
    component: Digest,
    publisher: String,
    log: String,
    index: u64,
    size: u64,
    #[serde(flatten)]
    vouched: Vouched,
}

pub(super) async fn run(context: &Context, command: &LogCommand) -> Result<(), Failure> {
    match command {
        LogCommand::Show => show(context).await,
        LogCommand::Check => check(context).await,
        LogCommand::Standing { about } => standing(context, about).await,
        LogCommand::Proof { package, out } => proof(context, package, out.as_deref()).await,
        LogCommand::Verify { proof, log_key } => verify(context, proof, log_key.as_deref()),
    }
}

async fn show(context: &Context) -> Result<(), Failure> {
    let remote = context.remote(None)?;
    let believed = during("asking", remote.trust.newest(&remote.client)).await?;
    remote.tell(&believed);
    let checkpoint = &believed.trusted.checkpoint;
    let shown = Shown {
        log: checkpoint.origin.clone(),
        log_key: believed.log_key.clone(),
        size: checkpoint.size,
        root: checkpoint.root,
        vouched: vouched(&believed.trusted),
        policy: remote.trust.has_policy(),
    };
    context.output.answer(&shown, || {
        let by = if shown.policy { "by your policy" } else { "because it was the first met at this address" };
        format!(
            "{} {}, {}\n  root       {}\n  {}\n  key        {}\n  believed   {by}",
            paint(GOOD, "✓"),
            paint(NAME, &shown.log),
            entries(shown.size),
            shown.root,
            describe(&shown.vouched),
            shown.log_key,
        )
    });
    Ok(())
}

async fn check(context: &Context) -> Result<(), Failure> {
    let remote = context.remote(None)?;
    let (believed, report) = during("reading the log", monitor::check(&remote.client, &remote.trust)).await?;
    remote.tell(&believed);
    context.output.answer(&report, || {
        let mark = if report.findings.is_empty() { paint(GOOD, "✓") } else { paint(BAD, "✗") };
        let kinds: Vec<_> = report.kinds.iter().map(|(kind, number)| format!("{number} {kind}")).collect();
        let mut lines = vec![
            format!(
                "{mark} {}, {} about {}",
                paint(NAME, &report.log),
                entries(report.entries),
                report.about
            ),
            format!("  kinds      {}", kinds.join(", ")),
            format!("  root       {}", report.root),
            format!("  map        {}", report.map),
        ];
        lines.extend(report.findings.iter().map(|finding| format!("  {finding}")));
        lines.join("\n")
    });
    match report.findings.len() {
        0 => Ok(()),
        found => Err(Failure::no(
            "log-wrong",
            format!("the log is not right in {}", count(found as u64, "place")),
            "keep what `glassbox mirror` copies of it, and tell others who watch it",
        )),
    }
}

#[derive(Serialize)]
struct Stands<'a> {
    about: &'a str,
    standing: Option<Standing>,
    log: &'a str,
    size: u64,
}

async fn standing(context: &Context, about: &str) -> Result<(), Failure> {
    let remote = context.remote(None)?;
    let (standing, believed) = during("asking", remote.trust.standing(&remote.client, about)).await?;
    remote.tell(&believed);
    let checkpoint = &believed.trusted.checkpoint;
    let stands = Stands { about, standing, log: &checkpoint.origin, size: checkpoint.size };
    context.output.answer(&stands, || {
        let mut lines = vec![format!("{} {}", paint(GOOD, "✓"), paint(NAME, about))];
        let Some(standing) = &stands.standing else {
            lines.push(format!("  nothing    in {}, {}", stands.log, entries(stands.size)));
            return lines.join("\n");
        };
        let list = |versions: &mut dyn Iterator<Item = String>| versions.collect::<Vec<_>>().join(", ");
        let mut line = |name: &str, text: String| {
            if !text.is_empty() {
                lines.push(format!("  {name:<10} {text}"));
            }
        };
        line("latest", standing.latest.as_ref().map(ToString::to_string).unwrap_or_default());
        line("versions", list(&mut standing.terms.keys().map(ToString::to_string)));
        line("yanked", list(&mut standing.yanked.iter().map(ToString::to_string)));
        line("quarantined", list(&mut standing.quarantined.iter().map(ToString::to_string)));
        line("entries", format!("{}, the newest {}", standing.entries, standing.head));
        line("proved by", format!("{}, {}", stands.log, entries(stands.size)));
        lines.join("\n")
    });
    match stands.standing {
        Some(_) => Ok(()),
        None => Err(Failure::no(
            "nothing-logged",
            format!("the log says nothing about `{about}`"),
            "names are `ns:name`, `ns`, or the did:key of an executor",
        )),
    }
}

fn entries(number: u64) -> String {
    if number == 1 { "1 entry".into() } else { format!("{number} entries") }
}

async fn proof(context: &Context, package: &RemoteRef, out: Option<&Path>) -> Result<(), Failure> {
    let remote: Remote = context.remote(package.registry.as_deref())?;
    let resolving = remote.trust.resolve(&remote.client, &package.reference);
    let (_, logged, _) = during("asking", resolving).await?;
    remote.tell(&logged.believed);
    let text = logged.proof.to_text();
    if out == Some(Path::new("-")) {
        context.output.print(text.trim_end());
        return Ok(());
    }
    let id = &logged.release.release;
    let usual = || format!("{}-{}.{}", id.package.name(), id.version, TlogProof::EXTENSION).into();
    let file: PathBuf = out.map_or_else(usual, Path::to_owned);
    let kept = Folder::of(&file, "the proof")?.keep(&file, text.as_bytes());
    kept.map_err(|error| Failure::io("write", &file, &error))?;
    let kept = Kept { release: id.to_string(), index: logged.index, file };
    context.output.answer(&kept, || {
        let mark = paint(GOOD, "✓");
        format!("{mark} {}, log entry {}, proved in {}", kept.release, kept.index, kept.file.display())
    });
    Ok(())
}

fn verify(context: &Context, path: &Path, log_key: Option<&str>) -> Result<(), Failure> {
    let size_bytes = fs::metadata(path).map_err(|error| Failure::io("read", path, &error))?.len();
    let invalid = || {
        let message = format!("`{}` is not a proof", path.display());
        Failure::error("proof-invalid", message, "`glassbox log proof` writes one")
    };
    if size_bytes > limits::TLOG_PROOF_BYTES_MAX as u64 {
        return Err(invalid());
    }
    let text = fs::read_to_string(path).map_err(|error| Failure::io("read", path, &error))?;
    let proof = TlogProof::parse(&text).map_err(|_| invalid())?;
    let trust = remote::trust(&context.home()?, &context.trust_args())?;
    if log_key.is_none() && !trust.has_policy() {
        let hint = "name the log with --log-key, or write a policy: --log-policy FILE";
        return Err(Failure::error("log-policy-missing", "nothing says which log to believe", hint));
    }
    let verified = trust.verify_proof(&proof, log_key).map_err(glassbox_client::ClientError::from)?;
    let (release, publisher, trusted) = verified;
    let verified = Verified {
        release: release.release.to_string(),
        component: release.component,
        publisher: publisher.to_string(),
        log: trusted.checkpoint.origin.clone(),
        index: proof.proof.index,
        size: trusted.checkpoint.size,
        vouched: vouched(&trusted),
    };
    context.output.answer(&verified, || {
        format!(
            "{} {} is entry {} of {}\n  component  {}\n  publisher  {}\n  {}\n{}",
            paint(GOOD, "✓"),
            paint(NAME, &verified.release),
            verified.index,
            verified.log,
            verified.component,
            verified.publisher,
            describe(&verified.vouched),
            paint(DIM, "verified offline"),
        )
    });
    Ok(())
}

fn vouched(trusted: &Trusted) -> Vouched {
    let time = trusted.newest_s.and_then(|time| i64::try_from(time).ok()?.checked_mul(1_000));
    Vouched { witnesses: trusted.witnesses.clone(), confirmed_at: time.map(glassbox_registry::rfc3339) }
}

fn describe(vouched: &Vouched) -> String {
    let by = match vouched.witnesses.as_slice() {
        [] => "no witness".to_owned(),
        witnesses => witnesses.join(", "),
    };
    let at = vouched.confirmed_at.as_deref().unwrap_or("nobody says when");
    format!("cosigned   by {by}\n  confirmed  {at}")
}
