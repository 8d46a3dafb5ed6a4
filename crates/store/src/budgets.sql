-- What a call took of budgets stays known, so that they have back what goes back of its charge.

ALTER TABLE call_budgets ADD COLUMN spent BLOB; -- null while it is set aside
