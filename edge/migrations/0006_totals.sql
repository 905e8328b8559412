-- Sums since the beginning, which only grow: what /metrics tells of. One row for each name and labels;
-- `told` is how much of it the team has heard of by an alert.
CREATE TABLE totals (
    name   TEXT    NOT NULL,
    labels TEXT    NOT NULL,
    total  INTEGER NOT NULL,
    told   INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (name, labels)
) STRICT, WITHOUT ROWID;

-- How long things took: how often up to so many milliseconds and no less than the column before.
CREATE TABLE timings (
    stage       TEXT    NOT NULL PRIMARY KEY,
    sum_ms      INTEGER NOT NULL,
    up_to_5     INTEGER NOT NULL,
    up_to_10    INTEGER NOT NULL,
    up_to_25    INTEGER NOT NULL,
    up_to_50    INTEGER NOT NULL,
    up_to_100   INTEGER NOT NULL,
    up_to_250   INTEGER NOT NULL,
    up_to_500   INTEGER NOT NULL,
    up_to_1000  INTEGER NOT NULL,
    up_to_2500  INTEGER NOT NULL,
    up_to_5000  INTEGER NOT NULL,
    up_to_10000 INTEGER NOT NULL,
    beyond      INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- The memory of each isolate when it last wrote.
CREATE TABLE isolates (
    id         TEXT    NOT NULL PRIMARY KEY,
    at_ms      INTEGER NOT NULL,
    used_bytes INTEGER NOT NULL,
    peak_bytes INTEGER NOT NULL,
    wasm_bytes INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Each kind of alert: since when what happened was not told, and from when on the next may be sent.
CREATE TABLE alerts (
    kind     TEXT    NOT NULL PRIMARY KEY,
    since_ms INTEGER NOT NULL,
    free_ms  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
