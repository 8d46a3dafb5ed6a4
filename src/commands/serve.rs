//! `glassbox serve`.

use std::fs;
use std::path::Path;

use glassbox_core::limits;
use glassbox_registry::{CompanyPolicy, OidcIssuer, OidcKeys};
use serde::Serialize;
use tracing_subscriber::EnvFilter;

use super::Context;
use crate::blocklists::Feeds;
use crate::cli::ServeArgs;
use crate::failure::Failure;
use crate::node::{Node, NodeConfig, interrupted};
use crate::output::{DIM, MONEY, NAME, paint};
use crate::sandbox::{self, ALLOWED_HINT};

#[derive(Serialize)]
struct Answer {
    url: String,
    data: String,
    payments: String,
    log_key: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    company: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    witness_key: Option<String>,
}

pub(super) async fn run(context: &Context, args: ServeArgs) -> Result<(), Failure> {
    log_to_stderr("info", context.json);
    let config = NodeConfig {
        allowed: sandbox::allowed(&args.allow, args.allow_none)
            .map_err(|error| Failure::error("grant-unknown", error.to_string(), ALLOWED_HINT))?,
        environment: args.env,
        listen: args.listen,
        public_url: args.public_url,
        fee_bps: args.fee_bps,
        mutants: !args.no_mutants,
        commons: args.commons,
        blocklists: Feeds::new(args.blocklist),
        oidc: args.oidc_issuer.into_iter().map(oidc).collect::<Result<_, _>>()?,
        company: args.company.as_deref().map(company).transpose()?,
        rail: args.rail,
        witnessed: args.witnessed,
        faults: args.crash_at,
    };
    let node = Node::open(&args.data, config).await?;
    let answer = Answer {
        url: node.url.clone(),
        data: args.data.display().to_string(),
        payments: node.payments(),
        log_key: node.log_key(),
        company: node.company(),
        witness_key: node.witness_key(),
    };
    context.output.answer(&answer, || describe(&answer));
    node.serve(interrupted()).await
}

/// Reads the keys of a forge, where they are in a file.
fn oidc((issuer, keys): (String, String)) -> Result<OidcIssuer, Failure> {
    let keys = match keys.starts_with("https://") || keys.starts_with("http://") {
        true => OidcKeys::Url(keys),
        false => {
            let path = Path::new(&keys);
            OidcKeys::Set(fs::read_to_string(path).map_err(|error| Failure::io("read", path, &error))?)
        }
    };
    Ok(OidcIssuer { issuer, keys })
}

/// Reads the policy of a company.
fn company(path: &Path) -> Result<CompanyPolicy, Failure> {
    let failed = |error: std::io::Error| Failure::io("read", path, &error);
    let invalid = |reason: String| {
        let message = format!("the company's policy `{}` is not valid: {reason}", path.display());
        Failure::error("company-invalid", message, "nothing is served until it can be read")
    };
    if fs::metadata(path).map_err(failed)?.len() > limits::COMPANY_FILE_BYTES_MAX {
        return Err(invalid("it is too long".into()));
    }
    CompanyPolicy::parse(&fs::read_to_string(path).map_err(failed)?).map_err(invalid)
}

fn describe(answer: &Answer) -> String {
    let mut lines = vec![
        format!(
            "Serving {} from {}, payments on the {}",
            paint(NAME, &answer.url),
            answer.data,
            paint(MONEY, &answer.payments)
        ),
        format!("  log      {}", answer.log_key),
    ];
    if let Some(company) = &answer.company {
        lines.push(format!("  company  {company}: its accounts alone call here"));
    }
    if let Some(key) = &answer.witness_key {
        lines.push(format!("  witness  {}/witness={key}", answer.url));
    }
    lines.push(paint(DIM, "Ctrl-C ends it; the API is described at /openapi.json"));
    lines.join("\n")
}

/// Logs to stderr: `GLASSBOX_LOG` says what, `level` is what it says otherwise.
pub(super) fn log_to_stderr(level: &str, json: bool) {
    let filter = EnvFilter::try_from_env("GLASSBOX_LOG").unwrap_or_else(|_| EnvFilter::new(level));
    let builder =
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_target(false);
    // A second initialisation, as in a test, leaves the first in place.
    let _ = if json {
        builder.json().try_init()
    } else {
        builder.with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr())).try_init()
    };
}
