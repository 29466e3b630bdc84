#!/bin/sh
# Debian: $1 is "configure"; rpm: 1 for the first installation, 2 for an upgrade.
set -e
# What the package brings, whoever made the folders before.
chown postino:postino /var/lib/postino /var/spool/postino
chgrp postino /etc/postino /etc/postino/postino.toml
chmod 750 /var/lib/postino /etc/postino
chmod 640 /etc/postino/postino.toml
chmod 1733 /var/spool/postino

if [ -d /run/systemd/system ]; then
  systemctl daemon-reload
  systemctl enable postino.service
  # Also after an upgrade: mail that waits is sent by the new version.
  systemctl restart postino.service
fi
