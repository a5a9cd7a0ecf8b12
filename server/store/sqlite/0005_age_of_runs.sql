-- Runs are found by age, not only by position: a clock that was wrong gave them times in any order.

CREATE INDEX runs_by_age ON runs (started_at);
