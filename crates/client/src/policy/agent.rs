//! What an agent may call by itself, whatever it costs.

use glassbox_api::ReleaseResponse;
use serde::Deserialize;

use super::{FILE_NAME, Refusal, Rule};

/// `[agent]`: what an agent may call through the local MCP server. What is left out is not bounded here.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Agent {
    /// Whose releases: keys as `did:key:…`, and namespaces.
    pub publishers: Option<Vec<String>>,
    /// The licences of components, as SPDX writes them.
    pub licenses: Option<Vec<String>>,
    /// What components may use of the host, of what they declare: interfaces, and URLs.
    pub grants: Option<Vec<String>>,
    /// How much of an answer is proved before an agent sees it.
    pub proof: Proof,
    /// Whether a component that may be downloaded for nothing runs on this machine, where a call has a price.
    pub local: bool,
    /// Whether the host may ask its person to allow a call that is dearer than the policy pays by itself.
    pub ask: bool,
}

impl Default for Agent {
    fn default() -> Self {
        Self {
            publishers: None,
            licenses: None,
            grants: None,
            proof: Proof::Receipt,
            local: true,
            ask: false,
        }
    }
}

/// How an answer is proved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Proof {
    /// The receipt is signed by the registry's key, and speaks of this request and this output.
    Receipt,
    /// The call was also run again, on this machine.
    Replay,
}

impl Agent {
    /// Checks a release before it is called. Returns the grants to call it with: what the caller `asked` for, or what the
    /// policy allows.
    pub fn check(
        &self,
        release: &ReleaseResponse,
        asked: Option<&[String]>,
    ) -> Result<Option<Vec<String>>, Refusal> {
        let refusal = |rule: Rule, what: &str, value: &str| {
            let setting = rule.as_str().trim_start_matches("agent.");
            Refusal {
                rule,
                detail: format!("{what} `{value}` is not in `{setting}`"),
                next: format!("add \"{value}\" to `{setting}` under [agent] in {FILE_NAME}"),
            }
        };
        let namespace = release.release.split(':').next().unwrap_or_default();
        let is_theirs = |publisher: &String| *publisher == release.publisher || publisher == namespace;
        if self.publishers.as_ref().is_some_and(|publishers| !publishers.iter().any(is_theirs)) {
            return Err(refusal(Rule::AgentPublishers, "the namespace", namespace));
        }
        if self.licenses.as_ref().is_some_and(|licenses| !licenses.contains(&release.license)) {
            return Err(refusal(Rule::AgentLicenses, "the licence", &release.license));
        }
        if self.proof == Proof::Replay && !is_free_to_download(release) {
            return Err(Refusal {
                rule: Rule::AgentProof,
                detail: format!(
                    "{} cannot be run again here: its component is not free to download",
                    release.release
                ),
                next: format!("set `proof = \"receipt\"` under [agent] in {FILE_NAME}"),
            });
        }
        let Some(allowed) = &self.grants else { return Ok(asked.map(<[String]>::to_vec)) };
        match asked {
            Some(asked) => match asked.iter().find(|grant| !allowed.contains(grant)) {
                Some(grant) => Err(refusal(Rule::AgentGrants, "the grant", grant)),
                None => Ok(Some(asked.to_vec())),
            },
            // What declares nothing needs nothing, and its request stays what everybody's is.
            None if release.grants.is_empty() => Ok(None),
            None => Ok(Some(allowed.clone())),
        }
    }
}

/// Tells whether the component of a release may be had for nothing.
pub fn is_free_to_download(release: &ReleaseResponse) -> bool {
    release.download && release.download_price.is_none()
}
