-- The form that a picture belongs to, and listing by it.
ALTER TABLE images ADD COLUMN form_id TEXT;

CREATE INDEX images_by_form ON images (owner, form_id, id);

-- What happened to accounts: bans and their lifting. The mark is made by whoever tells of an event, so
-- that telling twice leaves one row.
CREATE TABLE events (
    id       INTEGER PRIMARY KEY AUTOINCREMENT,
    mark     TEXT    NOT NULL UNIQUE,
    at_ms    INTEGER NOT NULL,
    kind     TEXT    NOT NULL,
    subject  TEXT    NOT NULL,
    reason   TEXT    NOT NULL,
    until_ms INTEGER,
    detail   TEXT
) STRICT;

CREATE INDEX events_by_subject ON events (subject, id);
