//! `glassbox download`.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use glassbox_client::Downloaded;
use glassbox_core::release::Release;
use glassbox_core::{Atomic, Digest};
use serde::Serialize;

use super::Context;
use super::purse::Purse;
use crate::cli::DownloadArgs;
use crate::failure::Failure;
use crate::keep::Folder;
use crate::output::{GOOD, paint};
use crate::progress::during;

#[derive(Serialize)]
struct Answer {
    release: String,
    component: Digest,
    size_bytes: usize,
    file: PathBuf,
    charged: Atomic,
}

pub(super) async fn run(context: &Context, args: &DownloadArgs) -> Result<(), Failure> {
    let purse = Purse::new(context, &args.purse, args.package.registry.as_deref())?;
    let reference = &args.package.reference;
    let buyer = purse.buyer().await?;
    // Everything that could fail without the registry fails before it is paid.
    let to_stdout = args.out.as_deref() == Some(Path::new("-"));
    let path = match &args.out {
        Some(path) => path.clone(),
        None => unused(format!("{}.wasm", reference.package.name()).into())?,
    };
    let folder = match to_stdout {
        true => None,
        false => Some(Folder::of(&path, "the component")?),
    };
    let (page, logged, _) = during("asking", purse.remote.resolve(reference)).await?;
    let Release { release: id, component, .. } = logged.release;
    let download = purse.remote.client.download_signed(&page, id, None, component, buyer.as_ref());
    let component = during("downloading", download).await?;
    let Downloaded { release, digest, bytes, charged } = component;
    let Some(folder) = folder else {
        let written = std::io::stdout().lock().write_all(&bytes);
        return written.map_err(|error| Failure::io("write", &path, &error));
    };
    folder.keep(&path, &bytes).map_err(|error| {
        let mut failure = Failure::io("write", &path, &error);
        if charged > Atomic::ZERO {
            failure.hint = "it is paid: the same command with --max-price 0 fetches it again".into();
        }
        failure
    })?;
    let answer = Answer {
        release: release.to_string(),
        component: digest,
        size_bytes: bytes.len(),
        file: path,
        charged,
    };
    context.output.answer(&answer, || describe(&answer));
    Ok(())
}

fn describe(answer: &Answer) -> String {
    let charged = match answer.charged {
        Atomic::ZERO => "nothing to pay".to_owned(),
        charged => format!("${}", charged.to_decimal()),
    };
    let Answer { release, component, size_bytes, file, .. } = answer;
    let mark = paint(GOOD, "✓");
    format!("{mark} {release}, {size_bytes} bytes, {charged}\n  {component}\n  {}", file.display())
}

/// Fails if a file that nobody named would be replaced.
fn unused(path: PathBuf) -> Result<PathBuf, Failure> {
    if path.exists() {
        let message = format!("there is a file `{}` already", path.display());
        return Err(Failure::no("file-exists", message, "name one with --out"));
    }
    Ok(path)
}
