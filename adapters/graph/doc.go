// Package graph sends through Microsoft Graph with app-only tokens: messages
// up to the MIME ceiling by sendMail as they are, larger ones as a draft to
// which the large parts are attached. It finds out about unknown outcomes
// where the application may read the mailbox.
//
// Requests go over a plain HTTP client. The vendor's middleware would repeat
// 503 and 504 and gzip the body, so only its error models are
// used here. A request that can send mail is repeated in two cases: after a
// 401, which accepts nothing, and when a kept connection proved dead before
// the request was complete.
package graph

// contracts B10: the middleware
