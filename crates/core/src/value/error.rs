//! Why a value was refused, and where in it.

use std::fmt;

use super::Type;
use crate::limits;

/// Says why a value could not be read, written or accepted as a value of its type.
///
/// `path` says where: `args.options.width`, `args.rows[3]`, or `value` for the whole.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ValueError {
    /// Something else than the type asks for.
    #[error("`{path}`: expected {expected}, found {found}")]
    Mismatch {
        /// Where.
        path: String,
        /// What the type asks for.
        expected: String,
        /// What is there.
        found: String,
    },
    /// A name that the type does not have.
    #[error("`{path}`: unknown name `{name}`; expected {expected}")]
    Unknown {
        /// Where.
        path: String,
        /// The name.
        name: String,
        /// The names that there are.
        expected: String,
    },
    /// A field or parameter that was left out.
    #[error("`{path}`: missing `{name}`, which is {expected}")]
    Missing {
        /// Where.
        path: String,
        /// The name.
        name: String,
        /// Its type.
        expected: String,
    },
    /// One name or key twice.
    #[error("`{path}`: `{name}` is given twice")]
    Duplicate {
        /// Where.
        path: String,
        /// The name.
        name: String,
    },
    /// Nested too deep.
    #[error("`{path}`: nested deeper than {} levels", limits::VALUE_DEPTH_MAX)]
    TooDeep {
        /// Where.
        path: String,
    },
    /// Too many parts.
    #[error("`{path}`: more than {} values", limits::VALUE_NODES_MAX)]
    TooMany {
        /// Where the count ran over.
        path: String,
    },
    /// Text that is not WAVE.
    #[error("not valid WAVE at byte {offset}: {reason}")]
    Wave {
        /// The offset in the text, in bytes.
        offset: usize,
        /// What the parser says.
        reason: String,
    },
    /// A type that has no WAVE notation.
    #[error("`{path}`: a {what} has no WAVE notation")]
    NoWave {
        /// Where.
        path: String,
        /// The kind of type.
        what: &'static str,
    },
    /// Bytes that are not the canonical encoding of a value of the type.
    #[error("`{path}`: not the canonical encoding at byte {offset}: {reason}")]
    Encoding {
        /// Where in the value.
        path: String,
        /// Where in the bytes.
        offset: usize,
        /// What is wrong.
        reason: &'static str,
    },
}

/// Where a walk through a value stands, and what it may still visit.
///
/// Every conversion walks with one of these, so that the limits hold in all of them and every error has a path.
pub(super) struct Walk<'a> {
    root: &'static str,
    steps: Vec<Step<'a>>,
    nodes: usize,
}

#[derive(Clone, Copy)]
enum Step<'a> {
    Name(&'a str),
    Index(usize),
}

impl<'a> Walk<'a> {
    pub(super) fn new(root: &'static str) -> Self {
        Self { root, steps: Vec::new(), nodes: 0 }
    }

    /// Counts one visited value.
    pub(super) fn node(&mut self) -> Result<(), ValueError> {
        self.nodes += 1;
        if self.nodes <= limits::VALUE_NODES_MAX {
            Ok(())
        } else {
            Err(ValueError::TooMany { path: self.path() })
        }
    }

    /// Runs `visit` one level deeper, at the field, parameter, case or flag `name`.
    pub(super) fn name<T>(
        &mut self,
        name: &'a str,
        visit: impl FnOnce(&mut Self) -> Result<T, ValueError>,
    ) -> Result<T, ValueError> {
        self.step(Step::Name(name), visit)
    }

    /// Runs `visit` one level deeper, at the element `index`.
    pub(super) fn index<T>(
        &mut self,
        index: usize,
        visit: impl FnOnce(&mut Self) -> Result<T, ValueError>,
    ) -> Result<T, ValueError> {
        self.step(Step::Index(index), visit)
    }

    fn step<T>(
        &mut self,
        step: Step<'a>,
        visit: impl FnOnce(&mut Self) -> Result<T, ValueError>,
    ) -> Result<T, ValueError> {
        if self.steps.len() >= limits::VALUE_DEPTH_MAX {
            return Err(ValueError::TooDeep { path: self.path() });
        }
        self.steps.push(step);
        let result = visit(self);
        self.steps.pop();
        result
    }

    /// Returns where the walk stands.
    pub(super) fn path(&self) -> String {
        let mut path = self.root.to_owned();
        for step in &self.steps {
            match step {
                Step::Name(name) => {
                    path.push('.');
                    path.push_str(name);
                }
                Step::Index(index) => path.push_str(&format!("[{index}]")),
            }
        }
        path
    }

    /// Returns the error for finding `found` where a `ty` belongs.
    pub(super) fn mismatch(&self, ty: &Type, found: impl fmt::Display) -> ValueError {
        self.mismatch_with(clip(&ty.to_string()), found)
    }

    /// Returns the error for finding `found` where `expected` belongs.
    pub(super) fn mismatch_with(&self, expected: impl Into<String>, found: impl fmt::Display) -> ValueError {
        ValueError::Mismatch { path: self.path(), expected: expected.into(), found: clip(&found.to_string()) }
    }

    /// Returns the error for a `name` that is none of `names`.
    pub(super) fn unknown<'n>(&self, name: &str, names: impl IntoIterator<Item = &'n str>) -> ValueError {
        let names: Vec<_> = names.into_iter().map(|name| format!("`{name}`")).collect();
        let expected = match names.len() {
            0 => "no name at all".to_owned(),
            1 => names.concat(),
            _ => format!("one of {}", names.join(", ")),
        };
        ValueError::Unknown { path: self.path(), name: clip(name), expected: clip(&expected) }
    }

    /// Returns the error for leaving out `name` of type `ty`.
    pub(super) fn missing(&self, name: &str, ty: &Type) -> ValueError {
        ValueError::Missing { path: self.path(), name: name.to_owned(), expected: clip(&ty.to_string()) }
    }

    /// Returns the error for giving `name` twice.
    pub(super) fn duplicate(&self, name: &str) -> ValueError {
        ValueError::Duplicate { path: self.path(), name: clip(name) }
    }
}

/// Shortens what others wrote, so that an error never carries a whole payload.
fn clip(text: &str) -> String {
    const CHARS_MAX: usize = 200;
    match text.char_indices().nth(CHARS_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
