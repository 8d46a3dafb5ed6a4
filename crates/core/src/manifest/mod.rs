//! `glassbox.toml`: what a package is, who may have it, what it costs and who is paid.
//!
//! Parsing refuses what it does not know, because a misspelt `amount` must not mean "free". Rules that need only the
//! manifest stand here; whether an export exists is for the registry, which has the WIT.

mod parse;
mod size;
mod terms;

use std::collections::BTreeSet;
use std::fmt;
use std::num::NonZeroU64;

use serde::{Deserialize, Serialize};

use crate::egress::Rule;
use crate::limits;
use crate::money::Atomic;
use crate::name::{PackageName, ReleaseId, Version};
use crate::release::{Author, Authorship, Basis};

pub use parse::ManifestError;
pub use size::ByteSize;
pub use terms::Terms;

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
    /// An SPDX expression for the component.
    pub license: String,
    /// Who made it, for people to read.
    #[serde(default)]
    pub authors: Vec<String>,
    /// Where it is developed.
    #[serde(default)]
    pub repository: Option<String>,
    /// Where it is presented.
    #[serde(default)]
    pub homepage: Option<String>,
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
#[serde(deny_unknown_fields)]
pub struct Tests {
    /// Where the public cases are: a folder and a pattern such as `tests/*.toml`.
    #[serde(default = "default_tests")]
    pub public: String,
}

impl Default for Tests {
    fn default() -> Self {
        Self { public: default_tests() }
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
    pub http: Vec<Rule>,
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
}

/// What people may do with the source.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HumanAccess {
    /// Read it, without paying: the only value there is.
    #[default]
    Free,
}

/// What machines may do with the source.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MachineAccess {
    /// Fetch it in bulk.
    Free,
    /// Not in bulk.
    #[default]
    Denied,
}

/// `[[price]]`: one rule of what is charged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Price {
    /// Its name on quotes and receipts.
    pub id: String,
    /// What is charged for.
    #[serde(default)]
    pub on: PricedAct,
    /// The function that it applies to (`interface#function` or a full name), or every function when absent. A download
    /// has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub export: Option<String>,
    /// What is counted.
    pub unit: Unit,
    /// The price of `per` units, as a decimal string.
    #[serde(with = "decimal_amount")]
    pub amount: Atomic,
    /// How many units the amount buys.
    #[serde(default = "one")]
    pub per: NonZeroU64,
    /// The least that a call costs under this rule.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "optional_amount")]
    pub minimum: Option<Atomic>,
    /// The most that a call costs under this rule.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "optional_amount")]
    pub max_per_call: Option<Atomic>,
    /// Whether a call that fails in the guest is charged.
    #[serde(default)]
    pub charge_on: ChargeOn,
}

fn one() -> NonZeroU64 {
    NonZeroU64::MIN
}

/// What a price is for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PricedAct {
    /// Running a function.
    #[default]
    Execute,
    /// Downloading the component, with the files that it may read.
    Download,
}

/// What a price counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unit {
    /// Calls.
    Call,
    /// Fuel: metered work.
    Fuel,
    /// Downloads.
    Download,
}

/// When a call is charged.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ChargeOn {
    /// When the function returned. A value that says `err` is a return.
    #[default]
    Success,
    /// Also when the guest failed by its own doing.
    Attempt,
}

/// `[[payee]]`: one receiver of money.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Payee {
    /// Who: a `did:`, `acct:` or `github:` id, or a chain address.
    pub id: String,
    /// The share in basis points. All shares of a manifest sum to 10,000.
    pub share: u32,
}

/// `[security]`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Security {
    /// Where to report a vulnerability.
    pub contact: String,
    /// Until when it will be mended: a TOML date.
    pub support_until: toml::value::Datetime,
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
#[serde(deny_unknown_fields)]
pub struct Settlement {
    /// The currency of every amount.
    #[serde(default = "usd")]
    pub currency: String,
    /// The ways in which it may be paid: `x402:SCHEME`, or `x402:SCHEME:NETWORK`.
    #[serde(default = "every_scheme")]
    pub accepts: Vec<String>,
}

impl Default for Settlement {
    fn default() -> Self {
        Self { currency: usd(), accepts: every_scheme() }
    }
}

fn usd() -> String {
    "USD".into()
}

fn every_scheme() -> Vec<String> {
    SCHEMES.iter().map(|scheme| format!("x402:{scheme}")).collect()
}

/// The schemes of x402 that a release may be paid by.
const SCHEMES: [&str; 3] = ["exact", "upto", "batch-settlement"];

/// Tells whether `way` is one in which a release may be paid.
fn is_way_to_pay(way: &str) -> bool {
    let way = way.strip_prefix("x402:").unwrap_or_default();
    let (scheme, network) =
        way.split_once(':').map_or((way, None), |(scheme, network)| (scheme, Some(network)));
    SCHEMES.contains(&scheme) && network != Some("")
}

impl Manifest {
    /// Reads and checks a manifest.
    pub fn parse(text: &str) -> Result<Self, ManifestError> {
        let manifest = parse::parse(text)?;
        manifest.check()?;
        Ok(manifest)
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

    /// Returns the fuel ceiling of a call that names none.
    pub fn fuel_max(&self) -> u64 {
        self.component.fuel_max.unwrap_or(limits::FUEL_DEFAULT)
    }

    /// Returns the memory limit of a call, in bytes.
    pub fn memory_max_bytes(&self) -> usize {
        self.component.memory_max.map_or(limits::MEMORY_BYTES_DEFAULT, |size| size.0 as usize)
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

    /// Checks the rules that need nothing but the manifest. Each names its fix.
    fn check(&self) -> Result<(), ManifestError> {
        let rule = |holds: bool, message: &str, hint: &str| {
            if holds { Ok(()) } else { Err(ManifestError::rule(message, hint)) }
        };
        rule(
            !self.package.license.trim().is_empty(),
            "`license` is empty",
            "name one, such as license = \"MIT\"",
        )?;
        rule(
            self.package.description.chars().count() <= 300,
            "`description` is longer than 300 characters",
            "keep it to one line; the README holds the rest",
        )?;
        rule(
            !self.component.execute.is_empty(),
            "`execute` is empty",
            "name where it may run: execute = [\"remote\"], or [\"remote\", \"local\"]",
        )?;
        rule(
            self.authorship().is_bounded(),
            "[authorship] has a name that is too long, or too many reviewers",
            "keep it to names and addresses",
        )?;
        let memory_max = self.component.memory_max.map_or(0, |size| size.0);
        rule(
            memory_max <= limits::MEMORY_BYTES_MAX as u64,
            "`memory-max` is above the 512MiB allowed",
            "lower it",
        )?;
        let fuel_max = self.fuel_max();
        rule(
            (1..=limits::FUEL_MAX).contains(&fuel_max),
            "`fuel-max` is not between 1 and 250,000,000,000",
            "choose what one call really needs; the tests print their fuel",
        )?;
        rule(
            self.component.http.len() <= limits::HTTP_RULES_MAX,
            "there are more than 64 [[component.http]]",
            "merge some",
        )?;
        let asks_for_http = self.asks_for(HTTP_INTERFACE);
        rule(
            !asks_for_http || !self.component.http.is_empty(),
            "`imports-allow` asks for HTTP requests, and no rule says which",
            "add [[component.http]] with host = \"api.example.com\"",
        )?;
        rule(
            asks_for_http || self.component.http.is_empty(),
            "there is [[component.http]], and `imports-allow` does not ask for HTTP requests",
            "write imports-allow = [\"wasi:http/outgoing-handler\"]",
        )?;
        let asks_for_files = self.asks_for(FILES_INTERFACE)
            || self.component.imports_allow.iter().any(|grant| grant == "wasi");
        rule(
            asks_for_files || self.component.files.is_none(),
            "there are `files`, and `imports-allow` does not ask for them",
            "write imports-allow = [\"wasi:filesystem\"]",
        )?;
        self.check_money()
    }

    fn check_money(&self) -> Result<(), ManifestError> {
        let rule = |holds: bool, message: String, hint: &str| {
            if holds { Ok(()) } else { Err(ManifestError::rule(message, hint)) }
        };
        rule(self.price.len() <= limits::PRICES_MAX, "there are more than 64 prices".into(), "merge some")?;
        rule(self.payee.len() <= limits::PAYEES_MAX, "there are more than 64 payees".into(), "merge some")?;
        let mut ids = BTreeSet::new();
        for price in &self.price {
            let id = &price.id;
            rule(ids.insert(id), format!("the price id `{id}` stands twice"), "give each price its own id")?;
            rule(
                price.amount > Atomic::ZERO,
                format!("price `{id}` has the amount 0"),
                "remove the price: what has none is free",
            )?;
            rule(
                price.unit == Unit::Fuel || price.per == one(),
                format!("price `{id}` has an unusable `per`"),
                "`per` counts units of fuel, such as 1_000_000; a price per call or download has none",
            )?;
            rule(
                (price.on == PricedAct::Download) == (price.unit == Unit::Download),
                format!("price `{id}` counts what it is not for"),
                "a download is counted in downloads: on = \"download\" and unit = \"download\" go together; calls have \
                 unit = \"call\" or \"fuel\"",
            )?;
            let is_plain = price.export.is_none()
                && price.minimum.is_none()
                && price.max_per_call.is_none()
                && price.charge_on == ChargeOn::Success;
            rule(
                price.on == PricedAct::Execute || is_plain,
                format!("price `{id}` is for downloads, and has a key that is for calls"),
                "remove `export`, `minimum`, `max-per-call` and `charge-on`: a download has an amount and nothing else",
            )?;
            rule(
                price.on == PricedAct::Execute || self.component_is_public(),
                format!("price `{id}` is for downloads, and the terms allow none"),
                "write execute = [\"remote\", \"local\"], or remove the price",
            )?;
            let minimum = price.minimum.unwrap_or(Atomic::ZERO);
            rule(
                price.max_per_call.is_none_or(|max| minimum <= max),
                format!("price `{id}` has a `minimum` above its `max-per-call`"),
                "swap them",
            )?;
        }
        let mut payees = BTreeSet::new();
        for payee in &self.payee {
            rule(
                !payee.id.is_empty()
                    && payee.id.len() <= 256
                    && payee.id.chars().all(|c| c.is_ascii_graphic()),
                format!("`{}` is not a payee id", payee.id.chars().take(80).collect::<String>()),
                "use a did:, acct: or github: id, or a chain address",
            )?;
            rule(
                payees.insert(&payee.id),
                format!("the payee `{}` stands twice", payee.id),
                "add their shares up",
            )?;
            rule(payee.share > 0, format!("the payee `{}` has no share", payee.id), "remove it")?;
        }
        let shares: u64 = self.payee.iter().map(|payee| u64::from(payee.share)).sum();
        rule(
            self.payee.is_empty() || shares == 10_000,
            format!("the payees' shares sum to {shares}"),
            "shares are basis points and sum to 10000",
        )?;
        let priced = !self.price.is_empty();
        rule(
            !priced || !self.payee.is_empty(),
            "there is a price and nobody to pay".into(),
            "add [[payee]] with id = \"did:key:…\" and share = 10000; `glassbox key show` prints your id",
        )?;
        rule(
            !priced || self.security.is_some(),
            "there is a price and no [security]".into(),
            "add [security] with contact = \"security@…\" and support-until = 2029-12-31",
        )?;
        rule(
            self.settlement.currency == "USD",
            format!("the currency `{}` is not supported", self.settlement.currency),
            "write currency = \"USD\"",
        )?;
        rule(
            !self.settlement.accepts.is_empty()
                && self.settlement.accepts.iter().all(|way| is_way_to_pay(way)),
            "`accepts` names a way to pay that is not supported".into(),
            "leave it out, or name some of \"x402:exact\", \"x402:upto\", \"x402:batch-settlement\"",
        )
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Remote => "remote",
            Self::Local => "local",
        })
    }
}

mod decimal_amount {
    use serde::{Deserialize as _, Deserializer, Serializer};

    use crate::money::Atomic;

    pub(super) fn serialize<S: Serializer>(amount: &Atomic, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&amount.to_decimal())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Atomic, D::Error> {
        Atomic::from_decimal(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

mod optional_amount {
    use serde::{Deserializer, Serializer};

    use super::decimal_amount;
    use crate::money::Atomic;

    pub(super) fn serialize<S: Serializer>(
        amount: &Option<Atomic>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match amount {
            Some(amount) => decimal_amount::serialize(amount, serializer),
            None => serializer.serialize_none(),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Atomic>, D::Error> {
        decimal_amount::deserialize(deserializer).map(Some)
    }
}
