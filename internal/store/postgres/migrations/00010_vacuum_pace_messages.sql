-- What retention removed is cleaned up at a pace beside which a commit waits for
-- the log no longer than else (docs/adr/0009-retention.md): 20,000 cost units a second.

-- +goose Up
ALTER TABLE messages SET (autovacuum_vacuum_cost_delay = 2, autovacuum_vacuum_cost_limit = 40,
    toast.autovacuum_vacuum_cost_delay = 2, toast.autovacuum_vacuum_cost_limit = 40);
