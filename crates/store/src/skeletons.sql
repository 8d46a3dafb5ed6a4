-- What the names of packages look like: a new one that could be taken for another's is refused.

CREATE TABLE package_skeletons (
    package  TEXT PRIMARY KEY,
    skeleton TEXT NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO package_skeletons
    SELECT DISTINCT package, replace(replace(replace(replace(replace(replace(
        package, ':', ''), '-', ''), '0', 'o'), '1', 'l'), 'rn', 'm'), 'vv', 'w')
    FROM releases;
CREATE INDEX package_skeletons_by_skeleton ON package_skeletons (skeleton);
