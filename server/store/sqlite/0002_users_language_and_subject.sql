-- What a user prefers to read, and what the issuer of JWTs calls it. Empty is none.
-- That a subject is had once is a matter of the table names, as with every unique name.

ALTER TABLE users ADD COLUMN language TEXT NOT NULL DEFAULT '';
ALTER TABLE users ADD COLUMN subject TEXT NOT NULL DEFAULT '';
CREATE INDEX users_by_subject ON users (subject) WHERE subject <> '';
