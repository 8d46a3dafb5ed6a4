-- What the tests of an interface's own package showed of its implementations: of each, what the newest tests did.

CREATE TABLE spec_runs (
    interface TEXT NOT NULL,            -- ns:package/interface@version
    package   TEXT NOT NULL,            -- the implementation
    version   TEXT NOT NULL,
    tests     TEXT NOT NULL,            -- digest of the object with the tests
    result    TEXT NOT NULL,            -- JSON
    PRIMARY KEY (interface, package, version)
) STRICT, WITHOUT ROWID;
