//! The routes, by what they are for.

pub(crate) mod advisories;
pub(crate) mod call;
pub(crate) mod company;
pub(crate) mod download;
pub(crate) mod find;
pub(crate) mod implementations;
pub(crate) mod ledger;
pub(crate) mod licenses;
pub(crate) mod log;
pub(crate) mod money;
pub(crate) mod names;
pub(crate) mod operate;
pub(crate) mod operator;
pub(crate) mod publish;
pub(crate) mod receipts;
pub(crate) mod serve;
pub(crate) mod source;
pub(crate) mod supply;
pub(crate) mod witness;
