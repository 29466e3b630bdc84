// Package engine is what a transaction of the store does, whatever database
// keeps it: the drivers, sqlite and postgres, bring the connection, the
// transaction and what only their database can do.
//
// Statements here are written in what both databases understand. Their
// parameters are $1, $2, …
package engine
