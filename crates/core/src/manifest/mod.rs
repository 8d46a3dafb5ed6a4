//! `glassbox.toml`: what a package is, who may have it, what it costs and who is paid.
//!
//! Parsing refuses what it does not know, because a misspelt `amount` must not mean "free". Rules that need only the
//! manifest stand here; whether an export exists is for the registry, which has the WIT.

mod allowed;
mod amount;
pub mod lint;
mod not_taken;
mod origin;
mod parse;
mod price;
mod rights;
mod sales;
mod size;
mod terms;
mod time;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::egress;
use crate::limits;
use crate::money::Atomic;
use crate::name::{PackageName, ReleaseId, Version};
use crate::release::{Author, Authorship, Basis};

pub use allowed::{is_grant_satisfied, is_satisfied};
pub use origin::{Dependency, DerivedFrom, ForkRoyalty, Metered, RoyaltyMode, Splits, Unclaimed, Upstream};
pub use parse::ManifestError;
pub use price::{ChargeOn, Discount, Free, FreeScope, Price, PricedAct, Step, TierMode, Tiers, Unit};
pub use rights::is_agpl;
pub use sales::{
    Bounty, Edition, Grant, GrantProof, GrantQuota, Inclusion, Offer, OfferAct, Plan, PlanKind, PlanQuota,
    Requirement, SaleUnit, Scope, Sla, Uptime,
};
pub use size::ByteSize;
pub use terms::{MoreTerms, Terms};
pub use time::{Date, Length, Period, Window};

/// The file name of a manifest.
pub const FILE_NAME: &str = "glassbox.toml";

/// The host interface that makes HTTP requests, without its version.
pub const HTTP_INTERFACE: &str = "wasi:http/outgoing-handler";

/// The host interface that shows a component the files of its release, without its version.
pub const FILES_INTERFACE: &str = "wasi:filesystem/preopens";

/// A parsed and checked manifest.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Manifest {
    /// What it is.
    pub package: Package,
    /// The interface: always public.
    pub spec: Spec,
    /// The tests: always public.
    #[serde(default)]
    pub tests: Tests,
    /// The Wasm and its access terms.
    pub component: Component,
    /// The source, if it is published.
    #[serde(default)]
    pub source: Option<Source>,
    /// What is charged for.
    #[serde(default)]
    pub price: Vec<Price>,
    /// Who is paid.
    #[serde(default)]
    pub payee: Vec<Payee>,
    /// Whom to tell about a hole, and until when it will be mended.
    #[serde(default)]
    pub security: Option<Security>,
    /// How payments are accepted.
    #[serde(default)]
    pub settlement: Settlement,
    /// Who made it, where the publisher says so.
    #[serde(default)]
    pub authorship: Option<StatedAuthorship>,
    /// The packages that the component imports.
    #[serde(default)]
    pub dependencies: BTreeMap<PackageName, Dependency>,
    /// Parts of the exports that have terms of their own, by name.
    #[serde(default)]
    pub edition: BTreeMap<String, Edition>,
    /// What is paid by the period.
    #[serde(default)]
    pub plan: Vec<Plan>,
    /// Licences that can be taken, or bought.
    #[serde(default)]
    pub offer: Vec<Offer>,
    /// Who pays less, once that is proved.
    #[serde(default)]
    pub grant: Vec<Grant>,
    /// When prices are lower.
    #[serde(default)]
    pub discount: Vec<Discount>,
    /// What contributions are worth.
    #[serde(default)]
    pub contributor_bounty: Vec<Bounty>,
    /// What others may do who derive from it.
    #[serde(default)]
    pub upstream: Option<Upstream>,
    /// The works that it derives from.
    #[serde(default)]
    pub derived_from: Vec<DerivedFrom>,
    /// What of the net is for others.
    #[serde(default)]
    pub splits: Option<Splits>,
    /// What others may do with its texts.
    #[serde(default)]
    pub usage: Option<ContentUsage>,
    /// Whether gifts are welcome.
    #[serde(default)]
    pub tips: Option<Tips>,
}

/// `[package]`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Package {
    /// The package name, equal to the id of its WIT package.
    pub name: PackageName,
    /// The version of this release.
    pub version: Version,
    /// One line for listings.
    #[serde(default)]
    pub description: String,
    /// What kind of work it is.
    #[serde(default)]
    pub kind: WorkKind,
    /// An SPDX expression for the component.
    pub license: String,
    /// The file with the text of a licence that SPDX does not list.
    #[serde(default)]
    pub license_file: Option<String>,
    /// What its licence does not let others use it for, such as `hosting-competitor`.
    #[serde(default)]
    pub deny_use: BTreeSet<String>,
    /// The licence that it comes under later.
    #[serde(default)]
    pub change_license: Option<String>,
    /// The day from which on it does.
    #[serde(default)]
    pub change_date: Option<Date>,
    /// Who made it, for people to read.
    #[serde(default)]
    pub authors: Vec<String>,
    /// Where it is developed.
    #[serde(default)]
    pub repository: Option<String>,
    /// Where it is presented.
    #[serde(default)]
    pub homepage: Option<String>,
    /// Where it is explained.
    #[serde(default)]
    pub documentation: Option<String>,
    /// The file that introduces it.
    #[serde(default)]
    pub readme: Option<String>,
    /// Words that search uses.
    #[serde(default)]
    pub keywords: Vec<String>,
    /// Broader words that search uses.
    #[serde(default)]
    pub categories: Vec<String>,
    /// Sentences that somebody in need of this would type. Search uses them.
    #[serde(default)]
    pub representative_queries: Vec<String>,
}

/// What kind of work a package is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WorkKind {
    /// Code that is called for what it does.
    #[default]
    Component,
    /// Data, which its functions answer from.
    Dataset,
    /// Words that an agent follows.
    Skill,
    /// Answers and examples, which its functions give.
    Knowledge,
}

/// `[spec]`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// The folder of the WIT package.
    #[serde(default = "default_wit")]
    pub wit: String,
    /// The world that the component implements.
    pub world: String,
}

fn default_wit() -> String {
    "wit/".into()
}

/// `[tests]`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Tests {
    /// Where the public cases are: a folder and a pattern such as `tests/*.toml`.
    #[serde(default = "default_tests")]
    pub public: String,
    /// Cases that are kept back, so that nobody builds for them.
    #[serde(default)]
    pub held_out: Option<HeldOut>,
}

/// A commitment to cases that are kept back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HeldOut {
    /// The digest of their files as a set.
    pub digest: Digest,
    /// How many there are.
    pub cases: u64,
}

impl Default for Tests {
    fn default() -> Self {
        Self { public: default_tests(), held_out: None }
    }
}

fn default_tests() -> String {
    "tests/*.toml".into()
}

/// `[component]`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Component {
    /// The built component.
    pub path: String,
    /// Where it may run. `local` means that its bytes may be downloaded.
    #[serde(default = "default_execute")]
    pub execute: BTreeSet<Place>,
    /// Whether other components may link it.
    #[serde(default)]
    pub import: bool,
    /// The most memory of one call.
    #[serde(default)]
    pub memory_max: Option<ByteSize>,
    /// The most fuel of one call, and the default ceiling of a quote.
    #[serde(default)]
    pub fuel_max: Option<u64>,
    /// The host interfaces that it may use, such as `wasi:random/random`. None by default.
    #[serde(default)]
    pub imports_allow: BTreeSet<String>,
    /// The folder of the files that it may read, where it may have [`FILES_INTERFACE`].
    #[serde(default)]
    pub files: Option<String>,
    /// The HTTP requests that it may make, where it may have [`HTTP_INTERFACE`].
    #[serde(default)]
    pub http: Vec<egress::Rule>,
    /// Whether it promises to be told nothing from outside, which is checked where it is published.
    #[serde(default)]
    pub deterministic: bool,
    /// Who may run it for others.
    #[serde(default)]
    pub operators: Operators,
    /// Whether people may try it on its page, out of its free units.
    #[serde(default)]
    pub playground: bool,
}

fn default_execute() -> BTreeSet<Place> {
    BTreeSet::from([Place::Remote])
}

/// Where a component may run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Place {
    /// On the registry's executors.
    Remote,
    /// On the caller's machine, which therefore may have the bytes.
    Local,
}

/// Who may run a component for others.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Operators {
    /// The registry that it is published at.
    #[default]
    Registry,
    /// Whoever has it.
    Any,
}

/// `[source]`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// The folder.
    pub path: String,
    /// People read it free; there is no other value.
    #[serde(default)]
    pub humans: HumanAccess,
    /// On which terms machines may have it in bulk.
    #[serde(default)]
    pub machines: MachineAccess,
    /// The licence of the source, where it differs from the component's.
    #[serde(default)]
    pub license: Option<String>,
    /// How the component can be built from it, so that others find the same.
    #[serde(default)]
    pub build: Option<Build>,
}

/// How a component is built.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Build {
    /// The image that it is built in, by digest.
    pub image: Digest,
    /// What builds it there.
    pub command: String,
}

/// What people may do with the source.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", try_from = "String")]
pub enum HumanAccess {
    /// Read it, without paying: the only value there is.
    #[default]
    Free,
}

impl TryFrom<String> for HumanAccess {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if text == "free" {
            return Ok(Self::Free);
        }
        let message = format!("`humans` is `{}`, and people read the source free", lint::clip(&text));
        Err(lint::by(lint::SOURCE_HUMANS, &message))
    }
}

/// What machines may do with the source.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MachineAccess {
    /// Fetch it in bulk.
    Free,
    /// Fetch it in bulk, for the price of `on = "source"`.
    Metered,
    /// Fetch it in bulk, with a licence of `on = "source"`.
    Licensed,
    /// Not in bulk.
    #[default]
    Denied,
}

/// `[[payee]]`: one receiver of money.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Payee {
    /// Who: a `did:`, `acct:` or `github:` id, or a chain address.
    pub id: String,
    /// The share in basis points. All shares of a manifest sum to 10,000.
    pub share: u32,
    /// What they do, for people to read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
}

/// `[security]`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Security {
    /// Where to report a vulnerability.
    pub contact: String,
    /// Until when it will be mended.
    pub support_until: Date,
    /// Where it stands how reports are handled.
    #[serde(default)]
    pub policy: Option<String>,
    /// The file with what it is made of, or its URL.
    #[serde(default)]
    pub sbom: Option<String>,
    /// The file with which known holes concern it, or its URL.
    #[serde(default)]
    pub vex: Option<String>,
}

/// `[usage]`: what others may do with its texts, in the words of the IETF's `Content-Usage`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ContentUsage {
    /// Train models.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub train_ai: Option<Consent>,
    /// Find them by searching.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub search: Option<Consent>,
    /// Where their terms stand in RSL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rsl: Option<String>,
}

impl ContentUsage {
    /// Writes the value of the header `Content-Usage`, such as `train-ai=n, search=y`; empty where nothing is said.
    pub fn to_header(&self) -> String {
        let word = |name: &str, consent: Option<Consent>| {
            consent.map(|consent| match consent {
                Consent::Y => format!("{name}=y"),
                Consent::N => format!("{name}=n"),
            })
        };
        let words = [word("train-ai", self.train_ai), word("search", self.search)];
        words.into_iter().flatten().collect::<Vec<_>>().join(", ")
    }
}

/// Yes or no.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Consent {
    /// Allowed.
    Y,
    /// Not allowed.
    N,
}

/// `[tips]`: gifts to the payees.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tips {
    /// Whether they are welcome.
    pub accept: bool,
    /// Where other ways to give are listed, in the format of fundingjson.org.
    #[serde(default)]
    pub funding: Option<String>,
}

/// `[authorship]`: said here, it is not looked for in the commits.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct StatedAuthorship {
    /// Human, ai, mixed or unknown.
    pub by: Author,
    /// The program that wrote, where one did.
    #[serde(default)]
    pub agent: Option<String>,
    /// The model behind it.
    #[serde(default)]
    pub model: Option<String>,
    /// Who looked at it.
    #[serde(default)]
    pub reviewed_by: Vec<String>,
}

/// `[settlement]`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Settlement {
    /// The currency of every amount.
    #[serde(default = "usd")]
    pub currency: String,
    /// The ways in which it may be paid: `x402:SCHEME`, or `x402:SCHEME:NETWORK`.
    #[serde(default = "every_scheme")]
    pub accepts: Vec<String>,
    /// The most that one payer pays for calls of the package in a month. What goes beyond costs nothing.
    #[serde(default, with = "amount::optional")]
    pub max_monthly_per_payer: Option<Atomic>,
}

impl Default for Settlement {
    fn default() -> Self {
        Self { currency: usd(), accepts: every_scheme(), max_monthly_per_payer: None }
    }
}

fn usd() -> String {
    "USD".into()
}

fn every_scheme() -> Vec<String> {
    SCHEMES.iter().map(|scheme| format!("x402:{scheme}")).collect()
}

/// The schemes of x402 that a release may be paid by.
pub(crate) const SCHEMES: [&str; 3] = ["exact", "upto", "batch-settlement"];

impl Manifest {
    /// Reads a manifest, and checks it by all rules that need nothing else; see [`lint`].
    pub fn parse(text: &str) -> Result<Self, ManifestError> {
        let manifest = Self::read(text)?;
        manifest.check()?;
        Ok(manifest)
    }

    /// Reads a manifest that was checked when it was published: rules that came later do not stop it.
    pub fn read(text: &str) -> Result<Self, ManifestError> {
        parse::parse(text)
    }

    /// Returns the release that this manifest describes.
    pub fn release(&self) -> ReleaseId {
        self.package.name.at(self.package.version.clone())
    }

    /// Returns what it says of its authors; nothing where it says nothing.
    pub fn authorship(&self) -> Authorship {
        let Some(stated) = self.authorship.clone() else { return Authorship::default() };
        let StatedAuthorship { by, agent, model, reviewed_by } = stated;
        Authorship { by, agent, model, reviewed_by, accountable: None, basis: Some(Basis::Stated) }
    }

    /// Returns the names of the events that have a price, and that the component may therefore report.
    pub fn events(&self) -> impl Iterator<Item = &str> {
        self.price.iter().filter_map(|price| match &price.unit {
            Unit::Event(name) => Some(name.as_str()),
            _ => None,
        })
    }

    /// Returns the fuel ceiling of a call that names none.
    pub fn fuel_max(&self) -> u64 {
        self.component.fuel_max.unwrap_or(limits::FUEL_DEFAULT)
    }

    /// Returns the memory limit of a call, in bytes.
    pub fn memory_max_bytes(&self) -> usize {
        self.component.memory_max.map_or(limits::MEMORY_BYTES_DEFAULT, |size| size.0 as usize)
    }

    /// Returns the documents that come with the release, by the keys that name them: what is at a URL stays there.
    pub fn documents(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let package = &self.package;
        let security =
            |of: fn(&Security) -> &Option<String>| self.security.as_ref().and_then(|it| of(it).as_deref());
        let named = [
            ("license-file", package.license_file.as_deref()),
            ("readme", package.readme.as_deref()),
            ("sbom", security(|security| &security.sbom)),
            ("vex", security(|security| &security.vex)),
        ];
        let named = named.into_iter().filter_map(|(key, path)| Some((key, path?)));
        named.filter(|(_, path)| !is_https(path))
    }

    /// Tells whether the component's bytes may be downloaded.
    pub fn component_is_public(&self) -> bool {
        self.component.execute.contains(&Place::Local)
    }

    /// Tells whether `imports-allow` names an interface, or its whole package.
    fn asks_for(&self, interface: &str) -> bool {
        self.component.imports_allow.iter().any(|grant| {
            let name = grant.split('@').next().unwrap_or(grant).trim();
            name == interface || interface.strip_prefix(name).is_some_and(|rest| rest.starts_with('/'))
        })
    }
}

/// Tells whether a text is a URL that a page may link: `https`, in characters that URLs have.
pub fn is_https(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_graphic() && !b"\"'<>\\^`{|}".contains(&byte);
    text.strip_prefix("https://").is_some_and(|rest| !rest.is_empty())
        && text.len() <= 2_048
        && text.bytes().all(plain)
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Remote => "remote",
            Self::Local => "local",
        })
    }
}
