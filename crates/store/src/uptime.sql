-- What uptime is measured by: each hour in which a payer, who showed it, had an answer, or had none.

CREATE TABLE answer_hours (
    package TEXT NOT NULL,
    hour    INTEGER NOT NULL,          -- since 1970
    payer   TEXT NOT NULL,             -- empty of older hours, when nobody wrote down who asked
    answer  TEXT NOT NULL CHECK (answer IN ('given', 'failed', 'missing')),
    PRIMARY KEY (package, hour, payer, answer)
) STRICT, WITHOUT ROWID;
INSERT INTO answer_hours (package, hour, payer, answer)
    SELECT package, hour, '', 'given' FROM answers WHERE asked > unanswered;
INSERT INTO answer_hours (package, hour, payer, answer)
    SELECT package, hour, '', 'failed' FROM answers WHERE unanswered > 0;
INSERT INTO answer_hours (package, hour, payer, answer)
    SELECT package, hour, payer, 'missing' FROM unanswered;
DROP TABLE answers;
DROP TABLE unanswered;
