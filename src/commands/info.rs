//! `glassbox info`: what a release does, costs and proves.

use glassbox_api::{AuthorshipResponse, ReleaseResponse};

use super::Context;
use crate::cli::InfoArgs;
use crate::failure::Failure;
use crate::output::{BAD, DIM, GOOD, HEAD, MONEY, NAME, count, paint, percent};
use crate::progress::during;

pub(super) async fn run(context: &Context, args: &InfoArgs) -> Result<(), Failure> {
    let client = context.remote(args.package.registry.as_deref())?.client;
    let reference = &args.package.reference;
    if args.wit {
        let files = during("reading", client.files(reference, "wit")).await?;
        context.output.answer(&files, || {
            files.files.iter().filter_map(|file| file.text.clone()).collect::<Vec<_>>().join("\n")
        });
        return Ok(());
    }
    if args.sbom {
        let sbom = during("reading", client.sbom(reference)).await?;
        context.output.answer(&sbom, || describe_sbom(&sbom));
        return Ok(());
    }
    let release = during("reading", client.release(reference)).await?;
    context.output.answer(&release, || describe(&release));
    Ok(())
}

/// Lists the parts of a CycloneDX document, a line each.
fn describe_sbom(sbom: &serde_json::Value) -> String {
    let text = |value: &serde_json::Value, name: &str| value[name].as_str().unwrap_or_default().to_owned();
    let list = |value: &serde_json::Value| value.as_array().cloned().unwrap_or_default();
    let part = |part: &serde_json::Value| {
        let source = part.get("purl").map_or("elsewhere", |_| "cargo");
        let build = if part["scope"] == "excluded" { ", for the build alone" } else { "" };
        format!(
            "{} {}  {}",
            text(part, "name"),
            text(part, "version"),
            paint(DIM, format!("{source}{build}"))
        )
    };
    let tool = |tool: &serde_json::Value| format!("built by {}", text(tool, "value"));
    let mut lines: Vec<String> = list(&sbom["components"]).iter().map(part).collect();
    lines.extend(list(&sbom["metadata"]["component"]["properties"]).iter().map(tool));
    if lines.is_empty() {
        lines.push("its toolchain left nothing behind; Rust does with `cargo auditable build`".into());
    }
    lines.join("\n")
}

fn describe(release: &ReleaseResponse) -> String {
    let mut lines = vec![
        format!("{}  {}", paint(NAME, &release.release), release.description),
        String::new(),
        paint(HEAD, "Functions"),
    ];
    for function in &release.functions {
        lines.push(format!("  {}", function.signature));
        for line in function.docs.lines() {
            lines.push(format!("      {}", paint(DIM, line)));
        }
        let price = function.not_callable.as_ref().unwrap_or(&function.price);
        lines.push(format!("      {}", paint(MONEY, price)));
    }
    let touches = match (release.pure, release.inert_imports.len()) {
        (true, _) if !release.grants.is_empty() => {
            format!(
                "{}: uses {}, and every call can be re-executed",
                paint(GOOD, "pure"),
                release.grants.join(", ")
            )
        }
        (true, 0) => format!("{}: no imports, every call can be re-executed", paint(GOOD, "pure")),
        (true, inert) => {
            let inert = count(inert as u64, "inert import");
            format!("{}: {inert} of its toolchain would refuse when called", paint(GOOD, "pure"))
        }
        (false, _) => format!("uses {}", release.grants.join(", ")),
    };
    let bytes = match (&release.download_price, release.download) {
        (Some(price), _) => format!("may be downloaded for {}", paint(MONEY, format!("${}", price.usd))),
        (None, true) => "may be downloaded".to_owned(),
        (None, false) => "runs on the registry only".to_owned(),
    };
    let files = release.files.as_ref().map(|files| {
        let count = count(files.count as u64, "file");
        format!("  files      {} ({count}, {} bytes)", files.digest, files.size_bytes)
    });
    for advisory in &release.advisories {
        lines.push(String::new());
        lines.push(format!("{} {}", paint(HEAD, "Advisory"), super::call::warning(advisory)));
    }
    if let Some(held) = &release.held {
        lines.push(String::new());
        lines.push(format!("{} until {}: {}", paint(HEAD, "Held"), held.until, held.reasons.join("; ")));
    }
    let tests = &release.tests;
    lines.extend([
        String::new(),
        paint(HEAD, "Facts"),
        format!("  touches    {touches}"),
        format!("  tests      {} passed, at most {} fuel", tests.passed, tests.fuel_max),
        format!("  component  {} ({} bytes, {bytes})", release.component, release.component_bytes),
    ]);
    lines.extend(tests.strength.iter().map(|strength| format!("  strength   its tests {strength}")));
    lines.extend(files);
    lines.extend(release.derived_from.iter().map(|parent| {
        let share = paint(MONEY, percent(parent.share));
        format!("  derives    from {}, which gets {share} of what it earns", parent.release)
    }));
    lines.extend(release.same_code_as.iter().map(|first| {
        let said = if first.declared { "" } else { ", which it does not say" };
        format!("  code       the same as {} had before{said}", first.release)
    }));
    lines.extend([
        format!("  fuel       at most {} a call", release.fuel_max),
        match &release.license_change {
            Some(later) => {
                format!("  licence    {}; {} from {} on", release.license, later.license, later.from)
            }
            None => format!("  licence    {}", release.license),
        },
        format!(
            "  authors    {}",
            if release.authors.is_empty() { "not said".into() } else { release.authors.join(", ") }
        ),
        format!("  made by    {}", describe_authorship(&release.authorship)),
        format!("  publisher  {}", release.publisher),
        format!("  log entry  {}, published {}", release.log_index, release.published_at),
    ]);
    if let [.., newest] = release.terms_changes[..] {
        lines.push(format!("  terms      made cheaper, last by log entry {newest}"));
    }
    let marks = [("yanked", &release.yanked), ("quarantined", &release.quarantined)];
    for (name, mark) in marks {
        if let Some(mark) = mark.as_ref().filter(|mark| mark.set) {
            lines.push(format!("  {}  {}", paint(BAD, format!("{name:<9}")), mark.reason));
        }
    }
    lines.join("\n")
}

fn describe_authorship(authorship: &AuthorshipResponse) -> String {
    let mut text = authorship.by.clone();
    if let Some(agent) = &authorship.agent {
        let model = authorship.model.as_ref().map(|model| format!(" ({model})")).unwrap_or_default();
        text.push_str(&format!(", with {agent}{model}"));
    }
    if !authorship.reviewed_by.is_empty() {
        text.push_str(&format!(", reviewed by {}", authorship.reviewed_by.join(", ")));
    }
    match authorship.basis.as_deref() {
        Some("git-trailers") => text + ", as its commits say",
        Some(_) => text + ", as its publisher says",
        None => text,
    }
}
