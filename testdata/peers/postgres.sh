#!/bin/bash
# A private PostgreSQL server on loopback, for the tests of the store.
#
#   POSTGRES_DIR=<folder> [POSTGRES_PORT=n] postgres.sh start|stop|crash|url
#
# start makes a cluster in the folder (or uses the one that is there), starts
# it on a free port, with fsync on and nothing tuned but the number of
# connections, and prints the URL of its database; stop ends it and removes the
# cluster; crash ends it at once and keeps the cluster, for another start on the
# same port. No other cluster of the machine is touched. Needs the package
# postgresql; as root it runs as the user postgres.
set -eu
C=$(realpath -m "${POSTGRES_DIR:?set POSTGRES_DIR to a folder}")
bin=$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -1)
[ -n "$bin" ] || bin=$(dirname "$(command -v pg_ctl)")
as() { if [ "$(id -u)" = 0 ]; then runuser -u postgres -- "$@"; else "$@"; fi; }
up() { as "$bin/pg_ctl" -D "$C/data" -l "$C/log" -s -w -t 60 start >/dev/null </dev/null; }
url() { echo "postgres://postgres@127.0.0.1:$(cat "$C/port")/postgres?sslmode=disable"; }
case ${1:-} in
start)
	mkdir -p "$C"
	if [ ! -d "$C/data" ]; then
		port=${POSTGRES_PORT:-$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')}
		echo "$port" >"$C/port"
		mkdir "$C/data"
		touch "$C/log"
		[ "$(id -u)" != 0 ] || chown postgres "$C/data" "$C/log"
		(cd / && as "$bin/initdb" -D "$C/data" -U postgres -A trust -E UTF8 --locale=C.UTF-8 >/dev/null)
		cat >>"$C/data/postgresql.conf" <<-Y
			listen_addresses = '127.0.0.1'
			port = $port
			unix_socket_directories = ''
			max_connections = 400
			max_wal_size = 2GB
		Y
	fi
	cd / && up
	url
	;;
crash)
	cd / && as "$bin/pg_ctl" -D "$C/data" -s -m immediate stop
	;;
stop)
	cd /
	if as "$bin/pg_ctl" -D "$C/data" status >/dev/null; then as "$bin/pg_ctl" -D "$C/data" -s -m immediate stop; fi
	rm -rf "$C/data" "$C/log" "$C/port"
	;;
url) url ;;
*)
	echo "usage: POSTGRES_DIR=<folder> $0 start|stop|crash|url" >&2
	exit 64
	;;
esac
