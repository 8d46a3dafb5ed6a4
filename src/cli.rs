//! Flags and help, and nothing else.

use std::ffi::{OsStr, OsString};
use std::net::SocketAddr;
use std::path::PathBuf;

use clap::builder::{OsStringValueParser, TypedValueParser as _};
use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use glassbox_core::key::PublicKey;
use glassbox_core::name::NameError;
use glassbox_core::{PackageName, PackageRef};
use glassbox_store::Fault;
use jiff::civil::Date;

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
}

/// Reads a home folder. An empty variable means that there is none; an empty flag is a slip that must not end in the
/// usual folder, where other keys lie.
fn home(text: OsString) -> Result<PathBuf, &'static str> {
    if text.is_empty() && std::env::var_os(HOME).as_deref() != Some(OsStr::new("")) {
        return Err("the name of the folder is empty");
    }
    Ok(text.into())
}

fn variable(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("write NAME=VALUE".into()),
    }
}

/// Reads a package or a release. `@latest` is the newest release, as no version is.
fn package_ref(text: &str) -> Result<PackageRef, NameError> {
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
    /// Check a package without running it
    #[command(after_help = "Examples:\n  glassbox check\n  glassbox check examples/markdown --json")]
    Check(FolderArgs),
    /// Run the tests of a package in the sandbox
    #[command(after_help = "Examples:\n  glassbox test\n  glassbox test examples/markdown")]
    Test(FolderArgs),
    /// Check, test, sign and upload a package
    #[command(after_help = "Examples:\n  glassbox publish\n  glassbox publish examples/markdown --dry-run")]
    Publish(PublishArgs),
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
    /// Serve a registry
    #[command(
        after_help = "Examples:\n  glassbox serve --data ./registry\n  glassbox serve --data ./registry --listen 127.0.0.1:8500"
    )]
    Serve(ServeArgs),
    /// Make, fund or move the wallet that pays for calls, and show what it spent
    #[command(subcommand)]
    Wallet(WalletCommand),
    /// Make or show the key that signs releases
    #[command(subcommand)]
    Key(KeyCommand),
    /// Show who earned what
    #[command(after_help = "Examples:\n  glassbox earnings\n  glassbox earnings docs:markdown --json")]
    Earnings(EarningsArgs),
    /// Buy, show, narrow and give back prepaid credit
    #[command(subcommand)]
    Credit(CreditCommand),
    /// Check what was kept against itself and against the chain
    #[command(subcommand)]
    Audit(AuditCommand),
    /// Show the transfers of a registry's ledger, in all or of one account
    #[command(
        after_help = "Examples:\n  glassbox statement --data ./registry\n  glassbox statement operator --data ./registry --json"
    )]
    Statement(StatementArgs),
    /// Pay out what payees and the operator earned for good
    #[command(
        after_help = "Examples:\n  glassbox payout --data ./registry --dry-run\n  glassbox payout --data ./registry --to acct:ana@example.org=0x… --threshold 5"
    )]
    Payout(PayoutArgs),
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

#[derive(Debug, Args)]
pub(crate) struct DemoArgs {
    /// End after the story instead of serving on
    #[arg(long)]
    pub(crate) exit: bool,
    /// Where to listen; port 0 lets the system choose
    #[arg(long, default_value = "127.0.0.1:0", value_name = "ADDRESS")]
    pub(crate) listen: SocketAddr,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Language {
    /// Rust, to wasm32-unknown-unknown
    Rust,
    /// JavaScript, on QuickJS
    Js,
    /// WebAssembly text, by hand
    Wat,
}

#[derive(Debug, Args)]
pub(crate) struct NewArgs {
    /// The folder to make; its last part becomes the package's name
    pub(crate) dir: PathBuf,
    /// The language to write it in
    #[arg(long, value_enum, default_value = "rust")]
    pub(crate) lang: Language,
    /// The full name, `namespace:name` [default: a namespace of your key's own]
    #[arg(long, value_name = "NS:NAME")]
    pub(crate) name: Option<PackageName>,
}

#[derive(Debug, Args)]
pub(crate) struct FolderArgs {
    /// The folder of the package
    #[arg(default_value = ".")]
    pub(crate) dir: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct PublishArgs {
    /// The folder of the package
    #[arg(default_value = ".")]
    pub(crate) dir: PathBuf,
    /// Do everything but upload
    #[arg(long)]
    pub(crate) dry_run: bool,
}

#[derive(Debug, Args)]
pub(crate) struct SearchArgs {
    /// What you need
    #[arg(required = true)]
    pub(crate) words: Vec<String>,
    /// How many results
    #[arg(long, default_value_t = 10)]
    pub(crate) limit: usize,
}

#[derive(Debug, Args)]
pub(crate) struct InfoArgs {
    /// The package or release
    #[arg(value_name = "NS:NAME[@VERSION]", value_parser = package_ref)]
    pub(crate) package: PackageRef,
    /// Print the WIT instead
    #[arg(long)]
    pub(crate) wit: bool,
}

#[derive(Debug, Args)]
pub(crate) struct QuoteArgs {
    /// The package or release
    #[arg(value_name = "NS:NAME[@VERSION]", value_parser = package_ref)]
    pub(crate) package: PackageRef,
    /// The function: `function` or `interface.function`
    pub(crate) function: String,
    /// The fuel ceiling that the quote is for
    #[arg(long)]
    pub(crate) fuel: Option<u64>,
}

#[derive(Debug, Args)]
pub(crate) struct CallArgs {
    /// The package or release
    #[arg(value_name = "NS:NAME[@VERSION]", value_parser = package_ref)]
    pub(crate) package: PackageRef,
    /// The call in WAVE: `function(args)` or `interface.function(args)`
    pub(crate) call: String,
    #[command(flatten)]
    pub(crate) allowance: Allowance,
}

/// What a caller allows a call to cost and to use, and where its receipt goes.
#[derive(Debug, Args)]
pub(crate) struct Allowance {
    #[command(flatten)]
    pub(crate) purse: PurseArgs,
    /// The fuel ceiling
    #[arg(long)]
    pub(crate) fuel: Option<u64>,
    /// Allow only this host interface of those that the release declares, or only HTTP requests to this URL and what
    /// lies below it, such as https://*.example.com/v1/ or "GET https://api.example.com"; may be repeated
    #[arg(long, value_name = "INTERFACE|URL", conflicts_with = "allow_none")]
    pub(crate) allow: Vec<String>,
    /// Allow no host interface
    #[arg(long)]
    pub(crate) allow_none: bool,
    /// Where to keep the receipt [default: receipts/CALL.json in the home folder]
    #[arg(long, value_name = "FILE")]
    pub(crate) receipt: Option<PathBuf>,
}

/// What pays, and how much at most.
#[derive(Debug, Args)]
pub(crate) struct PurseArgs {
    /// The most that it may cost, in dollars; without it, nothing is paid
    #[arg(long, value_name = "DOLLARS")]
    pub(crate) max_price: Option<String>,
    /// Pay with prepaid credit: the token in the home folder, or GLASSBOX_CREDIT
    #[arg(long, conflicts_with = "max_price")]
    pub(crate) credit: bool,
    #[command(flatten)]
    pub(crate) password: PasswordFile,
}

#[derive(Debug, Args)]
pub(crate) struct DownloadArgs {
    /// The package or release
    #[arg(value_name = "NS:NAME[@VERSION]", value_parser = package_ref)]
    pub(crate) package: PackageRef,
    /// Where to write it; `-` is standard output [default: NAME.wasm in this folder, where there is none]
    #[arg(short, long, value_name = "FILE|-")]
    pub(crate) out: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) purse: PurseArgs,
}

/// Where the wallet's password comes from.
#[derive(Debug, Args)]
pub(crate) struct PasswordFile {
    /// The file that holds the wallet's password [default: GLASSBOX_WALLET_PASSWORD, or you are asked]
    #[arg(long = "password-file", value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    /// The package or release, or the folder of a package, which runs on this machine
    #[arg(value_name = "NS:NAME[@VERSION]|DIR", value_parser = program)]
    pub(crate) program: Program,
    /// Show the program this file under a name of its own, such as in.csv=data.csv; may be repeated
    #[arg(long = "file", value_name = "NAME=PATH", value_parser = named_file)]
    pub(crate) files: Vec<(String, PathBuf)>,
    /// Show the program what is in this folder; may be repeated
    #[arg(long = "dir", value_name = "DIR")]
    pub(crate) dirs: Vec<PathBuf>,
    /// Write the files that the program made or changed into this folder
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Let them replace files that are there already
    #[arg(long, requires = "out")]
    pub(crate) force: bool,
    #[command(flatten)]
    pub(crate) allowance: Allowance,
    /// Say on stderr what the run cost, also where that is no terminal
    #[arg(long)]
    pub(crate) summary: bool,
    /// The program's arguments
    #[arg(last = true)]
    pub(crate) args: Vec<String>,
}

/// What `run` runs.
#[derive(Debug, Clone)]
pub(crate) enum Program {
    /// A release, on the registry.
    Release(PackageRef),
    /// The package in a folder, here.
    Folder(PathBuf),
}

/// Reads what to run: the names of packages have a colon, and folders that have one too begin with a dot or a slash.
fn program(text: &str) -> Result<Program, NameError> {
    if text.starts_with(['.', '/']) || !text.contains(':') {
        return Ok(Program::Folder(text.into()));
    }
    package_ref(text).map(Program::Release)
}

fn named_file(text: &str) -> Result<(String, PathBuf), String> {
    match text.split_once('=') {
        Some((name, path)) if !name.is_empty() && !path.is_empty() => Ok((name.to_owned(), path.into())),
        _ => Err("write NAME=PATH".into()),
    }
}

#[derive(Debug, Args)]
pub(crate) struct VerifyArgs {
    /// A receipt file, or the id of a call of yours
    #[arg(value_name = "RECEIPT")]
    pub(crate) receipt: PathBuf,
    /// Run the call again and compare output, fuel and bill
    #[arg(long)]
    pub(crate) replay: bool,
    /// The component to run [default: the registry's, where its terms allow]
    #[arg(long, value_name = "FILE", requires = "replay")]
    pub(crate) component: Option<PathBuf>,
    /// The folder of the files that its release ships [default: the registry's, where its terms allow]
    #[arg(long, value_name = "DIR", requires = "replay")]
    pub(crate) files: Option<PathBuf>,
    /// The executor key to trust [default: the one that the receipt names]
    #[arg(long, value_name = "DID")]
    pub(crate) executor: Option<PublicKey>,
}

#[derive(Debug, Args)]
pub(crate) struct ServeArgs {
    /// The folder that holds everything; made where there is none
    #[arg(long, value_name = "DIR")]
    pub(crate) data: PathBuf,
    /// Where to listen; port 0 lets the system choose
    #[arg(long, default_value = "127.0.0.1:8402", value_name = "ADDRESS")]
    pub(crate) listen: SocketAddr,
    /// Where clients reach this registry [default: the address listened on]
    #[arg(long, value_name = "URL")]
    pub(crate) public_url: Option<String>,
    /// The operator's fee, in basis points of each charge
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u32).range(0..=1500))]
    pub(crate) fee_bps: u32,
    /// Let components use this host interface, or make HTTP requests to this URL and what lies below it, where their
    /// manifests declare it; may be repeated [default: wasi, which is all but HTTP requests]
    #[arg(long, value_name = "INTERFACE|URL")]
    pub(crate) allow: Vec<String>,
    /// Let components use no host interface
    #[arg(long, conflicts_with = "allow")]
    pub(crate) allow_none: bool,
    /// Show components that may read the environment this variable; may be repeated
    #[arg(long, value_name = "NAME=VALUE", value_parser = variable)]
    pub(crate) env: Vec<(String, String)>,
    #[command(flatten)]
    pub(crate) rail: RailArgs,
    /// End the process at a write of the store, for drills: VERB:before or VERB:after
    #[arg(long, hide = true, value_name = "POINT")]
    pub(crate) crash_at: Vec<Fault>,
}

/// Where payments are settled.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Payments [default: the devnet, play money]")]
pub(crate) struct RailArgs {
    /// Settle on the chain behind this node; keys/treasury.json is paid and pays for gas
    #[arg(long, env = "GLASSBOX_RPC", hide_env_values = true, value_name = "URL")]
    pub(crate) rpc: Option<String>,
    /// The chain that the node must have; without it, only known test networks are taken
    #[arg(long, value_name = "ID", requires = "rpc")]
    pub(crate) chain_id: Option<u64>,
    /// The token that is paid in: a dollar with EIP-3009
    #[arg(long, value_name = "ADDRESS", default_value = "0x036CbD53842c5426634e7929541eC2318f3dCF7e")]
    pub(crate) token: String,
    /// The name under which payers sign for the token
    #[arg(long, value_name = "NAME", default_value = "USDC")]
    pub(crate) token_name: String,
    /// The version under which payers sign for the token
    #[arg(long, value_name = "VERSION", default_value = "2")]
    pub(crate) token_version: String,
    /// How many blocks make a transaction final [default: 12, or earlier where the node says so]
    #[arg(long, value_name = "BLOCKS", requires = "rpc")]
    pub(crate) finality: Option<u64>,
    /// Have this facilitator verify and settle; the node is asked where it does not answer
    #[arg(long, value_name = "URL", requires = "rpc")]
    pub(crate) facilitator: Option<String>,
    /// The file with the password of the treasury's wallet [default: GLASSBOX_WALLET_PASSWORD, or you are asked]
    #[arg(long, value_name = "FILE")]
    pub(crate) treasury_password: Option<PathBuf>,
}

impl RailArgs {
    /// The devnet.
    pub(crate) fn devnet() -> Self {
        Self {
            rpc: None,
            chain_id: None,
            token: String::new(),
            token_name: String::new(),
            token_version: String::new(),
            finality: None,
            facilitator: None,
            treasury_password: None,
        }
    }

    /// Returns what people are told about the chain.
    pub(crate) fn label(&self) -> String {
        match self.chain_id {
            Some(chain_id) => format!("chain {chain_id}"),
            None => "a test network".into(),
        }
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum WalletCommand {
    /// Make a wallet, under a password where one is given
    #[command(after_help = "\
Examples:
  glassbox wallet new
  glassbox wallet new --password-file password.txt
  glassbox wallet new --plain

Without a password its key lies in clear, and it pays play money only.")]
    New(NewWallet),
    /// Take over a key: hexadecimal digits, or a keystore of geth, cast or other wallets
    #[command(
        after_help = "Examples:\n  glassbox wallet import ~/.foundry/keystores/agent\n  echo $KEY | glassbox wallet import - --password-file password.txt"
    )]
    Import {
        /// The file with the key; `-` is standard input
        #[arg(value_name = "FILE|-")]
        from: PathBuf,
        #[command(flatten)]
        new: NewWallet,
    },
    /// Write the wallet as a keystore that geth, cast and other wallets read
    #[command(
        after_help = "Examples:\n  glassbox wallet export agent.json\n  glassbox wallet export - > agent.json"
    )]
    Export {
        /// The file to make; `-` is standard output
        #[arg(value_name = "FILE|-")]
        to: PathBuf,
        #[command(flatten)]
        password: PasswordFile,
    },
    /// Show the address and what it has
    Show,
    /// Put the wallet under a password, or under another
    #[command(
        after_help = "Examples:\n  glassbox wallet passwd\n  glassbox wallet passwd --password-file old.txt --new-password-file new.txt"
    )]
    Passwd {
        #[command(flatten)]
        password: PasswordFile,
        /// The file that holds the new password [default: you are asked]
        #[arg(long, value_name = "FILE")]
        new_password_file: Option<PathBuf>,
    },
    /// Show what was spent in a day, beside what may be
    #[command(
        after_help = "Examples:\n  glassbox wallet spending\n  glassbox wallet spending --day 2026-11-21 --json"
    )]
    Spending {
        /// The UTC day [default: today]
        #[arg(long, value_name = "YYYY-MM-DD")]
        day: Option<Date>,
    },
    /// Show the payment channels, and what is left in them
    Channels,
    /// Ask registries for the rest of payment channels back
    #[command(after_help = "\
Examples:
  glassbox wallet close
  glassbox wallet close 0x7d0c…

A registry that does not give it back can be left alone: after the channel's delay, a transaction of your own takes it.")]
    Close {
        /// The channel [default: all of them]
        channel: Option<String>,
        #[command(flatten)]
        password: PasswordFile,
    },
    /// Ask the devnet's faucet for play money
    #[command(after_help = "Examples:\n  glassbox wallet fund\n  glassbox wallet fund 5")]
    Fund {
        /// How much, in dollars
        #[arg(default_value = "10")]
        usd: String,
    },
}

/// How a new wallet is kept.
#[derive(Debug, Args)]
pub(crate) struct NewWallet {
    #[command(flatten)]
    pub(crate) password: PasswordFile,
    /// Keep its key in clear, for play money
    #[arg(long, conflicts_with = "file")]
    pub(crate) plain: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum CreditCommand {
    /// Buy credit with the wallet, and keep the token in the home folder
    #[command(
        after_help = "Examples:\n  glassbox credit buy 5\n  glassbox credit buy 5 --account credit:1f…"
    )]
    Buy {
        /// How much, in dollars
        usd: String,
        /// The account that gets it [default: that of your token, or a new one]
        #[arg(long)]
        account: Option<String>,
        #[command(flatten)]
        password: PasswordFile,
    },
    /// Show what your account has
    Show,
    /// Print a token that may do less than yours: for a program, or for somebody else
    #[command(after_help = "\
Examples:
  glassbox credit narrow --total 1 --calls 100 --package docs:markdown
  glassbox credit narrow --per-call 0.01 --expires 24h

It needs no registry: whoever has a token can narrow it.")]
    Narrow(NarrowArgs),
    /// Take a token back, and every token that was made from it
    Revoke {
        /// The token [default: yours]
        token: Option<String>,
    },
    /// Have credit paid back to an address
    Refund {
        /// How much, in dollars
        usd: String,
        /// The address [default: that of your wallet]
        #[arg(long)]
        to: Option<String>,
    },
    /// Open an account and give it credit, as the operator of a registry
    Grant {
        /// How much, in dollars
        usd: String,
        /// What you call the account
        #[arg(long, default_value = "")]
        label: String,
        #[command(flatten)]
        operator: Operator,
    },
}

#[derive(Debug, Args)]
pub(crate) struct NarrowArgs {
    /// The most that one call may cost, in dollars
    #[arg(long, value_name = "DOLLARS")]
    pub(crate) per_call: Option<String>,
    /// The most that all calls together may cost, in dollars
    #[arg(long, value_name = "DOLLARS")]
    pub(crate) total: Option<String>,
    /// The most calls
    #[arg(long)]
    pub(crate) calls: Option<u64>,
    /// How long it lasts, such as 30m, 24h or 7d
    #[arg(long, value_name = "TIME", value_parser = lifetime)]
    pub(crate) expires: Option<u64>,
    /// A package that may be called; may be repeated
    #[arg(long = "package", value_name = "NS:NAME")]
    pub(crate) packages: Vec<PackageName>,
}

/// Reads a time such as `24h` as seconds.
fn lifetime(text: &str) -> Result<u64, &'static str> {
    let wrong = "write a number and m, h or d, such as 24h";
    let unit = match text.chars().last() {
        Some('m') => 60,
        Some('h') => 3_600,
        Some('d') => 86_400,
        _ => return Err(wrong),
    };
    let number: u64 = text[..text.len() - 1].parse().map_err(|_| wrong)?;
    number.checked_mul(unit).filter(|seconds| *seconds > 0).ok_or(wrong)
}

/// Who operates the registry.
#[derive(Debug, Args)]
pub(crate) struct Operator {
    /// The data folder of the registry, which holds the operator's token [default: GLASSBOX_OPERATOR has the token]
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum AuditCommand {
    /// Replay the ledger of a registry that you operate, and compare it with the chain to the last unit
    #[command(after_help = "Examples:\n  glassbox audit ledger --data ./registry")]
    Ledger(Operator),
}

#[derive(Debug, Args)]
pub(crate) struct StatementArgs {
    /// `payee:ID`, `payer:ADDRESS`, `escrow:CHANNEL`, `rail:ID` or `operator` [default: all]
    pub(crate) account: Option<String>,
    #[command(flatten)]
    pub(crate) operator: Operator,
}

#[derive(Debug, Args)]
pub(crate) struct PayoutArgs {
    /// The address of a payee, or of the operator as `operator`; may be repeated
    #[arg(long, value_name = "PAYEE=ADDRESS", value_parser = payee_address)]
    pub(crate) to: Vec<(String, String)>,
    /// From how much on an account is paid, in dollars
    #[arg(long, default_value = "1", value_name = "DOLLARS")]
    pub(crate) threshold: String,
    /// Say what would be paid, and pay nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    #[command(flatten)]
    pub(crate) operator: Operator,
}

fn payee_address(text: &str) -> Result<(String, String), String> {
    match text.rsplit_once('=') {
        Some((payee, address)) if !payee.is_empty() && !address.is_empty() => {
            Ok((payee.to_owned(), address.to_owned()))
        }
        _ => Err("write PAYEE=ADDRESS".into()),
    }
}

#[derive(Debug, Args)]
pub(crate) struct DevnetArgs {
    /// The file that keeps the chain; without it, it is gone with the process
    #[arg(long, value_name = "FILE")]
    pub(crate) journal: Option<PathBuf>,
    /// Where to listen; port 0 lets the system choose
    #[arg(long, default_value = "127.0.0.1:8545", value_name = "ADDRESS")]
    pub(crate) listen: SocketAddr,
}

#[derive(Debug, Subcommand)]
pub(crate) enum KeyCommand {
    /// Make a key
    New,
    /// Show the public key: your name as a publisher and as a payee
    Show,
}

#[derive(Debug, Args)]
pub(crate) struct EarningsArgs {
    /// One package only
    #[arg(value_name = "NS:NAME")]
    pub(crate) package: Option<PackageName>,
}
