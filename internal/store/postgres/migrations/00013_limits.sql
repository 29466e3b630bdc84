-- Which connection, at which revision, a lane's limits were read from.

-- +goose Up
ALTER TABLE lanes ADD COLUMN IF NOT EXISTS limits_of text NOT NULL DEFAULT '';
