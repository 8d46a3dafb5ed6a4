//! `glassbox audit receipts`: runs a sample of receipts again that nobody could foresee.

use std::fs;
use std::path::{Path, PathBuf};

use glassbox_core::log::open_checkpoint;
use glassbox_core::receipt::audit::{VerificationResult, is_chosen};
use glassbox_core::receipt::{Certificate, Receipt, Report};
use glassbox_registry::{Code, Env, Rerun, rfc3339};
use glassbox_sandbox::Sandbox;
use serde::Serialize;

use super::{Context, verify};
use crate::cli::AuditReceiptsArgs;
use crate::failure::Failure;
use crate::output::{BAD, DIM, GOOD, count, paint};
use crate::progress::during;
use crate::{receipts, sandbox};

/// What an audit came to.
#[derive(Default, Serialize)]
struct Audit {
    /// The root that chose the sample, and the size of its log.
    root: String,
    size: u64,
    /// How many receipts there were, and how many of them are in no log yet.
    receipts: u64,
    not_logged: u64,
    /// Those that were chosen.
    chosen: Vec<Chosen>,
}

#[derive(Serialize)]
struct Chosen {
    file: String,
    number: u64,
    /// `same`, `different` or `undecided`.
    found: &'static str,
    detail: String,
    /// The signed result, or the certificate, where it was written.
    #[serde(skip_serializing_if = "Option::is_none")]
    written: Option<String>,
    submitted: bool,
}

pub(super) async fn run(context: &Context, args: &AuditReceiptsArgs) -> Result<(), Failure> {
    let client = context.client()?;
    let descriptor = client.descriptor().await?;
    let note = client.checkpoint().await?;
    let checkpoint = open_checkpoint(&note, &descriptor.log_key)
        .map_err(|error| Failure::error("registry-invalid", error.to_string(), "name another --registry"))?;
    let (root, size) = (checkpoint.root.to_string(), checkpoint.size);
    let mut audit = Audit { root, size, ..Audit::default() };
    let sandbox = sandbox::temporary()?;
    for path in files(context, &args.receipts)? {
        let bundle = receipts::read_bundle(&path)?;
        audit.receipts += 1;
        let (report, receipt) = bundle.verify(None);
        let (Some(receipt), Some(proof)) = (receipt, &bundle.proof) else {
            audit.not_logged += 1;
            continue;
        };
        let number = proof.batch.from.saturating_add(proof.batch.place.index);
        if is_chosen(checkpoint.root, &receipt.executor, number, args.one_in) {
            let chosen = Auditing { context, args, sandbox: &sandbox, path: &path };
            audit.chosen.push(chosen.run_again(bundle.clone(), &receipt, report, number).await?);
        }
    }
    context.output.answer(&audit, || describe(&audit));
    match audit.chosen.iter().filter(|chosen| chosen.found == "different").count() {
        0 => Ok(()),
        wrong => {
            let message = format!("{} not true", count(wrong as u64, "receipt"));
            Err(Failure::no("receipt-contradicted", message, "hand the certificate in with --submit"))
        }
    }
}

struct Auditing<'a> {
    context: &'a Context,
    args: &'a AuditReceiptsArgs,
    sandbox: &'a Sandbox,
    path: &'a Path,
}

impl Auditing<'_> {
    async fn run_again(
        &self,
        bundle: glassbox_core::receipt::Bundle,
        receipt: &Receipt,
        mut report: Report,
        number: u64,
    ) -> Result<Chosen, Failure> {
        let component = verify::component(self.context, None, receipt).await?;
        let shipped = verify::files(self.context, None, receipt).await?;
        let dependencies = verify::dependencies(self.context, receipt).await?;
        let code = Code { component: &component, files: shipped.as_ref(), dependencies: &dependencies };
        let rerun = glassbox_registry::rerun(self.sandbox, &bundle, receipt, code, &mut report);
        let rerun = during("running a call again", rerun).await;
        let failed = report.checks.iter().find(|check| !check.holds);
        let detail = failed.map_or_else(
            || "the same output for the same fuel".to_owned(),
            |check| format!("{}: {}", check.name, check.detail),
        );
        let file = self.path.display().to_string();
        let mut chosen = Chosen { file, number, found: "same", detail, written: None, submitted: false };
        match rerun {
            Rerun::Same => chosen.written = self.sign(&bundle, &report)?,
            Rerun::Undecided => chosen.found = "undecided",
            Rerun::Different => {
                chosen.found = "different";
                let certificate = Certificate::new(vec![bundle]);
                chosen.written = self.write("contradiction", &certificate.to_bytes())?;
                if self.args.submit {
                    self.context.client()?.accuse(&certificate).await?;
                    chosen.submitted = true;
                }
            }
        }
        Ok(chosen)
    }

    /// Signs what was found, with the key that signs releases.
    fn sign(
        &self,
        bundle: &glassbox_core::receipt::Bundle,
        report: &Report,
    ) -> Result<Option<String>, Failure> {
        let (Some(_), Some(digest)) = (&self.args.out, bundle.receipt.payload_digest()) else {
            return Ok(None);
        };
        let (key, _) = self.context.home()?.key_or_new()?;
        let envelope = VerificationResult::sign(report, digest, rfc3339(Env::system().now_ms()), &key);
        self.write("svr", &serde_json::to_vec(&envelope).expect("an envelope has string keys"))
    }

    /// Writes a file beside the others of this audit, named for the receipt that it is about.
    fn write(&self, kind: &str, bytes: &[u8]) -> Result<Option<String>, Failure> {
        let Some(out) = &self.args.out else { return Ok(None) };
        let stem = self.path.file_stem().unwrap_or_default().to_string_lossy();
        let path = out.join(format!("{stem}.{kind}.json"));
        fs::create_dir_all(out)
            .and_then(|()| fs::write(&path, bytes))
            .map_err(|error| Failure::io("write", &path, &error))?;
        Ok(Some(path.display().to_string()))
    }
}

/// Returns the receipt files that are named, or those of the home folder, in the order of their names.
fn files(context: &Context, named: &[PathBuf]) -> Result<Vec<PathBuf>, Failure> {
    let home = context.home()?.receipt_path("call");
    let home = home.parent().map(Path::to_owned).unwrap_or_default();
    let named = if named.is_empty() && home.exists() { vec![home] } else { named.to_vec() };
    let mut files = Vec::new();
    for path in named {
        if !path.is_dir() {
            files.push(receipts::find(context, &path)?);
            continue;
        }
        let listed = fs::read_dir(&path).map_err(|error| Failure::io("read", &path, &error))?;
        let mut found: Vec<PathBuf> = listed.filter_map(|entry| Some(entry.ok()?.path())).collect();
        found.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
        found.sort();
        files.extend(found);
    }
    Ok(files)
}

fn describe(audit: &Audit) -> String {
    let mut lines = vec![format!(
        "{}, {} chosen by the log's root at size {}, {} in no log",
        count(audit.receipts, "receipt"),
        audit.chosen.len(),
        audit.size,
        audit.not_logged,
    )];
    for chosen in &audit.chosen {
        let mark = match chosen.found {
            "same" => paint(GOOD, "✓"),
            "different" => paint(BAD, "✗"),
            _ => "?".to_owned(),
        };
        let written = chosen.written.as_deref().unwrap_or_default();
        lines.push(format!("{mark} {} {} {}", chosen.file, chosen.detail, paint(DIM, written)));
    }
    lines.join("\n")
}
