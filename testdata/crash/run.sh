#!/usr/bin/env bash
# The long form of the crash test: how many messages is the first argument.
# With a second argument, the URL of an empty PostgreSQL database, three nodes
# share it and one of them is killed at a time.
set -euo pipefail
cd "$(dirname "$0")/../.."
export POSTINO_CRASH=${1:-10000} POSTINO_CRASH_DATABASE=${2:-}
run=TestCrashSQLite
[ -z "$POSTINO_CRASH_DATABASE" ] || run=TestCrashPostgreSQL
exec go test ./internal/crashtest -run "^$run\$" -count=1 -timeout 60m -v
