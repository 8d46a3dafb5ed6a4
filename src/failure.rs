//! What a command says when it fails, and how it exits.

use glassbox_api::Problem;
use glassbox_client::ClientError;
use glassbox_client::channels::ChannelError;
use glassbox_client::mirror::MirrorError;
use glassbox_client::policy::PolicyError;
use glassbox_client::spending::SpendingError;
use glassbox_client::trust::LogRefusal;
use glassbox_core::acts::ActRefusal;
use glassbox_core::log::Distrust;
use glassbox_registry::{ActError, PublishError, chain};
use serde::Serialize;

/// A failed command: the exit code, a stable code for programs, a message and a next step for people.
#[derive(Debug, Serialize)]
pub(crate) struct Failure {
    #[serde(skip)]
    pub(crate) exit: u8,
    pub(crate) code: String,
    pub(crate) message: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) hint: String,
    /// The rule of the policy, yours or a company's, that refused it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) rule: Option<String>,
    /// What is known to have been charged, in atomic units, where a call was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) charged: Option<String>,
}

/// What to do while it is open whether a payment was settled.
const PENDING: &str = "run the same command again: it is charged once";

impl Failure {
    fn new(exit: u8, code: &str, message: impl Into<String>, hint: impl Into<String>) -> Self {
        let (code, message, hint) = (code.into(), message.into(), hint.into());
        Self { exit, code, message, hint, rule: None, charged: None }
    }

    /// The answer is no: not found, not verified, refused. Exit code 1.
    pub(crate) fn no(code: &str, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::new(1, code, message, hint)
    }

    /// An error, or wrong usage. Exit code 2.
    pub(crate) fn error(code: &str, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::new(2, code, message, hint)
    }

    /// A payment is needed and not allowed. Exit code 3.
    pub(crate) fn payment(code: &str, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::new(3, code, message, hint)
    }

    /// The arguments could not be read: what `error` says, without its way of laying out text.
    pub(crate) fn usage(error: &clap::Error) -> Self {
        let text = error.render().to_string();
        let said = match error.kind() {
            // Its text is the whole help.
            clap::error::ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => "a command is missing",
            _ => text.split("\n\n").next().unwrap_or_default().trim_start_matches("error: "),
        };
        let words: Vec<&str> = said.split_whitespace().collect();
        Self::error("usage", words.join(" "), "see `glassbox --help`, or `--help` after a command")
    }

    /// A file could not be read or written.
    pub(crate) fn io(what: &str, path: &std::path::Path, error: &std::io::Error) -> Self {
        Self::error("io", format!("cannot {what} `{}`: {error}", path.display()), "")
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::error("error", format!("{error:#}"), "")
    }
}

impl From<ActError> for Failure {
    fn from(error: ActError) -> Self {
        Self::no(error.code(), chain(&error), error.next())
    }
}

impl From<PublishError> for Failure {
    fn from(error: PublishError) -> Self {
        Self::no(error.code(), chain(&error), error.next())
    }
}

impl From<&Problem> for Failure {
    fn from(problem: &Problem) -> Self {
        let exit = match problem.status {
            402 => 3,
            400..=499 => 1,
            _ => 2,
        };
        let is_call = problem.extra.contains_key("call")
            || matches!(problem.code.as_str(), "call-timed-out" | "payment-invalid" | "payment-not-settled");
        let message = match problem.charged.as_str() {
            "0" if is_call => format!("{}; nothing was charged", problem.detail),
            _ => problem.detail.clone(),
        };
        let mut failure = Self::new(exit, &problem.code, message, hint(problem));
        failure.charged = Some(problem.charged.clone());
        failure.rule = problem.extra.get("rule").and_then(|rule| rule.as_str()).map(str::to_owned);
        failure
    }
}

/// Says why there is no policy to go by.
pub(crate) fn policy_failure(error: &PolicyError) -> Failure {
    Failure::error("policy-invalid", chain(error), "nothing is paid until the policy can be read")
}

/// Says why a payment could not be written down, or what was written cannot be read.
pub(crate) fn spending_failure(error: &SpendingError) -> Failure {
    match error {
        SpendingError::Damaged { .. } => Failure::error(
            "spending-damaged",
            chain(error),
            "look at what changed it; moved away, the day's budget begins anew",
        ),
        SpendingError::Full(_) => Failure::error(
            "spending-full",
            chain(error),
            "pay again tomorrow, in UTC, or from another --home",
        ),
        SpendingError::Busy(_) => {
            Failure::error("spending-busy", chain(error), "end the process that hangs, and run this again")
        }
        _ => Failure::error("io", chain(error), "nothing was paid: make room, or mend the folder's rights"),
    }
}

/// Says why a channel cannot be used.
pub(crate) fn channel_failure(error: &ChannelError) -> Failure {
    match error {
        ChannelError::Damaged { .. } => Failure::error(
            "channel-damaged",
            chain(error),
            "move it away: what was signed can be read from the registry's answer to the next call",
        ),
        ChannelError::Busy(_) => {
            Failure::no("channel-busy", chain(error), "wait for the call, and try again")
        }
        ChannelError::Unknown(_) => {
            Failure::no("channel-not-found", chain(error), "`glassbox wallet channels` lists them")
        }
        _ => Failure::error("io", chain(error), "nothing was paid: make room, or mend the folder's rights"),
    }
}

/// Says why a log is not believed, and what to do about it.
fn log_failure(refusal: &LogRefusal, message: String) -> Failure {
    match refusal {
        LogRefusal::Distrusted(Distrust::UnknownLog { .. }) => {
            let hint = "compare the key with what the operator says elsewhere; then put it into the policy";
            Failure::no("log-unknown", message, hint)
        }
        LogRefusal::Distrusted(Distrust::TooFewWitnesses { .. }) => {
            let hint = "try again in a minute; if that does not help, the log hides from its witnesses";
            Failure::no("log-unwitnessed", message, hint)
        }
        LogRefusal::Distrusted(Distrust::Frozen { .. }) => {
            let hint = "somebody may hold newer releases back: ask from another network, or check this machine's clock";
            Failure::no("log-frozen", message, hint)
        }
        LogRefusal::OtherLog { path, .. } => {
            let hint = format!(
                "do not go on before the operator has said elsewhere why; then remove `{}`",
                path.display()
            );
            Failure::no("log-changed", message, hint)
        }
        LogRefusal::Forked { evidence, .. } => {
            let hint = format!("rely on nothing of this registry, and publish `{}`", evidence.display());
            Failure::no("log-forked", message, hint)
        }
        LogRefusal::RolledBack { .. } => {
            let hint = "a mirror may be behind: ask the registry itself; a registry must never go back";
            Failure::no("log-rolled-back", message, hint)
        }
        LogRefusal::Unproved { .. } => Failure::no(
            "log-unproved",
            message,
            "rely on nothing of it; ask the registry itself, or tell its operator",
        ),
        LogRefusal::Terms { refusal: ActRefusal::Dearer(_), .. } => {
            let hint = "do not pay it: who signed that has broken the rule; tell the registry's operator";
            Failure::no("log-dearer", message, hint)
        }
        LogRefusal::Terms { .. } => Failure::no(
            "log-unproved",
            message,
            "rely on nothing of it; ask the registry itself, or tell its operator",
        ),
        LogRefusal::Sightings(_) => {
            Failure::error("io", message, "make room, or mend the rights of the home folder")
        }
    }
}

/// Returns what to do next in words of the command line, where the registry's are about HTTP.
fn hint(problem: &Problem) -> String {
    match problem.code.as_str() {
        "package-not-found" => {
            let name = problem.detail.split('`').nth(1).and_then(|package| package.split(':').nth(1));
            format!("search for it: `glassbox search {}`", name.unwrap_or("WORDS"))
        }
        "release-not-found" => "name one of them, or leave the version out".into(),
        "guest-out-of-fuel" => "allow more with --fuel, up to the release's own ceiling".into(),
        "fuel-ceiling-invalid" => "leave --fuel out for the release's own ceiling".into(),
        "payment-invalid" if x402_code(problem).contains("insufficient_funds") => {
            "the wallet has too little: `glassbox wallet fund`".into()
        }
        "settlement-pending" => PENDING.into(),
        _ => problem.next.clone(),
    }
}

/// Returns what x402 calls the trouble, from the requirements that came back; the detail where they name none.
fn x402_code(problem: &Problem) -> &str {
    let required = problem.extra.get("required").and_then(|required| required.get("error")?.as_str());
    required.unwrap_or(&problem.detail)
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        match &error {
            ClientError::Problem(problem) => Self::from(&**problem),
            ClientError::Url(_) => {
                Self::error("registry-invalid", chain(&error), "write it like http://127.0.0.1:8402")
            }
            ClientError::Transport { .. } => {
                let hint = "start one with `glassbox serve --data DIR`, or name another with --registry URL";
                Self::error("registry-unreachable", chain(&error), hint)
            }
            ClientError::Answer { .. } => Self::error("registry-invalid", chain(&error), "check --registry"),
            ClientError::PaymentNotAllowed { amount } => {
                let hint = format!("allow it with --max-price {}", amount.to_decimal());
                Self::payment("payment-required", chain(&error), hint)
            }
            ClientError::PriceAboveMax { amount, .. } => {
                let hint = format!("allow it with --max-price {}", amount.to_decimal());
                Self::payment("price-above-max", chain(&error), hint)
            }
            ClientError::NoWayToPay(_) => Self::payment(
                "no-way-to-pay",
                chain(&error),
                "let the policy allow one of them; `upto` on a real chain needs a node under [nodes]",
            ),
            ClientError::PolicyRefused(refusal) => {
                let mut failure = Self::payment("policy-refused", chain(&error), refusal.next.as_str());
                failure.rule = Some(refusal.rule.as_str().to_owned());
                failure
            }
            ClientError::Policy(policy) => policy_failure(policy),
            ClientError::Spending(spending) => spending_failure(spending),
            ClientError::Channel(channel) => channel_failure(channel),
            ClientError::Wallet(_) => Self::error("wallet", chain(&error), ""),
            ClientError::Receipt(_) => {
                Self::no("receipt-invalid", chain(&error), "do not rely on this answer; tell the operator")
            }
            ClientError::Component(_) => {
                Self::no("component-differs", chain(&error), "do not run it; tell the operator")
            }
            ClientError::Layer(_) => {
                Self::no("release-differs", chain(&error), "do not rely on it; tell the operator")
            }
            ClientError::Mirror(mirror) => match mirror {
                MirrorError::File { .. } => {
                    Self::error("io", chain(&error), "make room, or mend the folder's rights")
                }
                MirrorError::Other { .. } => {
                    Self::error("mirror-invalid", chain(&error), "name another folder with --to")
                }
                MirrorError::Differs { .. } => Self::no(
                    "mirror-differs",
                    chain(&error),
                    "nothing of it was kept; tell the registry's operator",
                ),
            },
            ClientError::Log(refusal) => log_failure(refusal, chain(&error)),
            ClientError::Random(_) => Self::error("io", chain(&error), ""),
            ClientError::Undecided => {
                let mut failure = Self::error("settlement-pending", chain(&error), PENDING);
                failure.charged = Some("unknown".into());
                failure
            }
        }
    }
}
