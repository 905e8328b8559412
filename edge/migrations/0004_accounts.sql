-- People who signed up here. An address is there once, as it was normalised; of a password only its
-- hash is kept, with the parameters it was made with.
CREATE TABLE users (
    id          TEXT    NOT NULL PRIMARY KEY,
    email       TEXT    NOT NULL UNIQUE,
    password    TEXT    NOT NULL,
    role        TEXT    NOT NULL DEFAULT 'USER' CHECK (role IN ('USER', 'SERVICE', 'ADMIN')),
    nickname    TEXT,
    picture_key TEXT,
    created_ms  INTEGER NOT NULL
) STRICT;

-- One row for each time that somebody logged in: all refresh tokens that came of it are its family.
-- Only the digest of the last of them is kept; any other shows that one was used twice.
CREATE TABLE families (
    id         TEXT    NOT NULL PRIMARY KEY,
    user       TEXT    NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    token      TEXT    NOT NULL,
    created_ms INTEGER NOT NULL,
    expires_ms INTEGER NOT NULL,
    revoked_ms INTEGER
) STRICT;

CREATE INDEX families_by_user ON families (user, expires_ms);
