-- What went back of charges, by the subject of its transfers.

CREATE TABLE reversals (
    subject TEXT PRIMARY KEY,
    call    TEXT NOT NULL,
    release TEXT NOT NULL             -- that of the call
) STRICT, WITHOUT ROWID;
CREATE INDEX reversals_by_call ON reversals (call);
CREATE INDEX reversals_by_release ON reversals (release);
INSERT INTO reversals (subject, call, release)
    SELECT DISTINCT subject, calls.id, release
    FROM transfers JOIN calls ON calls.id = substr(subject, length('support:') + 1)
    WHERE kind = 'reversal' AND subject GLOB 'support:*';
CREATE INDEX transfers_reversed ON transfers (created_at) WHERE kind = 'reversal';

-- What a plan earned waits until the plan is judged: what a broken promise takes back must still be there.
CREATE TABLE unclaimed_by_license (
    payee    TEXT NOT NULL,
    heirs    TEXT NOT NULL,              -- JSON
    day      INTEGER NOT NULL,           -- since 1970
    license  TEXT NOT NULL,              -- the plan that it was charged for; empty for all else
    amount   BLOB NOT NULL,              -- pico units
    tried_at INTEGER NOT NULL DEFAULT 0, -- when nobody was there to have it
    PRIMARY KEY (payee, heirs, day, license)
) STRICT, WITHOUT ROWID;
INSERT INTO unclaimed_by_license (payee, heirs, day, license, amount, tried_at)
    SELECT payee, heirs, day, '', amount, tried_at FROM unclaimed;
DROP TABLE unclaimed;
ALTER TABLE unclaimed_by_license RENAME TO unclaimed;
CREATE INDEX unclaimed_by_day ON unclaimed (day, tried_at);
