//! The schemes: what each has a payer sign.

pub mod batch;
