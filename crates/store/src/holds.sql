-- Migration 14. Releases that wait for a second key, or for their time, before names resolve to them and they run.

CREATE TABLE holds (
    package      TEXT NOT NULL,
    version      TEXT NOT NULL,
    reasons      TEXT NOT NULL,            -- JSON: sentences
    until        INTEGER NOT NULL,
    confirmed_by TEXT,                     -- the did:key that let it go
    confirmed_at INTEGER,
    confirmation TEXT,                     -- JSON: what that key signed
    PRIMARY KEY (package, version)
) WITHOUT ROWID, STRICT;

CREATE INDEX releases_by_publisher ON releases (publisher, published_at);
