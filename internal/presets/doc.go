// Package presets knows mail providers by name, and finds the provider of an
// address: from the tenant of its domain, MX and SRV records, the provider's
// own autoconfig file, and the presets of well-known domains.
package presets
