-- E-mail addresses that a sign-up holds while it claims the picture of its guest. A row is removed with
-- the sign-up, or ignored and cleaned up once its time is over.
CREATE TABLE reservations (
    email    TEXT    NOT NULL PRIMARY KEY,
    user     TEXT    NOT NULL,
    until_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- The id that this deployment shares with its bucket, which holds it in an object. One row at most.
CREATE TABLE deployment (
    one      INTEGER PRIMARY KEY CHECK (one = 1),
    id       TEXT    NOT NULL,
    bound_ms INTEGER NOT NULL
) STRICT;
