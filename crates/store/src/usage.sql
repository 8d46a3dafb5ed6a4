-- What a payer used of a package in a period of the calendar: units of a price, calls of a plan, what a grant covered,
-- and what was paid. `anonymous` is everybody who shows no payment, together.
CREATE TABLE usage (
    package TEXT NOT NULL,
    payer TEXT NOT NULL,
    key TEXT NOT NULL,
    period TEXT NOT NULL,
    units INTEGER NOT NULL,
    PRIMARY KEY (package, payer, key, period)
) STRICT, WITHOUT ROWID;

-- Licences: plans and offers that were bought, and grants that were proved.
CREATE TABLE licenses (
    id TEXT PRIMARY KEY,
    package TEXT NOT NULL,
    holder TEXT NOT NULL,
    item TEXT NOT NULL,
    units INTEGER NOT NULL,
    from_s INTEGER NOT NULL,
    until_s INTEGER,
    statement TEXT NOT NULL
) STRICT;
CREATE INDEX licenses_by_holder ON licenses (holder, package);
