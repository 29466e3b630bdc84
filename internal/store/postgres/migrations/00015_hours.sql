-- What happened by the hour (since 1970), for each connection and lane. A row is
-- changed often within its hour, and no column of an index is: there is room for
-- the next states of it beside it.

-- +goose Up
CREATE TABLE IF NOT EXISTS hours (
    connection text   NOT NULL,
    hour       bigint NOT NULL,
    lane       bigint NOT NULL,
    accepted   bigint NOT NULL,
    sent       bigint NOT NULL,
    failed     bigint NOT NULL,
    expired    bigint NOT NULL,
    cancelled  bigint NOT NULL,
    held       bigint NOT NULL,
    delayed    bigint NOT NULL,
    throttled  bigint NOT NULL,
    waiting    bigint NOT NULL, -- how many more wait at its end than at its beginning
    sent_at    bigint NOT NULL, -- the last in the hour; 0: none
    error_at   bigint NOT NULL,
    error      text   NOT NULL, -- of the attempt that failed last
    PRIMARY KEY (connection, hour, lane),
    UNIQUE (hour, connection, lane),
    UNIQUE (lane, hour, connection)
) WITH (fillfactor = 60);
