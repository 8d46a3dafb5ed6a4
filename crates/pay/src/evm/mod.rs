//! What is said to contracts on an EVM network.

pub(crate) mod abi;
pub mod addresses;
pub(crate) mod calls;
pub(crate) mod reverts;

pub use abi::read_number;
pub use calls::{allowance, finalize_withdraw, initiate_withdraw, permits_used};
