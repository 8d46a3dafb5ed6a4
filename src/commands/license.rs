//! `glassbox license`.

use std::fs;
use std::path::Path;

use glassbox_api::{LicenseBody, OidcBody};
use glassbox_core::dsse::Envelope;
use glassbox_core::license::{Item, License};
use glassbox_core::{Atomic, Digest, PackageRef};
use jiff::Timestamp;

use super::Context;
use super::purse::Purse;
use super::sign::key;
use crate::cli::{BuyLicenseArgs, GrantLicenseArgs, LicenseCommand, ProveArgs, VerifyLicenseArgs};
use crate::failure::Failure;
use crate::output::{GOOD, paint};
use crate::progress::during;

pub(super) async fn run(context: &Context, command: &LicenseCommand) -> Result<(), Failure> {
    match command {
        LicenseCommand::Buy(args) => buy(context, args).await,
        LicenseCommand::Grant(args) => grant(context, args).await,
        LicenseCommand::Redeem { file } => {
            let license = read(file)?;
            during("handing in", context.client()?.redeem_license(&license)).await?;
            context.output.note(&format!("{} The registry has it.", paint(GOOD, "✓")));
            Ok(())
        }
        LicenseCommand::Prove(args) => prove(context, args).await,
        LicenseCommand::Verify(args) => verify(context, args),
    }
}

async fn buy(context: &Context, args: &BuyLicenseArgs) -> Result<(), Failure> {
    let purse = Purse::new(context, &args.purse, args.package.registry.as_deref())?;
    let buyer = purse.buyer().await?;
    let body =
        LicenseBody { item: args.item.to_string(), units: Some(args.units), licensee: args.licensee.clone() };
    let reference = &args.package.reference;
    let bought = during("buying", purse.remote.client.buy_license(reference, &body, buyer.as_ref())).await?;
    show(context, &bought.license, args.out.as_deref())
}

async fn grant(context: &Context, args: &GrantLicenseArgs) -> Result<(), Failure> {
    let secret = key(context, args.key.as_deref())?;
    let reference =
        PackageRef { package: args.release.package.clone(), version: Some(args.release.version.clone()) };
    let remote = context.remote(None)?;
    let (page, logged, _) = during("reading", remote.resolve(&reference)).await?;
    let following = remote.trust.terms(&remote.client, &logged.release, &page.terms_changes);
    let terms = during("reading", following).await?;
    let until = args.until.as_deref().map(|day| format!("{day}T00:00:00Z").parse::<Timestamp>()).transpose();
    let until = until.map_err(|error| {
        Failure::error("date-invalid", error.to_string(), "write the day like 2027-12-31")
    })?;
    if !terms.more.grant.iter().any(|grant| grant.id == args.grant) {
        let message = format!("the terms of {} have no grant `{}`", args.release, args.grant);
        return Err(Failure::no("license-not-sold", message, "see [[grant]] of its manifest"));
    }
    let license = License {
        id: Digest::from_bytes(glassbox_registry::Env::system().random()).hex()[..32].to_owned(),
        release: args.release.clone(),
        terms: logged.terms,
        component: logged.release.component,
        item: Item::Grant(args.grant.clone()),
        grants: None,
        holder: args.to.clone(),
        licensee: None,
        units: 1,
        from: Timestamp::from_second(Timestamp::now().as_second()).unwrap_or(Timestamp::UNIX_EPOCH),
        until,
        updates_until: None,
        amount: Atomic::ZERO,
        issuer: secret.public(),
    };
    show(context, &license.sign(&secret), None)
}

async fn prove(context: &Context, args: &ProveArgs) -> Result<(), Failure> {
    let path = &args.token_file;
    let token = fs::read_to_string(path).map_err(|error| Failure::io("read", path, &error))?;
    let body = OidcBody {
        release: args.package.reference.to_string(),
        grant: args.grant.clone(),
        holder: args.to.clone(),
        token: token.trim().to_owned(),
    };
    let client = context.remote(args.package.registry.as_deref())?.client;
    let given = during("asking", client.prove_grant(&body)).await?;
    show(context, &given.license, None)
}

fn verify(context: &Context, args: &VerifyLicenseArgs) -> Result<(), Failure> {
    let refused = |message: String| Failure::no("license-refused", message, "ask whoever gave it to you");
    let license = open(&args.file)?;
    license.check_time(Timestamp::now()).map_err(|error| refused(error.to_string()))?;
    if let Some(issuer) = args.issuer.filter(|issuer| *issuer != license.issuer) {
        return Err(refused(format!("it is signed by {}, and not by {issuer}", license.issuer)));
    }
    if let Some(path) = &args.component {
        let bytes = fs::read(path).map_err(|error| Failure::io("read", path, &error))?;
        if Digest::of(bytes) != license.component {
            return Err(refused(format!("it is for {}, which {} is not", license.component, path.display())));
        }
    }
    context.output.answer(&license, || describe(&license));
    Ok(())
}

/// Reads a licence that holds in itself.
pub(super) fn open(path: &Path) -> Result<License, Failure> {
    License::open(&read(path)?)
        .map_err(|error| Failure::no("license-refused", error.to_string(), "ask whoever gave it to you"))
}

fn read(path: &Path) -> Result<Envelope, Failure> {
    let text = fs::read_to_string(path).map_err(|error| Failure::io("read", path, &error))?;
    serde_json::from_str(&text)
        .map_err(|error| Failure::no("license-refused", error.to_string(), "a licence is a DSSE envelope"))
}

/// Writes a licence to a file, or prints it.
fn show(context: &Context, envelope: &Envelope, out: Option<&Path>) -> Result<(), Failure> {
    let json = serde_json::to_string_pretty(envelope)
        .map_err(|error| Failure::error("internal", error.to_string(), ""))?;
    let Some(path) = out else {
        context.output.answer(envelope, || json);
        return Ok(());
    };
    fs::write(path, format!("{json}\n")).map_err(|error| {
        let mut failure = Failure::io("write", path, &error);
        failure.hint = format!("it is yours, so keep it: {json}");
        failure
    })?;
    let license = License::open(envelope).map_err(|error| {
        Failure::error("license-refused", error.to_string(), "ask the registry's operator")
    })?;
    context.output.answer(&license, || format!("{}\n  {}", describe(&license), path.display()));
    Ok(())
}

fn describe(license: &License) -> String {
    let until = license.until.map_or_else(|| "without end".into(), |until| format!("until {until}"));
    let who = license.licensee.as_deref().unwrap_or(&license.holder);
    let mark = paint(GOOD, "✓");
    let License { item, release, units, issuer, .. } = license;
    format!("{mark} {item} of {release} for {who}, {units}, {until}\n  signed by {issuer}")
}
