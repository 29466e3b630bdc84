#!/bin/bash
# A private primary and its synchronous standby on loopback, for tests of failover.
#
#   POSTGRES_DIR=<folder> postgres-pair.sh start|lag|kill|promote|revive|rebuild|stop
#
# start makes both and prints a URL that names both; lag has commits wait for the
# standby no longer, and the standby receive nothing more; kill ends the primary at
# once, promote makes the standby the primary, revive starts the old primary
# again as it was, rebuild makes that the standby of the new one (and may be
# followed by kill again), stop ends both and removes them. Needs the package
# postgresql; as root it runs as the user postgres.
set -eu
C=$(realpath -m "${POSTGRES_DIR:?set POSTGRES_DIR to a folder}")
bin=$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -1)
[ -n "$bin" ] || bin=$(dirname "$(command -v pg_ctl)")
as() { if [ "$(id -u)" = 0 ]; then runuser -u postgres -- "$@"; else "$@"; fi; }
ctl() { local n=$1; shift; as "$bin/pg_ctl" -D "$C/$n" -l "$C/$n.log" -s -w -t 60 "$@" >/dev/null </dev/null; }
free() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
# standby NAME: a copy of the primary that follows it, and that commits wait for.
standby() {
	local n=$1 from
	from=$(cat "$C/primary")
	as "$bin/pg_basebackup" -h 127.0.0.1 -p "$(cat "$C/$from.port")" -U postgres -D "$C/$n" -X stream -c fast
	as tee -a "$C/$n/postgresql.conf" >/dev/null <<-Y
		port = $(cat "$C/$n.port")
		primary_conninfo = 'host=127.0.0.1 port=$(cat "$C/$from.port") user=postgres application_name=$n'
		synchronous_standby_names = ''
	Y
	as touch "$C/$n/standby.signal"
	ctl "$n" start
	as tee -a "$C/$from/postgresql.conf" >/dev/null <<-Y
		synchronous_standby_names = '$n'
		synchronous_commit = remote_apply
	Y
	ctl "$from" reload
}
# other is the one that is not the primary, dead or alive.
primary() { cat "$C/primary"; }
other() { if [ "$(primary)" = a ]; then echo b; else echo a; fi; }
cd /
case ${1:-} in
start)
	mkdir -p "$C"
	[ "$(id -u)" != 0 ] || chown postgres "$C"
	free >"$C/a.port"
	free >"$C/b.port"
	echo a >"$C/primary"
	as "$bin/initdb" -D "$C/a" -U postgres -A trust -E UTF8 --locale=C.UTF-8 >/dev/null
	as tee -a "$C/a/postgresql.conf" >/dev/null <<-Y
		listen_addresses = '127.0.0.1'
		port = $(cat "$C/a.port")
		unix_socket_directories = ''
		max_connections = 100
		wal_keep_size = 256MB
	Y
	ctl a start
	standby b
	echo "postgres://postgres@127.0.0.1:$(cat "$C/a.port"),127.0.0.1:$(cat "$C/b.port")/postgres?sslmode=disable&target_session_attrs=read-write"
	;;
lag)
	n=$(primary)
	as tee -a "$C/$n/postgresql.conf" >/dev/null <<<"synchronous_standby_names = ''"
	ctl "$n" reload
	n=$(other)
	as tee -a "$C/$n/postgresql.conf" >/dev/null <<<"primary_conninfo = ''"
	ctl "$n" reload
	while pgrep -P "$(head -1 "$C/$n/postmaster.pid")" -f walreceiver >/dev/null; do sleep 0.1; done
	;;
kill) ctl "$(primary)" -m immediate stop ;;
promote)
	n=$(other)
	ctl "$n" promote
	echo "$n" >"$C/primary"
	;;
revive) ctl "$(other)" start ;;
rebuild)
	n=$(other)
	ctl "$n" -m immediate stop || true # it may be dead already
	rm -rf "${C:?}/$n"
	standby "$n"
	;;
stop)
	for n in a b; do ctl "$n" -m immediate stop || true; done 2>/dev/null
	rm -rf "$C"
	;;
*)
	echo "usage: POSTGRES_DIR=<folder> $0 start|kill|promote|revive|rebuild|stop" >&2
	exit 64
	;;
esac
