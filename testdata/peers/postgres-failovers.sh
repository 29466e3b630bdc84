#!/bin/bash
# Two nodes and three failovers: mail goes in by SMTP on both nodes and out by
# Graph, Gmail and SMTP, while three times the primary is killed, its standby
# promoted, the old primary comes back as it was, and is made the standby again.
# At the end everything acknowledged must have arrived, nothing on Graph or
# Gmail twice. SMTP may repeat what a break cut off (RFC 5321 4.5.4.1).
#
#   POSTINO=<the built program> postgres-failovers.sh [messages, 10000] [a second, 40]
#
# FAULTS=1 has the providers fail as well; KEEP=<folder> keeps the logs there. When
# something is not delivered, its state and what it waits for are shown.
#
# Needs the package postgresql and python3. Everything is on loopback, in a
# folder of its own, and ended at the end.
set -eu
bin=$(realpath "${POSTINO:?set POSTINO to the built program}") n=${1:-10000} rate=${2:-40}
peers=$(cd "$(dirname "$0")" && pwd)
W=$(mktemp -d) pids=()
chmod 755 "$W"
export POSTGRES_DIR=$W/pair POSTINO_LANG=en
pair() { "$peers/postgres-pair.sh" "$@"; }
end() {
	[ ${#pids[@]} = 0 ] || kill "${pids[@]}" 2>/dev/null || true
	wait
	pair stop || true
	if [ -n "${KEEP:-}" ]; then cp -r "$W" "$KEEP"; fi
	rm -rf "$W"
}
trap end EXIT
port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
until_ok() { for _ in $(seq 300); do "$@" >/dev/null 2>&1 && return; sleep 0.1; done; "$@"; }
url=$(pair start)
control=$(port)
"$bin" sandbox --dir "$W/sb" --control "127.0.0.1:$control" --json >"$W/sandbox.log" 2>&1 &
pids+=($!)
until_ok grep -q connections "$W/sandbox.log"
mkdir "$W/k"
for c in graph gmail smtp; do
	"$bin" connection add --database "$url" --data "$W/k" --file "$W/sb/$c.json" >/dev/null
	echo '{"limits":{"concurrency":8,"per_minute":100000,"recipients_per_day":0}}' | "$bin" connection edit "$c" --database "$url" --data "$W/k" --file - >/dev/null
done
ports=()
for node in a b; do
	p=$(port)
	ports+=("$p")
	mkdir "$W/$node"
	cp "$W/k/key.json" "$W/$node/"
	printf 'data = "%s"\ndatabase = "%s"\nnode = "%s"\n[[smtp]]\naddress = "127.0.0.1:%s"\n[http]\naddress = "127.0.0.1:%s"\n' "$W/$node" "$url" "$node" "$p" "$(port)" >"$W/$node.toml"
	SSL_CERT_FILE=$W/sb/ca.pem "$bin" serve --config "$W/$node.toml" --ca-file "$W/sb/ca.pem" >"$W/$node.log" 2>&1 &
	pids+=($!)
	until_ok python3 -c "import smtplib; smtplib.SMTP('127.0.0.1', $p, timeout=5).quit()"
done
waiting() {
	"$bin" queue stats --database "$url" --data "$W/k"
	"$bin" queue list --database "$url" --data "$W/k" --limit 50 --state queued --state unverified --state sending --state held
}
if ! python3 "$peers/failovers.py" "$n" "$rate" "http://127.0.0.1:$control" "$peers/postgres-pair.sh" "${ports[@]}"; then
	waiting
	exit 1
fi
