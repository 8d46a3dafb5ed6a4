//! What is said to contracts on an EVM network.

pub mod addresses;
