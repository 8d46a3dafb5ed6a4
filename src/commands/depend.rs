//! Dependencies of a package at hand: which releases they are, and their components where those may be had.

use std::pin::Pin;

use glassbox_core::manifest::Manifest;
use glassbox_core::release::{Pinned, Release};
use glassbox_core::{Digest, PackageRef, Version};
use glassbox_registry::{Package, PublishError, package};
use glassbox_sandbox::{Dependency, Grants, Sandbox};

use super::Context;
use crate::failure::Failure;
use crate::progress::during;
use crate::remote::Remote;

/// Resolves what [dependencies] names: of each package the highest version that is allowed and not yanked, as the log has
/// it.
pub(super) async fn pins(remote: &Remote, package: &Package) -> Result<Vec<Pinned>, Failure> {
    let mut pins = Vec::new();
    for (name, dependency) in &package.manifest.dependencies {
        let page = during("resolving", remote.client.package(name)).await?;
        let standing = page.versions.iter().filter(|version| !page.yanked.contains(version));
        let versions = standing.filter_map(|version| version.parse::<Version>().ok());
        let version = versions.filter(|version| dependency.version.matches(version)).max();
        let version = version.ok_or_else(|| {
            let message = format!("`{name}` has no release that {} allows", dependency.version);
            let hint = format!("there are {}", page.versions.join(", "));
            Failure::no("dependency-not-found", message, hint)
        })?;
        let reference = PackageRef { package: name.clone(), version: Some(version) };
        let (_, logged, _) = remote.resolve(&reference).await?;
        let Release { release, component, .. } = logged.release;
        pins.push(Pinned { release, component, terms: logged.terms });
    }
    pins.sort();
    Ok(pins)
}

/// Returns the dependencies of a package, ready to be linked on this machine. Asks no registry where there are none.
pub(super) async fn links(
    context: &Context,
    sandbox: &Sandbox,
    package: &Package,
) -> Result<Vec<Dependency>, Failure> {
    if package.manifest.dependencies.is_empty() {
        return Ok(Vec::new());
    }
    let remote = context.remote(None)?;
    let pins = pins(&remote, package).await?;
    below(&remote, sandbox, &pins, &package.manifest, &package.grants).await
}

/// Links what `manifest` names, as it was pinned.
fn below<'a>(
    remote: &'a Remote,
    sandbox: &'a Sandbox,
    pins: &'a [Pinned],
    manifest: &'a Manifest,
    grants: &'a Grants,
) -> Pin<Box<dyn Future<Output = Result<Vec<Dependency>, Failure>> + Send + 'a>> {
    Box::pin(async move {
        let mut links = Vec::new();
        for pin in pins {
            let name = pin.release.to_string();
            let elsewhere = |failure: Failure| Failure {
                hint: format!("`{name}` cannot be had here; publish, and the registry runs the tests"),
                ..failure
            };
            let id = pin.release.clone();
            let exact = PackageRef { package: id.package, version: Some(id.version) };
            let (_, logged, _) = remote.resolve(&exact).await?;
            let component = during("downloading what it imports", remote.client.component(&exact)).await;
            let component = component.map_err(|error| elsewhere(error.into()))?;
            if Digest::of(&component) != pin.component {
                let message = format!("the component of {} is not what the log has", pin.release);
                return Err(Failure::error("registry-invalid", message, "tell its operator"));
            }
            let text = remote.client.manifest(&exact).await?;
            let own = Manifest::parse(&text).map_err(PublishError::from)?;
            let under = package::grants(&own).map_err(PublishError::from)?.under(grants);
            let inner = below(remote, sandbox, &logged.release.dependencies, &own, &under).await?;
            let (compiler, digest) = (sandbox.clone(), pin.component);
            let compose = move || compiler.compose(digest, &component, &under, inner);
            let prepared = tokio::task::spawn_blocking(compose).await;
            let prepared = prepared.map_err(|error| Failure::error("internal", error.to_string(), ""))?;
            links.push(Dependency {
                name: name.into(),
                prepared: prepared.map_err(PublishError::from)?,
                memory_bytes: own.memory_max_bytes(),
                calls_max: manifest.dependencies.get(&pin.release.package).and_then(|named| named.calls_max),
            });
        }
        Ok(links)
    })
}
