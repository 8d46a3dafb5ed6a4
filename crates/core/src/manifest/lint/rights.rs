//! Rules about licences, sources, editions, and works that derive from others.

use std::collections::BTreeSet;

use spdx::Expression;

use super::{Check, Rule, clip, first, twice, when};
use crate::limits;
use crate::manifest::rights::ids;
use crate::manifest::{
    Edition, Inclusion, MachineAccess, Manifest, OfferAct, Operators, Place, PricedAct, Requirement,
    RoyaltyMode, is_agpl, is_https,
};

/// The use that is denied where nobody else may host a work for others.
const HOSTING: &str = "hosting-competitor";

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "license-spdx",
        holds: "Every licence is an SPDX expression.",
        fix: "write one such as \"MIT\", or \"LicenseRef-Acme-1.0\" for a licence of your own",
        check: Check::Manifest(|manifest| {
            first(licenses(manifest), |license| {
                when(Expression::parse(license).is_err(), || {
                    format!("`{}` is not an SPDX expression", clip(license))
                })
            })
        }),
    },
    Rule {
        id: "copyleft-source",
        holds: "What is under a copyleft licence has its source, free for machines.",
        fix: "add [source] with path = \"src/\" and machines = \"free\", or change the licence",
        check: Check::Manifest(|manifest| {
            let copyleft = offered(manifest).flat_map(ids).find(|id| id.is_copyleft())?;
            let free = manifest.source.as_ref().is_some_and(|source| source.machines == MachineAccess::Free);
            when(!free, || format!("{} is offered, and the source is not free for machines", copyleft.name))
        }),
    },
    Rule {
        id: "agpl-remote",
        holds: "What is under the AGPL and runs remotely has its source.",
        fix: "add [source] with path = \"src/\" and machines = \"free\"",
        check: Check::Manifest(|manifest| {
            let agpl = offered(manifest).any(is_agpl);
            let remote = manifest.component.execute.contains(&Place::Remote);
            when(agpl && remote && manifest.source.is_none(), || {
                "the AGPL gives its users the source, and there is none".into()
            })
        }),
    },
    Rule {
        id: "osi-royalty",
        holds: "Under an OSI-approved licence no royalty is required of forks.",
        fix: "write mode = \"requested\": such a licence lets anybody fork for nothing",
        check: Check::Manifest(|manifest| {
            let royalty = manifest.upstream.as_ref()?.royalty.as_ref()?;
            let osi = offered(manifest).flat_map(ids).find(|id| id.is_osi_approved())?;
            when(royalty.mode == RoyaltyMode::Required, || {
                format!("{} does not let you require a royalty", osi.name)
            })
        }),
    },
    Rule {
        id: "osi-deny-use",
        holds: "Under an OSI-approved licence no use is denied, and forks are allowed.",
        fix: "remove `deny-use` and `allow-forks = false`, or take a source-available licence such as BUSL-1.1",
        check: Check::Manifest(|manifest| {
            let osi = offered(manifest).flat_map(ids).find(|id| id.is_osi_approved())?;
            let no_forks = manifest.upstream.as_ref().is_some_and(|upstream| !upstream.allow_forks);
            when(no_forks || !manifest.package.deny_use.is_empty(), || format!("{} denies no use", osi.name))
        }),
    },
    Rule {
        id: "deny-use-operators",
        holds: "What denies `hosting-competitor` is run for others by the registry alone that it is published at.",
        fix: "remove operators = \"any\", or take `hosting-competitor` out of `deny-use`",
        check: Check::Manifest(|manifest| {
            let denied = manifest.package.deny_use.contains(HOSTING);
            when(denied && manifest.component.operators == Operators::Any, || {
                format!("`{HOSTING}` is denied, and operators = \"any\" lets every registry host it")
            })
        }),
    },
    Rule {
        id: "change-license",
        holds: "`change-license` and `change-date` stand together.",
        fix: "write both: change-license = \"Apache-2.0\" and change-date = 2029-12-31",
        check: Check::Manifest(|manifest| {
            let package = &manifest.package;
            when(package.change_license.is_some() != package.change_date.is_some(), || {
                "of `change-license` and `change-date` there is one".into()
            })
        }),
    },
    Rule {
        id: "url-https",
        holds: "`homepage`, `documentation`, `policy` of [security], `funding` of [tips] and `rsl` of [usage] are URLs that begin \
                with https://, and so is an `sbom` or `vex` that is a URL.",
        fix: "write the whole URL: pages link no other",
        check: Check::Manifest(|manifest| {
            let (package, security) = (&manifest.package, manifest.security.as_ref());
            let urls = [
                package.homepage.as_ref(),
                package.documentation.as_ref(),
                security.and_then(|security| security.policy.as_ref()),
                manifest.tips.as_ref().and_then(|tips| tips.funding.as_ref()),
                manifest.usage.as_ref().and_then(|usage| usage.rsl.as_ref()),
            ];
            let files =
                security.into_iter().flat_map(|security| [security.sbom.as_ref(), security.vex.as_ref()]);
            let files = files.flatten().filter(|text| text.contains("://"));
            first(urls.into_iter().flatten().chain(files), |url| {
                when(!is_https(url), || format!("`{}` is no URL that begins with https://", clip(url)))
            })
        }),
    },
    Rule {
        id: "source-price",
        holds: "machines = \"metered\" has a price with on = \"source\", and \"licensed\" an offer.",
        fix: "add [[price]] or [[offer]] with on = \"source\", or choose \"free\" or \"denied\"",
        check: Check::Manifest(|manifest| {
            let machines = manifest.source.as_ref().map(|source| source.machines);
            let priced = manifest.price.iter().any(|price| price.on == PricedAct::Source);
            let offered = manifest.offer.iter().any(|offer| offer.on == Some(OfferAct::Source));
            match machines {
                Some(MachineAccess::Metered) => {
                    when(!priced, || "the source is metered, and has no price".into())
                }
                Some(MachineAccess::Licensed) => {
                    when(!offered, || "the source is licensed, and no offer is for it".into())
                }
                _ => when(priced || offered, || "the source has a price, and is not sold".into()),
            }
        }),
    },
    Rule {
        id: "edition-component",
        holds: "An edition that requires something names its exports, and is in no component that others may have: it has \
                one of its own, or the package's is neither linked nor downloaded, under whichever edition's terms.",
        fix: "write exports = [\"…\"], and execute = [\"remote\"] without `import` in [component] and in every edition without a \
              `path`",
        check: Check::Manifest(|manifest| {
            let component = &manifest.component;
            let inside = manifest.edition.values().filter(|edition| edition.path.is_none());
            let mut shared = inside.map(|edition| places(manifest, edition)).chain([&component.execute]);
            let kept = !component.import && !shared.any(|places| places.contains(&Place::Local));
            first(&manifest.edition, |(name, edition)| {
                let alone = edition.path.as_ref().is_some_and(|path| *path != component.path);
                let bare = edition.exports.is_empty() || !(alone || kept);
                when(edition.requires.is_some() && bare, || {
                    format!("whoever has the component has edition `{name}`")
                })
            })
        }),
    },
    Rule {
        id: "edition-path",
        holds: "No two editions have the same component, and none has the main one.",
        fix: "build each of them apart",
        check: Check::Manifest(|manifest| {
            let paths = manifest.edition.values().filter_map(|edition| edition.path.as_deref());
            let twice = twice(paths.chain([manifest.component.path.as_str()]))?;
            Some(format!("`{}` is the component of two editions", clip(twice)))
        }),
    },
    Rule {
        id: "edition-place",
        holds: "An edition that requires something runs remotely only.",
        fix: "write execute = [\"remote\"] for it: who has the bytes needs no plan",
        check: Check::Manifest(|manifest| {
            first(&manifest.edition, |(name, edition)| {
                when(edition.requires.is_some() && places(manifest, edition).contains(&Place::Local), || {
                    format!("edition `{name}` requires something, and its bytes may be downloaded")
                })
            })
        }),
    },
    Rule {
        id: "edition-requires",
        holds: "What an edition requires exists: a plan that includes it, or an offer.",
        fix: "add the [[plan]] with includes = [\"edition:NAME\"], or the [[offer]]",
        check: Check::Manifest(|manifest| {
            first(&manifest.edition, |(name, edition)| {
                let required = edition.requires.as_ref()?;
                let known = match required {
                    Requirement::Plan(id) => manifest.plan.iter().any(|plan| {
                        plan.id == *id && plan.includes.contains(&Inclusion::Edition(name.clone()))
                    }),
                    Requirement::Offer(id) => manifest.offer.iter().any(|offer| offer.id == *id),
                };
                when(!known, || format!("edition `{name}` requires `{required}`, which does not give it"))
            })
        }),
    },
    Rule {
        id: "royalty-cap",
        holds: "A royalty is at most 3,000 basis points, and so is the sum of those that a work owes.",
        fix: "lower it: a fork must be able to live, too",
        check: Check::Manifest(|manifest| {
            let asked = manifest.upstream.as_ref().and_then(|upstream| upstream.royalty.as_ref());
            let asked = asked.map_or(0, |royalty| u64::from(royalty.share));
            let max = u64::from(limits::ROYALTIES_BPS_MAX);
            when(asked > max || owed(manifest) > max, || {
                format!("royalties of {} basis points", asked.max(owed(manifest)))
            })
        }),
    },
    Rule {
        id: "derived-from-unique",
        holds: "No release stands in two [[derived-from]].",
        fix: "add the shares up",
        check: Check::Manifest(|manifest| {
            let mut seen = BTreeSet::new();
            let twice = manifest.derived_from.iter().find(|parent| !seen.insert(&parent.release))?;
            Some(format!("`{}` stands in two [[derived-from]]", twice.release))
        }),
    },
    Rule {
        id: "derived-from-self",
        holds: "A release does not derive from itself.",
        fix: "name the release that it was made from",
        check: Check::Manifest(|manifest| {
            let own = manifest.release();
            let cycle = manifest.derived_from.iter().any(|parent| parent.release == own);
            when(cycle, || format!("`{own}` derives from itself"))
        }),
    },
    Rule {
        id: "splits-pool",
        holds: "`dependencies` in [splits] is at most 5,000 basis points.",
        fix: "lower it",
        check: Check::Manifest(|manifest| {
            let pool = manifest.splits.as_ref().map_or(0, |splits| splits.dependencies);
            when(pool > limits::POOL_BPS_MAX, || format!("the pool of dependencies is {pool} basis points"))
        }),
    },
    Rule {
        id: "splits-floor",
        holds: "At least 2,000 basis points of the net stay with the payees.",
        fix: "lower the pool, the shares of dependencies, or the royalties",
        check: Check::Manifest(|manifest| {
            let pool = manifest.splits.as_ref().map_or(0, |splits| u64::from(splits.dependencies));
            let pinned: u64 =
                manifest.dependencies.values().filter_map(|dependency| dependency.share).map(u64::from).sum();
            let given = pool + pinned + owed(manifest);
            when(given + u64::from(limits::OWN_BPS_MIN) > 10_000, || {
                format!("{given} basis points of the net are for others")
            })
        }),
    },
];

fn owed(manifest: &Manifest) -> u64 {
    manifest.derived_from.iter().map(|parent| u64::from(parent.share)).sum()
}

/// Returns where an edition may run.
fn places<'a>(manifest: &'a Manifest, edition: &'a Edition) -> &'a BTreeSet<Place> {
    edition.execute.as_ref().unwrap_or(&manifest.component.execute)
}

/// Returns every licence that a manifest names.
fn licenses(manifest: &Manifest) -> impl Iterator<Item = &str> {
    let editions = manifest.edition.values().filter_map(|edition| edition.license.as_deref());
    let offers = manifest.offer.iter().map(|offer| offer.grants.as_str());
    let source = manifest.source.iter().filter_map(|source| source.license.as_deref());
    let later = manifest.package.change_license.as_deref();
    [manifest.package.license.as_str()].into_iter().chain(editions).chain(offers).chain(source).chain(later)
}

/// Returns the licences that the component, or that of an edition, is offered under now.
fn offered(manifest: &Manifest) -> impl Iterator<Item = &str> {
    let editions = manifest.edition.values().filter_map(|edition| edition.license.as_deref());
    let offers = manifest.offer.iter().map(|offer| offer.grants.as_str());
    [manifest.package.license.as_str()].into_iter().chain(editions).chain(offers)
}
