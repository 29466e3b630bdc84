#!/bin/bash
# A private Postfix with TLS and SASL, relaying to a sink that keeps each message.
#
#   POSTFIX_DIR=<empty folder> SUBMISSION_PORT=n TLS_PORT=n SINK_PORT=n postfix-submission.sh start|stop
#
# SUBMISSION_PORT speaks STARTTLS, TLS_PORT TLS from the first byte; both want
# a login (alice@example.com, password "secret") by PLAIN, LOGIN, CRAM-MD5,
# SCRAM-SHA-1 or SCRAM-SHA-256 from a sasldb of its own. smtp-sink on SINK_PORT writes what
# arrives to $POSTFIX_DIR/sink/. The certificate is for 127.0.0.1 and
# localhost, its own authority: $POSTFIX_DIR/tls.pem. Further lines for master.cf
# are taken from $POSTFIX_DIR/more.master. Needs root, and the
# packages postfix, sasl2-bin, libsasl2-modules, libsasl2-modules-db, openssl.
set -eu
C=${POSTFIX_DIR:?set POSTFIX_DIR to an empty folder}
case ${1:-} in
start)
	: "${SUBMISSION_PORT:?}" "${TLS_PORT:?}" "${SINK_PORT:?}"
	mkdir -p "$C"/etc/sasl "$C"/spool "$C"/data "$C"/sink
	chown postfix "$C/data"
	chmod 755 "$C" "$C/etc" "$C/etc/sasl"
	chown nobody "$C/sink"
	openssl req -x509 -newkey rsa:2048 -nodes -keyout "$C/tls.key" -out "$C/tls.pem" -days 2 -subj /CN=localhost \
		-addext 'subjectAltName=DNS:localhost,IP:127.0.0.1' 2>/dev/null
	printf 'pwcheck_method: auxprop\nauxprop_plugin: sasldb\nsasldb_path: %s\nmech_list: PLAIN LOGIN CRAM-MD5 SCRAM-SHA-1 SCRAM-SHA-256\n' "$C/etc/sasldb2" >"$C/etc/sasl/smtpd.conf"
	printf secret | saslpasswd2 -p -c -f "$C/etc/sasldb2" -u example.com alice
	chown postfix "$C/etc/sasldb2"
	cat >"$C/etc/main.cf" <<X
compatibility_level = 3.6
myhostname = submission.test
queue_directory = $C/spool
data_directory = $C/data
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
mail_owner = postfix
setgid_group = postdrop
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks =
mydestination =
local_recipient_maps =
relayhost = [127.0.0.1]:$SINK_PORT
smtpd_relay_restrictions = permit_sasl_authenticated, reject
smtpd_recipient_restrictions = check_recipient_access inline:{{refused@example.com=550 5.1.1 no such user}, {later@example.com=450 4.2.0 later}}, permit_sasl_authenticated, reject
smtpd_tls_cert_file = $C/tls.pem
smtpd_tls_key_file = $C/tls.key
smtpd_tls_security_level = encrypt
smtpd_tls_auth_only = yes
smtpd_sasl_auth_enable = yes
smtpd_sasl_type = cyrus
smtpd_sasl_path = smtpd
cyrus_sasl_config_path = $C/etc/sasl
smtpd_sasl_security_options = noanonymous
smtputf8_enable = yes
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
	printf '127.0.0.1:%s inet n - n - - smtpd\n127.0.0.1:%s inet n - n - - smtpd\n  -o smtpd_tls_wrappermode=yes\n' "$SUBMISSION_PORT" "$TLS_PORT" >>"$C/etc/master.cf"
	[ ! -f "$C/more.master" ] || cat "$C/more.master" >>"$C/etc/master.cf"
	for f in postfix-files dynamicmaps.cf post-install postfix-script; do
		[ ! -f /etc/postfix/$f ] || cp /etc/postfix/$f "$C/etc/"
	done
	: >"$C/maillog"
	(cd "$C/sink" && exec setsid smtp-sink -u nobody -d '%M.' "127.0.0.1:$SINK_PORT" 100 >/dev/null 2>&1 </dev/null) &
	echo $! >"$C/sink.pid"
	postfix -c "$C/etc" start >/dev/null 2>&1
	;;
stop)
	postfix -c "$C/etc" stop >/dev/null 2>&1 || true
	[ ! -f "$C/sink.pid" ] || kill "$(cat "$C/sink.pid")" 2>/dev/null || true
	;;
*)
	echo "usage: $0 start|stop" >&2
	exit 64
	;;
esac
