//! `glassbox sign`, and what all signed acts have in common: a key, a file, or the registry.

use std::fs;
use std::path::Path;

use glassbox_api::ActResponse;
use glassbox_client::ActPath;
use glassbox_core::acts::{
    Act, KeyRevocation, NamespacePolicy, PolicyCancellation, Quarantine, TermsChange, Yank,
};
use glassbox_core::dsse::{Envelope, Predicate as _, Statement};
use glassbox_core::key::SecretKey;
use glassbox_core::release::Release;
use serde::Serialize;
use serde_json::Value;

use super::Context;
use crate::cli::{SignArgs, Signing};
use crate::failure::Failure;
use crate::home::load_key;
use crate::output::{DIM, GOOD, NAME, count, paint};
use crate::progress::during;

/// A statement that waits in a file.
#[derive(Serialize)]
struct Written {
    file: String,
    about: String,
    signatures: usize,
}

pub(super) async fn run(context: &Context, args: &SignArgs) -> Result<(), Failure> {
    let mut envelope = read(&args.file)?;
    // Of what was tampered with on its way, nothing is signed.
    envelope.signers().map_err(|error| broken(&args.file, &error.to_string()))?;
    let statement: Statement<Value> = envelope
        .payload()
        .ok()
        .and_then(|payload| serde_json::from_slice(&payload).ok())
        .ok_or_else(|| broken(&args.file, "it holds no statement"))?;
    let path = path_of(&envelope, &statement.predicate_type);
    let is_release = statement.predicate_type == Release::TYPE;
    if path.is_none() && !is_release {
        let message = format!("`{}` is no statement that people sign", statement.predicate_type);
        return Err(Failure::no("statement-invalid", message, ""));
    }
    let shown = serde_json::to_string_pretty(&statement.predicate).expect("JSON that was just read");
    context.output.note(&format!("{}\n{shown}", statement.predicate_type));
    let secret = key(context, args.key.as_deref())?;
    envelope.add_signature(&secret).map_err(|error| broken(&args.file, &error.to_string()))?;
    write(&args.file, &envelope)?;
    match (path, args.send) {
        (Some(path), true) => send(context, path, envelope).await,
        (None, true) => {
            let hint = format!("glassbox publish --statement {}", args.file.display());
            Err(Failure::error("usage", "a release is sent with its files", hint))
        }
        (_, false) => {
            describe(context, &args.file, &envelope);
            Ok(())
        }
    }
}

/// Reads the key to sign with.
pub(super) fn key(context: &Context, path: Option<&Path>) -> Result<SecretKey, Failure> {
    let home_path;
    let path = match path {
        Some(path) => path,
        None => {
            home_path = context.home()?.key_path();
            &home_path
        }
    };
    load_key(path)?.ok_or_else(|| {
        let message = format!("there is no key at `{}`", path.display());
        Failure::no("key-not-found", message, "make one with `glassbox key new`")
    })
}

/// Sends a signed act, or writes it to a file for others to sign.
pub(super) async fn submit(
    context: &Context,
    path: ActPath,
    envelope: Envelope,
    signing: &Signing,
) -> Result<(), Failure> {
    let Some(file) = &signing.out else { return send(context, path, envelope).await };
    write(file, &envelope)?;
    describe(context, file, &envelope);
    Ok(())
}

/// Sends a signed act, and checks the proof that the log has it.
pub(super) async fn send(context: &Context, path: ActPath, envelope: Envelope) -> Result<(), Failure> {
    let client = context.client()?;
    let response = during("sending", client.act(&path, envelope)).await?;
    let log_key = during("checking", client.descriptor()).await?.log_key;
    response.proof.verify(response.entry.as_bytes(), &log_key).map_err(|error| {
        let message = format!("the registry did not prove that it logged the act: {error}");
        Failure::no("log-unproved", message, "")
    })?;
    context.output.answer(&response, || done(&response));
    Ok(())
}

fn done(response: &ActResponse) -> String {
    let what = if response.new { "Done" } else { "Done already" };
    format!("{} {what}, log entry {}, proved", paint(GOOD, "✓"), response.proof.index)
}

/// Reads a statement from a file.
pub(super) fn read(file: &Path) -> Result<Envelope, Failure> {
    let text = fs::read_to_string(file).map_err(|error| Failure::io("read", file, &error))?;
    serde_json::from_str(&text).map_err(|error| broken(file, &error.to_string()))
}

/// Writes a statement to a file.
pub(super) fn write(file: &Path, envelope: &Envelope) -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(envelope).expect("an envelope is plain JSON");
    fs::write(file, text + "\n").map_err(|error| Failure::io("write", file, &error))
}

/// Says what waits in a file.
pub(super) fn describe(context: &Context, file: &Path, envelope: &Envelope) {
    let statement: Option<Statement<Value>> =
        envelope.payload().ok().and_then(|payload| serde_json::from_slice(&payload).ok());
    let subject = statement.and_then(|statement| statement.subject.into_iter().next());
    let written = Written {
        file: file.display().to_string(),
        about: subject.map(|subject| subject.name).unwrap_or_default(),
        signatures: envelope.signatures.len(),
    };
    context.output.answer(&written, || {
        format!(
            "{} {} has {} about {}\n{}",
            paint(GOOD, "✓"),
            paint(NAME, &written.file),
            count(written.signatures as u64, "signature"),
            written.about,
            paint(DIM, format!("others add theirs with `glassbox sign {}`", written.file)),
        )
    });
}

fn broken(file: &Path, why: &str) -> Failure {
    Failure::no("statement-invalid", format!("`{}` is no signed statement: {why}", file.display()), "")
}

/// Returns where a statement is sent.
fn path_of(envelope: &Envelope, kind: &str) -> Option<ActPath> {
    fn read<A: Act>(envelope: &Envelope) -> Option<A> {
        envelope.open::<A>().ok().map(|(statement, _)| statement.predicate)
    }
    match kind {
        NamespacePolicy::TYPE => read::<NamespacePolicy>(envelope).map(|act| ActPath::Policy(act.namespace)),
        PolicyCancellation::TYPE => {
            read::<PolicyCancellation>(envelope).map(|act| ActPath::Cancel(act.namespace))
        }
        KeyRevocation::TYPE => read::<KeyRevocation>(envelope).map(|act| ActPath::Revocation(act.namespace)),
        Yank::TYPE => read::<Yank>(envelope).map(|act| ActPath::Yank(act.release)),
        TermsChange::TYPE => read::<TermsChange>(envelope).map(|act| ActPath::Terms(act.release)),
        Quarantine::TYPE => read::<Quarantine>(envelope).map(|act| ActPath::Quarantine(act.release)),
        _ => None,
    }
}
