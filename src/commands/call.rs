//! `glassbox quote` and `glassbox call`.

use std::fs;
use std::path::Path;

use glassbox_api::{CallBody, CallResponse, QuoteResponse};
use glassbox_client::{Budget, Call, Client};
use glassbox_core::receipt::Bundle;
use glassbox_core::value::{FunctionType, json, wave};
use glassbox_core::{Atomic, PackageRef};
use glassbox_sandbox::Spec;

use super::Context;
use crate::cli::{CallArgs, QuoteArgs};
use crate::failure::Failure;
use crate::output::{DIM, GOOD, MONEY, NAME, paint};
use crate::progress::during;

pub(super) async fn quote(context: &Context, args: &QuoteArgs) -> Result<(), Failure> {
    let client = context.client()?;
    let quote = during("asking", client.quote(&args.package, &args.function, args.fuel)).await?;
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
        lines.push(format!("  {}: at most {} {} = ${}", line.price, line.quantity, line.unit, line.max.usd));
    }
    lines.push(paint(DIM, format!("  terms {}", quote.terms)));
    lines.join("\n")
}

pub(super) async fn run(context: &Context, args: &CallArgs) -> Result<(), Failure> {
    let amount_max = args.max_price.as_deref().map(Atomic::from_decimal).transpose().map_err(|error| {
        Failure::error("amount-invalid", error.to_string(), "write dollars, such as --max-price 0.01")
    })?;
    let client = context.client()?;
    let typed = during("reading the interface", type_call(&client, &args.package, &args.call)).await?;
    let wallet = amount_max.map(|_| context.home()?.wallet()).transpose()?;
    let budget = wallet.as_ref().zip(amount_max).map(|(wallet, amount_max)| Budget { wallet, amount_max });
    let body = CallBody { args: typed.args, fuel: args.fuel, nonce: None };
    let call = Call { release: &typed.release, function: &typed.function, body };
    let response = during("calling", client.call_with(&call, budget)).await?;
    check_receipt(&client, &response).await?;
    let kept = match &args.receipt {
        Some(path) => path.clone(),
        None => context.home()?.receipt_path(&response.call),
    };
    keep(&kept, &response.receipt)?;
    context.output.answer(&response, || show(&typed.ty, &response));
    let charged =
        if response.charged.amount == "0" { "free".into() } else { format!("${}", response.charged.usd) };
    context.output.note(&format!(
        "{} {charged}, {} fuel, receipt {}",
        paint(GOOD, "✓"),
        response.fuel_used,
        kept.display()
    ));
    Ok(())
}

/// A call written in WAVE, as the HTTP API takes it.
pub(super) struct TypedCall {
    pub(super) release: PackageRef,
    pub(super) function: String,
    pub(super) ty: FunctionType,
    pub(super) args: serde_json::Value,
}

/// Reads a call by the interface that the registry publishes, so that a mistake is found before anything is sent.
pub(super) async fn type_call(
    client: &Client,
    reference: &PackageRef,
    call: &str,
) -> Result<TypedCall, Failure> {
    let invalid = |detail: String, hint: String| Failure::no("arguments-invalid", detail, hint);
    let (name, args) = wave::call_from_wave(call).map_err(|error| {
        invalid(error.to_string(), "write it like 'function(\"text\", 1)', in quotes for the shell".into())
    })?;
    let release = client.release(reference).await?;
    let files = client.files(reference, "wit").await?;
    let texts: Vec<(String, String)> =
        files.files.into_iter().filter_map(|file| Some((file.path, file.text?))).collect();
    let spec = Spec::parse(&texts, Some(&release.world))
        .map_err(|error| Failure::error("wit-invalid", error.to_string(), "the registry's WIT is damaged"))?;
    let function = spec.function(&name).ok_or_else(|| {
        let names: Vec<String> = spec.functions().iter().map(|function| function.name.short()).collect();
        let message = format!("there is no function `{name}`");
        Failure::no("function-not-found", message, format!("there are {}", names.join(", ")))
    })?;
    let hint = format!("the signature is {}", function.signature);
    let values = wave::args_from_wave(&function.ty, &args)
        .map_err(|error| invalid(error.to_string(), hint.clone()))?;
    let args = json::args_to_json(&function.ty, &values).map_err(|error| invalid(error.to_string(), hint))?;
    // The version is fixed from here on: the interface that was read is the one that is called.
    let release = release
        .release
        .parse()
        .map_err(|_| Failure::error("registry-invalid", "a release without a name", ""))?;
    Ok(TypedCall { release, function: function.name.short(), ty: function.ty.clone(), args })
}

/// Refuses an answer whose receipt does not hold, or is not by the registry that was asked.
async fn check_receipt(client: &Client, response: &CallResponse) -> Result<(), Failure> {
    let descriptor = client.descriptor().await?;
    let executor = descriptor
        .executor
        .parse()
        .map_err(|_| Failure::error("registry-invalid", "the registry's executor key is not a key", ""))?;
    let (report, _) = response.receipt.verify(Some(&executor));
    match report.checks.iter().find(|check| !check.holds) {
        None => Ok(()),
        Some(check) => {
            let message = format!("the receipt does not hold: {}: {}", check.name, check.detail);
            Err(Failure::no("receipt-invalid", message, "do not trust this answer; tell the operator"))
        }
    }
}

/// Writes what the function returned in WAVE.
pub(super) fn show(ty: &FunctionType, response: &CallResponse) -> String {
    let Some(result) = &ty.result else { return String::new() };
    json::from_json(&response.output, result)
        .and_then(|value| wave::to_wave(&value, result))
        .unwrap_or_else(|_| response.output.to_string())
}

fn keep(path: &Path, bundle: &Bundle) -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(bundle).expect("a bundle has string keys");
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    if let Some(folder) = folder {
        fs::create_dir_all(folder).map_err(|error| Failure::io("make", folder, &error))?;
    }
    fs::write(path, text).map_err(|error| Failure::io("write", path, &error))
}
