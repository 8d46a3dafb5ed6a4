-- Who pays for a package is asked by its releases.

CREATE INDEX calls_by_release ON calls (release, created_at);
