//! The buyer's side of a registry: find, quote, pay, call, publish. For the command line and for other programs.
//!
//! A [`Buyer`] is a wallet and what it may spend. What it may not spend, it does not sign.
//!
//! ```no_run
//! # async fn example() -> Result<(), glassbox_client::ClientError> {
//! use glassbox_client::{Buyer, Client, Policy, Spending};
//! use glassbox_core::Atomic;
//! use glassbox_pay::Wallet;
//!
//! let wallet = Wallet::random()?;
//! // No call above a cent; a dollar a day, over all processes that use the folder.
//! let policy = Policy::parse("max.day = '1'").expect("a policy");
//! let buyer = Buyer::new(wallet, Atomic::from_decimal("0.01").expect("dollars"))
//!     .with_policy(policy)
//!     .with_spending(Spending::open("spending".as_ref()));
//!
//! let client = Client::new("http://127.0.0.1:8402")?;
//! client.faucet(&buyer.address().to_string(), "1").await?;
//! let release = "docs:markdown@1.0.0".parse().expect("a release");
//! let args = serde_json::json!(["# Hi", "commonmark"]);
//! let reply = client.call(&release, "to-html", args, Some(&buyer)).await?;
//! println!("{} for {}", reply.output, reply.charged.usd);
//! # Ok(())
//! # }
//! ```

mod bind;
mod buyer;
pub mod channels;
mod company;
mod download;
mod error;
mod fetch;
mod http;
mod license;
pub mod mirror;
pub mod monitor;
mod node;
mod operator;
mod pay;
pub mod policy;
mod proof;
pub mod spending;
pub mod trust;
mod whole;
mod witness;

pub use bind::check_reply;
pub use buyer::Buyer;
pub use channels::{Channel, Channels};
pub use download::Downloaded;
pub use error::ClientError;
pub use fetch::fetch;
pub use http::{ActPath, Client};
pub use pay::Call;
pub use policy::Policy;
pub use spending::Spending;
pub use trust::Trust;
pub use witness::{WitnessAnswer, WitnessClient};
