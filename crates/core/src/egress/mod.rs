//! Which HTTP requests a component may make: rules, and the targets that they are asked about. Pure.
//!
//! A manifest declares rules, a caller and an operator may narrow them, and a request must be allowed by all three: an
//! intersection is asking each. Which addresses a name may lead to is the sandbox's matter.

mod target;

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use serde::Deserialize;

use crate::limits;

pub use target::{Host, Scheme, Target, TargetError};

/// What somebody allows.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Egress {
    /// Every request.
    Any,
    /// Requests that one of the rules allows; nothing where there are none.
    Rules(Vec<Rule>),
}

impl Egress {
    /// Returns what allows no request.
    pub fn none() -> Self {
        Self::Rules(Vec::new())
    }

    /// Tells whether a request is allowed.
    pub fn allows(&self, method: &str, target: &Target) -> bool {
        match self {
            Self::Any => true,
            Self::Rules(rules) => rules.iter().any(|rule| rule.allows(method, target)),
        }
    }
}

/// Requests that are allowed: `[[component.http]]` of a manifest, or a URL such as `https://*.example.com/v1/` after
/// methods or none, in the [words](Rule::from_str) of callers and operators.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "RuleTable")]
pub struct Rule {
    host: Pattern,
    methods: Option<BTreeSet<String>>,
    path_prefix: String,
    scheme: Scheme,
    port: u16,
}

/// The hosts of a rule.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Pattern {
    /// One host.
    Exactly(Host),
    /// All names below a domain, which itself is none of them.
    Below(String),
}

/// Says why a rule was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RuleError {
    /// A host that is none.
    #[error("`{0}` is not a host; write a name such as \"api.example.com\" or \"*.example.com\", in ASCII")]
    Host(String),
    /// A method that is none, or an empty set of them.
    #[error("`{0}` is not a method; write methods such as [\"GET\", \"POST\"], or leave them out for all")]
    Method(String),
    /// A path prefix that no path can have.
    #[error(
        "`{0}` is not a path prefix; write one such as \"/v1/items\", without `..`, `//`, `%`, `;`, `?`, `#` and `*`"
    )]
    PathPrefix(String),
    /// A scheme that is not offered.
    #[error("`{0}` is not a scheme; write \"https\" or \"http\"")]
    Scheme(String),
    /// A port that is none.
    #[error("`{0}` is not a port; write one from 1 to 65535, or leave it out for the scheme's own")]
    Port(String),
    /// A text that is no URL.
    #[error("`{0}` is not a URL; write one such as \"https://api.example.com/v1/\"")]
    Url(String),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct RuleTable {
    host: String,
    methods: Option<Vec<String>>,
    path_prefix: Option<String>,
    scheme: Option<String>,
    port: Option<u16>,
}

impl TryFrom<RuleTable> for Rule {
    type Error = RuleError;

    fn try_from(table: RuleTable) -> Result<Self, RuleError> {
        let mut rule = Rule::https(&table.host)?;
        if let Some(scheme) = &table.scheme {
            rule = rule.with_scheme(scheme.parse()?);
        }
        if let Some(port) = table.port {
            rule = rule.with_port(port)?;
        }
        if let Some(methods) = &table.methods {
            rule = rule.with_methods(methods.iter().map(String::as_str))?;
        }
        match &table.path_prefix {
            Some(prefix) => rule.with_path_prefix(prefix),
            None => Ok(rule),
        }
    }
}

impl Rule {
    /// Returns the rule that allows every request by HTTPS to `host`, a name or `*.` and a domain of two labels at
    /// least, at the scheme's own port.
    pub fn https(host: &str) -> Result<Self, RuleError> {
        let refused = || RuleError::Host(clip(host));
        let pattern = match host.strip_prefix("*.") {
            None => Pattern::Exactly(Host::parse(host).ok_or_else(refused)?),
            Some(domain) => match Host::parse(domain) {
                Some(Host::Name(name)) if name.contains('.') => Pattern::Below(name),
                _ => return Err(refused()),
            },
        };
        let scheme = Scheme::Https;
        Ok(Self { host: pattern, methods: None, path_prefix: "/".into(), scheme, port: scheme.port() })
    }

    /// Allows another scheme in place of HTTPS, at the scheme's own port.
    pub fn with_scheme(self, scheme: Scheme) -> Self {
        Self { scheme, port: scheme.port(), ..self }
    }

    /// Allows another port in place of the scheme's own.
    pub fn with_port(self, port: u16) -> Result<Self, RuleError> {
        if port == 0 { Err(RuleError::Port("0".into())) } else { Ok(Self { port, ..self }) }
    }

    /// Allows these methods alone. They are told apart by case, as in HTTP.
    pub fn with_methods<'a>(self, methods: impl IntoIterator<Item = &'a str>) -> Result<Self, RuleError> {
        let named = |method: &str| match is_method(method) {
            true => Ok(method.to_owned()),
            false => Err(RuleError::Method(clip(method))),
        };
        let methods: BTreeSet<_> = methods.into_iter().map(named).collect::<Result<_, _>>()?;
        if methods.is_empty() {
            return Err(RuleError::Method(String::new()));
        }
        Ok(Self { methods: Some(methods), ..self })
    }

    /// Allows paths alone that are `prefix`, or below it. `/v1` has `/v1/x` below it, and not `/v10`.
    pub fn with_path_prefix(self, prefix: &str) -> Result<Self, RuleError> {
        let plain =
            target::is_path(prefix) && !target::is_ambiguous(prefix) && !prefix.contains(['%', ';', '*']);
        match plain {
            true => Ok(Self { path_prefix: prefix.to_owned(), ..self }),
            false => Err(RuleError::PathPrefix(clip(prefix))),
        }
    }

    /// Tells whether the rule allows a request.
    pub fn allows(&self, method: &str, target: &Target) -> bool {
        self.scheme == target.scheme()
            && self.port == target.port()
            && self.host.holds(target.host())
            && self.methods.as_ref().is_none_or(|methods| methods.contains(method))
            && self.has_path(target.path())
    }

    /// Tells whether every request that `other` allows is allowed by this rule, too.
    pub fn covers(&self, other: &Self) -> bool {
        let methods = match (&self.methods, &other.methods) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(mine), Some(theirs)) => theirs.is_subset(mine),
        };
        methods
            && self.scheme == other.scheme
            && self.port == other.port
            && self.host.covers(&other.host)
            // What lies below a prefix lies below whatever that one lies below.
            && self.has_path(&other.path_prefix)
    }

    fn has_path(&self, path: &str) -> bool {
        let prefix = self.path_prefix.trim_end_matches('/');
        if prefix.is_empty() {
            return true;
        }
        // A server may read an ambiguous path as one that lies elsewhere.
        let rest = path.strip_prefix(prefix).filter(|_| !target::is_ambiguous(path));
        rest.is_some_and(|rest| rest.starts_with('/') || rest.is_empty() && !self.path_prefix.ends_with('/'))
    }
}

impl Pattern {
    fn covers(&self, other: &Self) -> bool {
        match other {
            Self::Exactly(host) => self.holds(host),
            Self::Below(domain) => self == other || self.holds(&Host::Name(domain.clone())),
        }
    }

    fn holds(&self, host: &Host) -> bool {
        match (self, host) {
            (Self::Exactly(expected), host) => expected == host,
            (Self::Below(domain), Host::Name(name)) => {
                name.strip_suffix(domain.as_str()).is_some_and(|rest| rest.len() > 1 && rest.ends_with('.'))
            }
            // An address has no labels, so no domain above it.
            (Self::Below(_), Host::Address(_)) => false,
        }
    }
}

/// Reads what `Display` writes: `https://api.example.com`, or `GET,POST http://*.example.com:8080/v1/`.
///
/// The URL's host may be a pattern, and its path is a prefix. There is no user information, no query and no fragment: a
/// rule that seemed to ask for them would allow more than its reader thinks.
impl FromStr for Rule {
    type Err = RuleError;

    fn from_str(text: &str) -> Result<Self, RuleError> {
        let (methods, url) = match text.split_once(' ') {
            Some((methods, url)) => (Some(methods), url),
            None => (None, text),
        };
        let (scheme, rest) = url.split_once("://").ok_or_else(|| RuleError::Url(clip(text)))?;
        let (authority, prefix) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
        let (host, port) = target::split_port(authority);
        let mut rule = Rule::https(host)?.with_scheme(scheme.parse()?);
        if let Some(digits) = port {
            rule.port = target::port_of(digits).ok_or_else(|| RuleError::Port(clip(digits)))?;
        }
        if let Some(methods) = methods {
            rule = rule.with_methods(methods.split(','))?;
        }
        if prefix.is_empty() { Ok(rule) } else { rule.with_path_prefix(prefix) }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(methods) = &self.methods {
            let methods: Vec<_> = methods.iter().map(String::as_str).collect();
            write!(f, "{} ", methods.join(","))?;
        }
        write!(f, "{}://", self.scheme)?;
        match &self.host {
            Pattern::Exactly(host) => write!(f, "{host}")?,
            Pattern::Below(domain) => write!(f, "*.{domain}")?,
        }
        if self.port != self.scheme.port() {
            write!(f, ":{}", self.port)?;
        }
        f.write_str(&self.path_prefix)
    }
}

/// Tells whether a text is a method's name: a token of RFC 9110. `CONNECT` opens a tunnel and is none here.
pub fn is_method(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= limits::HTTP_METHOD_BYTES_MAX
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
        && !text.eq_ignore_ascii_case("connect")
}

impl FromStr for Scheme {
    type Err = RuleError;

    fn from_str(text: &str) -> Result<Self, RuleError> {
        match text {
            "https" => Ok(Self::Https),
            "http" => Ok(Self::Http),
            _ => Err(RuleError::Scheme(clip(text))),
        }
    }
}

fn clip(text: &str) -> String {
    text.chars().take(limits::QUOTED_CHARS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(table: &str) -> Result<Rule, String> {
        toml::from_str(table).map_err(|error| error.message().to_owned())
    }

    fn target(url: &str) -> Target {
        let (scheme, rest) = url.split_once("://").expect("a scheme");
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        Target::parse(scheme.parse().expect("a scheme"), authority, path).expect(url)
    }

    #[track_caller]
    fn check(table: &str, allowed: &[&str], denied: &[&str]) {
        let rule = rule(table).expect(table);
        for request in allowed {
            let (method, url) = request.split_once(' ').expect("a method");
            assert!(rule.allows(method, &target(url)), "{request} by {rule}");
        }
        for request in denied {
            let (method, url) = request.split_once(' ').expect("a method");
            assert!(!rule.allows(method, &target(url)), "{request} by {rule}");
        }
    }

    #[test]
    fn a_rule_covers_what_allows_no_more() {
        let covers = |one: &str, other: &str| {
            let read = |text: &str| text.parse::<Rule>().expect(text);
            read(one).covers(&read(other))
        };
        for (one, other) in [
            ("https://a.org", "https://a.org/v1"),
            ("https://a.org/v1", "https://a.org/v1"),
            ("https://a.org/v1", "https://a.org/v1/x"),
            ("https://*.a.org", "https://b.a.org"),
            ("https://*.a.org", "https://*.b.a.org"),
            ("https://*.a.org", "https://*.a.org"),
            ("https://a.org", "GET https://a.org"),
            ("GET,POST https://a.org", "GET https://a.org"),
        ] {
            assert!(covers(one, other), "{one} covers {other}");
        }
        for (one, other) in [
            ("https://a.org/v1", "https://a.org"),
            ("https://a.org/v1", "https://a.org/v10"),
            ("https://a.org/v1/", "https://a.org/v1"),
            ("https://b.a.org", "https://*.a.org"),
            ("https://*.b.a.org", "https://*.a.org"),
            ("https://*.a.org", "https://a.org"),
            ("GET https://a.org", "https://a.org"),
            ("GET https://a.org", "POST https://a.org"),
            ("https://a.org", "http://a.org"),
            ("https://a.org", "https://a.org:444"),
        ] {
            assert!(!covers(one, other), "{one} does not cover {other}");
        }
    }

    #[test]
    fn a_host_alone_allows_https_at_its_port() {
        check(
            "host = 'API.example.com'",
            &["GET https://api.example.com/", "DELETE https://api.Example.COM:443/a/b?c=d"],
            &[
                "GET http://api.example.com/",
                "GET https://api.example.com:444/",
                "GET https://example.com/",
                "GET https://x.api.example.com/",
                "GET https://api.example.com.evil.org/",
            ],
        );
    }

    #[test]
    fn a_wildcard_stands_for_one_or_more_labels() {
        check(
            "host = '*.example.com'",
            &["GET https://a.example.com/", "GET https://b.a.example.com/"],
            &["GET https://example.com/", "GET https://aexample.com/", "GET https://a.example.org/"],
        );
        for address in ["10.0.0.1", "[2606:4700::1111]", "1.1.1.1"] {
            check("host = '*.example.com'", &[], &[&format!("GET https://{address}/")]);
        }
        check("host = '1.1.1.1'", &["GET https://1.1.1.1/"], &["GET https://1.1.1.2/"]);
        check("host = '[2606:4700::1111]'", &["GET https://[2606:4700:0::1111]/"], &["GET https://1.1.1.1/"]);
    }

    #[test]
    fn schemes_ports_and_methods_are_those_named() {
        check(
            "host = 'a.org'\nscheme = 'http'",
            &["GET http://a.org/"],
            &["GET https://a.org/", "GET http://a.org:443/", "GET https://a.org:80/"],
        );
        check(
            "host = 'a.org'\nport = 8443",
            &["GET https://a.org:8443/"],
            &["GET https://a.org/", "GET http://a.org:8443/"],
        );
        check(
            "host = 'a.org'\nmethods = ['GET', 'PURGE']",
            &["GET https://a.org/", "PURGE https://a.org/"],
            &["POST https://a.org/", "get https://a.org/"],
        );
    }

    #[test]
    fn a_path_prefix_ends_at_a_segment() {
        check(
            "host = 'a.org'\npath-prefix = '/v1'",
            &[
                "GET https://a.org/v1",
                "GET https://a.org/v1/",
                "GET https://a.org/v1/x?y=/../",
                "GET https://a.org/v1?x",
            ],
            &[
                "GET https://a.org/",
                "GET https://a.org",
                "GET https://a.org/v10",
                "GET https://a.org/V1",
                "GET https://a.org/x/v1",
            ],
        );
        check(
            "host = 'a.org'\npath-prefix = '/v1/'",
            &["GET https://a.org/v1/", "GET https://a.org/v1/x"],
            &["GET https://a.org/v1", "GET https://a.org/v10/"],
        );
        // What a server may decode, collapse or cut away is no path below a prefix.
        let tricks = [
            "/v1/%2fadmin",
            "/v1//admin",
            "/v1/a%5Cb",
            "/v1/%252e%252e/admin",
            "/v1/..;/admin",
            "/v1/%2e%2e;x/y",
        ];
        for path in tricks {
            check("host = 'a.org'\npath-prefix = '/v1'", &[], &[&format!("GET https://a.org{path}")]);
            check("host = 'a.org'", &[&format!("GET https://a.org{path}")], &[]);
        }
    }

    #[test]
    fn rules_that_mean_nothing_are_refused() {
        let hosts = [
            "",
            "*",
            "*.",
            "*.com",
            "*.1.1.1.1",
            "a.*.org",
            "http://a.org",
            "a.org:80",
            "a.org.",
            "bücher.de",
            "u@a.org",
            "a..org",
        ];
        for host in hosts {
            assert!(rule(&format!("host = '{host}'")).expect_err(host).contains("is not a host"), "{host}");
        }
        for rest in [
            "methods = []",
            "methods = ['']",
            "methods = ['GET POST']",
            "methods = ['CONNECT']",
            "path-prefix = ''",
            "path-prefix = 'v1'",
            "path-prefix = '/../x'",
            "path-prefix = '/a//b'",
            "path-prefix = '/a%20b'",
            "path-prefix = '/a?b'",
            "path-prefix = '/a/*'",
            "scheme = 'ftp'",
            "port = 0",
            "port = 65536",
            "hots = 'x'",
        ] {
            assert!(rule(&format!("host = 'a.org'\n{rest}")).is_err(), "{rest}");
        }
        assert!(rule("methods = ['GET']").expect_err("no host").contains("missing field `host`"));
    }

    #[test]
    fn who_allows_nothing_has_no_rules() {
        let target = target("https://a.org/");
        assert!(Egress::Any.allows("GET", &target) && !Egress::none().allows("GET", &target));
        let rules = ["b.org", "a.org"].map(|host| Rule::https(host).expect("a host"));
        assert!(Egress::Rules(rules.into()).allows("GET", &target));
    }

    #[test]
    fn rules_print_as_people_write_urls() {
        let text = rule("host = '*.a.org'\nmethods = ['POST', 'GET']\nport = 8443\npath-prefix = '/v1'")
            .expect("a rule");
        assert_eq!(text.to_string(), "GET,POST https://*.a.org:8443/v1");
    }

    #[test]
    fn rules_are_read_as_they_print() {
        for (text, printed) in [
            ("https://A.org", "https://a.org/"),
            ("http://a.org:8080/x", "http://a.org:8080/x"),
            ("https://a.org:443/v1/", "https://a.org/v1/"),
            ("http://[::1]:80", "http://[::1]/"),
            ("https://*.a.org:8443/a:b@c", "https://*.a.org:8443/a:b@c"),
            ("GET https://a.org/v1/", "GET https://a.org/v1/"),
            ("POST,GET https://*.a.org", "GET,POST https://*.a.org/"),
        ] {
            let rule: Rule = text.parse().expect(text);
            assert_eq!(rule.to_string(), printed, "{text}");
            assert_eq!(printed.parse(), Ok(rule), "{text}");
        }
    }

    #[test]
    fn texts_that_are_no_rules_say_why() {
        for (text, reason) in [
            ("", "a URL"),
            ("a.org", "a URL"),
            ("a.org/v1", "a URL"),
            ("GET a.org", "a URL"),
            ("GET  https://a.org", "a scheme"),
            ("ftp://a.org", "a scheme"),
            ("://a.org", "a scheme"),
            ("https://", "a host"),
            ("https:///v1", "a host"),
            ("https://*", "a host"),
            ("https://*.com", "a host"),
            ("https://u@a.org", "a host"),
            ("https://u:p@a.org:80", "a host"),
            ("https://a.org\\b", "a host"),
            ("https://a.org https://b.org", "a method"),
            ("https://u:p@a.org", "a port"),
            ("https://a.org:", "a port"),
            ("https://a.org:0", "a port"),
            ("https://a.org:+1", "a port"),
            ("https://a.org:65536/", "a port"),
            ("https://a.org?q", "a path prefix"),
            ("https://a.org/?q", "a path prefix"),
            ("https://a.org#f", "a path prefix"),
            ("https://a.org/v1#f", "a path prefix"),
            ("https://a.org/v1/../x", "a path prefix"),
            ("https://a.org/%2e%2e/x", "a path prefix"),
            ("https://a.org//v1", "a path prefix"),
            ("https://a.org/v1/*", "a path prefix"),
            ("CONNECT https://a.org", "a method"),
            ("GET, https://a.org", "a method"),
            (" https://a.org", "a method"),
        ] {
            let found = text.parse::<Rule>().expect_err(text).to_string();
            assert!(found.contains(&format!("is not {reason}")), "{text}: {found}");
        }
    }
}
