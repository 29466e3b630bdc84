// Package sandbox is fake Entra, Microsoft Graph, Google, Gmail and SMTP
// servers on loopback, as strict as the real ones are known to be
// (contracts.md, section G), for the demo, the tests and users' own tests.
package sandbox
