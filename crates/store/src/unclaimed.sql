-- What payees earned whom the operator does not know, by the day on which it was earned and by whose it becomes.

CREATE TABLE unclaimed (
    payee    TEXT NOT NULL,
    heirs    TEXT NOT NULL,              -- JSON
    day      INTEGER NOT NULL,           -- since 1970
    amount   BLOB NOT NULL,              -- pico units
    tried_at INTEGER NOT NULL DEFAULT 0, -- when nobody was there to have it
    PRIMARY KEY (payee, heirs, day)
) STRICT, WITHOUT ROWID;
CREATE INDEX unclaimed_by_day ON unclaimed (day, tried_at);
