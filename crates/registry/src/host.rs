//! What of the host a component may use: what its manifest declares, as far as caller and operator allow it.

use glassbox_core::egress::Egress;
use glassbox_sandbox::{Effects, Grants};

use crate::error::CallError;
use crate::live::Live;
use crate::open::Registry;

/// What an operator lets components use of the machine.
#[derive(Debug, Clone)]
pub struct HostConfig {
    /// The interfaces that may be granted. Everything but outgoing requests unless set.
    pub grants: Grants,
    /// The environment variables that components see which were granted `wasi:cli/environment`, names and values. They
    /// stand in the transcripts of runs, so no secret belongs here.
    pub environment: Vec<(String, String)>,
}

impl Default for HostConfig {
    fn default() -> Self {
        let grants = Grants::parse(["wasi"]).expect("`wasi` can be granted");
        Self { grants, environment: Vec::new() }
    }
}

impl HostConfig {
    pub(crate) fn effects(&self) -> Effects<'_> {
        Effects::Live { environment: &self.environment, egress: &Egress::Any }
    }
}

impl Registry {
    /// Returns what a release is granted in a call whose caller allows `allowed`, or everything where that is absent.
    pub(crate) fn granted(&self, live: &Live, allowed: Option<&[String]>) -> Result<Grants, CallError> {
        let granted = live.grants.meet(&self.config.host.grants);
        let Some(allowed) = allowed else { return Ok(granted) };
        let allowed = Grants::parse(allowed.iter().map(String::as_str)).map_err(CallError::UnknownGrant)?;
        Ok(granted.meet(&allowed))
    }
}
