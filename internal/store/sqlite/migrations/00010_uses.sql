-- When clients and keys were used and refused the last time.

-- +goose Up
CREATE TABLE uses (id TEXT PRIMARY KEY, lookup TEXT NOT NULL UNIQUE, revision INTEGER NOT NULL, doc TEXT NOT NULL);
