-- What is earned is somebody's work: which package's, where it is not the one that was paid for.

ALTER TABLE transfers ADD COLUMN through TEXT; -- null: the package that was paid for, and of all older ones
CREATE INDEX transfers_through ON transfers (through) WHERE through IS NOT NULL;

CREATE TABLE unclaimed_by_package (
    payee    TEXT NOT NULL,
    heirs    TEXT NOT NULL,              -- JSON
    day      INTEGER NOT NULL,           -- since 1970
    license  TEXT NOT NULL,              -- the plan that it was charged for; empty for all else
    package  TEXT NOT NULL,              -- that it was earned with; empty of older ones
    amount   BLOB NOT NULL,              -- pico units
    tried_at INTEGER NOT NULL DEFAULT 0, -- when nobody was there to have it
    PRIMARY KEY (payee, heirs, day, license, package)
) STRICT, WITHOUT ROWID;
INSERT INTO unclaimed_by_package (payee, heirs, day, license, package, amount, tried_at)
    SELECT payee, heirs, day, license, '', amount, tried_at FROM unclaimed;
DROP TABLE unclaimed;
ALTER TABLE unclaimed_by_package RENAME TO unclaimed;
CREATE INDEX unclaimed_by_day ON unclaimed (day, tried_at);
