-- The events, the current states that follow from them, the owners of unique names, and the log of
-- runs. Times are microseconds since the epoch.
-- Texts that people write are UTF-8 as bytea: a text of PostgreSQL has no NUL character, and bytea
-- is compared byte by byte, which is the order of code points. Ids are text in the same order.

CREATE TABLE events (
    position       bigint PRIMARY KEY,
    org_id         text COLLATE "C" NOT NULL,
    aggregate_type text COLLATE "C" NOT NULL,
    aggregate_id   text COLLATE "C" NOT NULL,
    sequence       bigint NOT NULL,
    type           text COLLATE "C" NOT NULL,
    payload        text NOT NULL, -- a JSON object; not jsonb, which has no NUL character
    editor         text COLLATE "C" NOT NULL,
    created_at     bigint NOT NULL,
    UNIQUE (aggregate_id, aggregate_type, sequence)
);

CREATE FUNCTION events_are_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'events are append-only';
END
$$;

CREATE TRIGGER events_are_never_changed BEFORE UPDATE OR DELETE OR TRUNCATE ON events
FOR EACH STATEMENT EXECUTE FUNCTION events_are_append_only();

CREATE TABLE names (
    scope  text COLLATE "C" NOT NULL,
    org_id text COLLATE "C" NOT NULL,
    name   bytea NOT NULL,
    owner  text COLLATE "C" NOT NULL,
    PRIMARY KEY (scope, org_id, name)
);

-- The last sequence of aggregates that ended: if one exists again, its sequence continues.
CREATE TABLE removed (
    aggregate_type text COLLATE "C" NOT NULL,
    aggregate_id   text COLLATE "C" NOT NULL,
    sequence       bigint NOT NULL,
    PRIMARY KEY (aggregate_type, aggregate_id)
);

-- One table for each type of aggregate. The key is the position of the event that made it: lists are
-- in this order.

CREATE TABLE actions (
    position        bigint PRIMARY KEY,
    id              text COLLATE "C" NOT NULL UNIQUE,
    org_id          text COLLATE "C" NOT NULL,
    state           bigint NOT NULL,
    name            bytea NOT NULL,
    script          bytea NOT NULL,
    timeout_ns      bigint NOT NULL,
    allowed_to_fail boolean NOT NULL,
    sequence        bigint NOT NULL,
    created_at      bigint NOT NULL,
    changed_at      bigint NOT NULL,
    folded_name     bytea NOT NULL
) WITH (fillfactor = 80); -- room for the next versions of its rows on the same page
CREATE INDEX actions_of_an_org ON actions (org_id, position);
CREATE INDEX actions_by_name ON actions (org_id, folded_name);
CREATE INDEX actions_by_id ON actions (org_id, id);

CREATE TABLE flows (
    position   bigint PRIMARY KEY,
    id         text COLLATE "C" NOT NULL UNIQUE,
    org_id     text COLLATE "C" NOT NULL,
    type       bigint NOT NULL,
    triggers   text NOT NULL, -- a JSON array of [trigger, [action id, ...]]
    last_set   text NOT NULL, -- as triggers, with the ids of actions that are removed since
    sequence   bigint NOT NULL,
    created_at bigint NOT NULL,
    changed_at bigint NOT NULL
);

CREATE TABLE orgs (
    position   bigint PRIMARY KEY,
    id         text COLLATE "C" NOT NULL UNIQUE,
    name       bytea NOT NULL,
    sequence   bigint NOT NULL,
    created_at bigint NOT NULL,
    changed_at bigint NOT NULL
);

CREATE TABLE members (
    position   bigint PRIMARY KEY,
    id         text COLLATE "C" NOT NULL UNIQUE,
    org_id     text COLLATE "C" NOT NULL,
    user_id    text COLLATE "C" NOT NULL,
    roles      text NOT NULL, -- a JSON array
    sequence   bigint NOT NULL,
    created_at bigint NOT NULL,
    changed_at bigint NOT NULL
);
CREATE INDEX members_of_an_org ON members (org_id, position);
CREATE INDEX memberships_of_a_user ON members (user_id, position);

CREATE TABLE users (
    position   bigint PRIMARY KEY,
    id         text COLLATE "C" NOT NULL UNIQUE,
    org_id     text COLLATE "C" NOT NULL,
    name       bytea NOT NULL,
    language   bytea NOT NULL,
    subject    bytea NOT NULL,
    sequence   bigint NOT NULL,
    created_at bigint NOT NULL,
    changed_at bigint NOT NULL
);
CREATE INDEX users_of_an_org ON users (org_id, position);
CREATE INDEX users_by_subject ON users (subject) WHERE subject <> '';

CREATE TABLE tokens (
    position    bigint PRIMARY KEY,
    id          text COLLATE "C" NOT NULL UNIQUE,
    org_id      text COLLATE "C" NOT NULL,
    user_id     text COLLATE "C" NOT NULL,
    secret_hash bytea NOT NULL UNIQUE,
    description bytea NOT NULL,
    expires_at  bigint,
    sequence    bigint NOT NULL,
    created_at  bigint NOT NULL,
    changed_at  bigint NOT NULL
);
CREATE INDEX tokens_of_a_user ON tokens (user_id, position);

-- The number of actions of each organisation: counting them would take time for each action.
CREATE TABLE action_totals (
    org_id text COLLATE "C" PRIMARY KEY,
    total  bigint NOT NULL
);

CREATE FUNCTION count_actions() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO action_totals AS held (org_id, total)
        SELECT org_id, count(*) FROM those GROUP BY org_id
        ON CONFLICT (org_id) DO UPDATE SET total = held.total + excluded.total;
    ELSE
        UPDATE action_totals AS held SET total = held.total - gone.total
        FROM (SELECT org_id, count(*) AS total FROM those GROUP BY org_id) AS gone
        WHERE held.org_id = gone.org_id;
        DELETE FROM action_totals WHERE total = 0;
    END IF;
    RETURN NULL;
END
$$;

CREATE TRIGGER actions_are_counted AFTER INSERT ON actions
REFERENCING NEW TABLE AS those FOR EACH STATEMENT EXECUTE FUNCTION count_actions();

CREATE TRIGGER actions_are_no_longer_counted AFTER DELETE ON actions
REFERENCING OLD TABLE AS those FOR EACH STATEMENT EXECUTE FUNCTION count_actions();

-- The machine id that was claimed last; each process that makes ids claims the next one.
CREATE TABLE machine_ids (
    one  boolean PRIMARY KEY CHECK (one),
    last bigint NOT NULL
);
INSERT INTO machine_ids (one, last) VALUES (true, 0);

-- The log of runs. It does not follow from events, and is limited in time and size.

CREATE TABLE runs (
    position     bigint PRIMARY KEY,
    org_id       text COLLATE "C" NOT NULL,
    started_at   bigint NOT NULL,
    flow_type    bigint NOT NULL,
    trigger_type bigint NOT NULL,
    has_failed   boolean NOT NULL,
    size         bigint NOT NULL,
    content      bytea NOT NULL
);
CREATE INDEX runs_of_an_org ON runs (org_id, position);
CREATE INDEX runs_by_age ON runs (started_at);

CREATE TABLE run_actions (
    org_id     text COLLATE "C" NOT NULL,
    action_id  text COLLATE "C" NOT NULL,
    position   bigint NOT NULL REFERENCES runs ON DELETE CASCADE,
    has_failed boolean NOT NULL,
    PRIMARY KEY (org_id, action_id, position)
);
CREATE INDEX run_actions_of_a_run ON run_actions (position);

CREATE TABLE run_totals (
    org_id text COLLATE "C" PRIMARY KEY,
    size   bigint NOT NULL
);

CREATE FUNCTION count_runs() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO run_totals AS held (org_id, size)
        SELECT org_id, sum(size) FROM those GROUP BY org_id
        ON CONFLICT (org_id) DO UPDATE SET size = held.size + excluded.size;
    ELSE
        UPDATE run_totals AS held SET size = held.size - gone.size
        FROM (SELECT org_id, sum(size) AS size FROM those GROUP BY org_id) AS gone
        WHERE held.org_id = gone.org_id;
        DELETE FROM run_totals WHERE size <= 0;
    END IF;
    RETURN NULL;
END
$$;

CREATE TRIGGER runs_are_counted AFTER INSERT ON runs
REFERENCING NEW TABLE AS those FOR EACH STATEMENT EXECUTE FUNCTION count_runs();

CREATE TRIGGER runs_are_no_longer_counted AFTER DELETE ON runs
REFERENCING OLD TABLE AS those FOR EACH STATEMENT EXECUTE FUNCTION count_runs();
