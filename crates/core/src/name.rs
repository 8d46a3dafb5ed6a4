//! Names of packages, releases and functions, checked once where they are made.
//!
//! A package name is the id of its WIT package (`ns:name`); a function name is either a bare `function`, exported
//! by the world itself, or `ns:pkg/interface@version#function`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::key::PublicKey;
use crate::{Digest, limits};

pub use semver::Version;

/// Says why a name was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// The text is not a namespace.
    #[error("`{0}` is not a namespace; write lower-case words joined by hyphens")]
    Namespace(String),
    /// The text is not `ns:name`.
    #[error("`{0}` is not a package name; write `namespace:name` in lower-case words joined by hyphens")]
    Package(String),
    /// The part behind `@` is not a semantic version.
    #[error("`{0}` is not a version; write it like `1.4.0`")]
    Version(String),
    /// The part before the slash is not the name of a registry.
    #[error(
        "`{0}` is not the name of a registry; write its host, or a name of registries.toml in the home folder"
    )]
    Registry(String),
    /// The text names no function.
    #[error(
        "`{0}` is not a function name; write `function`, `interface.function` or `ns:pkg/interface@1.0.0#function`"
    )]
    Function(String),
}

/// Tells whether `text` is a WIT label: words of ASCII letters and digits joined by single hyphens, each word
/// starting with a letter and in one case. Only the lower-case spelling is accepted here.
fn is_label(text: &str) -> bool {
    text.len() <= limits::NAME_BYTES_MAX
        && text.split('-').all(|word| {
            word.starts_with(|c: char| c.is_ascii_lowercase())
                && word.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit())
        })
}

fn clip(text: &str) -> String {
    text.chars().take(120).collect()
}

/// A namespace: the part of a package name before the colon.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Namespace(String);

impl Namespace {
    /// Returns its text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the namespace that is `key`'s own: `k` and the first 32 hexadecimal digits of the key's SHA-256.
    ///
    /// Nobody has to be asked for it, and nobody else can have it: finding another key for it takes 2^128 tries.
    pub fn of_key(key: &PublicKey) -> Self {
        Self(format!("k{}", &Digest::of(key.as_bytes()).hex()[..KEY_DIGITS]))
    }

    /// Tells whether it is the own namespace of some key.
    pub fn is_of_key(&self) -> bool {
        self.0.strip_prefix('k').is_some_and(|digits| {
            digits.len() == KEY_DIGITS && digits.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
        })
    }

    /// Tells whether it is one of the host's interfaces, or looks like one: nobody can claim it.
    pub fn is_of_host(&self) -> bool {
        OF_HOST.contains(&self.skeleton().as_str())
    }

    /// Returns what it looks like: two namespaces of one skeleton could be taken for each other.
    ///
    /// Hyphens are left out, `0` looks like `o`, `1` like `l`, `rn` like `m` and `vv` like `w`. Other look-alikes cannot
    /// be written: names are ASCII, in lower case.
    pub fn skeleton(&self) -> String {
        skeleton(&self.0)
    }
}

/// Returns what a name looks like to whoever reads it in passing.
fn skeleton(name: &str) -> String {
    let plain = name.replace([':', '-'], "").replace('0', "o").replace('1', "l");
    plain.replace("rn", "m").replace("vv", "w")
}

/// The namespaces of the interfaces that the host provides, or makes functions of.
const OF_HOST: [&str; 2] = ["glassbox", "wasi"];

/// How many hexadecimal digits of a key's digest are in its own namespace: 128 bits.
const KEY_DIGITS: usize = 32;

impl FromStr for Namespace {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        if is_label(text) { Ok(Self(text.into())) } else { Err(NameError::Namespace(clip(text))) }
    }
}

impl fmt::Display for Namespace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A package name `namespace:name`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct PackageName {
    namespace: String,
    name: String,
}

impl PackageName {
    /// Makes a name of its parts.
    pub fn new(namespace: &str, name: &str) -> Result<Self, NameError> {
        match is_label(namespace) && is_label(name) {
            true => Ok(Self { namespace: namespace.into(), name: name.into() }),
            false => Err(NameError::Package(clip(&format!("{}:{}", clip(namespace), clip(name))))),
        }
    }

    /// Returns the part before the colon.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// Returns the namespace that it is in.
    pub fn in_namespace(&self) -> Namespace {
        Namespace(self.namespace.clone())
    }

    /// Returns the part after the colon.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns what it looks like, as [`Namespace::skeleton`] says, wherever the colon stands. Packages that could be taken for
    /// each other have one skeleton.
    pub fn skeleton(&self) -> String {
        skeleton(&self.to_string())
    }

    /// Tells whether two packages could be taken for each other: they look alike, and the colon of each stands where the other
    /// has its own, or a hyphen, as in `acme-text:slug` and `acme:text-slug`. A colon within a word is seen, and whoever has `a`
    /// could otherwise keep every name from `acme` that begins so: `a:cme-text` is nothing like `acme:text`.
    pub fn looks_like(&self, other: &Self) -> bool {
        self.skeleton() == other.skeleton() && self.ends_where(other) && other.ends_where(self)
    }

    /// Tells whether its namespace ends where a word of the other ends.
    fn ends_where(&self, other: &Self) -> bool {
        let (namespace, other) = (skeleton(&self.namespace), other.to_string());
        other.match_indices([':', '-']).any(|(at, _)| skeleton(&other[..at]) == namespace)
    }

    /// Returns the release of this package at `version`.
    pub fn at(&self, version: Version) -> ReleaseId {
        ReleaseId { package: self.clone(), version }
    }
}

impl FromStr for PackageName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let (namespace, name) = text.split_once(':').ok_or_else(|| NameError::Package(clip(text)))?;
        Self::new(namespace, name)
    }
}

impl fmt::Display for PackageName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.namespace, self.name)
    }
}

/// One immutable release, `ns:name@version`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct ReleaseId {
    /// The package that it belongs to.
    pub package: PackageName,
    /// Its version.
    pub version: Version,
}

impl FromStr for ReleaseId {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let reference: PackageRef = text.parse()?;
        let version = reference.version.ok_or_else(|| NameError::Version(String::new()))?;
        Ok(Self { package: reference.package, version })
    }
}

impl fmt::Display for ReleaseId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.package, self.version)
    }
}

/// Reads a version.
pub fn read_version(text: &str) -> Result<Version, NameError> {
    // A length check first: parsing is linear, but the message would carry the whole text.
    let parsed = (text.len() <= limits::NAME_BYTES_MAX).then(|| text.parse().ok()).flatten();
    parsed.ok_or_else(|| NameError::Version(clip(text)))
}

/// What a person types: `ns:name`, meaning the newest release, or `ns:name@version`.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct PackageRef {
    /// The package.
    pub package: PackageName,
    /// The version, or `None` for the newest.
    pub version: Option<Version>,
}

impl FromStr for PackageRef {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let (package, version) = match text.split_once('@') {
            Some((package, version)) => (package, Some(read_version(version)?)),
            None => (text, None),
        };
        Ok(Self { package: package.parse()?, version })
    }
}

impl fmt::Display for PackageRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.version {
            Some(version) => write!(f, "{}@{version}", self.package),
            None => write!(f, "{}", self.package),
        }
    }
}

/// A package or release of a certain registry, `registry/ns:name[@version]`, or of whichever is asked, `ns:name[@version]`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RemoteRef {
    /// The registry: a host, with a port where it needs one, or a name that the reader gave it.
    pub registry: Option<String>,
    /// The package or release.
    pub reference: PackageRef,
}

impl FromStr for RemoteRef {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let (registry, reference) = match text.rsplit_once('/') {
            Some((registry, reference)) => (Some(registry), reference),
            None => (None, text),
        };
        let is_registry = |name: &str| {
            (1..=limits::REGISTRY_NAME_BYTES_MAX).contains(&name.len())
                && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-.:[]".contains(&b))
        };
        match registry {
            Some(name) if !is_registry(name) => Err(NameError::Registry(clip(name))),
            _ => Ok(Self { registry: registry.map(str::to_owned), reference: reference.parse()? }),
        }
    }
}

impl fmt::Display for RemoteRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.registry {
            Some(registry) => write!(f, "{registry}/{}", self.reference),
            None => write!(f, "{}", self.reference),
        }
    }
}

/// The full name of an exported function: `function` when the world exports it directly, else
/// `ns:pkg/interface@version#function` (the version is absent where the WIT package has none).
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct FunctionName {
    interface: Option<String>,
    function: String,
}

impl FunctionName {
    /// Makes a name from an interface id as the component exports it, and a function in it.
    pub fn new(interface: Option<&str>, function: &str) -> Result<Self, NameError> {
        let error = || NameError::Function(clip(function));
        let interface = match interface {
            Some(id) if id.len() <= 2 * limits::NAME_BYTES_MAX && !id.is_empty() && !id.contains('#') => {
                Some(id.to_owned())
            }
            Some(id) => return Err(NameError::Function(clip(id))),
            None => None,
        };
        if !is_label(function) {
            return Err(error());
        }
        Ok(Self { interface, function: function.to_owned() })
    }

    /// Returns the interface id (`ns:pkg/interface@version`), or `None` for a function of the world itself.
    pub fn interface(&self) -> Option<&str> {
        self.interface.as_deref()
    }

    /// Returns the bare function name.
    pub fn function(&self) -> &str {
        &self.function
    }

    /// Returns the form people and URLs use: `function` or `interface.function`, without package and version.
    pub fn short(&self) -> String {
        match &self.interface {
            Some(id) => {
                let id = id.split_once('/').map_or(id.as_str(), |(_, rest)| rest);
                format!("{}.{}", id.split('@').next().unwrap_or(id), self.function)
            }
            None => self.function.clone(),
        }
    }

    /// Tells whether `text` names this function in any accepted form: full, `interface.function`, or bare.
    pub fn matches(&self, text: &str) -> bool {
        // Every form ends so, and nothing is put together for the functions that are not meant.
        text.ends_with(&self.function)
            && (text == self.function || text == self.short() || text == self.to_string())
    }
}

impl FromStr for FunctionName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        match text.split_once('#') {
            Some((interface, function)) => Self::new(Some(interface), function),
            None => Self::new(None, text),
        }
    }
}

impl fmt::Display for FunctionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.interface {
            Some(interface) => write!(f, "{interface}#{}", self.function),
            None => f.write_str(&self.function),
        }
    }
}

macro_rules! text_conversions {
    ($($name:ty),*) => {$(
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "`{self}`")
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.to_string()
            }
        }

        impl TryFrom<String> for $name {
            type Error = NameError;

            fn try_from(text: String) -> Result<Self, NameError> {
                text.parse()
            }
        }
    )*};
}

text_conversions!(Namespace, PackageName, ReleaseId, PackageRef, FunctionName);

/// Tells whether packages that export an interface do the same by it: it is named after a package that somebody can publish,
/// `ns:pkg/interface`. One of the host's says how a component is entered, and not what it does; one that a world defines in
/// place has a name that means something else in the next.
pub fn is_shared(interface: &str) -> bool {
    let package = interface.split_once('/').and_then(|(package, _)| package.parse::<PackageName>().ok());
    package.is_some_and(|package| !package.in_namespace().is_of_host())
}

/// Tells whether two names of interfaces mean one to whoever links them: they are equal, or differ in nothing but versions
/// that are compatible.
pub fn same_interface(one: &str, other: &str) -> bool {
    let compatible = || {
        let ((name, version), (other_name, other_version)) = (one.split_once('@')?, other.split_once('@')?);
        let track = track(version)?;
        (name == other_name && track == self::track(other_version)?).then_some(())
    };
    one == other || compatible().is_some()
}

/// Returns what compatible versions have in common. A pre-release is compatible with nothing.
fn track(version: &str) -> Option<(u64, u64, u64)> {
    let version: Version = version.parse().ok()?;
    let track = match (version.major, version.minor) {
        (0, 0) => (0, 0, version.patch),
        (0, minor) => (0, minor, 0),
        (major, _) => (major, 0, 0),
    };
    version.pre.is_empty().then_some(track)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn package_references() {
        let reference: PackageRef = "acme:text-tools@1.2.0".parse().expect("valid");
        assert_eq!(reference.package.namespace(), "acme");
        assert_eq!(reference.version, Some(Version::new(1, 2, 0)));
        assert_eq!(reference.to_string(), "acme:text-tools@1.2.0");
        for bad in
            ["", "acme", "acme:", ":x", "Acme:x", "acme:x@", "acme:x@1", "a:b:c", "../x:y", "a:1b", "a:b-"]
        {
            assert!(bad.parse::<PackageRef>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_key_has_a_namespace_of_its_own() {
        let [key, other] = [1, 2].map(|seed| crate::key::SecretKey::from_seed(&[seed; 32]).public());
        let namespace = Namespace::of_key(&key);
        assert_eq!(namespace.as_str().parse(), Ok(namespace.clone()));
        assert!(namespace.is_of_key() && namespace != Namespace::of_key(&other));
        for ordinary in ["acme", "k", "key", "kdeadbeef"] {
            assert!(!ordinary.parse::<Namespace>().expect("valid").is_of_key(), "{ordinary}");
        }
    }

    #[test]
    fn look_alikes_have_one_skeleton() {
        let skeleton = |text: &str| text.parse::<Namespace>().expect("valid").skeleton();
        for (one, other) in [
            ("paypal", "paypa1"),
            ("modem", "modern"),
            ("google", "g00gle"),
            ("wasm", "vvasm"),
            ("left-pad", "leftpad"),
        ] {
            assert_eq!(skeleton(one), skeleton(other), "{one} {other}");
        }
        for (one, other) in [("acme", "acne"), ("docs", "doc"), ("bits", "bots")] {
            assert_ne!(skeleton(one), skeleton(other), "{one} {other}");
        }
    }

    #[test]
    fn packages_look_alike_where_their_words_end() {
        let looks_like = |one: &str, other: &str| {
            let [one, other] = [one, other].map(|text| text.parse::<PackageName>().expect("valid"));
            assert_eq!(one.looks_like(&other), other.looks_like(&one), "{one} {other}");
            one.looks_like(&other)
        };
        for other in
            ["acme-text:slug", "acme:text-s1ug", "acme:textslug", "acrne:text-slug", "ac-me-text:s-lug"]
        {
            assert!(looks_like("acme:text-slug", other), "{other}");
        }
        for other in
            ["acme:text-slugs", "a:cme-text-slug", "acme-te:xt-slug", "acme-text-s:lug", "ac:me-text-slug"]
        {
            assert!(!looks_like("acme:text-slug", other), "{other}");
        }
    }

    #[test]
    fn interfaces_of_packages_are_shared() {
        for shared in ["acme:text/slug@1.0.0", "acme:text/slug", "wasily:x/y"] {
            assert!(is_shared(shared), "{shared}");
        }
        for own in
            ["api", "wasi:cli/run@0.2.6", "wasi:http/incoming-handler@0.2.0", "glassbox:meter/events", "a/b"]
        {
            assert!(!is_shared(own), "{own}");
        }
        for name in ["wasi", "wa-si", "glassbox", "g1ass-b0x"] {
            assert!(name.parse::<Namespace>().expect("valid").is_of_host(), "{name}");
        }
    }

    #[test]
    fn function_names() {
        let name: FunctionName = "demo:markdown/convert@0.1.0#to-html".parse().expect("valid");
        assert_eq!(name.short(), "convert.to-html");
        assert!(name.matches("to-html") && name.matches("convert.to-html"));
        assert!(name.matches("demo:markdown/convert@0.1.0#to-html") && !name.matches("html"));
        assert_eq!("greet".parse::<FunctionName>().expect("valid").short(), "greet");
        for bad in ["", "#", "x#", "#x", "To", "a b"] {
            assert!(bad.parse::<FunctionName>().is_err(), "{bad}");
        }
    }
}
