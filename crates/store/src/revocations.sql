-- Migration 10. Blocks of tokens that were taken back, each for the account whose credit they spend: who owns an
-- account may take back a block that the registry has never seen, and must not do so for another's. Older ones are for
-- any account.

CREATE TABLE revocations (
    account TEXT NOT NULL,
    block TEXT NOT NULL,
    revoked_at INTEGER NOT NULL,
    PRIMARY KEY (block, account)
) WITHOUT ROWID, STRICT;

INSERT INTO revocations (account, block, revoked_at) SELECT '', block, revoked_at FROM revoked_blocks;
DROP TABLE revoked_blocks;
