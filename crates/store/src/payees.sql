-- What the operator decided about payees, and the packages whose earnings wait until a dispute is over.

CREATE TABLE payees (
    id      TEXT PRIMARY KEY,
    state   TEXT NOT NULL,             -- 'unverified', 'verified' or 'suspended'
    address TEXT,                      -- where it is paid, where the operator wrote that down
    reason  TEXT NOT NULL,
    at      INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE freezes (
    package TEXT PRIMARY KEY,
    reason  TEXT NOT NULL,
    at      INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- What somebody told the operator about a package, and what was decided.
CREATE TABLE notices (
    id         TEXT PRIMARY KEY,
    about      TEXT NOT NULL,          -- a package, or a release of it
    ground     TEXT NOT NULL,
    text       TEXT NOT NULL,
    contact    TEXT NOT NULL,          -- empty where whoever wrote it wants no answer
    at         INTEGER NOT NULL,
    state      TEXT NOT NULL,          -- 'open', 'acted' or 'dismissed'
    reason     TEXT NOT NULL,          -- of the decision
    decided_at INTEGER
) STRICT;
CREATE INDEX notices_by_state ON notices (state, at);
CREATE INDEX notices_by_about ON notices (about, state);

-- What the operator did about payees, packages and notices, and why: nothing here changes or goes.
CREATE TABLE actions (
    number INTEGER PRIMARY KEY,
    at     INTEGER NOT NULL,
    about  TEXT NOT NULL,              -- 'payee:ID', a package, or 'notice:ID'
    action TEXT NOT NULL,
    reason TEXT NOT NULL
) STRICT;
