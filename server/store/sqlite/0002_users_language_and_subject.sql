-- The language of a user, and its subject in JWTs; empty for none. The table names keeps subjects
-- unique, as it does all unique names.

ALTER TABLE users ADD COLUMN language TEXT NOT NULL DEFAULT '';
ALTER TABLE users ADD COLUMN subject TEXT NOT NULL DEFAULT '';
CREATE INDEX users_by_subject ON users (subject) WHERE subject <> '';
