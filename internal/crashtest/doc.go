// Package crashtest holds no code, only a test: it kills the real server again
// and again while many clients submit and the providers misbehave, and then
// counts at the providers that nothing acknowledged was lost or sent twice.
//
// The short form (POSTINO_PEERS=1) takes about a minute. The long form is
// testdata/crash/run.sh. Environment:
//
//	POSTINO_CRASH=10000          how many messages; also runs without POSTINO_PEERS
//	POSTINO_CRASH_SEED=7         of what the harness itself decides at random
//	POSTINO_TEST_POSTGRES=URL    a PostgreSQL server for the test with three nodes, of
//	                             which one is killed, or stopped beyond its lease, at a time
package crashtest
