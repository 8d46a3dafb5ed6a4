//! Asks a domain which keys it vouches for: `https://<domain>/.well-known/glassbox.json`.
//!
//! Strangers have the registry ask, so it asks public addresses alone, follows no redirects, and reads little. Only an
//! answer that says yes or no counts: a domain that cannot be reached has said nothing.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use glassbox_core::key::PublicKey;
use glassbox_core::{Namespace, limits};
use glassbox_sandbox::is_public;
use reqwest::{StatusCode, Url};
use serde::Deserialize;

use crate::act_error::ActError;

/// How domains are asked.
#[derive(Debug, Clone)]
pub struct DomainConfig {
    /// Where the file of a domain is; `{domain}` stands for it.
    pub url: String,
    /// Whether it may be on this machine or behind it.
    pub private_addresses: bool,
}

impl Default for DomainConfig {
    fn default() -> Self {
        Self { url: "https://{domain}/.well-known/glassbox.json".into(), private_addresses: false }
    }
}

/// The file of a domain.
#[derive(Deserialize)]
struct WellKnown {
    /// The keys by namespace.
    #[serde(default)]
    namespaces: BTreeMap<String, Vec<String>>,
}

impl DomainConfig {
    /// Returns the keys that a domain names for a namespace; none where it names none.
    pub(crate) async fn ask(&self, domain: &str, namespace: &Namespace) -> Result<Vec<PublicKey>, ActError> {
        let patience = Duration::from_millis(limits::DOMAIN_WAIT_MS_MAX);
        let silent = |reason: String| ActError::DomainSilent { domain: domain.into(), reason };
        let answer = tokio::time::timeout(patience, self.fetch(domain)).await;
        let file = answer.map_err(|_| silent("it takes too long".into()))?.map_err(silent)?;
        let Some(file) = file else { return Ok(Vec::new()) };
        // A file that is there and cannot be read vouches for nobody.
        let file: WellKnown =
            serde_json::from_slice(&file).unwrap_or_else(|_| WellKnown { namespaces: BTreeMap::new() });
        let named = file.namespaces.get(namespace.as_str()).map_or(&[][..], Vec::as_slice);
        Ok(named.iter().take(limits::POLICY_KEYS_MAX).filter_map(|key| key.parse().ok()).collect())
    }

    /// Returns the file, or `None` where the domain says that it has none.
    async fn fetch(&self, domain: &str) -> Result<Option<Vec<u8>>, String> {
        let url: Url = self.url.replace("{domain}", domain).parse().map_err(|_| "no URL comes of it")?;
        let (Some(host), Some(port)) = (url.host_str(), url.port_or_known_default()) else {
            return Err("no URL comes of it".into());
        };
        let found = tokio::net::lookup_host((host, port)).await.map_err(|error| error.to_string())?;
        let addresses: Vec<SocketAddr> =
            found.filter(|address| self.private_addresses || is_public(address.ip())).collect();
        if addresses.is_empty() {
            return Err("it has no public address".into());
        }
        let text = |error: reqwest::Error| error.without_url().to_string();
        let client = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            // The very addresses that were looked at: the next answer may be another.
            .resolve_to_addrs(host, &addresses)
            .build()
            .map_err(text)?;
        let mut response = client.get(url).send().await.map_err(text)?;
        match response.status() {
            StatusCode::OK => {}
            StatusCode::NOT_FOUND | StatusCode::GONE => return Ok(None),
            status => return Err(format!("it answers {status}")),
        }
        let mut file = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(text)? {
            file.extend_from_slice(&chunk);
            if file.len() > limits::DOMAIN_FILE_BYTES_MAX {
                return Err(format!("its file has more than {} bytes", limits::DOMAIN_FILE_BYTES_MAX));
            }
        }
        Ok(Some(file))
    }
}
