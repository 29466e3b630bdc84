-- What deliveries are found by: the words and addresses of a delivery by the key
-- of its row, and the deliveries of a subqueue in the order of their making. The
-- words come folded, as terms of package terms, and are indexed in the background:
-- settings search_from and search_to say which rows are.

-- +goose Up
CREATE VIRTUAL TABLE search USING fts5(terms, content='', contentless_delete=1, detail=none, tokenize="ascii tokenchars '@=.-+_'");
CREATE TABLE search_flows (flow INTEGER NOT NULL, seq INTEGER NOT NULL, PRIMARY KEY (flow, seq)) WITHOUT ROWID;
