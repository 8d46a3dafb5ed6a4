//! What is said to contracts, and what they answer.

pub(crate) mod abi;
pub mod addresses;
