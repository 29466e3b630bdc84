#!/bin/bash
# A private primary and its synchronous standby on loopback, for tests of failover.
#
#   POSTGRES_DIR=<folder> postgres-pair.sh start|kill|promote|revive|stop
#
# start makes both and prints a URL that names both; kill ends the primary at
# once, promote makes the standby the primary, revive starts the old primary
# again as it was, stop ends both and removes them. Needs the package
# postgresql; as root it runs as the user postgres.
set -eu
C=$(realpath -m "${POSTGRES_DIR:?set POSTGRES_DIR to a folder}")
bin=$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -1)
[ -n "$bin" ] || bin=$(dirname "$(command -v pg_ctl)")
as() { if [ "$(id -u)" = 0 ]; then runuser -u postgres -- "$@"; else "$@"; fi; }
ctl() { local n=$1; shift; as "$bin/pg_ctl" -D "$C/$n" -l "$C/$n.log" -s -w -t 60 "$@" >/dev/null </dev/null; }
free() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
cd /
case ${1:-} in
start)
	mkdir -p "$C"
	[ "$(id -u)" != 0 ] || chown postgres "$C"
	a=$(free) b=$(free)
	as "$bin/initdb" -D "$C/a" -U postgres -A trust -E UTF8 --locale=C.UTF-8 >/dev/null
	as tee -a "$C/a/postgresql.conf" >/dev/null <<-Y
		listen_addresses = '127.0.0.1'
		port = $a
		unix_socket_directories = ''
		max_connections = 100
		wal_keep_size = 256MB
	Y
	ctl a start
	as "$bin/pg_basebackup" -h 127.0.0.1 -p "$a" -U postgres -D "$C/b" -X stream -c fast
	as tee -a "$C/b/postgresql.conf" >/dev/null <<-Y
		port = $b
		primary_conninfo = 'host=127.0.0.1 port=$a user=postgres application_name=b'
	Y
	as touch "$C/b/standby.signal"
	ctl b start
	as tee -a "$C/a/postgresql.conf" >/dev/null <<-Y
		synchronous_standby_names = 'b'
		synchronous_commit = remote_apply
	Y
	ctl a reload
	echo "postgres://postgres@127.0.0.1:$a,127.0.0.1:$b/postgres?sslmode=disable&target_session_attrs=read-write"
	;;
kill) ctl a -m immediate stop ;;
promote) ctl b promote ;;
revive) ctl a start ;;
stop)
	for n in a b; do ctl "$n" -m immediate stop || true; done 2>/dev/null
	rm -rf "$C"
	;;
*)
	echo "usage: POSTGRES_DIR=<folder> $0 start|kill|promote|revive|stop" >&2
	exit 64
	;;
esac
