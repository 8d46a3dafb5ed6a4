//! What a company allows: the file that its operator writes, and the check of a call against it.
//!
//! ```toml
//! name = "Example Ltd"
//!
//! [allow]                       # a list that is left out allows everything
//! packages = ["acme:*", "docs:markdown", "js:semver@^1.2"]
//! publishers = ["acme", "docs", "did:key:z6MkiTBz1ymuepAQ4HEHYSF1H8quG5GLVVQR3djdX3mDooWp"]
//! licenses = ["Apache-2.0", "MIT", "BSD-3-Clause"]
//! grants = ["wasi:clocks", "GET https://api.example.com/v1/"]
//! price = "0.50"                # the most that one call, download, licence or tip may cost, in dollars
//!
//! [deny]
//! packages = ["acme:experimental"]
//!
//! [approval]
//! above = "0.05"                # what costs more waits for a person
//!
//! [budget]
//! month = "1000"                # the company's, by UTC
//! account-month = "50"          # an account's that has none of its own
//!
//! [cost-center.research]
//! month = "300"
//!
//! [account.ci-bot.allow]        # beside what is allowed to all
//! packages = ["acme:*"]
//! ```

use std::collections::BTreeMap;
use std::fmt;

use glassbox_core::account::{AccountName, CostCenter};
use glassbox_core::egress::{Egress, Rule};
use glassbox_core::key::PublicKey;
use glassbox_core::manifest::{HTTP_INTERFACE, is_satisfied};
use glassbox_core::{Atomic, Namespace, PackageName, ReleaseId};
use glassbox_sandbox::{Allowed, Grants};
use glassbox_store::Approval;
use semver::VersionReq;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

/// What a company allows.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct CompanyPolicy {
    /// What the company is called.
    #[serde(default)]
    pub name: String,
    #[serde(default)]
    allow: Allow,
    #[serde(default)]
    deny: Deny,
    #[serde(default)]
    approval: Threshold,
    #[serde(default)]
    budget: CompanyBudget,
    #[serde(default)]
    cost_center: BTreeMap<CostCenter, CostCenterBudget>,
    #[serde(default)]
    account: BTreeMap<AccountName, AccountRules>,
}

/// `[allow]`: lists of what is allowed. An empty list allows nothing.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Allow {
    packages: Option<Vec<Packages>>,
    publishers: Option<Vec<Publisher>>,
    licenses: Option<Vec<String>>,
    #[serde(default, deserialize_with = "grants")]
    grants: Option<Allowed>,
    #[serde(default, deserialize_with = "dollars")]
    price: Option<Atomic>,
}

/// `[deny]`: what is refused although it is allowed.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Deny {
    #[serde(default)]
    packages: Vec<Packages>,
    #[serde(default)]
    publishers: Vec<Publisher>,
}

/// `[approval]`
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Threshold {
    #[serde(default, deserialize_with = "dollars")]
    above: Option<Atomic>,
}

/// `[budget]`
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct CompanyBudget {
    #[serde(default, deserialize_with = "dollars")]
    month: Option<Atomic>,
    #[serde(default, deserialize_with = "dollars")]
    account_month: Option<Atomic>,
}

/// `[cost-center.NAME]`
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct CostCenterBudget {
    #[serde(default, deserialize_with = "dollars")]
    month: Option<Atomic>,
}

/// `[account.NAME]`: what holds for one account beside what holds for all.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct AccountRules {
    #[serde(default)]
    allow: Allow,
    #[serde(default)]
    deny: Deny,
    #[serde(default)]
    approval: Threshold,
}

/// Packages: `acme:*`, `acme:slug`, or `acme:slug@^1.2` with a range of versions.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
enum Packages {
    In(Namespace),
    Named(PackageName),
    Within(PackageName, VersionReq),
}

/// Whose releases: a key, or a namespace.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
enum Publisher {
    Key(Box<PublicKey>),
    Namespace(Namespace),
}

/// A call as a policy looks at it.
pub(crate) struct Asked<'a> {
    pub(crate) release: &'a ReleaseId,
    pub(crate) publisher: &'a PublicKey,
    pub(crate) license: &'a str,
    /// What the component is granted.
    pub(crate) grants: &'a Grants,
    /// The HTTP requests that its caller allows, of those that it declares.
    pub(crate) egress: &'a Egress,
    pub(crate) amount_max: Atomic,
}

/// What a company does not allow. Nothing ran, and nothing was charged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyRefusal {
    /// The rule: the table and the setting of the policy, such as `allow.licenses`.
    pub rule: String,
    /// What it says about this call.
    pub detail: String,
    /// What to do.
    pub next: String,
    /// The approval that was asked for, where a person has to decide.
    pub approval: Option<Box<Approval>>,
}

impl fmt::Display for PolicyRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the company's rule `{}` does not allow this: {}", self.rule, self.detail)
    }
}

impl CompanyPolicy {
    /// Reads a policy from its TOML. What it does not know is refused: a misspelt bound must not mean none.
    pub fn parse(text: &str) -> Result<Self, String> {
        toml::from_str(text).map_err(|error| error.to_string().trim_end().to_owned())
    }

    /// Checks what can be said of a call without looking at what was spent.
    pub(crate) fn check(&self, account: &AccountName, asked: &Asked<'_>) -> Result<(), PolicyRefusal> {
        check("", &self.allow, &self.deny, asked)?;
        match self.account.get(account) {
            Some(rules) => check(&format!("account.{account}."), &rules.allow, &rules.deny, asked),
            None => Ok(()),
        }
    }

    /// Returns above how much a person has to approve a call of an account, and the rule that says so: the lower threshold
    /// of the two that there may be.
    pub(crate) fn approval_above(&self, account: &AccountName) -> Option<(Atomic, String)> {
        let own = self.account.get(account).and_then(|rules| rules.approval.above);
        let own = own.map(|above| (above, format!("account.{account}.approval.above")));
        let all = self.approval.above.map(|above| (above, "approval.above".to_owned()));
        own.into_iter().chain(all).min_by_key(|(above, _)| *above)
    }

    /// Returns what the company may spend in a month.
    pub(crate) fn month_max(&self) -> Option<Atomic> {
        self.budget.month
    }

    /// Returns what an account may spend in a month that has no budget of its own.
    pub(crate) fn account_month_max(&self) -> Option<Atomic> {
        self.budget.account_month
    }

    /// Returns what a cost centre may spend in a month.
    pub(crate) fn cost_center_month_max(&self, cost_center: &CostCenter) -> Option<Atomic> {
        self.cost_center.get(cost_center).and_then(|budget| budget.month)
    }

    /// Tells whether accounts may be of a cost centre: where the policy names any, of those alone.
    pub(crate) fn has_cost_center(&self, cost_center: &CostCenter) -> bool {
        self.cost_center.is_empty() || self.cost_center.contains_key(cost_center)
    }
}

fn check(prefix: &str, allow: &Allow, deny: &Deny, asked: &Asked<'_>) -> Result<(), PolicyRefusal> {
    let refusal = |rule: &str, detail: String| PolicyRefusal {
        rule: format!("{prefix}{rule}"),
        detail,
        next: "use another release, or ask whoever operates this registry to change the rule".into(),
        approval: None,
    };
    let release = asked.release;
    if deny.packages.iter().any(|packages| packages.hold(release)) {
        return Err(refusal("deny.packages", format!("{release} is on the list")));
    }
    if deny.publishers.iter().any(|publisher| publisher.is(asked)) {
        return Err(refusal("deny.publishers", format!("the publisher of {release} is on the list")));
    }
    if allow.packages.as_ref().is_some_and(|list| !list.iter().any(|packages| packages.hold(release))) {
        return Err(refusal("allow.packages", format!("{release} is not on the list")));
    }
    if allow.publishers.as_ref().is_some_and(|list| !list.iter().any(|publisher| publisher.is(asked))) {
        let (namespace, key) = (release.package.namespace(), asked.publisher);
        return Err(refusal("allow.publishers", format!("neither `{namespace}` nor {key} is on the list")));
    }
    if allow.licenses.as_ref().is_some_and(|taken| !is_satisfied(asked.license, taken)) {
        let detail = format!("{release} is under `{}`, which the list does not satisfy", asked.license);
        return Err(refusal("allow.licenses", detail));
    }
    if let Some(grant) = allow.grants.as_ref().and_then(|allowed| beyond(allowed, asked)) {
        let detail = format!("{release} may use `{grant}`, which is not on the list");
        let next = "allow less with `grants` in the call, or ask whoever operates this registry".into();
        return Err(PolicyRefusal { next, ..refusal("allow.grants", detail) });
    }
    if let Some(max) = allow.price.filter(|max| asked.amount_max > *max) {
        let (amount, max) = (asked.amount_max.to_decimal(), max.to_decimal());
        let detail = format!("it may cost ${amount}, more than ${max}");
        let next = "lower `fuel` where the price is by fuel, or ask whoever operates this registry".into();
        return Err(PolicyRefusal { next, ..refusal("allow.price", detail) });
    }
    Ok(())
}

/// Returns what a call may use that is not allowed.
fn beyond(allowed: &Allowed, asked: &Asked<'_>) -> Option<String> {
    if let Some(interface) = asked.grants.iter().find(|interface| !allowed.grants.allows(interface)) {
        return Some(interface.to_owned());
    }
    let Egress::Rules(ours) = &allowed.egress else { return None };
    if !asked.grants.allows(HTTP_INTERFACE) {
        return None;
    }
    let beyond = |rules: &[Rule]| {
        let rule = rules.iter().find(|rule| !ours.iter().any(|one| one.covers(rule)));
        rule.map(ToString::to_string)
    };
    // Each list must allow a request, so it is enough that one of them keeps within ours.
    let declared = asked.grants.http();
    let first = declared.iter().map(|rules| beyond(rules)).reduce(|one, other| one.and(other)).flatten()?;
    match asked.egress {
        Egress::Any => Some(first),
        // The caller allows less than what is declared, and may keep within the list by it.
        Egress::Rules(theirs) => beyond(theirs),
    }
}

impl Packages {
    fn hold(&self, release: &ReleaseId) -> bool {
        match self {
            Self::In(namespace) => namespace.as_str() == release.package.namespace(),
            Self::Named(package) => *package == release.package,
            Self::Within(package, range) => *package == release.package && range.matches(&release.version),
        }
    }
}

impl TryFrom<String> for Packages {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let refused = || {
            let text: String = text.chars().take(120).collect();
            format!("`{text}` names no packages; write `acme:*`, `acme:slug` or `acme:slug@^1.2`")
        };
        if let Some(namespace) = text.strip_suffix(":*") {
            return namespace.parse().map(Self::In).map_err(|_| refused());
        }
        match text.split_once('@') {
            None => text.parse().map(Self::Named).map_err(|_| refused()),
            Some((package, range)) => Ok(Self::Within(
                package.parse().map_err(|_| refused())?,
                range.parse().map_err(|_| refused())?,
            )),
        }
    }
}

impl Publisher {
    fn is(&self, asked: &Asked<'_>) -> bool {
        match self {
            Self::Key(key) => **key == *asked.publisher,
            Self::Namespace(namespace) => namespace.as_str() == asked.release.package.namespace(),
        }
    }
}

impl TryFrom<String> for Publisher {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if let Ok(key) = text.parse() {
            return Ok(Self::Key(Box::new(key)));
        }
        text.parse().map(Self::Namespace).map_err(|_| {
            let text: String = text.chars().take(120).collect();
            format!("`{text}` is no publisher; write a namespace or a `did:key:…`")
        })
    }
}

fn dollars<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Atomic>, D::Error> {
    let text = String::deserialize(deserializer)?;
    Atomic::from_decimal(&text).map(Some).map_err(D::Error::custom)
}

fn grants<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Allowed>, D::Error> {
    let texts = Vec::<String>::deserialize(deserializer)?;
    Allowed::parse(texts.iter().map(String::as_str)).map(Some).map_err(D::Error::custom)
}

#[cfg(test)]
mod tests {
    use glassbox_core::key::SecretKey;

    use super::*;

    struct Release {
        id: ReleaseId,
        publisher: PublicKey,
        license: &'static str,
        grants: Grants,
        egress: Egress,
        amount_max: Atomic,
    }

    impl Release {
        fn usual() -> Self {
            Self {
                id: "acme:slug@1.2.3".parse().expect("a release"),
                publisher: SecretKey::from_seed(&[1; 32]).public(),
                license: "MIT OR GPL-3.0-only",
                grants: Grants::none(),
                egress: Egress::Any,
                amount_max: Atomic(50_000),
            }
        }

        fn fetching(rules: &[&str], allowed: Egress) -> Self {
            let rules = rules.iter().map(|rule| rule.parse().expect("a rule")).collect();
            let grants = Grants::parse([HTTP_INTERFACE]).expect("an interface").with_http(rules);
            Self { grants, egress: allowed, ..Self::usual() }
        }

        fn rule(&self, policy: &str) -> Option<String> {
            let policy = CompanyPolicy::parse(policy).unwrap_or_else(|error| panic!("{policy}: {error}"));
            let asked = Asked {
                release: &self.id,
                publisher: &self.publisher,
                license: self.license,
                grants: &self.grants,
                egress: &self.egress,
                amount_max: self.amount_max,
            };
            policy.check(&"ci-bot".parse().expect("a name"), &asked).err().map(|refusal| refusal.rule)
        }
    }

    #[test]
    fn each_rule_refuses_by_its_name() {
        let usual = Release::usual();
        let key = &usual.publisher;
        for (rule, policies) in [
            (
                "allow.packages",
                &[
                    "allow.packages = []",
                    "allow.packages = ['docs:*', 'acme:slugs', 'acme:slug@^2', 'acme:slug@=1.2.4']",
                ][..],
            ),
            ("deny.packages", &["deny.packages = ['acme:*']", "deny.packages = ['acme:slug@<2']"]),
            ("allow.publishers", &["allow.publishers = []", "allow.publishers = ['docs']"]),
            ("deny.publishers", &["deny.publishers = ['acme']", &format!("deny.publishers = ['{key}']")]),
            ("allow.licenses", &["allow.licenses = []", "allow.licenses = ['Apache-2.0']"]),
            ("allow.price", &["allow.price = '0.049999'"]),
            ("account.ci-bot.allow.packages", &["account.ci-bot.allow.packages = ['docs:*']"]),
            ("account.ci-bot.deny.packages", &["account.ci-bot.deny.packages = ['acme:slug']"]),
        ] {
            for policy in policies {
                assert_eq!(usual.rule(policy).as_deref(), Some(rule), "{policy}");
            }
        }
        for policy in [
            "",
            "allow.packages = ['acme:*']",
            "allow.packages = ['acme:slug@^1.2']",
            "allow.packages = ['acme:slug@=1.2.3']",
            "allow.publishers = ['acme']",
            &format!("allow.publishers = ['{key}']"),
            "allow.licenses = ['mit']",
            "allow.grants = []",
            "allow.price = '0.05'",
            "account.ana.allow.packages = []",
        ] {
            assert_eq!(usual.rule(policy), None, "{policy}");
        }
    }

    #[test]
    fn what_a_component_may_use_must_be_on_the_list() {
        let clock = Release {
            grants: Grants::parse(["wasi:clocks/wall-clock"]).expect("an interface"),
            ..Release::usual()
        };
        assert_eq!(clock.rule("allow.grants = ['wasi:clocks']"), None);
        assert_eq!(clock.rule("allow.grants = ['wasi:random']").as_deref(), Some("allow.grants"));
        let narrowed = |rule: &str| Egress::Rules(vec![rule.parse().expect("a rule")]);
        let wide = ["https://a.org", "https://b.org"];
        for (release, policy, allowed) in [
            (Release::fetching(&["https://a.org/v1"], Egress::Any), "'https://a.org'", true),
            (Release::fetching(&["https://a.org"], Egress::Any), "'https://a.org/v1'", false),
            (Release::fetching(&wide, Egress::Any), "'https://a.org'", false),
            (Release::fetching(&wide, Egress::Any), "'wasi:http'", true),
            (Release::fetching(&wide, narrowed("https://a.org/v1")), "'https://a.org'", true),
            (Release::fetching(&wide, narrowed("https://b.org")), "'https://a.org'", false),
            (Release::fetching(&wide, Egress::Any), "", false),
        ] {
            let rule = release.rule(&format!("allow.grants = [{policy}]"));
            assert_eq!(rule.is_none(), allowed, "{policy}: {}", release.grants);
        }
    }

    #[test]
    fn the_lower_threshold_holds() {
        let above = |policy: &str| {
            let policy = CompanyPolicy::parse(policy).expect(policy);
            policy.approval_above(&"ci-bot".parse().expect("a name"))
        };
        assert_eq!(above(""), None);
        assert_eq!(above("approval.above = '0'"), Some((Atomic(0), "approval.above".into())));
        let both = "approval.above = '1'\naccount.ci-bot.approval.above = '0.5'";
        assert_eq!(above(both), Some((Atomic(500_000), "account.ci-bot.approval.above".into())));
        assert_eq!(above("account.ana.approval.above = '0.5'"), None);
    }

    #[test]
    fn the_guide_and_the_module_show_a_policy_that_is_valid() {
        let module = include_str!("policy.rs").split("//! ```toml\n").nth(1).expect("a policy");
        let module =
            module.split("//! ```").next().unwrap_or_default().replace("//! ", "").replace("//!", "");
        let guide =
            include_str!("../../../../docs/guides/company.md").split("```toml\n").nth(1).expect("a policy");
        for text in [module.as_str(), guide.split("```").next().unwrap_or_default()] {
            let policy = CompanyPolicy::parse(text).expect(text);
            let research = "research".parse().expect("a name");
            assert!(policy.cost_center_month_max(&research).is_some() && policy.has_cost_center(&research));
            assert!(!policy.has_cost_center(&"sales".parse().expect("a name")));
        }
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        for policy in [
            "allowed.packages = []",
            "allow.package = []",
            "allow.packages = 'acme:*'",
            "allow.packages = ['acme']",
            "allow.packages = ['*']",
            "allow.packages = ['acme:slug@one']",
            "allow.publishers = ['Acme']",
            "allow.grants = ['wasi:sockets']",
            "allow.price = 0.5",
            "allow.price = '-1'",
            "budget.day = '1'",
            "budget.month = '0.0000001'",
            "account.CI.allow.packages = []",
            "account.ci.budget.month = '1'",
            "cost-center.'=1+1'.month = '1'",
            "[allow",
        ] {
            assert!(CompanyPolicy::parse(policy).is_err(), "{policy}");
        }
    }
}
