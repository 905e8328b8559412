-- What was served and refused, hour by hour since 1970: one row for each area and code.
CREATE TABLE counts (
    hour         INTEGER NOT NULL,
    area         TEXT    NOT NULL,
    code         TEXT    NOT NULL,
    count        INTEGER NOT NULL,
    bytes_in     INTEGER NOT NULL,
    bytes_stored INTEGER NOT NULL,
    PRIMARY KEY (hour, area, code)
) STRICT;

-- Who uploads, in the order of time.
CREATE INDEX images_by_time ON images (created_ms, owner, size_bytes);

-- Events of one kind, newest first, and bans that have not ended.
CREATE INDEX events_by_kind ON events (kind, id);
CREATE INDEX events_by_end ON events (until_ms) WHERE kind = 'ban';
