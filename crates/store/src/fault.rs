//! Faults on demand: every write can be made to fail before it happened, after it happened, or to end the process.
//!
//! For tests and drills. The store's promises are only worth what such tests show.

use std::sync::Mutex;

/// When a fault strikes, relative to the commit of a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// The write does not happen.
    Before,
    /// The write has happened, and the caller hears that it failed.
    After,
}

/// One fault: strikes the next write of this name, once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The verb of the store, such as `post_call`.
    pub verb: String,
    /// When it strikes.
    pub moment: Moment,
    /// Whether the process ends at once, as with `kill -9`, rather than the call returning an error.
    pub abort: bool,
}

impl std::str::FromStr for Fault {
    type Err = String;

    /// Reads `verb:before` or `verb:after`; such a fault ends the process.
    fn from_str(text: &str) -> Result<Self, String> {
        let (verb, moment) = match text.split_once(':') {
            Some((verb, "before")) => (verb, Moment::Before),
            Some((verb, "after")) => (verb, Moment::After),
            _ => return Err(format!("`{text}` is not `verb:before` or `verb:after`")),
        };
        Ok(Self { verb: verb.into(), moment, abort: true })
    }
}

/// The faults that still wait.
#[derive(Debug, Default)]
pub(crate) struct Faults(Mutex<Vec<Fault>>);

impl Faults {
    pub(crate) fn add(&self, fault: Fault) {
        self.0.lock().expect("no holder of this lock panics").push(fault);
    }

    pub(crate) fn waiting(&self) -> usize {
        self.0.lock().expect("no holder of this lock panics").len()
    }

    /// Returns true when a fault strikes here; does not return at all when it ends the process.
    pub(crate) fn strike(&self, verb: &str, moment: Moment) -> bool {
        let mut waiting = self.0.lock().expect("no holder of this lock panics");
        let Some(index) = waiting.iter().position(|fault| fault.verb == verb && fault.moment == moment)
        else {
            return false;
        };
        if waiting.remove(index).abort {
            // No destructor, no flush: what a power cut leaves is what the next start must cope with.
            std::process::abort();
        }
        true
    }
}
