// Package view defines how records look as JSON: the HTTP API and the commands
// with --json show the same thing in the same form. Sentences are in one
// language, the reader's; durations are whole seconds; secrets are redacted.
package view
