-- Which connection, at which revision, a lane's limits were read from.

-- +goose Up
ALTER TABLE lanes ADD COLUMN limits_of TEXT NOT NULL DEFAULT '';
