#!/usr/bin/env bash
# The long form of the crash test: how many messages is the first argument.
# With a second argument, the URL of a PostgreSQL server, three nodes share a
# schema of it and one of them is killed, or stopped beyond its lease, at a time.
# The result is one line for each provider; anything lost fails the run.
set -euo pipefail
cd "$(dirname "$0")/../.."
export POSTINO_CRASH=${1:-10000} POSTINO_TEST_POSTGRES=${2:-}
run=TestCrashSQLite
[ -z "$POSTINO_TEST_POSTGRES" ] || run=TestCrashPostgreSQL
exec go test ./internal/crashtest -run "^$run\$" -count=1 -timeout 60m -v
