#!/bin/bash
# A private Dovecot submission service with XOAUTH2 and OAUTHBEARER (tokens
# validated locally, RS256), relaying to a sink that keeps each message.
#
#   DOVECOT_DIR=<empty folder> SUBMISSION_PORT=n SINK_PORT=n dovecot-submission.sh start|stop
#   DOVECOT_DIR=<the same> dovecot-submission.sh token USER [SECONDS]   prints an access token
#
# STARTTLS on SUBMISSION_PORT; the certificate is $DOVECOT_DIR/tls.pem, for
# 127.0.0.1 and localhost. smtp-sink writes what arrives to $DOVECOT_DIR/sink/.
# Needs root, and the packages dovecot-core, dovecot-submissiond, postfix (for
# smtp-sink), openssl, python3-jwt.
set -eu
B=${DOVECOT_DIR:?set DOVECOT_DIR to an empty folder}
case ${1:-} in
start)
	: "${SUBMISSION_PORT:?}" "${SINK_PORT:?}"
	mkdir -p "$B"/{run,mail,state,sink,keys/default/RS256}
	chmod 755 "$B"
	chown nobody "$B/sink"
	openssl genrsa -out "$B/key.pem" 2048 2>/dev/null
	openssl rsa -in "$B/key.pem" -pubout -out "$B/keys/default/RS256/default" 2>/dev/null
	openssl req -x509 -newkey rsa:2048 -nodes -keyout "$B/tls.key" -out "$B/tls.pem" -days 2 -subj /CN=localhost \
		-addext 'subjectAltName=DNS:localhost,IP:127.0.0.1' 2>/dev/null
	cat >"$B/oauth2.conf" <<X
introspection_mode = local
local_validation_key_dict = fs:posix:prefix=$B/keys/
username_attribute = email
X
	cat >"$B/dovecot.conf" <<X
base_dir = $B/run
state_dir = $B/state
log_path = $B/dovecot.log
auth_verbose = yes
protocols = submission
listen = 127.0.0.1
ssl = required
ssl_cert = <$B/tls.pem
ssl_key = <$B/tls.key
auth_mechanisms = xoauth2 oauthbearer
hostname = dovecot.test
mail_location = maildir:$B/mail/%u
first_valid_uid = 1
submission_relay_host = 127.0.0.1
submission_relay_port = $SINK_PORT
submission_max_mail_size = 40M
default_login_user = nobody
default_internal_user = dovecot
service submission-login {
  chroot =
  inet_listener submission {
    address = 127.0.0.1
    port = $SUBMISSION_PORT
  }
}
service anvil {
  chroot =
}
passdb {
  driver = oauth2
  mechanisms = xoauth2 oauthbearer
  args = $B/oauth2.conf
}
userdb {
  driver = static
  args = uid=mail gid=mail home=$B/mail/%u
}
X
	chmod 644 "$B/keys/default/RS256/default"
	chown -R mail:mail "$B/mail"
	(cd "$B/sink" && exec setsid smtp-sink -u nobody -d '%M.' "127.0.0.1:$SINK_PORT" 100 >/dev/null 2>&1 </dev/null) &
	echo $! >"$B/sink.pid"
	dovecot -c "$B/dovecot.conf" >/dev/null 2>&1
	;;
stop)
	doveadm -c "$B/dovecot.conf" stop >/dev/null 2>&1 || true
	[ ! -f "$B/sink.pid" ] || kill "$(cat "$B/sink.pid")" 2>/dev/null || true
	;;
token)
	/usr/bin/python3 - "$B/key.pem" "${2:?user}" "${3:-3600}" <<'P'
import sys, time
import jwt
now = int(time.time())
print(jwt.encode({"iss": "https://issuer.example", "aud": "x", "sub": sys.argv[2], "email": sys.argv[2],
                  "iat": now - 300, "exp": now + int(sys.argv[3])}, open(sys.argv[1]).read(), algorithm="RS256"))
P
	;;
*)
	echo "usage: $0 start|stop|token" >&2
	exit 64
	;;
esac
