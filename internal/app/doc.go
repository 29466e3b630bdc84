// Package app wires the concrete parts together and runs the jobs of the
// command line. It is the one importer of concrete adapters, stores and
// listeners.
package app
