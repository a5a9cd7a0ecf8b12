-- Keys by which users ask for access tokens, and the public keys that verify these tokens.

CREATE TABLE machine_keys (
    position    bigint PRIMARY KEY,
    id          text COLLATE "C" NOT NULL UNIQUE,
    org_id      text COLLATE "C" NOT NULL,
    user_id     text COLLATE "C" NOT NULL,
    kind        bytea NOT NULL,
    verifier    bytea NOT NULL UNIQUE,
    expires_at  bigint,
    sequence    bigint NOT NULL,
    created_at  bigint NOT NULL,
    changed_at  bigint NOT NULL
);
CREATE INDEX machine_keys_of_a_user ON machine_keys (user_id, position);

-- The private half is in the memory of the process that signs, and nowhere else.
CREATE TABLE signing_keys (
    id         text COLLATE "C" PRIMARY KEY,
    public_key bytea NOT NULL,
    expires_at bigint NOT NULL
);
