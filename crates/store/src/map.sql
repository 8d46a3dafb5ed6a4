-- Migration 7. What the entries of the checkpoint in force add up to: see `core::log::map`. Written with the checkpoint and never
-- ahead of it.

CREATE TABLE standings (
    about    TEXT PRIMARY KEY,          -- a package, a namespace, or the did:key of an executor
    standing TEXT NOT NULL              -- JSON
) STRICT, WITHOUT ROWID;

CREATE TABLE map_nodes (
    position BLOB PRIMARY KEY,
    node     BLOB NOT NULL
) STRICT, WITHOUT ROWID;

ALTER TABLE checkpoint ADD COLUMN mapped INTEGER NOT NULL DEFAULT 0; -- how many entries the map adds up
