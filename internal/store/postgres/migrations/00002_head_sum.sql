-- The digest of a message covers its body. The head has a sum of its own, so
-- that a header which the disk has changed is not sent either. NULL: stored
-- before there was one.

-- +goose Up
ALTER TABLE messages ADD COLUMN head_sum BIGINT;
