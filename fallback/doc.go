// Package fallback sends over plain SMTP (RFC 5321): it is the route for
// providers without an API, and the second route where a connection names one.
//
// An adapter keeps its connections for a while and shares them among the sends
// of one mailbox, never more of them than the lane's concurrency. TLS is
// verified and never downgraded; a password or token never crosses the network
// in the clear unless the connection says so. The outcome of a send is Unknown
// exactly when the connection dies between the final dot and its reply.
package fallback
