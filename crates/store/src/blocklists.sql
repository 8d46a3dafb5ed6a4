-- The newest list of each feed that the operator follows: an older one is not taken any more.

CREATE TABLE blocklists (
    key       TEXT PRIMARY KEY,          -- whose it is, as a did:key
    sequence  INTEGER NOT NULL,
    statement TEXT NOT NULL              -- DSSE envelope
) STRICT, WITHOUT ROWID;
