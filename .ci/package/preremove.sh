#!/bin/sh
# Debian: "remove" or "upgrade"; rpm: 0 when the last version goes.
set -e
case $1 in
  remove | 0)
    if [ -d /run/systemd/system ]; then systemctl disable --now postino.service; fi
    ;;
esac
