//! What a component may do beyond computing: host interfaces, denied unless named.

use std::collections::BTreeSet;
use std::fmt;

use glassbox_core::egress::Rule;

/// The package whose grant says by rules what it opens, so that nobody gets it among others.
const BY_RULES: &str = "wasi:http";

/// The packages of which interfaces can be granted. Everything else is foreign to the sandbox.
pub(crate) const GRANTABLE: [&str; 6] =
    ["wasi:cli", "wasi:clocks", "wasi:filesystem", BY_RULES, "wasi:io", "wasi:random"];

/// The host interfaces that a component may use, without their versions: `wasi:random/random`.
///
/// A grant opens an interface, not the machine behind it. Granted clocks and random bytes are real, and granted
/// environment variables are those that the operator supplies; whatever a guest learns from them is recorded. Granted
/// files are those of the release, to be read. HTTP requests are those that a rule allows. There are no directories of
/// the machine, and there are no sockets.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Grants {
    interfaces: BTreeSet<String>,
    http: Vec<Rule>,
}

/// Says that a text names nothing that can be granted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{grant}` cannot be granted; grants name interfaces of {}", GRANTABLE.join(", "))]
pub struct UnknownGrant {
    /// The text.
    pub grant: String,
}

impl Grants {
    /// Returns no grant at all: the component may only compute.
    pub fn none() -> Self {
        Self::default()
    }

    /// Reads grants as manifests write them: `wasi:random/random`, `wasi:random` for a whole package, or `wasi` for all
    /// packages but `wasi:http`, which needs [rules](Self::with_http) of its own. A version behind `@` is ignored.
    pub fn parse<'a>(texts: impl IntoIterator<Item = &'a str>) -> Result<Self, UnknownGrant> {
        let mut granted = BTreeSet::new();
        for text in texts {
            let name = text.split('@').next().unwrap_or(text).trim();
            let package = name.split('/').next().unwrap_or(name);
            if name == "wasi" {
                let without_rules = GRANTABLE.into_iter().filter(|package| *package != BY_RULES);
                granted.extend(without_rules.map(str::to_owned));
            } else if GRANTABLE.contains(&package) && !name.ends_with('/') {
                granted.insert(name.to_owned());
            } else {
                return Err(UnknownGrant { grant: text.chars().take(120).collect() });
            }
        }
        Ok(Self { interfaces: granted, http: Vec::new() })
    }

    /// Says which HTTP requests the component may make, where `wasi:http/outgoing-handler` is granted.
    pub fn with_http(self, http: Vec<Rule>) -> Self {
        Self { http, ..self }
    }

    /// Returns the rules for HTTP requests.
    pub fn http(&self) -> &[Rule] {
        &self.http
    }

    /// Returns what both grant. The rules for HTTP requests are those of `self`, which declares them: others narrow them
    /// by an [`Egress`](glassbox_core::egress::Egress) of their own.
    pub fn meet(&self, other: &Self) -> Self {
        let of = |one: &Self, other: &Self| -> BTreeSet<String> {
            one.interfaces.iter().filter(|name| other.allows(name)).cloned().collect()
        };
        // A package granted whole on one side and by interfaces on the other comes to those interfaces.
        Self { interfaces: &of(self, other) | &of(other, self), http: self.http.clone() }
    }

    /// Tells whether nothing is granted.
    pub fn is_empty(&self) -> bool {
        self.interfaces.is_empty()
    }

    /// Tells whether `interface`, with or without a version, is granted.
    pub fn allows(&self, interface: &str) -> bool {
        let name = interface.split('@').next().unwrap_or(interface);
        let package = name.split('/').next().unwrap_or(name);
        self.interfaces.contains(name) || self.interfaces.contains(package)
    }

    /// Returns the grants, sorted: interfaces, and packages granted whole.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.interfaces.iter().map(String::as_str)
    }
}

impl fmt::Display for Grants {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.iter().collect::<Vec<_>>().join(", "))
    }
}

/// Returns whether an imported interface is one that components may have without a provider: it can be granted, or it
/// is one of `wasi:sockets`, which standard libraries drag in and nobody is ever given.
pub(crate) fn is_tolerated(interface: &str) -> bool {
    let package = interface.split(['/', '@']).next().unwrap_or(interface);
    GRANTABLE.contains(&package) || package == "wasi:sockets"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_packages_and_interfaces() {
        let grants = Grants::parse(["wasi:random/random", "wasi:clocks"]).expect("valid");
        assert!(grants.allows("wasi:random/random@0.2.0") && grants.allows("wasi:clocks/wall-clock@0.2.12"));
        assert!(!grants.allows("wasi:random/insecure@0.2.0") && !grants.allows("wasi:cli/environment"));
        assert!(Grants::parse(["wasi"]).expect("valid").allows("wasi:filesystem/types@0.2.0"));
        assert!(!Grants::none().allows("wasi:random/random"));
        assert!(!Grants::parse(["wasi"]).expect("valid").allows("wasi:http/outgoing-handler"));
        assert!(Grants::parse(["wasi:http"]).expect("valid").allows("wasi:http/outgoing-handler@0.2.3"));
    }

    #[test]
    fn what_both_grant() {
        let grants = |names: &[&str]| Grants::parse(names.iter().copied()).expect("valid");
        let meet = |a: &[&str], b: &[&str]| grants(a).meet(&grants(b));
        assert_eq!(meet(&["wasi:random", "wasi:clocks"], &["wasi"]), grants(&["wasi:random", "wasi:clocks"]));
        assert_eq!(meet(&["wasi:random/random"], &["wasi:random"]), grants(&["wasi:random/random"]));
        assert_eq!(
            meet(&["wasi:random"], &["wasi:random/random", "wasi:cli"]),
            grants(&["wasi:random/random"])
        );
        assert!(meet(&["wasi:random"], &["wasi:clocks"]).is_empty() && meet(&["wasi"], &[]).is_empty());
    }

    #[test]
    fn refuses_what_is_not_offered() {
        for text in ["wasi:http2/outgoing-handler", "wasi:sockets", "", "random", "acme:x/y", "wasi:random/"]
        {
            assert!(Grants::parse([text]).is_err(), "{text}");
        }
    }
}
