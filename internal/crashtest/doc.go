// Package crashtest holds no code, only tests: they kill the real server again
// and again while many clients submit over all its doors (SMTP, HTTP with
// Idempotency-Key, the sendmail command with its maildrop) and the providers
// misbehave, and then count at the providers that nothing acknowledged was
// lost or sent twice. Messages are small, in spool files, or larger than Graph
// takes as MIME. Other tests look at what faults of the disk do, and at what
// many connections and a long queue cost.
//
// The short form (POSTINO_PEERS=1) takes about a minute. The long form is
// testdata/crash/run.sh. Environment:
//
//	POSTINO_CRASH=10000          how many messages; also runs without POSTINO_PEERS
//	POSTINO_CRASH_SEED=7         of what the harness itself decides at random
//	POSTINO_TEST_POSTGRES=URL    a PostgreSQL server for the test with three nodes, of
//	                             which one is killed, or stopped beyond its lease, at a time
//	POSTINO_SCALE=1              also what takes minutes and gigabytes: 10,000 connections,
//	                             1,000,000 deliveries, a lane with 20,000
package crashtest
