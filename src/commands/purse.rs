//! What pays, as the command line allows it.

use glassbox_client::Buyer;
use glassbox_core::Atomic;

use super::{Context, token};
use crate::cli::PurseArgs;
use crate::failure::Failure;
use crate::remote::Remote;
use crate::wallet;

/// A client of the registry, and how much of which money it may spend.
pub(super) struct Purse<'a> {
    context: &'a Context,
    args: &'a PurseArgs,
    amount_max: Option<Atomic>,
    /// Shows the token where credit pays.
    pub(super) remote: Remote,
}

impl<'a> Purse<'a> {
    pub(super) fn new(
        context: &'a Context,
        args: &'a PurseArgs,
        registry: Option<&str>,
    ) -> Result<Self, Failure> {
        let amount_max = args.max_price.as_deref().map(Atomic::from_decimal).transpose();
        let amount_max = amount_max.map_err(|error| {
            Failure::error("amount-invalid", error.to_string(), "write dollars, such as --max-price 0.01")
        })?;
        let mut remote = context.remote(registry)?;
        if args.credit {
            remote.client = token::paying(context, remote.client)?;
        }
        Ok(Self { context, args, amount_max, remote })
    }

    /// Returns the same purse, which pays at most `amount_max` where the command line does not say.
    pub(super) fn or_at_most(self, amount_max: Option<Atomic>) -> Self {
        Self { amount_max: self.amount_max.or(amount_max), ..self }
    }

    /// Opens the wallet, within the policy of the home folder; `None` where it may pay nothing.
    pub(super) async fn buyer(&self) -> Result<Option<Buyer>, Failure> {
        let Some(amount_max) = self.amount_max else { return Ok(None) };
        let home = self.context.home()?;
        let wallet::Opened { wallet, password } =
            wallet::open(&home, self.args.password.file.as_deref()).await?;
        let buyer = Buyer::open(home.path(), wallet, amount_max)?;
        if password.is_none() && buyer.policy().allows_real_money() {
            let message = "the wallet's key lies in clear, and the policy allows other than play money";
            return Err(Failure::payment(
                "wallet-plain",
                message,
                "put it under a password: `glassbox wallet passwd`",
            ));
        }
        Ok(Some(buyer))
    }
}
