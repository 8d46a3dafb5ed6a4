-- Migration 12. What others say of releases, in signed statements: how one was built, and that building it again gave
-- the same bytes.

CREATE TABLE attestations (
    id         TEXT NOT NULL,              -- digest of the payload
    signer     TEXT NOT NULL,
    package    TEXT NOT NULL,
    version    TEXT NOT NULL,
    kind       TEXT NOT NULL,
    envelope   TEXT NOT NULL,              -- JSON
    created_at INTEGER NOT NULL,
    PRIMARY KEY (package, version, id, signer)
) WITHOUT ROWID, STRICT;
