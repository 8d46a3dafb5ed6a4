-- What support promises is measured by: calls by the hour, and when advisories came first. And which periods were judged.

CREATE TABLE answers (
    package    TEXT NOT NULL,
    hour       INTEGER NOT NULL,         -- since 1970
    asked      INTEGER NOT NULL,
    unanswered INTEGER NOT NULL,
    PRIMARY KEY (package, hour)
) STRICT, WITHOUT ROWID;

ALTER TABLE licenses ADD COLUMN judged_at INTEGER; -- null where nobody looked yet what became of its promises
CREATE INDEX licenses_to_judge ON licenses (until_s) WHERE judged_at IS NULL AND item GLOB 'plan:*';

ALTER TABLE advisories ADD COLUMN first_at INTEGER; -- when its first word came, in Unix milliseconds
UPDATE advisories SET first_at = created_at;
