-- Migration 13. What is wrong with releases: the newest word of each advisory. All words are in the log.

CREATE TABLE advisories (
    seq        INTEGER PRIMARY KEY AUTOINCREMENT,
    id         TEXT NOT NULL UNIQUE,
    about      TEXT NOT NULL,              -- ns:name, or the source and name of what releases are made of
    modified   TEXT NOT NULL,
    envelope   TEXT NOT NULL,              -- JSON
    log_index  INTEGER NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;

CREATE INDEX advisories_about ON advisories (about);
