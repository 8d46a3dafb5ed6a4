//! The commands, a file each: read arguments, call a crate, print.

mod account;
mod advisory;
mod approvals;
mod attest;
mod audit;
mod audit_receipts;
mod blocklist;
mod call;
mod channels;
mod chargeback;
mod confirm;
mod credit;
mod csv;
mod demo;
mod depend;
mod devnet;
mod download;
mod earnings;
mod fork;
mod info;
mod key;
mod license;
mod lock;
mod log;
mod mark;
mod mcp;
mod mirror;
mod namespace;
mod new;
mod notice;
mod package;
mod payee;
mod payout;
mod publish;
mod purse;
mod receipt;
mod refund;
mod republish;
mod run;
mod search;
mod serve;
mod sign;
mod spending;
mod statement;
mod terms;
mod tip;
mod token;
mod verify;
mod wallet;
mod witness;

use std::process::ExitCode;

use clap::CommandFactory as _;
use glassbox_client::Client;

use crate::cli::{AuditCommand, Cli, Command, Global, Operator, REGISTRY, TrustArgs};
use crate::failure::Failure;
use crate::home::Home;
use crate::output::Output;
use crate::remote::{self, Remote};

/// The variable that holds the operator's token.
const OPERATOR: &str = "GLASSBOX_OPERATOR";

/// The variable that holds the token of an account at a company's registry.
const ACCOUNT: &str = "GLASSBOX_ACCOUNT";

/// What every command is given.
pub(crate) struct Context {
    pub(crate) output: Output,
    pub(crate) json: bool,
    global: Global,
}

impl Context {
    /// Returns a client of the usual registry, in the name of an account where the environment has its token.
    pub(crate) fn client(&self) -> Result<Client, Failure> {
        // `GLASSBOX_REGISTRY=""` is how a script unsets it.
        let registry = match self.global.registry.as_str() {
            "" => REGISTRY,
            registry => registry,
        };
        let client = Client::new(registry)?;
        Ok(match variable(ACCOUNT) {
            Some(token) => client.with_token(&token),
            None => client,
        })
    }

    /// Returns a client that shows the token of an account, which must be there.
    pub(crate) fn own_account(&self) -> Result<Client, Failure> {
        match variable(ACCOUNT) {
            Some(_) => self.client(),
            None => {
                let hint = format!("set {ACCOUNT} to the token that whoever operates the registry gave you");
                Err(Failure::error("token-not-found", "there is no token of an account", hint))
            }
        }
    }

    /// Returns a client that shows the operator's token where one is named, and else that of an account.
    pub(crate) fn deciding(&self, operator: &Operator) -> Result<Client, Failure> {
        match operator.data.is_some() || variable(OPERATOR).is_some() {
            true => self.operating(operator),
            false => self.own_account(),
        }
    }

    /// Returns the registry that a release is named with, or the one that is asked otherwise.
    pub(crate) fn remote(&self, registry: Option<&str>) -> Result<Remote, Failure> {
        let home = self.home()?;
        let client = match registry {
            Some(name) => Client::new(&remote::registry_url(&home, name)?)?,
            None => self.client()?,
        };
        Ok(Remote::new(client, remote::trust(&home, &self.global.trust)?, self.output))
    }

    /// Returns a client that shows the operator's token.
    pub(crate) fn operating(&self, operator: &Operator) -> Result<Client, Failure> {
        let token = match (&operator.data, variable(OPERATOR)) {
            (Some(data), _) => {
                let path = crate::node::operator_path(data);
                let text =
                    std::fs::read_to_string(&path).map_err(|error| Failure::io("read", &path, &error))?;
                text.trim().to_owned()
            }
            (None, Some(token)) => token,
            (None, None) => {
                let hint = format!("name the registry's folder with --data DIR, or set {OPERATOR}");
                return Err(Failure::error("operator-only", "there is no operator's token", hint));
            }
        };
        Ok(self.client()?.with_token(&token))
    }

    /// Returns what the command line says about logs.
    pub(crate) fn trust_args(&self) -> TrustArgs {
        self.global.trust.clone()
    }

    pub(crate) fn home(&self) -> Result<Home, Failure> {
        Home::new(self.global.home.clone().filter(|home| !home.as_os_str().is_empty()))
    }
}

/// Returns what a variable of the environment holds; an empty one is none.
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// Runs a command, and returns how it exits.
pub(crate) async fn run(cli: Cli, output: Output) -> Result<ExitCode, Failure> {
    let context = Context { output, json: cli.global.json, global: cli.global };
    let done = match cli.command {
        Command::Run(args) => return run::run(&context, &args).await,
        Command::Demo(args) => demo::run(&context, args).await,
        Command::New(args) => new::run(&context, &args),
        Command::Fork(args) => fork::run(&context, &args).await,
        Command::Check(args) => package::check(&context, &args).await,
        Command::Test(args) => package::test(&context, &args).await,
        Command::Publish(args) => publish::run(&context, &args).await,
        Command::Republish(args) => republish::run(&context, &args).await,
        Command::Confirm(args) => confirm::run(&context, &args).await,
        Command::Search(args) => search::run(&context, &args).await,
        Command::Info(args) => info::run(&context, &args).await,
        Command::Quote(args) => call::quote(&context, &args).await,
        Command::Call(args) => call::run(&context, &args).await,
        Command::Mcp(args) => mcp::run(&context, &args).await,
        Command::Spend(args) => spending::run(&context, &context.home()?, args.day),
        Command::Download(args) => download::run(&context, &args).await,
        Command::Verify(args) => verify::run(&context, &args).await,
        Command::Log(command) => log::run(&context, &command).await,
        Command::Mirror(args) => mirror::run(&context, args).await,
        Command::Witness(args) => witness::run(&context, args).await,
        Command::Receipt(command) => receipt::run(&context, &command).await,
        Command::Serve(args) => serve::run(&context, args).await,
        Command::Wallet(command) => wallet::run(&context, &command).await,
        Command::Key(command) => key::run(&context, &command),
        Command::Namespace(command) => namespace::run(&context, &command).await,
        Command::Yank(args) => mark::yank(&context, &args, true).await,
        Command::Unyank(args) => mark::yank(&context, &args, false).await,
        Command::Terms(command) => terms::run(&context, &command).await,
        Command::Quarantine(args) => mark::quarantine(&context, &args).await,
        Command::Sign(args) => sign::run(&context, &args).await,
        Command::Earnings(args) => earnings::run(&context, &args).await,
        Command::Account(command) => account::run(&context, &command).await,
        Command::Approvals(command) => approvals::run(&context, &command).await,
        Command::Chargeback(args) => chargeback::run(&context, &args).await,
        Command::Credit(command) => credit::run(&context, &command).await,
        Command::Advisory(command) => advisory::run(&context, &command).await,
        Command::Attest(command) => attest::run(&context, &command).await,
        Command::License(command) => license::run(&context, &command).await,
        Command::Tip(command) => tip::run(&context, &command).await,
        Command::Add(args) => lock::add(&context, &args).await,
        Command::Lock(args) => lock::lock(&context, &args).await,
        Command::Blocklist(command) => blocklist::run(&context, &command),
        Command::Audit(AuditCommand::Licenses(args)) => lock::audit(&context, &args).await,
        Command::Token(command) => token::run(&context, &command).await,
        Command::Audit(AuditCommand::Ledger(operator)) => audit::ledger(&context, &operator).await,
        Command::Audit(AuditCommand::Receipts(args)) => audit_receipts::run(&context, &args).await,
        Command::Statement(args) => statement::run(&context, &args).await,
        Command::Payout(args) => payout::run(&context, &args).await,
        Command::Refund(args) => refund::run(&context, &args).await,
        Command::Payee(command) => payee::run(&context, &command).await,
        Command::Notice(command) => notice::run(&context, &command).await,
        Command::Devnet(args) => devnet::run(&context, &args).await,
        Command::Openapi => {
            let document = glassbox_server::openapi().to_pretty_json().expect("the document has string keys");
            output.print(&document);
            Ok(())
        }
        Command::Completions { shell } => {
            // Into memory first: the generator panics on a stdout that is gone.
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "glassbox", &mut script);
            output.print(String::from_utf8_lossy(&script).trim_end());
            Ok(())
        }
        Command::SandboxCompile | Command::SandboxExecute => unreachable!("`main` has no runtime for it"),
    };
    done.map(|()| ExitCode::SUCCESS)
}
