-- Migration 1. Amounts are 16-byte big-endian blobs, because pico units exceed 64 bits. Times are Unix milliseconds.

CREATE TABLE namespaces (
    name       TEXT PRIMARY KEY,
    owner      TEXT NOT NULL,           -- did:key of the first publisher
    claimed_at INTEGER NOT NULL
) STRICT;

CREATE TABLE releases (
    package      TEXT NOT NULL,         -- ns:name
    version      TEXT NOT NULL,
    publisher    TEXT NOT NULL,
    statement    TEXT NOT NULL,         -- DSSE envelope
    identity     TEXT NOT NULL,         -- digest of the signed payload: same bytes again is a no-op
    manifest     TEXT NOT NULL,
    component    TEXT NOT NULL,         -- digests of objects
    wit          TEXT NOT NULL,
    tests        TEXT NOT NULL,
    source       TEXT,
    listing      TEXT NOT NULL,         -- JSON: what pages show, derived at publish
    search       TEXT NOT NULL,         -- JSON: what the search index is rebuilt from
    report       TEXT NOT NULL,         -- JSON: the test report
    log_index    INTEGER NOT NULL UNIQUE,
    published_at INTEGER NOT NULL,
    PRIMARY KEY (package, version)
) STRICT;

CREATE TABLE log_entries (
    idx   INTEGER PRIMARY KEY,
    entry BLOB NOT NULL
) STRICT;

CREATE TABLE log_hashes (
    idx  INTEGER PRIMARY KEY,           -- storage order of the Go checksum database
    hash BLOB NOT NULL
) STRICT;

CREATE TABLE checkpoint (
    id   INTEGER PRIMARY KEY CHECK (id = 1),
    size INTEGER NOT NULL,
    note TEXT NOT NULL
) STRICT;

CREATE TABLE calls (
    id          TEXT PRIMARY KEY,
    state       TEXT NOT NULL CHECK (state IN ('held', 'executed', 'posted', 'voided', 'released')),
    payment_key TEXT UNIQUE,            -- null once released: the payment may then be presented again
    payer       TEXT NOT NULL,
    rail        TEXT NOT NULL,
    request     TEXT NOT NULL,          -- request digest: what this payment buys
    release     TEXT NOT NULL,
    function    TEXT NOT NULL,
    held        BLOB NOT NULL,          -- the quote's ceiling, atomic units
    payment     TEXT NOT NULL,          -- the x402 payload, to settle again after a crash
    offer       TEXT NOT NULL,          -- the requirements it answers
    outcome     TEXT,                   -- JSON: what the run gave, until it is posted
    charge      BLOB,
    reply       TEXT,                   -- JSON: what the payer gets
    delivered   INTEGER NOT NULL DEFAULT 0,
    created_at  INTEGER NOT NULL,
    updated_at  INTEGER NOT NULL
) STRICT;

CREATE INDEX calls_by_request ON calls (payer, request);
CREATE INDEX calls_undecided ON calls (state) WHERE state IN ('held', 'executed');

CREATE TABLE transfers (
    id         INTEGER PRIMARY KEY,
    call       TEXT NOT NULL REFERENCES calls (id),
    kind       TEXT NOT NULL,
    debit      TEXT NOT NULL,
    credit     TEXT NOT NULL,
    amount     BLOB NOT NULL,           -- pico units
    state      TEXT NOT NULL CHECK (state IN ('pending', 'posted', 'voided')),
    reference  TEXT,                    -- the transaction on the rail, where there is one
    created_at INTEGER NOT NULL,
    tried_at   INTEGER NOT NULL DEFAULT 0 -- when a refund was last asked for in vain
) STRICT;

CREATE INDEX transfers_by_call ON transfers (call);
CREATE INDEX transfers_by_credit ON transfers (credit);
CREATE INDEX transfers_pending ON transfers (state, kind) WHERE state = 'pending';
