-- Which releases export an interface, so that comparing implementations reads those alone.

CREATE TABLE exports (
    interface TEXT NOT NULL,            -- ns:package/interface@version
    package   TEXT NOT NULL,
    version   TEXT NOT NULL,
    PRIMARY KEY (interface, package, version)
) STRICT, WITHOUT ROWID;
INSERT OR IGNORE INTO exports
    SELECT substr(name, 1, instr(name, '#') - 1), package, version
    FROM (SELECT package, version, json_extract(function.value, '$.name') AS name
          FROM releases, json_each(releases.listing, '$.functions') AS function)
    WHERE instr(name, '#') > 0;
