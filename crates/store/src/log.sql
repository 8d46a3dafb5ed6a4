-- Migration 5. What an entry is about: a package, a namespace, or the did:key of an executor.

ALTER TABLE log_entries ADD COLUMN about TEXT NOT NULL DEFAULT '';
ALTER TABLE log_entries ADD COLUMN kind TEXT NOT NULL DEFAULT 'release';
UPDATE log_entries SET about = (SELECT package FROM releases WHERE log_index = idx);

CREATE INDEX log_entries_about ON log_entries (about, idx);
