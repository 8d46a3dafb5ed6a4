//! `glassbox check` and `glassbox test`: what the registry would say, at home.

use glassbox_core::Digest;
use glassbox_registry::{Listing, Package, Strength, TestReport, strength, testing};
use serde::Serialize;

use super::{Context, depend};
use crate::cli::{FolderArgs, TestArgs};
use crate::failure::Failure;
use crate::folder;
use crate::output::{BAD, DIM, GOOD, MONEY, NAME, count, paint};
use crate::progress::during;
use crate::sandbox;

#[derive(Serialize)]
struct Checked {
    release: String,
    component: Digest,
    pure: bool,
    cases: usize,
    #[serde(flatten)]
    listing: Listing,
}

pub(super) async fn check(context: &Context, args: &FolderArgs) -> Result<(), Failure> {
    let package = during("checking", folder::check(&args.dir)).await?;
    let listing = package.listing();
    let answer = Checked {
        release: package.manifest.release().to_string(),
        component: Digest::of(&package.files.component),
        pure: listing.is_pure(),
        cases: package.cases.len(),
        listing,
    };
    context.output.answer(&answer, || describe(&answer));
    Ok(())
}

fn describe(checked: &Checked) -> String {
    let yes = paint(GOOD, "✓");
    let listing = &checked.listing;
    let mut lines = vec![
        format!("{yes} manifest   {}", paint(NAME, &checked.release)),
        format!(
            "{yes} interface  world {}, {}",
            listing.world,
            count(listing.functions.len() as u64, "function")
        ),
    ];
    for function in &listing.functions {
        lines.push(format!("             {}  {}", function.signature, paint(MONEY, &function.price)));
    }
    lines.push(format!("{yes} component  {} bytes, {}", listing.component_bytes, checked.component));
    if let Some(price) = &listing.download_price {
        lines.push(format!("{yes} download   {}", paint(MONEY, price)));
    }
    if let Some(files) = &listing.files {
        let count = count(files.count as u64, "file");
        lines.push(format!("{yes} files      {count}, {} bytes, {}", files.size_bytes, files.digest));
    }
    lines.push(match (checked.pure, listing.inert_imports.len()) {
        (true, _) if !listing.grants.is_empty() => {
            format!("{yes} imports    pure; granted: {}", listing.grants.join(", "))
        }
        (true, 0) => format!("{yes} imports    none: pure"),
        (true, inert) => {
            let inert = count(inert as u64, "inert import");
            format!("{yes} imports    pure; {inert} of its toolchain would refuse when called")
        }
        (false, _) => format!("{yes} imports    granted: {}", listing.grants.join(", ")),
    });
    let cases = count(checked.cases as u64, "case");
    lines.push(format!("{yes} tests      {cases} written for the interface"));
    lines.join("\n")
}

/// What the tests showed, and what they notice.
#[derive(Serialize)]
struct Tested {
    #[serde(flatten)]
    report: TestReport,
    #[serde(skip_serializing_if = "Option::is_none")]
    strength: Option<Strength>,
}

pub(super) async fn test(context: &Context, args: &TestArgs) -> Result<(), Failure> {
    let package = during("checking", folder::check(&args.folder.dir)).await?;
    let sandbox = sandbox::temporary()?;
    let dependencies = depend::links(context, &sandbox, &package).await?;
    let testing = testing::run(&sandbox, &package, dependencies.clone());
    let report = during("compiling and testing", testing).await?;
    let strength = match args.mutants && report.holds() {
        true => {
            let trying = strength::measure(&sandbox, &package, dependencies, &report);
            Some(during("trying the tests on mutants", trying).await?)
        }
        false => None,
    };
    let tested = Tested { report, strength };
    context.output.answer(&tested, || {
        let strength = tested.strength.iter().map(|strength| format!("\n{strength}"));
        [describe_report(&tested.report)].into_iter().chain(strength).collect::<String>()
    });
    let report = tested.report;
    if report.holds() {
        return Ok(());
    }
    let message = format!("{} of {} test cases failed", report.failed, report.cases.len());
    Err(Failure::no("tests-failed", message, "correct the component or the expectation"))
}

/// Runs the tests of a package in a sandbox of their own, with the dependencies that the registry has.
pub(super) async fn run_tests(context: &Context, package: &Package) -> Result<TestReport, Failure> {
    let sandbox = sandbox::temporary()?;
    let dependencies = depend::links(context, &sandbox, package).await?;
    Ok(during("compiling and testing", testing::run(&sandbox, package, dependencies)).await?)
}

pub(super) fn describe_report(report: &TestReport) -> String {
    let mut lines = Vec::new();
    for case in &report.cases {
        let mark = if case.passed { paint(GOOD, "✓") } else { paint(BAD, "✗") };
        lines.push(format!("{mark} {} {}", case.name, paint(DIM, format!("{} fuel", case.fuel))));
        if let Some(detail) = &case.detail {
            lines.push(format!("    {}", paint(DIM, &case.call)));
            lines.push(format!("    {detail}"));
        }
    }
    let passed = format!("{} passed", report.passed);
    let failed = format!("{} failed", report.failed);
    let style = if report.holds() { GOOD } else { BAD };
    lines.push(format!("{}, at most {} fuel", paint(style, format!("{passed}, {failed}")), report.fuel_max));
    lines.join("\n")
}
