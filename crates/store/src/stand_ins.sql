-- Migration 4. Payments that were not taken, because an earlier one of the same payer pays for the same request: sent
-- again, they are answered from its call.

CREATE TABLE stand_ins (
    payment_key TEXT PRIMARY KEY,
    call        TEXT NOT NULL REFERENCES calls (id)
) STRICT;
