-- What browsers have begun: sign-ins and registrations by passkey, good once.

-- +goose Up
CREATE TABLE IF NOT EXISTS ceremonies (id text PRIMARY KEY, lookup text COLLATE "C" NOT NULL UNIQUE, revision bigint NOT NULL, doc text NOT NULL);
