#!/bin/bash
# Fills a new database of PostgreSQL with finished messages over the last 400 days,
# by SQL: for measuring retention, lists and searches.
#
#   postgres-records.sh URL [messages, 10000000]
#
# The schema must be there (any postino command with --database URL makes it) and be
# without messages, and no node may run. Indexes are dropped and made again after the
# rows. Messages of the last 30 days have their content. With wal_level = minimal the
# rows do not go through the log as well.
set -eu
url=${1:?a database URL} n=${2:-10000000}
sql() { psql "$url" -X -q -v ON_ERROR_STOP=1 -v n="$n" "$@"; }
[ "$(sql -At -c "SELECT count(*) FROM (SELECT FROM messages LIMIT 1) x")" = 0 ] || { echo "there are messages in it" >&2; exit 1; }

sql <<'Q'
SET client_min_messages = warning;
SET jit = off;
\set never 253402300799000000
DROP TABLE IF EXISTS records_source;
INSERT INTO lanes (key, ready_at) SELECT 'smtp:mx' || g || '.example:u' || g, :never FROM generate_series(1, 50) g ON CONFLICT DO NOTHING;
INSERT INTO flows (lane, connection, client, due_at, gate_at, ready_at)
	SELECT id, coalesce((SELECT id FROM connections ORDER BY id LIMIT 1), 'none'), '', :never, 0, :never FROM lanes ON CONFLICT DO NOTHING;
CREATE TEMP TABLE f AS SELECT array_agg(id) AS ids FROM flows;
CREATE UNLOGGED TABLE records_source AS
	SELECT g AS n, at, ids[1 + g % array_length(ids, 1)] AS flow, (stem || '8' || substr(md5(g || '-1'), 1, 15))::uuid AS mid,
		(stem || '8' || substr(md5(g || '-2'), 1, 15))::uuid AS did, person, sender,
		(ARRAY['fabrikam', 'contoso', 'adatum', 'litware', 'northwind'])[1 + g % 5] || person % 3000 AS firm
	FROM (SELECT g, at, g * 7919 % 50000 AS person, g * 31 % 500 AS sender,
			lpad(to_hex(at / 1000), 12, '0') || '7' || lpad(to_hex(g % 4096), 3, '0') AS stem
		FROM (SELECT g, (extract(epoch FROM now()) * 1e6)::bigint - (:n - g) * (400 * 86400 * 1000000::bigint / :n) AS at
			FROM generate_series(1, :n::bigint) g) x) y, f;
Q

# fill TABLE QUERY: the rows of the query, then the indexes. rows are those of the source
# with the columns that several tables have.
rows="(SELECT *, left(md5(person::text), 6) AS short, 'erp' || sender || '@cliente' || sender || '.it' AS frm,
	'<' || md5(n::text) || '@cliente' || sender || '.it>' AS msgid, left(md5('o' || n), 8) AS ordered,
	(ARRAY['spedizione', 'sollecito', 'conferma', 'preventivo', 'estratto conto'])[1 + n % 5] AS what,
	'u' || person || '.' || left(md5(person::text), 6) || '@' || firm || '.example' AS rcpt,
	at > extract(epoch FROM now() - interval '30 days') * 1e6 AS young, n % 200 = 0 AS failed, at / 86400000000 AS day FROM records_source) x"
fill() {
	sql <<-Q
		SET client_min_messages = warning;
		SET jit = off;
		SET synchronize_seqscans = off;
		SET maintenance_work_mem = '1GB';
		SET synchronous_commit = off;
		SET lock_timeout = 0;
		CREATE TEMP TABLE defs AS
			SELECT format('ALTER TABLE $1 DROP CONSTRAINT %I', conname) AS away,
				format('ALTER TABLE $1 ADD CONSTRAINT %I %s', conname, pg_get_constraintdef(oid)) AS def
				FROM pg_constraint WHERE contype IN ('p', 'u') AND conrelid = '$1'::regclass
			UNION ALL SELECT 'DROP INDEX ' || indexrelid::regclass, pg_get_indexdef(indexrelid) FROM pg_index i
				WHERE indrelid = '$1'::regclass AND NOT EXISTS (SELECT FROM pg_constraint c WHERE c.conindid = i.indexrelid);
		BEGIN;
		TRUNCATE $1;
		SELECT away FROM defs \gexec
		$2;
		SELECT def FROM defs \gexec
		COMMIT;
		VACUUM ANALYZE $1;
	Q
}
{
	fill messages "INSERT INTO messages (id, client, received_at, size, sha256, kept, message_id, from_addr, env_from, tag, doc, head, body, head_sum)
		SELECT mid, '', at, 4200, sha256(msgid::bytea), young, msgid::bytea, frm::bytea, frm::bytea, '',
			json_build_object('s', 'Fattura n. ' || n || ' del ' || to_char(to_timestamp(at / 1e6), 'DD/MM/YYYY') || ' - Ordine ' || ordered || ' ' || what,
				'f', frm, 'e', json_build_object('From', frm, 'Recipients', json_build_array(json_build_object('address', rcpt))),
				'd', 'smtp', 'c', 'transactional')::text,
			CASE WHEN young THEN repeat('Header-Line: value ' || n || E'\r\n', 25)::bytea END,
			CASE WHEN young THEN repeat(md5(n::text) || E'\r\n', 100)::bytea END, 1 FROM $rows"
	fill deliveries "INSERT INTO deliveries (id, msg, flow, position, state, next_at, deadline_at, created_at, expires_at, warn_at, finished_at,
			attempts, epoch, node, kind, since, join_key, recipients, word)
		SELECT did, mid, flow, 0, CASE WHEN failed THEN 5 ELSE 4 END, 0, 253402300799000000, at, at + 259200000000, at + 14400000000, at + 2000000,
			1, 2, '', '', 0, NULL,
			json_build_array(json_build_object('address', rcpt, 'state', CASE WHEN failed THEN 'failed' ELSE 'sent' END,
				'at', to_char(to_timestamp(at / 1e6) AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')))::text,
			CASE WHEN failed THEN '{\"class\":\"permanent\"}' ELSE '{\"class\":\"accepted\"}' END FROM $rows"
	fill attempts "INSERT INTO attempts (delivery, no, kind, flow, node, epoch, started_at, recipients, outcome)
		SELECT did, 1, 'send', flow, 'a', 1, at + 5000, 1, json_build_object('ended_at',
			to_char(to_timestamp(at / 1e6 + 1) AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"'),
			'class', CASE WHEN failed THEN 'permanent' ELSE 'accepted' END)::text FROM $rows"
} &
records=$!
digits="'0123456789abcdefghijklmnopqrstuvwxyz'"
fill search "INSERT INTO search (id, flow, terms)
	SELECT did, flow, array_to_tsvector(ARRAY['f=' || frm, 'f=@cliente' || sender || '.it', 'f.erp' || sender, 'f.cliente' || sender,
		'm=' || left(encode(sha256(msgid::bytea), 'hex'), 16), 's.fattura', 's.n', 's.' || n, 's.del', 's.ordine', 's.' || ordered,
		's.' || split_part(what, ' ', 1), 's.' || split_part(what || ' fattura', ' ', 2), 't=' || rcpt, 't=@' || firm || '.example',
		't.u' || person, 't.' || short, 't.' || firm,
		'd=' || substr($digits, 1 + (day / 1296)::int, 1) || substr($digits, 1 + (day / 36 % 36)::int, 1) || substr($digits, 1 + (day % 36)::int, 1)]
		|| (SELECT array_agg('s.' || d) FROM regexp_split_to_table(to_char(to_timestamp(at / 1e6), 'DD MM YYYY'), ' ') d)) FROM $rows;
	INSERT INTO settings VALUES ('search_from', '-') ON CONFLICT (name) DO UPDATE SET value = '-';
	INSERT INTO settings SELECT 'search_seen', max(did::text) FROM records_source ON CONFLICT (name) DO UPDATE SET value = excluded.value" &
search=$!
wait $records
wait $search
sql -c "DROP TABLE records_source" -c "VACUUM ANALYZE lanes, flows, settings" -c CHECKPOINT
sql -At -c "SELECT relname || ' ' || pg_size_pretty(pg_total_relation_size(oid)) FROM pg_class
	WHERE oid IN ('messages'::regclass, 'deliveries'::regclass, 'attempts'::regclass, 'search'::regclass) ORDER BY 1"
