// Package differential holds tests alone: messages made by crossing what real
// programs write, well-formed and nearly so, go through every entry point and
// every route, and an independent parser, Python's email package, must find in
// what the providers received what it found in what was handed over.
package differential
