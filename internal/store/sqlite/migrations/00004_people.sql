-- Who signs in, and the audit trail: what was changed, by whom.

-- +goose Up
CREATE TABLE people      (id TEXT PRIMARY KEY, lookup TEXT NOT NULL UNIQUE, revision INTEGER NOT NULL, doc TEXT NOT NULL);
CREATE TABLE sessions    (id TEXT PRIMARY KEY, lookup TEXT NOT NULL UNIQUE, revision INTEGER NOT NULL, doc TEXT NOT NULL);
CREATE TABLE invitations (id TEXT PRIMARY KEY, lookup TEXT NOT NULL UNIQUE, revision INTEGER NOT NULL, doc TEXT NOT NULL);

CREATE TABLE audit (
    seq    INTEGER PRIMARY KEY AUTOINCREMENT,
    at     INTEGER NOT NULL,
    actor  TEXT    NOT NULL, -- id of the person, key, client or user
    person TEXT    NOT NULL, -- id, also of whom a key is; empty: none
    kind   TEXT    NOT NULL,
    object TEXT    NOT NULL,
    doc    TEXT    NOT NULL,
    UNIQUE (at, seq),
    UNIQUE (object, seq),
    UNIQUE (person, seq)
);

INSERT INTO settings VALUES ('people_version', '1') ON CONFLICT DO NOTHING;
