// Package differential holds tests that send generated messages through every
// entry point and every route and compare what arrives with what was handed
// over. The messages cross what real programs write, well-formed and nearly so;
// the comparison is made by an independent parser, the email package of Python.
package differential
