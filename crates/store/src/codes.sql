-- By what the code of a release is known again under other names. Of what was published before, by its component.

ALTER TABLE releases ADD COLUMN code TEXT;
UPDATE releases SET code = component;
CREATE INDEX releases_by_code ON releases (code, log_index);
