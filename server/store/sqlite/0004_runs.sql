-- The log of runs. It does not follow from events, and is limited in time and size.

CREATE TABLE runs (
    position     INTEGER PRIMARY KEY,
    org_id       TEXT NOT NULL,
    started_at   INTEGER NOT NULL,
    flow_type    INTEGER NOT NULL,
    trigger_type INTEGER NOT NULL,
    has_failed   INTEGER NOT NULL,
    size         INTEGER NOT NULL,
    content      BLOB NOT NULL
);
-- The index has all columns of filters, so that other runs are skipped without reading their rows.
CREATE INDEX runs_of_an_org
    ON runs (org_id, position, started_at, flow_type, trigger_type, has_failed);

CREATE TABLE run_actions (
    org_id     TEXT NOT NULL,
    action_id  TEXT NOT NULL,
    position   INTEGER NOT NULL,
    has_failed INTEGER NOT NULL,
    PRIMARY KEY (org_id, action_id, position)
) WITHOUT ROWID;
CREATE INDEX run_actions_of_a_run ON run_actions (position);

CREATE TABLE run_totals (
    org_id TEXT PRIMARY KEY,
    size   INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TRIGGER run_is_counted AFTER INSERT ON runs
BEGIN
    INSERT INTO run_totals (org_id, size) SELECT new.org_id, 0
    WHERE NOT EXISTS (SELECT 1 FROM run_totals WHERE org_id = new.org_id);
    UPDATE run_totals SET size = size + new.size WHERE org_id = new.org_id;
END;

CREATE TRIGGER run_is_no_longer_counted AFTER DELETE ON runs
BEGIN
    DELETE FROM run_actions WHERE position = old.position;
    UPDATE run_totals SET size = size - old.size WHERE org_id = old.org_id;
    DELETE FROM run_totals WHERE org_id = old.org_id AND size <= 0;
END;
