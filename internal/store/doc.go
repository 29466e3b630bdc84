// Package store holds the records of the gateway and the ports through which
// they are kept. Two packages implement the ports, sqlite and postgres; one
// conformance suite, storetest, holds both to the promises written here.
//
// Promises that hold for every method of every port:
//
//   - All methods are safe for concurrent use, from any number of goroutines
//     and processes that opened the same store.
//   - Each method is one transaction: when it returns an error, nothing of it is
//     stored, and no one ever sees half of it. The one exception is a
//     connection that dies inside the commit (ErrUnavailable): then the caller
//     cannot know; a submission must be refused with a temporary code.
//   - A method that changes something is durable when it returns nil: synced to
//     the disk, or committed with synchronous replication as the server is set.
//   - The store never looks at the clock to decide anything: every moment comes
//     in with the call. Times are kept in microseconds, in UTC.
//   - What does not exist returns ErrNotFound; a store that cannot work now returns
//     ErrUnavailable, and works again by itself when the cause is gone.
//   - Returned records are the caller's own: changing them changes nothing here.
package store
