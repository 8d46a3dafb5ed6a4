//! What a wallet may spend, asked before anything is signed.
//!
//! ```toml
//! [max]                   # dollars
//! call = "0.05"           # one call
//! day = "2"               # a UTC day, over all processes that share the home folder
//! host-day = "1"          # the same for one registry
//! payee-day = "1"         # the same for one address
//! deposit = "1"           # one deposit into a payment channel; none without it
//!
//! [allow]                 # a list that is left out allows all but real money
//! hosts = ["https://registry.example.com"]
//! payees = ["0x1111111111111111111111111111111111111111"]
//! assets = ["eip155:84532/erc20:0x036CbD53842c5426634e7929541eC2318f3dCF7e"]
//! schemes = ["exact"]
//!
//! [nodes]                 # where to ask a chain; for `upto`
//! "eip155:84532" = "https://sepolia.base.org"
//!
//! [agent]                 # what `glassbox mcp` calls for an agent
//! publishers = ["docs", "did:key:z6Mk…"]
//! licenses = ["Apache-2.0"]
//! grants = ["wasi:clocks/wall-clock"]
//! proof = "replay"        # "receipt" without it
//! local = false           # never run here what has a price there
//! ask = true              # the host may ask you to allow one call that is dearer than `max.call`
//! ```
//!
//! Without a policy a wallet pays play money only. A policy binds whoever pays through this crate; it cannot bind
//! somebody who has the wallet's key.

mod agent;
mod words;

use std::collections::BTreeMap;
use std::fmt;
use std::fs::{self, File};
use std::io::{ErrorKind, Read as _};
use std::path::{Path, PathBuf};

use glassbox_core::Atomic;
use glassbox_core::limits::POLICY_FILE_BYTES_MAX;
use glassbox_pay::{Address, Scheme};
use serde::{Deserialize, Serialize};

pub use self::agent::{Agent, Proof, is_free_to_download};
pub(crate) use self::words::address;
pub use self::words::{Asset, Host};
use self::words::{dollars, list, some_list};

/// The file name of a policy, in the home folder.
pub const FILE_NAME: &str = "policy.toml";

/// What a wallet may spend. The default allows play money only, without other bounds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// Upper bounds.
    #[serde(default)]
    pub max: Max,
    /// Whom may be paid, in what and how.
    #[serde(default)]
    pub allow: Allow,
    /// `[nodes]`: where to ask a chain, by its CAIP-2 id. `upto` needs it; the devnet's is known.
    #[serde(default)]
    pub nodes: BTreeMap<String, String>,
    /// What an agent may call by itself.
    #[serde(default)]
    pub agent: Agent,
}

/// `[max]`: upper bounds in dollars; what is left out is not bounded here.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Max {
    /// One call.
    #[serde(default, deserialize_with = "dollars")]
    pub call: Option<Atomic>,
    /// One UTC day.
    #[serde(default, deserialize_with = "dollars")]
    pub day: Option<Atomic>,
    /// One UTC day, for each registry.
    #[serde(default, deserialize_with = "dollars")]
    pub host_day: Option<Atomic>,
    /// One UTC day, for each address that is paid.
    #[serde(default, deserialize_with = "dollars")]
    pub payee_day: Option<Atomic>,
    /// One deposit into a payment channel. Without it there are none: a deposit is away for longer than a call.
    #[serde(default, deserialize_with = "dollars")]
    pub deposit: Option<Atomic>,
}

/// `[allow]`: lists of what is allowed. An empty list allows nothing.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Allow {
    /// The registries that may be paid; all of them when absent.
    ///
    /// Those that are named are also taken at their word about what they charged. Of any other, the sums of a day
    /// count what was signed.
    #[serde(default, deserialize_with = "some_list")]
    pub hosts: Option<Vec<Host>>,
    /// The addresses that may be paid; all of them when absent.
    #[serde(default, deserialize_with = "some_list")]
    pub payees: Option<Vec<Address>>,
    /// The tokens that may be paid with; the devnet's when absent. Each must be a dollar with six decimals.
    #[serde(default = "play_money", deserialize_with = "list")]
    pub assets: Vec<Asset>,
    /// The schemes that may be paid by; all of them when absent.
    #[serde(default, deserialize_with = "some_list")]
    pub schemes: Option<Vec<Scheme>>,
}

impl Default for Allow {
    fn default() -> Self {
        Self { hosts: None, payees: None, assets: play_money(), schemes: None }
    }
}

fn play_money() -> Vec<Asset> {
    vec![Asset::DEVNET]
}

/// What a payment could take at most, and from whom for what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spend {
    /// The most that the payment lets the payee take, in atomic units.
    pub amount_max: Atomic,
    /// The token.
    pub asset: Asset,
    /// Who is paid, as `0x` and hexadecimal digits with the checksum of EIP-55.
    pub payee: String,
    /// The registry.
    pub host: Host,
    /// How it is paid: a scheme of x402.
    pub scheme: String,
    /// Whether it is a deposit into a channel, and not for one call.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub deposit: bool,
    /// The channel that it is paid out of, by its id; nothing more leaves the wallet then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel: Option<String>,
    /// What it is for, such as `docs:markdown@1.0.0 to-html`.
    pub call: String,
}

/// What was spent in a day, as a policy counts it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Spent {
    /// Altogether.
    pub all: Atomic,
    /// At the registry in question.
    pub host: Atomic,
    /// To the payee in question.
    pub payee: Atomic,
}

/// The rule of a policy that refuses a payment; written as the setting that it comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Rule {
    /// `max.call`
    MaxCall,
    /// `max.day`
    MaxDay,
    /// `max.host-day`
    MaxHostDay,
    /// `max.payee-day`
    MaxPayeeDay,
    /// `max.deposit`
    MaxDeposit,
    /// `allow.hosts`
    AllowHosts,
    /// `allow.payees`
    AllowPayees,
    /// `allow.assets`
    AllowAssets,
    /// `allow.schemes`
    AllowSchemes,
    /// `agent.publishers`
    AgentPublishers,
    /// `agent.licenses`
    AgentLicenses,
    /// `agent.grants`
    AgentGrants,
    /// `agent.proof`
    AgentProof,
}

/// A payment or a call that the policy does not allow. Nothing was signed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the policy does not allow this: {detail}")]
pub struct Refusal {
    /// The rule.
    pub rule: Rule,
    /// What it says about this payment.
    pub detail: String,
    /// The setting to change, if the payment is wanted.
    pub next: String,
}

/// Why there is no policy to go by. Nothing is paid then.
#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    /// The file cannot be read.
    #[error("cannot read the policy `{path}`")]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The file says something that is not understood.
    #[error("the policy `{path}` is not valid: {reason}")]
    Invalid {
        /// The file.
        path: PathBuf,
        /// What is wrong, with the line where that is known.
        reason: String,
    },
}

impl Policy {
    /// Reads a policy from its TOML. What it does not know is refused: a misspelt bound must not mean none.
    pub fn parse(text: &str) -> Result<Self, String> {
        let policy: Self = toml::from_str(text).map_err(|error| error.to_string().trim_end().to_owned())?;
        let real = policy.allow.assets.iter().find(|asset| **asset != Asset::DEVNET);
        match (real, policy.max.day) {
            (Some(asset), None) => {
                Err(format!("`{asset}` may be real money: say `day = \"DOLLARS\"` under [max]"))
            }
            _ => Ok(policy),
        }
    }

    /// Reads a policy file. Where there is none, the default holds.
    pub fn load(path: &Path) -> Result<Self, PolicyError> {
        let failed = |source| PolicyError::File { path: path.to_owned(), source };
        let invalid = |reason| PolicyError::Invalid { path: path.to_owned(), reason };
        let file = match File::open(path) {
            Ok(file) => file,
            // A link that leads nowhere was meant to be a policy.
            Err(error) if error.kind() == ErrorKind::NotFound && fs::symlink_metadata(path).is_err() => {
                return Ok(Self::default());
            }
            Err(error) => return Err(failed(error)),
        };
        let mut text = String::new();
        file.take(POLICY_FILE_BYTES_MAX + 1).read_to_string(&mut text).map_err(failed)?;
        if text.len() as u64 > POLICY_FILE_BYTES_MAX {
            return Err(invalid(format!("it has more than {POLICY_FILE_BYTES_MAX} bytes")));
        }
        Self::parse(&text).map_err(invalid)
    }

    /// Tells whether anything but play money may be spent.
    pub fn allows_real_money(&self) -> bool {
        self.allow.assets.iter().any(|asset| *asset != Asset::DEVNET)
    }

    /// Tells whether a registry is taken at its word about what it charged.
    pub fn trusts(&self, host: &Host) -> bool {
        self.allow.hosts.as_ref().is_some_and(|hosts| hosts.contains(host))
    }

    /// Checks what does not depend on what was spent before.
    pub fn check(&self, spend: &Spend) -> Result<(), Refusal> {
        let Allow { hosts, payees, assets, schemes } = &self.allow;
        let allowed = |rule, holds: bool, what: &str, value: &dyn fmt::Display, list: &str| {
            let value = value.to_string();
            let refusal = || Refusal {
                rule,
                detail: format!("{what} `{value}` is not in `{list}`"),
                next: format!("add \"{value}\" to `{list}` under [allow] in {FILE_NAME}"),
            };
            if holds { Ok(()) } else { Err(refusal()) }
        };
        let is_host = hosts.as_ref().is_none_or(|hosts| hosts.contains(&spend.host));
        allowed(Rule::AllowHosts, is_host, "the registry", &spend.host, "hosts")?;
        let is_payee = |payee: &Address| payee.to_checksum(None) == spend.payee;
        let is_payee = payees.as_ref().is_none_or(|payees| payees.iter().any(is_payee));
        allowed(Rule::AllowPayees, is_payee, "the address", &spend.payee, "payees")?;
        allowed(Rule::AllowAssets, assets.contains(&spend.asset), "the token", &spend.asset, "assets")?;
        let is_scheme = schemes
            .as_ref()
            .is_none_or(|schemes| schemes.iter().any(|scheme| scheme.as_str() == spend.scheme));
        allowed(Rule::AllowSchemes, is_scheme, "the scheme", &spend.scheme, "schemes")?;
        if spend.deposit {
            let max = self.max.deposit.unwrap_or(Atomic::ZERO);
            within(Rule::MaxDeposit, "a deposit", Atomic::ZERO, spend.amount_max, Some(max))
        } else {
            within(Rule::MaxCall, "a call", Atomic::ZERO, spend.amount_max, self.max.call)
        }
    }

    /// Checks what depends on what was `spent` in the day before this payment.
    pub fn check_day(&self, spend: &Spend, spent: Spent) -> Result<(), Refusal> {
        let amount = spend.amount_max;
        within(Rule::MaxDay, "a day", spent.all, amount, self.max.day)?;
        within(Rule::MaxHostDay, "a day at one registry", spent.host, amount, self.max.host_day)?;
        within(Rule::MaxPayeeDay, "a day to one address", spent.payee, amount, self.max.payee_day)
    }
}

fn within(rule: Rule, what: &str, spent: Atomic, amount: Atomic, max: Option<Atomic>) -> Result<(), Refusal> {
    let Some(max) = max else { return Ok(()) };
    // Amounts from a registry are bounded, and sums saturate far above any bound.
    let needed = Atomic(spent.0.saturating_add(amount.0));
    if needed <= max {
        return Ok(());
    }
    let before = match spent {
        Atomic::ZERO => String::new(),
        spent => format!(", beside ${} already spent", spent.to_decimal()),
    };
    Err(Refusal {
        rule,
        detail: format!("${}{before} is more than the ${} for {what}", amount.to_decimal(), max.to_decimal()),
        next: format!(
            "set `{} = \"{}\"` or more under [max] in {FILE_NAME}",
            rule.setting(),
            needed.to_decimal()
        ),
    })
}

impl Rule {
    /// Returns the rule as text: the table and the setting, such as `max.day`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::MaxCall => "max.call",
            Self::MaxDay => "max.day",
            Self::MaxHostDay => "max.host-day",
            Self::MaxPayeeDay => "max.payee-day",
            Self::MaxDeposit => "max.deposit",
            Self::AllowHosts => "allow.hosts",
            Self::AllowPayees => "allow.payees",
            Self::AllowAssets => "allow.assets",
            Self::AllowSchemes => "allow.schemes",
            Self::AgentPublishers => "agent.publishers",
            Self::AgentLicenses => "agent.licenses",
            Self::AgentGrants => "agent.grants",
            Self::AgentProof => "agent.proof",
        }
    }

    fn setting(self) -> &'static str {
        self.as_str().split_once('.').map_or("", |(_, setting)| setting)
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAYEE: &str = "0x1111111111111111111111111111111111111111";

    fn spend(usd: &str) -> Spend {
        Spend {
            amount_max: Atomic::from_decimal(usd).expect("dollars"),
            asset: Asset::DEVNET,
            payee: address(PAYEE).expect("an address").to_checksum(None),
            host: Host::of("https://registry.example.com/some/path").expect("a host"),
            scheme: "exact".into(),
            deposit: false,
            channel: None,
            call: "docs:markdown@1.0.0 to-html".into(),
        }
    }

    fn refusal(policy: &str, spend: &Spend) -> Option<(&'static str, String)> {
        let policy = Policy::parse(policy).unwrap_or_else(|error| panic!("{policy}: {error}"));
        policy.check(spend).err().map(|refusal| (refusal.rule.as_str(), refusal.next))
    }

    #[test]
    fn each_rule_refuses_by_its_name_and_says_what_to_change() {
        let other = "eip155:8453/erc20:0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913";
        let real = Spend { asset: other.parse().expect("a token"), ..spend("0.05") };
        let deposit = Spend { deposit: true, ..spend("0.5") };
        let usual = spend("0.05");
        for (policy, spend, rule, next) in [
            ("max.call = '0.049999'", &usual, "max.call", "`call = \"0.05\"` or more under [max]"),
            (
                "allow.hosts = ['http://registry.example.com']",
                &usual,
                "allow.hosts",
                "\"https://registry.example.com\"",
            ),
            ("allow.hosts = []", &usual, "allow.hosts", "`hosts` under [allow]"),
            ("allow.payees = []", &usual, "allow.payees", PAYEE),
            ("allow.schemes = ['upto']", &usual, "allow.schemes", "\"exact\""),
            (
                "allow.assets = []",
                &usual,
                "allow.assets",
                "eip155:84532/erc20:0x036CbD53842c5426634e7929541eC2318f3dCF7e",
            ),
            ("", &real, "allow.assets", other),
            ("", &deposit, "max.deposit", "`deposit = \"0.5\"`"),
            ("max.deposit = '0.4'", &deposit, "max.deposit", "`deposit = \"0.5\"`"),
        ] {
            let (found, said) = refusal(policy, spend).unwrap_or_else(|| panic!("{policy} allows it"));
            assert!(found == rule && said.contains(next) && said.contains(FILE_NAME), "{policy}: {said}");
        }
    }

    #[test]
    fn what_is_allowed_passes() {
        let usual = spend("0.05");
        for policy in [
            "",
            "max.call = '0.05'",
            "allow.hosts = ['https://registry.example.com/', 'http://127.0.0.1:8402']",
            "allow.hosts = ['HTTPS://Registry.Example.com:443']",
            &format!("allow.payees = ['{PAYEE}']"),
            "allow.schemes = ['upto', 'exact']",
            "max.deposit = '0.01'",
        ] {
            assert_eq!(refusal(policy, &usual), None, "{policy}");
        }
        let deposit = Spend { deposit: true, ..spend("0.5") };
        assert_eq!(refusal("max = { deposit = '0.5', call = '0.01' }", &deposit), None);
    }

    #[test]
    fn the_guide_and_the_module_show_a_policy_that_is_valid() {
        let guide = include_str!("../../../../docs/guides/paying.md");
        let toml =
            guide.split("```toml\n").nth(1).and_then(|rest| rest.split("```").next()).expect("a policy");
        let policy = Policy::parse(toml).expect("valid");
        assert_eq!(policy.max.day, Some(Atomic(2_000_000)));
        assert!(
            policy.allow.hosts.is_some() && policy.allow.payees.is_some() && policy.allow.schemes.is_some()
        );
        let module = include_str!("mod.rs")
            .split("//! ```toml\n")
            .nth(1)
            .and_then(|rest| rest.split("//! ```").next());
        assert_eq!(Policy::parse(&module.expect("a policy").replace("//!", "")), Ok(policy));
    }

    #[test]
    fn the_sums_of_a_day_are_bounded_to_the_unit() {
        let policy =
            Policy::parse("max = { day = '1', host-day = '0.5', payee-day = '0.4' }").expect("valid");
        let dollars = |usd: &str| Atomic::from_decimal(usd).expect("dollars");
        let spent =
            |all, host, payee| Spent { all: dollars(all), host: dollars(host), payee: dollars(payee) };
        let rule = |spent| policy.check_day(&spend("0.1"), spent).err().map(|refusal| refusal.rule.as_str());
        assert_eq!(rule(spent("0.9", "0.4", "0.3")), None);
        assert_eq!(rule(spent("0.900001", "0", "0")), Some("max.day"));
        assert_eq!(rule(spent("0.5", "0.400001", "0")), Some("max.host-day"));
        assert_eq!(rule(spent("0.5", "0", "0.300001")), Some("max.payee-day"));
        let endless = Spent { all: Atomic(u128::MAX), ..Spent::default() };
        let refusal = policy.check_day(&spend("0.1"), endless).expect_err("above any bound");
        assert_eq!(refusal.rule, Rule::MaxDay);
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        for policy in [
            "maximum.call = '1'",
            "max.calls = '1'",
            "max.call = 1",
            "max.call = '-1'",
            "max.call = '1e3'",
            "max.call = '0.0000001'",
            "max.call = ''",
            "allow.host = []",
            "allow.hosts = 'https://registry.example.com'",
            "allow.hosts = ['registry.example.com']",
            "allow.hosts = ['https://registry.example.com/v1']",
            "allow.hosts = ['https://me@registry.example.com']",
            "allow.hosts = ['ftp://registry.example.com']",
            "allow.payees = ['0x11']",
            "allow.payees = ['1111111111111111111111111111111111111111']",
            "allow.assets = ['eip155:84532']",
            "allow.assets = ['eip155:0/erc20:0x036CbD53842c5426634e7929541eC2318f3dCF7e']",
            "allow.schemes = ['Exact']",
            "max.call = '1'\nmax.call = '2'",
            // Real money without a bound for the day.
            "allow.assets = ['eip155:8453/erc20:0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913']",
            "[max",
        ] {
            assert!(Policy::parse(policy).is_err(), "{policy}");
        }
        let real =
            "max.day = '1'\nallow.assets = ['eip155:8453/erc20:0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913']";
        assert!(Policy::parse(real).expect("valid").allows_real_money());
        assert!(!Policy::default().allows_real_money());
    }

    #[test]
    fn a_file_that_is_there_counts_and_one_that_cannot_be_read_is_an_error() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join(FILE_NAME);
        assert_eq!(Policy::load(&path).expect("none"), Policy::default());
        fs::write(&path, "max.call = '1'").expect("written");
        assert_eq!(Policy::load(&path).expect("read").max.call, Some(Atomic(1_000_000)));
        fs::write(&path, "max.cal = '1'").expect("written");
        let error = Policy::load(&path).expect_err("misspelt").to_string();
        assert!(error.contains("line 1") && error.contains("`call`"), "{error}");
        fs::write(&path, " ".repeat(100_000)).expect("written");
        assert!(matches!(Policy::load(&path), Err(PolicyError::Invalid { .. })));
        fs::write(&path, [0xff]).expect("written");
        assert!(matches!(Policy::load(&path), Err(PolicyError::File { .. })));
        fs::remove_file(&path).expect("removed");
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink(folder.path().join("nowhere"), &path).expect("linked");
            assert!(matches!(Policy::load(&path), Err(PolicyError::File { .. })));
        }
    }

    #[test]
    fn only_registries_that_are_named_are_taken_at_their_word() {
        let policy = Policy::parse("allow.hosts = ['http://127.0.0.1:8402']").expect("valid");
        let host = |url| Host::of(url).expect("a host");
        assert!(policy.trusts(&host("http://127.0.0.1:8402/x")));
        assert!(!policy.trusts(&host("http://127.0.0.1:8403")));
        assert!(!Policy::default().trusts(&host("http://127.0.0.1:8402")));
    }
}
