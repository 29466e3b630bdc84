// Package tokens gets app-only access tokens from Microsoft Entra and Google
// and caches them for all connections of a program. Any number of concurrent
// callers cause one request; a token is renewed ahead of its end; failures are
// remembered, so that a broken credential does not turn into a request a
// message.
package tokens
