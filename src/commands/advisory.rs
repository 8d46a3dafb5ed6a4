//! `glassbox advisory`.

use std::path::Path;

use glassbox_api::AdvisoryResponse;
use glassbox_client::Client;
use glassbox_core::acts::{Act as _, Advisory, ECOSYSTEM, ID_PREFIX, Osv};
use glassbox_core::key::SecretKey;
use glassbox_core::sbom::{CARGO_HOST, CARGO_URL};
use glassbox_registry::{Env, rfc3339};
use serde_json::{Value, json};

use super::Context;
use crate::cli::AdvisoryCommand;
use crate::failure::Failure;
use crate::home::load_key;
use crate::output::{DIM, HEAD, NAME, paint};
use crate::progress::during;

pub(super) async fn run(context: &Context, command: &AdvisoryCommand) -> Result<(), Failure> {
    let client = context.client()?;
    match command {
        AdvisoryCommand::Publish { package, summary, details, introduced, fixed, osv, key } => {
            let record = match (osv, package) {
                (Some(path), _) => record(path)?,
                (None, Some(package)) => {
                    let mut events = vec![json!({ "introduced": introduced })];
                    events.extend(fixed.as_ref().map(|fixed| json!({ "fixed": fixed })));
                    json!({
                        "schema_version": "1.6.0",
                        "id": next_id(&client).await?,
                        "published": now(),
                        "modified": now(),
                        "summary": summary,
                        "details": details,
                        "affected": [{
                            "package": { "ecosystem": ECOSYSTEM, "name": package.to_string() },
                            "ranges": [{ "type": "SEMVER", "events": events }],
                        }],
                    })
                }
                (None, None) => unreachable!("one of them is required"),
            };
            publish(context, &client, record, key.as_deref()).await
        }
        AdvisoryCommand::Withdraw { id, key } => {
            let known = during("reading", client.advisories(None)).await?.advisories;
            let known = known.into_iter().find(|known| known.osv["id"] == id.as_str());
            let mut record = known.map(|known| known.osv).ok_or_else(|| {
                let next = "`glassbox advisory list` shows those that there are";
                Failure::no(
                    "advisory-not-found",
                    format!("there is no advisory `{id}` among the newest"),
                    next,
                )
            })?;
            record["withdrawn"] = now().into();
            record["modified"] = now().into();
            publish(context, &client, record, key.as_deref()).await
        }
        AdvisoryCommand::List { about } => {
            let listed = during("reading", client.advisories(about.as_deref())).await?;
            context.output.answer(&listed, || match listed.advisories.as_slice() {
                [] => "there are none".into(),
                listed => listed.iter().map(describe).collect::<Vec<_>>().join("\n"),
            });
            Ok(())
        }
    }
}

async fn publish(
    context: &Context,
    client: &Client,
    record: Value,
    key: Option<&Path>,
) -> Result<(), Failure> {
    let invalid = |message: String| Failure::error("advisory-invalid", message, "see the OSV schema");
    let osv: Osv = serde_json::from_value(record).map_err(|error| invalid(error.to_string()))?;
    let about = osv.affected.first().map(|affected| affected.package.clone());
    let about = about.ok_or_else(|| invalid("`affected` names no package".into()))?;
    let advisory = match about.ecosystem.as_str() {
        ECOSYSTEM => {
            let package =
                about.name.parse().map_err(|_| invalid(format!("`{}` is no package", about.name)))?;
            Advisory { package: Some(package), part: None, osv }
        }
        CARGO_HOST => Advisory { package: None, part: Some(format!("{CARGO_URL}{}", about.name)), osv },
        other => return Err(invalid(format!("packages of `{other}` cannot be matched yet"))),
    };
    advisory.check().map_err(|error| invalid(error.to_string()))?;
    let statement = advisory.sign(&signer(context, key)?);
    let published = during("publishing", client.advise(&statement)).await?;
    context.output.answer(&published, || describe(&published));
    Ok(())
}

fn signer(context: &Context, key: Option<&Path>) -> Result<SecretKey, Failure> {
    let found = match key {
        Some(path) => load_key(path)?,
        None => context.home()?.key()?,
    };
    found.ok_or_else(|| {
        Failure::no("key-not-found", "there is no key to sign with", "name one with --key FILE")
    })
}

fn record(path: &Path) -> Result<Value, Failure> {
    let text = std::fs::read_to_string(path).map_err(|error| Failure::io("read", path, &error))?;
    let mut record: Value = serde_json::from_str(&text).map_err(|error| {
        Failure::error("advisory-invalid", format!("`{}`: {error}", path.display()), "it is an OSV record")
    })?;
    // Other databases write fractions of seconds.
    for field in ["modified", "withdrawn"] {
        if let Some((seconds, _)) = record[field].as_str().and_then(|time| time.split_once('.')) {
            record[field] = format!("{seconds}Z").into();
        }
    }
    Ok(record)
}

/// Returns the next number of this year.
async fn next_id(client: &Client) -> Result<String, Failure> {
    let prefix = format!("{ID_PREFIX}{}-", &now()[..4]);
    let known = during("reading", client.advisories(None)).await?.advisories;
    let number =
        |known: &AdvisoryResponse| known.osv["id"].as_str()?.strip_prefix(&prefix)?.parse::<u64>().ok();
    let highest = known.iter().filter_map(number).max().unwrap_or_default();
    Ok(format!("{prefix}{}", highest + 1))
}

/// Returns the time, to the second.
fn now() -> String {
    rfc3339(Env::system().now_ms() / 1_000 * 1_000)
}

fn describe(advisory: &AdvisoryResponse) -> String {
    let text = |name: &str| advisory.osv[name].as_str().unwrap_or_default();
    let package = &advisory.osv["affected"][0]["package"]["name"];
    let withdrawn = if advisory.osv.get("withdrawn").is_some() { " (withdrawn)" } else { "" };
    format!(
        "{}  {}{withdrawn}  {}\n  {}",
        paint(HEAD, text("id")),
        paint(NAME, package.as_str().unwrap_or_default()),
        text("summary"),
        paint(DIM, format!("{} by {}", text("modified"), advisory.signer)),
    )
}
