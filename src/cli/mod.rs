//! Flags and help, and nothing else. Each topic has a file of its own.

mod advisory;
mod attest;
mod blocklist;
mod call;
mod company;
mod license;
mod lock;
mod log;
mod mcp;
mod names;
mod operator;
mod package;
mod receipt;
mod serve;
mod terms;
mod token;
mod wallet;

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use clap::builder::{OsStringValueParser, TypedValueParser as _};
use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;
use glassbox_core::name::{NameError, RemoteRef};

pub(crate) use advisory::*;
pub(crate) use attest::*;
pub(crate) use blocklist::*;
pub(crate) use call::*;
pub(crate) use company::*;
pub(crate) use license::*;
pub(crate) use lock::*;
pub(crate) use log::*;
pub(crate) use mcp::*;
pub(crate) use names::*;
pub(crate) use operator::*;
pub(crate) use package::*;
pub(crate) use receipt::*;
pub(crate) use serve::*;
pub(crate) use terms::*;
pub(crate) use token::*;
pub(crate) use wallet::*;

/// The registry that is asked when nobody names one.
pub(crate) const REGISTRY: &str = "http://127.0.0.1:8402";

const HOME: &str = "GLASSBOX_HOME";

const EXIT_CODES: &str = "\
Exit codes:
  0  done
  1  the answer is no: not found, not verified, refused
  2  an error, or wrong usage
  3  a payment is needed and not allowed

Start with `glassbox demo`.";

/// Open to read, paid when used: publish code as a verified, metered, provable capability
#[derive(Debug, Parser)]
#[command(name = "glassbox", version, after_help = EXIT_CODES, propagate_version = true)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What every command takes.
#[derive(Debug, Clone, Args)]
pub(crate) struct Global {
    /// Print JSON for programs instead of text for people
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// The registry to ask
    #[arg(
        long,
        global = true,
        env = "GLASSBOX_REGISTRY",
        default_value = REGISTRY,
        value_name = "URL"
    )]
    pub(crate) registry: String,
    /// The folder of keys, wallet, policy and receipts [default: ~/.config/glassbox]
    #[arg(
        long,
        global = true,
        env = HOME,
        hide_env_values = true,
        value_parser = OsStringValueParser::new().try_map(home),
        value_name = "DIR"
    )]
    pub(crate) home: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) trust: TrustArgs,
}

/// Reads a home folder. An empty variable means that there is none; an empty flag is a slip that must not end in the
/// usual folder, where other keys lie.
fn home(text: OsString) -> Result<PathBuf, &'static str> {
    if text.is_empty() && std::env::var_os(HOME).as_deref() != Some(OsStr::new("")) {
        return Err("the name of the folder is empty");
    }
    Ok(text.into())
}

/// Reads a package or a release, where one is named with its registry. `@latest` is the newest release, as no version is.
fn remote_ref(text: &str) -> Result<RemoteRef, NameError> {
    text.strip_suffix("@latest").unwrap_or(text).parse()
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Show the whole journey: publish, find, pay, run, prove
    #[command(after_help = "Examples:\n  glassbox demo\n  glassbox demo --exit")]
    Demo(DemoArgs),
    /// Make a new package that checks, tests and publishes at once
    #[command(
        after_help = "Examples:\n  glassbox new hello --lang wat\n  glassbox new slug --lang rust --name acme:slug"
    )]
    New(NewArgs),
    /// Make a new package out of a published one, which gets a share of what it earns
    #[command(after_help = "\
Examples:
  glassbox fork docs:markdown you:markdown
  glassbox fork docs:markdown@1.0.0 you:markdown ./fork --share 1500
  glassbox fork bits:checksum you:checksum --wrapper

Interface and tests come along, source and component where they may be had for nothing.")]
    Fork(ForkArgs),
    /// Check a package without running it
    #[command(after_help = "Examples:\n  glassbox check\n  glassbox check examples/markdown --json")]
    Check(FolderArgs),
    /// Run the tests of a package in the sandbox
    #[command(after_help = "Examples:\n  glassbox test\n  glassbox test examples/markdown --mutants")]
    Test(TestArgs),
    /// Check, test, sign and upload a package
    #[command(after_help = "Examples:\n  glassbox publish\n  glassbox publish examples/markdown --dry-run")]
    Publish(PublishArgs),
    /// Take releases from another registry, as their publishers signed them
    #[command(after_help = "\
Examples:
  glassbox republish registry.example.org/docs:markdown --registry http://127.0.0.1:8402
  glassbox republish registry.example.org/acme:table@1.2.0 --max-price 1

Components are taken where their terms let them be downloaded. Name, terms and payees stay as they are.")]
    Republish(RepublishArgs),
    /// Let a held release go, with a second key of its namespace
    #[command(after_help = "Examples:\n  glassbox confirm acme:slug@1.0.1")]
    Confirm(ConfirmArgs),
    /// Find packages by words, an identifier, or a sentence
    #[command(
        after_help = "Examples:\n  glassbox search convert markdown to html\n  glassbox search crc32 --json"
    )]
    Search(SearchArgs),
    /// Show what a release does, costs and proves
    #[command(
        after_help = "Examples:\n  glassbox info docs:markdown\n  glassbox info docs:markdown@1.0.0 --wit"
    )]
    Info(InfoArgs),
    /// Say what a call can cost at most
    #[command(
        after_help = "Examples:\n  glassbox quote docs:markdown to-html\n  glassbox quote js:semver ranges.sort --fuel 5000000"
    )]
    Quote(QuoteArgs),
    /// Call a function, and pay for it where that is allowed
    #[command(after_help = "\
Examples:
  glassbox call bits:checksum 'crc32([104, 105])'
  glassbox call docs:markdown 'to-html(\"# Hi\", commonmark)' --max-price 0.01

Arguments are written in WAVE, the value notation of the component model.")]
    Call(CallArgs),
    /// Download a component, and pay for it where that is allowed
    #[command(after_help = "\
Examples:
  glassbox download bits:checksum
  glassbox download acme:table@1.2.0 --out table.wasm --max-price 1

What came is checked against its publisher's signature. What your wallet paid for before is free: with --max-price 0
nothing else is.")]
    Download(DownloadArgs),
    /// Run a program, and pay for it where that is allowed
    #[command(after_help = "\
Examples:
  glassbox run acme:sort -- --reverse < names.txt
  glassbox run acme:table --file in.csv=data.csv --out results --max-price 0.01 -- in.csv
  glassbox run ./sort -- --help

The exit code is the program's own, unless Glassbox says `error:`.")]
    Run(RunArgs),
    /// Verify a receipt offline; with --replay, run the call again and compare
    #[command(
        after_help = "Examples:\n  glassbox verify receipt.json\n  glassbox verify receipt.json --replay"
    )]
    Verify(VerifyArgs),
    /// Show, prove and verify what the log of a registry says
    #[command(subcommand)]
    Log(LogCommand),
    /// Copy a registry's log and what it names into a folder, verified, and serve such a copy
    #[command(after_help = "\
Examples:
  glassbox mirror https://registry.example.org --to ./mirror
  glassbox mirror serve ./mirror

Components are copied where their terms let anybody download them. A second run fetches only what is new.")]
    Mirror(MirrorArgs),
    /// Cosign the checkpoints of logs, so that none can show two histories
    #[command(after_help = "\
Examples:
  glassbox witness --data ./witness --log example.org/log+1a2b3c4d+AT…

The key of a registry's log is the `log_key` of its /v1/registry.")]
    Witness(WitnessArgs),
    /// Prove receipts by the log
    #[command(subcommand)]
    Receipt(ReceiptCommand),
    /// Serve a registry
    #[command(
        after_help = "Examples:\n  glassbox serve --data ./registry\n  glassbox serve --data ./registry --listen 127.0.0.1:8500"
    )]
    Serve(ServeArgs),
    /// Serve MCP to an agent on this machine, and pay for its calls within your policy
    #[command(after_help = MCP_EXAMPLES)]
    Mcp(McpArgs),
    /// Show what was spent in a day, beside what may be
    #[command(after_help = "Examples:\n  glassbox spend\n  glassbox spend --day 2026-11-21 --json")]
    Spend(SpendArgs),
    /// Make, fund or move the wallet that pays for calls, and show what it spent
    #[command(subcommand)]
    Wallet(WalletCommand),
    /// Show and change who may do what to the names of a namespace
    #[command(subcommand)]
    Namespace(Box<NamespaceCommand>),
    /// Take a release out of what its bare name means; it still runs under its exact version
    #[command(after_help = "Examples:\n  glassbox yank acme:slug@1.2.0 --reason 'loses accents'")]
    Yank(MarkArgs),
    /// Put a yanked release back
    #[command(after_help = "Examples:\n  glassbox unyank acme:slug@1.2.0 --reason 'it was the caller'")]
    Unyank(MarkArgs),
    /// Change the terms of a release that was published
    #[command(subcommand)]
    Terms(TermsCommand),
    /// Stop a release from running on a registry that you operate, or let it run again
    #[command(
        after_help = "Examples:\n  glassbox quarantine acme:slug@1.2.0 --data ./registry --reason 'sends its input away'\n  glassbox quarantine acme:slug@1.2.0 --data ./registry --lift --reason 'a false alarm'"
    )]
    Quarantine(QuarantineArgs),
    /// Add your signature to a statement that takes several
    #[command(after_help = "\
Examples:
  glassbox sign change.json
  glassbox sign change.json --send

It shows what you sign. A release is sent by `glassbox publish --statement FILE`.")]
    Sign(SignArgs),
    /// Make or show the key that signs releases
    #[command(subcommand)]
    Key(KeyCommand),
    /// Show who earned what
    #[command(after_help = "\
Examples:
  glassbox earnings
  glassbox earnings docs:markdown --json
  glassbox earnings --by day,export,payer
  glassbox earnings --month 2026-10 --receiver acct:ana@example.org --by day,package --csv > october.csv")]
    Earnings(EarningsArgs),
    /// Open the accounts of a company's registry, and their tokens and budgets
    #[command(subcommand)]
    Account(Box<AccountCommand>),
    /// Decide what costs so much that a person has to
    #[command(subcommand)]
    Approvals(ApprovalsCommand),
    /// Show what each cost centre's accounts called and owe, with receipts
    #[command(
        after_help = "Examples:\n  glassbox chargeback --data ./registry\n  glassbox chargeback --month 2026-10 --csv --data ./registry > october.csv"
    )]
    Chargeback(ChargebackArgs),
    /// Buy, show and give back prepaid credit
    #[command(subcommand)]
    Credit(CreditCommand),
    /// Buy, grant and check licences: plans, offers, grants
    #[command(subcommand)]
    License(LicenseCommand),
    /// Give to the payees of a package, or of all that a company used
    #[command(subcommand)]
    Tip(TipCommand),
    /// Pin a release that your project uses, with its component and terms, in glassbox.lock
    #[command(
        after_help = "Examples:\n  glassbox add acme:slug\n  glassbox add acme:charts@6.8.0 --license charts.license.json"
    )]
    Add(AddArgs),
    /// Pin the releases of glassbox.lock anew, under the terms that stand
    #[command(after_help = "Examples:\n  glassbox lock\n  glassbox lock --lock ./agent/glassbox.lock")]
    Lock(LockArgs),
    /// Sign blocklists for those who follow yours
    #[command(subcommand)]
    Blocklist(BlocklistCommand),
    /// Make, narrow, read and take back the tokens that spend credit
    #[command(subcommand)]
    Token(TokenCommand),
    /// Publish, withdraw and list advisories
    #[command(subcommand)]
    Advisory(AdvisoryCommand),
    /// Say how a release was built, or that you built it again, and show what others say
    #[command(subcommand)]
    Attest(AttestCommand),
    /// Check what was kept against itself and against the chain
    #[command(subcommand)]
    Audit(AuditCommand),
    /// Show the transfers of a registry's ledger, in all or of one account
    #[command(
        after_help = "Examples:\n  glassbox statement --data ./registry\n  glassbox statement operator --data ./registry --json\n  glassbox statement --csv --data ./registry > ledger.csv"
    )]
    Statement(StatementArgs),
    /// Pay out what payees and the operator earned for good
    #[command(
        after_help = "Examples:\n  glassbox payout --data ./registry --dry-run\n  glassbox payout --data ./registry --to acct:ana@example.org=0x… --threshold 5"
    )]
    Payout(PayoutArgs),
    /// Give back what was charged for a call, download, licence or tip, from whoever got it
    #[command(
        after_help = "Examples:\n  glassbox refund 7f3a… --reason 'it answered for another address' --data ./registry\n  glassbox refund 7f3a… --total 0.5 --reason 'half of it was late' --data ./registry"
    )]
    Refund(RefundArgs),
    /// Decide how far you know payees, and whose earnings wait
    #[command(subcommand)]
    Payee(PayeeCommand),
    /// Tell an operator what is wrong with a package, and decide what others tell you
    #[command(subcommand)]
    Notice(NoticeCommand),
    /// Run a chain for play money alone, with a node's JSON-RPC and a faucet
    #[command(
        after_help = "Examples:\n  glassbox devnet\n  glassbox devnet --journal chain.journal --listen 127.0.0.1:8545"
    )]
    Devnet(DevnetArgs),
    /// Print the OpenAPI document of the HTTP API
    Openapi,
    /// Print completions for a shell
    #[command(after_help = "Examples:\n  glassbox completions bash > /etc/bash_completion.d/glassbox")]
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Compile one component for a parent process
    #[command(hide = true)]
    SandboxCompile,
    /// Run guests for a parent process
    #[command(hide = true)]
    SandboxExecute,
}
