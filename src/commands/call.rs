//! `glassbox quote` and `glassbox call`.

use std::path::PathBuf;
use std::pin::Pin;

use glassbox_api::{AdvisoryNote, CallBody, CallResponse, QuoteLine, QuoteResponse};
use glassbox_client::trust::LoggedRelease;
use glassbox_client::{Call, Client};
use glassbox_core::key::PublicKey;
use glassbox_core::receipt::Receipt;
use glassbox_core::release::Release;
use glassbox_core::tree::Linked;
use glassbox_core::value::{FunctionType, json, wave};
use glassbox_core::{Atomic, Hashed, PackageRef};
use glassbox_sandbox::{Function, Spec};

use super::Context;
use super::purse::Purse;
use crate::cli::{Allowance, CallArgs, QuoteArgs};
use crate::failure::Failure;
use crate::keep::Folder;
use crate::output::{BAD, DIM, GOOD, MONEY, NAME, paint};
use crate::progress::during;
use crate::receipts;
use crate::remote::Remote;

pub(super) async fn quote(context: &Context, args: &QuoteArgs) -> Result<(), Failure> {
    let client = context.remote(args.package.registry.as_deref())?.client;
    let reference = &args.package.reference;
    let quote = during("asking", client.quote(reference, &args.function, args.fuel)).await?;
    context.output.answer(&quote, || describe_quote(&quote));
    Ok(())
}

fn describe_quote(quote: &QuoteResponse) -> String {
    let head = format!("{} of {}", paint(NAME, &quote.function), quote.release);
    if quote.lines.is_empty() {
        return format!("{head} is {}", paint(GOOD, "free"));
    }
    let mut lines = vec![format!("{head} costs at most {}", paint(MONEY, format!("${}", quote.max.usd)))];
    for line in &quote.lines {
        let of = line.dependency.as_ref().map(|release| format!(" of {release}")).unwrap_or_default();
        let QuoteLine { price, quantity, unit, max, .. } = line;
        lines.push(format!("  {price}{of}: at most {quantity} {unit} = ${}", max.usd));
    }
    lines.push(paint(DIM, format!("  terms {}", quote.terms)));
    lines.join("\n")
}

pub(super) async fn run(context: &Context, args: &CallArgs) -> Result<(), Failure> {
    let caller = Caller::new(context, &args.allowance, args.package.registry.as_deref())?;
    let (mut reference, mut function) = (args.package.reference.clone(), None);
    if let Some(choice) = args.choose {
        let (named, _) = wave::call_from_wave(&args.call).map_err(|error| {
            Failure::no("arguments-invalid", error.to_string(), "write it like 'function(\"text\", 1)'")
        })?;
        let body = CallBody {
            choose: Some(choice.to_string()),
            untested: args.untested,
            fuel: args.allowance.fuel,
            grants: args.allowance.grants(),
            ..CallBody::default()
        };
        let choosing = caller.remote().client.choose(&reference, &named, &body);
        let chosen = during("choosing", choosing).await?;
        context
            .output
            .note(&format!("{} of {}: {}: {}", chosen.choice, chosen.among, chosen.release, chosen.why));
        for left_out in &chosen.left_out {
            context.output.note(&format!("not {}: {}", left_out.release, left_out.rule));
        }
        reference = chosen.release.parse().map_err(anyhow::Error::from)?;
        function = Some(chosen.function);
    }
    let reading = type_call_of(caller.remote(), &reference, function.as_deref(), &args.call);
    let typed = during("reading the interface", reading).await?;
    let made = caller.call(&typed).await?;
    // What was paid for is printed before anything else can go wrong.
    context.output.answer(&made.response, || show(&typed.ty, &made.response));
    context.output.note(&made.keep()?);
    caller.check_log(&made).await
}

/// Makes calls within what the command line allows.
pub(super) struct Caller<'a> {
    context: &'a Context,
    allowance: &'a Allowance,
    purse: Purse<'a>,
}

/// A call that was made. Its receipt holds, and is not kept yet.
pub(super) struct Made {
    pub(super) response: CallResponse,
    receipt: Receipt,
    /// Where the registry has it too, where it was paid.
    url: String,
    folder: Folder,
    path: PathBuf,
}

impl<'a> Caller<'a> {
    pub(super) fn new(
        context: &'a Context,
        allowance: &'a Allowance,
        registry: Option<&str>,
    ) -> Result<Self, Failure> {
        Ok(Self { context, allowance, purse: Purse::new(context, &allowance.purse, registry)? })
    }

    pub(super) fn remote(&self) -> &Remote {
        &self.purse.remote
    }

    /// Makes a call, pays where that is allowed, and checks the receipt.
    pub(super) async fn call(&self, typed: &TypedCall) -> Result<Made, Failure> {
        let Self { context, allowance, purse } = self;
        let client = &purse.remote.client;
        let buyer = purse.buyer().await?;
        // Everything that could fail without the registry fails before it is paid.
        let executor = executor(client).await?;
        let folder = match &allowance.receipt {
            Some(path) => Folder::of(path, "the receipt")?,
            None => Folder::of(&context.home()?.receipt_path("call"), "the receipt")?,
        };
        let body = CallBody {
            args: typed.args.clone(),
            fuel: allowance.fuel,
            grants: allowance.grants(),
            ..CallBody::default()
        };
        let call = Call { release: &typed.release, function: &typed.function, body };
        let response = during("calling", client.call_with(&call, buyer.as_ref())).await?;
        let receipt = glassbox_client::check_reply(&call, &typed.ty, &response, &executor)?;
        check_release(&purse.remote, &typed.logged, &receipt).await?;
        for advisory in &response.advisories {
            context.output.note(&format!("{} {}", paint(BAD, "warning:"), warning(advisory)));
        }
        let path = match &allowance.receipt {
            Some(path) => path.clone(),
            None => context.home()?.receipt_path(&receipt.call),
        };
        let url = format!("{}/v1/receipts/{}", client.url(), receipt.call);
        Ok(Made { response, receipt, url, folder, path })
    }
}

impl Caller<'_> {
    /// Checks that the executor saw the log that everybody sees. The call is made and its receipt kept by then.
    pub(super) async fn check_log(&self, made: &Made) -> Result<(), Failure> {
        let Remote { client, trust, .. } = &self.purse.remote;
        during("checking the log", trust.seen_by_executor(client, &made.receipt.checkpoint)).await?;
        Ok(())
    }
}

impl Made {
    /// Keeps the receipt, and says in a line what the call cost and where that is.
    pub(super) fn keep(&self) -> Result<String, Failure> {
        let Self { response, receipt, path, .. } = self;
        let charged = if receipt.charge.amount == Atomic::ZERO {
            "free".to_owned()
        } else {
            format!("${}", receipt.charge.amount.to_decimal())
        };
        let text = receipts::to_text(&response.receipt);
        if let Err(error) = self.folder.keep(path, text.as_bytes()) {
            let hint = match &receipt.payment {
                Some(_) => format!("the registry keeps it: curl {}", self.url),
                None => "call again: it was free".to_owned(),
            };
            let message = format!(
                "the call was made ({charged}), and its receipt is not kept at `{}`: {error}",
                path.display()
            );
            return Err(Failure::error("io", message, hint));
        }
        let (mark, fuel_used) = (paint(GOOD, "✓"), response.fuel_used);
        let notice = response.notice.as_ref().map(|notice| format!("\nnote: {notice}")).unwrap_or_default();
        let imported = receipt.charge.lines.iter().filter_map(|line| {
            let (amount, dependency) = (line.amount.to_decimal(), line.dependency.as_ref()?);
            Some(format!("\n  ${amount} of it for {dependency}"))
        });
        let imported: String = imported.collect();
        Ok(format!("{mark} {charged}, {fuel_used} fuel, receipt {}{imported}{notice}", path.display()))
    }
}

/// Writes what is known to be wrong with a release, in a line.
pub(super) fn warning(advisory: &AdvisoryNote) -> String {
    let part = advisory.part.as_ref().map(|part| format!(" (in {part})")).unwrap_or_default();
    let fixed = match advisory.fixed.as_slice() {
        [] => String::new(),
        fixed => format!("; fixed in {}", fixed.join(", ")),
    };
    format!("{}: {}{part}{fixed}", advisory.id, advisory.summary)
}

/// Asks the registry for the key that signs its receipts.
pub(super) async fn executor(client: &Client) -> Result<PublicKey, Failure> {
    let executor = client.descriptor().await?.executor;
    executor
        .parse()
        .map_err(|_| Failure::error("registry-invalid", "the registry's executor key is not a key", ""))
}

/// A call written in WAVE, as the HTTP API takes it.
pub(super) struct TypedCall {
    pub(super) release: PackageRef,
    pub(super) function: String,
    pub(super) ty: Hashed<FunctionType>,
    pub(super) args: serde_json::Value,
    /// What the release's publisher signed, as the log has it.
    pub(super) logged: LoggedRelease,
}

/// Checks that what ran, and what the bill follows from, is what the log has.
pub(super) async fn check_release(
    remote: &Remote,
    logged: &LoggedRelease,
    receipt: &Receipt,
) -> Result<(), Failure> {
    let Release { release: id, files, dependencies, .. } = &logged.release;
    let component = logged.release.component_of(&receipt.function);
    if (receipt.component, receipt.files) == (component, *files)
        && receipt.links(dependencies)
        && are_logged(remote, &receipt.dependencies).await?
    {
        if receipt.terms == logged.terms {
            return Ok(());
        }
        // They may have been changed since the release was looked up. Then they are no dearer, or this says so.
        let exact = PackageRef { package: id.package.clone(), version: Some(id.version.clone()) };
        if remote.trust.resolve(&remote.client, &exact).await?.1.terms == receipt.terms {
            return Ok(());
        }
    }
    let message = "the receipt does not prove this answer: what ran is not the release that the log has";
    Err(Failure::no("receipt-invalid", message, "do not rely on this answer; tell the operator"))
}

/// Tells whether dependencies were linked to what their own publishers pinned: by the terms of that they charge.
fn are_logged<'a>(
    remote: &'a Remote,
    linked: &'a [Linked],
) -> Pin<Box<dyn Future<Output = Result<bool, Failure>> + Send + 'a>> {
    Box::pin(async move {
        for Linked { release, dependencies, .. } in linked.iter().filter(|one| !one.dependencies.is_empty()) {
            let exact =
                PackageRef { package: release.package.clone(), version: Some(release.version.clone()) };
            let pins = remote.trust.resolve(&remote.client, &exact).await?.1.release.dependencies;
            if !Linked::are_pinned(dependencies, &pins) || !are_logged(remote, dependencies).await? {
                return Ok(false);
            }
        }
        Ok(true)
    })
}

/// Reads a call by the interface that the registry publishes, so that a mistake is found before anything is sent.
pub(super) async fn type_call(
    remote: &Remote,
    reference: &PackageRef,
    call: &str,
) -> Result<TypedCall, Failure> {
    type_call_of(remote, reference, None, call).await
}

/// The same of a certain function, whatever the text calls it: what it was chosen by may mean several there.
async fn type_call_of(
    remote: &Remote,
    reference: &PackageRef,
    function: Option<&str>,
    call: &str,
) -> Result<TypedCall, Failure> {
    let invalid = |detail: String, hint: String| Failure::no("arguments-invalid", detail, hint);
    let (name, args) = wave::call_from_wave(call).map_err(|error| {
        invalid(error.to_string(), "write it like 'function(\"text\", 1)', in quotes for the shell".into())
    })?;
    let (release, spec, logged) = interface(remote, reference).await?;
    let name = function.unwrap_or(&name);
    let function = spec.function(name).ok_or_else(|| {
        let names: Vec<String> = spec.functions().iter().map(|function| function.name.short()).collect();
        let message = format!("there is no function `{name}`");
        Failure::no("function-not-found", message, format!("there are {}", names.join(", ")))
    })?;
    let hint = format!("the signature is {}", function.signature);
    let values = wave::args_from_wave(&function.ty, &args)
        .map_err(|error| invalid(error.to_string(), hint.clone()))?;
    let args = json::args_to_json(&function.ty, &values).map_err(|error| invalid(error.to_string(), hint))?;
    Ok(TypedCall { release, function: called(&spec, function), ty: function.ty.clone(), args, logged })
}

/// Returns what a function is called by: its short name, unless that means several.
pub(super) fn called(spec: &Spec, function: &Function) -> String {
    let short = function.name.short();
    if spec.function(&short).is_some() { short } else { function.name.to_string() }
}

/// Reads the interface that the registry publishes, which must be what the log says. The version is fixed from here on:
/// what was read is what is called.
pub(super) async fn interface(
    remote: &Remote,
    reference: &PackageRef,
) -> Result<(PackageRef, Spec, LoggedRelease), Failure> {
    let (page, logged) = remote.resolve(reference).await?;
    let id = logged.release.release.clone();
    let exact = PackageRef { package: id.package, version: Some(id.version) };
    let files = remote.client.signed_files(&exact, "wit", logged.release.wit).await?;
    let text =
        |(path, bytes): (&str, &[u8])| Some((path.to_owned(), String::from_utf8(bytes.to_vec()).ok()?));
    let texts: Vec<(String, String)> = files.iter().filter_map(text).collect();
    let spec = Spec::parse(&texts, Some(&page.world))
        .map_err(|error| Failure::error("wit-invalid", error.to_string(), "the registry's WIT is damaged"))?;
    Ok((exact, spec, logged))
}

/// Writes what the function returned in WAVE.
pub(super) fn show(ty: &FunctionType, response: &CallResponse) -> String {
    let Some(result) = &ty.result else { return String::new() };
    json::from_json(&response.output, result)
        .and_then(|value| wave::to_wave(&value, result))
        .unwrap_or_else(|_| response.output.to_string())
}
