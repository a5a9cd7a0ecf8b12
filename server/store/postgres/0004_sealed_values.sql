-- Values that only a secret key opens. Their names and dates follow from events, their contents do
-- not: what is deleted is gone.

CREATE TABLE sealed_values (
    position   bigint PRIMARY KEY,
    id         text COLLATE "C" NOT NULL UNIQUE,
    org_id     text COLLATE "C" NOT NULL,
    purpose    bytea NOT NULL,
    name       bytea NOT NULL,
    sequence   bigint NOT NULL,
    created_at bigint NOT NULL,
    changed_at bigint NOT NULL
);
CREATE INDEX sealed_values_of_an_org ON sealed_values (org_id, position);

CREATE TABLE sealed_contents (
    id      text COLLATE "C" PRIMARY KEY, -- of the value
    key_id  text COLLATE "C" NOT NULL,
    content bytea NOT NULL
);
