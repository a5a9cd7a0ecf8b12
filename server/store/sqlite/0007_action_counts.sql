-- Counts of the runs of each action. They do not follow from events, and go with the action.
-- Times are total microseconds.

CREATE TABLE action_counts (
    org_id      TEXT NOT NULL,
    action_id   TEXT PRIMARY KEY,
    name        TEXT NOT NULL,
    runs        INTEGER NOT NULL,
    failures    INTEGER NOT NULL,
    timeouts    INTEGER NOT NULL,
    kills       INTEGER NOT NULL,
    queue_us    INTEGER NOT NULL,
    duration_us INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX action_counts_of_an_org ON action_counts (org_id, action_id);
