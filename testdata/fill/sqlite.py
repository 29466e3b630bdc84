#!/usr/bin/env python3
"""Inserts the rows that "fill -rows" prints into the SQLite store in a data folder, many times
as quickly as "fill -dir" does.

    go run ./testdata/fill -dir /tmp/store -n 1                   # the schema and the connections
    go run ./testdata/fill -rows -n 10000000 | testdata/fill/sqlite.py /tmp/store
    go run ./testdata/fill -dir /tmp/store -n 1                   # the figures by the hour

Needs SQLite 3.43 or later with FTS5 (python3 -c "import sqlite3; print(sqlite3.sqlite_version)").
"""
import itertools
import os
import sqlite3
import sys

db = sqlite3.connect(os.path.join(sys.argv[1], "postino.db"), isolation_level=None)
for pragma in ("journal_mode=OFF", "synchronous=OFF", "locking_mode=EXCLUSIVE", "cache_size=-2000000"):
    db.execute("PRAGMA " + pragma)
seq = db.execute("SELECT max(coalesce((SELECT max(seq) FROM messages), 0), coalesce((SELECT max(seq) FROM deliveries), 0))").fetchone()[0]
outcome = db.execute("SELECT outcome FROM attempts LIMIT 1").fetchone()[0]
sha = bytes.fromhex("00112233445566778899aabbccddeeff" * 2)


def base36(n):
    s = ""
    while n:
        n, r = divmod(n, 36)
        s = "0123456789abcdefghijklmnopqrstuvwxyz"[r] + s
    return s or "0"


lines = sys.stdin.buffer
while chunk := list(itertools.islice(lines, 100_000)):
    rows = []
    for line in chunk:
        seq += 1
        mid, client, at, message_id, sender, doc, did, flow, state, recipients, terms = line.decode().rstrip("\n").split("\t")
        rows.append((seq, bytes.fromhex(mid), client, int(at), message_id, sender, doc, bytes.fromhex(did), int(flow), int(state), recipients, terms))
    db.execute("BEGIN")
    db.executemany("""INSERT INTO messages (seq, id, client, received_at, size, sha256, kept, message_id, from_addr, env_from, tag, doc)
        VALUES (?, ?, ?, ?, 10000, ?, 0, ?, ?, ?, '', ?)""", ((r[0], r[1], r[2], r[3], sha, r[4], r[5], r[5], r[6]) for r in rows))
    db.executemany("""INSERT INTO deliveries (seq, id, msg, flow, position, state, next_at, deadline_at, created_at, expires_at, warn_at, finished_at,
        attempts, epoch, node, kind, since, recipients, word) VALUES (?, ?, ?, ?, 0, ?, 0, 0, ?, ?, 0, ?, 1, 2, '', '', 0, ?, '')""",
                   ((r[0], r[7], r[0], r[8], r[9], r[3], r[3], r[3], r[10]) for r in rows))
    db.executemany("""INSERT INTO attempts (delivery, no, kind, flow, node, epoch, started_at, recipients, outcome)
        VALUES (?, 1, 'send', ?, 'n', 1, ?, 1, ?)""", ((r[0], r[8], r[3], outcome) for r in rows))
    db.executemany("INSERT INTO search_flows (flow, seq) VALUES (?, ?)", ((r[8], r[0]) for r in rows))
    db.executemany("INSERT INTO search (rowid, terms) VALUES (?, ?)", ((r[0], r[11]) for r in rows))
    db.execute("INSERT OR REPLACE INTO settings (name, value) VALUES ('search_from', '-'), ('search_to', ?)", (base36(seq),))
    db.execute("COMMIT")
    print(seq, file=sys.stderr)
