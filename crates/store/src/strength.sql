-- What trying a release's tests on mutants showed, as JSON; null until it is tried.

ALTER TABLE releases ADD COLUMN strength TEXT;
CREATE INDEX releases_untried ON releases (log_index) WHERE strength IS NULL;
