-- The tables of the Worker. Times are milliseconds since 1970. Later migrations only add.

CREATE TABLE images (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    -- Of the object. URLs are derived from it, so they follow when the domain changes.
    key           TEXT    NOT NULL UNIQUE,
    -- The user whose image it is now; the key keeps the user who uploaded it.
    owner         TEXT    NOT NULL,
    form_id       TEXT,
    media_type    TEXT    NOT NULL,
    -- Of the upright image.
    width         INTEGER NOT NULL,
    height        INTEGER NOT NULL,
    size_bytes    INTEGER NOT NULL,
    -- Of the stored bytes, in hexadecimal.
    sha256        TEXT    NOT NULL,
    original_name TEXT,
    -- A ThumbHash, in base64.
    placeholder   TEXT,
    created_ms    INTEGER NOT NULL,
    -- Null for an image whose form has no review. The object of a held image lies below `private/`, a refused one has none.
    review        TEXT CHECK (review IN ('held', 'released', 'refused')),
    -- Why it was refused, for the uploader.
    review_reason TEXT
) STRICT;

-- Each entry of an index is billed as a row of its own. This one finds the images of an owner, and those of a form.
CREATE INDEX images_by_owner ON images (owner, id, form_id);
CREATE INDEX images_held ON images (id) WHERE review = 'held';
CREATE INDEX images_by_form ON images (form_id, id) WHERE form_id IS NOT NULL;

-- The last image of all when the hour had not begun yet, written once an hour: finds the images of a time without an index.
CREATE TABLE image_hours (
    -- Hours since 1970.
    hour          INTEGER NOT NULL PRIMARY KEY,
    last_image_id INTEGER NOT NULL
) STRICT;

-- The forms that have a policy. The pictures of a form with a limit are counted by a Durable Object.
CREATE TABLE forms (
    name             TEXT    NOT NULL PRIMARY KEY,
    -- As a back end wrote it.
    policy           TEXT    NOT NULL,
    -- Since when it has had a limit without a break; it has none when this is null.
    counted_since_ms INTEGER,
    -- When it was closed and its pictures were deleted. Until its policy is written again, no picture is added.
    deleted_ms       INTEGER,
    created_ms       INTEGER NOT NULL,
    updated_ms       INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE users (
    id            TEXT    NOT NULL PRIMARY KEY,
    -- Normalised. A user who signs in elsewhere may have none.
    email         TEXT    UNIQUE,
    -- A PHC string. A user who signs in elsewhere has none.
    password_hash TEXT,
    role          TEXT    NOT NULL DEFAULT 'USER' CHECK (role IN ('USER', 'SERVICE', 'ADMIN')),
    nickname      TEXT,
    image_key     TEXT,
    created_ms    INTEGER NOT NULL,
    -- When the e-mail address was verified by a link.
    verified_ms   INTEGER
) STRICT;

-- Single-use links in mails, by the SHA-256 of their token.
CREATE TABLE mail_links (
    digest        TEXT    NOT NULL PRIMARY KEY,
    kind          TEXT    NOT NULL CHECK (kind IN ('sign_up', 'verify', 'reset')),
    email         TEXT    NOT NULL,
    -- Of a sign-up there is no user yet.
    user_id       TEXT    REFERENCES users (id) ON DELETE CASCADE,
    -- Of a sign-up: what the account will have.
    nickname      TEXT,
    expires_ms    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX mail_links_by_email ON mail_links (email);
CREATE INDEX mail_links_by_user ON mail_links (user_id) WHERE user_id IS NOT NULL;
CREATE INDEX mail_links_by_end ON mail_links (expires_ms);

-- Accounts at providers with which users sign in.
CREATE TABLE identities (
    issuer     TEXT    NOT NULL,
    -- Of the person, chosen by the issuer.
    subject    TEXT    NOT NULL,
    user_id    TEXT    NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    created_ms INTEGER NOT NULL,
    PRIMARY KEY (issuer, subject)
) STRICT, WITHOUT ROWID;

CREATE INDEX identities_by_user ON identities (user_id);

-- Sign-ins at providers that have begun, by the SHA-256 of their state, and those that wait for a password.
CREATE TABLE sign_ins (
    digest     TEXT    NOT NULL PRIMARY KEY,
    -- JSON.
    content    TEXT    NOT NULL,
    expires_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX sign_ins_by_end ON sign_ins (expires_ms);

-- E-mail addresses that a sign-up holds while it claims the image of its guest. A sign-up deletes its
-- reservation; an expired one is ignored.
CREATE TABLE reservations (
    email    TEXT    NOT NULL PRIMARY KEY,
    user_id  TEXT    NOT NULL,
    until_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- One row for each login: all refresh tokens that follow from it are its family.
CREATE TABLE refresh_families (
    -- Also the id of the session.
    id           TEXT    NOT NULL PRIMARY KEY,
    user_id      TEXT    NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    -- Of the last token. Any other token of the family was used twice.
    token_digest TEXT    NOT NULL,
    -- Of the login, so that people recognise their sessions.
    user_agent   TEXT,
    created_ms   INTEGER NOT NULL,
    -- When the last token was issued, and when it expires.
    used_ms      INTEGER NOT NULL,
    expires_ms   INTEGER NOT NULL,
    revoked_ms   INTEGER
) STRICT;

CREATE INDEX refresh_families_by_user ON refresh_families (user_id, expires_ms);

-- Removals that run in the background: of many images, or of everything of a user.
CREATE TABLE removals (
    id             TEXT    NOT NULL PRIMARY KEY,
    kind           TEXT    NOT NULL CHECK (kind IN ('keys', 'form', 'owner', 'user', 'replay')),
    -- The keys as a JSON array, the form, or the user. Forgotten when the removal is over.
    target         TEXT,
    -- Only images up to this one.
    last_image_id  INTEGER NOT NULL,
    -- How many images there were.
    total          INTEGER NOT NULL,
    requested_by   TEXT,
    -- How long after its end an erasure still refuses images of the user.
    protects_ms    INTEGER NOT NULL,
    created_ms     INTEGER NOT NULL,
    -- Until when one isolate works on it, or until when it waits.
    taken_until_ms INTEGER NOT NULL,
    finished_ms    INTEGER,
    -- Where it stopped.
    cursor         TEXT    NOT NULL
) STRICT;

-- One erasure of a user at a time; no image of the user is registered while there is one.
CREATE UNIQUE INDEX removals_of_user ON removals (target) WHERE kind = 'user';

-- What was erased, so that it is erased again from a restored database: users by a pseudonym, and the keys of their images
-- that name another user.
CREATE TABLE erased (
    name            TEXT    NOT NULL PRIMARY KEY,
    erased_ms       INTEGER NOT NULL,
    -- The end of a ban that had not ended when its user was erased.
    banned_until_ms INTEGER
) STRICT, WITHOUT ROWID;

CREATE INDEX erased_by_ban_end ON erased (banned_until_ms) WHERE banned_until_ms IS NOT NULL;

-- The audit log.
CREATE TABLE events (
    id              INTEGER PRIMARY KEY AUTOINCREMENT,
    -- Chosen by the sender, so that an event that is sent twice is stored once.
    idempotency_key TEXT    NOT NULL UNIQUE,
    at_ms           INTEGER NOT NULL,
    kind            TEXT    NOT NULL,
    subject         TEXT    NOT NULL,
    reason          TEXT    NOT NULL,
    -- The end of a ban.
    until_ms        INTEGER,
    detail          TEXT
) STRICT;

CREATE INDEX events_by_subject ON events (subject, id);
CREATE INDEX events_by_kind ON events (kind, id);
CREATE INDEX events_by_ban_end ON events (until_ms) WHERE kind = 'ban';

-- Events for the back end that are not in the outbox of a ledger alone.
CREATE TABLE webhook_events (
    -- The header webhook-id.
    id          TEXT    NOT NULL PRIMARY KEY,
    -- Of a change in the database that no ledger has yet (new), repeated by its ledger (failed), or given up (dead).
    state       TEXT    NOT NULL CHECK (state IN ('new', 'failed', 'dead')),
    event_type  TEXT    NOT NULL,
    -- The ledger that sends it, and the stream whose events it sends in order.
    subject     TEXT    NOT NULL,
    stream      TEXT    NOT NULL,
    body        TEXT    NOT NULL,
    tries       INTEGER NOT NULL,
    last_error  TEXT    NOT NULL,
    created_ms  INTEGER NOT NULL,
    changed_ms  INTEGER NOT NULL,
    -- When the ledger tries again.
    next_ms     INTEGER
) STRICT, WITHOUT ROWID;

CREATE INDEX webhook_events_by_state ON webhook_events (state, changed_ms);

-- The trouble with the endpoint of the back end. There is no row while it works.
CREATE TABLE webhook_endpoint (
    only_row         INTEGER PRIMARY KEY CHECK (only_row = 1),
    -- Since the last success.
    failures         INTEGER NOT NULL,
    failing_since_ms INTEGER NOT NULL,
    last_failure_ms  INTEGER NOT NULL,
    last_error       TEXT    NOT NULL,
    -- One delivery may try it then.
    next_probe_ms    INTEGER NOT NULL,
    -- Since when it asks for no more events.
    stopped_ms       INTEGER
) STRICT;

-- Responses and files by the hour, for the page of administrators.
CREATE TABLE hour_counts (
    -- Hours since 1970.
    hour         INTEGER NOT NULL,
    area         TEXT    NOT NULL,
    code         TEXT    NOT NULL,
    count        INTEGER NOT NULL,
    bytes_in     INTEGER NOT NULL,
    bytes_stored INTEGER NOT NULL,
    PRIMARY KEY (hour, area, code)
) STRICT;

-- Counters since the beginning, for /metrics and alerts.
CREATE TABLE totals (
    name     TEXT    NOT NULL,
    labels   TEXT    NOT NULL,
    total    INTEGER NOT NULL,
    -- The part of the total that alerts have reported.
    reported INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (name, labels)
) STRICT, WITHOUT ROWID;

-- Histograms of durations, as a JSON object: by stage, the sum of the milliseconds, then how many took up to 5, 10, 25, 50,
-- 100, 250, 500, 1000, 2500, 5000 and 10000 ms and more than the bound before, and how many took longer.
CREATE TABLE timings (
    only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
    stages   TEXT    NOT NULL
) STRICT;

-- The memory of each isolate when it last wrote.
CREATE TABLE isolates (
    id         TEXT    NOT NULL PRIMARY KEY,
    at_ms      INTEGER NOT NULL,
    used_bytes INTEGER NOT NULL,
    peak_bytes INTEGER NOT NULL,
    wasm_bytes INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE alert_states (
    kind     TEXT    NOT NULL PRIMARY KEY,
    -- The counts of the next alert begin here.
    since_ms INTEGER NOT NULL,
    -- No alert of this kind is sent before.
    next_ms  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Where scheduled jobs stopped.
CREATE TABLE job_cursors (
    job    TEXT NOT NULL PRIMARY KEY,
    cursor TEXT NOT NULL
) STRICT;

-- The id that this deployment shares with its bucket, which holds it in an object.
CREATE TABLE deployment (
    only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
    id       TEXT    NOT NULL,
    bound_ms INTEGER NOT NULL
) STRICT;
