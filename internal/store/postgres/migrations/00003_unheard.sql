-- Acceptances that no client has proved to have heard of: the same message again
-- is answered with the first one's id. A row lives for as long as that takes, a
-- moment mostly. The hour is that of until_at: those of hours gone by are removed.

-- +goose Up
CREATE TABLE IF NOT EXISTS unheard (
    hour       bigint NOT NULL,
    key        bytea  NOT NULL, -- of client, envelope, Message-ID and body
    msg        uuid   NOT NULL,
    deliveries bytea  NOT NULL, -- ids
    until_at   bigint NOT NULL,
    PRIMARY KEY (hour, key)
) WITH (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0);
ALTER TABLE messages ADD COLUMN IF NOT EXISTS resubmitted integer NOT NULL DEFAULT 0;
