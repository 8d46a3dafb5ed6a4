//! Advisories: what is wrong with some releases, in the form of the Open Source Vulnerability schema.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::Act;
use crate::dsse::Predicate;
use crate::limits;
use crate::name::{PackageName, Version};
use crate::sbom::{CARGO_HOST, CARGO_URL};

/// Says that some versions of a package are vulnerable, or that it was wrong to say so.
///
/// About a package of the registry it is signed by a controller of its namespace or the operator; about a package that
/// releases are made of, by the operator. The same id again, with a later `modified`, takes the place of the one before.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Advisory {
    /// The package of the registry that it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub package: Option<PackageName>,
    /// Or the package that releases are made of: its package URL without a version, such as `pkg:cargo/smallvec`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part: Option<String>,
    /// What is wrong. See <https://ossf.github.io/osv-schema/>.
    pub osv: Osv,
}

/// A record of the Open Source Vulnerability schema, as far as it is read here; the rest stays as it was signed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Osv {
    /// Its id, such as `GBX-2026-1`.
    pub id: String,
    /// When it was last changed: RFC 3339 in UTC, to the second.
    pub modified: String,
    /// When it was withdrawn, where it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub withdrawn: Option<String>,
    /// What is wrong, in a line.
    #[serde(default)]
    pub summary: String,
    /// The versions.
    #[serde(default)]
    pub affected: Vec<Affected>,
    /// The rest.
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

/// Affected versions of one package.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Affected {
    /// The package.
    pub package: OsvPackage,
    /// Ranges of versions.
    #[serde(default)]
    pub ranges: Vec<OsvRange>,
    /// Versions by themselves.
    #[serde(default)]
    pub versions: Vec<String>,
    /// The rest.
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

/// A package as the schema names it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OsvPackage {
    /// Whose names: [`ECOSYSTEM`], or [`CARGO_HOST`].
    pub ecosystem: String,
    /// The name.
    pub name: String,
    /// The rest.
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

/// A range of versions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OsvRange {
    /// `SEMVER`; others are not compared.
    #[serde(rename = "type")]
    pub kind: String,
    /// Where it begins and ends.
    pub events: Vec<OsvEvent>,
    /// The rest.
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

/// Where a range begins or ends.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OsvEvent {
    /// The first affected version; `0` is before all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub introduced: Option<String>,
    /// The first version after it that is not affected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fixed: Option<String>,
    /// The last affected version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_affected: Option<String>,
    /// The end of what was looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<String>,
}

/// The ecosystem of packages of this registry.
pub const ECOSYSTEM: &str = "Glassbox";

/// What the ids of a registry's own advisories begin with.
pub const ID_PREFIX: &str = "GBX-";

/// Says why an advisory is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AdvisoryError {
    /// A field is missing, too long, or in another form.
    #[error("`{field}` {reason}")]
    Field {
        /// Which.
        field: &'static str,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// It names another package than it is about.
    #[error("it is about `{about}`, and `affected` names `{named}`")]
    Package {
        /// What it is about.
        about: String,
        /// What it names.
        named: String,
    },
    /// A version that is none.
    #[error("`{0}` is not a semantic version")]
    Version(String),
}

impl Advisory {
    /// Returns what it is about, as the log names it.
    pub fn subject(&self) -> String {
        let package = self.package.as_ref().map(ToString::to_string);
        package.or_else(|| self.part.clone()).unwrap_or_default()
    }

    /// Checks its form: one package, the same in all its parts, and nothing that is too long.
    pub fn check(&self) -> Result<(), AdvisoryError> {
        let Osv { id, modified, withdrawn, summary, affected, .. } = &self.osv;
        let field = |field, reason| Err(AdvisoryError::Field { field, reason });
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        if !(1..=limits::ADVISORY_ID_BYTES_MAX).contains(&id.len()) || !id.bytes().all(is_plain) {
            return field("id", "must have letters, digits and `-`, and at most 64 of them");
        }
        if self.package.is_some() && !id.starts_with(ID_PREFIX) {
            return field("id", "of an advisory about a package here begins with `GBX-`");
        }
        if ![Some(modified), withdrawn.as_ref()].into_iter().flatten().all(|time| is_time(time)) {
            return field("modified", "and `withdrawn` are times such as `2026-11-22T03:00:00Z`");
        }
        if summary.trim().is_empty() || summary.len() > limits::ADVISORY_SUMMARY_BYTES_MAX {
            return field("summary", "must be a line of at most 256 bytes");
        }
        let about = match (&self.package, &self.part) {
            (Some(package), None) => (ECOSYSTEM, package.to_string()),
            (None, Some(part)) => match part.strip_prefix(CARGO_URL) {
                Some(name) if !name.is_empty() => (CARGO_HOST, name.to_owned()),
                _ => return field("part", "is written like `pkg:cargo/smallvec`"),
            },
            _ => return field("package", "or `part` says what it is about, and not both"),
        };
        let count = |affected: &Affected| {
            affected.versions.len()
                + affected.ranges.iter().map(|range| 1 + range.events.len()).sum::<usize>()
        };
        if affected.is_empty() || affected.iter().map(count).sum::<usize>() > limits::ADVISORY_EVENTS_MAX {
            return field("affected", "must name one to a thousand ranges, events and versions");
        }
        for affected in affected {
            let named = (affected.package.ecosystem.as_str(), affected.package.name.clone());
            if named != about {
                let text = |(ecosystem, name): (&str, String)| format!("{ecosystem} {name}");
                return Err(AdvisoryError::Package { about: text(about), named: text(named) });
            }
            affected.check()?;
        }
        Ok(())
    }

    /// Tells whether a version is affected. What is withdrawn affects nothing.
    pub fn affects(&self, version: &Version) -> bool {
        self.osv.withdrawn.is_none() && self.osv.affected.iter().any(|affected| affected.has(version))
    }

    /// Tells whether it says that the fault is critical: `severity` is `CRITICAL` under `database_specific`, where advisories
    /// have the word beside the numbers.
    pub fn is_critical(&self) -> bool {
        let severity = self.osv.rest.get("database_specific").and_then(|more| more.get("severity")?.as_str());
        severity.is_some_and(|severity| severity.eq_ignore_ascii_case("critical"))
    }

    /// Returns the versions that are said to be without the fault, in the order in which they are named.
    pub fn fixed(&self) -> Vec<String> {
        let ranges = self.osv.affected.iter().flat_map(|affected| &affected.ranges);
        ranges.flat_map(|range| &range.events).filter_map(|event| event.fixed.clone()).collect()
    }
}

impl Affected {
    fn check(&self) -> Result<(), AdvisoryError> {
        let events =
            self.ranges.iter().filter(|range| range.kind == "SEMVER").flat_map(|range| &range.events);
        let ends = events.flat_map(|event| [&event.introduced, &event.fixed, &event.last_affected]);
        let versions = ends.flatten().filter(|text| *text != "0").chain(&self.versions);
        for text in versions {
            let wrong = || AdvisoryError::Version(text.chars().take(limits::QUOTED_CHARS_MAX).collect());
            text.parse::<Version>().map_err(|_| wrong())?;
        }
        Ok(())
    }

    fn has(&self, version: &Version) -> bool {
        self.versions.iter().any(|text| text.parse().is_ok_and(|named: Version| named == *version))
            || self.ranges.iter().any(|range| range.kind == "SEMVER" && range.has(version))
    }
}

impl OsvRange {
    /// See the schema, "Evaluation": the events in the order of their versions, each of which turns it on or off.
    fn has(&self, version: &Version) -> bool {
        let mut events: Vec<(Version, bool)> = Vec::new();
        for event in &self.events {
            let parse = |text: &String| match text.as_str() {
                "0" => Some(Version::new(0, 0, 0)),
                text => text.parse().ok(),
            };
            if let Some(introduced) = &event.introduced {
                // Before all, which `0.0.0-0` would not be for every pre-release.
                if introduced == "0" {
                    events.push((version.min(&Version::new(0, 0, 0)).clone(), true));
                } else {
                    events.extend(parse(introduced).map(|introduced| (introduced, true)));
                }
            }
            events.extend(event.fixed.as_ref().and_then(parse).map(|fixed| (fixed, false)));
            if let Some(last) = event.last_affected.as_ref().and_then(parse)
                && *version > last
            {
                events.push((last, false));
            }
        }
        // Of a version that is named twice, what ends comes last.
        events.sort_by(|(a, on_a), (b, on_b)| a.cmp(b).then(on_b.cmp(on_a)));
        events.iter().take_while(|(at, _)| at <= version).last().is_some_and(|(_, on)| *on)
    }
}

/// Tells whether a text is a time in UTC to the second. They sort as texts.
fn is_time(text: &str) -> bool {
    let form = b"0000-00-00T00:00:00Z";
    text.len() == form.len()
        && text.bytes().zip(form).all(|(byte, form)| match form {
            b'0' => byte.is_ascii_digit(),
            form => byte == *form,
        })
        && text.parse::<jiff::Timestamp>().is_ok()
}

impl Predicate for Advisory {
    const TYPE: &'static str = "https://glassbox.dev/attestation/advisory/v1";
}

impl Act for Advisory {
    fn about(&self) -> String {
        self.subject()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn advisory(events: Value) -> Advisory {
        serde_json::from_value(json!({
            "package": "acme:slug",
            "osv": {
                "id": "GBX-2026-1",
                "modified": "2026-11-22T03:00:00Z",
                "summary": "slugs may collide",
                "details": "kept as it is",
                "affected": [{
                    "package": { "ecosystem": "Glassbox", "name": "acme:slug" },
                    "ranges": [{ "type": "SEMVER", "events": events }],
                    "versions": ["9.0.0"],
                }],
            },
        }))
        .expect("an advisory")
    }

    fn affected(events: Value) -> Vec<&'static str> {
        let advisory = advisory(events);
        advisory.check().expect("well formed");
        let versions = ["0.0.0-a", "0.1.0", "1.0.0-rc.1", "1.0.0", "1.0.1", "1.1.0", "2.0.0", "9.0.0"];
        versions.into_iter().filter(|text| advisory.affects(&text.parse().expect("a version"))).collect()
    }

    #[test]
    fn ranges_are_evaluated_as_the_schema_says() {
        assert_eq!(
            affected(json!([{ "introduced": "0" }, { "fixed": "1.0.0" }])),
            ["0.0.0-a", "0.1.0", "1.0.0-rc.1", "9.0.0"]
        );
        assert_eq!(
            affected(json!([{ "introduced": "1.0.0" }, { "last_affected": "1.0.1" }])),
            ["1.0.0", "1.0.1", "9.0.0"]
        );
        // In any order, and more than once.
        let twice = json!([{ "fixed": "2.0.0" }, { "introduced": "1.1.0" }, { "introduced": "0" }, { "fixed": "0.1.0" }]);
        assert_eq!(affected(twice), ["0.0.0-a", "1.1.0", "9.0.0"]);
        assert_eq!(affected(json!([{ "introduced": "1.0.0" }, { "fixed": "1.0.0" }])), ["9.0.0"]);
        assert_eq!(affected(json!([])), ["9.0.0"]);
        let mut withdrawn = advisory(json!([{ "introduced": "0" }]));
        withdrawn.osv.withdrawn = Some("2026-11-23T00:00:00Z".into());
        assert!(!withdrawn.affects(&Version::new(1, 0, 0)));
    }

    #[test]
    fn what_is_no_advisory_is_refused() {
        let sound = || advisory(json!([{ "introduced": "0" }]));
        assert_eq!(sound().check(), Ok(()));
        assert_eq!(sound().osv.rest["details"], "kept as it is");
        let refused = |change: &dyn Fn(&mut Advisory)| {
            let mut advisory = sound();
            change(&mut advisory);
            advisory.check().expect_err("refused")
        };
        refused(&|advisory| advisory.osv.id = "RUSTSEC-2026-1".into());
        refused(&|advisory| advisory.osv.id = "GBX-1 2".into());
        refused(&|advisory| advisory.osv.modified = "2026-11-22".into());
        refused(&|advisory| advisory.osv.modified = "2026-13-22T00:00:00Z".into());
        refused(&|advisory| advisory.osv.summary = " ".into());
        refused(&|advisory| advisory.osv.affected.clear());
        refused(&|advisory| advisory.osv.affected[0].package.name = "acme:other".into());
        refused(&|advisory| advisory.osv.affected[0].versions = vec!["1".into()]);
        refused(&|advisory| advisory.part = Some("pkg:cargo/x".into()));
        refused(&|advisory| advisory.package = None);
    }
}
