//! The buyer's side of a registry: find, quote, pay, call, publish. For the command line and for other programs.
//!
//! ```no_run
//! # async fn example() -> Result<(), glassbox_client::ClientError> {
//! use glassbox_client::{Budget, Client};
//! use glassbox_pay::Wallet;
//!
//! let client = Client::new("http://127.0.0.1:8402")?;
//! let wallet = Wallet::from_hex(&std::env::var("WALLET").unwrap_or_default())?;
//! let budget = Budget { wallet: &wallet, amount_max: "2000".parse().expect("digits") };
//! let release = "docs:markdown@1.0.0".parse().expect("a release");
//! let args = serde_json::json!(["# Hi", "commonmark"]);
//! let reply = client.call(&release, "to-html", args, Some(budget)).await?;
//! println!("{} for {}", reply.output, reply.charged.usd);
//! # Ok(())
//! # }
//! ```

mod bind;
mod error;
mod http;
mod pay;

pub use bind::check_reply;
pub use error::ClientError;
pub use http::Client;
pub use pay::{Budget, Call};
