//! Who made a package, as far as the trailers of its commits say.
//!
//! What trailers do not say is unknown: that no agent is named does not show that none was there.

use std::path::Path;
use std::process::{Command, Stdio};

use glassbox_core::limits;
use glassbox_core::release::{Author, Authorship, Basis};

/// How many commits are looked at, newest first.
const COMMITS_MAX: u32 = 1_000;

/// Trailers that name a program that wrote, as `AGENT:MODEL` or by name alone.
const ASSISTED: [&str; 2] = ["assisted-by", "generated-by"];

/// Programs that name themselves as co-authors.
const AGENTS: [&str; 9] =
    ["aider", "claude", "codex", "copilot", "cursor", "devin", "gemini", "jules", "opencode"];

/// Reads the trailers of the commits of a folder; nothing where there is no repository, or no git.
pub(crate) fn of_commits(dir: &Path) -> Authorship {
    let count = format!("--max-count={COMMITS_MAX}");
    let log = Command::new("git")
        .arg("-C")
        .arg(dir)
        // Signatures are checked by whatever program the repository names.
        .args(["-c", "log.showSignature=false"])
        .args(["log", &count, "--format=%(trailers:only,unfold)", "--", "."])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output();
    match log {
        Ok(log) if log.status.success() => of_trailers(&String::from_utf8_lossy(&log.stdout)),
        _ => Authorship::default(),
    }
}

/// Reads trailers, those of the newest commit first.
fn of_trailers(trailers: &str) -> Authorship {
    let mut authorship = Authorship::default();
    let is_short = |text: &str| !text.is_empty() && text.len() <= limits::AUTHOR_BYTES_MAX;
    for line in trailers.lines() {
        let Some((name, value)) = line.split_once(':') else { continue };
        let (name, value) = (name.trim().to_ascii_lowercase(), value.trim());
        if ASSISTED.contains(&name.as_str()) || (name == "co-authored-by" && is_agent(value)) {
            authorship.by = Author::Mixed;
            let (agent, model) = agent(value);
            if authorship.agent.is_none() && is_short(agent) {
                authorship.agent = Some(agent.into());
                authorship.model = model.filter(|model| is_short(model)).map(str::to_owned);
            }
        } else if name == "reviewed-by" {
            let known = authorship.reviewed_by.iter().any(|reviewer| reviewer == value);
            if !known && is_short(value) && authorship.reviewed_by.len() < limits::REVIEWERS_MAX {
                authorship.reviewed_by.push(value.into());
            }
        }
    }
    if authorship != Authorship::default() {
        authorship.basis = Some(Basis::GitTrailers);
    }
    authorship
}

/// Tells whether a co-author is a program: by its name, or by the address of a bot.
fn is_agent(value: &str) -> bool {
    let value = value.to_ascii_lowercase();
    let first = value.split(|c: char| !c.is_ascii_alphanumeric()).find(|word| !word.is_empty());
    value.contains("[bot]@") || first.is_some_and(|word| AGENTS.contains(&word))
}

/// Reads `AGENT:MODEL [TOOL]…`, or `Name <address>`, as the program and its model.
fn agent(value: &str) -> (&str, Option<&str>) {
    let name = value.split(['<', '[']).next().unwrap_or(value).trim();
    match name.split_once(':') {
        Some((agent, model)) => (agent.trim(), model.split_whitespace().next()),
        None => (name, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(trailers: &str, by: Author, agent: Option<&str>, model: Option<&str>, reviewed_by: &[&str]) {
        let read = of_trailers(trailers);
        assert_eq!((read.by, read.agent.as_deref(), read.model.as_deref()), (by, agent, model), "{trailers}");
        assert_eq!(read.reviewed_by, reviewed_by, "{trailers}");
        assert_eq!(read.basis.is_some(), !trailers.is_empty() && read != Authorship::default(), "{trailers}");
        assert!(read.is_bounded());
    }

    #[test]
    fn trailers_say_who_made_it_and_nothing_means_unknown() {
        check("", Author::Unknown, None, None, &[]);
        check("Signed-off-by: Ana <ana@example.org>", Author::Unknown, None, None, &[]);
        check("Co-authored-by: Ben <ben@example.org>", Author::Unknown, None, None, &[]);
        check("Assisted-by: scribe:large-2 clippy", Author::Mixed, Some("scribe"), Some("large-2"), &[]);
        check("Generated-by: Scribe <s@example.org>", Author::Mixed, Some("Scribe"), None, &[]);
        check("co-authored-by: Copilot <c@example.org>", Author::Mixed, Some("Copilot"), None, &[]);
        check(
            "Co-authored-by: helper[bot] <1+helper[bot]@users.example>",
            Author::Mixed,
            Some("helper"),
            None,
            &[],
        );
        check(
            "Reviewed-by: Ana\nReviewed-by: Ana\nReviewed-by: Ben",
            Author::Unknown,
            None,
            None,
            &["Ana", "Ben"],
        );
        check("Assisted-by: new:2\nAssisted-by: old:1", Author::Mixed, Some("new"), Some("2"), &[]);
        check(&format!("Reviewed-by: {}", "x".repeat(500)), Author::Unknown, None, None, &[]);
    }
}
