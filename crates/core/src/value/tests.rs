//! Every notation against every kind of type: generated values, and the vectors of `conformance/value`.

mod generated;
mod refusals;
mod vectors;
