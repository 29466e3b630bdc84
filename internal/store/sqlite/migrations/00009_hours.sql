-- What happened by the hour (since 1970), for each connection and lane.

-- +goose Up
CREATE TABLE hours (
    connection TEXT    NOT NULL,
    hour       INTEGER NOT NULL,
    lane       INTEGER NOT NULL,
    accepted   INTEGER NOT NULL,
    sent       INTEGER NOT NULL,
    failed     INTEGER NOT NULL,
    expired    INTEGER NOT NULL,
    cancelled  INTEGER NOT NULL,
    held       INTEGER NOT NULL,
    delayed    INTEGER NOT NULL,
    throttled  INTEGER NOT NULL,
    waiting    INTEGER NOT NULL, -- how many more wait at its end than at its beginning
    sent_at    INTEGER NOT NULL, -- the last in the hour; 0: none
    error_at   INTEGER NOT NULL,
    error      TEXT    NOT NULL, -- of the attempt that failed last
    PRIMARY KEY (connection, hour, lane)
) WITHOUT ROWID;
CREATE INDEX hours_hour ON hours (hour);
CREATE INDEX hours_lane ON hours (lane, hour);
