-- As for messages.

-- +goose Up
ALTER TABLE deliveries SET (autovacuum_vacuum_cost_delay = 2, autovacuum_vacuum_cost_limit = 40);
