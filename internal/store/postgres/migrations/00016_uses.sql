-- When clients and keys were used and refused the last time.

-- +goose Up
CREATE TABLE IF NOT EXISTS uses (id text PRIMARY KEY, lookup text COLLATE "C" NOT NULL UNIQUE, revision bigint NOT NULL, doc text NOT NULL);
