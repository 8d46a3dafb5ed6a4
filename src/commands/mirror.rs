//! `glassbox mirror`: a verified copy of a registry, and serving it.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use glassbox_client::Client;
use glassbox_client::mirror::{MirrorReport, sync};
use glassbox_server::MirrorSite;
use serde::Serialize;

use super::Context;
use super::serve::log_to_stderr;
use crate::cli::{MirrorArgs, MirrorCommand};
use crate::failure::Failure;
use crate::node::{interrupted, listen};
use crate::output::{DIM, GOOD, NAME, count, paint};
use crate::progress::during;
use crate::remote::{self, Remote};

#[derive(Serialize)]
struct Copied {
    url: String,
    folder: PathBuf,
    log: String,
    #[serde(flatten)]
    report: MirrorReport,
}

#[derive(Serialize)]
struct Serving {
    url: String,
    mirror_of: String,
    folder: PathBuf,
    entries: u64,
}

pub(super) async fn run(context: &Context, args: MirrorArgs) -> Result<(), Failure> {
    match (args.command, args.url, args.to) {
        (Some(MirrorCommand::Serve { dir, listen }), ..) => serve(context, &dir, listen).await,
        (None, Some(url), Some(to)) => copy(context, &url, to).await,
        _ => {
            Err(Failure::error("usage", "a registry or a folder is missing", "see `glassbox mirror --help`"))
        }
    }
}

async fn copy(context: &Context, url: &str, folder: PathBuf) -> Result<(), Failure> {
    let trust = remote::trust(&context.home()?, &context.trust_args())?;
    let remote = Remote::new(Client::new(url)?, trust, context.output);
    let (believed, report) = during("copying", sync(&remote.client, &remote.trust, &folder)).await?;
    remote.tell(&believed);
    let log = believed.trusted.checkpoint.origin;
    let copied = Copied { url: remote.client.url().into(), folder, log, report };
    context.output.answer(&copied, || describe(&copied));
    Ok(())
}

fn describe(copied: &Copied) -> String {
    let MirrorReport { entries, releases, not_free, fetched, kept } = &copied.report;
    let left_out = match not_free {
        0 => String::new(),
        not_free => format!(", {} left out, which the terms keep", count(*not_free as u64, "component")),
    };
    format!(
        "{} {} with {entries} log entries and {}{left_out}\n  {} fetched, {} there already\n{}",
        paint(GOOD, "✓"),
        paint(NAME, &copied.url),
        count(*releases as u64, "release"),
        count(*fetched as u64, "file"),
        count(*kept as u64, "file"),
        paint(DIM, format!("glassbox mirror serve {}", copied.folder.display())),
    )
}

async fn serve(context: &Context, folder: &Path, address: SocketAddr) -> Result<(), Failure> {
    log_to_stderr("info", context.json);
    let site = MirrorSite::open(folder).map_err(|error| {
        let message = format!("`{}` is not a mirror: {error}", folder.display());
        Failure::error("mirror-invalid", message, "make one with `glassbox mirror URL --to DIR`")
    })?;
    let listener = listen(address).await?;
    let bound = listener.local_addr().map_err(anyhow::Error::from)?;
    let (mirror_of, entries) = (site.of().to_owned(), site.size());
    let serving = Serving { url: format!("http://{bound}"), mirror_of, folder: folder.to_owned(), entries };
    context.output.answer(&serving, || {
        format!(
            "Serving {}, a copy of {} with {} log entries\n{}",
            paint(NAME, &serving.url),
            serving.mirror_of,
            serving.entries,
            paint(DIM, "read-only; Ctrl-C ends it"),
        )
    });
    let served = glassbox_server::serve_mirror(listener, site, interrupted()).await;
    served.map_err(|error| Failure::error("io", format!("the server failed: {error}"), ""))
}
