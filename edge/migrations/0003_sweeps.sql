-- Where each sweep left off.
CREATE TABLE sweeps (
    name TEXT NOT NULL PRIMARY KEY,
    mark TEXT NOT NULL
) STRICT;
