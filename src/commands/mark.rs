//! `glassbox yank`, `glassbox unyank` and `glassbox quarantine`.

use glassbox_api::{MarkResponse, ReleaseResponse};
use glassbox_client::ActPath;
use glassbox_core::acts::{Act as _, Quarantine, Yank};
use glassbox_core::{PackageRef, ReleaseId};

use super::Context;
use super::sign::{key, send, submit};
use crate::cli::{MarkArgs, QuarantineArgs};
use crate::failure::Failure;
use crate::node::operator_key_path;
use crate::progress::during;

pub(super) async fn yank(context: &Context, args: &MarkArgs, yanked: bool) -> Result<(), Failure> {
    let secret = key(context, args.signing.key.as_deref())?;
    let release = read(context, &args.release).await?;
    let act = Yank {
        release: args.release.clone(),
        yanked,
        reason: args.reason.clone(),
        sequence: next(release.yanked.as_ref()),
    };
    submit(context, ActPath::Yank(args.release.clone()), act.sign(&secret), &args.signing).await
}

pub(super) async fn quarantine(context: &Context, args: &QuarantineArgs) -> Result<(), Failure> {
    let secret = key(context, Some(&operator_key_path(&args.data)))?;
    let release = read(context, &args.release).await?;
    let act = Quarantine {
        release: args.release.clone(),
        quarantined: !args.lift,
        reason: args.reason.clone(),
        sequence: next(release.quarantined.as_ref()),
    };
    send(context, ActPath::Quarantine(args.release.clone()), act.sign(&secret)).await
}

async fn read(context: &Context, release: &ReleaseId) -> Result<ReleaseResponse, Failure> {
    let reference = PackageRef { package: release.package.clone(), version: Some(release.version.clone()) };
    Ok(during("reading", context.client()?.release(&reference)).await?)
}

fn next(mark: Option<&MarkResponse>) -> u64 {
    mark.map_or(1, |mark| mark.sequence + 1)
}
