-- Migration 2. Releases may ship files for their component to read.

ALTER TABLE releases ADD COLUMN files TEXT; -- digest of an object
