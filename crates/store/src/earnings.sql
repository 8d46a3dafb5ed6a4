-- What was charged in a period is found without reading what was charged before. Appended to at its end, as time goes.

CREATE INDEX transfers_charged ON transfers (created_at) WHERE kind = 'charge';
