//! What a component may do beyond computing: host interfaces, denied unless named.

use std::collections::BTreeSet;
use std::fmt;

use glassbox_core::egress::{Egress, Rule, RuleError, Target};
use glassbox_core::limits;
use glassbox_core::manifest::HTTP_INTERFACE;

use crate::host::OBSERVING;

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
    /// Lists of rules for HTTP requests: each must allow one. There are several for what is granted by an importer.
    http: Vec<Vec<Rule>>,
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
        Self { http: if http.is_empty() { Vec::new() } else { vec![http] }, ..self }
    }

    /// Returns the lists of rules for HTTP requests, each of which must allow one.
    pub fn http(&self) -> &[Vec<Rule>] {
        &self.http
    }

    /// Tells whether a rule allows an HTTP request.
    pub(crate) fn declares(&self, method: &str, target: &Target) -> bool {
        let allows = |rules: &Vec<Rule>| rules.iter().any(|rule| rule.allows(method, target));
        !self.http.is_empty() && self.http.iter().all(allows)
    }

    /// Returns what a component with these grants has as a dependency of one that has those of `importer`: never more
    /// than the importer may do itself.
    pub fn under(&self, importer: &Self) -> Self {
        let mut under = self.meet(importer);
        if importer.http.is_empty() {
            under.http.clear();
        }
        for rules in &importer.http {
            if !under.http.contains(rules) {
                under.http.push(rules.clone());
            }
        }
        under
    }

    /// Returns what both grant. The rules for HTTP requests are those of `self`, which declares them: others narrow them
    /// by an [`Egress`](glassbox_core::egress::Egress) of their own.
    pub fn meet(&self, other: &Self) -> Self {
        if self.is_empty() {
            return self.clone();
        }
        let of = |one: &Self, other: &Self| -> BTreeSet<String> {
            one.interfaces.iter().filter(|name| other.allows(name)).cloned().collect()
        };
        // A package granted whole on one side and by interfaces on the other comes to those interfaces.
        Self { interfaces: &of(self, other) | &of(other, self), http: self.http.clone() }
    }

    /// Returns the interfaces that are granted and whose answers come from outside.
    pub fn observing(&self) -> impl Iterator<Item = &'static str> {
        OBSERVING.into_iter().filter(|interface| self.allows(interface))
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

/// What a caller or an operator allows, within what manifests declare.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Allowed {
    /// The interfaces.
    pub grants: Grants,
    /// The HTTP requests, where `grants` hold `wasi:http/outgoing-handler`.
    pub egress: Egress,
}

/// Says why a text allows nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AllowedError {
    /// It names no interface that can be granted.
    #[error(transparent)]
    Interface(#[from] UnknownGrant),
    /// It seems to be a rule for HTTP requests, and is none.
    #[error(transparent)]
    Rule(#[from] RuleError),
    /// There are too many rules for HTTP requests.
    #[error("there are more than {} rules for HTTP requests", limits::HTTP_RULES_MAX)]
    TooManyRules,
}

impl Allowed {
    /// Returns no grant at all, for what does not run.
    pub fn none() -> Self {
        Self { grants: Grants::none(), egress: Egress::Rules(Vec::new()) }
    }

    /// Returns what an operator allows who says nothing: everything but HTTP requests.
    pub fn without_network() -> Self {
        Self::parse(["wasi"]).expect("`wasi` can be granted")
    }

    /// Reads [interfaces](Grants::parse), and [rules](Rule::from_str) such as `GET https://api.example.com/v1/`, which
    /// allow `wasi:http/outgoing-handler` for those requests alone. Named as an interface it is allowed for every one.
    pub fn parse<'a>(texts: impl IntoIterator<Item = &'a str>) -> Result<Self, AllowedError> {
        let (rules, interfaces): (Vec<_>, Vec<_>) = texts.into_iter().partition(|text| text.contains("://"));
        if rules.len() > limits::HTTP_RULES_MAX {
            return Err(AllowedError::TooManyRules);
        }
        let rules: Vec<Rule> = rules.into_iter().map(str::parse).collect::<Result<_, _>>()?;
        let mut grants = Grants::parse(interfaces)?;
        if grants.allows(HTTP_INTERFACE) {
            return Ok(Self { grants, egress: Egress::Any });
        }
        if !rules.is_empty() {
            grants.interfaces.insert(HTTP_INTERFACE.to_owned());
        }
        Ok(Self { grants, egress: Egress::Rules(rules) })
    }
}

/// Returns whether an imported interface is one that components may have without a provider: it can be granted, or it
/// is one of `wasi:sockets`, which standard libraries drag in and nobody is ever given, or it is the meter, which
/// everybody is.
pub(crate) fn is_tolerated(interface: &str) -> bool {
    let package = interface.split(['/', '@']).next().unwrap_or(interface);
    let is_meter = interface.split('@').next() == Some(crate::host::events::INTERFACE);
    GRANTABLE.contains(&package) || package == "wasi:sockets" || is_meter
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
        assert!(meet(&[], &["wasi"]).is_empty() && meet(&[], &[]).is_empty());
    }

    #[test]
    fn a_rule_allows_requests_and_an_interface_all_of_them() {
        let allowed = |texts: &[&str]| Allowed::parse(texts.iter().copied()).expect("valid");
        let rule = "GET https://a.org/v1/";
        let rules = |count| Egress::Rules(vec![rule.parse().expect("a rule"); count]);
        for (texts, grants, egress) in [
            (&[][..], "", Egress::none()),
            (&["wasi:clocks"], "wasi:clocks", Egress::none()),
            (&["wasi:http/types"], "wasi:http/types", Egress::none()),
            (&[rule], HTTP_INTERFACE, rules(1)),
            (&[rule, "wasi:io", rule], "wasi:http/outgoing-handler, wasi:io", rules(2)),
            (&["wasi:http/types", rule], "wasi:http/outgoing-handler, wasi:http/types", rules(1)),
            (&["wasi:http/outgoing-handler@0.2.3", rule], HTTP_INTERFACE, Egress::Any),
            (&[rule, "wasi:http"], "wasi:http", Egress::Any),
        ] {
            let found = allowed(texts);
            assert_eq!((found.grants.to_string(), found.egress), (grants.into(), egress), "{texts:?}");
        }
        assert_eq!(allowed(&["wasi", rule]).egress, rules(1));
        assert!(matches!(Allowed::parse(["https://a.org?q"]), Err(AllowedError::Rule(_))));
        assert!(matches!(Allowed::parse(["a.org"]), Err(AllowedError::Interface(_))));
        let most = [rule; limits::HTTP_RULES_MAX];
        assert_eq!(allowed(&most).egress, rules(limits::HTTP_RULES_MAX));
        let too_many = most.into_iter().chain([rule]);
        assert_eq!(Allowed::parse(too_many), Err(AllowedError::TooManyRules));
    }

    #[test]
    fn refuses_what_is_not_offered() {
        for text in ["wasi:http2/outgoing-handler", "wasi:sockets", "", "random", "acme:x/y", "wasi:random/"]
        {
            assert!(Grants::parse([text]).is_err(), "{text}");
        }
    }
}
