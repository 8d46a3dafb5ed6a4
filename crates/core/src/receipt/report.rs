//! What a verification found.

use std::fmt;

use serde::Serialize;

/// How far a receipt is proved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum Level {
    /// Signed by its executor, and what it says follows from what it says it from.
    L0,
    /// Logged besides: everybody who sees the log sees that the executor stands by it.
    L1,
    /// Run again besides, with the same output and the same fuel.
    L2,
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// What a verification found, check by check.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The checks, in the order they were made.
    pub checks: Vec<Check>,
}

/// One check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// What was checked.
    pub name: String,
    /// The level that it is for.
    pub level: Level,
    /// Whether it holds.
    pub holds: bool,
    /// What was found.
    pub detail: String,
}

impl Report {
    /// Tells whether every check holds. An empty report holds nothing.
    pub fn holds(&self) -> bool {
        !self.checks.is_empty() && self.checks.iter().all(|check| check.holds)
    }

    /// Returns how far the receipt is proved, each level on the one before; nothing where any check fails.
    pub fn level(&self) -> Option<Level> {
        let was_checked = |level: &Level| self.checks.iter().any(|check| check.level == *level);
        let levels = [Level::L0, Level::L1, Level::L2];
        levels.into_iter().take_while(was_checked).last().filter(|_| self.holds())
    }

    /// Adds a check.
    pub fn add(&mut self, level: Level, name: &str, holds: bool, detail: impl Into<String>) {
        self.checks.push(Check { name: name.into(), level, holds, detail: detail.into() });
    }

    /// Adds a check that says what it found, or what is wrong.
    pub fn add_result(&mut self, level: Level, name: &str, found: Result<impl Into<String>, String>) {
        match found {
            Ok(detail) => self.add(level, name, true, detail),
            Err(detail) => self.add(level, name, false, detail),
        }
    }
}
