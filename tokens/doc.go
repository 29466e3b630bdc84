// Package tokens gets app-only access tokens from Microsoft Entra and Google
// and keeps them in one cache for all connections: one request for any number
// of callers, renewed ahead of its end, failures remembered so that a broken
// credential does not turn into a request a message (contracts A5, A6, C6).
package tokens
