-- Migration 3. Transfers belong to more than calls, accounts carry their sums, and there are channels, credit, payouts,
-- and deposits that a chain may still take back.

CREATE TABLE transfers_of_all (
    id         INTEGER PRIMARY KEY,
    subject    TEXT NOT NULL,           -- what it belongs to: a call's id, or `payout:ID`, `claim:ID`, `grant:ID`, ...
    kind       TEXT NOT NULL,
    debit      TEXT NOT NULL,
    credit     TEXT NOT NULL,
    amount     BLOB NOT NULL,           -- pico units
    state      TEXT NOT NULL CHECK (state IN ('pending', 'posted', 'voided')),
    reference  TEXT,                    -- the transaction on the rail, where there is one
    created_at INTEGER NOT NULL,
    tried_at   INTEGER NOT NULL DEFAULT 0 -- when it was last asked for in vain
) STRICT;
INSERT INTO transfers_of_all (id, subject, kind, debit, credit, amount, state, reference, created_at, tried_at)
    SELECT id, call, kind, debit, credit, amount, state, reference, created_at, tried_at FROM transfers;
DROP TABLE transfers;
ALTER TABLE transfers_of_all RENAME TO transfers;
CREATE INDEX transfers_by_subject ON transfers (subject);
CREATE INDEX transfers_by_debit ON transfers (debit);
CREATE INDEX transfers_by_credit ON transfers (credit);
CREATE INDEX transfers_pending ON transfers (state, kind) WHERE state = 'pending';

-- Sums of transfers, kept in the same transaction as they. Derived: an audit adds the transfers up again.
CREATE TABLE accounts (
    name            TEXT PRIMARY KEY,
    debits          BLOB NOT NULL,      -- posted, pico units
    credits         BLOB NOT NULL,
    debits_pending  BLOB NOT NULL,
    credits_pending BLOB NOT NULL
) STRICT;

-- The payer's own name for a request: the same again finds the same call.
ALTER TABLE calls ADD COLUMN identifier TEXT;
ALTER TABLE calls ADD COLUMN delivered_at INTEGER;
-- The transaction that paid for it, and how sure it is: 'mined' (the chain may still take it back), 'final', 'lost',
-- 'vouched' (a voucher that is not claimed yet); null where nothing was paid.
ALTER TABLE calls ADD COLUMN settled_by TEXT;
ALTER TABLE calls ADD COLUMN standing TEXT CHECK (standing IN ('mined', 'final', 'lost', 'vouched'));
-- Where it was paid by a voucher: the channel, and what all its calls together had cost after this one.
ALTER TABLE calls ADD COLUMN channel TEXT;
ALTER TABLE calls ADD COLUMN cumulative BLOB;
UPDATE calls SET standing = 'final' WHERE state = 'posted';
UPDATE calls SET delivered_at = updated_at WHERE delivered = 1;
CREATE UNIQUE INDEX calls_by_identifier ON calls (payer, identifier) WHERE identifier IS NOT NULL;
CREATE INDEX calls_by_standing ON calls (standing) WHERE standing IN ('mined', 'vouched');
CREATE INDEX calls_delivered ON calls (delivered_at) WHERE delivered_at IS NOT NULL AND reply IS NOT NULL;

CREATE TABLE channels (
    id                    TEXT PRIMARY KEY,
    config                TEXT NOT NULL,   -- JSON, as x402 writes it: its hash is the id
    payer                 TEXT NOT NULL,
    rail                  TEXT NOT NULL,
    balance               BLOB NOT NULL,   -- what the contract held when it was last asked, atomic units
    charged               BLOB NOT NULL,   -- what calls cost so far
    ceiling               BLOB NOT NULL,   -- up to what the newest voucher lets us claim
    signature             TEXT NOT NULL,   -- of the newest voucher
    claimed               BLOB NOT NULL,   -- what was claimed so far
    call                  TEXT,            -- the call under way, for there is one at a time
    withdraw_requested_at INTEGER NOT NULL,
    refund_nonce          TEXT NOT NULL,
    used_at               INTEGER NOT NULL,
    asked_at              INTEGER NOT NULL -- when the contract was last asked
) STRICT;
CREATE INDEX channels_by_payer ON channels (payer);

-- Claims that were begun: what is asked of the chain is written down first, so that after a crash the same is asked again
-- and booked under the transaction that did it.
CREATE TABLE claims (
    id       TEXT PRIMARY KEY,
    vouchers TEXT NOT NULL                -- JSON: each channel with what is claimed of it, and what goes back to its payer
) STRICT;

-- What tokens may still spend, by the block that says so.
CREATE TABLE budgets (
    block TEXT PRIMARY KEY,
    spent BLOB NOT NULL,
    held  BLOB NOT NULL,
    calls INTEGER NOT NULL
) STRICT;
CREATE TABLE call_budgets (
    call  TEXT NOT NULL,
    block TEXT NOT NULL,
    held  BLOB NOT NULL,
    PRIMARY KEY (call, block)
) STRICT;

CREATE TABLE credit_accounts (
    id         TEXT PRIMARY KEY,
    label      TEXT NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;
CREATE TABLE revoked_blocks (
    block      TEXT PRIMARY KEY,
    revoked_at INTEGER NOT NULL
) STRICT;
