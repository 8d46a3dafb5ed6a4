-- Paid calls of a package by day and payer, counted as they are posted. Derived from `calls`.

CREATE TABLE payer_days (
    package TEXT NOT NULL,
    day     INTEGER NOT NULL,           -- since 1970, UTC, of the call's beginning
    payer   TEXT NOT NULL,
    channel TEXT NOT NULL,              -- that paid; empty where none did
    credit  INTEGER NOT NULL,           -- whether credit paid
    calls   INTEGER NOT NULL,
    amount  BLOB NOT NULL,              -- their charges, atomic units
    PRIMARY KEY (package, day, payer, channel, credit)
) STRICT, WITHOUT ROWID;
