-- The changes of a release's terms, by their log entries, which have the terms; and which entry set the
-- terms that a receipt follows from, where that is not the release's own.

CREATE TABLE terms_changes (
    log_index INTEGER PRIMARY KEY REFERENCES log_entries (idx),
    package TEXT NOT NULL,
    version TEXT NOT NULL,
    terms TEXT NOT NULL,                         -- digest
    changed_at INTEGER NOT NULL
) STRICT;
CREATE INDEX terms_changes_by_release ON terms_changes (package, version);

ALTER TABLE receipts ADD COLUMN terms_index INTEGER;
