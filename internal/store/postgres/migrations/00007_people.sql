-- Who signs in, and the audit trail: what was changed, by whom. New tables alone:
-- the version before does not know them.

-- +goose Up
CREATE TABLE IF NOT EXISTS people (id text PRIMARY KEY, lookup text COLLATE "C" NOT NULL UNIQUE, revision bigint NOT NULL, doc text NOT NULL);
CREATE TABLE IF NOT EXISTS sessions (id text PRIMARY KEY, lookup text COLLATE "C" NOT NULL UNIQUE, revision bigint NOT NULL, doc text NOT NULL);
CREATE TABLE IF NOT EXISTS invitations (id text PRIMARY KEY, lookup text COLLATE "C" NOT NULL UNIQUE, revision bigint NOT NULL, doc text NOT NULL);

CREATE TABLE IF NOT EXISTS audit (
    seq    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at     bigint NOT NULL,
    actor  text   NOT NULL, -- id of the person, key, client or user
    person text   NOT NULL, -- id, also of whom a key is; empty: none
    kind   text   NOT NULL,
    object text   NOT NULL,
    doc    text   NOT NULL,
    UNIQUE (at, seq),
    UNIQUE (object, seq),
    UNIQUE (person, seq)
);

INSERT INTO settings VALUES ('people_version', '1') ON CONFLICT DO NOTHING;
