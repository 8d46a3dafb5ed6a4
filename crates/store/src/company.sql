-- Accounts of a company: in whose name calls are made, what opens them, what a person allowed, and what was used.

CREATE TABLE company_accounts (
    name        TEXT PRIMARY KEY,
    kind        TEXT NOT NULL,
    cost_center TEXT NOT NULL,
    paying      TEXT NOT NULL,
    approves    INTEGER NOT NULL,          -- whether it may decide what others ask approval for
    month_max   BLOB,                      -- what it may spend in a month, atomic units; null: what the policy says
    created_at  INTEGER NOT NULL,
    closed_at   INTEGER
) STRICT;

CREATE TABLE account_tokens (
    digest     TEXT PRIMARY KEY,           -- SHA-256 of the text, which nobody keeps, in hexadecimal digits
    account    TEXT NOT NULL REFERENCES company_accounts (name),
    label      TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER,
    revoked_at INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX account_tokens_by_account ON account_tokens (account);

-- What is above the threshold waits here for a person. One that is approved lets one call of the same request through.
CREATE TABLE approvals (
    id         TEXT PRIMARY KEY,
    account    TEXT NOT NULL,
    request    TEXT NOT NULL,              -- request digest
    release    TEXT NOT NULL,
    function   TEXT NOT NULL,
    amount_max BLOB NOT NULL,
    state      TEXT NOT NULL,
    asked_at   INTEGER NOT NULL,
    decided_at INTEGER,
    decided_by TEXT,
    call       TEXT                        -- the call that used it
) STRICT;
CREATE INDEX approvals_by_request ON approvals (account, request);
CREATE INDEX approvals_by_time ON approvals (asked_at);
CREATE INDEX approvals_by_call ON approvals (call) WHERE call IS NOT NULL;

-- Each call of an account, with the cost centre that it had then. What a paid one cost stands in `calls`.
CREATE TABLE account_uses (
    number      INTEGER PRIMARY KEY,
    call        TEXT NOT NULL UNIQUE,
    account     TEXT NOT NULL,
    cost_center TEXT NOT NULL,
    token       TEXT NOT NULL,             -- the id of the token that made it
    month       TEXT NOT NULL,
    release     TEXT NOT NULL,
    function    TEXT NOT NULL,
    receipt     BLOB,                      -- the digest of its receipt's payload, once there is one
    at          INTEGER NOT NULL
) STRICT;
CREATE INDEX account_uses_by_month ON account_uses (month, number);
