//! `glassbox blocklist`.

use std::fs;

use glassbox_core::blocklist::{Blocklist, Entry};
use glassbox_core::dsse::Envelope;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::Context;
use super::sign::key;
use crate::cli::{BlocklistCommand, SignBlocklistArgs};
use crate::failure::Failure;
use crate::output::{GOOD, count, paint};

pub(super) fn run(context: &Context, command: &BlocklistCommand) -> Result<(), Failure> {
    match command {
        BlocklistCommand::Sign(args) => sign(context, args),
    }
}

#[derive(Serialize)]
struct Signed {
    name: String,
    sequence: u64,
    entries: usize,
    key: String,
    file: String,
}

fn sign(context: &Context, args: &SignBlocklistArgs) -> Result<(), Failure> {
    let text = fs::read_to_string(&args.file).map_err(|error| Failure::io("read", &args.file, &error))?;
    let lines = text.lines().map(str::trim).zip(1..);
    let entries = lines.filter(|(line, _)| !line.is_empty() && !line.starts_with('#')).map(entry);
    let secret = key(context, args.key.as_deref())?;
    let issued = Timestamp::from_second(Timestamp::now().as_second()).unwrap_or(Timestamp::UNIX_EPOCH);
    let list = Blocklist {
        name: args.name.clone(),
        sequence: args.sequence.unwrap_or(issued.as_second().unsigned_abs()),
        issued,
        expires: issued + SignedDuration::from_hours(24 * i64::from(args.days)),
        entries: entries.collect::<Result<_, _>>()?,
    };
    let (name, sequence, entries) = (list.name.clone(), list.sequence, list.entries.len());
    let envelope = list.sign(&secret);
    // What registries would refuse is not handed out.
    Blocklist::open(&envelope, &secret.public()).map_err(|error| {
        Failure::no("blocklist-invalid", error.to_string(), "shorten it, or give each entry a reason")
    })?;
    let Some(path) = &args.out else {
        context.output.answer(&envelope, || json(&envelope));
        return Ok(());
    };
    fs::write(path, format!("{}\n", json(&envelope))).map_err(|error| Failure::io("write", path, &error))?;
    let signed = Signed {
        name,
        sequence,
        entries,
        key: secret.public().to_string(),
        file: path.display().to_string(),
    };
    context.output.answer(&signed, || {
        let Signed { name, sequence, key, file, .. } = &signed;
        let entries = count(entries as u64, "entry");
        format!("{} {name}, number {sequence}, with {entries}, by {key}\n  {file}", paint(GOOD, "✓"))
    });
    Ok(())
}

fn json(envelope: &Envelope) -> String {
    serde_json::to_string_pretty(envelope).expect("an envelope is plain JSON")
}

/// Reads a line: what is listed, and why.
fn entry((line, number): (&str, usize)) -> Result<Entry, Failure> {
    let (about, reason) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    let about = about.parse().map_err(|error: String| {
        Failure::no(
            "blocklist-invalid",
            format!("line {number}: {error}"),
            "write what is listed, a space, and why",
        )
    })?;
    Ok(Entry { about, reason: reason.trim().to_owned() })
}
