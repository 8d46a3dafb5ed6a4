//! What a publisher says of a release beside what it does and costs, as the API and its pages show it.

use std::fmt::Write as _;

use glassbox_api::{
    AboutResponse, BountyResponse, BuildResponse, DocumentResponse, EditionResponse, ReleaseResponse,
    SecurityResponse, SourceResponse,
};
use glassbox_core::manifest::{Date, Edition, Operators, Security, is_https};
use glassbox_registry::Live;
use serde::Serialize;

use crate::pages::{plain, playground};

pub(crate) fn about(live: &Live, day: Date) -> AboutResponse {
    let manifest = &live.manifest;
    let document = |(key, path): (&str, &str)| DocumentResponse { key: key.into(), path: path.into() };
    let tips = manifest.tips.as_ref();
    AboutResponse {
        homepage: url(manifest.package.homepage.as_ref()),
        documentation: url(manifest.package.documentation.as_ref()),
        deny_use: match live.terms.has_opened(day) {
            true => Vec::new(),
            false => live.terms.more.deny_use.iter().cloned().collect(),
        },
        playground: playground::address(live),
        operators: word(live.terms.more.operators.unwrap_or(Operators::Registry)),
        documents: manifest
            .documents()
            .filter(|(_, path)| live.documents.contains_key(*path))
            .map(document)
            .collect(),
        security: manifest.security.as_ref().map(security),
        source: manifest.source.as_ref().filter(|_| live.source.is_some()).map(|source| SourceResponse {
            license: live.source_license(day).to_owned(),
            machines: word(live.machines(day)),
            build: source.build.as_ref().map(|build| BuildResponse {
                image: build.image.to_string(),
                command: build.command.clone(),
            }),
        }),
        tips: tips.is_some_and(|tips| tips.accept),
        funding: url(tips.and_then(|tips| tips.funding.as_ref())),
        bounties: manifest
            .contributor_bounty
            .iter()
            .map(|bounty| BountyResponse { label: bounty.label.clone(), amount: bounty.amount.into() })
            .collect(),
        rsl: url(live.terms.more.usage.as_ref().and_then(|usage| usage.rsl.as_ref())),
    }
}

pub(crate) fn editions(live: &Live, day: Date) -> Vec<EditionResponse> {
    let edition = |(name, edition): (&String, &Edition)| EditionResponse {
        name: name.clone(),
        exports: edition.exports.iter().cloned().collect(),
        license: live.terms.license_of_edition(Some(name), day).to_owned(),
        requires: edition.requires.as_ref().map(ToString::to_string),
        component: live.editions.0.get(name).map_or(live.component, |own| own.component).to_string(),
        download: live.downloadable(Some(name)).is_ok(),
    };
    live.terms.more.edition.iter().map(edition).collect()
}

fn security(security: &Security) -> SecurityResponse {
    SecurityResponse {
        contact: security.contact.clone(),
        support_until: security.support_until.to_string(),
        policy: url(security.policy.as_ref()),
        sbom: url(security.sbom.as_ref()),
        vex: url(security.vex.as_ref()),
    }
}

/// Returns what is a URL that may be linked. Releases that are older than the rule may have others.
fn url(text: Option<&String>) -> Option<String> {
    text.filter(|text| is_https(text)).cloned()
}

fn word(value: impl Serialize) -> String {
    let word = serde_json::to_value(value).ok();
    word.and_then(|word| Some(word.as_str()?.to_owned())).unwrap_or_default()
}

/// Writes it as lines of a list.
pub(crate) fn lines(release: &ReleaseResponse) -> String {
    let mut text = String::new();
    let mut item = |name: &str, value: &str| {
        let _ = writeln!(text, "- {name}: {value}");
    };
    // A licence is an SPDX expression, and the words of other fields are quoted: nothing of them is markup.
    match &release.license_change {
        Some(change) => {
            item("licence", &format!("{}; {} from {} on", release.license, change.license, change.from))
        }
        None => item("licence", &release.license),
    }
    let AboutResponse { deny_use, operators, documents, security, source, funding, bounties, .. } =
        &release.about;
    for denied in deny_use {
        item("not for", &plain(denied));
    }
    if operators == "any" {
        item("operators", "any registry may run it");
    }
    for edition in &release.editions {
        let requires = edition.requires.as_ref().map(|requires| format!(", requires {requires}"));
        let (name, license) = (plain(&edition.name), &edition.license);
        item("edition", &format!("{name}, under {license}{}", requires.unwrap_or_default()));
    }
    let about = &release.about;
    let links =
        [("homepage", &about.homepage), ("documentation", &about.documentation), ("funding", funding)];
    for (name, url) in links.into_iter().chain([("terms of its texts", &about.rsl)]) {
        if let Some(url) = url {
            item(name, &format!("<{url}>"));
        }
    }
    if let Some(playground) = &about.playground {
        item("to try by hand", playground);
    }
    for document in documents {
        item(&document.key, &format!("{}, at `documents?path=`", plain(&document.path)));
    }
    if let Some(security) = security {
        let SecurityResponse { contact, support_until, policy, sbom, vex } = security;
        item("security", &format!("{} until {support_until}", plain(contact)));
        for (name, url) in [("security policy", policy), ("sbom", sbom), ("vex", vex)] {
            if let Some(url) = url {
                item(name, &format!("<{url}>"));
            }
        }
    }
    if let Some(source) = source {
        item("source", &format!("under {}, for machines: {}", source.license, source.machines));
        if let Some(BuildResponse { image, command }) = &source.build {
            item("built in", &format!("`{image}` by {}", plain(command)));
        }
    }
    if about.tips {
        item("tips", "welcome");
    }
    for bounty in bounties {
        item(
            "bounty",
            &format!("{}: ${}, by its maintainers' word", plain(&bounty.label), bounty.amount.usd),
        );
    }
    text
}
