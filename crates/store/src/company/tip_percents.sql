-- The percent of what the account spent on calls that its tips are; null where a sum was named.

ALTER TABLE tip_parts ADD COLUMN percent INTEGER;
