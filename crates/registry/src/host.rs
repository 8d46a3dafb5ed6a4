//! What of the host a component may use: what its manifest declares, as far as caller and operator allow it.

use glassbox_core::egress::Egress;
use glassbox_sandbox::{Allowed, Effects, Grants};

use crate::error::CallError;
use crate::live::Live;
use crate::open::Registry;

/// What an operator lets components use of the machine.
#[derive(Debug, Clone)]
pub struct HostConfig {
    /// The interfaces that may be granted. Everything but outgoing requests unless set; which of those is for the
    /// sandbox's network to say.
    pub grants: Grants,
    /// The environment variables that components see which were granted `wasi:cli/environment`, names and values. They
    /// stand in the transcripts of runs, so no secret belongs here.
    pub environment: Vec<(String, String)>,
}

impl Default for HostConfig {
    fn default() -> Self {
        Self { grants: Allowed::without_network().grants, environment: Vec::new() }
    }
}

impl HostConfig {
    pub(crate) fn effects<'a>(&'a self, egress: &'a Egress) -> Effects<'a> {
        Effects::Live { environment: &self.environment, egress }
    }
}

impl Registry {
    /// Returns what a release is granted in a call whose caller allows `allowed`, or everything where that is absent,
    /// and the HTTP requests that the caller allows among it.
    pub(crate) fn granted(&self, live: &Live, allowed: Option<&[String]>) -> Result<Allowed, CallError> {
        let granted = live.grants.meet(&self.config.host.grants);
        let Some(allowed) = allowed else { return Ok(Allowed { grants: granted, egress: Egress::Any }) };
        let allowed = Allowed::parse(allowed.iter().map(String::as_str))?;
        Ok(Allowed { grants: granted.meet(&allowed.grants), egress: allowed.egress })
    }
}
