-- Times are microseconds since 1970 in UTC, 0 is none. States and their
-- numbers are those of package store. What a row waits for is kept in three
-- levels, so that a claim touches only what may begin: lanes.ready_at, within
-- the lane flows.ready_at (a flow is one client's mail on one connection in one
-- lane), within the flow deliveries.next_at.

-- +goose Up
CREATE TABLE messages (
    seq         INTEGER PRIMARY KEY,
    id          BLOB    NOT NULL UNIQUE,
    client      TEXT    NOT NULL,
    received_at INTEGER NOT NULL,
    size        INTEGER NOT NULL,
    sha256      BLOB    NOT NULL,
    kept        INTEGER NOT NULL,
    message_id  TEXT    NOT NULL,
    from_addr   TEXT    NOT NULL,
    env_from    TEXT    NOT NULL,
    tag         TEXT    NOT NULL,
    doc         TEXT    NOT NULL
);
CREATE INDEX messages_kept ON messages (kept, received_at, size);

-- Apart from messages, so that lists never read over bodies.
CREATE TABLE bodies (
    msg    INTEGER PRIMARY KEY,
    head   BLOB    NOT NULL,
    body   BLOB,             -- NULL: in the spool file named for the message
    start  INTEGER NOT NULL  -- where the body begins in that file
);

CREATE TABLE lanes (
    id           INTEGER PRIMARY KEY,
    key          TEXT    NOT NULL UNIQUE,
    concurrency  INTEGER NOT NULL DEFAULT 0,
    per_minute   INTEGER NOT NULL DEFAULT 0,
    per_day      INTEGER NOT NULL DEFAULT 0,
    paused_until INTEGER NOT NULL DEFAULT 0,
    reason       TEXT    NOT NULL DEFAULT '',
    cap          INTEGER NOT NULL DEFAULT 0,
    cap_until    INTEGER NOT NULL DEFAULT 0,
    in_flight    INTEGER NOT NULL DEFAULT 0,
    minute       BLOB    NOT NULL DEFAULT x'',
    day          BLOB    NOT NULL DEFAULT x'',
    gate_at      INTEGER NOT NULL DEFAULT 0, -- the first in line does not fit the daily budget before
    turn_at      INTEGER NOT NULL DEFAULT 0, -- last served
    served       INTEGER NOT NULL DEFAULT 0,
    ready_at     INTEGER NOT NULL            -- no claim gives anything before
);
CREATE INDEX lanes_ready ON lanes (ready_at, served);

CREATE TABLE flows (
    id         INTEGER PRIMARY KEY,
    lane       INTEGER NOT NULL,
    connection TEXT    NOT NULL,
    client     TEXT    NOT NULL,
    queued     INTEGER NOT NULL DEFAULT 0,
    due_at     INTEGER NOT NULL, -- least next_at of what waits
    gate_at    INTEGER NOT NULL, -- of the connection
    turn_at    INTEGER NOT NULL DEFAULT 0,
    served     INTEGER NOT NULL DEFAULT 0,
    ready_at   INTEGER NOT NULL,
    UNIQUE (lane, connection, client)
);
CREATE INDEX flows_ready ON flows (lane, ready_at, served);
CREATE INDEX flows_connection ON flows (connection);

CREATE TABLE deliveries (
    seq         INTEGER PRIMARY KEY,
    id          BLOB    NOT NULL UNIQUE,
    msg         INTEGER NOT NULL,
    flow        INTEGER NOT NULL,
    position    INTEGER NOT NULL,
    state       INTEGER NOT NULL,
    next_at     INTEGER NOT NULL,
    deadline_at INTEGER NOT NULL,
    created_at  INTEGER NOT NULL,
    expires_at  INTEGER NOT NULL,
    warn_at     INTEGER NOT NULL,
    finished_at INTEGER NOT NULL,
    attempts    INTEGER NOT NULL,
    epoch       INTEGER NOT NULL,
    node        TEXT    NOT NULL,
    kind        TEXT    NOT NULL,
    since       INTEGER NOT NULL,
    join_key    TEXT,
    recipients  TEXT    NOT NULL,
    word        TEXT    NOT NULL
);
CREATE INDEX deliveries_queue    ON deliveries (flow, next_at) WHERE state <= 1;
CREATE INDEX deliveries_leased   ON deliveries (node)          WHERE state = 2;
CREATE INDEX deliveries_deadline ON deliveries (deadline_at)   WHERE state <= 1 OR state = 3;
CREATE INDEX deliveries_open     ON deliveries (state)         WHERE state <> 2 AND state <> 4;
CREATE INDEX deliveries_join     ON deliveries (join_key)      WHERE join_key IS NOT NULL;
CREATE INDEX deliveries_msg      ON deliveries (msg);

-- A running attempt is in its delivery's row (attempts, epoch, node, kind,
-- since) and comes here when it ends.
CREATE TABLE attempts (
    delivery   INTEGER NOT NULL,
    no         INTEGER NOT NULL,
    kind       TEXT    NOT NULL,
    flow       INTEGER NOT NULL,
    node       TEXT    NOT NULL,
    epoch      INTEGER NOT NULL,
    started_at INTEGER NOT NULL,
    recipients INTEGER NOT NULL,
    outcome    TEXT    NOT NULL,
    PRIMARY KEY (delivery, no)
) WITHOUT ROWID;

CREATE TABLE nodes (
    name        TEXT    PRIMARY KEY,
    incarnation INTEGER NOT NULL,
    until_at    INTEGER NOT NULL
);

CREATE TABLE idempotency (
    client     TEXT    NOT NULL,
    key        TEXT    NOT NULL,
    request    BLOB    NOT NULL,
    answer     TEXT    NOT NULL,
    expires_at INTEGER NOT NULL,
    PRIMARY KEY (client, key)
) WITHOUT ROWID;
CREATE INDEX idempotency_expires ON idempotency (expires_at);

CREATE TABLE connections (
    id         TEXT    PRIMARY KEY,
    name_key   TEXT    NOT NULL UNIQUE,
    revision   INTEGER NOT NULL,
    active     INTEGER NOT NULL,
    is_default INTEGER NOT NULL,
    doc        TEXT    NOT NULL,
    sealed     TEXT    NOT NULL
);

CREATE TABLE connection_states (
    connection   TEXT    PRIMARY KEY,
    paused_until INTEGER NOT NULL,
    doc          TEXT    NOT NULL
);

CREATE TABLE clients  (id TEXT PRIMARY KEY, lookup TEXT NOT NULL UNIQUE, revision INTEGER NOT NULL, doc TEXT NOT NULL);
CREATE TABLE api_keys (id TEXT PRIMARY KEY, lookup TEXT NOT NULL UNIQUE, revision INTEGER NOT NULL, doc TEXT NOT NULL);
CREATE TABLE webhooks (id TEXT PRIMARY KEY, lookup TEXT NOT NULL UNIQUE, revision INTEGER NOT NULL, doc TEXT NOT NULL);

CREATE TABLE events (
    seq      INTEGER PRIMARY KEY AUTOINCREMENT,
    type     TEXT    NOT NULL,
    at       INTEGER NOT NULL,
    client   TEXT    NOT NULL,
    message  BLOB    NOT NULL,
    delivery BLOB    NOT NULL,
    data     TEXT    NOT NULL
);

CREATE TABLE settings (name TEXT PRIMARY KEY, value TEXT NOT NULL);
INSERT INTO settings VALUES ('connections_version', '1'), ('clients_version', '1');
