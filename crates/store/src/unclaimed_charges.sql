-- Of which charges that is what nobody claims: what goes back of a charge is taken from those who have it, and what is not paid
-- for yet waits.

CREATE TABLE unclaimed_charges (
    call    TEXT NOT NULL,              -- or the sale
    payee   TEXT NOT NULL,
    package TEXT NOT NULL,              -- that it was earned with
    subject TEXT NOT NULL,              -- of the transfers by which it lapses: it stands for payee, heirs, day, plan and package
    waits   BLOB NOT NULL,              -- pico units
    lapsed  BLOB NOT NULL,              -- what its heirs have of it, pico units
    PRIMARY KEY (call, payee, subject)
) STRICT, WITHOUT ROWID;
CREATE INDEX unclaimed_charges_by_payee ON unclaimed_charges (payee, subject);
