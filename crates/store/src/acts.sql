-- Migration 8. Who may do what to a name, and what was done to a release after it was published.

ALTER TABLE namespaces ADD COLUMN state TEXT;    -- JSON; null is the policy of one key, the owner
ALTER TABLE namespaces ADD COLUMN skeleton TEXT NOT NULL DEFAULT ''; -- what the name looks like
ALTER TABLE namespaces ADD COLUMN asked_at INTEGER NOT NULL DEFAULT 0; -- when its domain was last asked
UPDATE namespaces SET skeleton = replace(replace(replace(replace(replace(
    name, '-', ''), '0', 'o'), '1', 'l'), 'rn', 'm'), 'vv', 'w');
CREATE INDEX namespaces_by_skeleton ON namespaces (skeleton);

ALTER TABLE releases ADD COLUMN marks TEXT;      -- JSON; null where it was never yanked or quarantined
ALTER TABLE releases ADD COLUMN resolved INTEGER NOT NULL DEFAULT 1; -- whether a bare name may mean it
CREATE INDEX releases_marked ON releases (package) WHERE marks IS NOT NULL;

-- The statements of acts, so that the same again is known.
CREATE TABLE acts (
    statement TEXT PRIMARY KEY,                  -- digest of the signed payload
    log_index INTEGER NOT NULL
) STRICT;
