-- Migration 11. What releases are made of, as their components say: the bill of each, and its packages by name, to be
-- found when one of them turns out to be vulnerable.

CREATE TABLE sboms (
    package TEXT NOT NULL,
    version TEXT NOT NULL,
    sbom    TEXT NOT NULL,                 -- JSON
    PRIMARY KEY (package, version)
) WITHOUT ROWID, STRICT;

CREATE TABLE sbom_packages (
    name            TEXT NOT NULL,         -- of the package within
    version_within  TEXT NOT NULL,
    source          TEXT NOT NULL,
    package         TEXT NOT NULL,         -- of the release
    version         TEXT NOT NULL,
    PRIMARY KEY (name, version_within, source, package, version)
) WITHOUT ROWID, STRICT;

CREATE INDEX sbom_packages_of ON sbom_packages (package, version);
