-- Times are microseconds since 1970 in UTC, 0 is none. States and their
-- numbers are those of package store. What a row waits for is kept in three
-- levels, so that a claim touches only what may begin: lanes.ready_at, within
-- the lane flows.ready_at (a flow is one client's mail on one connection in one
-- lane), within the flow deliveries.next_at.
--
-- The row of a lane is also the lock of everything in it: its flows, its
-- deliveries and their ledger change only under it.

-- +goose Up
CREATE TABLE messages (
    id          uuid    PRIMARY KEY,
    client      text    COLLATE "C" NOT NULL,
    received_at bigint  NOT NULL,
    size        bigint  NOT NULL,
    sha256      bytea   NOT NULL,
    kept        boolean NOT NULL,
    message_id  bytea   NOT NULL, -- bytes, for headers are not always UTF-8
    from_addr   bytea   NOT NULL,
    env_from    bytea   NOT NULL,
    tag         bytea   NOT NULL,
    doc         text    NOT NULL,
    head        bytea,            -- NULL once retention removed it
    body        bytea             -- NULL: in chunks
);
-- Mail is base64 or compressed already: compressing it again costs and gains nothing.
ALTER TABLE messages ALTER body SET STORAGE EXTERNAL;
CREATE INDEX messages_kept ON messages (kept, received_at) INCLUDE (size);

CREATE TABLE chunks (
    message uuid    NOT NULL,
    no      integer NOT NULL,
    data    bytea   NOT NULL,
    PRIMARY KEY (message, no)
);
ALTER TABLE chunks ALTER data SET STORAGE EXTERNAL;

CREATE TABLE lanes (
    id           bigint  GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    key          text    COLLATE "C" NOT NULL UNIQUE,
    concurrency  integer NOT NULL DEFAULT 0,
    per_minute   integer NOT NULL DEFAULT 0,
    per_day      integer NOT NULL DEFAULT 0,
    paused_until bigint  NOT NULL DEFAULT 0,
    reason       text    NOT NULL DEFAULT '',
    cap          integer NOT NULL DEFAULT 0,
    cap_until    bigint  NOT NULL DEFAULT 0,
    in_flight    integer NOT NULL DEFAULT 0,
    minute       bytea   NOT NULL DEFAULT '',
    day          bytea   NOT NULL DEFAULT '',
    gate_at      bigint  NOT NULL DEFAULT 0, -- the first in line does not fit the daily budget before
    turn_at      bigint  NOT NULL DEFAULT 0, -- last served
    served       bigint  NOT NULL DEFAULT 0,
    ready_at     bigint  NOT NULL            -- no claim gives anything before
) WITH (fillfactor = 50);
CREATE INDEX lanes_ready ON lanes (ready_at, served);

CREATE TABLE flows (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    lane       bigint NOT NULL,
    connection text   COLLATE "C" NOT NULL,
    client     text   COLLATE "C" NOT NULL,
    queued     bigint NOT NULL DEFAULT 0,
    due_at     bigint NOT NULL, -- least next_at of what waits
    gate_at    bigint NOT NULL, -- of the connection
    turn_at    bigint NOT NULL DEFAULT 0,
    served     bigint NOT NULL DEFAULT 0,
    ready_at   bigint NOT NULL,
    UNIQUE (lane, connection, client)
) WITH (fillfactor = 50);
CREATE INDEX flows_ready ON flows (lane, ready_at, served);
CREATE INDEX flows_connection ON flows (connection);

CREATE TABLE deliveries (
    id          uuid    PRIMARY KEY,
    msg         uuid    NOT NULL,
    flow        bigint  NOT NULL,
    position    integer NOT NULL,
    state       integer NOT NULL,
    next_at     bigint  NOT NULL,
    deadline_at bigint  NOT NULL,
    created_at  bigint  NOT NULL,
    expires_at  bigint  NOT NULL,
    warn_at     bigint  NOT NULL,
    finished_at bigint  NOT NULL,
    attempts    integer NOT NULL,
    epoch       bigint  NOT NULL,
    node        text    NOT NULL,
    kind        text    NOT NULL,
    since       bigint  NOT NULL,
    join_key    text,
    recipients  text    NOT NULL,
    word        text    NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0);
CREATE INDEX deliveries_queue    ON deliveries (flow, next_at) WHERE state <= 1;
CREATE INDEX deliveries_leased   ON deliveries (node)          WHERE state = 2;
CREATE INDEX deliveries_deadline ON deliveries (deadline_at)   WHERE state <= 1 OR state = 3;
CREATE INDEX deliveries_open     ON deliveries (state, id)     WHERE state <> 2 AND state <> 4;
CREATE INDEX deliveries_join     ON deliveries (join_key)      WHERE join_key IS NOT NULL;
CREATE INDEX deliveries_msg      ON deliveries (msg);

-- A running attempt is in its delivery's row (attempts, epoch, node, kind,
-- since) and comes here when it ends.
CREATE TABLE attempts (
    delivery   uuid    NOT NULL,
    no         integer NOT NULL,
    kind       text    NOT NULL,
    flow       bigint  NOT NULL,
    node       text    NOT NULL,
    epoch      bigint  NOT NULL,
    started_at bigint  NOT NULL,
    recipients integer NOT NULL,
    outcome    text    NOT NULL,
    PRIMARY KEY (delivery, no)
);

CREATE TABLE nodes (
    name        text   PRIMARY KEY,
    incarnation bigint NOT NULL,
    until_at    bigint NOT NULL
);

CREATE TABLE idempotency (
    client     text   COLLATE "C" NOT NULL,
    key        bytea  NOT NULL, -- as the client wrote it, UTF-8 or not
    request    bytea  NOT NULL,
    answer     text   NOT NULL,
    expires_at bigint NOT NULL,
    PRIMARY KEY (client, key)
);
CREATE INDEX idempotency_expires ON idempotency (expires_at);

CREATE TABLE connections (
    id         text    PRIMARY KEY,
    name_key   text    COLLATE "C" NOT NULL UNIQUE,
    revision   bigint  NOT NULL,
    active     boolean NOT NULL,
    is_default boolean NOT NULL,
    doc        text    NOT NULL,
    sealed     text    NOT NULL
);

CREATE TABLE connection_states (
    connection   text   COLLATE "C" PRIMARY KEY,
    paused_until bigint NOT NULL,
    doc          text   NOT NULL
);

CREATE TABLE clients  (id text PRIMARY KEY, lookup text COLLATE "C" NOT NULL UNIQUE, revision bigint NOT NULL, doc text NOT NULL);
CREATE TABLE api_keys (id text PRIMARY KEY, lookup text COLLATE "C" NOT NULL UNIQUE, revision bigint NOT NULL, doc text NOT NULL);
CREATE TABLE webhooks (id text PRIMARY KEY, lookup text COLLATE "C" NOT NULL UNIQUE, revision bigint NOT NULL, doc text NOT NULL);

-- seq comes from event_seq, whose row is locked until the commit: events
-- become visible in the order of their numbers.
CREATE TABLE events (
    seq      bigint PRIMARY KEY,
    type     text   NOT NULL,
    at       bigint NOT NULL,
    client   text   NOT NULL,
    message  uuid   NOT NULL,
    delivery uuid   NOT NULL,
    data     text   NOT NULL
);
CREATE TABLE event_seq (last bigint NOT NULL) WITH (fillfactor = 10);
INSERT INTO event_seq VALUES (0);

CREATE TABLE settings (name text PRIMARY KEY, value text NOT NULL);
INSERT INTO settings VALUES ('connections_version', '1'), ('clients_version', '1');
