#!/bin/sh
# Mail that waits and the key that opens secrets are the administrator's: a removal
# leaves /var/lib/postino and /var/spool/postino, also with apt-get purge.
set -e
if [ -d /run/systemd/system ]; then systemctl daemon-reload; fi
