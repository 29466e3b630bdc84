-- Acceptances that no client has proved to have heard of: the same message again
-- is answered with the first one's id. A row lives for as long as that takes, a
-- moment mostly. The hour is that of until_at: those of hours gone by are removed.

-- +goose Up
CREATE TABLE unheard (
    hour       INTEGER NOT NULL,
    key        BLOB    NOT NULL, -- of client, envelope, Message-ID and body
    msg        BLOB    NOT NULL, -- id of the message
    deliveries BLOB    NOT NULL, -- ids
    until_at   INTEGER NOT NULL,
    PRIMARY KEY (hour, key)
) WITHOUT ROWID;
ALTER TABLE messages ADD COLUMN resubmitted INTEGER NOT NULL DEFAULT 0;
