-- How an account spreads its tips over what was used in a month.

CREATE TABLE tip_parts (
    account TEXT NOT NULL,
    month   TEXT NOT NULL,
    release TEXT NOT NULL,
    calls   INTEGER NOT NULL,
    part    BLOB NOT NULL, -- atomic units
    PRIMARY KEY (account, month, release)
) STRICT, WITHOUT ROWID;
