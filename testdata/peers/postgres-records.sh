#!/bin/bash
# Fills a database of PostgreSQL with finished messages over the last 400 days,
# by SQL: for measuring retention, lists and searches.
#
#   postgres-records.sh URL [messages, 10000000]
#
# The schema must be there (any postino command with --database URL makes it), and
# no node may run. Indexes are dropped and made again after the rows. Messages of the
# last 30 days have their content.
set -eu
url=${1:?a database URL} n=${2:-10000000}
psql "$url" -X -q -v ON_ERROR_STOP=1 -v n="$n" <<'Q'
SET jit = off;
SET client_min_messages = warning;
SET maintenance_work_mem = '512MB';
SET synchronous_commit = off;
\set never 253402300799000000
CREATE TEMP TABLE keys AS SELECT c.conrelid::regclass AS tab, c.conname AS name,
	format('ALTER TABLE %s ADD CONSTRAINT %I %s', c.conrelid::regclass, c.conname, pg_get_constraintdef(c.oid)) AS def
	FROM pg_constraint c WHERE c.contype IN ('p', 'u') AND c.conrelid IN ('messages'::regclass, 'deliveries'::regclass, 'attempts'::regclass);
CREATE TEMP TABLE indexes AS SELECT i.indexrelid::regclass AS name, pg_get_indexdef(i.indexrelid) AS def FROM pg_index i
	WHERE i.indrelid IN ('messages'::regclass, 'deliveries'::regclass, 'attempts'::regclass)
	AND NOT EXISTS (SELECT FROM pg_constraint c WHERE c.conindid = i.indexrelid);
SELECT format('ALTER TABLE %s DROP CONSTRAINT %I', tab, name) FROM keys \gexec
SELECT format('DROP INDEX %s', name) FROM indexes \gexec
INSERT INTO lanes (key, ready_at) SELECT 'smtp:mx' || g || '.example:u' || g, :never FROM generate_series(1, 50) g ON CONFLICT DO NOTHING;
INSERT INTO flows (lane, connection, client, due_at, gate_at, ready_at)
	SELECT id, coalesce((SELECT id FROM connections ORDER BY id LIMIT 1), 'none'), '', :never, 0, :never FROM lanes ON CONFLICT DO NOTHING;
CREATE TEMP TABLE f AS SELECT array_agg(id) AS ids FROM flows;
CREATE TEMP TABLE src AS
	SELECT g AS n, at, ids[1 + g % array_length(ids, 1)] AS flow, (stem || '8' || substr(md5(g || '-1'), 1, 15))::uuid AS mid,
		(stem || '8' || substr(md5(g || '-2'), 1, 15))::uuid AS did,
		'u' || person || '.' || substr(md5(person::text), 1, 6) || '@' ||
			(ARRAY['fabrikam', 'contoso', 'adatum', 'litware', 'northwind'])[1 + g % 5] || person % 3000 || '.example' AS rcpt,
		'erp' || sender || '@cliente' || sender || '.it' AS frm, md5(g::text) || '@cliente' || sender || '.it' AS msgid
	FROM (SELECT g, at, g * 7919 % 50000 AS person, g * 31 % 500 AS sender,
			lpad(to_hex(at / 1000), 12, '0') || '7' || lpad(to_hex(g % 4096), 3, '0') AS stem
		FROM (SELECT g, (extract(epoch FROM now()) * 1e6)::bigint - (:n - g) * (400 * 86400 * 1000000::bigint / :n) AS at
			FROM generate_series(1, :n::bigint) g) x) y, f;
INSERT INTO messages (id, client, received_at, size, sha256, kept, message_id, from_addr, env_from, tag, doc, head, body, head_sum)
	SELECT mid, '', at, 4200, sha256(msgid::bytea), young, ('<' || msgid || '>')::bytea, frm::bytea, frm::bytea, '',
		json_build_object('s', 'Fattura n. ' || n || ' del ' || to_char(to_timestamp(at / 1e6), 'DD/MM/YYYY') || ' - Ordine ' ||
			substr(md5('o' || n), 1, 8) || ' ' || (ARRAY['spedizione', 'sollecito', 'conferma', 'preventivo', 'estratto conto'])[1 + n % 5],
			'f', frm, 'e', json_build_object('From', frm, 'Recipients', json_build_array(json_build_object('address', rcpt))),
			'd', 'smtp', 'c', 'transactional')::text,
		CASE WHEN young THEN repeat('Header-Line: value ' || n || E'\r\n', 25)::bytea END,
		CASE WHEN young THEN repeat(md5(n::text) || E'\r\n', 100)::bytea END, 1
	FROM (SELECT *, at > extract(epoch FROM now() - interval '30 days') * 1e6 AS young FROM src) x ORDER BY n;
INSERT INTO deliveries (id, msg, flow, position, state, next_at, deadline_at, created_at, expires_at, warn_at, finished_at, attempts, epoch,
		node, kind, since, join_key, recipients, word)
	SELECT did, mid, flow, 0, CASE WHEN n % 200 = 0 THEN 5 ELSE 4 END, 0, :never, at, at + 259200000000, at + 14400000000, at + 2000000, 1, 2,
		'', '', 0, NULL, json_build_array(json_build_object('address', rcpt, 'state', CASE WHEN n % 200 = 0 THEN 'failed' ELSE 'sent' END,
			'at', to_char(to_timestamp(at / 1e6) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')))::text,
		CASE WHEN n % 200 = 0 THEN '{"class":"permanent"}' ELSE '{"class":"accepted"}' END
	FROM src ORDER BY n;
INSERT INTO attempts (delivery, no, kind, flow, node, epoch, started_at, recipients, outcome)
	SELECT did, 1, 'send', flow, 'a', 1, at + 5000, 1, json_build_object('ended_at',
			to_char(to_timestamp(at / 1e6 + 1) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
		'class', CASE WHEN n % 200 = 0 THEN 'permanent' ELSE 'accepted' END)::text
	FROM src ORDER BY n;
SELECT def FROM keys \gexec
SELECT def FROM indexes \gexec
VACUUM ANALYZE messages, deliveries, attempts, lanes, flows;
Q
psql "$url" -X -At -c "SELECT relname || ' ' || pg_size_pretty(pg_total_relation_size(oid)) FROM pg_class
	WHERE oid IN ('messages'::regclass, 'deliveries'::regclass, 'attempts'::regclass) ORDER BY 1"
