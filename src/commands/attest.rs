//! `glassbox attest`.

use std::fs;
use std::path::Path;

use glassbox_api::AttestationResponse;
use glassbox_core::attestation::{Provenance, rebuilt};
use glassbox_core::dsse::{Envelope, Predicate, Subject};
use glassbox_core::{Digest, PackageRef};
use glassbox_registry::{Env, rfc3339};

use super::Context;
use crate::cli::AttestCommand;
use crate::failure::Failure;
use crate::output::{DIM, GOOD, NAME, paint};
use crate::progress::during;

pub(super) async fn run(context: &Context, command: &AttestCommand) -> Result<(), Failure> {
    match command {
        AttestCommand::Rebuild { release, component } => {
            let built = Digest::of(read(component)?);
            let key = context.home()?.key_or_new()?.0;
            let says = rebuilt(&key.public(), rfc3339(Env::system().now_ms()));
            submit(context, release, Some(built), says).await
        }
        AttestCommand::Provenance { release, predicate } => {
            let predicate: Provenance = serde_json::from_slice(&read(predicate)?).map_err(|error| {
                let message = format!("`{}` is no SLSA provenance v1: {error}", predicate.display());
                Failure::error("attestation-invalid", message, "it has buildDefinition and runDetails")
            })?;
            submit(context, release, None, predicate).await
        }
        AttestCommand::Show { release } => {
            let said = during("reading", context.client()?.attestations(release)).await?;
            context.output.answer(&said, || match said.attestations.as_slice() {
                [] => "nobody says anything of it".into(),
                said => said.iter().map(describe).collect::<Vec<_>>().join("\n"),
            });
            Ok(())
        }
    }
}

/// Signs a statement over the component of a release, and sends it. `built` is what it must be.
async fn submit(
    context: &Context,
    reference: &PackageRef,
    built: Option<Digest>,
    says: impl Predicate,
) -> Result<(), Failure> {
    let client = context.client()?;
    let release = during("reading", client.release(reference)).await?;
    let odd = || Failure::error("registry-invalid", "the release has no digest", "check --registry");
    let component: Digest = release.component.parse().map_err(|_| odd())?;
    if let Some(built) = built.filter(|built| *built != component) {
        let message = format!("the component of {} is {component}, and yours is {built}", release.release);
        let next = "build with the same tools and flags; nothing was signed";
        return Err(Failure::no("component-differs", message, next));
    }
    let key = context.home()?.key_or_new()?.0;
    let subject = Subject::new(format!("{}.wasm", reference.package.name()), component);
    let statement = Envelope::sign(vec![subject], says, &key);
    let said = during("sending", client.attest(reference, &statement)).await?;
    context.output.answer(&said, || describe(&said));
    Ok(())
}

fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    fs::read(path).map_err(|error| Failure::io("read", path, &error))
}

fn describe(said: &AttestationResponse) -> String {
    let who = if said.by_publisher { "its publisher" } else { said.signer.as_str() };
    let first = format!("{} {} by {who}, {}", paint(GOOD, "✓"), paint(NAME, &said.kind), said.received_at);
    format!("{first}\n  {}", paint(DIM, &said.means))
}
