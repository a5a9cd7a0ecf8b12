-- Finds runs by age: if the clock was wrong, their times are not in the order of positions.

CREATE INDEX runs_by_age ON runs (started_at);
