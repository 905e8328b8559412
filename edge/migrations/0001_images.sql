-- Pictures that are kept. The key, not the URL, is what stays the same when a domain changes.
CREATE TABLE images (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    key           TEXT    NOT NULL UNIQUE,
    owner         TEXT    NOT NULL,
    media_type    TEXT    NOT NULL,
    width         INTEGER NOT NULL,
    height        INTEGER NOT NULL,
    size_bytes    INTEGER NOT NULL,
    sha256        TEXT    NOT NULL,
    original_name TEXT,
    created_ms    INTEGER NOT NULL
) STRICT;

CREATE INDEX images_by_owner ON images (owner, id);
