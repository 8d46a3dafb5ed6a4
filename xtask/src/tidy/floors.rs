//! Who may know whom, and where versions stand.
//!
//! ```text
//! 4  glassbox
//! 3  server | client
//! 2  registry | mcp
//! 1  sandbox | store | pay | token | api     siblings: none knows another
//! 0  core
//! ```

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};

use super::{Finding, metadata};

/// A crate of ours: how high it stands, and whom it may know.
struct Floor {
    name: &'static str,
    floor: u8,
    knows: &'static [&'static str],
}

/// The whole architecture in one table. A new line, or a new word in one, is a design change: say so in
/// ARCHITECTURE.md in the same commit.
const FLOORS: [Floor; 13] = [
    Floor { name: "glassbox-core", floor: 0, knows: &[] },
    Floor { name: "glassbox-sandbox", floor: 1, knows: &["glassbox-core"] },
    Floor { name: "glassbox-store", floor: 1, knows: &["glassbox-core"] },
    Floor { name: "glassbox-pay", floor: 1, knows: &["glassbox-core"] },
    Floor { name: "glassbox-token", floor: 1, knows: &["glassbox-core"] },
    Floor { name: "glassbox-api", floor: 1, knows: &["glassbox-core"] },
    Floor {
        name: "glassbox-registry",
        floor: 2,
        knows: &["glassbox-core", "glassbox-sandbox", "glassbox-store", "glassbox-pay", "glassbox-token"],
    },
    Floor { name: "glassbox-mcp", floor: 2, knows: &["glassbox-core", "glassbox-api"] },
    Floor {
        name: "glassbox-server",
        floor: 3,
        knows: &["glassbox-core", "glassbox-api", "glassbox-pay", "glassbox-registry", "glassbox-mcp"],
    },
    Floor { name: "glassbox-client", floor: 3, knows: &["glassbox-core", "glassbox-api", "glassbox-pay"] },
    Floor { name: "glassbox", floor: 4, knows: ALL },
    // Measures all of the above.
    Floor { name: "glassbox-bench", floor: 5, knows: ALL },
    // Builds all of the above, tests/it included, and therefore knows none.
    Floor { name: "xtask", floor: 5, knows: &[] },
];

const ALL: &[&str] = &[
    "glassbox-core",
    "glassbox-sandbox",
    "glassbox-store",
    "glassbox-pay",
    "glassbox-token",
    "glassbox-api",
    "glassbox-registry",
    "glassbox-mcp",
    "glassbox-server",
    "glassbox-client",
];

/// The engine's own version decides what fuel means, so it moves on purpose or not at all.
const ENGINE_VERSION: &str = "=48.0.8";

/// Checks the Cargo.toml files of all our crates.
pub(super) fn check(root: &Path) -> Result<Vec<Finding>> {
    let metadata = metadata(root)?;
    let packages = metadata["packages"].as_array().context("cargo metadata lists no packages")?;
    let mut manifests = BTreeMap::new();
    for package in packages {
        let path = package["manifest_path"].as_str().context("a package without a manifest")?;
        let text = fs::read_to_string(path).with_context(|| format!("cannot read {path}"))?;
        let shown = Path::new(path).strip_prefix(root).unwrap_or(Path::new(path));
        manifests.insert(shown.to_string_lossy().replace('\\', "/"), text);
    }
    let mut findings = Vec::new();
    for (path, text) in &manifests {
        findings.extend(check_manifest(path, text)?);
    }
    let workspace = manifests.get("Cargo.toml").context("the root has no Cargo.toml")?;
    findings.extend(check_engine(workspace)?);
    Ok(findings)
}

/// Checks one Cargo.toml: every edge leads down and is allowed, every version comes from the workspace.
fn check_manifest(path: &str, text: &str) -> Result<Vec<Finding>> {
    let manifest: toml::Table = text.parse().with_context(|| format!("{path} is not TOML"))?;
    let name = manifest["package"]["name"].as_str().context("a package has no name")?;
    let Some(from) = floor_of(name) else {
        let message = format!("the crate `{name}` stands on no floor");
        return Ok(vec![Finding::new(path, message, "add it to FLOORS in xtask/src/tidy/floors.rs")]);
    };
    let mut findings = Vec::new();
    for (table, dependencies) in dependency_tables(&manifest) {
        for (dependency, value) in dependencies {
            if !is_from_workspace(value) {
                findings.push(Finding::new(
                    path,
                    format!("`{dependency}` in [{table}] has a version or path of its own"),
                    "put it into [workspace.dependencies] of the root and write `workspace = true` here",
                ));
            }
            if dependency.starts_with("glassbox") {
                findings.extend(check_edge(path, from, dependency, table == "dev-dependencies"));
            }
        }
    }
    Ok(findings)
}

/// Checks one dependency between two of our crates. Tests may know more than the crate itself, and never a sibling.
fn check_edge(path: &str, from: &Floor, dependency: &str, only_for_tests: bool) -> Option<Finding> {
    let name = from.name;
    let Some(to) = floor_of(dependency) else {
        let message = format!("`{name}` depends on `{dependency}`, which stands on no floor");
        return Some(Finding::new(path, message, "add it to FLOORS in xtask/src/tidy/floors.rs"));
    };
    let floors = format!("`{name}` (floor {}) depends on `{dependency}` (floor {})", from.floor, to.floor);
    if to.floor == from.floor {
        let hint = "move what both need into a crate below, or let the one above join them";
        return Some(Finding::new(path, format!("{floors}: siblings never know one another"), hint));
    }
    if to.floor > from.floor {
        let hint = "take a parameter instead: what is below must not know who uses it";
        return Some(Finding::new(path, format!("{floors}: dependencies point down only"), hint));
    }
    if !only_for_tests && !from.knows.contains(&dependency) {
        let hint =
            "go through the crate between them; if the design changed, change FLOORS and ARCHITECTURE.md";
        return Some(Finding::new(path, format!("{floors}, which the floors do not allow"), hint));
    }
    None
}

fn floor_of(name: &str) -> Option<&'static Floor> {
    FLOORS.iter().find(|floor| floor.name == name)
}

/// Returns the dependency tables of a manifest, those of single platforms too, by the last part of their names.
fn dependency_tables(manifest: &toml::Table) -> Vec<(&'static str, &toml::Table)> {
    const TABLES: [&str; 3] = ["dependencies", "dev-dependencies", "build-dependencies"];
    let mut holders = vec![manifest];
    if let Some(targets) = manifest.get("target").and_then(toml::Value::as_table) {
        holders.extend(targets.values().filter_map(toml::Value::as_table));
    }
    let of = |holder| {
        let table = move |name| Some((name, toml::Table::get(holder, name)?.as_table()?));
        TABLES.into_iter().filter_map(table)
    };
    holders.into_iter().flat_map(of).collect()
}

fn is_from_workspace(value: &toml::Value) -> bool {
    value.get("workspace").and_then(toml::Value::as_bool) == Some(true)
}

fn check_engine(workspace: &str) -> Result<Vec<Finding>> {
    let manifest: toml::Table = workspace.parse().context("Cargo.toml is not TOML")?;
    let dependencies = &manifest["workspace"]["dependencies"];
    let mut findings = Vec::new();
    let value = dependencies.get("wasmtime");
    let version = value.and_then(|value| value.get("version").unwrap_or(value).as_str());
    if version != Some(ENGINE_VERSION) {
        let message = format!("`wasmtime` is not pinned to {ENGINE_VERSION}");
        let hint = "another engine meters differently: that needs a new profile, and a change here";
        findings.push(Finding::new("Cargo.toml", message, hint));
    }
    Ok(findings)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn messages(text: &str) -> Vec<String> {
        let findings = check_manifest("crates/x/Cargo.toml", text).expect("TOML");
        findings.into_iter().map(|finding| finding.message).collect()
    }

    fn edge(from: &str, table: &str, to: &str) -> Vec<String> {
        messages(&format!("[package]\nname = '{from}'\n[{table}]\n{to}.workspace = true\n"))
    }

    #[test]
    fn allowed_edges_pass() {
        for (from, to) in [
            ("glassbox-store", "glassbox-core"),
            ("glassbox-registry", "glassbox-pay"),
            ("glassbox-server", "glassbox-pay"),
            ("glassbox", "glassbox-sandbox"),
        ] {
            assert_eq!(edge(from, "dependencies", to), [""; 0], "{from} -> {to}");
        }
        assert_eq!(edge("glassbox-client", "dev-dependencies", "glassbox-registry"), [""; 0]);
    }

    #[test]
    fn bad_edges_are_refused() {
        for (from, table, to, message) in [
            (
                "glassbox-store",
                "dependencies",
                "glassbox-pay",
                "`glassbox-store` (floor 1) depends on `glassbox-pay` (floor 1): siblings never know one another",
            ),
            (
                "glassbox-store",
                "dev-dependencies",
                "glassbox-pay",
                "`glassbox-store` (floor 1) depends on `glassbox-pay` (floor 1): siblings never know one another",
            ),
            (
                "glassbox-core",
                "target.'cfg(unix)'.dependencies",
                "glassbox-store",
                "`glassbox-core` (floor 0) depends on `glassbox-store` (floor 1): dependencies point down only",
            ),
            (
                "glassbox-server",
                "dependencies",
                "glassbox-store",
                "`glassbox-server` (floor 3) depends on `glassbox-store` (floor 1), which the floors do not allow",
            ),
            (
                "glassbox-client",
                "dependencies",
                "glassbox-server",
                "`glassbox-client` (floor 3) depends on `glassbox-server` (floor 3): siblings never know one another",
            ),
            (
                "glassbox-api",
                "dependencies",
                "glassbox-util",
                "`glassbox-api` depends on `glassbox-util`, which stands on no floor",
            ),
        ] {
            assert_eq!(edge(from, table, to), [message], "{from} -> {to}");
        }
        assert_eq!(
            messages("[package]\nname = 'glassbox-util'"),
            ["the crate `glassbox-util` stands on no floor"]
        );
    }

    #[test]
    fn versions_stand_in_the_workspace_alone() {
        let text = "[package]\nname = 'glassbox-core'\n[dependencies]\nhex = '0.4'\nsha2.workspace = true\n";
        assert_eq!(messages(text), ["`hex` in [dependencies] has a version or path of its own"]);
        let text = "[package]\nname = 'xtask'\n[dependencies]\nx = { path = '../x' }\n";
        assert_eq!(messages(text).len(), 1);
    }

    #[test]
    fn the_engine_is_pinned() {
        let pinned = "[workspace.dependencies]\nwasmtime = { version = '=48.0.8' }";
        assert!(check_engine(pinned).expect("TOML").is_empty());
        let loose = pinned.replace("'=48.0.8' }", "'48' }");
        assert_eq!(check_engine(&loose).expect("TOML")[0].message, "`wasmtime` is not pinned to =48.0.8");
    }
}
