//! What licence a work is under on a day, and what follows from it.
//!
//! A licence that changes opens a work and takes nothing back: what was made under the one before owes what it says.

use spdx::{Expression, LicenseId};

use super::{Date, Terms, Upstream};
use crate::name::FunctionName;
use crate::terms::edition_of;

impl Terms {
    /// Returns the licence of the package on a day.
    pub fn license_on(&self, day: Date) -> &str {
        match (self.more.change_date, &self.more.change_license) {
            (Some(date), Some(license)) if date <= day => license,
            _ => &self.license,
        }
    }

    /// Returns the licence of what a call of `function` runs: its edition's own, or the package's.
    pub fn license_of(&self, function: &FunctionName, day: Date) -> &str {
        let edition = edition_of(&self.more.edition, function).map(|(name, _)| name);
        self.license_of_edition(edition, day)
    }

    /// Returns the licence of an edition; of the package where none is named, or it has none of its own.
    pub fn license_of_edition(&self, edition: Option<&str>, day: Date) -> &str {
        let own = edition.and_then(|name| self.more.edition.get(name)?.license.as_deref());
        own.unwrap_or_else(|| self.license_on(day))
    }

    /// Returns the licences of the package and of all its editions on a day.
    pub fn licenses_on(&self, day: Date) -> impl Iterator<Item = &str> {
        let editions = self.more.edition.values().filter_map(|edition| edition.license.as_deref());
        [self.license_on(day)].into_iter().chain(editions)
    }

    /// Tells whether it has come under an OSI-approved licence by a day, which denies no use and requires nothing of forks.
    pub fn has_opened(&self, day: Date) -> bool {
        self.has_changed(day) && ids(self.license_on(day)).any(|id| id.is_osi_approved())
    }

    /// Tells whether it has come under a copyleft licence by a day, which gives its users the source.
    pub fn has_become_copyleft(&self, day: Date) -> bool {
        self.has_changed(day) && ids(self.license_on(day)).any(|id| id.is_copyleft())
    }

    /// Returns what others may do on a day who derive from it, where that is not everything.
    pub fn upstream_on(&self, day: Date) -> Option<&Upstream> {
        self.more.upstream.as_ref().filter(|_| !self.has_opened(day))
    }

    fn has_changed(&self, day: Date) -> bool {
        self.more.change_date.is_some_and(|date| date <= day)
    }
}

/// Tells whether a licence is the AGPL, or may be chosen to be.
pub fn is_agpl(license: &str) -> bool {
    // Every reply asks, and to read an expression takes longer.
    license.contains("AGPL") && ids(license).any(|id| id.name.starts_with("AGPL"))
}

/// Returns the listed licences that an expression names, whichever way they are joined.
pub(super) fn ids(license: &str) -> impl Iterator<Item = LicenseId> {
    let parsed = Expression::parse(license).ok();
    parsed.into_iter().flat_map(|expression| {
        expression.requirements().filter_map(|part| part.req.license.id()).collect::<Vec<_>>()
    })
}

#[cfg(test)]
mod tests {
    use super::super::Manifest;
    use super::*;

    #[test]
    fn a_licence_changes_on_its_day() {
        let text = include_str!("../../../../conformance/manifest/source.toml");
        let of =
            |from: &str, to: &str| Terms::of(&Manifest::read(&text.replace(from, to)).expect("a manifest"));
        let day = |text: &str| text.parse::<Date>().expect("a day");
        let terms = of("", "");
        for (on, license, opened) in [
            ("2030-11-21", "BUSL-1.1", false),
            ("2030-11-22", "MPL-2.0", true),
            ("2031-01-01", "MPL-2.0", true),
        ] {
            assert_eq!(terms.license_on(day(on)), license);
            assert_eq!((terms.has_opened(day(on)), terms.has_become_copyleft(day(on))), (opened, opened));
            assert_eq!(terms.upstream_on(day(on)).is_none(), opened);
        }
        // A licence that is no open one denies what it denies.
        let other = of("\"MPL-2.0\"", "\"Elastic-2.0\"");
        assert!(!other.has_opened(day("2031-01-01")) && other.upstream_on(day("2031-01-01")).is_some());
        // What was never under another licence does not change.
        let same = of("change-license = \"MPL-2.0\"\nchange-date = 2030-11-22\n", "");
        assert_eq!(same.license_on(day("2031-01-01")), "BUSL-1.1");
    }

    #[test]
    fn an_edition_may_have_a_licence_of_its_own() {
        let text = include_str!("../../../../conformance/manifest/core.toml");
        let terms = Terms::of(&Manifest::read(text).expect("a manifest"));
        let day = "2026-11-22".parse().expect("a day");
        let of = |function: &str| terms.license_of(&function.parse().expect("a function"), day);
        assert_eq!(of("abacus:audit/core@1.0.0#add"), "Apache-2.0");
        assert_eq!(of("abacus:audit/sso@1.0.0#sign-in"), "LicenseRef-Abacus-EE");
        assert_eq!(of("other"), "Apache-2.0 AND LicenseRef-Abacus-EE");
        assert_eq!(terms.licenses_on(day).count(), 3);
    }
}
