-- Only interfaces that are named after a package that somebody can publish are ones that packages compete by: neither the
-- host's, nor those that a world defines in place, whose names say nothing.

DELETE FROM exports
    WHERE interface NOT LIKE '%:%/%' OR interface LIKE 'glassbox:%' OR interface LIKE 'wasi:%';
DELETE FROM spec_runs
    WHERE interface NOT LIKE '%:%/%' OR interface LIKE 'glassbox:%' OR interface LIKE 'wasi:%';
