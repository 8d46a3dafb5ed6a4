-- Who got no answer, for a reason that it may have brought itself: once in an hour.

CREATE TABLE unanswered (
    package TEXT NOT NULL,
    payer   TEXT NOT NULL,
    hour    INTEGER NOT NULL, -- since 1970
    PRIMARY KEY (package, payer, hour)
) STRICT, WITHOUT ROWID;
