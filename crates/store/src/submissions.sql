-- Migration 6. Money that was moved for us, by a transaction that a chain may still take back: refunds, payouts, claims.

CREATE TABLE submissions (
    subject   TEXT PRIMARY KEY,           -- what its transfers belong to: a call's id, `payout:ID` of a run, a claim's id
    request   TEXT NOT NULL,              -- JSON: what to ask of the rail again
    reference TEXT NOT NULL,              -- the transaction on the rail
    tried_at  INTEGER NOT NULL DEFAULT 0  -- when it was last looked at
) STRICT;

-- What of a channel was claimed by transactions that nothing takes back.
ALTER TABLE channels ADD COLUMN claimed_final BLOB NOT NULL DEFAULT x'00000000000000000000000000000000';
UPDATE channels SET claimed_final = claimed;
