//! Placeholder while the corpus is first run.
