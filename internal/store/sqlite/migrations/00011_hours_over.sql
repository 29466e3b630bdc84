-- The sums of all connections of each hour that is over, quiet ones too, from the first
-- to the last that was added up.

-- +goose Up
CREATE TABLE hours_over (
    hour      INTEGER PRIMARY KEY,
    accepted  INTEGER NOT NULL,
    sent      INTEGER NOT NULL,
    failed    INTEGER NOT NULL,
    expired   INTEGER NOT NULL,
    cancelled INTEGER NOT NULL,
    held      INTEGER NOT NULL,
    delayed   INTEGER NOT NULL,
    throttled INTEGER NOT NULL,
    waiting   INTEGER NOT NULL
);
