// Package adapters holds the words that every way out shares: a Connection and
// its JSON, the Adapter that sends over one, its Receipt, the one Error type
// with its outcome class, and the Router that finds the adapter of a
// connection by its provider.
package adapters
