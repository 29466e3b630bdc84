-- The terms of the index of words, each once for each delivery that has it.

-- +goose Up
CREATE VIRTUAL TABLE search_terms USING fts5vocab(search, instance);
