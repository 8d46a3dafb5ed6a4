//! Flags of `glassbox mcp` and `glassbox spend`.

use clap::Args;
use jiff::civil::Date;

use super::PurseArgs;

pub(super) const MCP_EXAMPLES: &str = "\
Examples:
  glassbox mcp --max-price 0.01
  glassbox --registry https://registry.example.com mcp --max-price 0.05 --password-file password.txt

It speaks MCP on standard input and output: your agent's host starts it.
Without --max-price, `call` under [max] in policy.toml is what one call may cost;
without either nothing is paid.";

#[derive(Debug, Args)]
pub(crate) struct McpArgs {
    #[command(flatten)]
    pub(crate) purse: PurseArgs,
}

#[derive(Debug, Args)]
pub(crate) struct SpendArgs {
    /// The UTC day [default: today]
    #[arg(long, value_name = "YYYY-MM-DD")]
    pub(crate) day: Option<Date>,
}
