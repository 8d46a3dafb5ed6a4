-- Migration 9. The receipts of paid calls, by the digests of their payloads, each executor's numbered from 0; and which
-- of them were logged together.

CREATE TABLE receipts (
    executor TEXT NOT NULL,
    number INTEGER NOT NULL,
    digest BLOB NOT NULL UNIQUE,
    release TEXT NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (executor, number)
) STRICT, WITHOUT ROWID;

CREATE TABLE receipt_batches (
    executor TEXT NOT NULL,
    first INTEGER NOT NULL,
    count INTEGER NOT NULL,
    log_index INTEGER NOT NULL REFERENCES log_entries (idx),
    PRIMARY KEY (executor, first)
) STRICT, WITHOUT ROWID;
