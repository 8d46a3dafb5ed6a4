//! What a component is made of: the packages that were built into it and the tools that built it.
//!
//! It is read out of the component, where toolchains leave it, so it is what the publisher's toolchain says: nobody has
//! checked that it is all, nor that it is true.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{Digest, ReleaseId};

/// A software bill of materials.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sbom {
    /// The packages, each once.
    pub packages: Vec<SbomPackage>,
    /// What wrote or changed the component, each once.
    pub tools: Vec<SbomTool>,
}

/// A package that was built into a component, or built what was.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SbomPackage {
    /// Its name where it comes from.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Where it comes from: `cargo`, `git`, `local`, `registry`, or another word of the toolchain's.
    pub source: String,
    /// Whether it took part in the build alone, and is not in the component.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub build_only: bool,
    /// The packages that it needs, by their places in the list.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub needs: Vec<usize>,
}

/// A tool that wrote or changed a component.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SbomTool {
    /// What it did: `language`, `processed-by` or `sdk`.
    pub role: String,
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
}

/// Where the packages of Cargo's usual registry come from: the type of their package URLs.
pub const CARGO: &str = "cargo";

/// What the package URLs of those begin with, before the name.
pub const CARGO_URL: &str = "pkg:cargo/";

/// The same as `cargo auditable` and the OSV schema write it: by the registry's host.
pub const CARGO_HOST: &str = concat!("crates", ".io");

impl Sbom {
    /// The media type of [`Sbom::to_cyclonedx`].
    pub const MEDIA_TYPE: &str = "application/vnd.cyclonedx+json; version=1.6";

    /// Tells whether nothing at all is known.
    pub fn is_empty(&self) -> bool {
        self.packages.is_empty() && self.tools.is_empty()
    }

    /// Writes it as CycloneDX 1.6, with the component of `release` as what it describes.
    ///
    /// The same in, the same out: there is no serial number and no time. See <https://cyclonedx.org/docs/1.6/json/>.
    pub fn to_cyclonedx(&self, release: &ReleaseId, component: &Digest) -> Value {
        let root = release.to_string();
        let tools = self.tools.iter();
        let properties: Vec<Value> = tools
            .map(|tool| {
                let value = format!("{} {}", tool.name, tool.version);
                json!({ "name": format!("glassbox:producers:{}", tool.role), "value": value.trim_end() })
            })
            .collect();
        let reference = |index: &usize| self.packages.get(*index).map(|package| package.reference(*index));
        let dependencies = self.packages.iter().enumerate().map(|(index, package)| {
            let needs: Vec<_> = package.needs.iter().filter_map(reference).collect();
            json!({ "ref": package.reference(index), "dependsOn": needs })
        });
        json!({
            "bomFormat": "CycloneDX",
            "specVersion": "1.6",
            "version": 1,
            "metadata": {
                "component": {
                    "type": "library",
                    "bom-ref": root,
                    "group": release.package.namespace(),
                    "name": release.package.name(),
                    "version": release.version.to_string(),
                    "hashes": [{ "alg": "SHA-256", "content": component.hex() }],
                    "properties": properties,
                },
            },
            "components": self
                .packages
                .iter()
                .enumerate()
                .map(|(index, package)| package.to_cyclonedx(index))
                .collect::<Vec<_>>(),
            "dependencies": dependencies.collect::<Vec<_>>(),
            // Nobody can say what a toolchain left out.
            "compositions": [{ "aggregate": "unknown", "assemblies": [root] }],
        })
    }
}

impl SbomPackage {
    fn reference(&self, index: usize) -> String {
        format!("{index}:{}@{}", self.name, self.version)
    }

    fn to_cyclonedx(&self, index: usize) -> Value {
        let mut component = json!({
            "type": "library",
            "bom-ref": self.reference(index),
            "name": self.name,
            "version": self.version,
            "scope": if self.build_only { "excluded" } else { "required" },
        });
        if self.source == CARGO {
            component["purl"] = format!("pkg:cargo/{}@{}", self.name, escape(&self.version)).into();
        } else {
            component["properties"] = json!([{ "name": "glassbox:source", "value": self.source }]);
        }
        component
    }
}

/// Percent-encodes a version for a package URL: of what versions have, `+` alone is not plain.
fn escape(version: &str) -> String {
    version.replace('+', "%2B")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_written_as_cyclonedx() {
        let package = |name: &str, source: &str, needs: &[usize]| SbomPackage {
            name: name.into(),
            version: "1.0.0+x".into(),
            source: source.into(),
            build_only: false,
            needs: needs.to_vec(),
        };
        let sbom = Sbom {
            // A place that there is not is left out.
            packages: vec![package("slug", "local", &[1, 9]), package("deunicode", CARGO, &[])],
            tools: vec![SbomTool { role: "language".into(), name: "Rust".into(), version: "1.95.0".into() }],
        };
        let release = "acme:slug@1.2.3".parse().expect("a release");
        let written = sbom.to_cyclonedx(&release, &Digest::of("x"));
        assert_eq!(written["metadata"]["component"]["name"], "slug");
        assert_eq!(written["metadata"]["component"]["hashes"][0]["content"], Digest::of("x").hex());
        assert_eq!(written["metadata"]["component"]["properties"][0]["value"], "Rust 1.95.0");
        assert_eq!(written["components"][1]["purl"], "pkg:cargo/deunicode@1.0.0%2Bx");
        assert!(written["components"][0].get("purl").is_none());
        assert_eq!(written["dependencies"][0]["dependsOn"], json!(["1:deunicode@1.0.0+x"]));
        assert_eq!(Sbom::default().to_cyclonedx(&release, &Digest::of("x"))["components"], json!([]));
    }
}
