//! Grants that a forge proves: the identity token of a workflow says which repository it runs for.
//!
//! The token's audience names this registry and the holder, so that a token that somebody else finds is of no use to them.
//! What it shows is that the repository is public, by the word of the forge; under which licence it is, no token says.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use glassbox_core::dsse::Envelope;
use glassbox_core::license::{Item, License, LicenseError};
use glassbox_core::manifest::GrantProof;
use glassbox_core::{Atomic, Digest, PackageRef, limits};
use jiff::SignedDuration;
use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde::Deserialize;

use crate::error::{CallError, RegistryError};
use crate::license::kept;
use crate::open::Registry;

/// A forge whose word is taken.
#[derive(Debug, Clone)]
pub struct OidcIssuer {
    /// Its name, as `iss` of its tokens has it.
    pub issuer: String,
    /// Where its keys are.
    pub keys: OidcKeys,
}

/// Where the keys of an issuer are.
#[derive(Debug, Clone)]
pub enum OidcKeys {
    /// At this URL, as a JSON Web Key Set.
    Url(String),
    /// Here, as the text of one.
    Set(String),
}

/// A request for a grant, by a token.
#[derive(Debug, Clone)]
pub struct OidcRequest {
    /// The release.
    pub release: PackageRef,
    /// The id of the grant.
    pub grant: String,
    /// Who shall have it, as registries know payers.
    pub holder: String,
    /// The token.
    pub token: String,
}

/// What is read of a token. Every other claim is the forge's business.
#[derive(Deserialize)]
struct Claims {
    exp: i64,
    #[serde(default)]
    nbf: Option<i64>,
    repository: String,
    repository_visibility: String,
}

/// The algorithms that tokens may be signed by: with a key that is public, each.
const ALGORITHMS: [Algorithm; 3] = [Algorithm::RS256, Algorithm::ES256, Algorithm::EdDSA];

impl Registry {
    /// Gives a grant to the holder that a token names. Returns the signed licence, and whether it is new.
    pub async fn grant_by_oidc(&self, request: OidcRequest) -> Result<(Envelope, bool), CallError> {
        let OidcRequest { release, grant: id, holder, token } = request;
        let live = self.runnable(&release).await?;
        let item = Item::Grant(id.clone());
        let mut grants = live.terms.more.grant.iter();
        if !grants.any(|grant| grant.id == id && grant.proof == GrantProof::OidcRepository) {
            return Err(LicenseError::NoItem(item).into());
        }
        if holder.is_empty() || holder.len() > limits::LICENSEE_BYTES_MAX {
            return Err(CallError::Licensee);
        }
        let repository = self.repository_of(&token, &holder).await?;
        let from = self.now();
        let asked = [&b"glassbox-oidc-grant/1\0"[..], token.as_bytes(), b"\0", id.as_bytes(), b"\0"];
        let release = live.id.to_string();
        let license = License {
            // The same token for the same again is the same licence.
            id: format!("oidc:{}", Digest::of([&asked.concat(), release.as_bytes()].concat()).hex()),
            release: live.id.clone(),
            terms: live.terms.digest(),
            component: live.component,
            item,
            grants: None,
            holder,
            licensee: Some(repository),
            units: 1,
            from,
            until: Some(from + SignedDuration::from_secs(limits::OIDC_GRANT_SECONDS)),
            updates_until: None,
            amount: Atomic::ZERO,
            issuer: self.executor(),
        };
        let envelope = license.clone().sign(&self.keys.executor);
        match self.store.keep_license(kept(&license, &envelope)?).await? {
            None => Ok((envelope, true)),
            Some(before) => Ok((serde_json::from_str(&before).map_err(|_| RegistryError::Worker)?, false)),
        }
    }

    /// Returns the repository that a token is of, where the token holds.
    async fn repository_of(&self, token: &str, holder: &str) -> Result<String, CallError> {
        let refused = |reason: &str| CallError::Oidc(reason.to_owned());
        if token.len() > limits::OIDC_TOKEN_BYTES_MAX {
            return Err(refused("it is too long"));
        }
        let header = jsonwebtoken::decode_header(token).map_err(|_| refused("it is no token"))?;
        if !ALGORITHMS.contains(&header.alg) {
            return Err(refused("it is signed by another algorithm than RS256, ES256 or EdDSA"));
        }
        let named = issuer_of(token).ok_or_else(|| refused("it names no issuer"))?;
        let issuer = self.config.oidc.iter().find(|issuer| issuer.issuer == named);
        let issuer = issuer.ok_or_else(|| refused("its issuer is none that is believed here"))?;
        let keys = self.keys_of(issuer).await?;
        let kid = header.kid.as_deref().ok_or_else(|| refused("it names no key"))?;
        let key = keys.find(kid).ok_or_else(|| refused("its issuer has no such key"))?;
        let key = DecodingKey::from_jwk(key).map_err(|_| refused("the key of its issuer cannot be read"))?;
        let mut validation = Validation::new(header.alg);
        validation.set_issuer(&[&issuer.issuer]);
        validation.set_audience(&[format!("{}#{holder}", self.config.public_url)]);
        validation.set_required_spec_claims(&["exp", "iss", "aud"]);
        // By the clock of this registry, below.
        validation.validate_exp = false;
        validation.validate_nbf = false;
        let claims = jsonwebtoken::decode::<Claims>(token, &key, &validation)
            .map_err(|error| CallError::Oidc(format!("it does not hold: {error}")))?
            .claims;
        let now = self.now().as_second();
        if claims.exp <= now || claims.nbf.is_some_and(|from| from > now + limits::OIDC_SKEW_SECONDS) {
            return Err(refused("its time is over, or has not come"));
        }
        if claims.repository_visibility != "public" {
            return Err(refused("its repository is not public"));
        }
        if claims.repository.is_empty() || claims.repository.len() > limits::LICENSEE_BYTES_MAX {
            return Err(refused("it names no repository"));
        }
        Ok(claims.repository)
    }

    /// Returns the keys of an issuer. What came of fetching them is kept for a while: whoever sends tokens has nobody asked
    /// each time, and waits for no other issuer.
    async fn keys_of(&self, issuer: &OidcIssuer) -> Result<JwkSet, CallError> {
        let silent = |reason: String| CallError::OidcSilent { issuer: issuer.issuer.clone(), reason };
        let url = match &issuer.keys {
            OidcKeys::Set(text) => {
                return serde_json::from_str(text).map_err(|error| silent(error.to_string()));
            }
            OidcKeys::Url(url) => url,
        };
        let slot = {
            let mut slots = self.oidc_keys.lock().unwrap_or_else(PoisonError::into_inner);
            slots.entry(issuer.issuer.clone()).or_default().clone()
        };
        let (mut known, now_ms) = (slot.lock().await, self.env.now_ms());
        let fetched = match known.take().filter(|fetched| now_ms - fetched.at_ms < fetched.kept_ms()) {
            Some(fetched) => fetched,
            None => {
                let patience = Duration::from_millis(limits::DOMAIN_WAIT_MS_MAX);
                let text = tokio::time::timeout(patience, fetch(url)).await;
                let text = text.unwrap_or_else(|_| Err("it takes too long".into()));
                let keys =
                    text.and_then(|text| serde_json::from_str(&text).map_err(|error| error.to_string()));
                // From when the answer is here: those who waited for it ask nobody again.
                Fetched { at_ms: self.env.now_ms(), keys }
            }
        };
        known.insert(fetched).keys.clone().map_err(silent)
    }
}

/// What came of fetching the keys of an issuer.
#[derive(Debug)]
pub(crate) struct Fetched {
    at_ms: i64,
    keys: Result<JwkSet, String>,
}

impl Fetched {
    fn kept_ms(&self) -> i64 {
        if self.keys.is_ok() { limits::OIDC_KEYS_MS } else { limits::OIDC_SILENT_MS }
    }
}

/// What was fetched, by issuer: whoever waits for one holds up nobody who asks for another.
pub(crate) type FetchedKeys = Mutex<HashMap<String, Arc<tokio::sync::Mutex<Option<Fetched>>>>>;

/// Returns who a token says made it, unchecked: whose keys to check it with.
fn issuer_of(token: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Issuer {
        iss: String,
    }
    let mut validation = Validation::default();
    validation.insecure_disable_signature_validation();
    validation.algorithms = ALGORITHMS.to_vec();
    validation.validate_exp = false;
    validation.validate_aud = false;
    validation.required_spec_claims.clear();
    let read = jsonwebtoken::decode::<Issuer>(token, &DecodingKey::from_secret(&[]), &validation);
    Some(read.ok()?.claims.iss)
}

/// Reads the keys of an issuer. The operator named the address, so it may be anywhere.
async fn fetch(url: &str) -> Result<String, String> {
    let text = |error: reqwest::Error| error.without_url().to_string();
    let client =
        reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().map_err(text)?;
    let mut response = client.get(url).send().await.map_err(text)?.error_for_status().map_err(text)?;
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(text)? {
        bytes.extend_from_slice(&chunk);
        if bytes.len() > limits::DOMAIN_FILE_BYTES_MAX {
            return Err(format!("its keys have more than {} bytes", limits::DOMAIN_FILE_BYTES_MAX));
        }
    }
    String::from_utf8(bytes).map_err(|error| error.to_string())
}
