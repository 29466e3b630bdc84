#!/bin/bash
# A private Postfix that takes mail from this machine and relays all of it.
#
#   POSTFIX_DIR=<empty folder> LISTEN_PORT=n RELAY_PORT=n postfix-relay.sh start|stop
#
# It listens on 127.0.0.1:LISTEN_PORT without login and hands everything to
# 127.0.0.1:RELAY_PORT: a server that has postino as its relayhost. Needs root
# and the package postfix.
set -eu
C=${POSTFIX_DIR:?set POSTFIX_DIR to an empty folder}
case ${1:-} in
start)
	: "${LISTEN_PORT:?}" "${RELAY_PORT:?}"
	mkdir -p "$C"/etc "$C"/spool "$C"/data
	chown postfix "$C/data"
	chmod 755 "$C" "$C/etc"
	cat >"$C/etc/main.cf" <<X
compatibility_level = 3.6
myhostname = relaying.test
queue_directory = $C/spool
data_directory = $C/data
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
mail_owner = postfix
setgid_group = postdrop
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
mydestination =
local_recipient_maps =
relayhost = [127.0.0.1]:$RELAY_PORT
smtpd_relay_restrictions = permit_mynetworks, reject
message_size_limit = 200000000
mailbox_size_limit = 0
smtp_tls_security_level = none
maillog_file = $C/maillog
maillog_file_prefixes = $C
alias_maps =
smtp_host_lookup = native
smtp_dns_support_level = disabled
X
	proto=/etc/postfix/master.cf.proto
	[ -f $proto ] || proto=/usr/share/postfix/master.cf.dist
	# No chroot anywhere, no listener of its own, no mail delivery agents.
	sed -E -e '/^smtp +inet/d' -e 's/^([a-z0-9.:-]+ +(inet|unix|unix-dgram) +[-yn]+ +[-yn]+ +)(y|-)( )/\1n\4/' $proto |
		grep -vE '^(maildrop|uucp|ifmail|bsmtp|scalemail|mailman)' | grep -vE '^ +(flags=|\$\{nexthop)' >"$C/etc/master.cf"
	printf '127.0.0.1:%s inet n - n - - smtpd\n' "$LISTEN_PORT" >>"$C/etc/master.cf"
	for f in postfix-files dynamicmaps.cf post-install postfix-script; do
		[ ! -f /etc/postfix/$f ] || cp /etc/postfix/$f "$C/etc/"
	done
	: >"$C/maillog"
	postfix -c "$C/etc" start >/dev/null 2>&1
	;;
stop)
	postfix -c "$C/etc" stop >/dev/null 2>&1 || true
	;;
*)
	echo "usage: $0 start|stop" >&2
	exit 64
	;;
esac
