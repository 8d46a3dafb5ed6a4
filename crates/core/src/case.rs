//! Test cases: the part of a spec that anybody can run against any implementation.
//!
//! Cases are data, written in WAVE. They are read here; checking them against the WIT and running them is the
//! registry's and the sandbox's part.

use serde::Deserialize;

use crate::limits;

/// One test case of a `tests/*.toml` file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Case {
    /// The file that it stands in.
    pub file: String,
    /// What it shows.
    pub name: String,
    /// The call, in WAVE: `to-html("# Hi", commonmark)`.
    pub call: String,
    /// What must come of it.
    pub expect: Expectation,
    /// The most fuel it may burn.
    pub fuel_max: Option<u64>,
}

/// What must come of a case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expectation {
    /// This value, in WAVE.
    Value(String),
    /// A return without a value.
    Nothing,
    /// A failure of the guest.
    Trap,
}

/// Says why a test file was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}: {message}")]
pub struct CaseError {
    /// The file.
    pub file: String,
    /// What is wrong with it.
    pub message: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CaseFile {
    #[serde(default)]
    case: Vec<CaseText>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct CaseText {
    name: String,
    call: String,
    expect: Option<String>,
    #[serde(default)]
    trap: bool,
    max_fuel: Option<u64>,
}

/// Reads the cases of one file.
pub fn parse(file: &str, text: &str) -> Result<Vec<Case>, CaseError> {
    let error = |message: String| CaseError { file: file.to_owned(), message };
    let cases: CaseFile = toml::from_str(text).map_err(|e| error(e.to_string().trim_end().to_owned()))?;
    if cases.case.len() > limits::TEST_CASES_MAX {
        return Err(error(format!("more than {} cases", limits::TEST_CASES_MAX)));
    }
    let read = |case: CaseText| {
        let expect = match (case.expect, case.trap) {
            (Some(_), true) => {
                return Err(error(format!("case `{}` has both `expect` and `trap`; keep one", case.name)));
            }
            (Some(value), false) => Expectation::Value(value),
            (None, true) => Expectation::Trap,
            (None, false) => Expectation::Nothing,
        };
        Ok(Case { file: file.to_owned(), name: case.name, call: case.call, expect, fuel_max: case.max_fuel })
    };
    cases.case.into_iter().map(read).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_cases() {
        let text = "[[case]]\nname = 'a'\ncall = 'f(1)'\nexpect = '2'\nmax-fuel = 9\n[[case]]\nname='b'\ncall='f(0)'\ntrap=true";
        let cases = parse("tests/a.toml", text).expect("valid");
        assert_eq!(cases[0].expect, Expectation::Value("2".into()));
        assert_eq!((cases[0].fuel_max, &cases[1].expect), (Some(9), &Expectation::Trap));
        for bad in [
            "x",
            "[[case]]\nname='a'",
            "[[case]]\nname='a'\ncall='f()'\nexpct='1'",
            "[[case]]\nname='a'\ncall='f()'\nexpect='1'\ntrap=true",
        ] {
            assert!(parse("t", bad).is_err(), "{bad}");
        }
    }
}
