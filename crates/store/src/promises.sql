-- What a broken promise would take back stays with those who got it until the promise is judged, and longer where it is short.

ALTER TABLE licenses ADD COLUMN credit_max BLOB; -- what goes back at most, atomic units; null of older ones: it may be all
ALTER TABLE licenses ADD COLUMN credit_due BLOB; -- what goes back once its payees have as much; null where nothing waits
ALTER TABLE licenses ADD COLUMN tried_at INTEGER NOT NULL DEFAULT 0; -- when they had less
CREATE INDEX licenses_due ON licenses (tried_at) WHERE judged_at IS NULL AND credit_due IS NOT NULL;
