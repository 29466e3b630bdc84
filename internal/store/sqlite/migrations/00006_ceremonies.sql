-- What browsers have begun: sign-ins and registrations by passkey, good once.

-- +goose Up
CREATE TABLE ceremonies (id TEXT PRIMARY KEY, lookup TEXT NOT NULL UNIQUE, revision INTEGER NOT NULL, doc TEXT NOT NULL);
