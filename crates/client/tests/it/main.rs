//! What this crate promises, tested through its public door.
#![expect(clippy::unwrap_used, reason = "a test may end by panicking")]

mod spending;
