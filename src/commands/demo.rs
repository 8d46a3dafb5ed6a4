//! `glassbox demo`: the whole journey on a registry of its own, told as a story.
//!
//! Nothing here is staged: the packages are those of `examples/`, the registry listens on loopback, the agent is an
//! ordinary client with a wallet of play money, and every line printed is what came back.

use std::path::Path;
use std::time::{Duration, Instant};

use glassbox_api::{CallBody, CallResponse, EarningsQuery, SearchQuery};
use glassbox_client::{Buyer, Call, Client, Trust};
use glassbox_core::files::Files;
use glassbox_core::key::SecretKey;
use glassbox_core::manifest::{FILE_NAME, Manifest};
use glassbox_core::name::RemoteRef;
use glassbox_core::receipt::{Receipt, Report};
use glassbox_core::split::Receiver;
use glassbox_core::{Atomic, PackageRef};
use glassbox_pay::Wallet;
use glassbox_registry::{Code, Package, PackageFiles, PublishError};
use glassbox_sandbox::Allowed;

use super::call::{TypedCall, show, type_call};
use super::{Context, depend, fork};
use crate::blocklists::Feeds;
use crate::cli::{DemoArgs, ForkArgs, RailArgs, WitnessedArgs};
use crate::embedded::{self, File};
use crate::failure::Failure;
use crate::folder;
use crate::home::Home;
use crate::node::{Node, NodeConfig};
use crate::output::{BAD, DIM, GOOD, HEAD, MONEY, NAME, Output, paint, percent};
use crate::progress::during;
use crate::remote::Remote;
use crate::{sandbox, wallet};

/// What the agent needs done.
const TASK: &str = "render a readme from markdown to html";

/// What it then calls.
const CALL: &str = r##"to-html("# Glassbox\n\nOpen to *read*, paid when **used**.", commonmark)"##;

/// A call that is paid by the fuel it burns.
const FUEL_CALL: &str = r#"max-satisfying(["1.2.0", "1.9.3", "2.0.0"], "^1.2")"#;

/// A call that costs nothing.
const FREE_CALL: &str = "crc32([104, 101, 108, 108, 111])";

/// What somebody makes out of what somebody else published.
struct Derived {
    parent: &'static str,
    name: &'static str,
    wrapper: bool,
    /// What the parent gets; what it asks for when absent.
    share: Option<u32>,
    call: &'static str,
    /// What its manifest says after `glassbox fork` wrote it.
    terms: &'static str,
}

const FORK: Derived = Derived {
    parent: "docs:markdown",
    name: "nell:markdown",
    wrapper: false,
    share: None,
    call: r##"to-html("# Cheaper", commonmark)"##,
    terms: r#"
[[price]]
id = "call"
unit = "call"
amount = "0.001"

[[payee]]
id = "acct:nell@forks.example"
share = 10000

[security]
contact = "nell@forks.example"
support-until = 2029-12-31
"#,
};

const WRAPPER: Derived = Derived {
    parent: "bits:checksum",
    name: "omar:checksum",
    wrapper: true,
    share: Some(2_000),
    call: FREE_CALL,
    terms: r#"
[[price]]
id = "call"
unit = "call"
amount = "0.0005"

[[payee]]
id = "acct:omar@wraps.example"
share = 10000

[security]
contact = "omar@wraps.example"
support-until = 2029-12-31
"#,
};

/// The most that the agent may pay for one call, in atomic units: half a cent.
const BUDGET: Atomic = Atomic(5_000);

/// What the demo's operator keeps of each charge, in basis points.
const FEE_BPS: u32 = 500;

pub(super) async fn run(context: &Context, args: DemoArgs) -> Result<(), Failure> {
    super::serve::log_to_stderr("warn", false);
    let began = Instant::now();
    let folder = tempfile::tempdir().map_err(|error| Failure::error("io", error.to_string(), ""))?;
    let played = play(context, args, folder.path(), began).await;
    clear(folder.path()).await;
    played
}

/// Removes what the demo wrote. The registry may still be writing what it had begun, and a folder that gets a file while it is
/// emptied stays, so this is tried again for a moment.
async fn clear(folder: &Path) {
    for _ in 0..20 {
        let _ = std::fs::remove_dir_all(folder);
        if !folder.exists() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Starts a registry in `folder`, tells the story and goes on serving where nobody wants it to end.
async fn play(context: &Context, args: DemoArgs, folder: &Path, began: Instant) -> Result<(), Failure> {
    let story = Story { output: context.output, json: context.json, chapter: 0 };
    let config = NodeConfig {
        mutants: false,
        company: None,
        rail: RailArgs::devnet(),
        listen: args.listen,
        public_url: None,
        fee_bps: FEE_BPS,
        commons: None,
        oidc: Vec::new(),
        blocklists: Feeds::default(),
        allowed: Allowed::without_network(),
        environment: Vec::new(),
        witnessed: WitnessedArgs::default(),
        faults: Vec::new(),
    };
    let node = Node::open(&folder.join("registry"), config).await?;
    let client = Client::new(&node.url)?;
    let url = node.url.clone();
    let serving = node.spawn();
    let home = Home::new(Some(folder.join("home")))?;
    // The story says itself whom it meets.
    let remote = Remote::new(client, Trust::in_home(home.path(), None), Output::new(true));

    let told = tell(story, &remote, &home).await;
    if let Err(failure) = told {
        serving.stop().await;
        context.output.note(&paint(BAD, "The demo failed."));
        return Err(failure);
    }
    if context.json {
        let answer = serde_json::json!({ "registry": url, "verified": true, "seconds": began.elapsed().as_secs_f32() });
        context.output.answer(&answer, String::new);
    }
    let line = |text: &str| {
        if !context.json {
            context.output.print(text)
        }
    };
    line(&format!("\n{}", paint(DIM, format!("Told in {:.1} s.", began.elapsed().as_secs_f32()))));
    if args.exit || context.output.is_unread() {
        serving.stop().await;
        return Ok(());
    }
    let options = format!("--registry {url} --home {}", folder.join("home").display());
    line(&format!("\nThe registry keeps serving at {}. In another terminal, try:\n", paint(NAME, &url)));
    line(&format!("  cargo run --release -- search markdown --registry {url}"));
    line(&format!(
        "  cargo run --release -- call docs:markdown 'outline(\"# One\")' --max-price 0.01 {options}"
    ));
    line(&format!("  curl {url}/openapi.json"));
    line(&paint(DIM, "\nCtrl-C ends it, and nothing remains."));
    serving.until_interrupted().await
}

/// Prints the story; with `--json` it is silent until its end.
#[derive(Clone, Copy)]
struct Story {
    output: Output,
    json: bool,
    chapter: usize,
}

impl Story {
    fn chapter(&mut self, title: &str) {
        self.chapter += 1;
        let chapter = self.chapter;
        self.line(&format!("\n{}", paint(HEAD, format!("{chapter}. {title}"))));
    }

    fn line(&self, text: &str) {
        if !self.json {
            self.output.print(text);
        }
    }

    fn say(&self, label: &str, text: impl std::fmt::Display) {
        self.line(&format!("   {} {text}", paint(DIM, format!("{label:<9}"))));
    }
}

async fn tell(mut story: Story, remote: &Remote, home: &Home) -> Result<(), Failure> {
    let client = &remote.client;
    let descriptor = client.descriptor().await?;
    story.line(&paint(HEAD, "Glassbox: open to read, paid when used"));
    story.chapter("A registry starts on this machine");
    story.say("address", paint(NAME, client.url()));
    story.say(
        "payments",
        paint(
            MONEY,
            format!("x402 {} on a {}", descriptor.payment.schemes.join(", "), descriptor.payment.label),
        ),
    );
    story.say("receipts", format!("signed by {}", short(&descriptor.executor)));

    story.chapter("Maintainers publish what they built: interface, tests, Wasm, price");
    let (key, _) = home.key_or_new()?;
    for files in embedded::EXAMPLES {
        publish(&story, remote, files, &key).await?;
    }

    story.chapter("An agent needs something done, and searches by task");
    story.say("task", format!("\"{TASK}\""));
    let query = SearchQuery { q: TASK.into(), limit: Some(3), ..SearchQuery::default() };
    let results = client.search(&query).await?.results;
    let first =
        results.first().ok_or_else(|| Failure::no("nothing-found", "the search found nothing", ""))?;
    for result in &results {
        story.say(
            "search",
            format!("{} {}: {}", paint(NAME, &result.package), result.version, result.description),
        );
    }

    story.chapter("It reads before it buys: interface, tests and terms are free");
    let reference: PackageRef = first
        .package
        .parse()
        .map_err(|_| Failure::error("registry-invalid", "a package without a name", ""))?;
    let release = client.release(&reference).await?;
    for function in &release.functions {
        story.say("function", format!("{}  {}", function.signature, paint(MONEY, &function.price)));
    }
    story.say(
        "trust",
        format!(
            "{}, {} tests passed at publish, log entry {}",
            if release.pure { "pure: touches nothing outside" } else { "uses the host" },
            release.tests.passed,
            release.log_index
        ),
    );

    story.chapter("It calls, and is asked to pay");
    let typed = type_call(remote, &reference, CALL).await?;
    let call = prepared(&typed);
    story.say("call", CALL);
    let required = client.payment_required(&call).await?;
    let offer = required.as_ref().and_then(|required| required.accepts.first());
    let offer = offer.ok_or_else(|| Failure::no("payment-required", "the call was free", ""))?;
    let price = offer.amount().map_err(|error| Failure::error("registry-invalid", error, ""))?;
    story.say(
        "402",
        format!(
            "Payment Required: {} by x402 `{}` on {} (a devnet in this process)",
            paint(MONEY, format!("${}", price.to_decimal())),
            offer.scheme,
            offer.network
        ),
    );

    story.chapter("It pays with a wallet of play money, and gets output and receipt");
    let wallet = wallet::random()?;
    wallet::keep_new(home, &wallet, None).await?;
    let address = wallet.address().to_string();
    client.faucet(&address, "1").await?;
    story.say("wallet", format!("{address}, $1 from the devnet's faucet"));
    let buyer = Buyer::new(wallet.clone(), BUDGET);
    let response = client.call_with(&call, Some(&buyer)).await?;
    let receipt = outcome(&story, &typed, &response)?;

    story.chapter("Nobody has to believe the receipt: run the call again and compare");
    let sandbox = sandbox::temporary()?;
    let component = client.component(&reference).await?;
    let code = Code { component: &component, files: None, dependencies: &[] };
    let (mut report, _) = response.receipt.verify(Some(&receipt.executor));
    story.line("   offline, from the receipt alone");
    checks(&story, &report, 0);
    let offline = report.checks.len();
    glassbox_registry::replay(&sandbox, &response.receipt, &receipt, code, &mut report).await;
    story.line("   by running the component again");
    checks(&story, &report, offline);
    if !report.holds() {
        return Err(Failure::no("not-verified", "the receipt does not hold", ""));
    }
    story.say("verdict", paint(GOOD, "verified by re-execution"));

    story.chapter("Another price: by the work done, and no more than was done is taken");
    let typed = type_call(remote, &package("js:semver")?, FUEL_CALL).await?;
    offered(&story, client, &typed).await?;
    story.say("call", FUEL_CALL);
    let required = client.payment_required(&prepared(&typed)).await?;
    if let Some(offer) = required.as_ref().and_then(|required| required.accepts.first()) {
        let ceiling = offer.amount().map_err(|error| Failure::error("registry-invalid", error, ""))?;
        let ceiling = paint(MONEY, format!("${}", ceiling.to_decimal()));
        story.say("402", format!("Payment Required: at most {ceiling}, for all the fuel that it may burn"));
    }
    let response = client.call_with(&prepared(&typed), Some(&buyer)).await?;
    outcome(&story, &typed, &response)?;

    story.chapter("And what is free needs no wallet");
    let typed = type_call(remote, &package("bits:checksum")?, FREE_CALL).await?;
    offered(&story, client, &typed).await?;
    story.say("call", format!("{FREE_CALL}  {}", paint(DIM, "(the bytes of \"hello\")")));
    let response = client.call_with(&prepared(&typed), None).await?;
    outcome(&story, &typed, &response)?;

    story.chapter("Others build on it: one forks, one wraps, and both pay what they built on");
    derive(&story, remote, home, &buyer, &FORK).await?;
    derive(&story, remote, home, &buyer, &WRAPPER).await?;

    story.chapter("Who earned what");
    earned(&story, client, &wallet).await
}

/// Forks or wraps a package, gives it a price, publishes it under a key of its own, and has the agent call it.
async fn derive(
    story: &Story,
    remote: &Remote,
    home: &Home,
    buyer: &Buyer,
    derived: &Derived,
) -> Result<(), Failure> {
    let Derived { parent, name, wrapper, share, call, terms } = *derived;
    let reference = package(name)?;
    let folder = home.path().join(reference.package.namespace());
    let args = ForkArgs {
        package: RemoteRef { registry: None, reference: package(parent)? },
        name: reference.package.clone(),
        dir: None,
        share,
        wrapper,
    };
    let made = fork::make(remote, &args, &folder).await?;
    let flag = if wrapper { " --wrapper" } else { "" };
    let asked = share.map(|share| format!(" --share {share}")).unwrap_or_default();
    story.say("runs", format!("glassbox fork {parent} {name}{flag}{asked}"));
    let what = if wrapper { "imports it and passes each call on" } else { "its code, for half the price" };
    story.say("gets", format!("{what}; {} of what it earns is for {parent}", percent(made.share)));

    let path = folder.join(FILE_NAME);
    let written = std::fs::read_to_string(&path).map_err(|error| Failure::io("read", &path, &error))?;
    std::fs::write(&path, written + terms).map_err(|error| Failure::io("write", &path, &error))?;
    let checked = folder::check(&folder).await?;
    let (key, _) = Home::new(Some(folder.join("home")))?.key_or_new()?;
    publish_checked(story, remote, &checked, &key).await?;

    let typed = type_call(remote, &reference, call).await?;
    story.say("call", call);
    let response = remote.client.call_with(&prepared(&typed), Some(buyer)).await?;
    let receipt = outcome(story, &typed, &response)?;
    let root = package(parent)?.package;
    let paid = receipt.split.iter().filter(|share| share.through.as_ref() == Some(&root));
    let paid = paid.filter_map(|share| match &share.to {
        Receiver::Payee(payee) => Some((payee, share.amount)),
        Receiver::Operator => None,
    });
    let paid: Vec<_> = paid.collect();
    if paid.is_empty() {
        let message = format!("{parent} got nothing of what {name} earned");
        return Err(Failure::no("parent-unpaid", message, ""));
    }
    for (payee, amount) in paid {
        let amount = paint(MONEY, format!("${}", amount.to_decimal()));
        story.say("of it", format!("{amount} to {payee}, for {parent}"));
    }
    Ok(())
}

async fn publish(story: &Story, remote: &Remote, files: &[File], key: &SecretKey) -> Result<(), Failure> {
    let files = package_of(files)?;
    let package = tokio::task::spawn_blocking(move || Package::check(files));
    let package = package.await.map_err(|_| PublishError::Worker)??;
    publish_checked(story, remote, &package, key).await
}

async fn publish_checked(
    story: &Story,
    remote: &Remote,
    package: &Package,
    key: &SecretKey,
) -> Result<(), Failure> {
    let mut release = package.statement();
    release.dependencies = depend::pins(remote, package).await?;
    let upload = super::publish::upload(remote, package, release.sign(key));
    let published = during("compiling and testing", upload).await?;
    let listing = package.listing();
    let price = price_of(listing.functions.iter().map(|function| function.price.as_str()));
    story.say(
        "published",
        format!(
            "{}  {} tests passed, {}, {}",
            paint(NAME, &published.release),
            published.tests.passed,
            size(listing.component_bytes),
            paint(MONEY, price),
        ),
    );
    Ok(())
}

/// Says what the functions of a package cost: the one price, or the lowest of several.
fn price_of<'a>(prices: impl Iterator<Item = &'a str>) -> String {
    let amount = |price: &str| -> f64 {
        let digits = price.strip_prefix('$').and_then(|price| price.split(' ').next());
        digits.and_then(|digits| digits.parse().ok()).unwrap_or(0.0)
    };
    let mut prices: Vec<&str> = prices.collect();
    prices.sort_by(|a, b| amount(a).total_cmp(&amount(b)));
    prices.dedup();
    match prices.as_slice() {
        [] => "free".into(),
        [price] => (*price).to_owned(),
        [price, ..] => format!("from {price}"),
    }
}

/// Writes a size in KiB, with a decimal where that says more.
fn size(bytes: usize) -> String {
    if bytes < 10 * 1024 {
        format!("{:.1} KiB", bytes as f64 / 1024.0)
    } else {
        format!("{} KiB", (bytes + 512) / 1024)
    }
}

/// Shortens digests and keys to what tells them apart on a screen: `sha256:4684b458…94bb`.
fn short(text: &str) -> String {
    let words = text.split(' ').map(|word| {
        let head = ["sha256:", "did:key:"].iter().find(|prefix| word.starts_with(**prefix))?.len() + 8;
        let tail = word.len().checked_sub(4).filter(|tail| word.is_ascii() && head < *tail)?;
        Some(format!("{}…{}", &word[..head], &word[tail..]))
    });
    let words: Vec<String> =
        words.zip(text.split(' ')).map(|(short, word)| short.unwrap_or_else(|| word.to_owned())).collect();
    words.join(" ")
}

/// Names the package of a call, and what the function costs.
async fn offered(story: &Story, client: &Client, typed: &TypedCall) -> Result<(), Failure> {
    let release = client.release(&typed.release).await?;
    let function = release.functions.iter().find(|function| function.name == typed.function);
    let price = function.map_or("free", |function| function.price.as_str());
    let name = paint(NAME, &typed.release.package);
    story.say("package", format!("{name}, {}", paint(MONEY, price)));
    Ok(())
}

/// Puts an embedded package together as its folder would be read.
fn package_of(files: &[File]) -> Result<PackageFiles, Failure> {
    let text = |path: &str| {
        let bytes = files.iter().find(|(name, _)| *name == path).map(|(_, bytes)| *bytes);
        bytes.and_then(|bytes| std::str::from_utf8(bytes).ok()).map(str::to_owned)
    };
    let below = |folder: &str| {
        let inside = files.iter().filter_map(|(path, bytes)| {
            Some((path.strip_prefix(folder)?.trim_start_matches('/').to_owned(), bytes.to_vec()))
        });
        Files::new(inside).map_err(PublishError::from)
    };
    let missing = || Failure::error("internal", "an embedded example is incomplete", "");
    let text = text("glassbox.toml").ok_or_else(missing)?;
    let manifest = Manifest::parse(&text).map_err(PublishError::from)?;
    let component =
        files.iter().find(|(path, _)| *path == manifest.component.path).ok_or_else(missing)?.1.to_vec();
    let document = |(_, path): (&str, &str)| {
        let found = files.iter().find(|(name, _)| *name == path);
        found.map(|(_, bytes)| (path.to_owned(), bytes.to_vec())).ok_or_else(missing)
    };
    let documents = manifest.documents().map(document).collect::<Result<Vec<_>, _>>()?;
    Ok(PackageFiles {
        documents: Files::new(documents).map_err(PublishError::from)?,
        wit: below("wit")?,
        tests: below("tests")?,
        component,
        editions: Default::default(),
        files: manifest
            .component
            .files
            .as_ref()
            .map(|folder| below(folder.trim_end_matches('/')))
            .transpose()?,
        source: manifest.source.as_ref().map(|_| below("src")).transpose()?,
        manifest: text,
    })
}

fn prepared(typed: &TypedCall) -> Call<'_> {
    let body = CallBody { args: typed.args.clone(), ..CallBody::default() };
    Call { release: &typed.release, function: &typed.function, body }
}

/// Prints what a call gave, and returns its receipt once that holds.
fn outcome(story: &Story, typed: &TypedCall, response: &CallResponse) -> Result<Receipt, Failure> {
    let (report, receipt) = response.receipt.verify(None);
    let (Some(receipt), Some(level)) = (receipt, report.level()) else {
        return Err(Failure::no("receipt-invalid", "the receipt does not hold", ""));
    };
    if let Some(payment) = &receipt.payment {
        story.say(
            "payment",
            format!(
                "settled {} in transaction {}…",
                paint(MONEY, format!("${}", payment.amount.to_decimal())),
                payment.transaction.chars().take(18).collect::<String>()
            ),
        );
    }
    story.say("output", paint(GOOD, show(&typed.ty, response)));
    story.say("fuel", response.fuel_used);
    let charged =
        if response.charged.amount == "0" { "nothing".into() } else { format!("${}", response.charged.usd) };
    let back = receipt.payment.as_ref().filter(|payment| payment.refund > Atomic::ZERO);
    let back =
        back.map(|payment| format!(", ${} paid back", payment.refund.to_decimal())).unwrap_or_default();
    story.say("charge", format!("{}{back}", paint(MONEY, charged)));
    story.say(
        "receipt",
        format!(
            "{} {}, level {level}",
            response.call,
            if receipt.payment.is_some() { "kept by the registry" } else { "kept by you alone" },
        ),
    );
    Ok(receipt)
}

/// Prints the checks of a report from the `first` on.
fn checks(story: &Story, report: &Report, first: usize) {
    for check in report.checks.iter().skip(first) {
        let mark = if check.holds { paint(GOOD, "✓") } else { paint(BAD, "✗") };
        let detail: String = short(&check.detail).chars().take(84).collect();
        story.say("", format!("{mark} {:<13} {}", check.name, paint(DIM, detail)));
    }
}

async fn earned(story: &Story, client: &Client, wallet: &Wallet) -> Result<(), Failure> {
    let mut response = client.earnings(&EarningsQuery::default()).await?;
    for row in response.earnings.iter_mut().filter(|row| row.receiver == "operator") {
        row.receiver = format!("operator ({} fee)", percent(FEE_BPS));
    }
    for line in super::earnings::describe(&response).lines() {
        story.line(&format!("   {line}"));
    }
    let balance = client.balance(&wallet.address().to_string()).await?;
    story.line(&format!("   {}", paint(DIM, format!("The agent has ${} left.", balance.balance.usd))));
    Ok(())
}

fn package(name: &str) -> Result<PackageRef, Failure> {
    name.parse().map_err(|_| Failure::error("name-invalid", format!("`{name}` is not a package"), ""))
}
