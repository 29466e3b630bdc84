-- What administrators were told of, and the programs that submit.

-- +goose Up
CREATE TABLE IF NOT EXISTS alerts   (id text PRIMARY KEY, lookup text COLLATE "C" NOT NULL UNIQUE, revision bigint NOT NULL, doc text NOT NULL);
CREATE TABLE IF NOT EXISTS programs (id text PRIMARY KEY, lookup text COLLATE "C" NOT NULL UNIQUE, revision bigint NOT NULL, doc text NOT NULL);
