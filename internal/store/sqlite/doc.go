// Package sqlite keeps the store in one folder: an SQLite database in WAL mode
// with synchronous=FULL, and spool files for large bodies. One goroutine
// writes; what is asked of it while it syncs goes together into the next
// transaction, so that any number of callers share one sync. Readers have
// connections of their own and never wait for it.
//
// A second process (the command line) may use the same folder: its changes are
// seen by the server within a tenth of a second.
package sqlite
