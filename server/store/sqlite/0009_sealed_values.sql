-- Values that only a secret key opens. Their names and dates follow from events, their contents do
-- not: what is deleted is gone.

CREATE TABLE sealed_values (
    position   INTEGER PRIMARY KEY,
    id         TEXT NOT NULL UNIQUE,
    org_id     TEXT NOT NULL,
    purpose    TEXT NOT NULL,
    name       TEXT NOT NULL,
    sequence   INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    changed_at INTEGER NOT NULL
);
CREATE INDEX sealed_values_of_an_org ON sealed_values (org_id, position);

CREATE TABLE sealed_contents (
    id      TEXT PRIMARY KEY, -- of the value
    key_id  TEXT NOT NULL,
    content BLOB NOT NULL
) WITHOUT ROWID;
