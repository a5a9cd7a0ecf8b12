-- Counts of the runs of each action. They do not follow from events, and go with the action.
-- Times are total microseconds.

CREATE TABLE action_counts (
    org_id      text COLLATE "C" NOT NULL,
    action_id   text COLLATE "C" PRIMARY KEY,
    name        bytea NOT NULL,
    runs        bigint NOT NULL,
    failures    bigint NOT NULL,
    timeouts    bigint NOT NULL,
    kills       bigint NOT NULL,
    queue_us    bigint NOT NULL,
    duration_us bigint NOT NULL
) WITH (fillfactor = 50); -- room for the next versions of its rows on the same page
CREATE INDEX action_counts_of_an_org ON action_counts (org_id, action_id);
