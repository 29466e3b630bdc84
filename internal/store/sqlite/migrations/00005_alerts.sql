-- What administrators were told of, and the programs that submit.

-- +goose Up
CREATE TABLE alerts   (id TEXT PRIMARY KEY, lookup TEXT NOT NULL UNIQUE, revision INTEGER NOT NULL, doc TEXT NOT NULL);
CREATE TABLE programs (id TEXT PRIMARY KEY, lookup TEXT NOT NULL UNIQUE, revision INTEGER NOT NULL, doc TEXT NOT NULL);
