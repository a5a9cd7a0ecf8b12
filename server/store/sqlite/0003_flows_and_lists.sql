-- Flows, and the columns, indexes and counts of lists of actions.

CREATE TABLE flows (
    position   INTEGER PRIMARY KEY,
    id         TEXT NOT NULL UNIQUE,
    org_id     TEXT NOT NULL,
    type       INTEGER NOT NULL,
    triggers   TEXT NOT NULL, -- a JSON array of [trigger, [action id, ...]]
    sequence   INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    changed_at INTEGER NOT NULL
);

-- The folded name, by which names are compared; SQLite itself folds only ASCII.
ALTER TABLE actions ADD COLUMN folded_name TEXT NOT NULL DEFAULT '';
UPDATE actions SET folded_name = names.name FROM names
WHERE names.scope = 'action' AND names.org_id = actions.org_id AND names.owner = actions.id;

-- The indexes have all columns of filters, so that names are filtered without reading their rows.
DROP INDEX actions_of_an_org;
CREATE INDEX actions_of_an_org ON actions (org_id, position, name, folded_name);
CREATE INDEX actions_by_name ON actions (org_id, folded_name, name);
CREATE INDEX actions_by_id ON actions (org_id, id);
CREATE INDEX actions_by_state ON actions (org_id, state, position);

-- The number of actions of each organisation: counting them would take time for each action.
CREATE TABLE action_totals (
    org_id TEXT PRIMARY KEY,
    total  INTEGER NOT NULL
) WITHOUT ROWID;
INSERT INTO action_totals (org_id, total) SELECT org_id, count(*) FROM actions GROUP BY org_id;

CREATE TRIGGER action_is_counted AFTER INSERT ON actions
BEGIN
    INSERT INTO action_totals (org_id, total) SELECT new.org_id, 0
    WHERE NOT EXISTS (SELECT 1 FROM action_totals WHERE org_id = new.org_id);
    UPDATE action_totals SET total = total + 1 WHERE org_id = new.org_id;
END;

CREATE TRIGGER action_is_no_longer_counted AFTER DELETE ON actions
BEGIN
    UPDATE action_totals SET total = total - 1 WHERE org_id = old.org_id;
    DELETE FROM action_totals WHERE org_id = old.org_id AND total = 0;
END;
