-- Retention asks of each old message whether something of it is unfinished:
-- this index has almost nothing in it.

-- +goose NO TRANSACTION
-- +goose Up
SET lock_timeout = 0; -- the building waits for transactions, and nobody for the building
DROP INDEX CONCURRENTLY IF EXISTS deliveries_unfinished; -- what an interrupted building left
CREATE INDEX CONCURRENTLY deliveries_unfinished ON deliveries (msg) WHERE state < 4;
SET lock_timeout = 500;
