//! A registry and what is believed of its log: how commands ask.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use glassbox_api::ReleaseResponse;
use glassbox_client::trust::{Believed, LogRefusal, LoggedRelease};
use glassbox_client::{Client, ClientError, Trust};
use glassbox_core::hashed::Document as _;
use glassbox_core::log::{LogPolicy, Standing};
use glassbox_core::manifest::Terms;
use glassbox_core::{PackageRef, limits};

use crate::cli::TrustArgs;
use crate::failure::Failure;
use crate::home::Home;
use crate::output::Output;

/// A registry that is asked, and whom to believe about it.
pub(crate) struct Remote {
    pub(crate) client: Client,
    pub(crate) trust: Trust,
    output: Output,
}

impl Remote {
    pub(crate) fn new(client: Client, trust: Trust, output: Output) -> Self {
        Self { client, trust, output }
    }

    /// Finds a release that may run, and proves that it is in the log, with what stands about its package.
    pub(crate) async fn resolve(
        &self,
        reference: &PackageRef,
    ) -> Result<(ReleaseResponse, LoggedRelease, Standing), Failure> {
        let (page, logged, standing) = self.trust.resolve(&self.client, reference).await?;
        self.tell(&logged.believed);
        let id = &logged.release.release;
        if standing.quarantined.contains(&id.version) {
            // Also where the page hides it: a copy may be of before.
            let reason = page.quarantined.as_ref().map_or("the log has the reason", |mark| &mark.reason);
            let message = format!("{id} is quarantined: {reason}");
            return Err(Failure::no("release-quarantined", message, "use another version"));
        }
        Ok((page, logged, standing))
    }

    /// Reads the terms that stand of a release that was found: out of the manifest that its publisher signed, and the
    /// changes that the log has. What its page says of them are labels.
    pub(crate) async fn terms(
        &self,
        page: &ReleaseResponse,
        logged: &LoggedRelease,
    ) -> Result<Terms, Failure> {
        let is_changed = logged.terms != logged.release.terms;
        let changes: &[u64] = if is_changed { &page.terms_changes } else { &[] };
        let terms = self.trust.terms(&self.client, &logged.release, changes).await?;
        if terms.compute_digest() == logged.terms {
            return Ok(terms);
        }
        let reason = format!("no changes lead to the terms of {}, {}", logged.release.release, logged.terms);
        Err(ClientError::from(LogRefusal::Unproved { reason }).into())
    }

    /// Says so where a log is believed only because it is the first that was met.
    pub(crate) fn tell(&self, believed: &Believed) {
        if believed.first_met {
            self.output.note(&format!(
                "First contact with {}: its log `{}` is believed from now on, and no other in its place",
                self.client.url(),
                believed.trusted.checkpoint.origin
            ));
        }
    }
}

/// Opens what the command line and the home folder say about logs.
pub(crate) fn trust(home: &Home, args: &TrustArgs) -> Result<Trust, Failure> {
    let policy = match &args.log_policy {
        Some(path) if !path.as_os_str().is_empty() => Some(read_policy(path)?),
        _ => {
            let usual = home.path().join("log-policy");
            usual.exists().then(|| read_policy(&usual)).transpose()?
        }
    };
    Ok(Trust::in_home(home.path(), policy).with_age_max(args.log_age_max))
}

/// Reads a policy file.
pub(crate) fn read_policy(path: &Path) -> Result<LogPolicy, Failure> {
    let failed = |error: std::io::Error| Failure::io("read", path, &error);
    let invalid = |reason: String| {
        let message = format!("`{}` is not a log policy: {reason}", path.display());
        Failure::error(
            "log-policy-invalid",
            message,
            "write it as C2SP tlog-policy says; nothing is believed until then",
        )
    };
    if fs::metadata(path).map_err(failed)?.len() > limits::LOG_POLICY_BYTES_MAX {
        return Err(invalid("it is too long".into()));
    }
    let text = fs::read_to_string(path).map_err(failed)?;
    LogPolicy::parse(&text).map_err(|error| invalid(error.to_string()))
}

/// Returns the address of a registry that stands before the slash of a release: a host, or a name from `registries.toml`.
pub(crate) fn registry_url(home: &Home, name: &str) -> Result<String, Failure> {
    let path = home.path().join("registries.toml");
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(Failure::io("read", &path, &error)),
    };
    let names: BTreeMap<String, String> = toml::from_str(&text).map_err(|error| {
        let message = format!("`{}` cannot be read: {}", path.display(), error.message());
        Failure::error(
            "registries-invalid",
            message,
            "write lines such as: acme = \"https://registry.acme.example\"",
        )
    })?;
    if let Some(url) = names.get(name) {
        return Ok(url.clone());
    }
    let host = name.rsplit_once(':').map_or(name, |(host, _)| host);
    let is_here = host == "localhost" || host == "[::1]" || host.starts_with("127.");
    match name.contains(['.', ':']) || is_here {
        // Nobody listens in on this machine; everywhere else somebody might.
        true if is_here => Ok(format!("http://{name}")),
        true => Ok(format!("https://{name}")),
        false => Err(Failure::no(
            "registry-unknown",
            format!("there is no registry `{name}`"),
            format!("write its host, or name it in `{}`", path.display()),
        )),
    }
}
