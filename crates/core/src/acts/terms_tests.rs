//! Terms that change: what follows what, and what is refused on the way.

use super::*;
use crate::hashed::Document as _;
use crate::manifest::{Manifest, Terms};
use crate::money::Atomic;
use crate::release::{Authorship, Release};

const MANIFEST: &str = r#"
[package]
name = "acme:fold"
version = "1.0.0"
license = "LicenseRef-Acme"
change-license = "MIT"
change-date = 2029-01-01
[spec]
world = "fold"
[component]
path = "fold.wasm"
fuel-max = 5_000_000
[source]
path = "src/"
machines = "free"
[security]
contact = "security@acme.example"
support-until = 2029-12-31
[[price]]
id = "each"
unit = "call"
amount = "0.009"
[[plan]]
id = "team"
amount = "29"
period = "month"
includes = ["execute:each"]
[[grant]]
id = "academic"
prices = ["each"]
percent-off = 75
proof = "license-token"
[[payee]]
id = "acct:ana@acme.example"
share = 10000
[tips]
accept = true
"#;

fn manifest() -> Manifest {
    Manifest::read(MANIFEST).expect("a manifest")
}

fn own() -> Terms {
    Terms::of(&manifest())
}

fn release() -> Release {
    Release {
        release: own().release,
        manifest: Digest::of(MANIFEST),
        terms: own().compute_digest(),
        wit: Digest::of("wit"),
        tests: Digest::of("tests"),
        component: Digest::of("component"),
        files: Some(Digest::of("files")),
        source: None,
        dependencies: Vec::new(),
        documents: Default::default(),
        registry: None,
        editions: Default::default(),
        authorship: Authorship::default(),
    }
}

/// The terms at another price.
fn at(amount: u128) -> Terms {
    let mut terms = own();
    terms.price[0].amount = Atomic(amount);
    terms
}

fn change(from: &Terms, to: Terms) -> TermsChange {
    TermsChange::new(&release(), from.compute_digest(), to)
}

#[test]
fn terms_follow_one_another_and_none_is_dearer_than_the_one_before() {
    let after = |changes: &[TermsChange]| terms_after(&release(), own(), changes);
    assert_eq!(after(&[]), Ok(own()));
    let (first, second) = (change(&own(), at(5_000)), change(&at(5_000), at(4_000)));
    assert_eq!(after(&[first.clone(), second.clone()]), Ok(at(4_000)));
    // Left out, turned round, and done twice.
    let (found, expected) = (at(5_000).compute_digest(), own().compute_digest());
    assert_eq!(after(std::slice::from_ref(&second)), Err(ActRefusal::Superseded { found, expected }));
    assert!(matches!(after(&[second.clone(), first.clone()]), Err(ActRefusal::Superseded { .. })));
    assert!(matches!(after(&[first.clone(), first.clone()]), Err(ActRefusal::Superseded { .. })));
    // Cheaper than it was published, and dearer than it stands.
    let dearer = change(&at(4_000), at(8_000));
    let Err(ActRefusal::Dearer(what)) = after(&[first.clone(), second, dearer]) else { panic!("dearer") };
    assert_eq!(what.to_string(), "price `each` may be dearer than it was");
    assert_eq!(after(&[change(&own(), own())]), Err(ActRefusal::NoChange));
    // Of a release that was published otherwise, or of terms that it never had.
    let refused: [fn(&mut TermsChange); 5] = [
        |change| change.component = Digest::of("another"),
        |change| change.manifest = Digest::of("another"),
        |change| change.files = None,
        |change| change.release = "acme:fold@1.0.1".parse().expect("valid"),
        |change| change.terms.release = "acme:fold@1.0.1".parse().expect("valid"),
    ];
    for spoil in refused {
        let mut other = first.clone();
        spoil(&mut other);
        assert!(matches!(after(&[other]), Err(ActRefusal::OtherRelease(_))));
    }
    assert!(matches!(terms_after(&release(), at(1), &[]), Err(ActRefusal::Superseded { .. })));
}

#[test]
fn who_is_paid_may_change_there_and_back_but_not_for_ever() {
    let mut other = own();
    other.payee[0].id = "acct:ben@acme.example".into();
    let there_and_back = [change(&own(), other.clone()), change(&other, own())];
    assert_eq!(terms_after(&release(), own(), &there_and_back), Ok(own()));
    let many: Vec<_> =
        there_and_back.into_iter().cycle().take(crate::limits::TERMS_CHANGES_MAX + 1).collect();
    assert_eq!(terms_after(&release(), own(), &many), Err(ActRefusal::TooManyChanges));
}

#[test]
fn a_manifest_takes_on_other_terms_and_keeps_the_rest() {
    let mut terms = at(5_000);
    terms.execute.insert(crate::manifest::Place::Local);
    terms.more.plan.clear();
    let changed = manifest().with_terms(&terms);
    assert_eq!(Terms::of(&changed), terms);
    assert!(changed.component_is_public() && !manifest().component_is_public());
    assert!(changed.tips.is_some() && changed.package.description == manifest().package.description);
    assert_eq!(manifest().with_terms(&own()), manifest());
    assert!(changed.check().is_ok());
    terms.payee.clear();
    assert!(manifest().with_terms(&terms).check().is_err(), "nobody to pay");
}
