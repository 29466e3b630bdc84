// Package repotest holds tests of the repository itself: the walls between
// packages, the shape of files, the public API and the documents that code cites.
package repotest
