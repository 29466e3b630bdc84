-- What deliveries are found by: their subqueue, and their words and addresses as
-- terms of package terms. A record is written with its delivery; those of older
-- deliveries follow in the background: the setting search_from says how far.

-- +goose NO TRANSACTION
-- +goose Up
SET lock_timeout = 0; -- the building waits for transactions, and nobody for the building
CREATE TABLE IF NOT EXISTS search (
    id    uuid     PRIMARY KEY,
    flow  bigint   NOT NULL,
    terms tsvector NOT NULL,
    UNIQUE (flow, id)
) WITH (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_insert_scale_factor = 0.05, autovacuum_vacuum_cost_delay = 0);
DROP INDEX CONCURRENTLY IF EXISTS search_terms; -- what an interrupted building left
-- New entries wait in a list of at most so many kB: a longer one stalls whoever empties it.
CREATE INDEX CONCURRENTLY search_terms ON search USING gin (terms) WITH (gin_pending_list_limit = 512);
SET lock_timeout = 500;
