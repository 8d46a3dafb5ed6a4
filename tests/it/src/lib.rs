//! Scenarios; see the test binary.
