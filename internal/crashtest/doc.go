// Package crashtest holds tests that kill the real server again and again under
// load and then count at the fake providers that nothing acknowledged was lost
// or sent twice. Many clients submit over SMTP, HTTP with Idempotency-Key and
// the sendmail command with its maildrop, while the providers misbehave;
// messages are small, in spool files, or larger than Graph takes as MIME. Other
// tests look at faults of the disk, and at what many connections and a long
// queue cost.
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
