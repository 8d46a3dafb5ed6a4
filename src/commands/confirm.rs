//! `glassbox confirm`.

use glassbox_core::Digest;
use glassbox_core::acts::{Act as _, Confirmation};
use serde_json::json;

use super::Context;
use crate::cli::ConfirmArgs;
use crate::failure::Failure;
use crate::output::{GOOD, NAME, paint};
use crate::progress::during;

pub(super) async fn run(context: &Context, args: &ConfirmArgs) -> Result<(), Failure> {
    let key = context.home()?.key()?.ok_or_else(|| {
        Failure::no("key-not-found", "there is no key in the home folder", "name another one with --home DIR")
    })?;
    let client = context.client()?;
    let release = during("reading", client.release(&args.release)).await?;
    let odd = |_| Failure::error("registry-invalid", "the release has no name or digest", "check --registry");
    let id: glassbox_core::ReleaseId = release.release.parse().map_err(|_| odd(()))?;
    let component: Digest = release.component.parse().map_err(|_| odd(()))?;
    let statement = Confirmation { release: id, component }.sign(&key);
    during("confirming", client.confirm(&args.release, &statement)).await?;
    let answer = json!({ "release": release.release, "confirmed_by": key.public().to_string() });
    context.output.answer(&answer, || {
        format!("{} {} is let go; `latest` may mean it now", paint(GOOD, "✓"), paint(NAME, &release.release))
    });
    Ok(())
}
