#!/bin/sh
# Debian and rpm: the user and the group of the service.
set -e
if ! getent passwd postino >/dev/null; then
  useradd --system --user-group --home-dir /var/lib/postino --no-create-home --shell /usr/sbin/nologin postino
fi
