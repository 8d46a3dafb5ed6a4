//! Printing: data to stdout, everything else to stderr; colour where somebody looks.

use std::io::Write as _;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};

use anstyle::{AnsiColor, Style};
use serde::Serialize;

use crate::failure::Failure;

/// Something good.
pub(crate) const GOOD: Style = AnsiColor::Green.on_default().bold();
/// Something bad.
pub(crate) const BAD: Style = AnsiColor::Red.on_default().bold();
/// A name.
pub(crate) const NAME: Style = AnsiColor::Cyan.on_default().bold();
/// Money.
pub(crate) const MONEY: Style = AnsiColor::Yellow.on_default();
/// What may be overlooked.
pub(crate) const DIM: Style = Style::new().dimmed();
/// A heading.
pub(crate) const HEAD: Style = Style::new().bold();

/// Puts `text` in `style`. Whoever prints strips it where nobody can see colours.
pub(crate) fn paint(style: Style, text: impl std::fmt::Display) -> String {
    format!("{style}{text}{style:#}")
}

/// Writes a count with its noun: `1 call`, `2 calls`.
pub(crate) fn count(number: u64, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}

/// Writes basis points as a percentage: `10 %`.
pub(crate) fn percent(share: u32) -> String {
    format!("{} %", f64::from(share) / 100.0)
}

/// Set once nobody reads our stdout any more.
static STDOUT_GONE: AtomicBool = AtomicBool::new(false);

/// Where and how a command prints.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Output {
    json: bool,
}

impl Output {
    pub(crate) fn new(json: bool) -> Self {
        Self { json }
    }

    /// Prints the answer: as JSON, or as lines for people.
    pub(crate) fn answer(self, data: &impl Serialize, text: impl FnOnce() -> String) {
        if self.json {
            let json = serde_json::to_string_pretty(data).expect("answers have string keys");
            self.print(&json);
        } else {
            self.print(text().trim_end_matches('\n'));
        }
    }

    /// Prints to stdout. A reader that went away, as `head` does, is no error: what follows is done in silence, so that
    /// temporary folders and locks are given back as ever.
    pub(crate) fn print(self, text: &str) {
        if self.is_unread() {
            return;
        }
        let mut stdout = anstream::stdout().lock();
        if writeln!(stdout, "{text}").and_then(|()| stdout.flush()).is_err() {
            STDOUT_GONE.store(true, Ordering::Relaxed);
        }
    }

    /// Tells whether the reader of stdout went away.
    pub(crate) fn is_unread(self) -> bool {
        STDOUT_GONE.load(Ordering::Relaxed)
    }

    /// Prints a remark for people to stderr; nothing with `--json`.
    pub(crate) fn note(self, text: &str) {
        if !self.json {
            // Nothing can be done about a stderr that is gone.
            let _ = writeln!(anstream::stderr().lock(), "{text}");
        }
    }

    /// Prints why a command failed, and returns how it exits.
    pub(crate) fn fail(self, failure: &Failure) -> ExitCode {
        let text = if self.json {
            serde_json::to_string_pretty(&serde_json::json!({ "error": failure })).expect("string keys")
        } else {
            let message = failure.message.trim_end();
            let error = format!("{} {message}", paint(BAD, "error:"));
            let hint = failure.hint.trim();
            if hint.is_empty() { error } else { format!("{error}\n{} {hint}", paint(NAME, "hint:")) }
        };
        let _ = writeln!(anstream::stderr().lock(), "{text}");
        ExitCode::from(failure.exit)
    }
}
