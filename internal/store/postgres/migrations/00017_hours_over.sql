-- The sums of all connections of each hour that is over, quiet ones too, from the first
-- to the last that was added up.

-- +goose Up
CREATE TABLE IF NOT EXISTS hours_over (
    hour      bigint PRIMARY KEY,
    accepted  bigint NOT NULL,
    sent      bigint NOT NULL,
    failed    bigint NOT NULL,
    expired   bigint NOT NULL,
    cancelled bigint NOT NULL,
    held      bigint NOT NULL,
    delayed   bigint NOT NULL,
    throttled bigint NOT NULL,
    waiting   bigint NOT NULL
);
