// Package postgres keeps the store in a PostgreSQL database that any number of
// nodes share.
//
// What is asked of a node while a transaction commits goes together into the
// next one: two round trips carry any number of calls. The first round trip locks the lanes that the calls
// touch, in the order of their ids,
// and loads what they need; the calls then work in memory; the second writes
// what changed and commits. The row of a lane is the lock of all that is in it,
// so that its limits hold over all nodes. A claim locks with SKIP LOCKED the
// lanes in which something is due, and so never waits for a busy one while
// another has work.
//
// Locks are always taken in one order (idempotency keys, names such as
// connections, nodes, lanes), so that nodes do not block each other for good; a
// node that is stopped while it holds locks loses them after a few seconds
// (idle_in_transaction_session_timeout).
//
// A call is answered by the COMMIT of the connection that did its work, which
// waits as the server is set (docs/adr/0001). Which server that may be, after
// a failover, is for primary to say.
//
// Large bodies are rows of one mebibyte, written in the transaction of their
// message: there are no orphans. Session state is used (advisory locks, LISTEN):
// a connection pooler between postino and the server must pool sessions, not
// transactions.
package postgres
