-- Keys by which users ask for access tokens, and the public keys that verify these tokens.

CREATE TABLE machine_keys (
    position    INTEGER PRIMARY KEY,
    id          TEXT NOT NULL UNIQUE,
    org_id      TEXT NOT NULL,
    user_id     TEXT NOT NULL,
    kind        TEXT NOT NULL,
    verifier    BLOB NOT NULL UNIQUE,
    expires_at  INTEGER,
    sequence    INTEGER NOT NULL,
    created_at  INTEGER NOT NULL,
    changed_at  INTEGER NOT NULL
);
CREATE INDEX machine_keys_of_a_user ON machine_keys (user_id, position);

-- The private half is in the memory of the process that signs, and nowhere else.
CREATE TABLE signing_keys (
    id         TEXT PRIMARY KEY,
    public_key BLOB NOT NULL,
    expires_at INTEGER NOT NULL
) WITHOUT ROWID;
